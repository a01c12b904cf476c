"""What an empty pane says: who can fill it now, and nothing before it was looked at."""

import pytest

from console.desk.local import LocalDesk
from console.ui.app import MeridianApp
from console.ui.panes.base import Pane
from engine.domain import commands as ask
from engine.domain.run import Level
from tests.console.hosts import Host, console, drawn, settle, shown

pytestmark = pytest.mark.slow  # each drives a whole screen


async def _said(host: Host) -> str:
    async with console(host, (80, 24)) as (app, pilot):
        told = []
        for key in ("2", "3"):
            await pilot.press(key)
            await drawn(app, pilot)
            told.append(next(row for row in shown(app).splitlines() if "│ no " in row).strip("│ "))
        return "\n".join(told)


async def test_an_active_engine_fills_them_by_signals_and_by_hand() -> None:
    async with Host() as host:
        assert await _said(host) == (
            "no positions; a signal that passes every check opens one\n"
            "no working orders; b buys, s sells, signals order too"
        )


async def test_a_paused_one_by_hand_alone_X81() -> None:
    async with Host() as host:
        await host.engine.command(ask.Pause(by="t"))
        assert await _said(host) == (
            "no positions; PAUSED: only an order of your own opens one\n"
            "no working orders; PAUSED: b buys, s sells, signals order nothing"
        )


async def test_a_halted_one_not_at_all() -> None:
    async with Host() as host:
        await host.engine.command(ask.Kill(by="t", level=Level.HALT, reason="r"))
        assert await _said(host) == (
            "no positions; HALTED: nothing opens one\n"
            "no working orders; HALTED: only what reduces is ordered"
        )


async def test_help_says_whom_a_pause_stops_X81() -> None:
    async with Host() as host, console(host, (120, 40)) as (app, pilot):
        await pilot.press("question_mark")
        await drawn(app, pilot)
        text = " ".join(shown(app).replace("│", " ").split())
        assert "Pause automatic entries, or allow them again; your orders and exits go on" in text


async def test_before_its_first_look_a_pane_says_that_it_is_loading() -> None:
    async with Host() as host:
        app = MeridianApp(LocalDesk(host.engine))
        async with app.run_test(size=(200, 50)) as pilot:
            app.pump.rest(3600)
            for pane in app.main.query(Pane):
                assert pane.table is None or pane.table.row_count == 0
            await settle()
            text = shown(app)
            tables = [pane.table for pane in app.main.query(Pane) if pane.table is not None]
            assert text.count("loading") == len(tables) == 5
            assert "no limit is in force" not in text
            await drawn(app, pilot)
            assert "loading" not in shown(app)
