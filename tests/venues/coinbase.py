"""A local Coinbase Advanced Trade: its paths, its tokens, its numbered streams, and its faults.

It shares no code with the adapter. Tokens are checked as the venue checks them: key, issuer, times,
the method and path they name, and that none is used twice. Its faults are those of
research/venues.md §7, as methods and switches, beside those of `Served`.
"""

import asyncio
import contextlib
import json
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

import jwt
from aiohttp import WSMsgType, web

from tests.venues.exchange import Change, Exchange, Execution, Order, Refused, Rules
from tests.venues.served import Served

PATH: Final = "/api/v3/brokerage"
PORTFOLIO: Final = "5f2b7f3e-1111-4222-8333-944444444444"
KEY_NAME: Final = "organizations/11111111-2222/apiKeys/canary-33333333"
SNAPSHOT_PAGE: Final = 50

REASONS: Final = {
    "FUNDS": "INSUFFICIENT_FUND",
    "PRICE": "INVALID_PRICE_PRECISION",
    "QUANTITY": "INVALID_SIZE_PRECISION",
    "SYMBOL": "INVALID_PRODUCT_ID",
    "NO_PRICE": "PREVIEW_MISSING_PRODUCT_PRICE_BOOK",
}


def text(value: Decimal | None) -> str:
    return "" if value is None else format(value, "f")


def iso(ns: int) -> str:
    seconds, rest = divmod(ns, 1_000_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:09d}Z"


def nanos(given: str) -> int:
    whole, _, rest = given.removesuffix("Z").partition(".")
    moment = datetime.fromisoformat(whole).replace(tzinfo=UTC)
    return int(moment.timestamp()) * 1_000_000_000 + int(rest.ljust(9, "0") or 0)


@dataclass
class Stream:
    """One connection of a stream, with its own numbers."""

    socket: web.WebSocketResponse
    channels: set[str] = field(default_factory=set)
    products: set[str] = field(default_factory=set)
    number: int = 0
    tokens: list[str] = field(default_factory=list)
    unsent: asyncio.Queue[str] = field(default_factory=asyncio.Queue)
    swapped: list[str] | None = None
    """A list: a message waits in it for the next one, which goes first."""

    async def write(self) -> None:
        """Send what is to be said, in order."""
        with contextlib.suppress(ConnectionError, RuntimeError):
            while True:
                await self.socket.send_str(await self.unsent.get())


