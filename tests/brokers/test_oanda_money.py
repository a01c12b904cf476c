"""OANDA's one balance, told as the engine counts: a trade moves cash by its amount (C-127, X-75).

The local exchange adds up its own cash, trade by trade; OANDA's balance is worked out beside it.
"""

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from brokers.oanda import wire
from brokers.oanda.money import account_of, fill_of, movements_of, positions_of
from engine.domain.account import CashMovement, MovementKind
from engine.domain.order import OrderStatus, Side
from tests.venues.oanda import SYMBOL, OandaServer
from tests.venues.oanda_lab import OandaLab, lab_of

D = Decimal
YEN = "USD_JPY"


@pytest.fixture
async def server() -> AsyncIterator[OandaServer]:
    async with OandaServer() as served:
        yield served


@pytest.fixture
async def lab(server: OandaServer) -> AsyncIterator[OandaLab]:
    async with lab_of(server) as made:
        await made.start()
        yield made


def transaction(**fields: Any) -> wire.Transaction:
    told = {"id": "9", "time": "2026-03-02T15:00:00.000000001Z", **fields}
    return msgspec.convert(told, wire.Transaction)


async def trade(lab: OandaLab, name: str, units: str, price: str, symbol: str = SYMBOL) -> None:
    """Buy, or sell where `units` is below zero, at that price."""
    lab.server.exchange.set_price(symbol, D(price))
    side = "SELL" if D(units) < 0 else "BUY"
    await lab.submit(name, side, units.removeprefix("-"), symbol=symbol)
    await lab.until(name, OrderStatus.FILLED)


async def test_cash_is_what_the_fills_cost_and_brought_to_the_last_digit(lab: OandaLab) -> None:
    """Through adding, a partial close, a flip and a short, though OANDA closes the oldest trade
    first and says a mean price that is rounded."""
    exchange = lab.server.exchange
    steps = [
        ("10", "100"), ("7", "101.37"), ("3", "99.91"), ("-8", "103.01"), ("-20", "98.77"),
        ("-5", "97.02"), ("13", "96.96"),
    ]  # fmt: skip
    for n, (units, price) in enumerate(steps):
        await trade(lab, f"o{n}", units, price)
        account = await lab.broker.get_account()
        held = await lab.broker.get_positions()
        assert account.cash == exchange.cash["USD"]
        assert account.equity == exchange.equity == account.cash + sum(
            position.quantity * D(price) for position in held
        )  # fmt: skip
    assert exchange.positions == {}
    assert account.balances == {"USD": lab.server.balance}


async def test_buying_power_is_the_margin_that_is_free(lab: OandaLab) -> None:
    before = await lab.broker.get_account()
    await trade(lab, "a", "10", "100")
    after = await lab.broker.get_account()
    assert before.buying_power - after.buying_power == D("50")  # 5 % of 1,000


async def test_a_profit_in_another_currency_is_converted_and_told_as_that(lab: OandaLab) -> None:
    exchange, start = lab.server.exchange, D(100_000)
    await trade(lab, "a", "100", "150.000", YEN)
    account = await lab.broker.get_account()
    assert account.balances == {"USD": start, "JPY": D("-15000")} == exchange.cash
    assert account.cash == start
    await trade(lab, "b", "-100", "151.500", YEN)
    moved = [each for each in await lab.broker.get_cash_movements_since(0) if _is_trade(each)]
    assert [(each.kind, each.currency, each.amount) for each in moved] == [
        (MovementKind.FEE, "JPY", D(-150)),
        (MovementKind.FEE, "USD", D("1.005")),
    ]
    assert len({each.movement_id for each in moved}) == 2
    account = await lab.broker.get_account()
    counted = dict(exchange.cash)
    for each in moved:
        counted[each.currency] += each.amount
    assert account.balances == {"USD": start + D("1.005")}
    assert counted == {"USD": start + D("1.005"), "JPY": 0}


def _is_trade(moved: CashMovement) -> bool:
    return "-" in moved.movement_id


def test_an_older_answer_says_what_was_converted_by_its_rate() -> None:
    told = transaction(
        type="ORDER_FILL", instrument=YEN, pl="-1.0050", gainQuoteHomeConversionFactor="0.0066",
        lossQuoteHomeConversionFactor="0.0067", financing="0.0000",
    )  # fmt: skip
    moved = movements_of(told, "USD")
    assert [(each.currency, each.amount) for each in moved] == [
        ("JPY", D(150)),
        ("USD", D("-1.0050")),
    ]
    without = msgspec.structs.replace(told, loss_quote_home_conversion_factor=None)
    assert movements_of(without, "USD")[0].amount.is_nan()


async def test_commission_is_charged_in_the_currency_of_the_account(lab: OandaLab) -> None:
    lab.server.exchange.fee_rate = D("0.001")
    await trade(lab, "a", "10", "100")
    (fill,) = await lab.broker.get_fills_since(0)
    assert (fill.commission, fill.commission_currency) == (D(1), "USD")
    assert (await lab.broker.get_account()).cash == lab.server.exchange.cash["USD"] == D(98_999)


