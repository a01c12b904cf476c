"""A kill works every account that it can where the library of one is missing (C-502, X-52)."""

import json
from pathlib import Path

import pytest

from tests.console.program import Program
from tests.console.test_real_accounts import without
from tests.process.servers import Server

pytestmark = pytest.mark.slow

FAILED, DONE = 1, 0


def buy(program: Program, symbol: str, quantity: str, protect: str) -> None:
    """Buy, as soon as there is a price, and wait for the stop behind it."""
    asked = ("order", "buy", symbol, quantity, "--protect", protect)
    program.wait_for(lambda: program.run(*asked).returncode == DONE)

    def protected() -> bool:
        rows = program.ask("status")["positions"]
        return [row["protected"] for row in rows if row["symbol"] == symbol] == [quantity]

    program.wait_for(protected)


def test_c502_the_others_are_proved_closed_and_the_missing_library_is_named(
    tmp_path: Path,
) -> None:
    coins, shares = Server("binance", tmp_path), Server("ibkr", tmp_path)
    program = Program(tmp_path)
    try:
        route = '[[routes]]\nsymbol = "AAPL"\nbroker = "ibkr"\n'
        both = coins.told["config"].replace('["BTC-USDT"]', '["BTC-USDT", "AAPL"]')
        program.configure(f"{both}\n{shares.told['brokers']}\n{route}")
        program.environment |= coins.told["environment"]
        program.start()
        buy(program, "BTC-USDT", "0.01", "59000")
        buy(program, "AAPL", "2", "190")
        assert program.engine is not None
        program.engine.kill()
        program.engine.wait()
        done = without("ib_async ib_insync", program, "kill", "--flatten", "all", "--json")
        rows = json.loads(done.stdout)["brokers"]
        assert done.returncode == FAILED
        proved = rows["binance"]
        assert (proved["state"], proved["left"], proved["unknown"]) == ("VERIFIED", [], []), (
            done.stderr + done.stdout
        )
        assert rows["ibkr"]["state"] == "DEGRADED"
        assert rows["ibkr"]["left"] == ["AAPL 2"]  # as the journal knows it
        named = "ibkr needs ib_async or ib_insync, not installed here: pip install '.[ibkr]'"
        assert [line for line in done.stderr.splitlines() if named in line]
        assert "Traceback" not in done.stderr
        # once it is there, the next kill closes the rest
        done = program.run("kill", "--flatten", "all", "--json")
        rows = json.loads(done.stdout)["brokers"]
        assert rows["ibkr"]["state"] == "VERIFIED", done.stdout + done.stderr
        nothing: dict[str, object] = {"positions": {}, "open_orders": []}
        assert (coins.end(), shares.end()) == (nothing, nothing)
    finally:
        program.stop()
        coins.kill()
        shares.kill()
