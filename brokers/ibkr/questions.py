"""Questions to TWS that are under way: who asks, what was told so far, and when nobody waits."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable
from typing import Any, Final, Protocol

from engine.ports import Ambiguous, BrokerError

ANSWER_SECONDS: Final = 4.0


class Send(Protocol):
    """Writes one message, see `session.Session.send`."""

    def __call__(self, what: Callable[[Any], None], *, urgent: bool, cost: int) -> None: ...


class _Question:
    __slots__ = ("answer", "rows")

    def __init__(self) -> None:
        self.rows: list[Any] = []
        self.answer: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()


class Questions:
    """Those of one connection, by the number or the name that their answers carry."""

    def __init__(self, send: Send, broken: Callable[[str], None]) -> None:
        """`send` writes a message; `broken` ends the connection, and is told why."""
        self._send = send
        self._broken = broken
        self._open: dict[int | str, _Question] = {}
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        """By the kind of question: one of each is asked at a time."""
        self._turns: dict[str, asyncio.Task[list[Any]]] = {}
        """The next question of each kind, which was not asked yet."""

    async def ask(
        self,
        key: int | str,
        what: Callable[[Any], None],
        name: str,
        *,
        urgent: bool = True,
        cost: int = 1,
        seconds: float = 0,
    ) -> list[Any]:
        """The rows that TWS answers under that key, within `seconds` (0: the usual time).

        Raises what `send` raises, Ambiguous where no answer comes, and what TWS says instead.
        """
        question = _Question()
        self._send(what, urgent=urgent, cost=cost)
        self._open[key] = question
        try:
            async with asyncio.timeout(seconds or ANSWER_SECONDS):
                return await question.answer
        except TimeoutError as error:
            raise Ambiguous(f"TWS did not answer the question for {name} in time") from error
        finally:
            if self._open.get(key) is question:
                del self._open[key]

    async def unnumbered(
        self, kind: str, what: Callable[[Any], None], seconds: float = 0
    ) -> list[Any]:
        """The rows of a question whose answer says only of which kind it is, as `ask`."""
        return await self.shared(kind, lambda: self.alone(kind, what, seconds=seconds))

    async def alone(
        self, kind: str, what: Callable[[Any], None], *, cost: int = 1, seconds: float = 0
    ) -> list[Any]:
        """Ask what is answered without a number, so that no answer may stay owed: it would be taken
        for that of the next question. Only to be asked in its turn, see `shared`."""
        try:
            return await self.ask(kind, what, kind, cost=cost, seconds=seconds)
        except Ambiguous:
            self._broken(f"TWS did not answer {kind}")
            raise

    async def shared(self, kind: str, ask: Callable[[], Awaitable[list[Any]]]) -> list[Any]:
        """The rows of a question of which one is asked at a time. Whoever comes while one is under
        way shares the next one with all others who wait for it, and takes it from nobody by giving
        up."""
        turn = self._turns.get(kind)
        if turn is None:
            turn = asyncio.create_task(self._turn(kind, ask), name=f"question to TWS: {kind}")
            turn.add_done_callback(_note)
            self._turns[kind] = turn
        return await asyncio.shield(turn)

    async def _turn(self, kind: str, ask: Callable[[], Awaitable[list[Any]]]) -> list[Any]:
        async with self._locks[kind]:
            del self._turns[kind]
            return await ask()

    # --- what TWS answers

    def row(self, key: int | str, row: Any) -> None:
        """One row of an answer; nothing where nobody waits for it any more."""
        question = self._open.get(key)
        if question is not None:
            question.rows.append(row)

    def answered(self, key: int | str, rows: list[Any] | None = None) -> None:
        """The end of an answer: its rows, or those that were told before."""
        question = self._open.get(key)
        if question is not None and not question.answer.done():
            question.answer.set_result(question.rows if rows is None else rows)

    def is_open(self, key: int | str) -> bool:
        """Whether somebody waits for the answer of that key."""
        return key in self._open

    def refused(self, key: int | str, error: BrokerError) -> None:
        """What TWS says instead of an answer."""
        question = self._open.get(key)
        if question is not None and not question.answer.done():
            question.answer.set_exception(error)
            question.answer.exception()  # nobody may be left to hear it

    def end(self, error: BrokerError) -> None:
        """The connection is over: nobody gets an answer any more."""
        for key in tuple(self._open):
            self.refused(key, error)


def _note(turn: asyncio.Task[list[Any]]) -> None:
    """Take note of how a question ended: nobody may be left to hear it."""
    if not turn.cancelled():
        turn.exception()
