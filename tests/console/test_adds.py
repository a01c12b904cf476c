"""Adds, their stops and their risk, in an engine on the paper venue (X-80, X-81, X-82, X-85).

No slippage and no commission: 100,000 dollars, of which a trade may risk 1 %. A market order counts
at a price 0.1 % worse than the market's, which is `execution.slippage_buffer`.
"""

from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import pytest

from console.virtual import Rehearsal, rehearse
from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.order import OrderType, Side
from engine.domain.result import Result
from engine.domain.run import Level
from engine.domain.signal import TradeType
from tests.brokers.kit import D

FREE: dict[str, Any] = {
    "brokers": {"paper": {"slippage_bps": 0, "commission_bps": 0, "latency_ms": [0, 0]}},
    "market": {"symbols": ["AAPL"]},
    "profile": "custom",
    "risk": {
        "max_risk_per_trade": "0.01",
        "max_single_stock_exposure": "1",
        "max_sector_exposure": "1",
        "max_gross_exposure": "1",
        "max_order_notional": "100000",
        "price_collar_pct": "0.1",
        "daily_loss_limit": "0.5",
        "drawdown_limit": "0.5",
        "max_concurrent_positions": 5,
        "max_trades_per_day": 100,
        "min_account_equity": "0",
        "consecutive_loss_threshold": 9,
        "consecutive_loss_pct": "0.9",
    },
}
STILL = {"execution": {"slippage_buffer": "0"}}
"""Without the buffer the worst price of a market order is the market's."""

BUY, SELL = Side.BUY, Side.SELL


def run(play: Callable[[Rehearsal], Awaitable[None]], **config: Any) -> None:
    rehearse(play, config=FREE | STILL | config)


async def order(hand: Rehearsal, side: Side, quantity: int | str, **more: Any) -> Result:
    """A person's market order, or one with the limit that is given."""
    if "limit" in more:
        more |= {"type": OrderType.LIMIT, "limit_price": D(more.pop("limit"))}
    if "trigger" in more:
        more |= {"type": OrderType.STOP, "stop_price": D(more.pop("trigger"))}
    prices = {name: D(more[name]) for name in ("protect", "target") if name in more}
    asked: dict[str, Any] = {"hold": TradeType.SWING} | more | prices
    return await hand.engine.command(
        ask.PlaceOrder(by="me", symbol="AAPL", side=side, quantity=D(quantity), **asked)
    )


async def price(hand: Rehearsal, last: str) -> None:
    """The market goes there and stays for a second; what is marketable fills."""
    for _ in range(2):
        hand.price("AAPL", last)
        await hand.wait(0.5)


async def filled(hand: Rehearsal, side: Side, quantity: int, **more: Any) -> None:
    """An order that passes and fills at the market of 100."""
    await price(hand, "100")
    done = await order(hand, side, quantity, **more)
    assert done.ok, done.error
    await price(hand, "100")


def signal(at: str, stop: str, **more: Any) -> dict[str, Any]:
    return {
        "signal_id": f"s-{at}-{stop}",
        "signal_type": "an_idea",
        "direction": "long",
        "ticker": "AAPL",
        "timeframe": "10m",
        "conviction": 80,
        "entry_price": at,
        "stop_loss": stop,
        "timestamp": "2013-10-07T14:00:00Z",
    } | more


async def submitted(hand: Rehearsal, given: dict[str, Any]) -> ev.SignalDecided:
    decided = hand.engine.submit(given)
    assert isinstance(decided, ev.SignalDecided)
    await hand.wait(0.5)
    return decided


def resting(hand: Rehearsal) -> list[tuple[Decimal, Decimal | None]]:
    """The stops of ours that work: how much each would close, and where."""
    orders = hand.engine.state.orders()
    return [(o.leaves, o.stop_price) for o in orders if o.is_protective]


def shown(hand: Rehearsal) -> dict[str, Any]:
    """The one position as `status` shows it."""
    (position,) = hand.engine.status()["positions"]
    found: dict[str, Any] = position
    return found


# --- one stop, the tighter, protects all (X-82) ---------------------------------------------------


