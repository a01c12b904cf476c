"""The program with an account by ccxt, its server a process beside it (X-51)."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.console.program import Program
from tests.process.servers import MARK, Server

pytestmark = pytest.mark.slow


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    started = Server("binance", tmp_path)
    yield started
    started.kill()


def test_the_doctor_places_and_cancels_an_order_by_ccxt_and_leaves_nothing(
    tmp_path: Path, server: Server
) -> None:
    program, told = Program(tmp_path), server.told
    before, _ = told["config"].split("[brokers.")
    program.configure(
        before.replace('"binance"', '"ccxt"')
        + f'[brokers.ccxt]\nexchange = "binanceus"\nrest_url = "http://127.0.0.1:{told["port"]}"\n'
    )
    keys = told["environment"]
    program.environment |= {
        "CCXT_API_KEY": keys["BINANCE_API_KEY"],
        "CCXT_SECRET_KEY": keys["BINANCE_SECRET_KEY"],
    }
    done = program.run("doctor", "--json", "--orders")
    assert MARK not in (done.stdout + done.stderr).lower().encode()
    rows = {row["check"]: row for row in json.loads(done.stdout)["checks"]}
    assert done.returncode == 0, rows
    assert "experimental" in rows["broker"]["text"]
    assert rows["balances"]["measured"] == "100000"
    assert (rows["orders"]["result"], rows["orders"]["measured"]) == ("ok", "1 of 1, 100 %")
    assert server.end() == {"positions": {}, "open_orders": []}
