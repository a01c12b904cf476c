"""How an order meets a price (C-151, C-152, C-155, X-26, X-68)."""

from decimal import Decimal

import msgspec
import pytest

from brokers.paper.instruments import Instruments
from brokers.paper.terms import Arrival
from engine.domain.instrument import default_instrument
from engine.ports import MarketClosed, Rejected
from tests.brokers.kit import FREE, MONDAY_10AM, D, rig

PAID = msgspec.structs.replace(FREE, slippage_bps=D(5), commission_bps=D(10))


def test_C156_two_market_orders_of_the_worked_fixture() -> None:
    free = msgspec.structs.replace(FREE, commission_bps=D(10))
    for terms, notional, commission in (
        (free, D(8_000), D("8.00")),
        (PAID, D("8004.00"), D("8.004")),
    ):
        with rig(terms=terms) as r:
            r.price("50000", "BTC-USD")
            r.price("3000", "ETH-USD")
            r.submit("a", "BUY", "0.1", "BTC-USD")
            r.submit("b", "BUY", "1", "ETH-USD")
            assert sum(f.price * f.quantity for f in r.fills) == notional
            assert sum(f.commission for f in r.fills) == commission
            assert r.venue.balance.cash == D(100_000) - notional - commission


def test_C151_a_market_order_pays_the_slippage() -> None:
    with rig(terms=PAID) as r:
        r.price("100")
        r.submit("a", "BUY")
        r.submit("b", "SELL")
        assert [price for _, _, price in r.traded] == [D("100.05"), D("99.95")]


def test_C151_the_slippage_counts_from_the_side_that_is_quoted() -> None:
    with rig(terms=PAID) as r:
        r.price("100", bid="99", ask="101")
        r.submit("a", "BUY")
        r.submit("b", "SELL")
        # 101 x 1.0005 = 101.0505 and 99 x 0.9995 = 98.9505, rounded against the trader.
        assert [price for _, _, price in r.traded] == [D("101.06"), D("98.95")]


def test_a_price_between_ticks_is_rounded_against_the_trader() -> None:
    with rig() as r:
        r.price("1.387175", "EUR_USD")
        r.submit("a", "BUY", "1000", "EUR_USD")
        r.submit("b", "SELL", "1000", "EUR_USD")
        assert [price for _, _, price in r.traded] == [D("1.38718"), D("1.38717")]


def test_a_sale_of_a_penny_stock_never_fills_at_zero() -> None:
    with rig(terms=PAID) as r:
        r.price("0.01")
        r.submit("a", "BUY")
        r.submit("b", "SELL")
        # 5 bps less, on a grid that holds such a price.
        assert r.traded[-1][2] == D("0.009995")


@pytest.mark.parametrize(
    ("side", "limit", "price", "filled_at"),
    [
        ("BUY", "100", "100.01", None),
        ("BUY", "100", "100", "100"),
        ("BUY", "100", "99.99", "99.99"),
        ("SELL", "100", "99.99", None),
        ("SELL", "100", "100", "100"),
        ("SELL", "100", "100.01", "100.01"),
    ],
)
def test_C152_D34_a_limit_fills_at_the_limit_or_better(
    side: str, limit: str, price: str, filled_at: str | None
) -> None:
    with rig() as r:
        r.price("90" if side == "SELL" else "110")
        r.submit("a", side, limit=limit)
        assert r.traded == []
        r.price(price)
        assert [p for _, _, p in r.traded] == ([] if filled_at is None else [D(filled_at)])


def test_a_limit_between_ticks_of_the_market_never_fills_beyond_itself() -> None:
    with rig() as r:
        r.price("1.39", "EUR_USD")
        r.submit("a", "BUY", "1000", "EUR_USD", limit="1.38718")
        r.price("1.387175", "EUR_USD")
        assert r.traded == [("a", D(1000), D("1.38718"))]


def test_D40_a_resting_limit_is_checked_on_every_later_price() -> None:
    with rig() as r:
        r.price("110")
        r.submit("a", limit="100")
        for price in ("109", "101", "100.5"):
            r.price(price)
        assert r.status("a") == "NEW"
        r.price("99.5")
        assert (r.status("a"), r.traded[0][2]) == ("FILLED", D("99.5"))


def test_C152_the_draw_is_made_once_per_price_and_repeats_with_the_seed() -> None:
    def prices_until_filled(seed: int) -> int:
        with rig(terms=msgspec.structs.replace(FREE, fill_probability=D("0.3")), seed=seed) as r:
            r.price("110")
            r.submit("a", limit="100")
            for count in range(1, 1000):
                r.price("100")
                if r.fills:
                    return count
        raise AssertionError("never filled")

    counts = [prices_until_filled(seed) for seed in range(30)]
    assert counts == [prices_until_filled(seed) for seed in range(30)]
    assert len(set(counts)) > 3


