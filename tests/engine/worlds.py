"""Worlds for tests: a real config, a real book fed with real events, a market that was told prices.

built = Built().price("NVDA", "850").hold("AAPL", 100, "180", mark="185")
ruling = built.decide(signal("NVDA", entry="850", stop="830"))
"""

import datetime
from decimal import Decimal
from typing import Any, Self

from engine.calendars import calendar
from engine.config import Config
from engine.domain import events as ev
from engine.domain.account import Account
from engine.domain.instant import NS_PER_SECOND, Nanos, parse_rfc3339
from engine.domain.instrument import default_instrument
from engine.domain.market import Quote
from engine.domain.order import Fill, OrderTerms, OrderType, Purpose, Side, TimeInForce
from engine.domain.run import LinkState, Mode, Phase
from engine.domain.signal import Direction, Signal, Timeframe, TradeType
from engine.pipeline.request import signal_request
from engine.pipeline.ruling import Ruling
from engine.pipeline.stages import decide
from engine.ports import Capabilities
from engine.state.book import Book
from engine.state.fold import apply
from engine.world import World
from tests.configs import from_mapping

MIDDAY = parse_rfc3339("2013-10-07T16:00:00Z")
"""Noon in New York on a plain Monday."""

BROKER = "paper"
ACCOUNT = "test-account"

ABLE = Capabilities(
    order_types=frozenset(OrderType),
    times_in_force=frozenset(TimeInForce),
    native_stop=True,
    native_modify=True,
    reduce_only=True,
    shorting=True,
    fractional=False,
    deduplicates=True,
    late_arrival_seconds=0.0,
    cancel_all=True,
)


def number(value: Decimal | int | str) -> Decimal:
    """Money as a test writes it."""
    return Decimal(value)


def config_of(**sections: dict[str, Any] | str) -> Config:
    """A config of nested keys over the defaults; `mode` and `profile` are plain values."""
    return from_mapping(sections)


AXION: dict[str, Any] = {
    "profile": "axion_aggressive",
    "risk": {"max_order_notional": "1000000", "account_max_age_seconds": 86_400},
}
"""The profile of the worked examples, with room for one large order; the venue is not looked at."""


def signal(
    ticker: str = "NVDA",
    *,
    signal_id: str = "s-1",
    direction: Direction = Direction.LONG,
    conviction: int = 80,
    entry: Decimal | int | str = "100",
    stop: Decimal | int | str = "95",
    target: Decimal | int | str | None = None,
    at: Nanos = MIDDAY,
    timeframe: Timeframe = Timeframe.M5,
    signal_type: str = "cloud_cross_bullish",
    source: str = "test",
) -> Signal:
    """A signal that passes where the world has a price of about `entry`."""
    return Signal(
        signal_id=signal_id,
        signal_type=signal_type,
        direction=direction,
        ticker=ticker,
        timeframe=timeframe,
        conviction=conviction,
        entry_price=number(entry),
        stop_loss=number(stop),
        target_price=None if target is None else number(target),
        timestamp=at,
        source=source,
    )


