"""Every number that a venue tells, each of them wrong in every way (DESIGN rule 4, U-53).

A venue behind the port tells one bad number for a while. The engine lives, nothing of it is in the
journal's bytes, no order leaves because of it, and another process folds the same journal.
"""

from decimal import Decimal, InvalidOperation
from typing import Any, Final

import msgspec
import pytest

from engine.domain import commands as ask
from engine.domain.account import Account, CashMovement, MovementKind, VenueOrder, VenuePosition
from engine.domain.market import Bar, Depth, DepthLevel, Quote
from engine.domain.money import LARGEST
from engine.domain.order import Fill, OrderType, Side
from engine.domain.run import Flatten
from engine.ports import OrderReport
from engine.state.book import Book
from engine.state.fold import apply
from tests.engine.liar import PRICE, Liar, Table, play
from tests.engine.worlds import BROKER
from tests.simulation.store import Disk

D = Decimal
HUGE: Final = D("1e400")
FINE: Final = D("0." + "1" * 40)
"""A number that can be, though no venue has a price so fine."""

BAD: Final = [
    D("NaN"),
    D("sNaN"),
    D("Infinity"),
    D("-Infinity"),
    D(0),
    D(-1),
    D("1e15"),
    D("1.8e308"),
    HUGE,
    FINE,
]


class Wrong(Liar):
    """It tells one wrong number at a time, where `field` says, and keeps right books."""

    field = ""
    number = D(0)

    def _wrong(self, whole: Any, kind: str) -> Any:
        named, _, name = self.field.partition(".")
        if named != kind:
            return whole
        if name == "balances":
            return msgspec.structs.replace(whole, balances={"USD": self.number})
        return msgspec.structs.replace(whole, **{name: self.number})

    async def get_account(self) -> Account:
        told: Account = self._wrong(await super().get_account(), "account")
        return told

    async def get_positions(self) -> tuple[VenuePosition, ...]:
        return tuple(self._wrong(p, "position") for p in await super().get_positions())

    async def get_open_orders(self) -> tuple[VenueOrder, ...]:
        return tuple(self._wrong(o, "order") for o in await super().get_open_orders())

    async def get_order(self, client_order_id: str) -> VenueOrder | None:
        told = await super().get_order(client_order_id)
        return None if told is None else self._wrong(told, "order")

    async def get_fills_since(self, since: int) -> tuple[Fill, ...]:
        return tuple(self._wrong(f, "fill") for f in await super().get_fills_since(since))

    async def get_cash_movements_since(self, since: int) -> tuple[CashMovement, ...]:
        if not self.field.startswith("movement"):
            return ()
        moved = CashMovement(
            movement_id="m", kind=MovementKind.TRANSFER, currency="USD", amount=D(1), time=since
        )
        return (self._wrong(moved, "movement"),)

    async def server_time(self) -> int:
        told = await super().server_time()
        return self.number if self.field == "server.time" else told  # type: ignore[return-value]

    def tell(self, report: Any) -> None:
        if isinstance(report, OrderReport):
            report = self._wrong(report, "report")
            if report.fill is not None:
                report = msgspec.structs.replace(report, fill=self._wrong(report.fill, "fill"))
        super().tell(report)


class Scene(Table):
    """The table with that venue, and prices that may be wrong too."""

    makes = Wrong

    def quote(self) -> None:
        """A quote, a bar and a depth with the number in the place that is wrong."""
        told: dict[str, Any] = {
            "last": PRICE,
            "bid": PRICE,
            "ask": PRICE,
            "bid_size": D(5),
            "ask_size": D(5),
        }
        quote = Quote(symbol="AAA", time=self.clock.now(), **told)
        self.feed.put(self.wrong._wrong(quote, "quote"))
        bar = Bar(
            symbol="AAA",
            time=self.clock.now(),
            seconds=60,
            open=PRICE,
            high=PRICE,
            low=PRICE,
            close=PRICE,
            volume=D(1),
        )
        self.feed.put(self.wrong._wrong(bar, "bar"))
        level = self.wrong._wrong(DepthLevel(PRICE, D(1)), "depth")
        self.feed.put(Depth(symbol="AAA", bids=(level,), asks=(level,), time=self.clock.now()))

    @property
    def wrong(self) -> Wrong:
        assert isinstance(self.venue, Wrong)
        return self.venue


FIELDS: Final = {
    "account": ["cash", "equity", "buying_power", "balances"],
    "position": ["quantity", "average_price", "mark"],
    "order": ["quantity", "filled", "limit_price", "stop_price", "average_price"],
    "fill": ["quantity", "price", "commission"],
    "report": ["filled", "quantity", "limit_price", "stop_price"],
    "movement": ["amount"],
    "quote": ["last", "bid", "ask", "bid_size", "ask_size"],
    "bar": ["open", "high", "low", "close", "volume", "bid", "ask"],
    "depth": ["price", "size"],
    "server": ["time"],
}


