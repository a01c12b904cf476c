"""Each venue's account is claimed by the id that the venue answers, before it is used (C-201).

The servers are real ones on loopback. A claim that is refused stands for an account that another
process trades.
"""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from brokers import PriceSource, VenueSetup, open_venue
from console.host.secrets import SecretStore
from engine.ports import AuthFailed, Broker, NotSent
from engine.runtime.clock import SystemClock
from tests.brokers.kit import order
from tests.configs import parse
from tests.venues.serve import VENUES, config


class Claims:
    """What was asked for; with `refused` every claim is refused."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self.refused = False

    async def __call__(self, name: str, answered: str) -> None:
        self.asked.append((name, answered))
        if self.refused:
            raise AuthFailed("another process trades this account")


@contextlib.asynccontextmanager
async def opened(kind: str, folder: Path, claims: Claims) -> AsyncIterator[Broker]:
    """The account at a server of its own, not connected yet."""
    server = VENUES[kind].make()
    await server.start()
    made = parse(config(kind, server, folder))
    broker = open_venue(
        VenueSetup(
            name=kind,
            settings=made.brokers.of(kind),
            market=made.market,
            account_id="",
            clock=SystemClock(),
            state_dir=None,
            prices=PriceSource.LAST_KNOWN,
            base_currency="USD",
            secret=SecretStore(VENUES[kind].environment).get,
            claim=claims,
        )
    ).broker
    try:
        yield broker
    finally:
        await broker.disconnect()
        await server.stop()


@pytest.mark.parametrize("kind", VENUES)
async def test_the_account_that_answers_is_claimed_by_its_id(kind: str, tmp_path: Path) -> None:
    claims = Claims()
    async with opened(kind, tmp_path, claims) as broker:
        await broker.connect()
        told = (await broker.get_account()).account_id
        assert set(claims.asked) == {(kind, told)}
        assert told


@pytest.mark.parametrize("kind", VENUES)
async def test_nothing_is_sent_to_an_account_whose_claim_is_refused(
    kind: str, tmp_path: Path
) -> None:
    claims = Claims()
    claims.refused = True
    async with opened(kind, tmp_path, claims) as broker:
        with pytest.raises(AuthFailed, match="another process trades this account"):
            await broker.connect()
        with pytest.raises(NotSent):
            await broker.submit_order(order("a", symbol=next(iter(VENUES[kind].symbols))))
        claims.refused = False
        await broker.connect()
        assert len(claims.asked) > 1
