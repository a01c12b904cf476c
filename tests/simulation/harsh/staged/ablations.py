"""The product with one rule taken out that matters only where something is staged.

Each row is one of `tests.simulation.harsh.ablations`, and is tried as those are.
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import Final

import msgspec
import pytest

from engine.core import changes, fills, tick
from engine.core import decide as core
from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.codes import Code
from engine.domain.inputs import Input
from engine.domain.instant import Nanos
from engine.domain.market import Quote
from engine.domain.order import Fill
from engine.domain.position import ExitReason
from engine.domain.run import Trigger
from engine.exits import price, table
from engine.intake import operator
from engine.plans import kill, suspected_split
from engine.risk import gate, triggers
from engine.risk.facts.stop import StopFacts
from engine.runtime import links
from engine.runtime.order_ids import OrderIds
from engine.state import order as orders
from engine.state.account import AccountState
from engine.world import World
from engine.world.evidence import ProvedPrice
from engine.world.market import MarketView
from engine.world.money import Equity
from tests.simulation.harsh.ablations import HarshAblation
from tests.simulation.harsh.staged import profiles
from tests.simulation.harsh.staged.answer_ablations import ANSWER_ABLATIONS

# --- a kill ---------------------------------------------------------------------------------------


def _waits_for_a_look(patching: pytest.MonkeyPatch) -> None:
    patching.setattr(kill, "_is_unread", lambda *args: False)


def _knows_by_id_alone(patching: pytest.MonkeyPatch) -> None:
    patching.setattr(OrderIds, "of_list", lambda self, listed: tuple(listed))
    patching.setattr(OrderIds, "of_report", lambda self, told: told)
    patching.setattr(OrderIds, "of_fill", lambda self, told: told)


# --- a start --------------------------------------------------------------------------------------


def _waits_for_every_venue(patching: pytest.MonkeyPatch) -> None:
    patching.setattr(links, "FIRST_LOOK_SECONDS", 10_000)


# --- what is held is what it was ------------------------------------------------------------------


def _is_new_again(patching: pytest.MonkeyPatch) -> None:
    patching.setattr(AccountState, "listed_again", lambda *args: None)


def _leaves_what_ended(patching: pytest.MonkeyPatch) -> None:
    first = fills.take

    def while_it_works(world: World, fill: Fill, now: Nanos) -> Iterator[ev.Event]:
        order = world.book.order_in(fill.account, fill.client_order_id)
        if order is None or not order.status.is_terminal:
            yield from first(world, fill, now)

    patching.setattr(fills, "take", while_it_works)


# --- entries --------------------------------------------------------------------------------------


def _lets_grow(patching: pytest.MonkeyPatch) -> None:
    patching.setattr(changes, "_is_more", lambda *args: False)


def _asks_a_cut_nothing(patching: pytest.MonkeyPatch) -> None:
    patching.setattr(gate, "OF_A_CUT", ())


def _asks_its_limit_alone(patching: pytest.MonkeyPatch) -> None:
    def without_the_market(facts: StopFacts) -> tuple[Decimal | None, ...]:
        request = facts.request
        seen = None if request.signal is None else request.signal.entry_price
        prices = (request.entry, request.stop_price, seen)
        return tuple(price for price in prices if price is not None)

    patching.setattr(StopFacts, "fill_prices", property(without_the_market))


def _any_target(patching: pytest.MonkeyPatch) -> None:
    rows = tuple(row for row in gate.CHECKS if row.code != Code.INVALID_TARGET)
    patching.setattr(gate, "CHECKS", rows)


def _rests_overnight(patching: pytest.MonkeyPatch) -> None:
    patching.setattr(tick, "end_late_entries", lambda *args: iter(()))


def _holds_overnight(patching: pytest.MonkeyPatch) -> None:
    rows = tuple(row for row in table.EXITS if row.reason is not ExitReason.EOD)
    patching.setattr(table, "EXITS", rows)


def _brings_no_stop(patching: pytest.MonkeyPatch) -> None:
    patching.setattr(StopFacts, "_stop_of_entries", None)


# --- stops and targets ----------------------------------------------------------------------------


def _places_again_at_once(patching: pytest.MonkeyPatch) -> None:
    patching.setattr(orders, "DROPPED_WITHIN", 0)


def _trades_unseen(patching: pytest.MonkeyPatch) -> None:
    patching.setattr(fills, "trades_untold", lambda *args: iter(()))


def _takes_any_tick(patching: pytest.MonkeyPatch) -> None:
    patching.setattr(price, "leaps", lambda *args: False)


def _proves_by_one(patching: pytest.MonkeyPatch) -> None:
    first = ProvedPrice.see

    def at_once(
        proved: ProvedPrice,
        price: Decimal,
        at: Nanos,
        *,
        told_at: Nanos,
        falling: bool = False,
        rising: bool = False,
    ) -> Decimal:
        return first(proved, price, at, told_at=told_at, falling=True, rising=True)

    patching.setattr(ProvedPrice, "see", at_once)


def _hears_the_past(patching: pytest.MonkeyPatch) -> None:
    patching.setattr(MarketView, "_is_past", lambda *args, **more: False)


def _hears_it_again(patching: pytest.MonkeyPatch) -> None:
    first = MarketView.take

    def as_it_comes(market: MarketView, quote: Quote, now: Nanos) -> bool:
        taken = first(market, quote, now)
        market.told_at[quote.symbol] = now
        return taken

    _hears_the_past(patching)
    patching.setattr(MarketView, "take", as_it_comes)


# --- a split of which orders tell -----------------------------------------------------------------


def _suspects_no_order(patching: pytest.MonkeyPatch) -> None:
    patching.setattr(suspected_split, "suspect_by_order", lambda *args: iter(()))


def _proves_by_no_fill(patching: pytest.MonkeyPatch) -> None:
    patching.setattr(fills, "proved_by_fill", lambda *args: iter(()))


# --- a resume -------------------------------------------------------------------------------------


def _clears_any_halt(patching: pytest.MonkeyPatch) -> None:
    first = core.RULES[ask.Resume]

    def whichever(world: World, given: Input, now: Nanos) -> Iterator[ev.Event]:
        assert isinstance(given, ask.Resume)
        yield from first(world, msgspec.structs.replace(given, epoch=msgspec.UNSET), now)

    patching.setitem(core.RULES, ask.Resume, whichever)


def _clears_without_cash(patching: pytest.MonkeyPatch) -> None:
    first = operator._against_account

    def but_for_cash(world: World, account: AccountState, where: str, now: Nanos) -> Iterator[str]:
        yield from (why for why in first(world, account, where, now) if "cash at" not in why)

    patching.setattr(operator, "_against_account", but_for_cash)


# --- the floor of equity --------------------------------------------------------------------------


def _asks_what_is_explained(patching: pytest.MonkeyPatch) -> None:
    first = triggers._min_equity

    def of_explained(world: World, now: Nanos, equity: Equity) -> triggers.Trip | None:
        return first(world, now, Equity(equity.explained, Decimal(0)))

    rows = tuple(
        msgspec.structs.replace(row, ask=of_explained) if row.trigger is Trigger.MIN_EQUITY else row
        for row in triggers.RULES
    )
    patching.setattr(triggers, "RULES", rows)


def _is_worth_what_was_seen(patching: pytest.MonkeyPatch) -> None:
    patching.setattr(triggers, "_is_unseen_yet", lambda *args: False)


STAGED_ABLATIONS: Final = (
    HarshAblation(
        name="a kill closes nothing before its venue has been looked at",
        profile=profiles.UNREAD,
        seed=1,
        caught_by="R unread",
        patch=_waits_for_a_look,
    ),
    HarshAblation(
        name="an order without a client order id has the id that it has not",
        profile=profiles.UNNAMED,
        seed=15,
        caught_by="R theirs",
        patch=_knows_by_id_alone,
    ),
    HarshAblation(
        name="an engine begins only once every venue has answered",
        profile=profiles.MUTE,
        seed=0,
        caught_by="U hung",
        patch=_waits_for_every_venue,
    ),
    HarshAblation(
        name="what is listed again is held anew, and has no stop",
        profile=profiles.FORGETS,
        seed=1,
        caught_by="S again",
        patch=_is_new_again,
    ),
    HarshAblation(
        name="a fill of an order that has ended, or was refused, is not taken",
        profile=profiles.AFTER_ALL,
        seed=0,
        caught_by="Q taken",
        patch=_leaves_what_ended,
    ),
    HarshAblation(
        name="an entry works on that somebody has enlarged",
        profile=profiles.ENLARGES,
        seed=6,
        caught_by="E grown",
        patch=_lets_grow,
    ),
    HarshAblation(
        name="what takes the place of an entry that was cut is sent past its stop",
        profile=profiles.FALLS,
        seed=3,
        caught_by="S passed",
        patch=_asks_a_cut_nothing,
    ),
    HarshAblation(
        name="the stop of an order with a limit is compared with that limit alone",
        profile=profiles.ASTRAY,
        seed=1,
        caught_by="S passed",
        patch=_asks_its_limit_alone,
    ),
    HarshAblation(
        name="a target may lie on the losing side",
        profile=profiles.ASTRAY,
        seed=1,
        caught_by="S target",
        patch=_any_target,
    ),
    HarshAblation(
        name="entries that end with the session rest beyond it",
        profile=profiles.LATE,
        seed=1,
        caught_by="E late",
        patch=_rests_overnight,
    ),
    HarshAblation(
        name="what ends with the session is held beyond it",
        profile=profiles.LATE,
        seed=3,
        caught_by="R late",
        patch=_holds_overnight,
    ),
    HarshAblation(
        name="a stop that its venue ends is placed again at once, for ever",
        profile=profiles.DROPPED,
        seed=0,
        caught_by="O pace",
        patch=_places_again_at_once,
    ),
    HarshAblation(
        name="a stop of which a fill cannot be taken is changed while it trades",
        profile=profiles.USED_IDS,
        seed=736,
        caught_by="S armed",
        patch=_trades_unseen,
    ),
    HarshAblation(
        name="one absurd price closes a position at its target",
        profile=profiles.ABSURD,
        seed=1,
        caught_by="S tick",
        patch=_takes_any_tick,
    ),
    HarshAblation(
        name="one price is evidence for a loss",
        profile=profiles.ABSURD,
        seed=5,
        caught_by="L false",
        patch=_proves_by_one,
    ),
    HarshAblation(
        name="an order that its venue changed as a split does shows none",
        profile=profiles.SPLITS,
        seed=7,
        caught_by="S units",
        patch=_suspects_no_order,
    ),
    HarshAblation(
        name="a fill of the new units is one of the old",
        profile=profiles.SPLITS,
        seed=21,
        caught_by="R units",
        patch=_proves_by_no_fill,
    ),
    HarshAblation(
        name="a resume clears another halt than was looked at",
        profile=profiles.LATE_RESUMES,
        seed=0,
        caught_by="E looked",
        patch=_clears_any_halt,
    ),
    HarshAblation(
        name="a resume clears a halt though cash is unexplained",
        profile=profiles.PAID,
        seed=2,
        caught_by="E cash",
        patch=_clears_without_cash,
    ),
    HarshAblation(
        name="what nothing explains is no part of the equity that has a floor",
        profile=profiles.FLOOR,
        seed=24,
        caught_by="L floor",
        patch=_asks_what_is_explained,
    ),
    HarshAblation(
        name="an order without a stop is not held to that of an entry beside it",
        profile=profiles.BESIDE,
        seed=0,
        caught_by="S beside",
        patch=_brings_no_stop,
    ),
    HarshAblation(
        name="a price that is older than the newest is a second one",
        profile=profiles.LATE_PRINTS,
        seed=0,
        caught_by="L false",
        patch=_hears_the_past,
    ),
    HarshAblation(
        name="a price that is told again is a second one",
        profile=profiles.RETOLD,
        seed=2,
        caught_by="L false",
        patch=_hears_it_again,
    ),
    HarshAblation(
        name="what was not looked at yet is lost",
        profile=profiles.UNSEEN,
        seed=0,
        caught_by="L unseen",
        patch=_is_worth_what_was_seen,
    ),
    *ANSWER_ABLATIONS,
)
