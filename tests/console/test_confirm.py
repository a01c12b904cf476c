"""The typed confirmation: no is the default, and only the exact phrase is yes."""

from typing import Any

import pytest
from textual.pilot import Pilot

from console.ui.widgets.confirm import ConfirmScreen
from tests.console.helpers import OneApp, lines

LINES = ["3 positions are closed at market.", "[/x] [@click=app.note]go[/]"]


async def ask(pilot: Pilot[Any], phrase: str) -> list[bool | None]:
    answers: list[bool | None] = []
    screen = ConfirmScreen("Flatten", LINES, phrase=phrase, action="Flatten")
    pilot.app.push_screen(screen, answers.append)
    await pilot.pause()
    return answers


@pytest.mark.parametrize(
    ("phrase", "keys", "expected"),
    [
        ("FLATTEN", ["enter"], []),
        ("FLATTEN", ["escape"], [False]),
        ("FLATTEN", [*"FLATTEN", "enter"], [True]),
        ("FLATTEN", [*"FLATTEN", "tab", "tab", "enter"], [True]),
        ("FLATTEN", [*"FLATTEN", "tab", "enter"], [False]),
        ("FLATTEN", [*"flatten", "enter"], []),
        ("FLATTEN", [*"FLATTE", "enter"], []),
        ("FLATTEN", [*"FLATTENX", "enter"], []),
        ("FLATTEN", ["tab", "enter"], [False]),
        ("FLATTEN", ["space", *"FLATTEN", "enter"], []),
        ("RESUME 1234", [*"RESUME", "space", *"1234", "enter"], [True]),
        ("", ["enter"], [False]),
        ("", ["escape"], [False]),
        ("", ["tab", "enter"], [True]),
        ("", ["right", "enter"], [True]),
    ],
)
async def test_what_counts_as_yes(phrase: str, keys: list[str], expected: list[bool]) -> None:
    app = OneApp()
    async with app.run_test(size=(80, 24)) as pilot:
        answers = await ask(pilot, phrase)
        assert app.focused is not None
        assert app.focused.id == ("confirm-phrase" if phrase else "confirm-no")
        await pilot.press(*keys)
        await pilot.pause()
        assert answers == expected


async def test_the_other_button_opens_only_for_the_exact_phrase() -> None:
    app = OneApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await ask(pilot, "GO")
        button = app.screen.query_one("#confirm-yes")
        states = [button.disabled]
        for keys in (("G",), ("O",), ("backspace",)):
            await pilot.press(*keys)
            states.append(button.disabled)
        assert states == [True, True, False, True]


async def test_keys_typed_into_it_confirm_only_with_enter() -> None:
    app = OneApp()
    async with app.run_test(size=(80, 24)) as pilot:
        answers = await ask(pilot, "GO")
        await pilot.press("G", "O")
        assert answers == []
        await pilot.press("enter")
        assert answers == [True]


async def test_a_wrong_phrase_says_what_is_wanted_and_text_is_literal() -> None:
    app = OneApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await ask(pilot, "GO")
        await pilot.press("N", "enter")
        await pilot.pause()
        shown = "\n".join(lines(app))
        assert "type GO to go on; escape leaves" in shown
        assert LINES[1] in shown
        assert app.actions_run == []
