"""Every safety rule that is taken out is noticed by the seeds that run in CI."""

import logging

import pytest

from tests.simulation.ablations import ABLATIONS, Ablation
from tests.simulation.simulate import simulate
from tests.simulation.test_simulation import BATCHES, SEEDS_PER_BATCH


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # a broken engine leaves tasks and futures behind
@pytest.mark.parametrize("ablation", ABLATIONS, ids=lambda ablation: ablation.name)
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
