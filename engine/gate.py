"""The last gate before the socket: a plain flag, closable from any thread (U-32, DESIGN Kill).

It stands in the last function before every send that can add exposure. Closing it needs neither
the loop nor a lock; opening it belongs to a person's resume.
"""


class Gate:
    """Closed means: nothing that adds exposure leaves this process."""

    def __init__(self) -> None:
        self.closed = False
        self.reason = ""

    def close(self, reason: str) -> None:
        """Shut it at once; safe from any thread and while the loop is stuck."""
        self.reason = reason
        self.closed = True

    def open(self) -> None:
        """Only after the latch was cleared by a person."""
        self.closed = False
        self.reason = ""
