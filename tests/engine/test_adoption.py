"""What an account held before it was known, and what its venue says that nothing explains (X-75).

A real engine in virtual time at a venue behind the broker port; AAA trades at 100 all the time.
Sums are worked out by hand: none of them comes from the engine.
"""

import asyncio
from decimal import Decimal
from types import MappingProxyType
from typing import Any

import msgspec
import pytest

from engine.analytics.status import status_of
from engine.core.day import close_day
from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.account import Account, CashMovement, MovementKind, VenueOrder, VenuePosition
from engine.domain.inputs import Stop
from engine.domain.instant import NS_PER_SECOND, Nanos, parse_rfc3339
from engine.domain.market import Quote
from engine.domain.order import (
    Fill,
    OrderStatus,
    OrderTerms,
    OrderType,
    Purpose,
    Side,
    TimeInForce,
)
from engine.domain.run import Flatten, Level, RunState
from engine.ports import Ambiguous, Capabilities, OrderReport
from tests.configs import from_mapping
from tests.engine.driver import CoreDriver
from tests.engine.wires import ABLE, Rig, Wire, play
from tests.engine.worlds import MIDDAY
from tests.simulation.venue import Venue, Working

D = Decimal
HOUR = 3_600 * NS_PER_SECOND
LIMITED = from_mapping(
    {
        "profile": "axion_aggressive",
        "risk": {"max_order_notional": "100000", "daily_loss_limit": "0.02"},
    }
)
"""A day may lose 2 %."""


def old(number: int, side: Side, quantity: int, price: int, ago: int) -> Fill:
    """A trade of somebody else, so many seconds before the engine starts."""
    return Fill(
        execution_id=f"old-{number}",
        client_order_id=f"theirs-{number}",
        account="paper",
        symbol="AAA",
        side=side,
        quantity=D(quantity),
        price=D(price),
        time=MIDDAY - ago * NS_PER_SECOND,
    )


def foreign_stop(
    quantity: int, price: int = 90, *, reduce_only: bool = True, limit: int | None = None
) -> Working:
    """A stop that somebody rested at the venue."""
    terms = OrderTerms(
        client_order_id="their-stop",
        intent_id="theirs",
        account="paper",
        symbol="AAA",
        side=Side.SELL,
        type=OrderType.STOP if limit is None else OrderType.STOP_LIMIT,
        quantity=D(quantity),
        stop_price=D(price),
        limit_price=None if limit is None else D(limit),
        time_in_force=TimeInForce.GTC,
        purpose=Purpose.MANUAL,
        reduce_only=reduce_only,
    )
    return Working(terms, "v-1")


def hold(venue: Venue, quantity: int, average: int, symbol: str = "AAA") -> None:
    venue.positions[symbol], venue.costs[symbol] = D(quantity), D(average)
    venue.prices[symbol] = D(100)


class Held(Wire):
    """99 AAA were bought at 80 long before; 40,000 of cash are left."""

    def __init__(self, venue: Venue, name: str = "paper") -> None:
        super().__init__(venue, name)
        venue.cash = D(40_000)
        hold(venue, 99, 80)


class Traded(Held):
    """The same, with a history: three losers, a sale without its purchase, some of it just now.

    It is told whatever is asked for, as venues do that know no time.
    """

    history = (
        *(
            fill
            for n in range(3)
            for fill in (
                old(10 * n, Side.BUY, 100, 100, 9_000_000 - 1_000 * n),
                old(10 * n + 1, Side.SELL, 100, 50, 8_999_500 - 1_000 * n),
            )
        ),
        old(50, Side.SELL, 70, 100, 8_000_000),
        old(51, Side.BUY, 99, 80, 300),
        old(52, Side.BUY, 5, 80, 2),
        old(53, Side.SELL, 5, 80, 1),
    )

    async def get_fills_since(self, since: int) -> tuple[Fill, ...]:
        return (*self.history, *await super().get_fills_since(since))


def status(rig: Rig) -> dict[str, Any]:
    return status_of(rig.engine.world, rig.clock.now())


def own(rig: Rig) -> dict[str, Any]:
    (account,) = status(rig)["accounts"]
    return dict(account)


def test_x75_the_day_begins_with_all_that_is_held() -> None:
    async def scene(rig: Rig) -> None:
        account = status(rig)["account"]
        # 40,000 and 99 at 100
        assert D(account["starting_equity"]) == D(account["equity"]) == 49_900
        assert D(account["daily_pnl"]) == 0
        (position,) = status(rig)["positions"]
        assert (position["quantity"], position["average_price"]) == ("99", "80")
        assert (position["unrealized_pnl"], position["trade_type"]) == ("1980", "swing")
        assert own(rig)["unexplained"] == []
        assert rig.engine.book.run_state is RunState.ACTIVE
        assert rig.engine.book.data.peak_equity == 49_900

    play(scene, wire=Held)


def test_x75_a_loss_of_the_day_is_seen_beside_what_was_held_before() -> None:
    """The profit of before hides nothing of it: 2 % of 49,900 are 998."""

    async def scene(rig: Rig) -> None:
        for price, halted in ((D(90), False), (D("89.9"), True)):
            rig._prices.cancel()
            for _ in range(3):
                await tell(rig, price)
            assert rig.engine.book.halted is halted, price

    play(scene, wire=Held, config=LIMITED)


