"""The venue's history of cash: what of it is booked, and what a person leaves out (X-69, X-75)."""

from collections.abc import Iterator

from engine.domain import events as ev
from engine.domain.account import MovementKind, VenueSnapshot
from engine.domain.inputs import SnapshotTaken
from engine.domain.money import ZERO, plain
from engine.domain.run import Severity
from engine.world import World


def taken_in(world: World, given: SnapshotTaken) -> Iterator[ev.Event]:
    """Book what the history says; a person who takes the venue's side leaves out the rest of it."""
    yield from _booked(world, given.snapshot)
    if given.apply:
        yield from left_out(world, given.snapshot, given.by)


def _booked(world: World, snapshot: VenueSnapshot) -> Iterator[ev.Event]:
    """Book the cash that moved without a trade, as the venue's account history says: transfers as
    flows, everything else as realised."""
    account = world.book.account(snapshot.account)
    for moved in snapshot.movements:
        if moved.movement_id in account.cash_movements or moved.time < account.known_since:
            continue
        yield ev.CashMoved(
            account=snapshot.account,
            movement_id=moved.movement_id,
            kind=moved.kind,
            currency=moved.currency,
            amount=moved.amount,
            rate=world.currencies.worth.get(moved.currency) or ZERO,
            time=moved.time,
        )
        if moved.kind is MovementKind.TRANSFER:
            yield ev.Alarmed(
                code="CASH_FLOW",
                severity=Severity.WARNING,
                subject=snapshot.account,
                text=f"{plain(moved.amount)} {moved.currency} were transferred",
            )


def left_out(world: World, snapshot: VenueSnapshot, by: str) -> Iterator[ev.CashMovementLeftOut]:
    """The decision of the person `by` on each line of the history that cannot be read: it is not
    waited for any more, and what it moved is cash that nothing explains (X-69)."""
    for movement_id, fault in _undecided(world, snapshot).items():
        yield ev.CashMovementLeftOut(
            account=snapshot.account, movement_id=movement_id, fault=fault, by=by
        )


def is_whole(world: World, snapshot: VenueSnapshot) -> bool:
    """Whether the history is known as far as cash can be compared with it: it was told, and each
    line that cannot be read is left out."""
    return not snapshot.history_fault and not _undecided(world, snapshot)


def _undecided(world: World, snapshot: VenueSnapshot) -> dict[str, str]:
    """Why a line cannot be read, by its id, of those that are neither booked nor left out."""
    known = world.book.account(snapshot.account).cash_movements
    return {key: fault for key, fault in snapshot.unread_movements.items() if key not in known}
