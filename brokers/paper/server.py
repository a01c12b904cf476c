"""The paper venue in a process of its own: it outlives the engines that trade on it.

    python -m brokers.paper.server --socket PATH --book PATH [--simulated AAPL,MSFT] [--seed N]

Orders, account and prices live here; clients come and go (`brokers.paper.remote`). Prices come from
a simulated market, by hand (`set_price`), or from a feed (`quotes`: many in one frame, each met by
the orders that work, all told to who watches in one frame). For tests of what happens between two
steps of an order, requests, reports and fills can be held back (`hold`), a part of an order can be
filled (`fill`), the submits of each client id are counted (`submits`), and every request about an
order can be noted with the moment it came (`record`, then `recorded`).
"""

import argparse
import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from random import Random
from typing import Any, Final

import msgspec

from brokers.paper import wire
from brokers.paper.adapter import PaperBroker
from brokers.paper.book import BookError, PaperBook
from brokers.paper.instruments import Instruments, load_instruments
from brokers.paper.simulated import SimulatedMarket
from brokers.paper.terms import Terms
from brokers.paper.venue import PaperVenue
from engine.domain.market import Bar, Depth, MarketEvent, Quote
from engine.ports import BrokerError, Clock, OrderReport, Rejected
from engine.reference.textfile import BadFile
from engine.runtime.clock import SystemClock

BUFFER_LIMIT: Final = 16 * 1024 * 1024
"""A client that leaves so much unread is dropped; it can ask for everything again."""

_HELD: Final = frozenset({"submit", "cancel", "cancel_together", "cancel_all", "modify"})
"""What `hold requests` and `hold reports` stop; questions are always answered."""


