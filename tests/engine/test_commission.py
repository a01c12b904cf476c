"""A commission taken in a third asset: from what is held of it, else from cash (X-86, U-17, U-18).

Binance takes it from BNB, or from the coin bought. Every expected amount is worked out by hand in
the comment beside it.
"""

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.analytics.status import status_of
from engine.core.fees import fee_fault
from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.account import Account
from engine.domain.codes import Code, Verdict
from engine.domain.instrument import Facts, instrument_of
from engine.domain.order import Fill, OrderStatus, OrderTerms, Purpose, Side
from engine.domain.run import Severity
from engine.state.book import Book
from engine.state.fold import apply
from storage import memory_database, open_journal, tables
from storage.connection import prepare
from tests.engine.driver import CoreDriver, one
from tests.engine.worlds import ACCOUNT, BROKER, signal

D = Decimal
SAP = instrument_of("SAP", Facts(currency="EUR", calendar="24/7"))
MOMENT = 0.001
QUOTE_AGE = 15
"""`[risk] quote_max_age_seconds` of the profile."""


def desk_with(**balances: str) -> CoreDriver:
    """A running engine with this cash by currency, which is all there is, and prices of the coins.

    A BNB is worth 320 dollars, a bitcoin 10,000, a euro 1.25.
    """
    cash = {currency: D(amount) for currency, amount in balances.items()}
    desk = CoreDriver()
    desk.quote("EUR_USD", "1.25")
    desk.quote("BNB-USD", "320")
    desk.quote("BTC-USD", "10000")
    desk.event(ev.InstrumentLearned(instrument=SAP))
    told = Account(
        account_id=ACCOUNT,
        cash=cash["USD"],
        balances=cash,
        equity=cash["USD"],
        buying_power=cash["USD"],
        as_of=desk.now,
    )
    desk.event(ev.AccountSynced(account=BROKER, balances=told))
    return desk


def fill(
    desk: CoreDriver, order: OrderTerms, price: str, commission: str, asset: str
) -> list[ev.Event]:
    """The whole order fills at `price`, and this much of an asset is taken for it."""
    done = msgspec.structs.replace(
        desk.execution(order, order.quantity, price),
        commission=D(commission),
        commission_currency=asset,
    )
    return desk.report(order, OrderStatus.FILLED, fill=done)


def held(desk: CoreDriver, symbol: str) -> Decimal:
    position = desk.book.holding(BROKER, symbol)
    return position.quantity if position is not None else D(0)


def cash(desk: CoreDriver) -> dict[str, Decimal]:
    return {c: amount for c, amount in desk.book.account(BROKER).cash.items() if amount}


def total(desk: CoreDriver) -> tuple[Decimal, list[str]]:
    """Equity to the cent, and the currencies whose worth `status` is not sure of."""
    found = status_of(desk.world, desk.now)
    (account,) = found["accounts"]
    return cents(D(found["account"]["equity"])), account["unvalued"]


def cents(amount: Decimal) -> Decimal:
    return round(amount, 2)


