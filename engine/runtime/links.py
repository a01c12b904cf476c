"""The links of all accounts: none waits for another (INTERFACE, Several accounts)."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Mapping
from typing import Any

from engine.runtime import cancelled
from engine.runtime.account_link import CONNECT_SECONDS, AccountLink

FIRST_LOOK_SECONDS = 5
"""How long the start waits for the first look at a venue."""


class Links:
    """Holds the link of each account by the account's name, and connects them.

    `pump` runs work for as long as the engine runs, whose failure ends the run; `spawn` runs work
    that nobody waits for.
    """

    def __init__(
        self,
        links: Mapping[str, AccountLink],
        *,
        pump: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]],
        spawn: Callable[[Coroutine[Any, Any, None]], None],
    ) -> None:
        self._links = links
        self._pump = pump
        self._spawn = spawn
        self._beginning: list[asyncio.Task[None]] = []

    def __iter__(self) -> Iterator[AccountLink]:
        """Each of them."""
        return iter(self._links.values())

    def find(self, account: str) -> AccountLink | None:
        """None for an account that this engine was not given."""
        return self._links.get(account)

    def of(self, account: str) -> AccountLink:
        """As `find`; raises LookupError for an account that this engine was not given."""
        found = self.find(account)
        if found is None:
            known = ", ".join(sorted(self._links))
            raise LookupError(f"no broker for account {account!r}; given are: {known}")
        return found

    def begin(self) -> None:
        """Connect every account, look at each that could be, and keep all of them connected."""
        alone = len(self._links) == 1
        self._beginning = [self._pump(self._begin(link, alone=alone)) for link in self]

    async def begun(self) -> None:
        """Wait until every account was connected to and looked at.

        What a venue leaves unanswered is waited for only so long: the engine then starts without
        it, and takes no entries there before it was seen. Raises what kept the only account from
        being connected to.
        """
        done, _ = await asyncio.wait(self._beginning, timeout=FIRST_LOOK_SECONDS + CONNECT_SECONDS)
        for each in done:
            error = cancelled.failure_of(each)
            if error is not None:
                raise error

    async def _begin(self, link: AccountLink, *, alone: bool) -> None:
        """One account: its connection, its reports, and the first look at it.

        Raises what kept the only account from being connected to.
        """
        error = await link.open()
        if alone and error is not None:
            raise error
        self._pump(link.listen())
        self._pump(link.keep())
        self._pump(link.looks.again())
        self._pump(link.silence.watch())
        if error is None:
            self._spawn(link.looks.first())
            await link.looks.begun(FIRST_LOOK_SECONDS)
        link.looks.release_early()

    async def close(self) -> None:
        """Disconnect from every venue."""
        for link in self:
            await link.close()
