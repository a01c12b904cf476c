"""The broker port, and market data, over a paper venue in another process (C-402, U-61).

A connection that is refused sends nothing; a connection that breaks, or stays silent, after a
request was written proves nothing. The server is `brokers.paper.server`.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from brokers.inbox import Inbox
from brokers.paper import wire
from brokers.paper.adapter import paper_capabilities
from engine.domain.account import Account, CashMovement, VenueOrder, VenuePosition
from engine.domain.instant import Nanos
from engine.domain.instrument import Instrument
from engine.domain.market import Bar, MarketEvent
from engine.domain.order import Fill, OrderTerms, Replacement, TimeInForce
from engine.domain.run import LinkState
from engine.ports import (
    Ambiguous,
    BrokerError,
    Capabilities,
    Clock,
    LinkReport,
    NotSent,
    Report,
)

T = TypeVar("T")

QUOTES_AT_ONCE: Final = 256
"""Quotes told before whatever else is ready has its turn: frames that have come wait for nobody."""

RECONNECT_SECONDS: Final = 1.0
"""How long the market stream waits before it asks a venue again that is not there."""


class _Line:
    """One connection: calls with their answers, and what the server says by itself."""

    def __init__(self, path: Path, timeout_seconds: float) -> None:
        self._path = path
        self._timeout = timeout_seconds
        self._writer: asyncio.StreamWriter | None = None
        self._reader: asyncio.StreamReader | None = None
        self._calls: dict[int, asyncio.Future[msgspec.Raw]] = {}
        self._unsent: list[bytes] = []
        """Calls made since the loop last came round."""
        self._number = 0
        self._decode = msgspec.json.Decoder(wire.Said).decode
        self._encode = msgspec.json.Encoder().encode

    @property
    def is_open(self) -> bool:
        return self._writer is not None

    async def open(self) -> None:
        """Raises NotSent when nobody answers there."""
        try:
            self._reader, self._writer = await asyncio.open_unix_connection(
                str(self._path), limit=wire.LINE_LIMIT
            )
        except OSError as error:
            raise NotSent(
                f"the paper venue at {self._path} does not answer: {error.strerror or error}"
            ) from error

    async def heard(self) -> AsyncGenerator[wire.Said, None]:
        """What the server says by itself, until the connection ends."""
        reader = self._reader
        try:
            while reader is not None and (line := await reader.readline()):
                said = self._decode(line)
                if not said.id:
                    yield said
                    continue
                answer = self._calls.pop(said.id, None)
                if answer is None or answer.done():
                    continue
                if said.failure is None:
                    answer.set_result(said.result)
                else:
                    answer.set_exception(wire.error_of(said.failure))
        except (OSError, ValueError, msgspec.DecodeError):
            # A line that broke off: the connection is over, which is all that can be said.
            return
        finally:
            self.close("the connection to the paper venue broke")

    def post(self, op: str) -> None:
        """Call without waiting for the answer."""
        if self._writer is not None:
            self._number += 1
            self._send(wire.Call(id=self._number, op=op))

    def _send(self, call: wire.Call) -> None:
        """Write a call together with every other one that is made before the loop comes round.

        A write of its own for each is 80 us of the loop, a sixth of an order's whole life there.
        """
        self._unsent.append(self._encode(call))
        if len(self._unsent) == 1:
            asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        unsent, self._unsent = self._unsent, []
        if unsent and self._writer is not None:
            self._writer.write(b"\n".join(unsent) + b"\n")

    async def ask(self, op: str, args: msgspec.Struct, kind: Any, *, at_once: bool = False) -> Any:
        """Call, and the answer as `kind`. Raises the port's errors.

        `at_once`: written now, behind whatever was asked before it.
        """
        writer = self._writer
        if writer is None or writer.is_closing():
            raise NotSent(f"the paper venue at {self._path} is not connected")
        self._number += 1
        number = self._number
        answer = self._calls[number] = asyncio.get_running_loop().create_future()
        call = wire.Call(id=number, op=op, args=msgspec.Raw(self._encode(args)))
        try:
            async with asyncio.timeout(self._timeout):
                self._send(call)
                if at_once:
                    self._flush()
                await writer.drain()
                return msgspec.json.decode(await answer, type=kind)
        except TimeoutError as error:
            raise Ambiguous(f"no answer to {op} within {self._timeout:g} s") from error
        except OSError as error:
            raise Ambiguous(f"the connection broke while {op} was sent: {error}") from error
        finally:
            self._calls.pop(number, None)
            if answer.done() and not answer.cancelled():
                answer.exception()  # nobody may be left to hear it

    def close(self, why: str) -> None:
        """End the connection; calls without an answer are ambiguous."""
        if self._writer is None:
            return
        self._flush()
        self._writer.close()
        self._writer = None
        for answer in self._calls.values():
            if not answer.done():
                answer.set_exception(Ambiguous(why))


class RemotePaper:
    """One paper account of a venue in another process. It reconnects only when told to."""

    def __init__(
        self,
        path: Path,
        clock: Clock,
        *,
        name: str = "paper",
        latency_ms: tuple[float, float] = (10, 50),
        timeout_seconds: float = 5,
    ) -> None:
        self._name = name
        self._clock = clock
        self._line = _Line(path, timeout_seconds)
        self._capabilities = paper_capabilities(latency_ms)
        self._inbox = Inbox()
        self._listener: asyncio.Task[None] | None = None

    @property
    def name(self) -> str:
        return self._name

    @property
    def capabilities(self) -> Capabilities:
        return self._capabilities

    async def connect(self) -> None:
        """Connect, also again after a break. Raises NotSent; nothing stays open then."""
        if self._line.is_open:
            return
        await self._line.open()
        self._listener = asyncio.create_task(self._listen(), name="paper-venue")
        try:
            await self._ask("follow", wire.Nothing(), None)
        except Ambiguous as error:
            self._hang_up()
            raise NotSent(f"the paper venue does not answer: {error}") from error
        except BaseException:
            # Whoever gave up waiting is free to try again.
            self._hang_up()
            raise
        self._tell(LinkState.CONNECTED)

    async def disconnect(self) -> None:
        """No order is cancelled (D-53)."""
        if self._hang_up():
            self._tell(LinkState.DISCONNECTED, "disconnected by us")

    async def submit_order(self, order: OrderTerms) -> None:
        await self._ask("submit", wire.Submit(order), None)

    async def cancel_order(self, client_order_id: str) -> None:
        await self._ask("cancel", wire.Named(client_order_id), None)

    async def cancel_orders(self, client_order_ids: Sequence[str]) -> dict[str, BrokerError]:
        named = wire.NamedTogether(tuple(client_order_ids))
        failures: dict[str, wire.Failure] = await self._line.ask(
            "cancel_together", named, dict[str, wire.Failure], at_once=True
        )
        return {key: wire.error_of(failure) for key, failure in failures.items()}

    async def cancel_all(self) -> None:
        await self._line.ask("cancel_all", wire.Nothing(), None, at_once=True)

    async def modify_order(
        self,
        client_order_id: str,
        quantity: Decimal,
        limit_price: Decimal | None = None,
        stop_price: Decimal | None = None,
        time_in_force: TimeInForce | None = None,
    ) -> None:
        wanted = Replacement(
            quantity=quantity,
            limit_price=limit_price,
            stop_price=stop_price,
            time_in_force=time_in_force,
        )
        await self._ask("modify", wire.Modify(client_order_id, wanted), None)

    async def get_order(self, client_order_id: str) -> VenueOrder | None:
        answer: VenueOrder | None = await self._ask(
            "order", wire.Named(client_order_id), VenueOrder | None
        )
        return answer

    async def get_open_orders(self) -> tuple[VenueOrder, ...]:
        return await self._list("open_orders", wire.Nothing(), VenueOrder)

    async def get_fills_since(self, since: Nanos) -> tuple[Fill, ...]:
        return await self._list("fills", wire.Since(since), Fill)

    async def get_cash_movements_since(self, since: Nanos) -> tuple[CashMovement, ...]:
        return await self._list("movements", wire.Since(since), CashMovement)

    async def get_positions(self) -> tuple[VenuePosition, ...]:
        return await self._list("positions", wire.Nothing(), VenuePosition)

    async def get_account(self) -> Account:
        answer: Account = await self._ask("account", wire.Nothing(), Account)
        return answer

    async def instrument(self, symbol: str) -> Instrument:
        answer: Instrument = await self._ask("instrument", wire.Symbol(symbol), Instrument)
        return answer

    async def server_time(self) -> Nanos:
        answer: Nanos = await self._ask("time", wire.Nothing(), int)
        return answer

    def reports(self) -> AsyncIterator[Report]:
        """Every report from the first connect on; one reader at a time."""
        return self._inbox.read()

    async def _ask(self, op: str, args: msgspec.Struct, kind: Any) -> Any:
        return await self._line.ask(op, args, kind)

    async def _list(self, op: str, args: msgspec.Struct, kind: type[T]) -> tuple[T, ...]:
        answer: tuple[T, ...] = await self._line.ask(op, args, tuple[kind, ...])  # type: ignore[valid-type]
        return answer

    def _hang_up(self) -> bool:
        """End the connection without a word; False when there is none."""
        listener, self._listener = self._listener, None
        if listener is None:
            return False
        self._line.close("disconnected by us")
        listener.cancel()
        return True

    async def _listen(self) -> None:
        async for said in self._line.heard():
            if said.report is not None:
                self._inbox.put(said.report)
        self._listener = None
        self._tell(LinkState.DISCONNECTED, "the connection to the paper venue broke")

    def _tell(self, state: LinkState, detail: str = "") -> None:
        now = self._clock.now()
        self._inbox.put(LinkReport(account=self._name, state=state, detail=detail, time=now))


class RemoteMarket:
    """Market data of the venue in another process. It asks again for as long as nobody answers."""

    def __init__(self, path: Path, clock: Clock, *, timeout_seconds: float = 5) -> None:
        self._path = path
        self._clock = clock
        self._timeout = timeout_seconds

    async def events(self) -> AsyncIterator[MarketEvent]:
        """What the venue's market says from now on."""
        while True:
            line = _Line(self._path, self._timeout)
            try:
                await line.open()
                line.post("watch")
                told = 0
                async with aclosing(line.heard()) as heard:
                    async for said in heard:
                        for quote in said.quotes:
                            yield quote
                        told += len(said.quotes)
                        if told >= QUOTES_AT_ONCE:
                            told = 0
                            await asyncio.sleep(0)
                        event = said.quote or said.bar or said.depth
                        if event is not None:
                            yield event
            except NotSent:
                # The venue is away: prices grow old meanwhile, which stops entries by itself.
                pass
            finally:
                line.close("the market is no longer watched")
            await self._clock.sleep(RECONNECT_SECONDS)

    async def history(self, symbol: str, bars: int) -> tuple[MarketEvent, ...]:
        """Completed bars, oldest first. Raises NotSent, Ambiguous."""
        line = _Line(self._path, self._timeout)
        await line.open()
        listener = asyncio.create_task(_drain(line))
        try:
            past: tuple[Bar, ...] = await line.ask(
                "history", wire.Past(symbol, bars), tuple[Bar, ...]
            )
            return past
        finally:
            line.close("done")
            await listener


async def _drain(line: _Line) -> None:
    async for _ in line.heard():
        pass
