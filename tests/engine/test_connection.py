"""The connection of an account breaks at every moment, and is there again by itself (C-441, P-05).

A real engine in virtual time at the simulator's venue, which here fails in one way only: its link
is cut and comes back when the test says so.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from random import Random

import msgspec
import pytest

from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.account import VenueOrder
from engine.domain.codes import Verdict
from engine.domain.instant import NS_PER_SECOND
from engine.domain.market import Quote
from engine.domain.order import OrderStatus, Side
from engine.domain.run import Flatten, Halt, LinkState
from engine.ports import (
    AuthFailed,
    BrokerError,
    Capabilities,
    LinkReport,
    NotSent,
    Rejected,
    Report,
    Throttled,
)
from engine.runtime.answers import LONGEST_WAIT
from engine.runtime.clock import VirtualClock
from engine.runtime.virtual_time import VirtualLoop, run_virtual
from engine.state.account import AccountStatus
from tests.engine.wires import ABLE, PRICE, Rig, Wire, play
from tests.engine.worlds import MIDDAY
from tests.simulation.agenda import Agenda
from tests.simulation.faults import Faults
from tests.simulation.line import Line
from tests.simulation.store import FileLatch
from tests.simulation.venue import TIMEOUTS, Venue

# --- the link is cut while nothing is under way ---------------------------------------------------


def test_C441_an_idle_link_is_tried_at_once_and_then_after_pauses() -> None:
    async def scene(rig: Rig) -> None:
        down = rig.now
        rig.cut()
        await rig.clock.sleep(10)
        rig.mend()
        await rig.until(lambda: rig.is_compared)
        assert rig.wire.attempts(down) == [0, 0.5, 1.5, 3.5, 7.5, 11.5]
        assert rig.links(down) == [LinkState.DISCONNECTED, LinkState.CONNECTED]

    play(scene)


def test_P05_a_link_that_is_back_is_found_within_five_seconds_however_long_it_was_away() -> None:
    async def scene(rig: Rig) -> None:
        rig.cut()
        await rig.clock.sleep(1234.5)
        rig.mend()
        back = rig.now
        await rig.until(lambda: rig.is_connected)
        assert rig.now - back < 5

    play(scene, jitter=Random(3))


def test_entries_are_refused_while_the_link_is_down_and_until_it_was_looked_at() -> None:
    async def scene(rig: Rig) -> None:
        rig.cut()
        await rig.clock.sleep(0.01)
        assert rig.signal().code == "NO_ACCOUNT"
        await rig.clock.sleep(3)
        rig.mend()
        await rig.until(lambda: rig.is_connected)
        back = rig.now
        refused = rig.signal()
        assert (refused.verdict, refused.code) == (Verdict.REJECTED, "NO_ACCOUNT")
        await rig.until(lambda: rig.is_compared)
        assert rig.wire.since(back - 0.02) == ["look"]
        assert rig.signal().verdict is not Verdict.REJECTED
        await rig.until(lambda: "submit ENTRY" in rig.wire.since(back))

    play(scene)


@pytest.mark.parametrize(("stood", "first"), [(4.9, 0.5), (5.1, 0.0)])
def test_a_link_that_broke_within_five_seconds_is_not_stormed(stood: float, first: float) -> None:
    """A connection that does not stay is one more attempt that failed."""

    async def scene(rig: Rig) -> None:
        rig.cut()
        rig.mend()
        await rig.until(lambda: rig.is_connected and rig.links()[-2:-1] == ["DISCONNECTED"])
        up = next(
            r.time
            for r in reversed(rig.records)
            if isinstance(r.event, ev.LinkChanged) and r.event.state is LinkState.CONNECTED
        )
        again = (up - MIDDAY) / NS_PER_SECOND + stood
        await rig.clock.sleep(again - rig.now)
        down = rig.now
        rig.cut()
        await rig.clock.sleep(0.001)
        rig.mend()
        await rig.until(lambda: rig.is_connected)
        # Where it is tried at once the link is still cut, and the second attempt finds it.
        assert rig.wire.attempts(down)[0] == first

    play(scene)


# --- the link is cut with something on the way ----------------------------------------------------


@pytest.mark.parametrize("arrives", [True, False])
def test_C402_an_order_on_the_way_is_asked_about_and_never_sent_again(arrives: bool) -> None:
    async def scene(rig: Rig) -> None:
        if not arrives:
            rig.venue.faults = Faults(lost_request=1.0)
        start = rig.now
        rig.signal()
        await rig.until(lambda: "submit ENTRY" in rig.wire.since(start), 5)
        rig.cut()
        rig.venue.faults = Faults()
        gap = rig.now
        (entry,) = rig.orders()
        await rig.clock.sleep(6)
        assert rig.status(entry.client_order_id) is OrderStatus.UNKNOWN
        assert rig.wire.since(gap) == []
        rig.mend()
        await rig.until(lambda: rig.is_compared)
        # The link was lost: what is an entry is to end, and cancels leave first.
        assert rig.wire.since(gap)[:3] == ["cancel", "look", "query"]
        await rig.until(lambda: rig.status(entry.client_order_id).is_terminal)
        expected = OrderStatus.FILLED if arrives else OrderStatus.REJECTED
        assert rig.status(entry.client_order_id) is expected
        assert rig.wire.since(start).count("submit ENTRY") == 1
        held = rig.engine.book.holding("paper", "AAA")
        assert (held.quantity if held else 0) == rig.venue.positions.get("AAA", 0)
        assert (held is not None) is arrives

    play(scene)


def test_C402_an_order_without_an_answer_is_unknown_at_the_time_out_and_not_at_the_break() -> None:
    """Until then it may reach the venue, and the bound for late arrivals counts from then."""

    async def scene(rig: Rig) -> None:
        rig.venue.faults = Faults(lost_request=1.0)
        start = rig.now
        rig.signal()
        await rig.until(lambda: "submit ENTRY" in rig.wire.since(start), 5)
        rig.cut()
        (entry,) = rig.orders()
        await rig.clock.sleep(TIMEOUTS[0] - 0.1)
        assert rig.status(entry.client_order_id) is OrderStatus.PENDING_NEW
        await rig.clock.sleep(TIMEOUTS[1] - TIMEOUTS[0] + 0.1)
        assert rig.status(entry.client_order_id) is OrderStatus.UNKNOWN

    play(scene)


def test_a_fill_of_the_gap_is_found_by_the_look_and_protected() -> None:
    """The stop of a position that came to be while the link was down is placed after it."""

    async def scene(rig: Rig) -> None:
        key = await rig.rest()
        rig.cut()
        rig.venue.on_price(
            Quote(
                symbol="AAA",
                bid=PRICE - 5,
                ask=PRICE - 5,
                last=PRICE - 5,
                time=rig.clock.now(),
            )
        )
        assert rig.venue.positions["AAA"] == 10
        assert rig.engine.book.holding("paper", "AAA") is None
        await rig.clock.sleep(2)
        rig.mend()
        await rig.until(lambda: rig.status(key) is OrderStatus.FILLED)
        await rig.until(lambda: [w.leaves for w in rig.venue.open.values()] == [10])
        held = rig.engine.book.holding("paper", "AAA")
        assert held is not None
        assert held.quantity == 10

    play(scene)


def test_a_cancel_on_the_way_becomes_its_answer_and_the_order_ends_once() -> None:
    async def scene(rig: Rig) -> None:
        key = await rig.rest()
        rig.venue.faults = Faults(lost_request=1.0)
        await rig.engine.command(ask.CancelOrder(by="test", client_order_id=key))
        await rig.until(lambda: rig.wire.since(0).count("cancel") == 1)
        rig.cut()
        rig.venue.faults = Faults()
        await rig.clock.sleep(6)
        assert rig.wire.since(0).count("cancel") == 1
        rig.mend()
        await rig.until(lambda: rig.status(key) is OrderStatus.CANCELED)
        assert not rig.venue.open

    play(scene)


def test_cancels_of_the_gap_leave_first_and_once_each() -> None:
    async def scene(rig: Rig) -> None:
        keys = [await rig.rest("AAA"), await rig.rest("BBB")]
        rig.cut()
        await rig.clock.sleep(0.1)
        gap = rig.now
        for key in keys:
            for _ in range(2):
                await rig.engine.command(ask.CancelOrder(by="test", client_order_id=key))
        await rig.clock.sleep(8)
        assert rig.wire.since(gap) == []
        rig.mend()
        await rig.until(lambda: all(rig.status(key) is OrderStatus.CANCELED for key in keys))
        await rig.until(lambda: rig.is_compared)
        rig.signal()
        await rig.until(lambda: "submit ENTRY" in rig.wire.since(gap))
        asked = rig.wire.since(gap)
        assert asked[:2] == ["cancel", "cancel"]
        assert asked.count("cancel") == 2
        assert asked.index("look") < asked.index("submit ENTRY")

    play(scene)


class Together(Wire):
    """A wire to a venue that cancels several orders by one request, and refuses `unknown`."""

    unknown: frozenset[str] = frozenset()

    @property
    def capabilities(self) -> Capabilities:
        return msgspec.structs.replace(super().capabilities, cancels_together=True)

    async def cancel_orders(self, client_order_ids: Sequence[str]) -> dict[str, BrokerError]:
        self._note(f"cancel {len(client_order_ids)}")
        for key in client_order_ids:
            if key not in self.unknown:
                await super(Wire, self).cancel_order(key)
        return {key: Rejected("UNKNOWN_ORDER", "no such order") for key in self.unknown}


@pytest.mark.parametrize("count", [1, 2])
def test_cancels_of_one_decision_leave_in_one_request_where_the_venue_has_it(count: int) -> None:
    async def scene(rig: Rig) -> None:
        keys = [await rig.rest(symbol) for symbol in ("AAA", "BBB")[:count]]
        await rig.engine.command(ask.CancelAll(by="test"))
        await rig.until(lambda: all(rig.status(key) is OrderStatus.CANCELED for key in keys))
        cancels = [asked for asked in rig.wire.since(0) if asked.startswith("cancel")]
        assert cancels == (["cancel"] if count == 1 else [f"cancel {count}"])

    play(scene, wire=Together)


def test_of_cancels_that_left_together_only_those_refused_are_asked_about() -> None:
    async def scene(rig: Rig) -> None:
        keys = [await rig.rest("AAA"), await rig.rest("BBB")]
        assert isinstance(rig.wire, Together)
        rig.wire.unknown = frozenset(keys[:1])
        await rig.engine.command(ask.CancelAll(by="test"))
        await rig.until(lambda: rig.status(keys[1]) is OrderStatus.CANCELED)
        await rig.until(lambda: bool(rig.events(ev.OrderQueried)))
        asked = [event.client_order_id for event in rig.events(ev.OrderQueried)]
        assert asked == keys[:1]

    play(scene, wire=Together)


def test_a_look_on_the_way_has_failed_and_is_never_an_empty_one() -> None:
    async def scene(rig: Rig) -> None:
        rig.signal()
        await rig.until(lambda: rig.engine.book.holding("paper", "AAA") is not None)
        await rig.clock.sleep(2)
        held = rig.engine.book.holding("paper", "AAA")
        looked = rig.now
        looking = asyncio.create_task(rig.engine.command(ask.Reconcile(by="test")))
        await rig.clock.sleep(0.001)
        rig.cut()
        await looking
        assert not looking.result().ok
        assert rig.now - looked < 0.01
        (failed,) = rig.events(ev.Reconciled, looked)
        assert failed.failed
        assert rig.engine.book.holding("paper", "AAA") == held
        rig.mend()
        await rig.until(lambda: rig.is_compared)
        found = rig.events(ev.Reconciled, looked)[-1]
        assert (found.failed, found.differences) == (False, ())

    play(scene)


def test_a_question_of_an_operator_in_the_gap_is_answered_at_once() -> None:
    async def scene(rig: Rig) -> None:
        rig.cut()
        await rig.clock.sleep(0.1)
        asked = rig.now
        answer = await rig.engine.command(ask.Reconcile(by="test"))
        assert (answer.ok, answer.code) == (False, "FAILED")
        assert rig.now == asked

    play(scene)


def test_a_look_under_way_is_not_asked_twice() -> None:
    async def scene(rig: Rig) -> None:
        looks = rig.engine._links.of("paper").looks
        start = rig.now
        for _ in range(3):
            looks.ask("scheduled")
        await rig.until(lambda: bool(rig.events(ev.Reconciled, start)))
        assert rig.wire.since(start) == ["look"]
        looks.ask("scheduled")
        await rig.until(lambda: len(rig.events(ev.Reconciled, start)) == 2)
        assert rig.wire.since(start) == ["look", "look"]

    play(scene)


class HangingLook(Wire):
    """A wire whose next look is never answered, while the link stands."""

    hangs = False

    async def get_open_orders(self) -> tuple[VenueOrder, ...]:
        if self.hangs:
            self._note("look")
            await asyncio.Event().wait()
        return await super().get_open_orders()


def test_a_look_that_hangs_has_failed_after_twenty_seconds_and_is_asked_again() -> None:
    async def scene(rig: Rig) -> None:
        assert isinstance(rig.wire, HangingLook)
        looks = rig.engine._links.of("paper").looks
        rig.wire.hangs = True
        start = rig.now
        looks.ask("scheduled")
        await rig.clock.sleep(19.9)
        assert not rig.events(ev.Reconciled, start)
        await rig.clock.sleep(0.2)
        (failed,) = rig.events(ev.Reconciled, start)
        assert failed.failed
        rig.wire.hangs = False
        looks.ask("scheduled")
        await rig.until(lambda: len(rig.events(ev.Reconciled, start)) == 2)
        assert not rig.events(ev.Reconciled, start)[-1].failed

    play(scene, wire=HangingLook)


def test_looks_of_the_gap_are_one_of_each_reason() -> None:
    """A kill that waits for the venue has asked once, and is answered on the next connection."""

    async def scene(rig: Rig) -> None:
        rig.cut()
        await rig.clock.sleep(0.1)
        gap = rig.now
        await rig.engine.command(ask.Kill(by="test", flatten=Flatten.ALL))
        await rig.clock.sleep(20)
        requested = [e for e in rig.events(ev.SnapshotRequested) if e.reason == "kill"]
        assert len(requested) == 1
        assert rig.wire.since(gap) == []
        rig.mend()
        await rig.until(lambda: rig.is_compared)
        assert rig.wire.since(gap) == ["look", "look"]
        seen = {e.reason for e in rig.events(ev.Reconciled, gap)}
        assert seen <= {"kill", "reconnect"}

    play(scene)


@pytest.mark.parametrize(
    ("gap_seconds", "said"), [(10, ["VERIFIED"]), (40, ["DEGRADED", "VERIFIED"])]
)
def test_a_kill_in_the_gap_shuts_what_it_reaches_and_is_verified_when_the_venue_is_back(
    gap_seconds: float, said: list[str]
) -> None:
    async def scene(rig: Rig) -> None:
        key = await rig.rest("BBB")
        rig.signal("AAA")
        await rig.until(lambda: rig.engine.book.holding("paper", "AAA") is not None)
        await rig.clock.sleep(2)
        rig.cut()
        await rig.clock.sleep(0.1)
        gap = rig.now
        await rig.engine.command(ask.Kill(by="test", flatten=Flatten.ALL))
        assert rig.gate.closed
        await rig.clock.sleep(0.01)
        assert rig.latch.read() is not None
        await rig.clock.sleep(gap_seconds)
        assert rig.venue.positions.keys() == {"AAA"}
        assert rig.wire.since(gap) == []
        rig.mend()
        kill = rig.engine.book.account("paper").kill
        assert kill is not None
        await rig.until(lambda: kill.state == "VERIFIED")
        proofs = rig.events(ev.KillProved)
        assert [proof.state for proof in proofs] == said
        assert (proofs[-1].left, proofs[-1].unknown) == ((), ())
        assert rig.wire.since(gap)[0] == "cancel"
        assert rig.status(key) is OrderStatus.CANCELED
        assert not rig.venue.positions
        assert not rig.venue.open
        assert rig.wire.since(gap).count("submit FLATTEN") == 1

    play(scene)


def test_an_entry_that_waited_for_the_disk_does_not_outlive_its_connection() -> None:
    """Its gate asked a venue that was seen; on the new connection nothing was seen yet."""
    slow = [0.0]

    async def scene(rig: Rig) -> None:
        slow[0] = 2.0
        start = rig.now
        rig.signal()
        slow[0] = 0.0
        rig.cut()
        rig.mend()
        await rig.until(lambda: rig.is_connected and len(rig.links()) == 3)
        assert rig.now - start < 2
        (entry,) = rig.orders()
        await rig.until(lambda: rig.status(entry.client_order_id).is_terminal)
        order = rig.engine.book.order(entry.client_order_id)
        assert order is not None
        assert (order.status, order.reject_code) == (OrderStatus.REJECTED, "NOT_SENT")
        await rig.clock.sleep(10)
        assert "submit ENTRY" not in rig.wire.since(start)
        assert list(rig.engine.book.data.letters) == [entry.client_order_id]

    play(scene, commit_seconds=lambda: slow[0])


def test_an_entry_that_was_withdrawn_in_the_gap_is_cancelled_and_leaves_no_letter() -> None:
    slow = [0.0]

    async def scene(rig: Rig) -> None:
        slow[0] = 2.0
        rig.signal()
        slow[0] = 0.0
        (entry,) = rig.orders()
        rig.cut()
        await rig.engine.command(ask.CancelOrder(by="test", client_order_id=entry.client_order_id))
        await rig.clock.sleep(3)
        assert rig.status(entry.client_order_id) is OrderStatus.CANCELED
        assert not rig.engine.book.data.letters

    play(scene, commit_seconds=lambda: slow[0])


@pytest.mark.parametrize("after", [0.001, 0.02, 0.05, 0.1, 0.3, 1.0])
def test_a_kill_that_is_cut_off_at_any_moment_is_verified_and_closes_once(after: float) -> None:
    async def scene(rig: Rig) -> None:
        await rig.rest("BBB")
        rig.signal("AAA")
        await rig.until(lambda: rig.engine.book.holding("paper", "AAA") is not None)
        await rig.clock.sleep(2)
        begun = rig.now
        await rig.engine.command(ask.Kill(by="test", flatten=Flatten.ALL))
        await rig.clock.sleep(after)
        rig.cut()
        await rig.clock.sleep(8)
        rig.mend()
        kill = rig.engine.book.account("paper").kill
        assert kill is not None
        await rig.until(lambda: kill.state == "VERIFIED")
        assert not rig.venue.positions
        assert not rig.venue.open
        sold = [f for f in rig.venue.fills if f.symbol == "AAA" and f.side is Side.SELL]
        assert sum(f.quantity for f in sold) == sum(
            f.quantity for f in rig.venue.fills if f.symbol == "AAA" and f.side is Side.BUY
        )
        assert "submit ENTRY" not in rig.wire.since(begun)

    play(scene)


# --- other ways to break --------------------------------------------------------------------------


class EndingStream(Wire):
    """A wire that says nothing of a break: its stream just ends."""

    async def reports(self) -> AsyncIterator[Report]:
        async for report in super().reports():
            if isinstance(report, LinkReport) and report.state is LinkState.DISCONNECTED:
                return
            yield report

    async def disconnect(self) -> None:
        self._note("disconnect")


class RaisingStream(EndingStream):
    """A wire whose stream raises what no adapter should let through."""

    async def reports(self) -> AsyncIterator[Report]:
        async for report in super().reports():
            yield report
        raise ConnectionResetError("reset by peer")


class CancelledStream(EndingStream):
    """A wire whose stream waits for a task of its own, which is cancelled with the break."""

    async def reports(self) -> AsyncIterator[Report]:
        async for report in super().reports():
            yield report
        reader = asyncio.create_task(asyncio.sleep(60))
        asyncio.get_running_loop().call_soon(reader.cancel)
        await reader


@pytest.mark.parametrize("wire", [EndingStream, RaisingStream, CancelledStream])
def test_a_stream_that_ends_is_a_link_that_broke_and_is_opened_again(wire: type[Wire]) -> None:
    async def scene(rig: Rig) -> None:
        down = rig.now
        rig.cut()
        rig.mend()
        await rig.until(lambda: rig.is_compared and len(rig.links(down)) == 2)
        assert [w for w, at in rig.wire.asked if at >= down][:2] == ["disconnect", "connect"]
        key = await rig.rest()  # its acknowledgement comes over the stream that was opened again
        assert rig.status(key) is OrderStatus.NEW

    play(scene, wire=wire)


class ComesBack(Wire):
    """A wire whose library connects again by itself: it only tells."""

    async def connect(self) -> None:
        self._note("connect")
        if self._connections:
            raise NotSent("the library is at it")
        await Line.connect(self)

    async def back(self) -> None:
        await Line.connect(self)


def test_an_adapter_that_comes_back_by_itself_is_looked_at_and_left_alone() -> None:
    async def scene(rig: Rig) -> None:
        assert isinstance(rig.wire, ComesBack)
        down = rig.now
        rig.cut()
        rig.mend()
        await rig.clock.sleep(2)
        await rig.wire.back()
        await rig.until(lambda: rig.is_compared)
        await rig.clock.sleep(60)
        assert rig.wire.attempts(down) == [0, 0.5, 1.5]
        assert rig.links(down) == [LinkState.DISCONNECTED, LinkState.CONNECTED]

    play(scene, wire=ComesBack)


def test_refused_credentials_are_said_once_and_not_hammered() -> None:
    async def scene(rig: Rig) -> None:
        down = rig.now
        rig.wire.refusal = AuthFailed("the key was withdrawn")
        rig.cut()
        rig.mend()
        await rig.clock.sleep(130)
        assert rig.wire.attempts(down) == [0, 60, 120]
        (said,) = [a for a in rig.events(ev.Alarmed) if a.code == "CONNECT_FAILED"]
        assert said.text == "AuthFailed: the key was withdrawn"
        rig.wire.refusal = None
        await rig.until(lambda: rig.is_compared)

    play(scene)


def test_a_venue_that_asks_to_wait_is_waited_for() -> None:
    async def scene(rig: Rig) -> None:
        down = rig.now
        rig.wire.refusal = Throttled("too many connections", 7.5)
        rig.cut()
        rig.mend()
        await rig.clock.sleep(1)
        rig.wire.refusal = None
        await rig.until(lambda: rig.is_compared)
        assert rig.wire.attempts(down) == [0, 7.5]

    play(scene)


WAITS = {
    "none": (float("nan"), 60),
    "for ever": (float("inf"), 60),
    "far too long": (1e30, 60),
    "below 0": (-0.001, 60),
    "0": (0.0, 0.5),
    "a ban": (600.0, 600),
    "longer than any": (LONGEST_WAIT + 0.001, 60),
}


@pytest.mark.parametrize(("asked", "waited"), WAITS.values(), ids=WAITS)
def test_a_wait_that_cannot_be_one_is_bounded_and_told(asked: float, waited: float) -> None:
    """DESIGN, broker port: every number from outside is checked once for all adapters."""

    async def scene(rig: Rig) -> None:
        down = rig.now
        rig.wire.refusal = Throttled("too many connections", asked)
        rig.cut()
        rig.mend()
        await rig.clock.sleep(waited - 0.01)
        assert rig.wire.attempts(down) == [0]
        rig.wire.refusal = None
        await rig.clock.sleep(0.02)
        assert rig.wire.attempts(down) == [0, waited]
        said = [a.text for a in rig.events(ev.Alarmed) if a.code == "CONNECT_FAILED"]
        assert len(said) == (waited == 60)
        assert all("0 to 259200 are allowed" in text for text in said)

    play(scene)


class Mute(Wire):
    """A venue that does not say a word to the second attempt to connect."""

    async def connect(self) -> None:
        self._note("connect")
        if len(self.attempts(0)) == 2:
            await asyncio.Event().wait()
        await Line.connect(self)


def test_an_attempt_that_hangs_is_given_up_after_ten_seconds() -> None:
    async def scene(rig: Rig) -> None:
        down = rig.now
        rig.cut()
        rig.mend()
        await rig.until(lambda: rig.is_connected and bool(rig.links(down)))
        assert rig.wire.attempts(down) == [0, 10.5]

    play(scene, wire=Mute)


# --- the very first connection --------------------------------------------------------------------


def test_with_one_account_a_start_raises_what_kept_it_from_being_connected() -> None:
    async def main(clock: VirtualClock) -> None:
        rig = Rig(clock)
        rig.cut()
        with pytest.raises(NotSent, match="cannot be reached"):
            await rig.engine.start()
        await rig.engine.stop("the test is over")
        assert rig.wire.attempts(0) == [0]

    run_virtual(main, MIDDAY, 3600)


@pytest.mark.parametrize("kind", [AuthFailed, NotSent])
def test_T25_what_a_start_raises_holds_no_secret(kind: type[BrokerError]) -> None:
    """U-72: whoever started the engine reads the words of the venue, which may repeat a key."""

    async def main(clock: VirtualClock) -> None:
        rig = Rig(clock)
        rig.wire.refusal = kind("no such key: api_key=canary \x1b[2J")
        with pytest.raises(kind) as raised:
            await rig.engine.start()
        await rig.engine.stop("the test is over")
        assert "no such key: api_key=***" in str(raised.value)
        assert "\x1b" not in str(raised.value)

    run_virtual(main, MIDDAY, 3600)


def test_with_several_accounts_one_that_cannot_be_reached_is_tried_again() -> None:
    async def main(clock: VirtualClock) -> None:
        agenda = Agenda(MIDDAY)
        other = Venue(agenda, Random(8), ABLE)
        second = Wire(other, "second")
        other.set_link(up=False)
        rig = Rig(clock, more=(second,))
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        agenda.attach(loop, clock)
        await rig.start()
        links = rig.engine.book.data.accounts
        assert links["paper"].is_connected
        assert links["second"].status is AccountStatus.CONNECTING
        assert second.attempts(0) == [0, 0.5, 1.5, 3.5]
        other.set_link(up=True)
        await rig.until(lambda: rig.engine.book.data.accounts["second"].is_connected)
        assert rig.wire.attempts(0) == [0]
        await rig.until(lambda: "look" in second.since(0))
        await rig.stop()

    run_virtual(main, MIDDAY, 3600)


def test_an_effect_that_fails_while_the_engine_starts_ends_the_run_loudly() -> None:
    class Broken(FileLatch):
        def set(self, halt: Halt) -> None:
            raise LookupError("a defect")

    async def main(clock: VirtualClock) -> None:
        rig = Rig(clock)
        rig.latch.__class__ = Broken
        await rig.engine.start()
        await rig.engine.command(ask.Kill(by="test"))
        await clock.sleep(1)
        with pytest.raises(LookupError, match="a defect"):
            await rig.engine.run()

    run_virtual(main, MIDDAY, 3600)
