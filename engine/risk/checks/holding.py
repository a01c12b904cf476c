"""What is held or about to be held in the symbol (A-081..A-083, X-42)."""

from decimal import Decimal

from engine.domain.money import ZERO, plain
from engine.domain.signal import Signal
from engine.risk.finding import Finding, passed, refused
from engine.state.order import Order
from engine.state.position import Position

MAX_ADDS = 1
"""How often a position may be added to (A-082)."""


def conflict(
    symbol: str,
    sign: int,
    account: str,
    signal: Signal | None,
    held: list[Position],
    opposing: Order | None,
) -> Finding:
    """CONFLICT: neither held nor about to be held the other way round, in any account (X-87)."""
    wanted, other = ("long", "short") if sign > 0 else ("short", "long")
    for position in held:
        if position.sign == sign:
            continue
        quantity = abs(position.quantity)
        where = "" if position.account == account else f" in {position.account}"
        hint = (
            f"at most {plain(quantity)} less what is already being closed may be reduced in one "
            "order"
            if signal is None
            else "it must be flat first"
        )
        return refused(
            f"{other} {plain(quantity)}",
            f"nothing {other}",
            f"{symbol} is held {other} ({plain(quantity)}){where} and this order is {wanted}: "
            f"{hint}.",
        )
    if signal is None and any(p.is_closing and p.account == account for p in held):
        # The close takes every entry with it. Of signals DUPLICATE_POSITION says the same.
        return refused("closing", "open", f"{symbol} is being closed: what is added must wait.")
    if opposing is not None:
        return refused(
            f"{other} entry {plain(opposing.leaves)}",
            f"nothing {other}",
            f"A {other} entry in {symbol} is working ({opposing.client_order_id}).",
        )
    return passed("none", f"nothing {other}")


def duplicate_position(
    symbol: str,
    account: str,
    position: Position | None,
    held: list[Position],
    entries_working: int,
    mark: Decimal | None,
    is_fresh: bool,
) -> Finding:
    """DUPLICATE_POSITION: nothing held or working in any account, unless it adds to a winner, once.

    What another account holds is never added to here (X-87).
    """
    for elsewhere in held:
        if elsewhere.account != account:
            quantity = plain(elsewhere.quantity)
            return refused(
                f"{quantity} in {elsewhere.account}",
                "nothing elsewhere",
                f"{symbol} is held in {elsewhere.account} ({quantity}); a signal opens it once.",
            )
    if position is None:
        if entries_working:
            return refused(
                entries_working, 0, f"An entry in {symbol} is working already; one at a time."
            )
        return passed(0, 0)
    words = f"{symbol} is held ({plain(position.quantity)})"
    if position.exiting is not None:
        return refused("closing", "open", f"{words} and is being closed.")
    adds = position.adds + entries_working
    if adds >= MAX_ADDS:
        return refused(adds, MAX_ADDS - 1, f"{words} and was added to already; once is allowed.")
    if mark is None or not is_fresh:
        return refused("no fresh price", "> 0", f"{words}; adding needs a fresh price of it.")
    profit = position.unrealized(mark)
    if profit > ZERO:
        return passed(profit, "> 0")
    return refused(profit, "> 0", f"{words} and is not in profit; only a winner is added to.")


def slots(slots_used: int, has_slot: bool, limit: int) -> Finding:
    """MAX_POSITIONS: open positions and working entries, a slot each; adding takes none."""
    if has_slot or slots_used < limit:
        return passed(slots_used, limit)
    return refused(
        slots_used, limit, f"{slots_used} positions are open or being opened; {limit} are allowed."
    )