async def tell(rig: Rig, price: Decimal, symbol: str = "AAA") -> None:
    quote = Quote(symbol=symbol, bid=price, ask=price, last=price, time=rig.clock.now())
    rig.venue.on_price(quote)
    rig.feed.put(quote)
    await rig.clock.sleep(1.1)


def test_x75_what_happened_before_the_first_look_is_history() -> None:
    async def scene(rig: Rig) -> None:
        assert rig.events(ev.OrderFilled) == []
        assert rig.events(ev.PositionClosed) == []
        assert rig.engine.book.data.loss_streak == 0
        assert not rig.engine.book.halted
        (position,) = status(rig)["positions"]
        assert (position["symbol"], position["quantity"]) == ("AAA", "99")
        assert D(status(rig)["account"]["daily_pnl"]) == 0
        # And it stays so, however often it is told.
        for _ in range(3):
            await rig.clock.sleep(61)
        assert rig.events(ev.OrderFilled) == []
        assert D(status(rig)["account"]["starting_equity"]) == 49_900

    play(scene, wire=Traded)


def test_x75_no_more_is_asked_for_than_what_follows() -> None:
    asked: list[int] = []

    class Asks(Held):
        async def get_fills_since(self, since: int) -> tuple[Fill, ...]:
            asked.append(since)
            return await super().get_fills_since(since)

    async def scene(rig: Rig) -> None:
        assert asked
        assert min(asked) >= MIDDAY - HOUR

    play(scene, wire=Asks)


def test_x75_a_trade_after_the_first_look_is_taken() -> None:
    async def scene(rig: Rig) -> None:
        done = await rig.engine.command(
            ask.PlaceOrder(by="test", symbol="BBB", side=Side.BUY, quantity=D(1))
        )
        assert done.ok, done.error
        await rig.until(lambda: bool(rig.events(ev.OrderFilled)))
        held = {row["symbol"]: row["quantity"] for row in status(rig)["positions"]}
        assert held == {"AAA": "99", "BBB": "1"}

    play(scene, wire=Traded)


# --- differences that come later ------------------------------------------------------------------


def sold_elsewhere(rig: Rig, quantity: int = 99, price: int = 100) -> None:
    venue = rig.venue
    venue.cash += quantity * price
    venue.positions["AAA"] -= quantity
    if not venue.positions["AAA"]:
        del venue.positions["AAA"]


def identities(rig: Rig) -> None:
    """X-75's sums, of the state as it stands, and cash and holdings against the venue's."""
    world, data = rig.engine.world, rig.engine.book.data
    account = rig.engine.book.account("paper")
    session = data.session
    assert session is not None
    odd = {row["symbol"]: D(row["quantity"]) for row in own(rig)["unexplained"]}
    assert account.cash["USD"] + odd.get("", D(0)) == rig.venue.cash
    for symbol in {*account.positions, *rig.venue.positions}:
        ours = account.positions.get(symbol)
        here = D(0) if ours is None else ours.quantity
        assert here + odd.get(symbol, D(0)) == rig.venue.positions.get(symbol, D(0))
    assert world.money.equity == rig.venue.account().equity
    (row,) = [e for e in _day(rig) if isinstance(e, ev.SessionClosed)]
    assert row.ending_equity == (
        row.starting_equity + row.realized_pnl + row.unrealized_pnl + row.flows + row.adjustment
    )
    assert world.money.daily_pnl == row.realized_pnl + row.unrealized_pnl


def _day(rig: Rig) -> list[ev.Event]:
    return list(close_day(rig.engine.world, final=False))


def test_x75_what_was_sold_elsewhere_is_neither_loss_nor_flow() -> None:
    async def scene(rig: Rig) -> None:
        await buy(rig, 99)
        identities(rig)
        sold_elsewhere(rig)
        await rig.clock.sleep(125)
        identities(rig)
        account = status(rig)["account"]
        before = D(account["daily_pnl"])
        assert before == D("-10.89099")  # bought at 100.01, with a commission of a thousandth
        assert rig.engine.book.data.flows == 0
        assert not rig.engine.book.halted
        rows = {row["symbol"]: row for row in own(rig)["unexplained"]}
        assert rows["AAA"]["quantity"] == "-99"
        assert (rows[""]["currency"], D(rows[""]["quantity"])) == ("USD", 9_900)
        drop = rig.engine.world.money.drawdown
        done = await rig.engine.command(ask.Reconcile(by="me", apply=True))
        assert done.ok, done.error
        identities(rig)
        account = status(rig)["account"]
        assert D(account["daily_pnl"]) == before
        assert D(account["equity"]) == rig.venue.account().equity
        assert rig.engine.world.money.drawdown == drop
        assert rig.engine.book.data.flows == 0
        assert (own(rig)["unexplained"], status(rig)["positions"]) == ([], [])
        await rig.clock.sleep(125)
        identities(rig)
        assert D(status(rig)["account"]["daily_pnl"]) == before
        assert rig.events(ev.PositionClosed) == []

    play(scene, config=LIMITED)


async def buy(rig: Rig, quantity: int) -> None:
    done = await rig.engine.command(
        ask.PlaceOrder(by="test", symbol="AAA", side=Side.BUY, quantity=D(quantity), protect=D(50))
    )
    assert done.ok, done.error
    await rig.until(lambda: rig.venue.positions.get("AAA") == quantity)
    await rig.clock.sleep(3)


