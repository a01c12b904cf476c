"""Play two days of 0.1.0 in virtual time and keep their events.

    python -m tests.corpus.record.day FOLDER

The core of 0.1.0 is given prices, signals, commands and the venue's answers one at a time; what it
decides goes through its journal. Written: `day.jsonl.gz`, the rows, and `day.expected.json`, what
0.1.0 says of them.
"""

import sys
import tempfile
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from console.wiring import restored
from engine import commands as ask
from engine.domain import event as ev
from engine.domain.account import Account, VenueOrder, VenuePosition, VenueSnapshot
from engine.domain.instant import parse_rfc3339, rfc3339
from engine.domain.instrument import AssetClass, Instrument, default_instrument
from engine.domain.money import ZERO
from engine.domain.order import Fill, Liquidity, Order, OrderStatus, OrderType, Purpose, Side
from engine.domain.run import Flatten, Level, LinkState
from engine.domain.signal import Direction, Signal, Timeframe, TradeType
from engine.inputs import (
    CancelFailed,
    GateClosed,
    Input,
    InvalidArrived,
    JournalFailed,
    JournalRecovered,
    ModifyFailed,
    QueryAnswered,
    QueryFailed,
    Ready,
    Sending,
    SnapshotFailed,
    SnapshotTaken,
    Start,
    Stop,
    SubmitFailed,
    Trouble,
)
from engine.ports import (
    Ambiguous,
    AuthFailed,
    Capabilities,
    LinkReport,
    MarketClosed,
    NotSent,
    OrderReport,
    Rejected,
    Throttled,
)
from engine.world import World
from storage import open_journal
from tests.corpus.record.keep import keep
from tests.engine.desk import Desk
from tests.engine.worlds import ABLE, BROKER, config_of

S = OrderStatus
ACCOUNT = "paper"
BY = "operator"
OPTION = "AAPL131220C00500000"
FUTURE = "ESZ3"
TABLE = {
    OPTION: Instrument(
        symbol=OPTION,
        asset_class=AssetClass.OPTION,
        tick=Decimal("0.05"),
        lot=Decimal(1),
        multiplier=Decimal(100),
        calendar="XNYS",
    ),
    FUTURE: Instrument(
        symbol=FUTURE,
        asset_class=AssetClass.FUTURE,
        tick=Decimal("0.25"),
        lot=Decimal(1),
        multiplier=Decimal(50),
        calendar="XNYS",
    ),
}
SPOT = msgspec.structs.replace(ABLE, reduce_only=False, native_modify=False)
"""A venue that joins no stop with a close and changes no order."""


def told(symbol: str) -> Instrument:
    """As the table of instruments says."""
    return TABLE.get(symbol) or default_instrument(symbol)


