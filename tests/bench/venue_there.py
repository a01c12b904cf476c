"""A venue's local server in a process of its own: `-m tests.bench.venue_there NAME`.

It listens twice, and reports both as a config: by itself, and through a relay whose connections can
be cut or stopped as a network does. On a port of its own it sends back each line as it came: what
that takes is what two processes of this machine need to hear of each other. It takes one JSON
object a line on stdin and reports what it did, with moments of the machine's monotonic clock in
nanoseconds. It ends when stdin does.
"""

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from tests.bench.child import REPORTS, Child, module
from tests.venues.serve import STILL_SECONDS, VENUES, config

READY_SECONDS: Final = 30


class Relay:
    """Carries bytes between those who connect to it and one port of this machine."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._pairs: dict[asyncio.StreamWriter, asyncio.Event] = {}
        """Each end of each connection, and whether its bytes are carried on."""
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0

    async def start(self) -> None:
        """Listen on a free port."""
        server = await asyncio.start_server(self._take, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]

    def cut(self) -> None:
        """Reset every connection; new ones are carried."""
        for writer in tuple(self._pairs):
            writer.transport.abort()

    def stop(self) -> None:
        """Carry no byte more on any connection there is, and close none; what an end closes is
        closed at the other, since TWS keeps a client id until then. New ones are carried."""
        for carries in self._pairs.values():
            carries.clear()

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, to = await asyncio.open_connection("127.0.0.1", self._to)
        for source, sink in ((reader, to), (there, writer)):
            carries = self._pairs[sink] = asyncio.Event()
            carries.set()
            task = asyncio.create_task(self._carry(source, sink, carries))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _carry(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, carries: asyncio.Event
    ) -> None:
        with contextlib.suppress(ConnectionError):
            while read := await source.read(65_536):
                if carries.is_set():
                    sink.write(read)
        sink.close()
        del self._pairs[sink]


class There:
    """One server, and what it is asked for."""

    def __init__(self, name: str, server: Any, relay: Relay) -> None:
        self._venue = VENUES[name]
        self._server = server
        self._relay = relay
        self._accepted: dict[str, int] = {}
        self._computed = 0
        """Processor time that this process had used when the newest fills began, in ns."""
        server.exchange.listeners.append(self._heard)

    def _heard(self, change: str, order: Any, done: object) -> None:
        if change == "new":
            self._accepted[order.client_id] = time.monotonic_ns()

    def do(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Carry out what is asked for; what came of it."""
        at = time.monotonic_ns()
        match asked["do"]:
            case "cut":
                self._relay.cut()
            case "stop":
                self._relay.stop()
            case "fill":
                self._computed = time.process_time_ns()
                exchange = self._server.exchange
                (order,) = exchange.open_orders
                part = order.quantity / asked["parts"]
                for _ in range(asked["parts"]):
                    exchange.fill(order.id, part, order.limit)
            case "times":
                return {"times": self._times()}
            case "computed":
                return {"ns": time.process_time_ns() - self._computed}
        return {"at": at}

    def _times(self) -> dict[str, int]:
        """How long the request took here that brought in each order, in ns by its client id."""
        return {
            key: ended - began
            for key, at in self._accepted.items()
            for began, ended in self._server.handled
            if began <= at <= ended
        }

    async def tell_prices(self) -> None:
        """The same prices again and again."""
        while True:
            for theirs, price in self._venue.symbols.values():
                await self._venue.tell(self._server, theirs, price)
            await asyncio.sleep(STILL_SECONDS)


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send back each line as it came."""
    while line := await reader.readline():
        writer.write(line)
    writer.close()


async def serve(name: str, folder: Path) -> None:
    """Serve until stdin ends."""
    server = VENUES[name].make()
    await server.start()
    relay = Relay(server.port)
    await relay.start()
    there = There(name, server, relay)
    told = config(name, server, folder)
    pipe = int(os.environ[REPORTS])

    def report(**what: Any) -> None:
        os.write(pipe, (json.dumps(what) + "\n").encode())

    relayed = told.replace(str(server.port), str(relay.port))
    echo = await asyncio.start_server(_echo, "127.0.0.1", 0)
    report(
        direct=told,
        relayed=relayed,
        environment=VENUES[name].environment,
        echo=echo.sockets[0].getsockname()[1],
    )
    telling = asyncio.create_task(there.tell_prices())
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(lines), sys.stdin
    )
    while line := await lines.readline():
        report(done=there.do(json.loads(line)))
    telling.cancel()
    echo.close()
    await server.stop()


class VenueThere(Child):
    """The near end of that process."""

    def __init__(self, name: str) -> None:
        super().__init__(module("venue_there", name), streams={"stdin": subprocess.PIPE})
        self._start()
        self._asked = 0
        self.told = self.wait_for("direct", READY_SECONDS)

    def ask(self, do: str, **more: Any) -> dict[str, Any]:
        """Have something done; what is reported of it."""
        assert self.process.stdin is not None
        self._asked += 1
        self.process.stdin.write((json.dumps({"do": do, **more}) + "\n").encode())
        self.process.stdin.flush()
        found: dict[str, Any] = self.wait_for("done", READY_SECONDS, count=self._asked)["done"]
        return found


@contextlib.contextmanager
def venue_there(name: str) -> Iterator[VenueThere]:
    """The server of a venue, running; gone afterwards."""
    child = VenueThere(name)
    try:
        yield child
    finally:
        assert child.process.stdin is not None
        child.process.stdin.close()
        child.close()


def main() -> None:
    """The process."""
    with tempfile.TemporaryDirectory(prefix="venue-") as folder:
        asyncio.run(serve(sys.argv[1], Path(folder)))


if __name__ == "__main__":
    main()