@pytest.mark.parametrize(
    ("side", "first", "second", "after"),
    [
        (BUY, "95", "97", "97"),
        (BUY, "95", "95", "95"),
        (BUY, "95", "93", "95"),
        (BUY, "95", None, "95"),
        (BUY, None, "95", "95"),
        (SELL, "105", "103", "103"),
        (SELL, "105", "107", "105"),
    ],
)
def test_after_an_add_one_stop_protects_all_and_it_is_the_tighter(
    side: Side, first: str | None, second: str | None, after: str
) -> None:
    async def play(hand: Rehearsal) -> None:
        await filled(hand, side, 40, **({"protect": first} if first else {}))
        await filled(hand, side, 60, **({"protect": second} if second else {}))
        await hand.wait(10)
        assert abs(hand.held("AAPL")) == 100
        assert resting(hand) == [(D(100), D(after))]
        assert (shown(hand)["stop"], shown(hand)["protected"]) == (after, "100")

    run(play)


def test_an_add_without_a_stop_is_under_the_one_that_the_operator_moved() -> None:
    async def play(hand: Rehearsal) -> None:
        await filled(hand, BUY, 10, protect="95")
        moved = ask.Protect(by="me", symbol="AAPL", price=D(94))
        assert (await hand.engine.command(moved)).ok
        await filled(hand, BUY, 11)
        assert resting(hand) == [(D(21), D(94))]

    run(play)


@pytest.mark.parametrize(
    ("more", "passes"),
    [
        # 100 held at 100 with a stop at 95 risk 500; 500 are left for shares that risk 5 each.
        ({"quantity": 100, "limit": "100"}, True),
        ({"quantity": 101}, False),
        # A tighter stop for all makes room: (100 + n) x 2 is 1,000 at n = 400.
        ({"quantity": 400, "protect": "98"}, True),
        ({"quantity": 401, "protect": "98"}, False),
        # One that is looser than the stop of the position changes nothing.
        ({"quantity": 101, "protect": "90"}, False),
        # A limit is the worst price: 4 a share.
        ({"quantity": 125, "limit": "99"}, True),
        ({"quantity": 126, "limit": "99"}, False),
    ],
)
def test_the_open_risk_of_a_position_stays_within_that_of_a_trade(
    more: dict[str, Any], passes: bool
) -> None:
    async def play(hand: Rehearsal) -> None:
        await filled(hand, BUY, 100, protect="95")
        done = await order(hand, BUY, **more)
        assert done.ok is passes, done
        if not passes:
            assert done.code == "INVALID_STOP"
            assert f"At most {more['quantity'] - 1} would fit." in done.error

    run(play)


def test_entries_that_work_already_are_counted_at_their_worst_price() -> None:
    async def play(hand: Rehearsal) -> None:
        await filled(hand, BUY, 100, protect="95")
        assert (await order(hand, BUY, 60, limit="99")).ok  # 60 x 4
        done = await order(hand, BUY, 66, limit="98.99")  # 260 are left, 3.99 each: 65
        assert (done.ok, done.code) == (False, "INVALID_STOP")
        assert "At most 65 would fit." in done.error
        assert (await order(hand, BUY, 65, limit="98.99")).ok

    run(play)


def test_a_market_order_counts_with_the_slippage_it_may_have() -> None:
    """5.10 a share at 100.10: 98 of them are 499.80, 99 are 504.90."""

    async def play(hand: Rehearsal) -> None:
        await filled(hand, BUY, 100, protect="95")
        done = await order(hand, BUY, 99)
        assert (done.ok, done.code) == (False, "INVALID_STOP")
        assert "At most 98 would fit." in done.error

    run(play, execution={})


@pytest.mark.parametrize(("quantity", "adds"), [(199, True), (200, False), (201, False)])
def test_a_first_order_rests_on_the_stop_it_names_and_what_adds_is_held_to_the_limit(
    quantity: int, adds: bool
) -> None:
    """It would pass without a stop, and a first stop always passes (X-85)."""

    async def play(hand: Rehearsal) -> None:
        await filled(hand, BUY, quantity, protect="95")
        assert (await order(hand, BUY, 1, limit="100")).ok is adds

    run(play)


