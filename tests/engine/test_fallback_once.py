"""Whatever two venues do in whatever order, an intent is accepted at most once (A-242, X-44).

The venues answer by a script, one outcome for each entry that is handed over, whichever attempt it
is. What an outcome does at the venue is told apart from what its adapter says of it, so that the
count leans on nothing that the engine concludes.
"""

import asyncio
from collections import Counter
from decimal import Decimal
from enum import Enum
from random import Random

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from engine.domain import commands as ask
from engine.domain.market import Quote
from engine.domain.order import OrderStatus, OrderTerms, Side
from engine.ports import (
    Ambiguous,
    AuthFailed,
    BrokerError,
    MarketClosed,
    NotSent,
    Rejected,
    Throttled,
)
from engine.runtime.clock import VirtualClock
from engine.runtime.virtual_time import VirtualLoop, run_virtual
from tests.configs import from_mapping
from tests.engine.wires import ABLE, PRICE, TREE, Rig, Wire
from tests.engine.worlds import MIDDAY
from tests.simulation.agenda import Agenda
from tests.simulation.venue import LATE_SECONDS, Venue

D = Decimal
SECOND = "second"
CONFIG = from_mapping(
    {
        **TREE,
        "account": {"fallback": SECOND},
        "brokers": {SECOND: {"kind": "paper"}},
        "resiliency": {"max_retries": 1, "circuit_breaker_threshold": 3},
    }
)
SETTLED = 150.0
"""Seconds after which no attempt, question or late arrival is under way."""


class Outcome(Enum):
    """What becomes of an entry that is handed over: at the venue, and in what is said of it."""

    TAKEN = "taken"
    NOT_SENT = "provably not sent"
    SLOWER = "the venue wants it 2 s later"
    MUCH_SLOWER = "the venue wants it a minute later"
    LOST_REQUEST = "no answer, and it never arrives"
    LOST_ANSWER = "no answer, and it was taken"
    LATE = "no answer, and it arrives after that"
    REFUSED = "refused for good"
    CLOSED = "no orders at this hour"
    LOCKED_OUT = "the credentials are refused"
    BREAKS_BEFORE = "the link breaks, and it was not sent"
    BREAKS_AFTER = "the link breaks, and it was taken"


SAID: dict[Outcome, BrokerError] = {
    Outcome.NOT_SENT: NotSent("connect refused"),
    Outcome.SLOWER: Throttled("slower", 2.0),
    Outcome.MUCH_SLOWER: Throttled("slower", 60.0),
    Outcome.LOST_REQUEST: Ambiguous("no answer"),
    Outcome.LOST_ANSWER: Ambiguous("no answer"),
    Outcome.LATE: Ambiguous("no answer"),
    Outcome.REFUSED: Rejected("40310000", "insufficient buying power"),
    Outcome.CLOSED: MarketClosed("maintenance"),
    Outcome.LOCKED_OUT: AuthFailed("the key is unknown"),
    Outcome.BREAKS_BEFORE: NotSent("connection refused"),
    Outcome.BREAKS_AFTER: Ambiguous("reset after write"),
}


class Scripted(Wire):
    """A line that does with entries what its script says, and then takes them."""

    script: list[Outcome]

    async def submit_order(self, order: OrderTerms) -> None:
        outcome = self.script.pop(0) if order.adds_exposure and self.script else Outcome.TAKEN
        if outcome is Outcome.TAKEN:
            await super().submit_order(order)
            return
        await asyncio.sleep(0.01)
        venue = self._venue
        if outcome in (Outcome.LOST_ANSWER, Outcome.BREAKS_AFTER):
            venue.accept(order)
        if outcome is Outcome.LATE:
            venue.agenda.after(1.0 + LATE_SECONDS * 0.9, lambda: venue.accept(order))
        if outcome in (Outcome.BREAKS_BEFORE, Outcome.BREAKS_AFTER):
            venue.set_link(up=False)
            venue.agenda.after(3.0, lambda: venue.set_link(up=True))
        if outcome in (Outcome.LOST_REQUEST, Outcome.LOST_ANSWER, Outcome.LATE):
            await asyncio.sleep(1.0)  # until the time-out
        raise SAID[outcome]


class Told(Scripted):
    """The same with an adapter that takes what is ambiguous for not sent: the fault of C-402."""

    async def submit_order(self, order: OrderTerms) -> None:
        try:
            await super().submit_order(order)
        except Ambiguous as error:
            raise NotSent(str(error)) from error


