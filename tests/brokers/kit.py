"""A paper venue in virtual time, and orders in one line."""

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

from brokers.paper.book import PaperBook, Wait
from brokers.paper.instruments import Instruments
from brokers.paper.terms import Arrival, Terms
from brokers.paper.venue import PaperVenue
from engine.domain.instant import Nanos, parse_rfc3339
from engine.domain.instrument import Instrument
from engine.domain.market import Quote
from engine.domain.order import Fill, OrderTerms, OrderType, Purpose, Side, TimeInForce
from engine.ports import OrderReport
from engine.reference.rates import ReferenceRate
from engine.runtime.clock import VirtualClock
from engine.runtime.virtual_time import VirtualLoop

D = Decimal
MONDAY_10AM = parse_rfc3339("2026-03-02T15:00:00Z")
"""A Monday, 10:00 in New York: XNYS is open until 21:00 UTC."""
FREE = Terms(
    latency_ms=(0, 0),
    slippage_bps=D(0),
    commission_bps=D(0),
    fill_probability=D(1),
    participation=D("0.1"),
)
"""No latency, no slippage, no commission, every limit that is touched fills."""


def order(
    client_order_id: str,
    side: str = "BUY",
    quantity: str = "10",
    symbol: str = "AAPL",
    *,
    kind: str = "",
    limit: str | None = None,
    stop: str | None = None,
    tif: str = "GTC",
    reduce_only: bool = False,
) -> OrderTerms:
    """An order; its type follows from the prices it has."""
    kinds = {(False, False): "MARKET", (True, False): "LIMIT", (False, True): "STOP"}
    kind = kind or kinds.get((limit is not None, stop is not None), "STOP_LIMIT")
    return OrderTerms(
        client_order_id=client_order_id,
        intent_id=client_order_id,
        account="paper",
        symbol=symbol,
        side=Side(side),
        type=OrderType(kind),
        quantity=D(quantity),
        limit_price=None if limit is None else D(limit),
        stop_price=None if stop is None else D(stop),
        time_in_force=TimeInForce(tif),
        reduce_only=reduce_only,
        purpose=Purpose.ENTRY,
    )


class Rig:
    """A venue, its clock, and everything it reported."""

    def __init__(
        self,
        *,
        terms: Terms = FREE,
        arrival: Arrival = Arrival.STANDING_QUOTE,
        instruments: Instruments | dict[str, Instrument] | None = None,
        path: Path | None = None,
        wait: Wait = "inline",
        start: Nanos = MONDAY_10AM,
        seed: int = 7,
        rates: tuple[ReferenceRate, ...] = (),
    ) -> None:
        self.loop = VirtualLoop()
        self.clock = VirtualClock(self.loop, start)
        table = instruments if isinstance(instruments, Instruments) else Instruments(instruments)
        self.venue = PaperVenue(
            clock=self.clock,
            random=Random(seed),
            terms=terms,
            book=PaperBook(path, wait=wait),
            instruments=table,
            arrival=arrival,
            reference_rates=rates,
        )
        self.reports: list[OrderReport] = []
        self.venue.on_report = lambda report, ticket: self.reports.append(report)

    def advance(self, seconds: float) -> None:
        """Let virtual time pass."""
        self.loop.run_until_complete(self.clock.sleep(seconds))

    def price(self, last: str, symbol: str = "AAPL", **more: Any) -> None:
        """One price event, `bid`, `ask` and their sizes as text, `volume` as the bar's."""
        volume = more.pop("volume", None)
        numbers = {name: D(text) for name, text in more.items()}
        quote = Quote(
            symbol=symbol,
            bid=numbers.get("bid"),
            ask=numbers.get("ask"),
            bid_size=numbers.get("bid_size"),
            ask_size=numbers.get("ask_size"),
            last=D(last),
            time=self.clock.now(),
            trade=True,
        )
        self.venue.on_price(quote, None if volume is None else D(volume))

    def submit(self, client_order_id: str, *args: Any, **more: Any) -> None:
        self.venue.submit(order(client_order_id, *args, **more))

    def status(self, client_order_id: str) -> str:
        known = self.venue.get_order(client_order_id)
        return "" if known is None else str(known.status)

    @property
    def fills(self) -> list[Fill]:
        return [report.fill for report in self.reports if report.fill is not None]

    @property
    def traded(self) -> list[tuple[str, Decimal, Decimal]]:
        """(client order id, quantity, price) of each fill."""
        return [(fill.client_order_id, fill.quantity, fill.price) for fill in self.fills]

    def close(self) -> None:
        self.venue.close()
        self.loop.close()


@contextmanager
def rig(**options: Any) -> Iterator[Rig]:
    """A rig that is closed at the end."""
    made = Rig(**options)
    try:
        yield made
    finally:
        made.close()
