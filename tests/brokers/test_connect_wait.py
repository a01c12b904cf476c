"""A venue that asks a connection to wait for long keeps no exit back for so long (C-200, rule 3).

Everything waits for the connection, cancels and exits too: whatever is asked for it may be asked
again once the window has passed over which the venue counts.
"""

import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from brokers import PriceSource, VenueSetup, open_venue
from console.host.secrets import SecretStore
from engine.domain.instant import NS_PER_SECOND, Nanos
from engine.ports import Broker, StreamRefused, Throttled
from engine.runtime.clock import SystemClock
from tests.configs import parse
from tests.venues.serve import VENUES, config
from tests.venues.served import Fault

KINDS = ("alpaca", "binance", "coinbase", "oanda", "okx")
NO_STREAM = "coinbase"
"""The venue whose test environment has no stream (X-61)."""

ASKED_SECONDS = 3_600
MOST_REQUESTS = 20
"""No connection takes so many."""

WINDOW_SECONDS = 60
"""The longest over which one of these venues counts its requests."""


class Watch(SystemClock):
    """This machine's clock, which can be moved ahead."""

    def __init__(self) -> None:
        super().__init__()
        self.ahead: Nanos = 0

    def monotonic(self) -> Nanos:
        return super().monotonic() + self.ahead


@contextlib.asynccontextmanager
async def opened(kind: str, folder: Path, clock: Watch) -> AsyncIterator[tuple[Broker, Any]]:
    """The account at a server of its own, not connected yet, and the server."""
    server = VENUES[kind].make()
    await server.start()
    made = parse(config(kind, server, folder))
    broker = open_venue(
        VenueSetup(
            name=kind,
            settings=made.brokers.of(kind),
            market=made.market,
            account_id="",
            clock=clock,
            state_dir=None,
            prices=PriceSource.LAST_KNOWN,
            base_currency="USD",
            secret=SecretStore(VENUES[kind].environment).get,
        )
    ).broker
    try:
        yield broker, server
    finally:
        await broker.disconnect()
        await server.stop()


def refusing(number: int, usual: Callable[[str], Fault | None]) -> Callable[[str], Fault | None]:
    """What a server plays that refuses its request of that number, counted from now."""
    asked: list[str] = []

    def take(op: str) -> Fault | None:
        asked.append(op)
        if len(asked) != number:
            return usual(op)
        wait = {"Retry-After": str(ASKED_SECONDS)}
        return Fault(op, "status_before", status=429, body="{}", headers=wait)

    return take


@pytest.mark.parametrize("kind", KINDS)
async def test_C200_a_connection_is_tried_again_once_the_window_has_passed(
    kind: str, tmp_path: Path
) -> None:
    """Each request of a connection is refused once; the last attempt meets no refusal any more."""
    clock, refused, streams = Watch(), 0, list[float]()
    for number in range(1, MOST_REQUESTS + 1):
        async with opened(kind, tmp_path, clock) as (broker, server):
            server._take = refusing(number, server._take)
            try:
                await broker.connect()
            except StreamRefused as error:
                streams.append(error.retry_after)
                continue  # requests go on, exits among them
            except Throttled as error:
                wait = error.retry_after
            else:
                break  # it takes fewer requests than that
            assert wait <= WINDOW_SECONDS, f"request {number}"
            clock.ahead += round(wait * NS_PER_SECOND) + 1
            await broker.connect()
            refused += 1
    assert refused
    wanted = set() if kind == NO_STREAM else {ASKED_SECONDS}
    assert set(streams) == wanted, "a stream is left alone for as long as was asked (C-401)"
    assert number < MOST_REQUESTS
