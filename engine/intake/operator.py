"""What an operator asks, one rule a command; every act is recorded before it is done (rule 6).

Reducing is done at once; adding goes through the gate; a refusal is an event with a code.
"""

from collections.abc import Iterator

import msgspec

from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.account import UNREADABLE
from engine.domain.codes import Code
from engine.domain.ids import FACT_DIGITS
from engine.domain.inputs import Command
from engine.domain.instant import NS_PER_SECOND, Nanos, rfc3339
from engine.domain.money import plain
from engine.domain.order import OrderStatus, OrderTerms
from engine.domain.run import Halt, KillState, Mode, Trigger
from engine.exits.stops import stop_trades
from engine.intake.remarks import remarks
from engine.pipeline.fallback import placed
from engine.pipeline.intent import build, intend
from engine.pipeline.request import placed_again
from engine.plans.kill import left, set_latch, unfinished, unknown
from engine.plans.reduce import REDUCE, stop_makes_room_first, withdraw
from engine.plans.reducing import is_ending
from engine.risk import triggers
from engine.routing.fallback import gone_on_as
from engine.routing.named import no_broker, not_open
from engine.state.account import AccountState
from engine.state.letters import EXPIRED, LETTER_SECONDS, state_at
from engine.state.order import Order
from engine.state.waiting import waiting_leg, waiting_legs
from engine.world import World

REFUSED = "REFUSED"
FRESH_RECONCILE = 10 * NS_PER_SECOND


def acted(command: Command) -> ev.OperatorActed:
    """The event that records that a person asked for this."""
    return ev.OperatorActed(
        command=type(command).__name__, args=ask.args_of(command), by=command.by
    )


def refuse(command: Command, code: str, reason: str) -> ev.CommandRefused:
    """The event that records that the command was refused, with a stable code and a sentence."""
    return ev.CommandRefused(
        command=type(command).__name__, code=code, reason=reason, by=command.by
    )


def is_trading(symbol: str) -> str:
    """Why the stop of a position is not touched now (X-78)."""
    return f"the stop of {symbol} trades, and is left to it: `close` closes what is left"


def pause(world: World, given: ask.Pause, now: Nanos) -> Iterator[ev.Event]:
    """Stop new automatic entries (X-81); working ones stay, and it says how many (X-77)."""
    yield acted(given)
    if not world.book.data.paused:
        working = world.book.index.entries
        yield ev.Paused(by=given.by, reason=given.reason, entries_working=working)


def unpause(world: World, given: ask.Unpause, now: Nanos) -> Iterator[ev.Event]:
    """End the pause and lift every restriction whose cause is gone (X-69)."""
    yield acted(given)
    data = world.book.data
    if data.halt is not None:
        yield refuse(given, Code.KILL_SWITCH, "halted: clear the halt with resume first")
        return
    if data.paused:
        yield ev.Unpaused(by=given.by)
    against = []
    for account in world.book.accounts:
        for cause in tuple(account.barred):
            still = _still_barred(account, Trigger(cause))
            if still:
                against.append(f"{account.name} takes no entries: {still}")
            else:
                yield ev.Unrestricted(cause=Trigger(cause), by=given.by, account=account.name)
    for cause in tuple(data.restrictions):
        still = _still_holds(world, Trigger(cause), now)
        if still:
            against.append(f"only reducing is allowed: {still}")
        else:
            yield ev.Unrestricted(cause=Trigger(cause), by=given.by)
    if against:
        text = f"the pause has ended, but {'; '.join(against)}"
        yield refuse(given, Code.RUN_STATE, text)


def _still_barred(account: AccountState, cause: Trigger) -> str:
    """Why entries stay away from one account, empty where they need not.

    Whether its credentials are accepted now, the next order that is sent shows.
    """
    if cause is Trigger.BROKER_LOST and not account.is_connected:
        return "its link is down"
    return ""


