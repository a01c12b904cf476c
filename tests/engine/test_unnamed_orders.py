"""Orders that somebody rests at the venue without a client order id, or with that of another order.

Each is shown, told as somebody else's, taken over, and cancelled by a kill, by an id of its own
(rules 1 and 6, X-08, A-370, fault 45).
"""

from collections.abc import Sequence
from decimal import Decimal

import msgspec
import pytest

from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.account import VenueOrder
from engine.domain.ids import unnamed_order_id, venue_order_id_of
from engine.domain.order import Fill, OrderStatus, OrderType, Side
from engine.domain.run import Flatten, KillState, Level
from engine.domain.schema import Decoder
from engine.ports import OrderReport, Rejected
from engine.runtime.answers import order_fault
from engine.runtime.order_ids import OrderIds
from engine.state.book import Book
from tests.engine.driver import one
from tests.engine.wires import Rig, Wire, play


def by_hand(there: str, symbol: str, key: str = "", quantity: int = 10) -> VenueOrder:
    """An order that rests far from the market, with the client order id `key`."""
    return VenueOrder(
        client_order_id=key,
        venue_order_id=there,
        symbol=symbol,
        side=Side.BUY,
        type=OrderType.LIMIT,
        quantity=Decimal(quantity),
        filled=Decimal(0),
        limit_price=Decimal(50),
        status=OrderStatus.NEW,
    )


class ByHand(Wire):
    """A venue at which somebody rests orders; it cancels them by what it calls them."""

    theirs: tuple[VenueOrder, ...] = ()
    cancelled: tuple[str, ...] = ()

    async def get_open_orders(self) -> tuple[VenueOrder, ...]:
        return (*await super().get_open_orders(), *self.theirs)

    async def get_order(self, client_order_id: str) -> VenueOrder | None:
        if venue_order_id_of(client_order_id):
            return None
        return await super().get_order(client_order_id)

    async def cancel_order(self, client_order_id: str) -> None:
        there = venue_order_id_of(client_order_id) or client_order_id
        ended = [o for o in self.theirs if there in {o.venue_order_id, o.client_order_id}]
        if not ended:
            await super().cancel_order(client_order_id)
            return
        if len(ended) > 1:
            raise Rejected("AMBIGUOUS", f"{there} are {len(ended)} orders")
        (order,) = ended
        self.theirs = tuple(o for o in self.theirs if o is not order)
        self.cancelled += (order.venue_order_id,)
        self.say(order, OrderStatus.CANCELED)

    def say(self, order: VenueOrder, status: OrderStatus, fill: Fill | None = None) -> None:
        self.carry(
            OrderReport(
                account=self.name,
                client_order_id=order.client_order_id,
                venue_order_id=order.venue_order_id,
                symbol=order.symbol,
                status=status,
                fill=fill,
                time=self._venue.agenda.now,
            )
        )


def wire_of(rig: Rig, *theirs: VenueOrder) -> ByHand:
    assert isinstance(rig.wire, ByHand)
    rig.wire.theirs = theirs
    return rig.wire


def told(rig: Rig, since: float) -> set[tuple[str, str, str]]:
    """What looks told of orders from that second on: id, symbol and the words."""
    return {
        (d.client_order_id, d.symbol, d.venue)
        for look in rig.events(ev.Reconciled, since)
        for d in look.differences
        if d.about is ev.Compared.ORDER
    }


NAMELESS = (by_hand("7", "AAA"), by_hand("8", "BBB", quantity=4))
ALIKE = (by_hand("7", "AAA", "x"), by_hand("8", "BBB", "x", quantity=4))


@pytest.mark.parametrize(
    ("theirs", "first"), [(NAMELESS, "venue-paper-7"), (ALIKE, "x"), (ALIKE[::-1], "x")]
)
def test_each_is_told_by_an_id_of_its_own_and_the_engine_goes_on(
    theirs: Sequence[VenueOrder], first: str
) -> None:
    async def scene(rig: Rig) -> None:
        wire_of(rig, *theirs)
        since = rig.now
        done = await rig.engine.command(ask.Reconcile(by="me"))
        assert {(d["symbol"], d["venue"]) for d in done.data["differences"]} == {
            ("AAA", "BUY 10 LIMIT"),
            ("BBB", "BUY 4 LIMIT"),
        }
        await rig.clock.sleep(120)
        assert told(rig, since) == {
            (first, "AAA", "BUY 10 LIMIT"),
            ("venue-paper-8", "BBB", "BUY 4 LIMIT"),
        }
        assert not rig.engine.book.account("paper").missing

    play(scene, wire=ByHand)


