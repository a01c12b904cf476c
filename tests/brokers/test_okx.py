"""What is promised of every adapter, at OKX (C-120, C-131, C-260)."""

from collections.abc import AsyncIterator

import pytest

from tests.brokers.conformance import BrokerConformance, Lab
from tests.venues.okx import OkxServer
from tests.venues.okx_lab import lab_of


@pytest.fixture
async def lab() -> AsyncIterator[Lab]:
    async with OkxServer() as server, lab_of(server) as made:
        yield made


class TestOkxConformance(BrokerConformance):
    """Over real sockets, against the local server."""
