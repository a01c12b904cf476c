"""Rule 1 across processes: what one sent in its last moment is never sent twice by the next."""

import asyncio
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from engine.core.driver import Step
from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.account import VenueOrder
from engine.domain.inputs import GateClosed, Input, QueryAnswered, Ready, Start
from engine.domain.instant import NS_PER_SECOND, Nanos
from engine.domain.order import Fill, OrderStatus, OrderTerms, OrderType, Purpose, Side
from engine.domain.run import Flatten, Level
from engine.plans.protect import PROTECT_SECONDS
from engine.ports import Capabilities
from engine.runtime.account_link import AccountLink
from engine.runtime.clock import SteadyTime, VirtualClock
from engine.runtime.outside import Outside
from engine.runtime.send_gate import SendGate
from engine.runtime.virtual_time import run_virtual
from tests.engine.driver import CoreDriver, protected
from tests.engine.worlds import ABLE, BROKER, signal

D = Decimal
S = OrderStatus

FORGETS = msgspec.structs.replace(
    ABLE, deduplicates=False, timeout_seconds=3, late_arrival_seconds=2
)
"""A venue that tells ids apart only among its open orders."""
BOUND = 5
"""Its longest time-out, and how long after that a request may still arrive, in seconds."""


class Asked:
    """A venue that knows no order, and keeps when it was asked."""

    def __init__(self, able: Capabilities, clock: VirtualClock) -> None:
        self.name = BROKER
        self.capabilities = able
        self._clock = clock
        self.at: list[Nanos] = []

    async def connect(self) -> None:
        """It can be reached."""

    async def get_order(self, client_order_id: str) -> VenueOrder | None:
        """Nothing is known of any."""
        self.at.append(self._clock.now())
        return None

    async def get_fills_since(self, since: Nanos) -> tuple[Fill, ...]:
        """Nothing was filled."""
        return ()


def waited(able: Capabilities, order: OrderTerms, began: float) -> float:
    """How long after a start an order that may have been sent before is found to be new, in
    seconds; the question comes up `began` seconds after the start."""
    seen: list[float] = []

    async def live(clock: VirtualClock) -> None:
        desk = CoreDriver(capabilities=able)
        desk.book.data.started_at = clock.now()
        venue: Any = Asked(able, clock)
        link = AccountLink(
            venue,
            desk.book,
            gate=SendGate(),
            clock=clock,
            time=SteadyTime(clock),
            step=_nothing,
            spawn=lambda work: work.close(),
            outside=Outside(str),
            resiliency=desk.world.config.resiliency,
        )
        assert await link.open() is None
        await asyncio.sleep(began)
        assert await link.is_new(order)
        seen.append((venue.at[0] - desk.book.data.started_at) / NS_PER_SECOND)

    run_virtual(live, CoreDriver().now, 60)
    return seen[0]


def _nothing(given: Input) -> Step:
    return Step([], [])


def reducing(purpose: Purpose) -> OrderTerms:
    desk = protected(40)
    stop = desk.last(Purpose.PROTECT)
    if purpose is Purpose.PROTECT:
        return stop
    return msgspec.structs.replace(stop, purpose=purpose, type=OrderType.MARKET, stop_price=None)


KINDS = pytest.mark.parametrize("purpose", [Purpose.PROTECT, Purpose.EXIT])


@KINDS
@pytest.mark.parametrize("joins", [True, False], ids=["joins", "joins nothing"])
@pytest.mark.parametrize(("began", "asked"), [(0, BOUND), (4, BOUND), (5, BOUND), (6, 6)])
def test_rule1_one_id_is_not_sent_again_while_the_first_may_still_arrive(
    purpose: Purpose, joins: bool, began: float, asked: float
) -> None:
    able = msgspec.structs.replace(FORGETS, reduce_only=joins)
    assert waited(able, reducing(purpose), began) == asked


