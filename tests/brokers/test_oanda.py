"""OANDA behind the broker port, over real sockets against a local server of it (C-270, E-06, D-45).

The faults are those of research/venues.md §7. What a server has seen is counted there.
"""

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from brokers.oanda.adapter import CHECK_SECONDS
from brokers.oanda.setup import open_oanda
from brokers.oanda.stream import QUIET_SECONDS
from engine.domain.ids import unnamed_order_id
from engine.domain.order import OrderStatus, OrderType, Side, TimeInForce
from engine.domain.run import LinkState
from engine.ports import (
    Ambiguous,
    AuthFailed,
    LinkReport,
    MarketClosed,
    NotSent,
    OrderReport,
    Rejected,
    StreamRefused,
    Throttled,
)
from tests.brokers.conformance import BrokerConformance
from tests.venues.oanda import ACCOUNT, SYMBOL, TOKEN, OandaServer
from tests.venues.oanda_lab import OandaLab, lab_of, opened, plan

D = Decimal
NEW, FILLED, CANCELED = OrderStatus.NEW, OrderStatus.FILLED, OrderStatus.CANCELED
REJECTED, PARTLY = OrderStatus.REJECTED, OrderStatus.PARTIALLY_FILLED


@pytest.fixture
async def server() -> AsyncIterator[OandaServer]:
    async with OandaServer() as served:
        yield served


@pytest.fixture
async def lab(server: OandaServer) -> AsyncIterator[OandaLab]:
    async with lab_of(server) as made:
        yield made


class TestOANDAConformance(BrokerConformance):
    """What every adapter must do."""


# --- an answer that is lost


@pytest.mark.parametrize("play", ["drop_after", "truncate", "status_after"])
async def test_an_order_whose_answer_was_lost_is_ambiguous_and_is_found_by_its_id(
    server: OandaServer, lab: OandaLab, play: Any
) -> None:
    """C-402: it was sent once, and has filled."""
    await lab.start()
    server.fault("create", play)
    with pytest.raises(Ambiguous):
        await lab.submit("a")
    assert server.count("create") == 1
    found = await lab.broker.get_order("a")
    assert found is not None
    assert (found.status, found.filled, found.client_order_id) == (FILLED, D(10), "a")
    await lab.until("a", FILLED)
    assert lab.of("a") == [NEW, FILLED]


@pytest.mark.parametrize("play", ["drop_before", "status_before"])
async def test_an_order_that_never_arrived_is_ambiguous_and_is_not_there(
    server: OandaServer, lab: OandaLab, play: Any
) -> None:
    await lab.start()
    server.fault("create", play)
    with pytest.raises(Ambiguous):
        await lab.submit("a")
    assert server.count("create") == 1
    assert await lab.broker.get_order("a") is None
    assert await lab.broker.get_fills_since(0) == ()


@pytest.mark.parametrize("play", ["drop_before", "drop_after", "truncate", "status_after"])
async def test_C402_a_cancel_whose_answer_was_lost_was_sent_once(
    server: OandaServer, lab: OandaLab, play: Any
) -> None:
    """Some libraries send a PUT again by themselves."""
    await lab.start()
    await lab.submit("a", limit="95")
    server.fault("cancel", play)
    with pytest.raises(Ambiguous):
        await lab.broker.cancel_order("a")
    assert server.count("cancel") == 1


async def test_an_answer_that_names_no_order_is_ambiguous(
    server: OandaServer, lab: OandaLab
) -> None:
    await lab.start()
    server.fault("create", "status_before", status=201, body="{}")
    with pytest.raises(Ambiguous, match="names no order"):
        await lab.submit("a")


@pytest.mark.parametrize("finds", [False, True])
async def test_an_order_that_has_ended_is_found_whether_or_not_its_id_still_finds_it(
    server: OandaServer, finds: bool
) -> None:
    """Also by a process that did not see it: the lists of all orders have it."""
    server.finds_ended = finds
    server.exchange.set_price(SYMBOL, D(100))
    async with lab_of(server) as first:
        await first.start()
        await first.submit("a")
        await first.submit("b", limit="95")
        await first.broker.cancel_order("b")
    async with lab_of(server) as second:
        await second.start()
        filled, canceled = await second.broker.get_order("a"), await second.broker.get_order("b")
        assert filled is not None
        assert canceled is not None
        assert (filled.status, filled.filled, filled.average_price) == (FILLED, D(10), D(100))
        assert (canceled.status, canceled.filled, canceled.limit_price) == (CANCELED, D(0), D(95))
        assert await second.broker.get_order("c") is None


