"""A kill and an account that a process was not given: it is worked when it comes back (rule 5).

An account may be taken out of the configuration while a kill works there, or before it is set. A
resume meanwhile says what was left.
"""

from decimal import Decimal

import pytest

from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.account import Account, VenuePosition, VenueSnapshot
from engine.domain.inputs import LatchFound, SnapshotTaken, Start
from engine.domain.order import Fill, OrderStatus, OrderTerms, Purpose, Side, TimeInForce
from engine.domain.order import OrderType as Type
from engine.domain.run import Flatten, Halt, Level, LinkState, Trigger
from engine.domain.signal import TradeType
from engine.ports import LinkReport
from engine.state.account import KillWork
from tests.engine.driver import CoreDriver, one
from tests.engine.worlds import ACCOUNT, BROKER

D = Decimal
OTHER = "other"


def begin(desk: CoreDriver, *names: str) -> None:
    """Another process, given these accounts."""
    desk.later(1)
    accounts = {name: f"{ACCOUNT}-{name}" for name in names}
    desk.give(Start(version="test", accounts=accounts, config_digest=""))
    for name in names:
        desk.give(LinkReport(account=name, state=LinkState.CONNECTED, detail="", time=desk.now))
        look(desk, name)
    desk.quote("NVDA", "100")
    desk.tick()


def look(desk: CoreDriver, name: str, reason: str = "start") -> list[ev.Event]:
    """The venue of an account shows what is known of it."""
    account = desk.book.account(name)
    money = account.cash.get("USD", D(100_000))
    balances = Account(
        account_id=f"{ACCOUNT}-{name}", cash=money, equity=money, buying_power=money, as_of=desk.now
    )
    held = tuple(
        VenuePosition(symbol=p.symbol, quantity=p.quantity, average_price=D(100))
        for p in account.positions.values()
    )
    orders = tuple(
        desk.works(order.terms)
        for order in account.orders.values()
        if order.status is not OrderStatus.CREATED
    )
    snapshot = VenueSnapshot(
        account=name,
        balances=balances,
        positions=held,
        orders=orders,
        fills=(),
        requested_at=desk.now,
        as_of=desk.now,
    )
    return desk.give(SnapshotTaken(snapshot, reason, False))


def both(*, hold: TradeType = TradeType.DAY, limit: bool = True) -> CoreDriver:
    """Ten NVDA are held in the other account, and a buy of one rests there."""
    desk = CoreDriver(others=(OTHER,)).price("NVDA", "100")
    begin(desk, BROKER, OTHER)
    for key, quantity in (("there", 10), ("rests", 1)) if limit else (("there", 10),):
        order = OrderTerms(
            client_order_id=key,
            intent_id=f"i-{key}",
            account=OTHER,
            symbol="NVDA",
            side=Side.BUY,
            type=Type.MARKET if key == "there" else Type.LIMIT,
            limit_price=None if key == "there" else D(90),
            quantity=D(quantity),
            time_in_force=TimeInForce.GTC,
            purpose=Purpose.MANUAL,
            reserved=D(100),
            trade_type=hold,
        )
        desk.event(ev.OrderIntended(terms=order))
        desk.event(ev.OrderAccepted(account=OTHER, client_order_id=key, venue_order_id=f"v-{key}"))
    fill = Fill(
        execution_id="x1",
        client_order_id="there",
        account=OTHER,
        symbol="NVDA",
        side=Side.BUY,
        quantity=D(10),
        price=D(100),
        time=desk.now,
    )
    desk.event(
        ev.OrderFilled(
            account=OTHER,
            fill=fill,
            position_id="pthere",
            multiplier=D(1),
            cumulative=D(10),
            average_price=D(100),
        )
    )
    return desk


def kill(desk: CoreDriver, flatten: Flatten = Flatten.DAY) -> list[ev.Event]:
    return desk.give(ask.Kill(by="ann", flatten=flatten, reason="drill"))


def work(desk: CoreDriver) -> KillWork | None:
    return desk.book.account(OTHER).kill


def cancelled(desk: CoreDriver) -> list[str]:
    return [e.client_order_id for e in desk.of(ev.CancelRequested) if e.account == OTHER]


def closing(desk: CoreDriver) -> list[str]:
    return [e.account for e in desk.of(ev.ExitPlanned)]


def resume(desk: CoreDriver) -> list[ev.Event]:
    look(desk, BROKER, "operator")
    return desk.give(ask.Resume(by="ann", confirm="RESUME"))


# --- it comes back while the halt stands ----------------------------------------------------------


def test_rule5_a_kill_set_while_an_account_is_left_out_is_worked_when_it_comes_back() -> None:
    desk = both()
    begin(desk, BROKER)
    kill(desk)
    assert (cancelled(desk), closing(desk)) == ([], [])
    begin(desk, BROKER, OTHER)
    assert cancelled(desk) == ["rests"]
    found = work(desk)
    assert found is not None
    assert found.state == "WORKING"
    look(desk, OTHER, "kill")
    assert closing(desk) == [OTHER]


def test_rule5_one_that_was_under_way_when_it_was_taken_out_goes_on() -> None:
    desk = both()
    kill(desk)
    before = work(desk)
    begin(desk, BROKER)
    begin(desk, BROKER, OTHER)
    assert before is not None
    found = work(desk)
    assert found is not None
    assert (found.epoch, found.started_at) == (before.epoch, before.started_at)
    look(desk, OTHER, "kill")
    assert closing(desk) == [OTHER]


