"""`connect NAME` as a new user meets it: on a terminal, beside a local server of the venue (U-72).

The keys are marked fakes; no file, no answer and nothing on the terminal may hold one of them.
"""

import signal
import tomllib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from tests.console.program import Program
from tests.process import sealed_keyring
from tests.process.servers import Server
from tests.process.test_venues import Seen
from tests.process.typist_pty import Person
from tests.venues.serve import VENUES

pytestmark = pytest.mark.slow

NOBODY = "# my notes stay\n"
WANTED = {"coinbase": 0, "ibkr": 0}
"""Venues whose test environment wants no key."""

RIGHTS = {"okx": "read_only,trade"}
"""What the key may do, in the words of a venue that says so."""

PRIMARY: dict[str, dict[str, Any]] = {
    "alpaca": {"account_id": "PA3TEST", "symbols": ["AAPL"], "currency": None},
    "ibkr": {"account_id": "DU1234567", "symbols": ["AAPL"], "currency": None},
    "binance": {"account_id": "354937868", "symbols": ["BTC-USDT"], "currency": "USDT"},
    "coinbase": {
        "account_id": "5f2b7f3e111142228333944444444444",
        "symbols": ["BTC-USD"],
        "currency": None,
    },
    "okx": {"account_id": "44705892343619584", "symbols": ["BTC-USDT"], "currency": "USDT"},
    "oanda": {"account_id": "101-001-1234567-001", "symbols": ["EUR_USD"], "currency": None},
}


