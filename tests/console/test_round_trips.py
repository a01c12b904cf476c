"""Every kind of exit once, from a signal to its round trip, over bars made for it (A-160 ff)."""

import datetime
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from brokers.paper.bars import check_bars
from console.host import replay
from tests.configs import from_mapping

BEGIN = datetime.datetime(2013, 10, 7, 13, 30, tzinfo=datetime.UTC)
"""A Monday, at the opening in New York."""
LAST = 389
"""The minute before the close."""


def bars(folder: Path, closes: list[str]) -> Path:
    """A file of one-minute bars that go from close to close."""
    rows, opened = [], closes[0]
    for minute, closed in enumerate(closes, start=1):
        time = (BEGIN + datetime.timedelta(minutes=minute)).strftime("%Y-%m-%dT%H:%M:%SZ")
        low, high = sorted((opened, closed), key=Decimal)
        rows.append(f"{time},SPY,{opened},{high},{low},{closed},20000,,,,\n")
        opened = closed
    path = folder / "bars.csv"
    head = "time,symbol,open,high,low,close,volume,bid,bid_size,ask,ask_size\n"
    path.write_text(head + "".join(rows), encoding="utf-8")
    return path


def line(timeframe: str, stop: str = "90") -> str:
    """A signal to buy at 100, half an hour after the opening."""
    given = {
        "signal_id": "s-1", "signal_type": "mine", "direction": "long", "ticker": "SPY",
        "timeframe": timeframe, "conviction": 80, "entry_price": "100", "stop_loss": stop,
        "timestamp": "2013-10-07T14:00:00Z",
    }  # fmt: skip
    return json.dumps(given)


FLAT = ["100"] * LAST

TRIPS: dict[str, tuple[str, list[str], str, tuple[int, int]]] = {
    "stop_loss": ("1h", [*FLAT[:90], "97", "94", *["94"] * 30], "95", (60, 64)),
    "target": ("1h", [*FLAT[:90], "108", "111", *["111"] * 30], "95", (60, 64)),
    "time_stop": ("10m", FLAT, "90", (120, 121)),
    "eod": ("10m", [*FLAT[:60], *["101"] * (LAST - 60)], "90", (353, 356)),
}
"""By the reason it ends for: the timeframe, the closes, the stop, and between which minutes after
its signal."""


@pytest.mark.parametrize("reason", TRIPS)
def test_a_round_trip_ends_by_each_exit_and_adds_up(reason: str, tmp_path: Path) -> None:
    timeframe, closes, stop, (least, most) = TRIPS[reason]
    config = from_mapping({"signals": {"builtin": ""}})
    found = replay.run(config, check_bars(bars(tmp_path, closes)), [line(timeframe, stop)])
    (trip,) = found["round_trips"]
    assert trip["exit_reason"] == reason
    held = _at(trip["exit_time"]) - _at("2013-10-07T14:00:00Z")
    assert least * 60 <= held.total_seconds() <= most * 60
    assert found["positions"] == []
    _adds_up(found, trip)


def _at(text: str) -> datetime.datetime:
    return datetime.datetime.fromisoformat(text)


def _adds_up(found: dict[str, Any], trip: dict[str, Any]) -> None:
    """The trip's own prices make its profit, and that is what became of the money."""
    bought, sold = Decimal(trip["entry_price"]), Decimal(trip["exit_price"])
    fees = Decimal(trip["fees"])
    earned = (sold - bought) * Decimal(trip["quantity"]) - fees
    assert abs(earned - Decimal(trip["pnl"])) < Decimal("0.01")
    ended = Decimal(found["ending_equity"]) - Decimal(found["starting_equity"])
    assert abs(ended - earned) < Decimal("0.01")
    assert Decimal(found["cash"]) == Decimal(found["ending_equity"])
    told = found["trades"]["USD"]
    assert told["all"] == told["by_signal"]["mine"]
    assert (told["all"]["trades"], told["all"]["total_pnl"]) == (1, trip["pnl"])
