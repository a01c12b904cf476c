"""One account at OKX behind the broker port: spot in cash mode (C-260, D-44, E-12).

Requests go over REST, each once; what becomes of them is told by the private streams. Stops are
orders of another kind there: they rest at the venue under our id, and once triggered the order that
a stop has become is told under that id too.
"""

from collections.abc import AsyncIterator, Sequence
from decimal import Decimal
from typing import Any, Final

from brokers import unclaimed
from brokers.inbox import AccountInbox
from brokers.net.identity import Claim, Identity, Rights
from brokers.net.numbers import number, written
from brokers.okx.changes import Changes
from brokers.okx.client import EXPIRES_SECONDS, STOP_SECONDS, Client
from brokers.okx.grids import Grids
from brokers.okx.hosts import Hosts
from brokers.okx.lists import Lists
from brokers.okx.money import DOLLAR, Money, account_of, positions_of, rate_of
from brokers.okx.places import Place, Places
from brokers.okx.reports import Reports
from brokers.okx.settings import OkxConfig
from brokers.okx.stream import AccountStream
from brokers.okx.terms import (
    ORDER_TYPES,
    TIMES_IN_FORCE,
    is_stop,
    order_body,
    refuse_off_grid,
    refuse_wrong,
    stop_body,
)
from brokers.okx.translation import order_of, stop_of
from brokers.okx.wire import TRIGGERED, AckRow, AlgoRow, BalanceRow, ConfigRow, IndexRow, OrderRow
from engine.domain.account import Account, CashMovement, VenueOrder, VenuePosition
from engine.domain.ids import venue_order_id_of
from engine.domain.instant import Nanos
from engine.domain.instrument import Instrument
from engine.domain.money import is_positive
from engine.domain.order import Fill, OrderTerms, TimeInForce
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
    StreamRefused,
    Throttled,
)

SPOT_MODE: Final = "1"
"""`acctLv` of an account that can neither borrow against what it holds nor hold derivatives."""

ANSWER_SECONDS: Final = 5.0
"""A connection and an answer take at most 4.5 s (`brokers.net.rest`)."""

UNKNOWN_ORDER: Final = "UNKNOWN_ORDER"

OKX_CAN: Final = Capabilities(
    order_types=ORDER_TYPES,
    times_in_force=TIMES_IN_FORCE,
    native_stop=True,
    native_modify=True,
    # Spot in cash mode refuses the word; what would cross zero is refused for want of the coin.
    reduce_only=False,
    shorting=False,
    fractional=True,
    # Unique among resting orders alone (51016).
    deduplicates=False,
    # From when it was signed. The facts of its symbol may have been asked for before that, which
    # takes no longer than the time-out that is counted too.
    late_arrival_seconds=max(EXPIRES_SECONDS, STOP_SECONDS),
    timeout_seconds=ANSWER_SECONDS,
    cancel_all=False,
    odd_lots=False,
    nets_buying_power=True,
    states_instruments=True,
)


