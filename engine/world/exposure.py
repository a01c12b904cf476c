"""Exposure: what is held and what entries may still cost, as limits add it up (A-084, U-51).

Every amount is in the base currency, long and short added.
"""

from decimal import Decimal

from engine.domain.instrument import Instrument
from engine.domain.money import ZERO, is_positive
from engine.state.order import Order
from engine.world.world import World


def of_name(world: World, symbol: str) -> Decimal:
    """Gross exposure to one name: what is held of it and of what derives from it in any
    account, working and UNKNOWN entries included (U-51)."""
    return _in_group(world, f"name:{world.groups.name_of(symbol)}")


def of_sector(world: World, sector: str) -> Decimal:
    """Gross exposure to one sector, working entries included."""
    return _in_group(world, f"sector:{sector}")


def gross(world: World) -> Decimal:
    """Gross exposure to everything, working and UNKNOWN entries included."""
    in_base = world.currencies.in_base
    own = in_base(world.value.gross) + in_base(world.book.reservations.by_currency)
    return own + sum((_beyond(world, symbol) for symbol in world.book.symbols.leaning), start=ZERO)


def of_order(world: World, order: Order) -> Decimal:
    """What an entry counts as, in the base currency; zero where it does not."""
    own = world.currencies.in_base(world.book.reservations.of(order))
    return own + _beyond(world, order.symbol, order) if own else own


def exposed_at(world: World, instrument: Instrument, price: Decimal) -> Decimal | None:
    """The price at which one unit counts as exposure, never below `price`, its own (A-084).

    Every sum of exposure, what an order adds to it and what a size may come to are counted at
    it. None while there is no price of what the instrument leans on.
    """
    contract = instrument.contract
    name = "" if contract is None else contract.leans_on
    if contract is None or not name:
        return price
    spot = world.prices.mark(name)
    if spot is None or not is_positive(spot):
        return None
    return contract.exposed_at(price, spot, _priced_with(world, instrument.symbol, name))


def unmeasured(world: World, group: str = "") -> str:
    """One sentence on what is held or being opened, of a group where one is named, and whose
    exposure nobody can tell: it counts at its own value meanwhile. Empty where there is none.
    """
    for symbol in sorted(world.book.symbols.leaning):
        instrument = world.instrument(symbol)
        if group and group not in world.groups.of(symbol):
            continue
        if exposed_at(world, instrument, ZERO) is None:
            return (
                f"There is no price of {instrument.leans_on}, by which {symbol} counts as exposure."
            )
    return ""


def buying_power(world: World, account: str) -> Decimal:
    """What new exposure in an account may still cost, in the base currency (X-79).

    The venue's number, less the reservations that it does not contain.
    """
    state, nets = world.book.account(account), _nets(world, account)
    reservations = world.book.reservations
    reserved = ZERO
    for place, amount in reservations.by_account.items():
        if place[0] == account:
            inside = reservations.contained_in.get(place, ZERO) if nets else ZERO
            reserved += (amount - inside) * world.currencies.worth.get(place[1], ZERO)
    told = state.buying_power + (state.netted if nets else ZERO)
    return told * world.currencies.worth.get(state.currency or world.base, ZERO) - reserved


def _in_group(world: World, group: str) -> Decimal:
    total = ZERO
    for symbol in world.book.symbols.leaning:
        if group in world.groups.of(symbol):
            total += _beyond(world, symbol)
    currencies = world.value.gross | world.book.reservations.by_currency
    for sums in (world.value.gross_in, world.book.reservations.by_group):
        for currency in currencies:
            amount = sums.get((group, currency), ZERO)
            if amount:
                total += amount * world.currencies.worth.get(currency, ZERO)
    return total


def _beyond(world: World, symbol: str, order: Order | None = None) -> Decimal:
    """What a symbol counts as beyond its own value, in the base currency: what is held and the
    entries in it, or one `order` alone."""
    instrument = world.instrument(symbol)
    price = exposed_at(world, instrument, ZERO)
    if price is None:
        return ZERO
    held = [] if order is not None else world.book.held(symbol)
    parts = [
        (abs(p.quantity) * p.multiplier, abs(world.prices.market_value(p)))
        for p in held
        if world.book.account(p.account).open
    ]
    parts += world.book.reservations.leaning_in(symbol, order)
    beyond = sum((max(units * price - own, ZERO) for units, own in parts), start=ZERO)
    return beyond * world.currencies.worth.get(instrument.currency, ZERO)


def _priced_with(world: World, symbol: str, other: str) -> Decimal | None:
    """The newest price of a symbol, the middle of its sides where both are shown; None where
    it and the newest price of the `other` are not of the same time."""
    market = world.market
    quote, beside = market.quotes.get(symbol), market.quotes.get(other)
    if quote is None or beside is None:
        return None
    if not market.is_fresh(symbol, beside.time) or not market.is_fresh(other, quote.time):
        return None
    price = quote.last
    if quote.bid is not None and quote.ask is not None:
        price = (quote.bid + quote.ask) / 2
    return price if is_positive(price) else None


def _nets(world: World, account: str) -> bool:
    """Whether the venue's number is less what its working orders may cost."""
    return world.has(account) and world.able(account).nets_buying_power
