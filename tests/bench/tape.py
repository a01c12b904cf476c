"""A tape of quotes, made before anything is measured, and the same for the same seed.

A file of lines. Each is the gap to the line before it, drawn from an exponential distribution with
mean 1, a space, and a quote as the paper venue's wire writes it, up to its time. A player divides
the gaps by the rate it is asked for, so that one tape serves every rate with Poisson arrivals, and
puts the time in as it sends.
"""

from pathlib import Path
from random import Random
from typing import Final, NamedTuple

TICKS: Final = 10_000
"""Where each price begins, in hundredths: 100.00."""

SWING: Final = 200
"""Ticks that a price may move away from there, so that no stop and no resting order is met."""

SIZE: Final = 1_000_000
"""Shares at either side: no order of a bench waits for a size to be shown."""


class Line(NamedTuple):
    """One quote of a tape."""

    gap: float
    """Since the quote before it, as a multiple of the mean gap."""
    head: bytes
    """The quote in JSON, up to the digits of its time."""


def write(path: Path, symbols: list[str], count: int, seed: int) -> None:
    """Make a tape of `count` quotes, on symbols drawn at random.

    The first quotes are one of each symbol, without gaps: a market that opens.
    """
    random = Random(seed)
    ticks = dict.fromkeys(symbols, TICKS)
    with path.open("w", encoding="ascii") as file:
        for n in range(count):
            opening = n < len(symbols)
            symbol = symbols[n] if opening else random.choice(symbols)
            gap = 0.0 if opening else random.expovariate(1)
            ticks[symbol] = _moved(ticks[symbol], random)
            file.write(f"{gap:.6f} {_head(symbol, ticks[symbol], traded=random.random() < 0.5)}\n")


def _moved(ticks: int, random: Random) -> int:
    moved = ticks + random.choice((-1, 0, 1))
    return min(max(moved, TICKS - SWING), TICKS + SWING)


def _head(symbol: str, ticks: int, *, traded: bool) -> str:
    bid, ask = ticks / 100, (ticks + 1) / 100
    return (
        f'{{"symbol":"{symbol}","bid":"{bid:.2f}","ask":"{ask:.2f}","last":"{bid:.2f}",'
        f'"bid_size":"{SIZE}","ask_size":"{SIZE}","trade":{str(traded).lower()},"time":'
    )


def read(path: Path) -> list[Line]:
    """The lines of a tape, in order. Raises OSError, and ValueError for what is no tape."""
    lines = []
    with path.open("rb") as file:
        for text in file:
            gap, _, head = text.rstrip(b"\n").partition(b" ")
            lines.append(Line(float(gap), head))
    return lines
