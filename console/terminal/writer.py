"""Writes to the terminal in a thread of its own, so that a stuck terminal stops nobody else.

Two kinds of text: *frames* (a picture; dropped whole while too many wait, never split) and
*controls* (one-off sequences: modes, clipboard, bell; kept in order up to a limit). Both go out in
the order they came. A write that fails means the terminal is gone, and is reported once.
"""

import errno
import os
import select
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

FRAMES_WAITING_LIMIT: Final = 4
"""Frames that may wait; the next one is dropped. More would only show older pictures later."""

CONTROL_BYTES_LIMIT: Final = 262_144
"""Bytes of one-off sequences that may wait behind a stuck terminal."""

SLOW_FRAME_SECONDS: Final = 0.05
"""A link that takes longer than this for a frame is slow."""

_LATENCY_WEIGHT: Final = 0.2
_BUSY_WAIT_SECONDS: Final = 0.1


@dataclass(frozen=True, slots=True)
class WriterStats:
    """What happened to the output so far; counters only grow."""

    bytes_written: int
    frames_written: int
    frames_dropped: int
    controls_dropped: int
    waiting: int
    """Items in the queue now, the one being written included."""
    lag_seconds: float
    """How long the oldest of them has waited; 0 with an empty queue."""
    frame_seconds: float
    """Smoothed time the terminal takes for one frame."""


@dataclass(frozen=True, slots=True)
class _Item:
    data: bytes
    is_frame: bool
    since: float


class TerminalWriter(threading.Thread):
    """The writing thread for one file descriptor; every public method returns at once.

    `on_lost` and `on_drained` are called from this thread: lost when a write failed for good,
    drained when the queue is empty again after a frame was dropped.
    """

    def __init__(
        self,
        fd: int,
        *,
        on_lost: Callable[[], None],
        on_drained: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(daemon=True, name="terminal-writer")
        self._fd = fd
        self._on_lost = on_lost
        self._on_drained = on_drained
        self._clock = clock
        self._lock = threading.Lock()
        self._ready = threading.Condition(self._lock)
        self._queue: deque[_Item] = deque()
        self._writing: _Item | None = None
        self._frames_waiting = 0
        self._control_bytes = 0
        self._stopping = False
        self._dropped_since_drain = False
        self._bytes_written = 0
        self._frames_written = 0
        self._frames_dropped = 0
        self._controls_dropped = 0
        self._frame_seconds = 0.0
        self.lost = False
        """True once the terminal is gone; nothing is written any more."""

    def write_control(self, text: str) -> bool:
        """Queue a one-off sequence; False if it was dropped (terminal lost, or far behind)."""
        data = text.encode("utf-8", "replace")
        with self._lock:
            if self.lost or self._stopping:
                return False
            if self._control_bytes + len(data) > CONTROL_BYTES_LIMIT:
                self._controls_dropped += 1
                return False
            self._control_bytes += len(data)
            self._put(_Item(data, is_frame=False, since=self._clock()))
        return True

    def write_frame(self, text: str) -> bool:
        """Queue a frame; False if it was dropped, and the picture must be sent again whole."""
        data = text.encode("utf-8", "replace")
        with self._lock:
            if self.lost or self._stopping or self._frames_waiting >= FRAMES_WAITING_LIMIT:
                self._note_dropped()
                return False
            self._frames_waiting += 1
            self._put(_Item(data, is_frame=True, since=self._clock()))
        return True

    def skip_frame(self) -> None:
        """Count a frame that was not even made because the terminal is behind."""
        with self._lock:
            self._note_dropped()
            drained = not self._queue and self._writing is None and not self.lost
            if drained:
                self._dropped_since_drain = False
        if drained:
            # the queue ran empty between the caller's look and this call
            self._on_drained()

    @property
    def behind(self) -> bool:
        """True while the next frame would be dropped."""
        return self.lost or self._frames_waiting >= FRAMES_WAITING_LIMIT

    def stats(self) -> WriterStats:
        """The counters and the queue as they stand."""
        with self._lock:
            oldest = self._writing or (self._queue[0] if self._queue else None)
            return WriterStats(
                bytes_written=self._bytes_written,
                frames_written=self._frames_written,
                frames_dropped=self._frames_dropped,
                controls_dropped=self._controls_dropped,
                waiting=len(self._queue) + (self._writing is not None),
                lag_seconds=0.0 if oldest is None else max(self._clock() - oldest.since, 0.0),
                frame_seconds=self._frame_seconds,
            )

    def stop(self, timeout: float) -> bool:
        """Drop waiting frames, send waiting controls, end; False if still stuck after `timeout`.

        A stuck thread is left behind: it is a daemon and holds nothing but its descriptor.
        """
        with self._lock:
            self._stopping = True
            kept = [item for item in self._queue if not item.is_frame]
            self._queue.clear()
            self._queue.extend(kept)
            self._ready.notify()
        if self.is_alive():
            self.join(timeout)
        return not self.is_alive()

    def run(self) -> None:
        """Write until stopped or lost."""
        while (item := self._next()) is not None:
            started = self._clock()
            if not self._write(item.data):
                self._on_lost()
                return
            if self._done(item, self._clock() - started):
                self._on_drained()

    def _put(self, item: _Item) -> None:
        self._queue.append(item)
        self._ready.notify()

    def _note_dropped(self) -> None:
        self._frames_dropped += 1
        self._dropped_since_drain = True

    def _next(self) -> _Item | None:
        with self._lock:
            while not self._queue and not self._stopping:
                self._ready.wait()
            if not self._queue:
                return None
            self._writing = self._queue.popleft()
            return self._writing

    def _done(self, item: _Item, seconds: float) -> bool:
        """Count what was written; True if the queue ran empty after a drop."""
        with self._lock:
            self._writing = None
            self._bytes_written += len(item.data)
            if item.is_frame:
                self._frames_waiting -= 1
                self._frames_written += 1
                self._frame_seconds += _LATENCY_WEIGHT * (seconds - self._frame_seconds)
            else:
                self._control_bytes -= len(item.data)
            drained = self._dropped_since_drain and not self._queue and not self._stopping
            if drained:
                self._dropped_since_drain = False
            return drained

    def _write(self, data: bytes) -> bool:
        """All of `data`, however long it takes; False if the terminal is gone."""
        view = memoryview(data)
        while view:
            try:
                view = view[os.write(self._fd, view) :]
            except InterruptedError:
                continue
            except BlockingIOError:
                # another program left the shared terminal in non-blocking mode
                select.select([], [self._fd], [], _BUSY_WAIT_SECONDS)
            except OSError as error:
                if error.errno == errno.EINTR:
                    continue
                with self._lock:
                    self.lost = True
                    self._writing = None
                    self._queue.clear()
                return False
        return True
