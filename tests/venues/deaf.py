"""A server of which a connection can go deaf: it takes everything and answers nothing."""

import asyncio
import contextlib
from typing import Self


class Connection:
    """One connection, and how many requests it has brought."""

    def __init__(self) -> None:
        self.requests = 0
        self.hears = asyncio.Event()
        """Cleared: what it takes from now on is answered once this is set again."""
        self.hears.set()
        self.over = asyncio.Event()


class Deaf:
    """Answers every request without a body with an empty object of JSON."""

    def __init__(self) -> None:
        self.connections: list[Connection] = []
        self.url = ""

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._take, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *raised: object) -> None:
        """Whoever connected has left by now."""
        self._server.close()
        for connection in self.connections:
            connection.hears.set()
            await connection.over.wait()

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = Connection()
        self.connections.append(connection)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                await reader.readuntil(b"\r\n\r\n")
                connection.requests += 1
                await connection.hears.wait()
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
        connection.over.set()