async def test_an_order_that_this_process_saw_is_found_without_reading_lists(
    server: OandaServer, lab: OandaLab
) -> None:
    await lab.start()
    await lab.submit("a")
    found = await lab.broker.get_order("a")
    assert found is not None
    assert found.status is FILLED
    assert (server.count("order"), server.count("orders")) == (2, 0)


async def test_an_order_that_may_be_older_than_all_lists_is_not_said_to_be_unknown(
    server: OandaServer, lab: OandaLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("brokers.oanda.listed.ORDERS_AT_ONCE", 1)
    monkeypatch.setattr("brokers.oanda.listed.PAGES", 2)
    await lab.start()
    for n in range(3):
        await lab.submit(f"o{n}")
    with pytest.raises(Ambiguous, match="may be older"):
        await lab.broker.get_order("nobody")


# --- client order ids


async def test_an_id_that_is_pending_is_refused_and_the_order_that_has_it_goes_on(
    server: OandaServer, lab: OandaLab
) -> None:
    await lab.start()
    await lab.submit("a", limit="95")
    with pytest.raises(Rejected) as refused:
        await lab.submit("a", limit="94")
    assert refused.value.code == "DUPLICATE_ID"
    await lab.all_told()
    assert lab.of("a") == [NEW]


async def test_C405_an_id_whose_order_has_filled_is_taken_again(lab: OandaLab) -> None:
    """Which is why no submit is safe to repeat here."""
    await lab.start()
    await lab.submit("a")
    await lab.submit("a")
    assert not lab.broker.capabilities.deduplicates
    assert len(await lab.broker.get_fills_since(0)) == 2


# --- 201 is no acknowledgement


@pytest.mark.parametrize(
    ("reason", "status"),
    [
        ("INSUFFICIENT_MARGIN", REJECTED), ("MARKET_HALTED", REJECTED),
        ("FIFO_VIOLATION", REJECTED), ("ACCOUNT_LOCKED", REJECTED),
        ("INSUFFICIENT_LIQUIDITY", CANCELED),
        ("TIME_IN_FORCE_EXPIRED", OrderStatus.EXPIRED), ("A_REASON_OF_NEXT_YEAR", CANCELED),
    ],
)  # fmt: skip
async def test_an_order_that_was_created_and_cancelled_at_once_has_ended(
    server: OandaServer, lab: OandaLab, reason: str, status: OrderStatus
) -> None:
    """The stream and a question say the same of it."""
    await lab.start()
    server.cancels_next = reason
    await lab.submit("a")
    report = await lab.until("a", status)
    assert reason in report.text
    code = "MARKET_CLOSED" if reason == "MARKET_HALTED" else reason
    assert report.code == (code if status is REJECTED else "")
    assert report.filled == 0
    found = await lab.broker.get_order("a")
    assert found is not None
    assert (found.status, found.filled) == (status, D(0))


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        ("ACCOUNT_LOCKED", Rejected), ("INSUFFICIENT_MARGIN", Rejected),
        ("MARKET_HALTED", MarketClosed), ("INTERNAL_SERVER_ERROR", Ambiguous),
    ],
)  # fmt: skip
async def test_C403_an_order_that_was_refused_ends_in_one_of_the_six(
    server: OandaServer, lab: OandaLab, reason: str, kind: type[Exception]
) -> None:
    await lab.start()
    server.rejects_next = reason
    with pytest.raises(kind) as refused:
        await lab.submit("a")
    if isinstance(refused.value, Rejected):
        assert refused.value.code == reason
    assert server.count("create") == 1


async def test_an_order_that_was_refused_while_its_answer_was_lost_is_told(
    server: OandaServer, lab: OandaLab
) -> None:
    await lab.start()
    server.rejects_next = "ACCOUNT_LOCKED"
    server.fault("create", "drop_after")
    with pytest.raises(Ambiguous):
        await lab.submit("a")
    report = await lab.until("a", REJECTED)
    assert report.code == "ACCOUNT_LOCKED"


# --- the stream and the answer bring the same


async def test_what_the_stream_told_before_the_answer_is_told_once(
    server: OandaServer, lab: OandaLab
) -> None:
    await lab.start()
    server.fault("create", "delay", seconds=0.2, late=True)
    sent = asyncio.create_task(lab.submit("a"))
    await lab.until("a", FILLED)
    assert not sent.done()
    await sent
    await lab.all_told()
    assert lab.of("a") == [NEW, FILLED]


