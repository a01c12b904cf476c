"""Prices far below a kind's tick: the grid follows them, or BAD_TICK says why not (X-65)."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from brokers.paper.bars import check_bars
from console.host import replay
from engine.domain.instrument import Facts, default_instrument, instrument_of
from tests.brokers.kit import FREE, rig
from tests.configs import from_mapping

D = Decimal
HEADER = "time,symbol,open,high,low,close,volume,bid,bid_size,ask,ask_size\n"
COLUMNS = "symbol,asset_class,tick,lot,multiplier,currency,calendar,shortable\n"


@pytest.mark.parametrize(
    ("symbol", "price", "tick"),
    [
        ("BTC-USD", "65000", "0.01"),
        ("SOL-USD", "10", "0.01"),
        ("SOL-USD", "9.99", "0.001"),
        ("DOGE-USD", "0.0512", "0.00001"),
        ("SHIB-USD", "0.00001234", "0.00000001"),
        ("SHIB-USD", "0.00001", "0.00000001"),
        ("SHIB-USD", "0.00000999", "0.000000001"),
        ("AAPL", "228.15", "0.01"),
        ("PENNY", "0.5", "0.0001"),
        ("EUR_USD", "1.09", "0.00001"),
        ("IDR_USD", "0.0000617", "0.00000001"),
        # The tick of a contract is one of its terms: an option may be worth a few of them.
        ("AAPL 2026-12-18 200 C", "0.05", "0.01"),
    ],
)
def test_a_tick_that_nobody_states_is_at_most_a_thousandth_of_the_price(
    symbol: str, price: str, tick: str
) -> None:
    rules = default_instrument(symbol)
    assert rules.tick_at(D(price)) == D(tick)
    assert rules.tick_fault(D(price)) == ""


@pytest.mark.parametrize(
    ("price", "refused"), [("10.01", False), ("10", False), ("9.99", True), ("0.00001234", True)]
)
def test_a_tick_that_is_stated_stands_and_is_refused_above_a_thousandth(
    price: str, refused: bool
) -> None:
    rules = instrument_of("SHIB-USD", Facts(tick=D("0.01")))
    assert rules.tick_at(D(price)) == (0 if refused else D("0.01"))
    fault = rules.tick_fault(D(price))
    assert bool(fault) is refused
    if refused:
        assert "0.01" in fault
        assert price in fault
        assert "0.1% is allowed" in fault


@pytest.mark.parametrize("number", ["0", "-1", "NaN", "Infinity"])
def test_what_is_no_price_has_the_grid_of_the_kind(number: str) -> None:
    rules = default_instrument("SHIB-USD")
    assert rules.tick_at(D(number)) == D("0.01")
    assert rules.tick_fault(D(number)) == ""


@pytest.mark.parametrize(
    ("symbol", "price"),
    [("SHIB-USD", "0.00001234"), ("DOGE-USD", "0.0512"), ("PEPE-USD", "0.000000871")],
)
def test_the_paper_venue_fills_at_the_market(symbol: str, price: str) -> None:
    with rig(terms=FREE) as r:
        r.price(price, symbol)
        r.submit("a", "BUY", "1000", symbol)
        r.submit("b", "SELL", "1000", symbol)
        assert [traded for _, _, traded in r.traded] == [D(price), D(price)]


def test_what_is_held_can_be_sold_whatever_its_table_says() -> None:
    rules = {"SHIB-USD": instrument_of("SHIB-USD", Facts(tick=D("0.01")))}
    with rig(terms=FREE, instruments=rules) as r:
        r.price("0.00001234", "SHIB-USD")
        r.submit("a", "BUY", "1000", "SHIB-USD")
        r.submit("b", "SELL", "1000", "SHIB-USD")
        assert r.traded[-1][2] == D("0.00001234")


def recorded(folder: Path, symbol: str, table: str = "") -> dict[str, Any]:
    """A recording of five minutes of a coin at 0.00001234, one signal in it, played back."""
    rows = "".join(
        f"2018-04-04T00:0{minute}:00Z,{symbol},0.00001234,0.00001236,0.00001232,0.00001234,"
        "90000000000,,,,\n"
        for minute in range(1, 6)
    )
    bars = folder / "bars.csv"
    bars.write_text(HEADER + rows, encoding="utf-8")
    given = {
        "signal_id": "s-1", "signal_type": "mine", "direction": "long", "ticker": symbol,
        "timeframe": "1m", "conviction": 80, "entry_price": "0.00001234",
        "stop_loss": "0.000012", "timestamp": "2018-04-04T00:02:00Z",
    }  # fmt: skip
    settings: dict[str, Any] = {"signals": {"builtin": ""}}
    if table:
        path = folder / "instruments.csv"
        path.write_text(COLUMNS + table, encoding="utf-8")
        settings["data"] = {"instruments": str(path)}
    return replay.run(from_mapping(settings), check_bars(bars), [json.dumps(given)])


def test_a_coin_without_a_table_is_bought_at_its_price(tmp_path: Path) -> None:
    found = recorded(tmp_path, "SHIB-USD")
    assert sum(found["outcomes"].values()) == found["outcomes"].get("EXECUTED", 0) + found[
        "outcomes"
    ].get("RESIZED", 0)
    opened = (found["positions"] or found["round_trips"])[0]
    price = D(opened.get("average_price") or opened["entry_price"])
    # The market's price, the default slippage of 5 bps and one tick at most.
    assert D("0.00001234") <= price <= D("0.00001234") * D("1.0005") + D("0.00000001")


def test_a_table_whose_tick_cannot_hold_the_price_is_refused(tmp_path: Path) -> None:
    found = recorded(tmp_path, "SHIB-USD", "SHIB-USD,crypto,0.01,,,,,\n")
    assert found["outcomes"] == {"BAD_TICK": 1}
    assert found["fills"] == 0


def test_a_table_that_leaves_the_tick_empty_states_none(tmp_path: Path) -> None:
    found = recorded(tmp_path, "SHIB-USD", "SHIB-USD,crypto,,1,,,,\n")
    assert found["fills"] > 0