@KINDS
def test_a_venue_that_never_takes_an_id_twice_is_asked_at_once(purpose: Purpose) -> None:
    able = msgspec.structs.replace(FORGETS, deduplicates=True)
    assert waited(able, reducing(purpose), 0) == 0


def another_process(able: Capabilities) -> tuple[CoreDriver, OrderTerms]:
    """A holding that the venue knows no stop of; the stop that is decided may be in flight."""
    desk = CoreDriver(capabilities=able).price("NVDA", "100").later(10)
    desk.fill(desk.order("NVDA", 40, "100", stop="95"), None, "100")
    desk.give(Start(version="test", accounts={BROKER: "test-account"}, config_digest=""))
    desk.snapshot(positions={"NVDA": 40}, reason="start")
    desk.tick(0)
    stop = desk.last(Purpose.PROTECT)
    assert stop.check_first
    return desk, stop


def test_rule3_what_this_process_has_opened_is_protected_at_once() -> None:
    """Nobody can have sent its stop before: to wait would leave it bare for as long."""
    desk = CoreDriver(capabilities=FORGETS).price("NVDA", "100")
    desk.give(Start(version="test", accounts={BROKER: "test-account"}, config_digest=""))
    desk.snapshot(reason="start")
    desk.give(Ready())
    desk.later(1)
    desk.quote("NVDA", "100")
    desk.signal(signal("NVDA", entry="100", stop="95", at=desk.now))
    entry = desk.last(Purpose.ENTRY)
    desk.accept(entry)
    desk.filled(entry, entry.quantity, "100")
    stop = desk.last(Purpose.PROTECT)
    assert not stop.check_first


def test_rule1_what_an_earlier_process_opened_stays_so_when_its_order_is_replaced_here() -> None:
    """The close that it may have sent in its last moment has the id that one of now would have."""
    able = msgspec.structs.replace(FORGETS, native_modify=False)
    desk = CoreDriver(capabilities=able).price("NVDA", "100").later(10)
    desk.place(Side.BUY, 10, type=OrderType.LIMIT, limit_price=D(99), protect=D(90))
    (order,) = desk.intended(Purpose.MANUAL)
    desk.accept(order)
    desk.filled(order, 4, "99")
    stop = desk.last(Purpose.PROTECT)
    desk.accept(stop)
    desk.give(Start(version="test", accounts={BROKER: "test-account"}, config_digest=""))
    listed = (desk.works(order), desk.works(stop))
    desk.snapshot(positions={"NVDA": 4}, orders=listed, reason="start")
    desk.give(Ready())
    desk.later(1)
    desk.quote("NVDA", "100")
    desk.give(ask.ModifyOrder(by="t", client_order_id=order.client_order_id, limit_price=D("98.5")))
    desk.report(order, S.CANCELED, filled=D(4))
    desk.quote("NVDA", "100")
    desk.tick()
    after = desk.intended(Purpose.MANUAL)[-1]
    assert after.client_order_id != order.client_order_id
    desk.accept(after)
    desk.filled(after, 1, "98.5")
    desk.give(ask.ClosePosition(by="t", symbol="NVDA"))
    assert desk.last(Purpose.EXIT).check_first


def tick(desk: CoreDriver, seconds: int) -> None:
    for _ in range(seconds):
        desk.quote("NVDA", "100")
        desk.tick()


def test_a_stop_that_has_to_wait_is_told_and_has_its_own_time_once_it_may_be_sent() -> None:
    desk, stop = another_process(FORGETS)
    tick(desk, PROTECT_SECONDS + 1)
    assert [alarm.code for alarm in desk.of(ev.Alarmed)].count("UNPROTECTED") == 1
    assert not desk.of(ev.ExitPlanned)
    assert desk.current(stop).leaves == 40


