"""The product with one rule taken out; the harsh seeds must notice by the invariant named.

Only the invariants of a row are watched in its runs: what another rule lets happen is not asked.
"""

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Final

import msgspec
import pytest

from engine.core import adoption, comparison, doubt, fill_alarms, fills, follow, market, sends, tick
from engine.core import decide as core
from engine.core.consequences import ask_triggers
from engine.core.follow import followed
from engine.core.reports import report
from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.account import Account, VenueSnapshot
from engine.domain.codes import Code
from engine.domain.inputs import OrdersReported, SnapshotTaken, Unanswered
from engine.domain.instant import Nanos
from engine.domain.market import Quote
from engine.domain.money import ZERO
from engine.domain.order import Fill
from engine.domain.run import KillState, Severity
from engine.exits import hard_stop
from engine.plans import exit as closing
from engine.plans import kill, protect, table
from engine.reconcile import compare
from engine.risk import gate
from engine.risk.checks import account
from engine.risk.facts import Facts
from engine.runtime import venue as answers
from engine.runtime.clock import SteadyTime
from engine.runtime.commands import Commands
from engine.state.account import AccountState
from engine.state.order import Order
from engine.world import World, exposure
from engine.world import prices as world_prices
from engine.world.market import MarketView
from tests.simulation.faults import Faults
from tests.simulation.harsh.line import HarshLine
from tests.simulation.harsh.switches import STRANGER, Harsh, Switches

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
    PLAIN,
    name="contra2",
    most=Switches(contradictions=0.8, executions_missing=0.5, thin=0.5),
    operator=8,
)
UNTOLD: Final = msgspec.structs.replace(
    PLAIN,
    name="untold",
    faults=Faults(partial=0.5, dropped=0.1, cancel_race=0.3),
    most=Switches(executions_missing=0.4, thin=0.8),
    restarts=2,
    operator=10,
)
STOPS_KEPT: Final = msgspec.structs.replace(
    PLAIN,
    name="stops kept",
    faults=Faults(partial=0.5, replace_refused=0.4),
    most=Switches(cancels_refused=0.6, thin=0.9, gaps=3),
)
CLOCK: Final = msgspec.structs.replace(PLAIN, name="clock", most=Switches(clock_jumps=2))
PAST: Final = msgspec.structs.replace(
    PLAIN, name="past", most=Switches(history=4, holdings=3, stops_of_others=1)
)
SILENT: Final = msgspec.structs.replace(PLAIN, name="silent", most=Switches(silences=2))
HALTS: Final = msgspec.structs.replace(PLAIN, name="halts", most=Switches(splits=3, halts=2))
RESTING: Final = msgspec.structs.replace(
    PLAIN,
    name="resting",
    most=Switches(gaps=12, thin=0.97),
    jumps=0.1,
    changes=0,
    hands=0,
    operator=0,
)
LAGS: Final = msgspec.structs.replace(
    PLAIN, name="lags", most=Switches(lists_lag=4.0, executions_late=4.0, thin=0.5), operator=14
)
OTHERS: Final = msgspec.structs.replace(
    PLAIN, name="others", most=Switches(trades_of_others=4, transfers=2), operator=6
)
MISSING: Final = msgspec.structs.replace(
    PLAIN, name="unlisted", most=Switches(executions_missing=0.6, thin=0.6, gaps=3), operator=3
)
LATE: Final = msgspec.structs.replace(
    PLAIN,
    name="told late",
    most=Switches(executions_missing=0.6, thin=0.6, gaps=10),
    hands=6,
    operator=3,
)
LAGS_KILLED: Final = msgspec.structs.replace(
    PLAIN,
    name="lags killed",
    most=Switches(
        lists_lag=4.0,
        executions_late=4.0,
        executions_missing=0.3,
        strange_positions=0.3,
        thin=0.9,
        holdings=3,
    ),
    operator=20,
)
STRANGE: Final = msgspec.structs.replace(
    PLAIN,
    name="strange",
    most=Switches(strange_balances=0.5, strange_quotes=0.3, strange_fills=0.5, holdings=2),
)
REFUSES: Final = msgspec.structs.replace(
    PLAIN, name="refuses", faults=Faults(rejected=0.3, partial=0.3), hands=8, operator=8
)
HALTED: Final = msgspec.structs.replace(
    PLAIN, name="halted", most=Switches(halts=4), hands=8, operator=8
)
AFTER_ALL: Final = msgspec.structs.replace(
    PLAIN,
    name="after all",
    most=Switches(late_fills=0.9, thin=0.8, gaps=4),
    joins=0.0,
    hands=12,
    jumps=0.1,
)
CLOCK_CRASHES: Final = msgspec.structs.replace(
    PLAIN, name="clock crashes", most=Switches(clock_jumps=3), crashes=3
)
EMPTY: Final = msgspec.structs.replace(PLAIN, name="empty", most=Switches(empty_executions=1.0))
NETTING: Final = msgspec.structs.replace(
    PLAIN, name="netting", most=Switches(nets=1, thin=0.95), hands=4, operator=0
)
LENDING: Final = msgspec.structs.replace(
    PLAIN, name="netting", most=Switches(thin=0.95), hands=4, operator=0
)
SPENDING: Final = msgspec.structs.replace(NETTING, hands=20)
LATER: Final = msgspec.structs.replace(
    PLAIN,
    name="later",
    most=Switches(trades_of_others=6, late_fills=0.5, thin=0.8),
    operator=14,
)
BURSTS: Final = msgspec.structs.replace(
    PLAIN,
    name="bursts",
    faults=Faults(partial=0.5, delayed=0.3),
    most=Switches(silences=3, thin=0.95, gaps=4),
    hands=4,
    jumps=0.2,
)
SPLITS: Final = msgspec.structs.replace(
    PLAIN, name="splits", most=Switches(splits=3, thin=0.9), hands=12, operator=0
)
LEFT: Final = msgspec.structs.replace(PLAIN, name="left", most=Switches(thin=0.9), hands=8)


