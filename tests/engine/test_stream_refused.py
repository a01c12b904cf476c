"""A venue that answers and does not open its stream is asked instead of listened to (C-441).

Some venues keep the place of a connection that broke for a minute or more. Order state is true
again within 5 s all the same; what reduces goes out; entries wait for the stream.
"""

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest

from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.codes import Verdict
from engine.domain.order import Fill, OrderStatus, Side
from engine.domain.run import Flatten, LinkState
from engine.ports import LinkReport, Report, StreamRefused
from engine.state.account import AccountStatus
from tests.engine.wires import PRICE, Rig, Wire, play

D = Decimal


class Streamless(Wire):
    """A wire whose stream may be refused while requests are answered."""

    is_refused = False
    wait = 0.0
    """Seconds that the venue wants to be left alone for by the stream."""

    async def connect(self) -> None:
        await super().connect()
        if self.is_refused:
            raise StreamRefused("connection limit exceeded", self.wait)

    async def reports(self) -> AsyncIterator[Report]:
        async for report in super().reports():
            down = isinstance(report, LinkReport) and report.state is LinkState.DISCONNECTED
            if down or not self.is_refused:
                yield report


async def cut(rig: Rig) -> float:
    """The link breaks, and is there again at once without its stream; when that was."""
    wire = rig.wire
    assert isinstance(wire, Streamless)
    wire.is_refused = True
    rig.cut()
    at = rig.now
    rig.mend()
    await rig.until(lambda: rig.links(at)[-1:] == [LinkState.POLLED])
    return at


def mend(rig: Rig) -> None:
    """The venue takes the stream again."""
    assert isinstance(rig.wire, Streamless)
    rig.wire.is_refused = False


def test_C441_what_fills_while_the_stream_is_refused_is_known_within_five_seconds() -> None:
    async def scene(rig: Rig) -> None:
        key = await rig.rest()
        at = await cut(rig)
        for seconds in (0.0, 1.0, 17.0, 40.0):
            await rig.clock.sleep(seconds)
            looks = [when for what, when in rig.wire.asked if what == "look" and when >= at]
            gaps = [b - a for a, b in zip([at, *looks], [*looks, rig.now], strict=True)]
            assert max(gaps) <= 2.5, gaps
        rig.price = PRICE - 20
        filled = rig.now
        await rig.until(lambda: rig.status(key) is OrderStatus.FILLED, 5)
        assert rig.now - filled <= 5
        mend(rig)

    play(scene, wire=Streamless)


def test_C441_an_account_without_orders_is_asked_as_often() -> None:
    """What its venue tells late, of an order that has ended here, is known as soon."""

    async def scene(rig: Rig) -> None:
        at = await cut(rig)
        await rig.clock.sleep(30)
        looks = [when for what, when in rig.wire.asked if what == "look" and when >= at]
        gaps = [b - a for a, b in zip([at, *looks], [*looks, rig.now], strict=True)]
        assert max(gaps) <= 2.5, gaps
        mend(rig)

    play(scene, wire=Streamless)


def test_C441_entries_wait_for_the_stream_and_what_reduces_does_not() -> None:
    async def scene(rig: Rig) -> None:
        key = await rig.rest()
        held = await rig.engine.command(
            ask.PlaceOrder(by="t", symbol="BBB", side=Side.BUY, quantity=D(10), protect=PRICE - 10)
        )
        assert held.ok
        await rig.until(lambda: bool(rig.book.account("paper").positions))
        at = await cut(rig)
        await rig.clock.sleep(3)
        assert rig.book.account("paper").status is AccountStatus.REDUCE_ONLY
        told = await rig.engine.command(
            ask.PlaceOrder(by="t", symbol="AAA", side=Side.BUY, quantity=D(1), protect=PRICE - 10)
        )
        assert (told.ok, told.code) == (False, "NO_ACCOUNT")
        assert "stream" in told.error
        assert rig.signal().verdict is Verdict.REJECTED
        assert (await rig.engine.command(ask.CancelOrder(by="t", client_order_id=key))).ok
        assert (await rig.engine.command(ask.ClosePosition(by="t", symbol="BBB"))).ok
        await rig.until(lambda: rig.status(key) is OrderStatus.CANCELED, 5)
        await rig.until(lambda: not rig.book.account("paper").positions, 5)
        assert rig.links(at) == [LinkState.DISCONNECTED, LinkState.POLLED]
        mend(rig)

    play(scene, wire=Streamless)