class TestOfAHolding:
    """10 BNB are held, bought at 300 and now at 320."""

    def test_it_takes_quantity_and_no_cash(self) -> None:
        desk = desk_with(USD="50000").hold("BNB-USD", 10, "300", mark="320")
        order = desk.order("BTC-USD", 2, "10000")
        events = fill(desk, order, "10000", "0.05", "BNB")
        assert held(desk, "BNB-USD") == D("9.95")
        # 50000 - 10 x 300 - 2 x 10000
        assert cash(desk) == {"USD": D(27_000)}
        taken = one(events, ev.CommissionTaken)
        assert (taken.symbol, taken.quantity, taken.price) == ("BNB-USD", D("0.05"), D(320))

    def test_everything_adds_up_in_dollars_to_the_cent(self) -> None:
        desk = desk_with(USD="50000", EUR="1234.56").hold("BNB-USD", 10, "300", mark="320")
        fill(desk, desk.order("BTC-USD", 2, "10000"), "10000", "0.05", "BNB")
        fill(desk, desk.order("SAP", 7, "200"), "200", "0.0123", "BNB")
        desk.quote("EUR_USD", "1.27")
        desk.quote("BNB-USD", "310")
        desk.quote("BTC-USD", "10100")
        desk.quote("SAP", "203")
        # dollars: 50000 - 3000 - 20000 = 27000
        # euros: 1234.56 - 7 x 200 = -165.44; SAP 7 x 203 = 1421; together 1255.56 x 1.27
        # BNB: (10 - 0.05 - 0.0123) x 310 = 9.9377 x 310 = 3080.687; BTC 2 x 10100 = 20200
        assert cents(desk.world.money.equity) == cents(
            D(27_000) + D("1255.56") * D("1.27") + D("3080.687") + D(20_200)
        )
        assert desk.book.data.commission == D("0.0623") * 320
        # what was taken had been bought at 300 and was worth 320
        assert desk.book.data.realized == D("0.0623") * 20
        assert total(desk) == (D("51875.25"), [])

    def test_a_trade_counts_it_in_the_currency_of_its_prices(self) -> None:
        desk = desk_with(USD="50000", EUR="2000").hold("BNB-USD", 10, "300", mark="320")
        fill(desk, desk.order("SAP", 7, "200"), "200", "0.05", "BNB")
        sale = desk.order("SAP", 7, "210", side=Side.SELL, purpose=Purpose.EXIT, reserves=False)
        events = fill(desk, sale, "210", "0.07", "BNB")
        trade = one(events, ev.PositionClosed).trade
        # 0.05 x 320 / 1.25 = 12.80 euros, 0.07 x 320 / 1.25 = 17.92; 7 x 10 = 70 less both
        assert (trade.fees, trade.pnl) == (D("30.72"), D("39.28"))
        assert [leg.commission for leg in trade.legs] == [D("12.80"), D("17.92")]
        order = desk.current(sale)
        assert order.commission == D("17.92")

    def test_the_coin_bought_pays_for_itself_and_its_stop_covers_the_rest(self) -> None:
        desk = desk_with(USD="50000")
        order = desk.order("BTC-USD", 2, "10000", stop="9000")
        fill(desk, order, "10000", "0.002", "BTC")
        assert held(desk, "BTC-USD") == D("1.998")
        assert cash(desk) == {"USD": D(30_000)}
        assert desk.last(Purpose.PROTECT, "BTC-USD").quantity == D("1.998")
        # 2 x 10000 were paid, of which 20 are the fee: 30000 + 19980
        assert desk.world.money.equity == 49_980
        sale = desk.order(
            "BTC-USD", "1.998", "11000", side=Side.SELL, purpose=Purpose.EXIT, reserves=False
        )
        events = fill(desk, sale, "11000", "21.978", "USD")
        trade = one(events, ev.PositionClosed).trade
        # 1.998 x 1000 less 20 and 21.978
        assert (trade.pnl, trade.fees) == (D("1956.022"), D("41.978"))
        assert sum(leg.quantity for leg in trade.legs) == 0
        assert held(desk, "BTC-USD") == 0
        assert desk.world.money.equity == D(50_000) + D("1956.022")

    def test_the_venue_finds_the_same_and_no_transfer(self) -> None:
        desk = desk_with(USD="50000").hold("BNB-USD", 10, "300", mark="320")
        fill(desk, desk.order("BTC-USD", 2, "10000"), "10000", "0.05", "BNB")
        desk.later(1)
        events = desk.snapshot(positions={"BNB-USD": "9.95", "BTC-USD": 2}, cash=D(27_000))
        looked = one(events, ev.Reconciled)
        assert [d for d in looked.differences if d.kind != "PRICE_DRIFT"] == []
        assert all(event.flow == 0 for event in events if isinstance(event, ev.AccountSynced))

    def test_a_resting_stop_of_what_paid_is_made_smaller(self) -> None:
        desk = desk_with(USD="50000")
        bought = desk.order("BNB-USD", 10, "300", stop="280")
        fill(desk, bought, "300", "3", "USD")
        stop = desk.last(Purpose.PROTECT, "BNB-USD")
        desk.accept(stop)
        events = fill(desk, desk.order("BTC-USD", 2, "10000"), "10000", "0.05", "BNB")
        smaller = one(events, ev.ReplaceRequested)
        assert (smaller.client_order_id, smaller.quantity) == (stop.client_order_id, D("9.95"))

    @pytest.mark.parametrize(
        ("has", "left", "owed"),
        [("0.04", "0", "-0.01"), ("0.05", "0", "0"), ("0.06", "0.01", "0")],
    )
    def test_what_the_holding_does_not_cover_is_owed(self, has: str, left: str, owed: str) -> None:
        desk = desk_with(USD="50000").hold("BNB-USD", has, "300", mark="320")
        events = fill(desk, desk.order("BTC-USD", 2, "10000"), "10000", "0.05", "BNB")
        assert held(desk, "BNB-USD") == D(left)
        assert cash(desk).get("BNB", D(0)) == D(owed)
        closed = [e.trade for e in events if isinstance(e, ev.PositionClosed)]
        assert [trade.symbol for trade in closed] == ([] if D(left) else ["BNB-USD"])
        for trade in closed:
            # 20 a coin more than it had cost
            assert (trade.pnl, trade.exit_price) == (D(has) * 20, D(320))
        # 50000 + has x 20, and 0.05 x 320 are gone
        assert desk.world.money.equity == D(50_000) + D(has) * 20 - 16

    def test_a_coin_of_hardly_any_worth_keeps_it(self) -> None:
        desk = desk_with(USD="50000", EUR="1000")
        desk.quote("XYZ-USD", "0.000000012")
        desk.hold("XYZ-EUR", 10_000_000, "0.00000001")
        events = fill(desk, desk.order("BTC-USD", 2, "10000"), "10000", "5000000", "XYZ")
        taken = one(events, ev.CommissionTaken)
        # 0.000000012 / 1.25
        assert taken.price == D("0.0000000096")
        # half of 0.10 euros of cost went for 0.048 euros
        assert desk.book.data.realized == D("-0.002") * D("1.25")

    def test_a_rebate_adds_to_it(self) -> None:
        desk = desk_with(USD="50000").hold("BNB-USD", 10, "300", mark="320")
        fill(desk, desk.order("BTC-USD", 2, "10000"), "10000", "-0.05", "BNB")
        assert held(desk, "BNB-USD") == D("10.05")
        assert "BNB" not in cash(desk)
        # 10 x 20 of BNB, and 16 were given
        assert desk.world.money.equity == 50_216

    def test_a_pair_on_margin_is_no_holding_of_its_currency(self) -> None:
        """What is held of EUR_USD is a contract; a commission in euros is paid in cash."""
        desk = desk_with(USD="50000", EUR="100").hold("EUR_USD", 1000, "1.25")
        fill(desk, desk.order("SAP", 7, "200"), "200", "2", "EUR")
        assert held(desk, "EUR_USD") == 1000
        # 100 - 1400 - 2
        assert cash(desk)["EUR"] == -1_302

    def test_a_short_and_another_accounts_coins_pay_nothing(self) -> None:
        desk = desk_with(USD="50000").hold("BNB-USD", -10, "300", mark="320")
        fill(desk, desk.order("BTC-USD", 2, "10000"), "10000", "0.05", "BNB")
        assert held(desk, "BNB-USD") == -10
        assert cash(desk)["BNB"] == D("-0.05")


