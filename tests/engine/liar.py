"""A venue behind the broker port that is right in its own book, and lies about it when it is asked.

Its lists are as old as a test says, its execution list has holes, it says FILLED without a fill, it
answers nothing while it is connected. It shares no code with the simulator's venue. `held` is what
it truly holds.

async def scene(table: Table) -> None:
    table.venue.positions_lag = 0.3
    await table.buy(99)
    await table.engine.command(ask.Kill(by="test"))

play(scene)
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from decimal import ROUND_UP, Decimal
from typing import Any, TypeVar

import msgspec

from engine.config import Config
from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.account import Account, CashMovement, VenueOrder, VenuePosition
from engine.domain.instant import NS_PER_SECOND, Nanos
from engine.domain.instrument import Instrument, default_instrument
from engine.domain.market import Quote
from engine.domain.order import Fill, OrderStatus, OrderTerms, OrderType, Side, TimeInForce
from engine.domain.result import Result
from engine.domain.run import LinkState
from engine.ports import BrokerError, Capabilities, LinkReport, OrderReport, Rejected, Report
from engine.runtime.clock import VirtualClock
from engine.runtime.engine import Engine
from engine.runtime.send_gate import SendGate
from engine.runtime.virtual_time import VirtualLoop, run_virtual
from engine.state.book import Book
from engine.world import World
from tests.configs import from_mapping
from tests.engine.worlds import ABLE, ACCOUNT, BROKER, MIDDAY
from tests.simulation.agenda import Agenda
from tests.simulation.simulate import Feed
from tests.simulation.store import Disk, FileLatch, MemoryStore

CASH = Decimal(1_000_000)
PRICE = Decimal(100)
ZERO = Decimal(0)

PLAIN = msgspec.structs.replace(ABLE, reduce_only=False, deduplicates=False)
"""It fills whatever is sent to it, and would take a position across zero."""

TREE: dict[str, Any] = {
    "profile": "axion_aggressive",
    "risk": {"max_order_notional": "1000000", "max_single_stock_exposure": "0.15"},
    "execution": {"dedup_window_seconds": 0, "order_timeout_seconds": 3600},
    "kill": {"overfill": "alert"},
}
CONFIG = from_mapping(TREE)

T = TypeVar("T")
Truth = tuple[Nanos, dict[str, Decimal], dict[str, VenueOrder]]


class Liar:
    """One account at the venue; the knobs are plain attributes, to be turned at any time."""

    name = BROKER

    def __init__(self, clock: VirtualClock, capabilities: Capabilities = PLAIN) -> None:
        self.capabilities = capabilities
        self.clock = clock
        self.price = PRICE
        self.positions_lag = 0.0
        """Seconds by which the list of holdings is behind."""
        self.stands_still = False
        """The list of holdings is what it was when this was set."""
        self.orders_lag = 0.0
        """The same of the list of orders, and of an order that is asked for."""
        self.answer_seconds = 0.01
        """How long a question takes."""
        self.fill_seconds = 0.05
        """From an order to its fill."""
        self.hides_fills = False
        """What fills now is in no report and in no list; the order says FILLED."""
        self.silent: set[str] = set()
        """The calls that are never answered; "*" is every one. The link stays up."""
        self.dated = True
        """Fills carry the venue's time."""
        self.next_ids: list[str] = []
        """Execution ids to use next, before those of its own."""
        self.held: dict[str, Decimal] = {}
        self.average = PRICE
        """The average price that it lists."""
        self.cash = CASH
        self.orders: dict[str, VenueOrder] = {}
        self.fills: list[Fill] = []
        self.hidden: list[Fill] = []
        self.sold = ZERO
        """All that was ever sold."""
        self.asked: list[tuple[float, str]] = []
        self._truth: list[Truth] = [(0, {}, {})]
        self._shown: dict[str, Decimal] = {}
        self._reports: asyncio.Queue[Report] = asyncio.Queue()
        self._count = 0

    # --- what is true -----------------------------------------------------------------------------

    def _record(self) -> None:
        self._truth.append((self.clock.now(), dict(self.held), dict(self.orders)))

    def _as_of(self, lag: float) -> Truth:
        when = self.clock.now() - round(lag * NS_PER_SECOND)
        known = [truth for truth in self._truth if truth[0] <= when]
        return known[-1]

    def trade(self, key: str, quantity: Decimal) -> None:
        """An order of the account fills for so much, now, at the price."""
        order = self.orders[key]
        self._count += 1
        fill = Fill(
            execution_id=self.next_ids.pop(0) if self.next_ids else f"x{self._count}",
            client_order_id=key,
            account=self.name,
            symbol=order.symbol,
            side=order.side,
            quantity=quantity,
            price=self.price,
            time=self.clock.now() if self.dated else 0,
        )
        self.move(order.symbol, quantity * order.side.sign)
        filled = order.filled + quantity
        status = OrderStatus.FILLED if filled == order.quantity else OrderStatus.PARTIALLY_FILLED
        changes: dict[str, Any] = {"filled": filled, "status": status}
        if "average_price" in VenueOrder.__struct_fields__:
            changes["average_price"] = self.price
        self.orders[key] = msgspec.structs.replace(order, **changes)
        self._record()
        if self.hides_fills:
            self.hidden.append(fill)
            self._report(key)
        else:
            self.fills.append(fill)
            self._report(key, fill)

    def move(self, symbol: str, quantity: Decimal) -> None:
        """So much is bought, or sold below zero, at the price; by whom is not told."""
        held = self.held.get(symbol, ZERO) + quantity
        self.held = {**self.held, symbol: held}
        self.cash -= quantity * self.price
        self.sold += max(-quantity, ZERO)
        self._record()

    def split(self, new: int, old: int, *, rests: str = "leaves") -> None:
        """So many new for so many old: what is held, its average and the price.

        `rests` is what becomes of the orders that rest: it "leaves" them, "adjusts" them without a
        report, or "cancels" them.
        """
        self.held = {s: (held * new / old).to_integral_value() for s, held in self.held.items()}
        self.average, self.price = self.average * old / new, self.price * old / new
        for key, order in tuple(self.orders.items()):
            if order.status.is_terminal or rests == "leaves":
                continue
            if rests == "cancels":
                self._end(key, OrderStatus.CANCELED)
                continue
            changes: dict[str, Any] = {"quantity": order.quantity * new / old}
            for name in ("limit_price", "stop_price"):
                if (price := getattr(order, name)) is not None:
                    changes[name] = (price * old / new).quantize(Decimal("0.01"), ROUND_UP)
            self.orders[key] = msgspec.structs.replace(order, **changes)
        self._record()

    def tell_hidden(self) -> None:
        """The fills that were hidden are reported now, and listed."""
        late, self.hidden = self.hidden, []
        for fill in late:
            self.fills.append(fill)
            self._report(fill.client_order_id, fill)

    def _report(self, key: str, fill: Fill | None = None, text: str = "") -> None:
        order = self.orders[key]
        report = OrderReport(
            account=self.name,
            client_order_id=key,
            venue_order_id=order.venue_order_id,
            symbol=order.symbol,
            status=order.status,
            fill=fill,
            filled=order.filled,
            text=text,
            time=self.clock.now(),
        )
        self.tell(report)

    def tell(self, report: Report) -> None:
        """Put a report on its way."""
        self._reports.put_nowait(report)

    def _end(self, key: str, status: OrderStatus) -> None:
        self.orders[key] = msgspec.structs.replace(self.orders[key], status=status)
        self._record()
        self._report(key)

    # --- the port ---------------------------------------------------------------------------------

    async def _answer(self, what: str) -> None:
        self.asked.append(((self.clock.now() - MIDDAY) / NS_PER_SECOND, what))
        if self.silent & {what, "*"}:
            await asyncio.get_running_loop().create_future()
        await asyncio.sleep(self.answer_seconds)

    async def connect(self) -> None:
        await self._answer("connect")

    async def disconnect(self) -> None:
        pass

    async def submit_order(self, order: OrderTerms) -> None:
        await self._answer("submit")
        key = order.client_order_id
        if key in self.orders:
            raise Rejected("DUPLICATE_ID", "it is known")
        self.orders[key] = VenueOrder(
            client_order_id=key,
            venue_order_id=f"v-{key}",
            symbol=order.symbol,
            side=order.side,
            type=order.type,
            quantity=order.quantity,
            filled=ZERO,
            limit_price=order.limit_price,
            stop_price=order.stop_price,
            time_in_force=order.time_in_force,
            status=OrderStatus.NEW,
            reduce_only=order.reduce_only,
        )
        self._record()
        self._report(key)
        if order.type is OrderType.MARKET:
            self.clock.call_later(self.fill_seconds, lambda: self._fill_rest(key))

    def _fill_rest(self, key: str) -> None:
        order = self.orders[key]
        if not order.status.is_terminal:
            self.trade(key, order.quantity - order.filled)

    async def cancel_order(self, client_order_id: str) -> None:
        await self._answer("cancel")
        order = self.orders.get(client_order_id)
        if order is None or order.status.is_terminal:
            raise Rejected("ENDED", "it is unknown or has ended")
        self._end(client_order_id, OrderStatus.CANCELED)

    async def cancel_orders(self, client_order_ids: Sequence[str]) -> dict[str, BrokerError]:
        raise NotImplementedError

    async def cancel_all(self) -> None:
        raise NotImplementedError

    async def modify_order(
        self,
        client_order_id: str,
        quantity: Decimal,
        limit_price: Decimal | None = None,
        stop_price: Decimal | None = None,
        time_in_force: TimeInForce | None = None,
    ) -> None:
        await self._answer("modify")
        order = self.orders[client_order_id]
        self.orders[client_order_id] = msgspec.structs.replace(
            order,
            quantity=quantity,
            limit_price=limit_price or order.limit_price,
            stop_price=stop_price or order.stop_price,
        )
        self._record()
        now = self.orders[client_order_id]
        self.tell(
            OrderReport(
                account=self.name,
                client_order_id=client_order_id,
                symbol=now.symbol,
                status=now.status,
                filled=now.filled,
                quantity=now.quantity,
                limit_price=now.limit_price,
                stop_price=now.stop_price,
                time=self.clock.now(),
            )
        )

    async def get_order(self, client_order_id: str) -> VenueOrder | None:
        await self._answer("query")
        return self._as_of(self.orders_lag)[2].get(client_order_id)

    async def get_open_orders(self) -> tuple[VenueOrder, ...]:
        await self._answer("orders")
        orders = self._as_of(self.orders_lag)[2].values()
        return tuple(order for order in orders if not order.status.is_terminal)

    async def get_fills_since(self, since: Nanos) -> tuple[Fill, ...]:
        await self._answer("fills")
        return tuple(fill for fill in self.fills if not fill.time or fill.time >= since)

    async def get_cash_movements_since(self, since: Nanos) -> tuple[CashMovement, ...]:
        return ()

    async def get_positions(self) -> tuple[VenuePosition, ...]:
        await self._answer("positions")
        held = self._shown if self.stands_still else self._as_of(self.positions_lag)[1]
        self._shown = held
        return tuple(
            VenuePosition(symbol=symbol, quantity=quantity, average_price=self.average)
            for symbol, quantity in held.items()
            if quantity
        )

    async def get_account(self) -> Account:
        await self._answer("account")
        worth = sum((q * self.price for q in self.held.values()), start=self.cash)
        return Account(
            account_id=ACCOUNT,
            cash=self.cash,
            equity=worth,
            buying_power=self.cash,
            as_of=self.clock.now(),
        )

    async def instrument(self, symbol: str) -> Instrument:
        return default_instrument(symbol, "SIM")

    async def server_time(self) -> Nanos:
        await self._answer("time")
        return self.clock.now()

    async def reports(self) -> AsyncIterator[Report]:
        while True:
            yield await self._reports.get()

    def drop(self) -> None:
        """The connection breaks, and comes back at once."""
        for state in (LinkState.DISCONNECTED, LinkState.CONNECTED):
            self.tell(LinkReport(account=self.name, state=state, time=self.clock.now()))


