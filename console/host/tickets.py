"""A request that the loop works on: how long it is waited for, and what becomes of it (C-503)."""

import threading
import time
from typing import Any, Final

from console.commands.table import SERVED
from console.host.control_clients import Peer
from console.host.requests import Request
from engine.domain.text import clean_text

BEGIN_SECONDS: Final = 4.0
"""How long what does something waits for the loop to begin it; after that it never is."""

DEFAULT_SECONDS: Final = 15.0
"""How long the loop may take to answer a command that has no time of its own."""


def seconds_of(command: str) -> float:
    """How long the loop may take to answer a command."""
    known = SERVED.get(command)
    return DEFAULT_SECONDS if known is None else known.seconds or DEFAULT_SECONDS


class Ticket:
    """A request that the loop works on."""

    def __init__(self, peer: Peer, request: Request, seconds: float) -> None:
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
