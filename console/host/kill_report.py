"""What a kill has proved so far (X-52, C-502).

Only what the venue showed counts: a broker is VERIFIED once the core has proved it, and DEGRADED as
long as something is left, unknown or not yet looked at.
"""

from typing import Any, Final

from engine.domain.instant import NS_PER_SECOND
from engine.domain.run import Halt, KillState, Level
from engine.plans.kill import cancelled, kept, left, unknown, vanished
from engine.ports import Clock
from engine.state.account import AccountState, KillWork
from engine.world.world import World

LOOK_SECONDS: Final = 0.05

PROOF_SECONDS: Final = 30.0
"""How long a kill may take to prove itself before it is reported as it stands (C-502)."""


class KillReport:
    """The kill in force, as `kill --json` prints it: what the core says of it, at any moment."""

    def __init__(self, world: World) -> None:
        """Reads `world`; a kill may be older than this process."""
        self._world = world

    @property
    def verified(self) -> bool:
        """True once every broker is proved, and still looks so."""
        return all(row["state"] == KillState.VERIFIED for row in self.brokers().values())

    def brokers(self) -> dict[str, dict[str, Any]]:
        """What is known of each broker: state, counts, what is left and what is unknown."""
        halt = self._world.book.data.halt
        if halt is None or halt.level is not Level.KILL:
            return {}
        return {
            account.name: self._account(account, account.kill, halt)
            for account in self._world.book.accounts
            if account.kill is not None
        }

    def _account(self, account: AccountState, work: KillWork, halt: Halt) -> dict[str, Any]:
        remaining, doubtful = left(self._world, account), unknown(self._world, account)
        done = work.state == KillState.VERIFIED and not remaining and not doubtful
        return {
            "state": KillState.VERIFIED if done else KillState.DEGRADED,
            "cancelled": cancelled(account),
            "closed": work.closed,
            "left": [*remaining],
            "kept": [*kept(self._world, account, halt.flatten)],
            "unknown": [*doubtful],
            "vanished": [*vanished(account)],
        }

    def document(self, fenced: int | None = None) -> dict[str, Any]:
        """The document of `kill --json`."""
        halt = self._world.book.data.halt
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