class Table:
    """An engine at that venue, in virtual time."""

    makes: type[Liar] = Liar

    @staticmethod
    def facts(symbol: str) -> Instrument:
        """What is known of an instrument."""
        return default_instrument(symbol, "SIM")

    def __init__(
        self, clock: VirtualClock, config: Config = CONFIG, able: Capabilities = PLAIN
    ) -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        self.clock = clock
        agenda = Agenda(MIDDAY)
        agenda.attach(loop, clock)
        self.venue = self.makes(clock, able)
        self.disk = Disk()
        self.latch = FileLatch(self.disk)
        self.gate = SendGate()
        self.feed = Feed()
        self.engine = Engine(
            World(
                Book(),
                config,
                {BROKER: able},
                instrument_of=self.facts,
                home_calendar="SIM",
            ),
            brokers={BROKER: self.venue},
            store=MemoryStore(self.disk, agenda, lambda: 0.0),
            clock=clock,
            latch=self.latch,
            gate=self.gate,
            market=self.feed,
            version="test",
            account_ids={BROKER: ACCOUNT},
        )
        self.records: list[ev.Record] = []
        self.engine.subscribe(self.records.append)
        self.quiet = False
        """No prices come."""

    @property
    def now(self) -> float:
        """Seconds since the start."""
        return (self.clock.now() - MIDDAY) / NS_PER_SECOND

    async def start(self) -> None:
        await self.engine.start()
        self._running = asyncio.create_task(self.engine.run())
        self._prices = asyncio.create_task(self._tell_prices())
        await self.clock.sleep(1)

    async def stop(self) -> None:
        self._prices.cancel()
        self.venue.silent = set()
        await self.engine.stop("the test is over")
        await self._running

    async def _tell_prices(self) -> None:
        while True:
            if not self.quiet:
                self.tell_price()
            await self.clock.sleep(0.5)

    def tell_price(self, **sides: Decimal | None) -> None:
        """One quote of the price; `bid` and `ask` are it, unless they are given."""
        price = self.venue.price
        told: dict[str, Any] = {"bid": price, "ask": price, **sides}
        self.feed.put(Quote(symbol="AAA", last=price, time=self.clock.now(), **told))

    async def until(self, true: Callable[[], bool], seconds: float = 60) -> None:
        """Until it is so."""
        end = self.now + seconds
        while not true():
            assert self.now < end, [type(record.event).__name__ for record in self.records[-30:]]
            await self.clock.sleep(0.01)

    async def wait(self, seconds: float) -> None:
        await self.clock.sleep(seconds)

    async def order(self, side: Side, quantity: int, **fields: Any) -> Result:
        """A person's order."""
        return await self.engine.command(
            ask.PlaceOrder(by="test", symbol="AAA", side=side, quantity=Decimal(quantity), **fields)
        )

    async def buy(self, quantity: int, **fields: Any) -> str:
        """So many are bought at the market, and held; the order's id."""
        done = await self.order(Side.BUY, quantity, **fields)
        assert done.ok, done.error
        await self.until(lambda: self.held == quantity)
        (key,) = done.data["client_order_ids"]
        return str(key)

    @property
    def held(self) -> Decimal:
        """What the engine believes to hold."""
        position = self.engine.book.holding(BROKER, "AAA")
        return position.quantity if position else ZERO

    @property
    def there(self) -> Decimal:
        """What is truly held."""
        return self.venue.held.get("AAA", ZERO)

    def events(self, kind: type[ev.Event], since: float = 0.0) -> list[Any]:
        """The events of a kind from that second on."""
        start = MIDDAY + round(since * NS_PER_SECOND)
        return [r.event for r in self.records if isinstance(r.event, kind) and r.time >= start]

    def alarms(self) -> list[str]:
        """The codes of the alarms, in order."""
        return [event.code for event in self.events(ev.Alarmed)]


def somebody_rests(table: Table) -> None:
    """An order that adds exposure works in the account, and it is not ours."""
    table.venue.orders["theirs"] = VenueOrder(
        client_order_id="theirs",
        venue_order_id="v-theirs",
        symbol="AAA",
        side=Side.BUY,
        type=OrderType.LIMIT,
        quantity=Decimal(5),
        filled=Decimal(0),
        limit_price=Decimal(50),
        status=OrderStatus.NEW,
    )
    table.venue._record()


def play(
    scene: Callable[[Table], Awaitable[None]], *, table: type[Table] = Table, **options: Any
) -> None:
    """Run a scene with an engine that is started and stopped around it."""
    kind = table

    async def main(clock: VirtualClock) -> None:
        table = kind(clock, **options)
        await table.start()
        try:
            await scene(table)
        finally:
            await table.stop()

    run_virtual(main, MIDDAY, 7200)
