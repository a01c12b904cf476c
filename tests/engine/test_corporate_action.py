"""A price that jumps across a gap as a split makes it jump (X-93).

The venue is one behind the port, and the arithmetic is worked out here.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from engine.analytics.status import status_of
from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.inputs import SnapshotTaken, Start
from engine.domain.instant import parse_rfc3339
from engine.domain.order import OrderStatus, OrderType, Purpose, Side
from engine.domain.run import Flatten, LinkState, Mode
from engine.domain.signal import TradeType
from engine.exits.target import target_price
from engine.state.book import Book
from engine.state.holdings import split
from engine.state.position import ExitPlan
from engine.state.waiting import to_come
from engine.world import World
from tests.configs import from_mapping
from tests.engine.driver import CoreDriver, one, protected
from tests.engine.liar import CASH, PLAIN, PRICE, TREE, Table, play
from tests.engine.test_beside_part import beside
from tests.engine.test_room import NATIVE
from tests.engine.worlds import ABLE, ACCOUNT, BROKER

GAP = 90
"""Seconds without a price."""

NEXT_OPEN = parse_rfc3339("2013-10-08T13:30:00Z")
TEN_MINUTES = 600
STRICT = from_mapping({**TREE, "risk": {**TREE["risk"], "daily_loss_limit": "0.0005"}})
"""A loss of 500 trips it, which is less than any jump here makes of what is held."""

SPLITS = [(7, 1), (2, 1), (3, 2), (1, 10), (6, 5), (20, 1)]


async def gap(table: Table, seconds: float = GAP) -> None:
    """A time without prices."""
    table.quiet = True
    await table.wait(seconds)


async def held_with_stop(table: Table, quantity: int, *, short: bool = False) -> None:
    """So many are held with a stop that rests, a tenth away from the price."""
    side, stop = (Side.SELL_SHORT, PRICE * 11 / 10) if short else (Side.BUY, PRICE * 9 / 10)
    done = await table.order(side, quantity, protect=stop)
    assert done.ok, done.error
    wanted = -quantity if short else quantity
    await table.until(lambda: table.held == wanted and bool(stops(table)))


def stops(table: Table) -> list[tuple[Decimal, Decimal | None]]:
    """The stops that rest at the venue: quantity and price."""
    return [
        (order.quantity - order.filled, order.stop_price)
        for order in table.venue.orders.values()
        if order.type is OrderType.STOP and not order.status.is_terminal
    ]


def suspicions(table: Table) -> int:
    """How often it was told that a price looks like a split."""
    return table.alarms().count("CORPORATE_ACTION")


def pnl(table: Table) -> Decimal:
    return table.engine.world.money.daily_pnl


@pytest.mark.parametrize("able", [PLAIN, ABLE], ids=["plain", "able"])
@pytest.mark.parametrize("orders", ["leaves", "adjusts", "cancels"])
@pytest.mark.parametrize("short", [False, True], ids=["long", "short"])
@pytest.mark.parametrize(("new", "old"), SPLITS)
def test_x93_a_split_sells_nothing_trips_nothing_and_is_one_adjustment(
    new: int, old: int, *, short: bool, orders: str, able: Any
) -> None:
    """Twenty of them at 100 are worth 2,000 before and after, whatever they are called."""

    async def scene(table: Table) -> None:
        await held_with_stop(table, 20, short=short)
        sold, before = table.venue.sold, pnl(table)
        await gap(table)
        table.venue.split(new, old, rests=orders)
        table.quiet = False
        await table.wait(20)
        assert suspicions(table) == 1
        assert table.engine.book.data.halt is None
        assert table.venue.sold == sold
        sign = -1 if short else 1
        held = table.engine.book.holding(BROKER, "AAA")
        assert held is not None
        assert held.quantity == sign * Decimal(20 * new) / old == table.there
        assert abs(held.average_price - PRICE * old / new) < Decimal("0.000001")
        assert pnl(table) == before == 0
        assert table.engine.world.money.equity == CASH
        (change,) = table.events(ev.PositionAdjusted)
        assert (change.previous, change.quantity) == (sign * 20, held.quantity)
        ((rests, stop),) = stops(table)
        exact = PRICE * (11 if short else 9) / 10 * old / new
        assert rests == abs(held.quantity)
        assert stop is not None
        assert abs(stop - exact) <= Decimal("0.01")
        assert not table.engine.book.account(BROKER).blocked

    play(scene, config=STRICT, able=able)


def test_x93_what_is_entered_is_refused_and_what_was_to_enter_is_cancelled() -> None:
    async def scene(table: Table) -> None:
        await held_with_stop(table, 14)
        resting = await table.order(
            Side.BUY, 5, type=OrderType.LIMIT, limit_price=PRICE - 1, protect=PRICE * 8 / 10
        )
        (key,) = resting.data["client_order_ids"]
        await gap(table)
        table.venue.price = PRICE / 7
        table.quiet = False
        await table.wait(3)
        assert table.venue.orders[key].status is OrderStatus.CANCELED
        done = await table.order(Side.BUY, 1)
        assert not done.ok
        assert "7:1" in str(done.error)

    play(scene)


def test_x93_a_real_gap_is_believed_after_ten_minutes() -> None:
    """Half is lost overnight, and nothing is split: the backup stop sells, and the loss counts."""

    async def scene(table: Table) -> None:
        await held_with_stop(table, 14)
        await gap(table)
        table.venue.price = PRICE / 2
        table.quiet = False
        await table.wait(TEN_MINUTES - 10)
        assert table.there == 14
        assert stops(table) == [(14, PRICE * 9 / 10)]
        assert table.engine.book.data.halt is None
        assert pnl(table) == 0
        await table.wait(30)
        assert table.engine.book.data.halt is not None
        assert table.there == 0
        assert pnl(table) == -700
        assert suspicions(table) == 1

    play(scene, config=STRICT)


@pytest.mark.parametrize("seconds", [0, 1, 4])
def test_x93_a_crash_inside_a_session_is_no_split(seconds: int) -> None:
    async def scene(table: Table) -> None:
        await held_with_stop(table, 14)
        await gap(table, seconds)
        table.venue.price = PRICE / 2
        table.quiet = False
        await table.wait(15)
        assert suspicions(table) == 0
        assert table.there == 0
        assert table.engine.book.data.halt is not None

    play(scene, config=STRICT)


@pytest.mark.parametrize("price", ["86", "110", "100", "1"])
def test_x93_another_price_after_a_gap_is_a_price(price: str) -> None:
    """Less than a jump, and more than any ratio of twenty."""

    async def scene(table: Table) -> None:
        await held_with_stop(table, 14)
        await gap(table)
        table.venue.price = Decimal(price)
        table.quiet = False
        await table.wait(15)
        assert suspicions(table) == 0
        assert (table.there == 0) is (Decimal(price) < 90)

    play(scene)


def test_x93_the_far_side_has_to_confirm_it() -> None:
    async def scene(table: Table) -> None:
        await held_with_stop(table, 14)
        await gap(table)
        table.venue.price = PRICE / 2
        table.tell_price(ask=PRICE)
        await table.wait(0.2)
        table.tell_price(ask=None)
        await table.wait(0.2)
        assert suspicions(table) == 0
        table.tell_price(ask=PRICE / 2 + 1)
        await table.wait(0.2)
        assert suspicions(table) == 1

    play(scene)


def test_x93_a_price_that_comes_back_was_a_bad_tick() -> None:
    async def scene(table: Table) -> None:
        await held_with_stop(table, 14)
        await gap(table)
        table.venue.price = PRICE / 2
        table.tell_price()
        table.venue.price = PRICE
        await table.wait(0.5)
        table.quiet = False
        await table.wait(5)
        assert suspicions(table) == 1
        assert not table.engine.book.account(BROKER).suspected
        assert not table.engine.book.account(BROKER).blocked
        assert table.held == table.there == 14

    play(scene, config=STRICT)


def _close(table: Table) -> Any:
    return ask.ClosePosition(by="test", symbol="AAA")


def _kill(table: Table) -> Any:
    return ask.Kill(by="test", flatten=Flatten.ALL)


@pytest.mark.parametrize("asked", [_close, _kill])
def test_x93_a_person_closes_all_the_same(asked: Callable[[Table], Any]) -> None:
    async def scene(table: Table) -> None:
        await held_with_stop(table, 14)
        await gap(table)
        table.venue.price = PRICE / 2
        table.quiet = False
        await table.wait(3)
        assert suspicions(table) == 1
        await table.engine.command(asked(table))
        await table.wait(20)
        assert table.there == 0
        assert pnl(table) == -700
        assert not table.engine.book.account(BROKER).suspected

    play(scene)


def test_x93_a_person_decides_with_reconcile() -> None:
    async def scene(table: Table) -> None:
        await held_with_stop(table, 14)
        await gap(table)
        table.venue.price = PRICE / 2
        table.quiet = False
        await table.wait(3)
        await table.engine.command(ask.Reconcile(by="test", apply=True))
        await table.wait(15)
        assert table.there == 0
        assert not table.engine.book.account(BROKER).blocked

    play(scene)


def test_x93_a_person_decides_with_a_stop() -> None:
    async def scene(table: Table) -> None:
        await held_with_stop(table, 14)
        await gap(table)
        table.venue.price = PRICE * 2
        table.quiet = False
        await table.wait(3)
        assert suspicions(table) == 1
        done = await table.engine.command(
            ask.Protect(by="test", symbol="AAA", price=PRICE * 19 / 10)
        )
        assert done.ok, done.error
        await table.wait(5)
        assert stops(table) == [(14, PRICE * 19 / 10)]
        assert not table.engine.book.account(BROKER).blocked
        assert pnl(table) == 1_400

    play(scene)


def test_x93_a_fraction_that_is_paid_out_is_no_other_holding() -> None:
    """Fifteen at 1:10 are one and a half, of which one is left."""

    async def scene(table: Table) -> None:
        await held_with_stop(table, 15)
        await gap(table)
        table.venue.held, table.venue.price = {"AAA": Decimal(1)}, PRICE * 10
        table.venue.average = PRICE * 10
        table.venue._record()
        table.quiet = False
        await table.wait(10)
        assert table.held == 1
        held = table.engine.book.holding(BROKER, "AAA")
        assert held is not None
        assert held.average_price == 1_000
        assert not table.engine.book.account(BROKER).suspected

    play(scene)


def test_x93_the_venue_may_adjust_before_the_price_jumps() -> None:
    """It lists ninety-eight in the night; the price of the morning explains them."""

    async def scene(table: Table) -> None:
        await held_with_stop(table, 14)
        table.quiet = True
        table.venue.split(7, 1)
        await table.wait(200)
        table.quiet = False
        await table.wait(60)
        assert table.held == 98
        assert table.venue.sold == 0
        assert not table.engine.book.account(BROKER).blocked
        assert table.engine.book.data.halt is None

    play(scene, config=STRICT)


async def adopts(table: Table) -> None:
    """An operator takes over what the venue holds."""
    done = await table.engine.command(ask.Reconcile(by="test", apply=True))
    assert done.ok, done.error


@pytest.mark.parametrize("short", [False, True], ids=["long", "short"])
@pytest.mark.parametrize(("new", "old"), SPLITS)
def test_x93_what_an_operator_adopts_at_the_cost_of_before_is_a_split(
    new: int, old: int, *, short: bool
) -> None:
    """The venue tells of it in the night, and is believed before any price shows it: until one
    does, what is held counts at the price that the split makes of the last one."""

    async def scene(table: Table) -> None:
        await held_with_stop(table, 20, short=short)
        sold = table.venue.sold
        await gap(table)
        table.venue.split(new, old)
        for _ in range(2):
            await adopts(table)
            await table.wait(TEN_MINUTES)
            held = table.engine.book.holding(BROKER, "AAA")
            assert held is not None
            assert held.quantity == (-1 if short else 1) * Decimal(20 * new) / old == table.there
            assert abs(held.average_price - PRICE * old / new) < Decimal("0.000001")
            assert abs(table.engine.world.money.equity - CASH) < Decimal("0.0001")
            assert abs(pnl(table)) < Decimal("0.0001")
            assert table.engine.book.account(BROKER).suspected
        table.quiet = False
        await table.wait(20)
        assert suspicions(table) == 1
        assert table.engine.book.data.halt is None
        assert table.venue.sold == sold
        assert abs(pnl(table)) < Decimal("0.0001")
        ((rests, stop),) = stops(table)
        exact = PRICE * (11 if short else 9) / 10 * old / new
        assert (rests, abs((stop or 0) - exact) <= Decimal("0.01")) == (abs(table.there), True)
        account = table.engine.book.account(BROKER)
        assert not account.blocked
        assert not account.suspected

    play(scene, config=STRICT)


@pytest.mark.parametrize(("share", "lost"), [("0.86", 0), ("0.84", 1)])
def test_x93_a_price_that_has_jumped_beside_such_a_split_is_believed_after_ten_minutes(
    share: str, lost: int
) -> None:
    """98 at 14.29 that open at 12 have lost; until that is sure nothing is sold for it."""

    async def scene(table: Table) -> None:
        await held_with_stop(table, 14)
        await gap(table)
        table.venue.split(7, 1)
        await adopts(table)
        table.venue.price *= Decimal(share)
        table.quiet = False
        await table.wait(30)
        assert bool(table.engine.book.account(BROKER).suspected) is bool(lost)
        await table.wait(TEN_MINUTES + 60)
        assert not table.engine.book.account(BROKER).suspected
        assert pnl(table) < -100

    play(scene, config=STRICT)


@pytest.mark.parametrize(
    ("more", "average", "why"),
    [
        (14, PRICE, "somebody bought as many again at the same price"),
        (84, PRICE / 7 * Decimal("1.03"), "the cost is another"),
        (84, PRICE / 7 * Decimal("1.0011"), "it is another by more than it is rounded"),
        (2, Decimal("83.80"), "somebody bought two, and 13:11 would cost 84.62 each"),
        (83, PRICE / 7, "97 for 14 is no ratio"),
        (-28, -PRICE, "the other side"),
    ],
)
def test_x93_what_is_adopted_at_another_cost_or_ratio_is_no_split(
    more: int, average: Decimal, why: str
) -> None:
    async def scene(table: Table) -> None:
        await held_with_stop(table, 14)
        await gap(table)
        table.venue.held = {"AAA": Decimal(14 + more)}
        table.venue.average = abs(average)
        table.venue._record()
        await table.engine.command(ask.Reconcile(by="test"))
        await adopts(table)
        await table.wait(5)
        assert table.held == 14 + more, why
        assert not table.engine.book.account(BROKER).suspected, why
        assert suspicions(table) == 0

    play(scene)


@pytest.mark.parametrize("average", [Decimal("14.29"), PRICE / 7 * Decimal("1.0009")])
def test_x93_the_cost_of_before_may_be_rounded(average: Decimal) -> None:
    async def scene(table: Table) -> None:
        await held_with_stop(table, 14)
        await gap(table)
        table.venue.split(7, 1)
        table.venue.average = average
        table.venue._record()
        await adopts(table)
        assert table.held == 98
        assert table.engine.book.account(BROKER).suspected
        assert suspicions(table) == 1

    play(scene)


def test_x93_a_stop_that_a_venue_takes_away_is_not_placed_at_the_old_price() -> None:
    async def scene(table: Table) -> None:
        await held_with_stop(table, 14)
        await gap(table)
        table.venue.price = PRICE / 7
        table.quiet = False
        await table.wait(2)
        (key,) = [k for k, o in table.venue.orders.items() if o.type is OrderType.STOP]
        table.venue._end(key, OrderStatus.CANCELED)
        await table.wait(30)
        assert stops(table) == []
        assert table.there == 14
        assert "UNPROTECTED" in table.alarms()
        table.venue.held = {"AAA": Decimal(98)}
        table.venue._record()
        await table.engine.command(ask.Reconcile(by="test"))
        await table.wait(10)
        assert [quantity for quantity, _ in stops(table)] == [98]

    play(scene)


# --- one input at a time -----------------------------------------------------------------------


STOCK = "NVDA"
CALL = "NVDA 2013-12-20 100 C"


def sides(desk: CoreDriver, symbol: str, price: Decimal | int | str) -> list[ev.Event]:
    """A quote of one price on both sides."""
    return desk.quote(symbol, price, bid=price, ask=price)


def told(events: list[ev.Event]) -> list[str]:
    return [event.code for event in events if isinstance(event, ev.Alarmed)]


def test_x93_a_restart_in_the_middle_goes_on_where_it_was() -> None:
    desk = protected(14)
    sides(desk, STOCK, 100)
    sides(desk.later(GAP), STOCK, "14.3")
    assert desk.book.account(BROKER).suspected
    again = CoreDriver(running=False)
    again.now = desk.now
    again.book = Book.restore(desk.book.snapshot())
    again.world = World(again.book, desk.world.config, {BROKER: ABLE}, home_calendar="XNYS")
    again.core.world = again.world
    again.give(Start(version="test", accounts={BROKER: ACCOUNT}, config_digest=""))
    again.snapshot(reason="start", positions={STOCK: 14})
    again.tick()
    sides(again.later(2), STOCK, "14.3")
    sides(again.later(2), STOCK, "14.4")
    again.tick()
    assert again.world.money.equity == desk.world.money.equity == 100_000
    assert not again.held().is_closing
    assert again.book.data.halt is None
    again.snapshot(positions={STOCK: 98})
    assert again.held().quantity == 98
    assert again.held().stop == round(Decimal(95) / 7, 8)


@pytest.mark.parametrize("price", ["14.2857", "14.57", "14.01"])
def test_x93_between_two_sessions_whatever_time_lies_between(price: str) -> None:
    """New York closes at 16:00, and a morning's price is that of another session."""
    desk = protected(14)
    sides(desk, STOCK, 100)
    desk.now = NEXT_OPEN
    sides(desk, STOCK, price)
    assert [known.ratio for known in desk.book.account(BROKER).suspected.values()] == ["7:1"]