class HarshAblation(msgspec.Struct, frozen=True, kw_only=True):
    """A rule that is missing, the profile whose seeds must notice, and by which invariant.

    `seed` is one that noticed when this was written, and is run first.
    """

    name: str
    profile: Harsh
    seed: int
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
    patching.setattr(hard_stop, "left_to_stops", lambda *args: 0)


# --- a close that waits for its market goes on with it --------------------------------------------


def _sees_no_trade(patching: pytest.MonkeyPatch) -> None:
    first = MarketView.take

    def without(market: MarketView, quote: Quote, now: Nanos) -> bool:
        taken = first(market, quote, now)
        market.traded.clear()
        return taken

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

    for asking in (follow, market, tick):
        patching.setattr(asking, "ask_triggers", of_holdings)


# --- a resume clears the halt that it was asked about ---------------------------------------------


def _clears_what_stands(patching: pytest.MonkeyPatch) -> None:
    first = Commands._checked

    async def unchecked(commands: Commands, resume: ask.Resume) -> ask.Resume:
        return msgspec.structs.replace(await first(commands, resume), against="")

    patching.setattr(Commands, "_checked", unchecked)


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


def _begins_at_a_price_of_before(patching: pytest.MonkeyPatch) -> None:
    """X-75: one that was told before the look that told of the holding is none of it."""
    patching.setattr(adoption, "WAITING", 0)


def _values_at_estimates(patching: pytest.MonkeyPatch) -> None:
    patching.setattr(adoption, "_known", lambda world, symbol: world.prices.mark(symbol))


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


# --- what is learned late counts by the prices since ----------------------------------------------


def _begins_with_its_price(patching: pytest.MonkeyPatch) -> None:
    patching.setattr(world_prices.Prices, "entered_before", lambda *args: None)


# --- a kill closes no more than was held ----------------------------------------------------------


def _closes_what_is_listed(patching: pytest.MonkeyPatch) -> None:
    patching.setattr(comparison, "exceeds", lambda *args: False)


# --- what enters ----------------------------------------------------------------------------------


def _reduces_and_enters(patching: pytest.MonkeyPatch) -> None:
    for ending in (core, tick):
        patching.setattr(ending, "end_withheld_entries", lambda world: iter(()))


def _never_silent(patching: pytest.MonkeyPatch) -> None:
    patching.setitem(core.RULES, Unanswered, lambda world, given, now: iter(()))


# --- what is taken over is no profit --------------------------------------------------------------


def _begins_with_cash(patching: pytest.MonkeyPatch) -> None:
    first = adoption.first_look

    def alone(world: World, given: SnapshotTaken, told: Account) -> Iterator[ev.Event]:
        cash = world.currencies.in_base(adoption.cash_of(told))
        for event in first(world, given, told):
            is_start = isinstance(event, ev.AccountSynced)
            yield msgspec.structs.replace(event, worth=cash) if is_start else event

    patching.setattr(adoption, "first_look", alone)