class Day(Desk):
    """A desk whose events go into a journal."""

    def __init__(self, journal: Path) -> None:
        self._journal = open_journal(journal, inline=True, account=ACCOUNT)
        config = config_of(
            profile="custom",
            risk={
                "max_risk_per_trade": "0.01",
                "daily_loss_limit": "0.05",
                "drawdown_limit": "0.9",
                "max_concurrent_positions": 40,
                "max_single_stock_exposure": "0.4",
                "max_sector_exposure": "1",
                "max_gross_exposure": "1",
                "max_trades_per_day": 1000,
                "min_account_equity": "0",
                "consecutive_loss_threshold": 3,
                "consecutive_loss_pct": "0.03",
                "max_orders_per_minute": 60,
                "max_order_notional": "50000",
            },
            kill={
                "loss_streak": "reduce_only",
                "daily_loss": "reduce_only",
                "journal": "reduce_only",
            },
            execution={"dedup_window_seconds": 60},
        )
        super().__init__(config, running=False, now=parse_rfc3339("2013-10-07T13:20:00Z"))
        self.path = journal
        self.moments: dict[str, int] = {}
        self._numbers = 0
        self._wire(ABLE)

    def _wire(self, capabilities: Capabilities) -> None:
        self.world = World(
            self.book, self.world.config, capabilities, instrument_of=told, home_calendar="XNYS"
        )
        self.core.world = self.world

    def give(self, given: Input) -> list[ev.Event]:
        """One input; what it led to is durable."""
        records = self.core.handle(given, self.now)
        self._seq = self.book.data.seq
        self._journal.append(records)
        assert self._journal.failure is None
        events = [record.event for record in records]
        self.seen += events
        return events

    def moment(self, name: str) -> None:
        """What is true now is kept under this name."""
        self.moments[name] = self.book.data.seq

    # --- the process ------------------------------------------------------------------------------

    def begin(self) -> None:
        """A process takes the account, looks at the venue and trades."""
        self.give(Start(version="0.1.0", account_id=ACCOUNT, config_digest="0123456789abcdef"))
        self.link(LinkState.CONNECTED)
        self.look("start")
        self.give(Ready())

    def die_and_begin(self, capabilities: Capabilities = ABLE) -> None:
        """The process is gone; another one folds the journal."""
        self.later(30)
        self.book, warning = restored(self.path)
        assert not warning
        self._wire(capabilities)
        self.begin()

    def link(self, state: LinkState, detail: str = "") -> list[ev.Event]:  # type: ignore[override]
        """The connection's own report."""
        return self.give(LinkReport(broker=BROKER, state=state, detail=detail, time=self.now))

    def look(
        self,
        reason: str,
        *,
        held: dict[str, str] | None = None,
        foreign: tuple[VenueOrder, ...] = (),
        cash: Decimal | None = None,
        apply: bool = False,
    ) -> list[ev.Event]:
        """The venue agrees but for what is `held`, `foreign` or paid in."""
        data = self.book.data
        mine = {s: (p.quantity, p.average_price) for s, p in data.positions.items()}
        for symbol, quantity in (held or {}).items():
            mine[symbol] = (Decimal(quantity), mine.get(symbol, (ZERO, Decimal(41)))[1])
        money = data.cash if cash is None else cash
        account = Account(
            account_id=ACCOUNT,
            cash=money if data.account is not None else Decimal(100_000),
            equity=Decimal(100_000),
            buying_power=self.world.equity * 2 - self.world.gross_exposure
            if data.account is not None
            else Decimal(200_000),
            as_of=self.now,
        )
        works = [o for o in data.orders.values() if o.status is not S.UNKNOWN and o.accepted_at]
        snapshot = VenueSnapshot(
            broker=BROKER,
            account=account,
            positions=tuple(
                VenuePosition(symbol=s, quantity=q, average_price=round(p, 8))
                for s, (q, p) in sorted(mine.items())
                if q
            ),
            orders=(*map(self.works, works), *foreign),
            fills=(),
            requested_at=self.now,
            as_of=self.now,
        )
        return self.give(SnapshotTaken(snapshot, reason, apply, BY if apply else ""))

    # --- the market and its orders ----------------------------------------------------------------

    def at(self, text: str) -> None:
        """Time moves on to this moment."""
        self.now = parse_rfc3339(text)

    def trade(self, symbol: str, price: str) -> None:
        """A price on which both sides of the quote agree."""
        self.later(2)
        self.quote(symbol, price, bid=price, ask=price, trade=True)

    def idea(
        self,
        ticker: str,
        entry: str,
        stop: str,
        *,
        direction: Direction = Direction.LONG,
        conviction: int = 80,
        target: str | None = None,
        timeframe: Timeframe = Timeframe.M10,
        age: int = 1,
        signal_id: str = "",
    ) -> list[ev.Event]:
        """A signal of its own kind, so that the guard takes no two for one."""
        self._numbers += 1
        return self.signal(
            Signal(
                signal_id=signal_id or f"s-{self._numbers:03}",
                signal_type=f"idea_{self._numbers}",
                direction=direction,
                ticker=ticker,
                timeframe=timeframe,
                conviction=conviction,
                entry_price=Decimal(entry),
                stop_loss=Decimal(stop),
                target_price=None if target is None else Decimal(target),
                timestamp=self.now - age * 10**9,
                source="corpus",
                cloud_states=({"cloud": "fast", "bullish": True, "thickness": 0.0123},),
                metadata={"strategy": "october", "n": self._numbers},
            )
        )

    def ask(self, symbol: str, side: Side, quantity: str, **more: Any) -> list[ev.Event]:
        """A manual order."""
        return self.give(
            ask.PlaceOrder(by=BY, symbol=symbol, side=side, quantity=Decimal(quantity), **more)
        )

    def newest(self, symbol: str, purpose: Purpose | None = None) -> Order:
        """The newest order of a symbol that was decided."""
        orders = [e.order for e in self.of(ev.OrderIntended) if e.order.symbol == symbol]
        return [o for o in orders if purpose is None or o.purpose is purpose][-1]

    def execution(
        self, order: Order, quantity: Decimal | int | str, price: Decimal | int | str
    ) -> Fill:
        """A fill with a commission of a thousandth."""
        made = super().execution(order, quantity, price)
        return msgspec.structs.replace(
            made,
            execution_id=f"PAPER-{made.execution_id}",
            venue_order_id=f"v-{order.client_order_id}",
            commission=made.quantity * made.price * Decimal("0.001"),
            liquidity=Liquidity.TAKER if order.limit_price is None else Liquidity.MAKER,
        )

    def rest(self, symbol: str, purpose: Purpose | None = None) -> Order:
        """The newest order of a symbol is sent, and the venue works it."""
        order = self.newest(symbol, purpose)
        self.later(0.05)
        self.accept(order)
        return order

    def enter(self, symbol: str, price: str) -> Order:
        """The newest order of a symbol fills whole, and its stop, where it has one, rests."""
        order = self.rest(symbol)
        self.later(0.2)
        self.filled(order, self.current(order).leaves, price)
        self.stops()
        return order

    def stops(self) -> None:
        """Every stop that was decided is sent and rests, or has its new size."""
        for order in tuple(self.book.data.orders.values()):
            self.later(0.01)
            if order.status is S.CREATED and order.purpose is Purpose.PROTECT:
                self.accept(order)
            elif order.status is S.PENDING_REPLACE:
                quantity, stop = order.pending_quantity, order.pending_stop
                self.report(order, S.NEW, quantity=quantity, stop_price=stop)

    def leave(self, symbol: str, price: str) -> None:
        """The close of a symbol fills whole, and the venue drops its stop."""
        order = self.rest(symbol)
        assert order.purpose in (Purpose.EXIT, Purpose.FLATTEN), order
        self.later(0.3)
        self.filled(order, self.current(order).leaves, price)
        self.drop_stops(symbol)

    def unsent(self, symbol: str) -> None:
        """What was withdrawn before it left provably never left."""
        for order in tuple(self.book.working(symbol)):
            if order.cancel_wanted and not order.sent_at:
                self.give(GateClosed(order.client_order_id))

    def stopped_out(self, symbol: str, price: str) -> None:
        """The stop fills whole at the venue; a close of ours that was decided meanwhile is moot."""
        stop = self.newest(symbol, Purpose.PROTECT)
        self.later(0.2)
        self.report(stop, S.FILLED, fill=self.execution(stop, self.current(stop).leaves, price))
        self.unsent(symbol)

    def drop_stops(self, symbol: str) -> None:
        """The venue ends what only reduces once nothing is held."""
        for order in tuple(self.book.working(symbol)):
            if order.reduce_only:
                self.report(order, S.CANCELED, text="the position is flat")

    def cancelled(self, order: Order, text: str = "on request") -> None:
        """The venue ends an order."""
        self.later(0.1)
        self.report(order, S.CANCELED, text=text)


