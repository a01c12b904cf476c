"""A paper account in several currencies (INTERFACE Several accounts, X-86, T-10)."""

import sqlite3
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from random import Random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokers.paper.account import Balance, PaperAccount
from brokers.paper.book import BookError, PaperBook
from brokers.paper.instruments import Instruments
from brokers.paper.terms import Arrival, Terms
from brokers.paper.venue import PaperVenue
from engine.domain.instrument import AssetClass, Facts, Instrument, instrument_of
from engine.domain.order import Replacement
from engine.ports import Rejected
from engine.runtime.clock import VirtualClock
from engine.runtime.virtual_time import VirtualLoop
from tests.brokers.kit import FREE, MONDAY_10AM, D, Rig, rig

EURO = msgspec.structs.replace(FREE, currency="EUR", initial_cash=D(10_000))
PAID = msgspec.structs.replace(EURO, commission_bps=D(10))
VOD = instrument_of("VOD", Facts(currency="GBP"))


def refused(r: Rig, *args: object, **more: object) -> Rejected:
    """The error of an order that is refused, under an id of its own."""
    with pytest.raises(Rejected) as caught:
        r.submit(f"refused {args} {more}", *args, **more)
    return caught.value


def unopened(path: Path, terms: Terms = FREE, table: dict[str, Instrument] | None = None) -> str:
    """The sentence with which a book is not opened."""
    loop, book = VirtualLoop(), PaperBook(path)
    try:
        with pytest.raises(BookError) as caught:
            PaperVenue(
                clock=VirtualClock(loop, MONDAY_10AM),
                random=Random(7),
                terms=terms,
                book=book,
                instruments=Instruments(table),
            )
        return str(caught.value)
    finally:
        book.close()
        loop.close()


