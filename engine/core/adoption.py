"""What of a venue's cash and holdings nothing explains, and what taking it over records (X-75).

The first look at an account takes over what is held there, as history. Later differences are
counted apart, until an operator or a kill adopts them. Neither moves profit, transfers or the fall
from the peak.
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Final

import msgspec

from engine.core import cash_history
from engine.domain import events as ev
from engine.domain.account import Account, VenuePosition, VenueSnapshot
from engine.domain.inputs import SnapshotTaken
from engine.domain.instant import NS_PER_SECOND, Nanos
from engine.domain.market import Quote
from engine.domain.money import ONE, ZERO, is_positive, plain
from engine.domain.order import Fill, OrderStatus
from engine.domain.run import Severity
from engine.plans.reducing import learned
from engine.reconcile.compare import Comparison
from engine.state.account import SETTLING, AccountState, Left, Unexplained
from engine.world import World
from engine.world.evidence import CONFIRM_NS, leaps

FARTHEST: Final = Decimal(100)
"""A venue's equity that makes what is held so many times dearer, or cheaper, than it was on average
says nothing of its price."""

WAITING: Final = 60 * NS_PER_SECOND
"""A price that was told before something was taken over has waited for no longer than this."""


def cash_of(told: Account) -> dict[str, Decimal]:
    """The venue's cash by currency."""
    return dict(told.balances) or {told.currency: told.cash}


# --- the first look -------------------------------------------------------------------------------


def first_look(world: World, given: SnapshotTaken, told: Account) -> Iterator[ev.Event]:
    """Begin the history of an account: its money, as it was `told`, and what it holds at the
    average price.

    What happened before is history: no fill of it is taken, and none becomes a trade.
    """
    snapshot = given.snapshot
    held = sorted((p for p in snapshot.positions if p.quantity), key=lambda p: p.symbol)
    for position in held:
        yield from learned(world, position.symbol)
    marks, estimated = _first_marks(world, None if snapshot.unreadable else told, held)
    worth = world.currencies.in_base(cash_of(told))
    adopted: list[ev.PositionAdjusted] = []
    for position in held:
        mark, price = marks[position.symbol], position.average_price
        if not is_positive(price):
            price = mark
        multiplier = world.book.multiplier(position.symbol)
        rate = world.currencies.worth.get(world.book.currency_of(position.symbol)) or ZERO
        value = position.quantity * mark * multiplier * rate
        worth += value
        adopted.append(
            ev.PositionAdjusted(
                symbol=position.symbol,
                account=snapshot.account,
                quantity=position.quantity,
                price=price,
                multiplier=multiplier,
                previous=ZERO,
                reason="held when the account was first looked at",
                by=given.by or given.reason,
                value=ZERO,
                unrealized=value - position.quantity * price * multiplier * rate,
                mark=mark,
                estimated=position.symbol in estimated,
            )
        )
    yield ev.AccountSynced(
        account=snapshot.account,
        balances=told,
        rate=world.currencies.worth.get(told.currency) or ZERO,
        asked_at=snapshot.requested_at,
        worth=worth,
        history=tuple(f for f in snapshot.fills if not 0 < f.time < snapshot.requested_at),
    )
    yield from adopted
    for position in held:
        if position.symbol not in estimated:
            # What another account began with as an estimate has a price now.
            yield from priced(world, position.symbol, marks[position.symbol])


def _first_marks(
    world: World, told: Account | None, held: list[VenuePosition]
) -> tuple[dict[str, Decimal], set[str]]:
    """The price of each holding, and which of them are estimates.

    The feed's, else the venue's; else what the venue's equity says, where it is `told`: how many
    times the average all of them are worth. Else the average. That is an estimate of one holding
    too: a list that is behind the cash may lack another. A symbol has one mark: an estimate that
    another account began with is that of this one too.
    """
    marks: dict[str, Decimal] = {}
    for position in held:
        mark = _known(world, position.symbol) or position.mark
        if mark is not None and is_positive(mark):
            marks[position.symbol] = mark
    left = [p for p in held if p.symbol not in marks]
    priced = all(is_positive(p.average_price) for p in left)
    ratio = None
    if told is not None and left and priced and len({p.quantity > 0 for p in left}) == 1:
        ratio = _ratio(world, told, held, left, marks)
    marks |= {p.symbol: max(p.average_price, ZERO) * (ratio or ONE) for p in left}
    marks |= {p.symbol: mark for p in left if (mark := world.prices.mark(p.symbol)) is not None}
    return marks, {p.symbol for p in left}