def test_rule1_what_may_have_been_sent_before_counts_as_lost_only_after_the_bound() -> None:
    desk, stop = another_process(msgspec.structs.replace(FORGETS, timeout_seconds=20))
    key = stop.client_order_id
    desk.later(6)
    desk.give(QueryAnswered("paper", key, None, (), desk.now))
    assert desk.current(stop).status is S.UNKNOWN
    desk.later(20 + 2 - 6)
    desk.give(QueryAnswered("paper", key, None, (), desk.now))
    assert desk.current(stop).status is S.UNKNOWN
    desk.later(0.001)
    desk.give(QueryAnswered("paper", key, None, (), desk.now))
    assert desk.current(stop).status is S.REJECTED
    assert desk.last(Purpose.PROTECT).client_order_id != key, "another attempt has another id"


# --- a stop of the process before, and the close of this one (X-88) -------------------------------

JOINS_NOTHING = msgspec.structs.replace(FORGETS, reduce_only=False, deduplicates=True)
"""Each order fills beside the others, and an id is refused once it was used."""


def closed_by_hand(desk: CoreDriver) -> None:
    desk.give(ask.ClosePosition(by="me", symbol="NVDA"))


def unknown_there(desk: CoreDriver, order: OrderTerms) -> None:
    """The venue is asked about it and knows no such order."""
    desk.give(
        QueryAnswered(
            account=BROKER,
            client_order_id=order.client_order_id,
            order=None,
            fills=(),
            asked_at=desk.now,
        )
    )


def closes(desk: CoreDriver) -> list[OrderTerms]:
    return desk.intended(Purpose.EXIT)


def test_x88_a_stop_that_is_withdrawn_may_have_been_sent_before_and_is_waited_for() -> None:
    """It was decided again and not sent. That says nothing of the one that may be on its way."""
    desk, stop = another_process(JOINS_NOTHING)
    closed_by_hand(desk)
    assert desk.current(stop).cancel_wanted
    desk.give(GateClosed(BROKER, stop.client_order_id, halted=False))
    assert desk.current(stop).is_working
    assert not closes(desk)
    for _ in range(2 * BOUND + 2):
        desk.tick()
        unknown_there(desk, stop)
    assert not desk.current(stop).is_working
    assert [order.quantity for order in closes(desk)] == [40]


def test_x88_one_that_arrives_meanwhile_is_cancelled_before_the_close_is_sent() -> None:
    desk, stop = another_process(JOINS_NOTHING)
    closed_by_hand(desk)
    desk.give(GateClosed(BROKER, stop.client_order_id, halted=False))
    desk.later(1)
    seen = desk.report(stop, S.NEW)
    asked = [e.client_order_id for e in seen if isinstance(e, ev.CancelRequested)]
    assert asked == [stop.client_order_id]
    assert not closes(desk)
    desk.report(stop, S.CANCELED, filled=D(0))
    assert [order.quantity for order in closes(desk)] == [40]


def test_x88_one_that_fills_meanwhile_is_the_close() -> None:
    desk, stop = another_process(JOINS_NOTHING)
    closed_by_hand(desk)
    desk.give(GateClosed(BROKER, stop.client_order_id, halted=False))
    desk.later(1)
    desk.report(stop, S.FILLED, fill=desk.execution(stop, 40, "95"), filled=D(40))
    desk.tick()
    assert not closes(desk)
    assert not desk.book.held("NVDA")


def close_first(kills: bool) -> CoreDriver:
    """A process that has not asked about the stop of the one before, and is to close."""
    desk = CoreDriver(capabilities=JOINS_NOTHING).price("NVDA", "100").later(10)
    desk.fill(desk.order("NVDA", 40, "100", stop="95"), None, "100")
    desk.give(Start(version="test", accounts={BROKER: "test-account"}, config_digest=""))
    if kills:
        desk.give(ask.Kill(by="me", level=Level.KILL, flatten=Flatten.ALL))
    else:
        closed_by_hand(desk)
    desk.snapshot(positions={"NVDA": 40}, reason="kill" if kills else "start")
    desk.tick(0)
    assert not closing(desk)
    return desk


def closing(desk: CoreDriver) -> list[OrderTerms]:
    return [o.terms for o in desk.of(ev.OrderIntended) if o.terms.closes]