# --- Monday ---------------------------------------------------------------------------------------


def before_the_open(day: Day) -> None:
    """The first start of an account; nothing can be entered yet."""
    day.begin()
    day.trade("AAPL", "487.35")
    day.idea("AAPL", "487.35", "482.1")
    day.at("2013-10-07T13:31:00Z")
    day.moment("an account that was just opened")


def a_trade_to_its_target(day: Day) -> None:
    """Filled in parts, its stop resized between them, closed at its target."""
    day.trade("AAPL", "487.35")
    day.idea("AAPL", "487.35", "482.1", target="491.5")
    entry = day.rest("AAPL")
    day.later(0.1)
    day.filled(entry, 7, "487.4")
    day.stops()
    day.later(0.4)
    day.filled(entry, day.current(entry).leaves, "487.52")
    stop = day.newest("AAPL", Purpose.PROTECT)
    assert day.current(stop).status is S.PENDING_REPLACE
    day.moment("a stop that is being resized")
    day.stops()
    day.trade("AAPL", "490.01")
    day.tick(61)
    day.trade("AAPL", "491.55")
    day.moment("a close by target under way")
    day.leave("AAPL", "491.5")


def signals_that_are_refused(day: Day) -> None:
    """One for each of several codes, and lines that cannot be read."""
    day.trade("AAPL", "488")
    day.idea("AAPL", "488", "484", age=500)
    day.idea("AAPL", "488", "484", conviction=20)
    day.idea("AAPL", "488", "489")
    day.idea("AAPL", "488", "484", signal_id="s-002")
    day.idea("IBM", "181", "180")
    day.idea("BTC-USD", "123", "125", direction=Direction.SHORT)
    day.give(
        InvalidArrived(
            source="signals.jsonl", input_id="s-x", reason="conviction: above 100", line=4
        )
    )
    day.give(InvalidArrived(source="api", input_id="", reason="not JSON"))


