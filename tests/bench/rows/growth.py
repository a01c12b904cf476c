"""G14: what an event costs at 100,000 working orders and 3,000,000 journal rows, against 1,000.

The large and the small are measured in turns, so that whatever else the machine does hits both.
"""

import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path

import msgspec

from brokers.paper.adapter import paper_capabilities
from brokers.paper.instruments import Instruments
from engine.core.driver import Core
from engine.domain import events as ev
from engine.domain.account import Account, VenueSnapshot
from engine.domain.commands import PlaceOrder
from engine.domain.inputs import Input, Ready, Sending, SnapshotTaken, Start
from engine.domain.instant import Nanos
from engine.domain.market import Quote
from engine.domain.order import Fill, OrderStatus, OrderType, Side
from engine.domain.run import LinkState
from engine.ports import LinkReport, OrderReport
from engine.state.book import Book
from engine.world import World
from storage.connection import open_writer
from storage.writer import Entry, Writer, entry_of
from tests.bench import rig
from tests.bench.figures import Row, p50

FEW, MANY = 1_000, 100_000
SHORT, LONG = 1_000, 3_000_000
SYMBOLS = 500
ROUNDS = 40
LIVES = 50
"""Order lives in one turn."""

FRESH = 5_000_000_000
"""Nanoseconds after which every symbol gets a new price: no order meets a stale one."""

BATCH = 4_000
PRICE = Decimal("100.00")
MONEY = Decimal(10**12)