@pytest.mark.parametrize("theirs", [NAMELESS, ALIKE])
def test_a_kill_cancels_each_by_its_id_and_is_proved(theirs: tuple[VenueOrder, ...]) -> None:
    async def scene(rig: Rig) -> None:
        rig.signal()
        await rig.until(lambda: rig.engine.book.holding("paper", "AAA") is not None)
        await rig.clock.sleep(10)
        wire = wire_of(rig, *theirs)
        await rig.engine.command(
            ask.Kill(by="me", level=Level.KILL, flatten=Flatten.ALL, reason="test")
        )
        account = rig.engine.book.account("paper")
        await rig.until(
            lambda: account.kill is not None and account.kill.state == KillState.VERIFIED
        )
        assert sorted(wire.cancelled) == ["7", "8"]
        assert not account.positions
        assert not account.orders

    play(scene, wire=ByHand)


class Stubborn(ByHand):
    """The same at a venue that cancels by the client order id alone."""

    async def cancel_order(self, client_order_id: str) -> None:
        if venue_order_id_of(client_order_id):
            raise Rejected("NO_SUCH_ORDER", f"{client_order_id} is not known")
        await super().cancel_order(client_order_id)


def test_a_kill_closes_what_is_held_and_names_what_its_venue_does_not_cancel() -> None:
    async def scene(rig: Rig) -> None:
        rig.signal("BBB")
        await rig.until(lambda: rig.engine.book.holding("paper", "BBB") is not None)
        await rig.clock.sleep(10)
        wire_of(rig, by_hand("7", "AAA"))
        await rig.engine.command(
            ask.Kill(by="me", level=Level.KILL, flatten=Flatten.ALL, reason="test")
        )
        await rig.until(lambda: any(rig.events(ev.KillProved)))
        proof = rig.events(ev.KillProved)[-1]
        assert (proof.state, proof.left) == ("DEGRADED", ("venue-paper-7",))
        assert not rig.engine.book.account("paper").positions

    play(scene, wire=Stubborn)


def test_one_that_was_taken_over_counts_and_its_fills_are_of_it() -> None:
    async def scene(rig: Rig) -> None:
        wire = wire_of(rig, *NAMELESS)
        await rig.engine.command(ask.Reconcile(by="me", apply=True))
        book = rig.engine.book
        mine = book.order("venue-paper-7")
        assert mine is not None
        assert (mine.symbol, mine.exposure) == ("AAA", Decimal(500))
        fill = Fill(
            execution_id="e1",
            client_order_id="",
            venue_order_id="7",
            account="paper",
            symbol="AAA",
            side=Side.BUY,
            quantity=Decimal(10),
            price=Decimal(50),
            time=rig.clock.now(),
        )
        wire.theirs = NAMELESS[1:]
        wire.say(NAMELESS[0], OrderStatus.FILLED, fill)
        await rig.until(lambda: book.holding("paper", "AAA") is not None)
        assert rig.status("venue-paper-7") is OrderStatus.FILLED
        assert one(rig.events(ev.OrderFilled), ev.OrderFilled).known_order

    play(scene, wire=ByHand)


def test_a_report_without_an_id_is_told_as_of_an_order_that_is_not_ours() -> None:
    async def scene(rig: Rig) -> None:
        wire = wire_of(rig, *NAMELESS)
        for order in NAMELESS:
            wire.say(order, OrderStatus.NEW)
        await rig.clock.sleep(1)
        alarms = [a.text for a in rig.events(ev.Alarmed) if a.code == "FOREIGN_ORDER"]
        assert sorted(text.split(",")[0] for text in alarms) == [
            "AAA: the venue works order venue-paper-7",
            "BBB: the venue works order venue-paper-8",
        ]

    play(scene, wire=ByHand)


