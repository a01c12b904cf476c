"""What venues, markets, clocks and other people do wrong, as switches; and the profiles of them."""

from random import Random
from typing import Final

import msgspec

from tests.simulation.faults import Faults, Profile


class Switches(msgspec.Struct, frozen=True, kw_only=True):
    """One field is one switch, and 0 is off.

    In a profile a field is the most that it may be; in a venue of a run it is what was drawn.
    Times are seconds, chances from 0 to 1, counts are of a run.
    """

    lists_lag: float = 0.0
    """The lists of positions and of open orders are so old."""
    executions_late: float = 0.0
    """An execution enters the list so much later, at the most."""
    executions_missing: float = 0.0
    """Chance that an execution never enters the list, and is never reported."""
    executions_shuffled: int = 0
    """1: the list is in no order."""
    ids_reused: int = 0
    """1: a venue that starts again counts executions from one, and names its orders anew."""
    empty_executions: float = 0.0
    """Chance that an execution comes with another one of quantity 0 beside it."""
    late_fills: float = 0.0
    """Chance that an order, whose cancel the venue confirmed, fills after all."""
    contradictions: float = 0.0
    """Chance that the status of an order denies what has filled of it."""
    cancels_refused: float = 0.0
    """Chance that the cancel of an order that works is refused."""
    thin: float = 0.0
    """An order fills by at most 1 - `thin` of its quantity at a price, and waits for the next."""
    silences: int = 0
    """Spells in which a connected venue answers and reports nothing."""
    strange_balances: float = 0.0
    """Chance that an answer about the account is no possible number."""
    strange_positions: float = 0.0
    strange_fills: float = 0.0
    """Chance that a report comes with a second one of impossible numbers."""
    strange_quotes: float = 0.0
    """Chance that a price comes with a second one that cannot be."""
    history: int = 0
    """Executions of the year before the first start."""
    holdings: int = 0
    """Symbols that are held at the first start."""
    stops_of_others: int = 0
    """1: what is held then has a stop that somebody else placed."""
    trades_of_others: int = 0
    """What somebody else buys and sells in the account."""
    transfers: int = 0
    """Movements of cash."""
    nets: int = 0
    """1: the venue's buying power is less what its working orders may cost, and it gives no credit.
    """
    gaps: int = 0
    """Prices that jump and stay there."""
    halts: int = 0
    """Spells in which a symbol does not trade."""
    splits: int = 0
    """Seven for one, over such a spell."""
    clock_jumps: int = 0
    """Times at which the clock of this machine is wrong for a while."""


class Harsh(Profile, frozen=True, kw_only=True):
    """A profile with switches."""

    most: Switches
    chance: float = 0.5
    """That a switch is on."""


def drawn(random: Random, most: Switches, chance: float) -> Switches:
    """What is wrong in one venue of a run, or in its market."""
    values: dict[str, float] = {}
    for name in Switches.__struct_fields__:
        limit = getattr(most, name)
        on, share = random.random() < chance, random.random()
        if limit and on:
            values[name] = 1 + int(share * limit) if isinstance(limit, int) else share * limit
    return Switches(**{name: min(v, getattr(most, name)) for name, v in values.items()})


LAGGARD: Final = Harsh(
    name="laggard",
    faults=Faults(partial=0.4, delayed=0.2, slow_cancel=0.2, cancel_race=0.2, duplicated=0.05),
    most=Switches(
        lists_lag=4.0,
        executions_late=6.0,
        executions_shuffled=1,
        late_fills=0.1,
        silences=2,
        thin=0.9,
        nets=1,
        gaps=3,
    ),
    crashes=1,
    operator=4,
    real_journal=0.02,
)
"""Lists and reports are late, and now and then nothing is said at all."""

LIAR: Final = Harsh(
    name="liar",
    faults=Faults(partial=0.5, dropped=0.1, rejected=0.05, cancel_race=0.2, replace_refused=0.2),
    joins=0.4,
    most=Switches(
        executions_missing=0.1,
        executions_shuffled=1,
        ids_reused=1,
        empty_executions=0.3,
        contradictions=0.3,
        cancels_refused=0.5,
        thin=0.9,
        gaps=3,
        nets=1,
    ),
    restarts=2,
    operator=4,
    real_journal=0.02,
)
"""What is said of orders and executions contradicts itself."""

STRANGER: Final = Harsh(
    name="stranger",
    faults=Faults(partial=0.3, delayed=0.05),
    most=Switches(
        history=8,
        holdings=3,
        stops_of_others=1,
        trades_of_others=3,
        transfers=2,
        thin=0.9,
        lists_lag=1.0,
        gaps=3,
        nets=1,
    ),
    strangers=2,
    crashes=1,
    operator=4,
    real_journal=0.02,
)
"""The account has a past, and other people trade in it."""

GLITCH: Final = Harsh(
    name="glitch",
    faults=Faults(partial=0.3),
    most=Switches(
        strange_balances=0.3,
        strange_positions=0.2,
        strange_fills=0.2,
        strange_quotes=0.1,
        thin=0.9,
        splits=1,
        halts=2,
        gaps=3,
        clock_jumps=2,
    ),
    crashes=1,
    operator=4,
    real_journal=0.02,
)
"""Numbers that cannot be, splits, halts of a symbol, and a clock that jumps."""

HARSH: Final = {profile.name: profile for profile in (LAGGARD, LIAR, STRANGER, GLITCH)}
