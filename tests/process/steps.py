"""Every step of an order's life at which the process can die, each a way to bring orders there.

A step brings one order a symbol to a standstill, proves from outside that it stands there, and
says what must be held of each symbol once everything has settled.
"""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Final, NamedTuple

from engine.domain.order import OrderStatus
from tests.process.driver import PRICE, ProcessDriver

Keys = dict[str, str]
"""The order of each symbol."""
Held = dict[str, Decimal]

OPENING = ("MANUAL", "ENTRY")
PART, MORE = 4, 3
NONE = Decimal(0)


class Step(NamedTuple):
    """`bring` leads there and returns what each symbol must hold in the end."""

    name: str
    bring: Callable[[ProcessDriver, Sequence[str]], Held]
    held: bool = False
    """Something is held back at the venue, which goes on while the process is dead, or after."""
    away: Callable[[ProcessDriver, Sequence[str]], None] | None = None
    """What happens at the venue while the process is dead."""


def enter(desk: ProcessDriver, symbols: Sequence[str], **more: int) -> Keys:
    """Opening orders, by hand and, where no `limit` is asked for, by signal in turn."""
    keys = {}
    for number, symbol in enumerate(symbols):
        if number % 2 and not more:
            keys[symbol] = desk.signal(symbol)
        else:
            keys[symbol] = desk.buy(symbol, **more)
    return keys


def until_all(desk: ProcessDriver, keys: Keys, true: Callable[[str], bool], what: str) -> None:
    for key in keys.values():
        desk.until(lambda key=key: true(key), f"{key} {what}")  # type: ignore[misc]


def until_parked(desk: ProcessDriver, count: int) -> list[str]:
    desk.until(lambda: len(set(desk.parked())) >= count, f"{count} orders stand still")
    return desk.parked()


def asked(desk: ProcessDriver, keys: Keys) -> Held:
    """All that was ordered."""
    return {symbol: desk.quantity(key) for symbol, key in keys.items()}


def nothing(symbols: Sequence[str]) -> Held:
    return dict.fromkeys(symbols, NONE)


# --- orders that open -------------------------------------------------------------------------


def intent_durable(desk: ProcessDriver, symbols: Sequence[str]) -> Held:
    desk.park("durable", *OPENING)
    keys = enter(desk, symbols)
    until_parked(desk, len(keys))
    for key in keys.values():
        assert desk.has_event("OrderIntended", key)
        assert not desk.has_event("OrderSent", key)
    assert not set(keys.values()) & set(desk.hand.submits())
    return nothing(symbols)


def counted_as_sent(desk: ProcessDriver, symbols: Sequence[str]) -> Held:
    desk.park("sending", *OPENING)
    keys = enter(desk, symbols)
    until_all(desk, keys, lambda key: desk.has_event("OrderSent", key), "is said to be sent")
    until_parked(desk, len(keys))
    assert not set(keys.values()) & set(desk.hand.submits())
    return nothing(symbols)


def received(desk: ProcessDriver, symbols: Sequence[str]) -> Held:
    desk.hand.hold("requests")
    keys = enter(desk, symbols)
    until_all(desk, keys, lambda key: key in desk.hand.submits(), "reached the venue")
    assert not any(desk.hand.order(key) for key in keys.values())
    return asked(desk, keys)


def answer_lost(desk: ProcessDriver, symbols: Sequence[str]) -> Held:
    desk.hand.hold("reports")
    keys = enter(desk, symbols)
    until_all(desk, keys, lambda key: at_venue(desk, key) is OrderStatus.FILLED, "filled there")
    assert {desk.order_status(key) for key in keys.values()} == {"PENDING_NEW"}
    return asked(desk, keys)


def acknowledged(desk: ProcessDriver, symbols: Sequence[str]) -> Held:
    desk.hand.hold("fills")
    keys = enter(desk, symbols)
    until_all(desk, keys, lambda key: desk.order_status(key) == "NEW", "is acknowledged")
    return asked(desk, keys)


def resting(desk: ProcessDriver, symbols: Sequence[str]) -> Held:
    keys = enter(desk, symbols, limit=PRICE - 1)
    until_all(desk, keys, lambda key: desk.order_status(key) == "NEW", "rests")
    return nothing(symbols)


