"""What row 0 says besides the mode: states, ages that keep counting, money, the time."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from console.ui.format import mask_account, number, percent, profit_style, signed, tick
from console.ui.panes.base import whole_age
from console.ui.widgets.banner import BannerItem
from console.ui.widgets.strips import clock_text
from engine.domain.instant import Nanos
from engine.domain.run import LinkState, RunState

if TYPE_CHECKING:
    from console.ui.app import MeridianApp

_STATE_STYLES: Final = {
    RunState.ACTIVE: "profit",
    RunState.HALTED: "error",
    RunState.ERROR: "error",
}


class Header:
    """A pane of the pump that is drawn by every banner."""

    def __init__(self, app: "MeridianApp") -> None:
        self._app = app

    @property
    def is_showing(self) -> bool:
        """Row 0 is on every screen."""
        return True

    def paint(self) -> None:
        """Tell the banners; they repaint only what differs."""
        self._app.banner_feed.show(self._items(self._app.engine.clock.now()))

    def _items(self, now: Nanos) -> Iterator[BannerItem]:
        app = self._app
        engine, glyphs = app.engine, app.glyphs
        world, data = engine.world, engine.book.data
        state = engine.book.run_state
        armed = app.armed_seconds
        if armed:
            words = f" ^k AGAIN = KILL {armed:.0f}s " if armed >= 1 else " ^k AGAIN = KILL "
            yield BannerItem(words, "error", 100)
        broker = world.config.account.primary
        account = mask_account(data.account_id, glyphs) if data.account_id != broker else ""
        name = f"{broker} {account}".rstrip()
        yield BannerItem(name, "", 30, short=broker)
        style = _STATE_STYLES.get(state, "warn")
        yield BannerItem(f"{glyphs.dot} {state}", style, 95, short=f"{glyphs.dot}{state}")
        yield BannerItem(*self._feed(now))
        yield BannerItem(*self._broker(now))
        lag = engine.lag.quantile(0.5)
        p99 = engine.lag.quantile(0.99)
        slow = "warn" if p99 > 20 else ""
        yield BannerItem(f"loop {lag:.0f}/{p99:.0f}ms", slow, 50, short=f"loop {p99:.0f}ms")
        day = world.daily_pnl
        session = data.session
        share = ""
        if session is not None and session.starting_equity:
            share = f" {percent(day / session.starting_equity, 2)}"
        yield BannerItem(f"eq {number(world.equity, 0)}", "strong", 65, right=True)
        yield BannerItem(
            f"day {signed(day)}{tick(day, glyphs).strip()}{share}",
            profit_style(day),
            80,
            short=f"day {signed(day)}",
            right=True,
        )
        yield BannerItem(f"{clock_text(now)}Z", "", 90, short=clock_text(now), right=True)

    def _feed(self, now: Nanos) -> tuple[str, str, int, str]:
        """Age of the newest price of any symbol."""
        world = self._app.engine.world
        newest = max((quote.time for quote in world.market.quotes.values()), default=0)
        if not newest:
            return "feed none", "warn", 75, "feed -"
        old = max(now - newest, 0)
        stale = old > world.market.max_age
        text = f"{self._app.glyphs.stale}{whole_age(old)}" if stale else whole_age(old)
        return f"feed {text}", "stale" if stale else "", 75, f"feed {text}"

    def _broker(self, now: Nanos) -> tuple[str, str, int, str]:
        """The connection, and when the venue last said anything."""
        data = self._app.engine.book.data
        down = [n for n, link in data.links.items() if link.state is not LinkState.CONNECTED]
        if down or not data.links:
            return "brk DOWN", "error", 92, "brk DOWN"
        heard = max(
            self._app.bridge.heard_at,
            data.reconciled_at,
            max((link.since for link in data.links.values()), default=0),
        )
        return f"brk ok {whole_age(max(now - heard, 0))}", "", 60, "brk ok"
