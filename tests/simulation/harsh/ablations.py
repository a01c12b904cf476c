"""The product with one rule taken out; the harsh seeds must notice by the invariant named.

Only the invariants of a row are watched in its runs: what another rule lets happen is not asked.
"""

from collections.abc import Callable, Iterator
from typing import Final

import msgspec
import pytest

from engine.core import adoption, comparison, doubt, fills, sends
from engine.core import decide as core
from engine.core.consequences import ask_triggers
from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.instant import Nanos
from engine.domain.market import Quote
from engine.domain.order import Fill
from engine.exits import rules
from engine.plans import exit as closing
from engine.plans import protect, table
from engine.reconcile import compare
from engine.risk.checks import account
from engine.risk.facts import Facts
from engine.runtime.clock import SteadyTime
from engine.runtime.engine import Engine
from engine.world import World
from engine.world.market import MarketView
from tests.simulation.faults import Faults
from tests.simulation.harsh.line import HarshLine
from tests.simulation.harsh.switches import Harsh, Switches

PLAIN: Final = Harsh(
    name="plain", faults=Faults(), most=Switches(), chance=1.0, real_journal=0.0, operator=4
)
"""No switch is on."""
THIN: Final = msgspec.structs.replace(
    PLAIN, name="thin", most=Switches(thin=0.95, gaps=2), hands=4, jumps=0.25
)
GAPS: Final = msgspec.structs.replace(PLAIN, name="gaps", most=Switches(gaps=4))
DENIED: Final = msgspec.structs.replace(
    PLAIN, name="denied", most=Switches(strange_positions=0.6, holdings=3), operator=14
)
CONTRADICTS: Final = msgspec.structs.replace(
    PLAIN, name="contradicts", most=Switches(contradictions=0.5, executions_missing=0.3)
)
UNTOLD: Final = msgspec.structs.replace(
    PLAIN,
    name="missing",
    faults=Faults(partial=0.5, dropped=0.1, cancel_race=0.3),
    most=Switches(executions_missing=0.4, thin=0.8),
    restarts=2,
    operator=10,
)
REFUSES: Final = msgspec.structs.replace(
    PLAIN,
    name="refuses",
    faults=Faults(partial=0.5, replace_refused=0.4),
    most=Switches(cancels_refused=0.6, thin=0.9, gaps=3),
)
CLOCK: Final = msgspec.structs.replace(PLAIN, name="clock", most=Switches(clock_jumps=2))
PAST: Final = msgspec.structs.replace(
    PLAIN, name="past", most=Switches(history=4, holdings=3, stops_of_others=1)
)
SILENT: Final = msgspec.structs.replace(PLAIN, name="silent", most=Switches(silences=2))
HALTS: Final = msgspec.structs.replace(PLAIN, name="halts", most=Switches(splits=3, halts=2))


class HarshAblation(msgspec.Struct, frozen=True, kw_only=True):
    """A rule that is missing, the profile whose seeds must notice, and by which invariant."""

    name: str
    profile: Harsh
    caught_by: str
    patch: Callable[[pytest.MonkeyPatch], None]


# --- a stop that trades ends its entry, and is left alone -----------------------------------------


def _leaves_entries(patching: pytest.MonkeyPatch) -> None:
    plans = tuple(plan for plan in table.PLANS if plan.name != "stopped")
    patching.setattr(table, "PLANS", plans)


def _touches_stops(patching: pytest.MonkeyPatch) -> None:
    patching.setattr(closing, "is_trading", lambda *args: False)
    patching.setattr(protect, "is_trading", lambda *args: False)
    patching.setattr(protect, "trades_until", lambda *args: 0)
    patching.setattr(rules, "left_to_stops", lambda *args: 0)


# --- a close that waits for its market goes on with it --------------------------------------------


def _sees_no_trade(patching: pytest.MonkeyPatch) -> None:
    first = MarketView.take

    def without(market: MarketView, quote: Quote, now: Nanos) -> None:
        first(market, quote, now)
        market.traded.clear()

    patching.setattr(MarketView, "take", without)


def _asks_again_of_stops(patching: pytest.MonkeyPatch) -> None:
    patching.setattr(sends, "is_left_to_trade", lambda *args: False)
    patching.setattr(doubt, "is_left_to_trade", lambda *args: False)


# --- no more is assumed than the venue counts -----------------------------------------------------


def _assumes_all_of_it(patching: pytest.MonkeyPatch) -> None:
    patching.setattr(compare, "told_of", lambda order, listed: (order.most, None))


# --- a loss counts when it is realised, held or not -----------------------------------------------


