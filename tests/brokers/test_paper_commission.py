"""A paper venue that takes its commission in a coin, as Binance takes BNB (X-86, C-154, T-10).

A commission is 10 basis points. Every amount is worked out by hand.
"""

import contextlib
from fractions import Fraction
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.domain.instrument import Facts, instrument_of
from engine.ports import Rejected
from tests.brokers.kit import FREE, D, Rig, rig

IN_BNB = msgspec.structs.replace(
    FREE, initial_cash=D(100_000), commission_bps=D(10), commission_currency="BNB"
)
IN_BTC = msgspec.structs.replace(IN_BNB, commission_currency="BTC")
SAP = {"SAP": instrument_of("SAP", Facts(currency="EUR"))}


def charged(r: Rig) -> tuple[str, str]:
    """The commission of the newest fill, and what it was taken in."""
    fill = r.fills[-1]
    return str(fill.commission.normalize()), fill.commission_currency


def with_bnb(r: Rig, quantity: str = "10") -> None:
    r.price("300", "BNB-USD")
    r.submit("bnb", "BUY", quantity, "BNB-USD")
    r.price("320", "BNB-USD")


def test_a_fill_takes_it_from_the_holding_and_no_cash() -> None:
    with rig(terms=IN_BNB) as r:
        with_bnb(r)
        # 10 x 300 x 0.001 in coins of 300
        assert charged(r) == ("0.01", "BNB")
        r.price("100")
        r.submit("a", "BUY", "160")
        # 16000 x 0.001 / 320
        assert charged(r) == ("0.05", "BNB")
        assert r.venue.position("BNB-USD") == D("9.94")
        account = r.venue.account()
        assert account.cash == D(100_000) - 3_000 - 16_000
        assert account.equity == account.cash + D("9.94") * 320 + 16_000
        # 0.01 x 300 and 0.05 x 320; 0.05 x 20 were gained
        assert r.venue.balance.commission == 19
        assert r.venue.balance.realized == 1


def test_the_coin_bought_pays_for_itself() -> None:
    with rig(terms=IN_BTC) as r:
        r.price("10000", "BTC-USD")
        r.submit("a", "BUY", "2", "BTC-USD")
        assert charged(r) == ("0.002", "BTC")
        assert r.venue.position("BTC-USD") == D("1.998")
        r.submit("b", "SELL", "1.998", "BTC-USD")
        # nothing is left of it: 1.998 x 10000 x 0.001 in dollars
        assert charged(r) == ("19.98", "")
        assert r.venue.account().cash == D(100_000) - 20 - D("19.98")


@pytest.mark.parametrize(
    ("quantity", "expected"),
    # 16 dollars are 0.05 coins of 320
    [("0.04", ("16", "")), ("0.05", ("0.05", "BNB")), ("0.06", ("0.05", "BNB"))],
)
def test_without_enough_of_it_the_commission_is_paid_in_cash(
    quantity: str, expected: tuple[str, str], tmp_path: Path
) -> None:
    path = tmp_path / "paper.db"
    with rig(path=path, terms=msgspec.structs.replace(IN_BNB, commission_bps=D(0))) as r:
        with_bnb(r, quantity)
    with rig(path=path, terms=IN_BNB) as r:
        r.price("100")
        r.submit("a", "BUY", "160")
        assert charged(r) == expected


def test_a_commission_on_what_is_paid_in_euros_is_turned_into_coins() -> None:
    with rig(terms=IN_BNB, instruments=SAP) as r:
        with_bnb(r)
        r.price("1.25", "EUR_USD")
        r.price("200", "SAP")
        r.submit("a", "BUY", "8", "SAP")
        # 8 x 200 x 0.001 x 1.25 / 320
        assert charged(r) == ("0.00625", "BNB")
        assert r.venue.account().balances["EUR"] == -1_600


def test_a_restart_finds_what_was_taken(tmp_path: Path) -> None:
    path = tmp_path / "paper.db"
    with rig(terms=IN_BNB, path=path) as r:
        with_bnb(r)
        r.price("100")
        r.submit("a", "BUY", "160")
        before, fills = r.venue.account(), r.venue.fills_since(0)
    with rig(terms=IN_BNB, path=path) as r:
        assert r.venue.account() == before
        assert r.venue.fills_since(0) == fills
        assert r.venue.position("BNB-USD") == D("9.94")


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["BNB-USD", "AAPL"]),
        st.integers(-30, 60).filter(bool),
        st.integers(100, 50_000).map(lambda cents: D(cents) / 100),
    ),
    max_size=25,
)


@given(STEPS)
def test_T10_cash_is_what_was_deposited_and_gained_less_what_was_charged_and_what_is_held_cost(
    steps: list[tuple[str, int, D]],
) -> None:
    with rig(terms=IN_BNB) as r:
        bought = {"BNB-USD": D(0), "AAPL": D(0)}
        for number, (symbol, wanted, price) in enumerate(steps):
            r.price(str(price), symbol)
            quantity = wanted if wanted > 0 else -min(-wanted, int(r.venue.position(symbol)))
            side = "BUY" if quantity > 0 else "SELL"
            seen = len(r.fills)
            with contextlib.suppress(Rejected):
                r.submit(f"o{number}", side, str(abs(quantity)), symbol)
            for fill in r.fills[seen:]:
                bought[symbol] += fill.quantity * fill.side.sign
                if fill.commission_currency:
                    bought["BNB-USD"] -= fill.commission
            for name, amount in bought.items():
                assert r.venue.position(name) == amount
                assert amount >= 0
            money = r.venue.balance
            cost = sum(
                Fraction(p.quantity) * Fraction(p.average_price) for p in r.venue.positions()
            )
            left = Fraction(money.deposited) + Fraction(money.realized) - Fraction(money.commission)
            assert abs(Fraction(money.cash) - (left - cost)) < Fraction(1, 10**15)
