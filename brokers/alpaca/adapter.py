"""An account at Alpaca behind the broker port (C-291).

Orders, questions and cancels go through alpaca-py (`client`, `sdk`), what happens to orders comes
by the stream of the account (`stream`). A change of a working order would be another order there,
with another id and another share of the money, so that this adapter offers none (C-124).
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from urllib.parse import quote

from brokers import unclaimed
from brokers.alpaca.activities import fill_of_activity, moved_at, movement_of
from brokers.alpaca.client import WAIT_SECONDS, Client
from brokers.alpaca.keys import Keys
from brokers.alpaca.known import KnownOrders, Named
from brokers.alpaca.refusals import UNKNOWN
from brokers.alpaca.rules import (
    BY_KIND,
    OF_PARTS,
    Rules,
    body_of,
    rules_of_asset,
    rules_of_contract,
)
from brokers.alpaca.stream import UpdateStream
from brokers.alpaca.symbols import asset_path, kind_of
from brokers.alpaca.wire import (
    AccountRow,
    ActivityRow,
    AssetRow,
    CancelRow,
    ClockRow,
    ContractRow,
    OrderRow,
    PositionRow,
    account_of,
    flat,
    order_of,
    position_of,
    text,
)
from brokers.inbox import AccountInbox
from brokers.net.budget import Need
from brokers.net.identity import Claim, Identity
from brokers.net.numbers import number, time_of
from brokers.net.unsent import nothing_sent_yet
from engine.config.venue import RealVenueConfig
from engine.domain.account import Account, CashMovement, VenueOrder, VenuePosition
from engine.domain.ids import venue_order_id_of
from engine.domain.instant import NS_PER_SECOND, Nanos
from engine.domain.instrument import AssetClass, Instrument
from engine.domain.order import Fill, OrderTerms, OrderType, TimeInForce
from engine.domain.run import LinkState
from engine.ports import (
    Ambiguous,
    BrokerError,
    Capabilities,
    Clock,
    NotSent,
    Rejected,
    Report,
    StreamRefused,
    Throttled,
)

CAPABILITIES: Final = Capabilities(
    order_types=frozenset(OrderType),
    times_in_force=frozenset(TimeInForce),
    by_kind=BY_KIND,
    of_parts=dict.fromkeys((AssetClass.STOCK, AssetClass.ETF), OF_PARTS),
    native_stop=True,
    native_modify=False,
    reduce_only=False,
    shorting=True,
    fractional=True,
    # 422 "client_order_id must be unique", also after the order has ended (research §2).
    deduplicates=True,
    # A gateway may hold an order for 5 s and more before it is carried out; nothing bounds that.
    late_arrival_seconds=10,
    timeout_seconds=WAIT_SECONDS,
    # The history of executions is behind the stream, by seconds.
    late_execution_seconds=10,
    cancel_all=True,
    cancels_together=False,
    nets_buying_power=True,
    states_instruments=True,
    history=True,
)

ORDERS_A_PAGE: Final = 500
LINES_A_PAGE: Final = 100
MOST_PAGES: Final = 100
ASKED_ONE_BY_ONE: Final = 3
"""So many orders whose executions are listed are asked for by themselves; more, as a list first."""

LOOK_COST: Final = 4
"""A look at the account asks for its orders, its holdings, its balances and its history of cash. It
begins only where there is room for all of them: one that breaks off in the middle tells nothing,
and what it used up is missing for exits. The list of orders, which comes first, pays for all."""

_CANCELLED: Final = frozenset({200, 204, 404, 422})
"""What is said of an order in the cancel of all that is being cancelled, or had ended."""


class AlpacaBroker:
    """One account. `rest_url` is without `/v2`, `stream_url` whole."""

    def __init__(
        self,
        name: str,
        settings: RealVenueConfig,
        clock: Clock,
        *,
        keys: Keys,
        rest_url: str,
        stream_url: str,
        claim: Claim = unclaimed,
    ) -> None:
        """`claim` keeps the account from other processes, see `brokers.net.identity`."""
        self._name = name
        self._identity = Identity(name, settings, claim)
        self._clock = clock
        self._keys = keys
        self._stream_url = stream_url
        self._client = Client(rest_url, keys, clock)
        self._inbox = AccountInbox(name, clock)
        self._known = KnownOrders()
        self._rules: dict[str, Rules] = {}
        self._fresh: set[str] = set()
        """Of these the rules were asked on this connection."""
        self._questions: dict[str, asyncio.Future[Rules]] = {}
        """What is being asked of an instrument, for whoever needs the same."""
        self._stream: UpdateStream | None = None
        self._up = False

    @property
    def name(self) -> str:
        return self._name

    @property
    def identity(self) -> Identity:
        return self._identity

    @property
    def capabilities(self) -> Capabilities:
        return CAPABILITIES

    # --- the connection ---------------------------------------------------------------------------

    async def connect(self) -> None:
        """Log in to both, and make sure whose account it is (C-201)."""
        if self._up:
            return
        await self._leave_stream()
        try:
            await self._client.open()
            account: AccountRow = await self._client.get("/account", AccountRow, need=Need.REDUCE)
            await self._identity.confirm(text(account.account_number))
            stream = self._stream = UpdateStream(
                self._stream_url,
                self._name,
                keys=self._keys,
                known=self._known,
                heard=self._inbox.put,
                ended=lambda why: self._broke(stream, why),
            )
            try:
                await stream.open()
            except (NotSent, Throttled) as error:  # the place of one that broke is kept there
                raise StreamRefused.by(error) from error
        except StreamRefused:
            await self._leave_stream()  # requests go on
            raise
        except BaseException:
            await self._hang_up()
            raise
        # Facts of instruments, such as whether one can be sold short, change from day to day.
        self._fresh.clear()
        self._up = True
        self._inbox.link(LinkState.CONNECTED)

    async def disconnect(self) -> None:
        was_up, self._up = self._up, False
        await self._hang_up()
        if was_up:
            self._inbox.link(LinkState.DISCONNECTED, "disconnected by us")

    async def _hang_up(self) -> None:
        self._client.close()
        await self._leave_stream()

    async def _leave_stream(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            await stream.close()

    def _broke(self, stream: UpdateStream, why: str) -> None:
        """The stream is over. What it still says is told; requests end as they may."""
        if stream is self._stream and self._up:
            self._up = False
            self._inbox.link(LinkState.DISCONNECTED, why)

    # --- orders -----------------------------------------------------------------------------------

    async def submit_order(self, order: OrderTerms) -> None:
        body = body_of(order, await self._rules_of(order.symbol, urgent=order.reduce_only))
        self._known.sent(order.client_order_id, order.side)
        row: OrderRow = await self._client.post(
            "/orders", body, OrderRow, need=Need.of(urgent=order.reduce_only)
        )
        if not text(row.id):
            raise Ambiguous(f"the answer to order {order.client_order_id} names no order")
        self._known.see(row)

    async def cancel_order(self, client_order_id: str) -> None:
        there = venue_order_id_of(client_order_id) or self._known.venue_id(client_order_id)
        if not there:
            there = await self._asked_id(client_order_id)
        await self._client.delete(f"/orders/{quote(there, safe='')}")

    async def _asked_id(self, client_order_id: str) -> str:
        """What Alpaca calls an order. Raises NotSent where it does not answer: the cancel that is
        meant was not sent."""
        with nothing_sent_yet("the order to cancel could not be asked"):
            row = await self._row_of(client_order_id)
        if row is None:
            raise Rejected(UNKNOWN, f"Alpaca knows no order {client_order_id}")
        return text(row.id)

    async def cancel_orders(self, client_order_ids: Sequence[str]) -> dict[str, BrokerError]:
        refused = Rejected("CANCELS_TOGETHER", "Alpaca cancels one order a request, or all")
        return dict.fromkeys(client_order_ids, refused)

    async def cancel_all(self) -> None:
        rows: list[CancelRow] = await self._client.delete("/orders", list[CancelRow])
        left = [row for row in rows if row.status not in _CANCELLED]
        if left:
            raise Ambiguous(
                f"{len(left)} of {len(rows)} orders were not cancelled: HTTP {left[0].status} for "
                f"{text(left[0].id)}"
            )

    async def modify_order(
        self,
        client_order_id: str,
        quantity: Decimal,
        limit_price: Decimal | None = None,
        stop_price: Decimal | None = None,
        time_in_force: TimeInForce | None = None,
    ) -> None:
        raise Rejected("MODIFY", "Alpaca changes an order by another one: cancel it and send anew")

    async def get_order(self, client_order_id: str) -> VenueOrder | None:
        row = await self._row_of(client_order_id)
        return None if row is None else order_of(row, self._known.see(row).side)

    async def _row_of(self, client_order_id: str) -> OrderRow | None:
        """An order by our id, or by what Alpaca calls it; None only where it says so itself."""
        there = venue_order_id_of(client_order_id)
        asked: Awaitable[Any]
        if there:
            asked = self._client.get(f"/orders/{quote(there, safe='')}", OrderRow, need=Need.REDUCE)
        else:
            query = {"client_order_id": client_order_id}
            asked = self._client.get(
                "/orders:by_client_order_id", OrderRow, query, need=Need.REDUCE
            )
        try:
            row: OrderRow = await asked
        except Rejected as error:
            if error.code == UNKNOWN:
                return None
            raise
        self._known.see(row)
        return row

    async def get_open_orders(self) -> tuple[VenueOrder, ...]:
        rows = flat(await self._pages_of_orders({"status": "open", "direction": "asc"}))
        return tuple(order_of(row, self._known.see(row).side) for row in rows)

    async def _pages_of_orders(self, query: dict[str, str]) -> list[OrderRow]:
        """Every order of a list. Raises Ambiguous where a page brings nothing new: a part of a list
        is none."""
        found: dict[str, OrderRow] = {}
        after: dict[str, str] = {}
        for _ in range(MOST_PAGES):
            asked = {**query, "limit": str(ORDERS_A_PAGE), "nested": "false", **after}
            cost = 0 if found else LOOK_COST
            page: list[OrderRow] = await self._client.get(
                "/orders", list[OrderRow], asked, need=Need.LOOK, cost=cost
            )
            known = len(found)
            found.update((text(row.id), row) for row in page)
            if len(page) < ORDERS_A_PAGE:
                return list(found.values())
            if len(found) == known:
                break
            after = {"after_order_id": text(page[-1].id)}
        raise Ambiguous(f"the list of orders does not end after {len(found)}")

    # --- the account ------------------------------------------------------------------------------

    async def get_fills_since(self, since: Nanos) -> tuple[Fill, ...]:
        """Also what became of one order is asked with it, so that it is urgent."""
        rows = await self._activities("/account/activities/FILL", {}, since, need=Need.REDUCE)
        rows = [row for row in rows if not 0 < time_of(row.transaction_time) < since]
        named = await self._names_of({text(row.order_id) for row in rows})
        fills = [fill_of_activity(self._name, row, named.get(text(row.order_id))) for row in rows]
        return tuple(sorted(fills, key=lambda fill: fill.time))

    async def _names_of(self, order_ids: set[str]) -> dict[str, Named]:
        """What the executions of these orders are told with; an order that Alpaca does not know
        any more has no name."""
        missing = sorted(one for one in order_ids if self._known.named(one) is None)
        if len(missing) > ASKED_ONE_BY_ONE:
            query = {"status": "all", "limit": str(ORDERS_A_PAGE), "direction": "desc"}
            for row in await self._client.get("/orders", list[OrderRow], query, need=Need.REDUCE):
                self._known.see(row)
            missing = [one for one in missing if self._known.named(one) is None]
        for there in missing:
            try:
                self._known.see(
                    await self._client.get(
                        f"/orders/{quote(there, safe='')}", OrderRow, need=Need.REDUCE
                    )
                )
            except Rejected as error:
                if error.code != UNKNOWN:
                    raise
        return {one: named for one in order_ids if (named := self._known.named(one)) is not None}

    async def get_cash_movements_since(self, since: Nanos) -> tuple[CashMovement, ...]:
        rows = await self._activities(
            "/account/activities", {"category": "non_trade_activity"}, since, need=Need.ADD
        )
        # A line that has a day and no time is told as often as it is listed: it has an id.
        found = [
            movement_of(row) for row in rows if not (moved_at(row)[1] and moved_at(row)[0] < since)
        ]
        return tuple(sorted((m for m in found if m is not None), key=lambda m: m.time))

    async def _activities(
        self, path: str, query: dict[str, str], since: Nanos, *, need: Need
    ) -> list[ActivityRow]:
        """Every line that was created after about `since`, oldest first: the venue takes whole
        seconds and leaves out the moment itself."""
        query = {**query, "direction": "asc", "page_size": str(LINES_A_PAGE)}
        begin = since // NS_PER_SECOND - 1
        if begin > 0:
            moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=begin)
            query["after"] = f"{moment:%Y-%m-%dT%H:%M:%SZ}"
        found: dict[str, ActivityRow] = {}
        for _ in range(MOST_PAGES):
            page: list[ActivityRow] = await self._client.get(
                path, list[ActivityRow], query, need=need, cost=int(need is Need.REDUCE)
            )
            known = len(found)
            found.update((text(row.id) or f"#{len(found)}", row) for row in page)
            if len(page) < LINES_A_PAGE:
                return list(found.values())
            if len(found) == known:
                break
            query["page_token"] = text(page[-1].id)
        raise Ambiguous(f"the history of the account does not end after {len(found)} lines")

    async def get_positions(self) -> tuple[VenuePosition, ...]:
        rows: list[PositionRow] = await self._client.get("/positions", list[PositionRow], cost=0)
        return tuple(position_of(row) for row in rows if number(row.qty) != 0)

    async def get_account(self) -> Account:
        row: AccountRow = await self._client.get("/account", AccountRow, cost=0)
        return account_of(row, self._clock.now())

    async def instrument(self, symbol: str) -> Instrument:
        rules = await self._rules_of(symbol)
        if not rules.tradable:
            raise Rejected("SYMBOL", f"{symbol} is not tradable at Alpaca now")
        return rules.instrument

    async def _rules_of(self, symbol: str, *, urgent: bool = False) -> Rules:
        """What Alpaca takes of an instrument; asked once a connection, but for what is urgent: that
        goes by what was known. Orders that come together share one question."""
        known = self._rules.get(symbol)
        if known is not None and (urgent or symbol in self._fresh):
            return known
        asked = self._questions.get(symbol)
        if asked is not None and not urgent:
            return await asyncio.shield(asked)
        answer: asyncio.Future[Rules] = asyncio.get_running_loop().create_future()
        self._questions[symbol] = answer
        try:
            rules = await self._asked_rules(symbol, urgent=urgent)
        except BaseException as error:
            given_up = NotSent(f"the question about {symbol} was given up")
            answer.set_exception(error if isinstance(error, BrokerError) else given_up)
            answer.exception()  # nobody else may be there to hear it
            raise
        finally:
            if self._questions.get(symbol) is answer:
                del self._questions[symbol]
        answer.set_result(rules)
        self._rules[symbol] = rules
        self._fresh.add(symbol)
        return rules

    async def _asked_rules(self, symbol: str, *, urgent: bool) -> Rules:
        """The same from the venue. Raises NotSent where it does not answer: the order for which it
        was asked did not leave."""
        there = quote(asset_path(symbol), safe="")
        with nothing_sent_yet(f"what Alpaca takes of {symbol} could not be asked"):
            if kind_of(symbol) is AssetClass.OPTION:
                contract: ContractRow = await self._client.get(
                    f"/options/contracts/{there}", ContractRow, need=Need.of(urgent=urgent)
                )
                return rules_of_contract(symbol, contract)
            asset: AssetRow = await self._client.get(
                f"/assets/{there}", AssetRow, need=Need.of(urgent=urgent)
            )
            return rules_of_asset(symbol, asset)

    async def server_time(self) -> Nanos:
        row: ClockRow = await self._client.get("/clock", ClockRow)
        at = time_of(row.timestamp)
        if not at:
            raise Ambiguous(f"the venue's clock says {text(row.timestamp)!r:.40}")
        return at

    def reports(self) -> AsyncIterator[Report]:
        return self._inbox.read()