def partly_filled(desk: ProcessDriver, symbols: Sequence[str]) -> Held:
    keys = _part(desk, symbols)
    return asked(desk, keys)


def part_unheard(desk: ProcessDriver, symbols: Sequence[str]) -> Held:
    desk.hand.hold("fills")
    keys = enter(desk, symbols)
    until_all(desk, keys, lambda key: desk.order_status(key) == "NEW", "is acknowledged")
    desk.hand.hold("reports")
    for key in keys.values():
        desk.hand.fill(key, PART)
    assert {desk.order_status(key) for key in keys.values()} == {"NEW"}
    return asked(desk, keys)


def _part(desk: ProcessDriver, symbols: Sequence[str]) -> Keys:
    desk.hand.hold("fills")
    keys = enter(desk, symbols)
    until_all(desk, keys, lambda key: desk.order_status(key) == "NEW", "is acknowledged")
    for key in keys.values():
        desk.hand.fill(key, PART)
    for symbol, key in keys.items():
        desk.until(lambda s=symbol: desk.is_protected(s), f"{symbol} is protected")  # type: ignore[misc]
        assert desk.order_status(key) == "PARTIALLY_FILLED"
    return keys


# --- cancels ----------------------------------------------------------------------------------


def cancel_decided(desk: ProcessDriver, symbols: Sequence[str]) -> Held:
    keys = _resting(desk, symbols)
    desk.park("cancel")
    _cancel(desk, keys)
    until_parked(desk, len(keys))
    assert set(keys.values()) <= set(desk.hand.orders())
    return nothing(symbols)


def cancel_sent(desk: ProcessDriver, symbols: Sequence[str]) -> Held:
    keys = _resting(desk, symbols)
    desk.hand.hold("requests")
    _cancel(desk, keys)
    assert set(keys.values()) <= set(desk.hand.orders())
    return nothing(symbols)


def cancel_unheard(desk: ProcessDriver, symbols: Sequence[str]) -> Held:
    keys = _resting(desk, symbols)
    desk.hand.hold("reports")
    _cancel(desk, keys)
    until_all(desk, keys, lambda key: key not in desk.hand.orders(), "is cancelled there")
    return nothing(symbols)


def cancel_of_a_part(desk: ProcessDriver, symbols: Sequence[str]) -> Held:
    keys = _part(desk, symbols)
    desk.hand.hold("requests")
    _cancel(desk, keys)
    return dict.fromkeys(symbols, Decimal(PART))


def _resting(desk: ProcessDriver, symbols: Sequence[str]) -> Keys:
    keys = enter(desk, symbols, limit=PRICE - 1)
    until_all(desk, keys, lambda key: desk.order_status(key) == "NEW", "rests")
    return keys


def _cancel(desk: ProcessDriver, keys: Keys) -> None:
    for key in keys.values():
        desk.program.ask("cancel", id=key)
    until_all(desk, keys, lambda key: desk.has_event("CancelRequested", key), "is to be cancelled")


# --- protective stops -------------------------------------------------------------------------


def stop_decided(desk: ProcessDriver, symbols: Sequence[str]) -> Held:
    desk.park("durable", "PROTECT")
    keys = enter(desk, symbols)
    stops = until_parked(desk, len(keys))
    assert all(desk.has_event("OrderIntended", stop) for stop in stops)
    assert not set(stops) & set(desk.hand.submits())
    return asked(desk, keys)


def stop_counted_as_sent(desk: ProcessDriver, symbols: Sequence[str]) -> Held:
    desk.park("sending", "PROTECT")
    keys = enter(desk, symbols)
    stops = until_parked(desk, len(keys))
    assert not set(stops) & set(desk.hand.submits())
    return asked(desk, keys)


def stop_received(desk: ProcessDriver, symbols: Sequence[str]) -> Held:
    desk.park("sending", "PROTECT")
    keys = enter(desk, symbols)
    stops = set(until_parked(desk, len(keys)))
    desk.hand.hold("requests")
    desk.unpark()
    desk.until(lambda: stops <= set(desk.hand.submits()), "the stops reached the venue")
    assert not stops & set(desk.hand.orders())
    return asked(desk, keys)


