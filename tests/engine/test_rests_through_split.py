"""What rests at the venue while a symbol is split (fault 52, X-93).

A venue adjusts it, cancels it, or leaves it as it was. Once the split is known here, from what the
venue holds or from an operator, what rests is for the new units, or rests no longer: nothing fills
at the old size and price. This venue matches what rests at each price that it tells.
"""

from collections.abc import Awaitable, Callable
from decimal import ROUND_UP, Decimal
from typing import Any

import msgspec
import pytest

from engine.domain import commands as ask
from engine.domain.account import VenueOrder
from engine.domain.order import OrderStatus, OrderType, Side, TimeInForce
from engine.ports import OrderReport, Rejected
from tests.engine.liar import PLAIN, PRICE, ZERO, Liar, Table, play
from tests.engine.worlds import ABLE, BROKER

GAP = 90
"""Seconds without a price."""
A_LOOK = 200
"""Within so many seconds an account is compared."""
STIFF = msgspec.structs.replace(PLAIN, native_modify=False)
ABLES = pytest.mark.parametrize("able", [PLAIN, ABLE, STIFF], ids=["plain", "able", "stiff"])
RESTS = pytest.mark.parametrize("rests", ["leaves", "adjusts", "cancels"])


class Exchange(Liar):
    """The liar's venue, where what rests meets each price."""

    def match(self) -> None:
        """Fill what the price has reached."""
        for key, order in tuple(self.orders.items()):
            if not order.status.is_terminal and self._is_reached(order):
                left = order.quantity - order.filled
                if order.reduce_only and self.capabilities.reduce_only:
                    left = min(left, abs(self.held.get(order.symbol, ZERO)))
                if left:
                    self.trade(key, left)

    def split_what_rests(self, new: int, old: int) -> None:
        """Adjust the orders, while the lists still show the holding as it was."""
        held, average = self.held, self.average
        self.split(new, old, rests="adjusts")
        self.held, self.average = held, average
        self._record()

    def split_holding(self, new: int, old: int) -> None:
        """The lists show the holding in the new units too."""
        self.held = {s: held * new / old for s, held in self.held.items()}
        self.average = self.average * old / new
        self._record()

    def tell_terms(self, key: str) -> None:
        """Report an order with its terms."""
        order = self.orders[key]
        self.tell(
            OrderReport(
                account=self.name,
                client_order_id=key,
                symbol=order.symbol,
                status=order.status,
                filled=order.filled,
                quantity=order.quantity,
                limit_price=order.limit_price,
                stop_price=order.stop_price,
                time=self.clock.now(),
            )
        )

    def _is_reached(self, order: VenueOrder) -> bool:
        buys = order.side is Side.BUY
        stop, limit = order.stop_price, order.limit_price
        if stop is not None:
            return self.price >= stop if buys else self.price <= stop
        return limit is not None and (self.price <= limit if buys else self.price >= limit)


class Floor(Table):
    """An engine at that venue."""

    makes = Exchange
    venue: Exchange

    def tell_price(self, **sides: Decimal | None) -> None:
        self.venue.match()
        super().tell_price(**sides)

    def resting(self) -> list[VenueOrder]:
        """What rests at the venue."""
        return [o for o in self.venue.orders.values() if not o.status.is_terminal]

    async def rest(self, side: Side, quantity: int, **fields: Any) -> str:
        """A person's order that rests; its id."""
        done = await self.order(side, quantity, **fields)
        assert done.ok, done.error
        await self.wait(1)
        (key,) = done.data["client_order_ids"]
        assert not self.venue.orders[key].status.is_terminal
        return str(key)


def on_the_floor(scene: Callable[[Floor], Awaitable[None]], **options: Any) -> None:
    play(scene, table=Floor, **options)  # type: ignore[arg-type]


async def held(table: Floor, quantity: int, **fields: Any) -> None:
    """So many are held; the stop, where there is one, rests."""
    await table.buy(quantity, **fields)
    await table.wait(2)


