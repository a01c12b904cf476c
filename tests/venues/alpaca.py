"""A local Alpaca: trading API, stream of the account, market data, with the venue's faults.

At the venue's own paths, in its own words (specs/alpaca, recorded/alpaca, research
alpaca-binance.md §2, §3, §5). It shares no code with the adapter.
"""

import asyncio
import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from aiohttp import WSMsgType, web

from tests.venues.exchange import Change, Exchange, Execution, Order, Refused, Rules
from tests.venues.served import Served

D = Decimal
KEY, SECRET = "PKcanary0alpaca", "canary-secret-of-alpaca"
ACCOUNT, ACCOUNT_ID = "PA3TEST", "1d9eed04-be39-4e01-9b84-a48ac5bbafcf"
OPTION = "AAPL261218C00200000"
SECOND = 1_000_000_000

SHARE = Rules("AAPL", tick=D("0.0001"), lot=D("0.000000001"))
COIN = Rules("BTC/USD", tick=D("0.01"), lot=D("0.000000001"), base="BTC")


def stamp(ns: int) -> str:
    """RFC 3339 with nine decimals, as Alpaca writes it."""
    seconds, rest = divmod(ns, SECOND)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:09d}Z"


@dataclass
class Extra:
    """What Alpaca has of an order beyond an exchange."""

    intent: str
    symbol: str
    word: str = ""
    """A state that is told instead of the exchange's."""


@dataclass
class Listener:
    """One connection to the stream of the account: what is to be said, in order."""

    socket: web.WebSocketResponse
    queue: asyncio.Queue[bytes | None] = field(default_factory=asyncio.Queue)
    listens: bool = False