class TestWithoutARate:
    """Nothing tells what the asset is worth: it is named, and nothing opens in it."""

    def test_the_total_names_it_and_the_trade_leaves_it_out(self) -> None:
        desk = desk_with(USD="50000")
        events = fill(desk, desk.order("BTC-USD", 2, "10000"), "10000", "0.5", "XYZ")
        assert cash(desk) == {"USD": D(30_000), "XYZ": D("-0.5")}
        assert total(desk) == (D(50_000), ["XYZ"])
        position = desk.book.holding(BROKER, "BTC-USD")
        assert position is not None
        assert position.commission == 0
        alarms = [event for event in events if isinstance(event, ev.Alarmed)]
        (alarm,) = [event for event in alarms if event.code == "FEE_WITHOUT_RATE"]
        assert alarm.subject == "XYZ"
        assert "0.5 XYZ" in alarm.text

    def test_x74_it_is_a_loss_of_the_day_on_which_its_worth_becomes_known(self) -> None:
        desk = desk_with(USD="50000")
        before = desk.world.money.daily_pnl
        fill(desk, desk.order("BTC-USD", 2, "10000"), "10000", "0.5", "XYZ")
        desk.quote("XYZ-USD", "40")
        desk.tick()
        # 0.5 x 40 are owed
        assert desk.world.money.equity == 49_980
        assert desk.world.money.daily_pnl == before - 20
        assert total(desk)[1] == []

    def test_a_holding_tells_the_worth_of_its_own_coin(self) -> None:
        """BNB is quoted in USDT alone, and a USDT is 0.5 dollars: no chain makes a rate of BNB."""
        desk = CoreDriver()
        desk.quote("USDT-USD", "0.5")
        desk.hold("BNB-USDT", 10, "600")
        desk.quote("BNB-USDT", "640")
        desk.quote("BTC-USD", "10000")
        assert desk.world.currencies.worth.get("BNB") is None
        before = desk.world.money.equity
        fill(desk, desk.order("BTC-USD", 2, "10000"), "10000", "0.05", "BNB")
        # 0.05 x 640 x 0.5
        assert desk.world.money.equity == before - 16
        assert desk.book.data.commission == 16
        assert total(desk)[1] == []

    @pytest.mark.parametrize(
        ("age", "code"),
        [
            (None, Code.NO_RATE),
            (QUOTE_AGE - MOMENT, ""),
            (QUOTE_AGE, ""),
            (QUOTE_AGE + MOMENT, Code.NO_RATE),
        ],
    )
    def test_x86_an_entry_paid_in_it_needs_a_fresh_rate(self, age: float | None, code: str) -> None:
        desk = CoreDriver()
        if age is not None:
            desk.quote("XYZ-USD", "40")
            desk.later(age)
        desk.quote("BTC-XYZ", "250")
        order = ask.PlaceOrder(by="t", symbol="BTC-XYZ", side=Side.BUY, quantity=D("0.1"))
        events = desk.give(order)
        refused = [event for event in events if isinstance(event, ev.OrderRefused)]
        assert [event.code for event in refused] == ([code] if code else [])
        if code:
            assert "XYZ" in refused[0].reason
        else:
            assert one(events, ev.OrderIntended).terms.symbol == "BTC-XYZ"

    @pytest.mark.parametrize(
        ("age", "missing"),
        [(QUOTE_AGE - MOMENT, []), (QUOTE_AGE, []), (QUOTE_AGE + MOMENT, ["BNB", "EUR"])],
    )
    def test_x86_what_was_known_keeps_its_last_worth_and_is_named(
        self, age: float, missing: list[str]
    ) -> None:
        desk = desk_with(USD="50000", EUR="1000")
        fill(desk, desk.order("BTC-USD", 2, "10000"), "10000", "0.05", "BNB")
        desk.later(age)
        # 50000 + 1000 x 1.25 - 0.05 x 320
        assert total(desk) == (D(51_234), missing)


