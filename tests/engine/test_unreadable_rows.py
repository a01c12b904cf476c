"""One part of a look that cannot be read blinds nobody to the rest (fault 46, X-52, X-71, X-75).

A line of the cash history that is none, or a history that cannot be had, keeps the cash from being
compared and nothing else. A holding or an order of which a number is none freezes its symbol alone:
nothing is concluded of that, and everything else is compared, also without a kill.
"""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.account import CashMovement, MovementKind, VenueOrder, VenuePosition
from engine.domain.market import Quote
from engine.domain.order import OrderStatus, OrderType, Side
from engine.domain.result import Result
from engine.domain.run import Flatten, Phase
from engine.domain.signal import TradeType
from engine.ports import Ambiguous
from tests.engine.liar import PLAIN, Liar, Table, play
from tests.engine.worlds import BROKER

D = Decimal
NO_NUMBER = D("NaN")
HISTORY = msgspec.structs.replace(PLAIN, history=True)


class Odd(Liar):
    """Its history of cash and its rows of BBB may be bad."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.moved: list[CashMovement] = []
        """The history of cash."""
        self.fails = False
        """The history cannot be had."""
        self.bad = ""
        """Which number of its rows of BBB is none."""

    def moves(self, name: str, amount: Decimal, **fields: Any) -> None:
        """So much cash came, as the history says."""
        told = CashMovement(
            movement_id=name,
            kind=MovementKind.TRANSFER,
            currency="USD",
            amount=amount,
            time=self.clock.now(),
        )
        self.moved.append(msgspec.structs.replace(told, **fields))

    async def get_cash_movements_since(self, since: int) -> tuple[CashMovement, ...]:
        await self._answer("moves")
        if self.fails:
            raise Ambiguous(f"503 from the history endpoint, request {len(self.asked)}")
        return tuple(moved for moved in self.moved if moved.time >= since)

    def _odd(self, row: Any, kind: str) -> Any:
        named, _, name = self.bad.partition(".")
        if row.symbol != "BBB" or named != kind:
            return row
        return msgspec.structs.replace(row, **{name: NO_NUMBER})

    async def get_positions(self) -> tuple[VenuePosition, ...]:
        return tuple(self._odd(row, "position") for row in await super().get_positions())

    async def get_open_orders(self) -> tuple[VenueOrder, ...]:
        return tuple(self._odd(row, "order") for row in await super().get_open_orders())


class Scene(Table):
    """The table with that venue, and a price of BBB."""

    makes = Odd

    @property
    def odd(self) -> Odd:
        assert isinstance(self.venue, Odd)
        return self.venue

    def tell_price(self, **sides: Decimal | None) -> None:
        super().tell_price(**sides)
        price = self.venue.price
        self.feed.put(Quote(symbol="BBB", last=price, bid=price, ask=price, time=self.clock.now()))

    async def buys(self, symbol: str, quantity: int) -> Result:
        return await self.engine.command(
            ask.PlaceOrder(
                by="test",
                symbol=symbol,
                side=Side.BUY,
                quantity=D(quantity),
                hold=TradeType.SWING,
                protect=D(90),
            )
        )

    @property
    def resting(self) -> dict[str, Decimal]:
        """What rests there, by symbol."""
        works = [order for order in self.venue.orders.values() if not order.status.is_terminal]
        return {order.symbol: order.quantity for order in works}

    def holds(self, symbol: str) -> Decimal:
        position = self.engine.book.holding(BROKER, symbol)
        return position.quantity if position else D(0)


def spoil(scene: Scene, how: str) -> None:
    """The history of cash is bad from now on."""
    match how:
        case "no number":
            scene.odd.moves("bad", NO_NUMBER)
        case "too large":
            scene.odd.moves("bad", D("1e30"))
        case "no time":
            scene.odd.moves("bad", D(1), time=10**25)
        case "error":
            scene.odd.fails = True
        case "silent":
            scene.odd.silent = {"moves"}


def mend(scene: Scene) -> None:
    scene.odd.moved = [moved for moved in scene.odd.moved if moved.movement_id != "bad"]
    scene.odd.fails, scene.odd.silent = False, set()


ROWS = ["no number", "too large", "no time"]
BAD_HISTORY = pytest.mark.parametrize("how", [*ROWS, "error", "silent"])
BAD_ROW = pytest.mark.parametrize(
    "bad",
    ["position.quantity", "position.average_price", "position.mark", "order.limit_price"],
)


# --- the history of cash --------------------------------------------------------------------------


@BAD_HISTORY
def test_x52_a_kill_closes_what_it_finds_though_the_history_of_cash_is_bad(how: str) -> None:
    async def scene(table: Table) -> None:
        assert isinstance(table, Scene)
        await table.buys("AAA", 40)
        await table.wait(8)
        table.venue.move("BBB", D(30))
        spoil(table, how)
        await table.engine.command(ask.Kill(by="test", flatten=Flatten.ALL))
        await table.until(lambda: not any(table.venue.held.values()), 30)
        await table.wait(60)
        assert not any(table.venue.held.values())
        assert table.venue.sold == 70
        assert table.events(ev.KillProved)[-1].state == "VERIFIED"
        assert table.alarms().count("LOOK_INCOMPLETE") == 1
        assert "RECONCILE_FAILED" not in table.alarms()

    play(scene, table=Scene, able=HISTORY)


@BAD_HISTORY
def test_fault49_what_was_sold_elsewhere_is_found_though_the_history_of_cash_is_bad(
    how: str,
) -> None:
    """Its stop would open a short."""

    async def scene(table: Table) -> None:
        assert isinstance(table, Scene)
        await table.buys("AAA", 40)
        await table.wait(8)
        spoil(table, how)
        table.venue.move("AAA", D(-40))
        await table.wait(200)
        (found,) = table.engine.book.account(BROKER).differences
        assert (found.symbol, found.kind) == ("AAA", "LOCAL_ONLY")
        assert not table.resting
        assert table.alarms().count("LOOK_INCOMPLETE") == 1
        assert "RECONCILE_FAILED" not in table.alarms()

    play(scene, table=Scene, able=HISTORY)


@BAD_HISTORY
def test_x75_cash_is_not_compared_while_its_history_is_bad(how: str) -> None:
    async def scene(table: Table) -> None:
        assert isinstance(table, Scene)
        await table.wait(8)
        spoil(table, how)
        table.venue.cash += 500
        await table.wait(200)
        account = table.engine.book.account(BROKER)
        assert account.unexplained.is_nothing
        assert account.cash["USD"] == table.venue.cash - 500
        assert "CASH_UNEXPLAINED" not in table.alarms()
        mend(table)
        await table.wait(130)
        assert account.unexplained.cash == {"USD": D(500)}

    play(scene, table=Scene, able=HISTORY)


@pytest.mark.parametrize("how", ROWS)
def test_x75_what_can_be_read_of_the_history_is_booked_beside_what_cannot(how: str) -> None:
    async def scene(table: Table) -> None:
        assert isinstance(table, Scene)
        await table.wait(8)
        spoil(table, how)
        table.odd.moves("good", D(500))
        table.venue.cash += 500
        await table.wait(130)
        assert [moved.movement_id for moved in table.events(ev.CashMoved)] == ["good"]
        assert table.engine.book.account(BROKER).cash["USD"] == table.venue.cash

    play(scene, table=Scene, able=HISTORY)


@pytest.mark.parametrize("how", ["error", "silent"])
def test_x75_what_moved_while_the_history_could_not_be_read_is_booked_afterwards(how: str) -> None:
    """However long that took."""

    async def scene(table: Table) -> None:
        assert isinstance(table, Scene)
        await table.wait(8)
        spoil(table, how)
        table.odd.moves("meanwhile", D(500))
        table.venue.cash += 500
        await table.wait(1_500)
        mend(table)
        await table.wait(130)
        assert [moved.movement_id for moved in table.events(ev.CashMoved)] == ["meanwhile"]
        assert table.engine.book.account(BROKER).unexplained.is_nothing

    play(scene, table=Scene, able=HISTORY)


@pytest.mark.parametrize("how", ROWS)
def test_u53_a_bad_line_of_the_history_keeps_no_entry_away(how: str) -> None:
    async def scene(table: Table) -> None:
        assert isinstance(table, Scene)
        await table.wait(8)
        spoil(table, how)
        await table.wait(200)
        done = await table.buys("AAA", 11)
        assert done.ok, done.error

    play(scene, table=Scene, able=HISTORY)


@BAD_HISTORY
def test_x69_a_halt_is_not_cleared_while_the_cash_is_not_known(how: str) -> None:
    async def scene(table: Table) -> None:
        assert isinstance(table, Scene)
        await table.wait(8)
        await table.engine.command(ask.Kill(by="test", flatten=Flatten.ALL))
        await table.wait(30)
        spoil(table, how)
        told = await table.engine.command(ask.Resume(by="test", confirm="RESUME"))
        assert not told.ok
        assert "its cash is not compared" in told.error
        mend(table)
        await table.wait(10)
        told = await table.engine.command(ask.Resume(by="test", confirm="RESUME"))
        assert told.ok, told.error

    play(scene, table=Scene, able=HISTORY)


class SpoiledFromTheStart(Scene):
    how = ""

    async def start(self) -> None:
        spoil(self, self.how)
        await super().start()


@BAD_HISTORY
def test_x75_an_account_begins_though_its_history_of_cash_is_bad(how: str) -> None:
    class Begins(SpoiledFromTheStart):
        pass

    Begins.how = how

    async def scene(table: Table) -> None:
        assert isinstance(table, Scene)
        await table.wait(10)
        assert table.engine.book.data.phase is Phase.RUNNING
        assert table.engine.book.account(BROKER).cash == {"USD": table.venue.cash}

    play(scene, table=Begins, able=HISTORY)


def test_fault46_without_the_fills_nothing_is_compared() -> None:
    """What they explain would look like what nothing does."""

    async def scene(table: Table) -> None:
        assert isinstance(table, Scene)
        await table.buys("AAA", 40)
        await table.wait(8)
        table.odd.silent = {"fills"}
        table.venue.move("AAA", D(-40))
        await table.wait(130)
        account = table.engine.book.account(BROKER)
        assert account.look_failed
        assert not account.differences
        assert table.resting["AAA"]

    play(scene, table=Scene, able=HISTORY)


# --- a row of one symbol --------------------------------------------------------------------------


async def both_held(scene: Scene) -> None:
    for symbol, quantity in (("AAA", 40), ("BBB", 20)):
        done = await scene.buys(symbol, quantity)
        assert done.ok, done.error
    await scene.wait(8)
    scene.venue.orders["theirs"] = VenueOrder(
        client_order_id="theirs",
        venue_order_id="v-theirs",
        symbol="BBB",
        side=Side.BUY,
        type=OrderType.LIMIT,
        quantity=D(5),
        filled=D(0),
        limit_price=D(50),
        status=OrderStatus.NEW,
    )


@BAD_ROW
def test_fault46_a_bad_row_of_one_symbol_blinds_to_no_other(bad: str) -> None:
    async def scene(table: Table) -> None:
        assert isinstance(table, Scene)
        await both_held(table)
        table.odd.bad = bad
        table.venue.move("AAA", D(-40))
        await table.wait(200)
        account = table.engine.book.account(BROKER)
        assert [found.symbol for found in account.differences] == ["AAA"]
        assert table.resting["BBB"]
        assert "AAA" not in table.resting
        # Nothing is concluded of BBB.
        assert table.holds("BBB") == 20
        assert "BBB" not in account.missing
        assert table.alarms().count("LOOK_INCOMPLETE") == 1
        assert "RECONCILE_FAILED" not in table.alarms()

    play(scene, table=Scene)


@BAD_ROW
def test_fault46_a_row_that_can_be_read_again_is_compared_again(bad: str) -> None:
    async def scene(table: Table) -> None:
        assert isinstance(table, Scene)
        await both_held(table)
        del table.venue.orders["theirs"]
        table.odd.bad = "order.stop_price" if bad.startswith("order") else bad
        await table.wait(130)
        assert not table.engine.book.account(BROKER).reconciled_clean
        told = await table.buys("BBB", 1)
        assert not told.ok
        assert "cannot be read" in told.error
        # The stop is not asked about as if it had gone, and whoever looks is told.
        assert "the venue does not list it" not in {e.reason for e in table.events(ev.OrderQueried)}
        shown = await table.engine.command(ask.Reconcile(by="test"))
        assert shown.ok
        assert not shown.data["clean"]
        assert "BBB" in shown.data["notes"][0]
        table.odd.bad = ""
        await table.wait(70)
        account = table.engine.book.account(BROKER)
        assert account.reconciled_clean
        assert not account.blocked
        done = await table.buys("BBB", 1)
        assert done.ok, done.error

    play(scene, table=Scene)


@BAD_ROW
def test_x69_a_halt_is_not_cleared_while_a_holding_cannot_be_read(bad: str) -> None:
    async def scene(table: Table) -> None:
        assert isinstance(table, Scene)
        await both_held(table)
        await table.engine.command(ask.Kill(by="test", flatten=Flatten.NONE))
        table.odd.bad = bad if bad.startswith("position") else "order.stop_price"
        await table.wait(60)
        assert table.events(ev.KillProved)[-1].state == "DEGRADED"
        told = await table.engine.command(ask.Resume(by="test", confirm="RESUME"))
        assert not told.ok
        assert "what the venue says of BBB cannot be read" in told.error

    play(scene, table=Scene)


def test_x85_a_stop_that_is_too_large_is_not_told_again_after_a_bad_look() -> None:
    """What was told of it before a bad look is not told again after it."""

    async def scene(table: Table) -> None:
        assert isinstance(table, Scene)
        await table.buys("BBB", 20)
        await table.wait(8)
        rests = table.venue.orders[next(k for k, o in table.venue.orders.items() if o.stop_price)]
        table.venue.orders["theirs"] = msgspec.structs.replace(
            rests, client_order_id="theirs", venue_order_id="v-theirs", quantity=D(90)
        )
        table.venue._record()
        await table.engine.command(ask.Reconcile(by="test", apply=True))
        await table.wait(5)
        told = table.alarms().count("STOP_TOO_LARGE")
        assert told == 1
        table.odd.bad = "position.mark"
        await table.wait(70)
        table.odd.bad = ""
        await table.wait(70)
        assert table.alarms().count("STOP_TOO_LARGE") == told

    play(scene, table=Scene)


class HeldFromTheStart(Scene):
    """AAA and BBB are held when the account is first looked at, and BBB cannot be read."""

    async def start(self) -> None:
        for symbol in ("AAA", "BBB"):
            self.venue.move(symbol, D(30))
        self.odd.bad = "position.quantity"
        await super().start()


def test_x75_an_account_begins_with_rows_that_can_be_read() -> None:
    async def scene(table: Table) -> None:
        assert isinstance(table, Scene)
        await table.wait(20)
        assert table.engine.book.data.phase is Phase.STARTING
        table.odd.bad = ""
        await table.wait(20)
        assert table.engine.book.data.phase is Phase.RUNNING
        assert (table.holds("AAA"), table.holds("BBB")) == (30, 30)

    play(scene, table=HeldFromTheStart)


def test_x52_a_kill_closes_what_can_be_read_of_an_account_that_is_not_known_yet() -> None:
    async def scene(table: Table) -> None:
        assert isinstance(table, Scene)
        await table.wait(20)
        await table.engine.command(ask.Kill(by="test", flatten=Flatten.ALL))
        await table.until(lambda: table.there == 0, 20)
        await table.wait(60)
        assert table.venue.held == {"AAA": 0, "BBB": 30}
        assert table.events(ev.KillProved)[-1].state == "DEGRADED"
        table.odd.bad = ""
        await table.until(lambda: table.venue.held["BBB"] == 0, 60)
        await table.wait(30)
        assert table.events(ev.KillProved)[-1].state == "VERIFIED"
        assert table.venue.sold == 60

    play(scene, table=HeldFromTheStart)
