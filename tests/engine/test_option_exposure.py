"""An option counts as so much of its underlying as it moves with it (A-084).

By hand: at the money, without interest, a call of price C on an underlying at S has a delta of
(1 + C / S) / 2, a put of price P one of -(1 - P / S) / 2. With S = 100 and a price of 10 that is
0.55 and -0.45, so that a contract of 100 counts as 0.55 x 100 x 100 = 5,500 and as 4,500. Equity is
100,000.
"""

from decimal import Decimal
from math import exp
from statistics import NormalDist
from typing import Any

import pytest

from engine.analytics.status import limits_used
from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.instrument import AssetClass, Facts, instrument_of
from engine.domain.instruments.option import OptionRight
from engine.domain.order import OrderStatus, OrderType, Purpose, Side
from engine.state.book import Book
from engine.world import exposure
from tests.engine.driver import CoreDriver, one
from tests.engine.worlds import BROKER, config_of, signal

D = Decimal
CALL = "AAPL 2013-12-20 100 C"
PUT = "AAPL 2013-12-20 100 P"


def desk_with(profile: str = "axion_aggressive", **risk: Any) -> CoreDriver:
    """AAPL at 100, its call and its put of strike 100 at 10."""
    limits = {"max_order_notional": "1000000", **risk}
    desk = CoreDriver(config_of(profile=profile, risk=limits))
    desk.quote("AAPL", "100")
    desk.quote(CALL, "10")
    desk.quote(PUT, "10")
    return desk


def ordered(desk: CoreDriver, symbol: str, quantity: int, limit: str) -> list[ev.Event]:
    return desk.give(
        ask.PlaceOrder(
            by="t",
            symbol=symbol,
            side=Side.BUY,
            quantity=D(quantity),
            type=OrderType.LIMIT,
            limit_price=D(limit),
        )
    )


def refusal(events: list[ev.Event]) -> tuple[str, str]:
    """The code and the reason of a refusal; nothing where the order is sent."""
    found = [(e.code, e.reason) for e in events if isinstance(e, ev.OrderRefused)]
    assert len(found) + len([e for e in events if isinstance(e, ev.OrderIntended)]) == 1
    return found[0] if found else ("", "")


