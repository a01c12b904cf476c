"""The order book as a ladder: prices stand still, sizes move; ours are marked on their side."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from itertools import pairwise

from engine.domain.market import Depth, DepthLevel, Quote
from engine.domain.money import ZERO


@dataclass(frozen=True, slots=True)
class Rung:
    """One line of the ladder."""

    price: Decimal
    bid: Decimal | None
    ask: Decimal | None
    mine_bid: Decimal
    mine_ask: Decimal


class Ladder:
    """The price axis of one symbol; it moves only when the best price leaves the window."""

    def __init__(self) -> None:
        self._symbol = ""
        self._step = ZERO
        self._top: Decimal | None = None

    def rungs(
        self,
        depth: Depth,
        *,
        tick: Decimal,
        rows: int,
        mine: Mapping[Decimal, Decimal],
    ) -> list[Rung]:
        """`rows` lines from the highest price down. `mine` is signed: bought positive."""
        if rows <= 0 or not (depth.bids or depth.asks):
            return []
        step = spacing(depth, tick)
        if depth.bids and depth.asks:
            # both best prices must fit, however far apart they are
            apart = (depth.asks[0].price - depth.bids[0].price) / max(rows - 1, 1)
            step = max(step, (apart / tick).to_integral_value(ROUND_CEILING) * tick)
        best = [side[0].price for side in (depth.bids, depth.asks) if side]
        if self._symbol != depth.symbol or step != self._step or not self._holds(best, rows):
            middle = sum(best, start=ZERO) / len(best)
            centre = (middle / step).to_integral_value(ROUND_CEILING) * step
            self._symbol, self._step = depth.symbol, step
            self._top = centre + step * (rows // 2 - 1)
        top = self._top or ZERO
        bids = _bucket(depth.bids, step, ROUND_FLOOR)
        asks = _bucket(depth.asks, step, ROUND_CEILING)
        bought = _bucket_mine(mine, step, 1)
        sold = _bucket_mine(mine, step, -1)
        lines = []
        for row in range(rows):
            price = top - step * row
            lines.append(
                Rung(
                    price,
                    bids.get(price),
                    asks.get(price),
                    bought.get(price, ZERO),
                    sold.get(price, ZERO),
                )
            )
        return lines

    def _holds(self, best: list[Decimal], rows: int) -> bool:
        if self._top is None:
            return False
        bottom = self._top - self._step * (rows - 1)
        return all(bottom <= price <= self._top for price in best)


def spacing(depth: Depth, tick: Decimal) -> Decimal:
    """The smallest distance between two levels of one side, never less than a tick; no more than
    that of the best prices, so that a level far behind does not carry them off."""
    gaps = [
        abs(a.price - b.price)
        for side in (depth.bids, depth.asks)
        for a, b in pairwise(side)
        if a.price != b.price
    ]
    if gaps and depth.bids and depth.asks:
        gaps.append(abs(depth.asks[0].price - depth.bids[0].price))
    return max(min(gaps, default=tick), tick)


def as_depth(quote: Quote) -> Depth | None:
    """A book of one level a side, where the feed has only the best prices."""
    if quote.bid is None or quote.ask is None:
        return None
    return Depth(
        symbol=quote.symbol,
        bids=(DepthLevel(quote.bid, quote.bid_size or ZERO),),
        asks=(DepthLevel(quote.ask, quote.ask_size or ZERO),),
        time=quote.time,
    )


def _bucket(levels: tuple[DepthLevel, ...], step: Decimal, mode: str) -> dict[Decimal, Decimal]:
    sums: dict[Decimal, Decimal] = {}
    for level in levels:
        price = (level.price / step).to_integral_value(mode) * step
        sums[price] = sums.get(price, ZERO) + level.size
    return sums


def _bucket_mine(
    mine: Mapping[Decimal, Decimal], step: Decimal, sign: int
) -> dict[Decimal, Decimal]:
    mode = ROUND_FLOOR if sign > 0 else ROUND_CEILING
    sums: dict[Decimal, Decimal] = {}
    for price, quantity in mine.items():
        if quantity * sign > 0:
            place = (price / step).to_integral_value(mode) * step
            sums[place] = sums.get(place, ZERO) + abs(quantity)
    return sums