def test_x75_a_holding_that_appears_is_counted_apart_and_adopted_at_the_venues_average() -> None:
    async def scene(rig: Rig) -> None:
        await buy(rig, 10)
        # 40 more were bought at 90 elsewhere: the venue's average is 92.
        rig.venue.cash -= 3_600
        hold(rig.venue, 50, 92)
        await rig.clock.sleep(61)
        identities(rig)
        before = status(rig)["account"]["daily_pnl"]
        assert D(before) == D("-1.1001")
        await rig.engine.command(ask.Reconcile(by="me", apply=True))
        identities(rig)
        assert status(rig)["account"]["daily_pnl"] == before
        (position,) = status(rig)["positions"]
        assert (position["quantity"], position["average_price"]) == ("50", "92")
        # Sold at 101 it gains 50 x 9, and its percent is of 50 x 92.
        rig._prices.cancel()
        await tell(rig, D(101))
        await rig.engine.command(ask.ClosePosition(by="me", symbol="AAA"))
        await rig.until(lambda: bool(rig.events(ev.PositionClosed)))
        (closed,) = rig.events(ev.PositionClosed)
        gain = closed.trade.exit_price - 92
        assert closed.trade.pnl == 50 * gain - closed.trade.fees
        assert closed.trade.pnl_pct == round(closed.trade.pnl / (50 * 92), 8)

    play(scene)


def test_x75_cash_that_nothing_explains_is_no_transfer() -> None:
    async def scene(rig: Rig) -> None:
        start = D(status(rig)["account"]["equity"])
        rig.venue.cash -= 40_000
        await rig.clock.sleep(61)
        account = status(rig)["account"]
        assert D(account["equity"]) == start - 40_000 == rig.venue.account().equity
        assert D(account["daily_pnl"]) == 0
        assert rig.engine.book.data.flows == 0
        assert rig.engine.world.money.drawdown == 0
        assert not rig.engine.book.halted
        (row,) = own(rig)["unexplained"]
        assert (row["symbol"], D(row["value"])) == ("", -40_000)
        identities(rig)
        told = [e for e in rig.events(ev.Alarmed) if e.code == "CASH_UNEXPLAINED"]
        await rig.clock.sleep(200)
        again = [e for e in rig.events(ev.Alarmed) if e.code == "CASH_UNEXPLAINED"]
        assert len(told) == len(again) == 1

    play(scene, config=LIMITED)


def test_x75_a_kill_adopts_and_moves_no_profit() -> None:
    async def scene(rig: Rig) -> None:
        rig.venue.cash -= 4_000
        hold(rig.venue, 50, 80)
        await rig.clock.sleep(61)
        await rig.engine.command(
            ask.Kill(by="me", level=Level.KILL, flatten=Flatten.ALL, reason="because")
        )
        await rig.until(lambda: not rig.venue.positions)
        await rig.clock.sleep(20)
        identities(rig)
        # Worth 100 when it was adopted, sold at 100: only what the sale cost is ours.
        daily = D(status(rig)["account"]["daily_pnl"])
        assert -10 < daily < 0

    play(scene)


# --- what protects a holding that is not known ----------------------------------------------------


class Guarded(Held):
    """99 AAA with a stop of somebody for all of it."""

    flagged = True
    quantity = 99
    limit: int | None = None

    def __init__(self, venue: Venue, name: str = "paper") -> None:
        super().__init__(venue, name)
        stop = foreign_stop(self.quantity, reduce_only=self.flagged, limit=self.limit)
        venue.open["their-stop"] = venue.orders["their-stop"] = stop


class Unflagged(Guarded):
    """At a venue that does not say what only reduces."""

    flagged = False


class TooLarge(Unflagged):
    """It is for more than is held."""

    quantity = 150


class Limited(Unflagged):
    """It has a limit."""

    limit = 88


def guarded_through(wire: type[Wire]) -> None:
    async def scene(rig: Rig) -> None:
        await rig.clock.sleep(125)
        assert "their-stop" in rig.venue.open
        for level, flatten in (
            (Level.HALT, Flatten.NONE),
            (Level.KILL, Flatten.NONE),
            (Level.KILL, Flatten.DAY),
        ):
            await rig.engine.command(ask.Kill(by="me", level=level, flatten=flatten, reason="x"))
            await rig.clock.sleep(10)
            assert "their-stop" in rig.venue.open, (level, flatten)
        (position,) = status(rig)["positions"]
        assert position["protected"] == ("0" if issubclass(wire, Limited) else "99")
        await rig.engine.stop("enough")
        await asyncio.sleep(1)
        assert "their-stop" in rig.venue.open

    play(scene, wire=wire)


@pytest.mark.parametrize("wire", [Guarded, Unflagged, TooLarge, Limited])
def test_x75_a_stop_of_what_was_held_before_stays_through_halt_kill_and_quit(
    wire: type[Wire],
) -> None:
    guarded_through(wire)


