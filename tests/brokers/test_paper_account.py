"""The paper account: averages, shorts, money, reduce-only, refusals (C-154, C-157, T-10, D-42)."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokers.paper.account import Balance, PaperAccount
from brokers.paper.terms import Arrival
from engine.domain.instrument import default_instrument
from engine.domain.money import COST_QUANTUM, plain
from engine.domain.order import Replacement
from engine.ports import Rejected
from tests.brokers.kit import FREE, D, Rig, rig

PAID = msgspec.structs.replace(FREE, slippage_bps=D(5), commission_bps=D(10))


def average(r: Rig, symbol: str = "AAPL") -> tuple[str, str]:
    """(quantity, average price) as text."""
    held = [p for p in r.venue.positions() if p.symbol == symbol]
    return (plain(held[0].quantity), plain(held[0].average_price)) if held else ("0", "")


def refusal(r: Rig, *args: object, **more: object) -> str:
    with pytest.raises(Rejected) as refused:
        r.submit("refused", *args, **more)
    assert r.status("refused") == "REJECTED"
    return refused.value.code


def test_T10_D42_averages_on_open_add_reduce_and_flip() -> None:
    with rig() as r:
        steps = [
            ("100", "BUY", "10", ("10", "100")),
            ("110", "BUY", "10", ("20", "105")),
            ("120", "SELL", "5", ("15", "105")),
            ("90", "SELL", "25", ("-10", "90")),
            ("100", "SELL", "10", ("-20", "95")),
            ("80", "BUY", "5", ("-15", "95")),
            ("70", "BUY", "20", ("5", "70")),
            ("75", "SELL", "5", ("0", "")),
        ]
        for n, (price, side, quantity, expected) in enumerate(steps):
            r.price(price)
            r.submit(f"o{n}", side, quantity)
            assert average(r) == expected
        # 5x15 - 15x15 + 5x15 + 15x25 + 5x5
        assert r.venue.balance.realized == 325
        assert r.venue.balance.cash == 100_325


def test_T10_a_short_round_trip_keeps_its_average_and_its_profit() -> None:
    with rig(terms=PAID) as r:
        r.price("100")
        r.submit("open", "SELL_SHORT", "10")
        assert average(r) == ("-10", "99.95")
        r.price("90")
        assert r.venue.account().equity == D(100_000) + D("99.5") - D("0.9995")
        r.submit("close", "BUY", "10", reduce_only=True)
        assert average(r) == ("0", "")
        assert r.venue.balance.realized == D("99.95") * 10 - D("90.05") * 10
        assert r.venue.balance.commission == D("0.9995") + D("0.9005")


def test_C157_a_short_binds_half_its_value_beyond_its_proceeds() -> None:
    terms = msgspec.structs.replace(FREE, initial_cash=D(500))
    with rig(terms=terms) as r:
        r.price("100")
        assert refusal(r, "SELL_SHORT", "11") == "BUYING_POWER"
        r.submit("a", "SELL_SHORT", "10")
        account = r.venue.account()
        assert (account.cash, account.equity, account.buying_power) == (D(1500), D(500), D(0))
        r.price("90")
        assert r.venue.account().buying_power == 150  # 1500 - 1.5 x 900


def test_C157_crypto_cannot_be_sold_short() -> None:
    with rig() as r:
        r.price("1000", "BTC-USD")
        assert refusal(r, "SELL", "0.1", "BTC-USD") == "NOT_SHORTABLE"
        r.submit("a", "BUY", "1", "BTC-USD")
        with pytest.raises(Rejected, match="1 are free to sell"):
            r.submit("b", "SELL", "1.1", "BTC-USD")
        r.submit("c", "SELL", "0.6", "BTC-USD", limit="2000")
        with pytest.raises(Rejected, match="cannot be sold short"):
            r.submit("d", "SELL", "0.5", "BTC-USD")
        r.submit("e", "SELL", "0.4", "BTC-USD")
        assert average(r, "BTC-USD")[0] == "0.6"


def test_what_may_not_be_shorted_is_not_shorted_by_a_sale_that_comes_too_late() -> None:
    with rig() as r:
        r.price("1000", "BTC-USD")
        r.submit("a", "BUY", "1", "BTC-USD")
        r.submit("late", "SELL", "1", "BTC-USD", limit="1100")
        r.submit("exit", "SELL", "0.7", "BTC-USD", reduce_only=True)
        r.price("1100", "BTC-USD")
        assert average(r, "BTC-USD")[0] == "0"
        assert (r.status("late"), r.reports[-1].code) == ("CANCELED", "NOT_SHORTABLE")


def test_a_purchase_needs_its_price_and_its_commission() -> None:
    free = msgspec.structs.replace(FREE, commission_bps=D(10), initial_cash=D(1001))
    with rig(terms=free) as r:
        r.price("100")
        r.submit("a", "BUY", "10")
        assert r.venue.account().cash == 0
    with rig(terms=msgspec.structs.replace(free, initial_cash=D("1000.99"))) as r:
        r.price("100")
        assert refusal(r, "BUY", "10") == "BUYING_POWER"


def test_what_is_covered_is_sold_even_when_cash_is_below_zero() -> None:
    terms = msgspec.structs.replace(FREE, initial_cash=D(1_000))
    with rig(terms=terms) as r:
        r.price("100")
        r.price("10", "MSFT")
        r.submit("a", "BUY", "5")
        r.submit("b", "SELL_SHORT", "100", "MSFT")
        r.price("40", "MSFT")
        # 1000 - 500 + 1000 in cash, 1.5 x 4000 bound
        assert r.venue.account().buying_power == 0
        assert refusal(r, "BUY", "1") == "BUYING_POWER"
        r.submit("c", "SELL", "5")
        r.submit("d", "BUY", "50", "MSFT")
        assert (average(r)[0], average(r, "MSFT")[0]) == ("0", "-50")


def test_working_orders_hold_their_cash_back_and_give_it_free_again() -> None:
    with rig(terms=msgspec.structs.replace(FREE, initial_cash=D(1000))) as r:
        r.price("100")
        r.submit("a", "BUY", "6", limit="90")
        assert r.venue.account().buying_power == 460
        assert refusal(r, "BUY", "6", limit="90") == "BUYING_POWER"
        r.venue.cancel("a")
        assert r.venue.account().buying_power == 1000


def test_an_open_gap_that_the_account_cannot_pay_ends_the_order() -> None:
    terms = msgspec.structs.replace(FREE, initial_cash=D(1000))
    with rig(terms=terms, arrival=Arrival.NEXT_PRICE) as r:
        r.price("100")
        r.submit("a", "BUY", "10")
        r.price("100.01")
        assert (r.status("a"), r.reports[-1].code) == ("REJECTED", "BUYING_POWER")
        assert r.venue.account().cash == 1000


def test_a_flip_that_cannot_be_paid_stops_at_flat() -> None:
    terms = msgspec.structs.replace(FREE, initial_cash=D(300))
    with rig(terms=terms, arrival=Arrival.NEXT_PRICE) as r:
        r.price("10")
        r.submit("a", "SELL_SHORT", "10")
        r.price("10")
        r.submit("b", "BUY", "30")
        r.price("20")
        assert r.traded[-1] == ("b", D(10), D(20))
        assert (r.status("b"), r.reports[-1].code) == ("CANCELED", "BUYING_POWER")
        assert (r.venue.positions(), r.venue.account().cash) == ((), D(200))


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"quantity": "0"}, "INVALID_ORDER"),
        ({"quantity": "-1"}, "INVALID_ORDER"),
        ({"quantity": "NaN"}, "INVALID_ORDER"),
        ({"quantity": "1.5"}, "BAD_LOT"),
        ({"limit": "100.005"}, "BAD_TICK"),
        ({"stop": "100.005"}, "BAD_TICK"),
        ({"limit": "0"}, "INVALID_ORDER"),
        ({"limit": "NaN"}, "INVALID_ORDER"),
        ({"kind": "LIMIT"}, "INVALID_ORDER"),
        ({"kind": "STOP_LIMIT", "stop": "100"}, "INVALID_ORDER"),
        ({"symbol": "MSFT"}, "NO_PRICE"),
        ({"symbol": "MSFT", "limit": "100"}, "NO_PRICE"),
        ({"quantity": "1001"}, "BUYING_POWER"),
        ({"reduce_only": True}, "REDUCE_ONLY"),
    ],
)
def test_A243_D34_what_is_not_an_order_here_is_refused(more: dict, code: str) -> None:
    with rig() as r:
        r.price("100")
        assert refusal(r, **more) == code
        assert (r.reports, r.venue.open_orders()) == ([], ())


def test_a_minimum_amount_is_asked_of_what_opens() -> None:
    rules = msgspec.structs.replace(default_instrument("AAPL"), min_notional=D(500))
    with rig(instruments={"AAPL": rules}) as r:
        r.price("100")
        assert refusal(r, "BUY", "4") == "MIN_NOTIONAL"
        r.submit("a", "BUY", "5")
        r.submit("b", "SELL", "1", reduce_only=True)
        assert r.venue.position("AAPL") == 4


def test_C405_an_id_is_unique_for_ever() -> None:
    with rig() as r:
        r.price("100")
        r.submit("filled")
        r.submit("working", limit="90")
        refusal(r, quantity="0")
        for name in ("filled", "working", "refused"):
            with pytest.raises(Rejected) as again:
                r.submit(name)
            assert again.value.code == "DUPLICATE_ID"
        assert len(r.fills) == 1


def test_cancel_says_what_it_cannot_find_and_what_is_over() -> None:
    with rig() as r:
        r.price("100")
        r.submit("a", limit="90")
        r.venue.cancel("a")
        assert r.status("a") == "CANCELED"
        for name, code in (("a", "ORDER_CLOSED"), ("nobody", "ORDER_NOT_FOUND")):
            with pytest.raises(Rejected) as refused:
                r.venue.cancel(name)
            assert refused.value.code == code


def test_cancel_all_takes_protective_stops_too() -> None:
    with rig() as r:
        r.price("100")
        r.submit("a")
        r.submit("stop", "SELL", stop="95", reduce_only=True)
        r.submit("limit", limit="90")
        r.venue.cancel_all()
        assert r.venue.open_orders() == ()
        assert r.venue.position("AAPL") == 10


def test_modify_changes_quantity_and_stop() -> None:
    with rig() as r:
        r.price("100", ask_size="40")
        r.submit("a", "BUY", "10")
        r.submit("stop", "SELL", "4", stop="95", reduce_only=True)
        r.venue.modify("stop", Replacement(quantity=D(10), stop_price=D(97)))
        assert (r.reports[-1].quantity, r.reports[-1].stop_price) == (D(10), D(97))
        for quantity, stop, code in (
            (D(4), None, "INVALID_ORDER"),
            (D("10.5"), None, "BAD_LOT"),
            (D(1001), None, "BUYING_POWER"),
            (D(10), D(90), "INVALID_ORDER"),
        ):
            with pytest.raises(Rejected) as refused:
                r.venue.modify("a", Replacement(quantity=quantity, stop_price=stop))
            assert refused.value.code == code
        r.venue.modify("a", Replacement(quantity=D(5)))
        r.price("97", ask_size="1000")
        assert r.traded[1:] == [("a", D(1), D(97)), ("stop", D(5), D(97))]


class TestReduceOnly:
    """Never across zero, never together more than the position (DESIGN rule 3)."""

    def test_it_is_clipped_to_the_position_and_its_rest_is_cancelled(self) -> None:
        with rig() as r:
            r.price("100")
            r.submit("a", "BUY", "10")
            r.submit("b", "SELL", "15", reduce_only=True)
            assert r.traded[-1] == ("b", D(10), D(100))
            assert (r.status("b"), r.reports[-1].code) == ("CANCELED", "REDUCE_ONLY")
            assert r.venue.position("AAPL") == 0

    def test_a_stop_and_a_target_are_joined(self) -> None:
        with rig() as r:
            r.price("100")
            r.submit("a", "BUY", "10")
            r.submit("stop", "SELL", "10", stop="95", reduce_only=True)
            r.submit("target", "SELL", "10", limit="110", reduce_only=True)
            r.price("110")
            assert (r.status("target"), r.status("stop")) == ("FILLED", "CANCELED")
            r.price("90")
            assert r.venue.position("AAPL") == 0

    def test_two_that_fill_at_one_price_never_exceed_the_position(self) -> None:
        with rig(arrival=Arrival.NEXT_PRICE) as r:
            r.price("100")
            r.submit("a", "BUY", "10")
            r.price("100")
            for name in ("b", "c"):
                r.submit(name, "SELL", "7", reduce_only=True)
            r.price("99")
            assert [(n, q) for n, q, _ in r.traded[1:]] == [("b", D(7)), ("c", D(3))]
            assert (r.status("b"), r.status("c")) == ("FILLED", "CANCELED")

    def test_it_ends_when_another_order_turns_the_position(self) -> None:
        with rig() as r:
            r.price("100")
            r.submit("a", "BUY", "10")
            r.submit("stop", "SELL", "10", stop="95", reduce_only=True)
            r.submit("flip", "SELL", "20")
            assert (r.venue.position("AAPL"), r.status("stop")) == (D(-10), "CANCELED")

    def test_a_short_is_covered_and_never_turned_long(self) -> None:
        with rig() as r:
            r.price("100")
            r.submit("a", "SELL_SHORT", "10")
            r.submit("b", "BUY", "11", stop="105", reduce_only=True)
            r.price("106")
            assert r.venue.position("AAPL") == 0


TRADES = st.lists(
    st.tuples(
        st.sampled_from(["AAPL", "MSFT"]),
        st.integers(-50, 50).filter(bool),
        st.integers(1, 20_000).map(lambda ticks: D(ticks) / 100),
        st.integers(0, 100).map(lambda cents: D(cents) / 100),
    ),
    max_size=40,
)


@given(TRADES)
def test_T10_cash_and_cost_conserve_to_the_last_digit(trades: list) -> None:
    account = PaperAccount(Balance(deposited=D(10_000), cash=D(10_000)))
    quantities: dict = {}
    for symbol, signed, price, commission in trades:
        account.book_fill(symbol, D(signed), price, D(1), commission)
        quantities[symbol] = quantities.get(symbol, 0) + signed
        money = account.balance
        cost = sum((held.cost for held in account.holdings.values()), D(0))
        assert money.cash == money.deposited + money.realized - money.commission - cost
        assert account.position(symbol) == quantities[symbol]
        for held in account.holdings.values():
            assert held.cost * held.quantity >= 0
            assert held.average_price > 0


@given(TRADES)
def test_T10_price_neutral_trades_cost_only_their_commission(trades: list) -> None:
    """At one price for all, cash + value + fees stays what was paid in."""
    account = PaperAccount(Balance(deposited=D(10_000), cash=D(10_000)))
    for symbol, signed, _, commission in trades:
        account.book_fill(symbol, D(signed), D("12.34"), D(1), commission)
    value = sum((held.value(D("12.34")) for held in account.holdings.values()), D(0))
    assert account.balance.cash + value + account.balance.commission == 10_000
    assert abs(account.balance.realized) <= COST_QUANTUM * len(trades)


ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("price"), st.integers(8_000, 12_000), st.integers(0, 400)),
        st.tuples(
            st.sampled_from(["market", "limit", "stop", "reduce"]),
            st.integers(-60, 60).filter(bool),
            st.integers(8_000, 12_000),
        ),
        st.tuples(st.just("cancel"), st.integers(0, 30), st.just(0)),
    ),
    max_size=40,
)


@given(ACTIONS)
def test_T10_a_random_day_at_the_venue_keeps_every_promise(actions: list) -> None:
    """Cash is never borrowed by what opens, orders never overfill, reduce-only never grows."""
    terms = msgspec.structs.replace(PAID, fill_probability=D("0.8"), initial_cash=D(6_000))
    with rig(terms=terms) as r:
        r.price("100")
        for n, (what, one, two) in enumerate(actions):
            before = {p.symbol: p.quantity for p in r.venue.positions()}
            seen = len(r.reports)
            try:
                if what == "price":
                    r.price(f"{one / 100:.2f}", ask_size=f"{two}", bid_size=f"{two}")
                elif what == "cancel":
                    r.venue.cancel(f"o{one}")
                else:
                    price = f"{two / 100:.2f}"
                    r.submit(
                        f"o{n}",
                        "BUY" if one > 0 else "SELL",
                        f"{abs(one)}",
                        limit=price if what == "limit" else None,
                        stop=price if what in ("stop", "reduce") else None,
                        reduce_only=what == "reduce",
                    )
            except Rejected:
                assert {p.symbol: p.quantity for p in r.venue.positions()} == before
            position = before.get("AAPL", D(0))
            for report in r.reports[seen:]:
                if report.fill is not None:
                    change = report.fill.quantity * report.fill.side.sign
                    known = r.venue.get_order(report.client_order_id)
                    assert known is not None
                    assert known.filled <= known.quantity
                    if known.reduce_only:
                        assert abs(position + change) < abs(position)
                        assert (position + change) * position >= 0
                    position += change
            assert position == r.venue.position("AAPL")
        money, held = r.venue.balance, r.venue.positions()
        bought = sum((f.quantity * f.side.sign * f.price for f in r.fills), D(0))
        fees = sum((f.commission for f in r.fills), D(0))
        assert money.cash == D(6_000) - bought - fees
        assert money.commission == fees
        assert len({f.execution_id for f in r.fills}) == len(r.fills)
        if not held:
            assert r.venue.account().equity == money.deposited + money.realized - money.commission
        if not r.venue.open_orders():
            assert r.venue._orders.reserved == 0