async def test_what_the_answer_told_before_the_stream_is_told_once(
    server: OandaServer, lab: OandaLab
) -> None:
    await lab.start()
    server.hold()
    await lab.submit("a")
    await lab.until("a", FILLED)
    server.release()
    await lab.all_told()
    assert lab.of("a") == [NEW, FILLED]


async def test_an_answer_ahead_of_what_the_stream_still_has_to_tell_waits_for_it(
    server: OandaServer, lab: OandaLab
) -> None:
    """Reports are told in the order of the log, whoever brings them."""
    await lab.start()
    await lab.submit("a", limit="95")
    server.hold()
    await lab.price("94")
    await lab.submit("b", "BUY", "1")
    assert lab.of("b") == []
    server.release()
    told = await lab.all_told()
    assert [(r.client_order_id, r.status) for r in told] == [
        ("a", NEW), ("a", FILLED), ("b", NEW), ("b", FILLED),
    ]  # fmt: skip


# --- lines that are missing, doubled, out of order, broken


@pytest.mark.parametrize(
    "lines",
    [(1,), (1, 0), (0, 0, 1, 1), (1, 1, 0), (0, 1)],
    ids=["gap", "reorder", "twice", "both", "none"],
)
async def test_whatever_the_stream_does_each_transaction_is_told_once_in_order(
    server: OandaServer, lab: OandaLab, lines: tuple[int, ...]
) -> None:
    await lab.start()
    server.hold()
    server.order_by_hand("10", "95", client_id="a")
    server.exchange.set_price(SYMBOL, D(94))
    server.release(*lines)
    await lab.all_told()
    assert lab.of("a") == [NEW, FILLED]
    asked = server.count("sinceid")
    assert asked == (0 if lines in {(0, 1), (0, 0, 1, 1)} else 1)


async def test_what_only_the_heartbeat_shows_to_be_missing_is_asked_for(
    server: OandaServer, lab: OandaLab
) -> None:
    await lab.start()
    server.hold()
    server.order_by_hand("10", "95", client_id="a")
    server.exchange.set_price(SYMBOL, D(94))
    server.lose()
    server.beat()
    await lab.until("a", FILLED)
    assert lab.of("a") == [NEW, FILLED]
    server.beat()
    await lab.all_told()
    assert server.count("sinceid") == 1


async def test_where_what_was_missed_cannot_be_had_the_stream_ends_and_says_so(
    server: OandaServer, lab: OandaLab
) -> None:
    await lab.start()
    server.fault("sinceid", "status_before", status=503)
    server.hold()
    server.order_by_hand("10", "95")
    server.lose()
    server.beat()
    assert "what was missed could not be had" in await lab.link_lost()
    with pytest.raises(NotSent):
        await lab.submit("a")


async def test_a_line_may_come_in_pieces_and_one_that_is_garbage_is_looked_behind(
    server: OandaServer, lab: OandaLab
) -> None:
    await lab.start()
    server.hold()
    server.order_by_hand("10", "95", client_id="a")
    server.say(b'<html>\n\n{"type": "HEART')
    server.say(b'BEAT", "lastTransactionID": "1"')
    server.say(b"}\n")
    server.release()
    await lab.until("a", NEW)
    assert server.count("sinceid") == 1
    await lab.all_told()
    assert lab.of("a") == [NEW]


async def test_lines_that_are_all_garbage_end_the_stream(
    server: OandaServer, lab: OandaLab
) -> None:
    await lab.start()
    server.say(b"<p>\n" * 5)
    assert "5 lines in a row could not be read" in await lab.link_lost()


async def test_a_line_without_an_end_ends_the_stream(server: OandaServer, lab: OandaLab) -> None:
    await lab.start()
    server.say(b"x" * 1_100_000)
    assert "a line of more than" in await lab.link_lost()


async def test_a_stream_that_is_silent_is_over(server: OandaServer) -> None:
    """Nothing for longer than two beats, though the connection stands."""
    async with lab_of(server, silence_seconds=0.2) as lab:
        await lab.start()
        assert await lab.link_lost() == "nothing was heard for 0.2 s"
        await lab.start()


async def test_what_a_quiet_stream_fails_to_bring_is_asked_for_long_before_a_beat_is_missing(
    server: OandaServer,
) -> None:
    """C-440: what the account did is known though the stream is stuck; the stream brings it in the
    end, and it counts once."""
    async with lab_of(server, quiet_seconds=0.4) as lab:
        await lab.start()
        server.hold()
        server.order_by_hand("10", "95", client_id="a")
        server.exchange.set_price(SYMBOL, D(94))
        await lab.until("a", FILLED)
        server.release()
        await lab.all_told()
        assert lab.of("a") == [NEW, FILLED]


