"""The table of venues: a second one is a row (DESIGN, Folders)."""

import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import brokers
from brokers import FACTORIES, Factory, PriceSource, VenueSetup, open_venue
from brokers.paper.adapter import PaperBroker
from brokers.paper.bars import COLUMNS, check_bars
from brokers.paper.remote import RemoteMarket, RemotePaper
from brokers.paper.replay import ReplayMarket
from brokers.paper.setup import PaperConnection, RemoteConnection
from brokers.paper.simulated import SimulatedMarket
from brokers.paper.terms import Arrival
from engine.runtime.clock import SystemClock
from tests.brokers.kit import D
from tests.configs import from_mapping


def plan(name: str = "paper", *, address: str = "", **more: Any) -> VenueSetup:
    config = from_mapping({})
    settings = config.brokers.of("paper").model_copy(update={"address": address})
    given: dict[str, Any] = {
        "name": name,
        "settings": settings,
        "market": config.market,
        "account_id": "paper",
        "clock": SystemClock(),
        "state_dir": None,
        "threads": False,
    }
    return VenueSetup(**(given | more))


def test_the_paper_account_trades_on_a_simulated_market_by_default() -> None:
    opened = open_venue(plan())
    assert isinstance(opened, PaperConnection)
    assert isinstance(opened.broker, PaperBroker)
    assert isinstance(opened.market, SimulatedMarket)
    assert opened.venue.arrival is Arrival.STANDING_QUOTE
    assert opened.venue.instruments.get("SPY").calendar == "SIM"
    assert opened.venue.terms.initial_cash == D(100_000)
    opened.close()


def test_a_recording_is_played_under_its_own_calendar(tmp_path: Path) -> None:
    path = tmp_path / "bars.csv"
    path.write_text(",".join(COLUMNS) + "\n2013-10-07T14:01:00Z,SPY,10,10,10,10,,,,,\n")
    opened = open_venue(plan(bars=check_bars(path), state_dir=tmp_path))
    assert isinstance(opened, PaperConnection)
    assert isinstance(opened.market, ReplayMarket)
    assert opened.venue.arrival is Arrival.NEXT_PRICE
    assert opened.venue.instruments.get("SPY").calendar == "XNYS"
    opened.close()
    assert (tmp_path / "paper.db").exists()


@pytest.mark.parametrize(
    ("prices", "arrival", "calendar"),
    [
        (PriceSource.BY_HAND, Arrival.STANDING_QUOTE, "XNYS"),
        (PriceSource.LAST_KNOWN, Arrival.LAST_KNOWN, "SIM"),
    ],
)
def test_without_a_market_prices_come_by_hand_or_from_the_book(
    prices: PriceSource, arrival: Arrival, calendar: str
) -> None:
    opened = open_venue(plan(prices=prices))
    assert isinstance(opened, PaperConnection)
    assert (opened.market, opened.venue.arrival) == (None, arrival)
    assert opened.venue.instruments.get("SPY").calendar == calendar
    opened.close()


def test_an_address_is_a_venue_in_another_process(tmp_path: Path) -> None:
    opened = open_venue(plan(address=str(tmp_path / "v.sock")))
    assert isinstance(opened, RemoteConnection)
    assert isinstance(opened.broker, RemotePaper)
    assert isinstance(opened.market, RemoteMarket)
    opened.close()


def test_a_second_broker_is_one_row(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("second_venue")
    module.__dict__["open_second"] = lambda given: given.account_id
    monkeypatch.setitem(sys.modules, "second_venue", module)
    row = Factory("brokers.paper.settings:PaperConfig", "second_venue:open_second")
    monkeypatch.setitem(FACTORIES, "second", row)
    assert open_venue(plan("second", account_id="DU1234")) == "DU1234"


@pytest.mark.parametrize("kind", ["etrade", "sketch"])
def test_a_broker_that_is_not_built_is_refused_in_words(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether nobody has heard of it, or only its settings are there."""
    monkeypatch.setitem(FACTORIES, "sketch", Factory("brokers.paper.settings:PaperConfig"))
    with pytest.raises(LookupError, match=f"no broker named '{kind}' here: paper, alpaca, ibkr, "):
        open_venue(plan(kind))


def test_a_venue_s_folder_declares_its_settings() -> None:
    for kind, row in FACTORIES.items():
        assert row.settings.startswith(f"brokers.{kind}.settings:")
        assert not row.open or row.open.startswith(f"brokers.{kind}.")


def test_the_settings_of_every_venue_load_neither_an_adapter_nor_a_library() -> None:
    """Start-up: all of them load with the config, whichever venue is configured."""
    code = (
        "import sys, engine.config, engine.ports; before = set(sys.modules); "
        "import brokers; brokers.venue_kinds(); print(*sorted(set(sys.modules) - before))"
    )
    root = Path(brokers.__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True
    )
    folders = [f"brokers.{kind}{module}" for kind in FACTORIES for module in ("", ".settings")]
    assert set(done.stdout.split()) <= {"brokers", "brokers.values", *folders}


def test_naming_the_venues_loads_none_of_them() -> None:
    code = "import brokers, sys; sys.exit(any(m.startswith('brokers.') for m in sys.modules))"
    root = Path(brokers.__file__).parents[1]
    assert subprocess.run([sys.executable, "-c", code], cwd=root).returncode == 0
