"""Every rule taken out is noticed by harsh seeds, which are quiet about it while it stands."""

import logging

import pytest

from tests.simulation.harsh.ablations import ABLATIONS, HarshAblation
from tests.simulation.harsh.staged.ablations import STAGED_ABLATIONS
from tests.simulation.harsh.staged.run import StagedRun
from tests.simulation.harsh.switches import Harsh
from tests.simulation.simulate import simulate

SEEDS = 60
QUIET = 10
"""Seeds that are run with the rule too."""


class Watched(StagedRun):
    """A run in which only one invariant is watched, and that the watch itself does not fail."""

    invariant = ""

    def __init__(self, seed: int, profile: Harsh) -> None:
        super().__init__(seed, profile)
        self._break = self.watch.broken
        self.watch.broken = self._broken  # type: ignore[method-assign]

    def _broken(self, which: str, text: str) -> None:
        if which in {self.invariant, "error"}:
            self._break(which, text)


ROWS = pytest.mark.parametrize(
    "ablation", [*ABLATIONS, *STAGED_ABLATIONS], ids=lambda ablation: ablation.name
)


@ROWS
def test_what_a_row_takes_out_is_there(
    ablation: HarshAblation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that was changed in the engine is found at once, not with the slow tests."""
    ablation.patch(monkeypatch)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # a broken engine leaves tasks and futures behind
@ROWS
def test_the_seeds_catch_a_missing_rule(
    ablation: HarshAblation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.root.manager, "disable", logging.CRITICAL)
    monkeypatch.setattr(Watched, "invariant", ablation.caught_by)
    for seed in dict.fromkeys((ablation.seed, *range(QUIET))):
        assert simulate(seed, ablation.profile, Watched).broken == []
    ablation.patch(monkeypatch)
    for seed in dict.fromkeys((ablation.seed, *range(SEEDS))):
        broken = simulate(seed, ablation.profile, Watched).broken
        if any(text.startswith(f"{ablation.caught_by}:") for text in broken):
            return
    pytest.fail(f"no seed of {ablation.profile.name} misses the rule", pytrace=False)
