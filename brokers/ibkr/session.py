# ruff: noqa: N802  (the decoder calls methods by the names of the protocol)
"""One connection to TWS or the gateway, from its opening to its end; it never comes back by itself.

It asks, waits for answers, and hands on what is told; it knows no orders. Every question has an end
in time. Some answers do not say what they answer: where such a one is still owed, nobody could tell
it from the next, and the connection ends.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any, Final

from brokers.ibkr import refusals
from brokers.ibkr._lib import lib
from brokers.ibkr.codec import Codec, Execution
from brokers.ibkr.listener import Listener, Status, Ticks
from brokers.ibkr.questions import Questions
from brokers.ibkr.refusals import Meaning, meaning_of
from brokers.ibkr.tapped import listen
from brokers.net.budget import Budget, Need
from brokers.net.tap import Line
from engine.domain.instant import NS_PER_SECOND, Nanos
from engine.domain.text import clean_text
from engine.ports import Ambiguous, BrokerError, NotSent, Rejected, Throttled

log = logging.getLogger(__name__)

OPEN_SECONDS: Final = 8.0
"""How long one attempt may take; the first after the gateway has started is slow."""

RULE_SECONDS: Final = 1.0
"""TWS says nothing about a market rule that it does not know."""

MAX_REQUESTS: Final = 40
"""Messages a second that the library lets through; TWS allows 50 and cuts who goes on above that.
Our own budget is half of that in a burst and as much a second, so that nothing ever waits in the
library's queue, which it drops without a word."""

TIME: Final = "currentTime"
NO_REQUEST: Final = -1

QUIET_SECONDS: Final = 1.0
"""A connection on which nothing has come for so long is asked whether it stands: no other word ends
one whose other side has gone."""

SILENT_SECONDS: Final = 3.5
"""How long it may then take to answer."""

SUMMARY_TAGS: Final = "NetLiquidation,BuyingPower,$LEDGER:ALL"


def ask_time(client: Any) -> None:
    """Ask what TWS always answers."""
    client.reqCurrentTime()


