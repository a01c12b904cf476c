"""A local venue server on loopback, and the faults that it plays at a named request.

The faults are those that every venue shows sooner or later (research/venues.md §7): an answer that
is lost after the request was carried out, one that never comes, a page of HTML, half a body.
"""

import asyncio
import time
from dataclasses import dataclass
from types import TracebackType
from typing import Literal, Self

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

Play = Literal["drop_before", "drop_after", "status_before", "status_after", "truncate", "silent"]


@dataclass
class Fault:
    """What happens at the next requests whose name is `op`; `seconds` pass first."""

    op: str
    play: Play | Literal["delay"]
    times: int = 1
    seconds: float = 0
    status: int = 502
    body: str = "<html><body>Bad Gateway</body></html>"
    headers: dict[str, str] | None = None
    late: bool = False
    """`delay` passes before it is carried out, or with this, after it and before the answer."""


class Served:
    """An aiohttp application on a free port. Every request is kept, and its faults are played.

    The name of a request is that of its route; `requests` has (name, method, path with query).
    """

    def __init__(self, app: web.Application) -> None:
        self.app = app
        self.faults: list[Fault] = []
        self.requests: list[tuple[str, str, str]] = []
        self.handled: list[tuple[int, int]] = []
        """When each request was begun and answered, on the machine's monotonic clock in ns."""
        self.down = False
        """True: every request, streams too, is answered by a connection that is reset."""
        self.withheld = 0
        """So many requests wait by a fault for time to pass."""
        app.middlewares.append(self._middleware())
        self._runner: web.AppRunner | None = None
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def ws_url(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    @property
    def listens(self) -> bool:
        return self._runner is not None

    def fault(self, op: str, play: Play | Literal["delay"], **more: object) -> None:
        """Play this at the next request of that name."""
        self.faults.append(Fault(op, play, **more))  # type: ignore[arg-type]

    def count(self, op: str) -> int:
        """How many requests of that name have come in."""
        return sum(name == op for name, _, _ in self.requests)

    async def start(self, port: int = 0) -> None:
        """Listen; again on the same port after `stop`."""
        self._runner = web.AppRunner(self.app, shutdown_timeout=0.1, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", port or self.port, reuse_address=True)
        await site.start()
        self.port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]

    async def stop(self) -> None:
        """Hang up on everybody and listen no more."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()

    def _take(self, op: str) -> Fault | None:
        for fault in self.faults:
            if fault.op == op and fault.times > 0:
                fault.times -= 1
                return fault
        return None

    def _middleware(self) -> Middleware:
        @web.middleware
        async def play(request: web.Request, handler: Handler) -> web.StreamResponse:
            await request.read()  # it has come whole: who sent it cannot take it back any more
            op = request.match_info.route.name or request.path
            self.requests.append((op, request.method, request.path_qs))
            if self.down:
                return _drop(request)
            began, fault = time.monotonic_ns(), self._take(op)
            if fault is not None:
                return await self._played(fault, request, handler)
            answer = await handler(request)
            self.handled.append((began, time.monotonic_ns()))
            return answer

        return play

    async def _played(
        self, fault: Fault, request: web.Request, handler: Handler
    ) -> web.StreamResponse:
        if fault.seconds and not fault.late:
            await self._withhold(fault.seconds)
        if fault.play == "drop_before":
            return _drop(request)
        if fault.play == "silent":
            await self._withhold(fault.seconds or 3600)
            return _drop(request)
        answer = web.Response(
            status=fault.status, text=fault.body, content_type="text/html", headers=fault.headers
        )
        if fault.play == "status_before":
            return answer
        done = await handler(request)
        if fault.seconds and fault.late:
            await self._withhold(fault.seconds)
        if fault.play == "drop_after":
            return _drop(request)
        if fault.play == "status_after":
            return answer
        if fault.play == "truncate":
            assert isinstance(done, web.Response)
            assert isinstance(done.body, bytes)
            half = web.StreamResponse(
                status=done.status, headers={"Content-Type": "application/json"}
            )
            half.content_length = len(done.body)
            await half.prepare(request)
            await half.write(done.body[: len(done.body) // 2])
            return _drop(request)
        return done

    async def _withhold(self, seconds: float) -> None:
        self.withheld += 1
        try:
            await asyncio.sleep(seconds)
        finally:
            self.withheld -= 1


def _drop(request: web.Request) -> web.Response:
    """Reset the connection: nobody gets an answer."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()
