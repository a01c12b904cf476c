"""Completed bars of the source put together into completed longer bars."""

from engine.domain.instant import NS_PER_SECOND, Nanos
from engine.domain.market import Bar


class BarAggregator:
    """Longer bars for any number of symbols, aligned to multiples of their length since 1970 UTC.

    A longer bar is complete when the source bar that ends with it arrives, or, where that one is
    missing, when a later one begins. A day is the UTC day. `seconds` is the length to build.
    """

    def __init__(self, seconds: int) -> None:
        if seconds <= 0:
            raise ValueError(f"a bar of {seconds} seconds cannot be built: 1 or more are allowed")
        self._seconds = seconds
        self._length: Nanos = seconds * NS_PER_SECOND
        self._open: dict[str, Bar] = {}
        self._last: dict[str, Nanos] = {}

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
        end = -(-bar.time // self._length) * self._length
        complete: list[Bar] = []
        building = self._open.pop(bar.symbol, None)
        if building is not None and building.time < end:
            complete.append(building)
            building = None
        building = self._begin(bar, end) if building is None else _extend(building, bar)
        if bar.time == end:
            complete.append(building)
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


def _extend(building: Bar, bar: Bar) -> Bar:
    """The longer bar with one more source bar at its end. A volume nobody knows adds nothing."""
    volume = building.volume
    if bar.volume is not None:
        volume = bar.volume if volume is None else volume + bar.volume
    return Bar(
        symbol=building.symbol,
        time=building.time,
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