def a_limit_that_times_out_and_fills_late(day: Day) -> None:
    """After its cancel a fill comes all the same."""
    day.trade("MSFT", "33.31")
    day.idea("MSFT", "33.25", "32.8", conviction=60)
    entry = day.rest("MSFT")
    day.tick(299)
    day.tick(2)
    day.cancelled(entry)
    day.later(3)
    day.report(entry, S.CANCELED, fill=day.execution(entry, 40, "33.25"))
    day.stops()
    day.moment("a fill after the cancel")
    day.trade("MSFT", "32.79")
    day.stopped_out("MSFT", "32.78")


def limits_that_do_not_fill(day: Day) -> None:
    """One that times out, one that is cancelled."""
    for symbol, price, stop in (("F", "17.1", "16"), ("GM", "35.4", "34")):
        day.trade(symbol, price)
        day.idea(symbol, str(Decimal(price) - Decimal("0.1")), stop, conviction=60)
        day.rest(symbol)
    day.give(ask.CancelOrder(by=BY, client_order_id=day.newest("GM").client_order_id))
    day.cancelled(day.newest("GM"))
    day.tick(301)
    day.cancelled(day.newest("F"))


def answers_that_prove_nothing(day: Day) -> None:
    """UNKNOWN: one that never arrived, one that works, one that filled."""
    day.trade("NVDA", "15.61")
    day.idea("NVDA", "15.61", "15.2")
    lost = day.newest("NVDA")
    day.give(Sending(lost.client_order_id))
    day.give(SubmitFailed(lost.client_order_id, Ambiguous("no answer within 3.0 s")))
    day.idea("NVDA", "15.61", "15.2")
    day.moment("an order in doubt")
    day.later(2)
    day.give(QueryFailed(lost.client_order_id, Ambiguous("no answer")))
    day.tick(8)
    day.give(QueryAnswered(lost.client_order_id, None, (), day.now))

    day.trade("JPM", "51.9")
    day.idea("JPM", "51.9", "51", timeframe=Timeframe.H1)
    there = day.newest("JPM")
    day.give(Sending(there.client_order_id))
    day.give(SubmitFailed(there.client_order_id, Rejected("DUPLICATE_ID", "used before")))
    day.give(QueryAnswered(there.client_order_id, day.works(there), (), day.now))
    day.later(1)
    day.filled(there, day.current(there).leaves, "51.92")
    day.stops()


def letters(day: Day) -> None:
    """Three decisions that provably did not leave: one retried, one dropped, one kept."""
    for number, symbol in enumerate(("XOM", "GE", "T")):
        price = ("85.6", "24.1", "33.8")[number]
        day.trade(symbol, price)
        day.idea(symbol, price, str(Decimal(price) - 2))
        key = day.newest(symbol).client_order_id
        day.give(Sending(key))
        error = NotSent("no connection") if number % 2 == 0 else Throttled("too fast", 1.0)
        day.give(SubmitFailed(key, error))
    first, second, _ = list(day.book.data.letters)
    day.give(ask.RetryLetter(by=BY, letter_id=first))
    day.later(61)
    day.trade("XOM", "85.62")
    day.give(ask.RetryLetter(by=BY, letter_id=first))
    day.enter("XOM", "85.65")
    day.give(ask.DropLetter(by=BY, letter_id=second))
    day.give(ask.DropLetter(by=BY, letter_id=second))
    day.moment("a dead letter retried, one dropped, one open")


def submits_that_end_at_once(day: Day) -> None:
    """Refused, closed, credentials, and a gate that shut before the socket."""
    errors = (Rejected("FUNDS", "too little"), MarketClosed("closed"), AuthFailed("who are you"))
    for symbol, error in zip(("CSCO", "DELL", "HPQ"), errors, strict=True):
        day.trade(symbol, "22.9")
        day.idea(symbol, "22.9", "22.5")
        key = day.newest(symbol).client_order_id
        day.give(Sending(key))
        day.give(SubmitFailed(key, error))
    day.moment("credentials that are not accepted")
    day.give(ask.Unpause(by=BY))
    day.trade("EMC", "25.1")
    day.idea("EMC", "25.1", "24.5")
    day.give(GateClosed(day.newest("EMC").client_order_id))