def test_what_a_guaranteed_stop_costs_is_commission_too() -> None:
    told = transaction(type="ORDER_FILL", units="-5", price="1.1", commission="0.2500",
                       guaranteedExecutionFee="0.5000")  # fmt: skip
    fill = fill_of(told, "fx", "EUR")
    assert (fill.commission, fill.side, fill.quantity) == (D("0.7500"), Side.SELL, D(5))


def test_a_fill_at_several_prices_has_their_mean() -> None:
    """The price of the whole is deprecated; each trade has the one it was done at."""
    told = transaction(
        type="ORDER_FILL", units="-10", price="1.10",
        tradesClosed=[{"units": "-4", "price": "1.10"}, {"units": "-2", "price": "1.13"}],
        tradeOpened={"units": "-4", "price": "1.16"},
    )  # fmt: skip
    assert fill_of(told, "fx", "USD").price == D("1.13")


@pytest.mark.parametrize(
    "parts",
    [
        {},
        {"tradesClosed": [{"units": "-4"}, {"units": "-6"}]},
        {"tradeReduced": {"units": "-4", "price": "1.2"}},
    ],
    ids=["none", "without prices", "of a part"],
)
def test_a_fill_whose_parts_do_not_add_up_has_the_price_of_the_whole(parts: Any) -> None:
    told = transaction(type="ORDER_FILL", units="-10", price="1.10", **parts)
    assert fill_of(told, "fx", "USD").price == D("1.10")


async def test_transfers_and_interest_are_told_with_when_they_were_booked(lab: OandaLab) -> None:
    began = (await lab.broker.get_cash_movements_since(0))[-1].time
    lab.server.transfer("-2500")
    lab.server.finance("-0.0417")
    moved = await lab.broker.get_cash_movements_since(began + 1)
    assert [(each.kind, each.amount, each.currency) for each in moved] == [
        (MovementKind.TRANSFER, D(-2500), "USD"),
        (MovementKind.INTEREST, D("-0.0417"), "USD"),
    ]
    assert await lab.broker.get_cash_movements_since(moved[0].time) == moved
    assert await lab.broker.get_cash_movements_since(moved[1].time + 1) == ()


def test_interest_that_comes_with_a_fill_is_no_part_of_its_price() -> None:
    told = transaction(type="ORDER_FILL", instrument=SYMBOL, pl="3.0000", financing="-0.1200")
    (moved,) = movements_of(told, "USD")
    assert (moved.kind, moved.amount, moved.movement_id) == (
        MovementKind.INTEREST, D("-0.1200"), "9-financing",
    )  # fmt: skip


@pytest.mark.parametrize(
    "told",
    [
        {"type": "TRANSFER_FUNDS", "amount": 2.5},
        {"type": "DAILY_FINANCING"},
        {"type": "ORDER_FILL", "instrument": SYMBOL, "financing": "much"},
    ],
)
def test_a_line_whose_amount_is_none_is_told_all_the_same(told: dict[str, Any]) -> None:
    (moved,) = movements_of(transaction(**told), "USD")
    assert moved.amount.is_nan()


def test_what_moves_no_cash_is_no_movement() -> None:
    for kind in ("CREATE", "CLIENT_CONFIGURE", "MARGIN_CALL_ENTER", "ORDER_CANCEL", "NEW_IN_2027"):
        assert movements_of(transaction(type=kind), "USD") == []


async def test_both_sides_of_a_hedging_account_are_one_holding(lab: OandaLab) -> None:
    def side(units: str, price: str) -> dict[str, str]:
        return {"units": units, "averagePrice": price}

    lab.server.hedged = [
        {"instrument": SYMBOL, "long": side("150", "1.10"), "short": side("-50", "1.20")},
        {"instrument": YEN, "long": side("10", "150"), "short": side("-10", "151")},
        {"instrument": "GBP_USD", "long": {"units": "0"}, "short": side("-7", "1.3")},
    ]
    held = await lab.broker.get_positions()
    assert [(p.symbol, p.quantity, p.average_price) for p in held] == [
        (SYMBOL, D(100), D("1.10")),
        ("GBP_USD", D(-7), D("1.3")),
    ]


@pytest.mark.parametrize("long", [{"units": 1.5, "averagePrice": "1"}, {"units": "many"}])
def test_a_holding_that_cannot_be_read_keeps_its_symbol(long: dict[str, Any]) -> None:
    row = msgspec.convert({"instrument": SYMBOL, "long": long}, wire.PositionRow)
    (position,) = positions_of([row])
    assert position.symbol == SYMBOL
    assert position.quantity.is_nan()


def test_balances_that_cannot_be_read_are_no_numbers() -> None:
    row = msgspec.convert(
        {"id": "1", "currency": "EUR", "balance": "7.5", "NAV": 7.5,
         "trades": [{"instrument": "EUR_USD", "currentUnits": "5", "price": "?"}]},
        wire.AccountRow,
    )  # fmt: skip
    account = account_of(row, 1)
    assert account.cash == D("7.5")
    assert account.equity.is_nan()
    assert account.buying_power.is_nan()
    assert account.balances["USD"].is_nan()
