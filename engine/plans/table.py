"""The plans, one row each, and the one way in which they move on (DESIGN, Intents and plans).

A plan is a state machine over facts in the state, so that it goes on after a crash at any step. It
looks at one symbol in one account and says what is to be done next, if anything. A kill works on
whole accounts (`engine.plans.kill`); what it closes, the plans of this table carry.
"""

from collections.abc import Callable, Iterator

import msgspec

from engine.domain import events as ev
from engine.domain.instant import LATEST, Nanos
from engine.domain.run import Severity
from engine.plans import entry, leftover, protect, reduce, replace, stopped, units
from engine.plans import exit as closing
from engine.state.book import Book
from engine.world import World


def _any_place(book: Book, account: str, symbol: str) -> object:
    return True


class Plan(msgspec.Struct, frozen=True):
    """One row: the plan's name, and the events that are its next step at one place.

    `advance` takes the world, the account, the symbol and the time. It must yield nothing once what
    it wants is done or under way. `concerns` looks up what the plan is about in an account and a
    symbol: where that is nothing, the plan has no next step and is not asked. `same_until` says up
    to which moment a plan that has no next step gets none by time alone; None where it may at any
    second. No plan waits for a price: one that would has no `same_until` (`engine.core.calm`).
    """

    name: str
    advance: Callable[[World, str, str, Nanos], Iterator[ev.Event]]
    concerns: Callable[[Book, str, str], object] = _any_place
    same_until: Callable[[World, str, str, Nanos], Nanos] | None = None


def _intents(book: Book, account: str, symbol: str) -> object:
    return book.data.intents


def _replacing(book: Book, account: str, symbol: str) -> object:
    return book.account(account).replacing


PLANS: tuple[Plan, ...] = (
    Plan("leftover", leftover.advance, Book.reduces_in, leftover.same_until),
    Plan("stopped", stopped.advance, stopped.concerns, stopped.same_until),
    Plan(entry.ENTRY, entry.advance, _intents),
    Plan("replace", replace.advance, _replacing),
    Plan(reduce.REDUCE, reduce.advance, _intents),
    Plan("units", units.advance, units.concerns, units.same_until),
    Plan("protect", protect.advance, Book.holding, protect.same_until),
    Plan("exit", closing.advance, Book.holding, closing.same_until),
)


MOST_STEPS = 64
"""So many steps of one plan at one place follow from one input; none needs nearly as many."""


def advance(
    world: World, account: str, symbol: str, now: Nanos, plans: tuple[Plan, ...] | None = None
) -> Iterator[ev.Event]:
    """Ask the plans, those of `PLANS` unless others are given, until none has a next step.

    In an account that is not of this process none has one. A plan that repeats its step is a defect
    of ours: it is told, and not asked any more until the next input, so that the other plans and a
    kill go on.
    """
    steps: dict[str, int] = {}
    book, moved = world.book, world.has(account)
    while moved:
        moved = False
        for plan in PLANS if plans is None else plans:
            # A generator of each plan at each place of each event, nearly all of them empty, was a
            # tenth of an order's life.
            if not plan.concerns(book, account, symbol):
                continue
            taken = steps.get(plan.name, 0)
            if taken > MOST_STEPS:
                continue
            for event in plan.advance(world, account, symbol, now):
                steps[plan.name] = taken + 1
                if taken == MOST_STEPS:
                    yield _repeats(plan, account, symbol)
                    break
                moved = True
                yield event


def same_until(world: World, account: str, symbol: str, now: Nanos) -> Nanos:
    """Up to which moment no plan of `PLANS` gets a next step at a place by time alone.

    To be asked where none has one now; `now`: one may at any second.
    """
    moments = (
        now if plan.same_until is None else plan.same_until(world, account, symbol, now)
        for plan in PLANS
        if plan.concerns(world.book, account, symbol)
    )
    return min(moments, default=LATEST)


def _repeats(plan: Plan, account: str, symbol: str) -> ev.Alarmed:
    return ev.Alarmed(
        code="PLAN_REPEATS",
        severity=Severity.CRITICAL,
        subject=symbol,
        text=f"the plan {plan.name!r} has taken {MOST_STEPS} steps in {symbol} in {account} and "
        "wants more: it is left until the next input, and the others go on",
    )