def test_rule5_one_that_was_raised_meanwhile_has_its_work_anew() -> None:
    desk = both(hold=TradeType.SWING, limit=False)
    kill(desk, Flatten.DAY)
    first = work(desk)
    assert first is not None
    desk.event(
        ev.KillProved(
            epoch=first.epoch,
            account=OTHER,
            state="VERIFIED",
            cancelled=0,
            closed=0,
            left=(),
            unknown=(),
        )
    )
    begin(desk, BROKER)
    kill(desk, Flatten.ALL)
    begin(desk, BROKER, OTHER)
    found = work(desk)
    assert found is not None
    assert (found.epoch, found.state) == (first.epoch + 1, "WORKING")
    look(desk, OTHER, "kill")
    assert closing(desk) == [OTHER]


def test_one_that_was_proved_there_is_not_begun_again() -> None:
    desk = both(hold=TradeType.SWING, limit=False)
    kill(desk)
    first = work(desk)
    assert first is not None
    proved = ev.KillProved(
        epoch=first.epoch,
        account=OTHER,
        state="VERIFIED",
        cancelled=0,
        closed=0,
        left=(),
        unknown=(),
    )
    desk.event(proved)
    begin(desk, BROKER)
    begin(desk, BROKER, OTHER)
    found = work(desk)
    assert found is not None
    assert (found.epoch, found.state) == (first.epoch, "VERIFIED")


def test_x52_a_halt_set_meanwhile_cancels_there_and_closes_nothing() -> None:
    desk = both()
    begin(desk, BROKER)
    desk.give(ask.Kill(by="ann", level=Level.HALT, reason="drill"))
    begin(desk, BROKER, OTHER)
    assert cancelled(desk) == ["rests"]
    look(desk, OTHER, "kill")
    assert (work(desk), closing(desk)) == (None, [])


def test_rule5_so_is_a_latch_that_the_start_itself_finds() -> None:
    desk = both()
    begin(desk, BROKER)
    halt = Halt(
        reason="drill",
        at=desk.now,
        by="ann",
        level=Level.KILL,
        trigger=Trigger.MANUAL,
        flatten=Flatten.DAY,
        epoch=1,
    )
    desk.give(LatchFound(halt))
    begin(desk, BROKER, OTHER)
    assert cancelled(desk) == ["rests"]


def test_rule5_an_account_that_is_new_while_a_kill_stands_is_worked_too() -> None:
    """What its venue holds is closed, and the kill is proved there as anywhere."""
    desk = CoreDriver(others=(OTHER,))
    kill(desk, Flatten.ALL)
    assert work(desk) is None
    begin(desk, BROKER, OTHER)
    found = work(desk)
    assert found is not None
    assert (found.epoch, found.state) == (desk.book.data.epoch, "WORKING")
    for _ in range(3):
        desk.later(1)
        look(desk, OTHER, "kill")
    assert [p.account for p in desk.of(ev.KillProved)] == [OTHER]


def test_x52_a_new_one_has_no_kill_to_be_worked_under_a_halt() -> None:
    desk = CoreDriver(others=(OTHER,))
    desk.give(ask.Kill(by="ann", level=Level.HALT, reason="drill"))
    begin(desk, BROKER, OTHER)
    assert work(desk) is None


# --- it is cleared meanwhile ----------------------------------------------------------------------


@pytest.mark.parametrize("when", ["before", "after"])
def test_rule5_a_resume_names_what_a_kill_has_left_in_an_account_that_is_not_open(
    when: str,
) -> None:
    desk = both(limit=when == "after")
    if when == "before":
        kill(desk)
    begin(desk, BROKER)
    if when == "after":
        kill(desk)
    events = resume(desk)
    one(events, ev.HaltCleared)
    told = one(events, ev.Alarmed)
    assert (told.code, told.subject) == ("KILL_UNFINISHED", OTHER)
    names = "2 left, 0 unknown: NVDA 10, rests" if when == "after" else "1 left, 0 unknown: NVDA 10"
    assert told.text.endswith(f"which is not open here: {names}")


def test_x69_an_order_in_doubt_there_keeps_it_from_being_cleared_and_says_where() -> None:
    """Its cancel had left when the account was taken out: nobody knows what became of it."""
    desk = both()
    kill(desk)
    begin(desk, BROKER)
    refused = one(resume(desk), ev.CommandRefused)
    assert refused.reason == (
        "1 orders are UNKNOWN; other, where some of them work, is not open here"
    )


@pytest.mark.parametrize(
    ("flatten", "named"), [(Flatten.NONE, False), (Flatten.DAY, False), (Flatten.ALL, True)]
)
def test_a_resume_names_only_what_the_kill_was_to_end(flatten: Flatten, named: bool) -> None:
    desk = both(hold=TradeType.SWING, limit=False)
    begin(desk, BROKER)
    kill(desk, flatten)
    events = resume(desk)
    one(events, ev.HaltCleared)
    assert [e.code for e in events if isinstance(e, ev.Alarmed)] == ["KILL_UNFINISHED"] * named


def test_once_it_is_cleared_nothing_is_closed_when_the_account_comes_back() -> None:
    desk = both()
    begin(desk, BROKER)
    kill(desk)
    resume(desk)
    begin(desk, BROKER, OTHER)
    look(desk, OTHER, "start")
    assert (work(desk), cancelled(desk), closing(desk)) == (None, [], [])
