"""A cancel that an adapter leaks is no answer and ends nothing of ours (C-403, C-441, X-84, U-52).

An adapter that waits for a task of its own raises CancelledError once that one is cancelled, though
nobody cancelled the task of ours that called it.
"""

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.inputs import Input, Trouble
from engine.domain.instant import NS_PER_SECOND, Nanos
from engine.domain.market import MarketEvent, Quote
from engine.domain.order import OrderStatus, OrderType, Side
from engine.domain.run import Flatten, LinkState, Phase
from engine.ports import Ambiguous, Broker, BrokerError, LinkReport, MarketData, Rejected, Report
from engine.runtime.cancelled import Unasked
from engine.runtime.clock import VirtualClock
from engine.runtime.feed import MarketFeed
from engine.runtime.tasks import Tasks
from engine.runtime.virtual_time import VirtualLoop, run_virtual
from tests.configs import from_mapping
from tests.engine.liar import PLAIN, PRICE, TREE, Liar, Table, play
from tests.engine.worlds import BROKER, MIDDAY

ABLE = msgspec.structs.replace(PLAIN, native_modify=True, cancels_together=True, history=True)
ALERT = from_mapping(TREE | {"kill": {"broker_lost": "alert"}})


def calls_of(port: type) -> list[str]:
    """Every call that an adapter of this port answers, as the port itself names them."""
    found = [name for name, value in vars(port).items() if inspect.isfunction(value)]
    return [name for name in found if not name.startswith("_")]


async def leak() -> None:
    """Raise what an adapter raises that waits for a task of its own which somebody cancels."""
    reader = asyncio.create_task(asyncio.sleep(60))
    asyncio.get_running_loop().call_later(0.01, reader.cancel)
    await reader


class Leaking:
    """An adapter that leaks a cancel out of the next call of each of `leaks`."""

    def __init__(self, *args: Any) -> None:
        self.leaks: set[str] = set()
        self.leaked: list[str] = []
        """The calls that did."""
        self.after = False
        """What was asked is done, and the cancel comes instead of its answer."""
        super().__init__(*args)

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        if name.startswith("_") or name in ("leaks", "leaked") or name not in self.leaks:
            return found
        return (self._stream if inspect.isasyncgenfunction(found) else self._call)(name, found)

    def _call(self, name: str, call: Callable[..., Awaitable[Any]]) -> Callable[..., Any]:
        async def leaking(*args: Any, **options: Any) -> None:
            self._note(name)
            if self.after:
                await call(*args, **options)
            await leak()

        return leaking

    def _stream(self, name: str, call: Callable[[], AsyncIterator[Any]]) -> Callable[[], Any]:
        async def leaking() -> AsyncIterator[Any]:
            self._note(name)
            await leak()
            async for told in call():
                yield told

        return leaking

    def _note(self, name: str) -> None:
        self.leaks.discard(name)
        self.leaked.append(name)


class Leaky(Leaking, Liar):
    """A venue with such an adapter."""

    async def cancel_orders(self, client_order_ids: Sequence[str]) -> dict[str, BrokerError]:
        refused: dict[str, BrokerError] = {}
        for key in client_order_ids:
            try:
                await Liar.cancel_order(self, key)
            except Rejected as error:
                refused[key] = error
        return refused

    async def reports(self) -> AsyncIterator[Report]:
        """Until the connection is lost, as a stream that must be read anew."""
        while True:
            report = await self._reports.get()
            yield report
            if isinstance(report, LinkReport):
                return

    async def get_cash_movements_since(self, since: Nanos) -> tuple[Any, ...]:
        await self._answer("movements")
        return ()

    def lose(self) -> None:
        """The connection is lost, and the adapter does not come back by itself."""
        self.tell(LinkReport(account=self.name, state=LinkState.DISCONNECTED, time=0))

    def end(self) -> None:
        """The stream of reports ends, and nothing is said about the connection."""
        self.tell(LinkReport(account=self.name, state=LinkState.CONNECTED, time=0))


