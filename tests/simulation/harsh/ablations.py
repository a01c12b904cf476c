"""The product with one rule taken out; the harsh seeds must notice by the invariant named.

Only the invariants of a row are watched in its runs: what another rule lets happen is not asked.
"""

from collections.abc import Callable
from typing import Final

import msgspec
import pytest

from engine.domain.instant import Nanos
from engine.runtime.clock import SteadyTime
from tests.simulation.faults import Faults
from tests.simulation.harsh.switches import Harsh, Switches

PLAIN: Final = Harsh(
    name="plain", faults=Faults(), most=Switches(), chance=1.0, real_journal=0.0, operator=4
)
"""No switch is on."""
CLOCK: Final = msgspec.structs.replace(PLAIN, name="clock", most=Switches(clock_jumps=2))


class HarshAblation(msgspec.Struct, frozen=True, kw_only=True):
    """A rule that is missing, the profile whose seeds must notice, and by which invariant."""

    name: str
    profile: Harsh
    caught_by: str
    patch: Callable[[pytest.MonkeyPatch], None]


# --- time follows a clock that was wrong for moments ----------------------------------------------


def _believes_at_once(patching: pytest.MonkeyPatch) -> None:
    def sure(time: SteadyTime, step: Nanos, monotonic: Nanos) -> bool:
        return True

    patching.setattr(SteadyTime, "_is_sure", sure)


ABLATIONS: Final = (
    HarshAblation(
        name="time follows every jump of the clock",
        profile=CLOCK,
        caught_by="T clock",
        patch=_believes_at_once,
    ),
)
