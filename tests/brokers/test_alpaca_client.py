"""The requests of one account at Alpaca by themselves, over a real socket (C-440)."""

import asyncio
from typing import Any

from brokers.alpaca.client import Client
from engine.runtime.clock import SystemClock
from tests.venues.alpaca import KEY, SECRET
from tests.venues.deaf import Deaf


async def test_C440_to_open_again_is_to_send_on_new_connections_and_what_is_under_way_goes_on() -> (
    None
):
    """One that carries nothing any more would keep the first request for its whole time."""
    async with Deaf() as server:
        client = Client(server.url, lambda: (KEY, SECRET), SystemClock())
        await client.open()
        await client.get("/account", dict[str, Any])
        server.connections[0].hears.clear()
        asked = asyncio.ensure_future(client.get("/account", dict[str, Any]))
        while server.connections[0].requests < 2:
            await asyncio.sleep(0.001)
        await client.open()
        assert await client.get("/account", dict[str, Any]) == {}
        assert [each.requests for each in server.connections] == [2, 1]
        server.connections[0].hears.set()
        assert await asked == {}
        client.close()