@pytest.mark.parametrize("joins", [True, False])
@pytest.mark.parametrize("wire", [Guarded, Unflagged])
@pytest.mark.parametrize("kills", [True, False])
def test_x75_what_was_held_before_can_be_closed_and_takes_its_stop_with_it(
    kills: bool, wire: type[Guarded], joins: bool
) -> None:
    class Here(wire):  # type: ignore[misc,valid-type]
        @property
        def capabilities(self) -> Capabilities:
            return msgspec.structs.replace(ABLE, reduce_only=joins)

    async def scene(rig: Rig) -> None:
        if kills:
            kill = ask.Kill(by="me", level=Level.KILL, flatten=Flatten.ALL, reason="x")
            await rig.engine.command(kill)
        else:
            await rig.engine.command(ask.ClosePosition(by="me", symbol="AAA"))
        await rig.until(lambda: not rig.venue.positions)
        await rig.until(lambda: not rig.venue.open)
        await rig.clock.sleep(61)
        identities(rig)
        (fill,) = rig.events(ev.OrderFilled)
        assert fill.fill.quantity == 99, "no more than was held is sold"
        # 99 sold at 99.99, with a commission of a thousandth
        sold = 99 * D("99.99")
        assert D(status(rig)["account"]["daily_pnl"]) == sold - sold / 1000 - 9_900
        if kills:
            work = rig.engine.book.account("paper").kill
            assert work is not None
            assert work.state == "VERIFIED"

    play(scene, wire=Here)


@pytest.mark.parametrize("flagged", [True, False])
def test_x75_a_stop_for_what_is_not_adopted_stays_through_start_halt_and_quit(
    flagged: bool,
) -> None:
    """The account is known, and what it holds now was bought, and its stop rested, elsewhere."""
    desk = CoreDriver().price("NVDA", "100")
    there = VenueOrder(
        client_order_id="their-stop",
        venue_order_id="v-1",
        symbol="NVDA",
        side=Side.SELL,
        type=OrderType.STOP,
        quantity=D(99),
        filled=D(0),
        stop_price=D(90),
        status=OrderStatus.NEW,
        reduce_only=flagged,
    )
    view: dict[str, Any] = {"positions": {"NVDA": 99}, "orders": (there,)}
    desk.restart(cash=D(90_100), **view)
    for _ in range(2):
        desk.later(61).snapshot(cash=D(90_100), **view)
        desk.tick()
    for level, flatten in (
        (Level.HALT, Flatten.NONE),
        (Level.KILL, Flatten.NONE),
        (Level.KILL, Flatten.DAY),
    ):
        desk.give(ask.Kill(by="me", level=level, flatten=flatten, reason="x"))
        desk.tick()
    desk.give(Stop("enough"))
    assert desk.of(ev.CancelRequested) == []
    assert desk.world.money.daily_pnl == 0


def test_x75_the_list_of_holdings_may_be_behind_that_of_orders() -> None:
    """A stop is cancelled as left over only once another look shows nothing that it protects."""
    desk = CoreDriver().price("NVDA", "100")
    there = VenueOrder(
        client_order_id="their-stop",
        venue_order_id="v-1",
        symbol="NVDA",
        side=Side.SELL,
        type=OrderType.STOP,
        quantity=D(99),
        filled=D(0),
        stop_price=D(90),
        status=OrderStatus.NEW,
        reduce_only=True,
    )
    desk.restart(orders=(there,))
    assert desk.of(ev.CancelRequested) == []
    desk.later(61).snapshot(orders=(there,))
    desk.tick()
    (left,) = desk.of(ev.CancelRequested)
    assert left.client_order_id == "their-stop"


def test_x80_what_is_taken_over_is_kept_beyond_the_day() -> None:
    async def scene(rig: Rig) -> None:
        (order,) = rig.events(ev.OrderAdopted)
        assert order.terms.trade_type == "swing"
        assert rig.status("their-stop") is OrderStatus.NEW

    play(scene, wire=Guarded)


# --- what the venue's account history says --------------------------------------------------------


class Told(Wire):
    """A venue that tells of cash that moved without a trade."""

    def __init__(self, venue: Venue, name: str = "paper") -> None:
        super().__init__(venue, name)
        self.moved: list[CashMovement] = []

    @property
    def capabilities(self) -> Capabilities:
        return msgspec.structs.replace(ABLE, history=True)

    async def get_cash_movements_since(self, since: int) -> tuple[CashMovement, ...]:
        return tuple(self.moved)

    def move(self, kind: MovementKind, amount: int, time: int) -> None:
        self._venue.cash += amount
        made = CashMovement(
            movement_id=f"m-{len(self.moved)}",
            kind=kind,
            currency="USD",
            amount=D(amount),
            time=time,
        )
        self.moved.append(made)


@pytest.mark.parametrize("kind", list(MovementKind))
def test_x75_only_what_the_history_calls_a_transfer_is_one(kind: MovementKind) -> None:
    async def scene(rig: Rig) -> None:
        wire = rig.wire
        assert isinstance(wire, Told)
        assert D(status(rig)["account"]["daily_pnl"]) == 0, "what was before is history"
        wire.move(kind, -300, rig.clock.now())
        await rig.clock.sleep(200)
        transfer = kind is MovementKind.TRANSFER
        assert rig.engine.book.data.flows == (-300 if transfer else 0)
        assert D(status(rig)["account"]["daily_pnl"]) == (0 if transfer else -300)
        assert rig.engine.book.data.realized == (0 if transfer else -300)
        assert own(rig)["unexplained"] == []
        assert len(rig.events(ev.CashMoved)) == 1, "each is booked once"
        identities(rig)
        rig.venue.cash += 50
        await rig.clock.sleep(61)
        (row,) = own(rig)["unexplained"]
        assert D(row["quantity"]) == 50, "what the history does not tell of stays unexplained"
        identities(rig)

    class Before(Told):
        def __init__(self, venue: Venue, name: str = "paper") -> None:
            super().__init__(venue, name)
            self.move(kind, 7_000, MIDDAY - HOUR)

    play(scene, wire=Before)


# --- several holdings, several accounts, several days ---------------------------------------------


