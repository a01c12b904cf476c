"""Entries that a venue does not take: tried again, kept as dead letters, and then stopped.

C-400, C-401, C-402, C-420 to C-423, X-09, X-10, T-08, T-09. Cancels and exits are never stopped.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest

from engine.config import Config
from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.order import OrderStatus, OrderTerms, OrderType, Side
from engine.domain.result import Result
from engine.ports import (
    Ambiguous,
    BrokerError,
    MarketClosed,
    NotSent,
    OrderReport,
    Rejected,
    Report,
    Throttled,
)
from tests.configs import from_mapping
from tests.engine.wires import PRICE, TREE, Rig, Wire, play

D = Decimal


def config(**resiliency: Any) -> Config:
    return from_mapping({**TREE, "resiliency": resiliency})


ONCE = config(max_retries=0)
"""What fails once has failed."""


class Failing(Wire):
    """A venue that fails the next submits of what adds exposure, one error each, in order."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.errors: deque[BrokerError] = deque()
        self.tried: list[tuple[str, float]] = []

    async def submit_order(self, order: OrderTerms) -> None:
        if order.adds_exposure:
            self.tried.append((order.client_order_id, self.asked_now()))
            if self.errors:
                raise self.errors.popleft()
        await super().submit_order(order)

    def asked_now(self) -> float:
        self._note("try")
        return self.asked[-1][1]