def test_x93_the_alarm_is_told_once_and_status_shows_it() -> None:
    desk = protected(14)
    sides(desk, STOCK, 100)
    seen = told(sides(desk.later(GAP), STOCK, 50))
    for _ in range(30):
        seen += told(sides(desk.later(1), STOCK, 50)) + told(desk.tick(0))
    assert seen.count("CORPORATE_ACTION") == 1
    found = status_of(desk.world, desk.now)
    (restriction,) = found["accounts"][0]["restrictions"]
    assert restriction["cause"] == "corporate_action"
    assert "2:1" in restriction["reason"]
    (position,) = found["positions"]
    assert position["last"] == "50"
    assert (position["market_value"], position["unrealized_pnl"]) == ("1400", "0")


def test_x93_an_option_is_frozen_with_what_it_leans_on() -> None:
    """Its own price jumps by itself: where the stock stands, that is a price."""
    for jumps in (False, True):
        desk = CoreDriver()
        sides(desk, STOCK, 100)
        desk.hold(CALL, 2, "10")
        sides(desk, CALL, 10)
        sides(desk.later(GAP), STOCK, 50 if jumps else 100)
        sides(desk, CALL, 5)
        frozen = desk.book.account(BROKER).suspected
        assert (set(frozen) == {CALL}) is jumps
        assert desk.world.money.daily_pnl == (0 if jumps else -1_000)
        found = desk.place(
            Side.BUY, 1, symbol=CALL, type=OrderType.LIMIT, limit_price=Decimal("5.1")
        )
        codes = [event.code for event in found if isinstance(event, ev.OrderRefused)]
        assert ("UNKNOWN_STATE" in codes) is jumps