def test_it_keeps_its_id_once_the_other_of_the_same_id_is_gone() -> None:
    async def scene(rig: Rig) -> None:
        wire = wire_of(rig, *ALIKE)
        await rig.engine.command(ask.Reconcile(by="me", apply=True))
        assert {o.client_order_id: o.symbol for o in rig.engine.book.orders()} == {
            "x": "AAA",
            "venue-paper-8": "BBB",
        }
        wire.theirs = ALIKE[1:]
        wire.say(ALIKE[0], OrderStatus.CANCELED)
        await rig.clock.sleep(60)
        await rig.engine.command(ask.Reconcile(by="me"))
        assert rig.status("x") is OrderStatus.CANCELED
        assert rig.status("venue-paper-8") is OrderStatus.NEW
        assert rig.engine.book.account("paper").reconciled_clean

    play(scene, wire=ByHand)


def test_of_the_symbol_of_an_order_that_nothing_tells_from_others_nothing_is_concluded() -> None:
    async def scene(rig: Rig) -> None:
        wire_of(rig, by_hand("", "AAA"))
        done = await rig.engine.command(ask.Reconcile(by="me"))
        assert not done.data["clean"]
        assert "AAA" in "".join(done.data["notes"])
        assert "AAA" in rig.book.account("paper").blocked
        await rig.clock.sleep(60)
        texts = [a.text for a in rig.events(ev.Alarmed) if a.code == "LOOK_INCOMPLETE"]
        assert any("an order in AAA has no id that tells it from others" in t for t in texts)
        assert len(texts) == 1

    play(scene, wire=ByHand)


def test_an_id_of_the_venue_is_found_again_in_ours_and_is_none_of_ours() -> None:
    key = unnamed_order_id("my_broker", "A-1-b")
    assert venue_order_id_of(key) == "A-1-b"
    assert venue_order_id_of("19b0c7f6a1d0a1b2c3d4e5f60718293") == ""
    assert unnamed_order_id("one", "7") != unnamed_order_id("two", "7")


def test_orders_that_share_both_ids_have_none_and_one_that_is_listed_twice_is_one() -> None:
    ids = OrderIds("paper", Book())
    twice = by_hand("7", "AAA", "x")
    later = msgspec.structs.replace(twice, filled=Decimal(3), status=OrderStatus.PARTIALLY_FILLED)
    assert ids.of_list((twice, later)) == (later,)
    found = ids.of_list((by_hand("7", "AAA"), by_hand("7", "BBB"), by_hand("9", "AAA", "y")))
    assert [o.client_order_id for o in found] == ["", "", "y"]
    assert "has no id that tells it from others" in order_fault(found[0])
    assert not order_fault(found[2])


@pytest.mark.parametrize(
    ("key", "venue", "about"),
    [
        ("k1", "SELL 4 STOP", ev.Compared.ORDER),
        ("", "BUY 10 LIMIT", ev.Compared.ORDER),
        ("", "-10.5", ev.Compared.HOLDING),
        ("", "", ev.Compared.HOLDING),
    ],
)
def test_a_difference_of_an_older_program_says_what_it_is_about(
    key: str, venue: str, about: ev.Compared
) -> None:
    row = (
        '{"broker":"paper","reason":"start","clean":false,"differences":[{"symbol":"AAPL",'
        f'"kind":"BROKER_ONLY","local":"","venue":"{venue}","client_order_id":"{key}"}}],'
        '"matched":0,"failed":false}'
    )
    event = Decoder("paper").decode("Reconciled", 1, row)
    assert isinstance(event, ev.Reconciled)
    (found,) = event.differences
    assert found.about is about
    assert found.missing == (Decimal(venue or 0) * -1 if about is ev.Compared.HOLDING else 0)


def test_a_difference_that_was_written_before_it_said_so_names_its_order() -> None:
    found = ev.Difference(
        symbol="AAPL", kind="BROKER_ONLY", local="", venue="BUY 1 LIMIT", client_order_id="k"
    )
    assert not found.missing
