"""Is there a price to lean on, a stop that makes sense, and something to sell?"""

from decimal import Decimal

from engine.domain.money import is_positive, plain
from engine.risk.case import Case, Finding, Limit, fraction, passed, refused
from engine.risk.guard import in_seconds


def known_price(case: Case, _: Limit) -> Finding | None:
    """NO_PRICE: the market said a usable price at least once (U-53)."""
    if case.mark is None:
        last = case.world.market.mark(case.symbol)
        seen = "none" if last is None else plain(last) if last.is_finite() else str(last)
        return refused(seen, "> 0", f"There is no price of {case.symbol}.")
    return passed(case.mark, "> 0")


def fresh_price(case: Case, limit: Limit) -> Finding | None:
    """STALE_QUOTE: the newest price is fresh; one from a bar until `limit` s after the next is due.

    (X-68.)
    """
    market = case.world.market
    quote = market.quotes.get(case.symbol)
    age = market.age(case.symbol, case.now)
    if quote is None or age is None:
        return refused("none", limit, f"There is no price of {case.symbol}.")
    allowed = in_seconds(quote.stale_at - quote.time) if quote.stale_at else Decimal(limit)
    if market.is_fresh(case.symbol, case.now):
        return passed(in_seconds(age), allowed)
    return refused(
        in_seconds(age),
        allowed,
        f"The newest price of {case.symbol} is {plain(in_seconds(age))} s old; "
        f"{plain(allowed)} s are allowed.",
    )


def valid_stop(case: Case, _: Limit) -> Finding | None:
    """INVALID_STOP: the stop lies on the losing side of the entry and of the market (A-101).

    A person's order may have none; what it has must make sense.
    """
    if case.signal is None and case.stop is None:
        return None
    below, word = case.sign > 0, "below" if case.sign > 0 else "above"
    stop, entries = case.stop, [case.entry]
    if case.signal is not None:
        entries.append(case.signal.entry_price)
    if not is_positive(stop) or stop is None:
        return refused("none" if stop is None else str(stop), word, "The stop is no usable price.")
    for entry in entries:
        if entry is None or not is_positive(entry):
            return refused(
                "none" if entry is None else str(entry), "> 0", "There is no entry price."
            )
        if (stop >= entry) if below else (stop <= entry):
            return refused(
                stop,
                f"{word} {plain(entry)}",
                f"A stop at {plain(stop)} is not {word} the entry at {plain(entry)}.",
            )
    nearest = min(e for e in entries if e) if below else max(e for e in entries if e)
    return passed(stop, f"{word} {plain(nearest)}")


def valid_target(case: Case, _: Limit) -> Finding | None:
    """INVALID_TARGET: the target lies on the winning side of the entry and of the market (X-96)."""
    target = case.target
    if target is None:
        return None
    above, word = case.sign > 0, "above" if case.sign > 0 else "below"
    if not is_positive(target):
        return refused(str(target), word, "The target is no usable price.")
    entries = [case.entry, *([case.signal.entry_price] if case.signal is not None else [])]
    for entry in entries:
        if entry is not None and ((target <= entry) if above else (target >= entry)):
            return refused(
                target,
                f"{word} {plain(entry)}",
                f"A target at {plain(target)} is not {word} the entry at {plain(entry)}.",
            )
    return passed(target, word)


def sound_instrument(case: Case, _: Limit) -> Finding | None:
    """NO_CONTRACT: the facts of the instrument fit each other, and its last day is not over."""
    if case.instrument.fault:
        return refused("unusable facts", "facts that fit", case.instrument.fault)
    last = case.instrument.last_day
    if last is None:
        return None
    if case.calendar is None:
        text = f"Without a calendar nobody knows whether {case.symbol} still trades."
        return refused("no calendar", "a calendar", text)
    today = case.calendar.session_date(case.now)
    if today > last:
        return refused(str(today), str(last), f"{case.symbol} traded until {last}.")
    return passed(str(today), str(last))


def shortable(case: Case, _: Limit) -> Finding | None:
    """NOT_SHORTABLE: what is sold without being held can be sold short, here."""
    if case.sign > 0:
        return None
    if not case.instrument.shortable:
        return refused("no", "shortable", f"{case.symbol} cannot be sold short.")
    if not case.world.able(case.account).shorting:
        return refused("no", "shortable", "The broker does not sell short.")
    return passed("shortable", "shortable")


def collar(case: Case, limit: Limit) -> Finding | None:
    """PRICE_COLLAR: every price the order leans on lies within `limit` of the last price."""
    mark = case.mark
    if mark is None:
        return refused("none", limit, f"There is no price of {case.symbol} to compare with.")
    asked = [price for price in (case.limit_price, case.stop_price) if price is not None]
    if not asked and case.signal is not None:
        asked = [case.signal.entry_price]
    worst = max(asked, key=lambda price: abs(price - mark), default=mark)
    away = abs(worst - mark)
    measured = fraction(away, mark, up=True)
    if away <= limit * mark:
        return passed(measured, limit)
    return refused(
        measured,
        limit,
        f"{plain(worst)} is {plain(measured)} away from the last price {plain(mark)}; "
        f"{plain(limit)} is allowed.",
    )
