"""A kill under way: cancels out, positions closed, venues read until each proves it (X-52, X-33).

The order is that of C-501: the latch stood first; then everything that is not protective is
cancelled; then positions in scope are closed, sized from the venue's own holdings; protective
stops go last, when what they protect is gone. It ends VERIFIED after reads in a row that found
nothing, spanning longer than a lost request may still arrive; after the deadline it is DEGRADED
and goes on trying. Where the venue's lists cannot be read, what is held here is closed all the
same, as a person's close does it; nothing is proved by that.
"""

from collections.abc import Iterator

from engine.domain import events as ev
from engine.domain.account import VenueSnapshot
from engine.domain.codes import Code
from engine.domain.inputs import LatchFound, LookReason
from engine.domain.instant import NS_PER_SECOND, Nanos, rfc3339
from engine.domain.money import plain
from engine.domain.order import OrderStatus
from engine.domain.position import ExitReason
from engine.domain.run import Flatten, Halt, KillState, Level, Severity, Trigger
from engine.plans.exit import close_now
from engine.plans.kill_lists import denied
from engine.plans.reduce import withdraw
from engine.plans.reducing import hindrance, is_ending, may_send
from engine.plans.too_small import is_too_small, told_too_small
from engine.reconcile.compare import PRICE_DRIFT
from engine.state.account import AccountState, KillWork
from engine.state.cover import uncovered
from engine.state.order import Order
from engine.state.pauses import DOUBT, KILL_LOOK, KILL_LOOK_LATER, lengthening
from engine.state.position import Position
from engine.world import World

CLEAN_READS = 2
DEADLINE = 30 * NS_PER_SECOND
"""After this an unfinished kill is reported DEGRADED (C-502)."""

UNREAD = 5 * NS_PER_SECOND
"""After so long in which its venue could not be looked at, a kill closes what is held here."""

_NAMED = 10
"""So many of the holdings and orders that are left are named in an alarm."""


def set_latch(  # noqa: PLR0917  # the seven facts of a halt
    world: World,
    level: Level,
    flatten: Flatten,
    reason: str,
    by: str,
    trigger: Trigger,
    now: Nanos,
) -> Iterator[ev.Event]:
    """Set the latch or raise it; never lower it, do nothing when it stands as high (C-503)."""
    halt = Halt(
        reason=reason,
        at=now,
        by=by,
        level=level,
        trigger=trigger,
        flatten=flatten if level is Level.KILL else Flatten.NONE,
        epoch=world.book.data.epoch + 1,
    )
    old = world.book.data.halt
    if old is not None:
        halt = old.raised_by(halt)
        if halt.reach == old.reach:
            if level is Level.KILL:
                yield from _prove_again(world)
            return
    yield ev.Halted(halt=halt)


def _prove_again(world: World) -> Iterator[ev.Event]:
    """Who asks for a kill again wants to know what it came to now, and not what it was then."""
    for account in world.book.accounts:
        work = account.kill
        if work is None or work.state == KillState.WORKING:
            continue
        if work.state == KillState.VERIFIED:
            yield _unproved(account, work)
        if not account.snapshot_asked:
            yield ev.SnapshotRequested(account=account.name, reason=LookReason.KILL)


def _unproved(
    account: AccountState,
    work: KillWork,
    remaining: tuple[str, ...] = (),
    doubtful: tuple[str, ...] = (),
) -> ev.KillProgressed:
    """The event that ends a proof: the kill goes on until it is proved anew."""
    return ev.KillProgressed(
        epoch=work.epoch, account=account.name, clean_reads=0, left=remaining, unknown=doubtful
    )


def latch_found(world: World, given: LatchFound, now: Nanos) -> Iterator[ev.Event]:
    """Take over a halt that was set outside the loop; the one that stands is no news."""
    halt = given.halt
    if halt == world.book.data.halt:
        return
    yield from set_latch(world, halt.level, halt.flatten, halt.reason, halt.by, halt.trigger, now)


def after_latch(world: World, now: Nanos) -> Iterator[ev.Event]:
    """Ask for every cancel that the level of the halt demands."""
    yield from _sweep(world, now)
    yield from advance(world, now)


