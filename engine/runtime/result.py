"""What a command came to, read off the records it led to."""

import msgspec

from engine.domain import events as ev
from engine.domain.result import Result


def compared(records: list[ev.Record], proposed: tuple[ev.Event, ...]) -> Result:
    """What `reconcile --json` says: differences, and the events taken over or proposed."""
    taken = [r.event for r in records if isinstance(r.event, ev.OrderAdopted | ev.PositionAdjusted)]
    for record in reversed(records):
        if isinstance(record.event, ev.Reconciled):
            found = record.event
            if found.failed:
                return Result(ok=False, code="FAILED", error="the venue could not be read")
            return Result(
                ok=True,
                data={
                    "clean": found.clean,
                    "differences": [msgspec.to_builtins(d) for d in found.differences],
                    "events": [
                        {"type": type(e).__name__, "data": msgspec.to_builtins(e)}
                        for e in (*proposed, *taken)
                    ],
                },
            )
    return Result(ok=False, code="FAILED", error="the venue could not be compared")


def result_of(records: list[ev.Record]) -> Result:
    """Done, or refused with its code; with the ids of the orders that were made."""
    for record in records:
        match record.event:
            case ev.CommandRefused(code=code, reason=reason):
                return Result(ok=False, code=code, error=reason)
            case ev.OrderRefused() as refused:
                return Result(ok=False, code=refused.code, error=refused.reason)
            case _:
                pass
    ids = [r.event.terms.client_order_id for r in records if isinstance(r.event, ev.OrderIntended)]
    return Result(ok=True, data={"client_order_ids": ids} if ids else {})
