"""The broker port over Coinbase Advanced Trade, against a local server of it (C-250, E-07, X-61).

The faults are those of research/venues.md §7, column Coinbase, by their numbers.
"""

import asyncio
import base64
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from brokers import PriceSource, VenueSetup, open_venue
from brokers.coinbase.settings import CoinbaseConfig
from engine.config.trading import MarketConfig
from engine.domain.ids import order_id
from engine.domain.order import Fill, OrderStatus, OrderType
from engine.ports import (
    Ambiguous,
    AuthFailed,
    BrokerError,
    MarketClosed,
    NotSent,
    OrderReport,
    Rejected,
    Throttled,
)
from engine.runtime.clock import SystemClock
from tests.brokers.conformance import PATIENCE_SECONDS, BrokerConformance, Lab
from tests.venues.coinbase import KEY_NAME, PORTFOLIO, CoinbaseVenue

D = Decimal
_S = OrderStatus
SEED = Ed25519PrivateKey.generate()
RAW = SEED.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
PUBLIC = SEED.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
ED25519 = base64.b64encode(RAW + PUBLIC).decode()
ACCOUNT = PORTFOLIO.replace("-", "")


class Hidden:
    """A secret of the host."""

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value

    def __repr__(self) -> str:
        return "***"


def plan(
    venue: CoinbaseVenue,
    *,
    secret: str = ED25519,
    symbols: tuple[str, ...] = ("BTC-USD", "ETH-USD"),
    prices: PriceSource = PriceSource.MARKET,
    **settings: Any,
) -> VenueSetup:
    """What an account is opened with."""
    given = {
        "environment": "live",
        "account_id": ACCOUNT,
        "rest_url": venue.url,
        "stream_url": venue.stream_url,
    }
    values = {"COINBASE_API_KEY": KEY_NAME, "COINBASE_SECRET_KEY": secret}
    return VenueSetup(
        name="coinbase",
        settings=CoinbaseConfig(**(given | settings)),
        market=MarketConfig(symbols=symbols),
        account_id="coinbase",
        clock=SystemClock(),
        state_dir=None,
        base_currency="USD",
        prices=prices,
        secret=lambda name: Hidden(values[name]),
    )


@asynccontextmanager
async def opened(venue: CoinbaseVenue, **more: Any) -> AsyncIterator[Lab]:
    """A lab of the account, which is not connected; nothing stays open."""
    connection = open_venue(plan(venue, **more))
    try:
        yield Lab(connection.broker, venue.set_price, symbol="BTC-USD")
    finally:
        await connection.broker.disconnect()
        connection.close()


@pytest.fixture
async def venue() -> AsyncIterator[CoinbaseVenue]:
    async with CoinbaseVenue(SEED.public_key(), "EdDSA") as served:
        yield served


@pytest.fixture
async def lab(venue: CoinbaseVenue) -> AsyncIterator[Lab]:
    async with opened(venue) as made:
        yield made


def fills(lab: Lab) -> list[Fill]:
    """Every execution that was reported."""
    return [r.fill for r in lab.seen if isinstance(r, OrderReport) and r.fill is not None]


