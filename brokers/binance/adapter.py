"""Binance spot behind the broker port (C-210 to C-212).

Orders and questions go over REST, each request once; reports come over the WebSocket API. The
venue refuses an id only while its first order is open, so that an order whose answer was lost is
never sent again by anything here (E-09): the engine asks, and the time limit on each request says
from when on it cannot arrive any more.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from decimal import Decimal
from typing import Any, Final

import msgspec

from brokers import unclaimed
from brokers.binance import holdings
from brokers.binance.client import RECEIVE_MS, TIMEOUT_SECONDS, Client
from brokers.binance.known import KnownOrders
from brokers.binance.refusals import CANCEL_REFUSED, FILTER, ORDER_UNKNOWN
from brokers.binance.settings import BinanceConfig
from brokers.binance.stream import AccountStream, StreamEndedError
from brokers.binance.symbols import WORDS, Symbols
from brokers.binance.trades import Trades
from brokers.binance.wire import (
    AccountRow,
    Execution,
    KeyRow,
    Order,
    Price,
    Taken,
    Trade,
    fill_of_trade,
    of_venue_id,
    order_of,
    report_of,
)
from brokers.inbox import AccountInbox
from brokers.net.identity import LIVE, UNTOLD, Claim, Identity, Rights
from brokers.net.numbers import written
from brokers.net.unsent import nothing_sent_yet
from engine.domain.account import Account, CashMovement, VenueOrder, VenuePosition
from engine.domain.ids import venue_order_id_of
from engine.domain.instant import NS_PER_MS, NS_PER_SECOND, Nanos
from engine.domain.instrument import Instrument
from engine.domain.order import HAVE_LIMIT, HAVE_STOP, Fill, OrderTerms, OrderType, TimeInForce
from engine.domain.run import LinkState
from engine.ports import (
    Ambiguous,
    BrokerError,
    Capabilities,
    Clock,
    MarketClosed,
    NotSent,
    Rejected,
    Report,
    StreamRefused,
    Throttled,
)

ENGINE_SECONDS: Final = 10
"""How long the venue's own engine may take before it gives up with -1007."""

LAG_SECONDS: Final = 10
"""A question about an order goes to memory, then to a database that may be behind; nothing says by
how much."""

RIGHTS_WEIGHT = 1
ORDER_WEIGHT, OPEN_WEIGHT, OPEN_IN_WEIGHT, ACCOUNT_WEIGHT, PRICES_WEIGHT = 4, 80, 6, 20, 4

WHOLE: Final = 60 * NS_PER_SECOND
"""How often the open orders of all symbols are asked for, beside once a connection."""

_TIFS: Final = frozenset({TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK})
_TIFS_OF: Final = {
    # It fills what it can at once and lives no day; all or nothing is not known there.
    OrderType.MARKET: frozenset(TimeInForce) - {TimeInForce.FOK},
    OrderType.STOP: frozenset({TimeInForce.GTC}),
}
"""What an order may ask for where that is not `_TIFS`."""

CAPABILITIES: Final = Capabilities(
    order_types=frozenset(WORDS),
    times_in_force=_TIFS,
    native_stop=True,
    native_modify=False,
    reduce_only=False,
    shorting=False,
    fractional=True,
    deduplicates=False,
    late_arrival_seconds=RECEIVE_MS / 1000 + ENGINE_SECONDS,
    timeout_seconds=TIMEOUT_SECONDS,
    late_execution_seconds=LAG_SECONDS,
    cancel_all=True,
    odd_lots=False,
    nets_buying_power=True,
    states_instruments=True,
)

UNASKED: Final = "not sent, as what it needs is not known"

COSTS_KEPT: Final = 2000
"""So many trades of a symbol are kept to say what a holding cost, the newest."""

HANDED: Final = NS_PER_SECOND
"""How old the balances of the holdings may be to be those of the account, too."""


class _Balances(msgspec.Struct, frozen=True, kw_only=True):
    """One answer about the account, with the prices of that moment."""

    row: AccountRow
    prices: dict[str, Decimal]
    at: Nanos
    """When it was asked for, on the monotonic clock."""
    as_of: Nanos


