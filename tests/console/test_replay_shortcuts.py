"""A replay comes to the same, event by event, where nothing is left out of it (X-68, fault 41)."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from brokers.paper.bars import check_bars
from console.host import replay
from tests.configs import from_mapping

SHORTCUTS = {
    "engine.core.calm.rest_until": lambda world, now: now,
    "engine.core.consequences.none_trips": lambda world: False,
}
"""What leaves out rules, and in its place what leaves out none."""


@pytest.fixture
def whole() -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as patch:
        for name, way in SHORTCUTS.items():
            patch.setattr(name, way)
        yield patch


@pytest.mark.slow
@pytest.mark.parametrize(
    ("recording", "bars"),
    [
        ("us-equities-2013-10-07-1m.csv", 2_000),
        ("crypto-2018-04-04-1m.csv", 1_500),
        ("fx-eurusd-2014-05-05-1m.csv", 700),
    ],
)
def test_each_event_is_the_same_where_every_rule_is_asked_at_every_price_and_tick(
    shared_market: Path, tmp_path: Path, recording: str, bars: int, whole: pytest.MonkeyPatch
) -> None:
    beginning = tmp_path / recording
    with (shared_market / recording).open(encoding="utf-8") as lines:
        beginning.write_text("".join(next(lines) for _ in range(bars + 1)), encoding="utf-8")
    file = check_bars(beginning)
    asked = replay.run(from_mapping({}), file, [])
    whole.undo()
    found = replay.run(from_mapping({}), file, [])
    assert found["fills"] > 0
    assert found["digest"] == asked["digest"]