class CoinbaseVenue(Served):
    """One portfolio. `public_key` is that of the key in use."""

    def __init__(self, public_key: Any, algorithm: str, *, sandbox: bool = False) -> None:
        app = web.Application()
        super().__init__(app)
        self.public_key = public_key
        self.algorithm = algorithm
        self.sandbox = sandbox
        self.exchange = Exchange(
            (
                Rules("BTC-USD", lot=Decimal("0.0001"), min_notional=Decimal(1), base="BTC"),
                Rules("ETH-USD", lot=Decimal("0.001"), min_notional=Decimal(1), base="ETH"),
            ),
            fee_rate=Decimal("0.006"),
            shorts=False,
            unique_while_open=False,
        )
        self.exchange.listeners.append(self._changed)
        self.can_trade = True
        self.can_transfer = False
        self.flags: dict[str, bool] = {}
        """Flags of every product, as trading_disabled."""
        self.page = 100
        """At most so many rows are in a page of a list."""
        self.refuse_next = ""
        """The next order is refused for this reason."""
        self.reason_field = "new_order_failure_reason"
        self.fail_next = ""
        """The next order is taken, and fails later for this reason."""
        self.cancel_reasons: dict[str, str] = {}
        """What a cancel of an order is answered with, by its id."""
        self.cancels_hang = False
        """A cancel is taken, and nothing more happens."""
        self.hides_fills = False
        """Executions are not in their list yet."""
        self.words: dict[str, str] = {}
        """The status of an order is this word, by its id, whatever it is."""
        self.trade_rows: list[dict[str, Any]] = []
        """Further rows of the list of executions."""
        self.in_money = False
        """Executions are told as amounts of money, to the cent."""
        self.order_rows: list[dict[str, Any]] = []
        self.account_rows: list[dict[str, Any]] = []
        self.configurations: dict[str, dict[str, Any]] = {}
        self.bodies: list[dict[str, Any]] = []
        """The orders that were sent, as they came."""
        self.uris: list[str] = []
        self.holds = False
        """Nothing is told by the streams until `release`, which tells how things stand then."""
        self.muted = False
        """Nothing is told by the streams, heartbeats included."""
        self.user_refused = ""
        self.refusal = "authentication failure"
        self.heartbeat_seconds = 0.05
        self.streams: list[Stream] = []
        self._held: dict[str, Order] = {}
        self._nonces: set[str] = set()
        self._beats = 0
        add = app.router.add_route
        add("GET", f"{PATH}/time", self._time, name="time")
        add("GET", f"{PATH}/key_permissions", self._permissions, name="key_permissions")
        add("GET", f"{PATH}/accounts", self._accounts, name="accounts")
        add("GET", f"{PATH}/products", self._products, name="products")
        add("GET", f"{PATH}/products/{{id}}", self._product, name="product")
        add("GET", f"{PATH}/market/products/{{id}}/candles", self._candles, name="candles")
        add("POST", f"{PATH}/orders", self._create, name="create")
        add("POST", f"{PATH}/orders/batch_cancel", self._cancel, name="cancel")
        add("GET", f"{PATH}/orders/historical/batch", self._orders, name="orders")
        add("GET", f"{PATH}/orders/historical/fills", self._fills, name="fills")
        add("GET", f"{PATH}/orders/historical/{{id}}", self._order, name="order")
        add("GET", "/stream", self._stream, name="stream")

    @property
    def stream_url(self) -> str:
        return f"{self.ws_url}/stream"

    async def stop(self) -> None:
        for stream in tuple(self.streams):
            await stream.socket.close()
        await super().stop()

    # --- tokens

    def _checked(self, token: str, uri: str) -> str:
        """Why a token is not accepted; "" where it is."""
        now = (self.exchange.wall() + self.exchange.skew) // 1_000_000_000
        try:
            header = jwt.get_unverified_header(token)
            claims = jwt.decode(
                token, self.public_key, algorithms=[self.algorithm],
                options={"verify_exp": False, "verify_nbf": False, "verify_iat": False},
            )  # fmt: skip
        except jwt.PyJWTError as error:
            return f"bad token: {error}"
        nonce = header.get("nonce", "")
        if not nonce or nonce in self._nonces:
            return "nonce is missing or was used"
        self._nonces.add(nonce)
        wanted = {"iss": "cdp", "sub": KEY_NAME}
        if uri:
            wanted["uri"] = uri
        elif "uri" in claims:
            return "uri in a token for a stream"
        for name, value in wanted.items():
            if claims.get(name) != value:
                return f"{name} is {claims.get(name)}, not {value}"
        if header.get("kid") != KEY_NAME:
            return "kid"
        if not claims["nbf"] <= now + 1 or not now < claims["exp"] <= claims["nbf"] + 120:
            return f"token is for {claims['nbf']} to {claims['exp']}, and it is {now}"
        return ""

    def _refused(self, request: web.Request) -> web.Response | None:
        """The refusal of a request whose token is not accepted."""
        if self.sandbox:
            answered = request.path.startswith((f"{PATH}/accounts", f"{PATH}/orders"))
            return None if answered else self._not_found("the sandbox knows accounts and orders")
        uri = f"{request.method} {request.host}{request.path}"
        self.uris.append(uri)
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        why = self._checked(token, uri)
        return web.Response(status=401, text=f"Unauthorized ({why})") if why else None

    # --- account and products

    async def _time(self, request: web.Request) -> web.Response:
        if self.sandbox and (refused := self._refused(request)):
            return refused
        ns = self.exchange.wall() + self.exchange.skew
        return web.json_response(
            {
                "iso": iso(ns),
                "epochSeconds": str(ns // 1_000_000_000),
                "epochMillis": str(ns // 1_000_000),
            }
        )

    async def _permissions(self, request: web.Request) -> web.Response:
        if refused := self._refused(request):
            return refused
        return web.json_response(
            {
                "can_view": True,
                "can_trade": self.can_trade,
                "can_transfer": self.can_transfer,
                "portfolio_uuid": PORTFOLIO,
                "portfolio_type": "DEFAULT",
            }
        )

    async def _accounts(self, request: web.Request) -> web.Response:
        if refused := self._refused(request):
            return refused
        exchange = self.exchange
        free = exchange.buying_power
        rows = [self.account("USD", free, exchange.cash["USD"] - free, "ACCOUNT_TYPE_FIAT")]
        for symbol, held in exchange.positions.items():
            sells = [o for o in exchange.open_orders if o.symbol == symbol and o.sign < 0]
            hold = min(sum((o.left for o in sells), Decimal(0)), held)
            rows.append(self.account(exchange.rules[symbol].base, held - hold, hold))
        rows += self.account_rows
        return self._paged(request, "accounts", rows)

    def account(
        self, currency: str, free: Decimal, hold: Decimal, kind: str = "ACCOUNT_TYPE_CRYPTO"
    ) -> dict[str, Any]:
        """One balance."""
        return {
            "uuid": str(uuid.uuid5(uuid.NAMESPACE_DNS, currency)),
            "name": f"{currency} Wallet",
            "currency": currency,
            "available_balance": {"value": text(free), "currency": currency},
            "default": True,
            "active": True,
            "created_at": "2021-05-31T09:59:59Z",
            "updated_at": "2021-05-31T09:59:59Z",
            "deleted_at": None,
            "type": kind,
            "ready": True,
            "hold": {"value": text(hold), "currency": currency},
            "retail_portfolio_id": PORTFOLIO,
        }

    def _paged(self, request: web.Request, name: str, rows: list[Any]) -> web.Response:
        begin = int(request.query.get("cursor") or 0)
        size = min(int(request.query.get("limit", 49)), self.page)
        end = begin + size
        more = end < len(rows)
        body = {name: rows[begin:end], "cursor": str(end) if more else "", "has_next": more}
        if name == "fills":
            del body["has_next"]
        return web.json_response(body)

    def product(self, symbol: str) -> dict[str, Any]:
        rules = self.exchange.rules[symbol]
        flags = ("is_disabled", "new", "cancel_only", "limit_only", "post_only",
                 "trading_disabled", "auction_mode", "view_only")  # fmt: skip
        return {
            "product_id": symbol,
            "price": text(self.exchange.prices.get(symbol)),
            "price_percentage_change_24h": "0.1",
            "volume_24h": "1",
            "base_increment": text(rules.lot),
            "quote_increment": text(rules.tick),
            "price_increment": text(rules.tick),
            "quote_min_size": text(rules.min_notional),
            "quote_max_size": "150000000",
            "base_min_size": text(rules.lot),
            "base_max_size": "1000000000",
            "status": "online",
            "product_type": "SPOT",
            "base_currency_id": rules.base,
            "quote_currency_id": rules.quote,
            **dict.fromkeys(flags, False),
            **self.flags,
        }

    async def _products(self, request: web.Request) -> web.Response:
        if refused := self._refused(request):
            return refused
        wanted = request.query.getall("product_ids", [])
        rows = [self.product(s) for s in self.exchange.rules if not wanted or s in wanted]
        return web.json_response({"products": rows, "num_products": len(rows)})

    async def _product(self, request: web.Request) -> web.Response:
        if refused := self._refused(request):
            return refused
        symbol = request.match_info["id"]
        if symbol not in self.exchange.rules:
            return self._not_found("valid product_id is required")
        return web.json_response(self.product(symbol))

    def _not_found(self, message: str) -> web.Response:
        body = {"error": "NOT_FOUND", "error_details": message, "message": message}
        return web.json_response(body, status=404)

    async def _candles(self, request: web.Request) -> web.Response:
        start, end = int(request.query["start"]), int(request.query["end"])
        rows = [
            {"start": str(at), "low": "99", "high": "101", "open": "100", "close": "100.5",
             "volume": "3.25"}
            for at in range(start // 60 * 60, end + 1, 60)
        ]  # fmt: skip
        return web.json_response({"candles": rows[::-1]})

    # --- orders

    async def _create(self, request: web.Request) -> web.Response:
        if refused := self._refused(request):
            return refused
        body = await request.json()
        self.bodies.append(body)
        known = self.exchange.by_client_id(body["client_order_id"])
        if known is not None:
            return self._taken(known)
        if self.refuse_next:
            reason, self.refuse_next = self.refuse_next, ""
            return self._not_taken(reason, "refused")
        ((name, fields),) = body["order_configuration"].items()
        kinds: dict[str, Any] = {
            "market": "market",
            "limit": "limit",
            "sor": "limit",
            "stop": "stop_limit",
        }
        tif: Any = name.rpartition("_")[2]
        stop = fields.get("stop_price")
        up = body["side"] == "BUY"
        if stop and fields["stop_direction"] != f"STOP_DIRECTION_STOP_{'UP' if up else 'DOWN'}":
            return self._not_taken("PREVIEW_INVALID_STOP_PRICE", "stop direction")
        fills, self.exchange.fills = self.exchange.fills, self.exchange.fills and not self.fail_next
        try:
            order = self.exchange.place(
                client_id=body["client_order_id"],
                symbol=body["product_id"],
                sign=1 if up else -1,
                quantity=Decimal(fields["base_size"]),
                kind=kinds[name.split("_")[0]],
                limit=Decimal(fields["limit_price"]) if "limit_price" in fields else None,
                stop=Decimal(stop) if stop else None,
                tif=tif,
                order_id=str(uuid.uuid5(uuid.NAMESPACE_URL, self.exchange.next_id())),
            )
        except Refused as error:
            return self._not_taken(REASONS[error.code], error.text)
        finally:
            self.exchange.fills = fills
        self.configurations[order.id] = body["order_configuration"]
        if self.fail_next:
            reason, self.fail_next = self.fail_next, ""
            self.exchange.reject(order.id, reason)
        return self._taken(order)

    def _taken(self, order: Order) -> web.Response:
        return web.json_response(
            {
                "success": True,
                "failure_reason": "UNKNOWN_FAILURE_REASON",
                "order_id": order.id,
                "success_response": {
                    "order_id": order.id,
                    "product_id": order.symbol,
                    "side": "BUY" if order.sign > 0 else "SELL",
                    "client_order_id": order.client_id,
                },
                "order_configuration": self.configuration(order),
            }
        )

    def _not_taken(self, reason: str, message: str) -> web.Response:
        said = {
            "error": "UNKNOWN_FAILURE_REASON",
            "message": message,
            "error_details": "",
            "preview_failure_reason": "UNKNOWN_PREVIEW_FAILURE_REASON",
            "new_order_failure_reason": "UNKNOWN_FAILURE_REASON",
        }
        said["preview_failure_reason" if reason.startswith("PREVIEW") else self.reason_field] = (
            reason
        )
        return web.json_response(
            {"success": False, "failure_reason": "UNKNOWN_FAILURE_REASON", "error_response": said}
        )

    async def _cancel(self, request: web.Request) -> web.Response:
        if refused := self._refused(request):
            return refused
        ids = (await request.json())["order_ids"]
        if len(ids) > 100:
            return web.json_response({"error": "INVALID_ARGUMENT", "message": "100"}, status=400)
        results = []
        for order_id in ids:
            reason = self.cancel_reasons.get(order_id, "")
            order = self.exchange.orders.get(order_id)
            if not reason and order is None:
                reason = "UNKNOWN_CANCEL_ORDER"
            elif not reason and order is not None and not order.is_open:
                whole = order.status == "filled"
                reason = "ORDER_IS_FULLY_FILLED" if whole else "INVALID_CANCEL_REQUEST"
            elif not reason and not self.cancels_hang:
                self.exchange.cancel(order_id)
            results.append(
                {
                    "success": not reason,
                    "failure_reason": reason or "UNKNOWN_CANCEL_FAILURE_REASON",
                    "order_id": order_id,
                }
            )
        return web.json_response({"results": results})

    def status(self, order: Order) -> str:
        words = {"new": "OPEN", "filled": "FILLED", "canceled": "CANCELLED",
                 "expired": "CANCELLED", "rejected": "FAILED"}  # fmt: skip
        return self.words.get(order.id, words[order.status])

    def configuration(self, order: Order) -> dict[str, Any]:
        if order.id in self.configurations:
            return self.configurations[order.id]
        size = {"base_size": text(order.quantity)}
        if order.kind == "market":
            return {"market_market_ioc": size}
        if order.kind == "limit":
            name = {"gtc": "limit_limit_gtc", "ioc": "sor_limit_ioc", "fok": "limit_limit_fok"}
            return {name[order.tif]: size | {"limit_price": text(order.limit)}}
        prices = {"limit_price": text(order.limit), "stop_price": text(order.stop)}
        return {"stop_limit_stop_limit_gtc": size | prices}

    def row(self, order: Order) -> dict[str, Any]:
        """An order as REST tells it."""
        tifs = {"gtc": "GOOD_UNTIL_CANCELLED", "ioc": "IMMEDIATE_OR_CANCEL", "fok": "FILL_OR_KILL"}
        types = {"market": "MARKET", "limit": "LIMIT", "stop_limit": "STOP_LIMIT"}
        fees = sum((e.fee for e in order.executions), Decimal(0))
        return {
            "order_id": order.id,
            "product_id": order.symbol,
            "user_id": "user",
            "order_configuration": self.configuration(order),
            "side": "BUY" if order.sign > 0 else "SELL",
            "client_order_id": order.client_id,
            "status": self.status(order),
            "time_in_force": tifs[order.tif],
            "created_time": iso(order.created),
            "completion_percentage": "0",
            "filled_size": text(order.filled),
            "average_filled_price": text(order.average) or "0",
            "fee": "",
            "number_of_fills": str(len(order.executions)),
            "filled_value": text(order.paid),
            "pending_cancel": False,
            "size_in_quote": False,
            "total_fees": text(fees),
            "order_type": types[order.kind],
            "reject_reason": order.reason if order.status == "rejected" else "",
            "settled": order.status == "filled",
            "product_type": "SPOT",
            "last_fill_time": None,
            "retail_portfolio_id": PORTFOLIO,
        }

    async def _orders(self, request: web.Request) -> web.Response:
        if refused := self._refused(request):
            return refused
        query = request.query
        statuses = set(query.getall("order_status", []))
        ids = set(query.getall("order_ids", []))
        if "OPEN" in statuses and len(statuses) > 1:
            return web.json_response({"error": "INVALID_ARGUMENT", "message": "OPEN"}, status=400)
        since = nanos(query["start_date"]) if "start_date" in query else 0
        rows = [self.row(o) for o in self.exchange.orders.values() if o.created >= since]
        rows += self.order_rows
        rows = [row for row in rows if not statuses or row["status"] in statuses]
        rows = [row for row in rows if not ids or row["order_id"] in ids]
        return self._paged(request, "orders", rows[::-1])

    async def _order(self, request: web.Request) -> web.Response:
        if refused := self._refused(request):
            return refused
        order = self.exchange.orders.get(request.match_info["id"])
        if order is None:
            return self._not_found("order with this orderID was not found")
        return web.json_response({"order": self.row(order)})

    async def _fills(self, request: web.Request) -> web.Response:
        if refused := self._refused(request):
            return refused
        query = request.query
        after = query.get("start_sequence_timestamp")
        since = nanos(after) if after else 0
        done = () if self.hides_fills else self.exchange.executions
        rows = [self.trade(e) for e in done if e.time >= since] + self.trade_rows
        if "order_ids" in query:
            rows = [row for row in rows if row["order_id"] in query.getall("order_ids")]
        return self._paged(request, "fills", rows[::-1])

    def trade(self, done: Execution) -> dict[str, Any]:
        """An execution as REST tells it."""
        return {
            "entry_id": f"entry-{done.id}",
            "trade_id": done.id,
            "order_id": done.order_id,
            "trade_time": iso(done.time),
            "trade_type": "FILL",
            "price": text(done.price),
            "size": text(round(done.quantity * done.price, 2) if self.in_money else done.quantity),
            "commission": text(done.fee),
            "product_id": done.symbol,
            "sequence_timestamp": iso(done.time + 2_000_000),
            "liquidity_indicator": "TAKER",
            "size_in_quote": self.in_money,
            "user_id": "user",
            "side": "BUY" if done.sign > 0 else "SELL",
            "retail_portfolio_id": PORTFOLIO,
        }

    # --- streams

    def update(self, order: Order, status: str) -> dict[str, Any]:
        """An order as the user channel tells it."""
        tifs = {"gtc": "GOOD_UNTIL_CANCELLED", "ioc": "IMMEDIATE_OR_CANCEL", "fok": "FILL_OR_KILL"}
        types = {"market": "Market", "limit": "Limit", "stop_limit": "Stop Limit"}
        over = status in {"FILLED", "CANCELLED", "EXPIRED", "FAILED"}
        return {
            "order_id": order.id,
            "client_order_id": order.client_id,
            "cumulative_quantity": text(order.filled),
            "leaves_quantity": "0" if over else text(order.left),
            "avg_price": text(order.average) or "0",
            "total_fees": text(sum((e.fee for e in order.executions), Decimal(0))),
            "status": status,
            "product_id": order.symbol,
            "creation_time": iso(order.created),
            "order_side": "BUY" if order.sign > 0 else "SELL",
            "order_type": types[order.kind],
            "limit_price": text(order.limit) or "0",
            "stop_price": text(order.stop) or "0",
            "time_in_force": tifs[order.tif],
            "cancel_reason": order.reason if status == "CANCELLED" else "",
            "reject_reason": order.reason if status == "FAILED" else "",
            "number_of_fills": str(len(order.executions)),
            "product_type": "SPOT",
            "retail_portfolio_id": PORTFOLIO,
        }

    def _changed(self, change: Change, order: Order, done: Execution | None) -> None:
        if self.holds:
            self._held[order.id] = order
            return
        before = {"new": ["PENDING"], "canceled": ["CANCEL_QUEUED"]}.get(change, [])
        for status in (*before, self.status(order)):
            self.tell_user([self.update(order, status)])

    def release(self) -> None:
        """Tell how every order stands that changed while nothing was told."""
        self.holds = False
        held, self._held = self._held, {}
        for order in held.values():
            self.tell_user([self.update(order, self.status(order))])

    def tell_user(self, orders: list[dict[str, Any]], kind: str = "update") -> None:
        self._tell("user", {"type": kind, "orders": orders})

    def skip(self) -> None:
        """A message is lost on every stream."""
        for stream in self.streams:
            stream.number += 1

    def repeat(self) -> None:
        """The next message on every stream has the number of the last one."""
        for stream in self.streams:
            stream.number -= 1

    def swap(self) -> None:
        """The next two messages on every stream change places."""
        for stream in self.streams:
            stream.swapped = []

    def complain(self, message: str) -> None:
        """Say an error on every stream."""
        for stream in self.streams:
            self._write(stream, {"type": "error", "message": message})

    async def set_price(self, symbol: str, price: Decimal) -> None:
        self.exchange.set_price(symbol, price)
        self._tell("ticker", self.ticker("update", symbol), symbol)
        self._tell("level2", self.book("update", symbol), symbol)

    def ticker(self, kind: str, symbol: str) -> dict[str, Any]:
        price = self.exchange.prices.get(symbol, Decimal(100))
        row = {
            "type": "ticker", "product_id": symbol, "price": text(price),
            "best_bid": text(price - 1), "best_bid_quantity": "2.5",
            "best_ask": text(price + 1), "best_ask_quantity": "1.5",
        }  # fmt: skip
        return {"type": kind, "tickers": [row]}

    def book(self, kind: str, symbol: str) -> dict[str, Any]:
        price = self.exchange.prices.get(symbol, Decimal(100))
        now = iso(self.exchange.wall())
        levels = [
            {"side": side, "event_time": now, "price_level": text(price + step),
             "new_quantity": "1.25"}
            for side, steps in (("bid", (-1, -2)), ("offer", (1, 2)))
            for step in steps
        ]  # fmt: skip
        return {"type": kind, "product_id": symbol, "updates": levels}

    def say(self, channel: str, events: list[Any]) -> None:
        """Say this on every stream that listens to the channel."""
        for stream in tuple(self.streams):
            if channel in stream.channels:
                self._send(stream, channel, events)

    def _tell(self, channel: str, event: dict[str, Any], symbol: str = "") -> None:
        for stream in tuple(self.streams):
            if channel in stream.channels and (not symbol or symbol in stream.products):
                self._send(stream, channel, [event])

    def _send(self, stream: Stream, channel: str, events: list[Any]) -> None:
        if self.muted:
            return
        number, stream.number = stream.number, stream.number + 1
        self._write(
            stream,
            {
                "channel": {"level2": "l2_data"}.get(channel, channel),
                "client_id": "",
                "timestamp": iso(self.exchange.wall() + self.exchange.skew),
                "sequence_num": number,
                "events": events,
            },
        )

    def _write(self, stream: Stream, body: dict[str, Any]) -> None:
        said = json.dumps(body)
        if stream.swapped is not None and not stream.swapped:
            stream.swapped.append(said)
            return
        stream.unsent.put_nowait(said)
        if stream.swapped:
            stream.unsent.put_nowait(stream.swapped.pop())
            stream.swapped = None

    async def _stream(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        stream = Stream(socket)
        self.streams.append(stream)
        tasks = [asyncio.ensure_future(self._beat(stream)), asyncio.ensure_future(stream.write())]
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    self._subscribe(stream, json.loads(message.data))
        finally:
            for task in tasks:
                task.cancel()
            self.streams.remove(stream)
        return socket

    def _subscribe(self, stream: Stream, wanted: dict[str, Any]) -> None:
        channel = wanted["channel"]
        token = wanted.get("jwt", "")
        if channel == "user" or token:
            why = self.user_refused or self._checked(token, "")
            if why:
                self._write(stream, {"type": "error", "message": self.refusal})
                return
            stream.tokens.append(token)
        if channel == "user":
            rows = [self.update(o, self.status(o)) for o in self.exchange.open_orders]
            pages = [rows[n : n + SNAPSHOT_PAGE] for n in range(0, len(rows) + 1, SNAPSHOT_PAGE)]
            for page in pages:
                self._send(stream, "user", [{"type": "snapshot", "orders": page}])
        products = [p.removesuffix("C") for p in wanted.get("product_ids", [])]
        stream.products |= set(products)
        for symbol in products:
            if channel == "ticker":
                self._send(stream, channel, [self.ticker("snapshot", symbol)])
            if channel == "level2":
                self._send(stream, channel, [self.book("snapshot", symbol)])
        stream.channels.add(channel)
        confirmed = {name: ["all"] for name in stream.channels}
        self._send(stream, "subscriptions", [{"subscriptions": confirmed}])

    async def _beat(self, stream: Stream) -> None:
        while True:
            await asyncio.sleep(self.heartbeat_seconds)
            if "heartbeats" in stream.channels:
                self._beats += 1
                event = {
                    "current_time": iso(self.exchange.wall()),
                    "heartbeat_counter": self._beats,
                }
                self._send(stream, "heartbeats", [event])
