"""What mode shadow measured, added up."""

import msgspec

from engine.domain import events as ev
from engine.domain.instant import Nanos
from engine.domain.money import ZERO
from engine.state.book import Book
from engine.state.folds.order_update import update_order
from engine.state.folds.rule import Rules


def _quoted(book: Book, event: ev.ShadowQuoted, at: Nanos) -> None:
    order = book.order_in(event.account, event.client_order_id)
    if order is not None:
        update_order(book, order, at, seen=event.quote)


def _filled(book: Book, event: ev.ShadowFilled, at: Nanos) -> None:
    totals = book.data.shadow
    fields: dict[str, object] = {"fills": totals.fills + 1}
    if event.slippage is not None and event.cost is not None:
        cost = totals.cost.get(event.currency, ZERO) + event.cost
        fields |= {
            "measured": totals.measured + 1,
            "slippage": totals.slippage + event.slippage,
            "cost": totals.cost | {event.currency: cost},
        }
    if event.drift is not None:
        fields |= {"drifted": totals.drifted + 1, "drift": totals.drift + event.drift}
    book.data.shadow = msgspec.structs.replace(totals, **fields)


RULES: Rules = {ev.ShadowQuoted: _quoted, ev.ShadowFilled: _filled}
