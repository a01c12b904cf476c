"""A kill goes by what can be known: it needs no balances, and of a venue's answer no more than can
be read (X-52, rule 3)."""

from decimal import Decimal

import msgspec
import pytest

from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.account import Account, VenueOrder, VenuePosition
from engine.domain.order import OrderStatus, OrderType, Side
from engine.domain.run import Flatten
from engine.ports import Ambiguous
from tests.configs import from_mapping
from tests.engine.liar import TREE, Table, play
from tests.engine.worlds import BROKER

ALERT = from_mapping(TREE | {"kill": {"broker_lost": "alert"}})


def break_balances(table: Table, how: str) -> None:
    """The venue tells holdings, orders and fills; its balances are an error, silence or no number
    until `mend`."""
    told = table.venue.get_account

    async def error() -> Account:
        raise Ambiguous("internal error")

    async def no_number() -> Account:
        return msgspec.structs.replace(await told(), equity=Decimal("NaN"))

    if how == "silent":
        table.venue.silent = {"account"}
    else:
        table.venue.get_account = {"error": error, "no number": no_number}[how]  # type: ignore[method-assign]


def mend(table: Table) -> None:
    table.venue.silent = set()
    vars(table.venue).pop("get_account", None)


@pytest.mark.parametrize("how", ["error", "silent", "no number"])
@pytest.mark.parametrize("before", [0, 70], ids=["in the moment of the kill", "since long"])
def test_x52_a_kill_closes_what_is_held_though_no_balances_come(how: str, before: int) -> None:
    async def scene(table: Table) -> None:
        await table.wait(6)
        await table.buy(99, protect=Decimal(90))
        await table.wait(2)
        break_balances(table, how)
        await table.wait(before)
        await table.engine.command(ask.Kill(by="test", flatten=Flatten.ALL))
        await table.until(lambda: bool(table.events(ev.KillProved)), 25)
        assert (table.there, table.venue.sold) == (0, 99)
        assert table.events(ev.KillProved)[-1].state == "VERIFIED"
        assert table.alarms().count("LOOK_INCOMPLETE") == 1
        resumed = await table.engine.command(ask.Resume(by="test", confirm="RESUME"))
        assert not resumed.ok
        mend(table)
        await table.wait(30)
        assert (await table.engine.command(ask.Resume(by="test", confirm="RESUME"))).ok
        assert table.engine.status()["account"]["equity"] == "1000000"

    play(scene)


NO_NUMBER = Decimal("NaN")
HOLDING = VenuePosition(symbol="BBB", quantity=NO_NUMBER, average_price=Decimal(5))
ORDER = VenueOrder(
    client_order_id="theirs",
    venue_order_id="v-theirs",
    symbol="BBB",
    side=Side.BUY,
    type=OrderType.LIMIT,
    quantity=NO_NUMBER,
    filled=Decimal(0),
    limit_price=Decimal(50),
    status=OrderStatus.NEW,
)


@pytest.mark.parametrize("row", [HOLDING, ORDER], ids=["a holding", "an order"])
@pytest.mark.parametrize("before", [0, 70], ids=["in the moment of the kill", "since long"])
def test_x52_what_cannot_be_read_keeps_a_kill_from_nothing_else(
    row: VenuePosition | VenueOrder, before: int
) -> None:
    async def scene(table: Table) -> None:
        await table.wait(6)
        await table.buy(99, protect=Decimal(90))
        await table.wait(2)
        positions, orders = table.venue.get_positions, table.venue.get_open_orders

        async def with_holding() -> tuple[VenuePosition, ...]:
            return (*await positions(), *([row] if isinstance(row, VenuePosition) else ()))

        async def with_order() -> tuple[VenueOrder, ...]:
            return (*await orders(), *([row] if isinstance(row, VenueOrder) else ()))

        table.venue.get_positions = with_holding  # type: ignore[method-assign]
        table.venue.get_open_orders = with_order  # type: ignore[method-assign]
        await table.wait(before)
        await table.engine.command(ask.Kill(by="test", flatten=Flatten.ALL))
        await table.until(lambda: table.there == 0, 25)
        await table.wait(60)
        assert table.venue.sold == 99
        assert [proof.state for proof in table.events(ev.KillProved)] == ["DEGRADED"]
        assert table.alarms().count("LOOK_INCOMPLETE") == 1
        table.venue.get_positions = positions  # type: ignore[method-assign]
        table.venue.get_open_orders = orders  # type: ignore[method-assign]
        await table.wait(30)
        assert table.events(ev.KillProved)[-1].state == "VERIFIED"

    play(scene)


def test_x84_without_a_kill_a_look_without_balances_has_failed() -> None:
    async def scene(table: Table) -> None:
        break_balances(table, "error")
        await table.wait(130)
        refused = await table.engine.command(ask.Reconcile(by="test"))
        assert not refused.ok
        assert set(table.alarms()) == {"RECONCILE_FAILED", "UNUSABLE_ANSWERS"}

    play(scene)


def told(table: Table) -> list[str]:
    """What was told of a venue that gives no answer that can be used."""
    codes = ("VENUE_SILENT", "UNUSABLE_ANSWERS")
    return [event.text for event in table.events(ev.Alarmed) if event.code in codes]


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("error", "paper is connected and answers, but with nothing that can be used: "),
        ("no number", "paper is connected and answers, but with nothing that can be used: "),
        ("silent", "paper is connected and does not answer: "),
    ],
)
def test_x84_a_venue_that_answers_with_what_is_none_is_not_called_silent(
    how: str, words: str
) -> None:
    async def scene(table: Table) -> None:
        await table.wait(6)
        break_balances(table, how)
        await table.wait(130)
        (text,) = told(table)
        assert text.startswith(words)
        refused = await table.order(Side.BUY, 1, protect=Decimal(90))
        assert refused.code == "NO_ACCOUNT"
        assert "has given no usable answer for" in refused.error

    play(scene, config=ALERT)


@pytest.mark.parametrize("how", ["error", "silent", "no number"])
def test_fault51_balances_that_never_come_are_told_once(how: str) -> None:
    """A kill is proved without them, and looks go on: it is one silence, until they come again."""

    async def scene(table: Table) -> None:
        await table.wait(60)
        await table.buy(99, protect=Decimal(90))
        await table.wait(2)
        break_balances(table, how)
        await table.engine.command(ask.Kill(by="test", flatten=Flatten.ALL))
        await table.wait(600)
        assert table.events(ev.KillProved)[-1].state == "VERIFIED"
        code = "VENUE_SILENT" if how == "silent" else "UNUSABLE_ANSWERS"
        assert (table.alarms().count(code), len(told(table))) == (1, 1)
        assert table.alarms().count("LOOK_INCOMPLETE") == 1
        mend(table)
        await table.wait(120)
        assert not table.engine.book.account(BROKER).silent_since
        break_balances(table, how)
        await table.wait(120)
        assert (table.alarms().count(code), len(told(table))) == (2, 2)

    play(scene)
