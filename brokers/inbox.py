"""The reports that have arrived and not been read: what `Broker.reports` is made of."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator

from engine.domain.run import LinkState
from engine.ports import Clock, LinkReport, Report


class Inbox:
    """A queue with one reader at a time. It is not limited: a report is never dropped."""

    def __init__(self) -> None:
        self._reports: deque[Report] = deque()
        self._arrived = asyncio.Event()

    def __len__(self) -> int:
        return len(self._reports)

    def put(self, report: Report) -> None:
        """Hand over one report."""
        self._reports.append(report)
        self._arrived.set()

    async def read(self) -> AsyncIterator[Report]:
        """Every report, oldest first; it never ends by itself."""
        while True:
            while self._reports:
                yield self._reports.popleft()
            self._arrived.clear()
            await self._arrived.wait()


class AccountInbox(Inbox):
    """The inbox of one account, which also tells of the state of its connection."""

    def __init__(self, account: str, clock: Clock) -> None:
        super().__init__()
        self._account = account
        self._clock = clock

    def link(self, state: LinkState, detail: str = "") -> None:
        """Hand over what became of the connection, dated now."""
        now = self._clock.now()
        self.put(LinkReport(account=self._account, state=state, detail=detail, time=now))
