"""What is held or about to be held in the symbol (A-081..A-083, X-42)."""

from engine.domain.money import ZERO, plain
from engine.risk.case import Case, Finding, Limit, passed, refused

MAX_ADDS = 1
"""How often a position may be added to (A-082)."""


def conflict(case: Case, _: Limit) -> Finding | None:
    """CONFLICT: neither held nor about to be held the other way round, in any account (X-87)."""
    wanted = "long" if case.sign > 0 else "short"
    other = "short" if case.sign > 0 else "long"
    book = case.world.book
    for position in book.held(case.symbol):
        if position.sign == case.sign:
            continue
        held = abs(position.quantity)
        where = "" if position.account == case.account else f" in {position.account}"
        hint = (
            f"at most {plain(held)} less what is already being closed may be reduced in one order"
            if case.signal is None
            else "it must be flat first"
        )
        return refused(
            f"{other} {plain(held)}",
            f"nothing {other}",
            f"{case.symbol} is held {other} ({plain(held)}){where} and this order is {wanted}: "
            f"{hint}.",
        )
    against = book.entries_in(case.symbol) if book.count_entries(case.symbol, -case.sign) else ()
    for order in against:
        if order.side.sign != case.sign:
            return refused(
                f"{other} entry {plain(order.leaves)}",
                f"nothing {other}",
                f"A {other} entry in {case.symbol} is working ({order.client_order_id}).",
            )
    return passed("none", f"nothing {other}")


def duplicate_position(case: Case, _: Limit) -> Finding | None:
    """DUPLICATE_POSITION: nothing held or working in any account, unless it adds to a winner, once.

    What another account holds is never added to here (X-87).
    """
    book, position = case.world.book, case.position
    working = sum(book.count_entries(case.symbol, sign) for sign in (1, -1))
    for elsewhere in book.held(case.symbol):
        if elsewhere.account != case.account:
            held = plain(elsewhere.quantity)
            return refused(
                f"{held} in {elsewhere.account}",
                "nothing elsewhere",
                f"{case.symbol} is held in {elsewhere.account} ({held}); a signal opens it once.",
            )
    if position is None:
        if working:
            return refused(
                working, 0, f"An entry in {case.symbol} is working already; one at a time."
            )
        return passed(0, 0)
    held = f"{case.symbol} is held ({plain(position.quantity)})"
    if position.exiting is not None:
        return refused("closing", "open", f"{held} and is being closed.")
    adds = position.adds + working
    if adds >= MAX_ADDS:
        return refused(adds, MAX_ADDS - 1, f"{held} and was added to already; once is allowed.")
    mark = case.mark
    if mark is None or not case.world.market.is_fresh(case.symbol, case.now):
        return refused("no fresh price", "> 0", f"{held}; adding needs a fresh price of it.")
    profit = position.unrealized(mark)
    if profit > ZERO:
        return passed(profit, "> 0")
    return refused(profit, "> 0", f"{held} and is not in profit; only a winner is added to.")


def slots(case: Case, limit: Limit) -> Finding | None:
    """MAX_POSITIONS: open positions and working entries, a slot each; adding takes none."""
    book = case.world.book
    used = book.slots_used
    if book.held(case.symbol) or case.symbol in book.reserved:
        return passed(used, limit)
    if used < limit:
        return passed(used, limit)
    return refused(used, limit, f"{used} positions are open or being opened; {limit} are allowed.")