def stop_unheard(desk: ProcessDriver, symbols: Sequence[str]) -> Held:
    desk.park("sending", "PROTECT")
    keys = enter(desk, symbols)
    stops = set(until_parked(desk, len(keys)))
    desk.hand.hold("reports")
    desk.unpark()
    desk.until(lambda: stops <= set(desk.hand.orders()), "the stops rest at the venue")
    return asked(desk, keys)


def stop_not_in_the_journal(desk: ProcessDriver, symbols: Sequence[str]) -> Held:
    """What reduces never waits for the disk: neither the fill nor its stop is durable."""
    desk.hand.hold("fills")
    keys = enter(desk, symbols)
    until_all(desk, keys, lambda key: desk.has_event("OrderAccepted", key), "is acknowledged")
    desk.park("frozen")
    desk.hand.release("fills")
    desk.until(lambda: all(desk.stops(s) for s in symbols), "the stops rest at the venue")
    for symbol, key in keys.items():
        assert not desk.has_event("OrderIntended", desk.stops(symbol)[0].client_order_id)
        assert not desk.has_event("OrderFilled", key)
    return asked(desk, keys)


def resize_decided(desk: ProcessDriver, symbols: Sequence[str]) -> Held:
    keys = _part(desk, symbols)
    desk.park("replace")
    for key in keys.values():
        desk.hand.fill(key, MORE)
    until_parked(desk, len(keys))
    return asked(desk, keys)


def resize_received(desk: ProcessDriver, symbols: Sequence[str]) -> Held:
    keys = _part(desk, symbols)
    desk.hand.hold("requests")
    for symbol, key in keys.items():
        stop = desk.stops(symbol)[0].client_order_id
        desk.hand.fill(key, MORE)
        desk.until(
            lambda stop=stop: desk.has_event("ReplaceRequested", stop),  # type: ignore[misc]
            f"{stop} is to be resized",
        )
    return asked(desk, keys)


def resize_unheard(desk: ProcessDriver, symbols: Sequence[str]) -> Held:
    held = resize_decided(desk, symbols)
    desk.hand.hold("reports")
    desk.unpark()
    wanted = PART + MORE
    desk.until(lambda: all(desk.stops(s)[0].quantity == wanted for s in symbols), "resized there")
    return held


# --- exits ------------------------------------------------------------------------------------


def exit_decided(desk: ProcessDriver, symbols: Sequence[str]) -> Held:
    _hold(desk, symbols)
    desk.park("durable", "EXIT")
    _close(desk, symbols)
    exits = until_parked(desk, len(symbols))
    assert all(desk.has_event("OrderIntended", key) for key in exits)
    assert not set(exits) & set(desk.hand.submits())
    return nothing(symbols)


def exit_counted_as_sent(desk: ProcessDriver, symbols: Sequence[str]) -> Held:
    _hold(desk, symbols)
    desk.park("sending", "EXIT")
    _close(desk, symbols)
    exits = until_parked(desk, len(symbols))
    desk.until(lambda: all(desk.has_event("OrderSent", key) for key in exits), "said to be sent")
    assert not set(exits) & set(desk.hand.submits())
    return nothing(symbols)


def exit_received(desk: ProcessDriver, symbols: Sequence[str]) -> Held:
    _hold(desk, symbols)
    before = len(desk.hand.submits())
    desk.hand.hold("requests")
    _close(desk, symbols)
    desk.until(lambda: len(desk.hand.submits()) == before + len(symbols), "the exits arrived")
    assert set(symbols) <= set(desk.hand.positions())
    return nothing(symbols)


def exit_unheard(desk: ProcessDriver, symbols: Sequence[str]) -> Held:
    _hold(desk, symbols)
    desk.hand.hold("reports")
    _close(desk, symbols)
    desk.until(lambda: not desk.hand.positions(), "the venue is flat")
    assert set(symbols) <= {row["symbol"] for row in desk.status()["positions"]}
    return nothing(symbols)


def exit_acknowledged(desk: ProcessDriver, symbols: Sequence[str]) -> Held:
    _hold(desk, symbols)
    desk.hand.hold("fills")
    _closing(desk, symbols)
    return nothing(symbols)