def test_C152_no_probability_no_fill_and_market_orders_need_none() -> None:
    with rig(terms=msgspec.structs.replace(FREE, fill_probability=D(0))) as r:
        r.price("100")
        r.submit("a", limit="100")
        r.submit("b")
        for _ in range(20):
            r.price("99")
        assert [name for name, _, _ in r.traded] == ["b"]


@pytest.mark.parametrize(
    ("side", "stop", "before", "at"),
    [("SELL", "95", "95.01", "95"), ("BUY", "105", "104.99", "105")],
)
def test_D41_a_stop_waits_for_its_price(side: str, stop: str, before: str, at: str) -> None:
    with rig() as r:
        r.price("100")
        r.submit("a", side, stop=stop)
        r.price(before)
        assert (r.status("a"), r.traded) == ("NEW", [])
        r.price(at)
        assert r.traded == [("a", D(10), D(at))]


def test_a_stop_that_gaps_fills_at_the_market_not_at_its_price() -> None:
    with rig(terms=PAID) as r:
        r.price("100")
        r.submit("a", "SELL", stop="95")
        r.price("90", bid="89")
        assert r.traded == [("a", D(10), D("88.95"))]


def test_a_stop_limit_becomes_a_limit() -> None:
    with rig() as r:
        r.price("100")
        r.submit("a", "BUY", stop="105", limit="106")
        r.price("108")
        assert r.traded == []
        r.price("107")
        r.price("106")
        assert r.traded == [("a", D(10), D(106))]


def test_an_armed_stop_stays_armed() -> None:
    with rig() as r:
        r.price("100")
        r.submit("a", "SELL", stop="95", limit="95")
        r.price("94")
        r.price("96")
        assert r.traded == [("a", D(10), D(96))]


@pytest.mark.parametrize(
    ("volume", "filled"),
    [("100", "10"), ("99", "9"), ("5", None), ("0", "25"), ("1000", "25")],
)
def test_C155_a_fill_takes_at_most_its_share_of_the_volume(volume: str, filled: str | None) -> None:
    with rig(arrival=Arrival.NEXT_PRICE) as r:
        r.price("100")
        r.submit("a", "BUY", "25")
        r.price("100", volume=volume)
        assert [q for _, q, _ in r.traded] == ([] if filled is None else [D(filled)])


def test_C155_the_rest_works_on_until_all_is_filled() -> None:
    with rig() as r:
        r.price("100", ask_size="100")
        r.submit("a", "BUY", "25")
        assert r.status("a") == "PARTIALLY_FILLED"
        r.price("101", ask_size="100")
        r.price("102", ask_size="100")
        assert r.traded == [("a", D(10), D(100)), ("a", D(10), D(101)), ("a", D(5), D(102))]
        assert [fill.execution_id for fill in r.fills] == ["PAPER-1-1", "PAPER-1-2", "PAPER-1-3"]
        assert r.status("a") == "FILLED"


def test_C155_orders_of_one_side_share_what_trades_at_one_price() -> None:
    with rig() as r:
        r.price("100", ask_size="100", bid_size="50")
        for name in ("a", "b"):
            r.submit(name, "BUY", "8")
        r.submit("c", "SELL", "8")
        assert r.traded == [("a", D(8), D(100)), ("b", D(2), D(100)), ("c", D(5), D(100))]


def test_at_one_price_market_orders_go_first_then_the_best_limit_then_the_oldest() -> None:
    with rig(arrival=Arrival.NEXT_PRICE) as r:
        r.price("110")
        for name, limit in (("low", "100"), ("high", "101"), ("high2", "101")):
            r.submit(name, limit=limit)
        r.submit("market")
        r.price("99", volume="10000")
        assert [name for name, _, _ in r.traded] == ["market", "high", "high2", "low"]


@pytest.mark.parametrize("tif", ["IOC", "FOK"])
def test_X26_what_gets_one_try_is_cancelled_when_its_limit_is_not_met(tif: str) -> None:
    with rig(arrival=Arrival.NEXT_PRICE) as r:
        r.price("100")
        r.submit("a", limit="99", tif=tif)
        assert r.status("a") == "NEW"
        r.price("99.01")
        assert (r.status("a"), r.reports[-1].code) == ("CANCELED", "NOT_FILLED_AT_ONCE")


def test_X26_IOC_takes_what_is_there_and_FOK_all_or_nothing() -> None:
    with rig() as r:
        r.price("100", ask_size="100")
        r.submit("ioc", "BUY", "25", tif="IOC")
        assert (r.status("ioc"), r.traded) == ("CANCELED", [("ioc", D(10), D(100))])
        r.price("100", ask_size="100")
        r.submit("fok", "BUY", "11", tif="FOK")
        assert (r.status("fok"), len(r.fills)) == ("CANCELED", 1)
        r.submit("all", "BUY", "10", tif="FOK")
        assert r.status("all") == "FILLED"


