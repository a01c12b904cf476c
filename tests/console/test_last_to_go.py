"""What says that money is at risk is the last thing to go as the window shrinks."""

from decimal import Decimal

import msgspec
import pytest

from console.ui.format import UNICODE
from console.ui.widgets.banner import BannerItem, fit_items
from engine.domain.commands import PlaceOrder
from engine.domain.order import OrderType, Side
from tests.console.hosts import Host, console, morning, press, settle, shown, write

pytestmark = pytest.mark.slow  # each drives a whole screen

SIZES = [(40, 15), (60, 20), (80, 24), (120, 40)]


async def bare(host: Host) -> None:
    """AAPL is held without a stop."""
    host.price("AAPL", "229.00")
    await settle()
    asked = PlaceOrder(by="test", symbol="AAPL", side=Side.BUY, quantity=Decimal(10))
    assert (await host.engine.command(asked)).ok
    await host.clock.advance(2)


@pytest.mark.parametrize("size", SIZES[1:], ids=str)
async def test_a_position_without_a_stop_says_so(size: tuple[int, int]) -> None:
    async with Host() as host:
        await bare(host)
        async with console(host, size=size) as (app, pilot):
            await press(app, pilot, "2")
            assert "NONE!" in shown(app)
            await press(app, pilot, "5")
            assert "without a stop: AAPL" in shown(app)


@pytest.mark.parametrize("size", SIZES, ids=str)
async def test_the_ticket_says_what_is_unprotected_and_what_is_at_risk_X82(
    size: tuple[int, int],
) -> None:
    async with Host() as host:
        await bare(host)
        async with console(host, size=size) as (app, pilot):
            await press(app, pilot, "b")
            await write(app, pilot, "1")
            for _ in range(2):
                assert "protective stop" in shown(app)
                assert "no stop: AAPL" in shown(app)
                assert "open risk at stops" in shown(app)
                await press(app, pilot, "enter")


async def test_the_open_risk_of_positions_and_working_entries_is_one_sum_X82() -> None:
    async with Host() as host:
        await morning(host)
        async with console(host) as (app, pilot):
            risk = app.desk.view.open_risk()
            await press(app, pilot, "b")
            await write(app, pilot, "1")
            assert risk.at_stops > 0
            assert f"open risk at stops {risk.at_stops + risk.entries:,.2f}" in shown(app)


async def test_the_risk_pane_has_the_open_risk_of_status_with_its_sign_X82() -> None:
    """An amount that may be lost, as everywhere: 10 at 229 with a stop at 209 risk 200."""
    async with Host() as host:
        host.price("AAPL", "229.00")
        await settle()
        bought = PlaceOrder(
            by="test", symbol="AAPL", side=Side.BUY, quantity=Decimal(10), protect=Decimal(209)
        )
        resting = msgspec.structs.replace(
            bought, type=OrderType.LIMIT, limit_price=Decimal(219), quantity=Decimal(5)
        )
        for order in (bought, resting):
            assert (await host.engine.command(order)).ok
        await host.clock.advance(2)
        told = host.engine.status()["open_risk"]
        assert round(Decimal(told["at_stops"])) == 200
        assert Decimal(told["entries"]) == 50
        async with console(host) as (app, pilot):
            await press(app, pilot, "5")
            assert "at stops 200 entries 50" in shown(app)


@pytest.mark.parametrize("width", [40, 60, 80])
@pytest.mark.parametrize("mark", [9, 21])
def test_halted_and_the_armed_chord_stay_on_row_0(width: int, mark: int) -> None:
    """Beside the mark of LIVE too, which is 21 cells wide."""
    items = [
        BannerItem(" ^k AGAIN = KILL 3s ", "error", 100, short="^k=KILL 3s"),
        BannerItem(f"{UNICODE.dot} HALTED", "error", 95, short=f"{UNICODE.dot}HALTED"),
        BannerItem("feed 0s", "", 75),
        BannerItem("day -2,970.00", "loss", 80, right=True),
    ]
    left, _ = fit_items(items, width - mark)
    words = " ".join(text for text, _ in left)
    assert "HALTED" in words
    assert "KILL" in words