async def test_a_stream_that_goes_on_without_what_the_venue_told_when_asked_is_over(
    server: OandaServer,
) -> None:
    async with lab_of(server, quiet_seconds=0.2) as lab:
        await lab.start()
        server.hold()
        server.order_by_hand("10", "95", client_id="a")
        assert (await lab.link_lost()).startswith("it did not bring transaction ")
        assert lab.of("a") == [NEW]
        server.lose()
        await lab.start()
        await lab.submit("b")
        await lab.until("b", FILLED)


@pytest.mark.parametrize("play", ["drop_before", "status_before"])
async def test_a_quiet_stream_of_a_venue_that_cannot_be_asked_is_over(
    server: OandaServer, play: Any
) -> None:
    async with lab_of(server, quiet_seconds=0.2) as lab:
        await lab.start()
        server.fault("sinceid", play)
        why = await lab.link_lost()
        assert why.startswith("it was quiet, and the venue could not be asked: ")


async def test_a_quiet_stream_of_a_venue_that_does_not_answer_is_over_within_5_seconds(
    server: OandaServer,
) -> None:
    """A link that carries nothing more (C-440)."""
    assert QUIET_SECONDS + CHECK_SECONDS <= 5
    async with lab_of(server, quiet_seconds=0.2) as lab:
        await lab.start()
        server.fault("sinceid", "silent")
        assert (await lab.link_lost()).endswith("could not be asked: no answer in 3 s")


async def test_a_quiet_stream_stays_where_the_venue_asks_to_wait(server: OandaServer) -> None:
    async with lab_of(server, quiet_seconds=0.2) as lab:
        await lab.start()
        server.fault("sinceid", "status_before", status=429, headers={"Retry-After": "0"})
        server.order_by_hand("10", "95", client_id="a")
        await lab.until("a", NEW)
        while server.count("sinceid") < 3:
            await asyncio.sleep(0.05)
        await lab.all_told()


async def test_a_stream_that_ends_is_told_and_the_next_connect_brings_it_back(
    server: OandaServer, lab: OandaLab
) -> None:
    await lab.start()
    server.hang_up()
    assert await lab.link_lost() == "the stream ended"
    await lab.start()
    await lab.submit("a")
    await lab.until("a", FILLED)


async def test_what_happened_before_the_connection_is_not_told_by_it(
    server: OandaServer, lab: OandaLab
) -> None:
    server.exchange.set_price(SYMBOL, D(100))
    server.order_by_hand("10", "95", client_id="old")
    await lab.start()
    assert [order.client_order_id for order in await lab.broker.get_open_orders()] == ["old"]
    await lab.all_told()
    assert lab.of("old") == []


# --- credentials, limits, outages


async def test_a_token_that_is_revoked_ends_the_stream_and_is_refused(
    server: OandaServer, lab: OandaLab
) -> None:
    await lab.start()
    server.revoke()
    await lab.link_lost()
    with pytest.raises(AuthFailed) as refused:
        await lab.broker.connect()
    assert TOKEN not in str(refused.value)
    assert server.count("create") == 0


