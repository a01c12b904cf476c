"""What keeps real money from being traded: no dry run of that kind of venue that was signed off, is
fresh, and was of this program with these limits (M-80, C-706, C-707)."""

from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from engine.domain.instant import Nanos
from engine.domain.order import NS_PER_DAY
from engine.domain.run import SignOff

FRESH_DAYS: Final = 30
"""A dry run is good for so many days: venues change, and so do keys and machines."""


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """An account of real money that is to be traded."""

    name: str
    """Its name under `[brokers]`."""
    kind: str
    at_venue: bool
    """Any of it may be asked at the venue itself, and not all at servers of this machine."""


def missing(
    accounts: tuple[Wanted, ...],
    signed: Mapping[str, SignOff],
    *,
    version: str,
    limits: str,
    now: Nanos,
) -> tuple[str, ...]:
    """Why real money may not be traded, a sentence for each reason; none where it may.

    `signed` is by kind of venue what was signed off last. `version` is the program's, `limits` the
    digest of those in force (`engine.config.limits_digest`), `now` in nanoseconds UTC.
    """
    return tuple(
        f"{account.name}: {fault}"
        for account in accounts
        for fault in faults(
            account.kind,
            signed.get(account.kind),
            at_venue=account.at_venue,
            version=version,
            limits=limits,
            now=now,
        )
    )


def faults(
    kind: str,
    signed: SignOff | None,
    *,
    at_venue: bool,
    version: str,
    limits: str,
    now: Nanos,
) -> Iterator[str]:
    """What is wrong with the sign-off of a kind of venue, in sentences without their stop."""
    if signed is None:
        yield (
            f"no dry run of {kind} is signed off here: run `dryrun` in its test environment, then "
            "`dryrun sign REPORT` with this config"
        )
        return
    age = now - signed.run_at
    if age > FRESH_DAYS * NS_PER_DAY:
        days = age // NS_PER_DAY
        yield (
            f"the dry run of {kind} that is signed off is {days} days old: at most {FRESH_DAYS} "
            "are allowed"
        )
    elif age < 0:
        yield f"the dry run of {kind} that is signed off is dated in the future"
    if signed.version != version:
        yield (
            f"the dry run of {kind} that is signed off was of version {signed.version}, and this "
            f"program is {version}"
        )
    if at_venue and not signed.at_venue:
        yield (
            f"the dry run of {kind} that is signed off did not ask the venue's own addresses "
            f"(evidence: {signed.evidence}), and this account does, or may"
        )
    if signed.limits != limits:
        yield (
            "profile, [risk] or [kill] are others than those that were accepted with the sign-off: "
            "sign it again with this config"
        )
