"""An order that an earlier process may have sent is asked about before it leaves (rule 1, C-405).

The question changes nothing: one that provably was not answered is asked again, and keeps the
order back no longer than the venue asks to wait (rule 3). Nothing is ever sent twice.
"""

from decimal import Decimal
from itertools import pairwise
from typing import Any

import msgspec
import pytest

from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.account import VenueOrder
from engine.domain.order import OrderStatus, OrderType
from engine.domain.run import Flatten, LinkState
from engine.ports import Ambiguous, LinkReport, NotSent, Throttled
from tests.engine.liar import PLAIN, ZERO, Liar, Table, play
from tests.engine.worlds import BROKER

ONCE = msgspec.structs.replace(PLAIN, deduplicates=True)
"""It refuses an id for ever once it was used, so that the question waits for nothing."""

CLOSES = pytest.mark.parametrize(
    "command",
    [ask.ClosePosition(by="test", symbol="AAA"), ask.Kill(by="test", flatten=Flatten.ALL)],
    ids=["close", "kill"],
)


class Holder(Liar):
    """100 are held before this process starts: another one may have sent the close of them."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.move("AAA", Decimal(100))
        self._truth = [(0, dict(self.held), {})]
        self.errors: list[Exception] = []
        """What the next questions about an order raise."""
        self.questions: list[float] = []

    async def get_order(self, client_order_id: str) -> VenueOrder | None:
        found = await super().get_order(client_order_id)
        self.questions.append(self.asked[-1][0])
        if self.errors:
            raise self.errors.pop(0)
        return found


class Held(Table):
    makes = Holder


def holder(table: Table) -> Holder:
    assert isinstance(table.venue, Holder)
    return table.venue


def submits(table: Table) -> list[float]:
    return [at for at, what in table.venue.asked if what == "submit"]


def unclear(table: Table) -> list[str]:
    """Why orders became UNKNOWN."""
    return [event.reason for event in table.events(ev.OrderUnclear)]


@CLOSES
@pytest.mark.parametrize("seconds", [1.0, 4.0, 6.0, 30.0])
def test_c405_a_question_that_is_asked_to_wait_keeps_a_close_back_no_longer(
    command: Any, seconds: float
) -> None:
    async def scene(table: Table) -> None:
        venue = holder(table)
        await table.until(lambda: table.held == 100, 5)
        venue.errors = [Throttled("slow down", seconds)]
        await table.engine.command(command)
        await table.until(lambda: table.there == 0, seconds + 5)
        first, second = venue.questions[:2]
        assert first + seconds <= second <= first + seconds + 0.1
        assert (len(submits(table)), table.venue.sold) == (1, 100)
        assert submits(table)[0] <= second + 0.1
        assert unclear(table) == []

    play(scene, table=Held, able=ONCE)


@CLOSES
def test_c405_one_that_did_not_leave_is_asked_again_after_growing_pauses(command: Any) -> None:
    async def scene(table: Table) -> None:
        venue = holder(table)
        await table.until(lambda: table.held == 100, 5)
        venue.errors = [NotSent("refused"), NotSent("refused"), NotSent("refused")]
        await table.engine.command(command)
        await table.until(lambda: table.there == 0, 10)
        asked = venue.questions[:4]
        pauses = [round(b - a, 1) for a, b in pairwise(asked)]
        assert pauses == [0.5, 1.0, 2.0]
        assert (len(submits(table)), table.venue.sold) == (1, 100)
        assert unclear(table) == []

    play(scene, table=Held, able=ONCE)


@pytest.mark.parametrize("seconds", [2, 30, 100])
def test_c441_without_a_connection_it_is_asked_as_soon_as_there_is_one(seconds: int) -> None:
    async def scene(table: Table) -> None:
        venue = holder(table)
        await table.until(lambda: table.held == 100, 5)
        connect = table.venue.connect

        async def refused() -> None:
            raise NotSent("no route")

        table.venue.connect = refused  # type: ignore[method-assign]
        venue.tell(LinkReport(account=BROKER, state=LinkState.DISCONNECTED, time=0))
        await table.wait(0.1)
        await table.engine.command(ask.ClosePosition(by="test", symbol="AAA"))
        await table.wait(seconds)
        assert (venue.questions, submits(table)) == ([], [])
        table.venue.connect = connect  # type: ignore[method-assign]
        await table.until(lambda: table.there == 0, 10)
        assert (len(submits(table)), table.venue.sold) == (1, 100)
        assert unclear(table) == []
        assert len(table.events(ev.SendPutOff)) <= 2

    play(scene, table=Held, able=ONCE)


def test_rule1_an_answer_that_nobody_knows_is_told_and_nothing_is_sent_on_it() -> None:
    async def scene(table: Table) -> None:
        venue = holder(table)
        await table.until(lambda: table.held == 100, 5)
        venue.errors = [Ambiguous("500")] * 3
        await table.engine.command(ask.ClosePosition(by="test", symbol="AAA"))
        await table.wait(2)
        assert submits(table) == []
        assert unclear(table) == ["500"]
        await table.until(lambda: table.there == 0, 60)
        assert table.venue.sold == 100

    play(scene, table=Held, able=ONCE)


@pytest.mark.parametrize("error", [Throttled("slow down", 3.0), NotSent("refused")])
def test_rule1_an_order_that_is_found_when_it_is_asked_again_is_not_sent(error: Exception) -> None:
    """An earlier process had sent it, and it arrives while the question waits."""

    async def scene(table: Table) -> None:
        venue = holder(table)
        await table.until(lambda: table.held == 100, 5)
        venue.errors = [error]
        await table.engine.command(ask.ClosePosition(by="test", symbol="AAA"))
        await table.until(lambda: bool(venue.questions), 5)
        (terms,) = [event.terms for event in table.events(ev.OrderIntended)]
        venue.orders[terms.client_order_id] = VenueOrder(
            client_order_id=terms.client_order_id,
            venue_order_id="v-before",
            symbol="AAA",
            side=terms.side,
            type=OrderType.MARKET,
            quantity=Decimal(100),
            filled=ZERO,
            status=OrderStatus.NEW,
            reduce_only=True,
        )
        venue._record()
        await table.wait(5)
        venue.trade(terms.client_order_id, Decimal(100))
        await table.wait(60)
        assert submits(table) == []
        assert (table.there, table.held, venue.sold) == (0, 0, 100)

    play(scene, table=Held, able=ONCE)


def test_rule1_a_close_that_is_withdrawn_while_the_question_waits_is_not_sent() -> None:
    """The plan goes on with another order: what is held is sold once."""

    async def scene(table: Table) -> None:
        venue = holder(table)
        await table.until(lambda: table.held == 100, 5)
        venue.errors = [Throttled("slow down", 30.0)]
        await table.engine.command(ask.ClosePosition(by="test", symbol="AAA"))
        await table.until(lambda: bool(venue.questions), 5)
        (terms,) = [event.terms for event in table.events(ev.OrderIntended)]
        done = await table.engine.command(
            ask.CancelOrder(by="test", client_order_id=terms.client_order_id)
        )
        assert done.ok, done.error
        await table.wait(120)
        assert terms.client_order_id not in venue.orders
        assert (table.there, venue.sold, len(submits(table))) == (0, 100, 1)

    play(scene, table=Held, able=ONCE)


def test_rule1_one_that_is_withdrawn_unanswered_is_not_taken_for_one_that_never_was() -> None:
    """An earlier process had sent it: nothing is sent beside it, and it is found."""

    async def scene(table: Table) -> None:
        venue = holder(table)
        await table.until(lambda: table.held == 100, 5)
        await table.wait(10)
        venue.errors = [Throttled("slow down", 10.0)]
        await table.engine.command(ask.ClosePosition(by="test", symbol="AAA"))
        await table.until(lambda: bool(venue.questions), 5)
        (terms,) = [event.terms for event in table.events(ev.OrderIntended)]
        key = terms.client_order_id
        venue.orders[key] = VenueOrder(
            client_order_id=key,
            venue_order_id="v-before",
            symbol="AAA",
            side=terms.side,
            type=OrderType.MARKET,
            quantity=Decimal(100),
            filled=ZERO,
            status=OrderStatus.NEW,
            reduce_only=True,
        )
        venue._record()
        venue.errors = [Throttled("slow down", 10.0)] * 5

        async def throttled(client_order_id: str) -> None:
            raise Throttled("slow down", 60.0)

        venue.cancel_order = throttled  # type: ignore[method-assign]
        await table.engine.command(ask.CancelOrder(by="test", client_order_id=key))
        await table.wait(50)
        assert submits(table) == []
        venue.trade(key, Decimal(100))
        await table.wait(120)
        assert submits(table) == []
        assert (table.there, table.held, venue.sold) == (0, 0, 100)

    play(scene, table=Held, able=ONCE)


def test_x54_the_answer_to_the_order_itself_has_its_own_time() -> None:
    """What the question waited for is not added to it."""

    async def scene(table: Table) -> None:
        venue = holder(table)
        await table.until(lambda: table.held == 100, 5)
        connect = table.venue.connect

        async def refused() -> None:
            raise NotSent("no route")

        table.venue.connect = refused  # type: ignore[method-assign]
        venue.tell(LinkReport(account=BROKER, state=LinkState.DISCONNECTED, time=0))
        await table.wait(0.1)
        await table.engine.command(ask.ClosePosition(by="test", symbol="AAA"))
        await table.wait(2)
        table.venue.connect = connect  # type: ignore[method-assign]
        table.venue.silent = {"submit"}
        await table.until(lambda: bool(submits(table)), 10)
        sent = table.now
        await table.until(lambda: len(venue.questions) > 1, 10)
        assert table.now - sent <= 6

    play(scene, table=Held, able=ONCE)
