"""The last gate before the socket, closable from any thread (U-32, DESIGN Kill).

It stands in the last function before every send that can add exposure. Closing it needs neither
the loop nor a lock. Each cause that closes it is opened by its own owner: a halt by a person's
resume, a journal that failed by its recovery, an ending process never.

A halt that was asked for in another thread shuts it before the engine hears of it. Such an asking
stands for itself, beside the halt that it leads to: a resume that is being carried through, decided
before the engine heard of it, does not open the gate for it.
"""

from enum import StrEnum
from itertools import count

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
        self._asked: dict[int, str] = {}
        """Why, by number, of each asking that the engine has not taken yet."""
        self._numbers = count(1)

    @property
    def closed(self) -> bool:
        """True while any cause stands, or a halt is asked for."""
        return bool(self._causes or self._asked)

    @property
    def halted(self) -> bool:
        """True while a halt, or the asking for one, keeps it shut."""
        return Cause.HALT in self._causes or bool(self._asked)

    @property
    def newest(self) -> int:
        """The number of the newest asking that the engine has not taken yet; 0 without one."""
        return max(tuple(self._asked), default=0)

    @property
    def reason(self) -> str:
        """Why, cause by cause."""
        return "; ".join((*tuple(self._causes.values()), *tuple(self._asked.values())))

    def withheld(self, account: str, key: str) -> GateClosed:
        """What the core is told of an order that does not leave, with the cause that stands now.

        With the gate open, the order itself had been given up while its intent was written.
        """
        if self.halted:
            return GateClosed(account, key)
        reason = self.reason or "it was given up before it could leave"
        return GateClosed(account, key, halted=False, reason=f"not sent: {reason}")

    def close(self, reason: str, cause: Cause = Cause.HALT) -> None:
        """Shut it at once; safe from any thread and while the loop is stuck."""
        self._causes[cause] = reason

    def open(self, cause: Cause) -> None:
        """This cause is gone; the others keep it shut."""
        self._causes.pop(cause, None)

    def ask(self, reason: str) -> int:
        """Shut it at once for a halt that the engine is still to be told of, from any thread.

        Returns the number of the asking, for `taken` once the engine has been told.
        """
        number = next(self._numbers)
        self._asked[number] = reason
        return number

    def taken(self, number: int) -> None:
        """The engine has taken this asking: its halt keeps the gate shut from here on."""
        self._asked.pop(number, None)