class TestMoney:
    """An account in EUR that buys in USD owes dollars and counts in euros."""

    def test_a_purchase_moves_the_cash_of_the_instruments_currency(self) -> None:
        with rig(terms=PAID) as r:
            r.price("1.25", "EUR_USD")
            r.price("100")
            r.submit("a", "BUY", "50")
            account = r.venue.account()
            assert account.currency == "EUR"
            assert account.cash == 10_000
            # 50 x 100 and 10 basis points of it
            assert account.balances == {"EUR": D(10_000), "USD": D(-5_005)}
            # -5005 / 1.25 + 5000 / 1.25 in euros
            assert account.equity == D(10_000) - 4
            assert account.buying_power == D(10_000) - 4_004
            (fill,) = r.fills
            assert (fill.commission, fill.commission_currency) == (D(5), "")

    def test_equity_follows_the_rate_and_cash_does_not(self) -> None:
        with rig(terms=EURO) as r:
            r.price("1.25", "EUR_USD")
            r.price("100")
            r.submit("a", "BUY", "50")
            r.price("110")
            # 500 dollars of profit at 1.25, then at 1.00
            assert r.venue.account().equity == 10_400
            r.price("1", "EUR_USD")
            account = r.venue.account()
            assert (account.equity, account.buying_power) == (D(10_500), D(5_000))
            assert account.balances == {"EUR": D(10_000), "USD": D(-5_000)}

    def test_a_sale_pays_back_what_is_owed_and_profit_stays_in_its_currency(self) -> None:
        with rig(terms=EURO) as r:
            r.price("1.25", "EUR_USD")
            r.price("100")
            r.submit("a", "BUY", "50")
            r.price("110")
            r.submit("b", "SELL", "50")
            assert r.venue.account().balances == {"EUR": D(10_000), "USD": D(500)}
            assert r.venue.balances["USD"].realized == 500
            assert r.venue.balances["EUR"] == Balance(deposited=D(10_000), cash=D(10_000))

    def test_the_last_euro_may_be_spent_and_not_a_cent_more(self) -> None:
        for quantity, taken in (("124", True), ("125", True), ("126", False)):
            with rig(terms=EURO) as r:
                r.price("1.25", "EUR_USD")
                r.price("100")
                if taken:
                    r.submit("a", "BUY", quantity)
                    assert r.status("a") == "FILLED"
                    continue
                # 126 x 100 / 1.25
                error = refused(r, "BUY", quantity)
                assert error.code == "BUYING_POWER"
                assert "needs 10080.00 EUR, free are 10000.00" in error.text

    def test_a_working_order_holds_euros_back(self) -> None:
        with rig(terms=EURO) as r:
            r.price("1.25", "EUR_USD")
            r.price("100")
            r.submit("a", "BUY", "50", limit="90")
            assert r.venue.account().buying_power == D(10_000) - D(4_500) / D("1.25")
            r.venue.modify("a", Replacement(quantity=D(100)))
            assert r.venue.account().buying_power == D(10_000) - D(9_000) / D("1.25")
            r.venue.cancel("a")
            assert r.venue.account().buying_power == 10_000

    def test_a_rate_that_moved_is_counted_again_at_the_fill(self) -> None:
        with rig(terms=EURO, arrival=Arrival.NEXT_PRICE) as r:
            r.price("1.25", "EUR_USD")
            r.price("100")
            r.submit("a", "BUY", "125")
            r.price("1.24", "EUR_USD")
            r.price("100")
            assert (r.status("a"), r.reports[-1].code) == ("REJECTED", "BUYING_POWER")
            assert r.venue.account().balances == {"EUR": D(10_000)}

    def test_a_short_binds_its_margin_in_euros(self) -> None:
        with rig(terms=EURO) as r:
            r.price("1.25", "EUR_USD")
            r.price("100")
            r.submit("a", "SELL_SHORT", "50")
            account = r.venue.account()
            assert account.balances == {"EUR": D(10_000), "USD": D(5_000)}
            # 10000 + (5000 - 1.5 x 5000) / 1.25
            assert (account.equity, account.buying_power) == (D(10_000), D(8_000))
            r.submit("b", "BUY", "50", reduce_only=True)
            assert r.venue.account().buying_power == 10_000

    def test_a_flip_that_cannot_be_paid_stops_at_flat(self) -> None:
        terms = msgspec.structs.replace(EURO, initial_cash=D(240))
        with rig(terms=terms, arrival=Arrival.NEXT_PRICE) as r:
            r.price("1.25", "EUR_USD")
            r.price("10")
            r.submit("a", "SELL_SHORT", "10")
            r.price("10")
            r.submit("b", "BUY", "30")
            r.price("20")
            assert r.traded[-1] == ("b", D(10), D(20))
            assert (r.status("b"), r.reports[-1].code) == ("CANCELED", "BUYING_POWER")
            assert r.venue.account().balances == {"EUR": D(240), "USD": D(-100)}

    def test_a_pair_that_begins_with_the_accounts_currency_needs_no_other_rate(self) -> None:
        with rig(terms=EURO) as r:
            r.price("1.25", "EUR_USD")
            r.submit("a", "BUY", "8000", "EUR_USD")
            assert r.venue.account().balances == {"EUR": D(10_000), "USD": D(-10_000)}
            r.price("1.5", "EUR_USD")
            # 8000 euros held in dollars, 10000 dollars owed
            assert r.venue.account().equity == D(10_000) + 8_000 - D(10_000) / D("1.5")


class TestWithoutARate:
    """What opens is refused and says which rate is missing; what reduces is taken."""

    def test_an_opening_order_is_refused_and_names_the_rate(self) -> None:
        with rig(terms=EURO) as r:
            r.price("100")
            error = refused(r, "BUY", "1")
            assert error.code == "CURRENCY"
            assert "there is no rate of USD in EUR here" in error.text
            assert "USD_EUR or USD-EUR has a price" in error.text
            assert r.venue.account().balances == {"EUR": D(10_000)}

    def test_no_peg_and_no_third_currency_stands_in(self) -> None:
        with rig(instruments={"VOD": VOD}) as r:
            r.price("100", "VOD")
            r.price("1.2", "GBP_EUR")
            r.price("1.25", "EUR_USD")
            assert refused(r, "BUY", "1", "VOD").code == "CURRENCY"
            r.price("1.5", "GBP_USD")
            r.submit("a", "BUY", "1", "VOD")
            assert r.venue.account().equity == 100_000

    def test_what_reduces_is_taken(self, tmp_path: Path) -> None:
        path, table = tmp_path / "paper.db", {"SAP": instrument_of("SAP", Facts(currency="EUR"))}
        with rig(terms=EURO, path=path, instruments=table) as r:
            r.price("1.25", "EUR_USD")
            r.price("100")
            r.price("20", "SAP")
            r.submit("a", "BUY", "50")
            r.submit("own", "BUY", "10", "SAP")
        forget(path, "EUR_USD")
        with rig(terms=EURO, path=path, instruments=table) as r:
            r.price("90")
            r.price("21", "SAP")
            account = r.venue.account()
            # 10000 - 200 + 210 in euros; the dollars are left out, and nothing can be bought
            assert (account.equity, account.buying_power) == (D(10_010), D(0))
            assert refused(r, "BUY", "1").code == "CURRENCY"
            assert refused(r, "BUY", "1", "SAP").code == "CURRENCY"
            assert refused(r, "SELL", "51").code == "CURRENCY"
            r.submit("b", "SELL", "20", reduce_only=True)
            r.submit("c", "SELL", "30")
            assert (r.status("b"), r.status("c")) == ("FILLED", "FILLED")
            assert r.venue.account().balances == {"EUR": D(9_800), "USD": D(-500)}

    def test_a_flip_at_the_fill_stops_at_flat(self, tmp_path: Path) -> None:
        path = tmp_path / "paper.db"
        with rig(terms=EURO, path=path) as r:
            r.price("1.25", "EUR_USD")
            r.price("100")
            r.submit("a", "BUY", "50")
            r.submit("flip", "SELL", "60", limit="110")
        forget(path, "EUR_USD")
        with rig(terms=EURO, path=path) as r:
            r.price("110")
            assert r.traded == [("flip", D(50), D(110))]
            assert (r.status("flip"), r.reports[-1].code) == ("CANCELED", "CURRENCY")
            assert "no rate of USD in EUR" in r.reports[-1].text