class OkxBroker:
    """An account at OKX. See `engine.ports.Broker` for what each method promises."""

    def __init__(
        self,
        name: str,
        settings: OkxConfig,
        *,
        hosts: Hosts,
        client: Client,
        money: Money,
        clock: Clock,
        claim: Claim = unclaimed,
    ) -> None:
        """`name` is the account's under `[brokers]`; `claim` keeps it from other processes."""
        self._name = name
        self._identity = Identity(name, settings, claim)
        self._hosts = hosts
        self._client = client
        self._money = money
        self._inbox = AccountInbox(name, clock)
        self._grids = Grids(client)
        self._places = Places()
        self._lists = Lists(name, client, self._places)
        self._changes = Changes(client, clock)
        self._reports = Reports(name, self._inbox, self._lists, client.now)
        self._stream: AccountStream | None = None
        self._uid = ""

    @property
    def name(self) -> str:
        return self._name

    @property
    def identity(self) -> Identity:
        return self._identity

    @property
    def capabilities(self) -> Capabilities:
        return OKX_CAN

    # --- the connection

    async def connect(self) -> None:
        """Open REST and both streams, after the account is confirmed (C-201)."""
        if self._stream is not None and self._stream.is_open:
            return
        await self._leave_stream("connected anew")
        try:
            await self._client.open()
            await self._client.server_time(urgent=True)
            await self._confirm()
            self._grids.forget()
            stream = AccountStream(
                private=self._hosts.private,
                business=self._hosts.business,
                login=self._client.login,
                order=self._on_order,
                stop=self._on_stop,
                ended=self._on_end,
            )
            self._stream = stream
            try:
                await stream.open()
            except (NotSent, Throttled) as error:
                raise StreamRefused.by(error) from error
        except StreamRefused as error:
            await self._leave_stream(str(error))  # requests go on
            raise
        except BaseException:
            await self._shut()
            raise
        self._inbox.link(LinkState.CONNECTED)

    async def disconnect(self) -> None:
        """No order is cancelled (D-53)."""
        was_open = self._stream is not None and self._stream.is_open
        await self._shut()
        if was_open:
            self._inbox.link(LinkState.DISCONNECTED, "disconnected by us")

    async def _confirm(self) -> None:
        """Raises AuthFailed for another account, or one that is set up in another way."""
        (row, *_) = await self._client.get("/account/config", ConfigRow, urgent=True, at_least=1)
        given = row.perm.split(",") if row.perm else None
        rights = Rights(
            trade=None if given is None else "trade" in given,
            withdraw=None if given is None else "withdraw" in given,
            words=row.perm,
        )
        await self._identity.confirm(row.uid, rights)
        if row.acct_lv != SPOT_MODE:
            raise AuthFailed(
                f"account {row.uid} is in account mode {row.acct_lv}: only spot mode "
                f"({SPOT_MODE}) is allowed, in which nothing can be borrowed unseen; a sub-account "
                "may be set to it"
            )
        if rights.trade is False:
            raise AuthFailed(f"the key of account {row.uid} may {row.perm}, and not trade")
        self._uid = row.uid

    async def _shut(self) -> None:
        await self._leave_stream("disconnected")
        await self._client.close()

    async def _leave_stream(self, why: str) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            await stream.close()
        self._let_go(why)
        await self._reports.end()

    def _on_end(self, why: str) -> None:
        self._let_go(why)
        self._inbox.link(LinkState.DISCONNECTED, why)

    def _let_go(self, why: str) -> None:
        """Nobody will tell the outcome of a change any more, nor what was told before."""
        self._reports.forget()
        self._changes.lost(why)

    def reports(self) -> AsyncIterator[Report]:
        return self._inbox.read()

    # --- orders

    async def submit_order(self, order: OrderTerms) -> None:
        grid = await self._grids.before_sending(order.symbol)
        refuse_wrong(order, grid)
        urgent, stop = not order.adds_exposure, is_stop(order)
        place = self._places.sent(order.client_order_id, order.symbol, is_stop=stop)
        if stop:
            (ack, *_) = await self._client.post(
                "/trade/order-algo", stop_body(order), AckRow, urgent=urgent
            )
            place.algo_id = named = ack.algo_id
        else:
            (ack, *_) = await self._client.post(
                "/trade/order", order_body(order), AckRow, urgent=urgent
            )
            place.order_id = named = ack.ord_id
        if not named:
            raise Ambiguous(f"the answer to order {order.client_order_id} names no order")

    async def cancel_order(self, client_order_id: str) -> None:
        place = await self._place(client_order_id)
        if place.is_stop and not place.order_id:
            algo_id = place.algo_id or await self._algo_id(client_order_id)
            body: Any = [{"instId": place.symbol, "algoId": algo_id}]
            await self._client.post("/trade/cancel-algos", body, AckRow, urgent=True)
            return
        body = {"instId": place.symbol}
        body |= {"ordId": place.order_id} if place.order_id else {"clOrdId": client_order_id}
        await self._client.post("/trade/cancel-order", body, AckRow, urgent=True)

    async def cancel_orders(self, client_order_ids: Sequence[str]) -> dict[str, BrokerError]:
        raise Rejected("NOT_SUPPORTED", "orders are cancelled one by one at OKX")

    async def cancel_all(self) -> None:
        raise Rejected("NOT_SUPPORTED", "OKX has no request that cancels all spot orders")

    async def modify_order(
        self,
        client_order_id: str,
        quantity: Decimal,
        limit_price: Decimal | None = None,
        stop_price: Decimal | None = None,
        time_in_force: TimeInForce | None = None,
    ) -> None:
        """That a change was taken is no outcome of it: that is told by a stream. Ambiguous where it
        is not told in time."""
        key = client_order_id
        place = await self._place(key)
        if time_in_force not in {None, TimeInForce.GTC}:
            raise Rejected("TIME_IN_FORCE", f"{time_in_force}: it cannot be changed at OKX")
        if stop_price is not None and not place.is_stop:
            raise Rejected("STOP_PRICE", f"order {key} has no stop price")
        grid = await self._grids.before_sending(place.symbol)
        refuse_off_grid(grid, quantity, limit_price, stop_price)
        body: dict[str, Any] = {"instId": place.symbol, "newSz": written(quantity)}
        if place.is_stop:
            body["algoId"] = place.algo_id or await self._algo_id(key)
            body |= {} if stop_price is None else {"newSlTriggerPx": written(stop_price)}
            body |= {} if limit_price is None else {"newSlOrdPx": written(limit_price)}
            await self._changes.ask(key, "/trade/amend-algos", body, urgent=True)
            return
        body |= {"ordId": place.order_id} if place.order_id else {"clOrdId": key}
        body |= {} if limit_price is None else {"newPx": written(limit_price)}
        await self._changes.ask(key, "/trade/amend-order", body)

    async def _place(self, key: str) -> Place:
        """Where an order is. Raises Rejected where the venue knows none of that id."""
        place = self._places.find(key)
        if place is None:
            if venue_order_id_of(key):
                await self._lists.find(key)
            elif await self._lists.stop(client_id=key) is None:
                await self._lists.search(key)
            place = self._places.find(key)
        if place is None:
            raise Rejected(UNKNOWN_ORDER, f"OKX knows no order {key}")
        return place

    async def _algo_id(self, key: str) -> str:
        """What the venue calls a stop whose acknowledgement was lost."""
        row = await self._lists.stop(client_id=key)
        if row is None:
            raise Rejected(UNKNOWN_ORDER, f"OKX knows no stop {key}")
        return row.algo_id

    # --- questions

    async def get_order(self, client_order_id: str) -> VenueOrder | None:
        key = client_order_id
        place = self._places.find(key)
        if place is not None and not place.is_stop:
            row = await self._lists.order(place.symbol, order_id=place.order_id, client_id=key)
            return None if row is None else order_of(row)
        if venue_order_id_of(key):
            return None if place is None else await self._stop(algo_id=place.algo_id)
        stop = await self._stop(client_id=key)
        if stop is not None or place is not None:
            return stop
        row = await self._lists.search(key)
        return None if row is None else order_of(row)

    async def _stop(self, *, client_id: str = "", algo_id: str = "") -> VenueOrder | None:
        """A stop, with what has become of it once it has triggered."""
        row = await self._lists.stop(client_id=client_id, algo_id=algo_id)
        if row is None or row.state not in TRIGGERED:
            return None if row is None else stop_of(row)
        child = None
        if row.child_id:
            child = await self._lists.order(row.inst_id, order_id=row.child_id)
        if child is None:
            raise Ambiguous(f"stop {row.algo_id} has triggered, and its order is not told")
        return stop_of(row, child)

    async def get_open_orders(self) -> tuple[VenueOrder, ...]:
        return await self._lists.open_orders()

    async def get_fills_since(self, since: Nanos) -> tuple[Fill, ...]:
        return await self._lists.fills_since(since, self._client.now())

    async def get_cash_movements_since(self, since: Nanos) -> tuple[CashMovement, ...]:
        return ()

    async def get_positions(self) -> tuple[VenuePosition, ...]:
        row = await self._balances()
        return positions_of(self._money, row, rate_of(self._money, row))

    async def get_account(self) -> Account:
        row = await self._balances()
        rate = rate_of(self._money, row) or await self._rate()
        return account_of(self._uid, self._money, row, rate, self._client.now())

    async def _balances(self) -> BalanceRow:
        (row, *_) = await self._client.get("/account/balance", BalanceRow, urgent=True, at_least=1)
        balances: BalanceRow = row
        return balances

    async def _rate(self) -> Decimal:
        """Dollars for one unit of the account's currency, where the account has too little of it
        to say."""
        pair = f"{self._money.currency}-{DOLLAR}"
        (row, *_) = await self._client.get(
            "/market/index-tickers", IndexRow, {"instId": pair}, at_least=1, urgent=True
        )
        rate = number(row.idx_px)
        if not is_positive(rate):
            raise Ambiguous(f"the index {pair} is {row.idx_px!r}")
        return rate

    async def instrument(self, symbol: str) -> Instrument:
        return (await self._grids.of(symbol)).instrument

    async def server_time(self) -> Nanos:
        return await self._client.server_time()

    # --- what the streams tell

    def _on_order(self, row: OrderRow) -> None:
        self._places.saw(row)
        self._changes.told(row)
        self._reports.order(row)

    def _on_stop(self, row: AlgoRow) -> None:
        self._places.saw_stop(row)
        self._changes.told(row)
        self._reports.stop(row)
