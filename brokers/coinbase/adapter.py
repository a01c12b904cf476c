"""The broker port over Coinbase Advanced Trade (C-250, E-07, X-61).

Orders go out over REST, each request once and with a token of its own. What becomes of them is told
by the user stream (`stream`, `follow`). Orders are asked about, and cancelled, by the venue's own
id: what is not known of that is found in its list of orders.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from decimal import Decimal
from typing import Final

import msgspec

from brokers import Secret, unclaimed
from brokers.coinbase.api import PRIVATE, Api, budget_of
from brokers.coinbase.balances import Treasury
from brokers.coinbase.follow import Follower
from brokers.coinbase.keys import read_key
from brokers.coinbase.known import KnownOrders
from brokers.coinbase.orders import OrderDesk
from brokers.coinbase.products import Products
from brokers.coinbase.settings import CoinbaseConfig
from brokers.coinbase.stream import HEARTBEATS, Channels, Message
from brokers.coinbase.symbols import Assets
from brokers.coinbase.wire import Permissions, UserEvent
from brokers.inbox import AccountInbox
from brokers.net.identity import Claim, Identity, Rights
from brokers.net.numbers import time_of
from engine.domain.account import Account, CashMovement, VenueOrder, VenuePosition
from engine.domain.instant import Nanos
from engine.domain.instrument import Instrument
from engine.domain.order import Fill, OrderTerms, OrderType, TimeInForce
from engine.domain.run import LinkState
from engine.ports import (
    AuthFailed,
    BrokerError,
    Capabilities,
    Clock,
    NotSent,
    Rejected,
    Report,
    StreamRefused,
    Throttled,
)

USER: Final = "user"
SNAPSHOT: Final = "snapshot"

CAPABILITIES: Final = Capabilities(
    order_types=frozenset(OrderType),
    times_in_force=frozenset({TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK}),
    # A stop rests as one with a limit far beyond it (`terms.wide_limit`). Where the price jumps
    # over that limit too, it is triggered and does not fill: the engine's own copy then closes.
    native_stop=True,
    # An edit may hang as EDIT_QUEUED, and reads a size that is left out as none: a change is made
    # by cancelling and placing again, which the engine does by itself.
    native_modify=False,
    reduce_only=False,
    shorting=False,
    fractional=True,
    # A repeated id makes no second order: the first one is the answer (documented, not seen live).
    # That is what the engine leans on when it sends an order that an earlier process may have sent,
    # and it asks first whether the venue lists that id: an order so old that its id might be
    # forgotten is found there.
    deduplicates=True,
    # A token is good for 10 s by the venue's clock, and an answer is waited for 5 s of them.
    late_arrival_seconds=5,
    timeout_seconds=5,
    cancel_all=False,
    # A quantity off `base_increment` is refused, that of a close too.
    odd_lots=False,
    cancels_together=True,
    nets_buying_power=True,
    states_instruments=True,
)

_ONLY_LIVE: Final = (
    "the sandbox of Coinbase gives canned answers and takes no orders: none is sent; environment "
    '= "live" trades, and a paper account trades on the live prices'
)


def account_id_of(portfolio: str) -> str:
    """The id of a portfolio without its hyphens: so it has the 32 characters of an account's id."""
    return portfolio.replace("-", "")


