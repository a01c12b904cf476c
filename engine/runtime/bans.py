"""A venue that has banned this address: said once, with the moment at which it ends (C-200)."""

from collections.abc import Callable
from typing import Final

from engine.domain.inputs import Input, Trouble
from engine.domain.instant import NS_PER_SECOND, Nanos, rfc3339
from engine.domain.run import Severity
from engine.ports import Banned, BrokerError

SAME: Final[Nanos] = NS_PER_SECOND
"""Ends that are no further apart are one: what is left of a ban is told in rounded seconds."""


class Bans:
    """The bans of one account; `now` is the time in nanoseconds UTC, `step` takes what is told."""

    def __init__(
        self, name: str, now: Callable[[], Nanos], step: Callable[[Input], object]
    ) -> None:
        """`name` is the account's under `[brokers]`."""
        self._name = name
        self._now = now
        self._step = step
        self._until: Nanos = 0
        """The end of the longest ban that was told."""

    def heard(self, error: BrokerError) -> None:
        """A request was refused: a ban that lasts longer than any before it raises an alarm."""
        if not isinstance(error, Banned):
            return
        until = self._now() + round(error.retry_after * NS_PER_SECOND)
        if until <= self._until + SAME:
            return
        self._until = until
        text = (
            f"{self._name} takes nothing from this address before {rfc3339(until)}, cancels and "
            f"exits neither: {error}. Stops that rest there stay"
        )
        self._step(
            Trouble(code="BANNED", subject=self._name, text=text, severity=Severity.CRITICAL)
        )