def test_a_short_is_the_mirror_of_it() -> None:
    async def play(hand: Rehearsal) -> None:
        await filled(hand, SELL, 100, protect="105")
        done = await order(hand, SELL, 101)
        assert (done.ok, done.code) == (False, "INVALID_STOP")
        assert (await order(hand, SELL, 100, limit="100")).ok

    run(play)


def test_a_change_of_an_order_that_adds_counts_the_position_too() -> None:
    async def play(hand: Rehearsal) -> None:
        await filled(hand, BUY, 100, protect="95")
        assert (await order(hand, BUY, 100, limit="99")).ok
        await hand.wait(0.5)
        (adding,) = [o for o in hand.engine.state.orders() if o.adds_exposure]
        for quantity, passes in ((126, False), (125, True)):
            done = await hand.engine.command(
                ask.ModifyOrder(
                    by="me", client_order_id=adding.client_order_id, quantity=D(quantity)
                )
            )
            assert (done.ok, done.code) == (passes, "" if passes else "INVALID_STOP"), done

    run(play)


def test_a_signal_that_adds_is_refused_where_the_stop_leaves_no_room() -> None:
    """The first buys 200 at 100 with a stop at 95, which risks all of 1,000."""

    async def play(hand: Rehearsal) -> None:
        await price(hand, "100")
        first = await submitted(hand, signal("100", "95"))
        await price(hand, "100")
        assert (first.verdict, hand.held("AAPL")) == ("ACCEPTED", 200)
        await price(hand, "100.5")
        # Equity is 100,100 by now, and each share more would risk 5.50 at 95.
        far = await submitted(hand, signal("100.5", "90", signal_type="another"))
        assert (far.verdict, far.code) == ("REJECTED", "INVALID_STOP")

    run(play)


def test_a_resized_signal_fills_within_the_limit() -> None:
    async def play(hand: Rehearsal) -> None:
        await price(hand, "100")
        await submitted(hand, signal("100", "95", conviction=80))
        await price(hand, "100")
        moved = ask.Protect(by="me", symbol="AAPL", price=D(98))
        await price(hand, "106")
        assert (await hand.engine.command(moved)).ok
        await hand.wait(1)
        added = await submitted(hand, signal("106", "94", signal_type="another"))
        # Equity is 101,200. 400 are at risk at 98, and each share more risks 8: 76 are left where
        # the signal's own stop, 12 away, would allow 84.
        assert (added.verdict, added.code, added.quantity) == ("RESIZED", "INVALID_STOP", 76)
        await price(hand, "106")
        assert resting(hand) == [(D(276), D(98))]
        assert hand.engine.status()["open_risk"]["at_stops"] == "1008"

    run(play)


def test_r_stays_that_of_the_first_entry() -> None:
    """Bought at 100 with a stop at 95, R is 5. The mean after an add at 104 is 102, so that the
    default target of 2 R is 112, and what is closed there made 2 R."""

    async def play(hand: Rehearsal) -> None:
        trades: list[Any] = []
        hand.engine.subscribe(
            lambda record: (
                trades.append(record.event.trade)
                if isinstance(record.event, ev.PositionClosed)
                else None
            )
        )
        await filled(hand, BUY, 50, protect="95", managed=True)
        assert shown(hand)["target"] == "110"
        await price(hand, "104")
        assert (await order(hand, BUY, 50, managed=True, protect="100", limit="104")).ok
        await price(hand, "104")
        assert (shown(hand)["stop"], shown(hand)["target"]) == ("100", "112")
        await price(hand, "111.99")
        assert hand.held("AAPL") == 100
        await price(hand, "112")
        (trade,) = trades
        assert (trade.exit_reason, trade.r_multiple) == ("target", 2)

    run(play)


