"""Is there a price to lean on, a stop that makes sense, and something to sell?"""

from decimal import Decimal

from engine.calendars import Calendar
from engine.domain.codes import Answer
from engine.domain.instant import Nanos
from engine.domain.instrument import Instrument
from engine.domain.market import Quote
from engine.domain.money import ZERO, is_positive, plain
from engine.domain.signal import Signal
from engine.ports import Capabilities
from engine.risk.facts.market import Spot
from engine.risk.finding import Finding, fitting, fraction, in_seconds, passed, percent, refused
from engine.sizing.added import AddedRisk


def known_price(
    symbol: str,
    mark: Decimal | None,
    last: Decimal | None,
    spot: Spot | None,
    priced_instead: tuple[str, ...],
) -> Finding:
    """NO_PRICE: the market said a usable price at least once, and of what the exposure leans on
    too (U-53)."""
    if mark is None:
        seen = "none" if last is None else plain(last) if last.is_finite() else str(last)
        instead = f"; of {', '.join(priced_instead)} there is" if priced_instead else ""
        return refused(seen, "> 0", f"There is no price of {symbol}{instead}.")
    if spot is not None and not spot.usable:
        text = f"There is no price of {spot.symbol}, by which {symbol} counts as exposure."
        return refused("none", "> 0", text)
    return passed(mark, "> 0")


def fresh_price(
    symbol: str,
    quote: Quote | None,
    quote_age: Nanos | None,
    is_fresh: bool,
    spot: Spot | None,
    limit: int,
) -> Finding:
    """STALE_QUOTE: the newest price is fresh; one from a bar until `limit` s after the next is due.

    (X-68.) So is that of what the exposure leans on.
    """
    if quote is None or quote_age is None:
        return refused("none", limit, f"There is no price of {symbol}.")
    age = in_seconds(quote_age)
    allowed = in_seconds(quote.stale_at - quote.time) if quote.stale_at else Decimal(limit)
    if not is_fresh:
        why = f"is {plain(age)} s old; {plain(allowed)} s are allowed"
        if age <= allowed:
            why = "was dated in the future when it came; how old it is is not known"
        return refused(age, allowed, f"The newest price of {symbol} {why}.")
    if spot is not None and not spot.is_fresh:
        text = f"The price of {spot.symbol}, by which {symbol} counts as exposure, is not fresh."
        return refused("none" if spot.age is None else in_seconds(spot.age), "fresh", text)
    return passed(age, allowed)


def valid_stop(
    symbol: str,
    stop: Decimal | None,
    stop_after: Decimal | None,
    trigger: Decimal | None,
    sign: int,
    fill_prices: tuple[Decimal | None, ...],
    mark: Decimal | None,
    is_fresh: bool,
    signal: Signal | None,
    reduces: bool,
    adds_risk: AddedRisk | None,
) -> Finding | None:
    """INVALID_STOP: the stop lies on the losing side of the entry and of the market (A-101).

    A person's order may have none; what it has must make sense. So must the price at which a stop
    order trades, which a fresh price has not reached. What the position risks at the stop that is
    then in force, or that a working entry brings, stays within the limit of a trade, working adds
    included (X-82).
    """
    if trigger is not None and mark is not None and is_fresh and (trigger - mark) * sign <= 0:
        other = "above" if sign > 0 else "below"
        return refused(
            trigger,
            f"{other} {plain(mark)}",
            f"A stop order at {plain(trigger)} is not {other} the market at {plain(mark)}: it "
            "would trade at once.",
        )
    found = placed_stop(stop, stop_after, sign, fill_prices, mark, signal, reduces)
    if found is not None and found.answer is not Answer.PASS:
        return found
    if adds_risk is not None and adds_risk.adds.leaves:
        risked = _risked(symbol, adds_risk)
        if found is None or risked.answer is not Answer.PASS:
            return risked
    return found