def _known(world: World, symbol: str) -> Decimal | None:
    """The price of a symbol as somebody told it; None where only an estimate stands for it."""
    told = world.market.mark(symbol)
    if told is not None or any(symbol in a.estimated for a in world.book.accounts):
        return told
    return world.prices.mark(symbol)


def _ratio(
    world: World,
    told: Account,
    held: list[VenuePosition],
    left: list[VenuePosition],
    marks: Mapping[str, Decimal],
) -> Decimal | None:
    """How many times its average price what is `left` without a price is worth, as the venue's
    equity says; None where that cannot be."""

    def worth(position: VenuePosition, price: Decimal) -> Decimal:
        rate = world.currencies.worth.get(world.book.currency_of(position.symbol)) or ZERO
        return position.quantity * price * world.book.multiplier(position.symbol) * rate

    rest = told.equity * (
        world.currencies.worth.get(told.currency) or ZERO
    ) - world.currencies.in_base(cash_of(told))
    rest -= sum((worth(p, marks[p.symbol]) for p in held if p.symbol in marks), start=ZERO)
    cost = sum((worth(p, p.average_price) for p in left), start=ZERO)
    if not cost:
        return None
    ratio = rest / cost
    return ratio if 1 / FARTHEST <= ratio <= FARTHEST else None


def first_price(world: World, given: Quote, now: Nanos) -> Iterator[ev.Event]:
    """Give what was taken over without a price the first one that is told after that.

    One of before, which has waited since, stands in for it until then. One far from the estimate
    may be a bad tick: where evidence speaks for another within the next price events, that one
    takes its place (X-71).
    """
    symbol = given.symbol
    price, proved = world.market.mark(symbol), world.prices.proved(symbol)
    estimates = (account.estimated.get(symbol) for account in world.book.accounts)
    before = next((known for known in estimates if known is not None), None)
    if price is None or proved is None or before is None:
        return
    since = world.prices.first_told.get(symbol)
    if any(_is_early(a, given, now) for a in world.book.accounts if symbol in a.estimated):
        if price != before:
            yield from priced(world, symbol, price, early=True)
    elif since is None:
        yield from priced(world, symbol, price, unproved=bool(before) and leaps(price, before))
    elif leaps(proved, before):
        yield from priced(world, symbol, proved)
    elif now - since >= CONFIRM_NS and not leaps(price, before):
        yield from priced(world, symbol, before)


def traded_at(world: World, fill: Fill) -> Iterator[ev.Event]:
    """Give what was taken over without a price that of a trade in it, before that is counted.

    So it is where the trade comes before the first price, or shows that this one was a bad tick:
    what it counted for until then was nobody's price, and what is off is neither profit nor loss.
    """
    account = world.book.account(fill.account)
    if fill.is_assumed or not is_positive(fill.price):
        return
    left, before = account.left.get(fill.symbol), account.estimated.get(fill.symbol)
    if left is not None:
        yield _left(world, fill.account, fill.symbol, left, fill.price)
    if before is None:
        return
    if fill.symbol not in world.prices.first_told or leaps(fill.price, before):
        yield from priced(world, fill.symbol, fill.price)


def _is_early(account: AccountState, given: Quote, now: Nanos) -> bool:
    """Whether a price is of before what an account took over last of its symbol, and has waited; of
    a feed that is always so far behind, its prices are those of then."""
    since = account.adjusted.get(given.symbol, 0)
    return given.time < since and now - since < WAITING


def priced(
    world: World, symbol: str, price: Decimal, *, unproved: bool = False, early: bool = False
) -> Iterator[ev.Event]:
    """Give what was taken over without a price, in whatever account, the one that is known now."""
    for position in world.book.held(symbol):
        before = world.book.account(position.account).estimated.get(symbol)
        if before is None:
            continue
        rate = world.currencies.worth.get(world.book.currency_of(symbol)) or ZERO
        value = position.quantity * (price - before) * position.multiplier * rate
        yield ev.HoldingPriced(
            account=position.account,
            symbol=symbol,
            price=price,
            value=value,
            unrealized=value if position.cost else ZERO,
            unproved=unproved or msgspec.UNSET,
            early=early or msgspec.UNSET,
        )


