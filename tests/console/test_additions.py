"""A check, an exit, a broker, a plan, a front end: each is one row of one table, and trades.

The engine that runs here is the whole one, in virtual time; only the row is added.
"""

import ast
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

import brokers
from brokers import FACTORIES, Factory, venue_kinds
from console.virtual import Rehearsal, rehearse
from engine.config import ConfigError, init_text, opened, show_text
from engine.config.rules import value_at
from engine.core.decide import RULES
from engine.domain.codes import Code, Stage
from engine.domain.commands import PlaceOrder
from engine.domain.events import (
    CommandRefused,
    Event,
    IntentEnded,
    IntentOpened,
    SignalDecided,
)
from engine.domain.inputs import Command
from engine.domain.instant import Nanos
from engine.domain.order import OrderTerms, Side
from engine.domain.position import ExitReason
from engine.exits.rules import EXITS, Exit, ExitRule
from engine.pipeline.intent import build
from engine.pipeline.request import manual_request
from engine.pipeline.stages import decide
from engine.plans.exit import plan_exit
from engine.plans.table import PLANS, Plan
from engine.risk.finding import Finding, passed, refused
from engine.risk.gate import CHECKS, Check
from engine.state.position import Position
from engine.world import World
from tests.configs import from_mapping

SIGNAL = {
    "signal_id": "s-1",
    "signal_type": "an_idea",
    "direction": "long",
    "ticker": "NVDA",
    "timeframe": "10m",
    "conviction": 80,
    "entry_price": "100",
    "stop_loss": "98",
    "timestamp": "2013-10-07T14:00:00Z",
}


async def buy(desk: Rehearsal) -> SignalDecided:
    """Submit the signal and let a fill come."""
    desk.price("NVDA", "100")
    verdict = desk.engine.submit(SIGNAL)
    assert isinstance(verdict, SignalDecided)
    await desk.wait(1)
    desk.price("NVDA", "100")
    await desk.wait(1)
    return verdict


def test_a_ninth_check_is_one_row(monkeypatch: pytest.MonkeyPatch) -> None:
    """The row names its code, its limit and its config key; the verdict carries them."""

    def spread(limit: Any) -> Finding | None:
        wide = Decimal("0.004")
        return passed(wide, limit) if wide <= limit else refused(wide, limit, "the spread is wide")

    row = Check(
        Code.CIRCUIT_OPEN, Stage.RISK, spread, limit="price_collar_pct", key="risk.price_collar_pct"
    )
    monkeypatch.setattr("engine.risk.gate.CHECKS", (*CHECKS, row))

    async def play(desk: Rehearsal) -> tuple[str, str, str]:
        verdict = await buy(desk)
        return verdict.code, verdict.measured, verdict.limit

    tight = {"risk": {"price_collar_pct": "0.003"}}
    assert rehearse(play, config=tight) == ("CIRCUIT_OPEN", "0.004", "0.003")
    wide = {"risk": {"price_collar_pct": "0.004"}}
    assert rehearse(play, config=wide)[0] != "CIRCUIT_OPEN"


def test_a_new_exit_is_one_row(monkeypatch: pytest.MonkeyPatch) -> None:
    def too_long(world: World, position: Position, now: Nanos) -> Exit | None:
        held = now - position.opened_at
        return Exit(measured=str(held), limit="60 s") if held >= 60_000_000_000 else None

    row = ExitRule(
        reason=ExitReason.TIME_STOP, priority=5, config_key="exits.time_stop_minutes", ask=too_long
    )
    monkeypatch.setattr("engine.exits.rules.EXITS", (*EXITS, row))

    async def play(desk: Rehearsal) -> tuple[Decimal, Decimal]:
        await buy(desk)
        before = desk.held("NVDA")
        await desk.wait(60)
        desk.price("NVDA", "100")
        await desk.wait(1)
        desk.price("NVDA", "100")
        await desk.wait(1)
        return before, desk.held("NVDA")

    before, after = rehearse(play)
    assert before > 0
    assert after == 0


