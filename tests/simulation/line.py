"""The faulty line between a process and the venue: the Broker port in virtual time."""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from decimal import Decimal
from typing import Any, TypeVar

from engine.domain.account import Account, CashMovement, VenueOrder, VenuePosition
from engine.domain.instant import Nanos
from engine.domain.instrument import Instrument, default_instrument
from engine.domain.order import Fill, OrderTerms, Replacement, TimeInForce
from engine.domain.run import LinkState
from engine.ports import (
    Ambiguous,
    BrokerError,
    Capabilities,
    LinkReport,
    NotSent,
    OrderReport,
    Rejected,
    Report,
    Throttled,
)
from tests.simulation.venue import LATE_SECONDS, TIMEOUTS, Venue

T = TypeVar("T")


class Line:
    """One process's connection to the venue: requests and reports meet the faults here."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self.calendar = "SIM"
        """Of every instrument."""
        self._reports: deque[Report] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._alive = True
        self._connection = 0
        """The number of the connection that stands; 0 while none does."""
        self._connections = 0
        self.on_submit: Callable[[OrderTerms], None] = lambda order: None
        self.on_key: Callable[[str], None] = lambda client_order_id: None
        """Told of every order that the venue is asked about or asked to change."""
        self.on_change: Callable[[str, Decimal], None] = lambda client_order_id, quantity: None
        venue.line = self

    # --- the port ---------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """The name under `[brokers]`."""
        return self._venue.name

    @property
    def capabilities(self) -> Capabilities:
        """The venue's."""
        return self._venue.capabilities

    async def connect(self) -> None:
        """Open the line."""
        if not self._venue.link_up:
            raise NotSent("the venue cannot be reached")
        if not self._connection:
            self._connections += 1
            self._connection = self._connections
            self._tell(LinkState.CONNECTED)

    async def disconnect(self) -> None:
        """Close the line; nothing is cancelled."""
        self.die()

    async def submit_order(self, order: OrderTerms) -> None:
        """Hand an order over."""
        self.on_submit(order)
        venue = self._venue

        def arrive() -> None:
            venue.in_flight -= 1
            venue.accept(order)

        def lost() -> None:
            venue.in_flight -= 1

        venue.in_flight += 1
        await self._ask(arrive, lost)

    async def cancel_order(self, client_order_id: str) -> None:
        """Ask for a cancel."""
        self.on_key(client_order_id)
        await self._ask(
            lambda: self._venue.cancel(client_order_id), slow=self._venue.faults.slow_cancel
        )

    async def cancel_orders(self, client_order_ids: Sequence[str]) -> dict[str, BrokerError]:
        """Ask for the cancel of several in one request, which arrives or is lost as a whole."""
        for key in client_order_ids:
            self.on_key(key)
        refused: dict[str, BrokerError] = {}

        def arrive() -> None:
            for key in client_order_ids:
                try:
                    self._venue.cancel(key)
                except Rejected as error:
                    refused[key] = error

        await self._ask(arrive, slow=self._venue.faults.slow_cancel)
        return refused

    async def cancel_all(self) -> None:
        """Ask for a cancel of everything."""
        for key in tuple(self._venue.open):
            await self.cancel_order(key)

    async def modify_order(
        self,
        client_order_id: str,
        quantity: Decimal,
        limit_price: Decimal | None = None,
        stop_price: Decimal | None = None,
        time_in_force: TimeInForce | None = None,
    ) -> None:
        """Ask for a replace."""
        self.on_key(client_order_id)
        self.on_change(client_order_id, quantity)
        wanted = Replacement(
            quantity=quantity,
            limit_price=limit_price,
            stop_price=stop_price,
            time_in_force=time_in_force,
        )
        await self._ask(
            lambda: self._venue.modify(client_order_id, wanted),
            slow=self._venue.faults.slow_cancel,
        )

    async def get_order(self, client_order_id: str) -> VenueOrder | None:
        """The order as it stands."""
        self.on_key(client_order_id)

        def look() -> VenueOrder | None:
            known = self._venue.orders.get(client_order_id)
            return None if known is None else known.stated()

        return await self._read(look)

    async def get_open_orders(self) -> tuple[VenueOrder, ...]:
        """Everything that works."""
        return await self._read(lambda: tuple(w.stated() for w in self._venue.open.values()))

    async def get_fills_since(self, since: Nanos) -> tuple[Fill, ...]:
        """Executions from then on."""
        return await self._read(lambda: tuple(f for f in self._venue.fills if f.time >= since))

    async def get_cash_movements_since(self, since: Nanos) -> tuple[CashMovement, ...]:
        """None: cash moves by fills alone."""
        return ()

    async def get_positions(self) -> tuple[VenuePosition, ...]:
        """Holdings."""
        venue = self._venue
        return await self._read(
            lambda: tuple(
                VenuePosition(symbol=s, quantity=q, average_price=venue.costs[s])
                for s, q in venue.positions.items()
            )
        )

    async def get_account(self) -> Account:
        """Balances."""
        return await self._read(self._venue.account)

    async def instrument(self, symbol: str) -> Instrument:
        """Grid and calendar."""
        return default_instrument(symbol, self.calendar)

    async def server_time(self) -> Nanos:
        """The venue's clock."""
        return self._venue.agenda.now

    async def reports(self) -> AsyncIterator[Report]:
        """What the venue says, as it comes."""
        while self._alive:
            while self._reports:
                yield self._reports.popleft()
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter

    # --- faults -----------------------------------------------------------------------------------

    async def _ask(
        self,
        act: Callable[[], object],
        lost: Callable[[], None] = lambda: None,
        *,
        slow: float = 0.0,
    ) -> None:
        """A request that changes something there; `slow` is one more chance that it takes long."""
        venue, faults = self._venue, self._venue.faults
        random = venue.random
        draw = random.random()
        if not self._connection or (draw := draw - faults.not_sent) < 0:
            lost()
            raise NotSent("no connection")
        if (draw := draw - faults.throttled) < 0:
            lost()
            raise Throttled("too fast", 1.0)
        if (draw := draw - faults.lost_request) < 0:
            lost()
            await self._time_out()
        if (draw := draw - faults.late_request) < 0:
            wait = random.uniform(*TIMEOUTS)
            late = wait + random.uniform(0, LATE_SECONDS)
            venue.agenda.after(late, self._unheard(act, lost))
            await self._time_out(wait)
        if (draw := draw - faults.lost_answer) < 0:
            venue.agenda.after(random.uniform(0.001, 0.05), self._unheard(act, lost))
            await self._time_out()
        late = random.random() < faults.slow_request + slow
        await self._answer(act, random.uniform(0, LATE_SECONDS) if late else 0.0, lost)

    def _unheard(self, act: Callable[[], object], lost: Callable[[], None]) -> Callable[[], None]:
        """The request as it arrives, if the venue was not started again meanwhile; nobody hears
        the answer."""
        started = self._venue.starts

        def arrive() -> None:
            if self._venue.starts != started:
                lost()
                return
            with contextlib.suppress(BrokerError):
                act()

        return arrive

    async def _read(self, look: Callable[[], T]) -> T:
        """A question; its failure is an error, never an empty answer."""
        venue = self._venue
        if not self._connection:
            raise NotSent("no connection")
        if venue.faults.read_failed and venue.random.random() < venue.faults.read_failed:
            await self._time_out()
        answer: T = await self._answer(look)
        return answer

    async def _time_out(self, seconds: float | None = None) -> None:
        wait = self._venue.random.uniform(*TIMEOUTS) if seconds is None else seconds
        await asyncio.sleep(wait)
        raise Ambiguous(f"no answer within {wait:.1f} s")

    async def _answer(
        self, act: Callable[[], Any], slow: float = 0.0, lost: Callable[[], None] = lambda: None
    ) -> Any:
        venue = self._venue
        started = venue.starts
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        connection = self._connection

        def arrive() -> None:
            result: Any = None
            error: BrokerError | None = None
            try:
                if venue.starts == started:
                    result = act()
                else:
                    # It answers nothing; the connection that broke with it says so.
                    lost()
            except BrokerError as refused:
                error = refused
            back = venue.random.uniform(0.001, 0.05)
            if venue.faults.delayed and venue.random.random() < 0.2:
                back += venue.random.uniform(0, 1)
            venue.agenda.after(back, lambda: self._settle(future, connection, result, error))

        venue.agenda.after(slow + venue.random.uniform(0.001, 0.03), arrive)
        return await future

    def _settle(
        self,
        future: "asyncio.Future[Any]",
        connection: int,
        result: object,
        error: BrokerError | None,
    ) -> None:
        if not self._alive or future.done():
            return
        if self._connection != connection:
            error = Ambiguous("the connection broke before the answer")
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)

    def carry(self, report: OrderReport) -> None:
        """Put a report on its way; it is lost with the connection it travels on."""
        venue, faults, connection = self._venue, self._venue.faults, self._connection
        if not connection:
            return
        if faults.dropped and venue.random.random() < faults.dropped:
            return
        copies = 2 if faults.duplicated and venue.random.random() < faults.duplicated else 1
        for _ in range(copies):
            delay = venue.random.uniform(0.001, 0.03)
            if faults.delayed and venue.random.random() < faults.delayed:
                delay += venue.random.uniform(0, 3)
            venue.agenda.after(delay, lambda: self._deliver(report, connection))

    def cut(self) -> None:
        """The connection is gone; `connect` opens another one."""
        if self._connection:
            self._connection = 0
            self._tell(LinkState.DISCONNECTED)

    def _tell(self, state: LinkState) -> None:
        """The connection's own report; it is never late."""
        self._put(LinkReport(account=self._venue.name, state=state, time=self._venue.agenda.now))

    def die(self) -> None:
        """The process is gone; what it asked for may still arrive."""
        self._alive = False
        if self._venue.line is self:
            self._venue.line = None

    def _deliver(self, report: Report, connection: int) -> None:
        if self._alive and self._connection == connection:
            self._put(report)

    def _put(self, report: Report) -> None:
        self._reports.append(report)
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)
