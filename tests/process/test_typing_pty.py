"""Keys typed at full speed through a pty, 10,000 quotes a second beside them.

Every field ends as the model of `tests.console.typist` says, in packets of any size, and no letter
of a text is ever a command. `make typing` types 1,000 rows of keys; the suite a few of each field.
"""

import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any, Final

import pytest

from console.host.client import Refused
from engine.domain.money import plain
from tests.bench import tape
from tests.console.program import ROOT, Program
from tests.console.typist import Chooser, Form, Text, filter_line, line, sent, ticket
from tests.process.driver import UNPRICED
from tests.process.terminal import Terminal
from tests.process.venue import Venue

pytestmark = pytest.mark.slow

ROWS: Final = int(os.environ.get("MERIDIAN_TYPING_ROWS", "12"))
"""Rows of keys in all, spread over the fields."""

QUOTES: Final = 10_000
SEED: Final = int(os.environ.get("MERIDIAN_TYPING_SEED", "1"))
KEYS_A_ROW: Final = 40
LARGEST: Final = 24
"""Keys in one packet at most."""

SYMBOLS: Final = ("AAPL", "MSFT", "NVDA", "XOM")
CONFIG: Final = """
[market]
symbols = ["AAPL", "MSFT", "NVDA", "XOM"]

[signals]
builtin = ""

[risk]
price_collar_pct = "1"

[brokers.paper]
address = "{address}"
"""
DONE: Final = (
    "ExitDecided",
    "OrderIntended",
    "CancelRequested",
    "ModifyRequested",
    "Paused",
    "Unpaused",
    "Halted",
    "HaltCleared",
    "StopMoved",
    "TargetMoved",
)
PANES: Final = ("1", "2", "3", "5", "6")


class Desk:
    """The console on a terminal, a position and a resting order under it, and who types."""

    def __init__(self, folder: Path, ends: ExitStack) -> None:
        """`ends` ends what is started here."""
        self.random = Random(SEED)
        self.venue = Venue(folder, dict.fromkeys(SYMBOLS, 100))
        ends.callback(self.venue.stop)
        self.program = Program(folder)
        self.program.configure(CONFIG.format(address=self.venue.path))
        self.terminal = Terminal(self.program, 120, 40, kitty=True)
        ends.callback(self.terminal.close)
        player = self._quotes(folder)
        ends.callback(player.wait, 10)
        assert player.stdin is not None
        ends.callback(player.stdin.close)
        self.terminal.until(lambda text: "ACTIVE" in text, "the banner")
        self._order(symbol="AAPL", quantity="10", side="buy", protect="40")
        self.terminal.wait_for(lambda: self._works(1), "a position with its stop")
        self._order(symbol="XOM", quantity="10", side="buy", limit="30")
        self.terminal.wait_for(lambda: self._works(2), "an order that rests")
        self.type(["z"])
        self.terminal.until(lambda text: text.count("╭") == 1, "one pane")
        self.before = self.done()

    def _quotes(self, folder: Path) -> "subprocess.Popen[bytes]":
        path = folder / "tape"
        tape.write(path, list(SYMBOLS), 60_000, SEED)
        command = [sys.executable, "-m", "tests.bench.player", str(path), str(self.venue.path)]
        player = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE)
        assert player.stdin is not None
        player.stdin.write(f"{QUOTES}\n".encode())
        player.stdin.flush()
        return player

    def _order(self, **asked: str) -> None:
        """Taken once the market has spoken."""

        def taken() -> bool:
            try:
                self.program.ask("order", **asked)
            except Refused as refused:
                if refused.code not in UNPRICED:
                    raise
                return False
            return True

        self.terminal.wait_for(taken, "a price")

    def _works(self, count: int) -> bool:
        orders = self.program.ask("status")["orders"]
        return len([one for one in orders if one["status"] == "NEW"]) == count

    def done(self) -> dict[str, int]:
        """What was done to orders, positions and the run state, counted."""
        path = f"file:{self.program.folder / 'journal.db'}?mode=ro"
        with closing(sqlite3.connect(path, uri=True)) as journal:
            marks = ",".join("?" * len(DONE))
            rows = journal.execute(
                f"SELECT type, count(*) FROM events WHERE type IN ({marks}) GROUP BY type",
                DONE,
            )
            return dict(rows.fetchall())

    # -- typing

    def type(self, keys: list[str]) -> None:
        """All keys at full speed, in packets of random size."""
        rest = list(keys)
        while rest:
            size = self.random.randint(1, LARGEST)
            packet, rest = rest[:size], rest[size:]
            self.terminal.send(b"".join(map(sent, packet)))

    def fill_in(
        self,
        open_with: list[str],
        form: Form,
        last: str,
        shown: Callable[[str], dict[str, str]],
        title: str = "",
    ) -> None:
        """Open, fill in, compare with the model, leave; nothing else may have happened."""
        form.type(self.random, KEYS_A_ROW, last)
        self.type([*open_with, *form.pressed])
        what = f"{title} {form.values} after {form.pressed}"
        self.terminal.until_it_shows(form.values, shown, what)
        self.type(["escape"])
        self.terminal.until(lambda text: not shown(text), f"{title} closes")
        assert self.done() == self.before, what

    def go(self, pane: str) -> None:
        """To a pane, by a key of its own."""
        if f"{pane}▸" not in self.terminal.text:
            self.type([pane])
        self.terminal.until(lambda text: f"{pane}▸" in text, f"pane {pane}")


def filter_text(text: str) -> dict[str, str]:
    """What is typed into the filter of the one pane that shows."""
    lines = text.split("\n")
    frame = next((n for n, row in enumerate(lines) if row.startswith("╰")), 0)
    if not re.search(r" /\S+ +.*─╯", lines[frame]):
        return {}
    return {"text": lines[frame - 1][1:-1].strip()}