def forget(path: Path, symbol: str) -> None:
    """Take the last price of a symbol out of a closed book."""
    connection = sqlite3.connect(path)
    assert connection.execute("DELETE FROM quotes WHERE symbol = ?", (symbol,)).rowcount == 1
    connection.commit()
    connection.close()


class TestBook:
    """A restart finds the money in each currency, and what it is worth."""

    def test_a_restart_finds_every_balance_and_its_rate(self, tmp_path: Path) -> None:
        path = tmp_path / "paper.db"
        with rig(terms=PAID, path=path) as r:
            r.price("1.25", "EUR_USD")
            r.price("100")
            r.submit("a", "BUY", "50")
            before = r.venue.account()
        with rig(terms=PAID, path=path) as r:
            assert r.venue.account() == before

    def test_a_fill_in_foreign_money_keeps_the_price_that_tells_its_worth(
        self, tmp_path: Path
    ) -> None:
        path = tmp_path / "paper.db"
        with rig(terms=PAID, path=path) as r:
            r.price("1.25", "EUR_USD")
            r.price("100")
            r.submit("a", "BUY", "50")
            copy = tmp_path / "as-after-a-crash.db"
            r.venue.book._writer.execute("VACUUM INTO ?", (str(copy),))
        with rig(terms=PAID, path=copy) as r:
            # The holding counts at its cost: its own price was not written yet.
            assert r.venue.account().equity == D(10_000) - 4

    def test_a_book_in_another_currency_is_refused_in_words(self, tmp_path: Path) -> None:
        path = tmp_path / "paper.db"
        with rig(terms=EURO, path=path):
            pass
        assert unopened(path) == (
            f"the paper book {path} is kept in EUR: its account's currency stays EUR, "
            "USD needs a new book"
        )

    @pytest.mark.parametrize("facts", [Facts(currency="GBP"), Facts(multiplier=D(10))])
    def test_a_holding_keeps_the_facts_that_it_was_bought_by(
        self, tmp_path: Path, facts: Facts
    ) -> None:
        path = tmp_path / "paper.db"
        with rig(path=path) as r:
            r.price("100")
            r.submit("a", "BUY", "10")
        says = unopened(path, table={"AAPL": instrument_of("AAPL", facts)})
        assert "holds AAPL with multiplier 1 in USD, but its instrument has" in says
        with rig(path=path) as r:
            assert r.venue.position("AAPL") == 10


FACTS: dict[str, tuple[str, int]] = {
    "AAPL": ("USD", 1),
    "ES": ("USD", 50),
    "VOD": ("GBP", 1),
    "SAP": ("EUR", 1),
    "DAX": ("EUR", 25),
}
"""Currency and multiplier."""

TRADES = st.lists(
    st.tuples(
        st.sampled_from(sorted(FACTS)),
        st.integers(-50, 50).filter(bool),
        st.integers(1, 20_000).map(lambda ticks: D(ticks) / 100),
        st.integers(0, 100_000).map(lambda parts: D(parts) / 10_000),
    ),
    max_size=60,
)


