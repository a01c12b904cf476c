"""What goes wrong between us and TWS, one test each (C-230..C-232, C-402, C-403, D-64).

Which faults there are is measured: they come from both libraries and from the logs of their users.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from decimal import Decimal
from typing import Any

import msgspec
import pytest

pytest.importorskip("eventkit", reason="neither ib_async nor ib_insync is installed")

from brokers.ibkr import adapter, executions, market, orders, questions, session
from brokers.ibkr.executions import NO_COMMISSION
from engine.domain.ids import unnamed_order_id
from engine.domain.instrument import Facts, instrument_of
from engine.domain.market import Bar, Quote
from engine.domain.order import Fill, OrderStatus, Side
from engine.domain.run import LinkState
from engine.ports import (
    Ambiguous,
    AuthFailed,
    BrokerError,
    LinkReport,
    NotSent,
    OrderReport,
    Rejected,
    Throttled,
)
from tests.venues.ibkr import AAPL, CALL, ES, EUR, Tws, exchange
from tests.venues.ibkr_lab import NAME, TwsLab
from tests.venues.ibkr_wire import UNSET, Listing

D = Decimal
SOON = 0.25
"""Seconds that are waited for an answer where none comes."""
S = OrderStatus


@pytest.fixture
async def tws() -> AsyncIterator[Tws]:
    async with Tws(exchange(fee_rate=D("0.0005"))) as served:
        yield served


@pytest.fixture
async def lab(tws: Tws) -> AsyncIterator[TwsLab]:
    made = TwsLab(tws)
    yield made
    await made.broker.disconnect()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers that do not come are not waited for long."""
    monkeypatch.setattr(adapter, "ANSWER_SECONDS", SOON)
    monkeypatch.setattr(questions, "ANSWER_SECONDS", SOON)
    monkeypatch.setattr(session, "OPEN_SECONDS", SOON)
    monkeypatch.setattr(executions, "COMMISSION_SECONDS", SOON)
    monkeypatch.setattr(orders, "EXECUTION_SECONDS", SOON)
    monkeypatch.setattr(orders, "WORD_SECONDS", SOON)
    monkeypatch.setattr(market, "AGAIN_SECONDS", SOON)


async def fill_of(lab: TwsLab, client_order_id: str) -> OrderReport:
    """The next report of an execution, which is of that order."""
    report = await lab.filled()
    assert report.client_order_id == client_order_id
    return report


# --- sending


@pytest.mark.parametrize("play", ["drop_before", "drop_after"])
async def test_T07_an_order_whose_answer_was_lost_is_ambiguous_and_is_found_by_its_id(
    lab: TwsLab, tws: Tws, play: Any
) -> None:
    await lab.start()
    tws.fault("place", play)
    with pytest.raises(Ambiguous):
        await lab.submit("a", limit="95")
    assert "closed" in (await lab.disconnected()).detail
    assert tws.count("place") == 1
    await lab.start()
    known = await lab.broker.get_order("a")
    if play == "drop_before":
        assert known is None
        return
    assert known is not None
    assert (known.status, known.limit_price, known.quantity) == (S.NEW, D(95), D(10))
    await lab.broker.cancel_order("a")
    await lab.until("a", S.CANCELED)
    assert tws.count("place") == 1


@pytest.mark.parametrize("play", ["swallow", "mute"])
@pytest.mark.usefixtures("impatient")
async def test_T07_an_order_of_which_nothing_is_told_is_ambiguous(
    lab: TwsLab, tws: Tws, play: Any
) -> None:
    await lab.start()
    tws.fault("place", play)
    with pytest.raises(Ambiguous, match="did not answer the order"):
        await lab.submit("a", limit="95")
    known = await lab.broker.get_order("a")
    assert (known is not None) is (play == "mute")
    assert tws.count("place") == 1


async def test_an_order_that_filled_while_we_were_away_is_found_with_its_execution(
    lab: TwsLab, tws: Tws
) -> None:
    await lab.start()
    tws.fault("place", "drop_after")
    with pytest.raises(Ambiguous):
        await lab.submit("a")
    await lab.disconnected()
    await lab.start()
    known = await lab.broker.get_order("a")
    assert known is not None
    assert (known.status, known.filled, known.quantity) == (S.FILLED, D(10), D(10))
    (fill,) = await lab.broker.get_fills_since(0)
    assert (fill.client_order_id, fill.venue_order_id) == ("a", known.venue_order_id)
    assert (fill.commission, fill.commission_currency) == (D("0.5"), "USD")


async def test_what_an_order_says_on_the_wire_is_whole_and_plain(lab: TwsLab, tws: Tws) -> None:
    await lab.start()
    wanted = lab.order("a", "SELL_SHORT", "1E+2", limit="90", stop="95", tif="DAY")
    await lab.broker.submit_order(wanted)
    fields = next(fields for op, fields in tws.requests if op == "place")
    assert fields[16:22] == ["SELL", "100", "STP LMT", "90", "95", "DAY"]
    assert (fields[2], fields[9]) == (str(AAPL.con_id), "SMART")
    assert (fields[23], fields[26], fields[27]) == ("DU1234567", "a", "1")
    await lab.until("a", S.NEW)


@pytest.mark.parametrize("version", [157, 160, 163, 164, 166, 169, 170, 176, 177, 178])
async def test_every_version_of_the_protocol_is_spoken(version: int) -> None:
    async with Tws(version=version) as tws:
        lab = TwsLab(tws)
        await lab.start()
        await lab.submit("a", "BUY", "10")
        await lab.until("a", S.FILLED)
        await lab.submit("b", limit="90")
        await lab.broker.cancel_order("b")
        await lab.until("b", S.CANCELED)
        for name, status in (("a", S.FILLED), ("b", S.CANCELED)):
            known = await lab.broker.get_order(name)
            assert known is not None
            assert (known.status, known.quantity) == (status, D(10))
        assert len(await lab.broker.get_fills_since(0)) == 1
        await lab.broker.disconnect()


# --- refusals, notices, words


async def test_D64_a_refusal_is_a_rejection_and_the_inactive_after_it_changes_nothing(
    lab: TwsLab,
) -> None:
    await lab.start()
    code, text = await lab.refused(lab.order("a", "BUY", "100000000"))
    assert code == "201"
    assert "Order rejected" in text
    await lab.submit("b", limit="95")
    await lab.until("b", S.NEW)
    assert lab.of("a") == []


async def test_D64_an_order_that_is_refused_after_it_was_taken_is_rejected(
    lab: TwsLab, tws: Tws
) -> None:
    await lab.start()
    await lab.submit("a", limit="95")
    await lab.until("a", S.NEW)
    tws.reject("a", "margin")
    report = await lab.until("a", S.REJECTED)
    assert (report.code, lab.of("a")) == ("201", [S.NEW, S.REJECTED])
    known = await lab.broker.get_order("a")
    assert known is not None
    assert known.status is S.REJECTED


@pytest.mark.parametrize("code", [201, 110])
@pytest.mark.usefixtures("impatient")
async def test_D64_a_working_order_is_not_ended_by_an_error_that_its_next_word_contradicts(
    lab: TwsLab, tws: Tws, code: int
) -> None:
    """A change by hand in TWS that is refused leaves the order as it was, and TWS says so."""
    await lab.start()
    await lab.submit("a", limit="95")
    await lab.until("a", S.NEW)
    tws.peers[0].error(tws.ticket("a").order_id, code, "the change is refused")
    tws.say("a", "Submitted")
    await asyncio.sleep(2 * SOON)
    await lab.submit("b", limit="94")
    await lab.until("b", S.NEW)
    assert lab.of("a") == [S.NEW]


@pytest.mark.usefixtures("impatient")
async def test_D64_a_working_order_is_ended_by_an_error_of_which_no_other_word_comes(
    lab: TwsLab, tws: Tws
) -> None:
    await lab.start()
    await lab.submit("a", limit="95")
    await lab.until("a", S.NEW)
    tws.peers[0].error(tws.ticket("a").order_id, 201, "margin")
    report = await lab.until("a", S.REJECTED)
    assert (report.code, report.text) == ("201", "margin")


async def test_D64_inactive_without_an_error_is_held_and_not_ended(lab: TwsLab, tws: Tws) -> None:
    await lab.start()
    await lab.submit("a", limit="95")
    await lab.until("a", S.NEW)
    tws.say("a", "Inactive")
    await lab.until("a", S.SUSPENDED)
    (known,) = await lab.broker.get_open_orders()
    assert known.client_order_id == "a"


