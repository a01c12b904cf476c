"""The control socket and the watch on `HALT`: one thread of its own (DESIGN, Kill; C-503).

It works while the loop is blocked: a kill closes the gate and sets the latch right here, ahead of
everything else that was asked, and only then tells the loop. What the loop must do is handed to it
with a deadline. No call in this thread waits for a client.
"""

import asyncio
import contextlib
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Final, Protocol

from console.host.control_clients import ControlClients, Peer
from console.host.halt_watch import HaltWatch
from console.host.replies import answer_of, answer_to_kill, refusal
from console.host.requests import KILL, ReadRequest, Request, halt_of
from console.host.tickets import Ticket, seconds_of
from engine.domain.run import Halt
from engine.ports import Latch, LatchError
from engine.runtime.send_gate import SendGate

WATCH_SECONDS: Final = 0.04
"""How often the `HALT` file is looked for; it must halt within 100 ms."""

ACKNOWLEDGE_SECONDS: Final = 1.0
"""How long a kill waits for the loop before it says that the loop did not answer."""

MOST_PENDING: Final = 256
"""Requests of one client that may be unanswered."""

_log = logging.getLogger("console.host.control")


class Handler(Protocol):
    """Who does what clients ask: what the thread needs of the engine."""

    async def serve(self, command: str, args: Mapping[str, Any]) -> Any:
        """Does one command on the loop. Raises CommandError."""
        ...

    def halt_of(self, args: Mapping[str, Any]) -> Halt:
        """The latch that a kill asks for; runs in the thread. Raises CommandError."""
        ...

    def latched(self, halt: Halt, asked: int | None) -> Any:
        """On the loop: the latch is set, follow it; returns the kill as it stands.

        `asked` is the number under which the gate was shut for it; None if it was shut already.
        """
        ...


