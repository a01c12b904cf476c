"""What the app does with its terminal, its errors and its loop, without a terminal."""

import asyncio
import logging
import subprocess
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, cast

import pytest
from textual.widgets import Static

from console.terminal.bootstrap import TEXTUAL_SETTINGS, prepare_environment, settle_task_factory
from console.ui.widgets.painted import Painted
from tests.console.helpers import OneApp


class Broken(Static):
    def on_mount(self) -> None:
        api_secret = "hunter2"
        raise RuntimeError("drawn badly " + str(len(api_secret)))


async def test_an_error_is_logged_without_local_variables_and_kept(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    app = OneApp(Broken("x"))
    with caplog.at_level(logging.ERROR), pytest.raises(RuntimeError):
        async with app.run_test():
            pass
    assert isinstance(app.failure, RuntimeError)
    assert app.return_code == 1
    printed = "".join(capfd.readouterr())
    assert "drawn badly 7" in caplog.text
    assert "hunter2" not in caplog.text.replace('api_secret = "hunter2"', "")
    assert printed == ""


async def test_a_lost_terminal_ends_the_app_in_order() -> None:
    app = OneApp()
    async with app.run_test():
        app.terminal_lost()
    assert app.terminal_is_lost
    assert (app.failure, app.return_code) == (None, 0)


async def test_one_task_factory_for_console_and_tests() -> None:
    loop = asyncio.get_running_loop()

    def other(
        running: asyncio.AbstractEventLoop, coro: Coroutine[Any, Any, Any], **options: Any
    ) -> "asyncio.Task[Any]":
        return asyncio.Task(coro, loop=running, **options)

    eager = cast(Any, other)
    loop.set_task_factory(eager)
    async with OneApp().run_test():
        assert loop.get_task_factory() is None
    loop.set_task_factory(eager)
    settle_task_factory(loop)
    assert loop.get_task_factory() is None


def test_the_settings_of_textual_are_in_place_before_it_is_imported(root: Path) -> None:
    code = (
        "from console.terminal.bootstrap import prepare_environment\n"
        "prepare_environment()\n"
        "import textual.constants as c\n"
        "assert c.MAX_FPS == 240, c.MAX_FPS\n"
        "assert c.TEXTUAL_ANIMATIONS == 'none' and not c.SMOOTH_SCROLL\n"
        "prepare_environment()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True)
    assert "came after textual was imported" in done.stderr
    assert "AssertionError" not in done.stderr


def test_a_setting_of_the_users_stays() -> None:
    environ = {"TEXTUAL_FPS": "15"}
    prepare_environment(environ)
    assert environ == {**TEXTUAL_SETTINGS, "TEXTUAL_FPS": "15"}


class Ages(Painted):
    def __init__(self) -> None:
        super().__init__()
        self.painted = 0

    def paint(self) -> None:
        self.painted += 1


async def test_a_painted_widget_joins_the_pump_and_leaves_with_its_screen() -> None:
    pane = Ages()
    app = OneApp(pane)
    async with app.run_test() as pilot:
        await pilot.pause(0.2)
        first = pane.painted
        assert first >= 1
        app.pump.urgent(pane)
        assert pane.painted == first + 1
        await pane.remove()
        app.pump.urgent(pane)
        assert pane.painted == first + 1


async def test_a_hidden_pane_is_painted_when_it_is_shown() -> None:
    pane = Ages()
    app = OneApp(pane)
    async with app.run_test() as pilot:
        await pilot.pause(0.2)
        pane.display = False
        await pilot.pause()
        before = pane.painted
        pane.mark()
        await pilot.pause(0.3)
        assert pane.painted == before
        pane.display = True
        await pilot.pause(0.3)
        assert pane.painted == before + 1


async def test_inline_mode_is_refused() -> None:
    app = OneApp()
    with pytest.raises(ValueError, match="never inline"):
        app._build_driver(headless=False, inline=True, mouse=False, size=None)


async def test_the_clipboard_gets_nothing_without_a_terminal() -> None:
    app = OneApp()
    async with app.run_test():
        app.copy_to_clipboard("AAPL")
        assert app.clipboard == "AAPL"