def second_look(desk: CoreDriver, quantity: int) -> SnapshotTaken:
    """What the venue of the other account tells: nothing but its holding differs."""
    view = desk.view(positions={STOCK: quantity})
    known = desk.book.data.accounts.get("second")
    cash = known.cash.get("USD", Decimal(50_000)) if known is not None else Decimal(50_000)
    assert view.balances is not None
    balances = msgspec.structs.replace(
        view.balances, account_id="s", cash=cash, equity=cash, buying_power=cash
    )
    view = msgspec.structs.replace(view, account="second", balances=balances)
    return SnapshotTaken(view, "scheduled")


def test_x93_each_account_is_explained_by_its_own_venue() -> None:
    """Fourteen in one, and twenty-eight in another that was looked at with them in it."""
    desk = CoreDriver(others=("second",))
    sides(desk, STOCK, 100)
    bought = desk.order(STOCK, 14, "100")
    desk.fill(bought, None, "100")
    desk.event(ev.LinkChanged(account="second", state=LinkState.CONNECTED, detail=""))
    desk.event(ev.EngineStarted(**both()))
    desk.give(second_look(desk, 28))
    sides(desk, STOCK, 100)
    before = desk.world.money.equity
    sides(desk.later(GAP), STOCK, 20)
    accounts = [desk.book.account(name) for name in ("paper", "second")]
    assert [list(account.suspected) for account in accounts] == [[STOCK], [STOCK]]
    desk.snapshot(positions={STOCK: 70})
    assert [list(account.suspected) for account in accounts] == [[], [STOCK]]
    assert desk.world.money.equity == desk.world.money.proved.whole == before
    assert [bool(account.blocked) for account in accounts] == [True, True]
    desk.give(second_look(desk, 140))
    assert [list(account.suspected) for account in accounts] == [[], []]
    assert desk.world.money.equity == desk.world.money.proved.whole == before
    assert [bool(account.blocked) for account in accounts] == [False, False]


