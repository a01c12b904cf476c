"""A recorded session plays back through the adapter, and holds no secret and no id (U-72).

Each venue's session is made with its local server: something is bought, an order rests and is
cancelled. The recording is then all that there is: the adapter meets the same account again in it.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from brokers import PriceSource, VenueSetup, open_venue, venue_kinds
from brokers.net.tap import tapped
from console.host.look import Look, look_on
from console.host.secrets import Secret
from console.host.wire_recorder import Recorder, lines_of, redaction_of, write_lines
from console.host.wire_redaction import Redaction
from engine.config.trading import MarketConfig
from engine.domain.order import OrderStatus
from engine.ports import OrderReport
from engine.runtime.clock import SystemClock
from tests.brokers.conformance import Lab
from tests.venues.player import played
from tests.venues.serve import VENUES

TRADED = {
    "alpaca": ("2", "150"),
    "binance": ("0.01", "50000"),
    "ibkr": ("2", "150"),
    "oanda": ("100", "1.05"),
    "okx": ("0.01", "50000"),
}
"""What is bought at each venue, and the limit of the order that rests."""

BOUGHT, RESTS = "bought0canary1", "rests0canary2"
"""Client order ids that every venue takes; they are to be found nowhere in a recording."""


@dataclass
class Lived:
    """What an adapter has told of a session."""

    reports: list[tuple[str, OrderStatus, Any, Any]]
    """Of each order: id, status, and quantity and price of a fill."""
    look: Look


def setup_of(name: str, server: Any, **table: Any) -> VenueSetup:
    """The account at a server that listens; `table` are further keys of its table."""
    keys = VENUES[name].table(server) | table
    return VenueSetup(
        name=name,
        settings=venue_kinds()[name].settings(**keys),
        market=MarketConfig(source="broker", symbols=tuple(VENUES[name].symbols)),
        account_id="",
        clock=SystemClock(),
        state_dir=None,
        prices=PriceSource.LAST_KNOWN,
        base_currency="USD",
        secret=lambda variable: Secret(VENUES[name].environment[variable]),
    )


async def lived(setup: VenueSetup, ids: Sequence[str]) -> Lived:
    """Buy, let one rest, cancel it, and look; at a venue that takes no orders only look."""
    connection = open_venue(setup)
    symbols = tuple(VENUES[setup.name].symbols)
    lab = Lab(connection.broker, _no_price, symbol=symbols[0])
    async with look_on(connection, symbols[:1]):
        if setup.name in TRADED:
            bought, rests = ids
            quantity, limit = TRADED[setup.name]
            await lab.submit(bought, "BUY", quantity)
            await lab.until(bought, OrderStatus.FILLED)
            await lab.submit(rests, "BUY", quantity, limit=limit)
            await lab.until(rests, OrderStatus.NEW)
            open_orders = await connection.broker.get_open_orders()
            assert [order.client_order_id for order in open_orders] == [rests]
            await connection.broker.cancel_order(rests)
            await lab.until(rests, OrderStatus.CANCELED)
        account = await connection.broker.get_account()
        positions = await connection.broker.get_positions()
        orders = await connection.broker.get_open_orders()
        fills = await connection.broker.get_fills_since(0)
    connection.close()
    told = [report for report in lab.seen if isinstance(report, OrderReport)]
    return Lived(
        [
            (
                report.client_order_id,
                report.status,
                report.fill and report.fill.quantity,
                report.fill and report.fill.price,
            )
            for report in told
        ],
        Look(
            account=account,
            positions=positions,
            orders=orders,
            fills=fills,
            clock_offset_seconds=None,
        ),
    )


async def _no_price(symbol: str, price: Decimal) -> None:
    """The server has prices of its own."""


async def recorded(name: str, folder: Path) -> tuple[Path, Redaction, Lived]:
    """A session with the venue's local server, on disk; the client ids are those above."""
    venue, recorder = VENUES[name], Recorder()
    server = venue.make()
    await server.start()
    try:
        for symbol, price in venue.symbols.values():
            await venue.tell(server, symbol, price)
        with tapped(recorder):
            seen = await lived(setup_of(name, server), (BOUGHT, RESTS))
    finally:
        await server.stop()
    redaction = redaction_of(recorder, venue.environment.values(), [], seen.look)
    path = folder / "recordings" / f"{name}.jsonl"
    write_lines(path, lines_of(recorder, redaction, name, "test"))
    return path, redaction, seen


@pytest.mark.parametrize("name", VENUES)
async def test_a_recorded_session_plays_back_through_the_adapter(tmp_path: Path, name: str) -> None:
    path, redaction, first = await recorded(name, tmp_path)
    ids = [redaction.known(one) for one in (BOUGHT, RESTS)]
    async with played(path) as player:
        account = redaction.known("101-001-1234567-001")
        table = {"account_id": account} if name == "oanda" else {}
        again = await lived(setup_of(name, player, **table), ids)
        assert player.unexpected == []
    assert again.reports == [(redaction.known(row[0]), *row[1:]) for row in first.reports]
    assert again.look.account.equity == first.look.account.equity
    assert again.look.account.balances == first.look.account.balances
    assert again.look.positions == first.look.positions
    assert [fill.quantity for fill in again.look.fills] == [
        fill.quantity for fill in first.look.fills
    ]
    assert again.look.account.account_id == redaction.known(first.look.account.account_id)


@pytest.mark.parametrize("name", VENUES)
async def test_a_recording_holds_no_key_no_account_and_no_order(tmp_path: Path, name: str) -> None:
    path, _, seen = await recorded(name, tmp_path)
    text = path.read_text(encoding="utf-8")
    assert "canary" not in text.lower()
    assert seen.look.account.account_id not in text
    for fill in seen.look.fills:
        for one in (fill.execution_id, fill.client_order_id):
            assert len(one) < 4 or not re.search(rf"(?<!\w){re.escape(one)}(?!\w)", text), one
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
