"""The clients of the control socket: who connects, what they send, and what they have not read.

No call waits for a client: one that does not read is hung up on, and who has gone is forgotten. All
but `wake` runs in the control thread.
"""

import contextlib
import logging
import os
import selectors
import socket
import struct
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from console.host.client import address
from console.host.replies import refusal
from console.host.requests import CommandError, ReadRequest, read

LONGEST_LINE: Final = 524_288
"""Bytes of a request: the longest signal line with every byte of it escaped, and some more."""

LARGEST_BACKLOG: Final = 8_388_608
"""Bytes a client may leave unread before it is hung up on."""

MOST_CLIENTS: Final = 64

_log = logging.getLogger("console.host.control")


class Peer:
    """One client: what it sent that is no line yet, and what it has not read yet."""

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        self.received = bytearray()
        self.unread = bytearray()
        self.pending = 0
        self.last = time.monotonic()
        self.closing = False
        self.gone = False


class ControlClients:
    """Listens on the socket at `path`, and holds the connection of each client."""

    def __init__(self, path: Path) -> None:
        """Use `listen`; no other process may serve this path."""
        self._path = path
        self._selector = selectors.DefaultSelector()
        self._listener: socket.socket | None = None
        self._peers: dict[int, Peer] = {}
        self._wake_in, self._wake_out = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def listen(self) -> None:
        """Make the socket, for this user alone. Raises OSError where it cannot be made."""
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

    def close_listener(self) -> None:
        """Take no more clients, and remove the socket."""
        if self._listener is not None:
            self._listener.close()
            with contextlib.suppress(FileNotFoundError):
                self._path.unlink()

    def wake(self) -> None:
        """End the `wait` that is under way, from whatever thread."""
        # A full pipe wakes as well; a closed one has nobody to wake.
        with contextlib.suppress(OSError):
            os.write(self._wake_out, b"!")

    def wait(self, seconds: float) -> list[tuple[Peer, ReadRequest]]:
        """Wait until something comes, or so long; the requests that have come, in their order.

        A line that is no request is refused here.
        """
        ready = self._selector.select(seconds)
        requests: list[tuple[Peer, ReadRequest]] = []
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
        return requests

    def send(self, peer: Peer, reply: Mapping[str, Any]) -> None:
        """Keep one line for a client until `flush`; nothing for one that is gone."""
        if peer.gone:
            return
        peer.unread += msgspec.json.encode(reply) + b"\n"
        if len(peer.unread) > LARGEST_BACKLOG:
            self._drop(peer)

    def flush(self) -> None:
        """Hand every client what it takes now."""
        for peer in tuple(self._peers.values()):
            self._flush(peer)

    def hang_up(self) -> None:
        """End every connection, and what `wait` waits with; nothing is sent any more."""
        for peer in tuple(self._peers.values()):
            self._drop(peer)
        self._selector.close()
        for descriptor in (self._wake_in, self._wake_out):
            os.close(descriptor)

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
        peer = Peer(connection)
        self._peers[connection.fileno()] = peer
        self._selector.register(connection, selectors.EVENT_READ)

    def _read(self, peer: Peer) -> list[tuple[Peer, ReadRequest]]:
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
            self.send(peer, refusal(None, "TOO_LONG", f"a line may have {LONGEST_LINE} bytes"))
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
                self.send(peer, refusal(None, error.code, str(error)))
        return requests

    def _flush(self, peer: Peer) -> None:
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

    def _listen_to(self, peer: Peer) -> None:
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

    def _drop(self, peer: Peer) -> None:
        if peer.gone:
            return
        peer.gone = True
        self._peers.pop(peer.socket.fileno(), None)
        with contextlib.suppress(KeyError):
            self._selector.unregister(peer.socket)
        peer.socket.close()


def _same_user(connection: socket.socket) -> bool:
    """Whether the peer is this user; where the system does not say, the socket's mode must do."""
    if not hasattr(socket, "SO_PEERCRED"):
        return True
    packed = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    _, uid, _ = struct.unpack("3i", packed)
    return bool(uid == os.geteuid())