@pytest.mark.parametrize("given", ["", "two words", "line\n", "töken"])
async def test_what_is_no_token_is_refused_here_and_not_shown(
    server: OandaServer, lab: OandaLab, monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    monkeypatch.setattr("tests.venues.oanda_lab.TOKEN", given)
    with pytest.raises(AuthFailed, match="OANDA_API_TOKEN is no token") as refused:
        await lab.broker.connect()
    assert not given or given not in str(refused.value)
    assert server.requests == []


async def test_a_token_that_is_missing_is_said_to_be(server: OandaServer) -> None:
    given = plan(server)
    connection = open_oanda(msgspec.structs.replace(given, secret=_missing))
    with pytest.raises(AuthFailed, match="looked for in the environment"):
        await connection.broker.connect()
    assert server.requests == []


def _missing(variable: str) -> Any:
    raise LookupError(f"{variable} was looked for in the environment")


@pytest.mark.parametrize(("headers", "wait"), [({"Retry-After": "3"}, 3.0), (None, 1.0)])
async def test_C200_a_venue_that_asks_to_wait_did_not_act(
    server: OandaServer, lab: OandaLab, headers: dict[str, str] | None, wait: float
) -> None:
    await lab.start()
    server.fault("create", "status_before", status=429, headers=headers)
    with pytest.raises(Throttled) as asked:
        await lab.submit("a")
    assert asked.value.retry_after == wait
    with pytest.raises(Throttled):
        await lab.broker.get_positions()
    assert (server.count("create"), server.count("positions")) == (1, 0)


@pytest.mark.parametrize(("status", "kind"), [(503, Ambiguous), (401, AuthFailed), (404, Rejected)])
async def test_a_stream_that_is_refused_leaves_nothing_open(
    server: OandaServer, lab: OandaLab, status: int, kind: type[Exception]
) -> None:
    server.fault("stream", "status_before", status=status)
    with pytest.raises(kind):
        await lab.broker.connect()
    with pytest.raises(NotSent):
        await lab.broker.get_positions()
    assert server.listeners == 0
    await lab.start()


async def test_C441_one_stream_too_many_leaves_the_requests(
    server: OandaServer, lab: OandaLab
) -> None:
    """It is refused with 429. What an order came to is told by its answer and by lists."""
    server.fault("stream", "status_before", status=429)
    with pytest.raises(StreamRefused):
        await lab.broker.connect()
    assert server.listeners == 0
    await lab.price("100")
    await lab.submit("a")
    (held,) = await lab.broker.get_positions()
    assert held.quantity == 10
    await lab.broker.connect()
    assert server.listeners == 1


@pytest.mark.parametrize("name", ["accounts", "account", "instruments"])
async def test_a_connect_that_fails_behind_its_stream_closes_it(
    server: OandaServer, lab: OandaLab, name: str
) -> None:
    server.fault(name, "drop_before")
    with pytest.raises(Ambiguous):
        await lab.broker.connect()
    assert not _streams()
    await lab.start()


async def test_a_connect_that_is_given_up_leaves_no_task(
    server: OandaServer, lab: OandaLab
) -> None:
    server.fault("stream", "silent")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await lab.broker.connect()
    assert not _streams()
    await lab.start()


def _streams() -> list[str]:
    return [t.get_name() for t in asyncio.all_tasks() if t.get_name().startswith("stream ")]


async def test_a_request_under_way_is_ambiguous_when_we_disconnect(
    server: OandaServer, lab: OandaLab
) -> None:
    await lab.start()
    server.fault("create", "delay", seconds=60, late=True)
    sent = asyncio.create_task(lab.submit("a"))
    await lab.until("a", FILLED)
    await lab.broker.disconnect()
    with pytest.raises(Ambiguous):
        await sent


# --- which account


@pytest.mark.parametrize(
    ("settings", "accounts", "said"),
    [
        ({"account_id": "101-001-7-001"}, [ACCOUNT], "may not use account 101-001-7-001"),
        ({"account_id": ""}, [ACCOUNT, "101-001-1234567-002"], "account_id is missing: the token"),
        ({"account_id": ""}, [], "may not use account any"),
        ({"account_id": "", "environment": "live"}, [ACCOUNT], "real money needs it"),
    ],
)
async def test_C201_nothing_is_sent_to_an_account_that_nobody_named(
    server: OandaServer, settings: dict[str, Any], accounts: list[str], said: str
) -> None:
    server.accounts = [{"id": name, "tags": []} for name in accounts]
    async with lab_of(server, **settings) as lab:
        with pytest.raises(AuthFailed, match=said):
            await lab.broker.connect()
    assert {name for name, _, _ in server.requests} == {"accounts"}


async def test_C201_the_account_is_confirmed_on_every_connection(
    server: OandaServer, lab: OandaLab
) -> None:
    await lab.start()
    server.hang_up()
    await lab.link_lost()
    told = '{"account": {"id": "101-001-7-001", "currency": "USD"}}'
    server.fault("account", "status_before", status=200, body=told)
    with pytest.raises(AuthFailed, match="the venue answers with 101-001-7-001"):
        await lab.broker.connect()
    assert server.count("accounts") == 1
    assert not _streams()


async def test_the_only_account_of_a_practice_token_needs_no_name(server: OandaServer) -> None:
    async with lab_of(server, account_id="") as lab:
        await lab.start()
        assert (await lab.broker.get_account()).account_id == ACCOUNT


async def test_E06_an_account_of_mt4_is_refused(server: OandaServer, lab: OandaLab) -> None:
    server.accounts = [{"id": ACCOUNT, "tags": [], "mt4AccountID": 77}]
    with pytest.raises(AuthFailed, match="MetaTrader"):
        await lab.broker.connect()


# --- what is sent


@pytest.mark.parametrize(
    ("more", "sent"),
    [
        ({"side": "BUY"}, {"type": "MARKET", "timeInForce": "FOK", "units": "10"}),
        ({"side": "SELL"}, {"type": "MARKET", "timeInForce": "FOK", "units": "-10"}),
        ({"side": "SELL", "reduce_only": True}, {"timeInForce": "IOC"}),
        ({"side": "SELL", "reduce_only": True}, {"positionFill": "REDUCE_ONLY"}),
        ({"side": "SELL", "reduce_only": True, "tif": "FOK"}, {"timeInForce": "FOK"}),
        ({"tif": "IOC"}, {"timeInForce": "IOC", "positionFill": "REDUCE_FIRST"}),
        ({"tif": "DAY", "limit": "95"}, {"type": "LIMIT", "timeInForce": "GFD", "price": "95.00"}),
        ({"stop": "110"}, {"type": "STOP", "price": "110.00", "triggerCondition": "DEFAULT"}),
        ({"side": "SELL_SHORT"}, {"clientExtensions": {"id": "a", "tag": "SELL_SHORT"}}),
        ({"quantity": "1E+1"}, {"units": "10"}),
    ],
)  # fmt: skip
async def test_D45_orders_are_sent_in_the_words_of_the_venue(
    server: OandaServer, lab: OandaLab, more: dict[str, Any], sent: dict[str, Any]
) -> None:
    await lab.start()
    server.exchange.place(
        client_id="",
        symbol=SYMBOL,
        sign=1,
        quantity=D(10),
        kind="market",
        order_id=server.next_number,
    )
    await lab.submit("a", **more)
    (body,) = server.posted
    assert {name: body[name] for name in sent} == sent
    assert body["clientExtensions"]["id"] == "a"


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"quantity": "1.9"}, "UNITS_PRECISION_EXCEEDED"),
        ({"quantity": "0.5"}, "UNITS_PRECISION_EXCEEDED"),
        ({"quantity": "100000001"}, "UNITS_LIMIT_EXCEEDED"),
        ({"limit": "95.005"}, "PRICE_PRECISION_EXCEEDED"),
        ({"stop": "0.001"}, "PRICE_PRECISION_EXCEEDED"),
        ({"limit": "95", "stop": "94"}, "ORDER_TYPE"),
        ({"symbol": "EUR_XXX"}, "INSTRUMENT_UNKNOWN"),
    ],
)
async def test_D45_what_is_off_the_grid_is_refused_here_and_not_cut(
    server: OandaServer, lab: OandaLab, more: dict[str, Any], code: str
) -> None:
    await lab.start()
    with pytest.raises(Rejected) as refused:
        await lab.submit("a", **more)
    assert refused.value.code == code
    assert server.count("create") == 0


