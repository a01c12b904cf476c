"""What a person has to know of a venue to set up an account there (`meridian-tui connect`)."""

from collections.abc import Mapping

import msgspec


class Guide(msgspec.Struct, frozen=True, kw_only=True):
    """The words of one venue; its page in `docs/venues` says more."""

    title: str
    """What people call the venue."""
    steps: tuple[str, ...]
    """What to do there first, where the keys are made among it; one sentence each."""
    keys: Mapping[str, str] = {}
    """Key of `[brokers.NAME]` that names a variable -> what that variable holds, in words."""
    questions: Mapping[str, str] = {}
    """Key of `[brokers.NAME]` that has to be right before anything is asked there -> what it
    is. An empty answer leaves it as it is."""
    symbols: tuple[str, ...]
    """What is watched where nobody says anything else; the first states what money is."""
    asset_classes: tuple[str, ...]
    """The kinds of instrument that it trades."""
    refused: str
    """What to look at where it does not let us in; one sentence."""
    remark: str = ""
    """What everybody has to know before anything is traded there; "" for nothing."""
