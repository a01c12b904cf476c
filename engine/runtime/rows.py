"""Lists of a venue that name one thing in several rows: holdings are added up, and an order that
they state differently is none that can be believed (A-370, C-126, faults 42, 46 and 49)."""

from collections.abc import Iterable
from decimal import Decimal

from engine.domain.account import VenueOrder, VenuePosition
from engine.domain.money import ZERO


def net_positions(rows: Iterable[VenuePosition]) -> tuple[VenuePosition, ...]:
    """The holdings, one for each symbol: lots, models and the legs of a hedge are added up.

    `rows` are signed, with sound numbers. The average price is that of the rows on the side of the
    sum, weighted by their quantities; the mark is the first that one of them states.
    """
    by_symbol: dict[str, list[VenuePosition]] = {}
    for row in rows:
        by_symbol.setdefault(row.symbol, []).append(row)
    return tuple(same[0] if len(same) == 1 else _net(same) for same in by_symbol.values())


def _net(rows: list[VenuePosition]) -> VenuePosition:
    quantity = sum((row.quantity for row in rows), start=ZERO)
    side = [row for row in rows if row.quantity * quantity > 0] or rows
    return VenuePosition(
        symbol=rows[0].symbol,
        quantity=quantity,
        average_price=_mean(side),
        mark=next((row.mark for row in side if row.mark is not None), None),
    )


def _mean(rows: list[VenuePosition]) -> Decimal:
    """The average price of rows of one side, exact where they all state the same."""
    first, *others = rows
    held = sum((row.quantity for row in rows), start=ZERO)
    if not held or all(row.average_price == first.average_price for row in others):
        return first.average_price
    cost = sum((row.quantity * row.average_price for row in rows), start=ZERO)
    return cost / held


def contradicted_orders(rows: Iterable[VenueOrder]) -> dict[str, str]:
    """By symbol, why what is listed of its orders cannot be believed: one of them is in two rows
    that differ, as where it moved while the list was being read. The same row again is no harm."""
    known: dict[tuple[str, str, str, str], VenueOrder] = {}
    found: dict[str, str] = {}
    for row in rows:
        key = (row.client_order_id, row.venue_order_id, row.symbol, row.side)
        before = known.setdefault(key, row)
        if before != row:
            name = row.client_order_id or row.venue_order_id
            differing = ", ".join(
                f"{field} {getattr(before, field)} and {getattr(row, field)}"
                for field in row.__struct_fields__
                if getattr(before, field) != getattr(row, field)
            )
            found[row.symbol] = (
                f"order {name} in {row.symbol} is listed twice, with {differing}; "
                "one row for each order is allowed"
            )
    return found
