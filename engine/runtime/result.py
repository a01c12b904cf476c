"""What a command came to, read off the records it led to."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from engine.core.second_look import COMPARE_AGAIN
from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.codes import Code
from engine.domain.money import plain
from engine.domain.result import Result
from engine.domain.schema import account_of
from engine.intake.remarks import REMARKS
from engine.runtime.journal_watch import DURABLE_SECONDS, Written
from engine.state.book import Book

_WHAT = {ask.Protect.__name__: "stop", ask.SetTarget.__name__: "target"}

_TAKEN_OVER = (
    ev.OrderAdopted
    | ev.PositionAdjusted
    | ev.CashAdjusted
    | ev.CashMovementLeftOut
    | ev.OrderFilled
)


def _is_taken(event: ev.Event) -> bool:
    """Whether it takes the venue's side; a fill does where no venue told it."""
    return not isinstance(event, ev.OrderFilled) or event.fill.is_assumed


def compared(
    records: list[ev.Record],
    proposed: tuple[ev.Event, ...],
    cash: Mapping[str, Mapping[str, Decimal]],
    *,
    doubtful: bool,
    missing: Sequence[str],
) -> Result:
    """What `reconcile --json` says: differences, and the events taken over or proposed.

    `cash` is by account and currency what differs of it now and is unexplained, and `unexplained`
    is there where that is anything (X-75). `doubtful`: a venue's balances cannot be true, or its
    history of cash cannot be read, so that its cash was not compared. With either it is not clean.
    `doubted` is there where a holding differs of which something moves: it is compared later.
    `notes` is there where something was not taken over, was `missing` in what a venue said, or is
    left out of its history of cash from now on: a sentence on each (X-69, X-75).
    """
    taken = [r.event for r in records if isinstance(r.event, _TAKEN_OVER) and _is_taken(r.event)]
    found = [r.event for r in records if isinstance(r.event, ev.Reconciled)]
    if not found:
        return Result(ok=False, code="FAILED", error="the venue could not be compared")
    unread = [one.account for one in found if one.failed]
    if unread:
        words = f"the venue of {', '.join(unread)} could not be read"
        return Result(ok=False, code="FAILED", error=words)
    doubted = _rows((one.account, one.doubted or ()) for one in found)
    unexplained = [
        {"broker": account, "symbol": "", "currency": currency, "quantity": plain(amount)}
        for account, amounts in cash.items()
        for currency, amount in amounts.items()
    ]
    alarms = [r.event for r in records if isinstance(r.event, ev.Alarmed)]
    left = [one for one in taken if isinstance(one, ev.CashMovementLeftOut)]
    notes = [
        *missing,
        *map(_left_out, left),
        *(alarm.text for alarm in alarms if alarm.code == COMPARE_AGAIN),
    ]
    return Result(
        ok=True,
        data={
            "clean": not (doubtful or unexplained)
            and all(one.clean and not one.doubted for one in found),
            "differences": _rows((one.account, one.differences) for one in found),
            **({"doubted": doubted} if doubted else {}),
            **({"unexplained": unexplained} if unexplained else {}),
            **({"notes": notes} if notes else {}),
            "events": [
                {"type": type(e).__name__, "data": msgspec.to_builtins(e), "broker": account_of(e)}
                for e in (*proposed, *taken)
            ],
        },
    )


def _left_out(line: ev.CashMovementLeftOut) -> str:
    return (
        f"a line of the history of cash at {line.account} is left out from now on, and what it "
        f"moved counts as cash that nothing explains: {line.fault}"
    )


def _rows(found: Iterable[tuple[str, Iterable[ev.Difference]]]) -> list[dict[str, Any]]:
    return [
        msgspec.to_builtins(difference) | {"broker": account}
        for account, differences in found
        for difference in differences
    ]


def _changed(client_order_id: str, events: Sequence[ev.Event]) -> dict[str, Any]:
    """What `modify --json` says (X-88): the order that counts from now on, and how it was made.

    `cancelled` is there where the change cancels: no more than has filled is wanted.
    """
    asked = [event for event in events if isinstance(event, ev.ReplaceRequested)]
    cancelled = any(isinstance(event, ev.CancelRequested) for event in events)
    return {
        "client_order_id": (asked[0].new_client_order_id if asked else "") or client_order_id,
        "orig_client_order_id": client_order_id,
        "native": asked[0].native if asked else not cancelled,
        **({"cancelled": True} if cancelled and not asked else {}),
    }