class Slow(Failing):
    """One whose answers, good or bad, come after so many seconds, one pause each, in order."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.pauses: deque[float] = deque()

    async def submit_order(self, order: OrderTerms) -> None:
        if not (order.adds_exposure and self.pauses):
            await super().submit_order(order)
            return
        error = self.errors.popleft() if self.errors else None
        await asyncio.sleep(self.pauses.popleft())
        if error is not None:
            raise error
        await super().submit_order(order)


def wire_of(rig: Rig) -> Failing:
    assert isinstance(rig.wire, Failing)
    return rig.wire


async def buy(rig: Rig, *errors: BrokerError, quantity: int = 1) -> Result:
    """An order by hand whose submits end like that, and the time that it takes."""
    wire_of(rig).errors.extend(errors)
    done = await rig.engine.command(
        ask.PlaceOrder(
            by="t", symbol="AAA", side=Side.BUY, quantity=D(quantity), protect=PRICE - 10
        )
    )
    await rig.clock.sleep(0.5)
    return done


async def fail(rig: Rig, times: int, error: BrokerError | None = None, first: int = 1) -> None:
    """So many operations that fail; each is for another quantity, so that none is a repeat."""
    for n in range(times):
        done = await buy(rig, error or NotSent("connect refused"), quantity=first + n)
        assert done.ok, done.error


def circuit(rig: Rig) -> str:
    return str(rig.engine.status()["brokers"]["paper"]["circuit_state"])


def tries(rig: Rig, since: float) -> list[float]:
    """When a submit was tried, in seconds from then."""
    return [round(at - since, 2) for _, at in wire_of(rig).tried if at >= since]


# --- T-08: the breaker ----------------------------------------------------------------------------


def test_T08_four_failures_and_a_success_leave_it_closed() -> None:
    async def scene(rig: Rig) -> None:
        await fail(rig, 4)
        assert circuit(rig) == "CLOSED"
        assert (await buy(rig, quantity=50)).ok
        await fail(rig, 4, first=10)
        assert circuit(rig) == "CLOSED"
        assert (await buy(rig, quantity=51)).ok

    play(scene, wire=Failing, config=ONCE)


def test_T08_five_failures_open_it_and_entries_are_refused_by_name() -> None:
    async def scene(rig: Rig) -> None:
        await fail(rig, 5)
        assert circuit(rig) == "OPEN"
        assert [a.code for a in rig.events(ev.Alarmed)].count("CIRCUIT_OPEN") == 1
        at = rig.now
        refused = await buy(rig, quantity=50)
        assert (refused.ok, refused.code) == (False, "CIRCUIT_OPEN")
        assert tries(rig, at) == []
        told = rig.engine.status()["resiliency"]
        assert (told["circuit_state"], told["failure_count"]) == ("OPEN", 5)

    play(scene, wire=Failing, config=ONCE)


def test_T08_after_sixty_seconds_one_is_let_through_and_no_second_beside_it() -> None:
    async def scene(rig: Rig) -> None:
        await fail(rig, 5)
        (opened,) = [r.time for r in rig.records if _opened(r.event)]
        await rig.clock.sleep((opened - rig.clock.now()) / 1e9 + 59.9)
        assert (await buy_now(rig, 50)).code == "CIRCUIT_OPEN"
        await rig.clock.sleep((opened - rig.clock.now()) / 1e9 + 60)
        first, second = await buy_now(rig, 51), await buy_now(rig, 52)
        assert first.ok
        assert circuit(rig) == "HALF_OPEN"
        assert second.code == "CIRCUIT_OPEN"
        await rig.clock.sleep(1)
        assert circuit(rig) == "CLOSED"
        assert (await buy(rig, quantity=53)).ok

    play(scene, wire=Failing, config=ONCE)


def test_T08_a_probe_that_fails_opens_it_with_a_fresh_timer() -> None:
    async def scene(rig: Rig) -> None:
        await fail(rig, 5)
        await rig.clock.sleep(60)
        await fail(rig, 1, first=50)
        assert circuit(rig) == "OPEN"
        await rig.clock.sleep(59)
        assert (await buy_now(rig, 51)).code == "CIRCUIT_OPEN"
        await rig.clock.sleep(1)
        assert (await buy_now(rig, 52)).ok

    play(scene, wire=Failing, config=ONCE)


def test_T08_a_request_that_was_under_way_when_it_opened_gives_no_fresh_timer() -> None:
    """Only a probe does. Seven are under way at once: five fail after 1 s and open it for 2 s, one
    fails while it is open, and one while the probe is under way."""

    async def scene(rig: Rig) -> None:
        wire = wire_of(rig)
        assert isinstance(wire, Slow)
        wire.pauses.extend([1.0] * 5 + [1.5, 3.5])
        wire.errors.extend([NotSent("connect refused")] * 7)
        for n in range(7):
            assert (await buy_now(rig, n + 1)).ok
        await rig.clock.sleep(2)
        assert len(rig.events(ev.DeadLettered)) == 6
        (opened,) = [r.time for r in rig.records if _opened(r.event)]
        await rig.clock.sleep((opened - rig.clock.now()) / 1e9 + 1.9)
        assert (await buy_now(rig, 50)).code == "CIRCUIT_OPEN"
        await rig.clock.sleep((opened - rig.clock.now()) / 1e9 + 2)
        wire.pauses.append(2.0)
        assert (await buy_now(rig, 51)).ok
        await rig.until(lambda: len(rig.events(ev.DeadLettered)) == 7, 1.5)
        assert circuit(rig) == "HALF_OPEN"
        assert (await buy_now(rig, 52)).code == "CIRCUIT_OPEN"
        await rig.clock.sleep(2)
        assert circuit(rig) == "CLOSED"
        assert [a.code for a in rig.events(ev.Alarmed)].count("CIRCUIT_OPEN") == 1

    play(scene, wire=Slow, config=config(max_retries=0, circuit_breaker_timeout=2))


def test_T08_cancels_closes_and_stops_pass_throughout() -> None:
    async def scene(rig: Rig) -> None:
        key = await rig.rest()
        assert (await buy(rig, quantity=9)).ok
        await fail(rig, 5)
        assert circuit(rig) == "OPEN"
        assert (await rig.engine.command(ask.CancelOrder(by="t", client_order_id=key))).ok
        await rig.until(lambda: rig.status(key) is OrderStatus.CANCELED, 5)
        moved = ask.Protect(by="t", symbol="AAA", price=PRICE - 8)
        assert (await rig.engine.command(moved)).ok
        assert (await rig.engine.command(ask.ClosePosition(by="t", symbol="AAA"))).ok
        await rig.until(lambda: not rig.book.account("paper").positions, 5)

    play(scene, wire=Failing, config=ONCE)


def test_C421_a_business_refusal_is_a_word_of_the_venue() -> None:
    async def scene(rig: Rig) -> None:
        await fail(rig, 4)
        await fail(rig, 1, Rejected("FUNDS", "too dear"), first=20)
        await fail(rig, 4, first=30)
        assert circuit(rig) == "CLOSED"
        await fail(rig, 6, Rejected("FUNDS", "too dear"), first=40)
        assert circuit(rig) == "CLOSED"
        await fail(rig, 4, first=50)
        await fail(rig, 1, MarketClosed("closed"), first=60)
        assert circuit(rig) == "CLOSED"

    play(scene, wire=Failing, config=ONCE)


def test_C421_an_answer_that_never_came_is_a_failure() -> None:
    async def scene(rig: Rig) -> None:
        for n in range(5):
            await buy(rig, Ambiguous("no answer"), quantity=n + 1)
            await rig.until(lambda: not rig.book.index.unclear, 120)
        assert circuit(rig) == "OPEN"

    play(scene, wire=Failing, config=ONCE)


def test_C420_a_probe_whose_report_is_lost_closes_it_once_the_venue_says_that_it_works() -> None:
    """It may rest for hours, and nothing else is let through beside it."""

    class Mute(Failing):
        mute = False

        async def reports(self) -> AsyncIterator[Report]:
            async for report in super().reports():
                if not (self.mute and isinstance(report, OrderReport)):
                    yield report

    async def scene(rig: Rig) -> None:
        await fail(rig, 5)
        await rig.clock.sleep(61)
        assert isinstance(rig.wire, Mute)
        rig.wire.mute = True
        done = await rig.engine.command(
            ask.PlaceOrder(
                by="t",
                symbol="AAA",
                side=Side.BUY,
                quantity=D(50),
                type=OrderType.LIMIT,
                limit_price=PRICE - 2,
                protect=PRICE - 10,
            )
        )
        (key,) = done.data["client_order_ids"]
        assert circuit(rig) == "HALF_OPEN"
        await rig.until(lambda: rig.status(key) is OrderStatus.NEW, 60)
        rig.wire.mute = False
        assert circuit(rig) == "CLOSED"
        assert (await buy(rig, quantity=51)).ok

    play(scene, wire=Mute, config=ONCE)


def test_C420_it_stands_after_a_restart() -> None:
    async def scene(rig: Rig) -> None:
        await fail(rig, 5)
        again = Rig(rig.clock, wire=Failing, config=ONCE, after=rig)
        assert again.engine.status()["brokers"]["paper"]["circuit_state"] == "OPEN"

    play(scene, wire=Failing, config=ONCE)


# --- T-09: what is tried again --------------------------------------------------------------------


def test_T09_it_is_tried_again_after_one_two_and_four_seconds_and_then_kept() -> None:
    async def scene(rig: Rig) -> None:
        at = rig.now
        assert (await buy(rig, *[NotSent("connect refused")] * 4)).ok
        await rig.clock.sleep(8)
        assert tries(rig, at) == [0, 1, 3, 7]
        (letter,) = rig.events(ev.DeadLettered)
        assert "connect refused" in letter.error
        (key,) = {key for key, _ in wire_of(rig).tried}
        assert rig.status(key) is OrderStatus.REJECTED
        await rig.clock.sleep(600)
        assert len(wire_of(rig).tried) == 4, "a dead letter never goes out by itself"

    play(scene, wire=Failing)


def test_C401_the_pauses_are_those_of_the_config_and_spread() -> None:
    from random import Random

    async def scene(rig: Rig) -> None:
        at = rig.now
        await buy(rig, *[NotSent("no")] * 3)
        await rig.clock.sleep(10)
        first, second = tries(rig, at)[1:]
        assert 0.4 <= first <= 0.6
        assert 1.2 <= second - first <= 1.8

    wanted = config(max_retries=2, initial_backoff=0.5, backoff_multiplier=3)
    play(scene, wire=Failing, config=wanted, jitter=Random(3))


def test_C402_it_goes_through_once_and_only_once() -> None:
    async def scene(rig: Rig) -> None:
        await buy(rig, NotSent("no"), NotSent("no"), quantity=7)
        await rig.until(lambda: bool(rig.book.account("paper").positions), 10)
        await rig.clock.sleep(60)
        assert rig.venue.positions["AAA"] == 7
        assert len(rig.events(ev.OrderIntended)) == 2, "the entry and its stop"
        assert rig.events(ev.DeadLettered) == []

    play(scene, wire=Failing)


@pytest.mark.parametrize(
    "error",
    [Ambiguous("no answer"), Rejected("FUNDS", "too dear"), MarketClosed("closed")],
    ids=["ambiguous", "rejected", "closed"],
)
def test_C402_nothing_else_is_tried_again(error: BrokerError) -> None:
    async def scene(rig: Rig) -> None:
        at = rig.now
        await buy(rig, error)
        await rig.clock.sleep(60)
        assert tries(rig, at) == [0]

    play(scene, wire=Failing)


def test_C403_a_venue_that_asks_to_wait_is_given_that_time() -> None:
    async def scene(rig: Rig) -> None:
        at = rig.now
        await buy(rig, Throttled("slower", 5.0))
        await rig.clock.sleep(8)
        assert tries(rig, at) == [0, 5]
        assert rig.book.account("paper").positions
        at = rig.now
        await buy(rig, Throttled("much slower", 31.0), quantity=2)
        await rig.clock.sleep(60)
        assert tries(rig, at) == [0], "longer than anybody waits for an entry"
        assert len(rig.events(ev.DeadLettered)) == 1

    play(scene, wire=Failing)


@pytest.mark.parametrize(
    ("asked", "then"),
    [
        (0.0, [0, 1, 3, 7]),
        (0.01, [0, 0.05, 1.05, 3.05, 7.05]),
        (0.2, [0, 0.2, 1.2, 3.2, 7.2]),
        (0.99, [0, 0.99, 1.99, 3.99, 7.99]),
        (1.0, [0, 1, 3, 7]),
        (1.01, [0, 1.01, 3.01, 7.01]),
    ],
)
def test_C403_one_that_asks_to_wait_for_a_moment_is_given_that_and_no_longer(
    asked: float, then: list[float]
) -> None:
    """The moment takes none of the attempts that C-401 counts, nor of their pauses."""

    async def scene(rig: Rig) -> None:
        at = rig.now
        await buy(rig, Throttled("slower", asked), *[NotSent("no")] * (len(then) - 1))
        await rig.clock.sleep(20)
        assert tries(rig, at) == then
        assert len(rig.events(ev.DeadLettered)) == 1

    play(scene, wire=Failing)


def test_C401_without_attempts_a_moment_is_not_waited_for() -> None:
    async def scene(rig: Rig) -> None:
        at = rig.now
        await buy(rig, Throttled("slower", 0.2))
        await rig.clock.sleep(20)
        assert tries(rig, at) == [0]

    play(scene, wire=Failing, config=ONCE)


def test_C402_between_two_attempts_it_can_be_cancelled_and_a_halt_ends_it() -> None:
    async def scene(rig: Rig) -> None:
        at = rig.now
        await buy(rig, NotSent("no"), NotSent("no"), quantity=3)
        (key,) = {key for key, _ in wire_of(rig).tried}
        assert (await rig.engine.command(ask.CancelOrder(by="t", client_order_id=key))).ok
        await rig.clock.sleep(30)
        assert tries(rig, at) == [0]
        assert rig.status(key).is_terminal
        wire_of(rig).errors.clear()
        at = rig.now
        await buy(rig, NotSent("no"), quantity=4)
        assert (await rig.engine.command(ask.Kill(by="t", reason="stop"))).ok
        await rig.clock.sleep(30)
        assert tries(rig, at) == [0]
        assert not rig.venue.positions

    play(scene, wire=Failing)


def test_C441_a_link_that_breaks_between_two_attempts_ends_them() -> None:
    async def scene(rig: Rig) -> None:
        at = rig.now
        await buy(rig, NotSent("no"), quantity=3)
        rig.cut()
        rig.mend()
        await rig.clock.sleep(30)
        assert tries(rig, at) == [0]
        assert not rig.venue.positions
        assert len(rig.events(ev.DeadLettered)) == 1

    play(scene, wire=Failing)


def _opened(event: ev.Event) -> bool:
    return isinstance(event, ev.CircuitMoved) and event.state == "OPEN"


async def buy_now(rig: Rig, quantity: int) -> Result:
    return await rig.engine.command(
        ask.PlaceOrder(
            by="t", symbol="AAA", side=Side.BUY, quantity=D(quantity), protect=PRICE - 10
        )
    )