class LeakyTable(Table):
    makes = Leaky
    venue: Leaky

    async def rest(self, price: int) -> str:
        """A buy by hand that rests; its id."""
        done = await self.order(
            Side.BUY, 1, type=OrderType.LIMIT, limit_price=Decimal(price), protect=Decimal(90)
        )
        assert done.ok, done.error
        (key,) = done.data["client_order_ids"]
        await self.until(lambda: self.status(key) is OrderStatus.NEW)
        return str(key)

    def status(self, key: str) -> OrderStatus | None:
        order = self.engine.book.order(key)
        return None if order is None else order.status


NOT_ASKED = {"cancel_all", "instrument"}
"""What the engine asks of no venue."""

TOGETHER = {"get_order": {"submit_order"}}
"""What has to go wrong too before something is asked."""

BROKER_CALLS = calls_of(Broker)


async def lead(table: LeakyTable, call: str, key: str, other: str) -> None:
    """Do what has the venue asked, beside a kill or without one; `key` and `other` rest."""
    if call in ("connect", "reports"):
        table.venue.lose()
    elif call == "disconnect":
        table.venue.end()
    elif call == "modify_order":
        await table.engine.command(
            ask.ModifyOrder(by="test", client_order_id=key, quantity=Decimal(2))
        )
    elif call == "cancel_order":
        await table.engine.command(ask.CancelOrder(by="test", client_order_id=key))
    elif call == "cancel_orders":
        for one in (key, other):
            table.engine.step(ask.CancelOrder(by="test", client_order_id=one))
    elif call in ("submit_order", "get_order"):
        await table.order(Side.BUY, 3, protect=Decimal(90))
    elif call == "server_time":
        await table.wait(16)
    else:
        await table.engine.command(ask.Reconcile(by="test"))


def arm(table: LeakyTable, call: str, *, after: bool) -> None:
    table.venue.after = after
    table.venue.leaks = {call, *TOGETHER.get(call, ())}


def was_met(table: LeakyTable, call: str) -> bool:
    return (call in table.venue.leaked) == (call not in NOT_ASKED)


@pytest.mark.parametrize("after", [False, True], ids=["unasked", "acted"])
@pytest.mark.parametrize("call", BROKER_CALLS)
def test_an_account_goes_on_whatever_call_of_its_venue_leaks_a_cancel(
    call: str, *, after: bool
) -> None:
    async def scene(table: LeakyTable) -> None:
        await table.buy(50, protect=Decimal(90))
        keys = await table.rest(96), await table.rest(97)
        await table.wait(5)
        arm(table, call, after=after)
        await lead(table, call, *keys)
        await table.wait(120)
        assert was_met(table, call)
        account = table.engine.book.account(BROKER)
        assert account.is_connected
        assert account.compared
        assert not account.snapshot_asked
        assert not account.silent_since
        assert table.held == table.there
        assert table.engine.book.data.phase is Phase.RUNNING
        held = table.held
        done = await table.order(Side.BUY, 7, protect=Decimal(90))
        assert done.ok, done.error
        await table.until(lambda: table.held == table.there == held + 7)

    play(scene, table=LeakyTable, config=ALERT, able=ABLE)  # type: ignore[arg-type]


@pytest.mark.parametrize("after", [False, True], ids=["unasked", "acted"])
@pytest.mark.parametrize("call", [call for call in BROKER_CALLS if call != "modify_order"])
def test_u52_a_kill_sells_everything_whatever_call_of_its_venue_leaks_a_cancel(
    call: str, *, after: bool
) -> None:
    """A look that it waits for would be asked for once, and never again."""

    async def scene(table: LeakyTable) -> None:
        await table.buy(50, protect=Decimal(90))
        keys = await table.rest(96), await table.rest(97)
        await table.wait(5)
        arm(table, call, after=after)
        if call in ("cancel_order", "get_order", "server_time"):
            await lead(table, call, *keys)
        await table.engine.command(ask.Kill(by="test", flatten=Flatten.ALL, reason="because"))
        if call in ("connect", "disconnect", "reports"):
            await lead(table, call, *keys)
        await table.wait(120)
        assert was_met(table, call)
        assert table.held == table.there == 0
        proved = table.events(ev.KillProved)
        assert proved
        assert proved[-1].state == "VERIFIED"

    play(scene, table=LeakyTable, config=ALERT, able=ABLE)  # type: ignore[arg-type]


