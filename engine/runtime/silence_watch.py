"""Whether one account's venue answers (X-84): asked whenever nothing else is, and told when not."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from engine.domain.inputs import Input, Unanswered
from engine.domain.instant import NS_PER_SECOND
from engine.ports import Broker, Clock
from engine.runtime.clock import SteadyTime
from engine.runtime.link import Link
from engine.runtime.looks import Looks
from engine.runtime.venue import Venue

SILENCE = "silence"
"""Why a venue is looked at that has left a question without an answer."""

SILENCE_SECONDS = 5
"""A question that is not answered for so long is told to the core (X-84)."""

RECOVERY_SECONDS = 0.25
"""How soon after it answers again a venue that was silent is heard."""

SHORTEST_PAUSE = 0.01
"""Seconds between two looks at what the venue owes an answer to."""


class SilenceWatch:
    """Watches the answers of one account's venue, while it is `connected`.

    `step` hands an input to the core; `spawn` runs work that nobody waits for.
    """

    def __init__(
        self,
        broker: Broker,
        venue: Venue,
        link: Link,
        looks: Looks,
        *,
        connected: asyncio.Event,
        clock: Clock,
        time: SteadyTime,
        step: Callable[[Input], object],
        spawn: Callable[[Coroutine[Any, Any, None]], None],
    ) -> None:
        self._broker = broker
        self._venue = venue
        self._link = link
        self._looks = looks
        self._connected = connected
        self._clock = clock
        self._time = time
        self._step = step
        self._spawn = spawn

    async def watch(self) -> None:
        """Ask the venue something whenever nothing else is asked, and tell the core when it does
        not answer, and when it does again (X-84), for as long as the engine runs."""
        every = round(self._broker.capabilities.heartbeat_seconds * NS_PER_SECOND)
        told, bound = 0, SILENCE_SECONDS * NS_PER_SECOND
        beaten = looked = 0
        while every:
            await self._connected.wait()
            now, since = self._time.now(), self._link.silent_since
            overdue = since if since and now - since >= bound else 0
            if overdue != told:
                told = overdue
                badly = bool(told) and self._link.answers_badly
                self._step(Unanswered(self._broker.name, told, badly))
            if told and now - looked >= every:
                looked = now
                self._ask_all()
            # Each question is asked until it is answered, and this one by nobody else.
            beat = beaten + bound if told else self._link.asked_at + every
            if now >= beat:
                self._spawn(self._venue.beat())
                beaten = now
                beat = now + every
            # Whatever is asked in this time is not overdue before it has passed.
            due = min(beat, (since or now) + bound)
            # The wall's time may run slower than the clock that is slept by.
            pause = max((due - now) / NS_PER_SECOND, SHORTEST_PAUSE)
            await self._clock.sleep(RECOVERY_SECONDS if told else pause)

    def _ask_all(self) -> None:
        """Whatever was not answered is asked again by a look, unless one goes on being tried."""
        if not self._looks.pending:
            self._looks.ask(SILENCE)
