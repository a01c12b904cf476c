"""What Alpaca takes: its facts of an instrument, and an order that keeps to them as it is sent.

What it would refuse is refused before it is sent, with the number and what is allowed. Sources:
research/alpaca-binance.md §2 (times in force, fractions, sub-penny rule), specs/alpaca.
"""

from decimal import Decimal
from typing import Final

import msgspec

from brokers.alpaca.symbols import kind_of, to_venue
from brokers.alpaca.wire import OPENS_SHORT, AssetRow, ContractRow, text
from brokers.net.numbers import number, written
from engine.domain.codes import Code
from engine.domain.instrument import AssetClass, Facts, Instrument, instrument_of
from engine.domain.instruments.kind import InstrumentError
from engine.domain.money import plain
from engine.domain.order import HAVE_LIMIT, HAVE_STOP, OrderTerms, OrderType, Side, TimeInForce
from engine.ports import Rejected, Taken

CENT: Final = Decimal("0.01")
BELOW_A_DOLLAR: Final = Decimal("0.0001")
SMALLEST_PART: Final = Decimal("0.000000001")
"""Parts of shares go down to nine decimals."""

_ONLY_DAY: Final = frozenset({TimeInForce.DAY})
BY_KIND: Final = {
    AssetClass.CRYPTO: Taken(
        frozenset({OrderType.MARKET, OrderType.LIMIT, OrderType.STOP_LIMIT}),
        frozenset({TimeInForce.GTC, TimeInForce.IOC}),
    ),
    AssetClass.OPTION: Taken(frozenset(OrderType), _ONLY_DAY),
}
"""What Alpaca takes of coins and options; of shares it takes everything."""

OF_PARTS: Final = Taken(frozenset(OrderType), _ONLY_DAY)
"""What it takes of an order for a part of a share."""

_OF_SHARES: Final = Taken(frozenset(OrderType), frozenset(TimeInForce))

TERMS_REFUSED: Final = "ORDER_TERMS"
"""Our code for terms that Alpaca does not take together."""


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """What Alpaca says of one instrument."""

    instrument: Instrument
    kind: AssetClass
    venue_symbol: str
    tradable: bool
    fractionable: bool = False
    smallest: Decimal = Decimal(0)
    """The smallest quantity of an order."""


def rules_of_asset(symbol: str, row: AssetRow) -> Rules:
    """The rules of a share or a coin. Raises Rejected where its facts make no instrument.

    A share is traded in whole ones by what is said here: its parts take day orders only, and a stop
    that outlives the day protects better. An order for a part is taken where the share allows it.
    """
    kind = kind_of(symbol)
    if kind is AssetClass.CRYPTO:
        facts = Facts(
            tick=_above_zero(symbol, "price_increment", row.price_increment),
            lot=_above_zero(symbol, "min_trade_increment", row.min_trade_increment),
            shortable=False,
            source="Alpaca",
        )
        smallest = _above_zero(symbol, "min_order_size", row.min_order_size)
    else:
        facts = Facts(tick=CENT, lot=Decimal(1), shortable=bool(row.shortable), source="Alpaca")
        smallest = Decimal(0)
    return Rules(
        instrument=_made(symbol, facts),
        kind=kind,
        venue_symbol=to_venue(symbol),
        tradable=row.tradable is True and row.status == "active",
        fractionable=row.fractionable is True,
        smallest=smallest,
    )


def rules_of_contract(symbol: str, row: ContractRow) -> Rules:
    """The rules of an option. Raises Rejected where its facts make no instrument."""
    size = _above_zero(symbol, "size", row.multiplier if row.size is None else row.size)
    facts = Facts(tick=CENT, lot=Decimal(1), multiplier=size, shortable=False, source="Alpaca")
    return Rules(
        instrument=_made(symbol, facts),
        kind=AssetClass.OPTION,
        venue_symbol=to_venue(symbol),
        tradable=row.tradable is True and row.status == "active",
    )