# --- the feed -------------------------------------------------------------------------------------


class Prices:
    """A market that tells a price every half second."""

    async def events(self) -> AsyncIterator[MarketEvent]:
        """Without an end."""
        while True:
            now = round(asyncio.get_running_loop().time() * NS_PER_SECOND)
            yield Quote(symbol="AAA", bid=PRICE, ask=PRICE, last=PRICE, time=MIDDAY + now)
            await asyncio.sleep(0.5)

    async def history(self, symbol: str, bars: int) -> tuple[MarketEvent, ...]:
        """None is kept."""
        return ()


class LeakyPrices(Leaking, Prices):
    """One with such an adapter."""


@pytest.mark.parametrize("call", calls_of(MarketData))
def test_u53_prices_come_and_it_is_told_whatever_call_of_their_source_leaks_a_cancel(
    call: str,
) -> None:
    market, given = LeakyPrices(), list[Input]()
    market.leaks = {call}

    async def main(clock: VirtualClock) -> None:
        feed = MarketFeed(market, step=given.append, clock=clock)
        pump = asyncio.create_task(feed.run(("AAA",)))
        await clock.sleep(10)
        pump.cancel()
        with pytest.raises(asyncio.CancelledError):
            await pump

    run_virtual(main, MIDDAY, 60)
    assert market.leaked == [call]
    (told,) = (one for one in given if isinstance(one, Trouble))
    assert told.code == {"events": "MARKET_LOST", "history": "NO_HISTORY"}[call]
    assert len([one for one in given if isinstance(one, Quote)]) >= 10


def test_a_recording_that_leaks_a_cancel_has_failed() -> None:
    """It would begin anew; whoever plays it is told why it ends."""
    market = LeakyPrices()
    market.leaks = {"events"}

    async def main(clock: VirtualClock) -> None:
        with pytest.raises(Ambiguous):
            await MarketFeed(market, step=id, clock=clock, recorded=True).run(())

    run_virtual(main, MIDDAY, 60)


# --- the last line: whatever leaked it ------------------------------------------------------------


def test_an_effect_that_ends_as_cancelled_has_failed() -> None:
    failures: list[BaseException] = []

    async def main() -> None:
        tasks = Tasks(failures.append)
        tasks.spawn(leak())
        while len(tasks):
            await asyncio.sleep(0.01)

    asyncio.run(main())
    (failure,) = failures
    assert isinstance(failure, Unasked)
    assert "leak" in str(failure)


class LeakyClock(VirtualClock):
    """A clock one sleep of which leaks a cancel, once it is `armed`."""

    armed = False
    """Set it to have the next one leak."""

    async def sleep(self, seconds: float) -> None:
        if self.armed:
            self.armed = False
            await leak()
        await super().sleep(seconds)


class Slow(Liar):
    """A venue that is connected to long after the engine has begun without it."""

    async def connect(self) -> None:
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            await asyncio.sleep(20)


class SlowTable(Table):
    makes = Slow


@pytest.mark.parametrize("kind", [Table, SlowTable], ids=["at the start", "late"])
def test_a_pump_that_ends_as_cancelled_ends_the_run_in_order_and_with_a_word(
    kind: type[Table],
) -> None:
    """It is watched whenever it began."""

    async def main(_: VirtualClock) -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        clock = LeakyClock(loop, MIDDAY)
        table = kind(clock)
        await table.start()
        await table.until(lambda: table.engine.book.account(BROKER).compared)
        table._prices.cancel()  # from here on only the engine sleeps
        clock.armed = True
        with pytest.raises(Unasked, match="watch"):
            async with asyncio.timeout(60):
                await table._running
        (last,) = table.events(ev.PhaseChanged)[-1:]
        assert last.phase is Phase.STOPPED
        assert "watch" in last.reason

    run_virtual(main, MIDDAY, 600)