def orders_by_hand(day: Day) -> None:
    """Placed, refused, cancelled with an argument about it, expired."""
    day.trade("INTC", "22.65")
    day.ask("INTC", Side.BUY, "100000")
    day.ask(
        "INTC", Side.BUY, "30", type=OrderType.LIMIT, limit_price=Decimal("22.5"), intent_id="t-1"
    )
    limit = day.rest("INTC")
    day.ask(
        "INTC", Side.BUY, "30", type=OrderType.LIMIT, limit_price=Decimal("22.5"), intent_id="t-1"
    )
    day.give(ask.CancelOrder(by=BY, client_order_id=limit.client_order_id))
    day.give(CancelFailed(limit.client_order_id, Rejected("BUSY", "ask again")))
    day.give(QueryAnswered(limit.client_order_id, day.works(limit), (), day.now))
    day.cancelled(limit)
    day.ask(
        "INTC",
        Side.BUY,
        "25",
        type=OrderType.STOP_LIMIT,
        stop_price=Decimal("22.8"),
        limit_price=Decimal("22.85"),
        protect=Decimal("22.1"),
    )
    day.report(day.rest("INTC"), S.EXPIRED)
    day.give(ask.CancelOrder(by=BY, client_order_id="nobody-knows-it"))


def a_stop_that_is_taken_away(day: Day) -> None:
    """A position of one's own; a replace is refused, then its stop is removed by word."""
    day.trade("INTC", "22.65")
    day.ask("INTC", Side.BUY, "50", protect=Decimal("22.1"), hold=TradeType.SWING)
    entry = day.rest("INTC")
    day.filled(entry, 20, "22.66")
    day.stops()
    stop = day.newest("INTC", Purpose.PROTECT)
    day.filled(entry, 30, "22.67")
    day.give(ModifyFailed(stop.client_order_id, Rejected("NO_REPLACE", "not now")))
    day.cancelled(stop)
    day.stops()
    stop = day.newest("INTC", Purpose.PROTECT)
    day.give(ask.CancelOrder(by=BY, client_order_id=stop.client_order_id))
    day.give(ask.CancelOrder(by=BY, client_order_id=stop.client_order_id, confirm="UNPROTECT"))
    day.cancelled(stop)
    day.moment("a position whose stop was taken away")


def reduced_flipped_overfilled(day: Day) -> None:
    """A manual reduce, a sell beyond what is held, and more filled than was ordered."""
    day.trade("INTC", "22.7")
    day.ask("INTC", Side.SELL, "20")
    day.enter("INTC", "22.71")
    day.trade("PFE", "28.6")
    day.ask("PFE", Side.BUY, "60", protect=Decimal("28"))
    day.enter("PFE", "28.61")
    day.trade("PFE", "28.7")
    day.idea("PFE", "28.7", "29.4", direction=Direction.SHORT)
    day.ask("PFE", Side.SELL, "60")
    order = day.rest("PFE")
    day.report(order, S.FILLED, fill=day.execution(order, 85, "28.72"))
    day.stops()
    day.drop_stops("PFE")
    day.moment("a position flipped from long to short")
    day.give(ask.Unpause(by=BY))
    day.trade("KO", "37.5")
    day.ask("KO", Side.BUY, "40", protect=Decimal("37"))
    order = day.rest("KO")
    day.report(order, S.FILLED, fill=day.execution(order, 43, "37.51"))
    day.stops()
    day.moment("more filled than was ordered")
    day.give(ask.Unpause(by=BY))