def placed_stop(
    stop: Decimal | None,
    stop_after: Decimal | None,
    sign: int,
    fill_prices: tuple[Decimal | None, ...],
    mark: Decimal | None,
    signal: Signal | None,
    reduces: bool,
) -> Finding | None:
    """The part of INVALID_STOP that asks where the stop lies, whatever is risked at it."""
    if reduces or (signal is None and stop_after is None):
        return None
    below, word = sign > 0, "below" if sign > 0 else "above"
    if signal is not None and stop is None:
        return refused("none", word, "The stop is no usable price.")
    for given in (stop, stop_after):
        if given is not None and not is_positive(given):
            return refused(str(given), word, "The stop is no usable price.")
    nearest = None
    for price in fill_prices:
        if price is None or not is_positive(price):
            return refused(
                "none" if price is None else str(price), "> 0", "There is no entry price."
            )
        if stop_after is not None and (stop_after >= price if below else stop_after <= price):
            where = "the market" if price == mark else "the entry"
            mine = stop_after == stop
            what = f"{'A' if mine else 'The'} stop at {plain(stop_after)}"
            what += "" if mine else " that protects what is held"
            return refused(
                stop_after,
                f"{word} {plain(price)}",
                f"{what} is not {word} {where} at {plain(price)}.",
            )
        if nearest is None or ((price < nearest) if below else (price > nearest)):
            nearest = price
    return passed(stop_after or ZERO, f"{word} {plain(nearest or stop_after or ZERO)}")


def _risked(symbol: str, risk: AddedRisk) -> Finding:
    """Whether what a position risks at its stop stays within what a trade may (X-82)."""
    whose = "the stop of a working entry," if risk.of_entry else "its stop of"
    return fitting(
        risk.adds,
        room=risk.room,
        unit=risk.adds.unit_value,
        measured=risk.total,
        limit=risk.limit,
        reason=lambda: (
            f"{symbol} would risk {plain(round(risk.total, 2))} at {whose} {plain(risk.stop)}; "
            f"{plain(round(risk.limit, 2))} is allowed a trade."
        ),
    )


def valid_target(
    target: Decimal | None,
    sign: int,
    entry: Decimal | None,
    signal: Signal | None,
) -> Finding | None:
    """INVALID_TARGET: the target lies on the winning side of the entry (X-96)."""
    if target is None:
        return None
    above, word = sign > 0, "above" if sign > 0 else "below"
    if not is_positive(target):
        return refused(str(target), word, "The target is no usable price.")
    entries = [entry] if signal is None else [entry, signal.entry_price]
    for price in entries:
        if price is not None and ((target <= price) if above else (target >= price)):
            return refused(
                target,
                f"{word} {plain(price)}",
                f"A target at {plain(target)} is not {word} the entry at {plain(price)}.",
            )
    return passed(target, word)


def sound_instrument(
    instrument: Instrument, calendar: Calendar | None, symbol: str, now: Nanos
) -> Finding | None:
    """NO_CONTRACT: the facts of the instrument fit each other, and its last day is not over."""
    if instrument.fault:
        return refused("unusable facts", "facts that fit", instrument.fault)
    last = instrument.last_day
    if last is None:
        return None
    if calendar is None:
        text = f"Without a calendar nobody knows whether {symbol} still trades."
        return refused("no calendar", "a calendar", text)
    today = calendar.session_date(now)
    if today > last:
        return refused(str(today), str(last), f"{symbol} traded until {last}.")
    return passed(str(today), str(last))


def shortable(instrument: Instrument, able: Capabilities, symbol: str, sign: int) -> Finding | None:
    """NOT_SHORTABLE: what is sold without being held can be sold short, here."""
    if sign > 0:
        return None
    if not instrument.shortable:
        return refused("no", "shortable", f"{symbol} cannot be sold short.")
    if not able.shorting:
        return refused("no", "shortable", "The broker does not sell short.")
    return passed("shortable", "shortable")


def collar(
    symbol: str,
    mark: Decimal | None,
    entry: Decimal | None,
    limit_price: Decimal | None,
    stop_price: Decimal | None,
    signal: Signal | None,
    limit: Decimal,
) -> Finding:
    """PRICE_COLLAR: every price the order leans on lies within `limit` of the last price.

    Of a market order that is the price at which it was decided.
    """
    if mark is None:
        return refused("none", limit, f"There is no price of {symbol} to compare with.")
    asked = [price for price in (limit_price, stop_price) if price is not None]
    if asked:
        worst = max(asked, key=lambda price: abs(price - mark))
    else:
        worst = (entry or mark) if signal is None else signal.entry_price
    away = abs(worst - mark)
    measured = fraction(away, mark, up=True)
    if away <= limit * mark:
        return passed(measured, limit)
    return refused(
        measured,
        limit,
        f"{plain(worst)} is {percent(measured)} away from the last price {plain(mark)}; "
        f"{percent(limit)} is allowed.",
    )