@pytest.mark.parametrize("kills", [False, True])
def test_x88_a_close_that_is_decided_first_asks_for_the_stop_of_the_process_before(
    kills: bool,
) -> None:
    desk = close_first(kills)
    stop = desk.of(ev.OrderAdopted)[-1].terms
    assert (stop.type, stop.quantity, stop.purpose) == (OrderType.STOP, 40, Purpose.PROTECT)
    assert [e.client_order_id for e in desk.of(ev.OrderQueried)] == [stop.client_order_id]
    for _ in range(2 * BOUND + 2):
        desk.tick()
        unknown_there(desk, stop)
    assert [order.quantity for order in closing(desk)] == [40]


@pytest.mark.parametrize(
    ("able", "seconds"), [(ABLE, 0), (JOINS_NOTHING, BOUND + 1)], ids=["joined", "too late"]
)
def test_x88_where_none_can_fill_beside_it_a_close_waits_for_nothing(
    able: Capabilities, seconds: int
) -> None:
    desk = CoreDriver(capabilities=able).price("NVDA", "100").later(10)
    desk.fill(desk.order("NVDA", 40, "100", stop="95"), None, "100")
    desk.give(Start(version="test", accounts={BROKER: "test-account"}, config_digest=""))
    desk.later(seconds)
    closed_by_hand(desk)
    desk.snapshot(positions={"NVDA": 40}, reason="start")
    desk.tick(0)
    assert [order.quantity for order in closes(desk)] == [40]


PROVED = (JOINS_NOTHING.arrival + JOINS_NOTHING.lag) // NS_PER_SECOND


@pytest.mark.parametrize("kills", [False, True])
def test_rule3_a_look_without_the_stop_lets_the_close_go_once_it_cannot_arrive(
    kills: bool,
) -> None:
    desk = close_first(kills)
    reason = "kill" if kills else "scheduled"
    desk.later(PROVED).snapshot(positions={"NVDA": 40}, reason=reason)
    desk.tick(0)
    assert not closing(desk)
    desk.later(1).snapshot(positions={"NVDA": 40}, reason=reason)
    desk.tick(0)
    assert [order.quantity for order in closing(desk)] == [40]


def test_rule1_a_look_that_misses_some_of_what_is_held_proves_nothing_of_the_stop() -> None:
    desk = close_first(kills=False)
    desk.later(PROVED + 1).snapshot(positions={"NVDA": 39})
    desk.tick(0)
    assert not closing(desk)


def replaced_there() -> tuple[CoreDriver, OrderTerms]:
    """A stop that this process knows of an earlier one, and whose close is asked for."""
    desk = protected(40, capabilities=JOINS_NOTHING)
    stop = desk.last(Purpose.PROTECT)
    desk.later(10)
    desk.give(Start(version="test", accounts={BROKER: "test-account"}, config_digest=""))
    closed_by_hand(desk)
    return desk, stop


def test_x88_where_our_stop_rests_no_other_was_sent_before() -> None:
    desk, stop = replaced_there()
    desk.snapshot(positions={"NVDA": 40}, orders=(desk.works(stop),), reason="start")
    desk.tick(0)
    desk.report(stop, S.CANCELED, filled=D(0))
    desk.tick(0)
    assert not desk.of(ev.OrderAdopted)
    assert [order.quantity for order in closes(desk)] == [40]


def test_x88_where_it_had_ended_there_before_another_may_have_been_sent() -> None:
    desk, stop = replaced_there()
    desk.snapshot(positions={"NVDA": 40}, reason="start")
    desk.tick(0)
    assert stop.client_order_id in {e.client_order_id for e in desk.of(ev.OrderQueried)}
    ended = msgspec.structs.replace(desk.works(stop), status=S.CANCELED)
    desk.give(QueryAnswered(BROKER, stop.client_order_id, ended, (), desk.now))
    desk.tick(0)
    assert not closes(desk)
    other = desk.of(ev.OrderAdopted)[-1].terms
    assert other.client_order_id != stop.client_order_id
