"""What follows from a finding, and from a halt: written once, for every rule (U-52, X-52).

A trigger or a comparison only finds. Here a finding becomes a kill, a restriction or an alert, and
a latch that was set is carried through, whoever set it.
"""

from collections.abc import Iterable, Iterator

from engine.core.day import close_day, mark_beyond
from engine.domain import events as ev
from engine.domain.instant import NS_PER_SECOND, Nanos
from engine.domain.run import Flatten, Level, Severity, Trigger, TriggerAction
from engine.plans.kill import after_latch, set_latch
from engine.risk.triggers import Trip, ask_all, none_trips
from engine.world import World


def after_halt(world: World, now: Nanos) -> Iterator[ev.Event]:
    """Do what every halt leads to: cancel orders, write the day's row, raise an alarm."""
    halt = world.book.data.halt
    if halt is None:
        return
    yield from after_latch(world, now)
    yield from close_day(world, final=False)
    yield ev.Alarmed(
        code="HALTED",
        severity=Severity.CRITICAL,
        subject=halt.trigger,
        text=f"{halt.level} by {halt.by}: {halt.reason}",
    )


def action_of(world: World, trigger: Trigger) -> TriggerAction:
    """What the config says this trigger does; a profile's cooldown stands in for a loss streak."""
    if trigger is Trigger.LOSS_STREAK and world.limits.loss_streak_cooldown_seconds is not None:
        return TriggerAction.REDUCE_ONLY
    action: TriggerAction = getattr(world.config.kill, trigger.value)
    return TriggerAction(action)


def ask_triggers(world: World, now: Nanos) -> Iterable[ev.Event]:
    """Fire every trigger whose condition holds, once it is known how far equity went."""
    return () if none_trips(world) else _fire_all(world, now)


def _fire_all(world: World, now: Nanos) -> Iterator[ev.Event]:
    equity = world.money.proved
    world.money.measure(equity)
    for trigger, finding in ask_all(world, now, equity):
        yield from fire(world, trigger, finding, now)
    yield from mark_beyond(world, now)


def fire(world: World, trigger: Trigger, finding: Trip, now: Nanos) -> Iterator[ev.Event]:
    """What a trigger does: kill, reduce only, or alert; once until its effect is gone."""
    action = action_of(world, trigger)
    if _done(world, trigger, action):
        return
    yield ev.TriggerFired(
        trigger=trigger,
        action=action,
        measured=finding.measured,
        limit=finding.limit,
        reason=finding.reason,
    )
    text = finding.text
    if action is TriggerAction.KILL:
        flatten = Flatten(world.config.kill.flatten)
        yield from set_latch(world, Level.KILL, flatten, text, "engine", trigger, now)
    elif action is TriggerAction.REDUCE_ONLY:
        yield ev.Restricted(cause=trigger, reason=text, until=_until(world, trigger, now))
    severity = Severity.CRITICAL if action is TriggerAction.KILL else Severity.WARNING
    yield ev.Alarmed(code=trigger.name, severity=severity, subject=trigger, text=text)


def _done(world: World, trigger: Trigger, action: TriggerAction) -> bool:
    """True while what the trigger would do stands already."""
    data = world.book.data
    match action:
        case TriggerAction.KILL:
            return data.halt is not None and data.halt.level is Level.KILL
        case TriggerAction.REDUCE_ONLY:
            return trigger in data.restrictions or data.halt is not None
        case TriggerAction.ALERT:
            return data.alerted.get(trigger) == (str(data.session.date) if data.session else "")


def _until(world: World, trigger: Trigger, now: Nanos) -> Nanos:
    """When a restriction ends by itself; 0: when it is lifted."""
    cooldown = world.limits.loss_streak_cooldown_seconds
    if trigger is Trigger.DAILY_LOSS:
        return next_session(world, now)
    if trigger is Trigger.LOSS_STREAK and cooldown is not None:
        return now + cooldown * NS_PER_SECOND
    return 0


def next_session(world: World, now: Nanos) -> Nanos:
    """When the portfolio's next day begins, 0 where its calendar does not say."""
    if world.home.always_open:
        return world.home.constant_until(now)
    return world.home.next_open(now) or 0