async def splits(table: Floor, new: int, old: int, rests: str, found: str) -> None:
    """The symbol is split in the night; it is known before the first price of the morning."""
    table.quiet = True
    await table.wait(GAP)
    table.venue.split(new, old, rests=rests)
    if found == "operator":
        done = await table.engine.command(ask.Reconcile(by="test", apply=True))
        assert done.ok, done.error
        await table.wait(20)
    else:
        await table.wait(A_LOOK)


async def morning(table: Floor) -> None:
    """Prices come again, near that of before in the new units."""
    table.quiet = False
    await table.wait(20)


FOUND = pytest.mark.parametrize("found", ["operator", "look"])
RATIOS = pytest.mark.parametrize(("new", "old"), [(7, 1), (1, 10)])


@ABLES
@RESTS
@FOUND
@RATIOS
def test_x93_our_stop_is_for_what_is_held_before_the_first_price(
    new: int, old: int, found: str, rests: str, able: Any
) -> None:
    """Twenty at 100 with a stop at 90."""

    async def scene(table: Floor) -> None:
        await held(table, 20, protect=PRICE * 9 / 10)
        await splits(table, new, old, rests, found)
        (stop,) = table.resting()
        assert stop.stop_price is not None
        exact = PRICE * 9 / 10 * old / new
        assert stop.quantity == table.there == Decimal(20 * new) / old
        assert abs(stop.stop_price - exact) <= Decimal("0.01")
        await morning(table)
        assert table.venue.sold == 0
        assert table.held == table.there == Decimal(20 * new) / old
        assert len(table.resting()) == 1
        assert table.engine.book.data.halt is None
        assert not table.engine.book.account(BROKER).blocked

    on_the_floor(scene, able=able)


@ABLES
@RESTS
@FOUND
@pytest.mark.parametrize("kind", [OrderType.LIMIT, OrderType.STOP])
def test_x93_what_a_person_rests_to_reduce_is_for_the_new_units(
    kind: OrderType, found: str, rests: str, able: Any
) -> None:
    """Twenty become two: what was to sell ten of them at 110, or at 90, sells one at 1,100, or at
    900, or nothing; ten would open a short position."""

    async def scene(table: Floor) -> None:
        await held(table, 20)
        at_limit = kind is OrderType.LIMIT
        name, price = ("limit_price", Decimal(110)) if at_limit else ("stop_price", Decimal(90))
        await table.rest(Side.SELL, 10, type=kind, **{name: price})
        await splits(table, 1, 10, rests, found)
        for order in table.resting():
            # A stop of ours that takes the place of the person's is for all that is held.
            assert order.quantity - order.filled in ((1,) if at_limit else (1, 2))
            assert getattr(order, name) == price * 10
        await morning(table)
        assert table.venue.sold == 0
        assert table.held == table.there == 2

    on_the_floor(scene, able=able)


@ABLES
@RESTS
@FOUND
def test_x93_an_entry_of_the_old_units_rests_no_longer(found: str, rests: str, able: Any) -> None:
    """One to buy five at 95, with a stop at 80, would buy them at 14.29 with a stop above it."""

    async def scene(table: Floor) -> None:
        await held(table, 14, protect=PRICE * 9 / 10)
        key = await table.rest(
            Side.BUY, 5, type=OrderType.LIMIT, limit_price=Decimal(95), protect=Decimal(80)
        )
        await splits(table, 7, 1, rests, found)
        assert table.venue.orders[key].status is OrderStatus.CANCELED
        await morning(table)
        assert (table.held, table.there, table.venue.sold) == (98, 98, 0)
        assert table.engine.book.holding(BROKER, "AAA").stop < 13  # type: ignore[union-attr, operator]

    on_the_floor(scene, able=able)


