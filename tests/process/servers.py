"""A local venue server as a process beside the program, and what is asked of the program there."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

from console.host.client import Refused
from tests.console.program import PATIENCE, ROOT, Program

MARK: Final = b"canary"
"""What every fake key contains."""

PASSING: Final = ("NO_PRICE", "STALE_QUOTE", "NO_RATE", "NO_ACCOUNT")
"""Why a new process takes no order before the market has spoken."""


class Server:
    """The local server of a venue, whose files lie below `folder`."""

    def __init__(self, name: str, folder: Path, *options: str, **switches: object) -> None:
        """`options` are those of `serve`; `switches` are set on the server, as `may_withdraw`."""
        for switch, value in switches.items():
            options += ("--set", f"{switch}={json.dumps(value)}")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.venues.serve", name, "--walk", *options],
            cwd=ROOT,
            env=os.environ | {"TMPDIR": str(folder)},
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, f"the server of {name} ended"
        self.told: dict[str, Any] = json.loads(line)

    def end(self) -> dict[str, Any]:
        """End it; what its exchange's own books say."""
        self.process.send_signal(signal.SIGTERM)
        said, _ = self.process.communicate(timeout=PATIENCE)
        found: dict[str, Any] = json.loads(said)
        return found

    def hang_up(self) -> None:
        """It listens no more, until `come_back`; its books stay."""
        self.process.send_signal(signal.SIGUSR1)

    def come_back(self) -> None:
        """It listens again where it did."""
        self.process.send_signal(signal.SIGUSR2)

    def kill(self) -> None:
        """End it at once, whatever it does; it may have ended already."""
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


def accounts(program: Program) -> dict[str, str]:
    """The state of each account, by its name."""
    return {row["broker"]: row["state"] for row in program.ask("status")["accounts"]}


def links(program: Program) -> dict[str, str]:
    """The state of each link, by the account's name."""
    return {name: row["state"] for name, row in program.ask("status")["brokers"].items()}


def last(program: Program, symbol: str) -> str:
    """The last price of what is held of a symbol."""
    (row,) = [row for row in program.ask("status")["positions"] if row["symbol"] == symbol]
    return str(row["last"])


def until_ready(program: Program, *names: str) -> None:
    """Wait until these, and no other accounts, take entries."""
    program.wait_for(lambda: accounts(program) == dict.fromkeys(names, "READY"))


def is_priced(program: Program, symbol: str) -> bool:
    """Whether an order for it is not refused for a passing reason; it asks for far too much."""
    try:
        program.ask("order", side="buy", symbol=symbol, quantity="100000000", hold="day")
    except Refused as refused:
        return refused.code not in PASSING
    return True


def is_protected(program: Program, symbol: str) -> bool:
    """Whether what is held of a symbol is covered whole."""
    rows = [row for row in program.ask("status")["positions"] if row["symbol"] == symbol]
    return bool(rows) and rows[0]["protected"] == rows[0]["quantity"]
