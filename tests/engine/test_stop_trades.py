"""A stop that trades ends its entry, and is left alone while it trades (X-78)."""

from collections.abc import Callable
from decimal import Decimal

import msgspec
import pytest

from engine.domain import commands as ask
from engine.domain.inputs import Command
from engine.domain.order import OrderStatus, OrderType, Side
from engine.ports import Capabilities
from tests.engine.wires import ABLE, Rig, play
from tests.simulation.venue import Venue, Working

D = Decimal
S = OrderStatus

ALONE = msgspec.structs.replace(ABLE, reduce_only=False)
BY_CANCEL = msgspec.structs.replace(ALONE, native_modify=False)
VENUES = pytest.mark.parametrize(
    "able", [ABLE, ALONE, BY_CANCEL], ids=["joins", "alone", "by cancel"]
)


class ThinVenue(Venue):
    """A venue with little on the other side: `room` says how much of an order that adds fills at
    each price, `depth` how much of one that reduces."""

    room = D(14)
    depth = D(1_000)

    def _trade(self, working: Working, price: Decimal) -> None:
        most = min(working.leaves, self.depth if working.order.reduce_only else self.room)
        if most:
            self._fill(working, most, price)


def thin(rig: Rig) -> ThinVenue:
    assert isinstance(rig.venue, ThinVenue)
    return rig.venue


def bought(rig: Rig) -> Decimal:
    return sum((f.quantity for f in rig.venue.fills if f.side is Side.BUY), start=D(0))


def stops(rig: Rig) -> list[Working]:
    return [w for w in rig.venue.orders.values() if w.order.is_protective]


async def buy(rig: Rig, quantity: int = 99, limit: int = 100, protect: int | None = 95) -> str:
    done = await rig.engine.command(
        ask.PlaceOrder(
            by="test",
            symbol="AAA",
            side=Side.BUY,
            quantity=D(quantity),
            type=OrderType.LIMIT,
            limit_price=D(limit),
            protect=None if protect is None else D(protect),
        )
    )
    assert done.ok, done.error
    (key,) = done.data["client_order_ids"]
    return str(key)


async def partly_filled(rig: Rig) -> str:
    """14 of 99 are held under a stop at 95, the rest of the entry rests."""
    rig.price = D(101)
    await rig.clock.sleep(1)
    key = await buy(rig)
    await rig.until(lambda: rig.status(key) is S.NEW)
    rig.price = D(100)
    await rig.until(lambda: bool(rig.venue.positions))
    thin(rig).room = D(0)
    await rig.until(lambda: any(w.is_open for w in stops(rig)))
    await rig.clock.sleep(2)
    return key


async def stopped_out(rig: Rig) -> None:
    """The stop trades, and buyers of what is left come back 2 s later."""
    rig.price = D("94.9")
    await rig.until(lambda: not rig.venue.positions)
    await rig.clock.sleep(2)
    thin(rig).room = D(14)
    rig.price = D(99)
    await rig.clock.sleep(60)


@VENUES
def test_x78_what_is_left_of_an_entry_is_cancelled_when_its_stop_trades(
    able: Capabilities,
) -> None:
    async def scene(rig: Rig) -> None:
        key = await partly_filled(rig)
        await stopped_out(rig)
        assert bought(rig) == 14
        assert rig.status(key) is S.CANCELED
        assert not rig.venue.positions
        assert not rig.venue.open

    play(scene, able=able, venue=ThinVenue)


@VENUES
def test_x78_so_is_an_order_that_was_to_add_and_has_filled_nothing(able: Capabilities) -> None:
    async def scene(rig: Rig) -> None:
        await partly_filled(rig)
        more = await buy(rig, 10, 96, protect=None)
        await rig.clock.sleep(1)
        await stopped_out(rig)
        assert rig.status(more) is S.CANCELED
        assert bought(rig) == 14

    play(scene, able=able, venue=ThinVenue)


@VENUES
def test_x78_and_none_takes_the_place_of_an_entry_that_is_being_changed(
    able: Capabilities,
) -> None:
    async def scene(rig: Rig) -> None:
        key = await partly_filled(rig)
        rig.price = D("94.9")
        rig.tell()
        await rig.engine.command(
            ask.ModifyOrder(by="test", client_order_id=key, quantity=D(150), limit_price=D("99.5"))
        )
        await rig.until(lambda: not rig.venue.positions)
        await stopped_out(rig)
        assert bought(rig) == 14
        assert not rig.venue.open
        assert not rig.engine.book.account("paper").replacing

    play(scene, able=able, venue=ThinVenue)


def test_x78_an_order_of_the_other_side_and_of_another_symbol_goes_on() -> None:
    async def scene(rig: Rig) -> None:
        await partly_filled(rig)
        other = await rig.rest("BBB")
        await stopped_out(rig)
        assert rig.status(other) is S.NEW

    play(scene, venue=ThinVenue)


def requests(rig: Rig, since: float) -> list[str]:
    return [what for what in rig.wire.since(since) if what.startswith(("cancel", "submit EXIT"))]