def _sweep(world: World, now: Nanos) -> Iterator[ev.Event]:
    """Every cancel the level asks for and that is not under way: an order may turn up later."""
    halt = world.book.data.halt
    if halt is None:
        return
    for leg in world.waiting_legs():
        against = hindrance(world, leg.terms) if leg.terms.reduce_only else ""
        if against:
            yield from withdraw(leg, Code.KILL_SWITCH, against)
    for account in world.book.accounts:
        if not world.book.index.closable.get(account.name):
            continue
        for order in tuple(account.orders.values()):
            wanted = order.adds_exposure if halt.level is Level.HALT else not order.protects
            ends = is_ending(order) and not _is_late(order, now)
            if wanted and not ends and not _closes(world, order):
                yield ev.CancelRequested(
                    account=account.name, client_order_id=order.client_order_id, reason=halt.level
                )


def _is_late(order: Order, now: Nanos) -> bool:
    """Its cancel failed before the halt, and its pause is longer than a halt waits."""
    late = order.cancel_put_off and order.cancel_at > now + DOUBT
    return late and now >= order.cancel_barred_until


def _closes(world: World, order: Order) -> bool:
    """A close that is under way is left to finish: cancelling it would undo the kill (D-53)."""
    position = world.book.holding(order.account, order.symbol)
    return order.closes and position is not None and position.exiting is not None


def in_scope(position: Position, flatten: Flatten) -> bool:
    """Whether a kill closes this position (X-32); what we cannot type counts as swing."""
    if flatten is Flatten.ALL:
        return True
    return flatten is Flatten.DAY and position.trade_type.ends_with_session


def kept(world: World, account: AccountState, flatten: Flatten) -> tuple[str, ...]:
    """The holdings of an account that a kill of this scope leaves as they are, sorted.

    Each is a symbol, a signed quantity and, where no stop at the venue covers all of it, that; or,
    of what no order can close, in scope or not, that it is too small.
    """
    small, held = _too_small(world, account), account.positions.values()
    left_open = (p for p in held if p.symbol not in small and not in_scope(p, flatten))
    rows = [f"{p.symbol} {plain(p.quantity)}{_bare(world, p)}" for p in left_open]
    return tuple(sorted([*rows, *small.values()]))


def _too_small(world: World, account: AccountState) -> dict[str, str]:
    """What no order can close, by symbol, and how that is told."""
    held = account.positions.items()
    return {symbol: told_too_small(p) for symbol, p in held if is_too_small(world, p)}


def _to_close(world: World, position: Position, flatten: Flatten) -> bool:
    """Whether a kill of this scope closes a position: it is in scope, and an order can."""
    return in_scope(position, flatten) and not is_too_small(world, position)


def _bare(world: World, position: Position) -> str:
    bare = uncovered(world.book, position)
    if bare <= 0:
        return ""
    return " without a stop" if bare == abs(position.quantity) else f", {plain(bare)} of it bare"


def advance(world: World, now: Nanos) -> Iterator[ev.Event]:
    """Take the next step in every account: cancel, ask the venue again, or report the result."""
    yield from _sweep(world, now)
    if world.book.data.halt is None:
        return
    for account in world.book.accounts:
        work = account.kill
        if work is None:
            continue
        if work.state == KillState.VERIFIED:
            remaining, doubtful = left(world, account), unknown(world, account)
            if not remaining and not doubtful:
                continue
            yield from _disproved(account, remaining, doubtful)
            yield _unproved(account, work, remaining, doubtful)
        yield from _close_unread(world, account, work, now)
        if work.state == KillState.WORKING and now - work.started_at > DEADLINE:
            yield from _prove(world, account, KillState.DEGRADED, now)
        pause = _pause(world, account, work, now)
        # A look that was asked for goes on being tried until the venue answers: nothing to add,
        # unless it is of before the kill, and may lack what a kill does without.
        asked = account.snapshot_asked >= work.started_at
        if not asked and now - account.reconciled_at >= pause:
            yield ev.SnapshotRequested(account=account.name, reason=LookReason.KILL)


def _close_unread(
    world: World, account: AccountState, work: KillWork, now: Nanos
) -> Iterator[ev.Event]:
    """Close what is held here while the venue cannot be looked at, and say so (rule 3).

    It goes by our own fills, as every other close does. What the last list denied is left to the
    next one.
    """
    halt = world.book.data.halt
    if halt is None or not _is_unread(account, work, now) or not may_send(world, account.name):
        return
    gone, closed = denied(account), []
    for position in tuple(account.positions.values()):
        if position.symbol in gone or not _to_close(world, position, halt.flatten):
            continue
        decided = tuple(close_now(world, position, ExitReason.KILL, halt.trigger))
        closed += [f"{position.symbol} {plain(position.quantity)}"] if decided else []
        yield from decided
    if closed:
        yield ev.Alarmed(
            code="KILL_UNREAD",
            severity=Severity.CRITICAL,
            subject=account.name,
            text=f"the kill closes what is held here, {', '.join(closed[:_NAMED])}, though "
            f"{_not_known(account)}",
        )


