"""Themes are whole, legible, and refused with one sentence where they are not."""

import copy
import re
import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from textual.color import Color

from console.ui.theme import (
    ANSI_THEME,
    DEFAULT_THEME,
    PROFIT_COLOURS,
    ThemeError,
    choose_theme,
    load_themes,
    parse_theme,
)
from tests.console.helpers import OneApp

THEMES = load_themes()
LEGIBLE = 4.5


def luminance(colour: Color) -> float:
    """Relative luminance (WCAG 2.1)."""
    parts = [c / 255 for c in colour.rgb]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: Color, other: Color) -> float:
    """Contrast ratio of two colours (WCAG 2.1), 1 to 21."""
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def data() -> dict[str, Any]:
    return copy.deepcopy(tomllib.loads((files("themes") / "meridian.toml").read_text("utf-8")))


def test_four_themes_are_built_in() -> None:
    assert sorted(THEMES) == ["meridian", "meridian-ansi", "meridian-cvd", "meridian-light"]
    assert DEFAULT_THEME in THEMES
    assert THEMES[ANSI_THEME].ansi


@pytest.mark.parametrize("theme", [t for t in THEMES.values() if not t.ansi], ids=lambda t: t.name)
def test_every_colour_that_carries_text_is_legible(theme: Any) -> None:
    back = Color.parse(theme.colours["background"])
    texts = {**theme.marks, **{p: v["profit"] for p, v in theme.profit_colours.items()}}
    texts |= {f"{p} loss": v["loss"] for p, v in theme.profit_colours.items()}
    del texts["live"], texts["live-text"]
    for name, value in texts.items():
        assert contrast(back, Color.parse(value)) >= LEGIBLE, name
    live = Color.parse(theme.marks["live"])
    assert contrast(live, Color.parse(theme.marks["live-text"])) >= LEGIBLE


@pytest.mark.parametrize("preset", PROFIT_COLOURS)
def test_the_presets_say_which_colour_a_profit_has(preset: str) -> None:
    first = {"green-red": "green", "red-green": "red", "blue-orange": "bright_blue"}[preset]
    variables = THEMES[ANSI_THEME].style_variables(preset)
    assert variables["profit"] == variables["up"] == f"ansi_{first}"
    assert variables["loss"] == variables["down"] != variables["profit"]


@pytest.mark.parametrize("preset", PROFIT_COLOURS)
def test_the_theme_for_colour_blind_readers_has_no_red_and_green_pair(preset: str) -> None:
    variables = THEMES["meridian-cvd"].style_variables(preset)
    assert {variables["profit"], variables["loss"]} == {"#5ab4ff", "#ff9e3d"}


def change(path: str, value: Any) -> dict[str, Any]:
    changed = data()
    *folders, last = path.split("/")
    at = changed
    for folder in folders:
        at = at[folder]
    if value is None:
        del at[last]
    else:
        at[last] = value
    return changed


@pytest.mark.parametrize(
    ("path", "value", "sentence"),
    [
        ("name", None, "theme x.toml: name is missing"),
        ("nmae", "x", "theme x.toml: nmae is not known; allowed are ansi, colours"),
        ("dark", "yes", "theme x.toml: dark must be true or false, not 'yes'"),
        ("colours/panel", None, "theme x.toml: colours: panel is missing"),
        ("colours/pannel", "#000000", "theme x.toml: colours: pannel is not known"),
        ("marks/stale", "grey", "theme x.toml: marks: stale must be a colour as #rrggbb"),
        ("marks/live", "ansi_red", "marks: live must be a colour as #rrggbb"),
        ("profit_colours/green-red", None, "profit_colours: green-red is missing"),
        ("profit_colours/green-red", 3, "profit_colours.green-red must be a table"),
        ("profit_colours/red-green/loss", None, "profit_colours.red-green: loss is missing"),
        ("variables/border", 3, "variables.border must be text, not 3"),
    ],
)
def test_a_theme_that_is_not_whole_is_refused_in_one_sentence(
    path: str, value: Any, sentence: str
) -> None:
    with pytest.raises(ThemeError, match=re.escape(sentence)) as refused:
        parse_theme(change(path, value), "x.toml")
    assert "\n" not in str(refused.value)


def test_a_file_that_is_no_toml_is_named(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text("name = ")
    with pytest.raises(ThemeError, match=r"theme mine\.toml: cannot be read"):
        load_themes(tmp_path)


def test_a_folder_of_the_users_adds_and_replaces(tmp_path: Path) -> None:
    text = (files("themes") / "meridian.toml").read_text("utf-8")
    (tmp_path / "a.toml").write_text(text.replace('name = "meridian"', 'name = "mine"'))
    (tmp_path / "b.toml").write_text(text.replace("#0b0e14", "#000000"))
    themes = load_themes(tmp_path)
    assert themes["mine"].colours == THEMES["meridian"].colours
    assert themes["meridian"].colours["background"] == "#000000"


@pytest.mark.parametrize(
    ("color_system", "no_color", "expected"),
    [
        ("truecolor", False, "meridian-light"),
        ("256", False, "meridian-light"),
        ("standard", False, ANSI_THEME),
        (None, False, ANSI_THEME),
        ("truecolor", True, ANSI_THEME),
    ],
)
def test_sixteen_colours_and_no_colour_choose_the_ansi_theme(
    color_system: str | None, no_color: bool, expected: str
) -> None:
    chosen = choose_theme("meridian-light", color_system=color_system, no_color=no_color)
    assert chosen == expected


@pytest.mark.parametrize("name", sorted(THEMES))
async def test_every_theme_draws_live(name: str) -> None:
    app = OneApp(mode="live")
    async with app.run_test(size=(80, 24)) as pilot:
        app.theme = name
        await pilot.pause()
        first = next(iter(app.screen._compositor.render_strips()[0]))
        assert first.text.startswith("█ LIVE")
        assert first.style is not None
        assert first.style.bgcolor is not None
        assert not first.style.bgcolor.is_default


async def test_without_colour_the_mark_of_real_money_is_reversed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    app = OneApp(mode="live")
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        assert app.theme == ANSI_THEME
        strips = app.screen._compositor.render_strips()
        styles = [s.style for strip in strips for s in strip if s.style is not None]
        assert all(s.color is None or s.color.is_default for s in styles)
        assert all(s.bgcolor is None or s.bgcolor.is_default for s in styles)
        mark = next(iter(strips[0])).style
        assert mark is not None
        assert mark.reverse
