"""The account and its holdings, by one answer about the balances where that is possible (C-210)."""

from decimal import Decimal
from typing import Final

import msgspec

from brokers.binance import holdings
from brokers.binance.client import Client
from brokers.binance.symbols import Symbols
from brokers.binance.trades import Trades
from brokers.binance.wire import AccountRow, Execution, Price, Trade
from engine.domain.account import Account, VenuePosition
from engine.domain.instant import NS_PER_MS, NS_PER_SECOND, Nanos
from engine.domain.order import Fill
from engine.ports import Clock

ACCOUNT_WEIGHT, PRICES_WEIGHT = 20, 4

COSTS_KEPT: Final = 2000
"""So many trades of a symbol are kept to say what a holding cost, the newest."""

HANDED: Final = NS_PER_SECOND
"""How old the balances of the holdings may be to be those of the account, too."""


class _Answer(msgspec.Struct, frozen=True, kw_only=True):
    """One answer about the account, with the prices of that moment."""

    row: AccountRow
    prices: dict[str, Decimal]
    at: Nanos
    """When it was asked for, on the monotonic clock."""
    as_of: Nanos


class Balances:
    """What one account has, and what that cost."""

    def __init__(self, client: Client, symbols: Symbols, trades: Trades, clock: Clock) -> None:
        self._client = client
        self._symbols = symbols
        self._trades = trades
        self._clock = clock
        self._seen: dict[str, dict[int, Trade]] = {}
        """The trades that say what a holding cost, by the venue's symbol; read once, then told."""
        self._handed: _Answer | None = None
        """The balances that the holdings were just read from, until anything is told or sent."""

    def forget(self) -> None:
        """Begin anew: executions may have been missed."""
        self._seen.clear()
        self._handed = None

    def outdate(self) -> None:
        """An order was sent or told of: what was answered before is the account no more."""
        self._handed = None

    def learn(self, event: Execution, fill: Fill) -> None:
        """An execution was told: it is what a part of the holding cost."""
        known = self._seen.get(event.s)
        if known is not None:
            known[event.t] = Trade(
                symbol=event.s,
                id=event.t,
                order_id=event.i,
                price=fill.price,
                qty=fill.quantity,
                is_buyer=fill.side.sign > 0,
            )
            if len(known) > COSTS_KEPT:
                del known[next(iter(known))]

    async def row(self, *, urgent: bool = False) -> AccountRow:
        """What the venue says of the account now."""
        account: AccountRow = await self._client.ask_signed(
            "GET",
            "/api/v3/account",
            {"omitZeroBalances": "true"},
            AccountRow,
            cost=ACCOUNT_WEIGHT,
            urgent=urgent,
        )
        return account

    async def positions(self) -> tuple[VenuePosition, ...]:
        """Every holding, with what it cost by the trades that are known."""
        told = self._handed = await self._asked()
        positions: list[VenuePosition] = []
        for symbol, quantity in holdings.held(told.row, self._symbols).items():
            theirs = (await self._symbols.listing(symbol)).theirs
            trades = (await self._costs(theirs)).values()
            positions.append(holdings.position(symbol, quantity, trades, told.prices.get(theirs)))
        return tuple(positions)

    async def account(self) -> Account:
        """The account; right after the holdings it is of the same answer, so that a look sees both
        at one moment, and the venue is asked once."""
        told, self._handed = self._handed, None
        if told is None or self._clock.monotonic() - told.at > HANDED:
            told = await self._asked()
        return holdings.account_of(told.row, self._symbols, told.prices, told.as_of)

    async def _asked(self) -> _Answer:
        at, as_of = self._clock.monotonic(), self._client.now_ms() * NS_PER_MS
        row = await self.row()
        return _Answer(row=row, prices=await self._prices(), at=at, as_of=as_of)

    async def _prices(self) -> dict[str, Decimal]:
        rows = await self._client.ask(
            "GET", "/api/v3/ticker/price", list[Price], cost=PRICES_WEIGHT
        )
        return holdings.prices_of(rows)

    async def _costs(self, theirs: str) -> dict[int, Trade]:
        """The trades of a symbol of the venue by their ids, asked for once."""
        known = self._seen.get(theirs)
        if known is None:
            known = self._seen[theirs] = {}
            try:
                rows = await self._trades.newest(theirs)
            except BaseException:
                del self._seen[theirs]
                raise
            for row in rows:
                known.setdefault(row.id, row)
        return known
