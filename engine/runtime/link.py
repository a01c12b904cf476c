"""One account's connection as a fact: up or down, and what was asked over it (C-402, C-441)."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Final, NamedTuple, Protocol

from engine.domain.instant import Nanos
from engine.ports import Ambiguous, AuthFailed, MarketClosed, NotSent, Rejected, Throttled
from engine.runtime import cancelled


class Next(Protocol):
    """Is called when one part of a request has ended, with what is asked next, None where that is
    asked `beside`; `answered`: the venue has answered that part, and did not leave it to the
    request that asked for it alone."""

    def __call__(self, what: str | None, /, *, answered: bool = True) -> None: ...


ORDERS: Final = "orders"
POSITIONS: Final = "positions"
BALANCES: Final = "balances"
FILLS: Final = "fills"
TIME: Final = "time"
"""What is asked of a venue; of one order, its id."""

_ASKED_AGAIN: Final = frozenset((ORDERS, POSITIONS, BALANCES, FILLS, TIME))
"""Each of these is asked until it is answered. Anything else is of orders, and the list of those
answers it too."""

REFUSALS = (Rejected, Throttled, AuthFailed, MarketClosed)
"""Answers all the same."""

LONGEST_SECONDS = 20
"""A request is given up after this, whatever the adapter does."""


class _Question(NamedTuple):
    what: str
    made: Nanos
    answered_badly: bool = False
    """There was an answer, and nothing of it could be used."""


class _NoAnswer(Ambiguous):
    """Nothing was heard: the limit passed, or the connection broke."""


class Link:
    """Every request to a venue goes out within `request`, and ends with the connection."""

    def __init__(self, name: str, now: Callable[[], Nanos]) -> None:
        """`now` is the time in nanoseconds UTC that requests are dated with."""
        self._name = name
        self._now = now
        self._asked: dict[object, _Question | None] = {}
        """What each request without an answer asks; None while that is asked `beside`."""
        self._given_up: dict[str, _Question] = {}
        """The first question that ended without a usable answer, by what it asks, until the venue
        has answered the same, asked later."""
        self.asked_at: Nanos = 0
        """When the newest request was made."""
        self._open: dict[asyncio.Timeout, float] = {}
        """Requests without an answer, and until when one may still come, in loop time."""
        self.is_up = False
        self.connection = 0
        """The number of the newest connection; 0 before the first."""

    @property
    def silent_since(self) -> Nanos:
        """When the first question was asked that the venue has not answered; 0 where there is none
        (X-84)."""
        first = self._first_unanswered
        return 0 if first is None else first.made

    @property
    def answers_badly(self) -> bool:
        """Whether there was an answer to that question, of which nothing could be used."""
        first = self._first_unanswered
        return first is not None and first.answered_badly

    @property
    def _first_unanswered(self) -> _Question | None:
        asked = (question for question in self._asked.values() if question is not None)
        waiting = (*asked, *self._given_up.values())
        return min(waiting, key=lambda question: question.made, default=None)

    def came_up(self) -> None:
        """A connection stands."""
        self._asked.clear()
        self._given_up.clear()
        self.is_up = True
        self.connection += 1

    def broke(self) -> None:
        """The connection is gone: what was asked over it gets its answer in time, or none."""
        self.is_up = False
        now = asyncio.get_running_loop().time()
        asked, self._open = self._open, {}
        self._asked.clear()
        self._given_up.clear()
        for end, until in asked.items():
            if not end.expired():
                end.reschedule(max(until, now))

    @contextlib.asynccontextmanager
    async def request(
        self, what: str, grace: float, *, limit: float = LONGEST_SECONDS
    ) -> AsyncIterator[Next]:
        """Within this block the venue is asked `what`; what it gives is to be called where that was
        answered and something else is asked.

        `grace`: seconds from now in which an answer counts even though the connection broke. For
        what changes something at the venue it is the venue's time-out, from which on the bound for
        late arrivals is counted; for a question it is 0. `limit`: seconds after which no answer is
        waited for any more.

        Raises NotSent while there is no connection, Ambiguous when it broke before the answer, the
        limit passed, or the adapter let a cancel through that was none of ours.
        """
        if not self.is_up:
            raise NotSent(f"{self._name} is not connected")
        with self._waiting(what) as then:
            async with self._bounded(grace, limit):
                yield then

    @contextlib.asynccontextmanager
    async def beside(self, limit: float) -> AsyncIterator[None]:
        """Within this block the venue is asked for what it may keep to itself: that is no question
        by which silence counts (X-84), nor one that stands for such a question.

        `limit` and what is raised are those of `request`.
        """
        if not self.is_up:
            raise NotSent(f"{self._name} is not connected")
        async with self._bounded(0, limit):
            yield

    @contextlib.contextmanager
    def _waiting(self, what: str) -> Iterator[Next]:
        """Count a request among those without an answer until there is one."""
        request, connection = object(), self.connection
        question: _Question | None = self._ask(request, what)

        def then(after: str | None, /, *, answered: bool = True) -> None:
            nonlocal question
            if request in self._asked:
                if answered and question is not None:
                    self._answered(question)
                question = self._asked[request] = None
                if after is not None:
                    question = self._ask(request, after)

        answered = False
        try:
            yield then
            answered = True
        except REFUSALS:
            answered = True
            raise
        except NotSent:
            raise
        except Exception as error:
            if question is not None and request in self._asked:
                badly = not isinstance(error, _NoAnswer)
                ended = question._replace(answered_badly=badly)
                self._given_up.setdefault(question.what, ended)
            raise
        finally:
            self._asked.pop(request, None)
            if answered and question is not None and connection == self.connection:
                self._answered(question)

    def _ask(self, request: object, what: str) -> _Question:
        question = _Question(what, self._now())
        self._asked[request] = question
        self.asked_at = question.made
        return question

    def _answered(self, question: _Question) -> None:
        """What was asked before, and is the same or told with it, is answered too."""
        for what, before in tuple(self._given_up.items()):
            told = what == question.what or (question.what == ORDERS and what not in _ASKED_AGAIN)
            if told and question.made > before.made:
                del self._given_up[what]

    @contextlib.asynccontextmanager
    async def _bounded(self, grace: float, limit: float) -> AsyncIterator[None]:
        """End a request with its connection, and after so many seconds."""
        asked, stood = asyncio.get_running_loop().time(), True
        try:
            async with asyncio.timeout(limit) as end:
                self._open[end] = asked + grace
                try:
                    with cancelled.told_apart(f"a request to {self._name}"):
                        yield
                finally:
                    stood = self._open.pop(end, None) is not None
        except TimeoutError as error:
            if not end.expired():
                raise
            if stood:
                raise _NoAnswer(f"{self._name} gave no answer within {limit:g} s") from error
            raise _NoAnswer(f"the connection to {self._name} broke before an answer") from error
