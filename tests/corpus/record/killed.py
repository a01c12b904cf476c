"""Make the state folders of a 0.1.0 engine that was killed inside a close.

python -m tests.corpus.record.killed FOLDER
"""

import io
import json
import signal
import sqlite3
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

from console.client import Refused
from tests.console.program import Program

SYMBOL = "AAPL"
KEPT = ("journal.db", "journal.db-wal", "paper.db", "paper.db-wal")
CONFIG = """
[market]
symbols = ["AAPL"]

[signals]
builtin = ""
"""


def query(path: Path, sql: str, *values: Any) -> list[Any]:
    """A read beside whoever writes the file."""
    reader = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        return reader.execute(sql, values).fetchall()
    finally:
        reader.close()


def record(target: Path, name: str) -> None:
    """One folder; the close is `filled`, `working` or `lost` when the engine dies."""
    with tempfile.TemporaryDirectory() as folder:
        program = Program(Path(folder))
        program.configure(CONFIG)
        state = program.folder
        try:
            program.start(module=("-m", "tests.corpus.record.stalling"))
            program.wait_for(lambda: bought(program))
            program.wait_for(lambda: is_protected(program))
            known = set(query(state / "paper.db", "SELECT client_order_id FROM orders"))
            (state / "stall").write_text(name, encoding="utf-8")
            program.ask("close", symbol=SYMBOL)
            program.wait_for(lambda: stands(state / "paper.db", known, name))
            program.send(signal.SIGKILL)
            program.ended()
        finally:
            program.stop()
        pack(state, target / f"killed-in-a-close-{name}.tar.gz", known)


def bought(program: Program) -> bool:
    """Whether the entry was taken; a new process has no price until the market speaks."""
    try:
        program.ask("order", side="buy", symbol=SYMBOL, quantity="10", protect="150")
    except Refused:
        return False
    return True


def is_protected(program: Program) -> bool:
    """Whether it is held, and its stop rests."""
    status = program.ask("status")
    orders = [(order["purpose"], order["status"]) for order in status["orders"]]
    return bool(status["positions"]) and orders == [("PROTECT", "NEW")]


def stands(book: Path, known: set[Any], name: str) -> bool:
    """Whether the close stands where it should."""
    new = [
        (key, working)
        for key, working in query(book, "SELECT client_order_id, working FROM orders")
        if (key,) not in known
    ]
    held = query(book, "SELECT count(*) FROM holdings") == [(1,)]
    return {
        "filled": len(new) == 1 and not held,
        "working": len(new) == 1 and new[0][1] == 1 and held,
        "lost": not new and held,
    }[name]


def pack(state: Path, target: Path, known: set[Any]) -> None:
    """The folder as it lay there, and beside it what the test must find."""
    position = query(
        state / "journal.db",
        "SELECT position_id, held FROM trade_executions WHERE status = 'open'",
    )
    assert len(position) == 1, position
    assert not query(state / "journal.db", "SELECT 1 FROM events WHERE type = 'ExitPlanned'")
    facts = {"symbol": SYMBOL, "position_id": position[0][0], "held": position[0][1]}
    with tarfile.open(target, "w:gz", compresslevel=9) as packed:
        for name in KEPT:
            if (state / name).exists():
                add(packed, name, (state / name).read_bytes())
        add(packed, "facts.json", json.dumps(facts).encode())
    print(target.name, facts, target.stat().st_size)  # its log


def add(packed: tarfile.TarFile, name: str, data: bytes) -> None:
    """A file of nobody's, with the time of nothing."""
    about = tarfile.TarInfo(name)
    about.size = len(data)
    about.mode = 0o600
    packed.addfile(about, io.BytesIO(data))


if __name__ == "__main__":
    for stage in ("filled", "working", "lost"):
        record(Path(sys.argv[1]), stage)