class _Client:
    """One connection."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self.follows = False
        self.watches = False

    def say(self, line: bytes) -> None:
        transport = self._writer.transport
        if transport.is_closing():
            return
        if transport.get_write_buffer_size() > BUFFER_LIMIT:
            transport.abort()
            return
        self._writer.write(line)

    def close(self) -> None:
        self._writer.close()


class PaperServer:
    """A venue, its market, and everybody who is connected."""

    def __init__(
        self, venue: PaperVenue, clock: Clock, *, random: Random, market: SimulatedMarket | None
    ) -> None:
        self._venue = venue
        self._clock = clock
        self._market = market
        self._broker = PaperBroker(venue, clock, random)
        self._clients: dict[_Client, asyncio.Task[None] | None] = {}
        """Who is connected, and the task that listens to them."""
        self._work: set[asyncio.Task[None]] = set()
        self._submits: Counter[str] = Counter()
        self._recorded: list[wire.Request] | None = None
        """Every request about an order since `record` was asked for; None before that."""
        self._reported: list[bytes] = []
        """Reports, as lines, that leave before the loop turns again."""
        self._gates = {"requests": asyncio.Event(), "reports": asyncio.Event()}
        for gate in self._gates.values():
            gate.set()
        self._encode = msgspec.json.Encoder().encode
        self._decode = msgspec.json.Decoder(wire.Call).decode
        self.ended = asyncio.Event()
        broker = self._broker
        self._ops: dict[str, tuple[Any, Callable[[Any], Awaitable[Any]]]] = {
            "submit": (wire.Submit, lambda a: broker.submit_order(a.order)),
            "cancel": (wire.Named, lambda a: broker.cancel_order(a.client_order_id)),
            "cancel_together": (wire.NamedTogether, self._cancel_together),
            "cancel_all": (wire.Nothing, lambda _: broker.cancel_all()),
            "modify": (
                wire.Modify,
                lambda a: broker.modify_order(
                    a.client_order_id,
                    a.wanted.quantity,
                    a.wanted.limit_price,
                    a.wanted.stop_price,
                    a.wanted.time_in_force,
                ),
            ),
            "order": (wire.Named, lambda a: broker.get_order(a.client_order_id)),
            "open_orders": (wire.Nothing, lambda _: broker.get_open_orders()),
            "fills": (wire.Since, lambda a: broker.get_fills_since(a.since)),
            "movements": (wire.Since, lambda a: broker.get_cash_movements_since(a.since)),
            "positions": (wire.Nothing, lambda _: broker.get_positions()),
            "account": (wire.Nothing, lambda _: broker.get_account()),
            "instrument": (wire.Symbol, lambda a: broker.instrument(a.symbol)),
            "time": (wire.Nothing, lambda _: broker.server_time()),
            "history": (wire.Past, self._history),
            "set_price": (wire.Price, self._set_price),
            "quotes": (wire.Quotes, self._take_quotes),
            "hold": (wire.Hold, self._hold),
            "fill": (wire.Part, self._fill),
            "submits": (wire.Nothing, self._count),
            "record": (wire.Nothing, self._record),
            "recorded": (wire.Nothing, self._tell_recorded),
            "stop": (wire.Nothing, self._stop),
        }

    async def run(self, path: Path) -> None:
        """Serve until `ended` is set. Raises OSError when the socket cannot be had."""
        await self._broker.connect()
        listener = _listen(path)
        server = await asyncio.start_unix_server(
            self._connected, sock=listener, limit=wire.LINE_LIMIT
        )
        streams = [asyncio.create_task(self._tell_reports())]
        if self._market is not None:
            streams.append(asyncio.create_task(self._tell_market(self._market)))
        ending = asyncio.create_task(self.ended.wait())
        try:
            done, _ = await asyncio.wait({ending, *streams}, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            server.close()
            for task in (ending, *streams, *self._work):
                task.cancel()
            listening = [task for task in self._clients.values() if task is not None]
            for client in self._clients:
                client.close()
            await asyncio.gather(ending, *streams, *self._work, *listening, return_exceptions=True)
            self._venue.close()
            _remove(path)

    # Clients.

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        client = _Client(writer)
        self._clients[client] = asyncio.current_task()
        try:
            while line := await reader.readline():
                # Each call is work of its own: it goes on when the client is gone.
                task = asyncio.create_task(self._answer(client, self._decode(line)))
                self._work.add(task)
                task.add_done_callback(self._work.discard)
        except ConnectionError:
            # A client that leaves with words still on the way to it leaves all the same.
            pass
        except (OSError, ValueError, msgspec.MsgspecError) as error:
            # What is no call ends its connection; the others never notice.
            print(f"a client was dropped: {error}", file=sys.stderr)  # noqa: T201 - its log
        finally:
            del self._clients[client]
            client.close()

    async def _answer(self, client: _Client, call: wire.Call) -> None:
        result: Any = None
        failure: wire.Failure | None = None
        try:
            result = await self._do(client, call)
        except BrokerError as error:
            failure = wire.failure_of(error)
        except (KeyError, ValueError, msgspec.MsgspecError) as error:
            failure = wire.failure_of(Rejected("INVALID_CALL", f"{call.op}: {error}"))
        if call.op in _HELD:
            await self._gates["reports"].wait()
        answer = wire.Said(id=call.id, result=msgspec.Raw(self._encode(result)), failure=failure)
        client.say(self._encode(answer) + b"\n")

    async def _do(self, client: _Client, call: wire.Call) -> Any:
        if call.op == "follow":
            client.follows = True
            return None
        if call.op == "watch":
            client.watches = True
            return None
        kind, act = self._ops[call.op]
        args = msgspec.json.decode(call.args, type=kind)
        if isinstance(args, wire.Submit):
            self._submits[args.order.client_order_id] += 1
        if call.op in _HELD:
            self._note(call.op, args)
            await self._gates["requests"].wait()
        return await act(args)

    async def _tell_reports(self) -> None:
        async for report in self._broker.reports():
            await self._gates["reports"].wait()
            if isinstance(report, OrderReport):
                if not self._reported:
                    asyncio.get_running_loop().call_soon(self._say_reports)
                self._reported.append(self._encode(wire.Said(report=report)) + b"\n")

    def _say_reports(self) -> None:
        """What was reported together leaves in one write."""
        lines, self._reported = b"".join(self._reported), []
        for client in self._clients:
            if client.follows:
                client.say(lines)

    async def _tell_market(self, market: SimulatedMarket) -> None:
        async for event in market.events():
            self._tell_event(event)

    def _tell_event(self, event: MarketEvent) -> None:
        self._tell_watchers(
            wire.Said(
                quote=event if isinstance(event, Quote) else None,
                bar=event if isinstance(event, Bar) else None,
                depth=event if isinstance(event, Depth) else None,
            )
        )

    def _tell_watchers(self, said: wire.Said) -> None:
        watching = [client for client in self._clients if client.watches]
        if not watching:
            return
        line = self._encode(said) + b"\n"
        for client in watching:
            client.say(line)

    async def _cancel_together(self, named: wire.NamedTogether) -> dict[str, wire.Failure]:
        refused = await self._broker.cancel_orders(named.client_order_ids)
        return {key: wire.failure_of(error) for key, error in refused.items()}

    # Operations beside those of the port.

    async def _history(self, past: wire.Past) -> tuple[MarketEvent, ...]:
        if self._market is None:
            return ()
        return await self._market.history(past.symbol, past.bars)

    async def _set_price(self, price: wire.Price) -> None:
        self._tell_event(self._venue.set_price(price.symbol, price.price, price.bid, price.ask))

    async def _take_quotes(self, feed: wire.Quotes) -> None:
        """Each meets the orders that work before anybody is told, as in `SimulatedMarket`."""
        for quote in feed.quotes:
            self._venue.on_price(quote)
        self._tell_watchers(wire.Said(quotes=feed.quotes))

    async def _hold(self, hold: wire.Hold) -> None:
        if hold.what == "fills":
            if hold.on:
                self._venue.fills_held = True
            else:
                self._venue.release_fills()
        elif hold.on:
            self._gates[hold.what].clear()
        else:
            self._gates[hold.what].set()

    async def _fill(self, part: wire.Part) -> None:
        self._venue.fill_part(part.client_order_id, part.quantity)

    async def _count(self, _: wire.Nothing) -> dict[str, int]:
        return dict(self._submits)

    async def _record(self, _: wire.Nothing) -> None:
        self._recorded = []

    async def _tell_recorded(self, _: wire.Nothing) -> tuple[wire.Request, ...]:
        return tuple(self._recorded or ())

    def _note(self, op: str, args: Any) -> None:
        if self._recorded is None:
            return
        named = args.order if isinstance(args, wire.Submit) else args
        keys = getattr(named, "client_order_ids", (getattr(named, "client_order_id", ""),))
        at = self._clock.monotonic()
        self._recorded += [wire.Request(op, key, at) for key in keys]

    async def _stop(self, _: wire.Nothing) -> None:
        self.ended.set()


def _listen(path: Path) -> socket.socket:
    """The socket, mode 0600; one that nobody serves any more is replaced."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        if path.exists() and not _is_served(path):
            path.unlink()
        listener.bind(str(path))
        path.chmod(0o600)
        listener.listen(100)
        listener.setblocking(False)
    except BaseException:
        listener.close()
        raise
    return listener


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)


