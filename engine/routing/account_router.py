"""Which account an entry goes to, where its route names several that quote the same (A-472).

One account gets the whole order. Fees, latency and fill rate of each account are data of the user's
(`[data] venues`); a symbol has one source of prices, so that the prices of the accounts themselves
are not compared.
"""

from decimal import Decimal
from typing import Final

from engine.config.accounts import routed_among
from engine.domain.events import AccountChoice, JudgedAccount
from engine.domain.instrument import Instrument
from engine.domain.money import ONE, is_positive
from engine.domain.order import OrderType, Side, TimeInForce
from engine.routing.route import is_in
from engine.routing.terms import Nbbo, RoutedOrder, RoutingRules
from engine.routing.venue_router import RoutingDecision, route
from engine.world import World

_WHOLE: Final = RoutingRules(max_venues=1, max_slices=1)


def choose_account(
    world: World,
    instrument: Instrument,
    *,
    side: Side,
    order_type: OrderType,
    time_in_force: TimeInForce,
    limit_price: Decimal | None,
    quantity: Decimal | None,
    reference: Decimal | None,
) -> AccountChoice | None:
    """The account with the best score for an entry, and why.

    None where there is no choice: the route names one account, the symbol is held or an order in it
    works in one of them, or there is no price to count by. A quantity that is not known yet, as
    that of a signal before it is sized, counts as one lot: size weighs on every account alike.
    """
    symbol = instrument.symbol
    names = routed_among(world.config, symbol, instrument.asset_class)
    if len(names) == 1 or reference is None or not is_positive(reference):
        return None
    if any(is_in(world, name, symbol) for name in names):
        return None
    quote = world.market.quotes.get(symbol)
    nbbo = None
    if quote is not None and quote.bid is not None and quote.ask is not None:
        nbbo = Nbbo(bid=quote.bid, ask=quote.ask, time=quote.time)
    unable = {
        name: _unable(world, name, order_type, time_in_force)
        or ("" if name == names[0] else _unknown(world, name, symbol))
        for name in names
    }
    lot = instrument.lot if is_positive(instrument.lot) else ONE
    decision = route(
        RoutedOrder(
            order_id="",
            symbol=symbol,
            side=side,
            type=order_type,
            quantity=lot if quantity is None else quantity,
            limit_price=limit_price,
            reference=reference,
            lot=lot,
        ),
        [world.venues[name] for name in names if name in world.venues],
        nbbo=nbbo,
        excluded=unable,
        rules=_WHOLE,
    )
    return _told(names[0], decision)


def _unable(world: World, account: str, type_: OrderType, tif: TimeInForce) -> str:
    """Why an account cannot take the order, in words; "" where it can."""
    if not world.has(account):
        return "it is not open here"
    if not world.book.account(account).may_enter:
        return f"it is {world.book.account(account).status}"
    able = world.able(account)
    if type_ not in able.order_types:
        return f"it takes no {type_} orders"
    if tif not in able.times_in_force:
        return f"it does not know {tif}"
    return ""


def _unknown(world: World, account: str, symbol: str) -> str:
    """Why nobody knows what the account's venue says of the symbol; "" where it says nothing, or
    the user does: the state has one lot and tick of a symbol, those of the route's first account.
    """
    if world.able(account).states_instruments and not world.configured(symbol).source:
        return f"its lot and tick of {symbol} are not known: no row of [data] instruments"
    return ""


def _told(first: str, decision: RoutingDecision) -> AccountChoice:
    """The decision as it is journalled; what passes through goes to the route's first account."""
    nbbo = decision.nbbo
    judged = tuple(
        JudgedAccount(
            account=one.venue.name,
            score=one.score,
            expected_cost=None if one.cost is None else one.cost.total,
            excluded=one.excluded,
        )
        for one in decision.candidates
    )
    chosen = first if decision.passes_through else decision.slices[0].venue
    return AccountChoice(
        chosen=chosen,
        reason=decision.reason,
        accounts=judged,
        quantity=decision.order.quantity,
        priority=decision.priority,
        bid=None if nbbo is None else nbbo.bid,
        ask=None if nbbo is None else nbbo.ask,
    )