class Several(Wire):
    """Three holdings, one of them short, of which the feed prices one."""

    holdings: tuple[tuple[str, int, int], ...] = (
        ("AAA", 99, 80),
        ("CCC", 50, 40),
        ("DDD", -20, 60),
    )
    prices = MappingProxyType({"AAA": D(100), "CCC": D(44), "DDD": D(50)})

    def __init__(self, venue: Venue, name: str = "paper") -> None:
        super().__init__(venue, name)
        venue.cash = D(60_000)
        for symbol, quantity, average in self.holdings:
            hold(venue, quantity, average, symbol)
        venue.prices |= self.prices


class TwoWithoutPrice(Several):
    """Two long holdings that have no price but in the venue's equity."""

    holdings = (("AAA", 99, 80), ("CCC", 50, 40), ("DDD", 20, 60))


def test_x75_the_first_price_of_what_was_adopted_is_no_profit() -> None:
    async def scene(rig: Rig) -> None:
        assert D(status(rig)["account"]["daily_pnl"]) == 0
        for symbol in ("CCC", "DDD"):
            await tell(rig, rig.venue.prices[symbol], symbol)
            assert round(D(status(rig)["account"]["daily_pnl"]), 6) == 0
        account = status(rig)["account"]
        # 60,000 + 9,900 + 2,200 + 1,000
        assert round(D(account["starting_equity"]), 6) == 73_100
        await tell(rig, D(45), "CCC")
        account = status(rig)["account"]
        assert round(D(account["daily_pnl"]), 6) == 50
        assert round(D(account["equity"]), 6) == 73_150
        assert not rig.engine.book.halted

    play(scene, wire=TwoWithoutPrice)


def told_late(rig: Rig, price: int, at: Nanos) -> None:
    """A price of CCC of that time has waited until now."""
    told = D(price)
    rig.feed.put(Quote(symbol="CCC", bid=told, ask=told, last=told, time=at))


