"""Numbers of one name are of one moment, wherever they stand on the screen."""

import re
from decimal import Decimal

import pytest

from console.desk.local import LocalDesk
from console.ui.app import MeridianApp
from console.ui.panes.base import Pane
from console.ui.pump import PumpedPane
from console.ui.widgets.strips import RiskStrip
from tests.console.hosts import Host, console, drawn, morning, settle, shown

pytestmark = pytest.mark.slow  # each drives a whole screen

NARROW = [(60, 20), (80, 24)]


def _number(text: str, pattern: str) -> Decimal:
    found = re.search(pattern, text)
    assert found is not None, pattern
    return Decimal(found[1].replace(",", ""))


def _of_one_moment(app: MeridianApp, *, wide: bool) -> Decimal:
    """The profit of the day as row 0 shows it, after all that must agree did."""
    text = shown(app)
    first, rest = text.split("\n", 1)
    day = _number(first, r"day ([+-][\d.,]+)")
    if wide:
        assert _number(rest, r" day ([+-][\d.,]+)  unreal") == day
        equity = _number(rest, r"equity ([\d.,]+)")
        assert abs(_number(first, r"eq ([\d.,]+)") - equity) <= Decimal("0.5"), "without cents"
        assert _number(rest, r"unreal ([+-][\d.,]+)") == _number(rest, r"uPnL ([+-][\d.,]+)")
    else:
        whole = _number(rest, r"\)  uPnL ([+-][\d.,]+)")
        assert _number(rest, r"net \S+  uPnL ([+-][\d.,]+)") == round(whole)
    return day


@pytest.mark.parametrize(
    ("name", "size"),
    [
        *((name, size) for name in ("header", "positions", "strip") for size in NARROW),
        *((name, (120, 40)) for name in ("header", "positions", "risk")),
    ],
)
async def test_whichever_is_painted_first_brings_the_others_with_it(
    name: str, size: tuple[int, int]
) -> None:
    wide = size[0] >= 100
    async with Host() as host:
        await morning(host)
        async with console(host, size) as (app, pilot):
            before = _of_one_moment(app, wide=wide)
            # from here on nothing is painted by itself
            for entry in app.pump._entries.values():
                entry.every, entry.dirty = None, False
            host.price("NVDA", "137.77")
            await settle()
            panes: dict[str, PumpedPane] = {
                "header": app.header,
                "positions": app.main.pane(2),
                "risk": app.main.pane(5),
                "strip": app.main.query_one(RiskStrip),
            }
            panes[name].paint()
            await pilot.pause()
            assert _of_one_moment(app, wide=wide) > before


async def test_the_title_of_signals_counts_the_rows_below_it() -> None:
    async with Host() as host, console(host, (120, 40)) as (app, pilot):
        assert "1 Signals (0)" in shown(app)
        await morning(host)
        assert isinstance(app.desk, LocalDesk)
        app.desk.replica.forget_counts()  # as at the start, for what happened before it
        await drawn(app, pilot)
        table = app.main.pane(1).table
        assert table is not None
        assert table.row_count == 7
        assert "1 Signals (7)" in shown(app)
        assert "new here: 0 signals" in shown(app)


async def test_a_price_before_the_panes_are_there_or_after_they_went_ends_nothing() -> None:
    async with Host() as host:
        await morning(host)
        async with console(host, (60, 20)) as (app, pilot):
            await app.main.query(Pane).remove()
            host.price("NVDA", "137.77")
            await settle()
            app._look_at_market()
            await pilot.pause()
            assert app.failure is None