SECOND = {
    "__init__.py": "",
    "settings.py": """
from typing import Annotated, Literal

from pydantic import Field

from engine.config.kinds import whole
from engine.config.venue import RealVenueConfig


class SecondConfig(RealVenueConfig):
    \'\'\'A second venue.\'\'\'

    environment: Literal["demo", "live"] = Field("demo", description="demo | live")
    desk: Annotated[int, whole(1, 9)] = Field(1, description="of its house")
""",
    "adapter.py": """
from decimal import Decimal

import msgspec

from brokers.paper.settings import PaperConfig
from brokers.paper.setup import open_paper


def open_second(plan):
    terms = PaperConfig.model_construct(
        latency_ms=(0, 0),
        fill_probability=Decimal(1),
        initial_cash=Decimal(plan.settings.desk * 10_000),
    )
    return open_paper(msgspec.structs.replace(plan, settings=terms))
""",
}
"""The folder of a venue: the settings it declares, and what opens an account of it."""


@pytest.fixture
def second(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A venue that is added by its folder under `brokers` and a row of `FACTORIES`."""
    folder = tmp_path / "second"
    folder.mkdir()
    for name, text in SECOND.items():
        (folder / name).write_text(text)
    monkeypatch.setattr(brokers, "__path__", [*brokers.__path__, str(tmp_path)])
    row = Factory("brokers.second.settings:SecondConfig", "brokers.second.adapter:open_second")
    monkeypatch.setitem(FACTORIES, "second", row)
    yield
    for name in [name for name in sys.modules if name.startswith("brokers.second")]:
        del sys.modules[name]
    del brokers.second  # type: ignore[attr-defined]  # set by the import


def test_a_second_broker_is_a_folder_and_a_row(second: None) -> None:
    """The config takes its table, orders go there, fills come back, and its own key reaches it."""

    async def play(desk: Rehearsal) -> tuple[str, bool, Decimal]:
        cash = desk.engine.state.data.accounts["second"].cash["USD"]
        await buy(desk)
        (position,) = desk.engine.state.held("NVDA")
        return position.account, position.quantity > 0, cash

    config = {"account": {"primary": "second"}, "brokers": {"second": {"desk": 5}}}
    assert rehearse(play, config=config) == ("second", True, Decimal(50_000))


def test_the_settings_of_an_added_broker_are_judged_as_every_key_is(second: None) -> None:
    """At the boundary, below and above; an unknown key, its kind, and its live world too."""
    for desk in (1, 9):
        config = from_mapping({"brokers": {"second": {"desk": desk}}})
        assert value_at(config, ("brokers", "second", "desk")) == desk
    assert opened(from_mapping({"brokers": {"mine": {"kind": "second"}}})) == ("paper", "mine")
    refused = "is refused: allowed is a whole number from 1 to 9."
    assert _told({"second": {"desk": 0}}) == [f"brokers.second.desk = 0 {refused}"]
    assert _told({"second": {"desk": 10}}) == [f"brokers.second.desk = 10 {refused}"]
    assert _told({"mine": {"kind": "second", "desk": 10}}) == [f"brokers.mine.desk = 10 {refused}"]
    assert _told({"second": {"dsk": 1}}) == [
        "brokers.second.dsk = 1 is unknown: desk may be meant, "
        "[brokers.second] takes kind, account_id, environment, desk."
    ]
    assert _told({"second": {"environment": "live"}}) == [
        'brokers.second.environment = "live" is refused: allowed is "demo" while mode is "paper".'
    ]


def test_an_added_broker_is_written_and_shown_with_the_others(second: None) -> None:
    text = init_text(venue_kinds(), example="second")
    assert "# A second venue.\n[brokers.second]\n" in text
    assert '# broker = "second"\n' in text
    assert "desk = 7\n" in show_text(from_mapping({"brokers": {"second": {"desk": 7}}}))


def _told(accounts: dict[str, Any]) -> list[str]:
    with pytest.raises(ConfigError) as told:
        from_mapping({"brokers": accounts})
    return list(told.value.problems)


class Basket(Command, frozen=True, kw_only=True):
    """A front end of a test's own: so many of each symbol, in one intent."""

    quantities: dict[str, Decimal]


def basket(world: World, given: Basket, now: Nanos) -> Iterator[Event]:
    """Each leg passes the gate as a person's order would; then all of them are one intent."""
    legs: list[OrderTerms] = []
    for symbol, quantity in given.quantities.items():
        wanted = PlaceOrder(by=given.by, symbol=symbol, side=Side.BUY, quantity=quantity)
        ruling = decide(world, manual_request(world, wanted), now)
        if not ruling.allowed:
            yield CommandRefused(
                command="Basket", code=ruling.code, reason=ruling.reason, by=given.by
            )
            return
        terms = build(world, ruling, now, signal_id="", facts=("basket", symbol))
        legs.append(msgspec.structs.replace(terms, intent_id="basket"))
    yield IntentOpened(intent_id="basket", plan="entry", by=given.by, legs=tuple(legs))


def test_a_new_front_end_is_one_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(RULES, Basket, basket)

    async def play(desk: Rehearsal) -> tuple[Decimal, Decimal, list[Event]]:
        ended: list[Event] = []
        desk.engine.subscribe(
            lambda record: (
                ended.append(record.event) if isinstance(record.event, IntentEnded) else None
            )
        )
        for symbol in ("NVDA", "AMD"):
            desk.price(symbol, "100")
        done = await desk.engine.command(
            Basket(by="test", quantities={"NVDA": Decimal(3), "AMD": Decimal(4)})
        )
        assert done.ok, done.error
        await desk.wait(1)
        for symbol in ("NVDA", "AMD"):
            desk.price(symbol, "100")
        await desk.wait(1)
        return desk.held("NVDA"), desk.held("AMD"), ended

    nvda, amd, ended = rehearse(play)
    assert (nvda, amd) == (3, 4)
    (end,) = ended
    assert isinstance(end, IntentEnded)
    assert end.reason.startswith("2 of 2 legs filled")


def test_a_new_plan_is_one_row(monkeypatch: pytest.MonkeyPatch) -> None:
    """A plan that keeps no more than ten of anything: what is above that is closed."""

    def trim(world: World, account: str, symbol: str, now: Nanos) -> Iterator[Event]:
        held = world.book.holding(account, symbol)
        if held is not None and held.quantity > 10 and held.exiting is None:
            yield from plan_exit(
                held, reason=ExitReason.TIME_STOP, priority=9, quantity=held.quantity - 10
            )

    monkeypatch.setattr("engine.plans.table.PLANS", (Plan("trim", trim), *PLANS))

    async def play(desk: Rehearsal) -> Decimal:
        await buy(desk)
        for _ in range(5):
            await desk.wait(1)
            desk.price("NVDA", "100")
        return desk.held("NVDA")

    assert rehearse(play) == 10


def test_a_new_kind_of_instrument_touches_one_file() -> None:
    """What an instrument is stands in its facts; nothing that decides or draws asks for its kind by
    name, so that a kind is a member, its fields and a row of defaults in `domain/instrument.py`."""
    root = Path(__file__).resolve().parents[2]
    found: set[str] = set()
    for folder in ("engine", "console", "storage"):
        for path in (root / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if not isinstance(node, ast.Attribute) or not isinstance(node.value, ast.Name):
                    continue
                if node.value.id == "AssetClass":
                    found.add(f"{path.relative_to(root)}: {node.attr}")
    assert {one.partition(":")[0] for one in found} == {"engine/domain/instrument.py"}


def test_a_row_that_fails_fails_the_rehearsal(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(world: World, account: str, symbol: str, now: Nanos) -> Iterator[Event]:
        raise ZeroDivisionError("a defect")
        yield

    monkeypatch.setattr("engine.plans.table.PLANS", (Plan("broken", broken), *PLANS))

    async def play(desk: Rehearsal) -> None:
        await buy(desk)

    with pytest.raises(Exception, match="a defect"):
        rehearse(play)


def test_the_simulated_market_runs_in_a_rehearsal() -> None:
    async def play(desk: Rehearsal) -> int:
        before = desk.now
        await desk.wait(120)
        assert desk.now - before >= 120_000_000_000
        return len(desk.engine.world.market.quotes)

    assert rehearse(play, market="simulated") > 0
