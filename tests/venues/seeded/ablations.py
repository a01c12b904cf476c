"""The product with one rule taken out; the seeds at a venue must notice by what it is named for."""

from collections.abc import Callable
from typing import Final

import msgspec
import pytest

from brokers.binance.adapter import BinanceBroker
from brokers.ibkr import reports as told_by_tws
from brokers.ibkr.known import Known
from brokers.ibkr.orders import Orders
from brokers.oanda.adapter import OandaBroker
from brokers.okx.adapter import OkxBroker
from engine.core import reports
from engine.domain.inputs import GateClosed, SubmitFailed
from engine.domain.instant import Nanos
from engine.domain.order import Fill, OrderTerms
from engine.ports import Ambiguous, Capabilities, OrderReport
from engine.runtime.venue import Venue
from tests.simulation.ablations import ABLATIONS as OF_SIMULATION

Patch = Callable[[pytest.MonkeyPatch], None]


class SeededAblation(msgspec.Struct, frozen=True, kw_only=True):
    """A rule that is missing, and how the seeds at a venue notice."""

    name: str
    venue: str
    caught_by: tuple[str, ...]
    """With one of these words begins what is wrong."""
    patch: Patch
    seed: int
    """One that notices; it is run first, with the rule too."""


def _shared(name: str) -> Patch:
    """How the simulation takes out a rule of the engine."""
    return next(row.patch for row in OF_SIMULATION if row.name == name)


def _sent_again(patching: pytest.MonkeyPatch) -> None:
    """A request whose answer was lost is repeated, as many libraries do."""
    once = Venue.submit

    async def again(self: Venue, order: OrderTerms) -> SubmitFailed | GateClosed | None:
        told = await once(self, order)
        lost = isinstance(told, SubmitFailed) and isinstance(told.error, Ambiguous)
        return await once(self, order) if lost else told

    patching.setattr(Venue, "submit", again)


async def _no_fills(self: object, since: Nanos) -> tuple[Fill, ...]:
    return ()


def _not_asked_for(adapter: type) -> Patch:
    """What happened while nobody listened is not asked for."""

    def patch(patching: pytest.MonkeyPatch) -> None:
        patching.setattr(adapter, "get_fills_since", _no_fills)

    return patch


def _nothing_is_late(patching: pytest.MonkeyPatch) -> None:
    """What a venue does not know when it is asked first counts as never sent."""
    patching.setattr(Capabilities, "arrival", property(lambda self: -1))
    patching.setattr(Capabilities, "late_arrival", property(lambda self: -1))


def _commission_given_up(patching: pytest.MonkeyPatch) -> None:
    """A commission is waited for no longer where its connection has ended."""
    patching.setattr(Orders, "lost", lambda self: None)


def _filled_with_nothing(patching: pytest.MonkeyPatch) -> None:
    """An order that has filled with nothing is believed to have filled with nothing."""

    def as_told(given: OrderReport) -> object:
        return given.filled

    def by_then(known: Known, held: object) -> object:
        return known.filled

    patching.setattr(reports, "_counted", as_told)
    patching.setattr(told_by_tws, "_filled_by_then", by_then)


ABLATIONS: Final = (
    SeededAblation(
        name="an order in doubt is sent again",
        venue="binance",
        caught_by=("twice",),
        patch=_sent_again,
        seed=12,
    ),
    SeededAblation(
        name="an order in doubt is sent again",
        venue="okx",
        caught_by=("twice",),
        patch=_sent_again,
        seed=14,
    ),
    SeededAblation(
        name="an order in doubt is sent again under a new id",
        venue="alpaca",
        caught_by=("twice", "given up"),
        patch=_shared("ambiguous submit sent again under a new id"),
        seed=0,
    ),
    SeededAblation(
        name="fills not told apart",
        venue="okx",
        caught_by=("counted",),
        patch=_shared("fills not told apart"),
        seed=0,
    ),
    SeededAblation(
        name="fills not told apart",
        venue="coinbase",
        caught_by=("counted",),
        patch=_shared("fills not told apart"),
        seed=1,
    ),
    SeededAblation(
        name="fills of a gap not asked for",
        venue="okx",
        caught_by=("lost", "unknown"),
        patch=_not_asked_for(OkxBroker),
        seed=13,
    ),
    SeededAblation(
        name="fills of a gap not asked for",
        venue="binance",
        caught_by=("lost", "unknown"),
        patch=_not_asked_for(BinanceBroker),
        seed=4,
    ),
    SeededAblation(
        name="fills of a gap not asked for",
        venue="oanda",
        caught_by=("lost", "unknown"),
        patch=_not_asked_for(OandaBroker),
        seed=3,
    ),
    SeededAblation(
        name="late arrivals not waited for",
        venue="oanda",
        caught_by=("given up",),
        patch=_nothing_is_late,
        seed=0,
    ),
    SeededAblation(
        name="a commission given up with its connection",
        venue="ibkr",
        caught_by=("lost",),
        patch=_commission_given_up,
        seed=44,
    ),
    SeededAblation(
        name="filled with nothing",
        venue="ibkr",
        caught_by=("turned",),
        patch=_filled_with_nothing,
        seed=29,
    ),
)
