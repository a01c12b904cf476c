"""One row from one part of the state: a holding, an order, a fill."""

from decimal import Decimal

from console.desk.values import FillRow, OrderRow, PositionRow
from engine.domain.events import OrderFilled, Record
from engine.domain.instant import Nanos
from engine.domain.market import Quote
from engine.exits.target import shown_target
from engine.state.cover import covered, stop_of
from engine.state.order import Order
from engine.state.position import Position
from engine.world import World


def position_row(
    world: World, position: Position, quote: Quote | None, *, fresh: bool, now: Nanos
) -> PositionRow:
    """A holding at the price of `quote`; `fresh` says whether that may be traded on at `now`."""
    symbol = position.symbol
    rules = world.instrument(symbol, position.account)
    mark = None if quote is None else quote.last
    suspicion = world.prices.suspicion_of(position)
    valued_at = mark if suspicion is None else suspicion.mark
    profit = None if valued_at is None else position.unrealized(valued_at)
    value, equity = world.prices.market_value(position), world.money.equity
    in_base = world.currencies.in_base({world.book.currency_of(symbol): value})
    return PositionRow(
        key=key_of(world, position.account, symbol),
        account=position.account,
        currency=rules.currency,
        instrument=rules,
        quantity=position.quantity,
        average_price=position.average_price,
        last=mark,
        fresh=fresh,
        price_age=None if quote is None else max(now - quote.time, 0),
        unrealized=profit,
        unrealized_share=(
            None if profit is None or not position.cost else profit / abs(position.cost)
        ),
        realized=position.realized - position.commission,
        value=value,
        equity_share=in_base / equity if equity else None,
        stop=stop_of(world.book, position),
        target=shown_target(world, position),
        covered=covered(world.book, position),
        closing=position.exiting is not None,
        r_multiple=r_multiple(position, valued_at),
        hold=position.trade_type,
        opened_at=position.opened_at,
        age=now - position.opened_at,
        split="" if suspicion is None else suspicion.ratio,
    )


ELSEWHERE = " @"
"""Stands between symbol and account in the key of a holding that the primary account has not."""


def key_of(world: World, account: str, symbol: str) -> str:
    """What names a holding on a screen: its symbol, and its account unless that is the primary."""
    return symbol if account == world.book.data.primary else f"{symbol}{ELSEWHERE}{account}"


def place_of(world: World, key: str) -> tuple[str, str]:
    """The account and the symbol that the key of a holding stands for."""
    symbol, _, account = key.partition(ELSEWHERE)
    return account or world.book.data.primary, symbol


def r_multiple(position: Position, mark: Decimal | None) -> Decimal | None:
    """Profit in units of the risk taken at the start; None without an initial stop."""
    risk = position.initial_risk
    if mark is None or risk is None:
        return None
    return (mark - position.average_price) * position.sign / risk


def order_row(world: World, order: Order) -> OrderRow:
    """An order as it was asked for and as it stands."""
    rules = world.instrument(order.symbol, order.account)
    return OrderRow(
        client_order_id=order.client_order_id,
        venue_order_id=order.venue_order_id,
        account=order.account,
        currency=rules.currency,
        instrument=rules,
        side=order.side,
        type=order.type,
        quantity=order.quantity,
        filled=order.filled,
        average_price=order.average_price,
        limit_price=order.limit_price,
        stop_price=order.stop_price,
        time_in_force=order.time_in_force,
        status=order.status,
        purpose=order.purpose,
        reject_code=order.reject_code,
        reason=order.reason,
        created_at=order.created_at,
        updated_at=order.updated_at,
    )


def fill_row(world: World, record: Record, event: OrderFilled) -> FillRow:
    """A fill as the journal holds it; `event` is the record's."""
    fill = event.fill
    rules = world.instrument(fill.symbol, fill.account)
    return FillRow(
        seq=record.seq,
        time=record.time,
        account=fill.account,
        currency=rules.currency,
        instrument=rules,
        side=fill.side,
        quantity=fill.quantity,
        price=fill.price,
        commission=fill.commission,
        commission_currency=fill.commission_currency or rules.currency,
        liquidity=fill.liquidity,
        client_order_id=fill.client_order_id,
        late=event.late,
        overfill=event.overfill,
        known_order=event.known_order,
    )
