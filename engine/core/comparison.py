"""What follows from a look at the venue: facts taken in, differences blocked or adopted (A-372)."""

from collections.abc import Iterator
from decimal import Decimal

import msgspec

from engine.core import adoption, cash_history, fills, foreign, letters
from engine.core.changes import take_terms, unchanged
from engine.core.consequences import action_of, fire
from engine.core.doubt import lost, unheard, unlisted
from engine.core.fallback import taken_after_all
from engine.core.second_look import left_to_second_look
from engine.core.told_before import Told, told_before
from engine.domain import events as ev
from engine.domain.account import UNREADABLE, VenueOrder, VenueSnapshot
from engine.domain.codes import Outcome
from engine.domain.inputs import LookReason, SnapshotFailed, SnapshotTaken
from engine.domain.instant import Nanos
from engine.domain.money import ZERO
from engine.domain.order import RESTING, Fill, OrderStatus, OrderTerms, VenueState
from engine.domain.run import Phase, Severity, Trigger, TriggerAction
from engine.domain.suspicion import CORPORATE_ACTION
from engine.plans import split_adjustment, suspected_split
from engine.plans.kill import kill_of
from engine.plans.kill_lists import denied_once, exceeds, tell_excess, vanishes
from engine.plans.outcome import after_end, fell_short, not_closed
from engine.plans.reducing import learned, recognise
from engine.plans.table import advance
from engine.reconcile.compare import PRICE_DRIFT, Comparison, compare
from engine.risk import triggers
from engine.state.pauses import FIRST_LOOK
from engine.state.position import Position
from engine.world import World
from engine.world.looks import next_look

CAUSE = "reconcile"


def due(world: World, now: Nanos) -> Iterator[ev.Event]:
    """Ask for a comparison of each account whose next one is due.

    One that was asked for already is tried again by the link until it succeeds.
    """
    starting = world.book.data.phase is Phase.STARTING
    for account in world.book.accounts:
        if not account.is_connected or account.snapshot_asked:
            continue
        first = account.reconciled_at + FIRST_LOOK
        if now >= (next_look(world, account) if account.compared else first):
            reason = LookReason.START if starting else LookReason.SCHEDULED
            yield ev.SnapshotRequested(account=account.name, reason=reason)


def snapshot_taken(world: World, given: SnapshotTaken, now: Nanos) -> Iterator[ev.Event]:
    """Apply the venue's fills and balances, compare the rest, and block or adopt what differs."""
    snapshot, book = given.snapshot, world.book
    first = book.account(snapshot.account).balances is None
    if first:
        if snapshot.balances is None:
            return  # the history of an account begins with its money
        yield from adoption.first_look(world, given, snapshot.balances)
    else:
        for fill in snapshot.fills:
            yield from fills.take(world, fill, now)
        yield from cash_history.taken_in(world, given)
        yield from split_adjustment.shown_by_look(world, snapshot, now)
    able = world.able(snapshot.account)
    bound, lag = able.longest_under_way, able.lag
    before, seq = compare(book, snapshot, bound, lag), book.data.seq
    if not first:
        yield from adoption.unexplained(world, snapshot, before)
        if adoption.compares_cash(world, snapshot, before):
            world.money.looked(snapshot.account, now)
        taking = given.apply or _kills(world, given)
        yield from adoption.synced(world, snapshot, before, taking=taking)
    for theirs in before.changed:
        # A replace whose answer was lost may arrive late, after another one.
        ours = book.order_in(snapshot.account, theirs.client_order_id)
        if ours is not None:
            yield from take_terms(world, ours, theirs.terms, now, proved=True)
    for theirs in snapshot.orders:
        yield from _change_lost(world, theirs, snapshot)
        yield from letters.reached(world, snapshot.account, theirs.client_order_id)
        yield from _refused_and_listed(world, theirs, snapshot)
        yield from _listed_as_held(world, theirs, snapshot)
    yield from unlisted(world, snapshot)
    yield from _take_over(world, given, before, now, first=first)
    too_large = foreign.beyond(world, snapshot)
    yield from foreign.tell_beyond(world, snapshot, too_large)
    # Most looks find nothing, and the state is what it was.
    after = before if book.data.seq == seq else compare(book, snapshot, bound, lag)
    yield ev.Reconciled(
        account=snapshot.account,
        reason=given.reason,
        clean=after.clean and not snapshot.unreadable,
        differences=after.differences,
        matched=after.matched,
        unsettled=after.unsettled,
        doubted=after.doubted or msgspec.UNSET,
        missed_at=_missed_at(world, snapshot.account, after) or msgspec.UNSET,
        listed_again=after.listed_again or msgspec.UNSET,
        stops_beyond=too_large or msgspec.UNSET,
    )
    for key in after.missing:
        yield ev.OrderQueried(
            account=snapshot.account, client_order_id=key, reason="the venue does not list it"
        )
    yield from unheard(world, snapshot, asked=after.missing)
    yield from _blocks(world, snapshot.account, after, now)
    yield from _freezes(world, snapshot)
    yield from suspected_split.unchanged(world, snapshot, after.skipped)
    if given.apply:
        yield from _cleared(world, snapshot.account, after, given.by)
    name = snapshot.account
    there = {order.symbol for order in snapshot.orders}
    here = {*book.account(name).positions, *book.working_symbols(name)}
    for symbol in sorted(there | here):
        yield from advance(world, name, symbol, now)


