"""The product with one safety rule taken out; each must be caught by the seeds that guard it.

A rule is taken out by overriding a part of the run, or by replacing one function while it runs.
"""

import contextlib
from collections.abc import Awaitable, Callable, Generator, Iterator
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from engine.core import decide as core
from engine.core import life, sends, tick
from engine.core.refusals import Refusals
from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.account import VenueOrder, VenuePosition
from engine.domain.codes import Code
from engine.domain.events import Record
from engine.domain.ids import order_id
from engine.domain.inputs import Sending, SubmitFailed, Tick
from engine.domain.instant import Nanos
from engine.domain.intent import LegDone
from engine.domain.order import OrderStatus, OrderTerms
from engine.domain.run import Halt, KillState, Severity
from engine.exits import reducible
from engine.intake import closing as by_hand
from engine.intake import modify, operator
from engine.pipeline import request
from engine.plans import entry, legs, protect, reducing, replace, table
from engine.plans import exit as closing
from engine.plans import kill as work
from engine.ports import Ambiguous, BrokerError, Capabilities, NotSent
from engine.risk import gate
from engine.risk.checks.account import known_account
from engine.risk.facts import Facts
from engine.risk.finding import Finding, refused
from engine.runtime.account_link import AccountLink
from engine.runtime.links import Links
from engine.runtime.send_gate import SendGate
from engine.runtime.sender import Sender
from engine.state.account import AccountState
from engine.state.folds import fills as fill_rules
from engine.state.intents import IntentLeg
from engine.state.order import Order, Pending
from engine.state.position import Position
from engine.state.seen import SeenIds
from engine.world import World, exposure
from tests.simulation.faults import BARE, CRASHY, Faults, Profile
from tests.simulation.line import Line
from tests.simulation.simulate import Run
from tests.simulation.store import Disk, DiskFull, FileLatch

Patch = Callable[[pytest.MonkeyPatch], None]


class Ablation(msgspec.Struct, frozen=True, kw_only=True):
    """A rule that is missing, the profile whose seeds must notice, and by which invariants."""

    name: str
    profile: str | Profile
    caught_by: tuple[str, ...]
    kind: type[Run] = Run
    patch: Patch = lambda patching: None


class _Settled(Awaitable[None]):
    def __await__(self) -> Generator[None, None, None]:
        yield from ()


# --- the intent need not be durable ---------------------------------------------------------------


def _sends_before_durable(patching: pytest.MonkeyPatch) -> None:
    """An order leaves while its intent still waits for the disk."""
    first = Sender._submit

    async def hasty(
        self: Sender,
        order: OrderTerms,
        durable: Awaitable[None],
        link: AccountLink,
        connection: int,
    ) -> None:
        await first(self, order, _Settled(), link, connection)

    patching.setattr(Sender, "_submit", hasty)


# --- the halt is not persisted --------------------------------------------------------------------


class _NoLatch(FileLatch):
    def set(self, halt: Halt) -> None:
        return


class _ForgetfulDisk(Disk):
    def records(self, after: int) -> list[Record]:
        return [
            Record(record.seq, record.time, _nothing_happened())
            if isinstance(record.event, ev.Halted)
            else record
            for record in super().records(after)
        ]


def _nothing_happened() -> ev.Event:
    return ev.Alarmed(code="", severity=Severity.INFO, subject="", text="")


class ForgetsHalt(Run):
    """A halt lives in memory only."""

    latch_class = _NoLatch
    disk_class = _ForgetfulDisk
    keeps_snapshots = False

    def __init__(self, seed: int, profile: Profile) -> None:
        super().__init__(seed, profile)
        # The product's own journal would remember the halt.
        self.real = False


# --- an ambiguous submit is sent again under a new id ---------------------------------------------