@given(TRADES)
def test_T10_each_currency_conserves_to_the_last_digit(
    trades: list[tuple[str, int, Decimal, Decimal]],
) -> None:
    """`cash == deposited + realized - commission - cost` in each, by flips and partial closes."""
    account = PaperAccount(Balance(deposited=D(10_000), cash=D(10_000)), currency="EUR")
    paid: dict[str, Fraction] = {}
    fees: dict[str, Fraction] = {}
    held: dict[str, int] = {}
    for symbol, signed, price, commission in trades:
        currency, multiplier = FACTS[symbol]
        account.book_fill(symbol, D(signed), price, D(multiplier), commission, currency=currency)
        amount = Fraction(price) * signed * multiplier
        paid[currency] = paid.get(currency, Fraction(0)) + amount
        fees[currency] = fees.get(currency, Fraction(0)) + Fraction(commission)
        held[symbol] = held.get(symbol, 0) + signed
        for name, money in account.balances.items():
            deposited = 10_000 if name == "EUR" else 0
            cost = sum(
                Fraction(holding.cost)
                for holding in account.holdings.values()
                if holding.currency == name
            )
            spent, fee = paid.get(name, Fraction(0)), fees.get(name, Fraction(0))
            assert Fraction(money.cash) == deposited - spent - fee
            assert Fraction(money.commission) == fee
            assert Fraction(money.cash) == deposited + Fraction(money.realized) - fee - cost
        assert {s: q for s, q in held.items() if q} == {
            s: holding.quantity for s, holding in account.holdings.items()
        }
    for name, money in account.balances.items():
        if not any(q for s, q in held.items() if FACTS[s][0] == name):
            assert Fraction(money.realized) == -paid.get(name, Fraction(0))


MOVES = st.lists(
    st.one_of(
        st.tuples(st.just("rate"), st.integers(50, 200)),
        st.tuples(st.sampled_from(["AAPL", "SAP"]), st.integers(5_000, 15_000)),
        st.tuples(st.sampled_from(["trade AAPL", "trade SAP"]), st.integers(-40, 40).filter(bool)),
    ),
    max_size=30,
)


@given(MOVES)
def test_T10_a_random_day_in_two_currencies_adds_up(moves: list[tuple[str, int]]) -> None:
    """Equity is what exact sums of the fills make of it, at the rate and prices of now."""
    sap = instrument_of("SAP", Facts(currency="EUR"))
    terms = msgspec.structs.replace(PAID, slippage_bps=D(5))
    with rig(terms=terms, instruments={"SAP": sap}) as r:
        rate, marks = Fraction(5, 4), {"AAPL": Fraction(100), "SAP": Fraction(100)}
        r.price("1.25", "EUR_USD")
        for symbol in marks:
            r.price("100", symbol)
        for n, (what, number) in enumerate(moves):
            if what == "rate":
                rate = Fraction(number, 100)
                r.price(f"{number / 100:.2f}", "EUR_USD")
            elif what in marks:
                marks[what] = Fraction(number, 100)
                r.price(f"{number / 100:.2f}", what)
            else:
                free = r.venue.account().buying_power
                side = "BUY" if number > 0 else "SELL"
                try:
                    r.submit(f"o{n}", side, f"{abs(number)}", what.removeprefix("trade "))
                except Rejected:
                    assert r.venue.account().buying_power == free
        cash = {"EUR": Fraction(10_000), "USD": Fraction(0)}
        worth = {"EUR": Fraction(0), "USD": Fraction(0)}
        for fill in r.fills:
            currency = "EUR" if fill.symbol == "SAP" else "USD"
            signed = Fraction(fill.quantity) * fill.side.sign
            cash[currency] -= signed * Fraction(fill.price) + Fraction(fill.commission)
            worth[currency] += signed * marks[fill.symbol]
        account = r.venue.account()
        told = {name: Fraction(amount) for name, amount in account.balances.items()}
        assert told == {name: amount for name, amount in cash.items() if name in told}
        exact = cash["EUR"] + worth["EUR"] + (cash["USD"] + worth["USD"]) / rate
        assert abs(Fraction(account.equity) - exact) < Fraction(1, 10**15)


OPTION = "AAPL 2026-03-06 200 C"


