"""What the documents say of venues, held against the program: examples, links, the table."""

import re
import tomllib
from pathlib import Path
from typing import Any, Final

import pytest

from brokers import FACTORIES, guide_of, venue_kinds
from brokers.alpaca.adapter import CAPABILITIES as ALPACA
from brokers.binance.adapter import CAPABILITIES as BINANCE
from brokers.ccxt.adapter import CAPABILITIES as CCXT
from brokers.coinbase.adapter import CAPABILITIES as COINBASE
from brokers.ibkr.adapter import CAPABILITIES as IBKR
from brokers.oanda.adapter import CAPABILITIES as OANDA
from brokers.okx.adapter import OKX_CAN as OKX
from console.host.proposal import class_of
from engine.analytics.acceptance import (
    FILL_SECONDS,
    FILLED_ABOVE,
    PAPER_LATENCY_MS,
    SLIPPAGE_BELOW,
    SUCCESS_ABOVE,
)
from engine.config.venue import RealVenueConfig
from engine.core.rollout import FRESH_DAYS
from engine.domain.instrument import AssetClass
from engine.ports import Capabilities
from tests.configs import from_mapping

TOML: Final = re.compile(r"^```toml\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK: Final = re.compile(r"\[[^\]]+\]\(([^)#\s]+)[^)]*\)")
ROW: Final = re.compile(r"^\| \[[^\]]+\]\((\w+)\.md\) \| (.*) \|$", re.MULTILINE)
TITLES: Final = re.compile(r"^\| venue \| (.*) \|$", re.MULTILINE)

CAN: Final[dict[str, Capabilities]] = {
    "alpaca": ALPACA,
    "ibkr": IBKR,
    "binance": BINANCE,
    "coinbase": COINBASE,
    "okx": OKX,
    "oanda": OANDA,
    "ccxt": CCXT,
}
PAGES: Final = [f"docs/venues/{kind}.md" for kind in CAN]
DOCUMENTS: Final = [
    "README.md", "CONTRIBUTING.md", "docs/rollout.md", "docs/venues/README.md", *PAGES,
]  # fmt: skip


def read(root: Path, name: str) -> str:
    return (root / name).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def table(root: Path) -> dict[str, dict[str, str]]:
    """The cells of the table by venue and title."""
    text = read(root, "docs/venues/README.md")
    (titles,) = TITLES.findall(text)
    return {
        kind: dict(zip(titles.split(" | "), cells.split(" | "), strict=True))
        for kind, cells in ROW.findall(text)
    }


def test_every_real_venue_has_a_page_and_a_row(root: Path, table: dict[str, Any]) -> None:
    real = {kind for kind in FACTORIES if kind != "paper"}
    assert set(CAN) == real
    assert set(table) == real
    assert {path.stem for path in (root / "docs/venues").glob("*.md")} == {*real, "README"}


@pytest.mark.parametrize("name", PAGES)
def test_the_example_of_a_page_is_a_config_that_is_taken(root: Path, name: str) -> None:
    (example,) = TOML.findall(read(root, name))
    tree = tomllib.loads(example)
    tree.setdefault("account", {})["primary"] = Path(name).stem
    tree.setdefault("market", {"symbols": ["AAPL"]})["source"] = "broker"
    assert from_mapping(tree).account.primary == Path(name).stem


def test_the_examples_of_the_readme_are_configs_that_are_taken(root: Path) -> None:
    examples = TOML.findall(read(root, "README.md"))
    assert any('source = "broker"' in example for example in examples)
    for example in examples:
        from_mapping(tomllib.loads(example))


@pytest.mark.parametrize("name", PAGES)
def test_a_page_states_its_evidence(root: Path, name: str) -> None:
    assert re.search(r"Evidence: (\*\*)?simulated", read(root, name))


@pytest.mark.parametrize("kind", CAN)
def test_a_page_starts_with_the_command_that_sets_an_account_up(root: Path, kind: str) -> None:
    _title, first, *_ = read(root, f"docs/venues/{kind}.md").split("\n\n")
    assert first.startswith(f"`meridian-tui connect {kind}` ")


@pytest.mark.parametrize("kind", CAN)
def test_the_guide_of_a_venue_names_every_key_that_its_table_does(kind: str) -> None:
    guide, settings = guide_of(kind), venue_kinds()[kind].settings
    assert guide is not None
    assert [*guide.keys] == [name for name in settings.model_fields if name.endswith("_env")]
    assert set(guide.questions) <= set(settings.model_fields)
    assert set(guide.asset_classes) <= {str(one) for one in AssetClass}
    assert {class_of(symbol) for symbol in guide.symbols} <= set(guide.asset_classes)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_link_leads_to_a_file(root: Path, name: str) -> None:
    here = (root / name).parent
    found = [link for link in LINK.findall(read(root, name)) if "://" not in link]
    assert [link for link in found if not (here / link).exists()] == []


@pytest.mark.parametrize("kind", CAN)
def test_the_table_says_what_the_adapter_says(kind: str, table: dict[str, dict[str, str]]) -> None:
    row, can = table[kind], CAN[kind]
    types = {one.value.lower().replace("_", "-") for one in can.order_types}
    assert set(row["orders"].replace(",", "").split()) == types
    assert set(row["time in force"].split(", ")) == {one.value for one in can.times_in_force}
    assert row["change"].startswith("in place") is can.native_modify
    assert row["change"].startswith("cancel and new") is not can.native_modify
    assert row["short"].startswith("yes") is can.shorting
    assert row["evidence"] == "simulated"


@pytest.mark.parametrize("kind", CAN)
def test_C706_a_page_says_whether_real_money_can_be_traded_there(root: Path, kind: str) -> None:
    settings = venue_kinds()[kind].settings
    assert issubclass(settings, RealVenueConfig)
    page = read(root, f"docs/venues/{kind}.md")
    assert ('"live" is real money: see docs/rollout.md' in page) is settings.trades_live
    assert ('"live" is real money, and not built yet' in page) is not settings.trades_live


def test_C706_the_guide_names_the_limits_that_a_run_is_judged_by(root: Path) -> None:
    guide = read(root, "docs/rollout.md")
    assert f"more than {SUCCESS_ABOVE:.0%}".replace("%", " %") in guide
    assert f"more than {FILLED_ABOVE:.0%}".replace("%", " %") in guide
    assert f"below {PAPER_LATENCY_MS} ms" in guide
    assert f"below {SLIPPAGE_BELOW} bps" in guide
    assert f"within {FILL_SECONDS} s" in guide
    assert f"at most {FRESH_DAYS} days old" in guide