def differences(day: Day) -> None:
    """A holding and an order that only the venue knows: blocked, insisted on, taken over."""
    foreign = VenueOrder(
        client_order_id="placed-by-phone-1",
        venue_order_id="v-phone-1",
        symbol="WMT",
        side=Side.BUY,
        type=OrderType.LIMIT,
        quantity=Decimal(12),
        filled=Decimal(0),
        limit_price=Decimal("72.1"),
        status=S.NEW,
    )
    there = {"MRK": "17", "KO": "41"}
    day.later(1)
    day.look("scheduled", held=there, foreign=(foreign,))
    day.later(1)
    day.look("scheduled", held=there, foreign=(foreign,))
    day.moment("differences that persist")
    day.give(ask.Reconcile(by=BY, apply=True))
    day.later(1)
    day.look("operator", held=there, foreign=(foreign,), apply=True)
    day.give(ask.Unpause(by=BY))
    day.moment("the venue's side taken over")
    day.stops()
    day.later(1)
    day.give(
        OrderReport(
            broker=BROKER,
            client_order_id="of-nobody",
            symbol="WMT",
            status=S.FILLED,
            fill=Fill(
                execution_id="PAPER-stray",
                client_order_id="of-nobody",
                broker=BROKER,
                symbol="WMT",
                side=Side.BUY,
                quantity=Decimal(3),
                price=Decimal("72.5"),
                time=day.now,
            ),
            time=day.now,
        )
    )


def a_holding_that_vanished(day: Day) -> None:
    """What no fill explains is taken over too when it is nothing."""
    day.later(1)
    day.look("scheduled", held={"WMT": "0"})
    day.give(ask.Reconcile(by=BY, apply=True))
    day.later(1)
    day.look("operator", held={"WMT": "0"}, apply=True)
    day.give(ask.Unpause(by=BY))


def a_fill_that_is_no_fact(day: Day) -> None:
    """Its price is 0: nothing is booked, the symbol is blocked."""
    day.trade("ORCL", "33.1")
    day.ask("ORCL", Side.BUY, "10", type=OrderType.LIMIT, limit_price=Decimal("33"))
    order = day.rest("ORCL")
    day.report(order, S.PARTIALLY_FILLED, fill=day.execution(order, 5, "0"))


def paused_cut_and_paid_in(day: Day) -> None:
    """A pause, a connection that breaks, a look that fails, and cash that nobody traded for."""
    day.give(ask.Pause(by=BY, reason="lunch"))
    day.trade("AAPL", "489")
    day.idea("AAPL", "489", "484")
    day.give(ask.Unpause(by=BY))
    day.link(LinkState.DISCONNECTED, "the line was cut")
    day.later(20)
    day.moment("the connection is down")
    day.link(LinkState.CONNECTED)
    day.give(SnapshotFailed(BROKER, "reconnect", Ambiguous("no answer")))
    day.later(3)
    day.look("reconnect")
    day.later(5)
    day.look("scheduled", cash=day.book.data.cash + Decimal("2500.5"))
    day.moment("cash was paid in")
    day.give(Trouble(code="NO_HISTORY", subject="AAPL", text="no history: it hangs"))
    day.give(JournalFailed("the disk is full"))
    day.give(JournalRecovered())


def a_flat_signal(day: Day) -> None:
    """It closes in parts what it names, and one for nothing is refused."""
    day.trade("JPM", "52.2")
    day.idea("JPM", "52.2", "53", direction=Direction.FLAT)
    close = day.rest("JPM")
    day.filled(close, 100, "52.2")
    day.moment("a close by signal, filled in part")
    day.idea("JPM", "52.2", "53", direction=Direction.FLAT)
    day.filled(close, day.current(close).leaves, "52.19")
    day.drop_stops("JPM")
    day.idea("JPM", "52.2", "53", direction=Direction.FLAT)


def contracts(day: Day) -> None:
    """An option of a hundred and a future of fifty, in and partly out."""
    day.trade(OPTION, "12.35")
    day.ask(OPTION, Side.BUY, "3", protect=Decimal("8"), hold=TradeType.SWING)
    day.enter(OPTION, "12.4")
    day.trade(OPTION, "13.1")
    day.ask(OPTION, Side.SELL, "1", type=OrderType.LIMIT, limit_price=Decimal("13.1"))
    day.enter(OPTION, "13.1")
    day.stops()
    day.trade(FUTURE, "168.25")
    day.ask(FUTURE, Side.SELL, "1", protect=Decimal("170.5"), hold=TradeType.SWING)
    day.enter(FUTURE, "168.25")
    day.trade(FUTURE, "167.5")
    day.moment("an option and a short future")