TERMS: Final = frozenset(f"{kind}.{n}" for kind in ("order", "report") for n in FIELDS[kind])
"""Where that number would be the size or the price of a stop that covers next to nothing then: what
it leaves without a stop is closed (rule 3)."""


def numbers_in(value: Any) -> list[Decimal]:
    """Every number in an event as it is written."""
    if isinstance(value, dict):
        return [n for each in value.values() for n in numbers_in(each)]
    if isinstance(value, list):
        return [n for each in value for n in numbers_in(each)]
    if isinstance(value, str):
        try:
            return [D(value)]
        except InvalidOperation:
            return []
    return []


def unsound(disk: Disk) -> list[tuple[str, Decimal]]:
    """Numbers that the journal should hold nowhere, and of which event they are."""
    return [
        (kind, number)
        for _, _, kind, data in disk.rows
        for number in numbers_in(msgspec.json.decode(data))
        if not number.is_finite() or abs(number) >= LARGEST
    ]


def folded(disk: Disk) -> Book:
    """What another process makes of the journal."""
    book = Book()
    for record in disk.records(0):
        apply(book, record)
    return book


@pytest.mark.parametrize("number", BAD, ids=lambda n: f"{n!s:.12}")
@pytest.mark.parametrize("field", [f"{kind}.{name}" for kind in FIELDS for name in FIELDS[kind]])
def test_u53_a_number_that_is_none_harms_nothing(field: str, number: Decimal) -> None:
    """A hundred are held with a stop. While the number is wrong somebody buys, and is refused, or
    the venue's word on it is left aside; then all is told rightly again."""

    async def scene(table: Table) -> None:
        assert isinstance(table, Scene)
        await table.buy(100, protect=PRICE * 9 / 10)
        await table.wait(2)
        wrong = table.wrong
        wrong.field, wrong.number = field, number
        for _ in range(4):
            table.quote()
            await table.wait(0.6)
        await table.engine.command(ask.Reconcile(by="test"))
        resting = await table.order(
            Side.BUY, 5, type=OrderType.LIMIT, limit_price=PRICE - 1, protect=PRICE * 9 / 10
        )
        await table.order(Side.BUY, 7)
        for _ in range(4):
            table.quote()
            await table.wait(0.6)
        if resting.ok:
            (key,) = resting.data["client_order_ids"]
            await table.engine.command(ask.CancelOrder(by="test", client_order_id=key))
        await table.engine.command(ask.Reconcile(by="test"))
        wrong.field = ""
        await table.wait(40)
        assert table.there >= 100 or (field in TERMS and number == FINE), "nothing was sold for it"
        assert table.engine.book.data.halt is None
        assert not unsound(table.disk)
        await table.engine.command(ask.Reconcile(by="test", apply=True))
        await table.wait(5)
        assert table.held == table.there
        world = table.engine.world
        assert world.money.equity.is_finite()
        assert abs(world.money.daily_pnl) < 5
        done = await table.engine.command(ask.Kill(by="test", flatten=Flatten.ALL))
        assert done.ok
        await table.until(lambda: table.there == 0)

        again = folded(table.disk)
        assert again.holding(BROKER, "AAA") is None

    play(scene, table=Scene)


@pytest.mark.parametrize("price", ["0", "-3.7", "NaN"])
def test_a_price_that_is_none_sells_nothing_however_often_it_is_told(price: str) -> None:
    async def scene(table: Table) -> None:
        await table.buy(100, protect=PRICE * 9 / 10)
        table.venue.price = D(price)
        await table.wait(10)
        assert table.there == 100
        assert table.engine.book.data.halt is None
        assert table.alarms().count("BAD_QUOTE") == 1

    play(scene)


@pytest.mark.parametrize(
    ("bid", "last", "ask", "trade"),
    [
        ("1", "50", "100", False),
        ("99", "60", "101", True),
        ("99", "200", "101", True),
        ("150", "100", "99", True),
    ],
)
def test_sides_that_contradict_the_price_are_no_quote(
    bid: str, last: str, ask: str, *, trade: bool
) -> None:
    """However long it stays so; the price of before grows stale meanwhile."""

    async def scene(table: Table) -> None:
        await table.buy(100, protect=PRICE * 9 / 10)
        table.quiet = True
        for _ in range(20):
            table.feed.put(
                Quote(
                    symbol="AAA",
                    bid=D(bid),
                    ask=D(ask),
                    last=D(last),
                    trade=trade,
                    time=table.clock.now(),
                )
            )
            await table.wait(1)
        assert table.there == 100
        assert table.engine.book.data.halt is None
        done = await table.order(Side.BUY, 1)
        assert not done.ok

    play(scene)
