"""The product with one rule taken out of what it makes of a venue's answers.

Each row is one of `tests.simulation.harsh.ablations`, and is tried as those are.
"""

from collections.abc import Callable, Iterable
from typing import Final

import msgspec
import pytest

from engine.core import comparison, untold
from engine.domain.account import VenuePosition, VenueSnapshot
from engine.ports import Ambiguous, BrokerError
from engine.runtime import venue as answers
from tests.simulation.harsh.ablations import HarshAblation
from tests.simulation.harsh.staged import profiles


def _looks(
    patching: pytest.MonkeyPatch, seen: Callable[[VenueSnapshot], VenueSnapshot | BrokerError]
) -> None:
    """Every look at a venue is what `seen` makes of it."""
    first = answers.Venue.look

    async def look(venue: answers.Venue, **how: bool) -> VenueSnapshot | BrokerError:
        found = await first(venue, **how)
        return seen(found) if isinstance(found, VenueSnapshot) else found

    patching.setattr(answers.Venue, "look", look)


def _is_blinded(patching: pytest.MonkeyPatch) -> None:
    def all_or_nothing(found: VenueSnapshot) -> VenueSnapshot | BrokerError:
        return Ambiguous(found.without) if found.unreadable else found

    _looks(patching, all_or_nothing)


def _reads_as_nothing(patching: pytest.MonkeyPatch) -> None:
    _looks(patching, lambda found: msgspec.structs.replace(found, unreadable={}))


def _enters_unread(patching: pytest.MonkeyPatch) -> None:
    patching.setattr(comparison, "_freezes", lambda *args: iter(()))


def _takes_the_last_row(patching: pytest.MonkeyPatch) -> None:
    def last(rows: Iterable[VenuePosition]) -> tuple[VenuePosition, ...]:
        return tuple({row.symbol: row for row in rows}.values())

    patching.setattr(answers, "net_positions", last)


def _waits_to_be_told(patching: pytest.MonkeyPatch) -> None:
    patching.setattr(untold, "due", lambda *args: iter(()))


ANSWER_ABLATIONS: Final = (
    HarshAblation(
        name="a row that cannot be read makes a look fail",
        profile=profiles.GARBLED,
        seed=1,
        caught_by="Q sold",
        patch=_is_blinded,
    ),
    HarshAblation(
        name="a row that cannot be read is one that is missing",
        profile=profiles.GARBLED,
        seed=0,
        caught_by="Q unread",
        patch=_reads_as_nothing,
    ),
    HarshAblation(
        name="what cannot be read is entered",
        profile=profiles.GARBLED,
        seed=0,
        caught_by="E unread",
        patch=_enters_unread,
    ),
    HarshAblation(
        name="of two rows of a symbol the last counts",
        profile=profiles.LOTS,
        seed=0,
        caught_by="Q held",
        patch=_takes_the_last_row,
    ),
    HarshAblation(
        name="a fill that is missing is waited for",
        profile=profiles.UNTOLD,
        seed=0,
        caught_by="S untold",
        patch=_waits_to_be_told,
    ),
)