def the_close(day: Day) -> None:
    """Day trades are closed five minutes before the end; swings stay."""
    day.at("2013-10-07T19:54:00Z")
    for symbol in sorted(day.book.data.positions):
        mark = day.world.mark(symbol)
        assert mark is not None
        day.trade(symbol, str(mark))
    day.at("2013-10-07T19:55:01Z")
    day.tick(1)
    closing = [s for s, p in day.book.data.positions.items() if p.exiting is not None]
    assert closing
    for symbol in closing:
        mark = day.world.mark(symbol)
        day.leave(symbol, str(mark))
    day.look("scheduled")
    day.give(Stop("the day is over"))
    day.moment("stopped in order after the close")


# --- Tuesday --------------------------------------------------------------------------------------


def a_new_session(day: Day) -> None:
    """The day turned while no process ran; the next one closes it."""
    day.at("2013-10-08T13:29:30Z")
    day.die_and_begin()
    for order in tuple(day.book.data.orders.values()):
        if order.status is S.UNKNOWN:
            there = msgspec.structs.replace(day.works(order), status=S.CANCELED)
            day.give(QueryAnswered(order.client_order_id, there, (), day.now))
    day.at("2013-10-08T13:31:00Z")
    day.tick(1)
    day.look("scheduled")
    day.moment("the second session")


def a_crash_in_the_middle(day: Day) -> None:
    """It dies with an order on its way, a cancel asked for, and a replace under way."""
    day.trade("AAPL", "487")
    day.idea("AAPL", "487", "480", timeframe=Timeframe.D1)
    entry = day.rest("AAPL")
    day.filled(entry, 5, "487.1")
    day.stops()
    day.filled(entry, day.current(entry).leaves, "487.2")
    stop = day.newest("AAPL", Purpose.PROTECT)
    day.trade("KO", "37.6")
    day.ask("KO", Side.BUY, "10", type=OrderType.LIMIT, limit_price=Decimal("37.2"))
    limit = day.rest("KO")
    day.give(ask.CancelOrder(by=BY, client_order_id=limit.client_order_id))
    day.trade("IBM", "181.2")
    day.idea("IBM", "181.2", "178")
    sent = day.newest("IBM")
    day.give(Sending(sent.client_order_id))
    day.moment("the last event before a crash")
    day.die_and_begin()
    day.moment("after the crash")
    for order in (stop, limit, sent):
        day.later(0.1)
        day.give(QueryAnswered(order.client_order_id, day.works(order), (), day.now))
    day.report(
        stop, S.NEW, quantity=day.book.data.positions["AAPL"].quantity, stop_price=Decimal(480)
    )
    day.cancelled(limit)
    day.later(1)
    day.filled(sent, day.current(sent).leaves, "181.25")
    day.stops()
    day.look("scheduled")


def losses(day: Day) -> None:
    """Three large ones in a row: only reducing, until it is lifted."""
    for number, symbol in enumerate(("GE", "CSCO", "PFE")):
        price = ("24", "23", "28.5")[number]
        day.trade(symbol, price)
        day.idea(symbol, price, str(Decimal(price) - 2))
        day.enter(symbol, price)
        low = str(Decimal(price) - 2)
        day.trade(symbol, low)
        day.stopped_out(symbol, low)
    day.moment("three large losses in a row")
    day.give(ask.Unpause(by=BY))


def a_halt_a_kill_and_back(day: Day) -> None:
    """Halted, raised to a kill that flattens, proved, refused to resume, resumed."""
    day.trade("KO", "37.7")
    day.ask("KO", Side.BUY, "10", type=OrderType.LIMIT, limit_price=Decimal("37.3"))
    resting = day.rest("KO")
    day.give(ask.Kill(by=BY, level=Level.HALT, reason="something smells"))
    day.moment("halted")
    day.give(ask.Kill(by=BY, level=Level.KILL, flatten=Flatten.DAY, reason="it does"))
    day.cancelled(resting)
    day.later(1)
    day.look("kill")
    for symbol in [s for s, p in day.book.data.positions.items() if p.exiting is not None]:
        day.leave(symbol, str(day.world.mark(symbol)))
    day.moment("a kill that has closed what it must")
    for _ in range(4):
        day.tick(1)
        day.look("kill")
    day.give(ask.Resume(by=BY, confirm="resume"))
    day.later(11)
    day.give(ask.Resume(by=BY, confirm="RESUME"))
    day.look("resume")
    day.give(ask.Resume(by=BY, confirm="RESUME", note="looked at the venue"))
    day.give(ask.Unpause(by=BY))