def both() -> dict[str, Any]:
    """A start with both accounts."""
    return {
        "mode": Mode.PAPER,
        "profile": "",
        "config_digest": "",
        "version": "test",
        "accounts": {"paper": ACCOUNT, "second": "s"},
        "primary": "paper",
    }


def split_in(view: SnapshotTaken) -> SnapshotTaken:
    """The same, at a fifth of the cost."""
    held = view.snapshot.positions
    cheaper = tuple(msgspec.structs.replace(p, average_price=Decimal(20)) for p in held)
    return SnapshotTaken(msgspec.structs.replace(view.snapshot, positions=cheaper), view.reason)


@pytest.mark.parametrize("quoted", [True, False], ids=["priced", "after a start"])
def test_x93_a_split_that_one_venue_shows_makes_no_loss_of_what_another_account_holds(
    *, quoted: bool
) -> None:
    """Five hundred at 100 in one and four hundred in another, of 190,000 in all: one venue shows
    2,500 at 20 in the night, before any price does, and the other an hour later."""
    desk = CoreDriver(others=("second",))
    sides(desk, STOCK, 100)
    desk.fill(desk.order(STOCK, 500, "100"), None, "100")
    desk.event(ev.EngineStarted(**both()))
    for name in ("paper", "second"):
        desk.event(ev.LinkChanged(account=name, state=LinkState.CONNECTED, detail=""))
    desk.give(second_look(desk, 400))
    sides(desk, STOCK, 100)
    if not quoted:
        desk.event(
            ev.EquityMarked(
                equity=Decimal(190_000),
                peak=Decimal(190_000),
                drawdown=Decimal(0),
                marks={STOCK: Decimal(100)},
                rates={},
            )
        )
        desk.world.market.quotes.clear()
    money, accounts = desk.world.money, [desk.book.account(name) for name in ("paper", "second")]
    desk.later(GAP)
    seen = desk.give(split_in(SnapshotTaken(desk.view(positions={STOCK: 2_500}), "scheduled")))
    assert "second" in {e.account for e in seen if isinstance(e, ev.SnapshotRequested)}
    for _ in range(2):
        desk.later(1_000).give(second_look(desk, 400))
        assert money.equity == money.proved.whole == 190_000
    desk.later(1_000).give(split_in(second_look(desk, 2_000)))
    assert money.equity == money.proved.whole == 190_000
    assert [account.positions[STOCK].quantity for account in accounts] == [2_500, 2_000]
    for _ in range(3):
        sides(desk.later(1), STOCK, 20)
    assert money.equity == money.proved.whole == 190_000
    assert [account.suspected or account.blocked for account in accounts] == [{}, {}]
    assert desk.book.data.halt is None


