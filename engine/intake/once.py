"""A command that carries an id of its asker's is done once (INTERFACE, Control socket).

An asker that got no answer may ask again with the same id: for 24 h it is told what came of the
first time, whatever has happened since, and later it is refused; nothing is ever done twice. Not
after a restart either, for the answer is an event.
"""

from collections.abc import Callable, Iterator
from typing import TypeAlias, TypeVar

import msgspec

from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.codes import Code
from engine.domain.ids import fingerprint
from engine.domain.instant import Nanos
from engine.intake.operator import acted, refuse
from engine.state.answers import AT_MOST, answer_to
from engine.world import World

Once: TypeAlias = ask.PlaceOrder | ask.ClosePosition
C = TypeVar("C", bound=Once)
Rule: TypeAlias = Callable[[World, C, Nanos], Iterator[ev.Event]]


def once(rule: Rule[C]) -> Rule[C]:
    """The rule, asked at most once for each id; without an id it is always asked."""

    def asked(world: World, given: C, now: Nanos) -> Iterator[ev.Event]:
        if not given.intent_id:
            yield from rule(world, given, now)
        elif given.intent_id in world.book.seen_commands:
            yield acted(given)
            yield _again(world, given, now)
        else:
            yield from _answered(given, rule(world, given, now))

    return asked


def _answered(given: Once, events: Iterator[ev.Event]) -> Iterator[ev.Event]:
    """Pass on what the command leads to, then record the answer that it gets."""
    ids: dict[str, None] = {}
    code = reason = ""
    for event in events:
        match event:
            case ev.OrderIntended(terms=terms):
                ids[terms.client_order_id] = None
            case ev.IntentOpened(legs=legs):
                ids.update(dict.fromkeys(leg.client_order_id for leg in legs))
            case ev.OrderRefused() | ev.CommandRefused():
                code, reason = event.code, event.reason
            case _:
                pass
        yield event
    yield ev.CommandAnswered(
        intent_id=given.intent_id,
        command=type(given).__name__,
        content=_content(given),
        client_order_ids=tuple(ids),
        code=code,
        reason=reason,
        by=given.by,
    )


def _again(world: World, given: Once, now: Nanos) -> ev.Event:
    """The answer of the first time; a refusal where the id stood for something else, or the answer
    is not kept any more."""
    first = answer_to(world.book.data.answers, given.intent_id, now)
    if first is None:
        text = (
            f"{given.intent_id} was asked for more than 24 h ago, or {AT_MOST} ids ago: an id is "
            "used once"
        )
        return refuse(given, Code.DUPLICATE_ORDER, text)
    if (first.command, first.content) != (type(given).__name__, _content(given)):
        text = f"{given.intent_id} was asked for with other arguments: an id is used once"
        return refuse(given, Code.DUPLICATE_ORDER, text)
    return first


def _content(given: Once) -> str:
    """What stands for the arguments of a command, without who asks and how long it waited."""
    encoded = msgspec.json.encode(ask.args_of(given), order="deterministic")
    return f"{fingerprint(encoded.decode()):016x}"
