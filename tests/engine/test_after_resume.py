"""After the answer to a resume the operator may trade (X-69, X-81); nothing that was taken is lost
to the halt that it cleared (C-430), and nothing leaves before that halt is really gone (C-503)."""

import asyncio
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest

from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.order import OrderTerms, Purpose, Side
from engine.domain.run import Flatten, Halt, Level, Trigger
from engine.domain.signal import TradeType
from engine.ports import LatchError, NotSent
from tests.configs import from_mapping
from tests.engine.liar import TREE, Liar, Table, play
from tests.simulation.store import DiskFull, Row

RESUME = ask.Resume(by="test", confirm="RESUME")


async def halted(table: Table) -> None:
    await table.engine.command(ask.Kill(by="test", level=Level.HALT, flatten=Flatten.NONE))
    await table.wait(20)


async def cleared_but_shut(table: Table) -> "asyncio.Task[Any]":
    """A resume is decided, and what it decided is still on its way to the latch file."""
    decided: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def watch(record: ev.Record) -> None:
        if isinstance(record.event, ev.HaltCleared):
            decided.set_result(None)

    unsubscribe = table.engine.subscribe(watch)
    resuming = asyncio.create_task(table.engine.command(RESUME))
    await decided
    unsubscribe()
    assert table.gate.closed
    return resuming


class Unreached(Liar):
    """No entry reaches the venue while it is `away`."""

    away = False

    async def submit_order(self, order: OrderTerms) -> None:
        if self.away and order.purpose in (Purpose.MANUAL, Purpose.ENTRY):
            raise NotSent("the connection was refused")
        await super().submit_order(order)


class Away(Table):
    makes = Unreached


def test_x81_an_order_that_is_asked_for_right_after_a_resume_is_sent() -> None:
    async def scene(table: Table) -> None:
        await halted(table)
        told = await table.engine.command(RESUME)
        assert (told.ok, table.gate.closed) == (True, False)
        await table.buy(10, hold=TradeType.SWING)
        assert not table.events(ev.OrderRejected)

    play(scene)


def test_x81_so_is_one_that_another_operator_asks_for_before_that_is_answered() -> None:
    async def scene(table: Table) -> None:
        await halted(table)
        resuming = await cleared_but_shut(table)
        await table.buy(10, hold=TradeType.SWING)
        assert (await resuming).ok
        assert not table.events(ev.OrderRejected)

    play(scene)


@pytest.mark.parametrize("answered", [True, False])
def test_c430_a_dead_letter_that_is_retried_after_a_resume_is_sent(answered: bool) -> None:
    async def scene(table: Table) -> None:
        assert isinstance(table.venue, Unreached)
        table.venue.away = True
        assert (await table.order(Side.BUY, 40, hold=TradeType.SWING, protect=Decimal(95))).ok
        await table.until(lambda: bool(table.engine.book.data.letters), 120)
        table.venue.away = False
        (letter,) = table.engine.book.data.letters
        await table.wait(60)  # the same order may be made again
        await halted(table)
        if answered:
            assert (await table.engine.command(RESUME)).ok
        else:
            await cleared_but_shut(table)
        assert (await table.engine.command(ask.RetryLetter(by="test", letter_id=letter))).ok
        await table.until(lambda: table.held == 40)
        assert not table.engine.book.data.letters

    play(scene, table=Away)


def test_c503_the_gate_opens_only_once_the_clearing_is_durable_and_the_latch_gone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def scene(table: Table) -> None:
        await halted(table)
        seen: list[tuple[bool, bool]] = []
        clear = table.latch.clear

        def watched(epoch: int) -> None:
            durable = any(kind == "HaltCleared" for _, _, kind, _ in table.disk.rows)
            seen.append((durable, table.gate.closed))
            clear(epoch)

        monkeypatch.setattr(table.latch, "clear", watched)
        resuming = await cleared_but_shut(table)
        assert (await table.order(Side.BUY, 10, hold=TradeType.SWING)).ok
        assert (await resuming).ok
        assert seen == [(True, True)]
        assert table.disk.latch is None
        await table.until(lambda: table.held == 10)

    play(scene)


