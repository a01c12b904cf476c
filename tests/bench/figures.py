"""What a bench says: one row a figure, beside its budget, and the JSON of INTERFACE.md."""

import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec

Direction = Literal["at most", "at least"]


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One figure. `budget` is in `unit`; None is a figure without one, shown for the reader."""

    id: str
    name: str
    value: float
    unit: str
    budget: float | None = None
    direction: Direction = "at most"
    note: str = ""

    @property
    def within(self) -> bool:
        """True where the figure keeps its budget, or has none."""
        if self.budget is None:
            return True
        if math.isnan(self.value):
            return False
        if self.direction == "at most":
            return self.value <= self.budget
        return self.value >= self.budget

    def as_json(self) -> dict[str, Any]:
        """As INTERFACE.md writes it; a figure that could not be had is null."""
        sign = "<=" if self.direction == "at most" else ">="
        budget = "" if self.budget is None else f"{sign} {self.budget:g} {self.unit}".rstrip()
        return {
            "id": self.id,
            "name": self.name,
            "value": None if math.isnan(self.value) else round(self.value, 4),
            "unit": self.unit,
            "budget": budget,
            "within": self.within,
            "note": self.note,
        }


def failed(row_id: str, why: str) -> Row:
    """A figure that could not be had, and why."""
    return Row(id=row_id, name="could not be measured", value=math.nan, unit="", budget=0, note=why)


def quantile(values: Sequence[float], share: float) -> float:
    """The value that `share` of them do not exceed; NaN of none."""
    if not values:
        return math.nan
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]


def p50(values: Sequence[float]) -> float:
    """The middle one."""
    return quantile(values, 0.50)


def p99(values: Sequence[float]) -> float:
    """All but the worst hundredth."""
    return quantile(values, 0.99)


def spread(values: Sequence[float], digits: int = 2) -> str:
    """Median and p99 of a sample, and how large it was, for a note."""
    return f"p50 {p50(values):.{digits}f}, p99 {p99(values):.{digits}f}, n {len(values)}"


_WIDTHS = (5, 62, 9, 8, 16, 5)


def heading() -> str:
    """The first line of the table."""
    words = ("row", "figure", "value", "unit", "budget", "")
    return _line(words)


def line(row: dict[str, Any], *, noisy: bool = False) -> str:
    """One row of the table, its note below it; `noisy` where the machine was too busy for it."""
    value = "-" if row["value"] is None else f"{row['value']:,.4g}"
    if row["value"] is not None and abs(row["value"]) >= 1000:
        value = f"{row['value']:,.0f}"
    mark = ("ok" if row["within"] else "noisy" if noisy else "OVER") if row["budget"] else ""
    text = _line((row["id"], row["name"], value, row["unit"], row["budget"], mark))
    return f"{text}\n      {row['note']}" if row["note"] else text


def _line(words: Sequence[str]) -> str:
    cells = []
    for n, (word, width) in enumerate(zip(words, _WIDTHS, strict=True)):
        cells.append(word.rjust(width) if n == 2 else word.ljust(width))
    return "  ".join(cells).rstrip()


def document(machine: dict[str, Any], rows: Sequence[dict[str, Any]]) -> str:
    """The whole result as JSON."""
    return json.dumps({"machine": machine, "rows": list(rows)}, indent=2) + "\n"


def write(path: Path, machine: dict[str, Any], rows: Sequence[dict[str, Any]]) -> None:
    """Keep the result."""
    path.write_text(document(machine, rows), encoding="utf-8")


def emit(rows: Sequence[Row]) -> None:
    """How a row's own process hands its figures to the bench: one JSON line on stdout."""
    sys.stdout.write(json.dumps([row.as_json() for row in rows]) + "\n")
    sys.stdout.flush()
