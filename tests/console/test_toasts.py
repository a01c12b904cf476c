"""A toast is a line across the window, where nothing has to be read or typed."""

import pytest

from console.desk.local import LocalDesk
from console.ui.app import MeridianApp
from tests.console.hosts import Host, drawn, morning, press, settle, shown

pytestmark = pytest.mark.slow  # each drives a whole screen

LONG = "paused: no automatic entries; those that work stay, yours and exits go on"
SIZES = [(60, 20), (80, 24), (120, 40)]


def _covered(before: list[str], after: list[str]) -> list[int]:
    """The rows that a toast lies over."""
    assert len(before) == len(after)
    return [row for row, (a, b) in enumerate(zip(before, after, strict=True)) if a != b]


async def _rows(size: tuple[int, int], *keys: str) -> tuple[list[str], list[int], str]:
    """What is drawn after these keys, the rows that a toast covers, and the toast."""
    async with Host() as host:
        await morning(host)
        app = MeridianApp(LocalDesk(host.engine))
        async with app.run_test(size=size, notifications=True) as pilot:
            await drawn(app, pilot)
            if keys:
                await press(app, pilot, *keys)
            before = shown(app).splitlines()
            app.notify(LONG)
            await settle()
            await pilot.pause()
            await drawn(app, pilot)
            after = shown(app).splitlines()
            covered = _covered(before, after)
            return before, covered, " ".join(after[row].strip("▌ ") for row in covered)


@pytest.mark.parametrize("size", SIZES)
async def test_over_the_panes_it_leaves_their_rows_the_alerts_and_the_keys(
    size: tuple[int, int],
) -> None:
    rows, covered, told = await _rows(size)
    assert told == LONG
    assert max(covered) == size[1] - 3
    # at 120x40 that is the lower edge of the panes, below the last events where one pane shows
    assert len(covered) == (2 if size[0] == 60 else 1)
    assert not any(char.isalpha() for row in covered for char in rows[row].split("newest first")[0])


@pytest.mark.parametrize("size", SIZES)
async def test_under_a_typed_question_it_leaves_the_field_and_the_buttons(
    size: tuple[int, int],
) -> None:
    rows, covered, told = await _rows(size, "F")
    assert told == LONG
    (buttons,) = (
        row for row, text in enumerate(rows) if "Cancel  " in text and "Flatten  " in text
    )
    assert min(covered) > buttons + 1, "the frame of the question is whole"


@pytest.mark.parametrize("size", SIZES)
async def test_in_the_ticket_it_leaves_every_field(size: tuple[int, int]) -> None:
    rows, covered, told = await _rows(size, "b")
    assert told == LONG
    fields = [row for row, text in enumerate(rows) if "TIF  " in text or "Quantity  " in text]
    assert min(covered) > max(fields)
    assert min(covered) >= size[1] - 2