async def test_the_largest_order_that_is_allowed_is_sent(
    server: OandaServer, lab: OandaLab
) -> None:
    await lab.start()
    await lab.submit("a", "BUY", "100000000")
    assert server.count("create") == 1


# --- what fills in part, and what somebody else does


@pytest.mark.parametrize("tells", [True, False])
async def test_what_an_order_that_never_rests_does_not_fill_has_ended(
    server: OandaServer, lab: OandaLab, tells: bool
) -> None:
    """Whether or not a transaction cancels the rest, it is told once."""
    server.tells_remainder = tells
    await lab.start()
    server.thin = D(4)
    await lab.submit("a", tif="IOC")
    report = await lab.until("a", CANCELED)
    assert report.filled == 4
    await lab.all_told()
    assert lab.of("a") == [NEW, PARTLY, CANCELED]
    found = await lab.broker.get_order("a")
    assert found is not None
    assert (found.status, found.quantity, found.filled) == (CANCELED, D(10), D(4))


@pytest.mark.parametrize("slices", [2, 3])
async def test_C270_a_market_order_that_fills_in_parts_has_not_ended_with_the_first_of_them(
    server: OandaServer, lab: OandaLab, slices: int
) -> None:
    """Told as ended, the rest of it was closed by another order, and what was held was turned."""
    await lab.start()
    server.exchange.slices = slices
    server.hold()
    await lab.submit("a", quantity="10")
    server.release()
    await lab.until("a", FILLED)
    assert lab.of("a") == [NEW, *[PARTLY] * (slices - 1), FILLED]