def of_somebody(table: Floor, **fields: Any) -> None:
    """An order that somebody else rests in the account."""
    told = VenueOrder(
        client_order_id="theirs",
        venue_order_id="v-theirs",
        symbol="AAA",
        filled=ZERO,
        time_in_force=TimeInForce.GTC,
        status=OrderStatus.NEW,
        **fields,
    )
    table.venue.orders["theirs"] = told
    table.venue._record()


@ABLES
@RESTS
@FOUND
def test_x93_a_stop_of_somebody_else_is_for_the_new_units(
    found: str, rests: str, able: Any
) -> None:
    """It was to sell the fourteen at 88: at the first price of the morning it would sell fourteen
    of ninety-eight."""

    async def scene(table: Floor) -> None:
        await held(table, 14)
        of_somebody(
            table,
            side=Side.SELL,
            type=OrderType.STOP,
            quantity=Decimal(14),
            stop_price=Decimal(88),
            reduce_only=True,
        )
        done = await table.engine.command(ask.Reconcile(by="test", apply=True))
        assert done.ok, done.error
        await table.wait(5)
        await splits(table, 7, 1, rests, found)
        for order in table.resting():
            assert order.quantity == 98
            assert order.stop_price is not None
            assert abs(order.stop_price - Decimal(88) / 7) <= Decimal("0.01")
        await morning(table)
        assert (table.held, table.there, table.venue.sold) == (98, 98, 0)

    on_the_floor(scene, able=able)


@RESTS
@FOUND
def test_x93_an_order_of_somebody_else_that_opens_rests_no_longer(found: str, rests: str) -> None:
    async def scene(table: Floor) -> None:
        await held(table, 14, protect=PRICE * 9 / 10)
        of_somebody(
            table,
            side=Side.BUY,
            type=OrderType.LIMIT,
            quantity=Decimal(5),
            limit_price=Decimal(95),
        )
        done = await table.engine.command(ask.Reconcile(by="test", apply=True))
        assert done.ok, done.error
        await table.wait(5)
        await splits(table, 7, 1, rests, found)
        assert table.venue.orders["theirs"].status is OrderStatus.CANCELED
        await morning(table)
        assert (table.held, table.there) == (98, 98)

    on_the_floor(scene)


@pytest.mark.parametrize("rests", ["leaves", "adjusts"])
def test_x93_an_entry_rests_no_longer_though_nothing_is_held(rests: str) -> None:
    """A venue that adjusts it shows that at a look, another one by the first price: 1,000, at which
    one to buy ten at 95 does not fill yet."""

    async def scene(table: Floor) -> None:
        key = await table.rest(
            Side.BUY, 10, type=OrderType.LIMIT, limit_price=Decimal(95), protect=Decimal(80)
        )
        await splits(table, 1, 10, rests, "look")
        await morning(table)
        assert table.venue.orders[key].status is OrderStatus.CANCELED
        assert (table.held, table.there) == (0, 0)
        assert "CORPORATE_ACTION" in table.alarms()

    on_the_floor(scene)


def test_x93_an_entry_that_fills_in_the_old_units_all_the_same_brings_a_stop_of_the_new() -> None:
    """The venue does not answer its cancel before the first price, which fills it."""

    async def scene(table: Floor) -> None:
        await held(table, 14, protect=PRICE * 9 / 10)
        await table.rest(
            Side.BUY, 5, type=OrderType.LIMIT, limit_price=Decimal(95), protect=Decimal(80)
        )
        table.quiet = True
        await table.wait(GAP)
        table.venue.split(7, 1)
        table.venue.silent = {"cancel"}
        await table.wait(A_LOOK)
        table.venue.silent = set()
        await morning(table)
        assert table.held == table.there == 103
        assert table.venue.sold == 0

    on_the_floor(scene, able=ABLE)


