"""One look at an account at a real venue, through its adapter and without an engine.

Nothing is ordered, changed or cancelled: the account is connected to, its balances, holdings and
working orders are asked for, its clock is compared with ours, and the connection is closed.
"""

import asyncio
import contextlib
import functools
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Final, TypeVar

import msgspec

from brokers import (
    Connection,
    PriceSource,
    Secret,
    TellsIdentity,
    VenueSetup,
    open_venue,
    unclaimed,
)
from brokers.net.identity import UNTOLD, Rights
from console.host.venue_clock import clock_offset
from engine.config import Config, account_id
from engine.domain.account import Account, VenueOrder, VenuePosition
from engine.domain.instant import NS_PER_SECOND
from engine.domain.order import Fill
from engine.ports import Ambiguous, Broker, Rejected, StreamRefused, Throttled
from engine.runtime.clock import SystemClock

T = TypeVar("T")

LONGEST_SECONDS: Final = 60.0
"""How long a whole look may take; each request has a shorter end of its own."""

LONGEST_WAIT: Final = 10.0
"""Seconds that a venue may ask us to wait before the look is given up."""

LEAST_WAIT: Final = 0.05
FILLS_SECONDS: Final = 86_400


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """What the venue says of an account at one moment."""

    account: Account
    positions: tuple[VenuePosition, ...]
    orders: tuple[VenueOrder, ...]
    """Those that work."""
    fills: tuple[Fill, ...]
    """Of the last day."""
    clock_offset_seconds: float | None
    """By how much the venue's clock is ahead of this machine's; None where it does not tell."""
    rights: Rights = UNTOLD
    """What the key may do, as far as the venue says."""
    stream_refused: str = ""
    """Why requests are answered and the stream is refused; "" where it stands."""
    untraded: dict[str, str] = {}
    """The symbols that were asked about and are not traded there, each with why."""


def setup_of(
    config: Config,
    name: str,
    secret: Callable[[str], Secret],
    symbols: Sequence[str],
    *,
    prices: bool = False,
    claim: Callable[[str, str], Awaitable[None]] = unclaimed,
) -> VenueSetup:
    """What the account of that name is opened for: to be looked at, with its prices or without.

    `symbols` count instead of those of the config; `claim` is as in `VenueSetup`.
    """
    return VenueSetup(
        name=name,
        kind=config.brokers.kind_of(name),
        settings=config.brokers.of(name),
        market=config.market.model_copy(update={"symbols": tuple(symbols)}),
        account_id=account_id(config, name),
        clock=SystemClock(),
        state_dir=None,
        prices=PriceSource.MARKET if prices else PriceSource.LAST_KNOWN,
        base_currency=config.account.currency,
        secret=secret,
        claim=claim,
    )


def look_at(setup: VenueSetup, symbols: Sequence[str] = ()) -> Look:
    """Look at an account once, and whether `symbols` are traded there.

    Raises one of the six errors, and what `open_venue` raises: LibraryUnusable, BadFile.
    """
    return asyncio.run(_looked(setup, symbols))


async def _looked(setup: VenueSetup, symbols: Sequence[str]) -> Look:
    connection = open_venue(setup)
    try:
        async with asyncio.timeout(LONGEST_SECONDS):
            async with look_on(connection, symbols) as found:
                return found
    except TimeoutError as error:
        raise Ambiguous(f"the look was not over within {LONGEST_SECONDS:g} s") from error
    finally:
        connection.close()


@contextlib.asynccontextmanager
async def look_on(connection: Connection, symbols: Sequence[str]) -> AsyncIterator[Look]:
    """Connect and ask; disconnected at the end. Raises one of the six errors."""
    broker, refused = connection.broker, ""
    try:
        try:
            await broker.connect()
        except StreamRefused as error:
            refused = str(error)
        yield await _asked(broker, symbols, refused)
    finally:
        await broker.disconnect()


async def _asked(broker: Broker, symbols: Sequence[str], refused: str) -> Look:
    offset = await _clock_offset(broker)
    account = await _patiently(broker.get_account)
    positions = await _patiently(broker.get_positions)
    orders = await _patiently(broker.get_open_orders)
    since = time.time_ns() - FILLS_SECONDS * NS_PER_SECOND
    fills = await _patiently(lambda: broker.get_fills_since(since))
    untraded = {}
    for symbol in symbols:
        try:
            await _patiently(functools.partial(broker.instrument, symbol))
        except Rejected as error:
            untraded[symbol] = error.text
    return Look(
        account=account,
        positions=positions,
        orders=orders,
        fills=fills,
        clock_offset_seconds=offset,
        rights=broker.identity.rights if isinstance(broker, TellsIdentity) else UNTOLD,
        stream_refused=refused,
        untraded=untraded,
    )


async def _patiently(ask: Callable[[], Awaitable[T]]) -> T:
    """The answer, asked for again after the wait where there are no requests left for the moment.

    The look as a whole has an end.
    """
    while True:
        try:
            return await ask()
        except Throttled as error:
            if error.retry_after > LONGEST_WAIT:
                raise
            await asyncio.sleep(max(error.retry_after, LEAST_WAIT))


async def _clock_offset(broker: Broker) -> float | None:
    """Seconds by which the venue's clock is ahead; None where it does not tell."""
    try:
        ahead, _ = await clock_offset(broker, SystemClock())
    except Rejected:
        return None
    return ahead / NS_PER_SECOND
