"""An intent of two legs: one outcome, made of both, and through a crash at any step (U-30)."""

from collections.abc import Iterator
from decimal import Decimal

import msgspec
import pytest

from engine.core.follow import followed
from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.codes import Outcome, Stage, Verdict
from engine.domain.instant import Nanos
from engine.domain.order import OrderStatus, OrderTerms, OrderType, Purpose, Side, TimeInForce
from engine.domain.run import Flatten
from engine.plans import legs, table
from engine.plans.table import PLANS, Plan
from engine.state.book import Book
from engine.state.fold import apply
from engine.state.waiting import intents_at
from engine.world import World
from tests.engine.driver import CoreDriver, one
from tests.engine.worlds import ABLE, AXION, BROKER, config_of

D = Decimal
S = OrderStatus


def terms(symbol: str, quantity: int, price: str) -> OrderTerms:
    return OrderTerms(
        client_order_id=f"leg-{symbol}",
        intent_id="i1",
        signal_id="s1",
        account=BROKER,
        symbol=symbol,
        side=Side.BUY,
        type=OrderType.LIMIT,
        quantity=D(quantity),
        limit_price=D(price),
        time_in_force=TimeInForce.DAY,
        purpose=Purpose.ENTRY,
        reserved=D(price),
    )


LEGS = (terms("NVDA", 10, "100"), terms("AMD", 20, "50"))


def opened(desk: CoreDriver, plan: str = "entry", *, signal_id: str = "s1") -> list[ev.Event]:
    """A front end asks for both legs in one intent; `signal_id` is "" where a person does."""
    wanted = tuple(msgspec.structs.replace(leg, signal_id=signal_id) for leg in LEGS)
    facts: list[ev.Event] = [
        ev.SignalDecided(
            signal_id="s1",
            symbol="NVDA",
            verdict=Verdict.ACCEPTED,
            stage=Stage.ORDER,
            code="",
            measured="",
            limit="",
            reason="",
            checks=(),
            client_order_ids=tuple(leg.client_order_id for leg in LEGS),
            quantity=D(10),
            content="",
        ),
        ev.IntentOpened(intent_id="i1", plan=plan, signal_id=signal_id, legs=wanted),
    ]
    if not signal_id:
        del facts[0]
    seen: list[ev.Event] = []
    for event in followed(desk.world, (e for e in facts), desk.now):
        apply(desk.book, ev.Record(desk.book.data.seq + 1, desk.now, event))
        seen.append(event)
    desk.seen += seen
    return seen


def desk_of(**able: object) -> CoreDriver:
    desk = CoreDriver(capabilities=msgspec.structs.replace(ABLE, **able))
    desk.quote("NVDA", "101")
    desk.quote("AMD", "51")
    return desk


def outcome(desk: CoreDriver) -> tuple[Outcome, str]:
    found = desk.of(ev.SignalEnded)[-1]
    return found.outcome, found.reason


def test_both_legs_are_sent_and_the_signal_is_executed_once() -> None:
    desk = desk_of()
    opened(desk)
    for leg in LEGS:
        desk.accept(leg)
        desk.filled(leg, leg.quantity, "50")
    ended = one(desk.seen, ev.IntentEnded)
    assert [(leg.filled, leg.status) for leg in ended.legs] == [(10, S.FILLED), (20, S.FILLED)]
    assert desk.book.data.outcomes == {"EXECUTED": 1}
    assert len(desk.of(ev.SignalEnded)) == 1
    assert not desk.book.data.intents
    assert not desk.book.data.signals


@pytest.mark.parametrize("first", [0, 1], ids=["filled first", "cancelled first"])
def test_one_leg_cancelled_is_told_as_it_is(first: int) -> None:
    desk = desk_of()
    opened(desk)
    for leg in LEGS:
        desk.accept(leg)
    steps = [
        lambda: desk.filled(LEGS[0], 10, "100"),
        lambda: desk.report(LEGS[1], S.CANCELED, text="on request"),
    ]
    steps[first]()
    assert desk.book.data.intents, "the other leg still works"
    if first == 1:
        assert not desk.of(ev.SignalEnded), "a signal does not end with one of its orders"
    steps[1 - first]()
    ended = one(desk.seen, ev.IntentEnded)
    assert [(leg.symbol, leg.filled, leg.quantity) for leg in ended.legs] == [
        ("NVDA", 10, 10),
        ("AMD", 0, 20),
    ]
    words = "1 of 2 legs filled: BUY 10 of 10 NVDA FILLED, BUY 0 of 20 AMD CANCELED"
    assert outcome(desk) == (Outcome.EXECUTED, words)
    assert desk.book.data.outcomes == {"EXECUTED": 1}