def _moved(moved: ev.StopMoved | ev.TargetMoved, events: Sequence[ev.Event]) -> dict[str, Any]:
    """What `protect --json` and `target --json` say (X-85): what stood before and what does now,
    None for nothing, with the orders that it made."""
    what = _WHAT[
        ask.Protect.__name__ if isinstance(moved, ev.StopMoved) else ask.SetTarget.__name__
    ]
    prices = (None if p is None else plain(p) for p in (moved.after, moved.before))
    ids = [event.terms.client_order_id for event in events if isinstance(event, ev.OrderIntended)]
    return {
        "symbol": moved.symbol,
        "broker": moved.account,
        **dict(zip((what, "before"), prices, strict=True)),
        **({"client_order_ids": ids} if ids else {}),
    }


def _told(events: Sequence[ev.Event]) -> dict[str, Any] | None:
    """The answer of a command that has one of its own; None for any other."""
    acted = next((event for event in events if isinstance(event, ev.OperatorActed)), None)
    if acted is not None and acted.command == ask.ModifyOrder.__name__:
        return _changed(acted.args["client_order_id"], events)
    for event in events:
        if isinstance(event, ev.StopMoved | ev.TargetMoved):
            return _moved(event, events)
        if isinstance(event, ev.Paused):
            return {"entries_working": event.entries_working}
    if acted is not None and (what := _WHAT.get(acted.command)):
        price = acted.args.get("price") or None
        return {"symbol": acted.args["symbol"], what: price, "before": price}
    return None


def result_of(records: list[ev.Record]) -> Result:
    """Done, or refused with its code; with the ids of the orders that were made."""
    for record in records:
        match record.event:
            case ev.CommandRefused(code=code, reason=reason):
                return Result(ok=False, code=code, error=reason)
            case ev.CommandAnswered(code=code, reason=reason) if code:
                return Result(ok=False, code=code, error=reason)
            case ev.OrderRefused() as refused:
                return Result(ok=False, code=refused.code, error=refused.reason)
            case _:
                pass
    events = [record.event for record in records]
    changes = any(isinstance(e, ev.ReplaceRequested) and e.adds_exposure for e in events)
    told = _told(events)
    if told is not None:
        return Result(ok=True, data=told, changes=changes)
    ids = [event.terms.client_order_id for event in events if isinstance(event, ev.OrderIntended)]
    # Made as soon as its stop has made room for it, under this id.
    opened = [event for event in events if isinstance(event, ev.IntentOpened)]
    waiting = [leg.client_order_id for event in opened for leg in event.legs]
    ids += [key for key in waiting if key not in ids]
    answers = [event for event in events if isinstance(event, ev.CommandAnswered)]
    ids += [key for event in answers for key in event.client_order_ids if key not in ids]
    data: dict[str, Any] = {"client_order_ids": ids} if ids else {}
    if ids and _only_reduces(events):
        data["reduces"] = True
    notes = [e.text for e in events if isinstance(e, ev.Alarmed) and e.code in REMARKS]
    if notes:
        data["notes"] = notes
    return Result(ok=True, data=data, orders=_new_orders(events))


def settled(told: Result, written: Written, book: Book) -> Result:
    """What a command came to, once it is known what became of its decision in the journal.

    Without that being durable, an order or a change of one that adds exposure did not leave, and
    the command did not succeed (fault 29): its code is NOT_SENT where it never will leave for it,
    NO_ANSWER where it may. `data["durable"]` is False for what was done all the same.
    """
    if written is Written.DONE:
        return told
    told = msgspec.structs.replace(told, data=told.data | {"durable": False})
    if not told.ok:
        return told
    orders = [order for order in map(book.order, told.orders) if order is not None]
    if not told.changes and not any(order.adds_exposure and not order.sent_at for order in orders):
        return told
    if written is Written.LATE:
        words = f"not sent within {DURABLE_SECONDS} s: it leaves only once the journal is written"
        return Result(ok=False, code="NO_ANSWER", error=words)
    words = "not sent: the journal cannot be written"
    if not told.data.get("native", True):
        words += "; the cancel that makes room for the changed order was asked for"
    return Result(ok=False, code=Code.NOT_SENT, error=words)


def _new_orders(events: Sequence[ev.Event]) -> tuple[str, ...]:
    """The orders that a command made or, asked again, had made the first time."""
    keys: list[str] = []
    for event in events:
        match event:
            case ev.OrderIntended(terms=terms):
                keys.append(terms.client_order_id)
            case ev.CommandAnswered(client_order_ids=ids):
                keys += ids
            case _:
                pass
    return tuple(dict.fromkeys(keys))


def _only_reduces(events: Sequence[ev.Event]) -> bool:
    """Whether a person's order opens nothing and adds to nothing: it needs no stop of its own."""
    made = [event.terms for event in events if isinstance(event, ev.OrderIntended)]
    made += [leg for event in events if isinstance(event, ev.IntentOpened) for leg in event.legs]
    placed = any(
        isinstance(event, ev.OperatorActed) and event.command == ask.PlaceOrder.__name__
        for event in events
    )
    return placed and bool(made) and not any(terms.adds_exposure for terms in made)
