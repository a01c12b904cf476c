"""`protect` and `target` in an engine on the paper venue (X-85): what an operator may and may not.

No slippage and no commission: 100,000 dollars, of which 1 % a trade may be at risk.
"""

from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import pytest

from console.host.operations import price_or_none
from console.host.requests import CommandError
from console.virtual import Rehearsal, rehearse
from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.order import Side
from engine.domain.result import Result
from engine.domain.signal import TradeType
from tests.brokers.kit import D
from tests.console.test_two_accounts import TWO

FREE = {
    "brokers": {"paper": {"slippage_bps": 0, "commission_bps": 0, "latency_ms": [0, 0]}},
    "market": {"symbols": ["AAPL"]},
}


async def order(hand: Rehearsal, side: Side, quantity: int, **more: Any) -> None:
    hand.price("AAPL", "100")
    done = await hand.engine.command(
        ask.PlaceOrder(
            by="test",
            symbol="AAPL",
            side=side,
            quantity=D(quantity),
            hold=TradeType.SWING,
            **more,
        )
    )
    assert done.ok, done.error
    await hand.wait(0.1)
    hand.price("AAPL", "100")
    await hand.wait(0.1)


async def protect(hand: Rehearsal, price: str | None, **more: str) -> Result:
    given = None if price is None else D(price)
    done = await hand.engine.command(ask.Protect(by="me", symbol="AAPL", price=given, **more))
    await hand.wait(0.5)
    return done


async def target(hand: Rehearsal, price: str | None, **more: str) -> Result:
    given = None if price is None else D(price)
    done = await hand.engine.command(ask.SetTarget(by="me", symbol="AAPL", price=given, **more))
    await hand.wait(0.5)
    return done


def resting(hand: Rehearsal) -> list[tuple[Decimal, Decimal | None]]:
    """The stops that work: how much each would close, and where."""
    orders = hand.engine.state.orders()
    return [(o.leaves, o.stop_price) for o in orders if o.is_protective]


def run(play: Callable[[Rehearsal], Awaitable[None]]) -> None:
    rehearse(play, config=FREE)


@pytest.mark.parametrize(("side", "good", "bad"), [("BUY", "99", "101"), ("SELL", "101", "99")])
def test_a_first_stop_is_attached_and_never_through_the_market(
    side: str, good: str, bad: str
) -> None:
    async def play(hand: Rehearsal) -> None:
        await order(hand, Side(side), 50)
        assert resting(hand) == []
        for wrong in (bad, "100"):
            done = await protect(hand, wrong)
            assert (done.ok, done.code) == (False, "INVALID_STOP")
        assert resting(hand) == []
        assert (await protect(hand, good)).ok
        assert resting(hand) == [(D(50), D(good))]
        assert hand.engine.status()["positions"][0]["stop"] == good

    run(play)


@pytest.mark.parametrize("price", ["1e30", "1e400", "1e-400", "NaN", "0", "-1"])
def test_a_price_that_is_none_is_refused_by_both_and_ends_nothing(price: str) -> None:
    async def play(hand: Rehearsal) -> None:
        await order(hand, Side.SELL, 2)
        for ask_for, code in ((protect, "INVALID_STOP"), (target, "INVALID_TARGET")):
            done = await ask_for(hand, price)
            assert (done.ok, done.code) == (False, code)
            assert "is no price: a number above 0, at most" in done.error
        assert (await protect(hand, "110")).ok

    run(play)


def test_a_stop_is_moved_to_another_price_and_one_rests_in_the_end() -> None:
    async def play(hand: Rehearsal) -> None:
        await order(hand, Side.BUY, 50, protect=D(90))
        assert resting(hand) == [(D(50), D(90))]
        assert (await protect(hand, "95")).ok
        assert resting(hand) == [(D(50), D(95))]
        hand.price("AAPL", "94")
        await hand.wait(0.5)
        assert hand.held("AAPL") == 0

    run(play)


@pytest.mark.parametrize(("price", "taken"), [("87.51", True), ("87.5", True), ("87.49", False)])
def test_a_looser_stop_may_risk_what_a_trade_may_and_no_more(price: str, taken: bool) -> None:
    """80 shares bought at 100: 12.50 a share is 1,000, which is 1 % of 100,000."""

    async def play(hand: Rehearsal) -> None:
        await order(hand, Side.BUY, 80, protect=D(95))
        done = await protect(hand, price)
        assert (done.ok, done.code) == (taken, "" if taken else "INVALID_STOP"), done
        assert resting(hand) == [(D(80), D(price) if taken else D(95))]

    run(play)


def test_a_tighter_stop_passes_whatever_it_risks() -> None:
    async def play(hand: Rehearsal) -> None:
        await order(hand, Side.BUY, 80)
        assert (await protect(hand, "50")).ok
        assert (await protect(hand, "60")).ok
        assert resting(hand) == [(D(80), D(60))]

    run(play)


def test_none_takes_the_stop_away_and_wants_its_word() -> None:
    async def play(hand: Rehearsal) -> None:
        await order(hand, Side.BUY, 50, protect=D(90))
        done = await protect(hand, None)
        assert (done.ok, done.error) == (False, "it protects AAPL: confirm with 'UNPROTECT'")
        assert resting(hand) == [(D(50), D(90))]
        assert (await protect(hand, None, confirm="UNPROTECT")).ok
        await hand.wait(10)
        assert resting(hand) == []
        assert hand.held("AAPL") == 50

    run(play)


