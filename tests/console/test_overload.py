"""What an entry is told of the wait: how long it and the oldest tick have been there (X-89)."""

import asyncio
from decimal import Decimal

import pytest

from engine.domain import events as ev
from engine.domain.commands import AGED, ModifyOrder, PlaceOrder, RetryLetter
from engine.domain.inputs import Command, SignalArrived
from engine.domain.instant import NS_PER_MS
from engine.domain.order import Side
from engine.runtime.clock import SteadyTime
from engine.runtime.lag import LagMeter
from engine.runtime.timer import TICK_IDLE, Timer
from engine.state.book import Book
from tests.console.hosts import HandClock, Host, settle
from tests.engine.worlds import signal

COMMANDS: dict[type, Command] = {
    PlaceOrder: PlaceOrder(by="test", symbol="AAPL", side=Side.BUY, quantity=Decimal(1)),
    ModifyOrder: ModifyOrder(by="test", client_order_id="none"),
    RetryLetter: RetryLetter(by="test", letter_id="none"),
}


@pytest.mark.parametrize(
    ("real", "waited", "refused"),
    [(True, 250, False), (True, 251, True), (False, 251, False), (False, 60_000, False)],
)
async def test_an_entry_carries_its_wait_where_time_is_the_machine_s(
    real: bool, waited: int, refused: bool
) -> None:
    async with Host() as host:
        host.clock.is_real = real
        asked = signal("AAPL", at=host.clock.now())
        decided = host.engine.submit(asked, waited=waited * NS_PER_MS)
        assert isinstance(decided, ev.SignalDecided)
        assert (decided.code == "OVERLOADED") is refused


async def test_every_input_that_may_add_exposure_carries_the_wait_of_a_tick_that_is_due() -> None:
    for kind in AGED:
        async with Host() as host:
            host.clock.is_real = True
            host.clock.stall(TICK_IDLE + 0.251)
            asked = signal("AAPL", at=host.clock.now())
            if kind is SignalArrived:
                host.engine.submit(asked)
            else:
                await host.engine.command(COMMANDS[kind])
            assert host.engine.world.overload.waited(host.clock.now()) >= 251 * NS_PER_MS, kind


async def test_a_tick_that_is_due_and_could_not_run_counts_from_when_it_was_due() -> None:
    clock = HandClock()
    timer = Timer(
        Book(),
        clock=clock,
        time=SteadyTime(clock),
        lag=LagMeter(clock.monotonic),
        tick=lambda: None,
        calm=lambda: 0,
    )
    assert timer.overdue() == 0
    running = asyncio.ensure_future(timer.run())
    await settle()
    clock.stall(TICK_IDLE)
    assert timer.overdue() == 0
    clock.stall(0.251)
    assert timer.overdue() == 251 * NS_PER_MS
    await clock.advance(0)
    assert timer.overdue() == 0
    running.cancel()
