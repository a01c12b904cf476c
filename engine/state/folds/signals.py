"""What asked for a trade, from its arrival to its outcome (U-30)."""

import msgspec

from engine.domain import events as ev
from engine.domain.codes import Code, Outcome, Stage, Verdict
from engine.domain.instant import NS_PER_SECOND, Nanos
from engine.state.book import Book
from engine.state.folds.rule import Rules
from engine.state.recent import swept
from engine.state.touched import (
    SignalEntry,
    SignalLate,
    SignalsTurnedAway,
)

WINDOW_KEPT = 8_192
WINDOW_AGE = 24 * 3600 * NS_PER_SECOND
"""Contents of signals older than this are dropped once there are many; no window is longer."""


def _input_rejected(book: Book, event: ev.InputRejected, at: Nanos) -> None:
    _count(book, Code.INVALID_INPUT)
    book.touch(
        SignalEntry(
            seq=book.data.seq,
            time=at,
            signal_id=event.input_id,
            verdict=Verdict.REJECTED,
            outcome=Outcome.REJECTED,
            stage=Stage.INTAKE,
            code=Code.INVALID_INPUT,
            reason=event.reason,
        )
    )


def _received(book: Book, event: ev.SignalReceived, at: Nanos) -> None:
    signal = event.signal
    entry = SignalEntry(
        seq=book.data.seq,
        time=at,
        signal_id=signal.signal_id,
        symbol=signal.ticker,
        signal=signal,
    )
    book.data.heard[signal.signal_id] = entry
    book.touch(entry)


def _decided(book: Book, event: ev.SignalDecided, at: Nanos) -> None:
    data = book.data
    rejected = event.verdict is Verdict.REJECTED
    if not rejected:
        book.seen_signals.add(event.signal_id)  # accepted once, ever
    if event.content:
        data.window = swept(data.window, at - WINDOW_AGE, least=WINDOW_KEPT)
        data.window[event.content] = at
    heard = data.heard.pop(event.signal_id, None) or SignalEntry(
        seq=data.seq, time=at, signal_id=event.signal_id, symbol=event.symbol
    )
    entry = msgspec.structs.replace(
        heard,
        verdict=event.verdict,
        outcome=Outcome.REJECTED if rejected else None,
        stage=event.stage,
        code=event.code,
        measured=event.measured,
        limit=event.limit,
        reason=event.reason,
        orders=event.client_order_ids,
    )
    book.touch(entry)
    if rejected:
        _count(book, event.code)
    else:
        data.signals[event.signal_id] = entry
        if event.queued_until:
            data.queued[event.signal_id] = event.queued_until


def _ended(book: Book, event: ev.SignalEnded, at: Nanos) -> None:
    data = book.data
    data.queued.pop(event.signal_id, None)
    if event.previous:
        _count(book, event.previous, -1)
        if not data.outcomes[event.previous]:
            del data.outcomes[event.previous]
    executed = event.outcome in (Outcome.EXECUTED, Outcome.RESIZED)
    _count(book, event.outcome if executed or not event.code else event.code)
    stage = Stage.COMPLETED if executed else Stage.ORDER
    entry = data.signals.get(event.signal_id)
    if entry is None:
        late = SignalLate(
            signal_id=event.signal_id,
            outcome=event.outcome,
            stage=stage,
            code=event.code,
            reason=event.reason,
        )
        book.touch(late)
        return
    entry = msgspec.structs.replace(
        entry, outcome=event.outcome, stage=stage, code=event.code, reason=event.reason
    )
    book.touch(entry)
    if book.concerns(entry):
        data.signals[event.signal_id] = entry
    else:
        del data.signals[event.signal_id]


def _refused(book: Book, event: ev.SignalsRefused, at: Nanos) -> None:
    _count(book, event.code, len(event.refusals))
    book.data.refused_at = at
    book.touch(SignalsTurnedAway(seq=book.data.seq, event=event))


def _count(book: Book, code: str, number: int = 1) -> None:
    book.data.outcomes[code] = book.data.outcomes.get(code, 0) + number


RULES: Rules = {
    ev.InputRejected: _input_rejected,
    ev.SignalReceived: _received,
    ev.SignalDecided: _decided,
    ev.SignalEnded: _ended,
    ev.SignalsRefused: _refused,
}
