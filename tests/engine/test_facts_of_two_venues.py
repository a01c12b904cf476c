"""Each venue's facts of a symbol count in its own account (U-10).

A holding is keyed by account and instrument; tick, lot and smallest amount belong to the venue.
"""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from engine.domain import events as ev
from engine.domain.account import Account, VenueSnapshot
from engine.domain.inputs import InstrumentTold, LookReason, Ready, SnapshotTaken, Start
from engine.domain.instrument import Instrument, default_instrument
from engine.domain.order import OrderType, Purpose, Side
from engine.domain.run import LinkState
from engine.plans.reducing import stop_order
from engine.state.book import Book
from tests.engine.driver import CoreDriver
from tests.engine.worlds import AXION, BROKER, config_of

D = Decimal
NEAR, FAR = BROKER, "far"
CASH = D(100_000)


def stated(**facts: Any) -> Instrument:
    """NVDA as a venue states it."""
    known = msgspec.structs.replace(default_instrument("NVDA"), tick_stated=True, source="venue")
    return msgspec.structs.replace(known, **facts)


def tell(desk: CoreDriver, account: str, **facts: Any) -> list[ev.Event]:
    return desk.give(InstrumentTold(account, "NVDA", stated(**facts)))


def desk_of_two() -> CoreDriver:
    """Two accounts that are connected, looked at and compared; neither venue has stated a thing."""
    config = config_of(brokers={FAR: {"kind": "paper"}}, **AXION)
    desk = CoreDriver(config, running=False, others=(FAR,))
    desk.give(Start(version="test", accounts={NEAR: "1", FAR: "2"}, config_digest=""))
    for name in (NEAR, FAR):
        desk.event(ev.LinkChanged(account=name, state=LinkState.CONNECTED, detail=""))
        money = Account(account_id=name, currency="USD", cash=CASH, equity=CASH, buying_power=CASH,
                        as_of=desk.now)  # fmt: skip
        seen = VenueSnapshot(account=name, balances=money, positions=(), orders=(), fills=(),
                             requested_at=desk.now, as_of=desk.now)  # fmt: skip
        desk.give(SnapshotTaken(seen, LookReason.START, False))
    desk.give(Ready())
    return desk.price("NVDA", "100")


def two() -> CoreDriver:
    """Lots of 5 here and of 7 there, ticks of 0.05 and of 0.01."""
    desk = desk_of_two()
    tell(desk, NEAR, lot=D(5), tick=D("0.05"))
    tell(desk, FAR, lot=D(7), tick=D("0.01"))
    return desk


def facts(desk: CoreDriver) -> list[tuple[Decimal, Decimal]]:
    known = [desk.world.instrument("NVDA", account) for account in (NEAR, FAR)]
    return [(one.lot, one.tick) for one in known]


def alarms(desk: CoreDriver) -> list[str]:
    return [alarm.code for alarm in desk.of(ev.Alarmed) if alarm.code.startswith("INSTRUMENT")]


def test_two_venues_that_state_different_facts_keep_their_own() -> None:
    desk = two()
    assert facts(desk) == [(D(5), D("0.05")), (D(7), D("0.01"))]
    assert alarms(desk) == []


@pytest.mark.parametrize("again", [NEAR, FAR])
def test_neither_takes_turns_in_overwriting_the_other(again: str) -> None:
    """Each is told again with every connection."""
    desk = two()
    for _ in range(3):
        mine = {"lot": D(5), "tick": D("0.05")} if again == NEAR else {"lot": D(7)}
        assert tell(desk, again, **mine | ({} if again == NEAR else {"tick": D("0.01")})) == []
    assert facts(desk) == [(D(5), D("0.05")), (D(7), D("0.01"))]


@pytest.mark.parametrize(
    ("account", "quantity", "code"),
    [(NEAR, 5, ""), (NEAR, 7, "BAD_LOT"), (FAR, 7, ""), (FAR, 5, "BAD_LOT")],
)
def test_the_gate_goes_by_the_lot_of_the_account(account: str, quantity: int, code: str) -> None:
    desk = two()
    seen = desk.place(Side.BUY, quantity, protect=D(95), broker=account)
    refused = [event.code for event in seen if isinstance(event, ev.OrderRefused)]
    assert refused == ([code] if code else [])