def _missed_at(world: World, name: str, found: Comparison) -> dict[str, Decimal]:
    """By symbol of which a look finds more missing than is known, the price that has evidence."""
    prices: dict[str, Decimal] = {}
    for difference in (*found.differences, *found.doubted):
        symbol, quantity = difference.symbol, difference.missing
        before, price = world.book.account(name).missing.get(symbol), world.prices.proved(symbol)
        known = ZERO if before is None else before.quantity
        if price is not None and (known * quantity < 0 or abs(quantity) > abs(known)):
            prices[symbol] = price
    return prices


def _refused_and_listed(
    world: World, theirs: VenueOrder, snapshot: VenueSnapshot
) -> Iterator[ev.Event]:
    """An order that works there after its account had refused it is not tried elsewhere (A-242)."""
    ours = world.book.order_in(snapshot.account, theirs.client_order_id)
    if ours is not None and not ours.filled:  # a fill has told it before
        yield from taken_after_all(world, ours)


def _listed_as_held(
    world: World, theirs: VenueOrder, snapshot: VenueSnapshot
) -> Iterator[ev.Event]:
    """Ask about an order that rests here and is listed as held there, or the other way round: a
    list may be older than what was told since."""
    ours = world.book.order_in(snapshot.account, theirs.client_order_id)
    if ours is None or ours.status not in RESTING or ours.updated_at >= snapshot.requested_at:
        return
    held, works = OrderStatus.SUSPENDED, {OrderStatus.NEW, OrderStatus.PARTIALLY_FILLED}
    is_held = ours.status is not held and theirs.status is held
    if is_held or (ours.status is held and theirs.status in works):
        yield ev.OrderQueried(
            account=ours.account,
            client_order_id=ours.client_order_id,
            reason=f"{theirs.status} in the list, {ours.status} here",
        )


def _change_lost(world: World, theirs: VenueOrder, snapshot: VenueSnapshot) -> Iterator[ev.Event]:
    """A change that was never answered is given up once it cannot arrive any more (X-88)."""
    ours = world.book.order_in(snapshot.account, theirs.client_order_id)
    if ours is None or ours.pending is None or not ours.pending.native or ours.is_protective:
        return
    if ours.status not in RESTING or ours.updated_at >= snapshot.requested_at:
        return
    if not ours.differs(theirs.terms) and lost(world, ours, snapshot.requested_at):
        yield from unchanged(ours, "it never reached the venue")


def proposed(world: World, given: SnapshotTaken | SnapshotFailed) -> tuple[ev.Event, ...]:
    """What taking the venue's side would record, where an operator looked (`reconcile`)."""
    if isinstance(given, SnapshotFailed) or given.reason != LookReason.OPERATOR:
        return ()
    snapshot = given.snapshot
    able = world.able(snapshot.account)
    found = compare(world.book, snapshot, able.longest_under_way, able.lag, given.by)
    early = left_to_second_look(world, snapshot, found)
    proposals = [
        adoption.adjusted(world, snapshot, proposal, proposal.by)
        if isinstance(proposal, ev.PositionAdjusted)
        else proposal
        for number, proposal in enumerate(found.proposals)
        if number not in early
    ]
    proposals += cash_history.left_out(world, snapshot, given.by or "reconcile")
    assumed = any(isinstance(proposal, ev.OrderFilled) for proposal in proposals)
    if not (assumed or early) and adoption.compares_cash(world, snapshot, found):
        # What such a fill cost is in the cash that is missing; the rest is told when it is taken.
        proposals += adoption.cash_adjusted(world, snapshot.account, given.by or "reconcile")
    return tuple(proposals)


def snapshot_failed(world: World, given: SnapshotFailed, now: Nanos) -> Iterator[ev.Event]:
    """Record that the venue could not be asked, and ask again; nothing is concluded from it.

    An operator's own request is not repeated: the failure is the answer to it.
    """
    yield ev.Reconciled(
        account=given.account,
        reason=given.reason,
        clean=False,
        differences=world.book.account(given.account).differences,
        matched=0,
        failed=True,
    )
    if not given.known:
        yield ev.Alarmed(
            code="RECONCILE_FAILED",
            severity=Severity.ERROR,
            subject=given.account,
            text=f"{given.account} could not be compared: {given.error}",
        )
    if given.reason != LookReason.OPERATOR:
        yield ev.SnapshotRequested(account=given.account, reason=given.reason)