@pytest.mark.parametrize("short", [False, True], ids=["long", "short"])
@pytest.mark.parametrize(("new", "old"), SPLITS)
def test_x93_what_is_risked_a_unit_and_the_target_made_of_it_are_those_of_the_new_units(
    new: int, old: int, *, short: bool
) -> None:
    """Entered at 100 with a stop 10 away: the target is twice that away (A-163)."""

    async def scene(table: Table) -> None:
        sign = -1 if short else 1
        side = Side.SELL_SHORT if short else Side.BUY
        done = await table.order(
            side, 20, protect=PRICE - 10 * sign, managed=True, hold=TradeType.SWING
        )
        assert done.ok, done.error
        await table.until(lambda: abs(table.held) == 20 and bool(stops(table)))
        await gap(table)
        table.venue.split(new, old)
        table.quiet = False
        await table.wait(20)
        held = table.engine.book.holding(BROKER, "AAA")
        assert held is not None
        assert (held.quantity, held.is_closing) == (sign * Decimal(20 * new) / old, False)
        assert held.initial_risk is not None
        assert abs(held.initial_risk - Decimal(10 * old) / new) < Decimal("0.000001")
        target = target_price(table.engine.world, held)
        assert target is not None
        assert abs(target - (PRICE + 20 * sign) * old / new) < Decimal("0.000001")

    play(scene, able=ABLE)


