"""Thousands of seeded runs of the real engine against venues that fail in every way (I1 to I9).

One seed replays exactly: `simulate(seed, profile)`. A failure prints the seed and the tail of its
events.
"""

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from engine.domain.events import Record
from tests.simulation.faults import PROFILES
from tests.simulation.simulate import Outcome, simulate
from tests.simulation.watch import Watch

BATCHES = 20
SEEDS_PER_BATCH = 20
"""Of each profile: 2,400 runs in all."""

FEW = 12
MORE = 20
"""Seeds of each profile in which everything happens that is to be guarded."""


def check(outcome: Outcome) -> Outcome:
    if outcome.broken:
        pytest.fail(outcome.report, pytrace=False)
    return outcome


@pytest.mark.parametrize("profile", PROFILES)
def test_a_few_seeds_of_each_profile_hold_every_invariant(profile: str) -> None:
    for seed in range(FEW):
        check(simulate(seed, profile))


@pytest.mark.slow
@pytest.mark.parametrize("batch", range(BATCHES))
def test_every_seed_holds_every_invariant(batch: int) -> None:
    for seed in range(batch * SEEDS_PER_BATCH, (batch + 1) * SEEDS_PER_BATCH):
        for profile in PROFILES:
            check(simulate(seed, profile))


@pytest.mark.parametrize("profile", PROFILES)
def test_a_seed_replays_exactly(profile: str) -> None:
    first, second = simulate(3, profile), simulate(3, profile)
    assert first.digest == second.digest
    assert (first.events, first.steps, first.trace) == (second.events, second.steps, second.trace)


@pytest.mark.slow
def test_the_digest_does_not_depend_on_the_hash_seed(root: Path) -> None:
    code = (
        "from tests.simulation.simulate import simulate\n"
        "print([simulate(s, p).digest for s in (1, 2) for p in ('crashy', 'hostile')])"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", code],
            cwd=root,
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "4711")
    }
    assert len(digests) == 1


def test_a_watch_that_fails_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told nothing more, so that a run would hold whatever came then."""

    def fails(watch: Watch, record: Record) -> None:
        raise ValueError("cannot read this")

    monkeypatch.setattr(Watch, "happened", fails)
    first = simulate(1, "calm").broken[0]
    assert first.startswith("error: the watch itself failed: ValueError: cannot read this")


def test_different_seeds_are_different_runs() -> None:
    assert len({simulate(seed, "calm").digest for seed in range(5)}) == 5


def test_the_runs_reach_what_they_are_meant_to_guard() -> None:
    """A simulator in which nothing happens would pass everything."""
    kinds: set[str] = set()
    totals: Counter[str] = Counter()
    for profile in PROFILES:
        for seed in range(MORE):
            outcome = simulate(seed, profile)
            kinds |= outcome.kinds
            totals.update(
                crashes=outcome.crashes,
                fills=outcome.fills,
                kills=outcome.kills,
                real_journals=outcome.real_journal,
                single=outcome.accounts == 1,
                parts=outcome.parts,
                successors=outcome.successors,
                shared=outcome.shared,
                refused=outcome.refused,
                pairs=outcome.pairs,
            )
    wanted = {
        "OrderIntended",
        "OrderFilled",
        "OrderUnclear",
        "OrderSettled",
        "OrderCanceled",
        "OrderRejected",
        "OrderReplaced",
        "ExitPlanned",
        "PositionClosed",
        "Halted",
        "HaltCleared",
        "KillProved",
        "LinkChanged",
        "TriggerFired",
        "DeadLettered",
        "SendPutOff",
        "CircuitMoved",
        "StopMoved",
        "TargetMoved",
        "ExitAbandoned",
        "ReplaceRequested",
        "SymbolBlocked",
        "SignalsRefused",
    }
    assert not wanted - kinds
    names = "crashes fills kills real_journals single parts successors shared refused pairs"
    assert all(totals[name] for name in names.split()), totals