def left_price(world: World, given: Quote, now: Nanos) -> Iterator[ev.Event]:
    """Give what was taken off without a fill, at a price of before this process, the first one that
    is told after that: it counts until then for what nobody knew to be its price.

    One that may be a bad tick is none, until evidence speaks for it (X-71).
    """
    for account in world.book.accounts:
        left = account.left.get(given.symbol)
        if left is None or _is_early(account, given, now):
            continue
        price = given.last
        if leaps(price, left.price):
            price = world.prices.since_left(given, left.price, now)
            if not leaps(price, left.price):
                continue
        yield _left(world, account.name, given.symbol, left, price)
    if not any(given.symbol in account.left for account in world.book.accounts):
        world.prices.forget_left(given.symbol)


def _left(world: World, account: str, symbol: str, left: Left, price: Decimal) -> ev.HoldingPriced:
    """What was taken off has counted for too little, or too much: profit moves, equity does not."""
    rate = world.currencies.worth.get(world.book.currency_of(symbol)) or ZERO
    value = left.quantity * (price - left.price) * world.book.multiplier(symbol) * rate
    return ev.HoldingPriced(
        account=account,
        symbol=symbol,
        price=price,
        value=value,
        unrealized=value,
        left=left.quantity,
    )


def is_history(account: AccountState | None, fill: Fill, *, ours: bool) -> bool:
    """Whether a fill happened before the account was first looked at: what is held shows it.

    Of an account that was not looked at yet that is every one. `ours`: it is of an order that we
    made, which is none of those, whatever the venue's clock says.
    """
    if account is None or ours:
        return False
    return account.balances is None or 0 < fill.time < account.known_since


# --- what nothing explains ------------------------------------------------------------------------


def compares_cash(world: World, snapshot: VenueSnapshot, found: Comparison) -> bool:
    """Whether the venue's cash can be compared: it was told, with its history, can be true, and
    nothing is in flight that would move it."""
    if snapshot.balances is None or snapshot.contradicts:
        return False
    if not cash_history.is_whole(world, snapshot):
        return False
    newest = world.book.account(snapshot.account).last_fill
    return not found.skipped and newest + SETTLING <= snapshot.requested_at


def unexplained(world: World, snapshot: VenueSnapshot, found: Comparison) -> Iterator[ev.Event]:
    """Record what nothing explains after this look, where that has changed, and name it."""
    account = world.book.account(snapshot.account)
    now = _unexplained(world, account, snapshot, found)
    before = account.unexplained
    if now == before:
        return
    yield ev.UnexplainedChanged(
        account=account.name, cash=now.cash, holdings=tuple(now.holdings.values())
    )
    for currency, amount in now.told_cash.items():
        if amount != before.cash.get(currency):
            yield ev.Alarmed(
                code="CASH_UNEXPLAINED",
                severity=Severity.WARNING,
                subject=account.name,
                text=f"cash at the venue differs by {plain(amount)} {currency}: it is no profit "
                "and no transfer, and stays unexplained until it is adopted (reconcile --apply)",
            )


def _unexplained(
    world: World, account: AccountState, snapshot: VenueSnapshot, found: Comparison
) -> Unexplained:
    theirs = {p.symbol: p for p in snapshot.positions if p.quantity}
    holdings: dict[str, ev.UnexplainedHolding] = {}
    for symbol in sorted({*theirs, *account.positions, *account.unexplained.holdings}):
        if symbol in found.skipped:
            if symbol in account.unexplained.holdings:
                holdings[symbol] = account.unexplained.holdings[symbol]
            continue
        ours, there = account.positions.get(symbol), theirs.get(symbol)
        quantity = (there.quantity if there else ZERO) - (ours.quantity if ours else ZERO)
        if quantity:
            price = there.average_price if there else (ours.average_price if ours else ZERO)
            holdings[symbol] = ev.UnexplainedHolding(
                symbol=symbol,
                quantity=quantity,
                price=price,
                multiplier=world.instrument(symbol).multiplier,
            )
    cash = account.unexplained.cash
    if snapshot.balances is not None and compares_cash(world, snapshot, found):
        there_is = cash_of(snapshot.balances)
        moved = {c: there_is.get(c, ZERO) - account.cash.get(c, ZERO) for c in there_is}
        moved |= {c: -amount for c, amount in account.cash.items() if c not in there_is}
        cash = {currency: amount for currency, amount in moved.items() if amount}
    return Unexplained(cash=cash, holdings=holdings)


