"""An exit in a closed market: what protects stays, and every exit ends (X-92, X-83, rule 3)."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.inputs import Sending, SubmitFailed
from engine.domain.instant import NS_PER_SECOND, Nanos, parse_rfc3339
from engine.domain.market import Quote
from engine.domain.order import OrderStatus, OrderType, Purpose, Side
from engine.domain.position import ExitReason
from engine.domain.run import Flatten, Severity
from engine.domain.signal import Direction, TradeType
from engine.ports import Capabilities, MarketClosed
from engine.state.folds.order_update import update_order
from tests.engine.driver import NO_REDUCE_ONLY, CoreDriver, protected
from tests.engine.worlds import ABLE, signal

D = Decimal
S = OrderStatus

CLOSE = parse_rfc3339("2013-10-07T20:00:00Z")
OPEN = parse_rfc3339("2013-10-08T13:30:00Z")
EVENING = CLOSE + 3600 * NS_PER_SECOND
MINUTE = 60 * NS_PER_SECOND
EOD = CLOSE - 5 * MINUTE

BY_CANCEL = msgspec.structs.replace(NO_REDUCE_ONLY, native_modify=False)
VENUES = pytest.mark.parametrize(
    "able", [ABLE, NO_REDUCE_ONLY, BY_CANCEL], ids=["joins", "alone", "by cancel"]
)
APART = pytest.mark.parametrize("able", [NO_REDUCE_ONLY, BY_CANCEL], ids=["alone", "by cancel"])


def swing(able: Capabilities, quantity: int = 99, **fields: Any) -> CoreDriver:
    """So many are held as a swing with their stop at the venue, in the evening."""
    desk = CoreDriver(capabilities=able).price("NVDA", "100")
    wanted: dict[str, Any] = {"protect": D(95), "hold": TradeType.SWING} | fields
    desk.place(Side.BUY, quantity, **wanted)
    entry = desk.last(Purpose.MANUAL)
    desk.accept(entry)
    desk.filled(entry, quantity, "100")
    desk.accept(desk.last(Purpose.PROTECT))
    desk.now = EVENING
    desk.tick(0)
    return desk


def stop_status(desk: CoreDriver) -> OrderStatus:
    return desk.current(desk.last(Purpose.PROTECT)).status


def closes(desk: CoreDriver) -> list[Any]:
    return desk.intended(Purpose.EXIT) + desk.intended(Purpose.FLATTEN)


def close(desk: CoreDriver, how: str) -> list[ev.Event]:
    if how == "kill":
        desk.give(ask.Kill(by="me", flatten=Flatten.ALL))
        stop = desk.last(Purpose.PROTECT)
        return desk.snapshot(reason="kill", positions={"NVDA": 99}, orders=(desk.works(stop),))
    return desk.give(ask.ClosePosition(by="me", symbol="NVDA"))


HOWS = pytest.mark.parametrize("how", ["close", "kill"])


@HOWS
@APART
def test_x92_where_stop_and_close_cannot_stand_together_the_stop_stays_until_the_open(
    able: Capabilities, how: str
) -> None:
    desk = swing(able)
    close(desk, how)
    for _ in range(3):
        desk.tick(30)
    assert stop_status(desk) is S.NEW
    assert not closes(desk)
    desk.now = OPEN - NS_PER_SECOND
    desk.tick(0)
    assert stop_status(desk) is S.NEW
    desk.tick(1)
    assert stop_status(desk) is S.PENDING_CANCEL
    desk.report(desk.last(Purpose.PROTECT), S.CANCELED)
    assert [order.quantity for order in closes(desk)] == [99]


@HOWS
def test_x92_where_they_can_it_is_sent_at_once(how: str) -> None:
    desk = swing(ABLE)
    close(desk, how)
    assert [order.quantity for order in closes(desk)] == [99]
    assert stop_status(desk) is S.NEW
    desk.accept(closes(desk)[0])
    while desk.now < OPEN:
        desk.tick(600)
    assert len(closes(desk)) == 1, "it rests until the market opens"
    assert desk.current(closes(desk)[0]).status is S.NEW


@HOWS
@VENUES
def test_x92_without_a_calendar_what_reduces_is_sent(able: Capabilities, how: str) -> None:
    desk = swing(able)
    known = desk.world.instrument("NVDA")
    desk.event(ev.InstrumentLearned(instrument=msgspec.structs.replace(known, calendar="NONE")))
    close(desk, how)
    desk.tick()
    if not able.reduce_only:
        desk.report(desk.last(Purpose.PROTECT), S.CANCELED)
    assert [order.quantity for order in closes(desk)] == [99]


@APART
def test_x92_a_kill_that_waits_is_degraded_and_says_until_when(able: Capabilities) -> None:
    desk = swing(able)
    close(desk, "kill")
    for _ in range(4):
        desk.tick(10)
    (proved,) = desk.of(ev.KillProved)
    assert proved.state == "DEGRADED"
    (alarm,) = [a for a in desk.of(ev.Alarmed) if a.code == "KILL_DEGRADED"]
    assert "NVDA waits for the open at 2013-10-08T13:30:00Z" in alarm.text


@VENUES
def test_x92_a_flat_signal_in_a_closed_market_waits_for_the_open(able: Capabilities) -> None:
    desk = protected(99, capabilities=able)
    desk.report(desk.last(Purpose.ENTRY), S.CANCELED)
    entry = desk.held()
    desk.book.amend(entry, trade_type=TradeType.SWING)
    desk.now = EVENING
    desk.signal(signal("NVDA", signal_id="out", direction=Direction.FLAT, at=desk.now))
    desk.tick(1)
    assert not closes(desk)
    assert stop_status(desk) is S.NEW
    desk.now = OPEN
    desk.tick(0)
    if not able.reduce_only:
        desk.report(desk.last(Purpose.PROTECT), S.CANCELED)
    (out,) = closes(desk)
    desk.accept(out)
    desk.filled(out, 99, "100")
    ended = [e for e in desk.of(ev.SignalEnded) if e.signal_id == "out"]
    assert [e.outcome for e in ended] == ["EXECUTED"]


@pytest.mark.parametrize("how", ["close", "kill"])
def test_x92_who_closes_a_position_that_waits_for_the_open_is_not_kept_waiting(how: str) -> None:
    desk = protected(99)
    desk.report(desk.last(Purpose.ENTRY), S.CANCELED)
    desk.book.amend(desk.held(), trade_type=TradeType.SWING)
    desk.now = EVENING
    desk.signal(signal("NVDA", signal_id="out", direction=Direction.FLAT, at=desk.now))
    assert not closes(desk)
    close(desk, how)
    (out,) = closes(desk)
    desk.accept(out)
    desk.filled(out, 99, "100")
    assert [e.signal_id for e in desk.of(ev.SignalEnded) if e.signal_id == "out"] == ["out"]


# --- what the venue says --------------------------------------------------------------------------


def market_closed(desk: CoreDriver, order: Any) -> None:
    desk.give(Sending(order.account, order.client_order_id))
    error = MarketClosed("not at this hour")
    desk.give(SubmitFailed(order.account, order.client_order_id, error))


def test_x92_a_venue_that_says_it_is_closed_is_waited_for_and_no_failure() -> None:
    desk = swing(ABLE)
    close(desk, "close")
    market_closed(desk, closes(desk)[-1])
    alarms = [a.code for a in desk.of(ev.Alarmed) if a.code.startswith("EXIT")]
    assert alarms == ["EXIT_WAITS"]
    assert not desk.book.data.rejects
    while desk.now < OPEN - MINUTE:
        desk.tick(60)
    assert len(closes(desk)) == 1, "nothing is asked again before the open"
    for _ in range(62):
        desk.tick(1)
    assert len(closes(desk)) == 2


def test_x92_and_where_it_is_open_by_the_calendar_it_is_asked_again_more_and_more_slowly() -> None:
    """A halt of the symbol."""
    desk = swing(ABLE)
    desk.now = OPEN
    close(desk, "close")
    at: list[Nanos] = []
    for _ in range(9):
        market_closed(desk, closes(desk)[-1])
        since, count = desk.now, len(closes(desk))
        while len(closes(desk)) == count:
            desk.tick(1)
        at.append((desk.now - since) // NS_PER_SECOND)
    assert at == [1, 2, 4, 8, 15, 30, 60, 60, 60]
    assert not desk.book.data.rejects
    assert desk.book.data.halt is None


def halted_for_long(times: int = 8) -> CoreDriver:
    """A close was refused so many times, as the symbol is halted in an open market."""
    desk = swing(ABLE)
    desk.now = OPEN
    close(desk, "close")
    for _ in range(times - 1):
        market_closed(desk, closes(desk)[-1])
        count = len(closes(desk))
        while len(closes(desk)) == count:
            desk.tick(1)
    market_closed(desk, closes(desk)[-1])
    return desk


def seconds_until_closed(desk: CoreDriver) -> int:
    """How long until the close leaves again."""
    since, count = desk.now, len(closes(desk))
    while len(closes(desk)) == count:
        desk.tick(1)
    return (desk.now - since) // NS_PER_SECOND


def test_x92_once_a_symbol_that_was_halted_trades_again_its_close_waits_no_longer() -> None:
    """To be told that a market is closed is no failure: its pause is over when that trades."""
    desk = halted_for_long()
    desk.tick(10)
    desk.quote("NVDA", "100", trade=True)
    desk.quote("NVDA", "100", bid="99.9", ask="100.1")
    assert seconds_until_closed(desk) == 1


def test_x92_what_is_merely_quoted_or_was_traded_before_the_refusal_is_no_sign_of_that() -> None:
    desk = halted_for_long()
    before = desk.now
    desk.tick(10)
    desk.quote("NVDA", "100", bid="99.9", ask="100.1")
    desk.give(Quote(symbol="NVDA", last=D(100), bid=None, ask=None, time=before, trade=True))
    assert seconds_until_closed(desk) == 50


def test_x92_a_refusal_after_that_trade_is_waited_for_as_before() -> None:
    """And no close follows a refusal within less than a second."""
    desk = halted_for_long()
    desk.later(0.5)
    desk.quote("NVDA", "100", trade=True)
    desk.tick(0)
    count = len(closes(desk))
    desk.tick(0.25)
    assert len(closes(desk)) == count
    desk.tick(0.25)
    assert len(closes(desk)) == count + 1
    market_closed(desk, closes(desk)[-1])
    assert seconds_until_closed(desk) == 60


# --- the last minutes -----------------------------------------------------------------------------


def entry_of(desk: CoreDriver, **fields: Any) -> Any:
    wanted: dict[str, Any] = {
        "type": OrderType.LIMIT,
        "limit_price": D(98),
        "protect": D(90),
    } | fields
    desk.place(Side.BUY, 10, **wanted)
    order = desk.last(Purpose.MANUAL, fields.get("symbol", "NVDA"))
    desk.accept(order)
    return order


@pytest.mark.parametrize("hold", [TradeType.DAY, TradeType.SCALP])
def test_x83_an_entry_that_rests_is_cancelled_from_eod_on(hold: TradeType) -> None:
    desk = CoreDriver().price("NVDA", "100")
    desk.now = EOD - 2 * NS_PER_SECOND
    desk.price("NVDA", "100")
    order = entry_of(desk, hold=hold)
    desk.tick(1)
    assert desk.current(order).status is S.NEW
    desk.tick(1)
    assert desk.current(order).status is S.PENDING_CANCEL
    desk.report(order, S.CANCELED, text="on request")
    assert desk.current(order).reason == "MARKET_CLOSED"


def test_x83_one_that_is_to_be_held_longer_goes_on() -> None:
    desk = CoreDriver().price("NVDA", "100")
    order = entry_of(desk, hold=TradeType.SWING)
    desk.now = EOD
    desk.tick(0)
    assert desk.current(order).status is S.NEW


def test_x83_where_sessions_do_not_end_it_goes_on() -> None:
    desk = CoreDriver(exchange="SIM").price("AAA", "100")
    order = entry_of(desk, symbol="AAA")
    desk.now = parse_rfc3339("2013-10-07T23:59:59Z")
    desk.tick(0)
    desk.tick(2)
    assert desk.current(order).status is S.NEW


def test_x83_a_signal_whose_entry_ends_so_ends_with_its_code() -> None:
    desk = CoreDriver().price("NVDA", "100")
    desk.signal(signal("NVDA", conviction=60, entry="100", stop="95"))
    entry = desk.last(Purpose.ENTRY)
    assert entry.type is OrderType.LIMIT
    desk.accept(entry)
    update_order(desk.book, desk.current(entry), desk.now, timeout_seconds=0)
    desk.now = EOD
    desk.tick(0)
    desk.report(entry, S.CANCELED, text="cancelled by the exchange")
    (ended,) = desk.of(ev.SignalEnded)
    assert (ended.outcome, ended.code) == ("CANCELLED", "MARKET_CLOSED")


@pytest.mark.parametrize(("at", "code"), [(EOD - 1, None), (EOD, "MARKET_CLOSED")])
def test_x83_an_addition_to_a_day_trade_is_refused_whatever_hold_it_names(
    at: Nanos, code: str | None
) -> None:
    desk = left_over(ABLE, protect=D(95))
    desk.now = at
    desk.price("NVDA", "100")
    seen = desk.place(Side.BUY, 1, hold=TradeType.SWING)
    refused = [e.code for e in seen if isinstance(e, ev.OrderRefused)]
    assert refused == ([] if code is None else [code])


@pytest.mark.parametrize("protect", [None, D(90)])
def test_x83_a_late_fill_is_closed_at_once(protect: Decimal | None) -> None:
    desk = CoreDriver().price("NVDA", "100")
    order = entry_of(desk, protect=protect)
    desk.now = EOD
    desk.tick(0)
    seen = desk.filled(order, 4, "98")
    assert [e.decision.reason for e in seen if isinstance(e, ev.ExitPlanned)] == [ExitReason.EOD]
    assert [o.quantity for o in desk.intended(Purpose.EXIT)] == [4]
    assert not [a for a in desk.of(ev.Alarmed) if a.code == "EOD_MISSED"]


@VENUES
@pytest.mark.parametrize("protect", [None, D(90)])
def test_x83_one_after_the_close_is_told_and_waits_for_the_open(
    able: Capabilities, protect: Decimal | None
) -> None:
    desk = CoreDriver(capabilities=able).price("NVDA", "100")
    order = entry_of(desk, protect=protect)
    desk.now = CLOSE
    desk.filled(order, 10, "98")
    for _ in range(3):
        desk.tick(20)
    alarms = [a for a in desk.of(ev.Alarmed) if a.code == "EOD_MISSED"]
    assert [(a.severity, a.subject) for a in alarms] == [(Severity.CRITICAL, "NVDA")]
    assert {e.decision.reason for e in desk.of(ev.ExitPlanned)} == {ExitReason.EOD}
    assert not desk.intended(Purpose.EXIT)
    if protect is not None:
        desk.accept(desk.last(Purpose.PROTECT))
    desk.now = OPEN
    desk.tick(0)
    if protect is not None and not able.reduce_only:
        desk.report(desk.last(Purpose.PROTECT), S.CANCELED)
    assert [o.quantity for o in desk.intended(Purpose.EXIT)] == [10]


def left_over(able: Capabilities, *, side: Side = Side.BUY, protect: Decimal | None) -> CoreDriver:
    """A day trade is held, and nothing ran from before the last minutes on."""
    desk = CoreDriver(capabilities=able).price("NVDA", "100")
    fields: dict[str, Any] = {"hold": TradeType.DAY, "protect": protect}
    desk.place(side, 10, **fields)
    entry = desk.last(Purpose.MANUAL)
    desk.accept(entry)
    desk.filled(entry, 10, "100")
    if protect is not None:
        desk.accept(desk.last(Purpose.PROTECT))
    return desk


@VENUES
@pytest.mark.parametrize(("side", "stop"), [(Side.BUY, 90), (Side.SELL_SHORT, 110)])
@pytest.mark.parametrize("protected", [True, False])
def test_x83_a_day_trade_that_is_left_after_the_close_is_told_once_and_waits_for_the_open(
    able: Capabilities, side: Side, stop: int, protected: bool
) -> None:
    desk = left_over(able, side=side, protect=D(stop) if protected else None)
    held = 10 if side is Side.BUY else -10
    orders = (desk.works(desk.last(Purpose.PROTECT)),) if protected else ()
    desk.now = EVENING
    desk.restart(positions={"NVDA": held}, orders=orders)
    for _ in range(3):
        desk.tick(20)
    alarms = [a for a in desk.of(ev.Alarmed) if a.code == "EOD_MISSED"]
    assert [(a.severity, a.subject) for a in alarms] == [(Severity.CRITICAL, "NVDA")]
    assert [e.decision.reason for e in desk.of(ev.ExitPlanned)] == [ExitReason.EOD]
    assert not closes(desk)
    if protected:
        assert stop_status(desk) is S.NEW
    desk.now = OPEN
    desk.tick(0)
    if protected and not able.reduce_only:
        desk.report(desk.last(Purpose.PROTECT), S.CANCELED)
    assert [o.quantity for o in closes(desk)] == [10]
    assert len([a for a in desk.of(ev.Alarmed) if a.code == "EOD_MISSED"]) == 1


def test_x83_a_swing_is_not_missed_at_the_close() -> None:
    desk = swing(ABLE)
    desk.tick(60)
    assert not [a for a in desk.of(ev.Alarmed) if a.code == "EOD_MISSED"]
    assert not desk.of(ev.ExitPlanned)