def life() -> list[ev.Record]:
    """A coin is bought and pays for itself, pays for others, and its last is spent."""
    desk = desk_with(USD="50000", EUR="1000")
    events: list[ev.Event] = [ev.InstrumentLearned(instrument=SAP)]
    events += fill(desk, desk.order("BNB-USD", 1, "300"), "300", "0.01", "BNB")
    events += fill(desk, desk.order("BTC-USD", 2, "10000"), "10000", "0.04", "BNB")
    events += fill(desk, desk.order("SAP", 7, "200"), "200", "0.95", "BNB")
    return [ev.Record(number, desk.now + number, event) for number, event in enumerate(events, 1)]


def test_U70_a_restart_between_any_two_events_comes_to_the_same_state() -> None:
    records, through = life(), Book()
    for record in records:
        apply(through, record)
    for middle in range(len(records)):
        book = Book()
        for record in records[:middle]:
            apply(book, record)
        book = Book.restore(book.snapshot())
        for record in records[middle:]:
            apply(book, record)
        assert book.snapshot() == through.snapshot()


def test_x90_the_rows_say_what_was_taken_and_a_rebuild_says_the_same() -> None:
    database, book, fresh = memory_database(), Book(), memory_database()
    journal = open_journal(database, inline=True)
    for record in life():
        journal.append([record], apply(book, record))
        journal.catch_up()
    prepare(fresh, "in memory")
    tables.derive(database, fresh)
    assert tables.differing(database, fresh) == ()
    fees = dict(database.execute("SELECT ticker, fees FROM trade_executions").fetchall())
    # 0.01 x 320 for the coin itself, 0.04 x 320, and 0.95 x 320 / 1.25 in euros
    assert fees == {"BNB-USD": "3.2", "BTC-USD": "12.8", "SAP": "243.2"}
    finished = "SELECT ticker, currency, pnl FROM trade_executions WHERE status = 'closed'"
    # 1 x (320 - 300) less 3.20
    assert database.execute(finished).fetchall() == [("BNB-USD", "USD", "16.8")]
    told = "SELECT symbol, currency, commission_currency FROM fills ORDER BY seq"
    assert database.execute(told).fetchall() == [
        ("BNB-USD", "USD", "BNB"),
        ("BTC-USD", "USD", "BNB"),
        ("SAP", "EUR", "BNB"),
    ]


