"""Completed bars of the source put together into completed longer bars."""

from collections.abc import Callable

from engine.domain.instant import NS_PER_SECOND, Nanos
from engine.domain.market import Bar

SessionEnd = Callable[[str, Nanos], Nanos | None]
"""When the session that a symbol is in at a time ends; None while its market is closed."""


def _endless(symbol: str, at: Nanos) -> None:
    """The market of a symbol of which no calendar is known."""


class BarAggregator:
    """Longer bars for any number of symbols, aligned to multiples of their length since 1970 UTC.

    A longer bar ends with its length or, where that comes first, with its session, so that the bar
    of a day is there at the close. It is complete when the source bar that ends with it arrives,
    or, where that one is missing, when a later one begins. A day is the UTC day. Source bars of
    after a session that has ended belong to no longer bar. `seconds` is the length to build.
    """

    def __init__(self, seconds: int, session_end: SessionEnd = _endless) -> None:
        if seconds <= 0:
            raise ValueError(f"a bar of {seconds} seconds cannot be built: 1 or more are allowed")
        self._seconds = seconds
        self._length: Nanos = seconds * NS_PER_SECOND
        self._session_end = session_end
        self._open: dict[str, Bar] = {}
        self._last: dict[str, Nanos] = {}
        self._ended: dict[str, Nanos] = {}
        """By symbol, up to when nothing belongs to a longer bar since the session ended within."""

    def fault(self, bar: Bar) -> str:
        """Why a source bar fits into none of these, in words; "" where it does."""
        if bar.seconds > 0 and not self._seconds % bar.seconds:
            return ""
        return f"bars of {bar.seconds} s ({bar.symbol}) do not fit into bars of {self._seconds} s"

    def add(self, bar: Bar) -> list[Bar]:
        """The longer bars this source bar completes, oldest first: none, one or two.

        A bar that does not end after the last one of its symbol is already inside, and changes
        nothing. Raises ValueError for a source bar whose length does not divide the longer one.
        """
        if fault := self.fault(bar):
            raise ValueError(fault)
        if bar.time <= self._last.get(bar.symbol, bar.time - 1):
            return []
        self._last[bar.symbol] = bar.time
        if bar.time <= self._ended.get(bar.symbol, 0):
            return []
        full = end = -(-bar.time // self._length) * self._length
        closes = self._session_end(bar.symbol, bar.time - 1)
        if closes is not None and closes < full:
            end = max(closes, bar.time)
        complete: list[Bar] = []
        building = self._open.pop(bar.symbol, None)
        if building is not None and building.time < bar.time:
            complete.append(building)
            self._ended[bar.symbol] = -(-building.time // self._length) * self._length
            if bar.time <= self._ended[bar.symbol]:
                return complete
            building = None
        building = self._begin(bar, end) if building is None else _extend(building, bar, end)
        if bar.time == end:
            complete.append(building)
            self._ended[bar.symbol] = full
        else:
            self._open[bar.symbol] = building
        return complete

    def _begin(self, bar: Bar, end: Nanos) -> Bar:
        return Bar(
            symbol=bar.symbol,
            time=end,
            seconds=self._seconds,
            open=bar.open,
            high=bar.high,
            low=bar.low,
            close=bar.close,
            volume=bar.volume,
            bid=bar.bid,
            bid_size=bar.bid_size,
            ask=bar.ask,
            ask_size=bar.ask_size,
        )


def _extend(building: Bar, bar: Bar, end: Nanos) -> Bar:
    """The longer bar, which ends at `end`, with one more source bar at its end. A volume nobody
    knows adds nothing."""
    volume = building.volume
    if bar.volume is not None:
        volume = bar.volume if volume is None else volume + bar.volume
    return Bar(
        symbol=building.symbol,
        time=end,
        seconds=building.seconds,
        open=building.open,
        high=max(building.high, bar.high),
        low=min(building.low, bar.low),
        close=bar.close,
        volume=volume,
        bid=bar.bid,
        bid_size=bar.bid_size,
        ask=bar.ask,
        ask_size=bar.ask_size,
    )