def _is_unread(account: AccountState, work: KillWork, now: Nanos) -> bool:
    """Whether looks at the venue of a kill have failed, or were not answered, for too long."""
    asked, link = account.snapshot_asked, account.link
    if not asked or link is None or not account.is_connected:
        return False
    since = max(work.started_at, account.seen_at, link.since)
    return now - since >= UNREAD and (account.look_failed or now - asked >= UNREAD)


def _not_known(account: AccountState) -> str:
    """What nobody knows of an account whose venue cannot be looked at."""
    return (
        f"{account.name} cannot be read: what it holds and works beside what is known here is not "
        "known"
    )


def _not_told(account: AccountState, untold: tuple[str, ...]) -> str:
    """What was held in an account and is not listed there, though no fill was told."""
    return (
        f"{account.name} does not list {', '.join(untold[:_NAMED])} any more, and no fill was "
        "told: look at the venue"
    )


def _pause(world: World, account: AccountState, work: KillWork, now: Nanos) -> Nanos:
    """How long the next look waits after the last: while something is left that this kill cannot
    end, as before a market opens, longer and longer."""
    if work.state == KillState.WORKING:
        return KILL_LOOK
    if not left(world, account):
        return KILL_LOOK_LATER
    return lengthening(KILL_LOOK_LATER, now - work.started_at)


def kill_of(world: World, snapshot: VenueSnapshot) -> KillWork | None:
    """The kill in an account that a look at its venue speaks for: one that it was asked in.

    The answer to a look of a kill that was cleared meanwhile, or of before, takes nothing over and
    proves nothing.
    """
    work = world.book.account(snapshot.account).kill
    if work is None or snapshot.requested_at < work.started_at:
        return None
    return work


def after_read(world: World, snapshot: VenueSnapshot, now: Nanos) -> Iterator[ev.Event]:
    """Take the next step of the kill in an account from what its venue has just told."""
    name = snapshot.account
    account, halt = world.book.account(name), world.book.data.halt
    work = kill_of(world, snapshot)
    if work is None or halt is None:
        return
    gone = denied(account)
    for position in tuple(account.positions.values()):
        if position.symbol not in gone and _to_close(world, position, halt.flatten):
            yield from close_now(world, position, ExitReason.KILL, halt.trigger)
    remaining, doubtful = left(world, account), unknown(world, account)
    # A list that is behind a fill proves nothing of its symbol yet.
    found = remaining or doubtful or account.unsettled or not account.reconciled_clean
    if work.state == KillState.VERIFIED and found:
        yield from _disproved(account, remaining, doubtful)
    clean = 0 if found else work.clean_reads + 1
    # Of one that waits there is nothing new to tell.
    if clean or work.clean_reads or work.state != KillState.DEGRADED:
        yield ev.KillProgressed(
            epoch=work.epoch,
            account=name,
            clean_reads=min(clean, CLEAN_READS),
            left=remaining,
            unknown=doubtful,
        )
    span = now - work.clean_since
    bound = world.able(name).late_arrival
    if clean >= CLEAN_READS and span >= bound and work.state != KillState.VERIFIED:
        yield from _prove(world, account, KillState.VERIFIED, now)


def left(world: World, account: AccountState) -> tuple[str, ...]:
    """What a kill has still to close and to cancel in an account: holdings and order ids.

    What no order can close, since it is too small, is none of it: `kept` names it. What the venue
    lists and nothing here explains is left too, in any trade type, and an order that
    cannot be taken over, since its id is that of another account's. Once the kill is
    proved, the close of something that was out of its scope is nothing against that.
    """
    halt = world.book.data.halt
    proved = account.kill is not None and account.kill.state == KillState.VERIFIED
    if halt is None:
        return ()
    held = [
        f"{p.symbol} {plain(p.quantity)}"
        for p in account.positions.values()
        if _to_close(world, p, halt.flatten)
    ]
    held += [
        f"{d.symbol} {d.venue or '0'} listed" for d in account.differences if d.kind != PRICE_DRIFT
    ]
    closable = world.book.index.closable.get(account.name)
    works = [
        o.client_order_id
        for o in (account.orders.values() if closable else ())
        if not o.protects and o.status is not OrderStatus.UNKNOWN and not (proved and o.closes)
    ]
    return tuple(sorted(held) + sorted(works))