def test_the_journal_says_who_moved_it_from_where_to_where() -> None:
    async def play(hand: Rehearsal) -> None:
        moved: list[tuple[str, str, Decimal | None, Decimal | None]] = []

        def heard(record: ev.Record) -> None:
            event = record.event
            if isinstance(event, ev.StopMoved | ev.TargetMoved):
                moved.append((type(event).__name__, event.by, event.before, event.after))

        await order(hand, Side.BUY, 50)
        hand.engine.subscribe(heard)
        await protect(hand, "90")
        await protect(hand, "90")
        await protect(hand, "95")
        await protect(hand, None, confirm="UNPROTECT")
        await target(hand, "110")
        await target(hand, None)
        assert moved == [
            ("StopMoved", "me", None, D(90)),
            ("StopMoved", "me", D(90), D(95)),
            ("StopMoved", "me", D(95), None),
            ("TargetMoved", "me", None, D(110)),
            ("TargetMoved", "me", D(110), None),
        ]

    run(play)


@pytest.mark.parametrize(("side", "good", "bad"), [("BUY", "110", "99"), ("SELL", "90", "101")])
def test_a_target_closes_when_it_is_met_and_is_not_taken_when_it_is_met_already(
    side: str, good: str, bad: str
) -> None:
    async def play(hand: Rehearsal) -> None:
        await order(hand, Side(side), 50)
        assert not (await target(hand, bad)).ok
        assert (await target(hand, good)).ok
        assert hand.held("AAPL") != 0
        for _ in range(3):
            hand.price("AAPL", good)
            await hand.wait(0.5)
        assert hand.held("AAPL") == 0

    run(play)


@pytest.mark.parametrize("off", ["110.005", "109.9999999"])
def test_a_price_off_the_grid_is_neither_a_stop_nor_a_target(off: str) -> None:
    async def play(hand: Rehearsal) -> None:
        await order(hand, Side.BUY, 50)
        refused = await target(hand, off)
        assert (refused.ok, refused.code) == (False, "BAD_TICK")
        assert off in refused.error
        assert "0.01" in refused.error
        assert [p.target for p in hand.engine.book.held("AAPL")] == [None]
        assert (await target(hand, "110.01")).ok
        stop = str(D(off) - 20)
        refused = await protect(hand, stop)
        assert (refused.ok, refused.code) == (False, "BAD_TICK")
        assert (await protect(hand, "90.01")).ok

    run(play)


def test_no_target_means_none_though_one_could_be_worked_out() -> None:
    """A stop 1 away from the entry would make a target; it was taken away by a person."""

    async def play(hand: Rehearsal) -> None:
        await order(hand, Side.BUY, 50, protect=D(99), managed=True)
        assert hand.engine.status()["positions"][0]["target"] is not None
        assert (await target(hand, None)).ok
        assert hand.engine.status()["positions"][0]["target"] is None
        hand.price("AAPL", "150")
        await hand.wait(1)
        assert hand.held("AAPL") == 50

    run(play)


def test_what_is_not_held_or_held_twice_is_refused_in_words() -> None:
    async def play(hand: Rehearsal) -> None:
        assert (await protect(hand, "90")).error == "nothing is held of AAPL"
        hand.price("EUR_USD", "1.10")
        await order(hand, Side.BUY, 10)
        await order(hand, Side.BUY, 5, broker="eur")
        both = "AAPL is held in eur and paper: name one of them as the broker"
        assert (await protect(hand, "90")).error == both
        assert (await target(hand, "110")).error == both
        assert (await protect(hand, "90", broker="eur")).ok
        stops = [o for o in hand.engine.state.orders() if o.is_protective]
        assert [(o.account, o.leaves) for o in stops] == [("eur", D(5))]
        nowhere = await protect(hand, "90", broker="gbp")
        assert nowhere.error == "there is no broker 'gbp'; there is eur, paper"

    rehearse(play, config=TWO)


def test_a_halt_does_not_keep_anybody_from_a_tighter_stop() -> None:
    async def play(hand: Rehearsal) -> None:
        await order(hand, Side.BUY, 50, protect=D(90))
        await hand.engine.command(ask.Pause(by="test"))
        assert (await protect(hand, "95")).ok
        assert resting(hand) == [(D(50), D(95))]

    run(play)


@pytest.mark.parametrize("text", ["", "nan", "inf", "-1", "0", "ten", "None", "1_0_0", "１００"])
def test_a_price_that_is_none_is_one_sentence(text: str) -> None:
    with pytest.raises(CommandError) as caught:
        price_or_none(text)
    assert str(caught.value) == (f'price "{text}" is refused: allowed is none or a number above 0')
    assert price_or_none("none") is None
    assert price_or_none(".5") == D("0.5")
    assert price_or_none("1.50") == D("1.50")


def test_cancelling_the_stop_by_its_id_is_the_same_event() -> None:
    async def play(hand: Rehearsal) -> None:
        await order(hand, Side.BUY, 50, protect=D(90))
        moved: list[ev.StopMoved] = []

        def heard(record: ev.Record) -> None:
            if isinstance(record.event, ev.StopMoved):
                moved.append(record.event)

        hand.engine.subscribe(heard)
        (stop,) = [o for o in hand.engine.state.orders() if o.is_protective]
        await hand.engine.command(
            ask.CancelOrder(by="me", client_order_id=stop.client_order_id, confirm="UNPROTECT")
        )
        await hand.wait(10)
        assert [(m.by, m.before, m.after) for m in moved] == [("me", D(90), None)]
        assert resting(hand) == []

    run(play)


def test_a_price_that_is_too_large_or_too_fine_is_told_which() -> None:
    with pytest.raises(CommandError, match="none or a number above 0 and at most 1000000000000000"):
        price_or_none("1e30")
    with pytest.raises(CommandError, match="above 0 with at most 18 digits after the point"):
        price_or_none("1e-30")
