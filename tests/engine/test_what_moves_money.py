"""Which events move money is said in lists; here each is folded, and the lists have to say so.

An event that moves money and is in none of them trips no loss limit (X-74), leaves the row of the
day as it was (X-90), or leaves what it entered at the evidence of an older price (X-71).
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any, NamedTuple

import pytest
from msgspec.structs import replace

from engine.core.driver import _entered, fold_in
from engine.core.follow import MAY_TRIP
from engine.domain import events as ev
from engine.domain.events import EVENT_TYPES
from engine.domain.money import ZERO
from engine.domain.order import OrderStatus, Side
from engine.state.book import Book
from engine.state.day import MOVES_EQUITY, MOVES_THE_DAY
from engine.world import World
from tests.corpus.examples import example
from tests.engine.driver import CoreDriver
from tests.engine.worlds import ABLE, BROKER

ACCOUNT, SYMBOL = "the account", "the symbol"
"""What the examples name."""
D = Decimal


def example_of(kind: type[ev.Event], *, whole: bool) -> ev.Event:
    """The example of the corpus; a fee takes no more of an asset than there is of it."""
    event = example(kind, whole=whole)
    return replace(event, quantity=D(10)) if isinstance(event, ev.CommissionTaken) else event


class Money(NamedTuple):
    """What of the state is money, and what is held."""

    own: dict[str, Any]
    """By account: cash, what is held, at which mean price, and what nothing explains."""
    results: tuple[Decimal, ...]
    """Realised, and charged; in currencies without a rate too."""
    brought: tuple[Decimal, ...]
    """Flows and adoptions: they move the row of the day, and no profit."""


def money(book: Book) -> Money:
    data, day = book.data, book.data.session
    own = {
        a.name: (
            dict(a.cash),
            {p.symbol: (p.quantity, p.average_price) for p in a.positions.values()},
            a.unexplained,
        )
        for a in data.accounts.values()
        if a.cash or a.positions or not a.unexplained.is_nothing
    }
    waiting = [amount for v in data.unvalued.values() for amount in (v.realized, v.fees)]
    of_day = (ZERO, ZERO, ZERO, ZERO)
    if day is not None:
        of_day = (day.realized, day.fees, day.flows, day.adjustments)
    return Money(
        own, (data.realized, data.commission, *of_day[:2], *waiting), (data.flows, *of_day[2:])
    )


def a_day() -> Iterator[ev.Event]:
    """An account with cash that holds something, and results in a currency without a rate."""
    synced = example(ev.AccountSynced, whole=True)
    there = replace(synced.balances, balances={"the currency": D(100_000)})
    filled = example(ev.OrderFilled, whole=True)
    bought = replace(
        filled.fill,
        execution_id="a",
        client_order_id="another",
        side=Side.BUY,
        quantity=D(100),
        price=D(100),
        commission=D(1),
    )
    sold = replace(bought, execution_id="b", side=Side.SELL, quantity=D(50), price=D(110))
    adopted = example(ev.OrderAdopted, whole=True)
    works = replace(adopted.state, status=OrderStatus.NEW, filled=ZERO, notional=ZERO)
    yield example(ev.InstrumentLearned, whole=True)
    yield replace(synced, balances=there, history=())
    yield example(ev.SessionOpened, whole=True)
    yield replace(adopted, state=works)
    for fill in (bought, sold):
        yield replace(filled, fill=fill, position_id="p", rate=ZERO, fee_rate=ZERO)


def desk_of_the_day() -> tuple[World, int]:
    """The world after that, and the time then."""
    desk = CoreDriver()
    for event in a_day():
        desk.now += 1
        fold_in(desk.world, event, desk.now)
    return desk.world, desk.now + 1


def moved(kind: type[ev.Event], *, whole: bool) -> tuple[bool, bool]:
    """Whether the example of an event moves money, and whether it brings or takes any."""
    world, now = desk_of_the_day()
    before = money(world.book)
    fold_in(world, example_of(kind, whole=whole), now)
    after = money(world.book)
    return (before.own, before.results) != (after.own, after.results), before != after


KINDS = pytest.mark.parametrize("kind", [cls for _, cls in sorted(EVENT_TYPES.items())])
BOTH = pytest.mark.parametrize("whole", [True, False], ids=["whole", "bare"])


@BOTH
@KINDS
def test_x74_what_moves_money_may_trip_a_limit_and_changes_the_row_of_the_day(
    kind: type[ev.Event], whole: bool
) -> None:
    moves, brings = moved(kind, whole=whole)
    assert not moves or kind in MOVES_EQUITY
    assert not moves or kind in MAY_TRIP
    assert not brings or kind in MOVES_THE_DAY


def test_the_examples_show_it_of_every_event_that_is_listed() -> None:
    """But for the round trip, whose money its fill has moved, and the first price of a holding,
    by which that counts for more."""
    found = {cls for cls in EVENT_TYPES.values() if moved(cls, whole=True)[0]}
    assert found == MOVES_EQUITY - {ev.PositionClosed, ev.HoldingPriced}


@BOTH
@KINDS
def test_x74_what_enters_more_of_something_is_proved_at_its_price(
    kind: type[ev.Event], whole: bool
) -> None:
    world, now = desk_of_the_day()
    held = world.book.holding(ACCOUNT, SYMBOL)
    before = ZERO if held is None else held.quantity
    event = example_of(kind, whole=whole)
    fold_in(world, event, now)
    held = world.book.holding(ACCOUNT, SYMBOL)
    after = ZERO if held is None else held.quantity
    if before * after < 0 or abs(after) > abs(before):
        assert _entered(event) == (ACCOUNT, SYMBOL)


@BOTH
@KINDS
def test_the_totals_are_those_of_what_is_held_after_every_event(
    kind: type[ev.Event], whole: bool
) -> None:
    world, now = desk_of_the_day()
    fold_in(world, example_of(kind, whole=whole), now)
    anew = World(
        world.book,
        world.config,
        {BROKER: ABLE},
        instrument_of=world.configured,
        home_calendar="SIM",
    )
    anew.prices.revalue_all()
    for name in ("market_value", "unrealized", "gross", "unproved"):
        kept, counted = getattr(world.value, name), getattr(anew.value, name)
        assert {c: n for c, n in kept.items() if n} == {c: n for c, n in counted.items() if n}
    assert world.money.equity == anew.money.equity
