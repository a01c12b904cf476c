"""The control socket and the watch on `HALT`: one thread of its own (DESIGN, Kill; C-503).

It works while the loop is blocked: a kill closes the gate and sets the latch right here, ahead of
everything else that was asked, and only then tells the loop. What the loop must do is handed to it
with a deadline. No call in this thread waits for a client.
"""

import asyncio
import contextlib
import logging
import os
import selectors
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Final, Protocol

import msgspec

from console.commands.table import SERVED
from console.host.client import address
from console.host.requests import KILL, CommandError, ReadRequest, Request, halt_of, read
from engine.domain.run import Halt
from engine.domain.text import clean_text
from engine.ports import Latch, LatchError
from engine.runtime.send_gate import SendGate

WATCH_SECONDS: Final = 0.04
"""How often the `HALT` file is looked for; it must halt within 100 ms."""

ACKNOWLEDGE_SECONDS: Final = 1.0
"""How long a kill waits for the loop before it says that the loop did not answer."""

LONGEST_LINE: Final = 524_288
"""Bytes of a request: the longest signal line with every byte of it escaped, and some more."""

LARGEST_BACKLOG: Final = 8_388_608
"""Bytes a client may leave unread before it is hung up on."""

MOST_CLIENTS: Final = 64
MOST_PENDING: Final = 256
"""Requests of one client that may be unanswered."""

BEGIN_SECONDS: Final = 4.0
"""How long what does something waits for the loop to begin it; after that it never is."""

DEFAULT_SECONDS: Final = 15.0
"""How long the loop may take to answer a command that has no time of its own."""

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


class _Peer:
    """One client: what it sent that is no line yet, and what it has not read yet."""

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        self.received = bytearray()
        self.unread = bytearray()
        self.pending = 0
        self.last = time.monotonic()
        self.closing = False
        self.gone = False


