"""Hostile and unlucky turns of a trading day, each of which once did harm (DESIGN, Rules)."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from console.host import wiring
from console.host.memory_latch import MemoryLatch
from console.virtual import Rehearsal, rehearse
from engine.domain import commands as ask
from engine.domain.inputs import CancelFailed, GateClosed, QueryAnswered
from engine.domain.instant import NS_PER_SECOND, Nanos, parse_rfc3339
from engine.domain.order import OrderStatus, Purpose, Side
from engine.ports import Cancellable, Clock, Rejected
from engine.runtime.clock import SteadyClock
from engine.runtime.virtual_time import run_virtual
from tests.configs import from_mapping
from tests.engine.driver import CoreDriver
from tests.engine.worlds import signal


def ticket(intent: str, quantity: str = "5") -> ask.PlaceOrder:
    return ask.PlaceOrder(
        by="test", symbol="NVDA", side=Side.BUY, quantity=Decimal(quantity), intent_id=intent
    )


@pytest.mark.parametrize("seconds", [0, 1, 61, 4000])
def test_a_ticket_that_is_sent_again_is_no_second_order(seconds: int) -> None:
    """The same intent is the same order, however much later it is sent again (rule 1)."""

    async def play(desk: Rehearsal) -> tuple[bool, Decimal]:
        desk.price("NVDA", "100.00")
        assert (await desk.engine.command(ticket("ticket-1"))).ok
        await desk.wait(1)
        desk.price("NVDA", "100.05")
        await desk.wait(seconds)
        desk.price("NVDA", "100.05")
        again = await desk.engine.command(ticket("ticket-1"))
        await desk.wait(1)
        desk.price("NVDA", "100.05")
        await desk.wait(1)
        return again.ok, desk.held("NVDA")

    config = {"execution": {"dedup_window_seconds": 0}}
    # The second is told what came of the first.
    assert rehearse(play, config=config) == (True, 5)


# --- the clock -----------------------------------------------------------------------------------

HOUR = 3600 * NS_PER_SECOND


class Settable:
    """A clock whose wall somebody may set; intervals go on as they did."""

    is_real = False

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.set_by: Nanos = 0

    def now(self) -> Nanos:
        return self._clock.now() + self.set_by

    def monotonic(self) -> Nanos:
        return self._clock.monotonic()

    async def sleep(self, seconds: float) -> None:
        await self._clock.sleep(seconds)

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Cancellable:
        return self._clock.call_later(seconds, callback)


def house(clock: Clock, folder: Path, more: dict[str, Any] | None = None) -> wiring.House:
    return wiring.build(
        from_mapping({"signals": {"builtin": ""}, **(more or {})}),
        clock=clock,
        state_dir=folder,
        version="test",
        latch=MemoryLatch(),
        threads=False,
        by_hand=True,
    )


@pytest.mark.parametrize("by", [0, -HOUR])
def test_a_clock_that_is_set_back_after_a_start_keeps_no_exit_waiting(
    tmp_path: Path, by: Nanos
) -> None:
    """What an earlier process may have sent is asked about after its bound, not an hour later."""

    async def main(virtual: Clock) -> Decimal:
        clock = Settable(virtual)
        for life in range(2):
            home = house(clock, tmp_path)
            await home.engine.start()
            desk = Rehearsal(home, clock)
            desk.price("NVDA", "100")
            await desk.wait(1)
            if not life:
                assert (await desk.engine.command(ticket("first"))).ok
            else:
                clock.set_by = by
                await desk.engine.command(ask.ClosePosition(by="test", symbol="NVDA"))
            for _ in range(30):
                await desk.wait(1)
                desk.price("NVDA", "100")
            left = desk.held("NVDA")
            assert life or left == 5
            await home.engine.stop("the life ends")
            home.close()
        return left

    assert run_virtual(main, parse_rfc3339("2013-10-07T16:00:00Z"), 86_400.0) == 0


def test_a_clock_for_a_process_never_runs_backward_and_waits_as_its_own_does() -> None:
    async def main(virtual: Clock) -> list[Nanos]:
        inner = Settable(virtual)
        clock = SteadyClock(inner)
        began, seen = clock.now(), []
        for by in (0, -HOUR, -HOUR, 0, HOUR, HOUR):
            inner.set_by = by
            clock.now()
            await clock.sleep(60)
            seen.append((clock.now() - began) // NS_PER_SECOND)
        assert clock.monotonic() == virtual.monotonic()
        return seen

    # Set back by an hour: half as fast once a minute has made it sure; right again: as the wall is,
    # which is ahead; set forward by an hour: followed after a minute.
    assert run_virtual(main, 0, 86_400.0) == [60, 90, 120, 240, 3900, 3960]


# --- cancels -------------------------------------------------------------------------------------


def test_a_cancel_before_the_order_left_is_a_cancel_also_when_the_venue_was_asked() -> None:
    """Its intent waits for a slow disk while the venue says it knows no such order."""
    desk = CoreDriver().price("NVDA", "100")
    desk.signal(signal("NVDA", conviction=60, entry="99", stop="95"))
    entry = desk.last(Purpose.ENTRY)
    desk.give(ask.CancelOrder(by="test", client_order_id=entry.client_order_id))
    unknown = Rejected("UNKNOWN_ORDER", "no such order")
    desk.give(CancelFailed(entry.account, entry.client_order_id, unknown))
    desk.give(QueryAnswered(entry.account, entry.client_order_id, None, (), desk.now))
    desk.give(GateClosed(entry.account, entry.client_order_id))
    assert desk.current(entry).status is OrderStatus.CANCELED


# --- what cannot be sold in whole lots -----------------------------------------------------------


def test_a_holding_that_is_no_multiple_of_the_lot_can_be_closed(tmp_path: Path) -> None:
    """The instrument's lot changed while 5 were held: what is held can always be sold (rule 3)."""
    table = tmp_path / "instruments.csv"
    head = "symbol,asset_class,tick,lot,multiplier,currency,calendar,shortable\n"

    async def main(clock: Clock) -> tuple[Decimal, list[str]]:
        for life, lot in enumerate(("1", "10")):
            table.write_text(head + f"NVDA,stock,0.01,{lot},1,USD,XNYS,true\n")
            home = house(clock, tmp_path / "state", {"data": {"instruments": str(table)}})
            await home.engine.start()
            desk = Rehearsal(home, clock)
            desk.price("NVDA", "100")
            await desk.wait(1)
            if not life:
                assert (await desk.engine.command(ticket("first"))).ok
            else:
                await desk.engine.command(ask.ClosePosition(by="test", symbol="NVDA"))
            for _ in range(5):
                await desk.wait(1)
                desk.price("NVDA", "100")
            left = desk.held("NVDA")
            codes = [
                order.reject_code for order in desk.engine.book.account("paper").closed.values()
            ]
            await home.engine.stop("the life ends")
            home.close()
        return left, codes

    left, codes = run_virtual(main, parse_rfc3339("2013-10-07T16:00:00Z"), 86_400.0)
    assert left == 0, codes