def _submit_again(world: World, given: SubmitFailed, now: Nanos) -> Iterator[ev.Event]:
    order = world.book.order(given.client_order_id)
    if order is None or not isinstance(given.error, Ambiguous) or order.status.is_terminal:
        yield from sends.submit_failed(world, given, now)
        return
    yield ev.OrderRejected(
        account=order.account, client_order_id=order.client_order_id, code="NOT_SENT", text="again"
    )
    key = order_id(now, "again", order.client_order_id)
    again = msgspec.structs.replace(
        order, client_order_id=key, status=OrderStatus.CREATED, created_at=now, updated_at=now
    )
    yield ev.OrderIntended(terms=again)


def _resends(patching: pytest.MonkeyPatch) -> None:
    patching.setitem(core.RULES, SubmitFailed, _submit_again)


# --- the gate is not asked in the last function before the socket ---------------------------------


async def _gateless(self: Sender, order: OrderTerms, durable: Awaitable[None]) -> None:
    key = order.client_order_id
    if order.reserved:
        try:
            await durable
        except DiskFull as error:
            self._step(SubmitFailed(order.account, key, NotSent(str(error))))
            return
    elif not order.is_derived:
        with contextlib.suppress(DiskFull):
            await durable
    self._step(Sending(order.account, key))
    await self._links.of(order.account).submit(order)


def _sends_without_gate(patching: pytest.MonkeyPatch) -> None:
    patching.setattr(Sender, "_submit", _gateless)


class _Open(SendGate):
    @property
    def closed(self) -> bool:
        return False


class NoLastGate(Run):
    """What was decided before the halt is sent after it."""

    gate_class = _Open


# --- others ---------------------------------------------------------------------------------------


def _no_fill_dedup(patching: pytest.MonkeyPatch) -> None:
    patching.setattr(SeenIds, "__contains__", lambda self, text: False)


def _no_resize(patching: pytest.MonkeyPatch) -> None:
    patching.setattr(protect, "_fit", lambda *args: iter(()))


class _EmptyOnError(Line):
    async def get_positions(self) -> tuple[VenuePosition, ...]:
        try:
            return await super().get_positions()
        except BrokerError:
            return ()

    async def get_open_orders(self) -> tuple[VenueOrder, ...]:
        try:
            return await super().get_open_orders()
        except BrokerError:
            return ()


class ErrorReadAsEmpty(Run):
    """A question that failed counts as an empty answer."""

    line_class = _EmptyOnError


class NoLateBound(Run):
    """What the venue does not know right after a time-out counts as never sent."""

    def _stated(self, capabilities: Capabilities) -> Capabilities:
        return msgspec.structs.replace(capabilities, late_arrival_seconds=-1.0)


async def _is_always_new(self: AccountLink, order: OrderTerms) -> bool:
    return True


def _never_asks_first(patching: pytest.MonkeyPatch) -> None:
    patching.setattr(AccountLink, "is_new", _is_always_new)


def _ended_with_one_leg(patching: pytest.MonkeyPatch) -> None:
    """An intent ends as soon as every leg was sent, whatever becomes of them."""
    patching.setattr(entry, "is_over", lambda world, leg: not leg.waits)


def _said_of_one_leg(patching: pytest.MonkeyPatch) -> None:
    """What is said of an intent is what is true of its first leg."""
    done = legs.done

    def first(world: World, leg: IntentLeg) -> LegDone:
        intent = world.book.data.intents.get(leg.terms.intent_id)
        if intent is None:
            return done(world, leg)
        filled = done(world, intent.legs[0]).filled
        return msgspec.structs.replace(done(world, leg), filled=filled)

    patching.setattr(legs, "done", first)


def _by_hand_undurable(patching: pytest.MonkeyPatch) -> None:
    """A person's order that reduces leaves before another process could know of it."""
    patching.setattr(OrderTerms, "is_derived", True)


def _recognises_nothing(patching: pytest.MonkeyPatch) -> None:
    patching.setattr(reducing, "recognise", lambda *args: None)