async def test_a_rest_that_ends_without_a_word_is_told_by_the_next_heartbeat(
    server: OandaServer, lab: OandaLab
) -> None:
    server.tells_remainder = False
    await lab.start()
    server.thin = D(4)
    server.fault("create", "drop_after")
    with pytest.raises(Ambiguous):
        await lab.submit("a", tif="IOC")
    await lab.until("a", PARTLY)
    server.beat()
    await lab.until("a", CANCELED)


async def test_an_order_that_must_fill_whole_and_cannot_does_not(
    server: OandaServer, lab: OandaLab
) -> None:
    await lab.start()
    server.thin = D(4)
    await lab.submit("a")
    report = await lab.until("a", CANCELED)
    assert (report.text, report.filled) == ("INSUFFICIENT_LIQUIDITY", D(0))
    assert await lab.broker.get_positions() == ()


async def test_a_resting_order_that_fills_in_parts_says_how_much(
    server: OandaServer, lab: OandaLab
) -> None:
    await lab.start()
    await lab.submit("a", limit="95")
    number = server.exchange.open_orders[0].id
    server.exchange.fill(number, D(4), D(95))
    part = await lab.until("a", PARTLY)
    (resting,) = await lab.broker.get_open_orders()
    assert (part.filled, resting.filled, resting.quantity) == (D(4), D(4), D(10))
    server.exchange.fill(number, D(6), D(95))
    assert (await lab.until("a", FILLED)).filled == 10
    found = await lab.broker.get_order("a")
    assert found is not None
    assert (found.status, found.filled, found.average_price) == (FILLED, D(10), None)


async def test_an_order_of_somebody_else_is_told_by_the_name_the_venue_gives_it(
    server: OandaServer, lab: OandaLab
) -> None:
    await lab.start()
    number = server.order_by_hand("-10", "120")
    report = await lab.next_report()
    assert isinstance(report, OrderReport)
    assert (report.client_order_id, report.venue_order_id) == ("", number)
    (order,) = await lab.broker.get_open_orders()
    assert (order.client_order_id, order.venue_order_id, order.side) == ("", number, Side.SELL)
    await lab.broker.cancel_order(unnamed_order_id("fx", number))
    assert await lab.broker.get_open_orders() == ()


async def test_what_the_venue_closes_for_want_of_margin_is_told(
    server: OandaServer, lab: OandaLab
) -> None:
    await lab.start()
    await lab.submit("a")
    await lab.until("a", FILLED)
    server.close_out()
    report = await lab.until("", FILLED)
    assert report.fill is not None
    assert (report.fill.side, report.fill.quantity) == (Side.SELL, D(10))
    assert (await lab.broker.get_fills_since(0))[-1] == report.fill


async def test_an_order_that_somebody_replaced_goes_on_under_its_id(
    server: OandaServer, lab: OandaLab
) -> None:
    await lab.start()
    await lab.submit("a", limit="95")
    old = await lab.until("a", NEW)
    number = server.replace_by_hand(old.venue_order_id, "7", "96")
    report = await lab.until("a", NEW)
    assert (report.venue_order_id, report.quantity, report.limit_price) == (number, D(7), D(96))
    await lab.price("96")
    assert (await lab.until("a", FILLED)).filled == 7
    assert CANCELED not in lab.of("a")


async def test_a_day_order_ends_with_its_day(server: OandaServer, lab: OandaLab) -> None:
    await lab.start()
    await lab.submit("a", limit="95", tif="DAY")
    report = await lab.until("a", NEW)
    assert report.time_in_force is TimeInForce.DAY
    server.end_of_day(report.venue_order_id)
    await lab.until("a", OrderStatus.EXPIRED)
    found = await lab.broker.get_order("a")
    assert found is not None
    assert found.status is OrderStatus.EXPIRED


async def test_a_stop_that_is_tied_to_a_trade_is_listed_with_what_it_would_sell(
    server: OandaServer, lab: OandaLab
) -> None:
    await lab.start()
    await lab.submit("a")
    number = server.protect_by_hand("95")
    (order,) = await lab.broker.get_open_orders()
    assert (order.venue_order_id, order.symbol, order.type) == (number, SYMBOL, OrderType.STOP)
    assert (order.side, order.quantity, order.stop_price) == (Side.SELL, D(10), D(95))
    assert order.reduce_only
    server.trades.clear()
    with pytest.raises(Ambiguous, match="is tied to trade"):
        await lab.broker.get_open_orders()


