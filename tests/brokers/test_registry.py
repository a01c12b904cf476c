"""The table of venues: a second one is a row (DESIGN, Folders)."""

import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import brokers
from brokers import FACTORIES, Factory, LibraryUnusable, PriceSource, VenueSetup, open_venue
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
from tests.test_walls import normal


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


REAL = [kind for kind in FACTORIES if kind != "paper"]
ALL_LIBRARIES = sorted(
    {name for row in FACTORIES.values() for names in row.libraries for name in names.split("|")}
)


def real_plan(kind: str) -> VenueSetup:
    config = from_mapping({})
    return plan(kind, settings=config.brokers.of(kind), account_id="")


@pytest.mark.parametrize(
    ("kind", "names"), [(kind, names) for kind in REAL for names in FACTORIES[kind].libraries]
)
def test_c200_a_venue_without_its_library_is_refused_in_one_sentence(
    kind: str, names: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is sent, and whichever of its libraries is missing."""
    for name in names.split("|"):
        monkeypatch.setitem(sys.modules, name, None)  # as it is where it is not installed
    with pytest.raises(LibraryUnusable) as refused:
        open_venue(real_plan(kind))
    said = str(refused.value)
    assert f"pip install '.[{kind}]'" in said
    assert said.startswith(f"{kind} needs {names.replace('|', ' or ')}, ")
    assert "\n" not in said


def test_either_library_of_a_row_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    row = Factory("brokers.ibkr.settings:IbkrConfig", "json:dumps", ("absent_one|json",))
    monkeypatch.setitem(FACTORIES, "either", row)
    assert brokers.missing_libraries("either") == ""


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ImportError("two of them are installed: remove one"), "two of them are installed: remove"),
        (ModuleNotFoundError("No module named 'pandas'", name="pandas"), "cannot load pandas"),
        (ImportError("no such symbol", name="cryptography.x509"), "cannot load cryptography"),
    ],
)
def test_a_library_that_does_not_load_is_a_sentence_too(
    error: ImportError, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = f"raise {type(error).__name__}({str(error)!r}, name={error.name!r})"
    (tmp_path / "bad_adapter.py").write_text(source, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    row = Factory("brokers.paper.settings:PaperConfig", "bad_adapter:open_bad")
    monkeypatch.setitem(FACTORIES, "bad", row)
    with pytest.raises(LibraryUnusable, match=said):
        open_venue(plan("bad"))


def test_a_fault_of_the_program_is_not_taken_for_a_missing_library(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "faulty_adapter.py").write_text("import brokers.nowhere", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    row = Factory("brokers.paper.settings:PaperConfig", "faulty_adapter:open_it")
    monkeypatch.setitem(FACTORIES, "faulty", row)
    with pytest.raises(ModuleNotFoundError, match=r"brokers\.nowhere"):
        open_venue(plan("faulty"))


@pytest.mark.slow
@pytest.mark.parametrize("kind", REAL)
def test_a_row_names_the_libraries_that_its_adapter_loads_and_no_others(kind: str) -> None:
    """Everything of the folder loads without the libraries of other venues, and loads its own."""
    row = FACTORIES[kind]
    own = [name for names in row.libraries for name in names.split("|")]
    others = [name for name in [*ALL_LIBRARIES, "binance"] if name not in own]
    folder = Path(brokers.__file__).parent / kind
    modules = [f"brokers.{kind}.{path.stem}" for path in sorted(folder.glob("[a-z_]*.py"))]
    code = (
        f"import sys, importlib; sys.modules.update(dict.fromkeys({others!r})); "
        f"[importlib.import_module(name) for name in {modules!r} if '__' not in name]; "
        f"print(*[name for name in {own!r} if sys.modules.get(name)])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder.parents[1], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    loaded = done.stdout.split()
    assert all(set(names.split("|")) & set(loaded) for names in row.libraries), loaded


@pytest.mark.parametrize("kind", REAL)
def test_the_extra_of_a_venue_installs_its_libraries(kind: str) -> None:
    """The sentence of a missing library names the extra, which must then bring it."""
    project = tomllib.loads((Path(brokers.__file__).parents[1] / "pyproject.toml").read_text())
    extra = project["project"]["optional-dependencies"][kind]
    brings = {normal(requirement) for requirement in extra}
    known = packages_distributions()
    for names in FACTORIES[kind].libraries:
        wanted = {normal(dist) for name in names.split("|") for dist in known.get(name, [])}
        assert wanted & brings, (names, wanted, brings)