async def until(condition: Any) -> None:
    """Wait for what no report tells."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not condition():
            await asyncio.sleep(0.005)


def many(venue: CoinbaseVenue, count: int) -> None:
    """So many orders rest there."""
    for n in range(count):
        venue.exchange.place(
            client_id=f"o{n}",
            symbol="BTC-USD",
            sign=1,
            quantity=D("0.1"),
            kind="limit",
            limit=D(50),
        )


def placed_by_another(venue: CoinbaseVenue) -> None:
    """An order that nobody here has heard of."""
    venue.muted = True
    venue.exchange.place(
        client_id="a", symbol="BTC-USD", sign=1, quantity=D("0.5"), kind="limit", limit=D(95)
    )
    venue.muted = False


class TestCoinbaseConformance(BrokerConformance):
    """What every adapter must do."""


# --- 1, 2: an answer that is lost, and a request that is


@pytest.mark.parametrize("play", ["drop_after", "truncate", "status_after"])
async def test_F01_an_order_whose_answer_was_lost_is_ambiguous_and_is_found_by_its_id(
    venue: CoinbaseVenue, lab: Lab, play: Any
) -> None:
    await lab.start()
    venue.fault("create", play)
    with pytest.raises(Ambiguous):
        await lab.submit("a", "BUY", "0.5")
    report = await lab.until("a", _S.FILLED)
    assert report.fill is not None
    found = await lab.broker.get_order("a")
    assert found is not None
    assert (found.status, found.filled, found.client_order_id) == (_S.FILLED, D("0.5"), "a")
    assert venue.count("create") == 1


@pytest.mark.parametrize("key", ["a", order_id(1_790_000_000_000_000_000, "x")])
async def test_F01_an_order_of_an_earlier_process_is_found_in_the_list_of_all_orders(
    venue: CoinbaseVenue, lab: Lab, key: str
) -> None:
    """It was sent, nothing was heard, and the process ended: the next one knows its id alone."""
    await lab.start()
    venue.muted = True
    for n in range(3):
        await lab.submit(f"o{n}", "BUY", "0.1", limit="90")
    venue.fault("create", "drop_after")
    with pytest.raises(Ambiguous):
        await lab.submit(key, "BUY", "0.5")
    venue.muted, venue.page = False, 2
    async with opened(venue) as later:
        await later.start()
        # Its execution names only what the venue calls the order: whose it is, is asked.
        (fill,) = await later.broker.get_fills_since(0)
        assert fill.client_order_id == key
    async with opened(venue) as later:
        await later.start()
        found = await later.broker.get_order(key)
        assert found is not None
        assert (found.status, found.client_order_id) == (_S.FILLED, key)
        assert await later.broker.get_order(key[::-1] + "x") is None


@pytest.mark.parametrize("play", ["drop_before", "status_before"])
async def test_F02_an_order_that_never_arrived_is_ambiguous_too_and_is_not_sent_again(
    venue: CoinbaseVenue, lab: Lab, play: Any
) -> None:
    await lab.start()
    venue.fault("create", play)
    with pytest.raises(Ambiguous):
        await lab.submit("a")
    assert venue.count("create") == 1
    assert venue.exchange.orders == {}
    assert await lab.broker.get_order("a") is None


async def test_F02_without_the_grid_of_its_pair_an_order_provably_did_not_leave(
    venue: CoinbaseVenue, lab: Lab
) -> None:
    await lab.start()
    venue.fault("product", "drop_after")
    with pytest.raises(NotSent, match="the grid of BTC-USD"):
        await lab.submit("a")
    assert venue.count("create") == 0


async def test_F02_a_venue_that_is_not_there_was_sent_nothing(
    venue: CoinbaseVenue, lab: Lab
) -> None:
    await lab.start()
    await lab.broker.instrument("BTC-USD")
    await venue.stop()
    assert (await lab.disconnected()).detail
    with pytest.raises(NotSent):
        await lab.submit("a")
    with pytest.raises(NotSent):
        await lab.broker.connect()


# --- 3: an id that was used


async def test_F03_an_id_that_this_process_used_is_refused_as_a_duplicate(
    venue: CoinbaseVenue, lab: Lab
) -> None:
    await lab.start()
    await lab.submit("a", "BUY", "0.5")
    await lab.until("a", _S.FILLED)
    with pytest.raises(Rejected) as refused:
        await lab.submit("a", "BUY", "0.5")
    assert refused.value.code == "DUPLICATE_ID"
    assert len(venue.exchange.orders) == 1


async def test_F03_an_equal_order_of_a_used_id_is_the_one_that_is_there_already(
    venue: CoinbaseVenue, lab: Lab
) -> None:
    """Another process sent it: nobody here can know, and it is the order that was wanted."""
    await lab.start()
    placed_by_another(venue)
    await lab.submit("a", "BUY", "0.50", limit="95.00")
    assert len(venue.exchange.orders) == 1
    (listed,) = await lab.broker.get_open_orders()
    assert listed.client_order_id == "a"


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"quantity": "0.4", "limit": "95"}, "its base_size is 0.5, and 0.4 was sent"),
        ({"quantity": "0.5", "limit": "94"}, "its limit_price is 95, and 94 was sent"),
        ({"quantity": "0.5"}, "it is a limit_limit_gtc, and market_market_ioc was sent"),
        ({"side": "SELL", "quantity": "0.5", "limit": "95"}, "its side is BUY"),
        ({"quantity": "0.5", "limit": "95", "symbol": "ETH-USD"}, "its product_id is BTC-USD"),
    ],
)
async def test_F03_an_id_that_is_that_of_another_order_is_a_duplicate(
    venue: CoinbaseVenue, lab: Lab, more: dict[str, str], said: str
) -> None:
    """The venue answers with the order that has the id, as if this one had been placed."""
    await lab.start()
    placed_by_another(venue)
    with pytest.raises(Rejected, match=said) as refused:
        await lab.submit("a", **more)
    assert refused.value.code == "DUPLICATE_ID"


# --- 4: taken, and not worked


async def test_F04_an_order_that_was_taken_and_then_failed_is_rejected_with_the_reason(
    venue: CoinbaseVenue, lab: Lab
) -> None:
    await lab.start()
    venue.fail_next = "INSUFFICIENT_FUND"
    await lab.submit("a", "BUY", "0.5")
    report = await lab.until("a", _S.REJECTED)
    assert (report.code, report.fill, report.filled) == ("INSUFFICIENT_FUND", None, D(0))


async def test_D44_what_was_cancelled_is_never_read_as_filled(
    venue: CoinbaseVenue, lab: Lab
) -> None:
    """A part of it filled, and the rest ended: that is told in two reports, the fill first."""
    await lab.start()
    venue.exchange.fills = False
    await lab.submit("a", "BUY", "1", limit="100")
    await lab.until("a", _S.NEW)
    (order,) = venue.exchange.orders.values()
    venue.exchange.fill(order.id, D("0.25"), D(100))
    await lab.until("a", _S.PARTIALLY_FILLED)
    await lab.broker.cancel_order("a")
    report = await lab.until("a", _S.CANCELED)
    assert (report.filled, report.fill) == (D("0.25"), None)
    assert _S.FILLED not in lab.of("a")
    found = await lab.broker.get_order("a")
    assert found is not None
    assert (found.status, found.filled, found.quantity) == (_S.CANCELED, D("0.25"), D(1))


@pytest.mark.parametrize("tif", ["IOC", "FOK"])
async def test_F04_what_does_not_fill_at_once_is_cancelled(lab: Lab, tif: str) -> None:
    await lab.start()
    await lab.submit("a", "BUY", "1", limit="90", tif=tif)
    report = await lab.until("a", _S.CANCELED)
    assert report.filled == 0


# --- 5: the stream tells how things stand, and before the answer


async def test_F05_a_fill_that_is_told_before_the_answer_is_taken_once(
    venue: CoinbaseVenue, lab: Lab
) -> None:
    await lab.start()
    venue.fault("create", "delay", seconds=0.3, late=True)
    sending = asyncio.create_task(lab.submit("a", "BUY", "0.5"))
    report = await lab.until("a", _S.FILLED)
    assert not sending.done()
    await sending
    assert fills(lab) == [report.fill]


async def test_F05_several_executions_in_one_message_are_told_one_by_one_with_their_ids(
    venue: CoinbaseVenue, lab: Lab
) -> None:
    await lab.start()
    venue.holds, venue.exchange.slices = True, 4
    await lab.submit("a", "BUY", "1")
    venue.release()
    report = await lab.until("a", _S.FILLED)
    assert lab.of("a") == [_S.PARTIALLY_FILLED] * 3 + [_S.FILLED]
    assert [r.filled for r in lab.seen if isinstance(r, OrderReport)] == [
        D("0.25"), D("0.5"), D("0.75"), D(1),
    ]  # fmt: skip
    assert report.filled == 1
    assert tuple(fills(lab)) == await lab.broker.get_fills_since(0)
    assert [fill.execution_id for fill in fills(lab)] == [e.id for e in venue.exchange.executions]


async def test_F05_an_execution_is_told_once_however_often_its_order_is_asked_about(
    venue: CoinbaseVenue, lab: Lab
) -> None:
    await lab.start()
    venue.exchange.fills = False
    await lab.submit("a", "BUY", "1", limit="100")
    await lab.until("a", _S.NEW)
    (order,) = venue.exchange.orders.values()
    for n in range(3):
        venue.exchange.fill(order.id, D("0.25"), D(100 - n))
        await lab.until("a", _S.PARTIALLY_FILLED)
    venue.exchange.fill(order.id, D("0.25"), D(90))
    await lab.until("a", _S.FILLED)
    assert [fill.price for fill in fills(lab)] == [D(100), D(99), D(98), D(90)]
    # A message that says again what is known tells nothing.
    venue.tell_user([venue.update(order, "FILLED")])
    await lab.submit("b", "BUY", "0.1", limit="50")
    await lab.until("b", _S.NEW)
    assert lab.of("a").count(_S.FILLED) == 1


async def test_F05_executions_at_other_prices_are_told_at_theirs_never_at_a_mean(
    venue: CoinbaseVenue, lab: Lab
) -> None:
    await lab.start()
    venue.exchange.fills = False
    await lab.submit("a", "BUY", "1", limit="101")
    await lab.until("a", _S.NEW)
    (order,) = venue.exchange.orders.values()
    venue.holds = True
    venue.exchange.fill(order.id, D("0.3"), D("100.01"))
    venue.exchange.fill(order.id, D("0.7"), D("100.99"))
    venue.release()
    await lab.until("a", _S.FILLED)
    assert [(f.quantity, f.price) for f in fills(lab)] == [
        (D("0.3"), D("100.01")), (D("0.7"), D("100.99")),
    ]  # fmt: skip


async def test_F05_the_end_of_an_order_is_told_after_the_executions_that_it_counts(
    venue: CoinbaseVenue, lab: Lab
) -> None:
    """The list of executions is behind the stream: it is asked again with the next heartbeat."""
    await lab.start()
    venue.hides_fills = True
    await lab.submit("a", "BUY", "0.5")
    await lab.until("a", _S.NEW)
    following = asyncio.create_task(lab.next_report())
    await until(lambda: venue.count("fills") >= 2)
    assert not following.done()
    venue.hides_fills = False
    report = await following
    assert isinstance(report, OrderReport)
    assert report.status is _S.FILLED
    assert report.fill is not None


async def test_F05_a_list_of_executions_that_stays_behind_ends_the_stream(
    venue: CoinbaseVenue, lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("brokers.coinbase.follow.BEHIND_SECONDS", 0.2)
    await lab.start()
    venue.hides_fills = True
    await lab.submit("a", "BUY", "0.5")
    assert "has filled than the list of executions shows" in (await lab.disconnected()).detail
    await until(lambda: venue.streams == [])
    venue.hides_fills = False
    await lab.broker.connect()
    (fill,) = await lab.broker.get_fills_since(0)
    assert fill.client_order_id == "a"


@pytest.mark.parametrize("play", ["drop_after", "status_before", "truncate"])
async def test_F05_a_question_about_executions_that_fails_is_asked_again_by_a_heartbeat(
    venue: CoinbaseVenue, lab: Lab, play: Any
) -> None:
    await lab.start()
    venue.fault("fills", play)
    await lab.submit("a", "BUY", "0.5")
    assert (await lab.until("a", _S.FILLED)).fill is not None
    assert venue.count("fills") == 2


# --- 6, 7: a stream that is not whole


@pytest.mark.parametrize("harm", ["skip", "repeat", "swap"])
async def test_F06_a_message_that_is_missing_or_out_of_turn_ends_the_stream(
    venue: CoinbaseVenue, lab: Lab, harm: str
) -> None:
    await lab.start()
    getattr(venue, harm)()
    assert "where" in (await lab.disconnected()).detail
    await lab.start()
    await lab.submit("a", "BUY", "0.5")
    await lab.until("a", _S.FILLED)


async def test_F06_what_filled_while_nobody_listened_is_in_the_list_with_the_same_id(
    venue: CoinbaseVenue, lab: Lab
) -> None:
    await lab.start()
    venue.exchange.fills = False
    await lab.submit("a", "BUY", "1", limit="100")
    await lab.until("a", _S.NEW)
    (order,) = venue.exchange.orders.values()
    venue.exchange.fill(order.id, D("0.25"), D(100))
    await lab.until("a", _S.PARTIALLY_FILLED)
    venue.skip()
    await lab.disconnected()
    venue.exchange.fill(order.id, D("0.25"), D(99))
    await lab.broker.connect()
    told = await lab.broker.get_fills_since(0)
    assert [fill.price for fill in told] == [D(100), D(99)]
    assert told[0] == fills(lab)[0]
    # What comes next is told by the stream, and nothing that filled before is another execution.
    venue.exchange.fill(order.id, D("0.5"), D(98))
    await lab.until("a", _S.FILLED)
    assert {fill.execution_id for fill in fills(lab)} == {e.id for e in venue.exchange.executions}


async def test_F07_a_stream_without_heartbeats_is_over(
    venue: CoinbaseVenue, lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("brokers.coinbase.stream.SILENCE_SECONDS", 0.3)
    async with opened(venue) as quiet:
        await quiet.start()
        venue.muted = True
        assert (await quiet.disconnected()).detail == "nothing was heard for 0.3 s"


async def test_F07_the_snapshot_comes_in_pages_and_every_order_of_it_is_known(
    venue: CoinbaseVenue, lab: Lab
) -> None:
    many(venue, 120)
    await lab.start()
    assert await lab.broker.cancel_orders([f"o{n}" for n in range(120)]) == {}
    assert venue.count("orders") == 0
    assert venue.count("cancel") == 2
    assert venue.exchange.open_orders == []


# --- 8: keys


async def test_F08_a_subscription_that_is_refused_is_about_the_key_and_leaves_nothing_open(
    venue: CoinbaseVenue, lab: Lab
) -> None:
    venue.user_refused = "expired"
    with pytest.raises(AuthFailed, match="authentication failure"):
        await lab.broker.connect()
    await until(lambda: venue.streams == [])
    with pytest.raises(NotSent):
        await lab.broker.get_positions()


async def test_F08_a_stream_that_is_refused_for_another_reason_is_not_about_the_key(
    venue: CoinbaseVenue, lab: Lab
) -> None:
    venue.user_refused, venue.refusal = "busy", "too many subscriptions"
    with pytest.raises(NotSent, match="too many subscriptions"):
        await lab.broker.connect()
    await until(lambda: venue.streams == [])


@pytest.mark.parametrize("hours", [-1, 1])
async def test_F08_tokens_are_dated_by_the_venue_s_clock(
    venue: CoinbaseVenue, lab: Lab, hours: int
) -> None:
    venue.exchange.skew = hours * 3600 * 10**9
    await lab.start()
    await lab.submit("a", "BUY", "0.5")
    await lab.until("a", _S.FILLED)


async def test_F08_every_subscription_has_a_token_of_its_own(
    venue: CoinbaseVenue, lab: Lab
) -> None:
    await lab.start()
    (stream,) = venue.streams
    assert len(stream.tokens) == len(set(stream.tokens)) == 2
    assert stream.channels == {"heartbeats", "user"}


async def test_F08_a_token_that_is_refused_later_says_so(venue: CoinbaseVenue, lab: Lab) -> None:
    await lab.start()
    venue.public_key = Ed25519PrivateKey.generate().public_key()
    with pytest.raises(AuthFailed, match="401"):
        await lab.broker.get_account()
    assert "COINBASE" not in repr(lab.broker)
    venue.complain("authentication failure")
    assert (await lab.disconnected()).detail == (
        "a message could not be taken: StreamFault: the venue says: authentication failure"
    )


async def test_C201_another_account_than_the_one_that_is_meant_is_sent_nothing(
    venue: CoinbaseVenue,
) -> None:
    async with opened(venue, account_id="other") as other:
        with pytest.raises(AuthFailed, match="nothing is sent to another account"):
            await other.broker.connect()
        with pytest.raises(NotSent):
            await other.submit("a")
    async with opened(venue, account_id="") as nameless:
        with pytest.raises(AuthFailed, match=f"the venue answers with {ACCOUNT}"):
            await nameless.broker.connect()


async def test_P47_a_key_that_may_send_coins_away_does_not_connect(
    venue: CoinbaseVenue, lab: Lab
) -> None:
    venue.can_transfer = True
    with pytest.raises(AuthFailed, match=r"may withdraw \(view, trade, transfer\)"):
        await lab.broker.connect()
    with pytest.raises(NotSent):
        await lab.submit("a")


async def test_a_key_that_may_not_trade_does_not_connect(venue: CoinbaseVenue, lab: Lab) -> None:
    venue.can_trade = False
    with pytest.raises(AuthFailed, match="may not trade"):
        await lab.broker.connect()


@pytest.mark.parametrize("op", ["time", "key_permissions", "stream"])
async def test_an_attempt_to_connect_that_is_given_up_leaves_nothing_open(
    venue: CoinbaseVenue, lab: Lab, op: str
) -> None:
    venue.fault(op, "silent")
    attempt = asyncio.create_task(lab.broker.connect())
    await until(lambda: venue.count(op))
    attempt.cancel()
    with pytest.raises(asyncio.CancelledError):
        await attempt
    assert venue.streams == []
    with pytest.raises(NotSent):
        await lab.broker.server_time()
    await lab.start()


# --- 9: limits and closed doors


async def test_F09_a_venue_that_asks_to_wait_is_waited_for_as_long(
    venue: CoinbaseVenue, lab: Lab
) -> None:
    await lab.start()
    body = '{"errors": [{"id": "rate_limit_exceeded"}]}'
    venue.fault(
        "create", "status_before", status=429, body=body, headers={"Retry-After": "7"}
    )  # fmt: skip
    adds = msgspec.structs.replace(lab.order("a"), reserved=D(1000))
    with pytest.raises(Throttled) as told:
        await lab.broker.submit_order(adds)
    assert told.value.retry_after == 7
    with pytest.raises(Throttled) as waits:
        await lab.broker.submit_order(adds)
    assert 6 < waits.value.retry_after <= 7
    # what reduces risk waits for the second over which the venue counts
    with pytest.raises(Throttled) as sooner:
        await lab.submit("b")
    assert 0 < sooner.value.retry_after <= 1
    assert venue.count("create") == 1


async def test_F09_a_venue_that_does_not_say_how_long_is_waited_for_a_second(
    venue: CoinbaseVenue, lab: Lab
) -> None:
    await lab.start()
    venue.fault("accounts", "status_before", status=429, body="")
    with pytest.raises(Throttled) as told:
        await lab.broker.get_account()
    assert told.value.retry_after == 1


@pytest.mark.parametrize(
    ("reason", "kind", "code"),
    [
        ("ORDER_ENTRY_DISABLED", MarketClosed, ""),
        ("UNKNOWN_FAILURE_REASON", Ambiguous, ""),
        ("COMMANDER_REJECTED_NEW_ORDER", Ambiguous, ""),
        ("INSUFFICIENT_FUND", Rejected, "INSUFFICIENT_FUND"),
        ("INELIGIBLE_PAIR", Rejected, "INELIGIBLE_PAIR"),
        ("PREVIEW_INSUFFICIENT_FUND", Rejected, "PREVIEW_INSUFFICIENT_FUND"),
        ("A_WORD_OF_TOMORROW", Rejected, "A_WORD_OF_TOMORROW"),
    ],
)
async def test_F09_an_order_that_is_not_taken_says_why(
    venue: CoinbaseVenue, lab: Lab, reason: str, kind: type[BrokerError], code: str
) -> None:
    await lab.start()
    venue.refuse_next = reason
    with pytest.raises(kind) as refused:
        await lab.submit("a", "BUY", "0.5")
    assert getattr(refused.value, "code", "") == code
    assert venue.count("create") == 1


async def test_F09_a_request_that_is_refused_has_the_venue_s_word(
    venue: CoinbaseVenue, lab: Lab
) -> None:
    await lab.start()
    body = '{"error": "INVALID_ARGUMENT", "message": "no such\\u001b[2J side"}'
    venue.fault("create", "status_before", status=400, body=body)
    with pytest.raises(Rejected) as refused:
        await lab.submit("a")
    assert refused.value.code == "INVALID_ARGUMENT"
    assert "\x1b" not in refused.value.text


# --- 10: changes under way, and races


async def test_F10_orders_that_wait_for_a_change_are_listed_as_working(
    venue: CoinbaseVenue, lab: Lab
) -> None:
    await lab.start()
    words = {"a": "EDIT_QUEUED", "b": "CANCEL_QUEUED", "c": "PENDING", "d": "QUEUED", "e": "OPEN"}
    for key, word in words.items():
        await lab.submit(key, "BUY", "0.1", limit="90")
        venue.words[list(venue.exchange.orders)[-1]] = word
    listed = {o.client_order_id: o.status for o in await lab.broker.get_open_orders()}
    assert listed == {
        "a": _S.NEW,
        "b": _S.PENDING_CANCEL,
        "c": _S.PENDING_NEW,
        "d": _S.PENDING_NEW,
        "e": _S.NEW,
    }


async def test_F10_a_state_that_nobody_has_heard_of_ends_nothing(
    venue: CoinbaseVenue, lab: Lab
) -> None:
    await lab.start()
    await lab.submit("a", "BUY", "0.1", limit="90")
    await lab.until("a", _S.NEW)
    (order,) = venue.exchange.orders.values()
    venue.words[order.id] = "HALF_DONE"
    found = await lab.broker.get_order("a")
    assert found is not None
    assert found.status is _S.SUSPENDED
    venue.tell_user([venue.update(order, "HALF_DONE")])
    await lab.until("a", _S.SUSPENDED)
    venue.words.clear()
    await lab.broker.cancel_order("a")
    await lab.until("a", _S.CANCELED)


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        ("ORDER_IS_FULLY_FILLED", Rejected),
        ("UNKNOWN_CANCEL_ORDER", Rejected),
        ("UNKNOWN_CANCEL_FAILURE_REASON", Ambiguous),
        ("COMMANDER_REJECTED_CANCEL_ORDER", Ambiguous),
        ("DUPLICATE_CANCEL_REQUEST", None),
    ],
)
async def test_F10_a_cancel_that_is_not_taken_says_why_unless_one_is_under_way(
    venue: CoinbaseVenue, lab: Lab, reason: str, kind: type[BrokerError] | None
) -> None:
    await lab.start()
    await lab.submit("a", "BUY", "0.1", limit="90")
    (order,) = venue.exchange.orders.values()
    venue.cancel_reasons[order.id] = reason
    if kind is None:
        await lab.broker.cancel_order("a")
    else:
        with pytest.raises(kind):
            await lab.broker.cancel_order("a")
    assert venue.count("cancel") == 1


async def test_F10_a_cancel_whose_answer_was_lost_is_ambiguous_and_sent_once(
    venue: CoinbaseVenue, lab: Lab
) -> None:
    await lab.start()
    await lab.submit("a", "BUY", "0.1", limit="90")
    venue.fault("cancel", "drop_after")
    with pytest.raises(Ambiguous):
        await lab.broker.cancel_order("a")
    assert venue.count("cancel") == 1
    await lab.until("a", _S.CANCELED)


async def test_F10_of_many_cancels_only_those_of_the_lost_answer_are_in_doubt(
    venue: CoinbaseVenue, lab: Lab
) -> None:
    many(venue, 150)
    await lab.start()
    venue.fault("cancel", "drop_after")
    refused = await lab.broker.cancel_orders([f"o{n}" for n in range(150)])
    assert len(refused) == 100
    assert {type(error) for error in refused.values()} == {Ambiguous}
    assert venue.exchange.open_orders == []


# --- stops


@pytest.mark.parametrize(
    ("side", "stop", "limit"),
    [
        ("SELL", "95", "90.25"),
        ("SELL", "99.99", "94.99"),
        ("BUY", "105", "110.25"),
        ("BUY", "100.01", "105.02"),
    ],
)
async def test_a_stop_is_sent_with_a_limit_far_beyond_it_and_told_as_a_stop(
    venue: CoinbaseVenue, lab: Lab, side: str, stop: str, limit: str
) -> None:
    await lab.start()
    await lab.submit("held", "BUY", "1")
    await lab.until("held", _S.FILLED)
    await lab.submit("a", side, "1", stop=stop)
    direction = "STOP_DIRECTION_STOP_UP" if side == "BUY" else "STOP_DIRECTION_STOP_DOWN"
    assert venue.bodies[-1]["order_configuration"] == {
        "stop_limit_stop_limit_gtc": {
            "base_size": "1", "limit_price": limit, "stop_price": stop,
            "stop_direction": direction,
        }
    }  # fmt: skip
    report = await lab.until("a", _S.NEW)
    assert (report.stop_price, report.limit_price, report.quantity) == (D(stop), None, D(1))
    (listed,) = await lab.broker.get_open_orders()
    assert (listed.type, listed.stop_price, listed.limit_price) == (OrderType.STOP, D(stop), None)


async def test_a_stop_with_a_limit_of_its_own_keeps_it(lab: Lab) -> None:
    await lab.start()
    await lab.submit("a", "BUY", "1", stop="105", limit="106")
    report = await lab.until("a", _S.NEW)
    assert (report.stop_price, report.limit_price) == (D(105), D(106))
    (listed,) = await lab.broker.get_open_orders()
    assert (listed.type, listed.limit_price) == (OrderType.STOP_LIMIT, D(106))


# --- what is off the venue's rules


@pytest.mark.parametrize(
    ("terms", "code", "said"),
    [
        ({"quantity": "0.00005"}, "INVALID_SIZE_PRECISION", "multiples of 0.0001"),
        ({"quantity": "0.1", "limit": "99.999"}, "INVALID_PRICE_PRECISION", "multiples of 0.01"),
        ({"quantity": "0.1", "stop": "99.999"}, "INVALID_PRICE_PRECISION", "multiples of 0.01"),
        ({"quantity": "2000000000"}, "QUANTITY_TOO_LARGE", "at most 1000000000"),
        ({"quantity": "0.0099", "limit": "100"}, "AMOUNT_TOO_SMALL", "at least 1 is allowed"),
        ({"quantity": "0.1", "limit": "99", "tif": "DAY"}, "UNSUPPORTED_ORDER_CONFIGURATION", "G"),
        ({"quantity": "0.1", "stop": "99", "tif": "IOC"}, "UNSUPPORTED_ORDER_CONFIGURATION", "GTC"),
        ({"quantity": "0.1", "tif": "FOK"}, "UNSUPPORTED_ORDER_CONFIGURATION", "at the market"),
        ({"side": "SELL_SHORT", "quantity": "0.1"}, "SHORT_SALE", "BUY and SELL"),
    ],
)
async def test_what_is_off_the_venue_s_rules_is_refused_before_it_is_sent(
    venue: CoinbaseVenue, lab: Lab, terms: dict[str, str], code: str, said: str
) -> None:
    await lab.start()
    with pytest.raises(Rejected, match=said) as refused:
        await lab.submit("a", **terms)
    assert refused.value.code == code
    assert venue.count("create") == 0


async def test_c154_a_close_of_a_quantity_off_the_lot_is_refused_and_said_beforehand(
    venue: CoinbaseVenue, lab: Lab
) -> None:
    """So that the engine closes in whole lots, and names what is left."""
    await lab.start()
    with pytest.raises(Rejected) as refused:
        await lab.submit("a", "SELL", "0.12345")
    assert refused.value.code == "INVALID_SIZE_PRECISION"
    assert not lab.broker.capabilities.odd_lots


async def test_the_smallest_amount_itself_is_taken(venue: CoinbaseVenue, lab: Lab) -> None:
    await lab.start()
    await lab.submit("a", "BUY", "0.01", limit="100")
    assert venue.count("create") == 1


@pytest.mark.parametrize("flag", ["trading_disabled", "cancel_only", "view_only", "is_disabled"])
async def test_a_pair_that_is_not_traded_now_says_so(
    venue: CoinbaseVenue, lab: Lab, flag: str
) -> None:
    await lab.start()
    assert (await lab.broker.instrument("BTC-USD")).fault == ""
    venue.flags[flag] = True
    assert flag in (await lab.broker.instrument("BTC-USD")).fault


async def test_a_pair_that_is_not_there_is_refused(venue: CoinbaseVenue, lab: Lab) -> None:
    await lab.start()
    with pytest.raises(Rejected) as refused:
        await lab.broker.instrument("NO-USD")
    assert refused.value.code == "UNKNOWN_SYMBOL"
    with pytest.raises(Rejected):
        await lab.submit("a", symbol="NO-USD")
    assert venue.count("create") == 0


# --- balances, executions, lists


async def test_money_is_cash_and_what_it_bought_is_held(venue: CoinbaseVenue, lab: Lab) -> None:
    venue.account_rows = [
        venue.account("EUR", D(50), D(0), "ACCOUNT_TYPE_FIAT"),
        venue.account("ETH", D("1.5"), D("0.5")),
        venue.account("DUST", D(7), D(0)),
        venue.account("BTC", D(9), D(0), "ACCOUNT_TYPE_VAULT"),
        venue.account("SOL", D(9), D(0)) | {"retail_portfolio_id": "another"},
        venue.account("ADA", D(0), D(0)),
    ]
    venue.exchange.set_price("ETH-USD", D(10))
    venue.page = 2
    await lab.start()
    await lab.submit("a", "BUY", "1", limit="90")
    held = {p.symbol: (p.quantity, p.mark) for p in await lab.broker.get_positions()}
    assert held == {"ETH-USD": (D(2), D(10)), "DUST-USD": (D(7), None)}
    account = await lab.broker.get_account()
    assert account.account_id == ACCOUNT
    assert account.balances == {"USD": D(100_000), "EUR": D(50)}
    assert (account.cash, account.buying_power) == (D(100_000), D(99_910))
    assert account.equity == D(100_020)


async def test_a_number_that_is_none_is_handed_on_as_none(venue: CoinbaseVenue, lab: Lab) -> None:
    """The engine puts the row aside with its symbol; dropped, it would be a holding of nothing."""
    venue.account_rows = [venue.account("ETH", D(1), D(0)) | {"available_balance": {"value": "?"}}]
    await lab.start()
    (position,) = await lab.broker.get_positions()
    assert (position.symbol, position.quantity.is_nan()) == ("ETH-USD", True)


async def test_a_coin_is_held_under_one_symbol_and_no_other_is_traded(
    venue: CoinbaseVenue,
) -> None:
    async with opened(venue, symbols=("BTC-USD", "BTC-USDC")) as lab:
        await lab.start()
        with pytest.raises(Rejected, match="BTC is held as BTC-USD here") as refused:
            await lab.submit("a", symbol="BTC-USDC")
        assert refused.value.code == "HELD_AS_ANOTHER"
        assert venue.count("create") == 0


async def test_lists_are_whole_or_none(venue: CoinbaseVenue, lab: Lab) -> None:
    await lab.start()
    venue.page = 2
    for n in range(3):
        await lab.submit(f"o{n}", "BUY", "0.1", limit="90")
        await lab.submit(f"f{n}", "BUY", "0.1")
    assert len(await lab.broker.get_open_orders()) == 3
    found = await lab.broker.get_fills_since(0)
    assert [fill.execution_id for fill in found] == [e.id for e in venue.exchange.executions]
    assert [fill.client_order_id for fill in found] == [f"f{n}" for n in range(3)]
    venue.faults.clear()
    asked = venue.count("fills")
    venue.fault("fills", "delay")
    venue.fault("fills", "truncate")
    with pytest.raises(Ambiguous):
        await lab.broker.get_fills_since(0)
    assert venue.count("fills") == asked + 2


@pytest.mark.parametrize("body", ["{}", '{"has_next": false, "cursor": ""}', '{"data": []}'])
async def test_an_answer_without_its_list_is_no_empty_list(
    venue: CoinbaseVenue, lab: Lab, body: str
) -> None:
    """It looks flat, and an order that is not in it looks as if it had never arrived."""
    await lab.start()
    await lab.submit("a", "BUY", "0.1", limit="90")
    asks: list[tuple[str, Callable[[], Awaitable[object]]]] = [
        ("orders", lab.broker.get_open_orders),
        ("orders", lambda: lab.broker.get_order("never-sent")),
        ("fills", lambda: lab.broker.get_fills_since(0)),
        ("accounts", lab.broker.get_positions),
        ("accounts", lab.broker.get_account),
    ]
    for op, ask in asks:
        venue.faults.clear()
        venue.fault(op, "status_before", status=200, body=body)
        with pytest.raises(Ambiguous, match="cannot be read"):
            await ask()


async def test_what_corrects_an_execution_is_no_execution_and_is_not_dropped(
    venue: CoinbaseVenue, lab: Lab
) -> None:
    await lab.start()
    await lab.submit("a", "BUY", "1")
    await lab.until("a", _S.FILLED)
    row = venue.trade(venue.exchange.executions[0])
    venue.trade_rows = [row | {"trade_type": "REVERSAL", "entry_id": "e9"}]
    plain, odd = await lab.broker.get_fills_since(0)
    assert plain == fills(lab)[0]
    assert (odd.execution_id, odd.symbol, odd.quantity.is_nan()) == (
        "REVERSAL-e9", "BTC-USD", True,
    )  # fmt: skip


async def test_an_execution_that_is_told_in_money_is_one_in_coins(
    venue: CoinbaseVenue, lab: Lab
) -> None:
    """Somebody bought by hand, for an amount of money."""
    await lab.start()
    await lab.submit("a", "BUY", "1")
    await lab.until("a", _S.FILLED)
    row = venue.trade(venue.exchange.executions[0])
    venue.trade_rows = [
        row | {"trade_id": "t9", "size": "50", "price": "100", "size_in_quote": True}
    ]
    told = {fill.execution_id: fill.quantity for fill in await lab.broker.get_fills_since(0)}
    assert told["t9"] == D("0.5")


async def test_an_order_by_hand_for_an_amount_of_money_ends_like_any_other(
    venue: CoinbaseVenue, lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rounded to the cent, its executions add up to a little less than what has filled."""
    monkeypatch.setattr("brokers.coinbase.follow.BEHIND_SECONDS", 0.2)
    await lab.start()
    venue.in_money = True
    await lab.price("97.03")
    venue.exchange.place(
        client_id="web", symbol="BTC-USD", sign=1, quantity=D("0.3333"), kind="market"
    )
    report = await lab.until("web", _S.FILLED)
    assert report.filled == D("0.3333")
    assert fills(lab)[0].quantity == D("0.33329898")
    assert await lab.broker.get_fills_since(0) == tuple(fills(lab))