FILLS = st.lists(
    st.tuples(
        st.sampled_from(["BNB-USD", "BTC-USD", "AAPL"]),
        st.integers(-20, 20).filter(bool),
        st.integers(100, 50_000).map(lambda ticks: D(ticks) / 100),  # near enough to be believed
        st.integers(-200, 2_000).map(lambda parts: D(parts) / 1_000),
        st.sampled_from(["", "USD", "BNB", "BTC"]),
    ),
    min_size=1,
    max_size=15,
)


@given(FILLS)
def test_whatever_is_charged_in_whichever_asset_each_is_conserved(
    trades: list[tuple[str, int, Decimal, Decimal, str]],
) -> None:
    """What is held of an asset, as a holding and as cash, is what was bought less what was taken;
    and equity is where it began, plus what was gained, less what was charged."""
    desk = desk_with(USD="100000")
    amounts = {"USD": D(100_000), "BNB": D(0), "BTC": D(0), "AAPL": D(0)}
    for number, (symbol, quantity, price, commission, asset) in enumerate(trades):
        told = Fill(
            execution_id=f"x{number}",
            client_order_id=f"somebody-{number}",
            account=BROKER,
            symbol=symbol,
            side=Side.BUY if quantity > 0 else Side.SELL,
            quantity=D(abs(quantity)),
            price=price,
            commission=commission,
            commission_currency=asset,
            time=desk.now,
        )
        unknown = desk.order(symbol, abs(quantity), price, side=told.side)
        told = msgspec.structs.replace(told, client_order_id=unknown.client_order_id)
        desk.report(unknown, OrderStatus.FILLED, fill=told)
        amounts[symbol.removesuffix("-USD")] += quantity
        amounts["USD"] -= quantity * price
        taken = desk.of(ev.OrderFilled)[-1].fill.commission
        aside = any(f"fill x{number} is taken without" in e.text for e in desk.of(ev.Alarmed))
        assert taken == (0 if aside else commission)
        amounts[asset or "USD"] -= taken
        book = desk.book.account(BROKER)
        for name, amount in amounts.items():
            symbol_of = name if name == "AAPL" else f"{name}-USD"
            assert held(desk, symbol_of) + book.cash.get(name, D(0)) == amount
    data = desk.book.data
    # Coins that are owed or were given as cash are worth what they were when they were charged.
    assert cents(desk.world.money.equity) == cents(
        D(100_000) + data.realized + desk.world.money.unrealized - data.commission
    )


# --- a commission that cannot be -----------------------------------------------------------------


def bought(
    commission: object, *, quantity: int = 10, price: str = "100", asset: str = "", **terms: Any
) -> CoreDriver:
    """NVDA (or what the terms name) is bought by hand with this commission."""
    desk = desk_with(USD="100000")
    desk.order("NVDA", quantity, price, limit=price, stop="1", order_id="entry")
    order = desk.book.account(BROKER).orders["entry"]
    desk.accept(order)
    told = msgspec.structs.replace(
        desk.execution(order, quantity, price),
        commission=commission,
        commission_currency=asset,
        **terms,
    )
    desk.report(order, OrderStatus.FILLED, fill=told)
    return desk