def synced(
    world: World, snapshot: VenueSnapshot, found: Comparison, *, taking: bool
) -> Iterator[ev.Event]:
    """Take over the venue's buying power where it is another one than was worked out (X-79), and
    before what a look proposes is taken over (`taking`): fills that it assumes are in its number.
    """
    account, told = world.book.account(snapshot.account), snapshot.balances
    if account.balances is None or told is None or not compares_cash(world, snapshot, found):
        return
    known = (account.balances.buying_power, account.buying_power, account.netted)
    assumes = taking and any(isinstance(one, ev.OrderFilled) for one in found.proposals)
    is_other = known != (told.buying_power, told.buying_power, ZERO)
    if not account.power_asked or is_other or assumes:
        yield ev.AccountSynced(
            account=account.name,
            balances=told,
            rate=world.currencies.worth.get(told.currency) or ZERO,
            asked_at=snapshot.requested_at,
        )


# --- taking it over -------------------------------------------------------------------------------


def adjusted(
    world: World, snapshot: VenueSnapshot, proposal: ev.PositionAdjusted, by: str
) -> ev.PositionAdjusted:
    """The adoption of a holding, with what it changes of equity and of unrealised profit.

    Where an order of ours whose fill is not known here explains it, it is of that order.
    """
    symbol = proposal.symbol
    ours = world.book.holding(proposal.account, symbol)
    marks = (p.mark for p in snapshot.positions if p.symbol == symbol and is_positive(p.mark))
    listed = next(marks, None)
    told = _known(world, symbol) or listed
    estimate = world.prices.mark(symbol) if told is None else None
    price = proposal.price
    if not is_positive(price):
        same = ours is not None and ours.quantity * proposal.quantity > 0
        price = ours.average_price if ours is not None and same else told or estimate or ZERO
    mark = told or estimate or price
    rate = world.currencies.worth.get(world.book.currency_of(symbol)) or ZERO
    cost = proposal.quantity * price * proposal.multiplier
    value = proposal.quantity * mark * proposal.multiplier
    paid = ZERO if ours is None else ours.cost
    counted = ZERO if ours is None else world.prices.market_value(ours)
    account, asked = world.book.account(proposal.account), snapshot.requested_at
    before = account.listed_again(symbol, proposal.quantity, asked) if ours is None else None
    taken = msgspec.structs.replace(
        proposal,
        price=price,
        previous=ZERO if ours is None else ours.quantity,
        by=by,
        value=(value - counted) * rate,
        unrealized=(value - cost - counted + paid) * rate,
        mark=mark,
        estimated=told is None,
        order_id=_explained_by(world, proposal),
        again=before is not None,
    )
    if taken.taken_off and world.market.mark(symbol) is None and listed is None:
        # What it is worth less is told by the journal alone, of some time before this process.
        return msgspec.structs.replace(taken, estimated=True)
    return taken


def _explained_by(world: World, proposal: ev.PositionAdjusted) -> str:
    """The newest order of ours in doubt that would have led there; "" for none."""
    change = proposal.quantity - proposal.previous
    orders = world.book.working(proposal.account, proposal.symbol)
    found = [
        order
        for order in orders
        if order.status is OrderStatus.UNKNOWN
        and order.adds_exposure
        and order.side.sign * change > 0
    ]
    return found[-1].client_order_id if found else ""


def cash_adjusted(world: World, account: str, by: str) -> Iterator[ev.CashAdjusted]:
    """The adoption of the cash that nothing explains in an account; nothing where all is."""
    amounts = world.book.account(account).unexplained.cash
    if amounts:
        yield ev.CashAdjusted(
            account=account,
            amounts=amounts,
            value=world.currencies.in_base(amounts),
            reason="the venue's cash, not explained by any trade or transfer",
            by=by,
        )