async def test_A245_an_order_that_opens_a_short_is_known_as_one_later(
    server: OandaServer, lab: OandaLab
) -> None:
    """Units below zero alone would say SELL."""
    await lab.start()
    await lab.submit("a", "SELL_SHORT", "10", limit="120")
    (resting,) = await lab.broker.get_open_orders()
    assert resting.side is Side.SELL_SHORT
    await lab.price("121")
    await lab.until("a", FILLED)
    found = await lab.broker.get_order("a")
    assert found is not None
    assert found.side is Side.SELL_SHORT
    (held,) = await lab.broker.get_positions()
    assert held.quantity == -10


# --- what cannot be read


async def test_a_state_that_nobody_knows_proves_nothing(server: OandaServer, lab: OandaLab) -> None:
    await lab.start()
    row = '{"order": {"id": "7", "type": "LIMIT", "state": "DREAMING", "units": "10"}}'
    server.fault("order", "status_before", status=200, body=row)
    with pytest.raises(Ambiguous, match="DREAMING"):
        await lab.broker.get_order("a")


async def test_a_row_with_a_number_that_is_none_keeps_its_symbol(
    server: OandaServer, lab: OandaLab
) -> None:
    """Also an order of a type that nobody here knows."""
    await lab.start()
    rows = (
        '{"orders": [{"id": "7", "type": "LIMIT", "instrument": "EUR_USD", "units": 1.5,'
        ' "price": "95"}, {"id": "8", "type": "ICEBERG", "instrument": "USD_JPY", "units": "5"}]}'
    )
    server.fault("pending", "status_before", status=200, body=rows)
    orders = await lab.broker.get_open_orders()
    assert [(o.venue_order_id, o.symbol, o.quantity.is_nan()) for o in orders] == [
        ("7", "EUR_USD", True), ("8", "USD_JPY", True),
    ]  # fmt: skip


async def test_a_list_that_cannot_be_read_is_never_an_empty_one(
    server: OandaServer, lab: OandaLab
) -> None:
    await lab.start()
    for name in ("pending", "positions"):
        server.fault(name, "status_before", status=200, body="{}")
    with pytest.raises(Ambiguous):
        await lab.broker.get_open_orders()
    with pytest.raises(Ambiguous):
        await lab.broker.get_positions()


async def test_C270_fills_are_read_from_every_page_of_the_log(
    server: OandaServer, lab: OandaLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page is named by an address: its ids are used, its host is not."""
    monkeypatch.setattr("brokers.oanda.api.MOST_AT_ONCE", 3)
    await lab.start()
    for n in range(4):
        await lab.submit(f"o{n}", "BUY", "1")
    fills = await lab.broker.get_fills_since(0)
    assert [fill.client_order_id for fill in fills] == ["o0", "o1", "o2", "o3"]
    assert server.count("idrange") > 1
    body = '{"pages": ["https://elsewhere.example/nothing"]}'
    server.fault("transactions", "status_before", status=200, body=body)
    with pytest.raises(Ambiguous, match="has no ids"):
        await lab.broker.get_fills_since(0)


async def test_the_clock_is_that_of_the_answers(server: OandaServer, lab: OandaLab) -> None:
    await lab.start()
    server.fault("summary", "status_before", status=200, headers={"Date": "yesterday"})
    with pytest.raises(Ambiguous, match="no time"):
        await lab.broker.server_time()
    server.fault(
        "summary", "status_before", status=200, headers={"Date": "Mon, 02 Mar 2026 15:00:00 GMT"}
    )
    assert await lab.broker.server_time() == 1_772_463_600_000_000_000


async def test_the_host_opens_an_account_that_is_not_connected(server: OandaServer) -> None:
    async with opened(server) as connection:
        assert server.requests == []
        assert connection.market is not None
        await connection.broker.connect()
        report = await anext(connection.broker.reports())
        assert isinstance(report, LinkReport)
        assert report.state is LinkState.CONNECTED


async def test_C200_accounts_opened_together_share_the_requests_of_their_address(
    server: OandaServer,
) -> None:
    """It allows so many from one address, whichever account asks (research §6)."""
    first = plan(server)
    one, two = (
        open_oanda(msgspec.structs.replace(first, name=name)).broker for name in ("fx", "second")
    )
    apart = open_oanda(plan(server)).broker
    for broker in (one, two, apart):
        await broker.connect()
    server.fault("account", "status_before", status=429, headers={"Retry-After": "7"})
    with pytest.raises(Throttled):
        await one.get_account()
    seen = len(server.requests)
    with pytest.raises(Throttled):
        await two.get_account()
    assert len(server.requests) == seen
    assert (await apart.get_account()).account_id
    for broker in (one, two, apart):
        await broker.disconnect()