def body_of(order: OrderTerms, rules: Rules) -> dict[str, str]:
    """The order as it is posted: numbers as text, digit for digit. Raises Rejected."""
    if order.side is Side.SELL_SHORT and not rules.instrument.shortable:
        raise Rejected(Code.NOT_SHORTABLE, f"{order.symbol} cannot be sold short at Alpaca")
    _check_quantity(order, rules)
    prices = {}
    if order.type in HAVE_LIMIT:
        prices["limit_price"] = _price(order, rules, "limit_price", order.limit_price)
    if order.type in HAVE_STOP:
        prices["stop_price"] = _price(order, rules, "stop_price", order.stop_price)
    types = BY_KIND.get(rules.kind, _OF_SHARES).order_types
    if order.type not in types:
        _refuse(f"type of {order.symbol}", str(order.type), types)
    body = {
        "symbol": rules.venue_symbol,
        "qty": written(order.quantity),
        "side": "buy" if order.side is Side.BUY else "sell",
        "type": order.type.value.lower(),
        "time_in_force": _time_in_force(order, rules).value.lower(),
        "client_order_id": order.client_order_id,
        **prices,
    }
    if order.side is Side.SELL_SHORT:
        # It is told back with the order: the one way to know it again after a restart.
        body["position_intent"] = OPENS_SHORT
    return body


def _check_quantity(order: OrderTerms, rules: Rules) -> None:
    """Raises Rejected for a quantity that Alpaca does not take."""
    quantity, symbol = order.quantity, order.symbol
    if not rules.tradable and not order.reduce_only:
        raise Rejected("SYMBOL", f"{symbol} is not tradable at Alpaca now")
    step = SMALLEST_PART if _may_be_part(rules) else rules.instrument.lot
    if not quantity.is_finite() or quantity <= 0 or quantity % step:
        raise Rejected(
            Code.BAD_LOT, f"quantity is {quantity}: multiples of {plain(step)} {symbol} are allowed"
        )
    if quantity < rules.smallest:
        raise Rejected(
            Code.BAD_LOT,
            f"quantity is {plain(quantity)}: at least {plain(rules.smallest)} {symbol} are allowed",
        )
    if _is_part(order, rules) and order.side is Side.SELL_SHORT:
        raise Rejected(
            Code.BAD_LOT, f"quantity is {plain(quantity)}: only whole {symbol} can be sold short"
        )


def _may_be_part(rules: Rules) -> bool:
    return rules.kind is AssetClass.STOCK and rules.fractionable


def _is_part(order: OrderTerms, rules: Rules) -> bool:
    return rules.kind is AssetClass.STOCK and bool(order.quantity % 1)


def _time_in_force(order: OrderTerms, rules: Rules) -> TimeInForce:
    """How long the order stands. A market order that may only be for the day is: it waits for
    nothing, and what reduces must not fail by that. Raises Rejected for any other."""
    taken = OF_PARTS if _is_part(order, rules) else BY_KIND.get(rules.kind, _OF_SHARES)
    allowed = taken.times_in_force
    asked = order.time_in_force
    if asked in allowed:
        return asked
    if order.type is OrderType.MARKET and asked is TimeInForce.GTC and allowed == _ONLY_DAY:
        return TimeInForce.DAY
    what = "parts of shares" if _is_part(order, rules) else rules.kind.kind.plural
    raise Rejected(TERMS_REFUSED, f"time in force is {asked}: {_words(allowed)} for {what}")


def _price(order: OrderTerms, rules: Rules, name: str, price: Decimal | None) -> str:
    """A price as text. Raises Rejected for one that is off the grid: cents, below a dollar four
    decimals (the sub-penny rule), and for a coin its own."""
    if price is None or not price.is_finite() or price <= 0:
        raise Rejected(Code.BAD_TICK, f"{name} is {price}: a number above 0 is allowed")
    tick = rules.instrument.tick
    if rules.kind is AssetClass.STOCK and price < 1:
        tick = BELOW_A_DOLLAR
    if price % tick:
        raise Rejected(
            Code.BAD_TICK,
            f"{name} of {order.symbol} is {plain(price)}: multiples of {plain(tick)} are allowed",
        )
    return written(price)


def _refuse(what: str, given: str, allowed: frozenset[OrderType]) -> None:
    raise Rejected(TERMS_REFUSED, f"{what} is {given}: {_words(allowed)}")


def _words(allowed: frozenset[OrderType] | frozenset[TimeInForce]) -> str:
    names = sorted(str(one) for one in allowed)
    return f"only {names[0]} is allowed" if len(names) == 1 else f"{', '.join(names)} are allowed"


def _above_zero(symbol: str, name: str, given: object) -> Decimal:
    found = number(given)
    if not found.is_finite() or found <= 0:
        raise Rejected("SYMBOL", f"Alpaca says {text(given)!r:.40} for {name} of {symbol}")
    return found


def _made(symbol: str, facts: Facts) -> Instrument:
    try:
        return instrument_of(symbol, facts)
    except InstrumentError as error:
        raise Rejected("SYMBOL", str(error)) from error