class ControlServer:
    """Serves `<state-dir>/control.sock` and watches the latch file until `stop`."""

    def __init__(
        self,
        path: Path,
        *,
        loop: asyncio.AbstractEventLoop,
        handler: Handler,
        gate: SendGate,
        latch: Latch,
        halt_file: Path,
    ) -> None:
        """Use `start`; the account lock must be held by this process."""
        self._loop = loop
        self._handler = handler
        self._gate = gate
        self._latch = latch
        self._halt_file = halt_file
        self._watch = HaltWatch(halt_file, gate=gate, latch=latch, tell=self._tell)
        self._clients = ControlClients(path)
        self._tickets: list[Ticket] = []
        self._results: deque[tuple[Ticket, Callable[[], dict[str, Any]]]] = deque()
        self._begun: deque[Ticket] = deque()
        """What the loop has begun and somebody wants to know of."""
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="control", daemon=True)

    def start(self) -> None:
        """Listens, and starts the thread. Raises OSError when the socket cannot be made."""
        self._clients.listen()
        self._thread.start()

    def stop(self) -> None:
        """Answers what is ready, hangs up, and removes the socket."""
        self._stopping = True
        self._clients.wake()
        if self._thread.ident is not None:
            self._thread.join(2.0)
        self._clients.close_listener()

    # --- the thread -------------------------------------------------------------------------------

    def _run(self) -> None:
        while True:
            try:
                self._round()
            except Exception:  # the way to stop the engine must outlive any fault of its own
                _log.critical("the control thread met an error and goes on", exc_info=True)
                time.sleep(WATCH_SECONDS)
            if self._stopping:
                break
        self._clients.hang_up()

    def _round(self) -> None:
        requests = self._clients.wait(WATCH_SECONDS)
        # A kill is served ahead of everything else, whoever asked first.
        requests.sort(key=lambda item: item[1].request.command != KILL)
        for peer, request in requests:
            self._take(peer, request)
        self._watch.look()
        self._tell_begun()
        self._answer_results()
        self._expire()
        self._clients.flush()

    def _tell(
        self, halt: Halt, asked: int | None, then: Callable[[Any], None] | None = None
    ) -> None:
        """Tell the loop of it; a halt that the gate was not shut for, while the file stands."""

        def on_loop() -> None:
            if asked is None and not os.path.lexists(self._halt_file):
                return  # a resume has removed it meanwhile
            state = self._handler.latched(halt, asked)
            if then is not None:
                then(state)

        # A loop that is closed has no orders left to stop.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(on_loop)

    def _take(self, peer: Peer, found: ReadRequest) -> None:
        request = found.request
        if peer.pending >= MOST_PENDING and request.command != KILL:
            text = f"{MOST_PENDING} requests of one client wait already"
            self._refuse(peer, request.id, "TOO_MANY", text)
        elif request.command == KILL:
            self._kill(peer, found)
        else:
            self._forward(peer, request)

    def _forward(self, peer: Peer, request: Request) -> None:
        ticket = Ticket(peer, request, seconds_of(request.command))
        work = self._on_loop(ticket, self._handler.serve(request.command, request.args))
        try:
            future = asyncio.run_coroutine_threadsafe(work, self._loop)
        except RuntimeError:
            work.close()
            self._refuse(peer, request.id, "STOPPED", "the engine has stopped")
            return
        self._wait_for(ticket, future)

    async def _on_loop(self, ticket: Ticket, work: Awaitable[Any]) -> Any:
        if not ticket.start():
            if asyncio.iscoroutine(work):
                work.close()
            return None
        if ticket.request.notice:
            self._begun.append(ticket)
            self._clients.wake()
        return await work

    def _wait_for(self, ticket: Ticket, future: "Future[Any]") -> None:
        ticket.peer.pending += 1
        self._tickets.append(ticket)

        def done(ended: "Future[Any]") -> None:
            self._results.append((ticket, lambda: answer_of(ticket.request, ended)))
            self._clients.wake()

        future.add_done_callback(done)

    def _kill(self, peer: Peer, found: ReadRequest) -> None:
        """Gate, latch, loop, in this order; the answer says whether the loop followed."""
        request = found.request
        halt, fault = halt_of(found, self._handler.halt_of)
        asked = self._gate.ask(halt.reason)
        standing = self._latch.read()
        halt = halt if standing is None else standing.raised_by(halt)
        self._watch.told(halt)
        written = True
        try:
            self._latch.set(halt)
        except LatchError:
            # The gate is shut and the loop is told; the answer says that the file is missing.
            written = False
            _log.critical("the latch file could not be written", exc_info=True)
        base = {"latched": written, "flatten": halt.flatten.value, "fenced": None}
        ticket = Ticket(peer, request, ACKNOWLEDGE_SECONDS)
        late = base | {"acknowledged": False, "brokers": {}}
        ticket.overdue = answer_to_kill(request, late, fault)
        ticket.wants_proof = not fault and request.args.get("wait") is not False
        peer.pending += 1
        self._tickets.append(ticket)

        def acknowledged(state: Any) -> None:
            def answer() -> dict[str, Any]:
                known = base | dict(state) | {"latched": True, "acknowledged": True}
                return answer_to_kill(request, known, fault)

            self._results.append((ticket, answer))
            self._clients.wake()

        self._tell(halt, asked, acknowledged)

    # --- answers ----------------------------------------------------------------------------------

    def _tell_begun(self) -> None:
        while self._begun:
            ticket = self._begun.popleft()
            if not ticket.answered:
                self._clients.send(ticket.peer, {"id": ticket.request.id, "begun": True})

    def _answer_results(self) -> None:
        while self._results:
            ticket, answer = self._results.popleft()
            if ticket.answered:
                continue
            self._settle(ticket)
            reply = answer()
            if ticket.wants_proof and not ticket.peer.gone:
                self._forward(ticket.peer, Request("kill-report", ticket.request.id))
                continue
            self._clients.send(ticket.peer, reply)

    def _expire(self) -> None:
        now = time.monotonic()
        for ticket in tuple(self._tickets):
            fate = ticket.fate(now)
            if not fate:
                continue
            self._settle(ticket)
            request = ticket.request
            if ticket.overdue is not None:
                self._clients.send(ticket.peer, ticket.overdue)
            else:
                self._refuse(ticket.peer, request.id, "NO_ANSWER", fate)

    def _settle(self, ticket: Ticket) -> None:
        ticket.answered = True
        ticket.peer.pending -= 1
        self._tickets.remove(ticket)

    def _refuse(self, peer: Peer, number: int | str | None, code: str, text: str) -> None:
        self._clients.send(peer, refusal(number, code, text))