@pytest.mark.parametrize(("account", "quantity", "code"), [(NEAR, 5, "BAD_TICK"), (FAR, 7, "")])
def test_the_gate_goes_by_the_tick_of_the_account(account: str, quantity: int, code: str) -> None:
    desk = two()
    asked: dict[str, Any] = {"type": OrderType.LIMIT, "limit_price": D("99.01"), "protect": D(95)}
    seen = desk.place(Side.BUY, quantity, broker=account, **asked)
    refused = [event.code for event in seen if isinstance(event, ev.OrderRefused)]
    assert refused == ([code] if code else [])


def test_a_stop_lies_on_the_grid_of_its_account() -> None:
    """Rounded to where it protects sooner."""
    desk = two()
    desk.place(Side.BUY, 5, protect=D(95), broker=NEAR)
    entry = desk.last(Purpose.MANUAL)
    desk.accept(entry)
    desk.filled(entry, 5, "100")
    assert stop_order(desk.world, desk.held(), D("95.03"), D(5), desk.now).stop_price == D("95.05")


def test_what_one_venue_changes_changes_nothing_in_the_other() -> None:
    desk = two()
    tell(desk, FAR, lot=D(3), tick=D("0.01"))
    assert facts(desk) == [(D(5), D("0.05")), (D(3), D("0.01"))]
    assert alarms(desk) == ["INSTRUMENT_CHANGED"]


def test_what_is_held_in_one_keeps_its_facts_there_and_not_in_the_other() -> None:
    desk = two()
    desk.place(Side.BUY, 5, protect=D(95), broker=NEAR)
    entry = desk.last(Purpose.MANUAL)
    desk.accept(entry)
    desk.filled(entry, 5, "100")
    tell(desk, NEAR, lot=D(1), tick=D("0.05"))
    tell(desk, FAR, lot=D(3), tick=D("0.01"))
    assert facts(desk) == [(D(5), D("0.05")), (D(3), D("0.01"))]
    assert len(alarms(desk)) == 2


@pytest.mark.parametrize("facts_there", [{"multiplier": D(100)}, {"currency": "EUR"}])
def test_one_that_counts_the_symbol_in_another_way_opens_nothing_in_its_account(
    facts_there: dict[str, Any],
) -> None:
    """What is held is added up over accounts: a unit has one worth."""
    desk = desk_of_two()
    tell(desk, NEAR)
    tell(desk, FAR, **facts_there)
    seen = desk.place(Side.BUY, 1, protect=D(95), broker=FAR)
    (refused,) = [event for event in seen if isinstance(event, ev.OrderRefused)]
    assert refused.code == "NO_CONTRACT"
    assert "paper" in refused.reason
    assert not [
        event
        for event in desk.place(Side.BUY, 1, protect=D(95), broker=NEAR)
        if isinstance(event, ev.OrderRefused)
    ]


def test_one_that_does_not_trade_it_keeps_it_from_nobody_else() -> None:
    desk = desk_of_two()
    tell(desk, NEAR)
    desk.give(InstrumentTold(FAR, "NVDA", None, "far does not trade NVDA"))
    refused = desk.place(Side.BUY, 1, protect=D(95), broker=FAR)
    assert [e.code for e in refused if isinstance(e, ev.OrderRefused)] == ["NO_CONTRACT"]
    taken = desk.place(Side.BUY, 1, protect=D(95), broker=NEAR)
    assert not [e for e in taken if isinstance(e, ev.OrderRefused)]


def test_they_stand_after_a_restart() -> None:
    desk = two()
    again = Book.restore(desk.book.snapshot())
    stands = [again.data.accounts[account].instruments["NVDA"].lot for account in (NEAR, FAR)]
    assert stands == [D(5), D(7)]


def test_for_no_account_in_particular_the_first_that_were_stated_count() -> None:
    desk = two()
    assert desk.world.instrument("NVDA").lot == 5  # what counts for no account in particular
