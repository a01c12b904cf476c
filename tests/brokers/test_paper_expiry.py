"""A contract that is held when it ends is settled in cash, once (C-155).

The last day is Monday 2 March 2026, on which New York closes at 21:00 UTC. It is six hours before.
"""

from decimal import Decimal
from pathlib import Path

import pytest

from engine.domain.instant import parse_rfc3339
from engine.domain.instrument import Facts, instrument_of
from engine.domain.order import Fill, Side
from tests.brokers.kit import D, Rig, rig

CALL = "AAPL 2026-03-02 200 C"
PUT = "AAPL 2026-03-02 200 P"
ES = "ES 2026-03"
TABLE = {
    CALL: instrument_of(CALL, Facts(shortable=True)),
    PUT: instrument_of(PUT, Facts()),
    ES: instrument_of(ES, Facts(multiplier=D(50), terms={"expiry": "2026-03-02"})),
}
CLOSE = parse_rfc3339("2026-03-02T21:00:00Z")
TO_THE_CLOSE = 6 * 3600


def settled(r: Rig) -> list[Fill]:
    """The executions of no order."""
    return [fill for fill in r.fills if not fill.client_order_id]


@pytest.mark.parametrize(
    ("symbol", "side", "at_close", "price", "cash"),
    [
        # 2 x 5.00 x 100 were paid, and 2 x 7.00 x 100 come back; in the money, at it, out of it
        (CALL, "BUY", "207", "7", 400),
        (CALL, "BUY", "200.01", "0.01", -998),
        (CALL, "BUY", "200", "0", -1_000),
        (CALL, "BUY", "193", "0", -1_000),
        (PUT, "BUY", "193", "7", 400),
        (PUT, "BUY", "199.99", "0.01", -998),
        (PUT, "BUY", "200", "0", -1_000),
        # sold first, the holder is paid
        (CALL, "SELL_SHORT", "207", "7", -400),
        (CALL, "SELL_SHORT", "193", "0", 1_000),
    ],
)
def test_an_option_is_paid_what_exercising_it_brings(
    *, symbol: str, side: str, at_close: str, price: str, cash: int
) -> None:
    with rig(instruments=TABLE) as r:
        r.price("200")
        r.price("5.00", symbol)
        r.submit("a", side, "2", symbol)
        before = r.venue.account().cash
        r.advance(3600)
        r.price(at_close)
        r.advance(TO_THE_CLOSE - 3600)
        assert settled(r) == []
        r.advance(1)
        (fill,) = settled(r)
        opposite = Side.SELL if side == "BUY" else Side.BUY
        assert (fill.symbol, fill.side, fill.quantity) == (symbol, opposite, 2)
        assert (fill.price, fill.commission) == (D(price), 0)
        assert r.venue.position(symbol) == 0
        spent = -1_000 if side == "BUY" else 1_000
        assert r.venue.account().cash - before == cash - spent
        assert r.venue.balance.realized == cash


def test_a_future_is_paid_its_last_price() -> None:
    with rig(instruments=TABLE) as r:
        r.price("40", ES)
        r.submit("a", "BUY", "3", ES)
        r.advance(3600)
        r.price("41.50", ES)
        r.advance(TO_THE_CLOSE)
        (fill,) = settled(r)
        # 3 x 1.50 x 50
        assert (fill.price, r.venue.balance.realized) == (D("41.50"), 225)


def test_what_would_reduce_it_ends_with_it() -> None:
    with rig(instruments=TABLE) as r:
        r.price("200")
        r.price("5.00", CALL)
        r.submit("a", "BUY", "2", CALL)
        r.submit("s", "SELL", "2", CALL, stop="4.00", reduce_only=True)
        r.advance(TO_THE_CLOSE + 1)
        assert r.status("s") == "CANCELED"
        told = [(report.client_order_id, report.fill is not None) for report in r.reports]
        assert told[-2:] == [("", True), ("s", False)]


def test_an_option_waits_for_a_price_of_its_underlying() -> None:
    with rig(instruments=TABLE) as r:
        r.price("5.00", CALL)
        r.submit("a", "BUY", "2", CALL)
        r.advance(TO_THE_CLOSE + 3600)
        assert (settled(r), r.venue.position(CALL)) == ([], 2)
        r.price("40", ES)
        assert settled(r) == []
        r.price("206")
        assert [fill.price for fill in settled(r)] == [6]
        r.price("207")
        assert len(settled(r)) == 1


def test_what_was_closed_before_is_not_settled() -> None:
    with rig(instruments=TABLE) as r:
        r.price("200")
        r.price("5.00", CALL)
        r.submit("a", "BUY", "2", CALL)
        r.submit("b", "SELL", "2", CALL, reduce_only=True)
        r.advance(TO_THE_CLOSE + 1)
        assert settled(r) == []


@pytest.mark.parametrize("down_at_the_close", [False, True])
def test_a_restart_settles_what_ended_meanwhile_and_nothing_twice(
    *, tmp_path: Path, down_at_the_close: bool
) -> None:
    book = tmp_path / "paper.db"
    with rig(instruments=TABLE, path=book) as r:
        r.price("207")
        r.price("5.00", CALL)
        r.submit("a", "BUY", "2", CALL)
        r.advance(1 if down_at_the_close else TO_THE_CLOSE + 1)
        cash = r.venue.account().cash
    with rig(instruments=TABLE, path=book, start=CLOSE + 3600 * 10**9) as r:
        r.advance(1)
        assert r.venue.position(CALL) == 0
        assert len(settled(r)) == down_at_the_close
        (fill,) = [fill for fill in r.venue.fills_since(0) if not fill.client_order_id]
        assert (fill.execution_id, fill.price) == (f"expiry {CALL}", 7)
        paid = Decimal(1_400) if down_at_the_close else Decimal(0)
        assert r.venue.account().cash - cash == paid


@pytest.mark.parametrize(
    ("symbol", "facts", "start", "ends"),
    [
        # a Saturday: the Friday before it was the last session
        ("AAPL 2026-03-07 200 C", {}, "2026-03-02T15:00:00Z", "2026-03-06T21:00:00Z"),
        # the day after Thanksgiving closes early
        ("AAPL 2026-11-27 200 C", {}, "2026-11-27T15:00:00Z", "2026-11-27T18:00:00Z"),
        # of a future whose day nobody states, the last session of its month
        ("ES 2026-05", {"multiplier": D(50)}, "2026-05-04T15:00:00Z", "2026-05-29T20:00:00Z"),
        # sessions without an end: with the day
        ("X 2026-03-02 5 C", {"calendar": "24/7"}, "2026-03-02T15:00:00Z", "2026-03-03T00:00:00Z"),
    ],
)
def test_the_end_is_the_close_of_the_last_session(
    symbol: str, facts: dict[str, object], start: str, ends: str
) -> None:
    made = instrument_of(symbol, Facts(**facts))  # type: ignore[arg-type]
    began, end = parse_rfc3339(start), parse_rfc3339(ends)
    with rig(instruments={symbol: made}, start=began) as r:
        r.price("5", made.underlying)
        r.price("5", symbol)
        r.submit("a", "BUY", "1", symbol)
        r.advance((end - began) / 10**9)
        assert settled(r) == []
        r.advance(1)
        assert len(settled(r)) == 1
