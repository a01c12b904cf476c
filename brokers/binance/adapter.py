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

from brokers import unclaimed
from brokers.binance.balances import Balances
from brokers.binance.client import RECEIVE_MS, TIMEOUT_SECONDS, Client
from brokers.binance.known import KnownOrders
from brokers.binance.listed import Listed
from brokers.binance.refusals import CANCEL_REFUSED, FILTER, ORDER_UNKNOWN
from brokers.binance.settings import BinanceConfig
from brokers.binance.stream import AccountStream, StreamEndedError
from brokers.binance.symbols import WORDS, Symbols
from brokers.binance.terms import TIMES_IN_FORCE, parameters, refuse_time_in_force
from brokers.binance.trades import Trades
from brokers.binance.wire import Execution, KeyRow, Taken, fill_of_trade, order_of, report_of
from brokers.inbox import AccountInbox
from brokers.net.identity import UNTOLD, Claim, Identity, Rights
from brokers.net.unsent import nothing_sent_yet
from engine.domain.account import Account, CashMovement, VenueOrder, VenuePosition
from engine.domain.ids import venue_order_id_of
from engine.domain.instant import Nanos
from engine.domain.instrument import Instrument
from engine.domain.order import Fill, OrderTerms, TimeInForce
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

CAPABILITIES: Final = Capabilities(
    order_types=frozenset(WORDS),
    times_in_force=TIMES_IN_FORCE,
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
        self._is_live = settings.is_live
        self._client = client
        self._symbols = symbols
        self._inbox = AccountInbox(name, clock)
        self._orders = KnownOrders()
        self._listed = Listed(client, symbols, self._orders, clock)
        self._trades = Trades(client, self._orders)
        self._balances = Balances(client, symbols, self._trades, clock)
        self._early: list[Execution] | None = None
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
            account = await self._balances.row(urgent=True)
            await self._identity.confirm(str(account.uid), await self._rights())
            await self._symbols.learn()
            try:
                await self._stream.open()
            except (NotSent, Throttled) as error:
                raise StreamRefused.by(error) from error
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
        self._balances.forget()
        self._listed.forget()
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
        self._balances.outdate()
        self._orders.told(event.client_order_id, event.s, event.i)
        report = report_of(event, self._name, symbol)
        if report.fill is not None:
            self._balances.learn(event, report.fill)
        self._inbox.put(report)

    # --- orders

    async def submit_order(self, order: OrderTerms) -> None:
        """Hand an order over, checked against the venue's filters first."""
        with nothing_sent_yet(UNASKED):
            listing = await self._symbols.listing(order.symbol)
        if fault := self._symbols.fault(order.symbol, adds=not order.reduce_only):
            raise Rejected("SYMBOL", f"{order.symbol} takes no orders: {fault}")
        self._symbols.use(listing)
        refuse_time_in_force(order)
        self._orders.sent(order.client_order_id, listing.theirs)
        self._balances.outdate()
        terms, path = parameters(order, listing.theirs), "/api/v3/order"
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
            named = await self._listed.name(client_order_id)
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
            symbols = {row.symbol for row in await self._listed.open_anywhere(urgent=True)}
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
        found = await self._listed.find(client_order_id)
        if found is None:
            return None
        await self._symbols.resolve((found.symbol,))
        asked = "" if venue_order_id_of(client_order_id) else client_order_id
        return order_of(found, self._symbols.ours(found.symbol), asked)

    async def get_open_orders(self) -> tuple[VenueOrder, ...]:
        rows = await self._listed.open()
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
        return await self._balances.positions()

    async def get_account(self) -> Account:
        return await self._balances.account()

    async def instrument(self, symbol: str) -> Instrument:
        return (await self._symbols.listing(symbol)).instrument()

    async def server_time(self) -> Nanos:
        """The venue's clock, by which requests are signed from then on."""
        return await self._client.set_clock()

    async def _rights(self) -> Rights:
        """What the key may do; asked with real money alone, the test network does not say."""
        if not self._is_live:
            return UNTOLD
        path = "/sapi/v1/account/apiRestrictions"
        row: KeyRow = await self._client.ask_signed(
            "GET", path, {}, KeyRow, cost=RIGHTS_WEIGHT, urgent=True
        )
        given = {name: getattr(row, name) for name in KeyRow.__struct_fields__}
        return Rights(
            trade=row.enable_spot_and_margin_trading,
            withdraw=row.enable_withdrawals,
            words=", ".join(name for name, is_given in given.items() if is_given) or "none",
        )
