"""Histories for journal tests: orders, fills and signals with real events, numbered as they come.

history = History()
history.signal("s-1", "AAPL"); history.order("o1", "AAPL", signal_id="s-1"); history.fill("o1", 10)
journal.append(history.records)
"""

import datetime
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import msgspec

from engine.domain import events as ev
from engine.domain.codes import Outcome, Stage, Verdict
from engine.domain.instant import NS_PER_SECOND, parse_rfc3339
from engine.domain.order import Fill, Liquidity, OrderTerms, OrderType, Purpose, Side, TimeInForce
from engine.domain.run import Severity
from engine.domain.signal import Direction, Signal, Timeframe
from engine.state.book import Book
from engine.state.fold import apply
from engine.state.holdings import change
from engine.state.touched import Touched

START = parse_rfc3339("2013-10-07T13:30:00Z")


class History:
    """Records in order, one second apart, folded into a book as they are made."""

    def __init__(self, first: int = 1) -> None:
        self.records: list[ev.Record] = []
        self.touched: list[Touched] = []
        """Every value that the records touched."""
        self.book = Book()
        self._next = first

    @property
    def now(self) -> int:
        return START + self._next * NS_PER_SECOND

    def add(self, *events: ev.Event) -> list[ev.Record]:
        """Number the events, fold them, and return just these records."""
        fresh = []
        for event in events:
            record = ev.Record(self._next, self.now, event)
            self._next += 1
            self.touched += apply(self.book, record)
            fresh.append(record)
        self.records.extend(fresh)
        return fresh

    def note(self, text: str = "note") -> list[ev.Record]:
        """An event that no table holds."""
        return self.add(ev.Alarmed(code="NOTE", severity=Severity.INFO, subject="", text=text))

    def signal(
        self,
        signal_id: str,
        symbol: str,
        verdict: Verdict = Verdict.ACCEPTED,
        code: str = "",
        orders: Sequence[str] = (),
    ) -> list[ev.Record]:
        signal = Signal(
            signal_id=signal_id,
            signal_type="cloud_cross_bullish",
            direction=Direction.LONG,
            ticker=symbol,
            timeframe=Timeframe.M10,
            conviction=80,
            entry_price=Decimal("167.40"),
            stop_loss=Decimal("166.90"),
            timestamp=self.now,
            cloud_states=({"cloud": "pullback", "up": True},),
            metadata={"seen": "twice"},
        )
        return self.add(
            ev.SignalReceived(signal=signal),
            ev.SignalDecided(
                signal_id=signal_id,
                symbol=symbol,
                verdict=verdict,
                stage=Stage.RISK,
                code=code,
                measured="0.04",
                limit="0.02",
                reason="because",
                checks=(),
                client_order_ids=tuple(orders),
                content=f"content {signal_id}" if verdict is not Verdict.REJECTED else "",
            ),
        )

    def ended(self, signal_id: str, outcome: Outcome, code: str = "") -> list[ev.Record]:
        return self.add(
            ev.SignalEnded(
                signal_id=signal_id, symbol="AAPL", outcome=outcome, code=code, reason="ended"
            )
        )

    def order(self, key: str, symbol: str, quantity: int = 10, **fields: Any) -> list[ev.Record]:
        return self.add(ev.OrderIntended(terms=self.new_order(key, symbol, quantity, **fields)))

    def new_order(self, key: str, symbol: str, quantity: int = 10, **fields: Any) -> OrderTerms:
        order = OrderTerms(
            client_order_id=key,
            intent_id=f"i-{key}",
            account="paper",
            symbol=symbol,
            side=Side.BUY,
            type=OrderType.LIMIT,
            quantity=Decimal(quantity),
            limit_price=Decimal("167.40"),
            time_in_force=TimeInForce.DAY,
            purpose=Purpose.ENTRY,
            stop_loss=Decimal("166.90"),
            conviction=80,
        )
        return msgspec.structs.replace(order, **fields)

    def fill(
        self, key: str, quantity: int, price: str = "167.40", execution: str = "", **fields: Any
    ) -> list[ev.Record]:
        """A fill of a known order, with the sums the engine would put into the event."""
        order = self.book.order(key)
        assert order is not None, key
        fill = Fill(
            execution_id=execution or f"x-{key}-{self._next}",
            client_order_id=key,
            venue_order_id=order.venue_order_id,
            account="paper",
            symbol=order.symbol,
            side=order.side,
            quantity=Decimal(quantity),
            price=Decimal(price),
            commission=Decimal("0.35"),
            liquidity=Liquidity.TAKER,
            time=self.now,
        )
        fill = msgspec.structs.replace(fill, **fields)
        cumulative = order.filled + fill.quantity
        notional = order.notional + fill.quantity * fill.price
        return self.add(
            ev.OrderFilled(
                account=fill.account,
                fill=fill,
                multiplier=Decimal(1),
                cumulative=cumulative,
                average_price=notional / cumulative,
                position_id=change(
                    self.book.holding("paper", fill.symbol), fill, Decimal(1), order
                ).position_id,
            )
        )

    def life(self, key: str, symbol: str, quantity: int = 10, **fields: Any) -> list[ev.Record]:
        """Intended, sent, accepted, filled."""
        return [
            *self.order(key, symbol, quantity, **fields),
            *self.add(
                ev.OrderSent(account="paper", client_order_id=key),
                ev.OrderAccepted(account="paper", client_order_id=key, venue_order_id=f"v-{key}"),
            ),
            *self.fill(key, quantity),
        ]

    def day(self, date: str, ending: str, **fields: Any) -> list[ev.Record]:
        closed = ev.SessionClosed(
            date=datetime.date.fromisoformat(date),
            starting_equity=Decimal(100_000),
            ending_equity=Decimal(ending),
            realized_pnl=Decimal(ending) - 100_000,
            unrealized_pnl=Decimal(0),
            total_trades=1,
            winning_trades=1,
            losing_trades=0,
            max_drawdown=Decimal("0.01"),
            kill_switch_triggered=False,
            fees=Decimal("0.70"),
            flows=Decimal(0),
            final=True,
        )
        return self.add(msgspec.structs.replace(closed, **fields))


def notes(count: int) -> History:
    """A history of events that no table holds."""
    history = History()
    for number in range(count):
        history.note(f"note {number}")
    return history
