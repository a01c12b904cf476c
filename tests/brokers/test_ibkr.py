"""Interactive Brokers behind the broker port, against a local TWS (C-230..C-232, D-64, E-11)."""

from collections.abc import AsyncIterator

import pytest

pytest.importorskip("eventkit", reason="neither ib_async nor ib_insync is installed")

from tests.brokers.conformance import BrokerConformance
from tests.venues.ibkr import Tws
from tests.venues.ibkr_lab import TwsLab


@pytest.fixture
async def tws() -> AsyncIterator[Tws]:
    async with Tws() as served:
        yield served


@pytest.fixture
async def lab(tws: Tws) -> AsyncIterator[TwsLab]:
    made = TwsLab(tws)
    yield made
    await made.broker.disconnect()


class TestIbkrConformance(BrokerConformance):
    """What is asked of every venue."""
