"""What a look at a venue, and its link, change (A-372)."""

from engine.domain import events as ev
from engine.domain.instant import Nanos
from engine.domain.run import LinkState
from engine.state.account import LinkStatus
from engine.state.book import Book
from engine.state.folds.rule import Rules
from engine.state.holdings import adjusted
from engine.state.touched import AccountSeen, RunChanged, TradeVanished


def _snapshot_requested(book: Book, event: ev.SnapshotRequested, at: Nanos) -> None:
    book.enter(event.account).snapshot_asked = at


def _reconciled(book: Book, event: ev.Reconciled, at: Nanos) -> None:
    book.touch(AccountSeen(account=event.account), event.account)
    book.hear(event.account, at)
    account = book.enter(event.account)
    account.reconciled_at, account.reconciled_clean = at, event.clean
    account.reconcile_reason, account.differences = event.reason, event.differences
    account.look_failed = event.failed
    if event.clean and not event.failed:
        account.clean_at = at
    if not event.failed:
        account.compared, account.seen_at = True, at
        account.unsettled = {s: account.unsettled.get(s, at) for s in event.unsettled}
    account.snapshot_asked = 0


def _adjusted(book: Book, event: ev.PositionAdjusted, at: Nanos) -> None:
    seq = book.data.seq
    previous = book.holding(event.account, event.symbol)
    new = adjusted(
        previous,
        symbol=event.symbol,
        account=event.account,
        quantity=event.quantity,
        price=event.price,
        mult=event.multiplier,
        seq=seq,
        at=at,
    )
    if previous is not None and (new is None or new.position_id != previous.position_id):
        gone = TradeVanished(seq=seq, position_id=previous.position_id, reason=event.reason)
        book.touch(gone, event.account)
    book.hold(event.account, event.symbol, new)
    book.mark(event.symbol, event.price)


def _blocked(book: Book, event: ev.SymbolBlocked, at: Nanos) -> None:
    book.touch(RunChanged())
    blocked = book.enter(event.account).blocked
    blocked.setdefault(event.symbol, {})[event.cause] = event.reason


def _unblocked(book: Book, event: ev.SymbolUnblocked, at: Nanos) -> None:
    book.touch(RunChanged())
    blocked = book.enter(event.account).blocked
    causes = blocked.get(event.symbol)
    if causes is not None:
        causes.pop(event.cause, None)
        if not causes:
            del blocked[event.symbol]


def _silent(book: Book, event: ev.VenueSilent, at: Nanos) -> None:
    book.touch(RunChanged())
    book.enter(event.account).silent_since = event.since


def _link(book: Book, event: ev.LinkChanged, at: Nanos) -> None:
    book.touch(RunChanged())
    account = book.enter(event.account)
    account.link = LinkStatus(state=event.state, since=at, detail=event.detail)
    account.silent_since = 0
    if event.state is not LinkState.CONNECTED:
        account.compared = False
        account.unsettled = {}


RULES: Rules = {
    ev.SnapshotRequested: _snapshot_requested,
    ev.Reconciled: _reconciled,
    ev.PositionAdjusted: _adjusted,
    ev.SymbolBlocked: _blocked,
    ev.SymbolUnblocked: _unblocked,
    ev.VenueSilent: _silent,
    ev.LinkChanged: _link,
}
