"""What new exposure may still cost, by the venue's own number (X-79).

A venue has 100,000 of cash and no credit; NVDA and MSFT trade at 100. What it would really let us
spend is worked out here, by itself, and compared with what the gate would let pass.
"""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from engine.analytics.status import status_of
from engine.domain import events as ev
from engine.domain.account import Account, VenueOrder, VenuePosition, VenueSnapshot
from engine.domain.inputs import SnapshotTaken, Start
from engine.domain.order import OrderStatus, OrderTerms, OrderType, Purpose, Side
from engine.domain.run import LinkState
from engine.ports import LinkReport
from engine.state.book import Book
from engine.world import exposure
from tests.engine.driver import CoreDriver
from tests.engine.worlds import ABLE, ACCOUNT, BROKER, config_of

D = Decimal
CASH = D(100_000)
LOOSE = config_of(
    profile="custom",
    risk={
        "max_risk_per_trade": "1",
        "daily_loss_limit": "0.5",
        "drawdown_limit": "0.9",
        "max_concurrent_positions": 10,
        "max_single_stock_exposure": "1",
        "max_sector_exposure": "1",
        "max_gross_exposure": "1",
        "max_trades_per_day": 100,
        "min_account_equity": "1",
        "consecutive_loss_threshold": 9,
        "consecutive_loss_pct": "0.5",
        "max_order_notional": "1000000",
    },
)


class Bank:
    """A venue's book, kept by itself: cash, holdings and what its working orders hold back."""

    def __init__(self, *, nets: bool) -> None:
        self.nets = nets
        self.cash = CASH
        self.held: dict[str, tuple[Decimal, Decimal]] = {}
        self.working: dict[str, Decimal] = {}

    @property
    def free(self) -> Decimal:
        """What it would let anybody spend now."""
        return self.cash - sum(self.working.values(), start=D(0))

    @property
    def told(self) -> Decimal:
        return self.free if self.nets else self.cash


class Traded(CoreDriver):
    """A core at such a venue."""

    def __init__(self, *, nets: bool, bank: Bank | None = None) -> None:
        able = msgspec.structs.replace(ABLE, nets_buying_power=nets)
        super().__init__(LOOSE, capabilities=able, running=False)
        self.bank = bank or Bank(nets=nets)
        self.give(Start(version="test", accounts={BROKER: ACCOUNT}, config_digest=""))
        self.give(LinkReport(account=BROKER, state=LinkState.CONNECTED, time=self.now))
        self.quote("NVDA", "100", bid="100", ask="100")
        self.quote("MSFT", "100", bid="100", ask="100")
        self.look("start")
        self.tick()

    def look(
        self,
        reason: str = "scheduled",
        orders: tuple[VenueOrder, ...] = (),
        *,
        apply: bool = False,
    ) -> None:
        bank = self.bank
        self.later(2)
        worth = sum((q * 100 for q, _ in bank.held.values()), start=D(0))
        balances = Account(
            account_id=ACCOUNT,
            cash=bank.cash,
            equity=bank.cash + worth,
            buying_power=bank.told,
            as_of=self.now,
        )
        positions = tuple(
            VenuePosition(symbol=s, quantity=q, average_price=a) for s, (q, a) in bank.held.items()
        )
        snapshot = VenueSnapshot(
            account=BROKER,
            balances=balances,
            positions=positions,
            orders=orders,
            fills=(),
            requested_at=self.now,
            as_of=self.now,
        )
        self.give(SnapshotTaken(snapshot, reason, apply))
        self.later(1)

    def rest(self, quantity: int, symbol: str = "MSFT", limit: int = 99) -> OrderTerms:
        """A limit buy that the venue works, and holds its price back for."""
        limited: dict[str, Any] = {"type": OrderType.LIMIT, "limit_price": D(limit)}
        self.place(Side.BUY, quantity, symbol=symbol, protect=D(50), **limited)
        order = self.last(Purpose.MANUAL, symbol)
        self.accept(order)
        self.bank.working[order.client_order_id] = D(quantity * limit)
        return order

    def trade(self, order: OrderTerms, quantity: int, price: int) -> None:
        """The venue trades so much of an order, and tells of it at once."""
        self.trade_untold(order, quantity, price)
        self.filled(order, quantity, price)

    def trade_untold(self, order: OrderTerms, quantity: int, price: int) -> None:
        """The same, and it tells of nothing."""
        bank = self.bank
        sign = order.side.sign
        held, cost = bank.held.get(order.symbol, (D(0), D(price)))
        bank.cash -= sign * quantity * price
        if order.client_order_id in bank.working:
            bank.working[order.client_order_id] -= quantity * (order.limit_price or D(price))
        bank.held[order.symbol] = (held + sign * quantity, cost)
        if not bank.held[order.symbol][0]:
            del bank.held[order.symbol]

    @property
    def available(self) -> Decimal:
        return exposure.buying_power(self.world, BROKER)

    def shown(self) -> tuple[Decimal, Decimal]:
        """The portfolio's number, and the venue's own."""
        status = status_of(self.world, self.now)
        return D(status["account"]["buying_power"]), D(status["accounts"][0]["buying_power"])