class AlpacaServer(Served):
    """One account at Alpaca, with the faults of its streams as switches."""

    def __init__(self) -> None:
        app = web.Application()
        super().__init__(app)
        app.middlewares.append(self._door)
        self.account = ACCOUNT
        """The number that it answers with."""
        self.exchange = Exchange(
            (SHARE, Rules("SOFI", tick=D("0.0001"), lot=D(1)), COIN, Rules(OPTION)),
            unique_for_ever=True,
        )
        self.exchange.listeners.append(self._heard)
        self.extras: dict[str, Extra] = {}
        self.bodies: list[dict[str, Any]] = []
        """What was posted as an order."""
        self.movements: list[dict[str, Any]] = []
        self.bars: list[dict[str, Any]] = []
        self.listeners: list[Listener] = []
        self.prices: list[web.WebSocketResponse] = []
        self.subscribed: list[dict[str, Any]] = []
        self.limit_left = 200
        """Of the requests of this minute."""
        self._minute = 0
        self.after_id_works = True
        # Switches of faults.
        self.refuse_stream = 0
        """So many handshakes of the stream are answered with 429."""
        self.dead_slot = False
        """A connection that was not closed has the one place there is: 429."""
        self.greeting = b""
        """What is answered to a login instead of an answer."""
        self.mute = False
        """Pings are not answered, as over a link of which one half is gone."""
        self.drop_events = 0
        """So many messages of the stream are lost."""
        self.twice = False
        """Each execution is told twice."""
        self.hold = False
        """Messages wait for `release`."""
        self.held: list[bytes] = []
        self.lag = 0
        """The newest so many executions are not in the history yet."""
        self.race: str = ""
        """"fill": an order fills while it is being cancelled; "reject": the cancel is refused."""
        self.ack_status = ""
        """The state that the answer to an order has, where it is another than it is in."""
        self.no_intent = False
        """Orders are told without `position_intent`."""
        self._routes(app)

    @property
    def connections(self) -> int:
        """How many connections there are to it, used or not."""
        server = None if self._runner is None else self._runner.server
        return 0 if server is None else len(server.connections)

    def _routes(self, app: web.Application) -> None:
        add = app.router.add_route
        add("GET", "/v2/account", self._account, name="account")
        add("GET", "/v2/clock", self._clock, name="clock")
        add("POST", "/v2/orders", self._post, name="submit")
        add("GET", "/v2/orders", self._orders, name="orders")
        add("DELETE", "/v2/orders", self._cancel_all, name="cancel_all")
        add("GET", "/v2/orders:by_client_order_id", self._by_client_id, name="by_client_id")
        add("GET", "/v2/orders/{id}", self._order, name="order")
        add("DELETE", "/v2/orders/{id}", self._cancel, name="cancel")
        add("GET", "/v2/positions", self._positions, name="positions")
        add("GET", "/v2/account/activities", self._other_activities, name="movements")
        add("GET", "/v2/account/activities/FILL", self._fills, name="fills")
        add("GET", "/v2/assets/{symbol}", self._asset, name="asset")
        add("GET", "/v2/options/contracts/{symbol}", self._contract, name="contract")
        add("GET", "/stream", self._stream, name="stream")
        add("GET", "/v2/stocks/{symbol}/bars", self._share_bars, name="bars")
        add("GET", "/v1beta3/crypto/us/bars", self._coin_bars, name="coin_bars")
        add("GET", "/v2/iex", self._prices, name="prices")
        add("GET", "/v1beta3/crypto/us", self._prices, name="coin_prices")

    # --- the door

    @web.middleware
    async def _door(self, request: web.Request, handler: Callable[..., Any]) -> web.StreamResponse:
        """Keys in headers, and the limits in every answer."""
        if request.headers.get("Upgrade", "").lower() == "websocket":
            streamed: web.StreamResponse = await handler(request)
            return streamed
        given = request.headers.get("APCA-API-KEY-ID"), request.headers.get("APCA-API-SECRET-KEY")
        if given != (KEY, SECRET):
            return _refused(401, 40110000, "request is not authorized")
        minute = self.exchange.wall() // (60 * SECOND)
        if minute != self._minute:
            self._minute, self.limit_left = minute, max(self.limit_left, 200)
        self.limit_left -= 1
        answer: web.StreamResponse = await handler(request)
        answer.headers["X-RateLimit-Limit"] = "200"
        answer.headers["X-RateLimit-Remaining"] = str(max(self.limit_left, 0))
        answer.headers["X-RateLimit-Reset"] = str((minute + 1) * 60)
        return answer

    # --- orders

    async def _post(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.bodies.append(body)
        for name in ("qty", "limit_price", "stop_price"):
            if name in body and not isinstance(body[name], str):
                return _refused(422, 40010001, f"{name} must be a string")
        known = {"symbol", "qty", "side", "type", "time_in_force", "client_order_id",
                 "limit_price", "stop_price", "position_intent"}  # fmt: skip
        if odd := set(body) - known:
            return _refused(422, 40010001, f"unknown fields: {odd}")
        fault = self._fault_of(body)
        if fault:
            return _refused(422, 42210000, fault)
        sign = 1 if body["side"] == "buy" else -1
        held = self.exchange.positions.get(body["symbol"], D(0))
        inferred = {
            (1, True): "buy_to_close", (1, False): "buy_to_open",
            (-1, True): "sell_to_close", (-1, False): "sell_to_open",
        }[sign, held * sign < 0]  # fmt: skip
        intent = body.get("position_intent", inferred)
        if intent != inferred:
            said = f"position intent mismatch, inferred: {inferred}, specified: {intent}"
            return _refused(422, 42210000, said)
        if sign < 0 < held and D(body["qty"]) > (left := held - self._offered(body["symbol"])):
            wanted = f"requested: {body['qty']}, available: {left}"
            return _refused(403, 40310000, f"insufficient qty available for order ({wanted})")
        order_id = str(uuid.uuid4())
        self.extras[order_id] = Extra(intent, body["symbol"])
        try:
            order = self.exchange.place(
                client_id=body["client_order_id"],
                symbol=body["symbol"],
                sign=sign,
                quantity=D(body["qty"]),
                kind=body["type"],
                limit=D(body["limit_price"]) if "limit_price" in body else None,
                stop=D(body["stop_price"]) if "stop_price" in body else None,
                tif=body["time_in_force"],
                order_id=order_id,
            )
        except Refused as error:
            return self._refusal(error)
        row = self._row(order)
        if self.ack_status:
            row |= {"status": self.ack_status, "filled_qty": "0", "filled_avg_price": None}
        return web.json_response(row)

    def _offered(self, symbol: str) -> Decimal:
        """What open sells of it hold back: a share can be sold by one of them only."""
        sells = (o for o in self.exchange.open_orders if o.symbol == symbol and o.sign < 0)
        return sum((o.left for o in sells), D(0))

    def _fault_of(self, body: dict[str, Any]) -> str:
        """Why Alpaca does not process an order, "" where it does."""
        symbol, tif, quantity = body["symbol"], body["time_in_force"], D(body["qty"])
        allowed = {"day", "gtc", "ioc", "fok"}
        if "/" in symbol:
            allowed = {"gtc", "ioc"}
        elif symbol == OPTION:
            allowed = {"day"}
        if tif not in allowed:
            return f"invalid time_in_force {tif} for {symbol}"
        if "/" not in symbol and quantity % 1 and tif != "day":
            return "fractional orders must be DAY orders"
        for name in ("limit_price", "stop_price"):
            price = D(body.get(name, "1"))
            if price % (D("0.01") if price >= 1 else D("0.0001")):
                return f"invalid {name} {price}. sub-penny increment does not fulfill minimum"
        return ""

    def _refusal(self, error: Refused) -> web.Response:
        match error.code:
            case "DUPLICATE":
                return _refused(422, 40010001, "client_order_id must be unique")
            case "FUNDS":
                return _refused(403, 40310000, f"insufficient buying power: {error.text}")
            case "SYMBOL":
                return _refused(422, 42210000, error.text)
        return _refused(422, 42210000, error.text)

    async def _orders(self, request: web.Request) -> web.Response:
        query = request.query
        orders = list(self.exchange.orders.values())
        if query.get("status", "open") == "open":
            orders = [order for order in orders if order.is_open]
        orders.sort(key=lambda order: order.created, reverse=query.get("direction") != "asc")
        after = query.get("after_order_id")
        if after and self.after_id_works:
            ids = [order.id for order in orders]
            orders = orders[ids.index(after) + 1 :] if after in ids else []
        limit = min(int(query.get("limit", "50")), 500)
        return web.json_response([self._row(order) for order in orders[:limit]])

    async def _by_client_id(self, request: web.Request) -> web.Response:
        order = self.exchange.by_client_id(request.query.get("client_order_id", ""))
        if order is None:
            return _refused(404, 40410000, "order not found")
        return web.json_response(self._row(order))

    async def _order(self, request: web.Request) -> web.Response:
        order = self.exchange.orders.get(request.match_info["id"])
        if order is None:
            return _refused(404, 40410000, "order not found")
        return web.json_response(self._row(order))

    async def _cancel(self, request: web.Request) -> web.Response:
        """204 says that the cancel was taken, and not that the order is cancelled."""
        order = self.exchange.orders.get(request.match_info["id"])
        if order is None:
            return _refused(404, 40410000, "order not found")
        if not order.is_open:
            return _refused(422, 42210000, f'order is already in "{order.status}" state')
        if self.race == "fill":
            self.exchange.fill(order.id, order.left, order.limit or D(100))
        elif self.race == "reject":
            self.tell("order_cancel_rejected", order)
        else:
            self.exchange.cancel(order.id)
        return web.Response(status=204)

    async def _cancel_all(self, request: web.Request) -> web.Response:
        rows: list[dict[str, Any]] = []
        for order in self.exchange.open_orders:
            if self.race == "reject":
                rows.append({"id": order.id, "status": 500})
                continue
            self.exchange.cancel(order.id)
            rows.append({"id": order.id, "status": 200})
        return web.json_response(rows, status=207)

    def _row(self, order: Order) -> dict[str, Any]:
        extra = self.extras.setdefault(order.id, Extra("", order.symbol))
        average = order.average
        return {
            "id": order.id,
            "client_order_id": order.client_id,
            "created_at": stamp(order.created),
            "updated_at": stamp(order.updated),
            "submitted_at": stamp(order.created),
            "filled_at": stamp(order.updated) if order.status == "filled" else None,
            "expired_at": None,
            "canceled_at": stamp(order.updated) if order.status == "canceled" else None,
            "failed_at": None,
            "replaced_at": None,
            "replaced_by": order.replaced_by or None,
            "replaces": order.replaces or None,
            "asset_id": "904837e3-3b76-47ec-b432-046db621571b",
            "symbol": order.symbol,
            "asset_class": _class_of(order.symbol),
            "notional": None,
            "qty": _digits(order.quantity),
            "filled_qty": _digits(order.filled),
            "filled_avg_price": None if average is None else _digits(average),
            "order_class": "simple",
            "order_type": order.kind,
            "type": order.kind,
            "side": "buy" if order.sign > 0 else "sell",
            "position_intent": None if self.no_intent else extra.intent or None,
            "time_in_force": order.tif,
            "limit_price": None if order.limit is None else _digits(order.limit),
            "stop_price": None if order.stop is None else _digits(order.stop),
            "status": extra.word or self._status(order),
            "extended_hours": False,
            "legs": None,
            "trail_percent": None,
            "trail_price": None,
            "hwm": None,
            "subtag": None,
            "source": None,
        }

    def _status(self, order: Order) -> str:
        if order.status == "new" and order.filled:
            return "partially_filled"
        if order.status == "expired" and order.tif in {"ioc", "fok"}:
            return "canceled"
        return order.status

    # --- the account

    async def _account(self, request: web.Request) -> web.Response:
        at = self.exchange
        return web.json_response(
            {
                "id": ACCOUNT_ID,
                "account_number": self.account,
                "status": "ACTIVE",
                "currency": "USD",
                "cash": _digits(at.cash["USD"]),
                "equity": _digits(at.equity),
                "portfolio_value": _digits(at.equity),
                "buying_power": _digits(at.buying_power),
                "regt_buying_power": _digits(at.buying_power),
                "non_marginable_buying_power": _digits(at.buying_power),
                "multiplier": "1",
                "shorting_enabled": True,
                "account_blocked": False,
                "trading_blocked": False,
                "transfers_blocked": False,
                "trade_suspended_by_user": False,
                "created_at": "2023-01-01T18:20:20.272275Z",
            }
        )

    async def _clock(self, request: web.Request) -> web.Response:
        now = stamp(self.exchange.now())
        return web.json_response(
            {"timestamp": now, "is_open": True, "next_open": now, "next_close": now}
        )

    async def _positions(self, request: web.Request) -> web.Response:
        at, rows = self.exchange, []
        for symbol, quantity in at.positions.items():
            price = at.prices.get(symbol, at.costs[symbol])
            rows.append(
                {
                    "asset_id": "904837e3-3b76-47ec-b432-046db621571b",
                    "symbol": symbol.replace("/", ""),
                    "exchange": "NASDAQ",
                    "asset_class": _class_of(symbol),
                    "asset_marginable": True,
                    "avg_entry_price": _digits(at.costs[symbol]),
                    "qty": _digits(quantity),
                    "qty_available": _digits(quantity),
                    "side": "long" if quantity > 0 else "short",
                    "market_value": _digits(quantity * price),
                    "cost_basis": _digits(quantity * at.costs[symbol]),
                    "unrealized_pl": "0",
                    "unrealized_plpc": "0",
                    "unrealized_intraday_pl": "0",
                    "unrealized_intraday_plpc": "0",
                    "current_price": _digits(price),
                    "lastday_price": _digits(price),
                    "change_today": "0",
                }
            )
        return web.json_response(rows)

    async def _fills(self, request: web.Request) -> web.Response:
        rows, cumulative = [], dict.fromkeys(self.exchange.orders, D(0))
        done = self.exchange.executions
        for one in done[: len(done) - self.lag] if self.lag else done:
            order = self.exchange.orders[one.order_id]
            cumulative[order.id] += one.quantity
            left = order.quantity - cumulative[order.id]
            seconds, rest = divmod(one.time, SECOND)
            moment = f"{datetime.fromtimestamp(seconds, UTC):%Y%m%d%H%M%S}{rest // 1_000_000:03d}"
            rows.append(
                {
                    "id": f"{moment}::{uuid.uuid5(uuid.NAMESPACE_OID, one.id)}",
                    "activity_type": "FILL",
                    "transaction_time": stamp(one.time),
                    "type": "partial_fill" if left > 0 else "fill",
                    "price": _digits(one.price),
                    "qty": _digits(one.quantity),
                    "side": self._side_of(order),
                    "symbol": order.symbol,
                    "leaves_qty": _digits(max(left, D(0))),
                    "order_id": order.id,
                    "cum_qty": _digits(cumulative[order.id]),
                    "order_status": "partially_filled" if left > 0 else "filled",
                }
            )
        return self._page(request, rows, "transaction_time")

    def _side_of(self, order: Order) -> str:
        if order.sign > 0:
            return "buy"
        return "sell_short" if self.extras[order.id].intent == "sell_to_open" else "sell"

    async def _other_activities(self, request: web.Request) -> web.Response:
        if request.query.get("category") != "non_trade_activity":
            return _refused(422, 40010001, "category is expected here")
        return self._page(request, self.movements, "created_at")

    def _page(self, request: web.Request, rows: list[dict[str, Any]], by: str) -> web.Response:
        """Lines created after a second, one page of them."""
        query = request.query
        if query.get("direction") != "asc":
            rows = rows[::-1]
        if "after" in query:
            rows = [row for row in rows if str(row.get(by, "9"))[:19] + "Z" > query["after"]]
        token = query.get("page_token")
        if token:
            ids = [row["id"] for row in rows]
            rows = rows[ids.index(token) + 1 :]
        size = int(query.get("page_size", "100"))
        return web.json_response(rows[:size])

    async def _asset(self, request: web.Request) -> web.Response:
        symbol = request.match_info["symbol"]
        if symbol == "BTCUSD":
            symbol = "BTC/USD"
        if symbol not in self.exchange.rules or symbol == OPTION:
            return _refused(404, 40410000, f"asset not found for {symbol}")
        row = {
            "id": "904837e3-3b76-47ec-b432-046db621571b",
            "class": _class_of(symbol),
            "exchange": "NASDAQ",
            "symbol": symbol,
            "name": symbol,
            "status": "active",
            "tradable": True,
            "marginable": True,
            "shortable": True,
            "easy_to_borrow": True,
            "fractionable": symbol != "SOFI",
        }
        if "/" in symbol:
            row |= {
                "min_order_size": "0.0001",
                "min_trade_increment": "0.0001",
                "price_increment": "0.01",
                "shortable": False,
            }
        return web.json_response(row)

    async def _contract(self, request: web.Request) -> web.Response:
        if request.match_info["symbol"] != OPTION:
            return _refused(404, 40410000, "option contract not found")
        return web.json_response(
            {
                "id": "98359ef7-5124-49f3-85ea-5cf02df6defa",
                "symbol": OPTION,
                "name": "AAPL Dec 18 2026 200 Call",
                "status": "active",
                "tradable": True,
                "expiration_date": "2026-12-18",
                "root_symbol": "AAPL",
                "underlying_symbol": "AAPL",
                "underlying_asset_id": "904837e3-3b76-47ec-b432-046db621571b",
                "type": "call",
                "style": "american",
                "strike_price": "200",
                "multiplier": "100",
                "size": "100",
            }
        )

    # --- the stream of the account

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        if self.refuse_stream:
            self.refuse_stream -= 1
            return web.Response(status=429, headers={"Retry-After": "3"})
        if self.dead_slot:
            return web.Response(status=429)
        socket = web.WebSocketResponse(autoping=not self.mute)
        await socket.prepare(request)
        listener = Listener(socket)
        self.listeners.append(listener)
        sender = asyncio.create_task(self._say(listener))
        try:
            async for message in socket:
                if message.type is WSMsgType.PING:
                    continue
                if message.type is not WSMsgType.TEXT:
                    break
                if not self._obey(listener, json.loads(message.data)):
                    break
        finally:
            self.listeners.remove(listener)
            listener.queue.put_nowait(None)
            await sender
        return socket

    async def _say(self, listener: Listener) -> None:
        """Everything in order, in frames of bytes, as the paper world does."""
        while (said := await listener.queue.get()) is not None:
            if not listener.socket.closed:
                await listener.socket.send_bytes(said)

    def _obey(self, listener: Listener, order: dict[str, Any]) -> bool:
        """One request of the other side; False where it is hung up on."""
        if self.greeting:
            listener.queue.put_nowait(self.greeting)
        elif order.get("action") in {"authenticate", "auth"}:
            given = order.get("data") or {"key_id": order["key"], "secret_key": order["secret"]}
            right = given == {"key_id": KEY, "secret_key": SECRET}
            status = "authorized" if right else "unauthorized"
            self._put(listener, "authorization", {"action": "authenticate", "status": status})
            return right
        elif order.get("action") == "listen":
            listener.listens = True
            self._put(listener, "listening", {"streams": order["data"]["streams"]})
        return True

    def _put(self, listener: Listener, stream: str, data: dict[str, Any]) -> None:
        listener.queue.put_nowait(json.dumps({"stream": stream, "data": data}).encode())

    def _heard(self, change: Change, order: Order, done: Execution | None) -> None:
        event = {"new": "new", "canceled": "canceled", "expired": "expired",
                 "rejected": "rejected", "replaced": "replaced"}.get(change, "")  # fmt: skip
        if change == "fill":
            event = "fill" if order.status == "filled" else "partial_fill"
        if event == "expired" and order.tif in {"ioc", "fok"}:
            event = "canceled"
        self.tell(event, order, done)

    def tell(self, event: str, order: Order, done: Execution | None = None, **more: Any) -> None:
        """Say that something happened to an order."""
        at = stamp(done.time if done is not None else order.updated)
        data: dict[str, Any] = {"event": event, "timestamp": at, "order": self._row(order)}
        if done is not None:
            data |= {
                "execution_id": str(uuid.uuid5(uuid.NAMESPACE_DNS, done.id)),
                "price": _digits(done.price),
                "qty": _digits(done.quantity),
                "position_qty": _digits(self.exchange.positions.get(order.symbol, D(0))),
            }
        data |= more
        self.raw(json.dumps({"stream": "trade_updates", "data": data}).encode())
        if self.twice and done is not None:
            self.raw(json.dumps({"stream": "trade_updates", "data": data}).encode())

    def raw(self, frame: bytes) -> None:
        """Send these bytes to everybody who listens, held back and lost as the switches say."""
        if self.drop_events:
            self.drop_events -= 1
            return
        if self.hold:
            self.held.append(frame)
            return
        for listener in self.listeners:
            if listener.listens:
                listener.queue.put_nowait(frame)

    def release(self, *, reverse: bool = False) -> None:
        """Say what was held back, the last first with `reverse`."""
        held, self.held, self.hold = self.held, [], False
        for frame in reversed(held) if reverse else held:
            self.raw(frame)

    async def hang_up(self, code: int = 1001) -> None:
        """End every stream."""
        for listener in tuple(self.listeners):
            await listener.socket.close(code=code)

    # --- market data

    async def _prices(self, request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_str('[{"T":"success","msg":"connected"}]')
        self.prices.append(socket)
        try:
            async for message in socket:
                order = json.loads(message.data)
                if order["action"] == "auth":
                    if (order["key"], order["secret"]) != (KEY, SECRET):
                        await socket.send_str('[{"T":"error","code":402,"msg":"auth failed"}]')
                        break
                    if self.dead_slot:
                        said = '[{"T":"error","code":406,"msg":"connection limit exceeded"}]'
                        await socket.send_str(said)
                        break
                    await socket.send_str('[{"T":"success","msg":"authenticated"}]')
                else:
                    self.subscribed.append(order)
                    wanted = {name: order[name] for name in order if name != "action"}
                    await socket.send_str(json.dumps([{"T": "subscription", **wanted}]))
        finally:
            self.prices.remove(socket)
        return socket

    async def quote(self, text: str) -> None:
        """Send this to everybody who follows prices."""
        for socket in tuple(self.prices):
            await socket.send_str(text)

    async def _share_bars(self, request: web.Request) -> web.Response:
        symbol = request.match_info["symbol"]
        return web.json_response(
            {"bars": self._bars(request), "symbol": symbol, "next_page_token": None}
        )

    async def _coin_bars(self, request: web.Request) -> web.Response:
        return web.json_response(
            {"bars": {request.query["symbols"]: self._bars(request)}, "next_page_token": None}
        )

    def _bars(self, request: web.Request) -> list[dict[str, Any]]:
        newest_first = request.query.get("sort") == "desc"
        rows = sorted(self.bars, key=lambda bar: bar["t"], reverse=newest_first)
        return rows[: int(request.query["limit"])]


def _refused(status: int, code: int, message: str) -> web.Response:
    return web.json_response({"code": code, "message": message}, status=status)


def _class_of(symbol: str) -> str:
    if "/" in symbol:
        return "crypto"
    return "us_option" if symbol == OPTION else "us_equity"


def _digits(value: Decimal) -> str:
    return format(value.normalize() if value else value, "f")
