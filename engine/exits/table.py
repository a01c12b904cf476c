"""The exits: one row each, asked at every price and second; the lowest priority wins (A-160 ff).

An exit is one file beside this one, and its row here.
"""

from engine.domain.instant import Nanos
from engine.exits.answer import ExitRule, WinningExit
from engine.exits.end_of_day import END_OF_DAY
from engine.exits.hard_stop import HARD_STOP
from engine.exits.target import TARGET
from engine.exits.time_stop import TIME_STOP
from engine.state.position import Position
from engine.world import World

EXITS: tuple[ExitRule, ...] = (HARD_STOP, TARGET, TIME_STOP, END_OF_DAY)


def ask_all(
    world: World, position: Position, now: Nanos, rules: tuple[ExitRule, ...] | None = None
) -> WinningExit | None:
    """Evaluate every rule, those of `EXITS` unless others are given; the lowest priority wins."""
    decided: WinningExit | None = None
    for rule in EXITS if rules is None else rules:
        found = rule.ask(world, position, now)
        if found is not None and (decided is None or rule.priority < decided.priority):
            decided = WinningExit(reason=rule.reason, priority=rule.priority, found=found)
    return decided