class TestTheGate:
    """One name, one sector and all together; what is paid stays the premium."""

    @pytest.mark.parametrize(
        ("symbol", "limit", "code"),
        [
            (CALL, "0.111", ""),
            (CALL, "0.110", ""),
            (CALL, "0.109", "SINGLE_EXPOSURE"),
            (PUT, "0.091", ""),
            (PUT, "0.090", ""),
            (PUT, "0.089", "SINGLE_EXPOSURE"),
        ],
    )
    def test_two_contracts_are_twice_their_delta_of_the_underlying(
        self, symbol: str, limit: str, code: str
    ) -> None:
        desk = desk_with(max_single_stock_exposure=limit)
        assert refusal(ordered(desk, symbol, 2, "10"))[0] == code

    @pytest.mark.parametrize(
        # 60 shares at 100 are 6,000, and a call 5,500 more
        ("limit", "code"),
        [("0.116", ""), ("0.115", ""), ("0.114", "SINGLE_EXPOSURE")],
    )
    def test_a_stock_and_its_option_are_one_name(self, limit: str, code: str) -> None:
        desk = desk_with(max_single_stock_exposure=limit).hold("AAPL", 60, "100")
        assert refusal(ordered(desk, CALL, 1, "10"))[0] == code

    @pytest.mark.parametrize(
        ("limit", "code"), [("0.056", ""), ("0.055", ""), ("0.054", "SECTOR_EXPOSURE")]
    )
    def test_a_sector_counts_it_the_same(self, limit: str, code: str) -> None:
        desk = desk_with(max_sector_exposure=limit)
        assert refusal(ordered(desk, CALL, 1, "10"))[0] == code

    @pytest.mark.parametrize(
        ("limit", "code"), [("0.056", ""), ("0.055", ""), ("0.054", "GROSS_EXPOSURE")]
    )
    def test_the_total_counts_it_the_same(self, limit: str, code: str) -> None:
        desk = desk_with("conservative", max_gross_exposure=limit)
        assert refusal(ordered(desk, CALL, 1, "10"))[0] == code

    @pytest.mark.parametrize(
        # exercising a call of strike 80 brings 20: at 20 and below it moves as AAPL does, and a
        # contract is 100 x 100
        ("price", "limit", "code"),
        [
            ("20", "0.100", ""),
            ("20", "0.099", "SINGLE_EXPOSURE"),
            ("15", "0.100", ""),
            ("15", "0.099", "SINGLE_EXPOSURE"),
        ],
    )
    def test_what_no_volatility_explains_counts_in_full(
        self, price: str, limit: str, code: str
    ) -> None:
        deep = "AAPL 2013-12-20 80 C"
        desk = desk_with(max_single_stock_exposure=limit)
        desk.quote(deep, price)
        assert refusal(ordered(desk, deep, 1, price))[0] == code

    @pytest.mark.parametrize(
        # a put of strike 250 at 150 is 15,000 a contract, more than the 10,000 of 100 shares
        ("price", "code"),
        [("149", ""), ("150", ""), ("151", "SINGLE_EXPOSURE")],
    )
    def test_it_never_counts_less_than_its_premium(self, price: str, code: str) -> None:
        deep = "AAPL 2013-12-20 250 P"
        desk = desk_with(max_single_stock_exposure="0.15")
        desk.quote(deep, price)
        assert refusal(ordered(desk, deep, 1, price))[0] == code

    def test_buying_power_and_the_value_of_an_order_stay_the_premium(self) -> None:
        desk = desk_with(max_order_notional="1000")
        before = exposure.buying_power(desk.world, BROKER)
        assert refusal(ordered(desk, CALL, 1, "10"))[0] == ""
        assert before - exposure.buying_power(desk.world, BROKER) == 1_000
        assert refusal(ordered(desk, PUT, 2, "10"))[0] == "MAX_NOTIONAL"

    @pytest.mark.parametrize(
        # the middle of 8 and 12 is 10
        ("limit", "code"),
        [("0.055", ""), ("0.054", "SINGLE_EXPOSURE")],
    )
    def test_the_middle_of_its_sides_tells_its_delta(self, limit: str, code: str) -> None:
        desk = desk_with(max_single_stock_exposure=limit)
        desk.quote(CALL, "11", bid="8", ask="12")
        assert refusal(ordered(desk, CALL, 1, "11"))[0] == code

    def test_a_signal_is_sized_by_it(self) -> None:
        desk = desk_with(max_single_stock_exposure="0.12")
        # 12,000 hold two of 5,500; at the premium they would hold 12, and the risk 50
        desk.signal(signal(CALL, entry="10", stop="9", at=desk.now))
        assert desk.last(Purpose.ENTRY, CALL).quantity == 2

    @pytest.mark.parametrize(
        # two are 11,000 and three 16,500, of which the one that works is no more than replaced
        ("quantity", "code"),
        [(2, ""), (3, "SINGLE_EXPOSURE")],
    )
    def test_a_change_counts_what_works_once(self, quantity: int, code: str) -> None:
        desk = desk_with(max_single_stock_exposure="0.11")
        ordered(desk, CALL, 1, "10")
        order = desk.last(Purpose.MANUAL, CALL)
        desk.accept(order)
        events = desk.give(
            ask.ModifyOrder(by="t", client_order_id=order.client_order_id, quantity=D(quantity))
        )
        refused = [e.code for e in events if isinstance(e, ev.CommandRefused | ev.OrderRefused)]
        assert refused == ([code] if code else [])


