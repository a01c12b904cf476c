"""A call that hangs while the engine starts keeps no report and no market from it (R2, C-441)."""

from decimal import Decimal

import pytest

from engine.domain import events as ev
from engine.domain.order import Side
from engine.domain.run import Phase
from engine.runtime.clock import VirtualClock
from engine.runtime.virtual_time import run_virtual
from tests.engine.liar import Table, somebody_rests
from tests.engine.worlds import MIDDAY


class HangsOnce:
    """A set of calls that are never answered, each of them once."""

    def __init__(self, *calls: str) -> None:
        self._left = set(calls)

    def __rand__(self, asked: set[str]) -> set[str]:
        hangs = asked & self._left
        self._left -= hangs
        return hangs

    __and__ = __rand__


@pytest.mark.parametrize("call", ["orders", "positions", "account", "fills"])
def test_r2_reports_are_heard_though_the_first_look_never_ends(call: str) -> None:
    async def main(clock: VirtualClock) -> None:
        table = Table(clock)
        table.venue.silent = HangsOnce(call)  # type: ignore[assignment]
        await table.start()
        try:
            somebody_rests(table)
            table.venue.trade("theirs", Decimal(5))
            await table.wait(5)
            assert table.now < 12
            assert table.engine.book.data.phase is Phase.RUNNING
            assert table.held == 5
        finally:
            await table.stop()

    run_virtual(main, MIDDAY, 600)


def test_r2_an_engine_whose_venue_answers_nothing_starts_and_can_be_halted() -> None:
    async def main(clock: VirtualClock) -> None:
        table = Table(clock)
        table.venue.silent = {"orders", "positions", "account", "fills", "time"}
        await table.start()
        try:
            assert table.now < 10
            assert table.engine.book.data.phase is Phase.STARTING
            told = await table.order(Side.BUY, 10, protect=Decimal(90))
            assert not told.ok
            table.venue.silent = set()
            await table.until(lambda: table.engine.book.data.phase is Phase.RUNNING, 90)
            assert table.events(ev.Reconciled)
        finally:
            await table.stop()

    run_virtual(main, MIDDAY, 600)
