"""Money of the paper account in contracts: price x multiplier, worked out by hand (C-154, C-157).

A future of 50 at 40 is 2,000 a contract, an option of 100 at 5 is 500; 10,000 are there.
"""

from decimal import Decimal

import msgspec
import pytest

from brokers.paper.terms import Arrival
from engine.domain.instrument import Facts, instrument_of
from engine.ports import Rejected
from tests.brokers.kit import FREE, D, Rig, rig

ES = "ES 2026-12"
CALL = "AAPL 2026-12-18 500 C"
TABLE = {
    ES: instrument_of(ES, Facts(multiplier=D(50))),
    CALL: instrument_of(CALL, Facts(shortable=True)),
}
SMALL = msgspec.structs.replace(FREE, initial_cash=D(10_000))
PAID = msgspec.structs.replace(SMALL, commission_bps=D(10))


def taken(r: Rig, key: str, side: str, quantity: str, symbol: str, **more: object) -> str:
    """The code of a refusal; "" where the order is taken."""
    try:
        r.submit(key, side, quantity, symbol, **more)
    except Rejected as refused:
        return refused.code
    return ""


@pytest.mark.parametrize(
    ("symbol", "price", "side", "quantity", "code"),
    [
        # a purchase is paid in full
        (ES, "40", "BUY", "4", ""),
        (ES, "40", "BUY", "5", ""),
        (ES, "40", "BUY", "6", "BUYING_POWER"),
        (CALL, "5", "BUY", "19", ""),
        (CALL, "5", "BUY", "20", ""),
        (CALL, "5", "BUY", "21", "BUYING_POWER"),
        # a short binds half of its value beside its proceeds
        (ES, "40", "SELL_SHORT", "9", ""),
        (ES, "40", "SELL_SHORT", "10", ""),
        (ES, "40", "SELL_SHORT", "11", "BUYING_POWER"),
        (CALL, "5", "SELL_SHORT", "39", ""),
        (CALL, "5", "SELL_SHORT", "40", ""),
        (CALL, "5", "SELL_SHORT", "41", "BUYING_POWER"),
    ],
)
def test_the_last_contract_that_can_be_paid(
    *, symbol: str, price: str, side: str, quantity: str, code: str
) -> None:
    with rig(terms=SMALL, instruments=TABLE) as r:
        r.price(price, symbol)
        assert taken(r, "a", side, quantity, symbol) == code
        assert bool(r.traded) is not bool(code)


def test_a_short_of_contracts_is_marked_and_margined_by_its_multiplier() -> None:
    with rig(terms=PAID, instruments=TABLE) as r:
        r.price("40", ES)
        r.submit("a", "SELL_SHORT", "6", ES)
        account = r.venue.account()
        # 6 x 2000 came in less 12; half of 12000 is bound beside them
        assert (account.cash, account.equity) == (D(21_988), D(9_988))
        assert account.buying_power == D(21_988) - D("1.5") * 12_000
        r.price("42", ES)
        # 6 x 2 x 50 are lost; 1.5 x 6 x 2100 are bound
        account = r.venue.account()
        assert (account.equity, account.buying_power) == (D(9_388), D(21_988) - 18_900)
        r.submit("b", "BUY", "6", ES, reduce_only=True)
        # and 12.60 for buying 12600
        assert r.venue.account().cash == D("9375.4")
        assert r.venue.balance.realized == -600


def test_working_orders_hold_back_what_their_contracts_may_cost() -> None:
    with rig(terms=SMALL, instruments=TABLE) as r:
        r.price("40", ES)
        r.submit("a", "BUY", "2", ES, limit="38")
        assert r.venue.account().buying_power == 10_000 - 2 * 38 * 50
        assert taken(r, "b", "BUY", "4", ES) == "BUYING_POWER"
        assert taken(r, "c", "BUY", "3", ES) == ""
        assert r.venue.account().buying_power == 10_000 - 3_800 - 6_000


def test_a_flip_of_contracts_that_cannot_be_paid_stops_at_flat() -> None:
    with rig(terms=SMALL, instruments=TABLE, arrival=Arrival.NEXT_PRICE) as r:
        r.price("40", ES)
        r.submit("a", "SELL_SHORT", "4", ES)
        r.price("40", ES)
        r.submit("b", "BUY", "6", ES)
        # 4 close at a loss of 4 x 21 x 50, which leaves 5800; 2 more would cost 6100
        r.price("61", ES)
        assert r.traded[-1] == ("b", D(4), D(61))
        assert (r.status("b"), r.reports[-1].code) == ("CANCELED", "BUYING_POWER")
        assert r.venue.account().cash == 5_800


def test_a_contract_and_a_stock_of_one_name_are_two_holdings() -> None:
    with rig(terms=SMALL, instruments=TABLE) as r:
        r.price("100", "AAPL")
        r.price("5", CALL)
        r.submit("a", "BUY", "10", "AAPL")
        r.submit("b", "BUY", "3", CALL)
        r.price("101", "AAPL")
        r.price("6", CALL)
        assert [(p.symbol, p.quantity) for p in r.venue.positions()] == [
            ("AAPL", Decimal(10)),
            (CALL, Decimal(3)),
        ]
        # 10 x 1 and 3 x 1 x 100
        assert r.venue.account().equity == 10_310
