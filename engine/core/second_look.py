"""Which proposals of an operator's look wait for a second look before they are taken over (X-75).

One list takes no holding away: what it shows as gone, or on the other side, for the first time, and
what the balances that were told with it deny, is compared again. An alarm says so in a sentence;
what is not contradicted is taken over all the same.
"""

from typing import Final

from engine.domain import events as ev
from engine.domain.account import VenueSnapshot
from engine.domain.money import plain
from engine.domain.run import Severity
from engine.plans.kill_lists import denied_once, listed_before, shown_first, turns
from engine.reconcile.compare import Comparison, may_be_told
from engine.world import World

COMPARE_AGAIN: Final = "COMPARE_AGAIN"
"""The code of the alarms that say what was not taken over yet, and why."""


def left_to_second_look(
    world: World, snapshot: VenueSnapshot, found: Comparison
) -> dict[int, ev.Alarmed]:
    """Find the proposals that are not taken over until a second look shows the same.

    `found` is the comparison of `snapshot` with the state. Returns, by the index of the proposal in
    `found.proposals`, the alarm that says why it waits; empty where nothing waits. While anything
    waits, the cash that nothing explains is not taken over either (X-75).
    """
    left: dict[int, ev.Alarmed] = {}
    for number, proposal in enumerate(found.proposals):
        if isinstance(proposal, ev.PositionAdjusted):
            symbol, why = proposal.symbol, _why_holding_waits(world, snapshot, proposal)
        elif isinstance(proposal, ev.OrderFilled):
            symbol, why = proposal.fill.symbol, _why_fill_waits(world, snapshot, proposal, found)
        else:
            continue
        if why:
            left[number] = ev.Alarmed(
                code=COMPARE_AGAIN,
                severity=Severity.WARNING,
                subject=symbol,
                text=f"{symbol} in {snapshot.account} is not taken over yet: {why}; compare again",
            )
    return left


def _why_holding_waits(world: World, snapshot: VenueSnapshot, found: ev.PositionAdjusted) -> str:
    """Why the quantity that a list shows waits for a second look; "" where it does not."""
    if snapshot.contradicts:
        return _denied(snapshot)
    if turns(found) and shown_first(world, found):
        before = listed_before(world, found)
        return f"the venue lists {plain(found.quantity)} now and listed {before} a moment ago"
    if may_be_told(world.book.account(found.account), snapshot, found):
        return "an order of it is not listed there, and the venue is asked first whether it filled"
    return ""


def _why_fill_waits(
    world: World, snapshot: VenueSnapshot, assumed: ev.OrderFilled, found: Comparison
) -> str:
    """Why a fill that no venue told and that would explain the list waits; "" where it does not."""
    if snapshot.contradicts:
        return _denied(snapshot)
    if denied_once(world, assumed.fill, found, contradicted=False):
        return "the venue lists nothing of it now, or the other side, and listed it a moment ago"
    return ""


def _denied(snapshot: VenueSnapshot) -> str:
    return f"the balances deny what is listed ({snapshot.contradicts})"