def test_a_leg_that_fills_in_part_is_told_with_what_filled() -> None:
    desk = desk_of()
    opened(desk)
    for leg in LEGS:
        desk.accept(leg)
    desk.filled(LEGS[1], 7, "50")
    desk.report(LEGS[1], S.CANCELED, filled=D(7))
    desk.report(LEGS[0], S.CANCELED)
    words = "0 of 2 legs filled: BUY 0 of 10 NVDA CANCELED, BUY 7 of 20 AMD CANCELED"
    assert outcome(desk) == (Outcome.EXECUTED, words)


def test_nothing_filled_ends_as_its_first_leg_ended() -> None:
    desk = desk_of()
    opened(desk)
    for leg in LEGS:
        desk.accept(leg)
    desk.report(LEGS[1], S.CANCELED)
    desk.report(LEGS[0], S.EXPIRED)
    assert outcome(desk)[0] is Outcome.EXPIRED
    assert desk.book.data.outcomes == {"EXPIRED": 1}


def test_a_leg_that_is_replaced_goes_on_under_its_new_order() -> None:
    desk = desk_of(native_modify=False)
    opened(desk)
    for leg in LEGS:
        desk.accept(leg)
    desk.filled(LEGS[0], 4, "100")
    desk.give(ask.ModifyOrder(by="ann", client_order_id="leg-NVDA", limit_price=D(99)))
    desk.report(LEGS[0], S.CANCELED, filled=D(4))
    (new,) = [o for o in desk.book.orders() if o.orig_client_order_id == "leg-NVDA"]
    desk.filled(LEGS[1], 20, "50")
    assert desk.book.data.intents
    desk.accept(new.terms)
    desk.filled(new.terms, 6, "99")
    ended = one(desk.seen, ev.IntentEnded)
    assert [(leg.filled, leg.quantity) for leg in ended.legs] == [(10, 10), (20, 20)]
    assert desk.book.data.outcomes == {"EXECUTED": 1}


def test_a_leg_that_does_not_pass_when_it_is_sent_is_refused_once_and_told() -> None:
    desk = desk_of()
    desk.give(ask.Pause(by="ann"))
    seen = opened(desk)
    assert [e.code for e in seen if isinstance(e, ev.LegRefused)] == ["RUN_STATE", "RUN_STATE"]
    ended = one(desk.seen, ev.IntentEnded)
    assert {leg.status for leg in ended.legs} == {S.CREATED}
    assert outcome(desk)[0] is Outcome.CANCELLED
    assert "never sent" in ended.reason


@pytest.mark.parametrize("refused", [0, 1], ids=["first", "second"])
def test_a_leg_that_is_refused_has_no_part_in_what_the_other_one_orders(refused: int) -> None:
    """It ends under its own id, with nothing filled, whatever is ordered and changed beside it."""
    desk = desk_of(native_modify=False)
    halves = ("NVDA", "AMD")
    desk.event(
        ev.SymbolBlocked(account=BROKER, symbol=halves[refused], cause="reconcile", reason="test")
    )
    opened(desk)
    assert one(desk.seen, ev.LegRefused).symbol == halves[refused]
    sent = LEGS[1 - refused]
    desk.accept(sent)
    desk.give(ask.ModifyOrder(by="ann", client_order_id=sent.client_order_id, quantity=D(5)))
    desk.report(sent, S.CANCELED, filled=D(0))
    (new,) = [o for o in desk.book.orders() if o.orig_client_order_id]
    desk.accept(new.terms)
    desk.filled(new.terms, 5, "50")
    ended = one(desk.seen, ev.IntentEnded)
    never = ended.legs[refused]
    assert (never.client_order_id, never.quantity) == (
        LEGS[refused].client_order_id,
        LEGS[refused].quantity,
    )
    assert (never.filled, never.status) == (0, S.CREATED)
    other = ended.legs[1 - refused]
    assert (other.client_order_id, other.filled, other.status) == (new.client_order_id, 5, S.FILLED)


@pytest.mark.parametrize(
    ("window", "after", "goes"),
    [(0, 0, True), (30, 29, False), (30, 30, True), (300, 59, False), (300, 60, True)],
)
def test_X66_the_leg_of_a_signal_is_a_repeat_where_its_order_alone_would_be(
    window: int, after: int, goes: bool
) -> None:
    """What a signal asks for is told apart by its id, for as long as the window of signals says."""
    desk = CoreDriver(config_of(**AXION, execution={"dedup_window_seconds": window}))
    made_before(desk, after)
    refused = [e.code for e in opened(desk) if isinstance(e, ev.LegRefused)]
    assert refused == ([] if goes else ["DUPLICATE_ORDER"])