KINDS = pytest.mark.parametrize("nets", [True, False])


@KINDS
def test_x79_a_resting_entry_is_taken_off_once(nets: bool) -> None:
    desk = Traded(nets=nets)
    order = desk.rest(404)  # 39,996
    assert desk.available == desk.bank.free == 60_004
    desk.look(orders=(desk.works(order),))
    assert desk.available == desk.bank.free == 60_004
    assert desk.shown() == (60_004, 60_004 if nets else 100_000)


@KINDS
def test_x79_an_entry_that_fills_is_taken_off_once(nets: bool) -> None:
    desk = Traded(nets=nets)
    order = desk.rest(404)
    desk.look(orders=(desk.works(order),))
    desk.trade(order, 200, 99)
    assert desk.available == desk.bank.free == 60_004
    desk.trade(order, 204, 99)
    assert desk.available == desk.bank.free == 60_004
    desk.look()
    assert desk.available == desk.bank.free == 60_004


@KINDS
def test_x79_an_entry_that_is_younger_than_the_venues_number(nets: bool) -> None:
    desk = Traded(nets=nets)
    first = desk.rest(100)
    desk.look(orders=(desk.works(first),))
    second = desk.rest(50, "NVDA")
    assert desk.available == desk.bank.free == 100_000 - 9_900 - 4_950
    desk.trade(second, 50, 99)
    assert desk.available == desk.bank.free == 100_000 - 9_900 - 4_950


@KINDS
def test_x79_a_close_gives_back_at_once(nets: bool) -> None:
    desk = Traded(nets=nets)
    order = desk.rest(400)
    desk.trade(order, 400, 99)
    desk.look()
    assert desk.available == desk.bank.free == 60_400
    # A sale that only rests gives nothing.
    desk.place(Side.SELL, 100, symbol="MSFT", type=OrderType.LIMIT, limit_price=D(120))
    sale = desk.last(Purpose.MANUAL, "MSFT")
    desk.accept(sale)
    assert desk.available == 60_400
    desk.trade(sale, 100, 120)
    assert desk.available == desk.bank.free == 72_400
    desk.look()
    assert desk.available == desk.bank.free == 72_400


def test_x79_what_a_number_contains_is_known_after_a_restart() -> None:
    desk = Traded(nets=True)
    order = desk.rest(404)
    desk.look(orders=(desk.works(order),))
    again = Book.restore(desk.book.snapshot())
    assert again.reservations.contained_in == desk.book.reservations.contained_in
    assert again.reservations.contained_in[BROKER, "USD"] == 39_996
    assert desk.of(ev.AccountSynced)