async def test_an_order_by_hand_is_listed_and_one_of_unknown_size_is_not_read_as_another(
    venue: CoinbaseVenue, lab: Lab
) -> None:
    await lab.start()
    base = venue.row(
        venue.exchange.place(
            client_id="web", symbol="BTC-USD", sign=1, quantity=D(1), kind="limit", limit=D(90)
        )
    )
    venue.order_rows = [
        base | {"order_id": "q", "order_configuration": {"market_market_ioc": {"quote_size": "9"}}}
    ]
    listed = {o.venue_order_id: o for o in await lab.broker.get_open_orders()}
    assert listed["q"].quantity.is_nan()
    assert listed[base["order_id"]].client_order_id == "web"


async def test_an_order_that_has_no_id_of_ours_is_asked_about_by_the_venue_s(
    venue: CoinbaseVenue, lab: Lab
) -> None:
    await lab.start()
    order = venue.exchange.place(
        client_id="web", symbol="BTC-USD", sign=1, quantity=D(1), kind="limit", limit=D(90)
    )
    key = f"venue-coinbase-{order.id}"
    found = await lab.broker.get_order(key)
    assert found is not None
    assert found.venue_order_id == order.id
    await lab.broker.cancel_order(key)
    assert not order.is_open
    assert await lab.broker.get_order("venue-coinbase-none") is None


