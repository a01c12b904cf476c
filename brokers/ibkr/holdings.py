"""Balances and holdings as TWS lists them, for one account."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from brokers.ibkr.symbols import Symbols
from brokers.net.numbers import NAN, number
from engine.domain.account import Account, VenuePosition
from engine.domain.instant import Nanos
from engine.domain.money import ONE
from engine.ports import Ambiguous


def positions_of(
    rows: Iterable[tuple[Any, Decimal, Decimal]], symbols: Symbols
) -> tuple[VenuePosition, ...]:
    """Every holding that is not flat, of rows of (contract, quantity, average cost).

    TWS tells a contract again as soon as its holding changes, also in the middle of the list: of
    one contract the newest row counts, and only those of different contracts are added up.
    """
    newest = {(row[0].conId, row[0].localSymbol): row for row in rows}
    held: dict[str, VenuePosition] = {}
    for contract, quantity, cost in newest.values():
        if not quantity:
            continue
        symbol = symbols.ours(contract)
        # The cost is that of a contract, the price that of one unit of what it is for.
        multiplier = number(contract.multiplier) if contract.multiplier else ONE
        told = VenuePosition(
            symbol=symbol,
            quantity=quantity,
            average_price=cost / multiplier if multiplier else cost,
        )
        held[symbol] = _together(held[symbol], told) if symbol in held else told
    return tuple(position for position in held.values() if position.quantity)


def account_of(rows: Iterable[tuple[str, str, str]], account_id: str, now: Nanos) -> Account:
    """The balances, of rows of (tag, value, currency). Raises Ambiguous where one is missing."""
    worth: dict[str, tuple[Decimal, str]] = {}
    cash: dict[str, Decimal] = {}
    for tag, value, currency in rows:
        if tag == "CashBalance":
            cash[currency] = number(value)
        elif tag in {"NetLiquidation", "BuyingPower"}:
            worth[tag] = (number(value), currency)
    cash.pop("BASE", None)  # the sum of the others
    if worth.keys() < {"NetLiquidation", "BuyingPower"}:
        raise Ambiguous("TWS does not tell what the account is worth")
    equity, currency = worth["NetLiquidation"]
    if currency not in cash:
        raise Ambiguous(f"TWS does not tell the cash in {currency}")
    return Account(
        account_id=account_id,
        currency=currency,
        cash=cash[currency],
        balances={name: amount for name, amount in cash.items() if amount or name == currency},
        equity=equity,
        buying_power=worth["BuyingPower"][0],
        as_of=now,
    )


def _together(first: VenuePosition, second: VenuePosition) -> VenuePosition:
    """Two rows of one symbol as one; its average is that of both where they lie on one side."""
    quantity = first.quantity + second.quantity
    if not (quantity.is_finite() and first.average_price.is_finite()):
        price = NAN
    elif first.quantity * second.quantity > 0:
        paid = first.quantity * first.average_price + second.quantity * second.average_price
        price = paid / quantity
    else:
        price = max(first, second, key=lambda row: abs(row.quantity)).average_price
    return VenuePosition(symbol=first.symbol, quantity=quantity, average_price=price)