class BinanceBroker:
    """One account at Binance spot."""

    def __init__(
        self,
        name: str,
        settings: BinanceConfig,
        clock: Clock,
        client: Client,
        symbols: Symbols,
        *,
        stream_url: str,
        claim: Claim = unclaimed,
    ) -> None:
        """`stream_url` is that of the WebSocket API; `claim` keeps the account from other
        processes."""
        self._name = name
        self._identity = Identity(name, settings, claim)
        self._is_live = settings.environment == LIVE
        self._client = client
        self._symbols = symbols
        self._inbox = AccountInbox(name, clock)
        self._orders = KnownOrders()
        self._trades = Trades(client, self._orders)
        self._seen: dict[str, dict[int, Trade]] = {}
        """The trades that say what a holding cost, by the venue's symbol; read once, then told."""
        self._early: list[Execution] | None = None
        self._clock = clock
        self._whole_due: Nanos = 0
        """When the open orders of all symbols are to be asked for, on the monotonic clock."""
        self._handed: _Balances | None = None
        """The balances that the holdings were just read from, until anything is told or sent."""
        self._stream = AccountStream(stream_url, client, told=self._told, ended=self._ended)

    @property
    def name(self) -> str:
        return self._name

    @property
    def identity(self) -> Identity:
        return self._identity

    @property
    def capabilities(self) -> Capabilities:
        return CAPABILITIES

    # --- the connection

    async def connect(self) -> None:
        """Open REST and the stream, also again after a break; the account is confirmed first."""
        if self._stream.is_open:
            return
        await self._forget()
        self._early = []
        try:
            await self._client.open()
            await self._client.set_clock()
            await self._identity.confirm(str((await self._account()).uid), await self._rights())
            await self._symbols.learn()
            try:
                await self._stream.open()
            except (NotSent, Throttled) as error:
                raise StreamRefused(str(error)) from error
            while strange := [e.s for e in self._early if not self._symbols.ours(e.s)]:
                await self._symbols.resolve(strange)
        except StreamRefused:
            self._early = None  # requests go on
            raise
        except BaseException:
            await self._hang_up()
            raise
        early, self._early = self._early, None
        self._inbox.link(LinkState.CONNECTED)
        for event in early:
            self._told(event)

    async def disconnect(self) -> None:
        """No order is cancelled (D-53)."""
        was_open = self._stream.is_open
        await self._hang_up()
        if was_open:
            self._inbox.link(LinkState.DISCONNECTED, "disconnected by us")

    def reports(self) -> AsyncIterator[Report]:
        """Every report from the first connect on; one reader at a time."""
        return self._inbox.read()

    async def _hang_up(self) -> None:
        await self._forget()
        await self._client.close()

    async def _forget(self) -> None:
        """Begin anew, but for requests that are under way."""
        self._seen.clear()
        self._handed, self._whole_due = None, 0
        await self._stream.close()

    def _ended(self, why: str) -> None:
        self._inbox.link(LinkState.DISCONNECTED, why)

    def _told(self, event: Execution) -> None:
        """Hand over a report. One in a symbol that is not known yet ends the stream: the next
        connection asks what it is, and the look that follows finds what was told here."""
        if self._early is not None:
            self._early.append(event)
            return
        symbol = self._symbols.ours(event.s)
        if not symbol:
            raise StreamEndedError(f"{event.s} was traded, which has to be looked up first")
        self._handed = None
        self._orders.told(event.client_order_id, event.s, event.i)
        report = report_of(event, self._name, symbol)
        if report.fill is not None:
            self._learn_cost(event, report.fill)
        self._inbox.put(report)

    def _learn_cost(self, event: Execution, fill: Fill) -> None:
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

    # --- orders

    async def submit_order(self, order: OrderTerms) -> None:
        """Hand an order over, checked against the venue's filters first."""
        with nothing_sent_yet(UNASKED):
            listing = await self._symbols.listing(order.symbol)
        if fault := self._symbols.fault(order.symbol, adds=not order.reduce_only):
            raise Rejected("SYMBOL", f"{order.symbol} takes no orders: {fault}")
        self._symbols.use(listing)
        allowed = _TIFS_OF.get(order.type, _TIFS)
        if order.time_in_force not in allowed:
            words = f"{', '.join(sorted(allowed))} can be kept"
            raise Rejected("TIME_IN_FORCE", f"{order.type} {order.time_in_force} cannot: {words}")
        self._orders.sent(order.client_order_id, listing.theirs)
        self._handed = None
        terms, path = _terms(order, listing.theirs), "/api/v3/order"
        try:
            listing.check(order)
            taken: Taken = await self._client.ask_signed(
                "POST", path, terms, Taken, urgent=order.reduce_only
            )
        except (MarketClosed, Rejected) as error:
            if isinstance(error, MarketClosed) or error.code == FILTER:
                self._symbols.forget(order.symbol)  # its state, or what it was checked by
            raise
        if taken.client_order_id != order.client_order_id:
            raise Ambiguous(f"the venue answered with the order {taken.client_order_id}")
        self._orders.told(order.client_order_id, listing.theirs, taken.order_id)

    async def cancel_order(self, client_order_id: str) -> None:
        """Ask for the cancel of an order; one whose symbol is not known is looked for first."""
        with nothing_sent_yet(UNASKED):
            named = await self._named(client_order_id)
        if named is None:
            raise Rejected(ORDER_UNKNOWN, f"no order {client_order_id} is known at Binance")
        # One leg of an order list answers with the list.
        await self._client.ask_signed("DELETE", "/api/v3/order", named, dict[str, Any], urgent=True)

    async def cancel_orders(self, client_order_ids: Sequence[str]) -> dict[str, BrokerError]:
        """Spot has no request for that."""
        raise Rejected("UNSUPPORTED", "Binance spot cancels orders one by one, or all of a symbol")

    async def cancel_all(self) -> None:
        """Cancel everything in every symbol in which something is open, all at the same time.

        One that fails keeps no other from being asked. Raises what failed, Ambiguous first.
        """
        with nothing_sent_yet(UNASKED):
            symbols = {row.symbol for row in await self._open_rows(urgent=True)}
        done = await asyncio.gather(*map(self._cancel_in, symbols), return_exceptions=True)
        failed = [error for error in done if isinstance(error, BaseException)]
        for error in sorted(failed, key=lambda error: not isinstance(error, Ambiguous)):
            raise error

    async def modify_order(
        self,
        client_order_id: str,
        quantity: Decimal,
        limit_price: Decimal | None = None,
        stop_price: Decimal | None = None,
        time_in_force: TimeInForce | None = None,
    ) -> None:
        """Not built: what the venue has for it may leave no order behind (-2021)."""
        raise Rejected("UNSUPPORTED", "orders at Binance are replaced by a cancel and a new one")

    async def _cancel_in(self, symbol: str) -> None:
        try:
            await self._client.ask_signed(
                "DELETE", "/api/v3/openOrders", {"symbol": symbol}, list[Any], urgent=True
            )
        except Rejected as error:
            if error.code != CANCEL_REFUSED:  # what was open has ended by itself meanwhile
                raise

    # --- questions

    async def get_order(self, client_order_id: str) -> VenueOrder | None:
        """The order by its id; where its symbol is not known, in one symbol after the other."""
        found = await self._find(client_order_id)
        if found is None:
            return None
        symbol = await self._ours(found.symbol)
        asked = "" if venue_order_id_of(client_order_id) else client_order_id
        return order_of(found, symbol, asked)

    async def get_open_orders(self) -> tuple[VenueOrder, ...]:
        """Every open order; in the symbols that are known where all were asked a moment ago.

        All at once is 80 of weight, which a kill that looks again and again cannot afford, and one
        symbol 6. An order in another symbol is told by the stream, which makes that one known.
        """
        symbols, now = self._symbols.known, self._clock.monotonic()
        if now >= self._whole_due or len(symbols) * OPEN_IN_WEIGHT >= OPEN_WEIGHT:
            rows = await self._open_rows(urgent=False)
            self._whole_due = now + WHOLE
        else:
            rows = [row for symbol in symbols for row in await self._open_in(symbol)]
        await self._symbols.resolve(row.symbol for row in rows)
        return tuple(order_of(row, self._symbols.ours(row.symbol)) for row in rows)

    async def get_fills_since(self, since: Nanos) -> tuple[Fill, ...]:
        """Every execution in the symbols that are known: the configured ones, and those of orders
        and reports that were seen."""
        fills: list[Fill] = []
        for theirs in self._symbols.known:
            rows = await self._trades.since(theirs, since)
            await self._trades.name_orders(theirs, rows)
            symbol = self._symbols.ours(theirs)
            for row in rows:
                key = self._orders.client_order_id_of(theirs, row.order_id)
                fills.append(fill_of_trade(row, self._name, symbol, key))
        return tuple(sorted(fills, key=lambda fill: (fill.time, int(fill.execution_id))))

    async def get_cash_movements_since(self, since: Nanos) -> tuple[CashMovement, ...]:
        """Not built: deposits and withdrawals are in another API of the venue."""
        raise Rejected("UNSUPPORTED", "the history of cash at Binance is not read")

    async def get_positions(self) -> tuple[VenuePosition, ...]:
        told = self._handed = await self._balances()
        positions: list[VenuePosition] = []
        for symbol, quantity in holdings.held(told.row, self._symbols).items():
            theirs = (await self._symbols.listing(symbol)).theirs
            trades = (await self._costs(theirs)).values()
            positions.append(holdings.position(symbol, quantity, trades, told.prices.get(theirs)))
        return tuple(positions)

    async def get_account(self) -> Account:
        """The account; right after the holdings it is of the same answer, so that a look sees both
        at one moment, and the venue is asked once."""
        told, self._handed = self._handed, None
        if told is None or self._clock.monotonic() - told.at > HANDED:
            told = await self._balances()
        return holdings.account_of(told.row, self._symbols, told.prices, told.as_of)

    async def instrument(self, symbol: str) -> Instrument:
        return (await self._symbols.listing(symbol)).instrument()

    async def server_time(self) -> Nanos:
        """The venue's clock, by which requests are signed from then on."""
        return await self._client.set_clock()

    async def _balances(self) -> _Balances:
        at, as_of = self._clock.monotonic(), self._client.now_ms() * NS_PER_MS
        row = await self._account()
        return _Balances(row=row, prices=await self._prices(), at=at, as_of=as_of)

    async def _rights(self) -> Rights:
        """What the key may do; asked with real money alone, the test network does not say."""
        if not self._is_live:
            return UNTOLD
        row: KeyRow = await self._client.ask_signed(
            "GET", "/sapi/v1/account/apiRestrictions", {}, KeyRow, cost=RIGHTS_WEIGHT
        )
        given = {name: getattr(row, name) for name in KeyRow.__struct_fields__}
        return Rights(
            trade=row.enable_spot_and_margin_trading,
            withdraw=row.enable_withdrawals,
            words=", ".join(name for name, is_given in given.items() if is_given) or "none",
        )

    async def _account(self) -> AccountRow:
        account: AccountRow = await self._client.ask_signed(
            "GET",
            "/api/v3/account",
            {"omitZeroBalances": "true"},
            AccountRow,
            cost=ACCOUNT_WEIGHT,
        )
        return account

    async def _prices(self) -> dict[str, Decimal]:
        rows = await self._client.ask(
            "GET", "/api/v3/ticker/price", list[Price], cost=PRICES_WEIGHT
        )
        return holdings.prices_of(rows)

    async def _costs(self, theirs: str) -> dict[int, Trade]:
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

    async def _open_rows(self, *, urgent: bool) -> list[Order]:
        return await self._listed({}, OPEN_WEIGHT, urgent=urgent)

    async def _open_in(self, symbol: str) -> list[Order]:
        return await self._listed({"symbol": symbol}, OPEN_IN_WEIGHT, urgent=False)

    async def _listed(self, params: dict[str, str], cost: float, *, urgent: bool) -> list[Order]:
        rows: list[Order] = await self._client.ask_signed(
            "GET", "/api/v3/openOrders", params, list[Order], cost=cost, urgent=urgent
        )
        for row in rows:
            self._orders.told(row.client_order_id, row.symbol, row.order_id)
        return rows

    async def _ours(self, theirs: str) -> str:
        await self._symbols.resolve((theirs,))
        return self._symbols.ours(theirs)

    async def _find(self, client_order_id: str) -> Order | None:
        """The row of an order; None where the venue has it in no symbol."""
        named = self._name_here(client_order_id)
        if named is not None:
            return await self._row(named)
        for symbol in self._symbols.known:
            found = await self._row({"symbol": symbol, "origClientOrderId": client_order_id})
            if found is not None:
                self._orders.told(client_order_id, symbol, found.order_id)
                return found
        for row in await self._open_rows(urgent=True):
            if row.client_order_id == client_order_id:
                return row
        return None

    async def _named(self, client_order_id: str) -> dict[str, str] | None:
        """How the venue is told which order is meant; None for one that is nowhere."""
        named = self._name_here(client_order_id)
        if named is None:
            found = await self._find(client_order_id)
            if found is not None:
                named = {"symbol": found.symbol, "orderId": str(found.order_id)}
        return named

    def _name_here(self, client_order_id: str) -> dict[str, str] | None:
        """The same without asking; None where the symbol is not known."""
        symbol, order_id = of_venue_id(venue_order_id_of(client_order_id))
        if symbol:
            return {"symbol": symbol, "orderId": order_id}
        symbol = self._orders.symbol_of(client_order_id)
        return {"symbol": symbol, "origClientOrderId": client_order_id} if symbol else None

    async def _row(self, named: dict[str, str]) -> Order | None:
        try:
            row: Order = await self._client.ask_signed(
                "GET", "/api/v3/order", named, Order, cost=ORDER_WEIGHT, urgent=True
            )
        except Rejected as error:
            if error.code == ORDER_UNKNOWN:
                return None
            raise
        return row


def _terms(order: OrderTerms, symbol: str) -> dict[str, str]:
    """An order as the venue takes it. A number is written without an exponent: 1e-05 is refused."""
    terms = {
        "symbol": symbol,
        "side": "BUY" if order.side.sign > 0 else "SELL",
        "type": WORDS[order.type],
        "quantity": written(order.quantity),
        "newClientOrderId": order.client_order_id,
        "newOrderRespType": "ACK",
    }
    if order.type in HAVE_LIMIT and order.limit_price is not None:
        terms |= {"price": written(order.limit_price), "timeInForce": str(order.time_in_force)}
    if order.type in HAVE_STOP and order.stop_price is not None:
        terms["stopPrice"] = written(order.stop_price)
    return terms
