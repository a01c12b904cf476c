"""A venue that is connected and answers nothing takes no entries (X-84, U-53, X-53)."""

from decimal import Decimal
from itertools import pairwise

import msgspec
import pytest

from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.inputs import Unanswered
from engine.domain.instant import parse_rfc3339
from engine.domain.order import Side
from engine.domain.result import Result
from engine.domain.run import LinkState, Trigger
from tests.configs import from_mapping
from tests.engine.driver import CoreDriver
from tests.engine.liar import PLAIN, TREE, Table, play
from tests.engine.worlds import AXION, BROKER, config_of

ALERT = from_mapping(TREE | {"kill": {"broker_lost": "alert"}})


async def bought(table: Table) -> Result:
    return await table.order(Side.BUY, 1, protect=Decimal(90))


def state_of(table: Table) -> str:
    """The account's state, as `status` says."""
    return str(table.engine.status()["accounts"][0]["state"])


async def refused(table: Table) -> None:
    told = await bought(table)
    assert (told.ok, told.code) == (False, "NO_ACCOUNT"), told


def test_x84_a_venue_that_answers_nothing_takes_no_entries_though_it_is_connected() -> None:
    async def scene(table: Table) -> None:
        table.venue.silent = {"*"}
        await table.wait(600)
        link = table.engine.book.account("paper").link
        assert link is not None
        assert link.state is LinkState.CONNECTED
        await refused(table)
        assert table.engine.status()["accounts"][0]["state"] == "REDUCE_ONLY"
        assert table.alarms().count("VENUE_SILENT") == 1

    play(scene, config=ALERT)


def test_x84_it_is_asked_something_at_least_every_fifteen_seconds() -> None:
    async def scene(table: Table) -> None:
        await table.wait(120)
        times = [0.0, *(at for at, _ in table.venue.asked), table.now]
        assert max(b - a for a, b in pairwise(times)) <= 15.1
        table.venue.silent = {"*"}
        await table.wait(15 + 5.2)
        await refused(table)

    play(scene)


def test_x84_a_look_that_failed_is_no_word_of_the_venue() -> None:
    async def scene(table: Table) -> None:
        silent_from = table.venue.clock.now()
        table.venue.silent = {"*"}
        await table.wait(600)
        account = table.engine.book.account("paper")
        assert account.reconciled_at > silent_from, "looks were tried, and failed"
        assert account.heard_at <= silent_from
        assert state_of(table) == "REDUCE_ONLY", "entries are refused there"
        told = table.engine.status()["brokers"]["paper"]["last_seen"]
        assert parse_rfc3339(told) <= silent_from, "as `status` says"
        table.venue.silent = set()
        await table.wait(40)
        told = table.engine.status()["brokers"]["paper"]["last_seen"]
        assert parse_rfc3339(told) > silent_from
        assert state_of(table) == "READY"

    play(scene, config=ALERT)


def test_x84_entries_are_taken_again_once_it_answers() -> None:
    async def scene(table: Table) -> None:
        table.venue.silent = {"*"}
        await table.wait(60)
        await refused(table)
        table.venue.silent = set()
        await table.wait(40)
        assert not table.events(ev.VenueSilent)[-1].since
        assert table.engine.status()["accounts"][0]["state"] == "READY"
        assert table.alarms().count("VENUE_SILENT") == 1
        assert (await bought(table)).ok

    play(scene, config=ALERT)


@pytest.mark.parametrize("call", ["positions", "account", "orders", "fills", "time", "submit"])
def test_x84_one_question_that_is_not_answered_is_enough(call: str) -> None:
    async def scene(table: Table) -> None:
        table.venue.silent = {call}
        before = len(table.venue.asked)
        if call == "submit":
            await bought(table)
        await table.until(lambda: call in [what for _, what in table.venue.asked[before:]], 70)
        await table.wait(5.2)
        assert table.engine.book.account("paper").silent_since
        if call != "submit":
            await refused(table)

    play(scene)


@pytest.mark.parametrize("call", ["positions", "account", "orders", "fills", "time"])
def test_x84_a_question_stays_unanswered_whatever_else_the_venue_answers(call: str) -> None:
    async def scene(table: Table) -> None:
        table.venue.silent = {call}
        await table.until(lambda: bool(table.engine.book.account(BROKER).silent_since), 90)
        await table.wait(0.1)
        for _ in range(90):
            await refused(table)
            await table.wait(1)
        assert len(table.events(ev.VenueSilent)) == 1
        assert table.alarms().count("VENUE_SILENT") == 1
        table.venue.silent = set()
        await table.wait(30)
        assert (await bought(table)).ok

    play(scene, config=ALERT)