def trade_of(desk: CoreDriver, times: int) -> None:
    """20 at 100 with a stop at 90, 5 of them sold at 110 and 4 more to be sold; in units that are
    so many times smaller."""
    price = Decimal(100) / times
    entry = desk.order("NVDA", 20 * times, price, stop=price * 9 / 10, limit=price)
    desk.accept(entry)
    desk.filled(entry, 20 * times, price)
    part = desk.order("NVDA", 5 * times, price, side=Side.SELL, reserves=False)
    desk.filled(part, 5 * times, price * 11 / 10)
    desk.give(ask.ClosePosition(by="me", symbol="NVDA", quantity=Decimal(4 * times)))


def test_x93_every_number_of_a_holding_is_that_of_one_bought_in_the_new_units() -> None:
    halved, bought = CoreDriver(), CoreDriver()
    trade_of(halved.price("NVDA", "100"), 1)
    trade_of(bought.price("NVDA", "50"), 2)
    event = ev.PositionAdjusted(
        symbol="NVDA",
        account=BROKER,
        quantity=Decimal(30),
        price=Decimal(50),
        multiplier=Decimal(1),
        previous=Decimal(15),
        reason="split 2:1",
        by="CORPORATE_ACTION",
        numerator=2,
        denominator=1,
    )
    halved.event(event)

    def numbers(desk: CoreDriver) -> dict[str, Any]:
        held = desk.held()
        known = {name: getattr(held, name) for name in held.__struct_fields__}
        # What was traded stays as it was told.
        return {name: n for name, n in known.items() if isinstance(n, Decimal | ExitPlan)}

    assert numbers(halved) == numbers(bought)
    assert (halved.held().initial_risk, halved.held().average_price) == (5, 50)