def test_c503_a_latch_that_cannot_be_removed_halts_anew_and_the_answer_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def scene(table: Table) -> None:
        await halted(table)

        def fails(epoch: int) -> None:
            raise LatchError("the halt latch cannot be removed (no such luck): remove it by hand")

        monkeypatch.setattr(table.latch, "clear", fails)
        resuming = await cleared_but_shut(table)
        between = await table.order(Side.BUY, 10, hold=TradeType.SWING)
        told = await resuming
        assert not told.ok
        assert "halted again" in told.error
        assert table.gate.closed
        assert table.engine.book.run_state.value == "HALTED"
        assert "LATCH_FAILED" in table.alarms()
        assert not (await table.order(Side.BUY, 11, hold=TradeType.SWING)).ok
        await table.wait(20)
        assert (between.ok, table.there) == (True, 0)

    play(scene)


def test_c503_a_halt_that_comes_while_the_latch_is_removed_keeps_what_was_asked_for_between() -> (
    None
):
    async def scene(table: Table) -> None:
        await halted(table)
        resuming = await cleared_but_shut(table)
        assert (await table.order(Side.BUY, 10, hold=TradeType.SWING)).ok
        table.engine.halt(ask.Kill(by="test", level=Level.HALT, flatten=Flatten.NONE))
        told = await resuming
        assert (told.ok, "halted again" in told.error) == (False, True)
        await table.wait(20)
        assert table.gate.closed
        assert table.there == 0

    play(scene)


def test_u71_a_file_that_somebody_sets_while_the_latch_is_removed_halts_anew() -> None:
    async def scene(table: Table) -> None:
        await halted(table)
        resuming = await cleared_but_shut(table)
        table.disk.latch = Halt(
            reason="by hand",
            at=1,
            by="file",
            level=Level.HALT,
            trigger=Trigger.LATCH,
            flatten=Flatten.NONE,
            epoch=0,
        )
        told = await resuming
        assert (told.ok, "by hand" in told.error) == (False, True)
        assert table.gate.closed

    play(scene)


def test_c503_while_the_disk_hangs_the_answer_says_so_and_nothing_leaves_before_it_is_done(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The thread that removes the latch file comes back after 8 s."""

    async def scene(table: Table) -> None:
        await halted(table)
        loop = asyncio.get_running_loop()
        at_once: Any = loop.run_in_executor
        clear = table.latch.clear

        def hangs(executor: Any, call: Any, *given: Any) -> Any:
            if call != clear:
                return at_once(executor, call, *given)
            done: asyncio.Future[None] = loop.create_future()
            table.clock.call_later(8, lambda: done.set_result(call(*given)))
            return done

        monkeypatch.setattr(loop, "run_in_executor", hangs)
        told = await table.engine.command(RESUME)
        assert (told.ok, told.code) == (False, "NO_ANSWER")
        assert table.disk.latch is not None
        assert (await table.order(Side.BUY, 10, hold=TradeType.SWING)).ok
        await table.wait(2)
        assert (table.gate.closed, table.venue.orders) == (True, {})
        await table.until(lambda: table.held == 10)
        assert table.disk.latch is None

    play(scene)


def test_c503_a_clearing_that_is_not_durable_is_no_answer_and_is_made_up_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The disk is full as the clearing is written, and has room again a moment later."""

    async def scene(table: Table) -> None:
        await halted(table)
        write = table.disk.write

        def full(rows: Sequence[Row], intents: Sequence[str]) -> None:
            if any(kind == "HaltCleared" for _, _, kind, _ in rows):
                monkeypatch.setattr(table.disk, "write", write)
                raise DiskFull("no space is left on the device")
            write(rows, intents)

        monkeypatch.setattr(table.disk, "write", full)
        told = await table.engine.command(RESUME)
        assert (told.ok, told.code) == (False, "NO_ANSWER")
        assert table.gate.closed
        assert table.disk.latch is not None
        await table.until(lambda: not table.gate.closed)
        assert table.disk.latch is None

    play(scene, config=from_mapping(TREE | {"kill": {"journal": "reduce_only"}}))