def test_C441_a_kill_works_and_proves_without_a_stream() -> None:
    async def scene(rig: Rig) -> None:
        await rig.rest()
        held = await rig.engine.command(
            ask.PlaceOrder(by="t", symbol="BBB", side=Side.BUY, quantity=D(10), protect=PRICE - 10)
        )
        assert held.ok
        await rig.until(lambda: bool(rig.book.account("paper").positions))
        await cut(rig)
        assert (await rig.engine.command(ask.Kill(by="t", reason="now", flatten=Flatten.ALL))).ok
        await rig.until(lambda: rig.events(ev.KillProved) != [], 30)
        (proved,) = rig.events(ev.KillProved)
        assert (proved.state, proved.left, proved.unknown) == ("VERIFIED", (), ())
        mend(rig)

    play(scene, wire=Streamless)


def test_C441_the_stream_is_tried_again_and_entries_follow_the_look_after_it() -> None:
    async def scene(rig: Rig) -> None:
        at = await cut(rig)
        await rig.clock.sleep(60)
        attempts = rig.wire.attempts(at)
        assert len(attempts) >= 12, "about every four seconds"
        assert [e.code for e in rig.events(ev.Alarmed, at)].count("STREAM_REFUSED") == 1
        mend(rig)
        await rig.until(lambda: rig.links(at)[-1] is LinkState.CONNECTED, 5)
        assert rig.links(at) == [LinkState.DISCONNECTED, LinkState.POLLED, LinkState.CONNECTED]
        await rig.until(lambda: rig.is_compared, 5)
        await rig.rest()

    play(scene, wire=Streamless)


def test_C441_requests_that_fail_too_are_a_lost_link() -> None:
    async def scene(rig: Rig) -> None:
        at = await cut(rig)
        rig.cut()
        await rig.until(lambda: rig.links(at)[-1] is LinkState.DISCONNECTED, 5)
        mend(rig)
        rig.mend()
        await rig.until(lambda: rig.links(at)[-1] is LinkState.CONNECTED, 6)

    play(scene, wire=Streamless)


def test_C441_a_start_without_a_stream_asks_too() -> None:
    class FromTheStart(Streamless):
        is_refused = True

    async def scene(rig: Rig) -> None:
        assert rig.links() == [LinkState.POLLED]
        await rig.until(lambda: rig.book.account("paper").balances is not None, 5)
        mend(rig)
        await rig.until(lambda: rig.links()[-1] is LinkState.CONNECTED, 6)
        await rig.until(lambda: rig.is_compared, 5)
        await rig.rest()

    play(scene, wire=FromTheStart)


def test_C441_entries_wait_for_the_look_after_the_stream_and_not_for_one_before_it() -> None:
    """What happened between the last look without the stream and its first report is not told."""

    async def scene(rig: Rig) -> None:
        at = await cut(rig)
        await rig.clock.sleep(3)
        assert rig.is_compared
        mend(rig)
        await rig.until(lambda: rig.links(at)[-1] is LinkState.CONNECTED, 5)
        up = rig.now
        told = await rig.engine.command(
            ask.PlaceOrder(by="t", symbol="AAA", side=Side.BUY, quantity=D(1), protect=PRICE - 10)
        )
        assert (told.ok, told.code) == (False, "NO_ACCOUNT")
        await rig.until(lambda: rig.is_compared, 5)
        assert "look" in rig.wire.since(up)
        assert (
            await rig.engine.command(
                ask.PlaceOrder(
                    by="t", symbol="AAA", side=Side.BUY, quantity=D(2), protect=PRICE - 10
                )
            )
        ).ok

    play(scene, wire=Streamless)


def test_C441_a_stream_that_is_refused_after_it_stood_is_tried_for_again() -> None:
    """An adapter may report its stream while an attempt that is refused is still under way."""

    class Crossed(Streamless):
        crosses = False

        async def connect(self) -> None:
            if self.crosses:
                self.crosses = False
                rigs[0].engine._links.of("paper")._take(
                    LinkReport(account="paper", state=LinkState.CONNECTED, detail="", time=0)
                )
                raise StreamRefused("connection limit exceeded")
            await super().connect()

    rigs: list[Rig] = []

    async def scene(rig: Rig) -> None:
        rigs.append(rig)
        at = await cut(rig)
        assert isinstance(rig.wire, Crossed)
        rig.wire.crosses = True
        await rig.until(lambda: len(rig.links(at)) == 4, 20)
        assert rig.links(at)[-2:] == [LinkState.CONNECTED, LinkState.POLLED]
        mend(rig)
        await rig.until(lambda: rig.links(at)[-1] is LinkState.CONNECTED, 60)

    play(scene, wire=Crossed)