def test_u19_slippage_is_against_what_each_entry_was_decided_on() -> None:
    """Ten bought at 100 and ten at 110, each at the price that was seen: no slippage."""

    async def play(hand: Rehearsal) -> None:
        trades: list[Any] = []
        hand.engine.subscribe(
            lambda record: (
                trades.append(record.event.trade)
                if isinstance(record.event, ev.PositionClosed)
                else None
            )
        )
        await filled(hand, BUY, 10)
        await price(hand, "110")
        assert (await order(hand, BUY, 10, limit="110")).ok
        await price(hand, "110")
        assert (await hand.engine.command(ask.ClosePosition(by="me", symbol="AAPL"))).ok
        await price(hand, "110")
        (trade,) = trades
        assert (trade.entry_price, trade.slippage_bps) == (105, 0)

    run(play)


# --- a stop and a target on the right side (INVALID_STOP, INVALID_TARGET) -------------------------


@pytest.mark.parametrize(
    ("side", "market", "limit", "protect", "passes"),
    [
        (BUY, "97", "100", "98", False),
        (BUY, "98", "100", "98", False),
        (BUY, "98.01", "100", "98", True),
        (BUY, "105", "100", "98", True),
        (BUY, "105", "100", "100", False),
        (SELL, "103", "100", "102", False),
        (SELL, "102", "100", "102", False),
        (SELL, "101.99", "100", "102", True),
    ],
)
def test_the_stop_of_a_limit_is_asked_against_the_market_too(
    side: Side, market: str, limit: str, protect: str, passes: bool
) -> None:
    async def play(hand: Rehearsal) -> None:
        await price(hand, market)
        done = await order(hand, side, 10, limit=limit, protect=protect)
        assert (done.ok, done.code) == (passes, "" if passes else "INVALID_STOP"), done

    run(play)


def test_so_is_the_stop_of_a_signal_s_limit() -> None:
    async def play(hand: Rehearsal) -> None:
        await price(hand, "97")
        decided = await submitted(hand, signal("100", "98", conviction=60))
        assert (decided.verdict, decided.code) == ("REJECTED", "INVALID_STOP")

    run(play)


@pytest.mark.parametrize(
    ("side", "trigger", "protect", "passes"),
    [
        (BUY, "99", None, False),
        (BUY, "100", None, False),
        (BUY, "100.01", None, True),
        (BUY, "102", "101", True),  # the market reaches the trigger before it reaches the stop
        (BUY, "102", "102", False),
        (SELL, "100", None, False),
        (SELL, "99.99", None, True),
    ],
)
def test_a_stop_order_through_the_market_is_refused(
    side: Side, trigger: str, protect: str | None, passes: bool
) -> None:
    async def play(hand: Rehearsal) -> None:
        await price(hand, "100")
        more = {"protect": protect} if protect else {}
        done = await order(hand, side, 10, trigger=trigger, **more)
        assert (done.ok, done.code) == (passes, "" if passes else "INVALID_STOP"), done

    run(play)


@pytest.mark.parametrize(("trigger", "passes"), [("100", False), ("99.99", True)])
def test_so_is_one_that_is_to_protect_what_is_held(trigger: str, passes: bool) -> None:
    async def play(hand: Rehearsal) -> None:
        await filled(hand, BUY, 10)
        done = await order(hand, SELL, 10, trigger=trigger)
        assert (done.ok, done.code) == (passes, "" if passes else "INVALID_STOP"), done
        await price(hand, "100")
        assert hand.held("AAPL") == 10

    run(play)


@pytest.mark.parametrize(
    ("side", "target", "passes"),
    [
        (BUY, "99", False),
        (BUY, "100", False),
        (BUY, "100.01", True),
        (SELL, "101", False),
        (SELL, "100", False),
        (SELL, "99.99", True),
    ],
)
def test_a_target_on_the_wrong_side_is_refused(side: Side, target: str, passes: bool) -> None:
    async def play(hand: Rehearsal) -> None:
        await price(hand, "100")
        done = await order(hand, side, 10, target=target)
        assert (done.ok, done.code) == (passes, "" if passes else "INVALID_TARGET"), done

    run(play)


