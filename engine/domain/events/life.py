"""The life of the process, and what an operator does."""

from typing import Any

from engine.domain.events.base import Event
from engine.domain.instant import Nanos
from engine.domain.run import Mode, Phase, SignOff, Trigger


class EngineStarted(Event, frozen=True, kw_only=True, omit_defaults=True):
    """A process took the accounts. The config is known by its digest.

    `accounts` maps each name under `[brokers]` to the venue's id of that account; `primary` is the
    name that orders go to where no route says otherwise. `base_currency` is what the portfolio
    counts in, `calendar` whose day it keeps; the usual ones are not written, so that an event from
    before there were others is the same bytes. "" is not known. `keeps_day`: the row of the day in
    progress follows the events from here on (A-402).
    """

    mode: Mode
    profile: str
    config_digest: str
    version: str
    accounts: dict[str, str]
    primary: str
    base_currency: str = "USD"
    calendar: str = "XNYS"
    keeps_day: bool = False


class PhaseChanged(Event, frozen=True, kw_only=True):
    """STARTING, RUNNING, STOPPED or ERROR, and why."""

    phase: Phase
    reason: str


class Paused(Event, frozen=True, kw_only=True):
    """No new automatic entries until unpaused; exits and an operator's orders go on (X-81)."""

    by: str
    reason: str
    entries_working: int = 0
    """Entries that work and are left alone."""


class Unpaused(Event, frozen=True, kw_only=True):
    """Entries are allowed again as far as the pause is concerned."""

    by: str


class Restricted(Event, frozen=True, kw_only=True):
    """Reduce only until the named cause is lifted (U-41)."""

    cause: Trigger
    reason: str
    until: Nanos = 0
    """0: until lifted; else the end of the session it holds for."""
    account: str = ""
    """The account that alone is restricted; "" is the portfolio."""


class Unrestricted(Event, frozen=True, kw_only=True):
    """A restriction was lifted."""

    cause: Trigger
    by: str
    account: str = ""
    """As in `Restricted`."""


class OperatorActed(Event, frozen=True, kw_only=True):
    """A person, a script or a key asked for something; recorded before it is done."""

    command: str
    args: dict[str, Any]
    by: str


class SignedOff(Event, frozen=True, kw_only=True):
    """A person has signed a dry run off, for real money at its kind of venue (C-707)."""

    by: str
    sign_off: SignOff


class CommandAnswered(Event, frozen=True, kw_only=True):
    """What came of a command that carries an id of its asker's: the ids of its orders, or why it
    was refused. The same id again gets this again."""

    intent_id: str
    command: str
    content: str
    """Stands for the arguments, so that an id is not taken for another command."""
    client_order_ids: tuple[str, ...]
    code: str
    """Empty where it was not refused."""
    reason: str
    by: str


class CommandRefused(Event, frozen=True, kw_only=True):
    """An operator's command was not done, and why; `code` is stable."""

    command: str
    code: str
    reason: str
    by: str