class CoinbaseBroker:
    """One portfolio at Coinbase. It reconnects only when told to."""

    def __init__(
        self,
        name: str,
        settings: CoinbaseConfig,
        clock: Clock,
        *,
        secret: Callable[[str], Secret],
        nonce: Callable[[], str],
        assets: Assets,
        rest_url: str,
        stream_url: str,
        claim: Claim = unclaimed,
    ) -> None:
        """`secret` finds the key by the name of its variable; `nonce` gives texts for tokens;
        `claim` keeps the account from other processes."""
        self._name = name
        self._identity = Identity(name, settings, claim)
        self._settings = settings
        self._clock = clock
        self._secret = secret
        self._nonce = nonce
        self._assets = assets
        self._is_live = settings.is_live
        self._portfolio = ""
        self._connected = False
        self._connecting = asyncio.Lock()
        self._inbox = AccountInbox(name, clock)
        self._api = Api(rest_url, clock, budget_of(PRIVATE, clock))
        self._known = KnownOrders()
        self._products = Products(self._api)
        self._orders = OrderDesk(name, self._api, self._products, self._known)
        self._treasury = Treasury(self._api, self._products, assets, has_prices=self._is_live)
        self._follower = Follower(
            name,
            clock,
            ask=self._orders.trades_of,
            tick_of=self._products.tick_of,
            tell=self._inbox.put,
            behind=self._fail,
        )
        self._stream = Channels(
            stream_url,
            (USER,),
            token=self._api.token,
            heard=self._heard,
            ended=self._lost,
        )
        self._ending: set[asyncio.Task[None]] = set()

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
        """Open REST and the user stream, and again after a break. Raises one of the six errors."""
        async with self._connecting:
            if self._connected and (self._stream.is_open or not self._is_live):
                return
            await self._forget()
            try:
                await self._api.open()
                rights = await (self._log_in() if self._is_live else self._look_in())
                await self._identity.confirm(account_id_of(self._portfolio), rights)
            except BaseException:
                await self._hang_up()
                raise
            if self._is_live:
                await self._listen()
            self._connected = True
            self._inbox.link(LinkState.CONNECTED)

    async def _listen(self) -> None:
        """Open the stream. Where only that is refused, requests go on all the same."""
        try:
            await self._stream.open()
        except (NotSent, Throttled) as error:
            self._connected = True
            raise StreamRefused.by(error) from error
        except BaseException:
            await self._hang_up()
            raise

    async def disconnect(self) -> None:
        """No order is cancelled (D-53)."""
        was, self._connected = self._connected, False
        await self._hang_up()
        if was:
            self._inbox.link(LinkState.DISCONNECTED, "disconnected by us")

    async def _log_in(self) -> Rights:
        """What the key may do in the portfolio that it is for, which is known then.

        Raises AuthFailed for one that may not trade.
        """
        self._api.key = read_key(
            self._found(self._settings.key_env), self._found(self._settings.secret_env), self._nonce
        )
        await self._api.set_clock()
        allowed: Permissions = await self._api.get("/key_permissions", Permissions, urgent=True)
        if not (allowed.can_view and allowed.can_trade):
            raise AuthFailed(
                f"the key of {self._name} may not {'trade' if allowed.can_view else 'view'} at "
                "Coinbase: a key with the permissions view and trade is needed"
            )
        self._portfolio = allowed.portfolio_uuid
        words = ("view", "trade") + (("transfer",) if allowed.can_transfer else ())
        return Rights(trade=True, withdraw=allowed.can_transfer, words=", ".join(words))

    async def _look_in(self) -> Rights:
        """The portfolio of the sandbox is known then, as its first balance names it; no order may
        be sent there."""
        rows = await self._treasury.balances("", urgent=True)
        named = (row.retail_portfolio_id for row in rows)
        self._portfolio = next((portfolio for portfolio in named if portfolio), "sandbox")
        return Rights(trade=False)

    def _found(self, variable: str) -> str:
        try:
            return self._secret(variable).reveal()
        except Exception as error:  # whatever looks for secrets says where in its words
            raise AuthFailed(str(error)) from error

    async def _hang_up(self) -> None:
        self._connected = False
        await self._forget()
        await self._api.close()
        self._api.key = None

    async def _forget(self) -> None:
        """Begin anew, but for requests that are under way."""
        await self._stream.close()
        await self._follower.stop()

    def _lost(self, why: str) -> None:
        """The stream has ended: what it would have told has to be looked at."""
        if self._connected:
            self._connected = False
            self._inbox.link(LinkState.DISCONNECTED, why)

    def _fail(self, why: str) -> None:
        """The stream is not to be leaned on any more: end it."""
        if self._connected:
            self._lost(why)
            task = asyncio.get_running_loop().create_task(self._stream.close())
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)

    # --- the stream

    def _heard(self, message: Message) -> None:
        told = time_of(message.timestamp)
        if message.channel == HEARTBEATS:
            if told:
                self._api.time.told(told)
            self._follower.beat()
        if message.channel != USER:
            return
        at = told or self._clock.now()
        for raw in message.events:
            event = msgspec.json.decode(raw, type=UserEvent)
            for update in event.orders or ():
                self._known.learn(update.client_order_id or "", update.order_id)
                if event.type == SNAPSHOT:
                    self._follower.snapshot(update)
                else:
                    self._follower.heard(update, at)

    # --- orders

    async def submit_order(self, order: OrderTerms) -> None:
        self._check()
        self._assets.check(order.symbol)
        await self._orders.submit(order)

    async def cancel_order(self, client_order_id: str) -> None:
        refused = await self.cancel_orders((client_order_id,))
        if client_order_id in refused:
            raise refused[client_order_id]

    async def cancel_orders(self, client_order_ids: Sequence[str]) -> dict[str, BrokerError]:
        self._check()
        return await self._orders.cancel(client_order_ids)

    async def cancel_all(self) -> None:
        raise Rejected("UNSUPPORTED", "Coinbase has no request that cancels every order")

    async def modify_order(
        self,
        client_order_id: str,
        quantity: Decimal,
        limit_price: Decimal | None = None,
        stop_price: Decimal | None = None,
        time_in_force: TimeInForce | None = None,
    ) -> None:
        raise Rejected("UNSUPPORTED", "an order at Coinbase is cancelled and placed anew")

    async def get_order(self, client_order_id: str) -> VenueOrder | None:
        return await self._orders.find(client_order_id)

    async def get_open_orders(self) -> tuple[VenueOrder, ...]:
        return await self._orders.working()

    async def get_fills_since(self, since: Nanos) -> tuple[Fill, ...]:
        return await self._orders.fills_since(since)

    def _check(self) -> None:
        """Whether requests that change something may leave. Raises NotSent, Rejected."""
        if not self._connected:
            raise NotSent(f"{self._name} is not connected to Coinbase")
        if not self._is_live:
            raise Rejected("SANDBOX", _ONLY_LIVE)

    # --- the account

    async def get_cash_movements_since(self, since: Nanos) -> tuple[CashMovement, ...]:
        return ()

    async def get_positions(self) -> tuple[VenuePosition, ...]:
        return await self._treasury.positions(self._portfolio)

    async def get_account(self) -> Account:
        told = await self._treasury.account(self._portfolio, self._clock.now())
        return msgspec.structs.replace(told, account_id=account_id_of(self._portfolio))

    async def instrument(self, symbol: str) -> Instrument:
        try:
            product = await self._products.ask(symbol)
        except Rejected as error:
            raise Rejected("UNKNOWN_SYMBOL", f"{symbol} at Coinbase: {error.text}") from error
        return product.instrument()

    async def server_time(self) -> Nanos:
        return await self._api.server_time()

    def reports(self) -> AsyncIterator[Report]:
        """Every report from the first connect on; one reader at a time."""
        return self._inbox.read()
