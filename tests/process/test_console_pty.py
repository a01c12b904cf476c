"""The console through a real pty: the chord works everywhere, and no terminal delays an order."""

import signal
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from storage.latch import FileLatch
from tests.console.program import Program
from tests.process.terminal import Terminal

pytestmark = pytest.mark.slow

SIZES = ((80, 24), (120, 40))
SYMBOLS = ("AAPL", "MSFT")
STALL_SECONDS = 5
ORDERS = 12
FULL = 3_500
"""Unread bytes of a pty that takes no more (its buffer has 4 kB)."""

CONFIG = """
[market]
symbols = ["AAPL", "MSFT"]

[signals]
builtin = ""

[execution]
dedup_window_seconds = 0

[brokers.paper]
fill_probability = "1"
"""

Open = Callable[[int, int], Terminal]


@pytest.fixture
def open_console(tmp_path: Path) -> Iterator[Open]:
    """Opens the console on a terminal of that size, trading."""
    opened: list[Terminal] = []

    def made(columns: int, rows: int) -> Terminal:
        program = Program(tmp_path)
        program.configure(CONFIG)
        terminal = Terminal(program, columns, rows)
        opened.append(terminal)
        terminal.until(lambda text: "PAPER" in text and "ACTIVE" in text, "the banner")
        return terminal

    yield made
    for terminal in opened:
        terminal.close()


def hold(terminal: Terminal) -> None:
    """A day trade with its stop, bought from a second process."""
    ask = terminal.program.ask
    ask("order", side="buy", symbol="AAPL", quantity="10", protect="1")

    def protected() -> bool:
        status = ask("status")
        return bool(status["positions"]) and any(o["status"] == "NEW" for o in status["orders"])

    terminal.wait_for(protected, "a position with its stop")


def run_state(terminal: Terminal) -> str:
    return str(terminal.program.ask("status")["run_state"])


def assert_killed(terminal: Terminal) -> None:
    """Latched twice, flat and proved, and the screen says so."""
    status: dict[str, Any] = {}

    def flat() -> bool:
        status.update(terminal.program.ask("status"))
        return not status["positions"] and not status["orders"]

    terminal.wait_for(flat, "nothing is held, no order works")
    assert status["run_state"] == "HALTED"
    assert status["halt"]["reason"] == "chord pressed twice"
    assert status["halt"]["by"] == "console"
    assert FileLatch(terminal.program.folder).read() is not None
    terminal.until(lambda text: "VERIFIED" in text and "FLAT within scope" in text, "the proof")
    assert "HALTED" in terminal.banner
    assert "PAPER" in terminal.banner


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_X52_kill_works_from_inside_the_tickets_input_field(
    open_console: Open, size: tuple[int, int]
) -> None:
    terminal = open_console(*size)
    hold(terminal)
    terminal.press("b")
    terminal.until(lambda text: "BUY order" in text, "the ticket")
    terminal.press("37")
    terminal.until(lambda text: "BUY 37 " in text, "the quantity that was typed")
    terminal.press("ctrl+k")
    terminal.wait_for(lambda: run_state(terminal) == "HALTED", "the first press halts")
    terminal.until(lambda _: "HALTED" in terminal.banner, "row 0 says so")
    assert "BUY order" in terminal.text, "the ticket stays open"
    assert terminal.program.ask("status")["positions"], "a halt closes nothing"
    terminal.press("ctrl+k", "ctrl+k")
    assert_killed(terminal)


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_X52_kill_works_from_the_palette(open_console: Open, size: tuple[int, int]) -> None:
    terminal = open_console(*size)
    hold(terminal)
    terminal.press("ctrl+p")
    terminal.until(lambda text: "Order ticket, buy side" in text, "the palette")
    terminal.press("halt/kill")
    terminal.until(lambda text: "First press halts" in text, "its row")
    terminal.until(lambda text: "Order ticket, buy side" not in text, "its row alone")
    terminal.press("enter")
    terminal.wait_for(lambda: run_state(terminal) == "HALTED", "choosing it halts")
    terminal.until(lambda _: "HALTED" in terminal.banner, "row 0 says so")
    terminal.press("ctrl+p")
    terminal.until(lambda text: "Order ticket, buy side" in text, "the palette")
    terminal.press("ctrl+k", "ctrl+k")
    assert_killed(terminal)