class Desk:
    """A core without loop, disk or venue: the bench says what the venue answers."""

    def __init__(self, now: Nanos) -> None:
        self.symbols = rig.names(SYMBOLS)
        self.now = now
        self.world = World(
            Book(),
            rig.config(self.symbols),
            {"paper": paper_capabilities((0, 0))},
            instrument_of=Instruments({}, "SIM").get,
            home_calendar="SIM",
        )
        self.core = Core(self.world)
        self.records: list[ev.Record] = []
        self._count = self._number = 0
        self._start()
        self.first = self.records[:]
        """What a start brought about."""

    def give(self, given: Input) -> list[ev.Record]:
        """One input, a tenth of a millisecond after the one before."""
        self.now += 100_000
        records = self.core.handle(given, self.now).records
        self.records += records
        return records

    def _start(self) -> None:
        account = Account(
            account_id="paper", cash=MONEY, equity=MONEY, buying_power=MONEY, as_of=self.now
        )
        seen = VenueSnapshot(
            account="paper",
            balances=account,
            positions=(),
            orders=(),
            fills=(),
            requested_at=self.now,
            as_of=self.now,
        )
        self.give(Start(version="bench", accounts={"paper": "paper"}, config_digest=""))
        self.give(LinkReport(account="paper", state=LinkState.CONNECTED, time=self.now))
        self.give(SnapshotTaken(seen, "start"))
        self.give(Ready())
        self.tell()

    def tell(self) -> None:
        """A price of every symbol, as of now."""
        self._told = self.now
        for symbol in self.symbols:
            self.core.handle(self.quote(symbol), self.now)

    def quote(self, symbol: str) -> Quote:
        """The price of now."""
        return Quote(symbol=symbol, bid=PRICE, ask=PRICE, last=PRICE, time=self.now)

    def place(self, *, rests: bool, side: Side = Side.BUY, advance: bool = True) -> tuple[str, str]:
        """An order at the market, or one far below it; its id and symbol.

        Without `advance` it is in the symbol of the order before it. Each in a symbol is for one
        more than the one before: the same order again within a minute is refused.
        """
        self._number += 1
        self._count += advance
        symbol = self.symbols[self._count % SYMBOLS]
        if self.now - self._told >= FRESH:
            self.tell()
        records = self.give(
            PlaceOrder(
                by="bench",
                symbol=symbol,
                side=side,
                quantity=Decimal(1 + self._count // SYMBOLS % 1_000),
                type=OrderType.LIMIT if rests else OrderType.MARKET,
                limit_price=PRICE / 2 if rests else None,
                intent_id=f"n{self._number}",
            )
        )
        found = (r.event.terms for r in records if isinstance(r.event, ev.OrderIntended))
        order = next(found, None)
        if order is None:
            raise RuntimeError(f"the order was refused: {records[-1].event}")
        return order.client_order_id, symbol

    def send(self, key: str) -> None:
        """It is handed over."""
        self.give(Sending("paper", key))

    def report(
        self, key: str, symbol: str, status: OrderStatus, *, filled: bool, side: Side = Side.BUY
    ) -> None:
        """The venue's answer."""
        fill, order = None, self.world.book.order_in("paper", key)
        if filled and order is not None:
            fill = Fill(
                execution_id=f"e{key}",
                client_order_id=key,
                account="paper",
                symbol=symbol,
                side=side,
                quantity=order.quantity,
                price=PRICE,
                time=self.now,
            )
        self.give(
            OrderReport(
                account="paper",
                client_order_id=key,
                symbol=symbol,
                status=status,
                fill=fill,
                time=self.now,
            )
        )

    def rest(self, count: int) -> None:
        """So many orders that work."""
        for _ in range(count):
            key, symbol = self.place(rests=True)
            self.send(key)
            self.report(key, symbol, OrderStatus.NEW, filled=False)
        self.records.clear()

    def turn(self, costs: dict[str, list[float]]) -> None:
        """A number of whole lives and quotes, the cost of each step in microseconds."""
        self.records.clear()
        for _ in range(LIVES):
            began = time.perf_counter()
            key, symbol = self.place(rests=False)
            placed = time.perf_counter()
            self.send(key)
            sent = time.perf_counter()
            self.report(key, symbol, OrderStatus.NEW, filled=False)
            accepted = time.perf_counter()
            self.report(key, symbol, OrderStatus.FILLED, filled=True)
            filled = time.perf_counter()
            self.give(self.quote(symbol))
            quoted = time.perf_counter()
            moments = (began, placed, sent, accepted, filled, quoted)
            for step, first, last in zip(STEPS, moments, moments[1:], strict=False):
                costs.setdefault(step, []).append((last - first) * 1e6)


STEPS = ("place", "send", "accept", "fill", "quote")


def compare(few: int, many: int, rounds: int) -> tuple[dict[str, float], dict[str, float]]:
    """Microseconds a step, with few and with many working orders."""
    now = time.time_ns()
    small, large = Desk(now), Desk(now)
    small.rest(few)
    large.rest(many)
    costs: tuple[dict[str, list[float]], dict[str, list[float]]] = ({}, {})
    for _ in range(rounds):
        small.turn(costs[0])
        large.turn(costs[1])
    few_costs, many_costs = ({step: p50(taken) for step, taken in c.items()} for c in costs)
    return few_costs, many_costs


class LongJournal:
    """A journal of so many rows, and the time of one more commit."""

    def __init__(self, folder: Path, rows: int, lives: Callable[[int], list[ev.Event]]) -> None:
        self._lives = lives
        self._number = 0
        self._now = time.time_ns()
        connection = open_writer(folder / "journal.db")
        self._writer = Writer(connection, "bench", mode="paper", engine="bench")
        while self._writer.seq < rows:
            entries: list[Entry] = []
            while len(entries) < min(BATCH, rows):
                entries += self._life(len(entries))
            self._writer.commit(entries)
            if self._writer.needs_checkpoint:
                self._writer.checkpoint()
        self._writer.checkpoint()

    def _life(self, ahead: int) -> Iterator[Entry]:
        self._number += 1
        self._now += 1_000_000
        for n, event in enumerate(self._lives(self._number), 1):
            record = ev.Record(self._writer.seq + ahead + n, self._now, event)
            yield entry_of(record)

    def commit(self) -> float:
        """Milliseconds of one commit of one life."""
        entries = list(self._life(0))
        began = time.perf_counter()
        self._writer.commit(entries)
        return (time.perf_counter() - began) * 1000

    def close(self) -> None:
        """Let go of the file."""
        self._writer.close()


def one_life() -> Callable[[int], list[ev.Event]]:
    """The events of a real order life, under a new id each time."""
    desk = Desk(time.time_ns())
    key, symbol = desk.place(rests=False)
    order = desk.world.book.account("paper").orders[key]
    fill = Fill(
        execution_id="e",
        client_order_id=key,
        account="paper",
        symbol=symbol,
        side=Side.BUY,
        quantity=Decimal(1),
        price=PRICE,
        time=desk.now,
    )

    def life(number: int) -> list[ev.Event]:
        own = f"{number:012d}{order.client_order_id[12:]}"
        return [
            ev.OrderIntended(terms=msgspec.structs.replace(order, client_order_id=own)),
            ev.OrderSent(account="paper", client_order_id=own),
            ev.OrderAccepted(account="paper", client_order_id=own, venue_order_id=f"V{number}"),
            ev.OrderFilled(
                account="paper",
                fill=msgspec.structs.replace(fill, client_order_id=own, execution_id=f"e{number}"),
                multiplier=Decimal(1),
                cumulative=Decimal(1),
                average_price=PRICE,
                late=False,
                overfill=Decimal(0),
                known_order=True,
            ),
        ]

    return life


def journal(short: int, long: int, rounds: int) -> tuple[float, float, float]:
    """Milliseconds of a commit in a short and in a long journal, and seconds to write the long."""
    with rig.scratch() as one, rig.scratch() as other:
        small = LongJournal(one, short, one_life())
        began = time.perf_counter()
        large = LongJournal(other, long, one_life())
        wrote = time.perf_counter() - began
        taken: tuple[list[float], list[float]] = ([], [])
        for _ in range(rounds):
            taken[0].append(small.commit())
            taken[1].append(large.commit())
        small.close()
        large.close()
    return p50(taken[0]), p50(taken[1]), wrote


def main() -> None:
    quick = rig.is_quick()
    many, long, rounds = (10_000, 50_000, 10) if quick else (MANY, LONG, ROUNDS)
    few_costs, many_costs = compare(FEW, many, rounds)
    worst = max(STEPS, key=lambda step: many_costs[step] / few_costs[step])
    steps = ", ".join(f"{s} {few_costs[s]:.1f} to {many_costs[s]:.1f}" for s in STEPS)
    short_ms, long_ms, wrote = journal(SHORT, long, rounds * 25)
    rig.report(
        [
            Row(
                id="G14",
                name=f"cost of an event at {many:,} working orders, of its cost at {FEW:,}",
                value=sum(many_costs.values()) / sum(few_costs.values()),
                unit="x",
                budget=1.25,
                note=(
                    f"us a step: {steps}; the worst is {worst} at "
                    f"{many_costs[worst] / few_costs[worst]:.2f}x; {SYMBOLS} symbols"
                ),
            ),
            Row(
                id="G14",
                name=f"a commit at {long:,} journal rows, of its time at {SHORT:,}",
                value=long_ms / short_ms,
                unit="x",
                budget=1.25,
                note=(
                    f"{short_ms:.3f} to {long_ms:.3f} ms; the long one was written at "
                    f"{long / wrote:,.0f} events/s"
                ),
            ),
        ]
    )


if __name__ == "__main__":
    main()
