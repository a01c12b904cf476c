"""The desk of an engine in this process: the console's one door to the engine's runtime."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable

from console.desk.port import RECORDS_KEPT, Feed, Result, Topic, View
from console.desk.replica import FILLS_KEPT, Replica
from console.desk.values import Lag
from console.desk.world_view import WorldView
from engine.domain.commands import Kill
from engine.domain.events import Halted, Record
from engine.domain.inputs import Command
from engine.runtime.engine import Engine

Earlier = Callable[[int, int], Awaitable[list[Record]]]
"""What happened before this console opened, oldest first: at most so many of the newest events, and
so many of the newest fills."""


class LocalDesk:
    """One engine on the loop of the console (`console.desk.port.Desk`)."""

    def __init__(self, engine: Engine, earlier: Earlier | None = None) -> None:
        """`earlier` remembers what happened before; without it a console begins with nothing."""
        self._engine = engine
        self._earlier = earlier
        self._unsubscribe: Callable[[], None] | None = None
        self._asked: list[int] = []
        """Under which numbers the gate was shut; added to in any thread, taken off on the loop."""
        self.replica = Replica(engine.world)
        self._view = WorldView(engine.world, self.replica, now=engine.clock.now, lag=self._lag)

    @property
    def view(self) -> View:
        """What is true now."""
        return self._view

    @property
    def refusal(self) -> str:
        """Empty: commands are taken."""
        return ""

    @property
    def on_halt(self) -> Callable[[Halted], None] | None:
        """Called for each halt that is set, by whomever."""
        return self.replica.on_halt

    @on_halt.setter
    def on_halt(self, call: Callable[[Halted], None] | None) -> None:
        self.replica.on_halt = call

    def start(self) -> None:
        """Follow the engine from now on."""
        self._unsubscribe = self._engine.follow(self.replica.observe)

    def stop(self) -> None:
        """Follow it no more."""
        if self._unsubscribe is not None:
            self._unsubscribe()
            self._unsubscribe = None
        self.replica.quiet()

    async def recall(self) -> None:
        """Take in what happened before `start`, as far as somebody remembers it."""
        if self._earlier is not None:
            self.replica.adopt(await self._earlier(RECORDS_KEPT, FILLS_KEPT))

    def ask(self, command: Command) -> Awaitable[Result]:
        """Have the engine do something; the result says whether it did, or why not."""
        return self._engine.command(command)

    def shut(self, reason: str) -> None:
        """Close the gate; a flag that any thread may set (X-52)."""
        self._asked.append(self._engine.gate.ask(reason))

    def halt(self, kill: Kill) -> Awaitable[Result]:
        """Halt or kill before this returns, the gate first; the result is known then (X-52)."""
        self._asked.append(self._engine.gate.ask(kill.reason))
        asked = tuple(self._asked)
        answer: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        try:
            answer.set_result(self._engine.halt(kill))
            self._engine.halt_taken(asked)
            del self._asked[: len(asked)]
        except Exception as error:  # whoever waits for the answer hears of it, as of any command's
            answer.set_exception(error)
        return answer

    def follow(
        self,
        topics: Iterable[Topic],
        tell: Callable[[], None],
        paint_now: Callable[[], None],
    ) -> Feed:
        """Hear of `topics`: `tell` with each change, `paint_now` soon after an urgent one."""
        return self.replica.follow(topics, tell, paint_now)

    def _lag(self) -> Lag:
        lag = self._engine.lag
        return Lag(lag.quantile(0.5), lag.quantile(0.99))