def _one_clean_read(patching: pytest.MonkeyPatch) -> None:
    def proves_at_once(world: World, now: Nanos) -> Iterator[ev.Event]:
        for account in world.book.accounts:
            kill = account.kill
            if kill is not None and kill.state == KillState.WORKING and world.book.halted:
                yield from work._prove(world, account, KillState.VERIFIED, now)

    patching.setitem(core.RULES, Tick, _followed_by(core.RULES[Tick], proves_at_once))


def _followed_by(rule: Any, then: Any) -> Any:
    def both(world: World, given: Any, now: Nanos) -> Iterator[ev.Event]:
        yield from rule(world, given, now)
        yield from then(world, now)

    return both


def _no_sweep(patching: pytest.MonkeyPatch) -> None:
    patching.setattr(work, "_sweep", lambda world, now: iter(()))


def _no_protection(patching: pytest.MonkeyPatch) -> None:
    plans = tuple(plan for plan in table.PLANS if plan.name != "protect")
    patching.setattr(table, "PLANS", plans)


# --- accounts apart -------------------------------------------------------------------------------


def _one_route(patching: pytest.MonkeyPatch) -> None:
    patching.setattr(request, "account_for", lambda world, symbol: world.config.account.primary)


def _one_line(patching: pytest.MonkeyPatch) -> None:
    def first(self: Links, account: str) -> AccountLink:
        return next(iter(self))

    patching.setattr(Links, "of", first)


class _OneAccount(Facts):
    """Facts that hold what is held and works in the account of the request only."""

    @property
    def held(self) -> list[Position]:
        return [p for p in super().held if p.account == self.request.account]

    @property
    def opposing(self) -> Order | None:
        found = super().opposing
        return found if found is None or found.account == self.request.account else None

    @property
    def entries_working(self) -> int:
        entries = self._book.entries_in(self.request.symbol)
        return sum(1 for order in entries if order.account == self.request.account)


class _Narrowed(gate.Check):
    """A row that is asked of the account of the request only."""

    def judge(self, facts: Facts, limit: Any) -> Finding | None:
        return super().judge(_OneAccount(facts._world, facts.request, facts.now), limit)


def _looks_at_one_account(*codes: Code) -> Patch:
    def patch(patching: pytest.MonkeyPatch) -> None:
        checks = tuple(
            _Narrowed(
                check.code, check.stage, check.ask, check.kinds, limit=check.limit, key=check.key
            )
            if check.code in codes
            else check
            for check in gate.CHECKS
        )
        patching.setattr(gate, "CHECKS", checks)

    return patch


def _limits_of_one_account(patching: pytest.MonkeyPatch) -> None:
    """What another account holds of a symbol does not count against the limit of a name."""
    everywhere = exposure.of_name

    def of_primary(world: World, symbol: str) -> Decimal:
        primary = world.config.account.primary
        elsewhere = [p for p in world.book.held(symbol) if p.account != primary]
        mark = world.prices.mark(symbol)
        worth = sum((abs(p.market_value(mark)) for p in elsewhere if mark is not None), Decimal(0))
        return everywhere(world, symbol) - worth

    patching.setattr(exposure, "of_name", of_primary)


def _everybody_unseen(patching: pytest.MonkeyPatch) -> None:
    """An account that was not compared keeps entries away from all of them."""

    class Unseen(gate.Check):
        def judge(self, facts: Facts, limit: Any) -> Finding | None:
            if not all(account.compared for account in facts._world.book.accounts):
                return refused("not compared", "a comparison", "An account was not seen.")
            return super().judge(facts, limit)

    checks = tuple(
        Unseen(check.code, check.stage, known_account) if check.code is Code.NO_ACCOUNT else check
        for check in gate.CHECKS
    )
    patching.setattr(gate, "CHECKS", checks)


def _closes_everywhere(patching: pytest.MonkeyPatch) -> None:
    """`close SYMBOL --broker` closes in the accounts that were not named too."""

    def close(world: World, given: ask.ClosePosition, now: Nanos) -> Iterator[ev.Event]:
        yield from by_hand.close_position(world, msgspec.structs.replace(given, broker=""), now)

    patching.setitem(core.RULES, ask.ClosePosition, close)


