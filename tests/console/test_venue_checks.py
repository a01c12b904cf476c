"""What `doctor` makes of the answers of a venue, at the limits (P-44, P-47)."""

import pytest

from console.host.venue_checks import judged_offset
from engine.domain.instant import NS_PER_MS


@pytest.mark.parametrize(
    ("milliseconds", "result"),
    [
        (0, "ok"), (2_000, "ok"), (2_001, "warn"), (5_000, "warn"), (5_001, "fail"),
        (-2_000, "ok"), (-2_001, "warn"), (-5_000, "warn"), (-5_001, "fail"),
    ],
)  # fmt: skip
def test_P47_a_clock_is_told_about_from_2_s_on_and_refused_from_5_s_on(
    milliseconds: int, result: str
) -> None:
    found = judged_offset(milliseconds * NS_PER_MS, 40 * NS_PER_MS)
    assert (found.result, found.allowed) == (result, "5 s either way")
    assert found.measured == f"{milliseconds:+} ms"
    assert "give or take 20 ms" in found.text