async def test_rule3_an_order_that_is_held_and_works_again_is_told_each_time(
    lab: TwsLab, tws: Tws
) -> None:
    """A stop protects only while it works: who is told of the first hold alone takes one that is
    held again for protection, and one that works again for none."""
    await lab.start()
    await lab.submit("a", limit="95")
    await lab.until("a", S.NEW)
    for word in ("Inactive", "Submitted", "PreSubmitted", "Inactive", "Inactive", "Submitted"):
        tws.say("a", word)
    await lab.submit("b", limit="94")
    await lab.until("b", S.NEW)
    assert lab.of("a") == [S.NEW, S.SUSPENDED, S.NEW, S.SUSPENDED, S.NEW]
    (known, _) = await lab.broker.get_open_orders()
    assert known.status is S.NEW
    tws.say("a", "Inactive")
    await lab.until("a", S.SUSPENDED)
    held = await lab.broker.get_order("a")
    assert held is not None
    assert held.status is S.SUSPENDED, "the engine asks, and is told the same"


async def test_a_word_that_nobody_knows_ends_nothing(lab: TwsLab, tws: Tws) -> None:
    await lab.start()
    await lab.submit("a", limit="95")
    tws.say("a", "Teleported")
    await lab.until("a", S.SUSPENDED)
    (known,) = await lab.broker.get_open_orders()
    assert not known.status.is_terminal
    await lab.price("94")
    await lab.until("a", S.FILLED)


@pytest.mark.parametrize("code", [399, 404, 2109, 10311, 10349])
async def test_a_notice_ends_no_order(lab: TwsLab, tws: Tws, code: int) -> None:
    await lab.start()
    tws.notices = [(code, "Order Message: TIF was set to DAY based on order preset")]
    await lab.submit("a", limit="95")
    await lab.until("a", S.NEW)
    (known,) = await lab.broker.get_open_orders()
    assert (known.client_order_id, known.status) == ("a", S.NEW)


@pytest.mark.parametrize("code", [103, 110, 200, 201, 203, 321, 387, 434, 10243])
async def test_C403_an_error_of_the_table_refuses_a_new_order(
    lab: TwsLab, tws: Tws, code: int
) -> None:
    await lab.start()
    tws.fault("place", "error", code=code, text="no")
    with pytest.raises(Rejected) as refused:
        await lab.submit("a", limit="95")
    assert (refused.value.code, refused.value.text) == (str(code), "no")
    assert tws.count("place") == 1


@pytest.mark.usefixtures("impatient")
async def test_an_error_of_no_table_leaves_the_order_in_doubt(lab: TwsLab, tws: Tws) -> None:
    await lab.start()
    tws.fault("place", "error", code=19999, text="something new")
    with pytest.raises(Ambiguous, match="19999: something new"):
        await lab.submit("a", limit="95")


@pytest.mark.usefixtures("impatient")
async def test_C200_too_many_messages_prove_nothing_of_the_order_they_are_told_of(
    lab: TwsLab, tws: Tws
) -> None:
    """TWS says by it that it may hang up, never that it left the message aside (rule 1)."""
    await lab.start()
    tws.fault("place", "error", code=100, text="Max rate of messages per second")
    with pytest.raises(Ambiguous, match="100: Max rate"):
        await lab.submit("a", limit="95")
    with pytest.raises(Throttled) as wait:
        await lab.submit("b", limit="95")
    assert 0 < wait.value.retry_after <= 2
    assert tws.count("place") == 1


async def test_C200_an_order_that_is_taken_in_spite_of_too_many_messages_works(
    lab: TwsLab, tws: Tws
) -> None:
    await lab.start()
    tws.notices = [(100, "Max rate of messages per second has been exceeded")]
    await lab.submit("a", limit="95")
    await lab.until("a", S.NEW)
    assert tws.count("place") == 1


async def test_C200_a_cancel_of_which_too_many_messages_are_told_is_asked_for_again(
    lab: TwsLab, tws: Tws
) -> None:
    await lab.start()
    await lab.submit("a", limit="95")
    tws.fault("cancel", "error", code=100, text="Max rate of messages per second")
    with pytest.raises(Throttled):
        await lab.broker.cancel_order("a")
    (known,) = tws.exchange.open_orders
    assert known.client_id == "a"


async def test_C200_a_cancel_never_waits_behind_other_requests(lab: TwsLab, tws: Tws) -> None:
    await lab.start()
    await lab.submit("a", limit="95")
    throttled = 0
    for n in range(25):
        entry = lab.order(f"o{n}", limit="90")
        try:
            await lab.broker.submit_order(_adds(entry))
        except Throttled:
            throttled += 1
    assert throttled
    await lab.broker.cancel_order("a")
    await lab.until("a", S.CANCELED)
    assert len(tws.requests) < session.MAX_REQUESTS


async def test_C402_orders_of_a_burst_that_breaks_off_never_leave_later(
    lab: TwsLab, tws: Tws
) -> None:
    """A library keeps requests back where there are too many, and forgets them with the connection:
    whoever is told nothing of an order must not take it for sent, nor for refused."""
    await lab.start()
    await lab.broker.instrument("AAPL")
    wanted = [_adds(lab.order(f"o{n}", limit="90")) for n in range(60)]
    sending = [asyncio.create_task(lab.broker.submit_order(one)) for one in wanted]
    await asyncio.sleep(0)
    for peer in tws.peers:
        peer.writer.transport.abort()
    told = await asyncio.gather(*sending, return_exceptions=True)
    await lab.disconnected()
    arrived = {order.client_id for order in tws.exchange.orders.values()}
    for order, outcome in zip(wanted, told, strict=True):
        if order.client_order_id in arrived:
            assert outcome is None or isinstance(outcome, Ambiguous)
        else:
            assert isinstance(outcome, Ambiguous | NotSent | Throttled)
    assert any(isinstance(outcome, Ambiguous) for outcome in told)
    seen = tws.count("place")
    await lab.start()
    listed = await lab.broker.get_open_orders()
    assert {order.client_order_id for order in listed} == arrived
    assert tws.count("place") == seen


async def test_what_is_off_the_grid_is_refused_before_it_is_sent(lab: TwsLab, tws: Tws) -> None:
    await lab.start()
    tws.exchange.set_price(CALL.name, D(5))
    cases: list[tuple[str, str, dict[str, str], str]] = [
        ("AAPL", "10", {"limit": "95.005"}, "0.01"),
        ("AAPL", "0.5", {"limit": "95"}, "1"),
        ("AAPL", "10", {"stop": "0.50005"}, "0.0001"),
        (CALL.name, "1", {"limit": "3.05"}, "0.1"),
    ]
    for symbol, quantity, prices, allowed in cases:
        wrong = lab.order("a", "BUY", quantity, symbol=symbol, **prices)
        with pytest.raises(Rejected, match=f"a multiple of {allowed} is allowed") as refused:
            await lab.broker.submit_order(wrong)
        assert refused.value.code in {"PRICE", "QUANTITY"}
    assert tws.count("place") == 0
    await lab.submit("b", "BUY", "1", symbol=CALL.name, limit="2.95")
    await lab.until("b", S.NEW)


async def test_what_tws_does_not_know_is_refused_and_is_not_sent(lab: TwsLab, tws: Tws) -> None:
    await lab.start()
    for symbol, code in (("XXXX", "200"), ("BTC-USD", "SYMBOL"), ("IBKR.12", "SYMBOL")):
        with pytest.raises(Rejected) as refused:
            await lab.submit("a", symbol=symbol, limit="1")
        assert refused.value.code == code
    assert tws.count("place") == 0


async def test_a_contract_that_would_be_known_by_another_id_after_a_restart_is_not_traded(
    tws: Tws,
) -> None:
    """Its executions would be told under both ids, and count twice (X-91)."""
    dax = Listing(
        "DAX 2026-12", 700003, "DAX", sec_type="FUT", currency="EUR", expiry="20261218",
        multiplier="25", local="FDAX 20261218 M", trading_class="FDAX", exchange="EUREX",
        primary="", valid="EUREX", rules="67", min_tick="0.5",
    )  # fmt: skip
    tws.listings[dax.con_id] = dax
    euros = Facts(currency="EUR", multiplier=D(25), tick=D("0.5"), lot=D(1))
    lab = TwsLab(tws, instruments={"DAX 2026-12": instrument_of("DAX 2026-12", euros)})
    await lab.start()
    with pytest.raises(Rejected, match=r"FDAX 20261218 M there, .* IBKR\.700003") as refused:
        await lab.submit("a", symbol="DAX 2026-12", limit="95")
    assert refused.value.code == "CONTRACT"
    assert tws.count("place") == 0
    await lab.broker.disconnect()