def _still_holds(world: World, trigger: Trigger, now: Nanos) -> str:
    """Why a restriction cannot be lifted yet, empty when it can."""
    found = triggers.holding(world, now).get(trigger)
    if found is not None and trigger is not Trigger.LOSS_STREAK:
        return f"{trigger} still holds: {found.measured} against {found.limit}"
    clean = all(account.reconciled_clean for account in world.book.accounts)
    if trigger is Trigger.DIVERGENCE and not clean:
        return "differences with the venue remain: reconcile first"
    if trigger is Trigger.CLOCK_SKEW:
        return "the machine's clock was set, and is not followed yet"
    if trigger is Trigger.JOURNAL and world.book.data.journal_failed:
        return "the journal cannot be written"
    return ""


def kill(world: World, given: ask.Kill, now: Nanos) -> Iterator[ev.Event]:
    """Set the kill switch at the given level; a second press can only raise it (C-503)."""
    yield acted(given)
    yield from set_latch(
        world, given.level, given.flatten, given.reason, given.by, given.trigger, now
    )


def confirmation(world: World, *, rebase: bool = False) -> str:
    """What must be typed to resume, with `rebase` to accept a drawdown too (INTERFACE, X-73)."""
    data = world.book.data
    words = [ask.RESUME_WORD]
    if data.mode is Mode.LIVE:
        words.append(data.accounts[data.primary].id[-4:])
    return " ".join([*words, ask.REBASE] if rebase else words)


def resume(world: World, given: ask.Resume, now: Nanos) -> Iterator[ev.Event]:
    """Clear the kill switch if every condition is met; the state is then PAUSED (X-69, A-186).

    An account that is not open here is no obstacle; what is left in it is told. With `rebase` a
    drawdown is accepted, and is no obstacle either, nor a restriction for longer (X-73).
    """
    yield acted(given)
    data = world.book.data
    restricted = given.rebase and Trigger.DRAWDOWN in data.restrictions
    if data.halt is None and not restricted:
        yield refuse(given, REFUSED, "nothing is halted")
        return
    phrase = confirmation(world, rebase=given.rebase)
    if given.confirm != phrase:
        yield refuse(given, REFUSED, f"not confirmed: type {phrase!r}")
        return
    if data.halt is not None and given.epoch not in (msgspec.UNSET, data.halt.epoch):
        yield refuse(given, REFUSED, _other_halt(given, data.halt))
        return
    against = _against_resume(world, now, rebase=given.rebase)
    if given.against:
        against.insert(0, given.against)
    if against:
        yield refuse(given, REFUSED, "; ".join(against))
        return
    if given.rebase:
        before, (equity, _) = world.money.peak_equity, world.money.believed
        after = equity - world.money.unexplained
        yield ev.LossAccepted(by=given.by, note=given.note, before=before, after=after)
    if restricted:
        yield ev.Unrestricted(cause=Trigger.DRAWDOWN, by=given.by)
    if data.halt is None:
        yield ev.Paused(by=given.by, reason="drawdown accepted")
        return
    yield from unfinished(world)
    yield ev.HaltCleared(by=given.by, note=given.note, epoch=data.halt.epoch)


def sign(world: World, given: ask.Sign, now: Nanos) -> Iterator[ev.Event]:
    """Record that a person has signed a dry run off; one that failed is refused (C-707)."""
    yield acted(given)
    if not given.passed:
        yield refuse(given, REFUSED, "the dry run did not pass: it cannot be signed off")
        return
    yield ev.SignedOff(by=given.by, sign_off=given.sign_off)


def _other_halt(given: ask.Resume, halt: Halt) -> str:
    """That the halt which stands is not the one that was looked at (C-503)."""
    return (
        f"the halt that was looked at has epoch {given.epoch}, and the one that stands has epoch "
        f"{halt.epoch}, by {halt.by} ({halt.reason}): look at what it did, then resume again"
    )


def is_fresh(account: AccountState, now: Nanos) -> bool:
    """Whether the newest comparison with the venue is young enough to clear a halt on."""
    return account.reconciled_at > 0 and now - account.reconciled_at <= FRESH_RECONCILE