class Unprotected(Traded):
    """The same, and nothing rests behind what is bought."""

    def rest(self, quantity: int, symbol: str = "MSFT", limit: int = 99) -> OrderTerms:
        self.limit(Side.BUY, quantity, symbol, limit)
        order = self.last(Purpose.MANUAL, symbol)
        self.bank.working[order.client_order_id] = D(quantity * limit)
        return order

    def limit(self, side: Side, quantity: int, symbol: str, limit: int) -> OrderTerms:
        more: dict[str, Any] = {"type": OrderType.LIMIT, "limit_price": D(limit)}
        self.place(side, quantity, symbol=symbol, **more)
        order = self.last(Purpose.MANUAL, symbol)
        self.accept(order)
        return order

    def silently(self, order: OrderTerms, quantity: int, price: int) -> None:
        """The venue fills the order, and tells it later."""
        bank, sign = self.bank, order.side.sign
        bank.cash -= sign * quantity * price
        bank.working.pop(order.client_order_id, None)
        bank.held[order.symbol] = (bank.held[order.symbol][0] + sign * quantity, D(price))


class Margin(Bank):
    """A book that keeps `margin` times the value of what is short from being spent."""

    def __init__(self, *, nets: bool, margin: str) -> None:
        super().__init__(nets=nets)
        self.margin = D(margin)

    @property
    def free(self) -> Decimal:
        short = sum((-q * 100 for q, _ in self.held.values() if q < 0), start=D(0))
        return super().free - self.margin * short

    @property
    def told(self) -> Decimal:
        return self.free + (0 if self.nets else sum(self.working.values(), start=D(0)))


class Short(Unprotected):
    """A core at a venue that asks a margin of shorts."""

    def __init__(self, *, nets: bool, margin: str, held: int = 0) -> None:
        bank = Margin(nets=nets, margin=margin)
        if held:
            bank.held["NVDA"] = (D(-held), D(100))
            bank.cash += held * 100
        super().__init__(nets=nets, bank=bank)

    def market(self, side: Side, quantity: int, price: int, symbol: str = "NVDA") -> None:
        self.quote(symbol, "100", bid="100", ask="100")
        self.place(side, quantity, symbol=symbol)
        order = self.last(Purpose.MANUAL, symbol)
        self.accept(order)
        self.trade(order, quantity, price)


PRICES = pytest.mark.parametrize("price", [90, 100, 110])


@pytest.mark.parametrize("margin", ["1", "1.5", "2"])
@PRICES
@KINDS
def test_x79_a_short_that_was_looked_at_gives_back_what_the_venue_had_bound(
    nets: bool, price: int, margin: str
) -> None:
    desk = Short(nets=nets, margin=margin)
    desk.market(Side.SELL_SHORT, 80, 100)
    desk.later(60)
    desk.look()
    assert desk.available == desk.bank.free
    desk.market(Side.BUY, 20, price)
    assert desk.available == desk.bank.free
    desk.market(Side.BUY, 60, price)
    assert desk.available == desk.bank.free == desk.bank.cash == CASH + 80 * (100 - price)
    desk.later(60)
    desk.look()
    assert desk.available == desk.bank.free


@PRICES
@KINDS
def test_x79_a_short_between_two_looks_gives_back_what_it_took(nets: bool, price: int) -> None:
    """Before the venue said what it binds it counts as its whole value beside its proceeds."""
    desk = Short(nets=nets, margin="1.5")
    desk.market(Side.SELL_SHORT, 100, 100)
    assert desk.available == 90_000 < desk.bank.free
    desk.market(Side.BUY, 40, price)
    assert desk.available == 90_000 + 8_000 - 40 * price < desk.bank.free
    desk.market(Side.BUY, 60, price)
    assert desk.available == desk.bank.free == desk.bank.cash


@KINDS
def test_x79_of_two_shorts_each_gives_back_its_own(nets: bool) -> None:
    desk = Short(nets=nets, margin="1.5")
    desk.market(Side.SELL_SHORT, 100, 100)
    desk.market(Side.SELL_SHORT, 50, 100, "MSFT")
    desk.later(60)
    desk.look()
    assert desk.available == desk.bank.free
    desk.market(Side.BUY, 50, 100, "MSFT")
    assert desk.available == desk.bank.free
    desk.market(Side.BUY, 100, 100)
    assert desk.available == desk.bank.free == CASH


