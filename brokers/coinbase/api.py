"""Requests to Coinbase's REST interface: signed, counted, decoded, each sent once."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol, TypeVar
from urllib.parse import urlencode

import msgspec

from brokers.coinbase.keys import Key
from brokers.coinbase.refusals import refusal
from brokers.coinbase.venue_time import VenueTime
from brokers.net.budget import Budget
from brokers.net.numbers import number, time_of_millis
from brokers.net.rest import Answer, Request, Rest
from engine.domain.instant import Nanos
from engine.ports import Ambiguous, Clock

PATH: Final = "/api/v3/brokerage"
"""What the path of every request begins with."""

PRIVATE: Final = 30
PUBLIC: Final = 10
"""So many requests a second the venue allows (research/venues.md §4, `Limits`)."""

LONGEST_LIST: Final = 1_000
"""So many pages make a list at most; a longer one is a venue that goes round in circles."""

Query = Sequence[tuple[str, str]]


class ServerTime(msgspec.Struct, frozen=True):
    epochMillis: Any = None  # noqa: N815 - the venue's name


class Page(Protocol):
    """A part of a list."""

    @property
    def cursor(self) -> str | None: ...

    @property
    def has_next(self) -> bool: ...


P = TypeVar("P", bound=Page)


def budget_of(requests: int, clock: Clock) -> Budget:
    """So many requests a second."""
    return Budget("Coinbase", size=requests, seconds=1, monotonic=clock.monotonic)


class Api:
    """One account's requests. `key` is None where the venue wants no token, as in its sandbox."""

    def __init__(self, url: str, clock: Clock, budget: Budget) -> None:
        self.key: Key | None = None
        self.time = VenueTime(clock)
        self._budget = budget
        self._rest = Rest(
            url, sign=self._signed, refusal=refusal, budget=self._budget, heard=self._heard
        )

    async def open(self) -> None:
        await self._rest.open()

    async def close(self) -> None:
        await self._rest.close()

    async def get(
        self, path: str, kind: type[Any] | Any, query: Query = (), *, urgent: bool = False
    ) -> Any:
        """A question; the answer as `kind`. Raises one of the six errors.

        `urgent`: it may use the part of the budget that is kept for what reduces risk.
        """
        request = Request(method="GET", path=PATH + path, query=urlencode(query))
        return await self._rest.ask(request, kind, urgent=urgent)

    async def pages(
        self,
        path: str,
        kind: type[P],
        query: Query = (),
        *,
        enough: Callable[[P], bool] = lambda page: False,
        urgent: bool = False,
    ) -> list[P]:
        """Every page of a list, or those up to one that is `enough`.

        Raises one of the six errors: half a list is no list.
        """
        found: list[P] = []
        asked, cursor = set[str](), ""
        while len(found) < LONGEST_LIST:
            more = (*query, ("cursor", cursor)) if cursor else query
            page: P = await self.get(path, kind, more, urgent=urgent)
            found.append(page)
            if not page.has_next or enough(page):
                return found
            cursor = page.cursor or ""
            if not cursor or cursor in asked:
                break
            asked.add(cursor)
        raise Ambiguous(f"the list {path} does not end, or does not say how it goes on")

    async def post(
        self, path: str, body: Mapping[str, Any], kind: type[Any] | Any, *, urgent: bool
    ) -> Any:
        """A request that changes something. Raises one of the six errors."""
        request = Request(method="POST", path=PATH + path, body=msgspec.json.encode(body))
        return await self._rest.ask(request, kind, urgent=urgent)

    async def server_time(self, *, urgent: bool = False) -> Nanos:
        """The venue's clock, nanoseconds UTC. Raises one of the six errors."""
        answer: ServerTime = await self.get("/time", ServerTime, urgent=urgent)
        found = time_of_millis(answer.epochMillis)
        if not found:
            raise Ambiguous(f"the time is {answer.epochMillis!r:.40}: milliseconds are expected")
        return found

    async def set_clock(self) -> None:
        """Ask for the venue's time, and date tokens by it. Raises one of the six errors."""
        self.time.set(await self.server_time(urgent=True))

    def token(self, uri: str = "") -> str:
        """A token of now; "" without a key."""
        if self.key is None:
            return ""
        return self.key.token(self.time.now(), uri)

    def _signed(self, request: Request) -> Request:
        headers = {"Content-Type": "application/json"} if request.body else {}
        if self.key is not None:
            uri = f"{request.method} {self._rest.host}{self._rest.base}{request.path}"
            headers["Authorization"] = f"Bearer {self.token(uri)}"
        return msgspec.structs.replace(request, headers={**request.headers, **headers})

    def _heard(self, request: Request, answer: Answer) -> None:
        left = number(answer.headers.get("x-ratelimit-remaining"))
        if left.is_finite():
            self._budget.told_left(float(left))