def _any_account_proves(patching: pytest.MonkeyPatch) -> None:
    """A kill that is proved in one account counts as proved in all."""
    prove = work._prove

    def everywhere(
        world: World, account: AccountState, state: str, now: Nanos
    ) -> Iterator[ev.Event]:
        for each in world.book.accounts:
            yield from prove(world, each, state, now)

    patching.setattr(work, "_prove", everywhere)


# --- a part, its stop, another in its place -------------------------------------------------------


class _AllJoined:
    """The world as it looks where every venue joins a stop with what closes."""

    def __init__(self, world: World) -> None:
        self._world = world

    def __getattr__(self, name: str) -> Any:
        return getattr(self._world, name)

    def able(self, account: str) -> Capabilities:
        return msgspec.structs.replace(self._world.able(account), reduce_only=True)


def _part_beside_its_stop(patching: pytest.MonkeyPatch) -> None:
    """The stop is not taken away before a close where the venue would fill both."""
    close = closing._close

    def beside(world: World, *rest: Any) -> Iterator[ev.Event]:
        joined: Any = _AllJoined(world)
        yield from close(joined, *rest)

    patching.setattr(closing, "_close", beside)


def _part_forgotten(patching: pytest.MonkeyPatch) -> None:
    patching.setattr(fill_rules, "_close_part", lambda *args: None)


def _no_stop_beside_a_part(patching: pytest.MonkeyPatch) -> None:
    """Where the venue would fill both, the close of a part takes the whole stop away."""
    wanted = reducible.to_protect

    def none(world: World, position: Position, part: Decimal = Decimal(0)) -> Decimal:
        joins = world.able(position.account).reduce_only
        of_a_part = position.exiting is not None and not position.is_closing
        return Decimal(0) if of_a_part and not joins else wanted(world, position, part)

    patching.setattr(protect, "to_protect", none)


def _stop_beside_stop(patching: pytest.MonkeyPatch) -> None:
    """A stop that is moved is placed anew, and the old one is left."""
    live = reducible.working_for

    def only_fitting(world: World, position: Position) -> list[Order]:
        return [
            order
            for order in live(world, position)
            if not order.is_protective or order.stop_price == position.stop
        ]

    patching.setattr(protect, "working_for", only_fitting)


def _both_live(patching: pytest.MonkeyPatch) -> None:
    """What takes the place of an order does not wait until that one has ended."""

    def advance(world: World, account: str, symbol: str, now: Nanos) -> Iterator[ev.Event]:
        replacing = world.book.account(account).replacing
        for key in [key for key, where in replacing.items() if where == symbol]:
            order = world.book.order(key)
            if order is None or order.pending is None:
                continue
            known = world.book.order(order.pending.new_client_order_id)
            if known is None and not order.status.is_terminal:
                ended = msgspec.structs.replace(order, status=OrderStatus.CANCELED)
                yield from replace._succeed(world, ended, order.pending, now)
        yield from before(world, account, symbol, now)

    before = replace.advance
    plans = tuple(
        msgspec.structs.replace(plan, advance=advance) if plan.name == "replace" else plan
        for plan in table.PLANS
    )
    patching.setattr(table, "PLANS", plans)


def _fill_between_forgotten(patching: pytest.MonkeyPatch) -> None:
    """What takes the place of an order is for the whole that was asked, whatever has filled."""
    succeed = replace._succeed

    def whole(world: World, order: Order, wanted: Pending, now: Nanos) -> Iterator[ev.Event]:
        for event in succeed(world, order, wanted, now):
            if isinstance(event, ev.OrderIntended):
                terms = msgspec.structs.replace(event.terms, quantity=wanted.quantity)
                yield ev.OrderIntended(terms=terms)
            else:
                yield event

    patching.setattr(replace, "_succeed", whole)


def _no_room_first(patching: pytest.MonkeyPatch) -> None:
    """A person's order leaves at once, beside a stop that still covers all that is held."""
    patching.setattr(operator, "stop_makes_room_first", lambda world, terms: False)