class Run:
    """One run: a signal and a person's order, with what each venue accepted."""

    def __init__(
        self, first: list[Outcome], second: list[Outcome], wire: type[Scripted] = Scripted
    ) -> None:
        self.accepted: Counter[str] = Counter()
        """By intent, how many orders were accepted at either venue."""
        self.decided: Counter[str] = Counter()
        """By intent, how many orders were made of it."""
        self.statuses: list[OrderStatus] = []
        self.held: dict[str, Decimal] = {}
        self.there: dict[str, Decimal] = {}
        self._scripts, self._wire = (list(first), list(second)), wire
        run_virtual(self._play, MIDDAY, 3600)

    def _count(self, order: OrderTerms, known: object) -> None:
        if order.adds_exposure:
            self.accepted[order.intent_id] += 1

    async def _play(self, clock: VirtualClock) -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        agenda = Agenda(MIDDAY)
        agenda.attach(loop, clock)
        far = Venue(agenda, Random(8), ABLE)
        other = self._wire(far, SECOND)
        rig = Rig(clock, config=CONFIG, wire=self._wire, more=(other,))
        assert isinstance(rig.wire, Scripted)
        rig.wire.script, other.script = self._scripts
        for venue in (rig.venue, far):
            venue.on_accept = self._count
        prices = asyncio.create_task(self._tell(rig, far))
        await rig.start()
        rig.signal("AAA")
        await rig.clock.sleep(0.2)
        buy = ask.PlaceOrder(by="t", symbol="BBB", side=Side.BUY, quantity=D(7), protect=PRICE - 10)
        await rig.engine.command(buy)
        await rig.clock.sleep(SETTLED)
        book = rig.book
        self.statuses = [o.status for o in book.orders() if o.adds_exposure]
        for symbol in ("AAA", "BBB"):
            self.held[symbol] = sum((p.quantity for p in book.held(symbol)), start=D(0))
            both = (rig.venue.positions, far.positions)
            self.there[symbol] = sum((there.get(symbol, D(0)) for there in both), start=D(0))
        self.decided = Counter(o.intent_id for o in [*rig.orders("AAA"), *rig.orders("BBB")])
        prices.cancel()
        await rig.stop()

    async def _tell(self, rig: Rig, far: Venue) -> None:
        while True:
            for symbol in ("AAA", "BBB"):
                now = rig.clock.now()
                far.on_price(Quote(symbol=symbol, bid=PRICE, ask=PRICE, last=PRICE, time=now))
            await rig.clock.sleep(0.5)


outcomes = st.lists(st.sampled_from(Outcome), max_size=5)


@given(outcomes, outcomes)
@settings(max_examples=30)
@example([Outcome.NOT_SENT, Outcome.NOT_SENT], [Outcome.LOST_ANSWER])
@example([Outcome.LOST_REQUEST], [])
@example([Outcome.LATE, Outcome.LATE], [Outcome.TAKEN])
@example([Outcome.BREAKS_AFTER], [Outcome.TAKEN])
@example([Outcome.BREAKS_BEFORE], [Outcome.LATE])
@example([Outcome.SLOWER, Outcome.LOST_ANSWER], [Outcome.TAKEN])
@example([Outcome.LOCKED_OUT, Outcome.LOCKED_OUT], [Outcome.LOCKED_OUT])
def test_A242_an_intent_is_accepted_at_most_once_in_all(
    first: list[Outcome], second: list[Outcome]
) -> None:
    run = Run(first, second)
    assert max(run.accepted.values(), default=0) <= 1, run.accepted
    assert max(run.decided.values()) <= 2, "an order in each account at most"
    assert OrderStatus.UNKNOWN not in run.statuses
    assert run.held == run.there


@pytest.mark.parametrize(
    ("first", "second", "accepted"),
    [
        ([], [], 2),
        ([Outcome.NOT_SENT] * 2, [], 2),
        ([Outcome.NOT_SENT] * 4, [], 2),
        ([Outcome.MUCH_SLOWER] * 2, [], 2),
        ([Outcome.LOCKED_OUT], [], 2),
        ([Outcome.CLOSED] * 2, [], 2),
        ([Outcome.REFUSED] * 2, [], 0),
        ([Outcome.LOST_REQUEST] * 2, [], 0),
        ([Outcome.CLOSED] * 2, [Outcome.CLOSED] * 2, 0),
    ],
)
def test_the_fallback_takes_what_was_definitely_not_taken_and_nothing_else(
    first: list[Outcome], second: list[Outcome], accepted: int
) -> None:
    """Both intents of a run, as far as they found somebody to take them."""
    assert sum(Run(first, second).accepted.values()) == accepted


def test_the_count_finds_an_intent_that_two_venues_took() -> None:
    run = Run([Outcome.LATE, *[Outcome.NOT_SENT] * 3], [], Told)
    assert max(run.accepted.values()) > 1