def _asks_of_holdings(patching: pytest.MonkeyPatch) -> None:
    first = ask_triggers

    def of_holdings(world: World, now: Nanos) -> Iterator[ev.Event]:
        if any(True for _ in world.holdings()):
            yield from first(world, now)

    patching.setattr(core, "ask_triggers", of_holdings)


# --- a resume clears the halt that it was asked about ---------------------------------------------


def _clears_what_stands(patching: pytest.MonkeyPatch) -> None:
    first = Engine._checked

    async def unchecked(engine: Engine, resume: ask.Resume) -> ask.Resume:
        return msgspec.structs.replace(await first(engine, resume), against="")

    patching.setattr(Engine, "_checked", unchecked)


# --- a venue that answers nothing takes no entries ------------------------------------------------


def _enters_in_silence(patching: pytest.MonkeyPatch) -> None:
    patching.setattr(account, "MAX_SILENCE_SECONDS", 10_000)


# --- what is there before the first look is history -----------------------------------------------


def _trades_history_again(patching: pytest.MonkeyPatch) -> None:
    first = HarshLine.get_fills_since

    async def every(line: HarshLine, since: Nanos) -> tuple[Fill, ...]:
        return await first(line, 0)

    patching.setattr(fills, "_is_history", lambda *args: False)
    patching.setattr(HarshLine, "get_fills_since", every)


def _values_at_estimates(patching: pytest.MonkeyPatch) -> None:
    patching.setattr(adoption, "_known", lambda world, symbol: world.mark(symbol))


# --- an addition counts with what is held ---------------------------------------------------------


def _adds_at_its_own_stop(patching: pytest.MonkeyPatch) -> None:
    patching.setattr(Facts, "adds_risk", None)


# --- one word of the venue against what is known --------------------------------------------------


def _believes_one_list(patching: pytest.MonkeyPatch) -> None:
    patching.setattr(comparison, "vanishes", lambda *args: False)


def _takes_back_an_end(patching: pytest.MonkeyPatch) -> None:
    patching.setattr(doubt, "_denies_its_end", lambda *args: False)


# --- a clock that jumped is not believed before it has been stable --------------------------------


def _follows_every_jump(patching: pytest.MonkeyPatch) -> None:
    patching.setattr(SteadyTime, "_is_sure", lambda *args: True)


ABLATIONS: Final = (
    HarshAblation(
        name="a kill believes one list that shows nothing of what is held",
        profile=DENIED,
        caught_by="R proof",
        patch=_believes_one_list,
    ),
    HarshAblation(
        name="an answer that denies what has filled takes back an end",
        profile=CONTRADICTS,
        caught_by="O signal",
        patch=_takes_back_an_end,
    ),
    HarshAblation(
        name="time follows every jump of the clock",
        profile=CLOCK,
        caught_by="T clock",
        patch=_follows_every_jump,
    ),
    HarshAblation(
        name="what was traded before the first look is traded again",
        profile=PAST,
        caught_by="Q history",
        patch=_trades_history_again,
    ),
    HarshAblation(
        name="what one account was estimated at is a price for another",
        profile=PAST,
        caught_by="Q profit",
        patch=_values_at_estimates,
    ),
    HarshAblation(
        name="an addition is sized on its own stop",
        profile=PLAIN,
        caught_by="S risk",
        patch=_adds_at_its_own_stop,
    ),
    HarshAblation(
        name="the fill of a stop leaves its entry working",
        profile=THIN,
        caught_by="S entry",
        patch=_leaves_entries,
    ),
    HarshAblation(
        name="a stop is changed while it trades",
        profile=THIN,
        caught_by="S armed",
        patch=_touches_stops,
    ),
    HarshAblation(
        name="a close waits out its pause though its market trades again",
        profile=HALTS,
        caught_by="R kill",
        patch=_sees_no_trade,
    ),
    HarshAblation(
        name="what was asked of a stop is asked again while it trades",
        profile=REFUSES,
        caught_by="S armed",
        patch=_asks_again_of_stops,
    ),
    HarshAblation(
        name="all of an order is assumed that ended with a part of it filled",
        profile=UNTOLD,
        caught_by="Q fill",
        patch=_assumes_all_of_it,
    ),
    HarshAblation(
        name="loss limits are asked only while something is held",
        profile=GAPS,
        caught_by="L loss",
        patch=_asks_of_holdings,
    ),
    HarshAblation(
        name="a resume clears a halt that came after it",
        profile=PLAIN,
        caught_by="E epoch",
        patch=_clears_what_stands,
    ),
    HarshAblation(
        name="a silent venue takes entries",
        profile=SILENT,
        caught_by="E silent",
        patch=_enters_in_silence,
    ),
)
