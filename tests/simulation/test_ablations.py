"""Every safety rule that is taken out is noticed by the seeds that run in CI."""

import logging

import pytest

from tests.simulation.ablations import ABLATIONS, Ablation
from tests.simulation.simulate import simulate
from tests.simulation.test_simulation import BATCHES, SEEDS_PER_BATCH

ROWS = pytest.mark.parametrize("ablation", ABLATIONS, ids=lambda ablation: ablation.name)


@ROWS
def test_what_a_row_takes_out_is_there(ablation: Ablation, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that was changed in the engine is found at once, not with the slow tests."""
    ablation.patch(monkeypatch)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # a broken engine leaves tasks and futures behind
@ROWS
def test_the_seeds_catch_a_missing_rule(
    ablation: Ablation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.root.manager, "disable", logging.CRITICAL)
    ablation.patch(monkeypatch)
    for seed in range(BATCHES * SEEDS_PER_BATCH):
        broken = simulate(seed, ablation.profile, ablation.kind).broken
        if broken:
            assert broken[0].startswith(ablation.caught_by), broken[0]
            return
    pytest.fail(f"no seed of {ablation.profile} misses the rule", pytrace=False)
