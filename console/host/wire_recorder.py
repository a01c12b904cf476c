"""A session's wire messages in memory, and as a file that can be sent to somebody (U-72).

Nothing is written before the session is over and every secret and id in it is replaced
(`console.host.wire_redaction`): what the venue said first may hold what it names later. Bytes that
are no text are lost.

The file has one JSON object a line. The first says what it is: `recording` (the version of this
form), `kind`, `program`, `started`. Each other is one message: `at` (seconds since the first),
`channel` (the same number for a request and its answer, and for all of a stream), `what` (request,
answer, open, sent, heard, end) and, where there is something of it, `method`, `url`, `headers`,
`status` and `data`.
"""

import itertools
import json
import os
import threading
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from brokers.net.tap import Message, What
from console.host.look import Look
from console.host.wire_redaction import Redaction
from engine.domain.instant import NS_PER_SECOND, rfc3339
from storage.connection import write_durably

VERSION: Final = 1
MOST_BYTES: Final = 64 * 1024 * 1024
"""What follows after so much is not kept; the file says so."""

NUL: Final = "\0"
"""What ends each field of a message of TWS; no other venue sends one."""


class RecordingError(Exception):
    """A recording that cannot be written: one sentence; nothing of it is left."""


class Recorder:
    """Takes every message of a session (`brokers.net.tap.Wiretap`)."""

    def __init__(self) -> None:
        self._channels = itertools.count(1)
        self._lock = threading.Lock()
        self._began = time.monotonic_ns()
        self._bytes = 0
        self.started = time.time_ns()
        self.messages: list[tuple[int, Message]] = []
        """Each with its nanoseconds since the beginning."""
        self.is_cut = False

    def channel(self) -> int:
        return next(self._channels)

    def put(self, message: Message) -> None:
        """Keep it, until there are too many."""
        with self._lock:
            self._bytes += len(message.data) + len(message.url)
            self.is_cut = self.is_cut or self._bytes > MOST_BYTES
            if not self.is_cut:
                self.messages.append((time.monotonic_ns() - self._began, message))


def redaction_of(
    recorder: Recorder, secrets: Iterable[str], account_ids: Iterable[str], look: Look | None
) -> Redaction:
    """What takes secrets and ids out of a session: by what is known, and by the names in it.

    `account_ids` are those of the config, `look` is what the adapter made of the session.
    """
    redaction = Redaction(secrets)
    for value in account_ids:
        redaction.account(value)
    if look is not None:
        redaction.account(look.account.account_id)
        for order in look.orders:
            redaction.id(order.client_order_id)
            redaction.id(order.venue_order_id)
        for fill in look.fills:
            redaction.id(fill.client_order_id)
            redaction.id(fill.execution_id)
    for _, message in recorder.messages:
        redaction.learn(message.url)
        text = _text(message.data)
        if NUL in text:
            redaction.learn_fields(text.split(NUL), message.what is What.SENT)
        redaction.learn(text)
    redaction.settle()
    return redaction


def lines_of(recorder: Recorder, redaction: Redaction, kind: str, program: str) -> list[str]:
    """The lines of the file. Raises RecordingError where a secret would be in one of them."""
    head = {"recording": VERSION, "kind": kind, "program": program}
    lines = [json.dumps(head | {"started": rfc3339(recorder.started)})]
    lines += [json.dumps(_row(at, message, redaction)) for at, message in recorder.messages]
    if recorder.is_cut:
        lines.append(json.dumps({"cut": f"more than {MOST_BYTES} bytes were told"}))
    if any(redaction.holds_secret(line) for line in lines):
        raise RecordingError("A secret would be in the recording: nothing is written.")
    return lines


def write_lines(path: Path, lines: Sequence[str]) -> None:
    """Write a new file, for this user alone. Raises RecordingError."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise RecordingError(f"{path} cannot be written: {error.strerror or error}.") from error
    try:
        write_durably(handle, ("\n".join(lines) + "\n").encode())
    except OSError as error:
        path.unlink(missing_ok=True)
        raise RecordingError(f"{path} cannot be written: {error.strerror or error}.") from error
    finally:
        os.close(handle)


def _row(at: int, message: Message, redaction: Redaction) -> dict[str, Any]:
    row: dict[str, Any] = {
        "at": round(at / NS_PER_SECOND, 6),
        "channel": message.channel,
        "what": message.what,
    }
    if message.method:
        row["method"] = message.method
    if message.url:
        row["url"] = redaction.text(message.url)
    if message.headers:
        row["headers"] = {name: redaction.header(name, value) for name, value in message.headers}
    if message.status:
        row["status"] = message.status
    if message.data:
        text = _text(message.data)
        if NUL in text:
            text = NUL.join(redaction.fields(text.split(NUL), message.what is What.SENT))
        row["data"] = redaction.text(text)
    return row


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")