def future(multiplier: int = 50) -> dict[str, Instrument]:
    facts = Facts(asset_class=AssetClass.FUTURE, multiplier=D(multiplier), tick=D("0.25"))
    return {"ES 2026-03": instrument_of("ES 2026-03", facts)}


class TestContracts:
    """Options and futures trade with their multiplier, until they expire."""

    def test_D08_D57_an_option_costs_its_price_times_its_multiplier(self) -> None:
        terms = msgspec.structs.replace(FREE, initial_cash=D(1_000), commission_bps=D(10))
        with rig(terms=terms) as r:
            r.price("3.30", OPTION)
            assert refused(r, "BUY", "4", OPTION).code == "BUYING_POWER"
            r.submit("a", "BUY", "3", OPTION)
            # 3 x 3.30 x 100 and 10 basis points
            assert r.venue.account().cash == D(1_000) - 990 - D("0.99")
            r.price("4.30", OPTION)
            r.submit("b", "SELL", "2", OPTION)
            assert r.venue.balance.realized == 200
            assert r.venue.account().equity == D(1_000) + 300 - D("0.99") - D("0.86")

    def test_a_future_trades_with_the_multiplier_of_the_table(self) -> None:
        with rig(instruments=future()) as r:
            r.price("1000.25", "ES 2026-03")
            with pytest.raises(Rejected) as off_grid:
                r.submit("off", "BUY", "1", "ES 2026-03", limit="1000.10")
            assert off_grid.value.code == "BAD_TICK"
            r.submit("a", "SELL_SHORT", "1", "ES 2026-03")
            r.price("990.25", "ES 2026-03")
            r.submit("b", "BUY", "1", "ES 2026-03", reduce_only=True)
            assert r.venue.account().cash == 100_500

    def test_a_future_that_no_table_names_is_refused_in_words(self) -> None:
        with rig() as r:
            r.price("1000", "ES 2026-03")
            error = refused(r, "BUY", "1", "ES 2026-03")
            assert error.code == "NO_CONTRACT"
            assert "the table of instruments must state it" in error.text

    @pytest.mark.parametrize(
        ("symbol", "taken"),
        [
            ("AAPL 2026-03-01 200 C", False),
            ("AAPL 2026-03-02 200 C", True),
            ("AAPL 2026-03-03 200 C", True),
        ],
    )
    def test_an_expired_contract_takes_no_orders(self, symbol: str, taken: bool) -> None:
        with rig() as r:
            r.price("3", symbol)
            if taken:
                r.submit("a", "BUY", "1", symbol)
                assert r.status("a") == "FILLED"
                return
            error = refused(r, "BUY", "1", symbol)
            assert error.code == "NO_CONTRACT"
            assert error.text == f"{symbol} traded until 2026-03-01: it takes no orders any more"

    def test_after_the_close_of_its_last_day_it_has_expired(self) -> None:
        today = "AAPL 2026-03-02 200 C"
        with rig() as r:
            r.price("3", today)
            r.submit("a", "BUY", "1", today)
            r.advance(6 * 3600)
            assert refused(r, "SELL", "1", today, reduce_only=True).code == "NO_CONTRACT"
            r.price("3", OPTION)
            r.submit("b", "BUY", "1", OPTION)
            assert r.status("b") == "NEW"

    def test_an_order_until_cancelled_ends_with_its_contract(self) -> None:
        with rig() as r:
            r.price("3", OPTION)
            r.submit("gtc", "BUY", "1", OPTION, limit="2")
            r.submit("day", "BUY", "1", OPTION, limit="2", tif="DAY")
            r.advance(86_400)
            assert (r.status("gtc"), r.status("day")) == ("NEW", "EXPIRED")
            # Friday's end in UTC is 4 days and 9 hours after Monday 10:00 in New York.
            r.advance(3 * 86_400 + 9 * 3600 - 1)
            assert r.status("gtc") == "NEW"
            r.advance(2)
            assert r.status("gtc") == "EXPIRED"
            assert r.reports[-1].text == f"{OPTION} has expired"

    def test_a_future_of_a_month_trades_until_its_end(self) -> None:
        with rig(instruments=future()) as r:
            r.price("1000", "ES 2026-03")
            r.advance(29 * 86_400)
            r.submit("a", "BUY", "1", "ES 2026-03")
            assert r.status("a") == "FILLED"
            r.advance(86_400)
            assert refused(r, "BUY", "1", "ES 2026-03").code == "NO_CONTRACT"
