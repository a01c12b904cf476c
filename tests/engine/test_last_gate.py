"""Between the journal's record of a send and the socket the gate may shut (U-32, DESIGN Kill).

Whoever is told of the record stands in that window: an observer that shuts the gate there is the
control thread that does so while the loop is between the two.
"""

from collections.abc import Callable
from decimal import Decimal

import pytest

from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.order import OrderStatus, Purpose
from engine.domain.run import Flatten, Halt, Level, Trigger
from engine.runtime.send_gate import Cause
from tests.engine.wires import Rig, play

CAUSES = pytest.mark.parametrize(
    ("cause", "code"),
    [(Cause.HALT, "KILL_SWITCH"), (Cause.JOURNAL, "NOT_SENT"), (Cause.STOPPING, "NOT_SENT")],
)


def shut_on(rig: Rig, kind: type[ev.Event], cause: Cause = Cause.HALT) -> Callable[[], None]:
    """Shut the gate as soon as such an event is recorded; the result ends that."""

    def watch(record: ev.Record) -> None:
        if isinstance(record.event, kind):
            rig.gate.close("from another thread", cause)

    return rig.engine.subscribe(watch)


@CAUSES
def test_an_entry_does_not_leave_once_the_gate_is_shut(cause: Cause, code: str) -> None:
    async def scene(rig: Rig) -> None:
        start = rig.now
        shut_on(rig, ev.OrderSent, cause)
        rig.signal()
        (entry,) = rig.orders()
        await rig.until(lambda: rig.status(entry.client_order_id).is_terminal)
        assert "submit ENTRY" not in rig.wire.since(start)
        order = rig.engine.book.order(entry.client_order_id)
        assert order is not None
        assert (order.status, order.reject_code) == (OrderStatus.REJECTED, code)
        await rig.clock.sleep(30)
        assert not rig.engine.book.reservations.by_currency
        assert not rig.engine.book.data.letters
        assert not rig.events(ev.OrderQueried)
        (ended,) = rig.events(ev.SignalEnded)
        assert ended.code == code

    play(scene)


def test_an_entry_leaves_while_the_gate_stands_open() -> None:
    async def scene(rig: Rig) -> None:
        start = rig.now
        rig.signal()
        (entry,) = rig.orders()
        await rig.until(lambda: rig.status(entry.client_order_id).is_terminal)
        assert "submit ENTRY" in rig.wire.since(start)
        assert rig.status(entry.client_order_id) is OrderStatus.FILLED

    play(scene)


def test_what_reduces_leaves_through_a_gate_that_is_shut() -> None:
    async def scene(rig: Rig) -> None:
        rig.signal()
        await rig.until(lambda: rig.engine.book.holding("paper", "AAA") is not None)
        await rig.clock.sleep(2)
        start = rig.now
        shut_on(rig, ev.OrderSent)
        await rig.engine.command(ask.ClosePosition(by="test", symbol="AAA"))
        await rig.until(lambda: rig.engine.book.holding("paper", "AAA") is None)
        assert rig.gate.closed
        assert f"submit {Purpose.EXIT}" in rig.wire.since(start)

    play(scene)


@pytest.mark.parametrize("quantity", [11, 10, 9])
def test_a_change_that_can_add_leaves_the_order_as_it_was_once_the_gate_is_shut(
    quantity: int,
) -> None:
    """A smaller one may grow by what fills meanwhile: whatever is still an entry waits."""

    async def scene(rig: Rig) -> None:
        key = await rig.rest()
        await rig.clock.sleep(1)
        shut_on(rig, ev.ReplaceRequested)
        await rig.engine.command(
            ask.ModifyOrder(
                by="test",
                client_order_id=key,
                quantity=Decimal(quantity),
                limit_price=Decimal(97),
            )
        )
        await rig.until(lambda: rig.status(key) is OrderStatus.NEW)
        (asked,) = rig.events(ev.ReplaceRequested)
        (refused,) = rig.events(ev.CancelRefused)
        assert (asked.native, refused.client_order_id) == (True, key)
        assert "from another thread" in refused.text
        assert rig.venue.open[key].quantity == 10

    play(scene)


def test_a_kill_that_follows_the_shut_gate_finds_nothing_left_of_the_entry() -> None:
    async def scene(rig: Rig) -> None:
        start = rig.now
        shut_on(rig, ev.OrderSent)
        rig.signal()
        await rig.until(lambda: rig.gate.closed)
        await rig.engine.command(ask.Kill(by="test", flatten=Flatten.ALL))
        kill = rig.engine.book.account("paper").kill
        assert kill is not None
        await rig.until(lambda: kill.state == "VERIFIED")
        assert "submit ENTRY" not in rig.wire.since(start)
        assert not rig.venue.orders

    play(scene)


