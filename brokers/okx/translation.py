"""Rows of OKX as orders, executions and reports of the engine."""

from decimal import Decimal
from typing import Final

from brokers.net.numbers import NAN, number, number_or_none, price_or_none, time_of_millis
from brokers.okx.wire import SIDES, SOURCES, TRIGGERED, AlgoRow, FillRow, OrderRow
from engine.domain.account import VenueOrder
from engine.domain.instant import Nanos
from engine.domain.money import ZERO
from engine.domain.order import Fill, Liquidity, OrderStatus, OrderType, Side, TimeInForce
from engine.ports import OrderReport

_TYPES: Final[dict[str, tuple[OrderType, TimeInForce | None]]] = {
    "market": (OrderType.MARKET, None),
    "limit": (OrderType.LIMIT, TimeInForce.GTC),
    "post_only": (OrderType.LIMIT, TimeInForce.GTC),
    "ioc": (OrderType.LIMIT, TimeInForce.IOC),
    "fok": (OrderType.LIMIT, TimeInForce.FOK),
    "optimal_limit_ioc": (OrderType.MARKET, None),
}
_LIQUIDITY: Final = {"M": Liquidity.MAKER, "T": Liquidity.TAKER}


def execution_id(symbol: str, trade_id: str) -> str:
    """The id of an execution: the venue numbers the trades of each symbol by themselves."""
    return f"{symbol}:{trade_id}"


def fill_of_event(account: str, row: OrderRow) -> Fill | None:
    """The execution that an event of the channel tells; None where it tells none."""
    if not row.trade_id or number_or_none(row.fill_sz) in {None, ZERO}:
        return None
    return _fill(account, row, FillRow(
        inst_id=row.inst_id, trade_id=row.trade_id, ord_id=row.ord_id, side=row.side,
        fill_sz=row.fill_sz, fill_px=row.fill_px, fee=row.fill_fee, fee_ccy=row.fill_fee_ccy,
        exec_type=row.exec_type, fill_time=row.fill_time,
    ))  # fmt: skip


def fill_of_row(account: str, row: FillRow, client_id: str, venue_id: str) -> Fill:
    """The execution that a list tells, of the order with these ids."""
    fee = number_or_none(row.fee)
    return Fill(
        execution_id=execution_id(row.inst_id, row.trade_id),
        client_order_id=client_id,
        venue_order_id=venue_id,
        account=account,
        symbol=row.inst_id,
        side=_side(row.side),
        quantity=number(row.fill_sz) if row.side in SIDES else NAN,
        price=number(row.fill_px),
        # The venue counts a charge below zero, and a rebate above.
        commission=ZERO if fee is None else -fee,
        commission_currency=row.fee_ccy if fee is not None else "",
        liquidity=_LIQUIDITY.get(row.exec_type, Liquidity.NONE),
        time=time_of_millis(row.fill_time) or time_of_millis(row.ts),
    )


def _fill(account: str, order: OrderRow, row: FillRow) -> Fill:
    return fill_of_row(account, row, order.client_id, order.venue_id)


def report_of(account: str, row: OrderRow, fill: Fill | None, now: Nanos) -> OrderReport:
    """What an event of the channel `orders` reports of an order.

    Of what a stop has become only its state is told: its terms are those of the stop.
    """
    tells = not row.of_stop and row.quantity.is_finite()
    status, text = row.status, ""
    if status is OrderStatus.CANCELED:
        source = SOURCES.get(row.cancel_source, f"cancel source {row.cancel_source or 'not told'}")
        text = f"{source}; {row.msg}" if row.msg else source
    elif status is OrderStatus.UNKNOWN:
        text = f"the venue calls its state {row.state!r}"
    return OrderReport(
        account=account,
        client_order_id=row.client_id,
        venue_order_id=row.venue_id,
        symbol=row.inst_id,
        status=status,
        fill=fill,
        filled=row.filled,
        quantity=row.quantity if tells else None,
        limit_price=_limit(row) if tells else None,
        time_in_force=_type(row)[1] if tells else None,
        text=text,
        time=time_of_millis(row.u_time) or now,
    )


def report_of_stop(account: str, row: AlgoRow, now: Nanos) -> OrderReport | None:
    """What an event of the channel `orders-algo` reports; None once the stop has become an order,
    which has reports of its own."""
    if row.state in TRIGGERED:
        return None
    status = row.status
    ended, tells = status is OrderStatus.CANCELED, row.quantity.is_finite()
    return OrderReport(
        account=account,
        client_order_id=row.algo_cl_ord_id,
        venue_order_id=row.algo_id,
        symbol=row.inst_id,
        status=status,
        # One that is cancelled had not triggered: nothing of it has filled.
        filled=ZERO if ended else None,
        quantity=row.quantity if tells else None,
        limit_price=row.limit_price if tells else None,
        stop_price=row.stop_price if tells else None,
        time_in_force=TimeInForce.GTC if tells else None,
        code=row.fail_code if status is OrderStatus.REJECTED else "",
        text=""
        if status is not OrderStatus.UNKNOWN
        else f"the venue calls its state {row.state!r}",
        time=time_of_millis(row.u_time) or now,
    )


def order_of(row: OrderRow) -> VenueOrder:
    """An order as a list or an answer states it."""
    kind, tif = _type(row)
    return VenueOrder(
        client_order_id=row.client_id,
        venue_order_id=row.venue_id,
        symbol=row.inst_id,
        side=_side(row.side),
        type=kind,
        quantity=row.quantity,
        filled=row.filled,
        average_price=price_or_none(row.avg_px),
        limit_price=_limit(row),
        time_in_force=tif,
        status=row.status,
    )


def stop_of(row: AlgoRow, child: OrderRow | None = None) -> VenueOrder:
    """A stop as a list or an answer states it; `child` is the order that it has become."""
    return VenueOrder(
        client_order_id=row.algo_cl_ord_id,
        venue_order_id=row.algo_id,
        symbol=row.inst_id,
        side=_side(row.side),
        type=row.type,
        quantity=row.quantity,
        filled=ZERO if child is None else child.filled,
        average_price=None if child is None else price_or_none(child.avg_px),
        limit_price=row.limit_price,
        stop_price=row.stop_price,
        time_in_force=TimeInForce.GTC,
        status=row.status if child is None else child.status,
    )


def _type(row: OrderRow) -> tuple[OrderType, TimeInForce | None]:
    """Its type and time in force; of a word that is not known what its price says."""
    known = _TYPES.get(row.ord_type)
    if known is not None:
        return known
    return (OrderType.MARKET if _limit(row) is None else OrderType.LIMIT), None


def _limit(row: OrderRow) -> Decimal | None:
    """The limit; what is written as the price of a market order is none."""
    return None if row.ord_type == "market" else price_or_none(row.px)


def _side(word: str) -> Side:
    """The side by its word; of what has another word see `SIDES`."""
    return SIDES.get(word, Side.BUY)
