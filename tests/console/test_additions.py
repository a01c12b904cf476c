"""A ninth check, a new exit, a second broker: each is one row of one table, and trades.

The engine that runs here is the whole one, in virtual time; only the row is added.
"""

import sys
from decimal import Decimal
from types import ModuleType
from typing import Any

import msgspec
import pytest

from brokers import FACTORIES, Plan
from brokers.paper.setup import open_paper
from console.virtual import Rehearsal, rehearse
from engine.domain.codes import Code, Stage
from engine.domain.events import SignalDecided
from engine.domain.instant import Nanos
from engine.domain.position import ExitReason
from engine.exits.rules import EXITS, Exit, ExitRule
from engine.risk.case import Case, Finding, passed, refused
from engine.risk.gate import CHECKS, Check
from engine.state.position import Position
from engine.world import World

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

    def spread(case: Case, limit: Any) -> Finding | None:
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


def test_a_second_broker_is_one_row(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another adapter under another name: the config takes it, orders go there, fills come back."""

    def open_second(plan: Plan) -> object:
        paper = msgspec.structs.replace(plan, settings=_Paper())
        return open_paper(paper)

    module = ModuleType("second_venue")
    module.__dict__["open_second"] = open_second
    monkeypatch.setitem(sys.modules, "second_venue", module)
    monkeypatch.setitem(FACTORIES, "alpaca", "second_venue:open_second")

    async def play(desk: Rehearsal) -> tuple[str, bool]:
        await buy(desk)
        (position,) = desk.engine.state.held("NVDA")
        return position.account, position.quantity > 0

    assert rehearse(play, config={"account": {"primary": "alpaca"}}) == ("alpaca", True)


class _Paper:
    """What the paper account behind the second name is opened with."""

    address = ""
    initial_cash = Decimal(50_000)
    currency = "USD"
    latency_ms = (0.0, 0.0)
    slippage_bps = Decimal(5)
    commission_bps = Decimal(10)
    fill_probability = Decimal(1)
    participation = Decimal("0.1")
