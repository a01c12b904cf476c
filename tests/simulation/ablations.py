"""The product with one safety rule taken out; each must be caught by the seeds that guard it.

A rule is taken out by overriding a part of the run, or by replacing one function while it runs.
"""

from collections.abc import Awaitable, Callable, Generator, Iterator
from typing import Any

import msgspec
import pytest

from engine.core import decide as core
from engine.core import reports as lifecycle
from engine.domain import events as ev
from engine.domain.account import VenueOrder, VenuePosition
from engine.domain.events import Record
from engine.domain.ids import order_id
from engine.domain.inputs import Sending, SubmitFailed, Tick
from engine.domain.instant import Nanos
from engine.domain.order import OrderTerms
from engine.domain.run import Halt, Severity
from engine.plans import kill as work
from engine.plans import protect, reducing, table
from engine.ports import Ambiguous, BrokerError, Capabilities, NotSent
from engine.runtime.engine import Engine
from engine.runtime.session import Session
from engine.state.seen import SeenIds
from engine.world import World
from tests.simulation.faults import CRASHY, Profile
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


class _Hasty(Engine):
    async def _submit(self, order: OrderTerms, durable: Awaitable[None]) -> None:
        await super()._submit(order, _Settled())


class SendsBeforeDurable(Run):
    """An order leaves while its intent still waits for the disk."""

    engine_class = _Hasty


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
        yield from lifecycle.submit_failed(world, given, now)
        return
    yield ev.OrderRejected(
        account="paper", client_order_id=order.client_order_id, code="NOT_SENT", text="again"
    )
    key = order_id(now, "again", order.client_order_id)
    again = msgspec.structs.replace(
        order, client_order_id=key, status=lifecycle._S.CREATED, created_at=now, updated_at=now
    )
    yield ev.OrderIntended(terms=again)


def _resends(patching: pytest.MonkeyPatch) -> None:
    patching.setitem(core.RULES, SubmitFailed, _submit_again)


# --- the gate is not asked in the last function before the socket ---------------------------------


class _Gateless(Engine):
    async def _submit(self, order: OrderTerms, durable: Awaitable[None]) -> None:
        key = order.client_order_id
        if order.reserved:
            try:
                await durable
            except DiskFull as error:
                self.step(SubmitFailed(key, NotSent(str(error))))
                return
        self.step(Sending(key))
        await self._session(order.account).submit(order)


class NoLastGate(Run):
    """What was decided before the halt is sent after it."""

    engine_class = _Gateless


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


async def _is_always_new(self: Session, order: OrderTerms) -> bool:
    return True


def _never_asks_first(patching: pytest.MonkeyPatch) -> None:
    patching.setattr(Session, "is_new", _is_always_new)


def _recognises_nothing(patching: pytest.MonkeyPatch) -> None:
    patching.setattr(reducing, "recognise", lambda *args: None)


def _one_clean_read(patching: pytest.MonkeyPatch) -> None:
    def proves_at_once(world: World, now: Nanos) -> Iterator[ev.Event]:
        account = world.book.account("paper")
        kill = account.kill
        if kill is not None and kill.state == work.WORKING and world.book.halted:
            yield from work._prove(world, account, work.VERIFIED, now)

    patching.setitem(core.RULES, Tick, _followed_by(core.tick, proves_at_once))


def _followed_by(rule: Any, then: Any) -> Any:
    def both(world: World, given: Any, now: Nanos) -> Iterator[ev.Event]:
        yield from rule(world, given, now)
        yield from then(world, now)

    return both


def _no_sweep(patching: pytest.MonkeyPatch) -> None:
    patching.setattr(work, "_sweep", lambda world: iter(()))


def _no_protection(patching: pytest.MonkeyPatch) -> None:
    plans = tuple(plan for plan in table.PLANS if plan.name != "protect")
    patching.setattr(table, "PLANS", plans)


DYING = msgspec.structs.replace(CRASHY, name="dying", crash_after_send=0.6, crashes=10)
"""A process that dies again and again, most often with an order on the way."""

ABLATIONS = (
    Ablation(
        name="intent not durable before send",
        profile="crashy",
        caught_by=("I2",),
        kind=SendsBeforeDurable,
    ),
    Ablation(name="halt not persisted", profile="crashy", caught_by=("I5",), kind=ForgetsHalt),
    Ablation(
        name="ambiguous submit sent again under a new id",
        profile="lossy",
        caught_by=("I1", "I3", "I7"),
        patch=_resends,
    ),
    Ablation(
        name="no gate in the last function",
        profile="hostile",
        caught_by=("I5", "I9", "error"),
        kind=NoLastGate,
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
        name="error read as empty", profile="hostile", caught_by=("I3",), kind=ErrorReadAsEmpty
    ),
    Ablation(
        name="late arrivals not waited for",
        profile="hostile",
        caught_by=("I1", "I3", "I7"),
        kind=NoLateBound,
    ),
    Ablation(
        name="earlier process not asked about",
        profile=DYING,
        caught_by=("I1", "I3", "I6", "I7"),
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
)