def test_X68_an_order_never_meets_the_bar_that_caused_it() -> None:
    with rig(arrival=Arrival.NEXT_PRICE) as r:
        r.price("100")
        r.submit("a")
        assert (r.status("a"), r.traded) == ("NEW", [])
        r.price("101")
        assert r.traded == [("a", D(10), D(101))]


def test_X68_nothing_matches_outside_the_session() -> None:
    with rig(start=MONDAY_10AM - 31 * 60 * 10**9) as r:  # 09:29 in New York
        r.price("100")
        r.submit("a")
        r.advance(59.999)
        r.price("101")
        assert r.traded == []
        r.advance(0.001)
        r.price("102")
        assert r.traded == [("a", D(10), D(102))]


def test_C155_a_DAY_order_ends_with_the_session_and_GTC_stays() -> None:
    with rig(start=MONDAY_10AM + 6 * 3600 * 10**9 - 10**9) as r:  # 15:59:59 in New York
        r.price("110")
        r.submit("day", limit="100", tif="DAY")
        r.submit("gtc", limit="100", tif="GTC")
        r.advance(0.999)
        assert r.status("day") == "NEW"
        r.advance(0.01)
        assert (r.status("day"), r.status("gtc")) == ("EXPIRED", "NEW")
        assert [report.status for report in r.reports if report.client_order_id == "day"] == [
            "NEW",
            "EXPIRED",
        ]


def test_a_DAY_order_sent_while_closed_is_of_the_next_session() -> None:
    with rig(start=MONDAY_10AM + 7 * 3600 * 10**9) as r:  # Monday 17:00
        r.price("110")
        r.submit("a", limit="100", tif="DAY")
        r.advance(22 * 3600)  # Tuesday 15:00
        assert r.status("a") == "NEW"
        r.advance(3601)
        assert r.status("a") == "EXPIRED"


def test_where_sessions_have_no_end_a_DAY_order_stays() -> None:
    with rig(instruments=Instruments(calendar_name="SIM")) as r:
        r.price("110")
        r.submit("a", limit="100", tif="DAY")
        r.advance(3 * 86_400)
        assert r.status("a") == "NEW"


@pytest.mark.parametrize("tif", ["IOC", "FOK"])
def test_an_order_with_one_try_is_refused_while_the_market_is_closed(tif: str) -> None:
    with rig(start=MONDAY_10AM + 7 * 3600 * 10**9) as r:
        r.price("100")
        with pytest.raises(MarketClosed, match="XNYS is closed until"):
            r.submit("a", tif=tif)
        assert r.status("a") == "REJECTED"


@pytest.mark.parametrize("bad", ["NaN", "-1", "0", "Infinity"])
def test_a_price_that_is_no_price_never_reaches_a_fill(bad: str) -> None:
    with rig() as r:
        r.price("100")
        r.submit("a", "SELL", stop="95")
        r.price(bad)
        r.price("94", bid=bad)
        r.price("94", bid="96", ask="93")
        assert (r.traded, r.venue.refused_prices) == ([], 3)
        assert r.venue.quotes["AAPL"].last == 100


def test_a_price_looks_only_at_the_resting_orders_that_are_due() -> None:
    """The cost of a price does not grow with what rests far from it (G14)."""
    with rig(terms=msgspec.structs.replace(FREE, initial_cash=D(10) ** 12)) as r:
        r.price("1000")
        for n in range(2_000):
            r.submit(f"o{n}", "BUY", "1", limit=f"{n % 900 + 1}")
        book = r.venue._orders.by_symbol["AAPL"]
        looked = 0

        class Counting(Decimal):
            def __ge__(self, key: object) -> bool:
                nonlocal looked
                looked += 1
                return super().__ge__(key)  # type: ignore[operator]

        assert book._limits[True].due(Counting(-1_000)) == []
        assert looked == 1


def test_orders_that_ended_leave_the_index() -> None:
    with rig() as r:
        r.price("1000")
        for n in range(500):
            r.submit(f"o{n}", "BUY", "1", limit="1")
            r.venue.cancel(f"o{n}")
        assert len(r.venue._orders.by_symbol["AAPL"]._limits[True]._heap) <= 65
        assert r.venue._orders.by_symbol["AAPL"].orders == {}


def test_instruments_of_another_currency_are_refused() -> None:
    rules = msgspec.structs.replace(default_instrument("VOD"), currency="GBP")
    with rig(instruments={"VOD": rules}) as r:
        r.price("100", "VOD")
        with pytest.raises(Rejected) as refused:
            r.submit("a", symbol="VOD")
        assert refused.value.code == "CURRENCY"


def test_multipliers_count_in_money() -> None:
    rules = msgspec.structs.replace(default_instrument("ES"), multiplier=Decimal(50))
    with rig(instruments={"ES": rules}) as r:
        r.price("100", "ES")
        r.submit("a", "BUY", "2", "ES")
        assert r.venue.balance.cash == 90_000
        r.price("110", "ES")
        assert r.venue.account().equity == 101_000
