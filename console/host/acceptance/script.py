"""What the acceptance run does with an engine that trades for it (C-701, C-702, C-704).

Everything goes through the engine's own commands, its gate and its journal: there is no second way
to send an order. The venue is read beside that only to be compared with.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from decimal import ROUND_UP, Decimal
from functools import partial
from typing import Any, Final, TypeVar

import msgspec

from console.host import wiring
from engine.analytics.acceptance import FILL_SECONDS, Books, Run, differences
from engine.calendars import calendar
from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.codes import Code
from engine.domain.inputs import Command
from engine.domain.instant import NS_PER_SECOND, Nanos
from engine.domain.instrument import Instrument
from engine.domain.money import ZERO, passive_price
from engine.domain.order import OrderType, Side
from engine.domain.result import Result
from engine.domain.run import KillState, LinkState
from engine.ports import BrokerError, Clock, Rejected, Throttled

T = TypeVar("T")

READY_SECONDS: Final = 60.0
"""How long the account may take to be compared, and its market to tell a price."""

STEP_SECONDS: Final = 30.0
"""How long the venue may take to acknowledge an order or a cancel."""

KILL_SECONDS: Final = 60.0
"""How long a kill has that comes during the run."""

LOOK_SECONDS: Final = 0.02
AGREE_SECONDS: Final = 30.0
"""How long the venue's lists may be behind before they count as different."""

FAR: Final = Decimal("0.8")
"""How far a resting limit is from the market, as a share of the price collar."""

LARGER: Final = Decimal("1.1")
"""An order is worth this much of the smallest amount that the venue takes: prices move."""

DIFFERENT: Final = 20
"""So many orders in a row are for different quantities."""

BY: Final = "dryrun"

NOTHING: Final = Books(positions={}, orders=(), cash={})

PASSING: Final = frozenset(
    {
        Code.NO_PRICE,
        Code.STALE_QUOTE,
        Code.NO_RATE,
        Code.NO_ACCOUNT,
        Code.DUPLICATE_ORDER,
        Code.RATE_LIMIT,
    }
)
"""Refusals that pass by themselves."""


class Refused(Exception):  # noqa: N818 - what is the case
    """The run cannot go on: one sentence."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What a run is to do with one account."""

    account: str
    symbol: str
    is_paper: bool
    rests: int
    """So many limits are placed far from the market and cancelled."""
    trades: int
    """So many times the smallest quantity is bought and sold at the market."""
    steady: float
    """For so many seconds at least the stream is watched."""


