"""What is held or about to be held in the symbol (A-081..A-083, X-42)."""

from decimal import Decimal

from engine.domain.codes import Answer
from engine.domain.instrument import Instrument
from engine.domain.money import ZERO, plain
from engine.domain.signal import Signal
from engine.risk.facts.holding import Related
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
    instrument: Instrument,
    held: list[Position],
    opposing: Order | None,
    related: list[Related],
) -> Finding:
    """CONFLICT: neither held nor about to be held the other way round, in any account (X-87).

    A signal is a bet on the underlying, and must not be against what another symbol of that bets.
    A person's order may: it is how a holding is hedged.
    """
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
    against = _against(instrument, sign, related) if signal is not None and related else None
    return passed("none", f"nothing {other}") if against is None else against


def _against(instrument: Instrument, sign: int, related: list[Related]) -> Finding | None:
    """What other symbols of the underlying hold, or have working, that is a bet the other way
    round; None where there is nothing."""
    name, way = instrument.underlying, sign * instrument.lean
    wanted, other_way = ("rise", "fall") if way > 0 else ("fall", "rise")
    limit = f"nothing on a {other_way} of {name}"
    why = f"a bet on a {other_way} of {name}, and a signal in {instrument.symbol} is one on a "
    for other in related:
        for position in other.held:
            if position.sign * other.lean != way:
                quantity = plain(position.quantity)
                return refused(
                    f"{quantity} {other.symbol}",
                    limit,
                    f"{other.symbol} is held ({quantity} in {position.account}), {why}{wanted}: "
                    "it must be flat first.",
                )
        for order in other.entries:
            if order.side.sign * other.lean != way:
                return refused(
                    f"entry of {plain(order.leaves)} {other.symbol}",
                    limit,
                    f"An entry in {other.symbol} is working ({order.client_order_id}), {why}"
                    f"{wanted}.",
                )
    return None


def duplicate_position(
    symbol: str,
    account: str,
    signal: Signal | None,
    managed: bool,
    unlike: Position | Order | None,
    position: Position | None,
    held: list[Position],
    entries_working: int,
    related: list[Related],
    mark: Decimal | None,
    is_fresh: bool,
) -> Finding | None:
    """DUPLICATE_POSITION: nothing held or working in any account, unless it adds to a winner, once.

    Of everybody it is asked that what is managed and what is not never become one position (X-80);
    the rest is asked of signals alone. What another account holds is never added to here (X-87).
    What other symbols of the underlying hold is the same bet where the symbol itself is not held.
    """
    if unlike is not None:
        return _unlike(symbol, unlike, managed=managed)
    if signal is None:
        return None
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
        return _same_bet(symbol, account, related) if related else passed(0, 0)
    words = f"{symbol} is held ({plain(position.quantity)})"
    if position.exiting is not None:
        return refused("closing", "open", f"{words} and is being closed.")
    adds = position.adds + entries_working
    if adds >= MAX_ADDS:
        return refused(adds, MAX_ADDS - 1, f"{words} and was added to already; once is allowed.")
    return _winning(words, position, mark, is_fresh=is_fresh)


def _unlike(symbol: str, unlike: Position | Order, *, managed: bool) -> Finding:
    """An order may not add to what is managed otherwise (X-80)."""
    there, wanted = ("unmanaged", "managed") if managed else ("managed", "unmanaged")
    if isinstance(unlike, Position):
        what = f"{symbol} is held ({plain(unlike.quantity)})"
    else:
        what = f"An entry in {symbol} is working ({unlike.client_order_id})"
    owner = "as the operator said" if managed else "by the rules that manage what signals open"
    article = "an" if managed else "a"
    return refused(
        there, wanted, f"{what} and is managed {owner}; only {article} {there} order adds to it."
    )


def _same_bet(symbol: str, account: str, related: list[Related]) -> Finding:
    """The same of a bet that is made already in other symbols of the underlying: adding to it once,
    in one account, while all of it wins."""
    adds = -1
    found = passed(0, 0)
    for other in related:
        if other.entries:
            return refused(
                len(other.entries),
                0,
                f"An entry in {other.symbol} is working already, the same bet as {symbol}; one at "
                "a time.",
            )
        for position in other.held:
            quantity = plain(position.quantity)
            if position.account != account:
                return refused(
                    f"{quantity} {other.symbol} in {position.account}",
                    "nothing elsewhere",
                    f"{other.symbol} is held in {position.account} ({quantity}), the same bet as "
                    f"{symbol}; a signal opens it once.",
                )
            words = f"{other.symbol} is held ({quantity}), the same bet as {symbol},"
            if position.exiting is not None:
                return refused("closing", "open", f"{words} and is being closed.")
            adds += 1 + position.adds
            if adds >= MAX_ADDS:
                return refused(
                    adds, MAX_ADDS - 1, f"{words} and was added to already; once is allowed."
                )
            found = _winning(words, position, other.mark, is_fresh=other.is_fresh)
            if found.answer is not Answer.PASS:
                return found
    return found


def _winning(words: str, position: Position, mark: Decimal | None, *, is_fresh: bool) -> Finding:
    """Whether a position is in profit at a fresh price; `words` say what it is."""
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