@pytest.mark.parametrize("found", ["operator", "look"])
def test_x93_a_change_to_the_new_units_that_is_refused_ends_in_a_cancel(found: str) -> None:
    """What cannot be changed rests no longer, and that is told."""

    class Refuses(Exchange):
        async def modify_order(self, client_order_id: str, *args: Any, **fields: Any) -> None:
            await self._answer("modify")
            raise Rejected("CANNOT_CHANGE", "it cannot be changed")

    class Refusing(Floor):
        makes = Refuses

    async def scene(table: Floor) -> None:
        await held(table, 20)
        key = await table.rest(Side.SELL, 10, type=OrderType.LIMIT, limit_price=Decimal(110))
        await splits(table, 1, 10, "leaves", found)
        assert table.venue.orders[key].status is OrderStatus.CANCELED
        await morning(table)
        assert (table.held, table.there, table.venue.sold) == (2, 2, 0)

    play(scene, table=Refusing, able=ABLE)  # type: ignore[arg-type]


def test_x93_an_older_list_that_comes_later_takes_no_split_back() -> None:
    """The venue's lists may be behind by seconds: fourteen at 100 are what was held before."""

    async def scene(table: Table) -> None:
        await table.buy(14, protect=PRICE * 9 / 10)
        await table.wait(2)
        table.quiet = True
        await table.wait(GAP)
        table.venue.split(7, 1)
        table.quiet = False
        await table.wait(3)
        assert table.held == 98
        assert not table.engine.book.account(BROKER).suspected
        now = table.venue.held, table.venue.average
        table.venue.held, table.venue.average = {"AAA": Decimal(14)}, PRICE
        table.venue._record()
        await table.engine.command(ask.Reconcile(by="test"))
        assert table.held == 98
        table.venue.held, table.venue.average = now
        table.venue._record()
        await table.wait(A_LOOK)
        assert table.held == table.there == 98
        assert not table.engine.book.account(BROKER).blocked

    play(scene, able=ABLE)


@ABLES
@pytest.mark.parametrize("told", ["report", "list"])
@RATIOS
@pytest.mark.parametrize("kind", [OrderType.LIMIT, OrderType.STOP])
def test_x93_what_its_venue_adjusts_before_the_holding_stays(
    kind: OrderType, new: int, old: int, told: str, able: Any
) -> None:
    """Ten of twenty are to be sold at 110, or at 90; that is told in the new units while the
    holding is still listed in the old ones. It is not brought to them a second time."""

    async def scene(table: Floor) -> None:
        await held(table, 20)
        at_limit = kind is OrderType.LIMIT
        name, price = ("limit_price", Decimal(110)) if at_limit else ("stop_price", Decimal(90))
        key = await table.rest(Side.SELL, 10, type=kind, **{name: price})
        table.quiet = True
        await table.wait(GAP)
        table.venue.split_what_rests(new, old)
        if told == "report":
            table.venue.tell_terms(key)
            await table.wait(5)
        else:
            await table.wait(A_LOOK)
        table.venue.split_holding(new, old)
        await table.wait(A_LOOK)
        (order,) = table.resting()
        assert order.client_order_id == key
        assert order.quantity == Decimal(10 * new) / old
        assert abs(getattr(order, name) - price * old / new) <= Decimal("0.01")
        assert "OLD_UNITS" not in table.alarms()
        await morning(table)
        assert table.held == table.there == Decimal(20 * new) / old

    on_the_floor(scene, able=able)


@ABLES
@FOUND
def test_x93_a_stop_for_more_than_is_held_protects_all_of_it_in_the_new_units(
    found: str, able: Any
) -> None:
    """It was to sell thirty of twenty at 88, which become two."""

    async def scene(table: Floor) -> None:
        await held(table, 20)
        of_somebody(
            table,
            side=Side.SELL,
            type=OrderType.STOP,
            quantity=Decimal(30),
            stop_price=Decimal(88),
            reduce_only=True,
        )
        done = await table.engine.command(ask.Reconcile(by="test", apply=True))
        assert done.ok, done.error
        await table.wait(5)
        await splits(table, 1, 10, "leaves", found)
        assert [(o.quantity, o.stop_price) for o in table.resting()] == [(2, 880)]
        await morning(table)
        assert (table.held, table.there, table.venue.sold) == (2, 2, 0)

    on_the_floor(scene, able=able)