def a_venue_that_joins_nothing(day: Day) -> None:
    """The stop goes first; a close that is refused is given up and the stop placed again."""
    day.look("scheduled")
    day.die_and_begin(SPOT)
    day.trade("MSFT", "33.4")
    day.ask("MSFT", Side.BUY, "60", protect=Decimal("32.9"), hold=TradeType.SWING)
    day.enter("MSFT", "33.41")
    day.give(ask.ClosePosition(by=BY, symbol="MSFT"))
    stop = day.newest("MSFT", Purpose.PROTECT)
    day.cancelled(stop)
    close = day.rest("MSFT")
    day.report(close, S.REJECTED, code="HALTED", text="trading in it is halted")
    day.tick(3)
    day.stops()
    day.moment("a close that was given up")
    day.give(ask.CloseAll(by=BY))
    day.give(ask.CancelAll(by=BY))
    for order in tuple(day.book.data.orders.values()):
        if order.status is S.PENDING_CANCEL:
            day.cancelled(order)
    for order in tuple(day.book.data.orders.values()):
        if order.status is S.CREATED and order.purpose is Purpose.EXIT:
            day.accept(order)
            day.filled(order, order.quantity, str(day.world.mark(order.symbol)))
    day.look("scheduled")


def a_large_loss(day: Day) -> None:
    """The day's loss reaches its limit: only reducing, for as long as the session lasts."""
    day.trade("EUR_USD", "1.3575")
    day.trade("AAPL", "481")
    day.ask("AAPL", Side.BUY, "60", protect=Decimal("300"), hold=TradeType.SWING)
    day.enter("AAPL", "481")
    day.trade("NFLX", "300")
    day.ask("NFLX", Side.BUY, "60", protect=Decimal("100"), hold=TradeType.SWING)
    day.enter("NFLX", "300")
    for symbol, price in (("AAPL", "380"), ("NFLX", "180")):
        day.trade(symbol, price)
        day.trade(symbol, price)
    day.moment("the day's loss at its limit")


def left_standing(day: Day) -> None:
    """What is open when the record ends."""
    day.give(ask.ClosePosition(by=BY, symbol="NFLX"))
    stop = day.newest("NFLX", Purpose.PROTECT)
    day.cancelled(stop)
    close = day.rest("NFLX")
    day.filled(close, 25, "179.9")
    day.trade("AAPL", "380.5")
    day.ask("AAPL", Side.SELL, "10", type=OrderType.LIMIT, limit_price=Decimal("395"))
    day.rest("AAPL")
    day.ask("AAPL", Side.SELL, "5", type=OrderType.LIMIT, limit_price=Decimal("390"))
    doubtful = day.newest("AAPL", Purpose.MANUAL)
    day.give(Sending(doubtful.client_order_id))
    day.give(SubmitFailed(doubtful.client_order_id, Ambiguous("no answer within 3.0 s")))
    day.trade("T", "33.9")
    day.give(ask.RetryLetter(by=BY, letter_id=next(iter(day.book.data.letters))))
    day.tick(61)
    day.give(ask.Pause(by=BY, reason="enough for today"))


SCENES = (
    before_the_open,
    a_trade_to_its_target,
    signals_that_are_refused,
    a_limit_that_times_out_and_fills_late,
    limits_that_do_not_fill,
    answers_that_prove_nothing,
    letters,
    submits_that_end_at_once,
    orders_by_hand,
    a_stop_that_is_taken_away,
    reduced_flipped_overfilled,
    differences,
    a_holding_that_vanished,
    a_fill_that_is_no_fact,
    paused_cut_and_paid_in,
    a_flat_signal,
    contracts,
    the_close,
    a_new_session,
    a_crash_in_the_middle,
    losses,
    a_halt_a_kill_and_back,
    a_venue_that_joins_nothing,
    a_large_loss,
    left_standing,
)


def play(journal: Path) -> Day:
    """Both days, told scene by scene."""
    day = Day(journal)
    for scene in SCENES:
        before = len(day.seen)
        scene(day)
        kinds = " ".join(type(event).__name__ for event in day.seen[before:])
        print(f"{rfc3339(day.now)} {scene.__name__}: {kinds}")  # its log
    return day


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "journal.db"
        played = play(path)
        never = set(ev.EVENT_TYPES) - {type(event).__name__ for event in played.seen}
        assert not never, never
        played.moment("the end")
        keep(path, Path(sys.argv[1]), "day", played.moments)