def test_x75_a_price_that_waited_while_the_account_began_is_not_the_first_one() -> None:
    async def scene(rig: Rig) -> None:
        for at, price in enumerate((40, 41, 43)):
            told_late(rig, price, MIDDAY + at * NS_PER_SECOND // 4)
            await rig.clock.sleep(0.1)
            assert round(D(status(rig)["account"]["daily_pnl"]), 6) == 0
        await tell(rig, D(44), "CCC")
        await tell(rig, rig.venue.prices["DDD"], "DDD")
        account = status(rig)["account"]
        assert round(D(account["starting_equity"]), 6) == 73_100
        assert round(D(account["daily_pnl"]), 6) == 0
        await tell(rig, D(45), "CCC")
        assert round(D(status(rig)["account"]["daily_pnl"]), 6) == 50

    play(scene, wire=TwoWithoutPrice)


def test_x75_a_feed_that_is_a_quarter_of_an_hour_behind_tells_a_first_price_too() -> None:
    async def scene(rig: Rig) -> None:
        behind = 900 * NS_PER_SECOND
        await rig.clock.sleep(61)
        told_late(rig, 44, rig.clock.now() - behind)
        await rig.clock.sleep(1)
        told_late(rig, 45, rig.clock.now() - behind)
        await rig.clock.sleep(1)
        assert round(D(status(rig)["account"]["daily_pnl"]), 6) == 50

    play(scene, wire=TwoWithoutPrice)


def test_x71_one_bad_tick_is_not_the_first_price_of_what_was_adopted() -> None:
    async def scene(rig: Rig) -> None:
        await tell(rig, D(20), "DDD")
        await tell(rig, D(440), "CCC")
        assert round(D(status(rig)["account"]["daily_pnl"]), 6) == 0
        for price in (44, 44, 45):
            await tell(rig, D(price), "CCC")
        account = status(rig)["account"]
        # 60,000 + 9,900 + 2,200 + 400
        assert round(D(account["starting_equity"]), 6) == 72_500
        assert round(D(account["daily_pnl"]), 6) == 50
        assert rig.engine.book.data.peak_equity == 72_500
        assert not rig.engine.book.halted

    play(scene, wire=TwoWithoutPrice)


def test_x71_a_first_price_far_from_the_estimate_is_taken_once_it_has_evidence() -> None:
    async def scene(rig: Rig) -> None:
        for price in (440, 440):
            await tell(rig, D(price), "CCC")
        assert round(D(status(rig)["account"]["daily_pnl"]), 6) == 0
        await tell(rig, D(441), "CCC")
        assert round(D(status(rig)["account"]["daily_pnl"]), 6) == 50
        assert not rig.engine.book.halted

    play(scene, wire=TwoWithoutPrice)


SOLD_AT_30 = 60_000 + 99 * D(100) + 50 * D(30) + 20 * D(60) * 13_100 / 11_120
"""The start with 50 CCC at 30. DDD has no price but the average, and the venue's equity says that
what cost 11,120 is worth 13,100."""


class SoldByOthers(TwoWithoutPrice):
    """Somebody's stop rests below one of them."""

    quantity = 30

    def __init__(self, venue: Venue, name: str = "paper") -> None:
        super().__init__(venue, name)
        terms = msgspec.structs.replace(foreign_stop(self.quantity, 39).order, symbol="CCC")
        venue.open["their-stop"] = venue.orders["their-stop"] = Working(terms, "v-1")


class AllSoldByOthers(SoldByOthers):
    """It is for all of it."""

    quantity = 50


async def falls(rig: Rig, price: Decimal) -> Decimal:
    """CCC falls at the venue, and no feed tells so; what the sale cost."""
    rig.venue.on_price(Quote(symbol="CCC", bid=price, ask=price, last=price, time=rig.clock.now()))
    await rig.until(lambda: bool(rig.events(ev.OrderFilled)))
    (sold,) = rig.events(ev.OrderFilled)
    assert sold.fill.price == price - D("0.01")
    return D(sold.fill.commission)


@pytest.mark.parametrize("wire", [SoldByOthers, AllSoldByOthers])
def test_x75_the_price_of_a_sale_is_the_first_where_nobody_has_told_another(
    wire: type[SoldByOthers],
) -> None:
    """It was taken over at 47, by the venue's equity, and sells at 30: that is no loss."""

    async def scene(rig: Rig) -> None:
        fee = await falls(rig, D("30.01"))
        account = status(rig)["account"]
        assert round(D(account["daily_pnl"]), 6) == -fee
        assert round(D(account["starting_equity"]), 6) == round(SOLD_AT_30, 6)
        assert not rig.engine.book.halted
        for _ in range(3):
            await tell(rig, D(31), "CCC")
        left = 50 - wire.quantity
        assert round(D(status(rig)["account"]["daily_pnl"]), 6) == left - fee

    play(scene, wire=wire, config=LIMITED)


def test_x75_once_a_price_was_told_a_sale_below_it_is_a_loss() -> None:
    async def scene(rig: Rig) -> None:
        await tell(rig, D(44), "CCC")
        fee = await falls(rig, D("30.01"))
        # 30 sold at 30 and 20 left that are worth 44 by the feed
        assert round(D(status(rig)["account"]["daily_pnl"]), 6) == -30 * 14 - fee

    play(scene, wire=SoldByOthers)


def test_x71_a_sale_shows_that_a_first_price_without_evidence_was_none() -> None:
    """Sold at 30 right after a first tick of 440, it has lost nothing of that."""

    async def scene(rig: Rig) -> None:
        await tell(rig, D(440), "CCC")
        fee = await falls(rig, D("30.01"))
        account = status(rig)["account"]
        assert round(D(account["daily_pnl"]), 6) == -fee
        assert round(D(account["starting_equity"]), 6) == round(SOLD_AT_30, 6)
        assert not rig.engine.book.halted

    play(scene, wire=AllSoldByOthers, config=LIMITED)


def test_x71_a_sale_near_a_first_price_without_evidence_loses_what_it_is_below_it() -> None:
    async def scene(rig: Rig) -> None:
        await tell(rig, D("30.02"), "CCC")
        (sold,) = rig.events(ev.OrderFilled)
        daily = D(status(rig)["account"]["daily_pnl"])
        assert round(daily, 6) == 50 * (sold.fill.price - D("30.02")) - sold.fill.commission

    play(scene, wire=AllSoldByOthers)


class Behind(Several):
    """Two holdings, of which the list of positions shows only one yet; neither has a price."""

    holdings = (("CCC", 50, 40), ("DDD", 20, 60))

    async def get_positions(self) -> tuple[VenuePosition, ...]:
        return tuple(p for p in await super().get_positions() if p.symbol == "CCC")


def test_x75_the_equity_tells_no_price_where_the_list_of_holdings_may_be_behind() -> None:
    """By the equity the 50 would be worth 3,200, and 1,000 of that are what is not listed."""

    async def scene(rig: Rig) -> None:
        for _ in range(3):
            await tell(rig, D(44), "CCC")
        account = status(rig)["account"]
        # 60,000 + 2,200
        assert D(account["starting_equity"]) == 62_200
        assert D(account["daily_pnl"]) == 0
        await tell(rig, D(45), "CCC")
        assert D(status(rig)["account"]["daily_pnl"]) == 50

    play(scene, wire=Behind)


class Unlisted(Held):
    """The list of positions shows nothing until a while after the first start."""

    hidden = 2

    async def get_positions(self) -> tuple[VenuePosition, ...]:
        shown = self._venue.agenda.now >= MIDDAY + self.hidden * NS_PER_SECOND
        return await super().get_positions() if shown else ()


def test_x75_an_account_begins_once_its_cash_and_its_holdings_agree() -> None:
    async def scene(rig: Rig) -> None:
        await rig.until(lambda: rig.engine.book.account("paper").balances is not None)
        await rig.clock.sleep(3)
        account = status(rig)["account"]
        # 40,000 and 99 at 100
        assert D(account["starting_equity"]) == D(account["equity"]) == 49_900
        assert D(account["daily_pnl"]) == 0
        assert own(rig)["unexplained"] == []
        assert rig.engine.book.run_state is RunState.ACTIVE

    play(scene, wire=Unlisted)


class Sold(Several):
    """DDD was sold just before the first look; the list goes on to show it for a while."""

    holdings = (("CCC", 50, 40),)
    shown = 1

    async def get_positions(self) -> tuple[VenuePosition, ...]:
        told = await super().get_positions()
        if self._venue.agenda.now >= MIDDAY + self.shown * NS_PER_SECOND:
            return told
        return (*told, VenuePosition(symbol="DDD", quantity=D(20), average_price=D(60)))


def test_x75_an_account_begins_with_what_two_looks_a_second_apart_say() -> None:
    async def scene(rig: Rig) -> None:
        await rig.until(lambda: rig.engine.book.account("paper").balances is not None)
        await tell(rig, D(44), "CCC")
        account = status(rig)["account"]
        # 60,000 + 2,200
        assert D(account["starting_equity"]) == D(account["equity"]) == 62_200
        assert own(rig)["unexplained"] == []
        assert rig.events(ev.OrderFilled) == []
        assert [row["symbol"] for row in status(rig)["positions"]] == ["CCC"]

    play(scene, wire=Sold)


class PaidLater(Held):
    """Cash comes in between the two answers of a look that began before the account was known."""

    def __init__(self, venue: Venue, name: str = "paper") -> None:
        super().__init__(venue, name)
        venue.agenda.after(1.5, self._pays)

    def _pays(self) -> None:
        self._venue.cash += 500


def test_x75_a_look_that_sees_a_change_after_the_account_began_has_not_failed() -> None:
    async def scene(rig: Rig) -> None:
        await rig.clock.sleep(4)
        assert rig.venue.cash == 40_500
        assert [e.code for e in rig.events(ev.Alarmed) if e.code == "RECONCILE_FAILED"] == []
        assert not any(e.failed for e in rig.events(ev.Reconciled))
        assert D(status(rig)["account"]["starting_equity"]) == 49_900

    play(scene, wire=PaidLater)


class SoldWhileLookedAt(Held):
    """It cannot be asked for a while; then all of it is sold, and the list shows that later."""

    opens = 10.0
    sells = 10.6
    shows = 11.5

    def __init__(self, venue: Venue, name: str = "paper") -> None:
        super().__init__(venue, name)
        venue.agenda.after(self.sells, self._sells)

    def _sells(self) -> None:
        del self._venue.positions["AAA"]
        self._venue.cash += 9_900

    def _is_past(self, second: float) -> bool:
        return self._venue.agenda.now >= MIDDAY + second * NS_PER_SECOND

    async def get_positions(self) -> tuple[VenuePosition, ...]:
        told = await super().get_positions()
        if not self._is_past(self.opens):
            raise Ambiguous("not yet")
        if self._is_past(self.sells) and not self._is_past(self.shows):
            return (VenuePosition(symbol="AAA", quantity=D(99), average_price=D(80)),)
        return told


@pytest.mark.parametrize("looks", [1, 2, 8])
def test_x75_one_change_is_one_however_many_looks_see_it(looks: int) -> None:
    """People and the engine may look at the same time; a list may be behind the cash (X-75)."""

    async def scene(rig: Rig) -> None:
        await rig.clock.sleep(SoldWhileLookedAt.opens - rig.now)
        asked = [
            asyncio.create_task(rig.engine.command(ask.Reconcile(by="me"))) for _ in range(looks)
        ]
        await rig.until(lambda: rig.engine.book.account("paper").balances is not None)
        await asyncio.gather(*asked)
        await rig.clock.sleep(3)
        account = status(rig)["account"]
        assert D(account["starting_equity"]) == D(account["equity"]) == 49_900
        assert own(rig)["unexplained"] == []
        assert status(rig)["positions"] == []

    play(scene, wire=SoldWhileLookedAt)


class Accrues(Wire):
    """It holds nothing, and counts a tenth more than its cash."""

    async def get_account(self) -> Account:
        told = await super().get_account()
        return msgspec.structs.replace(told, equity=told.cash * D("1.1"))


def test_x75_a_venue_that_always_counts_otherwise_is_believed_after_ten_seconds() -> None:
    async def scene(rig: Rig) -> None:
        await rig.clock.sleep(max(0, (MIDDAY - rig.clock.now()) / NS_PER_SECOND + 9))
        assert rig.engine.book.account("paper").balances is None
        await rig.until(lambda: rig.engine.book.account("paper").balances is not None)
        await rig.clock.sleep(3)
        assert D(status(rig)["account"]["starting_equity"]) == rig.venue.cash
        assert rig.engine.book.run_state is RunState.ACTIVE

    play(scene, wire=Accrues)


def test_x75_what_is_bought_after_an_adopted_holding_was_closed_has_its_own_price() -> None:
    """The price of what was taken over is in doubt only as long as that is held."""

    async def scene(rig: Rig) -> None:
        await tell(rig, D(50), "DDD")
        await tell(rig, D(70), "CCC")
        (guessed,) = rig.events(ev.HoldingPriced)[-1:]
        assert (guessed.symbol, guessed.unproved) == ("CCC", True)
        start = rig.engine.book.data.session
        assert start is not None
        await rig.engine.command(ask.ClosePosition(by="me", symbol="CCC"))
        await rig.until(lambda: "CCC" not in rig.venue.positions)
        for price in (44, 44, 44):
            await tell(rig, D(price), "CCC")
        begins, known = start.starting_equity, len(rig.events(ev.HoldingPriced))
        await rig.engine.command(
            ask.PlaceOrder(by="me", symbol="CCC", side=Side.BUY, quantity=D(10), protect=D(40))
        )
        await rig.until(lambda: rig.venue.positions.get("CCC") == 10)
        for price in (44, 45, 45):
            await tell(rig, D(price), "CCC")
        assert rig.events(ev.HoldingPriced)[known:] == []
        assert start.starting_equity == begins
        identities(rig)

    play(scene, wire=TwoWithoutPrice)


def test_x75_longs_and_shorts_without_a_price_begin_at_their_average() -> None:
    async def scene(rig: Rig) -> None:
        account = status(rig)["account"]
        # 60,000 + 9,900 + 2,000 - 1,200: AAA has its price by now
        assert D(account["starting_equity"]) == 70_700
        assert D(account["daily_pnl"]) == 0
        held = {row["symbol"]: row["quantity"] for row in status(rig)["positions"]}
        assert held == {"AAA": "99", "CCC": "50", "DDD": "-20"}

    play(scene, wire=Several)


class Marked(Several):
    """The venue says what it values each at."""

    async def get_positions(self) -> tuple[VenuePosition, ...]:
        return tuple(
            msgspec.structs.replace(held, mark=self.prices.get(held.symbol))
            for held in await super().get_positions()
        )


def test_x75_a_price_that_the_venue_states_counts() -> None:
    async def scene(rig: Rig) -> None:
        account = status(rig)["account"]
        # 60,000 + 9,900 + 2,200 - 1,000
        assert D(account["starting_equity"]) == D(account["equity"]) == 71_100
        assert D(account["daily_pnl"]) == 0

    play(scene, wire=Marked)


class Absurd(Held):
    """A venue whose equity is its cash alone, and an average price of nothing."""

    async def get_positions(self) -> tuple[VenuePosition, ...]:
        nothing = {"average_price": D(0)}
        told = await super().get_positions()
        return tuple(msgspec.structs.replace(held, **nothing) for held in told)

    async def get_account(self) -> Account:
        told = await super().get_account()
        return msgspec.structs.replace(told, equity=told.cash)


def test_x75_without_an_average_the_price_stands_in() -> None:
    async def scene(rig: Rig) -> None:
        (position,) = status(rig)["positions"]
        assert (position["quantity"], position["unrealized_pnl"]) == ("99", "0")
        assert D(position["average_price"]) == 100
        assert D(status(rig)["account"]["daily_pnl"]) == 0

    play(scene, wire=Absurd)


def test_x75_what_is_unexplained_over_a_day_is_in_no_days_profit() -> None:
    desk = CoreDriver().price("NVDA", "100").later(2)
    cash = desk.book.account("paper").cash["USD"]
    desk.later(61).snapshot(positions={"NVDA": 50}, cash=cash + 1_000)
    assert (desk.world.money.equity, desk.world.money.daily_pnl) == (106_000, 0)
    desk.quote("NVDA", "90")
    assert (desk.world.money.equity, desk.world.money.daily_pnl) == (105_500, 0)
    desk.now = parse_rfc3339("2013-10-08T13:30:00Z")
    (row,) = [e for e in desk.tick(0) if isinstance(e, ev.SessionClosed)]
    assert row.final
    assert (row.starting_equity, row.ending_equity, row.adjustment) == (100_000, 105_500, 5_500)
    assert (row.realized_pnl, row.unrealized_pnl, row.flows) == (0, 0, 0)
    desk.quote("NVDA", "95")
    session = desk.book.data.session
    assert session is not None
    assert (session.starting_equity, desk.world.money.daily_pnl) == (105_500, 0)
    assert desk.world.money.drawdown == 0
    view: dict[str, Any] = {"positions": {"NVDA": 50}, "cash": cash + 1_000}
    desk.later(61).snapshot(**view, apply=True, reason="operator")
    assert (desk.world.money.equity, desk.world.money.daily_pnl) == (105_750, 0)
    assert (desk.world.money.unexplained, desk.world.money.drawdown) == (0, 0)
    desk.quote("NVDA", "96")
    assert desk.world.money.daily_pnl == 50
    (row,) = [e for e in close_day(desk.world, final=False) if isinstance(e, ev.SessionClosed)]
    assert (row.starting_equity, row.adjustment) == (105_500, 250)
    assert row.ending_equity == row.starting_equity + row.unrealized_pnl + row.adjustment
    # 2 % of what the day began with and what was adopted since
    assert session.loss_basis == row.starting_equity + session.adjustments


def test_x75_the_start_of_a_day_stays_once_its_row_is_written() -> None:
    """Another account that is looked at for the first time is no profit of a day that has a row."""
    desk = CoreDriver(others=("second",)).price("NVDA", "100")
    list(desk.give(ask.Kill(by="me", level=Level.HALT, flatten=Flatten.NONE, reason="x")))
    told = Account(
        account_id="2",
        cash=D(7_000),
        equity=D(7_000),
        buying_power=D(7_000),
        as_of=desk.now,
    )
    desk.book.enter("second").open = True
    desk.event(ev.AccountSynced(account="second", balances=told, worth=D(7_000), asked_at=desk.now))
    session = desk.book.data.session
    assert session is not None
    assert (session.starting_equity, session.adjustments) == (100_000, 7_000)
    assert (desk.world.money.equity, desk.world.money.daily_pnl) == (107_000, 0)


def test_x75_what_others_trade_before_the_first_look_at_an_account_is_no_trade() -> None:
    """It is held, or no longer, when the account begins; an order of ours is never history."""
    desk = CoreDriver(others=("second",)).price("AAA", "100")
    desk.book.enter("second").open = True
    theirs = msgspec.structs.replace(old(1, Side.SELL, 15, 100, 0), account="second", time=desk.now)
    report = OrderReport(
        client_order_id=theirs.client_order_id,
        venue_order_id="v-1",
        account="second",
        symbol="AAA",
        status=OrderStatus.FILLED,
        fill=theirs,
        time=desk.now,
    )
    assert not any(isinstance(event, ev.OrderFilled) for event in desk.give(report))
    assert desk.book.account("second").positions == {}
