"""The last gate before the socket, closable from any thread (U-32, DESIGN Kill).

It stands in the last function before every send that can add exposure. Closing it needs neither
the loop nor a lock. Each cause that closes it is opened by its own owner: a halt by a person's
resume, a journal that failed by its recovery, an ending process never.
"""

from enum import StrEnum

from engine.domain.inputs import GateClosed


class Cause(StrEnum):
    """Who keeps the gate shut."""

    HALT = "halt"
    JOURNAL = "journal"
    STOPPING = "stopping"


class SendGate:
    """Closed means: nothing that adds exposure leaves this process."""

    def __init__(self) -> None:
        self._causes: dict[Cause, str] = {}

    @property
    def closed(self) -> bool:
        """True while any cause stands."""
        return bool(self._causes)

    @property
    def halted(self) -> bool:
        """True while a halt keeps it shut."""
        return Cause.HALT in self._causes

    @property
    def reason(self) -> str:
        """Why, cause by cause."""
        return "; ".join(tuple(self._causes.values()))

    def withheld(self, account: str, key: str) -> GateClosed:
        """What the core is told of an order that does not leave, with the cause that stands now."""
        if self.closed and not self.halted:
            return GateClosed(account, key, halted=False, reason=f"not sent: {self.reason}")
        return GateClosed(account, key)

    def close(self, reason: str, cause: Cause = Cause.HALT) -> None:
        """Shut it at once; safe from any thread and while the loop is stuck."""
        self._causes[cause] = reason

    def open(self, cause: Cause) -> None:
        """This cause is gone; the others keep it shut."""
        self._causes.pop(cause, None)
