"""`doctor` asks each venue what can be known before anything trades (P-40 to P-47, C-201).

The servers of the venues are processes beside the program.
"""

import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.console.program import Program
from tests.process.servers import MARK, Server
from tests.venues.serve import VENUES

pytestmark = pytest.mark.slow

Rows = dict[tuple[str, str], dict[str, Any]]
Start = Callable[..., Server]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a venue's server; all of them are ended with the test."""
    servers: list[Server] = []

    def started(name: str, *options: str, **switches: object) -> Server:
        servers.append(Server(name, tmp_path, *options, **switches))
        return servers[-1]

    yield started
    for server in servers:
        server.kill()


def examined(program: Program, *options: str) -> tuple[int, Rows]:
    """The exit code, and the rows by account and check."""
    done = program.run("doctor", "--json", *options)
    assert MARK not in (done.stdout + done.stderr).lower().encode()
    rows = json.loads(done.stdout)["checks"]
    return done.returncode, {(row["account"], row["check"]): row for row in rows}


def configured(folder: Path, *servers: Server, more: str = "") -> Program:
    """A program whose accounts are at these servers; the first one's is the primary."""
    program = Program(folder)
    first, *others = servers
    # a table that states its kind is opened though nothing is routed there
    tables = [
        re.sub(r"(\[brokers\.(\w+)\])", r'\1\nkind = "\2"', one.told["brokers"]) for one in others
    ]
    program.configure("\n".join([first.told["config"] + more, *tables]))
    for server in servers:
        program.environment |= server.told["environment"]
    return program


@pytest.mark.parametrize("name", VENUES)
def test_P44_every_venue_is_asked_what_can_be_known_and_is_told_in_rows(
    tmp_path: Path, start: Start, name: str
) -> None:
    program = configured(tmp_path, start(name))
    code, rows = examined(program)
    found = {check: row["result"] for (account, check), row in rows.items() if account == name}
    assert set(found) == {
        "place", "link", "identity", "rights", "offset", "balances", "symbols",
    }  # fmt: skip
    assert "fail" not in found.values(), rows
    assert code == 0
    assert found["link"] == found["balances"] == "ok"
    canned = name == "coinbase"
    assert found["symbols"] == found["offset"] == ("warn" if canned else "ok")
    assert rows[name, "balances"]["measured"] == "100000"
    # a server on loopback is no venue, and is told as none; of TWS nobody can know
    assert found["place"] == ("ok" if name == "ibkr" else "warn")
    if name == "ibkr":
        assert "that a TWS answers there is not shown" in rows[name, "place"]["text"]
    assert not list((tmp_path / "state").glob("journal*")), "it was looked at, nothing has run"


def test_C201_an_account_of_another_id_is_told_with_both_and_fails(
    tmp_path: Path, start: Start
) -> None:
    program = configured(tmp_path, start("binance"), more='account_id = "17"\n')
    code, rows = examined(program)
    assert code == 1
    assert rows["binance", "link"]["result"] == "fail"
    assert 'account_id = "17"' in rows["binance", "link"]["text"]
    assert "354937868" in rows["binance", "link"]["text"]
    assert ("binance", "balances") not in rows


def test_P47_a_key_that_may_withdraw_is_warned_about_in_a_test_environment(
    tmp_path: Path, start: Start
) -> None:
    program = configured(tmp_path, start("okx", permissions="read_only,withdraw,trade"))
    code, rows = examined(program)
    assert (code, rows["okx", "rights"]["result"]) == (0, "warn")
    assert rows["okx", "rights"]["measured"] == "read_only,withdraw,trade"
    assert rows["okx", "rights"]["allowed"] == "no right to withdraw"


def test_a_venue_whose_clock_is_apart_fails_with_what_was_measured_and_the_limit(
    tmp_path: Path, start: Start
) -> None:
    program = configured(tmp_path, start("binance", clock_offset_ms=60_000))
    code, rows = examined(program)
    row = rows["binance", "offset"]
    assert (code, row["result"], row["allowed"]) == (1, "fail", "5 s either way")
    assert 55_000 < int(row["measured"].removesuffix(" ms")) < 65_000


def test_C502_a_venue_that_is_down_keeps_no_other_from_being_told_and_nothing_hangs(
    tmp_path: Path, start: Start
) -> None:
    here, gone, mute = start("binance"), start("oanda"), start("okx", "--fault", "config=silent")
    program = configured(tmp_path, here, gone, mute)
    gone.kill()
    began = time.monotonic()
    code, rows = examined(program)
    assert time.monotonic() - began < 60
    assert code == 1
    assert rows["binance", "balances"]["result"] == "ok"
    assert rows["oanda", "link"]["result"] == "fail"
    assert "cannot be reached" in rows["oanda", "link"]["text"]
    assert rows["okx", "link"]["result"] == "fail"


def test_an_account_that_is_traded_is_not_asked_beside_its_engine(
    tmp_path: Path, start: Start
) -> None:
    program = configured(tmp_path, start("binance"))
    try:
        program.start()
        code, rows = examined(program)
        assert (code, rows["binance", "link"]["result"]) == (0, "warn")
        assert "was not asked" in rows["binance", "link"]["text"]
        assert ("binance", "balances") not in rows
    finally:
        program.stop()


@pytest.mark.parametrize("name", ["alpaca", "binance", "coinbase", "ibkr", "oanda", "okx"])
def test_C702_with_orders_a_limit_is_placed_and_cancelled_and_gone_in_a_test_environment(
    tmp_path: Path, start: Start, name: str
) -> None:
    server = start(name)
    program = configured(tmp_path, server)
    code, rows = examined(program, "--orders")
    row = rows[name, "orders"]
    assert code == 0, rows
    if name == "coinbase":
        assert row["result"] == "warn"
        assert "takes no orders" in row["text"]
    else:
        assert (row["result"], row["measured"]) == ("ok", "1 of 1, 100 %"), row
        orders = program.rows("orders")
        assert [order["status"] for order in orders] == ["CANCELED"]
        assert orders[0]["filled"] == "0"
    assert server.end() == {"positions": {}, "open_orders": []}


def test_C702_with_orders_a_venue_that_takes_none_fails(tmp_path: Path, start: Start) -> None:
    program = configured(tmp_path, start("binance", "--fault", "submit=status_before"))
    code, rows = examined(program, "--orders")
    assert (code, rows["binance", "orders"]["result"]) == (1, "fail")