@VENUES
def test_x78_a_stop_that_goes_on_filling_is_left_alone(able: Capabilities) -> None:
    """One unit every half second for 7 s, while nothing else of the entry may fill."""

    async def scene(rig: Rig) -> None:
        await partly_filled(rig)
        thin(rig).depth = D(1)
        start = rig.now
        rig.price = D("94.9")
        await rig.until(lambda: not rig.venue.positions)
        assert rig.now - start > 6
        assert requests(rig, start) == ["cancel"], "that of the entry"
        (stop,) = stops(rig)
        assert stop.status is S.FILLED
        assert stop.quantity == 14

    play(scene, able=able, venue=ThinVenue)


@pytest.mark.parametrize(("filled", "price"), [(0, "94.9"), (3, "94.9"), (3, "99")])
@VENUES
def test_x78_one_that_does_not_go_on_is_exchanged_for_the_close_after_5_s(
    able: Capabilities, filled: int, price: str
) -> None:
    """Also where the price has come back meanwhile: what began to trade was to close it."""

    async def scene(rig: Rig) -> None:
        await partly_filled(rig)
        thin(rig).depth = D(filled)
        rig.price = D("94.9")
        triggered = rig.now
        await rig.clock.sleep(0.6 if filled else 1.2)
        thin(rig).depth = D(0)
        rig.price = D(price)
        left = rig.venue.positions["AAA"]
        assert left == 14 - sum(f.quantity for f in rig.venue.fills if f.side is not Side.BUY)
        await rig.until(lambda: bool(closes(rig)))
        assert 5 <= rig.now - triggered <= 9
        thin(rig).depth = D(1_000)
        await rig.until(lambda: not rig.venue.positions)
        assert sum(f.quantity for f in rig.venue.fills if f.side is not Side.BUY) == 14

    play(scene, able=able, venue=ThinVenue)


@VENUES
def test_x78_a_person_who_closes_waits_for_no_stop_that_trades(able: Capabilities) -> None:
    async def scene(rig: Rig) -> None:
        await partly_filled(rig)
        thin(rig).depth = D(3)
        rig.price = D("94.9")
        await rig.clock.sleep(0.6)
        thin(rig).depth = D(0)
        asked = rig.now
        await rig.engine.command(ask.ClosePosition(by="test", symbol="AAA"))
        await rig.until(lambda: bool(closes(rig)))
        assert rig.now - asked < 2
        thin(rig).depth = D(1_000)
        await rig.until(lambda: not rig.venue.positions)
        assert sum(f.quantity for f in rig.venue.fills if f.side is not Side.BUY) == 14

    play(scene, able=able, venue=ThinVenue)


def closes(rig: Rig) -> list[Working]:
    return [w for w in rig.venue.orders.values() if w.order.closes]


def loosen(rig: Rig, key: str) -> Command:
    return ask.Protect(by="test", symbol="AAA", price=D(90))


def take_away(rig: Rig, key: str) -> Command:
    return ask.Protect(by="test", symbol="AAA", price=None, confirm="UNPROTECT")


def cancel_it(rig: Rig, key: str) -> Command:
    return ask.CancelOrder(by="test", client_order_id=key, confirm="UNPROTECT")


def change_it(rig: Rig, key: str) -> Command:
    return ask.ModifyOrder(by="test", client_order_id=key, stop_price=D(90))


@pytest.mark.parametrize("act", [loosen, take_away, cancel_it, change_it])
@pytest.mark.parametrize("filled", [0, 3])
@VENUES
def test_x78_nobody_moves_a_stop_that_trades_or_takes_it_away(
    able: Capabilities, filled: int, act: Callable[[Rig, str], Command]
) -> None:
    """Triggered by a fill, or by a price beyond it that stands for a second: it goes on to trade,
    and what it does not sell is closed."""

    async def scene(rig: Rig) -> None:
        await partly_filled(rig)
        (stop,) = [w for w in stops(rig) if w.is_open]
        thin(rig).depth = D(filled)
        rig.price = D("94.9")
        await rig.clock.sleep(0.6 if filled else 1.6)
        thin(rig).depth = D(0)
        start = rig.now
        done = await rig.engine.command(act(rig, stop.order.client_order_id))
        assert not done.ok
        assert "trades" in done.error
        await rig.clock.sleep(2)
        assert [what for what in rig.wire.since(start) if what in ("cancel", "modify")] == []
        assert stop.is_open
        thin(rig).depth = D(1_000)
        await rig.until(lambda: not rig.venue.positions)
        assert sum(f.quantity for f in rig.venue.fills if f.side is not Side.BUY) == 14

    play(scene, able=able, venue=ThinVenue)


@pytest.mark.parametrize("act", [loosen, take_away, cancel_it, change_it])
def test_x85_once_the_price_is_back_the_stop_is_the_persons_again(
    act: Callable[[Rig, str], Command],
) -> None:
    async def scene(rig: Rig) -> None:
        await partly_filled(rig)
        (stop,) = [w for w in stops(rig) if w.is_open]
        thin(rig).depth = D(0)
        rig.price = D("94.9")
        await rig.clock.sleep(1.6)
        rig.price = D(99)
        await rig.clock.sleep(0.6)
        assert (await rig.engine.command(act(rig, stop.order.client_order_id))).ok

    play(scene, venue=ThinVenue)
