"""The breaker of an account: orders that fail on their way in a row stop further ones (C-420).

Only what adds exposure counts, and is stopped: cancels, exits and questions never are (C-404). A
refusal by the venue is a word of it, and no failure (C-421).
"""

from collections.abc import Iterator

from engine.domain import events as ev
from engine.domain.instant import NS_PER_SECOND, Nanos
from engine.domain.run import CircuitState, Severity
from engine.state.order import Order
from engine.world import World


def failed(world: World, order: Order, why: str, now: Nanos) -> Iterator[ev.Event]:
    """Count an order that was handed over and not answered, with all its attempts as one.

    Once it is open only the one that is tried counts: what was under way when it opened says
    nothing of the venue since then, and gives it no fresh timer (T-08).
    """
    if not (order.adds_exposure and order.sent_at):
        return
    circuit, limits = world.book.account(order.account).circuit, world.config.resiliency
    failures = circuit.failures + 1
    probed = circuit.state is CircuitState.HALF_OPEN and order.client_order_id == circuit.probe
    if circuit.state is not CircuitState.CLOSED and not probed:
        return
    if not probed and failures < limits.circuit_breaker_threshold:
        yield ev.CircuitMoved(account=order.account, state=CircuitState.CLOSED, failures=failures)
        return
    seconds = limits.circuit_breaker_timeout
    yield ev.CircuitMoved(
        account=order.account,
        state=CircuitState.OPEN,
        failures=failures,
        until=now + round(seconds * NS_PER_SECOND),
    )
    yield ev.Alarmed(
        code="CIRCUIT_OPEN",
        severity=Severity.ERROR,
        subject=order.account,
        text=f"{failures} orders in a row did not get through to {order.account}, the last since "
        f"{why}: it takes no entries for {seconds:g} s, then one is tried; cancels and exits go on",
    )


def answered(world: World, order: Order) -> Iterator[ev.Event]:
    """The venue has said something of an order that was sent since the last failure."""
    circuit = world.book.account(order.account).circuit
    if not circuit.failures or not order.adds_exposure or order.sent_at <= circuit.failed_at:
        return
    yield ev.CircuitMoved(account=order.account, state=CircuitState.CLOSED, failures=0)
    if circuit.state is not CircuitState.CLOSED:
        yield ev.Alarmed(
            code="CIRCUIT_CLOSED",
            severity=Severity.INFO,
            subject=order.account,
            text=f"{order.account} takes orders again: entries go on",
        )