def _take_over(
    world: World, given: SnapshotTaken, found: Comparison, now: Nanos, *, first: bool
) -> Iterator[ev.Event]:
    """The operator's decision, or a kill, which is sized from the venue's own holdings.

    An order that an earlier process sent is taken over whenever it turns up, at a start every
    other too: they reduce or they count as exposure, and must be known either way. One that ended
    here and works there is cancelled.
    """
    snapshot = given.snapshot
    by = given.by or given.reason
    taking = given.apply or _kills(world, given)
    early = left_to_second_look(world, snapshot, found) if given.apply else {}
    yield from {alarm.subject: alarm for alarm in early.values()}.values()
    told: dict[str, list[Fill]] = {}
    for fill in snapshot.fills:
        # What an account has traded before it is known is in what it begins with.
        if first or told_before(world.book, fill, now) is Told.AGAIN:
            told.setdefault(fill.client_order_id, []).append(fill)
    for number, proposal in enumerate(found.proposals):
        if isinstance(proposal, ev.OrderAdopted):
            key = proposal.terms.client_order_id
            ours = recognise(world, snapshot.account, proposal.terms.symbol, key, now)
            if world.book.order_in(snapshot.account, key) is not None:
                yield ev.CancelRequested(
                    account=snapshot.account, client_order_id=key, reason="it ended here"
                )
            elif ours is not None or taking or first or given.reason == LookReason.START:
                yield from learned(world, proposal.terms.symbol)
                terms = _counted(world, proposal.terms) if ours is None else _ours(ours, proposal)
                yield from _adopt(terms, proposal.state, told.get(key, []))
        elif taking and number not in early:
            yield from _taken(world, given, proposal, found, now)
    assumed = any(isinstance(proposal, ev.OrderFilled) for proposal in found.proposals)
    if taking and not (assumed or early) and adoption.compares_cash(world, snapshot, found):
        yield from adoption.cash_adjusted(world, snapshot.account, by)


def _kills(world: World, given: SnapshotTaken) -> bool:
    """Whether a look is one of a kill under way, which is sized from what it shows."""
    return given.reason == LookReason.KILL and kill_of(world, given.snapshot) is not None


def _taken(
    world: World, given: SnapshotTaken, proposal: ev.Event, found: Comparison, now: Nanos
) -> Iterator[ev.Event]:
    """What a look proposes of holdings and of orders in doubt, taken over by a person or a kill."""
    name = given.snapshot.account
    if isinstance(proposal, ev.OrderFilled):
        denied = bool(given.snapshot.contradicts)
        if not given.apply and denied_once(world, proposal.fill, found, contradicted=denied):
            return
        yield from fills.take(world, proposal.fill, now)
        yield from after_end(world, name, proposal.fill.client_order_id)
    elif isinstance(proposal, ev.OrderSettled):
        yield proposal
        yield from fell_short(world, name, proposal.client_order_id)
        yield from after_end(world, name, proposal.client_order_id)
    elif isinstance(proposal, ev.PositionAdjusted):
        yield from _adjusted(world, given, proposal, now)


def _adjusted(
    world: World, given: SnapshotTaken, found: ev.PositionAdjusted, now: Nanos
) -> Iterator[ev.Event]:
    """The venue's quantity of a holding, taken over by an operator or a kill without a fill.

    What an operator's look leaves to the next one was left out before (`left_to_second_look`). A
    kill leaves it to the next look where it is not to be believed yet that it is gone, and takes
    nothing over that is more than it may close.
    """
    if not given.apply and vanishes(world, found, given.snapshot):
        return
    if not given.apply and exceeds(world, found):
        yield from tell_excess(world, found)
        return
    held = world.book.holding(found.account, found.symbol)
    yield from learned(world, found.symbol)
    taken = adoption.adjusted(world, given.snapshot, found, given.by or given.reason)
    yield taken
    if taken.mark and not taken.estimated:
        yield from adoption.priced(world, taken.symbol, taken.mark)
    yield from _vanished(world, held)


def _vanished(world: World, held: Position | None) -> Iterator[ev.Event]:
    """The signal that was to close what the venue holds no longer has an outcome too (rule 6)."""
    if held is None or held.exiting is None:
        return
    left = world.book.holding(held.account, held.symbol)
    if left is None or left.position_id != held.position_id:
        reason = f"{held.symbol} is not held any more in {held.account}, as the venue says"
        yield from not_closed(world, held, held.exiting, Outcome.CANCELLED, "", reason)


