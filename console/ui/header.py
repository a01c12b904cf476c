"""What row 0 says besides the mode: states, ages that keep counting, money, the time."""

from collections.abc import Callable, Iterator
from typing import Final

from console.desk.port import View
from console.desk.values import Lag
from console.ui.format import Glyphs, mask_account, number, percent, profit_style, signed, tick
from console.ui.panes.base import whole_age
from console.ui.totals import Totals
from console.ui.widgets.banner import BannerFeed, BannerItem
from console.ui.widgets.strips import clock_text
from engine.domain.instant import NS_PER_SECOND, Nanos
from engine.domain.run import LinkState, RunState

_STATE_STYLES: Final = {
    RunState.ACTIVE: "profit",
    RunState.HALTED: "error",
    RunState.ERROR: "error",
}

SLOW_MS: Final = 20
"""A loop this late is told in amber."""


LAG_NOISE_MS: Final = 1.0
"""A lag that differs by less is no news."""


class Header:
    """A pane of the pump that is drawn by every banner."""

    def __init__(
        self,
        view: View,
        totals: Totals,
        feed: BannerFeed,
        glyphs: Glyphs,
        armed: Callable[[], float],
    ) -> None:
        """Says what `view` and `totals` know on the banners of `feed`.

        `armed` tells for how many seconds a second press of the chord still kills; 0 is not.
        """
        self._view = view
        self._totals = totals
        self._feed = feed
        self._glyphs = glyphs
        self._armed = armed
        self._lag: Lag | None = None
        """The lag that is shown."""

    @property
    def is_showing(self) -> bool:
        """Row 0 is on every screen."""
        return True

    def paint(self) -> None:
        """Tell the banners; they repaint only what differs."""
        self._feed.show(self._items(self._view.now))

    def _items(self, now: Nanos) -> Iterator[BannerItem]:
        view, glyphs = self._view, self._glyphs
        state, armed = view.run().state, self._armed()
        if armed:
            words = f" ^k AGAIN = KILL {armed:.0f}s " if armed >= 1 else " ^k AGAIN = KILL "
            yield BannerItem(words, "error", 100, short=f"^k=KILL {armed:.0f}s")
        yield BannerItem(view.past, "warn", 99)
        primary = view.settings.account
        known = view.accounts()[0].account_id
        account = mask_account(known, glyphs) if known != primary else ""
        yield BannerItem(f"{primary} {account}".rstrip(), "", 30, short=primary)
        style = _STATE_STYLES.get(state, "warn")
        yield BannerItem(f"{glyphs.dot} {state}", style, 95, short=f"{glyphs.dot}{state}")
        yield BannerItem(*self._prices(now))
        yield BannerItem(*self._links(now))
        lag = self._lag = steady(self._lag, view.lag)
        if lag is not None:
            slow = "warn" if lag.p99 > SLOW_MS else ""
            words = f"loop {lag.p50:.0f}/{lag.p99:.0f}ms"
            yield BannerItem(words, slow, 50, short=f"loop {lag.p99:.0f}ms")
        held = self._totals.take(self)
        day = held.day
        share = f" {percent(day / held.day_start, 2)}" if held.day_start else ""
        sure = "" if not held.unvalued else glyphs.stale
        yield BannerItem(
            f"eq {sure}{number(held.equity, 0)}", "stale" if sure else "strong", 65, right=True
        )
        yield BannerItem(
            f"day {signed(day)}{tick(day, glyphs).strip()}{share}",
            profit_style(day),
            80,
            short=f"day {signed(day)}",
            right=True,
        )
        yield BannerItem(f"{clock_text(now)}Z", "", 90, short=clock_text(now), right=True)

    def _prices(self, now: Nanos) -> tuple[str, str, int, str]:
        """Age of the newest price of any symbol."""
        newest = self._view.newest_price_at
        if not newest:
            return "feed none", "warn", 75, "feed -"
        old = max(now - newest, 0)
        stale = old > self._view.settings.quote_max_age_seconds * NS_PER_SECOND
        text = f"{self._glyphs.stale}{whole_age(old)}" if stale else whole_age(old)
        return f"feed {text}", "stale" if stale else "", 75, f"feed {text}"

    def _links(self, now: Nanos) -> tuple[str, str, int, str]:
        """The connections, whether each venue answers (X-84), and when one last said anything."""
        links = self._view.links()
        if not links or not all(link.state.is_up for link in links):
            return "brk DOWN", "error", 92, "brk DOWN"
        if silent := [link.silent_since for link in links if link.silent_since]:
            age = whole_age(max(now - min(silent), 0))
            return f"brk SILENT {age}", "error", 92, "brk SILENT"
        if unseen := [link.unseen_since for link in links if link.unseen_since]:
            age = whole_age(max(now - min(unseen), 0))
            return f"brk UNSEEN {age}", "error", 92, "brk UNSEEN"
        if any(link.state is LinkState.POLLED for link in links):
            return "brk POLLED", "warn", 92, "brk POLLED"
        heard = max(now - self._view.heard_at, 0)
        return f"brk ok {whole_age(heard)}", "", 60, "brk ok"


def steady(shown: Lag | None, now: Lag | None) -> Lag | None:
    """The lag to show: what is shown already while `now` differs from it by noise alone.

    That is less than 1 ms or a fifth of either figure, and on the same side of `SLOW_MS`.
    """
    if shown is None or now is None or (shown.p99 > SLOW_MS) is not (now.p99 > SLOW_MS):
        return now
    figures = ((shown.p50, now.p50), (shown.p99, now.p99))
    calm = all(abs(new - old) < max(LAG_NOISE_MS, old / 5) for old, new in figures)
    return shown if calm else now