class Place:
    """A state folder, a config, a keyring, and perhaps a venue."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.program = Program(folder)
        self.seen = Seen(folder)
        self.people: list[Person] = []
        self.servers: list[Server] = []
        self.with_keyring()

    @property
    def config(self) -> str:
        return Path(self.program.environment["MERIDIAN_CONFIG"]).read_text(encoding="utf-8")

    @property
    def keyring(self) -> dict[str, str]:
        found = sealed_keyring.content(self.folder / "keyring")
        return {name.removeprefix("meridian-tui/"): value for name, value in found.items()}

    def with_keyring(self, backend: str = sealed_keyring.BACKEND) -> None:
        self.program.environment |= {
            "PYTHON_KEYRING_BACKEND": backend,
            sealed_keyring.FILE: str(self.folder / "keyring"),
        }

    def without_keyring(self) -> None:
        self.with_keyring("keyring.backends.fail.Keyring")

    def serve(self, name: str) -> Server:
        """A local server of the venue, and a config that says where it is."""
        server = Server(name, self.folder)
        self.servers.append(server)
        self.program.configure(NOBODY + server.told["brokers"])
        return server

    def person(self, *arguments: str) -> Person:
        self.people.append(Person(self.program, *arguments))
        return self.people[-1]

    def shows_no_key(self) -> None:
        self.seen.outputs += [person.shown for person in self.people]
        assert self.seen.marked() == []

    def close(self) -> None:
        for person in self.people:
            person.close()
        self.program.stop()
        for server in self.servers:
            server.kill()


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path)
    for environment in (venue.environment for venue in VENUES.values()):
        for name in environment:
            made.program.environment.pop(name, None)
    yield made
    made.close()


def typed(person: Person, keys: dict[str, str], end: str = "") -> Person:
    for variable, key in keys.items():
        person.types_unseen(variable, key + end)
    return person


@pytest.mark.parametrize("name", VENUES)
def test_U72_an_account_is_set_up_from_its_keys_to_its_config(place: Place, name: str) -> None:
    server, wanted = place.serve(name), PRIMARY[name]
    keys = {} if name in WANTED else server.told["environment"]
    person = place.person("connect", name)
    if name == "ibkr":
        person.answers("account_id, ", "DU1234567")
    typed(person, keys).sees(f"Account {wanted['account_id']}, in ")
    if name in RIGHTS:
        person.sees(f"the key may: {RIGHTS[name]}")
    person.sees("its " if name != "coinbase" else "it ")
    if keys:
        person.answers("Keep what was typed in this system's keyring?", "y")
    person.answers("Symbols to watch there", wanted["symbols"][0])
    person.sees("This goes into").answers("Write it?", "")
    code = person.sees("broker  ").ended()
    assert code == 0, person.shown
    assert place.keyring == keys
    tree = tomllib.loads(place.config)
    assert place.config.startswith(NOBODY)
    assert tree["account"] == {"primary": name} | (
        {"currency": wanted["currency"]} if wanted["currency"] else {}
    )
    assert tree["market"] == {"source": "broker", "symbols": wanted["symbols"]}
    assert tree["brokers"][name]["account_id"] == wanted["account_id"]
    assert "routes" not in tree
    again = place.seen.run(place.program, "doctor")
    assert again.returncode == 0, again.stdout
    place.shows_no_key()


def test_U72_what_was_set_up_trades(place: Place) -> None:
    server = place.serve("okx")
    person = typed(place.person("connect", "okx"), server.told["environment"])
    person.answers("keyring?", "y").answers("Symbols", "BTC-USDT").answers("Write it?", "y")
    assert person.ended() == 0
    engine = place.program.start()
    engine.wait_for(lambda: [a["state"] for a in engine.ask("status")["accounts"]] == ["READY"])
    for beside in (("connect", "okx"), ("doctor", "--record", str(place.folder / "kept"))):
        done = place.seen.run(place.program, *beside)
        assert done.returncode == 5
        assert "trades the account okx now" in done.stderr
    place.shows_no_key()


def test_U72_what_the_doctor_finds_bad_comes_before_a_start(place: Place) -> None:
    """The account is kept in USDT, for which a file of an earlier account tells a rate."""
    server = place.serve("okx")
    rates = place.folder / "rates.csv"
    rates.write_text("currency,rate,date\nUSDT,1,2026-11-30\n", encoding="utf-8")
    place.program.configure(
        f'[account]\ncurrency = "USDT"\n\n[data]\nrates = "{rates}"\n\n{server.told["brokers"]}'
    )
    person = typed(place.person("connect", "okx"), server.told["environment"])
    person.answers("keyring?", "y").answers("Symbols", "BTC-USDT").answers("Write it?", "y")
    person.sees("currency is USDT, which is the base currency")
    person.sees("What is BAD above comes first")
    assert person.ended() == 1
    assert "starts it" not in person.shown
    place.shows_no_key()


def test_U72_without_a_keyring_the_variables_are_named(place: Place) -> None:
    server = place.serve("alpaca")
    place.without_keyring()
    person = typed(place.person("connect", "alpaca"), server.told["environment"])
    person.sees("The keys cannot be kept here: this system has no keyring.")
    person.answers("Symbols", "").answers("Write it?", "y")
    person.sees("Before each start set ALPACA_API_KEY and ALPACA_SECRET_KEY in the environment.")
    assert person.ended() == 0
    assert 'primary = "alpaca"' in place.config
    place.shows_no_key()


def test_U72_whoever_does_not_want_the_keyring_has_nothing_in_it(place: Place) -> None:
    server = place.serve("oanda")
    person = typed(place.person("connect", "oanda"), server.told["environment"])
    person.answers("keyring?", "n").answers("Symbols", "").answers("Write it?", "y")
    person.sees("Before each start set OANDA_API_TOKEN in the environment.")
    assert (person.ended(), place.keyring) == (0, {})
    place.shows_no_key()


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("alpaca", "Paper and live have different keys"),
        ("binance", "those of the test network"),
        ("okx", "A key works only in the region"),
        ("oanda", "Practice and live have different tokens"),
    ],
)
def test_U72_keys_that_are_refused_are_told_and_others_may_be_tried(
    place: Place, name: str, hint: str
) -> None:
    server = place.serve(name)
    before = place.config
    person = typed(place.person("connect", name), server.told["environment"], "-wrong")
    person.sees("did not let us in: ").sees(hint).answers("Try other keys?", "y")
    typed(person, server.told["environment"], "-wrong").answers("Try other keys?", "n")
    person.sees("Nothing was kept or written.")
    assert (person.ended(), place.config, place.keyring) == (1, before, {})
    assert "Traceback" not in person.shown
    place.shows_no_key()


def test_U72_the_second_try_may_be_the_right_one(place: Place) -> None:
    server = place.serve("oanda")
    keys = server.told["environment"]
    person = typed(place.person("connect", "oanda"), keys, "-wrong").answers("other keys?", "y")
    typed(person, keys).answers("keyring?", "y").answers("Symbols", "").answers("Write it?", "y")
    assert (person.ended(), place.keyring) == (0, keys)


def test_U72_a_key_of_the_environment_is_not_asked_for_and_not_kept(place: Place) -> None:
    server = place.serve("oanda")
    place.program.environment |= server.told["environment"]
    person = place.person("connect", "oanda").sees("taken from the environment")
    person.answers("Symbols", "").answers("Write it?", "y")
    assert (person.ended(), place.keyring) == (0, {})


@pytest.mark.parametrize("moment", ["key", "keyring", "symbols", "write"])
def test_ctrl_c_leaves_everything_as_it_was(place: Place, moment: str) -> None:
    server = place.serve("oanda")
    before, keys = place.config, server.told["environment"]
    person = place.person("connect", "oanda")
    if moment == "key":
        person.sees("OANDA_API_TOKEN").sees("(it is not shown): ")
    else:
        typed(person, keys)
        if moment != "keyring":
            person.answers("keyring?", "n")
        if moment == "write":
            person.answers("Symbols", "")
        person.sees({"keyring": "keyring?", "symbols": "Symbols", "write": "Write it?"}[moment])
    person.presses("c").sees("Interrupted: ").sees("is as it was.")
    assert (person.ended(), place.config, place.keyring) == (1, before, {})
    place.shows_no_key()


def test_the_end_of_the_input_leaves_everything_as_it_was(place: Place) -> None:
    place.serve("oanda")
    before = place.config
    person = place.person("connect", "oanda").sees("(it is not shown): ").presses("d")
    person.sees("The input ended before the last question was answered")
    assert (person.ended(), place.config) == (1, before)


def test_a_process_that_is_ended_at_a_key_leaves_a_terminal_that_shows_what_is_typed(
    place: Place,
) -> None:
    place.serve("oanda")
    person = place.person("connect", "oanda").sees("(it is not shown): ")
    assert not person.is_echoing
    person.signals(signal.SIGTERM).waits_for_the_end()
    assert person.is_echoing
    assert person.ended() == -signal.SIGTERM


def test_a_private_key_is_pasted_with_all_its_lines_and_nothing_behind_it(place: Place) -> None:
    lines = ["-----BEGIN EC PRIVATE KEY-----", "canaryA", "canaryB", "-----END EC PRIVATE KEY-----"]
    script = (
        "from console.host.asking import ask, ask_secret; s = ask_secret('KEY').reveal();"
        "print(s.count('canary'), len(s.splitlines())); print('then', ask('next'), 'came')"
    )
    place.people.append(person := Person(place.program, script=script))
    person.types_unseen("KEY", "\n".join([*lines, "left over"]))
    person.sees("2 4").answers("next: ", "typed").sees("then typed came")
    assert person.ended() == 0
    place.shows_no_key()


def test_a_value_that_somebody_has_set_is_replaced_only_where_they_agree(place: Place) -> None:
    server = place.serve("okx")
    place.program.configure(
        f'{server.told["brokers"]}\n[market]\nsymbols = ["TSLA", "BTC-USDT"]  # my own\n'
    )
    before = place.config
    place.program.environment |= server.told["environment"]
    person = place.person("connect", "okx").answers("Symbols", "")
    person.sees('says ["TSLA", "BTC-USDT"]. Replace it by [market] symbols = ["BTC-USDT"]?')
    person.types("n").sees("is left as it is: the change was not agreed to.")
    assert (person.ended(), place.config) == (4, before)
    script = place.seen.run(place.program, "connect", "okx", "--yes")
    assert (script.returncode, place.config) == (4, before)
    assert "only a person may replace [market] symbols" in script.stderr
    person = place.person("connect", "okx").answers("Symbols", "").answers("Replace", "y")
    assert person.answers("Write it?", "y").ended() == 0
    assert 'symbols = ["BTC-USDT"]  # my own' in place.config
    place.shows_no_key()


def test_a_second_venue_gets_the_routes_of_its_symbols(place: Place) -> None:
    shares, pairs = place.serve("alpaca"), place.serve("oanda")
    place.program.configure(f"{shares.told['config']}\n{pairs.told['brokers']}")
    place.program.environment |= shares.told["environment"] | pairs.told["environment"]
    person = place.person("connect", "oanda").answers("Symbols to watch there", "EUR_USD")
    person.sees('[[routes]] asset_class = "fx", broker = "oanda"').answers("Write it?", "y")
    assert person.ended() == 0, person.shown
    tree = tomllib.loads(place.config)
    assert tree["account"] == {"primary": "alpaca"}
    assert tree["market"]["symbols"] == ["AAPL", "BTC-USD", "EUR_USD"]
    assert tree["routes"] == [{"asset_class": "fx", "broker": "oanda"}]
    place.shows_no_key()


def test_an_account_of_a_name_of_its_own_is_set_up(place: Place) -> None:
    server = place.serve("okx")
    table = server.told["brokers"].replace("[brokers.okx]", '[brokers.demo_one]\nkind = "okx"')
    place.program.configure(table)
    place.program.environment |= server.told["environment"]
    assert place.seen.run(place.program, "connect", "demo_one", "--yes").returncode == 0
    tree = tomllib.loads(place.config)
    assert tree["account"]["primary"] == "demo_one"
    assert tree["brokers"]["demo_one"]["account_id"] == "44705892343619584"


def test_U72_a_symbol_that_the_venue_does_not_trade_is_told_and_asked_for_again(
    place: Place,
) -> None:
    server = place.serve("okx")
    person = typed(place.person("connect", "okx"), server.told["environment"])
    person.answers("keyring?", "n").answers("Symbols to watch there", "BTC-USDT NOPE-USDT")
    person.sees("NOPE-USDT is not traded there: ")
    person.answers("Symbols to watch there", "BTC-USDT").answers("Write it?", "y")
    person.ended()
    assert tomllib.loads(place.config)["market"]["symbols"] == ["BTC-USDT"]
    place.shows_no_key()


# --- a script, and what is wrong


def test_U72_a_script_whose_symbols_are_not_traded_there_writes_nothing(place: Place) -> None:
    server = place.serve("okx")
    place.program.environment |= server.told["environment"]
    place.program.configure(place.config + '\n[market]\nsymbols = ["NOPE-USDT"]\n')
    before = place.config
    done = place.seen.run(place.program, "connect", "okx", "--yes")
    assert (done.returncode, place.config) == (2, before)
    assert "trades none of NOPE-USDT: [market] symbols must name one that it does" in " ".join(
        done.stderr.split()
    )


def test_a_script_agrees_by_yes_and_is_told_of_a_key_that_is_missing(place: Place) -> None:
    server = place.serve("alpaca")
    before = place.config
    done = place.seen.run(place.program, "connect", "alpaca", "--yes")
    assert (done.returncode, place.config) == (2, before)
    assert "ALPACA_API_KEY, the API key, is missing" in done.stderr
    assert "no terminal" in done.stderr
    place.program.environment |= server.told["environment"]
    done = place.seen.run(place.program, "connect", "alpaca")
    assert (done.returncode, place.config) == (4, before)
    assert "--yes" in done.stderr
    assert (
        place.program.document("connect", "alpaca", "--yes")["account"]["account_id"] == "PA3TEST"
    )
    assert 'primary = "alpaca"' in place.config
    assert place.program.document("connect", "alpaca", "--yes")["changed"] == {}
    place.shows_no_key()


def test_a_venue_that_is_not_there_is_one_sentence(place: Place) -> None:
    server = place.serve("binance")
    place.program.environment |= server.told["environment"]
    server.kill()
    before = place.config
    done = place.seen.run(place.program, "connect", "binance", "--yes")
    assert (done.returncode, place.config) == (1, before)
    (said,) = done.stderr.splitlines()
    assert said.startswith("Binance cannot be reached: ")


@pytest.mark.parametrize("status", [200, 502])
def test_a_page_of_html_is_one_sentence(place: Place, status: int) -> None:
    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(b"<html><body>Sorry</body></html>")

        def log_message(self, *args: object) -> None:
            """Nothing is told of it."""

    with HTTPServer(("127.0.0.1", 0), Page) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            url = f"http://127.0.0.1:{server.server_port}"
            place.program.configure(f'[brokers.oanda]\nrest_url = "{url}"\nstream_url = "{url}"\n')
            place.program.environment |= VENUES["oanda"].environment
            done = place.seen.run(place.program, "connect", "oanda", "--yes")
        finally:
            server.shutdown()
            thread.join()
    assert done.returncode == 1
    (said,) = done.stderr.splitlines()
    assert said.startswith("OANDA gave no answer that can be used: ")
    place.shows_no_key()


def test_a_config_with_an_error_is_told_before_anything_is_asked(place: Place) -> None:
    place.program.configure('[market]\nsymbol = "AAPL"\n')
    person = place.person("connect", "alpaca").sees("market.symbol")
    assert person.ended() == 2
    assert "shown" not in person.shown


def test_an_account_that_the_token_may_not_use_is_named_with_those_that_it_may(
    place: Place,
) -> None:
    server = place.serve("oanda")
    place.program.configure(
        "\n".join(row for row in place.config.splitlines() if "account_id" not in row)
    )
    place.program.environment |= server.told["environment"]
    person = place.person("connect", "oanda").answers("account_id, ", "101-001-7654321-001")
    person.sees("may not use account 101-001-7654321-001: it may use 101-001-1234567-001")
    assert person.ended() == 1


def test_real_money_is_refused_while_the_mode_is_paper(place: Place) -> None:
    place.program.configure('[brokers.alpaca]\nenvironment = "live"\n')
    done = place.seen.run(place.program, "connect", "alpaca", "--yes")
    assert done.returncode == 2
    assert 'brokers.alpaca.environment = "live" is refused' in done.stderr


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="no folder that nobody can write")
def test_a_config_that_cannot_be_written_is_told(place: Place) -> None:
    server = place.serve("ibkr")
    settings = tomllib.loads(server.told["brokers"])["brokers"]["ibkr"]
    place.program.environment |= {
        "MERIDIAN_CONFIG": "/proc/none/config.toml",
        "MERIDIAN_BROKERS__IBKR__PORT": str(settings["port"]),
    }
    done = place.seen.run(place.program, "connect", "ibkr", "--yes")
    assert done.returncode == 1
    (said,) = done.stderr.splitlines()
    assert said.startswith("/proc/none/config.toml cannot be written: ")


def test_a_config_that_is_not_there_yet_is_made(place: Place) -> None:
    server = place.serve("ibkr")
    settings = tomllib.loads(server.told["brokers"])["brokers"]["ibkr"]
    path = place.folder / "new" / "config.toml"
    place.program.environment["MERIDIAN_CONFIG"] = str(path)
    person = place.person("connect", "ibkr").answers("port, ", "70000")
    person.sees("is refused").answers("port, ", str(settings["port"]))
    person.answers("account_id, ", "")
    person.answers("Symbols", "AAPL").answers("Write it?", "y")
    assert person.ended() == 0, person.shown
    assert tomllib.loads(path.read_text(encoding="utf-8"))["brokers"]["ibkr"] == {
        "account_id": "DU1234567",
        "environment": "paper",
        "port": settings["port"],
    }


@pytest.mark.parametrize(
    ("name", "words"),
    [("paper", "A paper account needs no setting up"), ("kraken", "no account named 'kraken'")],
)
def test_a_name_that_cannot_be_set_up_is_told_with_those_that_can(
    place: Place, name: str, words: str
) -> None:
    done = place.seen.run(place.program, "connect", name)
    assert done.returncode == 2
    assert words in done.stderr
    assert "alpaca, ibkr, binance, coinbase, okx, oanda" in done.stderr