@KINDS
def test_x79_what_an_order_holds_back_is_not_bound_by_a_short(nets: bool) -> None:
    """Where the venue does not net, part of what is bound is taken for it until the next look."""
    desk = Short(nets=nets, margin="1.5")
    desk.market(Side.SELL_SHORT, 100, 100)
    desk.quote("KO", "100", bid="100", ask="100")
    order = desk.limit(Side.BUY, 10, "KO", 100)
    desk.bank.working[order.client_order_id] = D(1_000)
    desk.later(60)
    desk.look(orders=(desk.works(order),))
    assert desk.available == desk.bank.free
    desk.market(Side.BUY, 100, 100)
    assert desk.available == desk.bank.free - (0 if nets else 1_000)
    desk.later(60)
    desk.look(orders=(desk.works(order),))
    assert desk.available == desk.bank.free


def test_x79_a_short_that_was_there_at_the_first_look_gives_back_what_it_binds() -> None:
    desk = Short(nets=True, margin="1.5", held=80)
    assert desk.available == desk.bank.free == 96_000
    desk.market(Side.BUY, 80, 100)
    assert desk.available == desk.bank.free == CASH


def test_x79_a_short_that_is_younger_than_the_number_is_part_of_what_is_bound() -> None:
    desk = Short(nets=True, margin="1.5")
    desk.market(Side.SELL_SHORT, 80, 100)
    desk.later(60)
    desk.look()
    desk.market(Side.SELL_SHORT, 20, 100, "MSFT")
    assert desk.available == 96_000 - 2_000
    desk.market(Side.BUY, 80, 100)
    assert desk.available < desk.bank.free
    desk.market(Side.BUY, 20, 100, "MSFT")
    assert desk.available == desk.bank.free == CASH


def test_x79_nothing_comes_back_beyond_the_cash_where_the_venue_lends() -> None:
    """Its number is above the cash: what a short binds of it nobody tells before the next look."""
    desk = Short(nets=True, margin="-1")
    desk.market(Side.SELL_SHORT, 100, 100)
    desk.later(60)
    desk.look()
    assert desk.available == desk.bank.free == 120_000
    desk.market(Side.BUY, 100, 100)
    assert desk.available == 110_000


@pytest.mark.parametrize("behind", [True, False])
@pytest.mark.parametrize(
    ("side", "price", "free"), [(Side.SELL, 120, 72_400), (Side.BUY, 98, 50_600)]
)
@KINDS
def test_x79_a_fill_that_is_told_after_the_look_that_contains_it_counts_once(
    nets: bool, side: Side, price: int, free: int, behind: bool
) -> None:
    """The venue fills while it is asked, its number is after the fill, and the fill is heard last.
    `behind`: its lists of holdings and orders are still those of before."""
    desk = Unprotected(nets=nets)
    desk.trade(desk.rest(400), 400, 99)
    desk.look()
    order = desk.rest(100, limit=98) if side is Side.BUY else desk.limit(side, 100, "MSFT", 120)
    desk.later(60)
    desk.look(orders=(desk.works(order),))
    before, works = dict(desk.bank.held), (desk.works(order),)
    fill = desk.execution(order, 100, price)
    desk.silently(order, 100, price)
    after = desk.bank.held
    desk.bank.held = before if behind else after
    desk.look(orders=works if behind else ())
    desk.bank.held = after
    desk.report(order, OrderStatus.FILLED, fill=fill)
    assert desk.available == desk.bank.free == free
    assert desk.world.money.equity == desk.bank.cash + 100 * desk.bank.held["MSFT"][0]
    assert desk.book.account(BROKER).unexplained.is_nothing
    desk.later(60)
    desk.look()
    assert desk.available == desk.bank.free == free


def test_x79_cash_of_somebody_else_explains_no_fill() -> None:
    """1,000 came that nothing explains: the number cannot contain a sale for 12,000."""
    desk = Unprotected(nets=True)
    desk.trade(desk.rest(400), 400, 99)
    desk.look()
    order = desk.limit(Side.SELL, 100, "MSFT", 120)
    desk.later(60)
    fill = desk.execution(order, 100, 120)
    desk.bank.cash += 1_000
    desk.look(orders=(desk.works(order),))
    assert desk.available == 61_400
    desk.silently(order, 100, 120)
    desk.report(order, OrderStatus.FILLED, fill=fill)
    assert desk.available == desk.bank.free == 73_400
    assert desk.book.account(BROKER).unexplained.cash == {"USD": 1_000}