def _counted(world: World, terms: OrderTerms) -> OrderTerms:
    """An order without a price that does not only reduce counts at the price of now, or of a tick:
    whatever is known of it, it adds exposure (U-51)."""
    if terms.reduce_only or terms.adds_exposure:
        return terms
    price = world.prices.mark(terms.symbol) or world.instrument(terms.symbol, terms.account).tick
    return msgspec.structs.replace(terms, reserved=price)


def _cleared(world: World, account: str, found: Comparison, by: str) -> Iterator[ev.Event]:
    """What an operator looked at and took over is unblocked, whatever had blocked it; but for a
    split that no price shows yet."""
    state = world.book.account(account)
    open_ = {d.symbol for d in found.differences} | set(found.skipped)
    for symbol, causes in tuple(state.blocked.items()):
        if symbol not in open_ and not suspected_split.awaits_price(world, state, symbol):
            for cause in tuple(causes):
                yield ev.SymbolUnblocked(
                    account=account,
                    symbol=symbol,
                    cause=cause,
                    by=by,
                    real=cause == CORPORATE_ACTION or msgspec.UNSET,
                )


def _ours(ours: OrderTerms, theirs: ev.OrderAdopted) -> OrderTerms:
    """The venue's terms of an order of ours, and what only we know of it."""
    return msgspec.structs.replace(
        theirs.terms,
        intent_id=ours.intent_id,
        signal_id=ours.signal_id,
        purpose=ours.purpose,
        trade_type=ours.trade_type,
        attempt=ours.attempt,
        timeout_seconds=ours.timeout_seconds,
    )


def _adopt(terms: OrderTerms, listed: VenueState, told: list[Fill]) -> Iterator[ev.Event]:
    """Take over an order as the venue lists it; asked again if it filled after it was listed.

    `told` are its fills that the look brought. They were taken before the order was known, and
    none of them comes a second time: the order starts with them (U-21).
    """
    filled = sum((fill.quantity for fill in told), start=ZERO)
    if filled <= listed.filled:
        yield ev.OrderAdopted(terms=terms, state=listed)
        return
    doubtful = msgspec.structs.replace(
        listed,
        filled=filled,
        notional=sum((fill.quantity * fill.price for fill in told), start=ZERO),
        status=OrderStatus.UNKNOWN,
    )
    yield ev.OrderAdopted(terms=terms, state=doubtful)
    yield ev.OrderQueried(
        account=terms.account, client_order_id=terms.client_order_id, reason="filled meanwhile"
    )


def _freezes(world: World, snapshot: VenueSnapshot) -> Iterator[ev.Event]:
    """Entries stay away from a symbol for as long as what its venue says of it cannot be read."""
    name = snapshot.account
    blocked = world.book.account(name).blocked
    known = [symbol for symbol, causes in blocked.items() if UNREADABLE in causes]
    for symbol, fault in snapshot.unreadable.items():
        if symbol not in known:
            reason = f"what the venue says of it cannot be read: {fault}"
            yield ev.SymbolBlocked(account=name, symbol=symbol, cause=UNREADABLE, reason=reason)
    for symbol in known:
        if symbol not in snapshot.unreadable:
            yield ev.SymbolUnblocked(account=name, symbol=symbol, cause=UNREADABLE, by=CAUSE)


def _blocks(world: World, account: str, found: Comparison, now: Nanos) -> Iterator[ev.Event]:
    """Entries stay away from a symbol while its difference is unexplained."""
    blocked = world.book.account(account).blocked
    serious = {d.symbol: d for d in found.differences if d.kind != PRICE_DRIFT}
    repeated = False
    for symbol, difference in serious.items():
        if CAUSE in blocked.get(symbol, {}):
            repeated = True
            continue
        text = f"{difference.kind}: here {difference.local or '0'}, there {difference.venue or '0'}"
        yield ev.SymbolBlocked(account=account, symbol=symbol, cause=CAUSE, reason=text)
        yield ev.Alarmed(
            code=difference.kind,
            severity=Severity.CRITICAL,
            subject=symbol,
            text=f"{symbol}: {text}",
        )
    for symbol in [s for s, causes in blocked.items() if CAUSE in causes]:
        if symbol not in serious and symbol not in found.skipped:
            yield ev.SymbolUnblocked(account=account, symbol=symbol, cause=CAUSE, by=CAUSE)
    # Where another account could trade, a restriction of the whole portfolio would touch it: the
    # symbol is blocked in its own account, and what else the config wants of it is done.
    restricts = action_of(world, Trigger.DIVERGENCE) is TriggerAction.REDUCE_ONLY
    if repeated and not (restricts and len(world.book.accounts) > 1):
        finding = triggers.Trip(str(len(serious)), "0", "differences with the venue persist")
        yield from fire(world, Trigger.DIVERGENCE, finding, now)