class Built:
    """A world under construction: each call takes one event or price and returns the builder."""

    def __init__(
        self,
        config: Config | None = None,
        *,
        equity: Decimal | int | str = "100000",
        cash: Decimal | int | str | None = None,
        buying_power: Decimal | int | str | None = None,
        now: Nanos = MIDDAY,
        exchange: str = "",
        sectors: dict[str, str] | None = None,
        capabilities: Capabilities = ABLE,
        others: tuple[str, ...] = (),
        running: bool = True,
    ) -> None:
        self.book = Book()
        self.now = now
        self.world = World(
            self.book,
            config or config_of(**AXION),
            dict.fromkeys((BROKER, *others), capabilities),
            instrument_of=lambda symbol: default_instrument(symbol, exchange),
            sectors=sectors,
            home_calendar=exchange or "XNYS",
        )
        self._seq = 0
        self._fills = 0
        if running:
            self.start(number(equity), cash=cash, buying_power=buying_power)

    def start(
        self,
        equity: Decimal,
        *,
        cash: Decimal | int | str | None = None,
        buying_power: Decimal | int | str | None = None,
    ) -> Self:
        """The events of a clean start, up to RUNNING with an open session."""
        self.event(
            ev.EngineStarted(
                mode=Mode.PAPER,
                profile=str(self.world.config.profile),
                config_digest="",
                version="test",
                accounts={BROKER: ACCOUNT},
                primary=BROKER,
            )
        )
        self.link(LinkState.CONNECTED)
        self.account(equity, cash=cash, buying_power=buying_power)
        self.session(equity)
        self.event(
            ev.Reconciled(account=BROKER, reason="start", clean=True, differences=(), matched=0)
        )
        return self.event(ev.PhaseChanged(phase=Phase.RUNNING, reason="test"))

    # --- events -----------------------------------------------------------------------------------

    def event(self, event: ev.Event, *, at: Nanos | None = None) -> Self:
        """Apply one event at `at`, by default now."""
        self._seq += 1
        apply(self.book, ev.Record(self._seq, self.now if at is None else at, event))
        return self

    def link(self, state: LinkState, *, at: Nanos | None = None) -> Self:
        """The broker's connection as it is from `at` on."""
        return self.event(ev.LinkChanged(account=BROKER, state=state, detail=""), at=at)

    def account(
        self,
        equity: Decimal | int | str,
        *,
        cash: Decimal | int | str | None = None,
        buying_power: Decimal | int | str | None = None,
    ) -> Self:
        """Balances as the venue states them."""
        money = number(equity)
        held = money if cash is None else number(cash)
        return self.event(
            ev.AccountSynced(
                account=BROKER,
                balances=Account(
                    account_id=ACCOUNT,
                    cash=held,
                    equity=money,
                    buying_power=held if buying_power is None else number(buying_power),
                    as_of=self.now,
                ),
            )
        )

    def session(self, starting_equity: Decimal | int | str) -> Self:
        """A new accounting day."""
        date: datetime.date = calendar("XNYS").session_date(self.now)
        return self.event(
            ev.SessionOpened(
                date=date, starting_equity=number(starting_equity), unrealized=Decimal(0)
            )
        )

    def order(
        self,
        symbol: str,
        quantity: Decimal | int | str,
        price: Decimal | int | str,
        *,
        side: Side = Side.BUY,
        purpose: Purpose = Purpose.ENTRY,
        order_id: str = "",
        at: Nanos | None = None,
        limit: Decimal | int | str | None = None,
        reserves: bool = True,
        stop: Decimal | int | str | None = None,
        hold: TradeType = TradeType.DAY,
    ) -> OrderTerms:
        """Intend an order that reserves `price` a unit, and return it."""
        made = OrderTerms(
            client_order_id=order_id or f"o{self._seq + 1}",
            intent_id=f"i{self._seq + 1}",
            signal_id="s-before",
            account=BROKER,
            symbol=symbol,
            side=side,
            type=OrderType.MARKET if limit is None else OrderType.LIMIT,
            quantity=number(quantity),
            limit_price=None if limit is None else number(limit),
            time_in_force=TimeInForce.DAY,
            purpose=purpose,
            reserved=number(price) if reserves else Decimal(0),
            reduce_only=not reserves,
            stop_loss=None if stop is None else number(stop),
            trade_type=hold,
        )
        self.event(ev.OrderIntended(terms=made), at=at)
        return made

    def fill(
        self, order: OrderTerms, quantity: Decimal | int | str | None, price: Decimal | int | str
    ) -> Self:
        """A fill of `order` at `price`, all of it for None."""
        self._fills += 1
        amount = order.quantity if quantity is None else number(quantity)
        before = self.book.order(order.client_order_id)
        done = before.filled if before is not None else Decimal(0)
        self.event(
            ev.OrderFilled(
                account="paper",
                fill=Fill(
                    execution_id=f"x{self._fills}",
                    client_order_id=order.client_order_id,
                    account=BROKER,
                    symbol=order.symbol,
                    side=order.side,
                    quantity=amount,
                    price=number(price),
                    time=self.now,
                ),
                multiplier=self.world.instrument(order.symbol).multiplier,
                cumulative=done + amount,
                average_price=number(price),
            )
        )
        self.world.prices.revalue(order.symbol)
        return self

    def hold(
        self,
        symbol: str,
        quantity: Decimal | int | str,
        price: Decimal | int | str,
        *,
        mark: Decimal | int | str | None = None,
    ) -> Self:
        """Hold `quantity` (negative is short) bought at `price`, an hour ago, marked at `mark`."""
        amount = number(quantity)
        side = Side.BUY if amount > 0 else Side.SELL_SHORT
        made = self.order(symbol, abs(amount), price, side=side, at=self.now - 3600 * NS_PER_SECOND)
        self.fill(made, None, price)
        return self.price(symbol, price if mark is None else mark)

    def reserve(self, symbol: str, amount: Decimal) -> Self:
        """Count `amount` as reserved in a symbol, as orders that work there would."""
        book = self.book
        book.reservations.by_symbol[symbol] = amount
        total = sum(book.reservations.by_symbol.values(), start=Decimal(0))
        book.reservations.by_currency["USD"] = book.reservations.by_account[BROKER, "USD"] = total
        book.reservations.group(self.world.groups.of, book.currency_of)
        return self

    # --- the market -------------------------------------------------------------------------------

    def price(
        self,
        symbol: str,
        last: Decimal | int | str,
        *,
        bid: Decimal | int | str | None = None,
        ask: Decimal | int | str | None = None,
        at: Nanos | None = None,
        stale_at: Nanos = 0,
    ) -> Self:
        """The newest price of `symbol`, told at `at`, by default now: no other was told before."""
        self.world.market.quotes.pop(symbol, None)
        self.world.market.take(
            Quote(
                symbol=symbol,
                bid=None if bid is None else number(bid),
                ask=None if ask is None else number(ask),
                last=number(last),
                time=self.now if at is None else at,
                stale_at=stale_at,
            ),
            self.now,
        )
        self.world.prices.revalue(symbol)
        return self

    # --- deciding ---------------------------------------------------------------------------------

    def decide(self, request: Signal) -> Ruling:
        """The ruling on a signal now."""
        return decide(self.world, signal_request(self.world, request), self.now)
