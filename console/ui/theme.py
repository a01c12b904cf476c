"""Themes as data: read from `themes/*.toml`, checked whole at start, handed to textual.

Every theme names the same colours, so a style sheet may use any of them. What colours mean never
depends on them alone: signs, words and shapes carry it too (NO_COLOR, colour-blind readers).
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import themes

if TYPE_CHECKING:
    from textual.theme import Theme

DEFAULT_THEME: Final = "meridian"
ANSI_THEME: Final = "meridian-ansi"
"""The theme of terminals with 16 colours, where mixed colours would all turn white."""

COLOURS: Final = (
    "primary",
    "secondary",
    "accent",
    "warning",
    "error",
    "success",
    "foreground",
    "background",
    "surface",
    "panel",
)
"""Textual's own colours, by its names."""

MARKS: Final = ("stale", "live", "live-text", "paper", "warn", "muted")
"""Ours: what is old, real money, its text, paper money, a warning, the less important."""

PROFIT_COLOURS: Final = ("green-red", "red-green", "blue-orange")
"""Presets of `console.profit_colours`: the colour of a profit first."""

_SECTIONS: Final = {
    "name": str,
    "dark": bool,
    "ansi": bool,
    "colours": dict,
    "marks": dict,
    "profit_colours": dict,
    "variables": dict,
}
_OPTIONAL: Final = {"ansi", "variables"}
_HEX: Final = re.compile(r"#[0-9a-f]{6}")
_ANSI: Final = re.compile(
    r"ansi_(?:default|(?:bright_)?(?:black|red|green|yellow|blue|magenta|cyan|white))"
)


class ThemeError(Exception):
    """A theme that cannot be used; its text says which file, which key and what is allowed."""


@dataclass(frozen=True, slots=True)
class ThemeFile:
    """One checked theme."""

    name: str
    dark: bool
    ansi: bool
    colours: Mapping[str, str]
    marks: Mapping[str, str]
    profit_colours: Mapping[str, Mapping[str, str]]
    variables: Mapping[str, str]

    def style_variables(self, preset: str) -> dict[str, str]:
        """Every variable of ours for style sheets, with profit and loss as `preset` has them."""
        pair = self.profit_colours[preset]
        return {
            **self.marks,
            "profit": pair["profit"],
            "loss": pair["loss"],
            "up": pair["profit"],
            "down": pair["loss"],
        }

    def to_textual(self, preset: str) -> "Theme":
        """The theme as textual takes it."""
        from textual.theme import Theme

        return Theme(
            name=self.name,
            dark=self.dark,
            ansi=self.ansi,
            variables={**self.variables, **self.style_variables(preset)},
            primary=self.colours["primary"],
            secondary=self.colours["secondary"],
            accent=self.colours["accent"],
            warning=self.colours["warning"],
            error=self.colours["error"],
            success=self.colours["success"],
            foreground=self.colours["foreground"],
            background=self.colours["background"],
            surface=self.colours["surface"],
            panel=self.colours["panel"],
        )


def load_themes(extra: Path | None = None) -> dict[str, ThemeFile]:
    """The built-in themes by name, and those in the folder `extra`, which may replace them.

    Raises `ThemeError` at the first file that is not whole.
    """
    found: dict[str, ThemeFile] = {}
    for folder in (Path(themes.__path__[0]), extra):
        if folder is None or not folder.is_dir():
            continue
        for file in sorted(folder.iterdir(), key=lambda entry: entry.name):
            if file.name.endswith(".toml"):
                theme = read_theme(file)
                found[theme.name] = theme
    return found


def read_theme(file: Path) -> ThemeFile:
    """One theme file, checked."""
    try:
        data = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:  # no text, no TOML, too long or deep
        raise ThemeError(f"theme {file.name}: cannot be read: {error}") from error
    return parse_theme(data, file.name)


def parse_theme(data: Mapping[str, Any], source: str) -> ThemeFile:
    """The theme in `data`; `source` names it in errors."""
    _check_keys(data, required=set(_SECTIONS) - _OPTIONAL, allowed=set(_SECTIONS), where=source)
    for key, value in data.items():
        if not isinstance(value, _SECTIONS[key]):
            kind = {str: "text", bool: "true or false", dict: "a table"}[_SECTIONS[key]]
            raise ThemeError(f"theme {source}: {key} must be {kind}, not {value!r}")
    ansi = data.get("ansi", False)
    presets = data["profit_colours"]
    _check_exact(presets, PROFIT_COLOURS, f"{source}: profit_colours")
    for preset, pair in presets.items():
        where = f"{source}: profit_colours.{preset}"
        if not isinstance(pair, dict):
            raise ThemeError(f"theme {where} must be a table with profit and loss, not {pair!r}")
        _check_colours(pair, ("profit", "loss"), where, ansi=ansi)
    _check_colours(data["colours"], COLOURS, f"{source}: colours", ansi=ansi)
    _check_colours(data["marks"], MARKS, f"{source}: marks", ansi=ansi)
    variables = data.get("variables", {})
    for key, value in variables.items():
        if not isinstance(value, str):
            raise ThemeError(f"theme {source}: variables.{key} must be text, not {value!r}")
    return ThemeFile(
        name=data["name"],
        dark=data["dark"],
        ansi=ansi,
        colours=data["colours"],
        marks=data["marks"],
        profit_colours=presets,
        variables=variables,
    )


def choose_theme(requested: str, *, color_system: str | None, no_color: bool) -> str:
    """The theme to start with: the one asked for, or the ANSI one where only 16 colours are."""
    if no_color or color_system in (None, "standard"):
        return ANSI_THEME
    return requested


def _check_keys(
    data: Mapping[str, Any], *, required: set[str], allowed: set[str], where: str
) -> None:
    if missing := sorted(required - data.keys()):
        raise ThemeError(f"theme {where}: {missing[0]} is missing")
    if unknown := sorted(data.keys() - allowed):
        raise ThemeError(
            f"theme {where}: {unknown[0]} is not known; allowed are {', '.join(sorted(allowed))}"
        )


def _check_exact(data: Mapping[str, Any], names: tuple[str, ...], where: str) -> None:
    _check_keys(data, required=set(names), allowed=set(names), where=where)


def _check_colours(
    data: Mapping[str, Any], names: tuple[str, ...], where: str, *, ansi: bool
) -> None:
    _check_exact(data, names, where)
    pattern, form = (_ANSI, "ansi_NAME") if ansi else (_HEX, "#rrggbb in lower case")
    for name, value in data.items():
        if not (isinstance(value, str) and pattern.fullmatch(value)):
            raise ThemeError(f"theme {where}: {name} must be a colour as {form}, not {value!r}")