def labelled(title: str, *labels: str) -> Callable[[str], dict[str, str]]:
    """The values behind labels in a frame with that title."""

    def shown(text: str) -> dict[str, str]:
        if title not in text:
            return {}
        found: dict[str, str] = {}
        for label in labels:
            row = re.search(rf"[│║] {label:<10} *(<? ?[^\s│║]* ?>?) *│", text, re.IGNORECASE)
            found[label] = "?" if row is None else row.group(1).strip("<> ")
        return found

    return shown


def boxed(title: str) -> Callable[[str], dict[str, str]]:
    """The one line in a box of its own, in a frame with that title."""

    def shown(text: str) -> dict[str, str]:
        if f"─ {title} ─" not in text:
            return {}
        row = re.search(r"│ │ (\S*) +│ │", text)
        return {"": "?" if row is None else row.group(1)}

    return shown


def palette(text: str) -> dict[str, str]:
    """What is typed into the palette."""
    lines = text.split("\n")
    top = next((n for n, row in enumerate(lines) if "▔▔▔" in row), None)
    return {} if top is None else {"": lines[top + 2].strip()}


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with ExitStack() as ends:
        yield Desk(tmp_path, ends)


TICKET: Final = ("symbol", "quantity", "type", "limit", "stop", "protect", "target", "hold", "tif")


def filters(desk: Desk, number: int) -> None:
    desk.go(PANES[number % len(PANES)])
    desk.fill_in(["/"], filter_line(), "text", filter_text, "filter")


def tickets(desk: Desk, number: int) -> None:
    desk.go("2")
    side = "BUY" if number % 2 else "SELL"
    shown = labelled(f"{side} order", *TICKET)
    desk.fill_in([side[0].lower()], ticket("AAPL"), "quantity", shown, side)


def changed_position(desk: Desk, _: int) -> None:
    desk.go("2")
    (held,) = desk.program.ask("status")["positions"]
    texts = {name: Text(price(held[name])) for name in ("stop", "target")}
    form = Form({**texts}, "stop", ("tab", "shift+tab", "up", "down"))
    desk.fill_in(["m"], form, "stop", labelled("Stop and target", "stop", "target"), "change")


def price(value: Any) -> str:
    return "" if value is None else plain(Decimal(value))


def changed_order(desk: Desk, _: int) -> None:
    desk.go("3")
    # the newest order is on top, once it is there
    desk.terminal.until(lambda text: re.search(r"\d\d:\d\d:\d\d XOM", text) is not None, "the row")
    desk.type(["home"])
    desk.terminal.until(
        lambda text: re.search(r"│▸\d\d:\d\d:\d\d XOM", text) is not None, "its row"
    )
    form = Form(
        {
            "quantity": Text("10"),
            "limit": Text("30"),
            "tif": Chooser(("GTC", "DAY", "IOC", "FOK")),
        },
        "quantity",
        ("tab", "shift+tab", "up", "down"),
    )
    shown = labelled("Change an order", "quantity", "limit", "tif")
    desk.fill_in(["m"], form, "quantity", shown, "change")


def phrases(desk: Desk, _: int) -> None:
    desk.fill_in(["F"], line(), "", boxed("Flatten everything"), "flatten")


def palettes(desk: Desk, _: int) -> None:
    desk.fill_in(["\x10"], line(), "", palette, "palette")


def halts(desk: Desk, _: int) -> None:
    desk.fill_in(["h"], line(), "", boxed("Halt"), "halt")


FIELDS: Final = (filters, tickets, changed_position, changed_order, phrases, palettes)


def test_every_key_of_every_field_is_taken_in_the_order_in_which_it_was_typed(desk: Desk) -> None:
    for number in range(ROWS):
        FIELDS[number % len(FIELDS)](desk, number // len(FIELDS))
    # the line that a halt is cleared in is there only while something is halted
    desk.type(["\x0b"])
    desk.terminal.until(lambda text: "HALTED" in text.split("\n")[0], "the halt")
    desk.terminal.wait_for(lambda: "CancelRequested" in desk.done(), "the entry is cancelled")
    desk.before = desk.done()
    for number in range(max(ROWS // 12, 1)):
        halts(desk, number)


def test_text_that_arrives_at_once_is_no_command(desk: Desk) -> None:
    """`/xom` in one packet ran `x`; so would `xom`, or a chat message in the wrong window."""
    desk.go("2")
    for text in ("xx", "xom", "2x", "x2", "c C", "3cC1", "pp", "p.", "/xom\r", "xp"):
        desk.terminal.send(text.encode())
        desk.terminal.send(b"\x1b[200~xcCp\x1b[201~")
        desk.type(["escape", "?"])
        desk.terminal.until(lambda text: "─ Help" in text, "help")
        desk.type(["escape"])
        desk.terminal.until(lambda text: "─ Help" not in text, "no help")
    assert desk.done() == desk.before


def test_the_chord_works_within_a_packet_X52(desk: Desk) -> None:
    desk.go("2")
    desk.terminal.send(b"b12\x0b34")
    desk.terminal.until(lambda text: "HALTED" in text.split("\n")[0], "the halt")
    desk.terminal.until(lambda text: re.search(r"Quantity +1234 ", text) is not None, "the rest")


def test_a_key_of_its_own_still_closes_at_once(desk: Desk) -> None:
    desk.terminal.until(lambda text: "2▸" in text, "Positions")
    desk.terminal.send(b"x")
    desk.terminal.wait_for(lambda: not desk.program.ask("status")["positions"], "it is closed")
