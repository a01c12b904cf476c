"""What is asked before an order leaves that an earlier process may have sent (rule 1, C-405).

The order has not left yet, and a question changes nothing at the venue: one that provably was not
answered is simply asked again, and the order waits for that and for nothing more (rule 3).
"""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Final

from engine.domain.inputs import Input, QueryAnswered, QueryFailed, SubmitPutOff
from engine.domain.instant import NS_PER_SECOND
from engine.domain.order import OrderStatus, OrderTerms
from engine.ports import Broker, BrokerError, Clock, NotSent, Throttled
from engine.runtime.backoff import Backoff
from engine.runtime.clock import SteadyTime
from engine.runtime.link import Link
from engine.runtime.venue import Venue
from engine.state.book import Book

LONGEST_WAIT: Final = 60.0
"""Seconds for which a connection is waited for before it is told again that it is."""


class FirstQuestion:
    """Asks one venue about orders that are about to leave.

    `connected` is set while there is a connection; `step` hands an input to the core.
    """

    def __init__(
        self,
        broker: Broker,
        book: Book,
        venue: Venue,
        link: Link,
        *,
        connected: asyncio.Event,
        clock: Clock,
        time: SteadyTime,
        step: Callable[[Input], object],
    ) -> None:
        self._name = broker.name
        self._able = broker.capabilities
        self._book = book
        self._venue = venue
        self._link = link
        self._connected = connected
        self._clock = clock
        self._time = time
        self._step = step

    async def is_new(self, order: OrderTerms) -> bool:
        """Whether the venue does not know an order that an earlier process may have sent.

        What that process sent last may still arrive. Unless the venue refuses an id for ever once
        it was used, the question waits until it cannot: it would take a second order of an id whose
        first has ended. An order that is known, or about which the venue does not answer, is told
        to the core. A question that was not sent, or that the venue asked to wait with, is asked
        again, of which the core hears too; unless the order is withdrawn meanwhile, for then nobody
        knows whether it is there, and the core goes on asking.
        """
        if not self._able.deduplicates:
            wait = self._book.data.started_at + self._able.arrival - self._time.now()
            await self._clock.sleep(max(wait, 0) / NS_PER_SECOND)
        key, pauses = order.client_order_id, Backoff()
        pauses.pause()  # the first question is asked at once
        while True:
            answer = await self._venue.look_up(key)
            if isinstance(answer, QueryAnswered) and answer.order is None:
                return True
            error = answer.error if isinstance(answer, QueryFailed) else None
            if isinstance(error, NotSent | Throttled) and self._waits(key):
                await self._pause(key, error, pauses.pause())
                if self._waits(key):
                    continue
            self._step(answer)
            return False

    def _waits(self, key: str) -> bool:
        """Whether the order is still to be sent."""
        known = self._book.order_in(self._name, key)
        return known is not None and known.status is OrderStatus.CREATED

    async def _pause(self, key: str, error: BrokerError, seconds: float) -> None:
        """Wait as long as the venue asks for, at least `seconds`, or for a connection."""
        if isinstance(error, Throttled):
            seconds = max(seconds, error.retry_after)
        elif not self._link.is_up:
            self._put_off(key, error, LONGEST_WAIT)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LONGEST_WAIT):
                    await self._connected.wait()
            return
        self._put_off(key, error, seconds)
        await self._clock.sleep(seconds)

    def _put_off(self, key: str, error: BrokerError, seconds: float) -> None:
        until = self._time.now() + round(seconds * NS_PER_SECOND)
        self._step(SubmitPutOff(self._name, key, until, error))