@pytest.mark.parametrize(
    ("closing", "new", "old", "held", "left"),
    [
        ("4", 7, 1, "105", "28"),
        ("5", 3, 2, "22", "7"),
        ("1", 1, 10, "1", "0"),
        ("0.5", 3, 1, "46.5", "1.5"),
    ],
)
def test_x93_the_part_that_was_to_be_closed_is_in_whole_new_units(
    closing: str, new: int, old: int, held: str, left: str
) -> None:
    """Of whole units; of a coin it is as fine as the coin is."""
    desk = CoreDriver().price("NVDA", "100")
    trade_of(desk, 1)
    before = desk.held()
    assert before.exiting is not None
    plan = msgspec.structs.replace(before.exiting, quantity=Decimal(closing))
    after = split(msgspec.structs.replace(before, exiting=plan), Decimal(held), new, old)
    assert after.exiting is not None
    assert after.exiting.quantity == Decimal(left)


def test_x93_what_waits_to_be_sold_in_the_old_units_is_never_sent_and_that_is_told() -> None:
    """60 of 99 were to be sold once the stop had made room; the venue answers no cancel before the
    split. 60 of the new units are something else than was asked for."""

    async def scene(table: Table) -> None:
        await held_with_stop(table, 99)
        table.venue.silent = {"cancel", "modify"}
        await gap(table)
        done = await table.order(Side.SELL, 60)
        assert done.ok, done.error
        table.venue.split(2, 1)
        table.quiet = False
        await table.wait(10)
        assert table.events(ev.PositionAdjusted)
        (refused,) = table.events(ev.LegRefused)
        assert "split 2:1" in refused.reason
        assert table.alarms().count("ORDER_NOT_SENT") == 1
        table.venue.silent = set()
        await table.wait(120)
        sent = [event.terms.quantity for event in table.events(ev.OrderIntended)]
        assert Decimal(60) not in sent

    play(scene, able=PLAIN)


def test_x93_a_change_that_waits_in_the_old_units_is_given_up() -> None:
    """40 of 150 were to become 50: they have ended, and the stop has not made room before the
    split."""
    desk, (sale,) = beside(NATIVE, 40)
    sides(desk, STOCK, 100)
    change = ask.ModifyOrder(by="me", client_order_id=sale.client_order_id, quantity=Decimal(50))
    desk.give(change)
    desk.report(sale, OrderStatus.CANCELED, filled=Decimal(0))
    assert to_come(desk.book, BROKER, STOCK) == 50
    sides(desk.later(GAP), STOCK, 50)
    stop = desk.works(desk.last(Purpose.PROTECT))
    desk.snapshot(positions={STOCK: 300}, orders=(stop,))
    assert desk.held().quantity == 300
    assert "split 2:1" in one(desk.seen, ev.ReplaceAbandoned).reason
    assert "REPLACE_ABANDONED" in told(desk.seen)
    assert to_come(desk.book, BROKER, STOCK) == 0
    assert len(desk.intended(Purpose.MANUAL)) == 1
