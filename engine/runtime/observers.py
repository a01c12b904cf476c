"""Whoever only watches: is told of every record once it is decided (DESIGN, The one idea)."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import NamedTuple, TypeAlias

from engine.core.driver import Step
from engine.domain import events as ev
from engine.domain.inputs import Trouble
from engine.state.touched import Touched

Follower: TypeAlias = Callable[[ev.Record, Sequence[Touched]], None]
"""Is called with a record and the values of the state that it touched."""


class _Observer(NamedTuple):
    """Who is told of every record: `given` is what was handed in, to name it by."""

    call: Follower
    given: object


class Observers:
    """Those that are told of every record, in the order they came."""

    def __init__(self) -> None:
        self._observers: list[_Observer] = []

    def subscribe(self, observer: Callable[[ev.Record], None]) -> Callable[[], None]:
        """Call `observer` with every record from now on; the result ends it."""
        return self._observe(_Observer(lambda record, _: observer(record), observer))

    def follow(self, follower: Follower) -> Callable[[], None]:
        """As `subscribe`, for one that also wants the values of the state each record touched."""
        return self._observe(_Observer(follower, follower))

    async def events(self) -> AsyncIterator[ev.Record]:
        """Every record from now on."""
        queue: asyncio.Queue[ev.Record] = asyncio.Queue()
        unsubscribe = self.subscribe(queue.put_nowait)
        try:
            while True:
                yield await queue.get()
        finally:
            unsubscribe()

    def tell(self, step: Step) -> list[Trouble]:
        """Hand the records over; what the observers raised, each of which hears of no more."""
        failed = [self._tell(observer, step) for observer in tuple(self._observers)]
        return list(filter(None, failed))

    def _observe(self, observer: _Observer) -> Callable[[], None]:
        self._observers.append(observer)
        return lambda: self._leave_out(observer)

    def _leave_out(self, observer: _Observer) -> None:
        """Tell it no more; one that failed is left out already."""
        self._observers = [other for other in self._observers if other is not observer]

    def _tell(self, observer: _Observer, step: Step) -> Trouble | None:
        """Hand the records over; one that raises hears of no more, and what it raised is told."""
        try:
            for record, touched in zip(step.records, step.touched, strict=True):
                observer.call(record, touched)
        except Exception as error:  # whoever only watches must not stop the trading
            self._leave_out(observer)
            text = f"{type(error).__name__}: {error}"
            return Trouble(code="OBSERVER_FAILED", subject=repr(observer.given), text=text)
        return None