@RATIOS
@pytest.mark.parametrize("rests", ["leaves", "adjusts"])
def test_a363_what_fills_after_a_split_is_no_slippage_of_the_old_units(
    rests: str, new: int, old: int
) -> None:
    """Ten of twenty are to be sold at 110, decided at 100, and fill as that price comes."""

    async def scene(table: Floor) -> None:
        await held(table, 20)
        await table.rest(Side.SELL, 10, type=OrderType.LIMIT, limit_price=Decimal(110))
        await splits(table, new, old, rests, "look")
        await morning(table)
        table.venue.price = table.venue.price * 11 / 10 + 1
        await table.wait(5)
        assert table.venue.sold == Decimal(10 * new) / old
        assert not {"SLIPPAGE", "SLIPPAGE_BREACH"} & set(table.alarms())

    on_the_floor(scene, able=ABLE)


@ABLES
@pytest.mark.parametrize("told", ["report", "list"])
@RATIOS
@pytest.mark.parametrize("first", ["holding", "price"])
def test_x93_our_own_stop_that_its_venue_adjusts_before_the_holding_stays_so(
    first: str, new: int, old: int, told: str, able: Any
) -> None:
    """It is for twenty at 90, and told in the new units while the holding is still listed in the
    old ones. Put back to 90 it would sell at the first price of the morning."""

    async def scene(table: Floor) -> None:
        await held(table, 20, protect=PRICE * 9 / 10)
        await table.wait(5)
        (stop,) = table.resting()
        table.quiet = True
        await table.wait(GAP)
        table.venue.split_what_rests(new, old)
        if told == "report":
            table.venue.tell_terms(stop.client_order_id)
            await table.wait(5)
        else:
            await table.wait(A_LOOK)
        (stop,) = table.resting()
        assert stop.quantity == Decimal(20 * new) / old
        assert stop.stop_price == (PRICE * 9 / 10 * old / new).quantize(Decimal("0.01"), ROUND_UP)
        if first == "price":
            await morning(table)
            assert table.venue.sold == 0
        table.venue.split_holding(new, old)
        await table.wait(A_LOOK)
        await morning(table)
        (stop,) = table.resting()
        assert stop.quantity == table.held == table.there == Decimal(20 * new) / old
        assert stop.stop_price is not None
        assert abs(stop.stop_price - PRICE * 9 / 10 * old / new) <= Decimal("0.01")
        assert table.venue.sold == 0
        assert table.engine.book.data.halt is None
        assert not table.engine.book.account(BROKER).blocked
        assert "CORPORATE_ACTION" in table.alarms()

    on_the_floor(scene, able=able)


@ABLES
@pytest.mark.parametrize("told", ["report", "list"])
def test_x93_a_stop_that_is_changed_like_a_split_is_put_back_where_the_price_shows_none(
    told: str, able: Any
) -> None:
    """Prices go on at 100: a stop at 12.86 is not what was wanted."""

    async def scene(table: Floor) -> None:
        await held(table, 20, protect=PRICE * 9 / 10)
        await table.wait(5)
        (stop,) = table.resting()
        price = table.venue.price
        table.venue.split_what_rests(7, 1)
        table.venue.price = price
        if told == "report":
            table.venue.tell_terms(stop.client_order_id)
            await table.wait(10)
        else:
            await table.wait(A_LOOK)
        assert [(o.quantity, o.stop_price) for o in table.resting()] == [(20, PRICE * 9 / 10)]
        assert (table.held, table.there, table.venue.sold) == (20, 20, 0)
        assert not table.engine.book.account(BROKER).blocked

    on_the_floor(scene, able=able)
