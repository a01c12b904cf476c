"""Intents of several orders: the input that opens one, and what is said of it in the end (U-30).

No front end of the product asks for two legs yet. This one does, as one row of the core's table:
two signals that pass the gate become the legs of one intent, which the product's own plan carries.
"""

from collections.abc import Callable, Iterator, Mapping

import msgspec

from engine.domain import events as ev
from engine.domain.instant import Nanos
from engine.domain.order import OrderTerms
from engine.domain.signal import Signal
from engine.pipeline.intent import build
from engine.pipeline.request import signal_request
from engine.pipeline.stages import decide
from engine.plans.entry import ENTRY
from engine.world import World
from tests.simulation.ledger import Ledger
from tests.simulation.venue import Venue

Broken = Callable[[str, str], None]


class PairArrived(msgspec.Struct, frozen=True):
    """Two wishes to enter that are one intent; the first one's id is that of both."""

    first: Signal
    second: Signal


def open_pair(world: World, given: PairArrived, now: Nanos) -> Iterator[ev.Event]:
    """One verdict for both, and the intent of both where both pass."""
    asked = given.first
    yield ev.SignalReceived(signal=asked)
    both = (asked, given.second)
    rulings = [decide(world, signal_request(world, signal), now) for signal in both]
    legs: tuple[OrderTerms, ...] = ()
    if all(ruling.allowed and ruling.quantity for ruling in rulings):
        orders = [
            build(world, ruling, now, signal_id=asked.signal_id, facts=("pair", str(number)))
            for number, ruling in enumerate(rulings)
        ]
        intent = orders[0].intent_id
        legs = tuple(msgspec.structs.replace(order, intent_id=intent) for order in orders)
    said = next((ruling for ruling in rulings if not ruling.allowed), rulings[0])
    yield ev.SignalDecided(
        signal_id=asked.signal_id,
        symbol=said.symbol,
        verdict=said.verdict,
        stage=said.stage,
        code=said.code,
        measured=said.measured,
        limit=said.limit,
        reason=said.reason,
        checks=said.checks,
        client_order_ids=tuple(leg.client_order_id for leg in legs),
        quantity=said.quantity,
        content=said.content,
    )
    for ruling in rulings if legs else ():
        if world.book.instrument(ruling.symbol) != ruling.instrument:
            yield ev.InstrumentLearned(instrument=ruling.instrument)
    if legs:
        yield ev.IntentOpened(
            intent_id=legs[0].intent_id, plan=ENTRY, signal_id=asked.signal_id, legs=legs
        )


class Pairs:
    """Holds what is said of an intent against what the venues executed of its orders."""

    def __init__(self, venues: Mapping[str, Venue], ledger: Ledger, broken: Broken) -> None:
        self._venues = venues
        self._ledger = ledger
        self._broken = broken
        self._first: dict[str, str] = {}
        """By the order that took its place, the order that a leg began with."""
        self._over: set[str] = set()
        """The orders that the legs of intents which have ended began with."""
        self.ended = 0
        """Intents of two legs that were carried to their end."""

    def made(self, order: OrderTerms) -> None:
        """An order was decided; does it take the place of another?"""
        if order.orig_client_order_id:
            self._first[order.client_order_id] = self._root(order.orig_client_order_id)

    def _root(self, key: str) -> str:
        return self._first.get(key, key)

    def filled(self, order: OrderTerms) -> None:
        """A venue executed something of an order."""
        if self._root(order.client_order_id) in self._over:
            self._broken("legs", f"{order.client_order_id} filled after {order.intent_id} ended")

    def told(self, event: ev.IntentEnded) -> None:
        """The end of an intent, as the engine tells it."""
        self.ended += len(event.legs) > 1
        whole = 0
        for leg in event.legs:
            root = self._root(leg.client_order_id)
            orders = [root, *(key for key, first in self._first.items() if first == root)]
            venue = self._venues[leg.account]
            self._over.add(root)
            for key in orders:
                if key in venue.open:
                    self._broken("legs", f"{event.intent_id} has ended, and {key} still works")
            filled = sum(abs(self._ledger.of_order(key)) for key in orders)
            if leg.filled != filled:
                text = f"{leg.filled} of {leg.symbol} told, {filled} by the ledger"
                self._broken("legs", text)
            whole += filled >= leg.quantity
        if not event.reason.startswith(f"{whole} of {len(event.legs)} legs filled"):
            self._broken("legs", f"{event.reason!r}, {whole} were by the ledger")