def left_aside(desk: CoreDriver) -> bool:
    """Whether the fill is taken without its commission; it is protected either way (rules 2, 3)."""
    (taken,) = desk.of(ev.OrderFilled)
    position = desk.book.holding(BROKER, "NVDA")
    assert position is not None
    assert position.quantity == taken.fill.quantity
    assert desk.last(Purpose.PROTECT, "NVDA").quantity == position.quantity
    found = [event for event in desk.of(ev.Alarmed) if event.code == "BAD_FEE"]
    blocked = "bad_fee" in desk.book.account(BROKER).blocked.get("NVDA", {})
    assert blocked is bool(found)
    if found:
        assert found[0].severity is Severity.CRITICAL
        assert taken.fill.commission == 0
    return blocked


@pytest.mark.parametrize(
    ("commission", "believed"),
    [
        (D(1000), True),
        (D("1000.01"), False),
        (D(-1000), True),
        (D("-1000.01"), False),
        (D("-1e9"), False),
        (D("NaN"), False),
        (D("Infinity"), False),
        (D("1e30"), False),
        (None, False),
        (1.5, False),
    ],
    ids=str,
)
def test_rule2_a_commission_beyond_its_trade_is_left_aside_and_the_fill_is_taken(
    commission: object, believed: bool
) -> None:
    desk = bought(commission)
    assert left_aside(desk) is not believed
    paid = commission if believed else 0
    assert desk.book.account(BROKER).cash["USD"] == 100_000 - 1_000 - D(str(paid))


@pytest.mark.parametrize(("commission", "believed"), [("100", True), ("100.01", False)])
def test_a_tiny_trade_may_cost_the_least_commission_of_its_venue(
    commission: str, believed: bool
) -> None:
    """One share at 2 dollars: the least that some venues take for an order is more."""
    assert left_aside(bought(D(commission), quantity=1, price="2")) is not believed


@pytest.mark.parametrize(("commission", "believed"), [("3.125", True), ("3.126", False)])
def test_a_commission_in_another_asset_is_measured_by_what_it_is_worth(
    commission: str, believed: bool
) -> None:
    """1,000 dollars are 3.125 BNB."""
    assert left_aside(bought(D(commission), asset="BNB")) is not believed


@pytest.mark.parametrize(("commission", "believed"), [("500", True), ("-0.01", False)])
def test_of_an_asset_whose_worth_nobody_knows_only_a_charge_is_believed(
    commission: str, believed: bool
) -> None:
    assert left_aside(bought(D(commission), asset="XYZ")) is not believed


def test_a_symbol_with_a_commission_left_aside_takes_no_entry_and_is_told_once() -> None:
    desk = bought(D("-1e9"))
    order = desk.book.account(BROKER).closed["entry"]
    again = msgspec.structs.replace(desk.of(ev.OrderFilled)[0].fill, commission=D("-1e9"))
    seen = desk.report(order, OrderStatus.FILLED, fill=again)
    assert not any(isinstance(event, ev.Alarmed | ev.SymbolBlocked) for event in seen)
    desk.price("NVDA", "100")
    decided = one(desk.signal(signal("NVDA", entry="100", stop="95")), ev.SignalDecided)
    assert decided.verdict is Verdict.REJECTED


@pytest.mark.parametrize(("fee", "believed"), [("10000", True), ("10000.01", False)])
def test_what_is_charged_by_the_contract_may_be_more_than_an_option_is_worth(
    fee: str, believed: bool
) -> None:
    """1,000 contracts at a tenth of a cent, a hundred shares each, are worth 100 dollars."""
    desk = desk_with(USD="100000")
    told = msgspec.structs.replace(
        desk.execution(desk.order("NVDA", 1_000, "0.001"), 1_000, "0.001"), commission=D(fee)
    )
    fault = fee_fault(told, currency="USD", multiplier=D(100), rate=D(1), fee_rate=D(1))
    assert (fault == "") is believed
