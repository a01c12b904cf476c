"""What a process, a pause and a halt change (U-41, U-71)."""

from engine.domain import events as ev
from engine.domain.instant import Nanos
from engine.domain.run import KillState, LinkState, Phase, Trigger
from engine.state.account import LinkStatus
from engine.state.answers import keep
from engine.state.book import Book
from engine.state.folds.rule import Rules
from engine.state.portfolio import Restriction
from engine.state.touched import HaltSet, KillShown, RunChanged


def _started(book: Book, event: ev.EngineStarted, at: Nanos) -> None:
    book.touch(RunChanged())
    data = book.data
    data.mode, data.primary = event.mode, event.primary
    data.base_currency, data.calendar = event.base_currency, event.calendar
    data.phase, data.started_at = Phase.STARTING, at
    data.keeps_day = event.keeps_day
    for account in data.accounts.values():
        account.open = False
        account.link = None
    for name, identity in event.accounts.items():
        is_new = name not in data.accounts
        account = book.enter(name)
        if is_new and data.halt is not None:
            account.stop(data.halt, at, raised=False)
        account.id, account.open = identity, True
        account.link = LinkStatus(state=LinkState.CONNECTING, since=at)
        account.compared = False
        account.unsettled = {}
        account.snapshot_asked = 0
        account.silent_since = 0


def _phase(book: Book, event: ev.PhaseChanged, at: Nanos) -> None:
    book.touch(RunChanged())
    book.data.phase = event.phase
    if event.phase is Phase.RUNNING:
        book.data.running_at = at


def _paused(book: Book, event: ev.Paused, at: Nanos) -> None:
    book.touch(RunChanged())
    book.data.paused, book.data.pause_reason = True, event.reason


def _unpaused(book: Book, event: ev.Unpaused, at: Nanos) -> None:
    book.touch(RunChanged())
    book.data.paused, book.data.pause_reason = False, ""


def _answered(book: Book, event: ev.CommandAnswered, at: Nanos) -> None:
    # An answer that is given again is the one that is kept already.
    if book.seen_commands.add(event.intent_id):
        keep(book.data.answers, event, at)


def _restricted(book: Book, event: ev.Restricted, at: Nanos) -> None:
    book.touch(RunChanged())
    if event.account:
        book.enter(event.account).barred[event.cause] = event.reason
        return
    book.data.restrictions[event.cause] = Restriction(reason=event.reason, until=event.until)


def _unrestricted(book: Book, event: ev.Unrestricted, at: Nanos) -> None:
    book.touch(RunChanged())
    if event.account:
        book.enter(event.account).barred.pop(event.cause, None)
        return
    book.data.restrictions.pop(event.cause, None)
    if event.cause is Trigger.JOURNAL:
        book.data.journal_failed = False
    if event.cause is Trigger.LOSS_STREAK:
        book.data.loss_streak = 0


def _halted(book: Book, event: ev.Halted, at: Nanos) -> None:
    data, halt = book.data, event.halt
    book.touch(RunChanged())
    book.touch(HaltSet(halt=halt))
    raised = data.halt is not None
    data.halt, data.epoch = halt, halt.epoch
    if data.session is not None:
        data.session.halted = True
    for account in book.accounts:
        account.stop(halt, at, raised=raised)


def _halt_cleared(book: Book, event: ev.HaltCleared, at: Nanos) -> None:
    book.touch(RunChanged())
    data = book.data
    data.halt = None
    for account in data.accounts.values():
        account.kill = None
        account.stopped = []
    data.paused, data.pause_reason = True, "halt cleared"
    data.loss_streak = 0


def _loss_accepted(book: Book, event: ev.LossAccepted, at: Nanos) -> None:
    book.touch(RunChanged())
    book.data.peak_equity = event.after


def _fired(book: Book, event: ev.TriggerFired, at: Nanos) -> None:
    session = book.data.session
    book.data.alerted[event.trigger] = str(session.date) if session else ""
    if event.trigger is Trigger.JOURNAL:
        book.data.journal_failed = True


def _signed_off(book: Book, event: ev.SignedOff, at: Nanos) -> None:
    book.data.sign_offs[event.sign_off.kind] = event.sign_off


def _kill_progressed(book: Book, event: ev.KillProgressed, at: Nanos) -> None:
    book.touch(KillShown(at=at, event=event), event.account)
    kill = book.enter(event.account).kill
    if kill is not None:
        kill.clean_reads = event.clean_reads
        if kill.state == KillState.VERIFIED and not event.clean_reads:
            kill.state, kill.started_at = KillState.WORKING, at
        if event.clean_reads == 1:
            kill.clean_since = at


def _kill_proved(book: Book, event: ev.KillProved, at: Nanos) -> None:
    book.touch(KillShown(at=at, event=event), event.account)
    kill = book.enter(event.account).kill
    if kill is not None:
        kill.state = event.state
        if event.state == KillState.VERIFIED:
            kill.reduced = {}  # what is listed from now on is no late list of before


RULES: Rules = {
    ev.EngineStarted: _started,
    ev.PhaseChanged: _phase,
    ev.Paused: _paused,
    ev.Unpaused: _unpaused,
    ev.CommandAnswered: _answered,
    ev.Restricted: _restricted,
    ev.Unrestricted: _unrestricted,
    ev.Halted: _halted,
    ev.HaltCleared: _halt_cleared,
    ev.LossAccepted: _loss_accepted,
    ev.TriggerFired: _fired,
    ev.SignedOff: _signed_off,
    ev.KillProgressed: _kill_progressed,
    ev.KillProved: _kill_proved,
}
