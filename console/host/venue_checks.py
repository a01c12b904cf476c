"""What `doctor` asks of the accounts at real venues, one account beside the other (P-44, P-47).

Nothing is sent but questions. Each account has so many seconds by itself, so that one that is down
keeps no other from being told, and nothing hangs.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, NamedTuple

from brokers import Connection, LibraryUnusable, TellsIdentity, VenueSetup, open_venue
from brokers.net.identity import Identity
from console.host.diagnosis import Diagnosis, within
from console.host.secrets import KNOWN
from console.host.venue_clock import clock_offset
from engine.calendars import calendar
from engine.config.venue import RealVenueConfig
from engine.core.machine import SKEW
from engine.domain.instant import NS_PER_MS, NS_PER_SECOND, Nanos
from engine.domain.money import plain
from engine.domain.text import clean_text
from engine.ports import AuthFailed, Broker, BrokerError, Clock, NotSent, Rejected, StreamRefused
from engine.reference.textfile import BadFile

CONNECT_SECONDS: Final = 20.0
"""How long a venue has to let us in; a library that loads for the first time takes two of them."""

ANSWER_SECONDS: Final = 10.0
"""How long it has for each answer after that."""

SKEW_NOTED: Final = 2 * NS_PER_SECOND
"""A clock that is further from the venue's is told about; one further than `SKEW` is refused. Some
venues tell whole seconds only."""

NO_RIGHT: Final = "no right to withdraw"
CANNED: Final = Diagnosis(None, "not asked: this environment gives canned answers (X-61)")

SYMBOLS_ASKED: Final = 20
"""So many symbols are asked about at most."""


class Finding(NamedTuple):
    """A row about one account."""

    check: str
    account: str
    found: Diagnosis


class Patient(NamedTuple):
    """An account that was let in, and all that a check may ask."""

    plan: VenueSetup
    broker: Broker
    clock: Clock

    @property
    def settings(self) -> RealVenueConfig:
        """Its table of the config."""
        found: RealVenueConfig = self.plan.settings
        return found


async def examine_all(plans: Mapping[str, VenueSetup]) -> list[Finding]:
    """Every account's rows, the accounts in their order. Their locks must be held."""
    asked = [examine(plan) for plan in plans.values()]
    return [row for rows in await asyncio.gather(*asked) for row in rows]


async def examine(plan: VenueSetup) -> list[Finding]:
    """The rows of one account; where it is not let in, only those that need no answer."""
    rows = [Finding("place", plan.name, _place(plan))]
    try:
        connection = open_venue(plan)
    except (LibraryUnusable, BadFile) as error:
        return [*rows, Finding("link", plan.name, Diagnosis(False, str(error)))]
    try:
        link = await _link(plan, connection.broker)
        rows.append(Finding("link", plan.name, link))
        if link.ok is not False:
            patient = Patient(plan, connection.broker, plan.clock)
            rows += [Finding(check, plan.name, await _asked(ask, patient)) for check, ask in CHECKS]
    finally:
        await _leave(connection)
    return rows


async def _leave(connection: Connection) -> None:
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            await connection.broker.disconnect()
    except (BrokerError, TimeoutError):
        pass  # it was asked only: nothing of ours is left there
    finally:
        connection.close()


def _place(plan: VenueSetup) -> Diagnosis:
    """Which environment is asked, and where; the config was refused where the two disagree."""
    settings = plan.settings
    world = f"{plan.kind}, {settings.environment}"
    if not settings.is_at_venue:
        text = f"{world}, not at the venue's own addresses: {settings.asked_at}"
        return Diagnosis(None, text, settings.environment)
    return Diagnosis(True, f"{world}, {settings.asked_at}", settings.environment)


async def _link(plan: VenueSetup, broker: Broker) -> Diagnosis:
    """Whether the venue is reached, takes the credentials and answers with the account meant."""
    began = plan.clock.monotonic()
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            await broker.connect()
    except StreamRefused as error:
        text = f"requests are answered, and the stream is refused: {_words(error)}"
        return Diagnosis(None, text, "POLLED", "CONNECTED")
    except AuthFailed as error:
        return Diagnosis(False, f"it does not let us in: {_words(error)}", "refused")
    except NotSent as error:
        return Diagnosis(False, f"it cannot be reached: {_words(error)}", "unreachable")
    except TimeoutError:
        words = f"no answer within {CONNECT_SECONDS:g} s"
        return within("no answer", f"{CONNECT_SECONDS:g} s", ok=False, text=words)
    except Exception as error:  # whatever else an adapter raises is one account's row
        return Diagnosis(False, f"it could not be connected to: {_words(error)}", "failed")
    took = (plan.clock.monotonic() - began) / NS_PER_MS
    text = f"connected in {took:.0f} ms; what happens there is heard from now on"
    return Diagnosis(True, text, f"{took:.0f} ms")