def _adopts_as_profit(patching: pytest.MonkeyPatch) -> None:
    first = adoption.adjusted

    def worthless(
        world: World, snapshot: VenueSnapshot, proposal: ev.PositionAdjusted, by: str
    ) -> ev.PositionAdjusted:
        return msgspec.structs.replace(first(world, snapshot, proposal, by), value=ZERO)

    patching.setattr(adoption, "adjusted", worthless)


# --- a list that is behind ------------------------------------------------------------------------


def _believes_late_lists(patching: pytest.MonkeyPatch) -> None:
    patching.setattr(compare, "_is_behind", lambda *args: False)


def _proves_at_once(patching: pytest.MonkeyPatch) -> None:
    patching.setattr(kill, "CLEAN_READS", 0)


# --- what filled and is told by nobody ------------------------------------------------------------


def _leaves_unknown(patching: pytest.MonkeyPatch) -> None:
    patching.setattr(compare, "_is_stuck", lambda *args: False)


def _asks_nobody(patching: pytest.MonkeyPatch) -> None:
    patching.setattr(compare, "awaited", lambda *args: [])


def _assumes_nothing(patching: pytest.MonkeyPatch) -> None:
    patching.setattr(compare, "_as_told", lambda *args: iter(()))


# --- numbers that are none ------------------------------------------------------------------------


def _any_balance(patching: pytest.MonkeyPatch) -> None:
    patching.setattr(answers, "account_fault", lambda told: "")


def _any_position(patching: pytest.MonkeyPatch) -> None:
    patching.setattr(answers, "position_fault", lambda told: "")


def _any_quote(patching: pytest.MonkeyPatch) -> None:
    patching.setattr(Quote, "fault", "")


def _any_fill(patching: pytest.MonkeyPatch) -> None:
    patching.setattr(fills, "fault_of", lambda world, fill: "")


# --- what closes, and what protects ---------------------------------------------------------------


def _without(plan: str) -> Callable[[pytest.MonkeyPatch], None]:
    def patch(patching: pytest.MonkeyPatch) -> None:
        plans = tuple(each for each in table.PLANS if each.name != plan)
        patching.setattr(table, "PLANS", plans)

    return patch


def _gives_up(patching: pytest.MonkeyPatch) -> None:
    year = 365 * 86_400 * 1_000_000_000
    patching.setattr(closing, "before_attempt", lambda failed: year if failed else 0)


def _leaves_reversed(patching: pytest.MonkeyPatch) -> None:
    patching.setattr(fills, "_reversed", lambda *args: iter(()))


def _begins_earlier(patching: pytest.MonkeyPatch) -> None:
    patching.setattr(SteadyTime, "not_before", lambda time, at: None)


def _alarms_again(patching: pytest.MonkeyPatch) -> None:
    def again(world: World, fill: Fill, why: str) -> Iterator[ev.Event]:
        symbol = fill.symbol
        yield ev.Alarmed(code="BAD_FILL", severity=Severity.CRITICAL, subject=symbol, text=why)

    patching.setattr(fills, "quarantine", again)


def _tells_every_part(patching: pytest.MonkeyPatch) -> None:
    once = fill_alarms._slippage

    def always(fill: Fill, order: Order, reference: Decimal) -> Iterator[ev.Event]:
        return once(fill, msgspec.structs.replace(order, worst_price=None), reference)

    patching.setattr(fill_alarms, "_slippage", always)


def _hurries(patching: pytest.MonkeyPatch) -> None:
    patching.setattr(closing, "before_attempt", lambda failed: 0)


# --- what may still be spent ----------------------------------------------------------------------


def _takes_off_again(patching: pytest.MonkeyPatch) -> None:
    patching.setattr(exposure, "_nets", lambda world, account: False)


def _takes_off_nothing(patching: pytest.MonkeyPatch) -> None:
    patching.setattr(exposure, "_nets", lambda world, account: True)


def _spends_what_is_bound(patching: pytest.MonkeyPatch) -> None:
    rows = tuple(row for row in gate.CHECKS if row.code != Code.BUYING_POWER)
    patching.setattr(gate, "CHECKS", rows)


# --- what rests through a split -------------------------------------------------------------------


def _rests_as_it_was(patching: pytest.MonkeyPatch) -> None:
    first = world_prices.Prices.suspicion_of
    patching.setattr(protect, "_is_unclear", lambda world, p: first(world.prices, p) is not None)


# --- what is told in one go is taken whole --------------------------------------------------------


def _follows_each_report(patching: pytest.MonkeyPatch) -> None:
    def each(world: World, given: OrdersReported, now: Nanos) -> Iterator[ev.Event]:
        for told in given.reports:
            yield from followed(world, report(world, told, now), now)

    patching.setitem(core.RULES, OrdersReported, each)