def _grows_beside_its_stop(patching: pytest.MonkeyPatch) -> None:
    """An order that reduces is made larger whatever the stop beside it still covers."""
    patching.setattr(modify, "_fits", lambda world, order, wanted: True)
    patching.setattr(replace, "room", lambda world, position: position.quantity.copy_abs())


def _doubt_untold(patching: pytest.MonkeyPatch) -> None:
    patching.setattr(tick, "tell", lambda *args: iter(()))


LOSING = msgspec.structs.replace(
    BARE,
    name="losing",
    faults=msgspec.structs.replace(BARE.faults, lost_request=0.15, partial=0.9),
    hands=20,
)
"""A venue that joins nothing, loses a seventh of what it is asked, and fills in parts."""

DYING = msgspec.structs.replace(
    CRASHY,
    name="dying",
    faults=msgspec.structs.replace(CRASHY.faults, late_request=0.4, slow_request=0.4),
    joins=0.0,
    slow_commit=1.0,
    crash_after_send=0.7,
    crashes=10,
    hands=24,
    jumps=0.2,
)
"""A process that dies again and again, most often with an order on the way that no disk knows; what
comes late joins nothing."""

BUSY = Profile(name="busy", faults=Faults(partial=0.6), hands=24, changes=12, jumps=0.0)
"""A venue that never fails, and an operator who does nothing but change what is there."""

# --- what an overload refuses ---------------------------------------------------------------------


def _one_by_one(patching: pytest.MonkeyPatch) -> None:
    patching.setattr(Refusals, "take", lambda self, event, book, now: False)


def _never_recorded(patching: pytest.MonkeyPatch) -> None:
    patching.setattr(Refusals, "told", lambda self: None)


def _no_tick_for_them(patching: pytest.MonkeyPatch) -> None:
    patching.setattr(Refusals, "due", lambda self, book, now: False)


def _loss_not_told(patching: pytest.MonkeyPatch) -> None:
    patching.setattr(life, "lost", lambda book: None)


FLOODED = msgspec.structs.replace(
    CRASHY, name="flooded", crashes=10, floods=8, full_disks=0, operator=0
)
"""A process that dies again and again while it refuses."""