def _against_account(world: World, account: AccountState, where: str, now: Nanos) -> Iterator[str]:
    """Why the halt is not cleared as far as one account goes, which is told as `where`."""
    if not is_fresh(account, now):
        yield f"there is no fresh comparison with {where}"
    elif account.look_failed:
        yield f"{where} could not be read"
    elif unread := [s for s, causes in account.blocked.items() if UNREADABLE in causes]:
        yield f"what {where} says of {', '.join(sorted(unread))} cannot be read"
    elif not account.reconciled_clean:
        yield f"{len(account.differences)} differences with {where} remain"
    elif account.missing:
        symbols = ", ".join(sorted(account.missing))
        yield f"{where} lists another quantity of {symbols}, of which something moves"
    for currency, amount in account.unexplained.told_cash.items():
        yield (
            f"cash at {where} differs by {plain(amount)} {currency} and nothing explains it: "
            "`reconcile --apply` takes it over"
        )
    work = account.kill
    if work is not None and work.state == KillState.WORKING and (undone := left(world, account)):
        yield (
            f"the kill of {account.name} is still at work, {len(undone)} left: wait for what "
            "it comes to"
        )


def _against_resume(world: World, now: Nanos, *, rebase: bool) -> list[str]:
    data = world.book.data
    accounts = world.book.accounts
    found: list[str] = []
    for account in accounts:
        where = "the venue" if len(accounts) == 1 else account.name
        found += _against_account(world, account, where, now)
    if world.book.index.unclear:
        found.append(f"{world.book.index.unclear} orders are UNKNOWN")
        shut = [a for a in data.accounts.values() if not a.open and unknown(world, a)]
        found += [f"{a.name}, where some of them work, is not open here" for a in shut]
    if data.journal_failed:
        found.append("the journal cannot be written")
    for trigger, finding in triggers.holding(world, now).items():
        if trigger is Trigger.LOSS_STREAK or (rebase and trigger is Trigger.DRAWDOWN):
            continue
        still = f"{trigger} still holds: {finding.measured} against {finding.limit}"
        if trigger is Trigger.DRAWDOWN:
            still += f" (`resume --rebase` accepts it; type {ask.REBASE} on the halt screen)"
        found.append(still)
    return found


def place_order(world: World, given: ask.PlaceOrder, now: Nanos) -> Iterator[ev.Event]:
    """Decide a person's order: no signal row is asked, every hard limit is (INTERFACE, order)."""
    yield acted(given)
    yield from _placed(world, given, now)


def _placed(world: World, given: ask.PlaceOrder, now: Nanos) -> Iterator[ev.Event]:
    _, ruling = placed(world, given, now)
    intent = given.intent_id or f"manual-{world.book.data.seq}"
    if not ruling.allowed:
        yield ev.OrderRefused(
            account=ruling.account,
            intent_id=intent,
            symbol=ruling.symbol,
            by=given.by,
            code=ruling.code,
            measured=ruling.measured,
            limit=ruling.limit,
            reason=ruling.reason,
            checks=ruling.checks,
        )
        return
    order = build(world, ruling, now, signal_id="", facts=("manual", intent))
    if given.broker:
        order = msgspec.structs.replace(order, named=True)
    if world.book.of_facts(order.client_order_id) is not None or _awaited(world, order):
        yield refuse(given, Code.DUPLICATE_ORDER, "this ticket was sent already")
        return
    yield from remarks(world, given, ruling)
    if stop_makes_room_first(world, order):
        yield ev.IntentOpened(intent_id=order.intent_id, plan=REDUCE, by=given.by, legs=(order,))
        return
    yield from intend(world, ruling, order)


def _awaited(world: World, order: OrderTerms) -> bool:
    """Whether an order that stands for the same facts still waits to be made."""
    facts = order.client_order_id[-FACT_DIGITS:]
    return any(leg.terms.client_order_id.endswith(facts) for leg in waiting_legs(world.book))