async def test_a_report_whose_number_cannot_be_read_is_told_and_not_believed(
    venue: CoinbaseVenue, lab: Lab
) -> None:
    await lab.start()
    await lab.submit("a", "BUY", "1", limit="90")
    await lab.until("a", _S.NEW)
    (order,) = venue.exchange.orders.values()
    venue.tell_user([venue.update(order, "OPEN") | {"cumulative_quantity": "lots"}])
    report = await lab.next_report()
    assert isinstance(report, OrderReport)
    assert "NaN" in report.fault


async def test_C200_the_budget_is_kept_for_what_reduces_risk(
    venue: CoinbaseVenue, lab: Lab
) -> None:
    await lab.start()
    await lab.broker.instrument("BTC-USD")
    await lab.submit("a", "BUY", "0.1", limit="90")
    venue.fault(
        "create", "status_before", status=400, body="{}", headers={"x-ratelimit-remaining": "2"}
    )  # fmt: skip
    with pytest.raises(Rejected):
        await lab.submit("b", "BUY", "0.1")
    adds = lab.order("c", "BUY", "0.1")
    with pytest.raises(Throttled):
        await lab.broker.submit_order(msgspec.structs.replace(adds, reserved=D(100)))
    await lab.broker.cancel_order("a")


# --- the sandbox