def unfinished(world: World) -> Iterator[ev.Event]:
    """What a halt that is about to be cleared has left in accounts that are not open here.

    Nothing can be done or seen there, and once it is cleared nothing will be (rules 5 and 6).
    """
    for account in world.book.data.accounts.values():
        if account.open:
            continue
        found, doubtful = left(world, account), unknown(world, account)
        if found or doubtful:
            yield ev.Alarmed(
                code="KILL_UNFINISHED",
                severity=Severity.CRITICAL,
                subject=account.name,
                text=f"cleared without {account.name}, which is not open here: {len(found)} left, "
                f"{len(doubtful)} unknown: {', '.join((*found, *doubtful)[:_NAMED])}",
            )


def unknown(world: World, account: AccountState) -> tuple[str, ...]:
    """Orders of an account of which nobody knows what became."""
    if not world.book.index.unclear:
        return ()
    orders = account.orders.values()
    return tuple(sorted(o.client_order_id for o in orders if o.status is OrderStatus.UNKNOWN))


def vanished(account: AccountState) -> tuple[str, ...]:
    """What was held in an account when its kill began, or later, and was taken off without a fill,
    because the venue's lists do not show it: each a symbol and a signed quantity.

    That nothing of it is held is proved by the lists alone; nobody has told that it was sold.
    """
    gone = {} if account.kill is None else account.kill.vanished
    return tuple(f"{symbol} {plain(quantity)}" for symbol, quantity in sorted(gone.items()))


def cancelled(account: AccountState) -> int:
    """How many of the orders that worked in an account when it was halted have been cancelled."""
    ended = (account.closed.get(key) for key in account.stopped)
    return sum(1 for o in ended if o is not None and o.status is OrderStatus.CANCELED)


def _disproved(
    account: AccountState, remaining: tuple[str, ...], doubtful: tuple[str, ...]
) -> Iterator[ev.Event]:
    """Say that a kill that was proved is so no longer: a proof ends with the first evidence."""
    found = (*remaining, *doubtful, *account.unsettled)
    yield ev.Alarmed(
        code="KILL_REOPENED",
        severity=Severity.CRITICAL,
        subject=account.name,
        text=f"the kill of {account.name} was proved and goes on, for something has come up: "
        + ", ".join(found[:_NAMED]),
    )


def _prove(world: World, account: AccountState, state: str, now: Nanos) -> Iterator[ev.Event]:
    work = account.kill
    if work is None:
        return
    gone, untold = cancelled(account), vanished(account)
    unread, small = _is_unread(account, work, now), sorted(_too_small(world, account).values())
    remaining, doubtful = left(world, account), unknown(world, account)
    shut = [
        _waits_for_open(world, p.symbol, now)
        for p in account.positions.values()
        if p.exiting and world.is_shut(p.symbol, now)
    ]
    yield ev.KillProved(
        epoch=work.epoch,
        account=account.name,
        state=state,
        cancelled=gone,
        closed=work.closed,
        left=remaining,
        unknown=doubtful,
    )
    done = state == KillState.VERIFIED and not untold
    yield ev.Alarmed(
        code=f"KILL_{state}",
        severity=Severity.WARNING if done else Severity.CRITICAL,
        subject=account.name,
        text=f"kill {state}: {gone} order{_s(gone)} cancelled, {work.closed} "
        f"position{_s(work.closed)} closed, "
        f"{len(remaining)} left, {len(doubtful)} unknown"
        + (f"; {_not_known(account)}" if unread else "")
        + (f"; {', '.join(small[:_NAMED])}" if small else "")
        + (f"; NOT PROVED SOLD: {_not_told(account, untold)}" if untold else "")
        + (f"; CANNOT FLATTEN, the market is closed: {', '.join(shut)}" if shut else ""),
    )


def _waits_for_open(world: World, symbol: str, now: Nanos) -> str:
    opens = world.opens_at(symbol, now)
    return symbol if opens is None else f"{symbol} waits for the open at {rfc3339(opens)}"


def _s(count: int) -> str:
    return "" if count == 1 else "s"