def cancel_order(world: World, given: ask.CancelOrder, now: Nanos) -> Iterator[ev.Event]:
    """Cancel one order; for a protective stop the confirming word is needed.

    Where it went on in the fallback, that is the order to cancel (A-242).
    """
    yield acted(given)
    leg = waiting_leg(world.book, given.client_order_id)
    order = world.book.order(given.client_order_id)
    if order is not None and order.status.is_terminal and order.adds_exposure:
        order = next((o for o in gone_on_as(world, order) if o.is_working), order)
    there = leg.terms if leg is not None else order
    if there is not None and (shut := not_open(world, there.account)):
        yield refuse(given, REFUSED, f"it is in {shut}")
        return
    if leg is not None:
        yield from withdraw(leg, Code.NOT_SENT, f"cancelled by {given.by}")
        return
    if order is None or order.status.is_terminal:
        yield refuse(given, REFUSED, f"no working order has the id {given.client_order_id}")
        return
    if order.is_protective and given.confirm != ask.UNPROTECT_WORD:
        text = f"it protects {order.symbol}: confirm with {ask.UNPROTECT_WORD!r}"
        yield refuse(given, REFUSED, text)
        return
    position = world.book.holding(order.account, order.symbol) if order.is_protective else None
    if position is not None:
        if stop_trades(world, position, now):
            yield refuse(given, REFUSED, is_trading(position.symbol))
            return
        yield ev.StopMoved(
            account=position.account,
            symbol=position.symbol,
            position_id=position.position_id,
            by=given.by,
            before=position.stop,
            after=None,
        )
    if order.status is not OrderStatus.PENDING_CANCEL:
        yield ev.CancelRequested(
            account=order.account, client_order_id=order.client_order_id, reason=given.by
        )


def cancel_all(world: World, given: ask.CancelAll, now: Nanos) -> Iterator[ev.Event]:
    """Cancel everything but protective stops."""
    yield acted(given)
    fault = no_account(world, given.broker)
    if fault:
        yield refuse(given, Code.INVALID_INPUT, fault)
        return
    for leg in world.waiting_legs():
        if given.broker in ("", leg.terms.account):
            yield from withdraw(leg, Code.NOT_SENT, f"cancelled by {given.by}")
    for order in tuple(world.orders()):
        if given.broker in ("", order.account) and _cancellable(order):
            yield ev.CancelRequested(
                account=order.account, client_order_id=order.client_order_id, reason=given.by
            )


def _cancellable(order: Order) -> bool:
    return not order.protects and not is_ending(order)


def no_account(world: World, name: str) -> str:
    """Why an account that was named cannot be meant; "" where it can, or none was named."""
    return no_broker(world, name) if name else ""


def reconcile(world: World, given: ask.Reconcile, now: Nanos) -> Iterator[ev.Event]:
    """Ask for a comparison; the engine fetches the venue's view and feeds it back as an input."""
    yield acted(given)
    fault = no_account(world, given.broker)
    if fault:
        yield refuse(given, Code.INVALID_INPUT, fault)


def retry_letter(world: World, given: ask.RetryLetter, now: Nanos) -> Iterator[ev.Event]:
    """Decide it anew as a manual order, with a fresh price and the whole gate (C-430).

    One that has expired is not: it stays, to be seen and dropped.
    """
    yield acted(given)
    letter = world.book.data.letters.get(given.letter_id)
    if letter is None:
        yield refuse(given, REFUSED, f"there is no dead letter {given.letter_id}")
        return
    if state_at(now, letter.expires_at) == EXPIRED:
        why = (
            f"dead letter {given.letter_id} has expired: it may be sent again within "
            f"{LETTER_SECONDS} s of {rfc3339(letter.at)}; drop it, and place a new order"
        )
        yield refuse(given, EXPIRED, why)
        return
    terms = letter.terms
    again = placed_again(
        terms, by=given.by, broker=terms.account, intent_id=f"retry-{given.letter_id}"
    )
    sent = False
    for event in _placed(world, again, now):
        yield event
        sent = sent or isinstance(event, ev.OrderIntended | ev.IntentOpened)
    if sent:
        yield ev.DeadLetterClosed(
            account=terms.account, letter_id=given.letter_id, action="retried", by=given.by
        )


def drop_letter(world: World, given: ask.DropLetter, now: Nanos) -> Iterator[ev.Event]:
    """Forget a dead letter."""
    yield acted(given)
    letter = world.book.data.letters.get(given.letter_id)
    if letter is None:
        yield refuse(given, REFUSED, f"there is no dead letter {given.letter_id}")
        return
    yield ev.DeadLetterClosed(
        account=letter.terms.account, letter_id=given.letter_id, action="dropped", by=given.by
    )
