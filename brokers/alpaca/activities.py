"""The account's history: executions, and cash that moved without a trade."""

from datetime import date
from decimal import Decimal
from typing import Final

from brokers.alpaca.known import Named
from brokers.alpaca.symbols import from_venue
from brokers.alpaca.wire import (
    ActivityRow,
    TradeUpdate,
    filled_of,
    quantity_of,
    side_of_activity,
    text,
)
from brokers.net.numbers import number, number_or_none, time_of
from engine.domain.account import CashMovement, MovementKind
from engine.domain.instant import Nanos
from engine.domain.money import plain
from engine.domain.order import Fill

_K = MovementKind

KINDS: Final = {
    "CSD": _K.TRANSFER, "CSW": _K.TRANSFER, "TRANS": _K.TRANSFER, "ACATC": _K.TRANSFER,
    "JNL": _K.TRANSFER, "JNLC": _K.TRANSFER, "WRM": _K.TRANSFER, "FOPT": _K.TRANSFER,
    "DIV": _K.DIVIDEND, "DIVCGL": _K.DIVIDEND, "DIVCGS": _K.DIVIDEND, "DIVFT": _K.DIVIDEND,
    "DIVNRA": _K.DIVIDEND, "DIVROC": _K.DIVIDEND, "DIVTW": _K.DIVIDEND, "DIVTXEX": _K.DIVIDEND,
    "CDIV": _K.DIVIDEND, "CGD": _K.DIVIDEND,
    "INT": _K.INTEREST, "INTNRA": _K.INTEREST, "INTTW": _K.INTEREST,
    "FEE": _K.FEE, "CFEE": _K.FEE, "DIVFEE": _K.FEE, "PTC": _K.FEE, "PTR": _K.FEE,
}  # fmt: skip
"""Alpaca's type of a line -> ours."""

OTHER: Final = _K.FUNDING
"""For a line of another type that moved cash: the price of an exercise, a merger, a part of a share
that was paid out. It is realised, and no transfer of anybody's."""


def execution_id(order_id: str, cumulative: Decimal) -> str:
    """What one execution is called, whichever way it is told.

    The stream has an id for each execution and the history one of its own, and nothing says that
    they are the same. Both have the order and all of it that had filled by then, and each execution
    makes that more: that names it.
    """
    return f"{order_id}/{plain(cumulative)}" if cumulative.is_finite() else f"{order_id}/?"


def fill_of_update(account: str, update: TradeUpdate, named: Named) -> Fill:
    """An execution that the stream tells. Alpaca books its fees at the end of the day."""
    row = update.order
    order_id = text(row.id)
    return Fill(
        execution_id=execution_id(order_id, filled_of(row)),
        client_order_id=named.client_order_id,
        venue_order_id=order_id,
        account=account,
        symbol=from_venue(text(row.symbol), text(row.asset_class)),
        side=named.side,
        quantity=quantity_of(row, update.qty),
        price=number(update.price),
        time=time_of(update.timestamp),
    )


def fill_of_activity(account: str, row: ActivityRow, named: Named | None) -> Fill:
    """The same execution in the account's history; `named` None: its order cannot be asked."""
    order_id = text(row.order_id)
    return Fill(
        execution_id=execution_id(order_id, number(row.cum_qty)),
        client_order_id="" if named is None else named.client_order_id,
        venue_order_id=order_id,
        account=account,
        symbol=from_venue(text(row.symbol)),
        side=side_of_activity(row) if named is None else named.side,
        quantity=quantity_of(row, row.qty),
        price=number(row.price),
        time=time_of(row.transaction_time),
    )


def moved_at(row: ActivityRow) -> tuple[Nanos, bool]:
    """When a line was booked, and whether that is more than the day; 0 where it does not say."""
    created = time_of(row.created_at)
    if created:
        return created, True
    day = text(row.date)[:10]
    try:
        date.fromisoformat(day)
    except ValueError:
        return 0, False
    return time_of(f"{day}T00:00:00Z"), False


def movement_of(row: ActivityRow) -> CashMovement | None:
    """The cash that a line moved; None for one that moved none, or was taken back.

    A split, a name change, a transfer of shares move no cash. A fee that was taken in coins has no
    amount of money: the holding shows it.
    """
    amount = number_or_none(row.net_amount)
    if amount is None or amount == 0 or row.status == "canceled":
        return None
    at, _ = moved_at(row)
    return CashMovement(
        movement_id=text(row.id),
        kind=KINDS.get(text(row.activity_type), OTHER),
        currency=text(row.currency) or "USD",
        amount=amount,
        time=at,
    )
