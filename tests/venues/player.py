"""Plays a recorded session (`doctor --record`) back to an adapter, over a real socket.

A request gets the answer that the like of it got: of those recorded with its method and path that
have not been played yet, the one whose parameters are most like it, the earliest of them; once all
are played, the last of them again. A stream says what it said, each message once we have said on it
what we had said before, and once the requests that were recorded before have been made: then the
adapter meets things in the order in which they happened. `unexpected` has what was asked for and is
not in the recording.
"""

import asyncio
import contextlib
import json
import struct
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from aiohttp import WSMsgType, web

from tests.venues.served import Served

PATIENCE: Final = 20.0
"""Seconds that a message of a stream waits for the requests before it, which a session that goes
another way than the recorded one may never make."""

OWN_HEADERS: Final = frozenset({"content-length", "content-encoding", "transfer-encoding", "date"})
"""What our own server states, for a body of another length."""

VOLATILE: Final = frozenset({"timestamp", "signature", "recvWindow", "begin", "after", "from"})
"""Parameters that say when, and not what."""


@dataclass
class Row:
    """One recorded message, and whether it has been played."""

    place: int
    channel: int
    what: str
    method: str = ""
    url: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    status: int = 0
    data: str = ""
    played: bool = False

    @property
    def path(self) -> str:
        return urlsplit(self.url).path

    @property
    def parameters(self) -> set[tuple[str, str]]:
        """Those of the query and of a body, but for when it was."""
        return parameters_of(urlsplit(self.url).query, self.data)


def parameters_of(query: str, body: str) -> set[tuple[str, str]]:
    """What a request asks for."""
    found = set(parse_qsl(query))
    with contextlib.suppress(ValueError):
        told = json.loads(body) if body else {}
        rows = told if isinstance(told, list) else [told]
        found |= {(name, str(value)) for row in rows for name, value in row.items()}
    if not query and body and not found:
        found = set(parse_qsl(body))
    return {(name, value) for name, value in found if name not in VOLATILE}


class Player(Served):
    """A recording that listens: HTTP and websockets on one port, TWS on another."""

    def __init__(self, path: Path) -> None:
        head, *rows = (json.loads(line) for line in path.read_text(encoding="utf-8").splitlines())
        self.kind: str = head["kind"]
        self.rows = [
            Row(place, **{name: value for name, value in row.items() if name != "at"})
            for place, row in enumerate(rows)
        ]
        self.unexpected: list[str] = []
        self._moved = asyncio.Condition()
        self._tws: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._any)
        super().__init__(app)

    @property
    def stream_url(self) -> str:
        """The address that Coinbase's streams have at the server of the tests."""
        return f"{self.ws_url}/stream"

    async def start(self, port: int = 0) -> None:
        """Listen."""
        if self.kind != "ibkr":
            await super().start(port)
            return
        self._tws = await asyncio.start_server(self._talk, "127.0.0.1", port)
        self.port = self._tws.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Hang up."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._tws is not None:
            self._tws.close()
            return
        await super().stop()

    @property
    def left(self) -> list[str]:
        """The requests that were recorded and not made."""
        return [f"{r.method} {r.path}" for r in self.rows if r.what == "request" and not r.played]

    # --- requests

    async def _any(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await self._stream(request)
        body = (await request.read()).decode()
        asked = self._like(request.method, request.path, request.query_string, body)
        if asked is None:
            self.unexpected.append(f"{request.method} {request.path_qs}")
            return web.Response(status=404, text="not recorded")
        async with self._moved:
            asked.played = True
            self._moved.notify_all()
        channel = [row for row in self.rows if row.channel == asked.channel]
        answer = next((row for row in channel if row.what == "answer"), None)
        if answer is None:  # none had come
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        headers = {k: v for k, v in answer.headers.items() if k.lower() not in OWN_HEADERS}
        pieces = [row for row in channel if row.what == "heard"]
        if not pieces and not any(row.what == "end" for row in channel):
            return web.Response(status=answer.status, text=answer.data, headers=headers)
        response = web.StreamResponse(status=answer.status, headers=headers)
        await response.prepare(request)
        for piece in pieces:
            await self._turn_of(piece)
            await response.write(piece.data.encode())
        await asyncio.sleep(3_600)  # it went on until we left
        return response

    def _like(self, method: str, path: str, query: str, body: str) -> Row | None:
        wanted = parameters_of(query, body)
        same = [
            row
            for row in self.rows
            if row.what == "request" and (row.method, row.path) == (method, path)
        ]
        new = [row for row in same if not row.played] or same[-1:]
        return max(new, key=lambda row: (len(row.parameters & wanted), -row.place), default=None)

    # --- streams

    async def _stream(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        opened = self._next_open(request.path)
        if opened is None:
            self.unexpected.append(f"stream {request.path}")
            return socket
        said: asyncio.Queue[str] = asyncio.Queue()
        task = asyncio.create_task(self._say(opened.channel, said, socket.send_str))
        self._tasks.add(task)
        async for message in socket:
            if message.type in {WSMsgType.TEXT, WSMsgType.BINARY}:
                said.put_nowait(str(message.data))
        task.cancel()
        return socket

    def _next_open(self, path: str) -> Row | None:
        for row in self.rows:
            if row.what == "open" and not row.played and (not path or row.path == path):
                row.played = True
                return row
        return None

    async def _say(self, channel: int, said: asyncio.Queue[str], send: Any) -> None:
        for row in self.rows:
            if row.channel != channel:
                continue
            if row.what == "sent":
                await said.get()
            elif row.what == "heard":
                await self._turn_of(row)
                await send(row.data)

    async def _turn_of(self, row: Row) -> None:
        """Until the requests that were recorded before it have been made."""
        before = [one for one in self.rows[: row.place] if one.what == "request"]
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE), self._moved:
                await self._moved.wait_for(lambda: all(one.played for one in before))

    # --- TWS

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        opened = self._next_open("")
        assert opened is not None
        assert task is not None
        self._tasks.add(task)
        try:
            await reader.readexactly(4)  # its greeting, before any length
            for row in self.rows:
                if row.channel != opened.channel:
                    continue
                if row.what == "sent":
                    (size,) = struct.unpack(">I", await reader.readexactly(4))
                    await reader.readexactly(size)
                elif row.what == "heard":
                    body = row.data.encode()
                    writer.write(struct.pack(">I", len(body)) + body)
            await writer.drain()
            await reader.read()  # until the other side leaves
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # it has left already
        finally:
            writer.close()


@contextlib.asynccontextmanager
async def played(path: Path) -> AsyncIterator[Player]:
    """A recording that listens."""
    player = Player(path)
    await player.start()
    try:
        yield player
    finally:
        await player.stop()
