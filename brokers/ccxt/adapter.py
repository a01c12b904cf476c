"""The broker port over an exchange of ccxt: experimental (C-131, X-51).

There is no stream: reports are found by asking (`follow`). A question that fails ends the
connection, so that the engine connects again and compares everything. Only a test environment is
traded: ccxt has no question by which every exchange says whose account it is, and real money is
refused where nobody can check that (C-201).
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Sequence
from decimal import Decimal
from typing import Any, Final

import msgspec

from brokers import Secret, unclaimed
from brokers.ccxt.client import TIMEOUT_SECONDS, Client
from brokers.ccxt.follow import EVERY_SECONDS, Follower
from brokers.ccxt.market import last_of
from brokers.ccxt.money import Money, position
from brokers.ccxt.orders import OrderDesk
from brokers.ccxt.settings import CcxtConfig
from brokers.ccxt.wire import Listing, ours, theirs
from brokers.inbox import AccountInbox
from brokers.net.identity import Claim, Identity
from brokers.net.numbers import time_of_millis
from engine.domain.account import Account, CashMovement, VenueOrder, VenuePosition
from engine.domain.instant import Nanos
from engine.domain.instrument import Instrument
from engine.domain.order import HAVE_STOP, Fill, OrderTerms, OrderType, TimeInForce
from engine.domain.run import LinkState
from engine.ports import (
    Ambiguous,
    AuthFailed,
    BrokerError,
    Capabilities,
    Clock,
    NotSent,
    Rejected,
    Report,
    Throttled,
)

CAPABILITIES: Final = Capabilities(
    order_types=frozenset({OrderType.MARKET, OrderType.LIMIT}),
    times_in_force=frozenset({TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK}),
    native_stop=False,
    native_modify=False,
    reduce_only=False,
    shorting=False,
    fractional=True,
    # What an exchange does with an id that was used before is not known: it is asked, and waited
    # for, and nothing is ever sent again.
    deduplicates=False,
    # No exchange states such a bound by ccxt: as at OANDA, which states none either. A kill proves
    # flat only once nothing can arrive any more, and gives up after 30 s.
    late_arrival_seconds=10,
    timeout_seconds=TIMEOUT_SECONDS,
    # As at Binance, which states no bound either (`brokers.binance.adapter`): a guess elsewhere.
    late_execution_seconds=10,
    cancel_all=False,
    odd_lots=False,
    nets_buying_power=True,
    states_instruments=True,
)
"""What any exchange can do here."""

STOPS: Final = frozenset({"binanceus"})
"""Exchanges at which a stop sent by ccxt was shown to wait for its price on the right side, by a
local server of the protocol. At others one may trigger at once (research/venues.md §1.4): the
engine keeps the stop itself."""


def capabilities_of(exchange: str) -> Capabilities:
    """What that exchange can do here."""
    if exchange not in STOPS:
        return CAPABILITIES
    return msgspec.structs.replace(CAPABILITIES, order_types=frozenset(OrderType), native_stop=True)


class CcxtBroker:
    """One account at an exchange of ccxt. It reconnects only when told to."""

    def __init__(
        self,
        name: str,
        settings: CcxtConfig,
        clock: Clock,
        client: Client,
        *,
        symbols: tuple[str, ...],
        secret: Callable[[str], Secret],
        claim: Claim = unclaimed,
    ) -> None:
        """`secret` finds the key by the name of its variable; `claim` keeps the account from other
        processes."""
        self._name = name
        self._identity = Identity(name, settings, claim)
        self._settings = settings
        self._clock = clock
        self._client = client
        self._symbols = symbols
        self._secret = secret
        self._capabilities = capabilities_of(client.name)
        self._account_id = ""
        self._money = Money(symbols)
        self._inbox = AccountInbox(name, clock)
        self._desk = OrderDesk(name, client, clock)
        self._follower = Follower(name, clock, self._desk, self._inbox.put)
        self._following: asyncio.Task[None] | None = None
        self._connecting = asyncio.Lock()

    @property
    def name(self) -> str:
        return self._name

    @property
    def identity(self) -> Identity:
        return self._identity

    @property
    def capabilities(self) -> Capabilities:
        return self._capabilities

    # --- the connection

    async def connect(self) -> None:
        """Learn the markets, try the key, and begin to ask. Raises one of the six errors."""
        async with self._connecting:
            if self._is_connected:
                return
            await self._hang_up()
            if self._settings.is_live:
                raise AuthFailed(
                    f"[brokers.{self._name}] {self._client.name} does not say by ccxt whose "
                    "account it is, so that account_id cannot be checked: real money is refused"
                )
            try:
                await self._let_in()
                await self._follower.begin()
            except BaseException:
                await self._hang_up()
                raise
            self._inbox.link(LinkState.CONNECTED)
            self._following = asyncio.create_task(self._follow(), name=f"reports of {self._name}")

    async def disconnect(self) -> None:
        """No order is cancelled (D-53)."""
        was = self._is_connected
        await self._hang_up()
        if was:
            self._inbox.link(LinkState.DISCONNECTED, "disconnected by us")

    def reports(self) -> AsyncIterator[Report]:
        """Every report from the first connect on; one reader at a time."""
        return self._inbox.read()

    @property
    def _is_connected(self) -> bool:
        return self._following is not None and not self._following.done()

    async def _let_in(self) -> None:
        key = self._found(self._settings.key_env)
        self._client.open(key, self._found(self._settings.secret_env))
        markets = await self._client.ask("load_markets", True, urgent=True)
        self._desk.listings = self._listed(markets)
        self._desk.symbols = tuple(s for s in self._symbols if s in self._desk.listings)
        await self._client.ask("fetch_balance", urgent=True)  # a key that is not taken is told here
        # No account is named by the exchange: the key stands for the one that it opens.
        digest = hashlib.sha256(f"{self._client.name} {key}".encode()).hexdigest()
        self._account_id = f"key-{digest[:16]}"
        await self._identity.confirm(self._account_id)

    def _listed(self, markets: dict[str, Any]) -> dict[str, Listing]:
        found: dict[str, Listing] = {}
        mode = self._client.exchange.precisionMode
        for market in markets.values():
            if not market.get("spot"):
                continue
            try:
                listing = Listing(market, mode, self._client.name)
            except Rejected:
                continue  # `instrument` then says that it is not traded here
            found[listing.symbol] = listing
        return found

    def _found(self, variable: str) -> str:
        try:
            return self._secret(variable).reveal()
        except Exception as error:  # whatever looks for secrets says where in its words
            raise AuthFailed(str(error)) from error

    async def _hang_up(self) -> None:
        task, self._following = self._following, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        self._desk.forget()
        await self._client.close()

    async def _follow(self) -> None:
        """Ask until a question fails: what happened meanwhile is then looked at as a whole."""
        while True:
            await self._clock.sleep(EVERY_SECONDS)
            try:
                await self._follower.look()
            except Throttled as error:
                await self._clock.sleep(error.retry_after)
            except Exception as error:  # an execution that cannot be told is one that is missed
                self._inbox.link(LinkState.DISCONNECTED, str(error) or type(error).__name__)
                return

    # --- orders

    async def submit_order(self, order: OrderTerms) -> None:
        """Hand an order over, checked against the grids and bounds of its market first."""
        if order.type not in self._capabilities.order_types:
            words = ", ".join(sorted(self._capabilities.order_types))
            raise Rejected(
                "UNSUPPORTED", f"{order.type} at {self._client.name} is not built: {words} can be"
            )
        usual = order.type in HAVE_STOP or order.type is OrderType.MARKET
        if order.time_in_force not in self._capabilities.times_in_force and not usual:
            words = ", ".join(sorted(self._capabilities.times_in_force))
            raise Rejected("TIME_IN_FORCE", f"{order.time_in_force} cannot be kept: {words} can")
        self._check()
        await self._desk.submit(order)
        place = self._desk.place_of(order.client_order_id)
        if place is not None:
            self._follower.watch(*place)

    async def cancel_order(self, client_order_id: str) -> None:
        self._check()
        await self._desk.cancel(client_order_id)

    async def cancel_orders(self, client_order_ids: Sequence[str]) -> dict[str, BrokerError]:
        raise Rejected("UNSUPPORTED", "orders are cancelled one by one by ccxt")

    async def cancel_all(self) -> None:
        raise Rejected("UNSUPPORTED", "orders are cancelled one by one by ccxt")

    async def modify_order(
        self,
        client_order_id: str,
        quantity: Decimal,
        limit_price: Decimal | None = None,
        stop_price: Decimal | None = None,
        time_in_force: TimeInForce | None = None,
    ) -> None:
        raise Rejected("UNSUPPORTED", "an order is cancelled and placed anew by ccxt")

    async def get_order(self, client_order_id: str) -> VenueOrder | None:
        self._check()
        return await self._desk.find(client_order_id)

    async def get_open_orders(self) -> tuple[VenueOrder, ...]:
        self._check()
        return await self._desk.working()

    async def get_fills_since(self, since: Nanos) -> tuple[Fill, ...]:
        self._check()
        return await self._desk.fills_since(since)

    def _check(self) -> None:
        """Raises NotSent where nothing is connected."""
        if not self._is_connected:
            raise NotSent(f"{self._name} is not connected to {self._client.name}")

    # --- the account

    async def get_cash_movements_since(self, since: Nanos) -> tuple[CashMovement, ...]:
        raise Rejected("UNSUPPORTED", "the history of cash is not read by ccxt")

    async def get_positions(self) -> tuple[VenuePosition, ...]:
        self._check()
        held = self._money.held(await self._client.ask("fetch_balance"))
        prices = await self._prices(held)
        return tuple(
            [
                position(
                    symbol, quantity, await self._desk.newest_fills(symbol), prices.get(symbol)
                )
                for symbol, quantity in held.items()
            ]
        )

    async def get_account(self) -> Account:
        self._check()
        balance = await self._client.ask("fetch_balance")
        prices = await self._prices(self._desk.symbols)
        return self._money.account(balance, prices, self._account_id, self._clock.now())

    async def _prices(self, symbols: Sequence[str] | dict[str, Decimal]) -> dict[str, Decimal]:
        """The newest price of each symbol that has one."""
        wanted = [theirs(symbol) for symbol in symbols if symbol in self._desk.listings]
        if not wanted:
            return {}
        rows = await self._client.tickers(wanted)
        read = {ours(name): last_of(row) for name, row in rows.items()}
        return {symbol: price for symbol, price in read.items() if price is not None}

    async def instrument(self, symbol: str) -> Instrument:
        self._check()
        return self._desk.listing(symbol).instrument()

    async def server_time(self) -> Nanos:
        self._check()
        told = time_of_millis(await self._client.ask("fetch_time"))
        if not told:
            raise Ambiguous(f"{self._client.name} states no time")
        return told
