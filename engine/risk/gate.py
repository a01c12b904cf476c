"""The gate: the checks in the order of X-65, and the ruling they add up to."""

from engine.commands import PlaceOrder
from engine.domain.instant import Nanos
from engine.domain.signal import Signal
from engine.risk.case import Case, Ruling
from engine.world import World


def signal_case(world: World, signal: Signal, now: Nanos) -> Case:
    raise NotImplementedError


def manual_case(world: World, command: PlaceOrder, now: Nanos) -> Case:
    raise NotImplementedError


def evaluate(case: Case) -> Ruling:
    raise NotImplementedError
