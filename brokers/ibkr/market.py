"""Market data by TWS: quotes of the watched symbols, bars of the past.

Only prices of now are told. TWS gives delayed or frozen ones in the same fields to a login without
the right to live ones: they are left out, so that the last price grows old and stops entries.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from decimal import Decimal
from functools import partial
from typing import Final, TypeVar

from brokers.ibkr.codec import UNSET, stated
from brokers.ibkr.refusals import NO_DATA, Meaning, meaning_of
from brokers.ibkr.rules import RuleBook
from brokers.ibkr.session import Session
from brokers.net.numbers import number
from engine.domain.instant import NS_PER_SECOND
from engine.domain.market import Bar, MarketEvent, Quote
from engine.ports import BrokerError, Clock, NotSent, Rejected, Throttled

log = logging.getLogger(__name__)

T = TypeVar("T")

BAR_SECONDS: Final = 60

AGAIN_SECONDS: Final = 5.0
"""After how long a symbol that could not be subscribed to is tried again."""

LIVE_DATA: Final = 1

COMPETING: Final = 10197

COMPETING_SECONDS: Final = 60.0
"""After how long prices that another session has are asked for again."""

BID, ASK, LAST = 1, 2, 4
BID_SIZE, ASK_SIZE = 0, 3

HALF_DAY: Final = 12 * 3_600


class _Line:
    """What is known of one symbol now."""

    def __init__(self, symbol: str) -> None:
        self.symbol = symbol
        self.prices: dict[int, Decimal | None] = {}
        """By the kind of tick; None for one that is not there: TWS writes nothing, 0, -1 or its
        largest number for it."""
        self.sizes: dict[int, Decimal | None] = {}
        self.is_live = True
        self.traded = False

    def forget(self) -> None:
        """What was told so far says nothing of what is told from now on."""
        self.prices.clear()
        self.sizes.clear()


class IbkrMarket:
    """The feed of one account, over the connection of its orders."""

    def __init__(self, rules: RuleBook, clock: Clock, symbols: Sequence[str]) -> None:
        self._rules = rules
        self._clock = clock
        self._symbols = tuple(symbols)
        self._session: Session | None = None
        self._lines: dict[int, _Line] = {}
        """By the number of their subscription."""
        self._missing: dict[str, None] = {}
        """The symbols that are to be subscribed to, in the order of the config."""
        self._changed: dict[str, Quote] = {}
        self._news = asyncio.Event()
        self._subscribing: asyncio.Task[None] | None = None
        self._is_read = False
        """Somebody reads the events: before that nothing is subscribed to."""

    def attach(self, session: Session) -> None:
        """The connection stands: subscribe, beside everything else that is asked on it."""
        self._session = session
        self.subscribe_again()

    def subscribe_again(self) -> None:
        """Subscribe anew to every symbol: what was subscribed is lost (1101)."""
        self._stop()
        self._missing = dict.fromkeys(self._symbols)
        self._begin()

    def detach(self) -> None:
        """The connection is gone."""
        self._session = None
        self._stop()

    def _stop(self) -> None:
        self._lines.clear()
        self._missing.clear()
        task, self._subscribing = self._subscribing, None
        if task is not None:
            task.cancel()

    def _begin(self) -> None:
        """Subscribe to what is missing. Does nothing while that is under way."""
        session, task = self._session, self._subscribing
        if session is not None and self._is_read and (task is None or task.done()):
            self._subscribing = asyncio.create_task(
                self._subscribe(session), name="market data of TWS"
            )

    async def _subscribe(self, session: Session) -> None:
        """One symbol after the other, as fast as the budget lets prices be asked for.

        What was not answered, or could not be asked while TWS had lost its own connection, is asked
        for again after a pause; what TWS refuses is not, before the next connection.
        """
        while self._missing:
            for symbol in tuple(self._missing):
                if await self._is_settled(session, symbol):
                    self._missing.pop(symbol, None)
            if self._missing:
                await self._clock.sleep(AGAIN_SECONDS)

    async def _is_settled(self, session: Session, symbol: str) -> bool:
        """Subscribe to one symbol; False where it is to be tried again."""
        try:
            await self._once_there_is_room(lambda: self._subscribe_to(session, symbol))
        except BrokerError as error:
            log.warning("no market data of %s: %s", symbol, error)
            return isinstance(error, Rejected)
        return True

    async def _once_there_is_room(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Ask as soon as the budget lets prices be asked for: nobody else waits for them."""
        while True:
            try:
                return await ask()
            except Throttled as error:
                await self._clock.sleep(error.retry_after)

    async def _subscribe_to(self, session: Session, symbol: str) -> None:
        rules = await self._rules.of(session, symbol)
        request = session.next_id()
        session.send(lambda c: c.reqMktData(request, rules.contract, "", False, False, []))
        self._lines[request] = _Line(symbol)

    def _ask_again(self, request: int) -> None:
        """Give a subscription up that another session had the prices of, and subscribe anew."""
        line, session = self._lines.get(request), self._session
        if line is None or line.is_live or session is None:
            return
        with contextlib.suppress(NotSent, Throttled):  # it is asked for anew all the same
            session.send(lambda c: c.cancelMktData(request))
        del self._lines[request]
        self._missing[line.symbol] = None
        self._begin()

    # --- what the session tells

    def price(self, request: int, kind: int, price: Decimal, size: Decimal) -> None:
        line = self._lines.get(request)
        if line is None or kind not in {BID, ASK, LAST}:
            return  # 66 to 68 are delayed
        is_there = price.is_finite() and 0 < price < UNSET
        line.prices[kind] = price if is_there else None
        line.traded = is_there and kind == LAST
        if kind != LAST:
            line.sizes[BID_SIZE if kind == BID else ASK_SIZE] = stated(size)
        self._told(line)

    def size(self, request: int, kind: int, size: Decimal) -> None:
        line = self._lines.get(request)
        if line is not None and kind in {BID_SIZE, ASK_SIZE}:
            line.sizes[kind] = stated(size)
            line.traded = False
            self._told(line)

    def type_of_data(self, request: int, kind: int) -> None:
        """1 is live; 2 frozen, 3 delayed, 4 both."""
        line = self._lines.get(request)
        if line is None:
            return
        if line.is_live is not (kind == LIVE_DATA):
            line.forget()  # those of another time come in the same fields
        line.is_live = kind == LIVE_DATA
        if not line.is_live:
            log.warning("TWS has no live prices of %s, and others are not used", line.symbol)

    def refused(self, request: int, code: int, text: str) -> bool:
        line = self._lines.get(request)
        if line is None:
            return False
        log.warning("market data of %s: %s %s", line.symbol, code, text)
        if code in NO_DATA or meaning_of(code) is Meaning.REFUSED:
            line.is_live = False
            line.forget()
        if code == COMPETING:
            self._clock.call_later(COMPETING_SECONDS, partial(self._ask_again, request))
        return True

    def _told(self, line: _Line) -> None:
        bid, ask, last = (line.prices.get(kind) for kind in (BID, ASK, LAST))
        if last is None and bid is not None and ask is not None:
            last = (bid + ask) / 2  # a pair of currencies has no trades
        if last is None or not line.is_live:
            return
        self._changed[line.symbol] = Quote(
            symbol=line.symbol,
            bid=bid,
            ask=ask,
            last=last,
            bid_size=line.sizes.get(BID_SIZE),
            ask_size=line.sizes.get(ASK_SIZE),
            time=self._clock.now(),
            trade=line.traded,
        )
        self._news.set()

    # --- the port

    async def events(self) -> AsyncIterator[MarketEvent]:
        """The newest quote of each symbol that changed, for as long as it is read.

        Read anew, it goes on with the subscriptions that there are.
        """
        self._is_read = True
        self._begin()
        while True:
            await self._news.wait()
            self._news.clear()
            changed, self._changed = self._changed, {}
            for quote in changed.values():
                yield quote

    async def history(self, symbol: str, bars: int) -> tuple[MarketEvent, ...]:
        """Completed bars of one minute. Raises one of the six errors."""
        session = self._session
        if session is None:
            raise NotSent("TWS is not connected")
        rules = await self._once_there_is_room(lambda: self._rules.of(session, symbol))
        seconds = (bars + 1) * BAR_SECONDS
        days = -(-seconds // HALF_DAY)
        duration = f"{seconds} S" if seconds <= HALF_DAY else f"{days} D"
        what = "MIDPOINT" if rules.contract.secType == "CASH" else "TRADES"
        rows = await self._once_there_is_room(
            lambda: session.history(rules.contract, duration, "1 min", what)
        )
        now = self._clock.now()
        made = [_bar(symbol, row) for row in rows]
        return tuple(bar for bar in made if bar.time <= now)[-bars:]


def _bar(symbol: str, row: list[str]) -> Bar:
    began, opened, high, low, close, volume = row
    traded = number(volume)
    with contextlib.suppress(ValueError):
        return Bar(
            symbol=symbol,
            time=(int(began) + BAR_SECONDS) * NS_PER_SECOND,
            seconds=BAR_SECONDS,
            open=number(opened),
            high=number(high),
            low=number(low),
            close=number(close),
            volume=traded if traded.is_finite() and traded >= 0 else None,
        )
    return Bar(
        symbol=symbol, time=0, seconds=0, open=number(opened), high=number(high),
        low=number(low), close=number(close),
    )  # fmt: skip
