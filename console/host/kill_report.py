"""What a kill has proved so far, from the engine's own events (X-52, C-502).

Only what the venue showed counts: a broker is VERIFIED by `KillProved`, and DEGRADED as long as
something is left, unknown or not yet looked at.
"""

from typing import Any, Final

from engine.domain import events as ev
from engine.domain.instant import NS_PER_SECOND
from engine.domain.order import OrderStatus
from engine.domain.run import Halt, Level
from engine.plans.kill import cancelled, in_scope, kept
from engine.ports import Clock
from engine.state.account import DEGRADED, VERIFIED, AccountState, KillWork
from engine.state.book import Book

LOOK_SECONDS: Final = 0.05


class KillReport:
    """The kill in force, as `kill --json` prints it. `observe` is an observer of the engine."""

    def __init__(self, book: Book) -> None:
        """Begins with what the book knows: a kill may be older than this process."""
        self._book = book
        self._proved: dict[str, ev.KillProved] = {}
        self._seen: dict[str, ev.KillProgressed] = {}

    def observe(self, record: ev.Record) -> None:
        """Takes note of what belongs to a kill."""
        match record.event:
            case ev.Halted():
                self._proved.clear()
                self._seen.clear()
            case ev.KillProgressed() as seen:
                self._seen[seen.account] = seen
                if not seen.clean_reads:
                    self._proved.pop(seen.account, None)  # what was proved is so no longer
            case ev.KillProved() as proved:
                self._proved[proved.account] = proved
            case _:
                pass

    @property
    def verified(self) -> bool:
        """True once every broker is proved, and still looks so."""
        return all(row["state"] == VERIFIED for row in self.brokers().values())

    def brokers(self) -> dict[str, dict[str, Any]]:
        """What is known of each broker: state, counts, what is left and what is unknown."""
        halt = self._book.data.halt
        if halt is None or halt.level is not Level.KILL:
            return {}
        return {
            account.name: self._account(account, account.kill, halt)
            for account in self._book.accounts
            if account.kill is not None
        }

    def _account(self, account: AccountState, work: KillWork, halt: Halt) -> dict[str, Any]:
        seen, proved = self._seen.get(account.name), self._proved.get(account.name)
        left = {
            f"{p.symbol} {p.quantity.normalize():f}"
            for p in account.positions.values()
            if in_scope(p, halt.flatten)
        }
        unknown = {k for k, o in account.orders.items() if o.status is OrderStatus.UNKNOWN}
        if proved is None and seen is not None:
            left |= set(seen.left)
            unknown |= set(seen.unknown)
        done = work.state == VERIFIED and not left and not unknown
        return {
            "state": VERIFIED if done else DEGRADED,
            "cancelled": proved.cancelled if proved is not None else cancelled(account),
            "closed": work.closed,
            "left": sorted(left),
            "kept": [*kept(self._book, account, halt.flatten)],
            "unknown": sorted(unknown),
        }

    def document(self, fenced: int | None = None) -> dict[str, Any]:
        """The document of `kill --json`."""
        halt = self._book.data.halt
        return {
            "latched": halt is not None,
            "flatten": halt.flatten.value if halt is not None else "none",
            "fenced": fenced,
            "brokers": self.brokers(),
        }

    async def proof(self, clock: Clock, seconds: float) -> dict[str, Any]:
        """The document once everything is proved, or after `seconds`."""
        deadline = clock.monotonic() + int(seconds * NS_PER_SECOND)
        while not (self.brokers() and self.verified) and clock.monotonic() < deadline:
            await clock.sleep(LOOK_SECONDS)
        return self.document()
