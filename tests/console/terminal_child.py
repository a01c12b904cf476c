"""A process with an engine's heartbeat and a console on its terminal, for tests on real ptys.

It reports on a pipe, one JSON object a line: its heartbeat (`tick` and what it sees of the console)
every 20 ms for as long as the process lives, and `{"screen": [...]}` on the key `d`.
"""

import asyncio
import fcntl
import json
import os
import signal
import sys
import termios
import time
from typing import Any

from console.terminal.bootstrap import prepare_environment

prepare_environment()

from textual import events  # noqa: E402 - after the environment is set
from textual.app import ComposeResult  # noqa: E402

from console.terminal.signals import install_signals  # noqa: E402
from console.ui.screens.base import MeridianScreen  # noqa: E402
from console.ui.terminal_app import TerminalApp  # noqa: E402
from console.ui.widgets.live_table import LiveTable  # noqa: E402
from console.ui.widgets.rows import Column  # noqa: E402


def become_a_job() -> None:
    """Stand where a command stands under a shell: a job in the foreground of the shell's terminal.

    The shell is the leader of the session, so a hang-up sends SIGHUP to both, and a stop signal
    really stops (it never does in a process group that has no shell).
    """
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    child = os.fork()
    if child:
        signal.signal(signal.SIGTTOU, signal.SIG_IGN)
        os.setpgid(child, child)
        os.tcsetpgrp(0, child)
        os.waitpid(child, 0)
        os._exit(0)
    while os.tcgetpgrp(0) != os.getpid():
        time.sleep(0.001)


become_a_job()

REPORT = int(sys.argv[1])
ROWS = 18


def report(**what: Any) -> None:
    os.write(REPORT, (json.dumps(what) + "\n").encode())


class ChildScreen(MeridianScreen[None]):
    def body(self) -> ComposeResult:
        yield LiveTable([Column("a", "A", 10), Column("b", "B", 30), Column("c", "C", 30)])


class ChildApp(TerminalApp[None]):
    def __init__(self) -> None:
        super().__init__()
        self.keys: list[str] = []
        self.moving = True
        self.round = 0

    def get_default_screen(self) -> ChildScreen:
        return ChildScreen()

    def on_mount(self) -> None:
        self.set_interval(0.02, self.move)

    def move(self) -> None:
        if self.moving:
            self.round += 1
            table = self.screen.query_one(LiveTable)
            for row in range(ROWS):
                table.upsert(
                    row, [f"row {row}", f"{self.round * 7919 + row}", "x" * (self.round % 29)]
                )

    def on_key(self, event: events.Key) -> None:
        self.keys.append(event.key)
        if event.key == "f":
            self.moving = False
        elif event.key == "d":
            strips = self.screen._compositor.render_strips()
            report(screen=[strip.text for strip in strips])

    def on_paste(self, event: events.Paste) -> None:
        self.keys.append(f"paste:{event.text}")


async def main() -> None:
    app = ChildApp()
    done = asyncio.Event()
    state = {"ui": "running"}

    def hang_up() -> None:
        app.terminal_lost()

    install_signals(asyncio.get_running_loop(), on_hangup=hang_up, on_terminate=done.set)

    async def heartbeat() -> None:
        tick = 0
        while not done.is_set():
            tick += 1
            stats = app.terminal.stats() if app.terminal is not None else None
            report(
                tick=tick,
                pid=os.getpid(),
                frames=stats.frames_written if stats else 0,
                dropped=stats.frames_dropped if stats else 0,
                slow=app.terminal.link_is_slow() if app.terminal is not None else False,
                ui=state["ui"],
                lost=app.terminal_is_lost,
                keys=app.keys,
            )
            await asyncio.sleep(0.02)

    engine = asyncio.create_task(heartbeat())
    await app.run_async()
    state["ui"] = "ended"
    await engine
    report(ended=True, failure=repr(app.failure))


asyncio.run(main())
