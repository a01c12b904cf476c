"""A world with the core on top: inputs go in, events come out, the venue's answers are spelled out.

desk = Desk().price("NVDA", "100")
desk.signal(signal("NVDA", entry="100", stop="95"))
desk.accept(desk.entry("NVDA")).filled(desk.entry("NVDA"), 10, "100")
"""

from decimal import Decimal
from typing import Any, Self, TypeVar

import msgspec

from engine.core.driver import Core
from engine.domain import events as ev
from engine.domain.account import Account, VenueOrder, VenuePosition, VenueSnapshot
from engine.domain.commands import PlaceOrder
from engine.domain.inputs import (
    Input,
    QueryAnswered,
    Sending,
    SignalArrived,
    SnapshotTaken,
    Start,
    Tick,
)
from engine.domain.instant import NS_PER_SECOND
from engine.domain.market import Quote
from engine.domain.order import Fill, OrderStatus, OrderTerms, Purpose, Side
from engine.domain.signal import Signal
from engine.ports import OrderReport
from engine.state.order import Order
from engine.state.position import Position
from tests.engine.worlds import ABLE, ACCOUNT, BROKER, Built, number, signal

E = TypeVar("E", bound=ev.Event)


class CoreDriver(Built):
    """A running world whose core is given inputs one at a time; `seen` holds every event."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.core = Core(self.world)
        self.seen: list[ev.Event] = []
        self._executions = 0

    # --- inputs -----------------------------------------------------------------------------------

    def give(self, given: Input) -> list[ev.Event]:
        """One input; the events it led to."""
        records = self.core.handle(given, self.now).records
        self._seq = self.book.data.seq
        events = [record.event for record in records]
        self.seen += events
        return events

    def later(self, seconds: float) -> Self:
        """Let time pass without anything happening."""
        self.now += int(seconds * NS_PER_SECOND)
        return self

    def tick(self, seconds: float = 1) -> list[ev.Event]:
        """Let time pass and the timer come due."""
        self.later(seconds)
        return self.give(Tick())

    def signal(self, request: Signal) -> list[ev.Event]:
        """A signal."""
        return self.give(SignalArrived(request))

    def quote(
        self,
        symbol: str,
        last: Decimal | int | str,
        *,
        bid: Decimal | int | str | None = None,
        ask: Decimal | int | str | None = None,
        trade: bool = False,
    ) -> list[ev.Event]:
        """A price that the core reacts to."""
        return self.give(
            Quote(
                symbol=symbol,
                last=number(last),
                bid=None if bid is None else number(bid),
                ask=None if ask is None else number(ask),
                time=self.now,
                trade=trade,
            )
        )

    def place(
        self, side: Side, quantity: Decimal | int | str, *, symbol: str = "NVDA", **fields: Any
    ) -> list[ev.Event]:
        """A person asks for an order."""
        return self.give(
            PlaceOrder(by="me", symbol=symbol, side=side, quantity=number(quantity), **fields)
        )

    # --- the venue's answers ----------------------------------------------------------------------

    def accept(self, order: OrderTerms) -> Self:
        """Hand the order over, and the venue works it."""
        if self.current(order).status is OrderStatus.CREATED:
            self.give(Sending(order.account, order.client_order_id))
        self.report(order, OrderStatus.NEW)
        return self

    def report(
        self, order: OrderTerms, status: OrderStatus, *, fill: Fill | None = None, **fields: Any
    ) -> list[ev.Event]:
        """An execution report about an order."""
        return self.give(
            OrderReport(
                account=BROKER,
                client_order_id=order.client_order_id,
                venue_order_id=f"v-{order.client_order_id}",
                symbol=order.symbol,
                status=status,
                fill=fill,
                time=self.now,
                **fields,
            )
        )

    def execution(
        self, order: OrderTerms, quantity: Decimal | int | str, price: Decimal | int | str
    ) -> Fill:
        """A new fill of an order, not yet reported."""
        self._executions += 1
        return Fill(
            execution_id=f"e{self._executions}",
            client_order_id=order.client_order_id,
            account=BROKER,
            symbol=order.symbol,
            side=order.side,
            quantity=number(quantity),
            price=number(price),
            time=self.now,
        )

    def filled(
        self, order: OrderTerms, quantity: Decimal | int | str, price: Decimal | int | str
    ) -> list[ev.Event]:
        """The venue reports a new fill."""
        done = self.current(order).filled + number(quantity)
        whole = done >= self.current(order).quantity
        status = OrderStatus.FILLED if whole else OrderStatus.PARTIALLY_FILLED
        return self.report(order, status, fill=self.execution(order, quantity, price))

    def snapshot(
        self,
        *,
        positions: dict[str, int | str] | None = None,
        orders: tuple[VenueOrder, ...] = (),
        fills: tuple[Fill, ...] = (),
        cash: Decimal | None = None,
        reason: str = "scheduled",
        apply: bool = False,
    ) -> list[ev.Event]:
        """The venue's view as it is now, handed in."""
        view = self.view(positions=positions, orders=orders, fills=fills, cash=cash)
        return self.give(SnapshotTaken(view, reason, apply))

    def view(
        self,
        *,
        positions: dict[str, int | str] | None = None,
        orders: tuple[VenueOrder, ...] = (),
        fills: tuple[Fill, ...] = (),
        cash: Decimal | None = None,
        asked: float = 0,
    ) -> VenueSnapshot:
        """The venue's view as it is now, `asked` for so many seconds from now: 0 or below."""
        money = self.book.account("paper").cash["USD"] if cash is None else cash
        held = tuple(
            VenuePosition(symbol=s, quantity=number(q), average_price=Decimal(100))
            for s, q in (positions or {}).items()
        )
        return VenueSnapshot(
            account=BROKER,
            balances=Account(
                account_id=ACCOUNT,
                cash=money,
                equity=money,
                buying_power=self.book.account("paper").buying_power,
                as_of=self.now,
            ),
            positions=held,
            orders=orders,
            fills=fills,
            requested_at=self.now + int(asked * NS_PER_SECOND),
            as_of=self.now,
        )

    def restart(self, **view: Any) -> None:
        """Another process goes on a second later: it starts, sees the venue and a price."""
        self.later(1)
        self.give(Start(version="test", accounts={BROKER: ACCOUNT}, config_digest=""))
        self.snapshot(reason="start", **view)
        self.quote("NVDA", "100")
        self.tick()

    def works(self, order: OrderTerms, **said: Any) -> VenueOrder:
        """The order as the venue lists it; `said` is what it says otherwise than is known here."""
        now = self.current(order)
        there = VenueOrder(
            client_order_id=now.client_order_id,
            venue_order_id=f"v-{now.client_order_id}",
            symbol=now.symbol,
            side=now.side,
            type=now.type,
            quantity=now.quantity,
            filled=now.filled,
            limit_price=now.limit_price,
            stop_price=now.stop_price,
            status=OrderStatus.NEW,
            reduce_only=now.reduce_only,
        )
        return msgspec.structs.replace(there, **said)

    def answers(self, order: OrderTerms, **said: Any) -> list[ev.Event]:
        """What the venue says of an order when it is asked (`works`); no fill comes with it."""
        return self.give(
            QueryAnswered(
                account=BROKER,
                client_order_id=order.client_order_id,
                order=self.works(order, **said),
                fills=(),
                asked_at=self.now,
            )
        )

    # --- looking ----------------------------------------------------------------------------------

    def held(self, symbol: str = "NVDA") -> Position:
        """What is held of a symbol, which must be something."""
        found = self.book.holding(BROKER, symbol)
        assert found is not None
        return found

    def current(self, order: OrderTerms) -> Order:
        """The newest version of an order."""
        found = self.book.order(order.client_order_id)
        assert found is not None
        return found

    def intended(self, purpose: Purpose, symbol: str = "NVDA") -> list[OrderTerms]:
        """Every order of a purpose that was decided, oldest first."""
        orders = [e.terms for e in self.of(ev.OrderIntended)]
        return [o for o in orders if o.purpose is purpose and o.symbol == symbol]

    def last(self, purpose: Purpose, symbol: str = "NVDA") -> OrderTerms:
        """The newest order of a purpose."""
        return self.intended(purpose, symbol)[-1]

    def of(self, kind: type[E]) -> list[E]:
        """Every event of a kind so far."""
        return [event for event in self.seen if isinstance(event, kind)]


NO_REDUCE_ONLY = msgspec.structs.replace(ABLE, reduce_only=False)
"""A venue that would fill a stop and what reduces beside it, each of them."""


def holding(quantity: int = 150, **kwargs: Any) -> CoreDriver:
    """A signal bought so many NVDA at 100; the stop at 95 is decided and not acknowledged."""
    desk = CoreDriver(**kwargs).price("NVDA", "100")
    desk.signal(signal("NVDA", entry="100", stop="95"))
    desk.accept(desk.last(Purpose.ENTRY))
    desk.filled(desk.last(Purpose.ENTRY), quantity, "100")
    return desk


def protected(quantity: int = 150, **kwargs: Any) -> CoreDriver:
    """The same, and the stop rests."""
    desk = holding(quantity, **kwargs)
    desk.accept(desk.last(Purpose.PROTECT))
    return desk


def one(events: list[ev.Event], kind: type[E]) -> E:
    """The only event of a kind among these."""
    found = [event for event in events if isinstance(event, kind)]
    assert len(found) == 1, f"{len(found)} {kind.__name__} in {[type(e).__name__ for e in events]}"
    return found[0]


def kinds(events: list[ev.Event]) -> list[str]:
    """The names of events, in order."""
    return [type(event).__name__ for event in events]