ABLATIONS = (
    Ablation(
        name="intent not durable before send",
        profile="crashy",
        caught_by=("I2",),
        patch=_sends_before_durable,
    ),
    Ablation(name="halt not persisted", profile="crashy", caught_by=("I5",), kind=ForgetsHalt),
    Ablation(
        name="ambiguous submit sent again under a new id",
        profile="lossy",
        caught_by=("I1", "I3", "I7", "apart"),
        patch=_resends,
    ),
    Ablation(
        name="no gate in the last function",
        profile="hostile",
        caught_by=("I5", "I9", "error"),
        kind=NoLastGate,
        patch=_sends_without_gate,
    ),
    Ablation(
        name="fills not told apart",
        profile="lossy",
        caught_by=("I3", "I7", "I8", "I9"),
        patch=_no_fill_dedup,
    ),
    Ablation(name="stop not resized", profile="calm", caught_by=("protect",), patch=_no_resize),
    Ablation(
        name="no stop at the venue", profile="calm", caught_by=("protect",), patch=_no_protection
    ),
    Ablation(
        name="error read as empty",
        profile="hostile",
        # A look that failed and counts as empty is a difference that nobody caused: `apart` too.
        caught_by=("I3", "I5", "I7", "apart"),
        kind=ErrorReadAsEmpty,
    ),
    Ablation(
        name="late arrivals not waited for",
        profile="hostile",
        caught_by=("I1", "I3", "I7", "room", "legs"),
        kind=NoLateBound,
    ),
    Ablation(
        name="earlier process not asked about",
        profile=DYING,
        caught_by=("I1", "I3", "I6", "I7", "room"),
        patch=_never_asks_first,
    ),
    Ablation(
        name="kill proved without looking",
        profile="lossy",
        caught_by=("I5",),
        patch=_one_clean_read,
    ),
    Ablation(
        name="a halt cancels nothing", profile="calm", caught_by=("I3", "I5"), patch=_no_sweep
    ),
    Ablation(
        name="the route ignores the account",
        profile="calm",
        caught_by=("apart",),
        patch=_one_route,
    ),
    Ablation(
        name="every order leaves by one line", profile="calm", caught_by=("apart",), patch=_one_line
    ),
    Ablation(
        name="conflict looks at one account",
        profile=BUSY,
        caught_by=("apart",),
        patch=_looks_at_one_account(Code.CONFLICT),
    ),
    Ablation(
        name="duplicate looks at one account",
        profile=BUSY,
        caught_by=("apart",),
        patch=_looks_at_one_account(Code.DUPLICATE_POSITION),
    ),
    Ablation(
        name="limits are those of one account",
        profile="calm",
        caught_by=("I7",),
        patch=_limits_of_one_account,
    ),
    Ablation(
        name="an account that is not seen blocks all",
        profile="apart",
        caught_by=("apart",),
        patch=_everybody_unseen,
    ),
    Ablation(
        name="a close goes to accounts not named",
        profile="calm",
        caught_by=("apart",),
        patch=_closes_everywhere,
    ),
    Ablation(
        name="a kill proved in one is proved in all",
        profile="apart",
        caught_by=("I5",),
        patch=_any_account_proves,
    ),
    Ablation(
        name="a part is closed beside its stop",
        profile="calm",
        caught_by=("I3", "I6", "room"),
        patch=_part_beside_its_stop,
    ),
    Ablation(
        name="a part takes the whole stop away",
        profile=LOSING,
        caught_by=("protect",),
        patch=_no_stop_beside_a_part,
    ),
    Ablation(
        name="what is left of a part is forgotten",
        profile="calm",
        caught_by=("part",),
        patch=_part_forgotten,
    ),
    Ablation(
        name="a stop that is moved is doubled",
        profile="calm",
        caught_by=("protect", "I3"),
        patch=_stop_beside_stop,
    ),
    Ablation(
        name="both orders of a change are live",
        profile=BUSY,
        caught_by=("replace", "I1", "I7"),
        patch=_both_live,
    ),
    Ablation(
        name="a fill during a change is forgotten",
        profile=BUSY,
        caught_by=("replace", "I7"),
        patch=_fill_between_forgotten,
    ),
    Ablation(
        name="each refusal is an event of its own",
        profile="hostile",
        caught_by=("flood",),
        patch=_one_by_one,
    ),
    Ablation(
        name="what is gathered is not recorded",
        profile="hostile",
        caught_by=("flood",),
        patch=_never_recorded,
    ),
    Ablation(
        name="what is gathered waits for the end",
        profile="hostile",
        caught_by=("flood",),
        patch=_no_tick_for_them,
    ),
    Ablation(
        name="refusals lost in a crash are not told",
        profile=FLOODED,
        caught_by=("flood",),
        patch=_loss_not_told,
    ),
    Ablation(
        name="a person's order not durable before send",
        profile="crashy",
        caught_by=("I2", "apart"),
        patch=_by_hand_undurable,
    ),
    Ablation(
        name="an intent ends before its legs do",
        profile="calm",
        caught_by=("legs",),
        patch=_ended_with_one_leg,
    ),
    Ablation(
        name="the outcome is that of one leg",
        profile="calm",
        caught_by=("legs",),
        patch=_said_of_one_leg,
    ),
    Ablation(
        name="no room is made for what reduces",
        profile="bare",
        caught_by=("room", "I6"),
        patch=_no_room_first,
    ),
    Ablation(
        name="what reduces grows beside its stop",
        profile="bare",
        caught_by=("room", "I6"),
        patch=_grows_beside_its_stop,
    ),
    Ablation(
        name="what nothing protects is not told",
        profile="hostile",
        caught_by=("untold",),
        patch=_doubt_untold,
    ),
)