def _is_served(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            return False
        return True


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m brokers.paper.server", description="The paper venue as its own process."
    )
    parser.add_argument("--socket", type=Path, required=True, help="unix socket to listen on")
    parser.add_argument("--book", type=Path, required=True, help="file of the paper account")
    parser.add_argument("--simulated", default="", help="symbols of a simulated market, by commas")
    parser.add_argument("--bar-seconds", type=int, default=10)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--calendar", default="SIM", help="calendar of every symbol; '' = its own")
    parser.add_argument("--instruments", type=Path, help="table of instruments")
    parser.add_argument("--terms", default="{}", help="conditions of the account, as JSON")
    return parser.parse_args(arguments)


async def serve(options: argparse.Namespace) -> None:
    """Serve until SIGTERM, SIGINT or `stop`. Raises BookError, BadFile, OSError, ValueError."""
    clock = SystemClock()
    terms = msgspec.json.decode(options.terms, type=Terms)
    table = load_instruments(options.instruments) if options.instruments else {}
    book = PaperBook(options.book, wait="thread")
    try:
        venue = PaperVenue(
            clock=clock,
            random=Random(options.seed),
            terms=terms,
            book=book,
            instruments=Instruments(table, options.calendar),
        )
    except BaseException:
        book.close()
        raise
    symbols = [symbol for symbol in options.simulated.split(",") if symbol]
    market = None
    if symbols:
        market = SimulatedMarket(
            symbols, clock, venue=venue, seed=options.seed, bar_seconds=options.bar_seconds
        )
    server = PaperServer(venue, clock, random=Random(options.seed + 1), market=market)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, server.ended.set)
    await server.run(options.socket)


def main(arguments: list[str] | None = None) -> int:
    """Exit code 0 after an orderly end, 1 when it could not start."""
    with contextlib.suppress(KeyboardInterrupt):
        try:
            asyncio.run(serve(_options(arguments)))
        except (BookError, BadFile, OSError, msgspec.MsgspecError) as error:
            print(f"the paper venue cannot start: {error}", file=sys.stderr)  # noqa: T201
            return 1
    return 0


if __name__ == "__main__":
    os.umask(0o077)
    sys.exit(main())