class TestWhatIsHeldAndWorks:
    """The sums that every row, the status and the panes read."""

    def test_exposure_moves_with_the_underlying_and_equity_with_the_premium(self) -> None:
        desk = desk_with().hold(CALL, 2, "10").hold(PUT, 1, "10")
        world = desk.world
        # 2 x 5,500 and 4,500
        assert exposure.of_name(world, "AAPL") == exposure.of_name(world, CALL) == 15_500
        assert exposure.of_sector(world, "UNKNOWN") == exposure.gross(world) == 15_500
        assert (world.money.equity, world.value.market_value["USD"]) == (100_000, 3_000)
        desk.quote("AAPL", "110")
        # A model of this test's own tells how far they move now.
        assert (
            abs(exposure.of_name(world, "AAPL") - D(2 * _counted("C", 110) + _counted("P", 110)))
            < 5
        )
        assert world.money.equity == 100_000

    def test_the_status_shows_the_same(self) -> None:
        desk = desk_with("conservative").hold(CALL, 2, "10")
        rows = {row["name"]: row["measured"] for row in limits_used(desk.world, desk.now)}
        assert rows["max_single_stock_exposure"] == rows["max_gross_exposure"] == "0.11"

    def test_an_entry_counts_until_it_is_filled_or_over(self) -> None:
        desk = desk_with()
        ordered(desk, CALL, 2, "10")
        order = desk.last(Purpose.MANUAL, CALL)
        world = desk.world
        assert exposure.of_name(world, "AAPL") == 11_000
        desk.accept(order)
        desk.filled(order, 1, "10")
        assert exposure.of_name(world, "AAPL") == 11_000
        desk.report(order, OrderStatus.CANCELED)
        assert exposure.of_name(world, "AAPL") == exposure.gross(world) == 5_500

    def test_what_was_sold_short_counts_the_same(self) -> None:
        desk = desk_with()
        desk.event(ev.InstrumentLearned(instrument=instrument_of(CALL, Facts(shortable=True))))
        desk.hold(CALL, -2, "10")
        assert exposure.gross(desk.world) == 11_000

    def test_another_currency_is_valued(self) -> None:
        desk = desk_with()
        desk.quote("EUR_USD", "1.25")
        euro = instrument_of(CALL, Facts(currency="EUR"))
        desk.event(ev.InstrumentLearned(instrument=euro))
        desk.hold(CALL, 2, "10")
        assert exposure.gross(desk.world) == D("13_750")

    def test_a_restart_counts_it_in_full_until_its_own_price_comes(self) -> None:
        """The journal knows its last price, and no price beside it tells how far it moves."""
        desk = desk_with().hold(CALL, 2, "10")
        desk.book.mark(CALL, D(10))
        again = CoreDriver(running=False)
        again.book = Book.restore(desk.book.snapshot())
        world = type(desk.world)(again.book, desk.world.config, {BROKER: desk.world.able(BROKER)})
        assert exposure.unmeasured(world) == (
            f"There is no price of AAPL, by which {CALL} counts as exposure."
        )
        assert exposure.gross(world) == 2_000
        world.take_quote(desk.world.market.quotes["AAPL"], desk.now)
        assert (exposure.unmeasured(world), exposure.gross(world)) == ("", 20_000)
        world.take_quote(desk.world.market.quotes[CALL], desk.now)
        assert exposure.gross(world) == 11_000

    @pytest.mark.parametrize(
        ("later", "first", "counted"),
        [
            (60, CALL, 11_000),
            (61, CALL, 20_000),
            (60, "AAPL", 11_000),
            (61, "AAPL", 20_000),
        ],
    )
    def test_prices_that_are_not_of_the_same_time_tell_no_delta(
        self, later: int, first: str, counted: int
    ) -> None:
        second = "AAPL" if first == CALL else CALL
        prices = {"AAPL": "100", CALL: "10"}
        desk = desk_with(quote_max_age_seconds=60).hold(CALL, 2, "10")
        desk.price(first, prices[first]).later(later).price(second, prices[second])
        assert exposure.gross(desk.world) == counted


class TestWithoutAPriceOfTheUnderlying:
    """Nothing is opened that nobody can count, and the reason says so (U-53)."""

    def test_the_option_is_not_opened(self) -> None:
        desk = CoreDriver(config_of(profile="axion_aggressive"))
        desk.quote(CALL, "10")
        assert refusal(ordered(desk, CALL, 1, "10")) == (
            "NO_PRICE",
            f"There is no price of AAPL, by which {CALL} counts as exposure.",
        )

    @pytest.mark.parametrize(("later", "code"), [(60, ""), (61, "STALE_QUOTE")])
    def test_nor_with_an_old_one(self, later: int, code: str) -> None:
        desk = CoreDriver(config_of(profile="autotrader", risk={"quote_max_age_seconds": 60}))
        desk.quote("AAPL", "100")
        desk.later(later)
        desk.quote(CALL, "10")
        found, reason = refusal(ordered(desk, CALL, 1, "10"))
        assert found == code
        assert reason.startswith("The price of AAPL, by which ") is bool(code)

    @pytest.mark.parametrize(
        ("profile", "code"),
        [("axion_aggressive", "SECTOR_EXPOSURE"), ("conservative", "SECTOR_EXPOSURE")],
    )
    def test_while_one_is_held_the_limits_it_counts_in_let_nothing_in(
        self, profile: str, code: str
    ) -> None:
        desk = CoreDriver(config_of(profile=profile)).hold(CALL, 1, "10")
        desk.quote("NVDA", "100")
        assert refusal(ordered(desk, "NVDA", 1, "100")) == (
            code,
            f"There is no price of AAPL, by which {CALL} counts as exposure.",
        )
        desk.quote("AAPL", "100")
        assert refusal(ordered(desk, "NVDA", 1, "100"))[0] == ""

    def test_in_another_sector_the_total_lets_nothing_in(self) -> None:
        sectors = {"NVDA": "CHIPS", "AAPL": "PHONES"}
        for profile, code in (("axion_aggressive", ""), ("conservative", "GROSS_EXPOSURE")):
            desk = CoreDriver(config_of(profile=profile), sectors=sectors).hold(CALL, 1, "10")
            desk.quote("NVDA", "100")
            assert refusal(ordered(desk, "NVDA", 1, "100"))[0] == code

    def test_it_can_always_be_closed(self) -> None:
        desk = CoreDriver().hold(CALL, 2, "10")
        events = desk.give(ask.ClosePosition(by="t", symbol=CALL))
        assert one(events, ev.OrderIntended).terms.quantity == 2


