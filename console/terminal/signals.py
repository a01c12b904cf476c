"""What the process does with signals; the same with and without a console.

SIGHUP drops the interface and keeps the engine. SIGTERM and SIGINT stop entries, drain and exit.
SIGTSTP and the background read and write signals are ignored: a stopped process has no protective
stop of its own left.
"""

import asyncio
import signal
from collections.abc import Callable
from typing import Final

IGNORED: Final = (signal.SIGTSTP, signal.SIGTTOU, signal.SIGTTIN)
"""Signals whose default stops the whole process, engine included."""


def install_signals(
    loop: asyncio.AbstractEventLoop,
    *,
    on_hangup: Callable[[], None],
    on_terminate: Callable[[], None],
) -> Callable[[], None]:
    """Handle SIGHUP, SIGTERM and SIGINT on `loop`, ignore `IGNORED`; returns the undoing call.

    Both callbacks run on the loop. Main thread only (`signal.signal`).
    """
    handled = {
        signal.SIGHUP: on_hangup,
        signal.SIGTERM: on_terminate,
        signal.SIGINT: on_terminate,
    }
    before = {number: signal.getsignal(number) for number in (*handled, *IGNORED)}
    for number, callback in handled.items():
        loop.add_signal_handler(number, callback)
    for number in IGNORED:
        signal.signal(number, signal.SIG_IGN)

    def restore() -> None:
        for number in handled:
            loop.remove_signal_handler(number)
        for number, handler in before.items():
            if handler is not None:
                signal.signal(number, handler)

    return restore