@pytest.mark.parametrize("window", [0, 30, 300])
@pytest.mark.parametrize(("after", "goes"), [(59, False), (60, True)])
def test_X66_the_leg_of_a_person_is_a_repeat_within_a_minute(
    window: int, after: int, goes: bool
) -> None:
    desk = CoreDriver(config_of(**AXION, execution={"dedup_window_seconds": window}))
    made_before(desk, after)
    refused = [e.code for e in opened(desk, signal_id="") if isinstance(e, ev.LegRefused)]
    assert refused == ([] if goes else ["DUPLICATE_ORDER"])


def made_before(desk: CoreDriver, seconds: int) -> None:
    """An order of the terms of the first leg, which ended at once."""
    desk.quote("NVDA", "101")
    order = desk.order("NVDA", 10, "100", limit="100")
    desk.report(order, S.CANCELED)
    desk.later(seconds)
    desk.quote("NVDA", "101")
    desk.quote("AMD", "51")


# --- a plan of one's own is one row ---------------------------------------------------------------


def pair(world: World, account: str, symbol: str, now: Nanos) -> Iterator[ev.Event]:
    """The second leg leaves once the first has filled, and never if it ends before."""
    for intent in intents_at(world.book, account, symbol):
        if intent.plan != "pair":
            continue
        first, second = intent.legs
        if first.waits:
            yield from legs.send(world, first, now)
        elif legs.is_over(world, first) and second.waits:
            so_far = legs.done(world, first)
            if so_far.filled < so_far.quantity:
                yield from legs.end(world, intent)
            else:
                yield from legs.send(world, second, now)
        elif all(legs.is_over(world, leg) for leg in intent.legs):
            yield from legs.end(world, intent)


@pytest.fixture
def with_pair(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "PLANS", (*PLANS, Plan("pair", pair)))


def sent(desk: CoreDriver) -> list[str]:
    return [order.symbol for order in desk.book.orders()]


@pytest.mark.usefixtures("with_pair")
def test_a_plan_of_ones_own_is_one_row_and_its_second_leg_waits_for_the_first() -> None:
    desk = desk_of()
    opened(desk, "pair")
    assert sent(desk) == ["NVDA"]
    desk.accept(LEGS[0])
    desk.filled(LEGS[0], 9, "100")
    assert sent(desk) == ["NVDA"]
    desk.filled(LEGS[0], 1, "100")
    assert "AMD" in sent(desk)
    desk.accept(LEGS[1])
    desk.filled(LEGS[1], 20, "50")
    assert one(desk.seen, ev.IntentEnded).reason.startswith("2 of 2 legs filled")


@pytest.mark.usefixtures("with_pair")
def test_the_second_leg_is_never_sent_after_a_first_that_ended_short() -> None:
    desk = desk_of()
    opened(desk, "pair")
    desk.accept(LEGS[0])
    desk.filled(LEGS[0], 9, "100")
    desk.report(LEGS[0], S.CANCELED, filled=D(9))
    assert one(desk.seen, ev.IntentEnded).legs[1].status is S.CREATED
    words = "0 of 2 legs filled: BUY 9 of 10 NVDA CANCELED, BUY 0 of 20 AMD never sent"
    assert outcome(desk) == (Outcome.EXECUTED, words)


@pytest.mark.usefixtures("with_pair")
def test_U41_a_second_leg_is_never_sent_after_a_halt() -> None:
    desk = desk_of()
    opened(desk, "pair")
    desk.accept(LEGS[0])
    desk.give(ask.Kill(by="ann", flatten=Flatten.NONE))
    desk.filled(LEGS[0], 10, "100")
    assert one(desk.seen, ev.LegRefused).code == "KILL_SWITCH"
    assert [leg.filled for leg in one(desk.seen, ev.IntentEnded).legs] == [10, 0]


@pytest.mark.usefixtures("with_pair")
def test_the_fold_of_the_events_is_the_plan_at_every_step() -> None:
    desk = desk_of()
    opened(desk, "pair")
    for step in (
        lambda: desk.accept(LEGS[0]),
        lambda: desk.filled(LEGS[0], 10, "100"),
        lambda: desk.accept(LEGS[1]),
        lambda: desk.filled(LEGS[1], 5, "50"),
    ):
        again = Book.restore(desk.book.snapshot())
        assert again.data.intents == desk.book.data.intents
        step()
    assert desk.book.data.intents["i1"].legs[1].client_order_id == "leg-AMD"