# --- what is told after the venue's number was asked for, and happened before ---------------------


def selling(*, nets: bool) -> tuple[Traded, OrderTerms]:
    """400 are held at 99, and a sale of 100 of them rests at 120."""
    desk = Traded(nets=nets)
    order = desk.rest(400)
    desk.trade(order, 400, 99)
    desk.accept(desk.last(Purpose.PROTECT, "MSFT"))
    desk.look()
    desk.place(Side.SELL, 100, symbol="MSFT", type=OrderType.LIMIT, limit_price=D(120))
    sale = desk.last(Purpose.MANUAL, "MSFT")
    desk.accept(sale)
    desk.later(10)
    return desk, sale


@KINDS
def test_x79_the_proceeds_of_a_close_that_is_told_late_are_counted_once(nets: bool) -> None:
    desk, sale = selling(nets=nets)
    told_late = desk.execution(sale, 100, 120)
    desk.trade_untold(sale, 100, 120)
    desk.look()
    assert desk.available == desk.bank.free == 72_400
    desk.later(10)
    desk.report(sale, OrderStatus.FILLED, fill=told_late)
    assert desk.available == 72_400


@KINDS
def test_x79_and_so_is_the_cost_of_an_entry_that_is_told_late(nets: bool) -> None:
    desk = Traded(nets=nets)
    order = desk.rest(404)
    desk.look(orders=(desk.works(order),))
    told_late = desk.execution(order, 404, 99)
    desk.trade_untold(order, 404, 99)
    desk.look()
    desk.later(10)
    desk.report(order, OrderStatus.FILLED, fill=told_late)
    assert desk.available == desk.bank.free == 60_004


@KINDS
def test_x79_a_fill_after_the_number_was_asked_for_counts_beside_it(nets: bool) -> None:
    desk, sale = selling(nets=nets)
    desk.look(orders=(desk.works(sale),))
    told_late = desk.execution(sale, 100, 120)
    desk.trade_untold(sale, 100, 120)
    desk.later(10)
    desk.report(sale, OrderStatus.FILLED, fill=told_late)
    assert desk.available == desk.bank.free == 72_400


def taken_over(desk: Traded, order: OrderTerms) -> None:
    """The venue says that it has filled, tells no fill of it, and an operator takes that over."""
    desk.report(order, OrderStatus.FILLED, filled=order.quantity)
    desk.later(10)
    desk.look("operator", apply=True)
    assert desk.current(order).status is OrderStatus.FILLED


@KINDS
def test_x79_the_number_that_an_assumed_close_came_with_contains_it(nets: bool) -> None:
    desk, sale = selling(nets=nets)
    desk.trade_untold(sale, 100, 120)
    taken_over(desk, sale)
    assert desk.available == desk.bank.free == 72_400


@KINDS
def test_x79_the_number_that_an_assumed_entry_came_with_contains_it(nets: bool) -> None:
    desk = Traded(nets=nets)
    order = desk.rest(404)
    desk.look(orders=(desk.works(order),))
    desk.trade_untold(order, 404, 99)
    taken_over(desk, order)
    assert desk.available == desk.bank.free == 60_004


@KINDS
def test_x79_a_number_that_was_told_again_before_the_close_was_assumed_contains_it(
    nets: bool,
) -> None:
    desk, sale = selling(nets=nets)
    desk.trade_untold(sale, 100, 120)
    desk.report(sale, OrderStatus.FILLED, filled=sale.quantity)
    desk.later(20)
    desk.look()
    desk.later(20)
    taken_over(desk, sale)
    assert desk.available == desk.bank.free == 72_400


@KINDS
def test_x79_a_number_that_was_told_again_before_the_entry_was_assumed_contains_it(
    nets: bool,
) -> None:
    desk = Traded(nets=nets)
    order = desk.rest(404)
    desk.look(orders=(desk.works(order),))
    desk.trade_untold(order, 404, 99)
    desk.report(order, OrderStatus.FILLED, filled=order.quantity)
    desk.later(20)
    desk.look()
    desk.later(20)
    taken_over(desk, order)
    assert desk.available == desk.bank.free == 60_004