class Session:
    """One connection. The methods with the protocol's names are called by the decoder."""

    def __init__(
        self,
        *,
        host: str,
        port: int,
        client_id: int,
        listener: Listener,
        ticks: Ticks | None,
        budget: Budget,
    ) -> None:
        self._host = host
        self._port = port
        self._client_id = client_id
        self._listener = listener
        self._ticks = ticks
        self._budget = budget
        self._line = Line()
        self._client: Any = None
        self._questions = Questions(self.send, self._end)
        self._failed: asyncio.Future[None] | None = None
        self._over = False
        self._watch: asyncio.Task[None] | None = None
        self.is_cut = False
        """TWS has said that its own connection is broken, and not that it is back."""

    # --- life

    @property
    def is_open(self) -> bool:
        return self._client is not None and not self._over and bool(self._client.isReady())

    @property
    def accounts(self) -> list[str]:
        """The accounts that the login of TWS reaches."""
        return list(self._client.getAccounts()) if self.is_open else []

    async def open(self, *, first_id: int = 0) -> None:
        """Connect and log in. `first_id` is the lowest number for an order.

        Raises one of the six errors; nothing stays open then.
        """
        self._client = client = lib.client.Client(self)
        client.decoder = codec = Codec(self, self._end)
        client.MaxRequests = MAX_REQUESTS
        if self._line.is_tapped:
            listen(self._line, client.conn, f"tcp://{self._host}:{self._port}")
        # The library's event would lose what goes wrong before a message is decoded.
        client.conn.hasData.error_event.connect(self._unread)
        self._failed = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(
            client.connectAsync(self._host, self._port, self._client_id, OPEN_SECONDS),
            name=f"connect to TWS at {self._host}:{self._port}",
        )
        try:
            await asyncio.wait(
                {task, self._failed},
                timeout=OPEN_SECONDS,
                return_when=asyncio.FIRST_COMPLETED,
            )
            if self._failed.done():
                self._failed.result()
            if not task.done():
                raise TimeoutError
            task.result()
            client.updateReqId(first_id)
            self._watch = asyncio.create_task(self._watched(codec), name="whether TWS is there")
        except (OSError, TimeoutError) as error:
            self.close()
            raise NotSent(self._unreachable(error)) from error
        except BaseException:
            self.close()
            raise
        finally:
            failed, self._failed = self._failed, None
            if not failed.cancel() and not failed.cancelled():
                failed.exception()  # another error may have been first
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def close(self) -> None:
        """End the connection without a word to the listener. Does nothing when closed."""
        self._over = True
        if self._watch is not None:
            self._watch.cancel()
        if self._client is not None:
            self._client.disconnect()
        self._questions.end(Ambiguous("the connection to TWS ended"))

    def _end(self, why: str) -> None:
        """The connection is over: say why, once."""
        if self._failed is not None and not self._failed.done():
            self._failed.set_exception(NotSent(why))
        if self._over:
            return
        opening = self._failed is not None
        self.close()
        if not opening:
            self._listener.ended(clean_text(why, 300))

    async def _watched(self, codec: Codec) -> None:
        """Ask for the time whenever nothing else has come; no answer ends the connection."""
        heard = -1
        while not self._over:
            if heard == codec.heard:
                with contextlib.suppress(NotSent, Throttled, Ambiguous):
                    await self._questions.unnumbered(TIME, ask_time, SILENT_SECONDS)
            heard = codec.heard
            await asyncio.sleep(QUIET_SECONDS)

    def _unread(self, *about: Any) -> None:
        """Something that came could not even be taken apart."""
        self._end(f"what TWS sent cannot be read: {about[-1]!r}")

    def _unreachable(self, error: Exception) -> str:
        where = f"TWS at {self._host}:{self._port}"
        if isinstance(error, TimeoutError):
            return f"{where} let us in and said nothing for {OPEN_SECONDS:g} s"
        return f"{where} cannot be reached: {str(error) or type(error).__name__}"

    # --- sending

    def next_id(self) -> int:
        """A number for an order or a request; no two of a connection are the same."""
        self._must_be_open()
        return int(self._client.getReqId())

    def at_least(self, number: int) -> None:
        """Orders and requests have higher numbers than this from now on."""
        self._client.updateReqId(number + 1)

    def send(self, what: Callable[[Any], None], *, urgent: bool = False, cost: int = 1) -> None:
        """Write one message. Raises NotSent or Throttled; it was not written then.

        `cost`: so many messages it takes, with what ends it."""
        self._must_be_open()
        self._budget.take(cost, need=Need.of(urgent=urgent))
        self._write(what)

    def _write(self, what: Callable[[Any], None]) -> None:
        try:
            what(self._client)
        except ConnectionError as error:
            raise NotSent(f"the connection to TWS is gone: {error}") from error

    def _must_be_open(self) -> None:
        transport = None if self._client is None else self._client.conn.transport
        if not self.is_open or transport is None or transport.is_closing():
            raise NotSent("TWS is not connected")
        if self.is_cut:
            raise NotSent("TWS has lost its connection to Interactive Brokers")

    # --- questions

    async def open_orders(self) -> list[Any]:
        """Every order that works, of all programs, as (contract, order, state)."""
        return await self._questions.unnumbered("openOrders", lambda c: c.reqAllOpenOrders())

    async def completed_orders(self) -> list[Any]:
        """The orders that have ended lately, as (contract, order, state)."""
        return await self._questions.unnumbered(
            "completedOrders", lambda c: c.reqCompletedOrders(False)
        )

    async def executions(self) -> list[Execution]:
        """The executions of all programs that TWS still has."""
        wanted = lib.ExecutionFilter()

        def ask() -> Awaitable[list[Any]]:
            key = self.next_id()
            return self._questions.ask(key, lambda c: c.reqExecutions(key, wanted), "executions")

        return await self._questions.shared("executions", ask)

    async def positions(self) -> list[tuple[str, Any, Decimal, Decimal]]:
        """What is held, as (account, contract, quantity, average cost)."""
        return await self._questions.shared("positions", self._positions)

    async def _positions(self) -> list[Any]:
        rows = await self._questions.alone("positions", lambda c: c.reqPositions(), cost=2)
        self._unsubscribe(lambda c: c.cancelPositions())
        return rows

    async def summary(self) -> list[tuple[str, str, str, str]]:
        """The balances, as (account, tag, value, currency); one subscription at a time, for TWS
        allows two."""
        return await self._questions.shared("summary", self._summary)

    async def _summary(self) -> list[Any]:
        key = self.next_id()
        try:
            return await self._questions.ask(
                key, lambda c: c.reqAccountSummary(key, "All", SUMMARY_TAGS), "balances", cost=2
            )
        finally:
            self._unsubscribe(lambda c: c.cancelAccountSummary(key))

    async def details(self, contract: Any, *, urgent: bool) -> list[Any]:
        """The contracts that fit. Raises Rejected where none does."""
        key = self.next_id()
        return await self._questions.ask(
            key, lambda c: c.reqContractDetails(key, contract), "a contract", urgent=urgent
        )

    async def market_rule(self, rule: int, *, urgent: bool) -> list[tuple[Decimal, Decimal]]:
        """The bands of a price grid, as (from this price on, step)."""
        return await self._questions.ask(
            f"rule {rule}",
            lambda c: c.reqMarketRule(rule),
            "a market rule",
            urgent=urgent,
            seconds=RULE_SECONDS,
        )

    async def history(self, contract: Any, duration: str, size: str, what: str) -> list[list[str]]:
        """Bars, each as (time in seconds, open, high, low, close, volume)."""
        key = self.next_id()
        try:
            return await self._questions.ask(
                key,
                lambda c: c.reqHistoricalData(
                    key, contract, "", duration, size, what, False, 2, False, []
                ),
                "history",
                urgent=False,
            )
        except (Ambiguous, asyncio.CancelledError):
            # TWS works on it still, and on so many at once alone.
            self._unsubscribe(lambda c: c.cancelHistoricalData(key))
            raise

    async def time(self) -> Nanos:
        """The clock of TWS, in whole seconds."""
        rows = await self._questions.unnumbered(TIME, ask_time)
        return int(rows[0]) * NS_PER_SECOND

    def _unsubscribe(self, what: Callable[[Any], None]) -> None:
        """End what a question began; its cost was taken with the question."""
        if self.is_open:
            with contextlib.suppress(NotSent):  # it ends with the connection too
                self._write(what)

    # --- what the decoder calls

    def connectAck(self) -> None:
        pass

    def setEventsDone(self) -> None:
        """The socket is gone; while we come in that is all that is told of it."""
        if self._failed is not None:
            self._end(f"TWS at {self._host}:{self._port} hung up at once")

    def connectionClosed(self) -> None:
        self._end("TWS closed the connection")

    def error(self, request: int, code: int, text: str, _json: str = "") -> None:
        text = clean_text(text, 300)
        meaning = meaning_of(code)
        if meaning is Meaning.RATE:
            self._budget.heed(Throttled(text, refusals.RATE_WAIT), need=Need.ADD)
        if self._questions.is_open(request):
            if meaning is not Meaning.NOTICE:
                self._questions.refused(request, refusals.refusal(code, text))
        elif request > 0:
            if self._ticks is None or not self._ticks.refused(request, code, text):
                self._listener.order_error(request, code, text)
        else:
            self._told_of_itself(meaning, code, text)

    def _told_of_itself(self, meaning: Meaning, code: int, text: str) -> None:
        """What is said of no request."""
        log.info("TWS says %s: %s", code, text)
        if code == refusals.ID_IN_USE:
            self._refused(
                Rejected(
                    str(code),
                    f"client_id {self._client_id} is in use at TWS: another program has it, or "
                    "the last connection has not ended there yet",
                )
            )
        elif code == refusals.PORT_MOVED:
            self._end(f"TWS listens at another port now: {text}")
        elif meaning is Meaning.CUT and not self.is_cut:
            self.is_cut = True
            self._refused(NotSent(f"TWS has no connection to Interactive Brokers: {text}"))
            if self._failed is None:
                self._listener.cut(f"{code}: {text}")
        elif meaning is Meaning.BACK and self._failed is None:
            if not self.is_cut:
                self._listener.cut(
                    f"it says that it is back ({code}), and had not said when it went"
                )
            self.is_cut = False
            self._listener.back(data_lost=code == refusals.LOST_DATA)

    def _refused(self, error: BrokerError) -> None:
        """Why we are not let in."""
        if self._failed is not None and not self._failed.done():
            self._failed.set_exception(error)

    def openOrder(self, order_id: int, contract: Any, order: Any, state: Any) -> None:
        if order.whatIf:
            return  # a question what it would cost, by another program: there is no order
        self._listener.order_told(contract, order, state)
        self._questions.row("openOrders", (contract, order, state))

    def openOrderEnd(self) -> None:
        self._questions.answered("openOrders")

    def orderStatus(self, *told: Any) -> None:
        self._listener.status_told(Status(*told))

    def completedOrder(self, contract: Any, order: Any, state: Any) -> None:
        self._questions.row("completedOrders", (contract, order, state))

    def completedOrdersEnd(self) -> None:
        self._questions.answered("completedOrders")

    def execDetails(self, told: Execution) -> None:
        if told.request == NO_REQUEST:
            self._listener.execution_told(told)
        else:
            self._questions.row(told.request, told)

    def execDetailsEnd(self, request: int) -> None:
        self._questions.answered(request)

    def commissionReport(self, execution_id: str, fee: Decimal, currency: str) -> None:
        self._listener.commission_told(execution_id, fee, currency)

    def position(self, account: str, contract: Any, quantity: Decimal, cost: Decimal) -> None:
        self._questions.row("positions", (account, contract, quantity, cost))

    def positionEnd(self) -> None:
        self._questions.answered("positions")

    def accountSummary(
        self, request: int, account: str, tag: str, value: str, currency: str
    ) -> None:
        self._questions.row(request, (account, tag, value, currency))

    def accountSummaryEnd(self, request: int) -> None:
        self._questions.answered(request)

    def contractDetails(self, request: int, details: Any) -> None:
        self._questions.row(request, details)

    def contractDetailsEnd(self, request: int) -> None:
        self._questions.answered(request)

    def marketRule(self, rule: int, bands: list[tuple[Decimal, Decimal]]) -> None:
        self._questions.answered(f"rule {rule}", bands)

    def historicalData(self, request: int, bar: list[str]) -> None:
        self._questions.row(request, bar)

    def historicalDataEnd(self, request: int) -> None:
        self._questions.answered(request)

    def currentTime(self, seconds: int) -> None:
        self._questions.answered("currentTime", [seconds])

    def tickPrice(self, request: int, kind: int, price: Decimal, size: Decimal) -> None:
        if self._ticks is not None:
            self._ticks.price(request, kind, price, size)

    def tickSize(self, request: int, kind: int, size: Decimal) -> None:
        if self._ticks is not None:
            self._ticks.size(request, kind, size)

    def marketDataType(self, request: int, kind: int) -> None:
        if self._ticks is not None:
            self._ticks.type_of_data(request, kind)