@pytest.mark.parametrize(("call", "lost"), [("positions", True), ("orders", True), ("time", False)])
def test_x53_a_venue_is_lost_that_cannot_be_looked_at_and_not_one_that_can(
    call: str, lost: bool
) -> None:
    async def scene(table: Table) -> None:
        await table.buy(10, protect=Decimal(90))
        table.venue.silent = {call}
        await table.until(lambda: bool(table.engine.book.account(BROKER).silent_since), 90)
        await table.wait(54)
        assert table.engine.book.data.halt is None
        await table.wait(146)
        assert (table.engine.book.data.halt is not None) is lost

    play(scene)


def test_x84_a_venue_is_asked_again_what_it_did_not_answer_to_an_operator() -> None:
    async def scene(table: Table) -> None:
        table.venue.silent = {"positions"}
        assert not (await table.engine.command(ask.Reconcile(by="test"))).ok
        await refused(table)
        table.venue.silent = set()
        await table.wait(10)
        assert (await bought(table)).ok

    play(scene, config=from_mapping(TREE | {"execution": {"reconcile_seconds": 600}}))


def test_x84_a_venue_that_is_only_slow_is_not_silent() -> None:
    async def scene(table: Table) -> None:
        table.venue.answer_seconds = 3
        await table.wait(200)
        assert not table.events(ev.VenueSilent)
        assert (await bought(table)).ok

    play(scene)


def test_x53_exposure_at_a_venue_that_is_silent_for_longer_than_allowed_trips() -> None:
    async def scene(table: Table) -> None:
        await table.buy(10, protect=Decimal(90))
        table.venue.silent = {"*"}
        await table.wait(15 + 60 + 2)
        (fired,) = table.events(ev.TriggerFired)
        assert fired.trigger is Trigger.BROKER_LOST
        assert table.engine.book.data.halt is not None

    play(scene)


def test_x53_without_exposure_it_trips_nothing() -> None:
    async def scene(table: Table) -> None:
        table.venue.silent = {"*"}
        await table.wait(600)
        assert not table.events(ev.TriggerFired)

    play(scene)


@pytest.mark.parametrize(("seconds", "taken"), [(4.9, True), (5, True), (5.1, False)])
def test_x84_the_bound_is_five_seconds_from_the_question(seconds: float, taken: bool) -> None:
    desk = CoreDriver().price("NVDA", "100")
    desk.give(Unanswered(BROKER, desk.now))
    desk.later(seconds).price("NVDA", "100")
    events = desk.place(Side.BUY, 1, protect=Decimal(95))
    assert any(isinstance(event, ev.OrderIntended) for event in events) is taken


@pytest.mark.parametrize(
    ("config", "seconds", "taken"),
    [(0, 90, True), (0, 90.1, False), (10, 10, True), (10, 10.1, False)],
)
def test_x84_balances_that_were_last_seen_too_long_ago_open_nothing(
    config: int, seconds: float, taken: bool
) -> None:
    risk = AXION["risk"] | {"account_max_age_seconds": config}
    desk = CoreDriver(config_of(**(AXION | {"risk": risk}))).later(seconds).price("NVDA", "100")
    events = desk.place(Side.BUY, 1, protect=Decimal(95))
    assert any(isinstance(event, ev.OrderIntended) for event in events) is taken
    desk.snapshot()
    assert any(
        isinstance(e, ev.OrderIntended) for e in desk.place(Side.BUY, 2, protect=Decimal(95))
    )


def test_x84_a_venue_in_this_process_is_not_asked_for_signs_of_life() -> None:
    async def scene(table: Table) -> None:
        await table.wait(50)
        assert "time" not in [what for _, what in table.venue.asked]

    play(scene, able=msgspec.structs.replace(PLAIN, heartbeat_seconds=0))


def test_rule3_what_reduces_is_sent_to_a_venue_that_is_silent() -> None:
    async def scene(table: Table) -> None:
        await table.buy(10, protect=Decimal(90))
        table.venue.silent = {"time", "positions"}
        await table.wait(80)
        assert (await table.engine.command(ask.ClosePosition(by="test", symbol="AAA"))).ok
        await table.until(lambda: table.there == 0, 10)

    play(scene, config=ALERT)