@pytest.mark.usefixtures("impatient")
async def test_an_order_whose_contract_could_not_be_asked_for_was_not_sent(
    lab: TwsLab, tws: Tws
) -> None:
    await lab.start()
    tws.fault("details", "swallow")
    with pytest.raises(NotSent):
        await lab.submit("a", symbol="MSFT", limit="95")
    assert tws.count("place") == 0


async def test_an_order_waits_for_what_is_asked_of_its_own_contract_alone(
    lab: TwsLab, tws: Tws, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What reduces never waits behind the question for another symbol (rule 3)."""
    monkeypatch.setattr(questions, "ANSWER_SECONDS", 60)
    monkeypatch.setattr(session, "RULE_SECONDS", 60)
    await lab.start()
    tws.fault("details", "swallow")
    asked = asyncio.ensure_future(lab.broker.instrument("AAPL"))
    await tws.until("details")
    tws.fault("rule", "swallow")
    also = asyncio.ensure_future(lab.broker.instrument("EUR_USD"))
    await tws.until("rule")
    await lab.submit("a", symbol="MSFT", limit="95")
    assert (asked.done(), also.done()) == (False, False)
    asked.cancel()
    also.cancel()


async def test_two_contracts_of_one_price_grid_that_are_asked_for_at_once(
    lab: TwsLab, tws: Tws
) -> None:
    """A market rule is answered without the number of a question."""
    await lab.start()
    found = await asyncio.gather(*(lab.broker.instrument(x) for x in ("AAPL", "MSFT", "BRK.B")))
    assert [x.tick for x in found] == [D("0.01")] * 3
    assert tws.count("rule") == 1


# --- cancels


async def test_a_cancel_that_comes_too_late_is_refused_and_the_fill_is_told(
    lab: TwsLab, tws: Tws
) -> None:
    await lab.start()
    await lab.submit("a", limit="95")
    tws.fills_before_cancel = True
    with pytest.raises(Rejected):
        await lab.broker.cancel_order("a")
    report = await lab.until("a", S.FILLED)
    assert report.fill is not None
    assert lab.of("a") == [S.NEW, S.FILLED]


@pytest.mark.parametrize("code", [135, 136, 161, 10147, 10148])
async def test_a_cancel_that_tws_refuses_or_does_not_find_ends_nothing(
    lab: TwsLab, tws: Tws, code: int
) -> None:
    """Libraries take the order for cancelled, whatever the text says of it."""
    await lab.start()
    await lab.submit("a", limit="95")
    await lab.until("a", S.NEW)
    tws.fault("cancel", "error", code=code, text="state: Filled")
    with pytest.raises(Rejected) as refused:
        await lab.broker.cancel_order("a")
    assert refused.value.code == str(code)
    (known,) = await lab.broker.get_open_orders()
    assert known.status is S.NEW
    assert lab.of("a") == [S.NEW]


@pytest.mark.usefixtures("impatient")
async def test_a_cancel_that_is_not_answered_is_ambiguous(lab: TwsLab, tws: Tws) -> None:
    await lab.start()
    await lab.submit("a", limit="95")
    tws.answers_cancels = False
    with pytest.raises(Ambiguous, match="the cancel"):
        await lab.broker.cancel_order("a")
    assert tws.count("cancel") == 1
    (known,) = await lab.broker.get_open_orders()
    assert not known.status.is_terminal


async def test_an_order_that_waits_for_its_cancel_still_works(lab: TwsLab, tws: Tws) -> None:
    await lab.start()
    await lab.submit("a", limit="95")
    tws.answers_cancels = False
    asked = asyncio.ensure_future(lab.broker.cancel_order("a"))
    await tws.until("cancel")
    tws.say("a", "PendingCancel")
    await asked
    (known,) = await lab.broker.get_open_orders()
    assert known.status is S.PENDING_CANCEL
    await lab.price("94")
    await lab.until("a", S.FILLED)


async def test_a_fill_after_the_cancel_is_a_fact(lab: TwsLab, tws: Tws) -> None:
    await lab.start()
    await lab.submit("a", limit="95")
    await lab.broker.cancel_order("a")
    await lab.until("a", S.CANCELED)
    tws.exchange.fill(str(tws.ticket("a").perm_id), D(3), D(95))
    report = await fill_of(lab, "a")
    assert report.fill is not None
    assert report.fill.quantity == 3


async def test_an_order_that_ended_while_we_were_away_cannot_be_cancelled(
    lab: TwsLab, tws: Tws
) -> None:
    await lab.start()
    await lab.submit("a", limit="95")
    tws.drop()
    await lab.disconnected()
    tws.exchange.cancel(str(tws.ticket("a").perm_id))
    await lab.start()
    with pytest.raises(Rejected) as refused:
        await lab.broker.cancel_order("a")
    assert refused.value.code == "UNKNOWN_ORDER"
    known = await lab.broker.get_order("a")
    assert known is not None
    assert known.status is S.CANCELED


@pytest.mark.parametrize("quantity", ["10", "4"])
async def test_an_order_that_ended_without_its_reference_is_found_by_its_executions(
    lab: TwsLab, tws: Tws, quantity: str
) -> None:
    """TWS has listed ended orders without their orderRef; a new process knows no permId of it."""
    await lab.start()
    await lab.submit("a", limit="95")
    there = str(tws.ticket("a").perm_id)
    tws.exchange.fill(there, D(quantity), D(95))
    if tws.exchange.orders[there].is_open:
        tws.exchange.cancel(there)
    tws.ticket("a").ref = ""
    await lab.broker.disconnect()
    other = TwsLab(tws)
    await other.start()
    known = await other.broker.get_order("a")
    assert known is not None
    status = S.FILLED if quantity == "10" else S.CANCELED
    assert (known.client_order_id, known.status, known.filled) == ("a", status, D(quantity))
    await other.broker.disconnect()


async def test_orders_of_others_are_forgotten_once_they_are_not_listed(
    lab: TwsLab, tws: Tws
) -> None:
    await lab.start()
    await lab.submit("a", limit="95")
    for _ in range(5):
        by_hand = tws.place_by_hand(AAPL, "BUY", "7", "90")
        assert len(await lab.broker.get_open_orders()) == 2
        tws.exchange.cancel(str(by_hand.perm_id))
    (ours,) = await lab.broker.get_open_orders()
    assert ours.client_order_id == "a"
    assert len(lab.adapter._known) == 1


@pytest.mark.parametrize(("code", "end"), [(201, S.REJECTED), (202, S.CANCELED)])
@pytest.mark.usefixtures("impatient")
async def test_an_order_that_is_said_to_have_ended_and_works_all_the_same_is_not_hidden(
    lab: TwsLab, tws: Tws, code: int, end: S
) -> None:
    await lab.start()
    await lab.submit("a", limit="95")
    await lab.until("a", S.NEW)
    tws.peers[0].error(tws.ticket("a").order_id, code, "it has ended")
    await lab.until("a", end)
    (known,) = await lab.broker.get_open_orders()
    assert (known.client_order_id, known.status) == ("a", S.NEW)
    await lab.broker.cancel_order("a")
    assert await lab.broker.get_open_orders() == ()
    assert tws.exchange.open_orders == []


async def test_an_order_placed_by_hand_is_listed_and_its_number_cancels_nothing_of_ours(
    lab: TwsLab, tws: Tws
) -> None:
    await lab.start()
    await lab.submit("a", limit="95")
    by_hand = tws.place_by_hand(AAPL, "BUY", "7", "90")
    by_hand.client_id, by_hand.order_id = 99, tws.ticket("a").order_id
    listed = {o.client_order_id: o for o in await lab.broker.get_open_orders()}
    assert listed.keys() == {"", "a"}
    assert listed[""].venue_order_id == str(by_hand.perm_id)
    named = unnamed_order_id(NAME, str(by_hand.perm_id))
    known = await lab.broker.get_order(named)
    assert known == listed[""]
    with pytest.raises(Rejected) as refused:
        await lab.broker.cancel_order(named)
    assert refused.value.code == "FOREIGN_ORDER"
    assert tws.count("cancel") == 0
    await lab.broker.cancel_all()
    await lab.until("a", S.CANCELED)
    assert await lab.broker.get_open_orders() == ()


@pytest.mark.usefixtures("impatient")
async def test_of_two_orders_of_one_id_both_are_cancelled_whatever_is_said_of_the_first(
    lab: TwsLab, tws: Tws
) -> None:
    await lab.start()
    for limit in ("95", "94"):
        await lab.submit("a", limit=limit)
    tws.fault("cancel", "swallow")
    with pytest.raises(Ambiguous, match="the cancel"):
        await lab.broker.cancel_order("a")
    assert tws.count("cancel") == 2
    assert len(tws.exchange.open_orders) == 1


async def test_two_orders_of_one_id_are_both_listed_and_no_answer_is_one_of_them(
    lab: TwsLab,
) -> None:
    await lab.start()
    for limit in ("95", "94"):
        await lab.submit("a", limit=limit)
    both = await lab.broker.get_open_orders()
    assert [o.client_order_id for o in both] == ["a", "a"]
    assert len({o.venue_order_id for o in both}) == 2
    with pytest.raises(Ambiguous, match="2 orders of the id a"):
        await lab.broker.get_order("a")
    await lab.broker.cancel_order("a")
    assert await lab.broker.get_open_orders() == ()


# --- executions


async def test_executions_without_a_word_of_the_status_fill_the_order(
    lab: TwsLab, tws: Tws
) -> None:
    tws.tells_status = False
    tws.exchange.slices = 3
    await lab.start()
    await lab.submit("a", "BUY", "9")
    report = await lab.until("a", S.FILLED)
    assert report.filled == 9
    assert lab.of("a") == [S.NEW, S.PARTIALLY_FILLED, S.PARTIALLY_FILLED, S.FILLED]
    fills = [r.fill for r in lab.seen if isinstance(r, OrderReport) and r.fill is not None]
    assert fills == list(await lab.broker.get_fills_since(0))
    assert sum(f.commission for f in fills) == D("0.45")


async def test_the_word_filled_before_its_execution_ends_the_order_once(
    lab: TwsLab, tws: Tws
) -> None:
    tws.status_first = True
    await lab.start()
    await lab.submit("a", "BUY", "10")
    report = await lab.until("a", S.FILLED)
    assert report.fill is not None
    await lab.submit("b", limit="95")
    await lab.until("b", S.NEW)
    assert lab.of("a").count(S.FILLED) == 1


@pytest.mark.usefixtures("impatient")
async def test_filled_without_an_execution_is_told_with_how_much(lab: TwsLab, tws: Tws) -> None:
    """The engine finds the fills missing by it, and asks."""
    tws.tells_executions = False
    await lab.start()
    await lab.submit("a", "BUY", "10")
    report = await lab.until("a", S.FILLED)
    assert (report.fill, report.filled) == (None, D(10))
    (fill,) = await lab.broker.get_fills_since(0)
    assert fill.quantity == 10


@pytest.mark.usefixtures("impatient")
async def test_filled_without_a_number_claims_none(lab: TwsLab, tws: Tws) -> None:
    """The order alone says that it has filled: how much is asked for, and never taken for 0."""
    tws.tells_executions = tws.tells_status = False
    await lab.start()
    await lab.submit("a", "BUY", "10")
    report = await lab.until("a", S.FILLED)
    assert (report.fill, report.filled) == (None, None)


@pytest.mark.parametrize(("tells_status", "filled"), [(True, D(3)), (False, None)])
async def test_X88_cancelled_without_a_number_says_nothing_of_what_had_filled(
    lab: TwsLab, tws: Tws, tells_status: bool, filled: Decimal | None
) -> None:
    """202 says that the order has ended, and nothing of what of it filled before."""
    tws.tells_executions, tws.tells_status = False, tells_status
    await lab.start()
    await lab.submit("a", limit="95")
    tws.exchange.fill(str(tws.ticket("a").perm_id), D(3), D(95))
    await lab.broker.cancel_order("a")
    assert (await lab.until("a", S.CANCELED)).filled == filled


@pytest.mark.parametrize("first", [True, False])
async def test_a_fill_has_its_commission_whichever_comes_first(
    lab: TwsLab, tws: Tws, first: bool
) -> None:
    tws.commission_first = first
    await lab.start()
    await lab.submit("a", "BUY", "10")
    report = await fill_of(lab, "a")
    assert report.fill is not None
    assert (report.fill.commission, report.fill.commission_currency) == (D("0.5"), "USD")


@pytest.mark.usefixtures("impatient")
async def test_a_commission_that_does_not_come_holds_no_fill_for_long(
    lab: TwsLab, tws: Tws
) -> None:
    tws.tells_commissions = False
    await lab.start()
    await lab.submit("a", "BUY", "10")
    report = await lab.until("a", S.FILLED)
    assert report.fill is not None
    assert (report.fill.commission, report.text) == (0, NO_COMMISSION)
    assert [f.commission for f in await lab.broker.get_fills_since(0)] == [0]
    tws.tells_commissions = True
    assert [f.commission for f in await lab.broker.get_fills_since(0)] == [D("0.5")]


async def test_a_combination_is_executed_by_its_legs_alone(lab: TwsLab, tws: Tws) -> None:
    """TWS tells an execution of the combination itself too, which nobody holds afterwards."""
    await lab.start()
    await lab.submit("a", "BUY", "10")
    await lab.until("a", S.FILLED)
    (leg,) = tws.executions
    whole = [*leg]
    whole[1], whole[2], whole[3], whole[12] = 28812380, "AAPL", "BAG", "0000e0d5.6561a9b9.01.01"
    tws.executions.append(whole)
    tws.commissions[whole[12]] = (D(0), "USD")
    for peer in tws.peers:
        tws._execution(peer, -1, whole)
    (fill,) = await lab.broker.get_fills_since(0)
    assert (fill.symbol, fill.quantity) == ("AAPL", D(10))
    await lab.submit("b", limit="95")
    await lab.until("b", S.NEW)
    assert lab.of("a") == [S.NEW, S.FILLED]


async def test_an_order_whose_side_is_none_is_put_aside(lab: TwsLab, tws: Tws) -> None:
    await lab.start()
    by_hand = tws.place_by_hand(AAPL, "BUY", "7", "90")
    (known,) = await lab.broker.get_open_orders()
    assert (known.side, known.quantity) == (Side.BUY, D(7))
    by_hand.action = "SSHORT"
    (known,) = await lab.broker.get_open_orders()
    assert (known.side, known.quantity) == (Side.SELL_SHORT, D(7))
    by_hand.action = "TURN"
    (known,) = await lab.broker.get_open_orders()
    assert known.quantity.is_nan()
    tws.exchange.cancel(str(by_hand.perm_id))
    ended = await lab.broker.get_order(unnamed_order_id(NAME, str(by_hand.perm_id)))
    assert ended is not None
    assert ended.quantity.is_nan()


async def test_an_execution_whose_side_is_none_is_put_aside(lab: TwsLab, tws: Tws) -> None:
    await lab.start()
    await lab.submit("a", "BUY", "10")
    await lab.until("a", S.FILLED)
    tws.executions[0][16] = "?"
    (fill,) = await lab.broker.get_fills_since(0)
    assert fill.quantity.is_nan()


@pytest.mark.usefixtures("impatient")
async def test_a_commission_that_is_not_set_is_none(lab: TwsLab, tws: Tws) -> None:
    tws.tells_commissions = False
    await lab.start()
    await lab.submit("a", "BUY", "10")
    for peer in tws.peers:
        for none in ("", UNSET):
            peer.send(59, 1, tws.executions[0][12], none, "USD", UNSET, UNSET, "")
    report = await fill_of(lab, "a")
    assert report.text == NO_COMMISSION
    tws.tells_commissions = True
    assert [f.commission for f in await lab.broker.get_fills_since(0)] == [D("0.5")]


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("lost", ["the connection", "the one of TWS"])
async def test_a_commission_that_the_end_of_a_connection_took_is_waited_for_after_it(
    lab: TwsLab, tws: Tws, lost: str
) -> None:
    """Told without it, the fill would cost nothing for ever: nobody tells it a second time."""
    tws.tells_commissions = False
    await lab.start()
    await lab.submit("a", "BUY", "10")
    await lab.until("a", S.NEW)
    await lab.broker.server_time()
    (tws.drop if lost == "the connection" else tws.lose_connection)()
    await lab.disconnected()
    await asyncio.sleep(2 * SOON)  # longer than a commission is waited for
    tws.tells_commissions = True
    if lost == "the connection":
        await lab.broker.connect()
    else:
        tws.find_connection()
    await lab.linked(LinkState.CONNECTED)
    assert [f.commission for f in await lab.broker.get_fills_since(0)] == [D("0.5")]
    report = await fill_of(lab, "a")
    assert report.fill is not None
    assert report.fill.commission == D("0.5")


async def test_an_execution_that_is_told_twice_is_one(lab: TwsLab, tws: Tws) -> None:
    await lab.start()
    await lab.submit("a", "BUY", "10")
    await lab.until("a", S.FILLED)
    for peer in tws.peers:
        tws._execution(peer, -1, tws.executions[0])
    await lab.submit("b", limit="95")
    await lab.until("b", S.NEW)
    assert lab.of("a") == [S.NEW, S.FILLED]


async def test_a_correction_is_the_same_execution_with_other_numbers(lab: TwsLab, tws: Tws) -> None:
    """Never a second one: the engine blocks the symbol where the numbers differ (X-91)."""
    await lab.start()
    await lab.submit("a", "BUY", "10")
    first = (await fill_of(lab, "a")).fill
    tws.correct(tws.executions[0], D("99.5"))
    second = (await fill_of(lab, "a")).fill
    assert first is not None
    assert second is not None
    assert (first.execution_id, first.price) == (second.execution_id, D(100))
    assert (second.price, second.key) == (D("99.5"), first.key)
    assert await lab.broker.get_fills_since(0) == (second,)


async def test_a_correction_of_what_an_earlier_process_heard_is_no_second_execution(
    lab: TwsLab, tws: Tws
) -> None:
    await lab.start()
    await lab.submit("a", "BUY", "10")
    first = (await fill_of(lab, "a")).fill
    assert first is not None
    await lab.broker.disconnect()
    other = TwsLab(tws)
    await other.start()
    tws.correct(tws.executions[0], D("99.5"))
    assert "corrects an execution that is not known" in (await other.disconnected()).detail
    assert not [r for r in other.seen if isinstance(r, OrderReport)]
    await other.start()
    (second,) = await other.broker.get_fills_since(0)
    assert (second.price, second.key) == (D("99.5"), first.key)
    await other.broker.disconnect()


@pytest.mark.parametrize("zone", ["UTC", "US/Eastern", "Europe/Amsterdam", ""])
async def test_the_time_of_an_execution_is_utc(lab: TwsLab, tws: Tws, zone: str) -> None:
    tws.zone = zone
    await lab.start()
    await lab.submit("a", "BUY", "10")
    report = await fill_of(lab, "a")
    assert report.fill is not None
    assert 0 <= report.time - report.fill.time < 5_000_000_000


async def test_an_execution_in_a_zone_that_nobody_knows_is_not_lost(lab: TwsLab, tws: Tws) -> None:
    tws.zone = "Mars/Olympus"
    await lab.start()
    await lab.submit("a", "BUY", "10")
    report = await fill_of(lab, "a")
    assert report.fill is not None
    assert report.fill.time == 0
    assert await lab.broker.get_fills_since(2**62) == (report.fill,)


# --- the connection


async def test_a_connection_that_breaks_is_told_once_and_numbers_are_learned_anew(
    lab: TwsLab, tws: Tws
) -> None:
    await lab.start()
    await lab.submit("a", limit="95")
    tws.drop()
    report = await lab.disconnected()
    assert report.detail == "TWS closed the connection"
    with pytest.raises(NotSent):
        await lab.broker.get_positions()
    await lab.start()
    await lab.broker.cancel_order("a")
    await lab.until("a", S.CANCELED)
    links = [r.state for r in lab.seen if isinstance(r, LinkReport)]
    assert links == [LinkState.CONNECTED, LinkState.DISCONNECTED, LinkState.CONNECTED]


async def test_a_number_that_is_given_out_again_is_another_order(lab: TwsLab, tws: Tws) -> None:
    await lab.start()
    await lab.submit("a", limit="95")
    number = tws.ticket("a").order_id
    tws.drop()
    await lab.disconnected()
    other = TwsLab(tws)
    tws.ticket("a").order_id = 0
    tws._next = iter(range(number - 1, number + 9))  # type: ignore[assignment]
    await other.start()
    await other.submit("b", limit="90")
    assert tws.ticket("b").order_id == number
    listed = {o.client_order_id: o.limit_price for o in await other.broker.get_open_orders()}
    assert listed == {"a": D(95), "b": D(90)}
    await other.broker.cancel_order("b")
    await other.until("b", S.CANCELED)
    assert other.of("a") == []
    await other.broker.disconnect()


async def test_a_client_id_that_is_in_use_is_said_at_once_and_nothing_stays_open(
    lab: TwsLab, tws: Tws
) -> None:
    await lab.start()
    other = TwsLab(tws)
    with pytest.raises(Rejected, match="client_id 17 is in use") as refused:
        await other.broker.connect()
    assert refused.value.code == "326"
    with pytest.raises(NotSent):
        await other.broker.get_positions()
    await lab.broker.disconnect()


async def test_a_tws_that_is_not_there_or_hangs_up_is_not_sent(lab: TwsLab, tws: Tws) -> None:
    tws.fault("start_api", "drop_before")
    with pytest.raises(NotSent, match="hung up"):
        await lab.broker.connect()
    await tws.stop()
    with pytest.raises(NotSent, match="cannot be reached"):
        await lab.broker.connect()
    await tws.start()
    await lab.start()


@pytest.mark.usefixtures("impatient")
async def test_a_tws_that_lets_us_in_and_says_nothing_is_not_sent(lab: TwsLab, tws: Tws) -> None:
    tws.hangs = True
    with pytest.raises(NotSent, match="said nothing"):
        await lab.broker.connect()
    tws.hangs = False
    tws.fault("start_api", "swallow")
    with pytest.raises(NotSent, match="said nothing"):
        await lab.broker.connect()
    tws.fault("open_orders", "swallow")
    with pytest.raises(NotSent, match="openOrders"):
        await lab.broker.connect()
    assert lab.seen == []
    await lab.start()


async def test_a_tws_that_has_just_started_is_waited_for(
    lab: TwsLab, tws: Tws, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its first connection is slow (S#303); one that is slower than we wait was sent nothing."""
    monkeypatch.setattr(session, "OPEN_SECONDS", 4 * SOON)
    tws.greets_seconds = 3 * SOON
    await lab.start()
    await lab.submit("a", limit="95")
    await lab.broker.disconnect()
    tws.greets_seconds = 5 * SOON
    with pytest.raises(NotSent, match="said nothing for 1 s"):
        await lab.broker.connect()
    assert tws.count("place") == 1


@pytest.mark.parametrize("size", [1, 3, 7, 65_536])
async def test_messages_may_come_in_pieces_and_joined_to_each_other(
    lab: TwsLab, tws: Tws, size: int
) -> None:
    """Where a message ends is told by its length alone: one byte at a time, cut within a length or
    a field, or all that is said at once as one piece."""
    tws.piece = size
    tws.exchange.slices = 3
    await lab.start()
    await asyncio.gather(*(lab.submit(key, "BUY", "9") for key in ("a", "b")))
    fills = [await lab.filled() for _ in range(6)]
    assert sorted(report.client_order_id for report in fills) == ["a"] * 3 + ["b"] * 3
    assert {report.fill.quantity for report in fills if report.fill is not None} == {D(3)}
    (position,) = await lab.broker.get_positions()
    assert position.quantity == D(18)
    told = {fill.execution_id for fill in await lab.broker.get_fills_since(0)}
    assert told == {report.fill.execution_id for report in fills if report.fill is not None}


async def test_what_is_no_tws_is_not_sent(lab: TwsLab, tws: Tws) -> None:
    tws.greeting = "HTTP/1.1 400"
    with pytest.raises(NotSent, match="cannot be read"):
        await lab.broker.connect()


Question = Callable[[TwsLab], Any]
QUESTIONS: dict[str, Question] = {
    "open_orders": lambda lab: lab.broker.get_open_orders(),
    "positions": lambda lab: lab.broker.get_positions(),
    "summary": lambda lab: lab.broker.get_account(),
    "executions": lambda lab: lab.broker.get_fills_since(0),
    "completed": lambda lab: lab.broker.get_order("nobody"),
    "time": lambda lab: lab.broker.server_time(),
}


@pytest.mark.parametrize("op", QUESTIONS)
@pytest.mark.usefixtures("impatient")
async def test_a_list_that_does_not_come_is_never_an_empty_one(
    lab: TwsLab, tws: Tws, op: str
) -> None:
    await lab.start()
    await lab.submit("a", "BUY", "10")
    before = tws.count(op)
    tws.fault(op, "swallow")
    with pytest.raises(Ambiguous):
        await QUESTIONS[op](lab)
    assert tws.count(op) == before + 1


@pytest.mark.parametrize("op", ["open_orders", "positions", "completed", "time"])
@pytest.mark.usefixtures("impatient")
async def test_an_answer_that_is_still_owed_is_taken_for_no_other(
    lab: TwsLab, tws: Tws, op: str
) -> None:
    await lab.start()
    tws.fault(op, "swallow")
    with pytest.raises(Ambiguous):
        await QUESTIONS[op](lab)
    assert "did not answer" in (await lab.disconnected()).detail
    await lab.start()
    await QUESTIONS[op](lab)


async def test_the_same_question_twice_at_once_is_answered_twice(lab: TwsLab) -> None:
    await lab.start()
    await lab.submit("a", limit="95")
    found = await asyncio.gather(*(lab.broker.get_open_orders() for _ in range(3)))
    assert [len(listed) for listed in found] == [1, 1, 1]
    held = await asyncio.gather(*(lab.broker.get_account() for _ in range(2)))
    assert held[0].equity == held[1].equity


async def test_C200_those_who_ask_the_same_at_once_share_an_answer(lab: TwsLab, tws: Tws) -> None:
    """Many orders that are in doubt are asked about together: none of them is put off by that."""
    await lab.start()
    await lab.submit("a", limit="95")
    await lab.submit("b", "BUY", "10")
    await lab.until("b", S.FILLED)
    before = len(tws.requests)
    orders, fills = await asyncio.gather(
        asyncio.gather(*(lab.broker.get_order(x) for x in ("a", "b", "c") * 20)),
        asyncio.gather(*(lab.broker.get_fills_since(0) for _ in range(20))),
    )
    assert [x and x.status for x in orders] == [S.NEW, S.FILLED, None] * 20
    assert [len(each) for each in fills] == [1] * 20
    assert len(tws.requests) - before <= 8


async def test_whoever_gives_up_a_question_takes_it_from_nobody(lab: TwsLab, tws: Tws) -> None:
    await lab.start()
    await lab.submit("a", limit="95")
    asked = [asyncio.ensure_future(lab.broker.get_open_orders()) for _ in range(3)]
    await asyncio.sleep(0)
    asked[0].cancel()
    assert [len(await one) for one in asked[1:]] == [1, 1]
    assert len(await lab.broker.get_open_orders()) == 1
    assert [r for r in lab.seen if isinstance(r, LinkReport) and r.detail] == []


@pytest.mark.usefixtures("impatient")
async def test_a_question_that_is_cancelled_leaves_no_answer_for_the_next(
    lab: TwsLab, tws: Tws
) -> None:
    await lab.start()
    tws.fault("positions", "swallow")
    asked = asyncio.ensure_future(lab.broker.get_positions())
    await tws.until("positions")
    asked.cancel()
    assert "did not answer" in (await lab.disconnected()).detail


async def test_what_cannot_be_decoded_ends_the_connection_with_its_reason(
    lab: TwsLab, tws: Tws
) -> None:
    await lab.start()
    tws.peers[0].send(11, -1, "half", "a", "message")
    assert "message '11' cannot be taken" in (await lab.disconnected()).detail


async def test_what_nobody_asked_for_is_passed_over(lab: TwsLab, tws: Tws) -> None:
    await lab.start()
    tws.peers[0].send(14, 1, 7, 1, "a bulletin", "NYSE")
    assert await lab.broker.get_positions() == ()


async def test_a_disconnect_while_something_is_asked_ends_the_question(
    lab: TwsLab, tws: Tws
) -> None:
    await lab.start()
    tws.fault("positions", "swallow")
    asked = asyncio.ensure_future(lab.broker.get_positions())
    await tws.until("positions")
    await lab.broker.disconnect()
    with pytest.raises(Ambiguous):
        await asked


async def test_nothing_is_left_of_connections_that_came_and_went(lab: TwsLab, tws: Tws) -> None:
    def ours() -> set[str]:
        return {t.get_name() for t in asyncio.all_tasks() if "TWS" in t.get_name()}

    for _ in range(3):
        await lab.start()
        await lab.broker.disconnect()
        await lab.disconnected()
    async with asyncio.timeout(5):
        while ours():  # a task that was cancelled ends in the loop's next round
            await asyncio.sleep(0)


# --- the connection of TWS itself


async def test_1100_is_a_break_and_1102_comes_back_with_what_was_missed(
    lab: TwsLab, tws: Tws
) -> None:
    await lab.start()
    await lab.submit("a", limit="95")
    await lab.until("a", S.NEW)
    tws.lose_connection()
    assert "1100" in (await lab.disconnected()).detail
    placed = tws.count("place")
    for attempt in (
        lab.submit("b", limit="94"),
        lab.broker.cancel_order("a"),
        lab.broker.get_positions(),
        lab.broker.connect(),
    ):
        with pytest.raises(NotSent, match="lost its connection"):
            await attempt
    await lab.price("94")
    tws.find_connection()
    await lab.linked(LinkState.CONNECTED)
    assert tws.count("place") == placed
    (fill,) = await lab.broker.get_fills_since(0)
    assert fill.client_order_id == "a"
    known = await lab.broker.get_order("a")
    assert known is not None
    assert known.status is S.FILLED
    assert len(tws.peers) == 1


@pytest.mark.parametrize("data_lost", [True, False])
async def test_a_word_that_it_is_back_is_a_break_even_where_its_loss_was_not_told(
    lab: TwsLab, tws: Tws, data_lost: bool
) -> None:
    """What happened meanwhile was not told either: the engine must look at everything (C-441)."""
    await lab.start()
    feed = lab.adapter.market.events()
    await next_quote(lab, feed)
    await tws.until("market_data", 2)
    tws.find_connection(data_lost=data_lost)
    await lab.disconnected()
    await lab.linked(LinkState.CONNECTED)
    await tws.until("market_data", 4 if data_lost else 2)


@pytest.mark.parametrize("early", [True, False])
async def test_a_tws_without_its_connection_lets_nobody_in(
    lab: TwsLab, tws: Tws, early: bool
) -> None:
    tws.is_connected, tws.says_it_early = False, early
    with pytest.raises(NotSent, match="no connection to Interactive Brokers"):
        await lab.broker.connect()
    tws.is_connected = True
    await lab.start()


async def test_a_word_that_it_is_back_which_never_comes_keeps_us_out_for_a_while_only(
    lab: TwsLab, tws: Tws, monkeypatch: pytest.MonkeyPatch
) -> None:
    await lab.start()
    tws.lose_connection()
    await lab.disconnected()
    tws.is_connected = True
    with pytest.raises(NotSent):
        await lab.broker.connect()
    monkeypatch.setattr(adapter, "CUT_SECONDS", 0)
    await lab.start()


async def test_a_port_that_moved_ends_the_connection(lab: TwsLab, tws: Tws) -> None:
    await lab.start()
    tws.tell(1300, "Socket port has been reset: 7497")
    assert "another port" in (await lab.disconnected()).detail


# --- whose account it is


async def test_C201_another_account_than_before_is_refused(lab: TwsLab, tws: Tws) -> None:
    """Whoever logs in to TWS anew may do so with another login."""
    await lab.start()
    tws.drop()
    await lab.disconnected()
    tws.accounts = ["DU7654321"]
    with pytest.raises(
        AuthFailed, match="DU1234567 when it connected first, and the venue answers with DU7654321"
    ):
        await lab.broker.connect()
    tws.accounts = ["DU1234567"]
    await lab.start()


@pytest.mark.parametrize(
    ("accounts", "settings", "said"),
    [
        (["DU1"], {"account_id": "DU2"}, "nothing is sent to another account"),
        (["U1"], {}, "an account of real money"),
        (["DU1"], {"environment": "live", "account_id": "DU1"}, "a paper account"),
        (["U1"], {"environment": "live"}, "real money needs it"),
        (["DU1", "DU2"], {}, "TWS has 2 accounts"),
    ],
)
async def test_C201_an_account_that_nobody_named_is_refused(
    tws: Tws, accounts: list[str], settings: dict[str, str], said: str
) -> None:
    tws.accounts = accounts
    lab = TwsLab(tws, **settings)
    with pytest.raises(AuthFailed, match=said):
        await lab.broker.connect()
    with pytest.raises(NotSent):
        await lab.submit("a")
    assert tws.count("place") == 0


async def test_of_several_accounts_the_one_that_is_named_is_traded(tws: Tws) -> None:
    tws.accounts = ["DU9999999", "DU1234567"]
    lab = TwsLab(tws, account_id="DU1234567")
    await lab.start()
    await lab.submit("a", limit="95")
    assert tws.ticket("a").account == "DU1234567"
    # TWS cancels the orders of all accounts, also of those that nobody named here.
    with pytest.raises(Rejected, match="of all 2 accounts"):
        await lab.broker.cancel_all()
    assert tws.count("global_cancel") == 0
    await lab.broker.disconnect()


# --- balances and holdings


async def test_cash_is_told_by_currency_and_the_subscription_is_ended(
    lab: TwsLab, tws: Tws
) -> None:
    tws.exchange.cash["EUR"] = D("-12.5")
    await lab.start()
    for _ in range(3):
        account = await lab.broker.get_account()
    assert account.balances == {"USD": D(100_000), "EUR": D("-12.5")}
    assert (account.cash, account.currency, account.account_id) == (
        D(100_000), "USD", "DU1234567",
    )  # fmt: skip
    assert await lab.broker.get_positions() == ()
    await tws.until("cancel_summary", 3)
    await tws.until("cancel_positions")


@pytest.mark.parametrize(("moved", "held"), [("3", [D(13)]), ("-10", [])])
async def test_a_holding_that_changes_while_it_is_listed_is_what_was_told_last(
    lab: TwsLab, tws: Tws, moved: str, held: list[Decimal]
) -> None:
    """TWS tells holdings as they change for as long as they are subscribed to: a row that is told
    again is the same holding, never one more."""
    await lab.start()
    await lab.submit("a", "BUY", "10")
    await lab.until("a", S.FILLED)
    tws.moves_while_listed = D(moved)
    assert [p.quantity for p in await lab.broker.get_positions()] == held


async def test_C230_options_futures_and_currencies_are_traded_by_our_ids(
    lab: TwsLab, tws: Tws
) -> None:
    await lab.start()
    for listing, price in ((CALL, "5.1"), (ES, "50.25"), (EUR, "1.10005")):
        tws.exchange.set_price(listing.name, D(price))
        await lab.submit("x" + str(listing.con_id), "BUY", "2", symbol=listing.name, limit=price)
        report = await fill_of(lab, "x" + str(listing.con_id))
        assert report.fill is not None
        assert (report.fill.symbol, report.fill.price) == (listing.name, D(price))
    held = {p.symbol: (p.quantity, p.average_price) for p in await lab.broker.get_positions()}
    assert held == {
        CALL.name: (D(2), D("5.1")),
        ES.name: (D(2), D("50.25")),
        EUR.name: (D(2), D("1.10005")),
    }
    call, future = [await lab.broker.instrument(x.name) for x in (CALL, ES)]
    assert (call.multiplier, call.tick, future.multiplier) == (D(100), D("0.1"), D(50))


async def test_a_new_process_knows_holdings_and_executions_by_our_ids(
    lab: TwsLab, tws: Tws
) -> None:
    await lab.start()
    fills: list[Fill] = []
    for listing, price in ((CALL, "5.1"), (ES, "50.25"), (EUR, "1.10005")):
        tws.exchange.set_price(listing.name, D(price))
        await lab.submit("x" + str(listing.con_id), "BUY", "2", symbol=listing.name)
        told = (await fill_of(lab, "x" + str(listing.con_id))).fill
        assert told is not None
        fills.append(told)
    await lab.broker.disconnect()
    other = TwsLab(tws)
    await other.start()
    assert list(await other.broker.get_fills_since(0)) == fills
    assert [f.side for f in fills] == [Side.BUY] * 3
    assert {p.symbol for p in await other.broker.get_positions()} == {f.symbol for f in fills}
    await other.broker.disconnect()


async def test_a_number_that_cannot_be_read_is_put_aside_with_its_symbol(
    lab: TwsLab, tws: Tws
) -> None:
    await lab.start()
    tws.exchange.positions["AAPL"] = "many"  # type: ignore[assignment]
    tws.exchange.costs["AAPL"] = D(1)
    (held,) = await lab.broker.get_positions()
    assert held.symbol == "AAPL"
    assert held.quantity.is_nan()


def _adds(entry: Any) -> Any:
    """The same order as one that adds exposure."""
    return msgspec.structs.replace(entry, reserved=D(100))


# --- market data


async def next_quote(lab: TwsLab, feed: Any) -> Quote:
    quote = await asyncio.wait_for(anext(feed), 5)
    assert isinstance(quote, Quote)
    return quote


async def test_prices_of_now_are_told_and_a_currency_has_the_middle(lab: TwsLab, tws: Tws) -> None:
    await lab.start()
    tws.exchange.set_price("EUR_USD", D("1.1"))
    feed = lab.adapter.market.events()
    found = [await next_quote(lab, feed) for _ in range(2)]
    quotes = {quote.symbol: quote for quote in found}
    share, pair = quotes["AAPL"], quotes["EUR_USD"]
    assert (share.bid, share.ask, share.last, share.trade) == (D("99.99"), D("100.01"), 100, True)
    assert share.bid_size == 100
    assert (pair.last, pair.trade) == (D("1.1"), False)
    assert share.fault == pair.fault == ""


@pytest.mark.parametrize("kind", [2, 3, 4])
async def test_prices_that_are_not_of_now_are_not_told(lab: TwsLab, tws: Tws, kind: int) -> None:
    tws.data_type = kind
    await lab.start()
    feed = lab.adapter.market.events()
    asked = asyncio.ensure_future(anext(feed))
    await tws.until("market_data", 2)
    tws.quote("AAPL", D(101))
    await lab.broker.server_time()  # whatever was told before has arrived by then
    assert not asked.done()
    tws.data_type = 1
    for peer in tws.peers:
        for request in peer.subscriptions:
            peer.send(58, 1, request, 1)
    tws.quote("AAPL", D(102))
    quote = await asyncio.wait_for(asked, 5)
    assert isinstance(quote, Quote)
    assert quote.last == 102


async def test_a_price_that_stands_for_none_is_no_price_and_ends_nothing(
    lab: TwsLab, tws: Tws
) -> None:
    """TWS writes nothing, -1, 0 or its largest number for a price that is not there."""
    await lab.start()
    feed = lab.adapter.market.events()
    asked = asyncio.ensure_future(anext(feed))
    await tws.until("market_data", 2)
    peer = tws.peers[0]
    request = next(n for n, x in peer.subscriptions.items() if x is AAPL)
    await asyncio.wait_for(asked, 5)
    for none in ("", "-1", "0", UNSET):
        for kind in (1, 2, 4):
            peer.send(1, 6, request, kind, none, "", 0)
    peer.send(2, 6, request, 0, "")
    peer.send(1, 6, request, 1, "100.5", "200", 0)
    peer.send(1, 6, request, 4, "100.5", "", 0)
    while (quote := await next_quote(lab, feed)).last != D("100.5"):
        assert quote.fault == ""
    assert (quote.bid, quote.ask, quote.bid_size, quote.fault) == (D("100.5"), None, D(200), "")
    assert not [r for r in lab.seen if isinstance(r, LinkReport) and r.detail]


async def test_a_frozen_price_is_not_believed_when_prices_of_now_come_back(
    lab: TwsLab, tws: Tws
) -> None:
    tws.data_type = 2
    await lab.start()
    feed = lab.adapter.market.events()
    asked = asyncio.ensure_future(anext(feed))
    await tws.until("market_data", 2)
    peer = tws.peers[0]
    request = next(n for n, x in peer.subscriptions.items() if x is AAPL)
    peer.send(58, 1, request, 1)
    peer.send(1, 6, request, 1, "120.5", "100", 0)
    await lab.broker.server_time()  # whatever was told before has arrived by then
    assert not asked.done()
    peer.send(1, 6, request, 2, "121", "100", 0)
    quote = await asyncio.wait_for(asked, 5)
    assert isinstance(quote, Quote)
    assert (quote.bid, quote.ask, quote.last) == (D("120.5"), D(121), D("120.75"))


async def test_1101_subscribes_anew(lab: TwsLab, tws: Tws) -> None:
    await lab.start()
    feed = lab.adapter.market.events()
    await next_quote(lab, feed)
    await tws.until("market_data", 2)
    tws.lose_connection()
    await lab.disconnected()
    tws.find_connection(data_lost=True)
    await lab.linked(LinkState.CONNECTED)
    await tws.until("market_data", 4)
    tws.quote("AAPL", D(103))
    while (await next_quote(lab, feed)).last != 103:
        pass


@pytest.mark.usefixtures("impatient")
async def test_a_symbol_whose_contract_was_not_told_in_time_is_asked_for_again(
    lab: TwsLab, tws: Tws
) -> None:
    await lab.start()
    tws.fault("details", "swallow", times=3)
    asked = asyncio.ensure_future(anext(lab.adapter.market.events()))
    await tws.until("market_data", 2)
    asked.cancel()


@pytest.mark.usefixtures("impatient")
async def test_a_symbol_that_could_not_be_asked_for_while_tws_was_cut_off_is_asked_for_then(
    lab: TwsLab, tws: Tws
) -> None:
    await lab.start()
    tws.lose_connection()
    await lab.disconnected()
    asked = asyncio.ensure_future(anext(lab.adapter.market.events()))
    await asyncio.sleep(0)
    tws.find_connection()
    await lab.linked(LinkState.CONNECTED)
    await tws.until("market_data", 2)
    asked.cancel()


async def test_a_feed_that_is_read_anew_goes_on_with_its_subscriptions(
    lab: TwsLab, tws: Tws
) -> None:
    """TWS gives a login a hundred of them."""
    await lab.start()
    for n in range(1, 4):
        feed: Any = lab.adapter.market.events()
        asked = asyncio.ensure_future(next_quote(lab, feed))
        await tws.until("market_data", 2)
        tws.quote("AAPL", D(100 + n))
        while (await asked).last != 100 + n:
            asked = asyncio.ensure_future(next_quote(lab, feed))
        await feed.aclose()
    assert tws.count("market_data") == 2


async def test_a_new_connection_subscribes_anew(lab: TwsLab, tws: Tws) -> None:
    await lab.start()
    feed = lab.adapter.market.events()
    await next_quote(lab, feed)
    await tws.until("market_data", 2)
    tws.drop()
    await lab.disconnected()
    await lab.start()
    await tws.until("market_data", 4)
    tws.quote("AAPL", D(103))
    while (await next_quote(lab, feed)).last != 103:
        pass


async def test_C200_many_symbols_are_subscribed_to_as_fast_as_is_allowed(tws: Tws) -> None:
    lab = TwsLab(tws, watched=("AAPL", "MSFT", "BRK.B", "EUR_USD", "ES 2026-12", CALL.name))
    await lab.start()
    feed = lab.adapter.market.events()
    asked = asyncio.ensure_future(anext(feed))
    await tws.until("market_data", 6)
    await lab.submit("a", limit="95")
    await asked
    await lab.broker.disconnect()


async def test_a_symbol_without_the_right_to_its_prices_stops_no_other(
    lab: TwsLab, tws: Tws
) -> None:
    tws.fault("market_data", "error", code=354, text="not subscribed")
    tws.exchange.set_price("EUR_USD", D("1.1"))
    await lab.start()
    quote = await next_quote(lab, lab.adapter.market.events())
    assert quote.symbol == "EUR_USD"


async def test_prices_that_another_session_has_are_asked_for_again(
    lab: TwsLab, tws: Tws, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody tells when that session ends (10197)."""
    monkeypatch.setattr(market, "COMPETING_SECONDS", SOON)
    tws.fault("market_data", "error", code=10197, text="competing live session")
    await lab.start()
    feed = lab.adapter.market.events()
    quote = await next_quote(lab, feed)
    assert (quote.symbol, quote.last) == ("AAPL", D(100))
    await tws.until("market_data", 3)
    assert tws.count("cancel_market_data") == 1
    (peer,) = tws.peers
    assert sorted(x.name for x in peer.subscriptions.values()) == ["AAPL", "EUR_USD"]


async def test_the_past_is_told_in_completed_bars(lab: TwsLab, tws: Tws) -> None:
    await lab.start()
    bars = await lab.adapter.market.history("AAPL", 2)
    assert len(bars) == 2
    for bar in bars:
        assert isinstance(bar, Bar)
        assert (bar.close, bar.seconds, bar.fault) == (D("100.5"), 60, "")
    assert bars[0].time < bars[1].time
    fields = next(fields for op, fields in tws.requests if op == "history")
    assert fields[15:21] == ["", "1 min", "180 S", "0", "TRADES", "2"]
    tws.fault("history", "error", code=162, text="pacing violation")
    with pytest.raises(Rejected):
        await lab.adapter.market.history("AAPL", 2)


async def test_C200_the_past_of_many_symbols_is_told_as_fast_as_is_allowed(tws: Tws) -> None:
    """The engine asks for all of them at once, and none is left without signals by that."""
    lab = TwsLab(tws)
    await lab.start()
    names = ("AAPL", "MSFT", "BRK.B", "EUR_USD", "ES 2026-12", CALL.name)
    found = await asyncio.gather(*(lab.adapter.market.history(name, 2) for name in names))
    assert [len(bars) for bars in found] == [2] * 6
    await lab.broker.disconnect()


@pytest.mark.usefixtures("impatient")
async def test_a_past_that_is_not_told_in_time_is_not_worked_on_any_longer(
    lab: TwsLab, tws: Tws
) -> None:
    """TWS works on fifty such questions at once, and on no more."""
    await lab.start()
    tws.fault("history", "swallow")
    with pytest.raises(Ambiguous):
        await lab.adapter.market.history("AAPL", 2)
    await tws.until("cancel_history")
    asked = next(fields for op, fields in tws.requests if op == "history")
    ended = next(fields for op, fields in tws.requests if op == "cancel_history")
    assert ended[2] == asked[1]
    assert len(await lab.adapter.market.history("AAPL", 2)) == 2
    assert tws.count("cancel_history") == 1


async def test_every_error_is_one_of_six(lab: TwsLab) -> None:
    for attempt in (
        lab.broker.cancel_orders(("a",)),
        lab.broker.modify_order("a", D(1)),
        lab.broker.get_cash_movements_since(0),
        lab.broker.cancel_all(),
    ):
        with pytest.raises(BrokerError):
            await attempt


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection on which nothing comes is asked about after a short time."""
    monkeypatch.setattr(session, "QUIET_SECONDS", SOON)
    monkeypatch.setattr(session, "SILENT_SECONDS", SOON)


@pytest.mark.usefixtures("watched")
async def test_C441_a_connection_that_stands_and_carries_nothing_is_over(
    lab: TwsLab, tws: Tws
) -> None:
    """The other machine has gone without a word: nothing ends such a connection by itself."""
    await lab.start()
    (peer,) = tws.peers
    peer.is_muted = True
    report = await lab.disconnected()
    assert "currentTime" in report.detail
    with pytest.raises(NotSent):
        await lab.submit("a", limit="95")


@pytest.mark.usefixtures("watched")
async def test_a_quiet_connection_that_answers_stands(lab: TwsLab, tws: Tws) -> None:
    await lab.start()
    before = tws.count("time")
    await tws.until("time", before + 3)
    await lab.submit("a", limit="95")
    await lab.until("a", S.NEW)


@pytest.mark.usefixtures("watched")
async def test_a_connection_on_which_something_comes_is_not_asked(lab: TwsLab, tws: Tws) -> None:
    await lab.start()
    asked = tws.count("time")
    for _ in range(20):
        tws.tell(2104, "Market data farm connection is OK")
        await asyncio.sleep(SOON / 4)
    assert tws.count("time") <= asked + 1


def test_C441_silence_is_noticed_within_five_seconds() -> None:
    assert session.QUIET_SECONDS + session.SILENT_SECONDS < 5