def test_a_target_off_the_tick_is_refused() -> None:
    async def play(hand: Rehearsal) -> None:
        await price(hand, "100")
        assert (await order(hand, BUY, 10, target="101.005")).code == "BAD_TICK"

    run(play)


# --- an operator's position is managed as the operator said (X-80) --------------------------------


@pytest.mark.parametrize(
    ("more", "target", "closed_at"),
    [
        ({"protect": "98"}, None, None),
        ({"protect": "98", "target": "103"}, "103", "103"),
        ({"protect": "98", "managed": True}, "104", "104"),
        ({"protect": "98", "managed": True, "target": "106"}, "106", "106"),
        ({"managed": True}, None, None),
        ({"target": "103"}, "103", "103"),
    ],
)
def test_a_target_is_the_price_that_was_given_the_default_or_none(
    more: dict[str, Any], target: str | None, closed_at: str | None
) -> None:
    async def play(hand: Rehearsal) -> None:
        await filled(hand, BUY, 10, **more)
        assert shown(hand)["target"] == target
        if closed_at is not None:
            await price(hand, str(D(closed_at) - D("0.01")))
            assert hand.held("AAPL") == 10
            await price(hand, closed_at)
            assert hand.held("AAPL") == 0
        else:
            await price(hand, "150")
            assert hand.held("AAPL") == 10

    run(play)


@pytest.mark.parametrize(("hold", "left"), [(TradeType.DAY, 0), (TradeType.SWING, 10)])
def test_the_end_of_the_day_and_a_kill_close_it_all_the_same(hold: TradeType, left: int) -> None:
    async def play(hand: Rehearsal) -> None:
        await filled(hand, BUY, 10, protect="98", hold=hold)
        await hand.wait(6 * 3600 - 4 * 60 - 10)  # 10:00 in New York until after 15:55
        await price(hand, "100")
        await hand.wait(2)
        await price(hand, "100")
        assert hand.held("AAPL") == left

    rehearse(play, config=FREE | STILL)


@pytest.mark.parametrize("managed", [True, False])
def test_a_signal_adds_only_to_what_is_managed(managed: bool) -> None:
    async def play(hand: Rehearsal) -> None:
        await filled(hand, BUY, 10, protect="95", managed=managed)
        await price(hand, "102")
        decided = await submitted(hand, signal("102", "99"))
        assert (decided.code == "DUPLICATE_POSITION") is not managed, decided

    run(play)


@pytest.mark.parametrize("managed", [True, False])
@pytest.mark.parametrize("resting_entry", [True, False])
def test_an_operator_adds_unmanaged_to_nothing_that_is(managed: bool, resting_entry: bool) -> None:
    async def play(hand: Rehearsal) -> None:
        await price(hand, "100")
        conviction = 60 if resting_entry else 80  # 60 rests as a limit
        await submitted(hand, signal("98" if resting_entry else "100", "95", conviction=conviction))
        await price(hand, "100")
        assert (hand.held("AAPL") > 0) is not resting_entry
        done = await order(hand, BUY, 1, managed=managed, protect="99")
        assert (done.ok, done.code) == (managed, "" if managed else "DUPLICATE_POSITION"), done

    run(play)


def test_a_flat_signal_closes_what_is_managed_and_leaves_the_rest() -> None:
    async def play(hand: Rehearsal) -> None:
        await filled(hand, BUY, 10)
        flat = signal("100", "95", direction="flat")
        assert (await submitted(hand, flat)).verdict == "REJECTED"
        assert hand.held("AAPL") == 10

    run(play)


def test_a_later_order_s_target_is_that_of_the_position() -> None:
    async def play(hand: Rehearsal) -> None:
        await filled(hand, BUY, 10, target="110")
        await filled(hand, BUY, 11, target="105")
        assert shown(hand)["target"] == "105"

    run(play)


# --- a pause stops the machine alone (X-81) -------------------------------------------------------


