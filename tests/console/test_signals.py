"""Signals of the whole process, with and without a console."""

import asyncio
import os
import signal

import pytest

from console.terminal.signals import IGNORED, install_signals


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (signal.SIGHUP, "hang up"),
        (signal.SIGTERM, "terminate"),
        (signal.SIGINT, "terminate"),
    ],
)
async def test_each_signal_calls_back_on_the_loop(number: signal.Signals, expected: str) -> None:
    heard: asyncio.Queue[str] = asyncio.Queue()
    restore = install_signals(
        asyncio.get_running_loop(),
        on_hangup=lambda: heard.put_nowait("hang up"),
        on_terminate=lambda: heard.put_nowait("terminate"),
    )
    try:
        os.kill(os.getpid(), number)
        assert await heard.get() == expected
    finally:
        restore()


async def test_stop_signals_are_ignored_and_everything_is_put_back() -> None:
    numbers = (signal.SIGHUP, signal.SIGTERM, signal.SIGINT, *IGNORED)
    before = [signal.getsignal(n) for n in numbers]
    restore = install_signals(
        asyncio.get_running_loop(), on_hangup=lambda: None, on_terminate=lambda: None
    )
    assert [signal.getsignal(n) for n in IGNORED] == [signal.SIG_IGN] * len(IGNORED)
    for number in IGNORED:
        os.kill(os.getpid(), number)
    restore()
    assert [signal.getsignal(n) for n in numbers] == before