def test_C441_a_look_that_began_before_the_stream_stood_is_not_the_one_that_entries_wait_for() -> (
    None
):
    class Held(Streamless):
        """Each look ends once the test lets it."""

        def __init__(self, venue: Any) -> None:
            super().__init__(venue)
            self.held: list[asyncio.Event] | None = None

        async def get_fills_since(self, since: int) -> tuple[Fill, ...]:
            found = await super().get_fills_since(since)
            if self.held is not None:
                over = asyncio.Event()
                self.held.append(over)
                await over.wait()
            return found

    async def scene(rig: Rig) -> None:
        at, wire = await cut(rig), rig.wire
        assert isinstance(wire, Held)
        await rig.clock.sleep(3)
        held: list[asyncio.Event] = []
        wire.held = held
        await rig.until(lambda: len(held) == 1, 5)
        mend(rig)
        await rig.until(lambda: rig.links(at)[-1] is LinkState.CONNECTED, 5)
        await rig.until(lambda: len(held) == 2, 2)
        held[0].set()
        await rig.clock.sleep(0.2)
        assert not rig.is_compared
        for each in held[1:]:
            each.set()
        wire.held = None
        await rig.until(lambda: rig.is_compared, 2)
        await rig.rest()

    play(scene, wire=Held)


# --- a venue that says how long the stream is to be left alone ------------------------------------


class Waiting(Streamless):
    """The stream is refused for a minute and a half, says the venue."""

    wait = 90.0


async def held(rig: Rig) -> None:
    """Something that a person may want to be rid of."""
    bought = await rig.engine.command(
        ask.PlaceOrder(by="t", symbol="BBB", side=Side.BUY, quantity=D(10), protect=PRICE - 10)
    )
    assert bought.ok
    await rig.until(lambda: bool(rig.book.account("paper").positions))


def test_C401_the_stream_is_not_tried_for_before_its_venue_wants_it() -> None:
    async def scene(rig: Rig) -> None:
        at = await cut(rig)
        first = len(rig.wire.attempts(at))
        refused = rig.now
        await rig.clock.sleep(89)
        assert len(rig.wire.attempts(at)) == first
        mend(rig)
        await rig.until(lambda: rig.links(at)[-1] is LinkState.CONNECTED, 3)
        assert len(rig.wire.attempts(at)) == first + 1
        assert rig.now - refused >= 89.5

    play(scene, wire=Waiting)


def test_C441_meanwhile_fills_are_known_and_a_person_gets_out() -> None:
    async def scene(rig: Rig) -> None:
        await held(rig)
        at = await cut(rig)
        await rig.clock.sleep(5)
        assert (await rig.engine.command(ask.ClosePosition(by="t", symbol="BBB"))).ok
        await rig.until(lambda: not rig.book.account("paper").positions, 5)
        assert rig.links(at)[-1] is LinkState.POLLED
        mend(rig)

    play(scene, wire=Waiting)


def test_rule3_a_lost_link_is_tried_for_at_once_whatever_the_stream_waits_for() -> None:
    """Exits and cancels wait for the requests, which nobody asked to leave alone."""

    async def scene(rig: Rig) -> None:
        await held(rig)
        await cut(rig)
        await rig.clock.sleep(20)
        rig.cut()
        await rig.until(lambda: rig.links()[-1] is LinkState.DISCONNECTED, 5)
        lost = rig.now
        await rig.engine.command(ask.ClosePosition(by="t", symbol="BBB"))
        rig.mend()
        await rig.until(lambda: rig.links()[-1] is LinkState.POLLED, 6)
        assert rig.now - lost <= 6
        await rig.until(lambda: not rig.book.account("paper").positions, 5)
        mend(rig)

    play(scene, wire=Waiting)


def test_C441_requests_that_fail_over_and_over_beside_such_a_stream_make_no_storm() -> None:
    async def scene(rig: Rig) -> None:
        at = await cut(rig)
        rig.cut()
        await rig.clock.sleep(60)
        assert 10 <= len(rig.wire.attempts(at)) <= 25, "about every four seconds"
        rig.mend()
        mend(rig)
        await rig.until(lambda: rig.links(at)[-1] is LinkState.CONNECTED, 6)

    play(scene, wire=Waiting)


@pytest.mark.parametrize("wait", [float("nan"), float("inf"), -1.0, 1e12])
def test_U53_a_wait_that_cannot_be_believed_is_a_minute(wait: float) -> None:
    class Odd(Streamless):
        pass

    Odd.wait = wait

    async def scene(rig: Rig) -> None:
        at = await cut(rig)
        first = len(rig.wire.attempts(at))
        mend(rig)
        await rig.clock.sleep(59)
        assert len(rig.wire.attempts(at)) == first
        await rig.until(lambda: rig.links(at)[-1] is LinkState.CONNECTED, 3)

    play(scene, wire=Odd)