def test_while_paused_the_operator_trades_and_the_machine_waits() -> None:
    async def play(hand: Rehearsal) -> None:
        await price(hand, "100")
        assert (await hand.engine.command(ask.Pause(by="me"))).ok
        decided = await submitted(hand, signal("100", "95"))
        assert (decided.verdict, decided.code) == ("REJECTED", "RUN_STATE")
        await filled(hand, BUY, 10, protect="95")
        assert (hand.held("AAPL"), resting(hand)) == (10, [(D(10), D(95))])
        assert hand.engine.status()["run_state"] == "PAUSED"

    run(play)


def test_after_a_resume_the_operator_may_trade_and_the_machine_waits_for_unpause() -> None:
    async def play(hand: Rehearsal) -> None:
        await price(hand, "100")
        assert (await hand.engine.command(ask.Kill(by="me", level=Level.HALT))).ok
        assert (await order(hand, BUY, 10)).code == "KILL_SWITCH"
        await hand.wait(1)
        assert (await hand.engine.command(ask.Resume(by="me", confirm="RESUME"))).ok
        assert hand.engine.status()["run_state"] == "PAUSED"
        assert (await submitted(hand, signal("100", "95"))).code == "RUN_STATE"
        await filled(hand, BUY, 10)
        assert (await hand.engine.command(ask.Unpause(by="me"))).ok
        await price(hand, "100")
        assert (await submitted(hand, signal("100", "94"))).code == "DUPLICATE_POSITION"

    run(play)


# --- stops of the operator, and the sum of what is at risk (X-85, X-82) ---------------------------


def test_a_stop_that_the_operator_rests_for_all_of_it_protects_it() -> None:
    async def play(hand: Rehearsal) -> None:
        await filled(hand, BUY, 99)
        assert (await order(hand, SELL, 99, trigger="95", hold=TradeType.SWING)).ok
        await hand.wait(10)
        assert (shown(hand)["protected"], shown(hand)["stop"]) == ("99", "95")
        risk = hand.engine.status()["open_risk"]
        assert risk == {"at_stops": "495", "entries": "0", "unprotected": []}

    run(play)


def test_what_it_leaves_is_named_until_a_stop_of_ours_covers_the_rest() -> None:
    async def play(hand: Rehearsal) -> None:
        await filled(hand, BUY, 99)
        assert (await order(hand, SELL, 40, trigger="95", hold=TradeType.SWING)).ok
        await hand.wait(1)
        assert shown(hand)["protected"] == "40"
        risk = hand.engine.status()["open_risk"]
        assert (risk["at_stops"], risk["unprotected"]) == ("200", ["AAPL"])
        assert (await hand.engine.command(ask.Protect(by="me", symbol="AAPL", price=D(90)))).ok
        await hand.wait(1)
        assert (shown(hand)["protected"], resting(hand)) == ("99", [(D(59), D(90))])
        risk = hand.engine.status()["open_risk"]
        assert (risk["at_stops"], risk["unprotected"]) == ("790", [])

    run(play)


@pytest.mark.parametrize(("protect", "entries", "bare"), [("95", "40", []), (None, "0", ["AAPL"])])
def test_open_risk_counts_working_entries_and_names_those_without_a_stop(
    protect: str | None, entries: str, bare: list[str]
) -> None:
    async def play(hand: Rehearsal) -> None:
        await price(hand, "100")
        more = {"protect": protect} if protect else {}
        assert (await order(hand, BUY, 10, limit="99", **more)).ok
        await hand.wait(0.5)
        risk = hand.engine.status()["open_risk"]
        assert risk == {"at_stops": "0", "entries": entries, "unprotected": bare}

    run(play)


def test_loosening_counts_the_entries_that_work() -> None:
    async def play(hand: Rehearsal) -> None:
        await filled(hand, BUY, 100, protect="95")
        assert (await order(hand, BUY, 50, limit="99")).ok  # 500 + 50 x 4
        await hand.wait(0.5)
        for where, passes in (("92.99", False), ("93", True)):  # 700 + 50 x 6 is 1,000
            done = await hand.engine.command(ask.Protect(by="me", symbol="AAPL", price=D(where)))
            assert (done.ok, done.code) == (passes, "" if passes else "INVALID_STOP"), done

    run(play)
