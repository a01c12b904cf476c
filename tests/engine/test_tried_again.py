"""An entry that is tried again leaves only where an entry may leave now (C-400 to C-402, C-430).

What its venue did not get is no more decided than what nobody has asked for: a pause, a breaker, a
price that has become old or another one, a blocked symbol or the end of the session keeps it here.
What the venue has told of it meanwhile stands.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.inputs import QueryAnswered, Sending, Start, SubmitFailed, SubmitPutOff
from engine.domain.instant import NS_PER_SECOND
from engine.domain.order import OrderStatus, OrderTerms, OrderType, Purpose, Side
from engine.ports import Ambiguous, NotSent, Throttled
from tests.engine.driver import CoreDriver
from tests.engine.test_circuit import Failing, buy, buy_now, circuit, config, tries, wire_of
from tests.engine.wires import PRICE, Rig, play
from tests.engine.worlds import ACCOUNT, BROKER, signal

D = Decimal
LONG = Throttled("slower", 20.0)
"""Long enough for a price to become old."""


async def entry_by_signal(rig: Rig, *errors: Any) -> str:
    """A signal whose order fails like that; its id."""
    wire_of(rig).errors.extend(errors)
    (key,) = rig.signal().client_order_ids
    await rig.clock.sleep(0.5)
    assert rig.status(key) is OrderStatus.PENDING_NEW
    return str(key)


class OneWaits(Failing):
    """A venue that wants one order to wait, that for a quantity of `waits`."""

    waits = D(0)

    async def submit_order(self, order: OrderTerms) -> None:
        if order.adds_exposure and order.quantity == self.waits:
            self.tried.append((order.client_order_id, self.asked_now()))
            raise LONG
        await super().submit_order(order)


def stays(rig: Rig, key: str, since: float) -> None:
    """It was tried once, has ended as not sent, and is kept for a person."""
    assert tries(rig, since) == [0]
    assert rig.status(key) is OrderStatus.REJECTED
    assert rig.venue.positions.get("AAA", D(0)) == 0
    assert [letter.letter_id for letter in rig.events(ev.DeadLettered, since)] == [key]


def reason(rig: Rig, key: str) -> str:
    order = rig.book.order(key)
    assert order is not None
    return f"{order.reject_code}: {order.reason}"


def test_X81_a_pause_keeps_a_signals_entry_here_and_not_a_persons() -> None:
    async def scene(rig: Rig) -> None:
        at = rig.now
        key = await entry_by_signal(rig, NotSent("no"))
        assert (await rig.engine.command(ask.Pause(by="t"))).ok
        await rig.clock.sleep(10)
        stays(rig, key, at)
        assert "RUN_STATE" in reason(rig, key)
        at = rig.now
        assert (await buy(rig, NotSent("no"), quantity=3)).ok
        await rig.clock.sleep(10)
        assert tries(rig, at) == [0, 1], "a person's own order passes a pause"

    play(scene, wire=Failing)


def test_U53_a_price_that_became_old_keeps_it_here() -> None:
    async def scene(rig: Rig) -> None:
        at = rig.now
        await buy(rig, LONG, quantity=3)
        (key,) = {key for key, _ in wire_of(rig).tried}
        rig._prices.cancel()
        await rig.clock.sleep(30)
        stays(rig, key, at)
        assert "STALE_QUOTE" in reason(rig, key)

    play(scene, wire=Failing)


def test_a_price_far_from_that_at_which_it_was_decided_keeps_it_here() -> None:
    async def scene(rig: Rig) -> None:
        at = rig.now
        await buy(rig, NotSent("no"), quantity=4)
        (key,) = {key for key, _ in wire_of(rig).tried}
        rig.price = PRICE * 2
        rig.tell("AAA")
        await rig.clock.sleep(10)
        stays(rig, key, at)
        assert "PRICE_COLLAR" in reason(rig, key)

    play(scene, wire=Failing)


def test_C420_a_breaker_that_opened_meanwhile_keeps_it_here_and_lets_its_own_probe_go_on() -> None:
    async def scene(rig: Rig) -> None:
        assert isinstance(rig.wire, OneWaits)
        rig.wire.waits = D(9)
        await buy(rig, quantity=9)
        (key,) = {key for key, _ in wire_of(rig).tried}
        for n in range(5):
            await buy(rig, NotSent("no"), NotSent("no"), quantity=20 + n)
            await rig.clock.sleep(1)
        assert circuit(rig) == "OPEN"
        assert rig.status(key) is OrderStatus.PENDING_NEW
        await rig.clock.sleep(20)
        assert [k for k, _ in wire_of(rig).tried].count(key) == 1
        assert "CIRCUIT_OPEN" in reason(rig, key)
        await rig.clock.sleep(60)
        at = rig.now
        await buy(rig, NotSent("no"), quantity=50)
        await rig.clock.sleep(5)
        assert tries(rig, at) == [0, 1]
        assert circuit(rig) == "CLOSED"

    play(scene, wire=OneWaits, config=config(max_retries=1))


def test_C420_a_probe_that_is_not_tried_again_has_failed() -> None:
    async def scene(rig: Rig) -> None:
        for n in range(5):
            await buy(rig, NotSent("no"), NotSent("no"), quantity=n + 1)
            await rig.clock.sleep(2)
        await rig.until(lambda: circuit(rig) == "OPEN", 20)
        await rig.clock.sleep(61)
        key = await entry_by_signal(rig, NotSent("no"))
        assert circuit(rig) == "HALF_OPEN"
        assert (await rig.engine.command(ask.Pause(by="t"))).ok
        await rig.clock.sleep(5)
        assert rig.status(key) is OrderStatus.REJECTED
        assert circuit(rig) == "OPEN"

    play(scene, wire=Failing, config=config(max_retries=1, initial_backoff=1.0))


def test_rule_1_an_order_in_doubt_in_the_symbol_keeps_it_here() -> None:
    async def scene(rig: Rig) -> None:
        wire_of(rig).errors.extend([NotSent("no"), Ambiguous("no answer")])
        await buy_now(rig, 3)
        await rig.clock.sleep(0.5)
        await buy_now(rig, 4)
        await rig.clock.sleep(0.1)
        (first, _), (second, _) = wire_of(rig).tried
        await rig.clock.sleep(1)
        assert rig.status(second) is OrderStatus.UNKNOWN
        assert [key for key, _ in wire_of(rig).tried] == [first, second]
        assert "UNKNOWN_STATE" in reason(rig, first)

    play(scene, wire=Failing)


# --- what the venue has told of it ----------------------------------------------------------------


def put_off(seconds: int = 2) -> tuple[CoreDriver, Any]:
    """An entry that was handed over, provably did not leave, and waits for another attempt."""
    desk = CoreDriver().price("NVDA", "100")
    desk.signal(signal("NVDA", entry="100", stop="95"))
    order = desk.intended(Purpose.ENTRY)[0]
    desk.give(Sending(order.account, order.client_order_id))
    error = NotSent("connect refused")
    until = desk.now + seconds * NS_PER_SECOND
    desk.give(SubmitPutOff(order.account, order.client_order_id, until, error))
    return desk, order


@pytest.mark.parametrize(
    "tell",
    [
        lambda desk, order: desk.report(order, OrderStatus.NEW),
        lambda desk, order: desk.filled(order, 1, "100"),
    ],
    ids=["works", "fills"],
)
def test_rule_2_an_order_that_its_venue_has_told_of_was_sent_whatever_the_attempt_says(
    tell: Callable[[CoreDriver, Any], object],
) -> None:
    desk, order = put_off()
    tell(desk, order)
    before = desk.current(order)
    assert before.is_working
    desk.give(SubmitFailed(order.account, order.client_order_id, NotSent("connect refused")))
    assert desk.current(order).is_working
    assert desk.current(order).leaves == before.leaves
    assert not [e for e in desk.seen if isinstance(e, ev.DeadLettered)]


def test_C402_a_report_of_the_first_attempt_ends_the_others_and_the_order_lives() -> None:
    class Mistaken(Failing):
        """Its first attempt arrives, and its adapter says that it did not."""

        async def submit_order(self, order: Any) -> None:
            first = order.adds_exposure and not self.tried
            await super().submit_order(order)
            if first:
                raise NotSent("connect refused")

    async def scene(rig: Rig) -> None:
        done = await rig.engine.command(
            ask.PlaceOrder(
                by="t",
                symbol="AAA",
                side=Side.BUY,
                quantity=D(10),
                type=OrderType.LIMIT,
                limit_price=PRICE - 2,
                protect=PRICE - 10,
            )
        )
        (key,) = done.data["client_order_ids"]
        await rig.clock.sleep(20)
        assert len(wire_of(rig).tried) == 1
        assert rig.status(key) is OrderStatus.NEW
        rig.price = PRICE - 3
        await rig.until(lambda: bool(rig.book.account("paper").positions), 5)
        assert rig.venue.positions["AAA"] == 10

    play(scene, wire=Mistaken)


def test_C402_a_crash_in_the_moment_of_another_attempt_does_not_forget_that_it_may_arrive() -> None:
    desk, order = put_off(seconds=25)
    desk.later(25)  # it is handed over once more, and the process ends before that is recorded
    sent = desk.now
    desk.later(0.1).give(Start(version="test", accounts={BROKER: ACCOUNT}, config_digest=""))
    able = desk.world.able(BROKER)
    assert desk.current(order).status is OrderStatus.UNKNOWN
    key = order.client_order_id
    desk.now = sent + able.timeout + able.late_arrival
    desk.give(QueryAnswered(BROKER, key, None, (), desk.now))
    assert desk.current(order).status is OrderStatus.UNKNOWN
    desk.later(1)
    desk.give(QueryAnswered(BROKER, key, None, (), desk.now))
    assert desk.current(order).status is OrderStatus.REJECTED


# --- its end between two attempts -----------------------------------------------------------------


def test_C402_a_cancel_ends_it_at_once_and_no_attempt_follows() -> None:
    async def scene(rig: Rig) -> None:
        at = rig.now
        await buy(rig, LONG, quantity=3)
        (key,) = {key for key, _ in wire_of(rig).tried}
        assert (await rig.engine.command(ask.CancelOrder(by="t", client_order_id=key))).ok
        await rig.until(lambda: rig.status(key) is OrderStatus.CANCELED, 1)
        await rig.clock.sleep(60)
        assert tries(rig, at) == [0]
        assert rig.engine.idle

    play(scene, wire=Failing)


def test_C502_a_kill_is_proved_without_waiting_for_the_next_attempt() -> None:
    async def scene(rig: Rig) -> None:
        at = rig.now
        await buy(rig, LONG, quantity=3)
        assert (await rig.engine.command(ask.Kill(by="t", reason="stop"))).ok
        await rig.until(lambda: rig.events(ev.KillProved) != [], 10)
        halt = rig.book.data.halt
        assert halt is not None
        resume = ask.Resume(by="t", confirm=ask.RESUME_WORD, epoch=halt.epoch)
        assert (await rig.engine.command(resume)).ok
        await rig.clock.sleep(60)
        assert tries(rig, at) == [0]
        assert not rig.venue.positions

    play(scene, wire=Failing)


def test_C552_an_engine_that_has_stopped_leaves_no_attempt_behind() -> None:
    async def scene(rig: Rig) -> None:
        at = rig.now
        await buy(rig, LONG, quantity=3)
        (key,) = {key for key, _ in wire_of(rig).tried}
        await rig.stop()
        assert rig.engine.idle
        assert rig.status(key) is OrderStatus.CANCELED
        count = len(rig.records)
        await rig.clock.sleep(60)
        assert tries(rig, at) == [0]
        assert len(rig.records) == count, "nothing is recorded once it has stopped"

    play(scene, wire=Failing)