# --- a proof ends with the first evidence against it ----------------------------------------------


def _proves_for_ever(patching: pytest.MonkeyPatch) -> None:
    left, unknown, after_read = kill.left, kill.unknown, kill.after_read

    def is_proved(account: AccountState) -> bool:
        return account.kill is not None and account.kill.state == KillState.VERIFIED

    def read(world: World, snapshot: VenueSnapshot, now: Nanos) -> Iterator[ev.Event]:
        if not is_proved(world.book.account(snapshot.account)):
            yield from after_read(world, snapshot, now)

    patching.setattr(kill, "after_read", read)
    patching.setattr(kill, "left", lambda world, a: () if is_proved(a) else left(world, a))
    patching.setattr(kill, "unknown", lambda world, a: () if is_proved(a) else unknown(world, a))


ABLATIONS: Final = (
    HarshAblation(
        name="a fill that is told late begins with its own price, whatever was proved since",
        profile=LATE,
        seed=109,
        caught_by="L false",
        patch=_begins_with_its_price,
    ),
    HarshAblation(
        name="a kill closes what a list shows, though it closed that before",
        profile=LAGS_KILLED,
        seed=168,
        caught_by="R flip",
        patch=_closes_what_is_listed,
    ),
    HarshAblation(
        name="what works is taken off a number that has it taken off",
        profile=NETTING,
        seed=13,
        caught_by="Q power",
        patch=_takes_off_again,
    ),
    HarshAblation(
        name="what works is not taken off a number that does not have it taken off",
        profile=LENDING,
        seed=13,
        caught_by="Q power",
        patch=_takes_off_nothing,
    ),
    HarshAblation(
        name="an entry is sent that the account cannot pay",
        profile=SPENDING,
        seed=16,
        caught_by="Q power",
        patch=_spends_what_is_bound,
    ),
    HarshAblation(
        name="what comes of a report is done before the next of the same moment is known",
        profile=BURSTS,
        seed=137,
        caught_by="S armed",
        patch=_follows_each_report,
    ),
    HarshAblation(
        name="a stop rests through a split as it was until a price shows that",
        profile=SPLITS,
        seed=15,
        caught_by="S split",
        patch=_rests_as_it_was,
    ),
    HarshAblation(
        name="a kill that was proved stays so, whatever later looks show",
        profile=LATER,
        seed=7,
        caught_by="R proof",
        patch=_proves_for_ever,
    ),
    HarshAblation(
        name="a kill believes one list that shows nothing of what is held",
        profile=DENIED,
        seed=126,
        caught_by="R proof",
        patch=_believes_one_list,
    ),
    HarshAblation(
        name="an answer that denies what has filled takes back an end",
        profile=CONTRADICTS,
        seed=63,
        caught_by="R kill",
        patch=_takes_back_an_end,
    ),
    HarshAblation(
        name="time follows every jump of the clock",
        profile=CLOCK,
        seed=0,
        caught_by="T clock",
        patch=_follows_every_jump,
    ),
    HarshAblation(
        name="what was traded before the first look is traded again",
        profile=PAST,
        seed=0,
        caught_by="Q history",
        patch=_trades_history_again,
    ),
    HarshAblation(
        name="what one account was estimated at is a price for another",
        profile=PAST,
        seed=23,
        caught_by="Q profit",
        patch=_values_at_estimates,
    ),
    HarshAblation(
        name="a price that waited while the account began is the first one",
        profile=STRANGER,
        seed=1772,
        caught_by="Q profit",
        patch=_begins_at_a_price_of_before,
    ),
    HarshAblation(
        name="an addition is sized on its own stop",
        profile=PLAIN,
        seed=1,
        caught_by="S risk",
        patch=_adds_at_its_own_stop,
    ),
    HarshAblation(
        name="the fill of a stop leaves its entry working",
        profile=THIN,
        seed=18,
        caught_by="S entry",
        patch=_leaves_entries,
    ),
    HarshAblation(
        name="a stop is changed while it trades",
        profile=THIN,
        seed=0,
        caught_by="S armed",
        patch=_touches_stops,
    ),
    HarshAblation(
        name="a close waits out its pause though its market trades again",
        profile=HALTS,
        seed=7,
        caught_by="O exit",
        patch=_sees_no_trade,
    ),
    HarshAblation(
        name="what was asked of a stop is asked again while it trades",
        profile=STOPS_KEPT,
        seed=23,
        caught_by="S armed",
        patch=_asks_again_of_stops,
    ),
    HarshAblation(
        name="all of an order is assumed that ended with a part of it filled",
        profile=UNTOLD,
        seed=20,
        caught_by="Q fill",
        patch=_assumes_all_of_it,
    ),
    HarshAblation(
        name="loss limits are asked only while something is held",
        profile=GAPS,
        seed=12,
        caught_by="L loss",
        patch=_asks_of_holdings,
    ),
    HarshAblation(
        name="a resume clears a halt that came after it",
        profile=PLAIN,
        seed=2,
        caught_by="E epoch",
        patch=_clears_what_stands,
    ),
    HarshAblation(
        name="a silent venue takes entries",
        profile=SILENT,
        seed=13,
        caught_by="E silent",
        patch=_enters_in_silence,
    ),
    HarshAblation(
        name="an entry rests where only reducing is allowed",
        profile=RESTING,
        seed=8,
        caught_by="E rests",
        patch=_reduces_and_enters,
    ),
    HarshAblation(
        name="that a venue does not answer is not told to the core",
        profile=SILENT,
        seed=13,
        caught_by="E silent",
        patch=_never_silent,
    ),
    HarshAblation(
        name="an account begins with its cash alone",
        profile=PAST,
        seed=2,
        caught_by="Q profit",
        patch=_begins_with_cash,
    ),
    HarshAblation(
        name="what is taken over is booked as profit",
        profile=OTHERS,
        seed=0,
        caught_by="Q profit",
        patch=_adopts_as_profit,
    ),
    HarshAblation(
        name="a list is believed against fills that it cannot know yet",
        profile=LAGS,
        seed=171,
        caught_by="R flip",
        patch=_believes_late_lists,
    ),
    HarshAblation(
        name="one look proves a kill",
        profile=LAGS,
        seed=1,
        caught_by="R proof",
        patch=_proves_at_once,
    ),
    HarshAblation(
        name="an order that is UNKNOWN keeps its symbol from being compared for ever",
        profile=MISSING,
        seed=0,
        caught_by="Q held",
        patch=_leaves_unknown,
    ),
    HarshAblation(
        name="a fill is assumed of an order that the venue was not asked about",
        profile=STRANGER,
        seed=3300,
        caught_by="Q fill",
        patch=_asks_nobody,
    ),
    HarshAblation(
        name="what the venue counts as filled and does not tell is not assumed",
        profile=MISSING,
        seed=25,
        caught_by="R kill",
        patch=_assumes_nothing,
    ),
    HarshAblation(
        name="any balance is believed",
        profile=STRANGE,
        seed=0,
        caught_by="Q number",
        patch=_any_balance,
    ),
    HarshAblation(
        name="any holding is believed",
        profile=DENIED,
        seed=1,
        caught_by="Q number",
        patch=_any_position,
    ),
    HarshAblation(
        name="any quote is believed",
        profile=STRANGE,
        seed=0,
        caught_by="error",
        patch=_any_quote,
    ),
    HarshAblation(
        name="any fill is believed",
        profile=STRANGE,
        seed=1,
        caught_by="error",
        patch=_any_fill,
    ),
    HarshAblation(
        name="a stop outlives what it was for",
        profile=LEFT,
        seed=4,
        caught_by="S orphan",
        patch=_without("leftover"),
    ),
    HarshAblation(
        name="what is to be closed is not",
        profile=PLAIN,
        seed=0,
        caught_by="R kill",
        patch=_without("exit"),
    ),
    HarshAblation(
        name="a close that was refused is not tried again",
        profile=REFUSES,
        seed=1,
        caught_by="R kill",
        patch=_gives_up,
    ),
    HarshAblation(
        name="a close that was refused is tried without a pause",
        profile=HALTED,
        seed=2,
        caught_by="O pace",
        patch=_hurries,
    ),
    HarshAblation(
        name="what an order opened that was only to reduce is left as it is",
        profile=AFTER_ALL,
        seed=2,
        caught_by="R repair",
        patch=_leaves_reversed,
    ),
    HarshAblation(
        name="a process begins at the time of its clock, whatever was recorded before",
        profile=CLOCK_CRASHES,
        seed=9,
        caught_by="T backward",
        patch=_begins_earlier,
    ),
    HarshAblation(
        name="an execution that is none is told at every look",
        profile=EMPTY,
        seed=1,
        caught_by="O alarm",
        patch=_alarms_again,
    ),
    HarshAblation(
        name="each part of an order that fills too dear is told",
        profile=STRANGER,
        seed=4796,
        caught_by="O alarm",
        patch=_tells_every_part,
    ),
)