def exit_partly_filled(desk: ProcessDriver, symbols: Sequence[str]) -> Held:
    _hold(desk, symbols)
    desk.hand.hold("fills")
    for key in _closing(desk, symbols):
        desk.hand.fill(key, PART)
        desk.until(
            lambda key=key: desk.order_status(key) == "PARTIALLY_FILLED",  # type: ignore[misc]
            f"{key} is partly filled",
        )
    return nothing(symbols)


def exit_not_in_the_journal(desk: ProcessDriver, symbols: Sequence[str]) -> Held:
    _hold(desk, symbols)
    known = set(desk.hand.submits())
    desk.park("frozen")
    _close(desk, symbols)
    desk.until(lambda: not desk.hand.positions(), "the venue is flat")
    sent = set(desk.hand.submits()) - known
    assert len(sent) == len(symbols)
    assert not any(desk.has_event("OrderIntended", key) for key in sent)
    return nothing(symbols)


def protected(desk: ProcessDriver, symbols: Sequence[str]) -> Held:
    _hold(desk, symbols)
    return nothing(symbols)


def fall(desk: ProcessDriver, symbols: Sequence[str]) -> None:
    """The stops fill while nobody looks, and the price comes back."""
    for symbol in symbols:
        desk.venue.move(symbol, PRICE - 20)
    assert not desk.hand.positions()
    for symbol in symbols:
        desk.venue.move(symbol, PRICE)


def _hold(desk: ProcessDriver, symbols: Sequence[str]) -> None:
    enter(desk, symbols)
    for symbol in symbols:
        desk.until(lambda s=symbol: desk.is_protected(s), f"{symbol} is protected")  # type: ignore[misc]


def _close(desk: ProcessDriver, symbols: Sequence[str]) -> None:
    for symbol in symbols:
        desk.program.ask("close", symbol=symbol)


def _closing(desk: ProcessDriver, symbols: Sequence[str]) -> list[str]:
    """Exits that work at the venue and are acknowledged."""
    known = set(desk.hand.orders())
    _close(desk, symbols)

    def found() -> list[str]:
        return [key for key in desk.hand.orders() if key not in known]

    desk.until(lambda: len(found()) == len(symbols), "the exits work at the venue")
    for key in found():
        desk.until(lambda key=key: desk.order_status(key) == "NEW", f"{key} works")  # type: ignore[misc]
    return found()


def at_venue(desk: ProcessDriver, key: str) -> OrderStatus | None:
    found = desk.hand.order(key)
    return None if found is None else found.status


STEPS: Final = (
    Step("intent durable", intent_durable),
    Step("counted as sent", counted_as_sent),
    Step("sent, received", received, held=True),
    Step("sent, answer lost", answer_lost, held=True),
    Step("acknowledged", acknowledged, held=True),
    Step("resting", resting),
    Step("partly filled", partly_filled, held=True),
    Step("partly filled, unheard", part_unheard, held=True),
    Step("cancel decided", cancel_decided),
    Step("cancel sent", cancel_sent, held=True),
    Step("cancel unheard", cancel_unheard, held=True),
    Step("cancel of a part sent", cancel_of_a_part, held=True),
    Step("stop decided", stop_decided),
    Step("stop counted as sent", stop_counted_as_sent),
    Step("stop received", stop_received, held=True),
    Step("stop unheard", stop_unheard, held=True),
    Step("stop not in the journal", stop_not_in_the_journal),
    Step("resize decided", resize_decided, held=True),
    Step("resize received", resize_received, held=True),
    Step("resize unheard", resize_unheard, held=True),
    Step("exit decided", exit_decided),
    Step("exit counted as sent", exit_counted_as_sent),
    Step("exit received", exit_received, held=True),
    Step("exit unheard", exit_unheard, held=True),
    Step("exit acknowledged", exit_acknowledged, held=True),
    Step("exit partly filled", exit_partly_filled, held=True),
    Step("exit not in the journal", exit_not_in_the_journal),
    Step("protected", protected, away=fall),
)

BY_NAME: Final[Mapping[str, Step]] = {step.name: step for step in STEPS}
