"""What an exit rule is and what it answers (A-160 ff); the rules are beside it, one file each."""

from collections.abc import Callable

import msgspec

from engine.domain.instant import LATEST, Nanos
from engine.domain.position import ExitReason
from engine.state.position import Position
from engine.world import World


class Exit(msgspec.Struct, frozen=True, kw_only=True):
    """A rule's condition holds: what was measured against which limit."""

    measured: str
    limit: str
    detail: str = ""


class ExitRule(msgspec.Struct, frozen=True, kw_only=True):
    """One row: the reason it closes for, its priority, its config key, its question.

    `same_until` says up to which moment the answer cannot change by time alone; None where it may
    at any second. Of prices it leans on those of the position's own symbol, at which it is asked.
    """

    reason: ExitReason
    priority: int
    config_key: str
    ask: Callable[[World, Position, Nanos], Exit | None]
    same_until: Callable[[World, Position, Nanos], Nanos] | None = None


class WinningExit(msgspec.Struct, frozen=True, kw_only=True):
    """The rule that won."""

    reason: ExitReason
    priority: int
    found: Exit


def by_price(world: World, position: Position, now: Nanos) -> Nanos:
    """`same_until` of a rule that leans on prices and on the position, and on no clock."""
    return LATEST
