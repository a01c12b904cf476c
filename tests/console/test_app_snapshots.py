"""Pictures of the console, compared with stored ones: sizes, modes, states.

`pytest tests/console/test_app_snapshots.py --snapshot-update` stores them anew.
"""

from collections.abc import Awaitable, Callable
from decimal import Decimal

import pytest
from textual import events, on
from textual.pilot import Pilot
from textual.widgets import Input

from console.desk.local import LocalDesk
from console.ui.app import MeridianApp
from engine.domain.commands import PlaceOrder
from engine.domain.instrument import Facts, instrument_of
from engine.domain.order import OrderType, Side
from engine.domain.run import Mode
from engine.domain.signal import Direction
from tests.console.hosts import Host, drawn, morning, settle

pytestmark = pytest.mark.slow  # each drives a whole screen


SIZES = [(80, 24), (120, 40), (200, 50)]
Scene = Callable[[MeridianApp, Pilot[str], Host], Awaitable[None]]
Compare = Callable[..., bool]


class Picture(MeridianApp):
    """A console whose engine begins with the scene and ends with the app."""

    def __init__(self, host: Host, **options: str) -> None:
        super().__init__(LocalDesk(host.engine), **options)  # type: ignore[arg-type]
        self.host = host

    @on(events.Unmount)
    async def _stop_host(self) -> None:
        if self.host.running is not None:
            await self.host.stop()


async def still(app: MeridianApp, pilot: Pilot[str]) -> None:
    """Nothing moves any more: no blinking cursor, ages as they stand."""
    for field in app.screen.query(Input):
        field.cursor_blink = False
    for _ in range(3):
        await drawn(app, pilot)


def picture(compare: Compare, host: Host, scene: Scene, size: tuple[int, int], **look: str) -> bool:
    """Compare the console after `scene` with the stored picture."""
    app = Picture(host, **look)

    async def play(pilot: Pilot[str]) -> None:
        # nothing is painted but where the scene says so: marks and cursors depend on it
        app.pump.stop()
        app.seconds = lambda: 0.0
        await host.begin()
        await morning(host)
        await drawn(app, pilot)
        host.price("NVDA", "134.93")
        host.price("XOM", "114.16")
        host.price("AAPL", "229.31")
        await host.clock.advance(1)
        await drawn(app, pilot)
        await scene(app, pilot, host)
        await still(app, pilot)

    return compare(app, terminal_size=size, run_before=play)


CALL = "KO 2026-12-18 62.5 C"
FUTURE = "MES 2026-12"
CONTRACTS = {
    FUTURE: instrument_of(FUTURE, Facts(multiplier=Decimal(5), tick=Decimal("0.25"))),
}


async def contracts(app: MeridianApp, pilot: Pilot[str], host: Host) -> None:
    """An option and a future beside the stocks, and one more order of the option."""
    host.price("KO", "63.55")  # an option counts as exposure as its underlying does
    host.price(CALL, "4.20")
    host.price(FUTURE, "550.00", spread="0.50")
    await settle()
    host.signal(CALL, "4.20", "2.20")
    await host.clock.advance(2)
    host.signal(FUTURE, "550.00", "580.00", direction=Direction.SHORT)
    await host.clock.advance(2)
    wanted = PlaceOrder(
        by="t",
        symbol=CALL,
        side=Side.SELL,
        quantity=Decimal(2),
        type=OrderType.LIMIT,
        limit_price=Decimal("4.90"),
    )
    await host.engine.command(wanted)
    host.price(CALL, "4.55")
    host.price(FUTURE, "541.75", spread="0.50")
    await host.clock.advance(1)


async def active(app: MeridianApp, pilot: Pilot[str], host: Host) -> None:
    """As the morning left it."""


async def halted(app: MeridianApp, pilot: Pilot[str], host: Host) -> None:
    await pilot.press("ctrl+k")


async def killed(app: MeridianApp, pilot: Pilot[str], host: Host) -> None:
    await pilot.press("ctrl+k", "ctrl+k")
    for symbol in ("NVDA", "AAPL", "XOM"):
        host.price(symbol, str(host.world.market.mark(symbol)))
    await host.clock.advance(4)


async def ticket(app: MeridianApp, pilot: Pilot[str], host: Host) -> None:
    host.price("NVDA", "134.88")
    await settle()
    await pilot.press("2", "b", "5")


async def stale(app: MeridianApp, pilot: Pilot[str], host: Host) -> None:
    await host.clock.advance(40)


async def palette(app: MeridianApp, pilot: Pilot[str], host: Host) -> None:
    await pilot.press("ctrl+p")
    await pilot.pause(0.3)


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("scene", [active, halted, ticket], ids=lambda scene: scene.__name__)
def test_scenes(snap_compare: Compare, scene: Scene, size: tuple[int, int]) -> None:
    assert picture(snap_compare, Host(), scene, size)


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_a_contract_is_named_beside_a_stock(snap_compare: Compare, size: tuple[int, int]) -> None:
    """U-10: which contract it is can be read, and what protects it still stands there."""
    assert picture(snap_compare, Host(instruments=CONTRACTS), contracts, size)


@pytest.mark.parametrize("scene", [killed, stale], ids=lambda scene: scene.__name__)
def test_more_scenes(snap_compare: Compare, scene: Scene) -> None:
    assert picture(snap_compare, Host(), scene, (120, 40))


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_real_money_shows_by_word_shape_and_colour(
    snap_compare: Compare, size: tuple[int, int]
) -> None:
    host = Host()
    host.world.config = host.config.model_copy(update={"mode": Mode.LIVE})
    assert picture(snap_compare, host, active, size)


@pytest.mark.parametrize("theme", ["meridian-ansi", "meridian-cvd", "meridian-light"])
def test_themes(snap_compare: Compare, theme: str) -> None:
    assert picture(snap_compare, Host(), active, (120, 40), theme=theme)


def test_without_colour_words_and_signs_carry_it(
    snap_compare: Compare, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert picture(snap_compare, Host(), halted, (120, 40))


def test_plain_glyphs(snap_compare: Compare) -> None:
    assert picture(snap_compare, Host(), active, (80, 24), glyphs="ascii")