async def test_X61_the_sandbox_is_looked_at_and_is_sent_no_order(venue: CoinbaseVenue) -> None:
    venue.sandbox = True
    venue.exchange.set_price("BTC-USD", D(100))
    async with opened(venue, environment="sandbox", account_id="", secret="") as lab:
        await lab.broker.connect()
        venue.account_rows = [venue.account("BTC", D(2), D(0))]
        account = await lab.broker.get_account()
        assert (account.account_id, account.cash) == (ACCOUNT, D(100_000))
        (position,) = await lab.broker.get_positions()
        assert (position.symbol, position.mark) == ("BTC-USD", None)
        assert await lab.broker.get_open_orders() == ()
        assert await lab.broker.get_fills_since(0) == ()
        with pytest.raises(Rejected, match="canned answers") as refused:
            await lab.submit("a")
        assert refused.value.code == "SANDBOX"
        with pytest.raises(Rejected):
            await lab.broker.cancel_order("a")
        assert (venue.count("create"), venue.count("cancel")) == (0, 0)
        assert venue.streams == []
        assert venue.count("stream") == 0


# --- nothing is left


async def test_no_task_outlives_a_connection(venue: CoinbaseVenue) -> None:
    before = asyncio.all_tasks()
    async with opened(venue) as lab:
        await lab.start()
        venue.hides_fills = True
        await lab.submit("a")
        await until(lambda: venue.count("fills"))
    await until(lambda: venue.streams == [])
    left = {t for t in asyncio.all_tasks() - before if "fills" in t.get_name()}
    assert left == set()
    assert not [t for t in asyncio.all_tasks() if t.get_name().startswith(("stream", "watch"))]