class _Ticket:
    """A request that the loop works on."""

    def __init__(self, peer: _Peer, request: Request, seconds: float) -> None:
        self.peer = peer
        self.request = request
        self.seconds = seconds
        known = SERVED.get(request.command)
        asks_only = known is not None and known.question
        self._begin_seconds = seconds if asks_only else min(seconds, BEGIN_SECONDS)
        self.asked_at = time.monotonic()
        self.answered = False
        self.overdue: dict[str, Any] | None = None
        """A kill's answer when the loop does not follow in time."""
        self.wants_proof = False
        """A kill that is answered once it is proved, not at once."""
        self._lock = threading.Lock()
        self._started = False
        self._expired = False

    def start(self) -> bool:
        """On the loop: False when nobody waits for it any more."""
        with self._lock:
            self._started = not self._expired
            return self._started

    def fate(self, now: float) -> str:
        """In the thread: what becomes of it, where it is not to be waited for; else "".

        What the loop has not begun by then never is.
        """
        waited, command = now - self.asked_at, clean_text(self.request.command, 32)
        with self._lock:
            bound = self.seconds if self._started else self._begin_seconds
            if waited < bound:
                return ""
            self._expired = not self._started
        if self._expired:
            return f"the engine did not begin {command} within {bound:g} s: it never will be done"
        return f"the engine did not answer {command} within {bound:g} s: it may still be done"


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
        self._path = path
        self._loop = loop
        self._handler = handler
        self._gate = gate
        self._latch = latch
        self._halt_file = halt_file
        self._seen: tuple[int, ...] | None = None
        self._told = (-1, -1)
        """How far the halt went that the loop was told of last."""
        self._selector = selectors.DefaultSelector()
        self._listener: socket.socket | None = None
        self._peers: dict[int, _Peer] = {}
        self._tickets: list[_Ticket] = []
        self._results: deque[tuple[_Ticket, Callable[[], dict[str, Any]]]] = deque()
        self._begun: deque[_Ticket] = deque()
        """What the loop has begun and somebody wants to know of."""
        self._wake_in, self._wake_out = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="control", daemon=True)

    def start(self) -> None:
        """Listens, and starts the thread. Raises OSError when the socket cannot be made."""
        with contextlib.suppress(FileNotFoundError):
            self._path.unlink()  # of a process that is gone: the account lock is ours
        listener = socket.socket(
            socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
        )
        before = os.umask(0o177)
        try:
            with address(self._path) as name:
                listener.bind(name)
        finally:
            os.umask(before)
        listener.listen(MOST_CLIENTS)
        self._listener = listener
        self._selector.register(listener, selectors.EVENT_READ)
        self._selector.register(self._wake_in, selectors.EVENT_READ)
        self._thread.start()

    def stop(self) -> None:
        """Answers what is ready, hangs up, and removes the socket."""
        self._stopping = True
        self._wake()
        if self._thread.ident is not None:
            self._thread.join(2.0)
        if self._listener is not None:
            self._listener.close()
            with contextlib.suppress(FileNotFoundError):
                self._path.unlink()

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
        for peer in tuple(self._peers.values()):
            self._drop(peer)
        self._selector.close()
        for descriptor in (self._wake_in, self._wake_out):
            os.close(descriptor)

    def _round(self) -> None:
        ready = self._selector.select(WATCH_SECONDS)
        requests: list[tuple[_Peer, ReadRequest]] = []
        for key, events in ready:
            if key.fileobj is self._listener:
                self._accept()
            elif key.fd == self._wake_in:
                with contextlib.suppress(BlockingIOError):
                    os.read(self._wake_in, 4_096)
            else:
                peer = self._peers.get(key.fd)
                if peer is not None and events & selectors.EVENT_READ:
                    requests += self._read(peer)
        # A kill is served ahead of everything else, whoever asked first.
        requests.sort(key=lambda item: item[1].request.command != KILL)
        for peer, request in requests:
            self._take(peer, request)
        self._watch()
        self._tell_begun()
        self._answer_results()
        self._expire()
        for peer in tuple(self._peers.values()):
            self._flush(peer)

    def _watch(self) -> None:
        """A latch file that appeared, or changed while nothing was halted, halts."""
        try:
            found = os.stat(self._halt_file, follow_symlinks=False)  # noqa: PTH116 - every 40 ms
            sign: tuple[int, ...] = (found.st_ino, found.st_mtime_ns, found.st_size)
        except FileNotFoundError:
            self._seen = None
            self._told = (-1, -1)
            return
        except OSError:
            sign = (-1,)  # it cannot be looked at: unreadable means halted
        if sign == self._seen and self._gate.closed:
            return
        halt = self._latch.read()
        if halt is None:
            return  # gone again: a gate that is shut now would be shut without a halt
        self._seen = sign
        asked = None
        if not self._gate.closed:
            self._told = (-1, -1)
            asked = self._gate.ask("the HALT file is set")
        # The engine writes the file too; only what goes further than what it was told is news.
        if halt.reach > self._told:
            self._told = halt.reach
            # A gate that is shut here is not left shut without a halt, should the file be gone.
            self._tell(halt, asked)

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

    # --- clients ----------------------------------------------------------------------------------

    def _accept(self) -> None:
        """Take all who wait, so that a crowd of callers keeps no kill from calling."""
        assert self._listener is not None  # noqa: S101 - it is what woke us
        for _ in range(MOST_CLIENTS):
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return  # nobody waits any more, or the client is gone again
            self._welcome(connection)

    def _welcome(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        if not _same_user(connection):
            _log.warning("a connection of another user to the control socket was refused")
            connection.close()
            return
        if len(self._peers) >= MOST_CLIENTS:
            idle = [p for p in self._peers.values() if not p.pending]
            self._drop(min(idle or self._peers.values(), key=lambda p: p.last))
        peer = _Peer(connection)
        self._peers[connection.fileno()] = peer
        self._selector.register(connection, selectors.EVENT_READ)

    def _read(self, peer: _Peer) -> list[tuple[_Peer, ReadRequest]]:
        try:
            received = peer.socket.recv(LONGEST_LINE)
        except BlockingIOError:
            return []
        except OSError:
            received = b""
        if not received:
            # Half-closed clients (printf | nc) still wait for their answers.
            peer.closing = True
            self._listen_to(peer)
            return []
        peer.last = time.monotonic()
        peer.received += received
        *lines, rest = bytes(peer.received).split(b"\n")
        peer.received = bytearray(rest)
        if len(rest) > LONGEST_LINE:
            self._refuse(peer, None, "TOO_LONG", f"a line may have {LONGEST_LINE} bytes")
            peer.received.clear()
            peer.closing = True
            self._listen_to(peer)
        requests = []
        for line in lines:
            if not line.strip():
                continue
            try:
                requests.append((peer, read(line)))
            except CommandError as error:
                self._refuse(peer, None, error.code, str(error))
        return requests

    def _take(self, peer: _Peer, found: ReadRequest) -> None:
        request = found.request
        if peer.pending >= MOST_PENDING and request.command != KILL:
            text = f"{MOST_PENDING} requests of one client wait already"
            self._refuse(peer, request.id, "TOO_MANY", text)
        elif request.command == KILL:
            self._kill(peer, found)
        else:
            self._forward(peer, request)

    def _forward(self, peer: _Peer, request: Request) -> None:
        known = SERVED.get(request.command)
        seconds = DEFAULT_SECONDS if known is None else known.seconds or DEFAULT_SECONDS
        ticket = _Ticket(peer, request, seconds)
        work = self._on_loop(ticket, self._handler.serve(request.command, request.args))
        try:
            future = asyncio.run_coroutine_threadsafe(work, self._loop)
        except RuntimeError:
            work.close()
            self._refuse(peer, request.id, "STOPPED", "the engine has stopped")
            return
        self._wait_for(ticket, future)

    async def _on_loop(self, ticket: _Ticket, work: Awaitable[Any]) -> Any:
        if not ticket.start():
            if asyncio.iscoroutine(work):
                work.close()
            return None
        if ticket.request.notice:
            self._begun.append(ticket)
            self._wake()
        return await work

    def _wait_for(self, ticket: _Ticket, future: "Future[Any]") -> None:
        ticket.peer.pending += 1
        self._tickets.append(ticket)

        def done(ended: "Future[Any]") -> None:
            self._results.append((ticket, lambda: _answer(ticket.request, ended)))
            self._wake()

        future.add_done_callback(done)

    def _kill(self, peer: _Peer, found: ReadRequest) -> None:
        """Gate, latch, loop, in this order; the answer says whether the loop followed."""
        request = found.request
        halt, fault = halt_of(found, self._handler.halt_of)
        asked = self._gate.ask(halt.reason)
        standing = self._latch.read()
        halt = halt if standing is None else standing.raised_by(halt)
        self._told = max(self._told, halt.reach)
        written = True
        try:
            self._latch.set(halt)
        except LatchError:
            # The gate is shut and the loop is told; the answer says that the file is missing.
            written = False
            _log.critical("the latch file could not be written", exc_info=True)
        base = {"latched": written, "flatten": halt.flatten.value, "fenced": None}
        ticket = _Ticket(peer, request, ACKNOWLEDGE_SECONDS)
        late = base | {"acknowledged": False, "brokers": {}}
        ticket.overdue = _killed(request, late, fault)
        ticket.wants_proof = not fault and request.args.get("wait") is not False
        peer.pending += 1
        self._tickets.append(ticket)

        def acknowledged(state: Any) -> None:
            def answer() -> dict[str, Any]:
                known = base | dict(state) | {"latched": True, "acknowledged": True}
                return _killed(request, known, fault)

            self._results.append((ticket, answer))
            self._wake()

        self._tell(halt, asked, acknowledged)

    # --- answers ----------------------------------------------------------------------------------

    def _tell_begun(self) -> None:
        while self._begun:
            ticket = self._begun.popleft()
            if not ticket.answered:
                self._send(ticket.peer, {"id": ticket.request.id, "begun": True})

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
            self._send(ticket.peer, reply)

    def _expire(self) -> None:
        now = time.monotonic()
        for ticket in tuple(self._tickets):
            fate = ticket.fate(now)
            if not fate:
                continue
            self._settle(ticket)
            request = ticket.request
            if ticket.overdue is not None:
                self._send(ticket.peer, ticket.overdue)
            else:
                self._refuse(ticket.peer, request.id, "NO_ANSWER", fate)

    def _settle(self, ticket: _Ticket) -> None:
        ticket.answered = True
        ticket.peer.pending -= 1
        self._tickets.remove(ticket)

    def _refuse(self, peer: _Peer, number: int | str | None, code: str, text: str) -> None:
        self._send(peer, _refusal(number, code, text))

    def _send(self, peer: _Peer, reply: Mapping[str, Any]) -> None:
        if peer.gone:
            return
        peer.unread += msgspec.json.encode(reply) + b"\n"
        if len(peer.unread) > LARGEST_BACKLOG:
            self._drop(peer)

    def _flush(self, peer: _Peer) -> None:
        try:
            while peer.unread:
                del peer.unread[: peer.socket.send(peer.unread)]
        except BlockingIOError:
            self._listen_to(peer)
            return
        except OSError:
            self._drop(peer)
            return
        if peer.closing and not peer.pending:
            self._drop(peer)
        elif not peer.gone:
            self._listen_to(peer)

    def _listen_to(self, peer: _Peer) -> None:
        wanted = 0 if peer.closing else selectors.EVENT_READ
        if peer.unread:
            wanted |= selectors.EVENT_WRITE
        known = self._selector.get_map().get(peer.socket)
        if known is None:
            if wanted:
                self._selector.register(peer.socket, wanted)
        elif not wanted:
            self._selector.unregister(peer.socket)
        elif known.events != wanted:
            self._selector.modify(peer.socket, wanted)

    def _drop(self, peer: _Peer) -> None:
        if peer.gone:
            return
        peer.gone = True
        self._peers.pop(peer.socket.fileno(), None)
        with contextlib.suppress(KeyError):
            self._selector.unregister(peer.socket)
        peer.socket.close()

    def _wake(self) -> None:
        # A full pipe wakes as well; a closed one has nobody to wake.
        with contextlib.suppress(OSError):
            os.write(self._wake_out, b"!")


def _answer(request: Request, ended: "Future[Any]") -> dict[str, Any]:
    if ended.cancelled():
        failed: BaseException | None = CommandError("STOPPED", "the engine has stopped")
    else:
        failed = ended.exception()
    if failed is None:
        return {"id": request.id, "ok": True, "result": ended.result()}
    if isinstance(failed, CommandError):
        return {"id": request.id, "ok": False, "code": failed.code, "error": str(failed)}
    _log.error("command %s failed", request.command, exc_info=failed)
    text = f"{type(failed).__name__}: {clean_text(str(failed), 200)}"
    return {"id": request.id, "ok": False, "code": "FAILED", "error": text}


def _same_user(connection: socket.socket) -> bool:
    """Whether the peer is this user; where the system does not say, the socket's mode must do."""
    if not hasattr(socket, "SO_PEERCRED"):
        return True
    packed = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    _, uid, _ = struct.unpack("3i", packed)
    return bool(uid == os.geteuid())


def _refusal(number: int | str | None, code: str, text: str) -> dict[str, Any]:
    return {"id": number, "ok": False, "code": code, "error": text}


def _killed(request: Request, found: dict[str, Any], fault: str) -> dict[str, Any]:
    """The answer to a kill that came to `found`; with a `fault` of its line, a refusal that says
    that it halted all the same and closed nothing."""
    if not fault:
        return {"id": request.id, "ok": True, "result": found}
    halted = "halted all the same"
    if not found["acknowledged"]:
        halted += ", though the engine's loop has not answered yet"
    text = (
        f"{fault}; {halted}. This kill closed nothing: "
        'its arguments are "reason" and "flatten", which is none, day or all'
    )
    return _refusal(request.id, "INVALID_INPUT", text)