def event_times(terminal: Terminal, kind: str, keys: set[str]) -> dict[str, int]:
    """When the journal says that this happened to these orders."""
    found = sqlite3.connect(f"file:{terminal.program.folder / 'journal.db'}?mode=ro", uri=True)
    try:
        rows = found.execute(
            "SELECT coalesce(json_extract(data, '$.client_order_id'), "
            "json_extract(data, '$.fill.client_order_id')), time FROM events WHERE type = ?",
            (kind,),
        )
        return {key: at for key, at in rows if key in keys}
    finally:
        found.close()


def stall(terminal: Terminal) -> str:
    """The terminal reads no more, and nothing more fits into the pty; what it shows from now on."""
    terminal.stop_reading()
    asked = 0.0

    def is_full() -> bool:
        nonlocal asked
        if time.monotonic() >= asked:  # of a small window one whole picture may fit
            asked = time.monotonic() + 1.0
            terminal.press("ctrl+l")
        return terminal.unread() >= FULL

    shown = ""

    def is_still() -> bool:
        nonlocal shown
        before, shown = shown, terminal.text
        return shown == before

    terminal.wait_for(is_full, "the pty is full")
    terminal.wait_for(is_still, "what had been read is drawn")
    return shown


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_G11_a_terminal_that_stops_reading_delays_no_order(
    open_console: Open, size: tuple[int, int]
) -> None:
    terminal = open_console(*size)
    ask = terminal.program.ask
    frozen = stall(terminal)
    resumes = time.monotonic() + STALL_SECONDS
    keys: list[str] = []
    bought: Counter[str] = Counter()
    for _ in range(ORDERS):
        # No two of a symbol are the same, or the later would be a repeat.
        symbol, quantity = SYMBOLS[len(keys) % 2], 1 + len(keys) // 2
        asked = ask("order", side="buy", symbol=symbol, quantity=str(quantity))
        (key,) = asked["client_order_ids"]
        terminal.wait_for(lambda key=key: has_filled(terminal, key), f"{key} fills")  # type: ignore[misc]
        keys.append(key)
        bought[symbol] += quantity
        time.sleep(STALL_SECONDS / ORDERS)
    time.sleep(max(resumes - time.monotonic(), 0))
    assert terminal.unread() >= FULL, "all of that happened while nobody read"
    assert terminal.text == frozen
    for kind in ("OrderSent", "OrderAccepted", "OrderFilled"):
        assert set(event_times(terminal, kind, set(keys))) == set(keys), f"{kind} in the stall"
    status = ask("status")
    assert status["run_state"] == "ACTIVE"
    held = {row["symbol"]: row["quantity"] for row in status["positions"]}
    assert held == {symbol: str(quantity) for symbol, quantity in bought.items()}
    terminal.go_on_reading()
    terminal.press("2")
    terminal.until(
        lambda text: all(
            any(symbol in line and held[symbol] in line.split() for line in text.split("\n"))
            for symbol in held
        ),
        "the screen shows what is held now",
    )
    assert "PAPER" in terminal.banner
    assert "ACTIVE" in terminal.banner


def has_filled(terminal: Terminal, key: str) -> bool:
    return bool(event_times(terminal, "OrderFilled", {key}))


def test_G5_the_chord_kills_while_the_terminal_does_not_read(open_console: Open) -> None:
    terminal = open_console(80, 24)
    hold(terminal)
    stall(terminal)
    terminal.press("ctrl+k", "ctrl+k")
    terminal.wait_for(lambda: not terminal.program.ask("status")["positions"], "it is flat")
    assert terminal.unread() >= FULL, "all of that happened while nobody read"
    terminal.go_on_reading()
    assert_killed(terminal)


def test_a_hang_up_leaves_the_engine_trading_headless(open_console: Open) -> None:
    terminal = open_console(120, 40)
    hold(terminal)
    program = terminal.program
    assert program.engine is not None
    terminal.hang_up()
    asked = program.ask("order", side="buy", symbol="MSFT", quantity="1", protect="1")
    (key,) = asked["client_order_ids"]
    program.wait_for(lambda: event_times(terminal, "OrderFilled", {key}))
    program.wait_for(lambda: "the terminal is gone" in log(program))
    status = program.ask("status")
    assert status["running"]
    assert status["run_state"] == "ACTIVE"
    assert {row["symbol"] for row in status["positions"]} == {"AAPL", "MSFT"}
    assert program.engine.poll() is None
    program.send(signal.SIGTERM)
    assert program.ended() == 0
    assert len(program.document("status")["orders"]) == 2, "the stops stay at the venue"


def log(program: Program) -> str:
    return (program.folder / "meridian.log").read_text(encoding="utf-8", errors="replace")