STEPS = 4_000
ENDS = [NormalDist().inv_cdf((n + 0.5) / STEPS) for n in range(STEPS)]
"""Where the underlying may end, each as likely as the others, in standard deviations."""


def _counted(right: str, spot: float, price: float = 10, strike: float = 100) -> float:
    """What a contract of 100 counts as: volatility by trial, delta as a difference of prices."""
    sign = 1 if right == "C" else -1

    def worth(at: float, w: float) -> float:
        """The mean of what exercising brings."""
        return sum(max(sign * (at * exp(w * z - w * w / 2) - strike), 0) for z in ENDS) / STEPS

    low, high = 0.001, 3.0
    for _ in range(30):
        middle = (low + high) / 2
        low, high = (middle, high) if worth(spot, middle) < price else (low, middle)
    delta = abs(worth(spot + 0.5, low) - worth(spot - 0.5, low))
    return max(delta * spot, price) * 100


class TestOnAFuture:
    """An option on a future counts in the future's root: what both derive from is one name.

    By hand: a future of 50 at 100 is 5,000. A call of strike 100 at 10 on it, of 50 too, moves by
    0.55 of that, which is 2,750. Both together are 7,750 of 100,000.
    """

    FUTURE = instrument_of("ES 2013-12", Facts(multiplier=D(50), calendar="24/7"))
    CALL = instrument_of(
        "EW100C",
        Facts(
            asset_class=AssetClass.OPTION,
            multiplier=D(50),
            calendar="24/7",
            terms={
                "underlying": "ES 2013-12",
                "expiry": "2013-12-20",
                "strike": D(100),
                "right": OptionRight.CALL,
            },
        ),
    )

    def desk_with(self, profile: str = "axion_aggressive", **risk: Any) -> CoreDriver:
        limits = {"max_order_notional": "1000000", **risk}
        desk = CoreDriver(config_of(profile=profile, risk=limits), sectors={"ES": "INDEX"})
        for known, price in ((self.FUTURE, "100"), (self.CALL, "10")):
            desk.event(ev.InstrumentLearned(instrument=known))
            desk.quote(known.symbol, price)
        return desk

    @pytest.mark.parametrize(
        ("limit", "code"), [("0.0776", ""), ("0.0775", ""), ("0.0774", "SINGLE_EXPOSURE")]
    )
    @pytest.mark.parametrize("option_first", [True, False])
    def test_they_are_one_name_whichever_is_there_first(
        self, limit: str, code: str, *, option_first: bool
    ) -> None:
        desk = self.desk_with(max_single_stock_exposure=limit)
        symbols = [(self.FUTURE.symbol, "100"), (self.CALL.symbol, "10")]
        (first, paid), (second, price) = reversed(symbols) if option_first else symbols
        desk.hold(first, 1, paid)
        desk.quote(first, paid)
        found, reason = refusal(ordered(desk, second, 1, price))
        assert found == code
        assert reason.startswith("ES would be 0.0775 of equity" if code else "")

    def test_what_is_held_and_what_works_add_up_in_the_name_and_its_sector(self) -> None:
        desk = self.desk_with()
        desk.hold(self.FUTURE.symbol, 1, "100")
        assert refusal(ordered(desk, self.CALL.symbol, 1, "10"))[0] == ""
        for symbol in (self.FUTURE.symbol, self.CALL.symbol):
            assert exposure.of_name(desk.world, symbol) == 7_750
            assert desk.world.groups.sector_of(symbol) == "INDEX"
        assert exposure.of_sector(desk.world, "INDEX") == 7_750
        assert exposure.of_sector(desk.world, "UNKNOWN") == 0
        assert exposure.gross(desk.world) == 7_750

    def test_its_delta_leans_on_the_price_of_the_future_not_of_the_root(self) -> None:
        desk = self.desk_with().hold(self.CALL.symbol, 1, "10")
        desk.quote("ES", "1")
        assert exposure.of_name(desk.world, self.CALL.symbol) == 2_750
