"""From a signal to a verdict and, if it passes, to an order (X-17, A-003, U-30)."""

from collections.abc import Iterator

import msgspec

from engine.domain import events as ev
from engine.domain.codes import Code, Outcome, Verdict
from engine.domain.inputs import InvalidArrived, SignalArrived
from engine.domain.instant import Nanos, rfc3339
from engine.domain.position import ExitReason
from engine.domain.signal import Direction, Signal
from engine.intake.queue import opens_for
from engine.pipeline.fallback import signalled
from engine.pipeline.intent import build, intend
from engine.pipeline.ruling import Ruling
from engine.plans.exit import plan_exit
from engine.world import World


def invalid(world: World, given: InvalidArrived, now: Nanos) -> Iterator[ev.Event]:
    """Record an input that could not be read."""
    yield ev.InputRejected(
        source=given.source, input_id=given.input_id, reason=given.reason, line=given.line
    )


def signal(world: World, given: SignalArrived, now: Nanos) -> Iterator[ev.Event]:
    """Decide a signal: record it, its verdict, and the order if it passed (rule 6)."""
    asked = given.signal
    ruling = None
    if world.overload.is_active(now):
        ruling = signalled(world, asked, now)
        if ruling.code == Code.OVERLOADED:
            yield _turned_away(asked, ruling, now)
            return
    yield ev.SignalReceived(signal=asked)
    ruling = ruling or signalled(world, asked, now)
    opens = opens_for(world, asked, ruling, now)
    if opens is not None:
        yield _queued(asked, ruling, opens)
        return
    order = None
    if ruling.allowed and asked.direction is not Direction.FLAT:
        order = build(world, ruling, now, signal_id=asked.signal_id, facts=("entry",))
        order = msgspec.structs.replace(
            order, signal_type=asked.signal_type, timeframe=asked.timeframe
        )
    yield ev.SignalDecided(
        signal_id=asked.signal_id,
        symbol=asked.ticker,
        verdict=ruling.verdict,
        stage=ruling.stage,
        code=ruling.code,
        measured=ruling.measured,
        limit=ruling.limit,
        reason=ruling.reason,
        checks=ruling.checks,
        client_order_ids=(order.client_order_id,) if order else (),
        quantity=ruling.quantity,
        content=ruling.content,
    )
    if order is not None:
        yield from intend(world, ruling, order)
        return
    if ruling.allowed:
        yield from _close_everywhere(world, asked, now)


def _queued(asked: Signal, ruling: Ruling, opens: Nanos) -> ev.SignalDecided:
    """The verdict on a daily signal that waits for its market to open (X-43)."""
    return ev.SignalDecided(
        signal_id=asked.signal_id,
        symbol=asked.ticker,
        verdict=Verdict.ACCEPTED,
        stage=ruling.stage,
        code="",
        measured=ruling.measured,
        limit=ruling.limit,
        reason=f"queued for the opening at {rfc3339(opens)}, when it is decided anew",
        checks=ruling.checks,
        content=ruling.content,
        queued_until=opens,
    )


def _turned_away(asked: Signal, ruling: Ruling, now: Nanos) -> ev.SignalsRefused:
    """The refusal of a signal that an overload keeps out (X-89)."""
    refusal = ev.Refusal(
        signal_id=asked.signal_id,
        symbol=asked.ticker,
        at=now,
        measured=ruling.measured,
        limit=ruling.limit,
    )
    return ev.SignalsRefused(
        stage=ruling.stage,
        code=Code.OVERLOADED,
        reason=ruling.reason,
        count=1,
        refusals=(refusal,),
    )


def _close_everywhere(world: World, asked: Signal, now: Nanos) -> Iterator[ev.Event]:
    """A flat signal closes what signals opened of its symbol, in every account (X-87)."""
    closes = False
    for position in world.managed(asked.ticker):
        for event in plan_exit(
            position, reason=ExitReason.SIGNAL, priority=0, detail=asked.signal_id
        ):
            yield event
            closes = True
    if not closes:
        yield ev.SignalEnded(
            signal_id=asked.signal_id,
            symbol=asked.ticker,
            outcome=Outcome.CANCELLED,
            code="",
            reason=f"{asked.ticker} is being closed already",
        )