# --- a halt that is asked for while a resume is under way -----------------------------------------


async def halted(rig: Rig) -> None:
    """Halted, and the latch written."""
    await rig.engine.command(ask.Kill(by="test", level=Level.HALT, flatten=Flatten.NONE))
    await rig.clock.sleep(1)
    assert rig.gate.closed


async def resume(rig: Rig, *, halted_again: str = "") -> None:
    """The halt is cleared in the state, and the gate follows once that is durable; then the answer
    comes, which tells what keeps the gate shut all the same (`halted_again`)."""
    done = await rig.engine.command(ask.Resume(by="test", confirm="RESUME"))
    assert rig.engine.book.data.halt is None
    assert done.ok is not rig.gate.closed
    assert done.error == (f"halted again: {halted_again}" if halted_again else "")


def outside(rig: Rig) -> Halt:
    """A halt as another thread sets it."""
    return Halt(
        reason="outside",
        at=rig.clock.now(),
        by="test",
        level=Level.HALT,
        trigger=Trigger.LATCH,
        flatten=Flatten.NONE,
        epoch=0,
    )


def test_a_resume_opens_the_gate_when_nobody_has_asked_for_a_halt_since() -> None:
    async def scene(rig: Rig) -> None:
        await halted(rig)
        await resume(rig)
        await rig.clock.sleep(5)
        assert not rig.gate.closed

    play(scene)


@pytest.mark.parametrize("when", ["before the resume", "while it is carried through", "after it"])
def test_a_resume_does_not_open_the_gate_for_a_halt_that_the_engine_has_not_heard_of(
    when: str,
) -> None:
    """However long the loop takes to hear of it: whatever was decided meanwhile stays inside."""

    async def scene(rig: Rig) -> None:
        await halted(rig)
        asked: list[int] = []

        def outside_asks(record: ev.Record) -> None:
            if isinstance(record.event, ev.HaltCleared):
                asked.append(rig.gate.ask("outside"))

        if when == "before the resume":
            asked.append(rig.gate.ask("outside"))
        elif when == "while it is carried through":
            ended = rig.engine.subscribe(outside_asks)
        await resume(rig, halted_again="" if when == "after it" else "outside")
        if when == "after it":
            asked.append(rig.gate.ask("outside"))
        elif when == "while it is carried through":
            ended()
        (number,) = asked
        await rig.clock.sleep(5)
        assert rig.gate.closed
        assert rig.gate.halted
        assert rig.gate.reason == "outside"
        rig.engine.latch_found(outside(rig))
        rig.engine.halt_taken([number])
        assert rig.gate.closed
        assert rig.engine.book.data.halt is not None
        await rig.clock.sleep(1)
        await resume(rig)
        await rig.clock.sleep(5)
        assert not rig.gate.closed

    play(scene)


def test_of_two_askings_each_keeps_the_gate_shut_until_the_engine_has_heard_of_it() -> None:
    async def scene(rig: Rig) -> None:
        first, second = rig.gate.ask("first"), rig.gate.ask("second")
        rig.engine.latch_found(outside(rig))
        rig.engine.halt_taken([second])
        await rig.clock.sleep(1)
        await resume(rig, halted_again="first")
        await rig.clock.sleep(5)
        assert rig.gate.reason == "first"
        rig.engine.latch_found(outside(rig))
        rig.engine.halt_taken([first])
        await rig.clock.sleep(1)
        await resume(rig)
        await rig.clock.sleep(5)
        assert not rig.gate.closed

    play(scene)


def test_an_asking_that_led_to_no_halt_keeps_the_gate_shut() -> None:
    async def scene(rig: Rig) -> None:
        number = rig.gate.ask("outside")
        rig.engine.halt_taken([number])
        assert rig.gate.closed

    play(scene)


@pytest.mark.parametrize("seconds", [7, 8, 12, 20])
def test_an_entry_whose_intent_takes_too_long_to_write_is_not_said_to_be_halted(
    seconds: int,
) -> None:
    """A disk that is slow is no halt: a person who reads "halted" would look for one."""
    slow = [0.0]

    async def scene(rig: Rig) -> None:
        slow[0] = seconds
        start = rig.now
        rig.signal()
        (entry,) = rig.orders()
        await rig.until(lambda: rig.status(entry.client_order_id).is_terminal)
        slow[0] = 0.0
        assert "submit ENTRY" not in rig.wire.since(start)
        order = rig.engine.book.order(entry.client_order_id)
        assert order is not None
        assert (order.status, order.reject_code) == (OrderStatus.REJECTED, "NOT_SENT")
        (rejected,) = rig.events(ev.OrderRejected, start)
        assert "halt" not in rejected.text
        assert not rig.engine.book.reservations.by_currency

    play(scene, commit_seconds=lambda: slow[0])
