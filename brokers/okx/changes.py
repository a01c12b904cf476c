"""Changes of orders at OKX, each asked for and waited for until a stream tells its outcome (C-260).

That OKX has taken the request for a change says nothing of what became of it.
"""

import asyncio
import itertools
from typing import Any, Final

from brokers.okx.client import Client
from brokers.okx.wire import AckRow, AlgoRow, OrderRow
from engine.ports import Ambiguous, Clock, Rejected

OUTCOME_SECONDS: Final = 1.5
"""How long the outcome of a change is waited for once it was taken."""

DONE: Final = frozenset({"0", "2"})
"""`amendResult` of a change that was made."""


class Changes:
    """The changes of one account whose outcome is waited for."""

    def __init__(self, client: Client, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._numbers = itertools.count(1)
        self._waiting: dict[str, asyncio.Future[OrderRow | AlgoRow]] = {}
        """By the id of the request."""

    async def ask(self, key: str, path: str, body: dict[str, Any], *, urgent: bool = False) -> None:
        """Ask at `path` for the change `body` of the order `key`; returns once it was made.

        Raises one of the six errors: Rejected where the venue made no change, Ambiguous where it
        took the request and did not tell the outcome within `OUTCOME_SECONDS`.
        """
        request = f"r{self._clock.now()}n{next(self._numbers)}"[-32:]
        outcome: asyncio.Future[OrderRow | AlgoRow] = asyncio.get_running_loop().create_future()
        self._waiting[request] = outcome
        body |= {"reqId": request, "cxlOnFail": False}
        try:
            await self._client.post(path, body, AckRow, urgent=urgent)
            async with asyncio.timeout(OUTCOME_SECONDS):
                row = await outcome
        except TimeoutError as error:
            raise Ambiguous(f"the change of {key} was taken, and not told since") from error
        finally:
            self._waiting.pop(request, None)
            if outcome.done() and not outcome.cancelled():
                outcome.exception()  # nobody may be left to hear it
        if row.amend_result not in DONE:
            told = f"{row.why or 'no reason given'} (amendResult {row.amend_result})"
            raise Rejected(row.why_code or "AMEND_FAILED", told)

    def told(self, row: OrderRow | AlgoRow) -> None:
        """A stream has told of an order: where that is the outcome of a change, its `ask` ends."""
        waiting = self._waiting.get(row.req_id) if row.amend_result else None
        if waiting is not None and not waiting.done():
            waiting.set_result(row)

    def lost(self, why: str) -> None:
        """The streams have ended: nobody will tell the outcome of any change any more."""
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(Ambiguous(f"the stream ended: {why}"))