class Performance:
    """A plan, carried out on a running engine; `perform` is called once."""

    def __init__(self, plan: Plan, house: wiring.House, clock: Clock) -> None:
        self._plan = plan
        self._engine = house.engine
        self._world = house.engine.world
        self._broker = house.connections[plan.account].broker
        self._clock = clock
        self._began = clock.now()
        self._letters: frozenset[str] = frozenset()
        self._before: Books | None = None
        self._number = 0
        self._round = 0
        self._resting: list[str] = []
        self._traded: list[str] = []
        self._records: list[ev.Record] = []
        self._accepted: set[str] = set()
        self._opening: list[str] = []
        """Every order in the symbol that can open something, from the moment on at which it was
        decided: the answer to the command comes later, and to nobody where the run is ended."""
        self._gone = 0
        self._trouble: list[str] = []

    async def perform(self) -> Run:
        """All of the plan. What could not be done is in the trouble of what it returns, and the
        account is left as it was found, as far as the venue lets it."""
        ends = self._engine.subscribe(self._hear)
        try:
            try:
                await self._carry_out()
            finally:  # also where the process is told to end
                await to_its_end(self._clean())
            return await self._compared()
        finally:
            ends()

    def _hear(self, record: ev.Record) -> None:
        self._records.append(record)
        event = record.event
        if isinstance(event, ev.OrderAccepted):
            self._accepted.add(event.client_order_id)
        elif isinstance(event, ev.OrderIntended):
            terms, plan = event.terms, self._plan
            if terms.adds_exposure and (terms.account, terms.symbol) == (plan.account, plan.symbol):
                self._opening.append(terms.client_order_id)

    async def _carry_out(self) -> None:
        plan = self._plan
        try:
            await self._ready()
            self._began = self._clock.now()
            self._letters = frozenset(self._world.book.data.letters)
            self._before = await self._venue()
            for self._round in range(max(plan.rests, plan.trades)):
                if self._round < plan.rests:
                    await self._rest()
                if self._round < plan.trades:
                    await self._trade()
            await self._watch()
        except Refused as error:
            self._trouble.append(str(error))
        except BrokerError as error:
            self._trouble.append(f"the venue could not be read: {error}")

    # --- before -----------------------------------------------------------------------------------

    async def _ready(self) -> None:
        """Until the account was compared and its market tells a price. Raises Refused."""
        name, symbol = self._plan.account, self._plan.symbol
        if not await self._until(lambda: self._world.book.account(name).compared, READY_SECONDS):
            raise Refused(f"the account {name} was not compared within {READY_SECONDS:g} s")
        try:
            await self._patiently(partial(self._broker.instrument, symbol))
        except Rejected as error:  # no price would come of it, however long it is waited for
            raise Refused(f"{symbol} is not traded at {name}: {error.text}") from error
        now = self._clock.now()
        market = calendar(self._instrument().calendar)
        if not market.is_open(now):
            raise Refused(f"the market of {symbol} is closed: {market.explain(now)}")
        if self._held() or self._works:
            raise Refused(f"{symbol} is held, or an order of it works: name another with --symbol")
        if not await self._until(lambda: self._bid() is not None, READY_SECONDS):
            raise Refused(f"no price of {symbol} came within {READY_SECONDS:g} s")

    def _instrument(self) -> Instrument:
        return self._world.instrument(self._plan.symbol)

    def _bid(self) -> Decimal | None:
        """The bid, or the last price where none is told; None while no price is fresh."""
        market, symbol = self._world.market, self._plan.symbol
        quote = market.quotes.get(symbol)
        if quote is None or not market.is_fresh(symbol, self._clock.now()):
            return None
        return quote.bid or quote.last

    def _held(self) -> Decimal:
        position = self._world.book.holding(self._plan.account, self._plan.symbol)
        return ZERO if position is None else position.quantity

    # --- the orders -------------------------------------------------------------------------------

    async def _rest(self) -> None:
        """A limit far from the market: placed, cancelled, and gone from the venue's list."""
        price = self._far()
        key = await self._place(quantity=self._quantity(), limit_price=price)
        self._resting.append(key)
        if not await self._until(lambda: self._is_accepted(key), STEP_SECONDS):
            self._trouble.append(f"{key} was not acknowledged in {STEP_SECONDS:g} s")
        await self._command(ask.CancelOrder(client_order_id=key, by=BY))
        if not await self._until(lambda: self._has_ended(key), STEP_SECONDS):
            self._trouble.append(f"the cancel of {key} was not confirmed")
            return
        if await self._is_gone(key):
            self._gone += 1

    async def _is_gone(self, key: str) -> bool:
        """Whether the venue lists the order no more; its list may be a little behind."""
        ends = self._clock.monotonic() + round(AGREE_SECONDS * NS_PER_SECOND)
        while True:
            orders = await self._patiently(self._broker.get_open_orders)
            if key not in {order.client_order_id for order in orders}:
                return True
            if self._clock.monotonic() > ends:
                return False
            await self._clock.sleep(0.5)

    async def _trade(self) -> None:
        """The smallest quantity bought at the market, and all of it closed again."""
        await self._at_market(await self._place(quantity=self._quantity()))
        await self._close()

    async def _close(self) -> None:
        held = self._held()
        if abs(held) < self._instrument().lot:
            return
        self._number += 1
        closing = ask.ClosePosition(
            symbol=self._plan.symbol, broker=self._plan.account, intent_id=self._id(), by=BY
        )
        told = await self._command(closing)
        if not told.ok:
            raise Refused(f"{self._plan.symbol} cannot be closed: {told.code}: {told.error}")
        for key in told.orders:
            await self._at_market(key)

    async def _at_market(self, key: str) -> None:
        """Wait for an order at the market; one that does not fill in its time is cancelled."""
        self._traded.append(key)
        if await self._until(lambda: self._has_ended(key), FILL_SECONDS):
            return
        await self._command(ask.CancelOrder(client_order_id=key, by=BY))
        if not await self._until(lambda: self._has_ended(key), STEP_SECONDS):
            raise Refused(f"{key} neither filled nor could be cancelled")

    async def _place(self, *, quantity: Decimal, limit_price: Decimal | None = None) -> str:
        """Its client order id; waits while it is refused for what passes. Raises Refused."""
        ends = self._clock.monotonic() + round(READY_SECONDS * NS_PER_SECOND)
        while True:
            self._number += 1
            told = await self._command(
                ask.PlaceOrder(
                    symbol=self._plan.symbol,
                    side=Side.BUY,
                    quantity=quantity,
                    type=OrderType.MARKET if limit_price is None else OrderType.LIMIT,
                    limit_price=limit_price,
                    broker=self._plan.account,
                    intent_id=self._id(),
                    by=BY,
                )
            )
            if told.ok:
                (key,) = told.orders
                return key
            if told.code not in PASSING or self._clock.monotonic() > ends:
                raise Refused(f"an order was refused: {told.code}: {told.error}")
            await self._clock.sleep(1)

    def _id(self) -> str:
        return f"{BY}-{self._began}-{self._number}"

    async def _command(self, command: Command) -> Result:
        return await self._engine.command(command)

    def _far(self) -> Decimal:
        """A price of a buy that does not fill, and that the collar lets pass. Raises Refused."""
        bid = self._bid()
        if bid is None:
            raise Refused(f"{self._plan.symbol} has no fresh price")
        far = bid * (1 - FAR * self._world.config.risk.price_collar_pct)
        return passive_price(far, self._instrument().tick_at(far), buy=True)

    def _quantity(self) -> Decimal:
        """The least that the venue takes, at the price of the resting limit too, and a few lots
        more: the same order within a minute counts as made by mistake (DUPLICATE_ORDER)."""
        instrument = self._instrument()
        unit = self._far() * instrument.multiplier
        least = max(instrument.lot, instrument.min_notional * LARGER / unit)
        lots = (least / instrument.lot).to_integral_value(ROUND_UP) + self._round % DIFFERENT
        return lots * instrument.lot

    def _is_accepted(self, key: str) -> bool:
        return key in self._accepted or self._has_ended(key)

    def _has_ended(self, key: str) -> bool:
        order = self._world.book.order(key)
        return order is None or order.status.is_terminal

    # --- after ------------------------------------------------------------------------------------

    async def _watch(self) -> None:
        """Until the stream was watched for as long as was asked."""
        ends = self._began + round(self._plan.steady * NS_PER_SECOND)
        await self._until(lambda: self._clock.now() >= ends, self._plan.steady)

    async def _clean(self) -> None:
        """Cancel and close what the run has opened, whatever happened in it."""
        try:
            for key in tuple(self._opening):
                if not self._has_ended(key):
                    await self._command(ask.CancelOrder(client_order_id=key, by=BY))
                    await self._until(partial(self._has_ended, key), STEP_SECONDS)
            if self._opening:  # before the first of them nothing was held
                await self._until(lambda: not self._works, FILL_SECONDS)  # a close of it, begun
                await self._close()
        except Refused as error:
            self._trouble.append(str(error))
        # A kill that came meanwhile is worked by this engine until it is proved.
        await self._until(lambda: not self._is_killing, KILL_SECONDS)

    @property
    def _works(self) -> bool:
        """Whether an order of the symbol works."""
        return any(order.symbol == self._plan.symbol for order in self._world.book.orders())

    @property
    def _is_killing(self) -> bool:
        kill = self._world.book.account(self._plan.account).kill
        return kill is not None and kill.state == KillState.WORKING

    async def _compared(self) -> Run:
        """What was seen, with the venue's lists and the engine's once they agree or have had their
        time."""
        name = self._plan.account
        ours, theirs = self._ours(), self._before or NOTHING
        ends = self._clock.monotonic() + round(AGREE_SECONDS * NS_PER_SECOND)
        try:
            while True:
                await self._command(ask.Reconcile(broker=name, by=BY))
                theirs, ours = await self._venue(), self._ours()
                if not differences(ours, theirs) or self._clock.monotonic() > ends:
                    break
                await self._clock.sleep(0.5)
        except BrokerError as error:
            self._trouble.append(f"the venue could not be read in the end: {error}")
        account, instrument = self._world.book.account(name), self._instrument()
        return Run(
            account=name,
            is_paper=self._plan.is_paper,
            rests=tuple(self._resting),
            trades=tuple(self._traded),
            records=tuple(self._records),
            link=LinkState.DISCONNECTED if account.link is None else account.link.state,
            circuit=account.circuit.state,
            began=self._began,
            ended=self._clock.now(),
            gone=self._gone,
            letters=len(self._world.book.data.letters.keys() - self._letters),
            currency=instrument.currency,
            multiplier=instrument.multiplier,
            before=self._before,
            after=theirs,
            ours=ours,
            left=self._held(),
            lot=instrument.lot,
            trouble=tuple(self._trouble),
        )

    async def _venue(self) -> Books:
        """What the venue lists now. Raises one of the six errors."""
        positions = await self._patiently(self._broker.get_positions)
        account = await self._patiently(self._broker.get_account)
        orders = await self._patiently(self._broker.get_open_orders)
        cash = account.balances or {account.currency: account.cash}
        return Books(
            positions={row.symbol: row.quantity for row in positions if row.quantity},
            orders=tuple(sorted(order.client_order_id for order in orders)),
            cash={name: amount for name, amount in cash.items() if amount},
        )

    async def _patiently(self, ask_venue: Callable[[], Awaitable[T]]) -> T:
        """The venue's answer; one that asks to wait is waited for, as the engine's own looks do.

        Raises one of the six errors.
        """
        ends = self._clock.monotonic() + round(AGREE_SECONDS * NS_PER_SECOND)
        while True:
            try:
                return await ask_venue()
            except Throttled as error:
                if self._clock.monotonic() > ends:
                    raise
                await self._clock.sleep(max(error.retry_after, LOOK_SECONDS))

    def _ours(self) -> Books:
        """What the engine counts; what it cannot explain is no part of that."""
        account = self._world.book.account(self._plan.account)
        return Books(
            positions={s: p.quantity for s, p in account.positions.items() if p.quantity},
            orders=tuple(sorted(account.orders)),
            cash={name: amount for name, amount in account.cash.items() if amount},
        )

    async def _until(self, true: Callable[[], bool], seconds: float) -> bool:
        """Until it is so; False where it is not within so many seconds."""
        ends: Nanos = self._clock.monotonic() + round(seconds * NS_PER_SECOND)
        while not true():
            if self._clock.monotonic() > ends:
                return False
            await self._clock.sleep(LOOK_SECONDS)
        return True


async def to_its_end(work: Coroutine[Any, Any, None]) -> None:
    """Do the work also where this task is told to end in the middle of it; it ends after that.

    A task that was told before ends with its work unfinished where it is told once more.
    """
    doing, current = asyncio.create_task(work), asyncio.current_task()
    told = current is not None and current.cancelling() > 0
    try:
        await asyncio.shield(doing)
    except asyncio.CancelledError:
        if told:
            doing.cancel()
        await doing
        raise