Ask = Callable[[Patient], Awaitable[Diagnosis]]


async def _asked(ask: Ask, patient: Patient) -> Diagnosis:
    """What a check found, within its time; an error of the venue is a row of its own."""
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            return await ask(patient)
    except TimeoutError:
        return within("no answer", f"{ANSWER_SECONDS:g} s", ok=False)
    except Exception as error:  # as above
        return Diagnosis(False, _words(error), "failed")


async def _identity(patient: Patient) -> Diagnosis:
    """The account that the venue answers with, against the config (C-201)."""
    answered, wanted = _told(patient).answered, patient.settings.account_id
    if not wanted:
        text = f'the venue answers with account {answered}; account_id = "" takes any'
        return Diagnosis(None, text, answered, "any: account_id is not set")
    text = f"account {answered}, as account_id says"
    return Diagnosis(answered == wanted, text, answered, wanted)


async def _rights(patient: Patient) -> Diagnosis:
    """What the key may do; one that may withdraw is refused with real money at the connect."""
    told = _told(patient).rights
    if told.withdraw is None:
        return Diagnosis(
            None, "the venue does not say what the key may do: look at its own page", "", NO_RIGHT
        )
    if told.withdraw:
        text = f"the key may withdraw ({told.words}): make one without that right before live"
        return Diagnosis(None, text, told.words, NO_RIGHT)
    return Diagnosis(True, f"the key may {told.words}, not withdraw", told.words, NO_RIGHT)


def _told(patient: Patient) -> Identity:
    broker = patient.broker
    if not isinstance(broker, TellsIdentity):
        raise TypeError(f"the adapter of {patient.plan.kind} does not say whose account it is")
    return broker.identity


async def _offset(patient: Patient) -> Diagnosis:
    """How far the machine's clock is from the venue's."""
    if patient.settings.is_canned:
        return CANNED
    return judged_offset(*await clock_offset(patient.broker, patient.clock))


def judged_offset(offset: Nanos, doubt: Nanos) -> Diagnosis:
    """A venue's clock that is `offset` nanoseconds ahead of this machine's, or `doubt` more or less
    than that."""
    measured = f"{offset / NS_PER_MS:+.0f} ms"
    allowed = f"{SKEW / NS_PER_SECOND:g} s either way"
    ok = False if abs(offset) > SKEW else None if abs(offset) > SKEW_NOTED else True
    text = f"the venue's clock against this machine's, give or take {doubt / NS_PER_MS:.0f} ms"
    return within(measured, allowed, ok=ok, text=text)


async def _balances(patient: Patient) -> Diagnosis:
    """Whether balances, holdings and orders can be read."""
    account = await patient.broker.get_account()
    positions = await patient.broker.get_positions()
    orders = await patient.broker.get_open_orders()
    text = (
        f"equity {plain(account.equity)} {account.currency}, buying power "
        f"{plain(account.buying_power)}; {len(positions)} holdings, {len(orders)} working orders"
    )
    return Diagnosis(True if account.equity > 0 else None, text, plain(account.equity), "above 0")


async def _symbols(patient: Patient) -> Diagnosis:
    """Whether the symbols that are routed there are traded, and when their market is open."""
    if patient.settings.is_canned:
        return CANNED
    symbols = tuple(patient.plan.market.symbols)
    if not symbols:
        return Diagnosis(None, "no symbol of [market] is routed here")
    unknown, days = [], set()
    for symbol in symbols[:SYMBOLS_ASKED]:
        try:
            found = await patient.broker.instrument(symbol)
        except Rejected as error:
            unknown.append(f"{symbol}: {error.text}")
            continue
        days.add(patient.plan.instruments.get(symbol, found).calendar)
    now = patient.clock.now()
    uncovered = [name for name in sorted(days) if not calendar(name).covers(now)]
    left = len(symbols) - SYMBOLS_ASKED
    more = f"; {left} more were not asked about" if left > 0 else ""
    known = "; ".join(calendar(name).explain(now) for name in sorted(days))
    if unknown:
        text = f"not traded there: {'; '.join(map(_words, unknown))}{more}"
        return Diagnosis(False, text, f"{len(unknown)} unknown", "0 unknown")
    ok = not uncovered
    return Diagnosis(ok, f"{len(symbols)} traded there; {known}{more}", "0 unknown", "0 unknown")


CHECKS: Final[tuple[tuple[str, Ask], ...]] = (
    ("identity", _identity),
    ("rights", _rights),
    ("offset", _offset),
    ("balances", _balances),
    ("symbols", _symbols),
)


def _words(told: object) -> str:
    """What a venue said, without secrets and control characters."""
    return clean_text(KNOWN.redact(str(told) or type(told).__name__)).rstrip(".")
