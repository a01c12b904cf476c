"""Whether the account that a venue answers with is the one that is meant, and ours (C-201), and
what the key may do there (P-47)."""

from collections.abc import Awaitable, Callable

import msgspec

from brokers import unclaimed
from engine.config.venue import RealVenueConfig
from engine.ports import AuthFailed

Claim = Callable[[str, str], Awaitable[None]]
"""Keeps an account for this process: its name under `[brokers]`, and its id as the venue answers.
Raises AuthFailed where another process has it."""


class Rights(msgspec.Struct, frozen=True, kw_only=True):
    """What a key may do, as its venue says; None where it does not say."""

    trade: bool | None = None
    withdraw: bool | None = None
    words: str = ""
    """In the venue's own words; "" where it states none."""


UNTOLD = Rights()


class Identity:
    """Which account at its venue `[brokers.NAME]` is, from its first connection on."""

    def __init__(self, name: str, settings: RealVenueConfig, claim: Claim = unclaimed) -> None:
        """`name` is the account's under `[brokers]`; `claim` keeps other processes away from it."""
        self._name = name
        self._settings = settings
        self._claim = claim
        self._answered = ""
        """The id at the first connection; "" before it."""
        self.rights = UNTOLD
        """As told on the newest connection that was let in."""

    @property
    def answered(self) -> str:
        """The id of the account as the venue answered at the first connection; "" before it."""
        return self._answered

    async def confirm(self, answered: str, rights: Rights = UNTOLD) -> None:
        """Compare the id as the venue told it on this connection, and claim the account.

        To be called at every connect, before anything else is sent. Raises AuthFailed: for what
        `confirm_account` refuses, for another account than that of an earlier connection,
        where another process has the account, and with real money for a key that may withdraw:
        whoever gets hold of it empties the account, and nothing here needs that right (P-47).
        """
        confirm_account(self._name, self._settings, answered)
        if rights.withdraw and self._settings.is_live:
            raise AuthFailed(
                f"[brokers.{self._name}] the key of account {answered} may withdraw "
                f"({rights.words}): with real money only a key without that right is allowed"
            )
        if self._answered and self._answered != answered:
            raise AuthFailed(
                f"[brokers.{self._name}] was {self._answered} when it connected first, and the "
                f"venue answers with {answered} now: nothing is sent to another account"
            )
        await self._claim(self._name, answered)
        self._answered, self.rights = answered, rights


def confirm_account(name: str, settings: RealVenueConfig, answered: str) -> None:
    """Compare the id of the account at the venue with `account_id` of `[brokers.NAME]`.

    `name` is the account's name under `[brokers]`, `answered` the id as the venue told it on this
    connection. Real money needs the id in the config; a test account is compared where it is given.
    Raises AuthFailed: nothing may be sent to an account that nobody named.
    """
    wanted = settings.account_id
    if not wanted and settings.is_live:
        raise AuthFailed(
            f"[brokers.{name}] account_id is missing: real money needs it, and the venue answers "
            f"with {answered}"
        )
    if wanted and wanted != answered:
        raise AuthFailed(
            f'[brokers.{name}] account_id = "{wanted}", and the venue answers with {answered}: '
            "nothing is sent to another account"
        )
