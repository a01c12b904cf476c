"""What `doctor` makes of the answers of a venue, at the limits (P-44, P-47)."""

import pytest

from console.host.venue_checks import judged_offset
from console.host.venue_clock import apart
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
    found = judged_offset(milliseconds * NS_PER_MS, 20 * NS_PER_MS)
    assert (found.result, found.allowed) == (result, "5 s either way")
    assert found.measured == f"{milliseconds:+} ms"
    assert "give or take 20 ms" in found.text


@pytest.mark.parametrize(
    ("there", "before", "trip", "offset", "doubt"),
    [
        (100_020, 100_000, 40, 0, 20),
        (100_720, 100_000, 40, 700, 20),
        (99_320, 100_000, 40, -700, 20),
        (100_000, 100_100, 40, 380, 520),
        (100_000, 100_960, 40, -480, 520),
        (97_000, 100_480, 40, -3_000, 520),
    ],
)
def test_P47_a_venue_that_tells_whole_seconds_is_half_a_second_further_and_as_unsure(
    there: int, before: int, trip: int, offset: int, doubt: int
) -> None:
    """In milliseconds. TWS and OANDA had been told as up to a second behind, give or take 2 ms."""
    found = apart(there * NS_PER_MS, before * NS_PER_MS, trip * NS_PER_MS)
    assert found == (offset * NS_PER_MS, doubt * NS_PER_MS)
