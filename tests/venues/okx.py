"""A local OKX: REST and websockets of API v5 for one account in spot mode, with its faults.

It checks keys, signatures and times as the venue does, and shares no code with the adapter. What it
does wrong on purpose is a switch or a method of its own; lost answers are `Served.fault`.
"""

import asyncio
import base64
import hashlib
import hmac
import json
import zlib
from collections.abc import Awaitable, Callable
from datetime import datetime
from decimal import Decimal
from typing import Any

from aiohttp import WSMsgType, web

from tests.venues.exchange import Change, Exchange, Execution, Order, Refused, Rules
from tests.venues.served import Served

KEY, SECRET, PASSPHRASE = "canary-key", "canary-secret", "canary-passphrase"
UID = "44705892343619584"
RULES = (
    Rules("BTC-USDT", tick=Decimal("0.01"), lot=Decimal("0.0001"), base="BTC", quote="USDT"),
    Rules("ETH-USDT", tick=Decimal("0.01"), lot=Decimal("0.001"), base="ETH", quote="USDT"),
)

Row = dict[str, Any]
Handler = Callable[[web.Request, Any], Awaitable[web.Response]]

CODES = {
    "SYMBOL": "51001", "DUPLICATE": "51016", "QUANTITY": "51121", "PRICE": "51150",
    "NO_PRICE": "51142", "NOTIONAL": "51020", "FUNDS": "51008", "UNKNOWN": "51400",
    "ENDED": "51400", "REDUCE_ONLY": "51139",
}  # fmt: skip

STATES = {"filled": "filled", "canceled": "canceled", "expired": "canceled"}
FIRST_ID = 680_800_019_749_904_384


class Socket:
    """One websocket of a client: what it may hear, and what waits to be sent to it."""

    def __init__(self, response: web.WebSocketResponse, name: str) -> None:
        self.response = response
        self.name = name
        self.logged_in = False
        self.channels: list[Row] = []
        self.heard: list[str] = []
        self._unsent: asyncio.Queue[str] = asyncio.Queue()

    def say(self, message: Row | str) -> None:
        self._unsent.put_nowait(message if isinstance(message, str) else json.dumps(message))

    def hears(self, channel: str) -> bool:
        return any(arg["channel"] == channel for arg in self.channels)

    async def write(self) -> None:
        while True:
            text = await self._unsent.get()
            if not self.response.closed:
                await self.response.send_str(text)


class OkxServer(Served):
    """The venue: one account, its orders, stops and streams, and public prices."""

    def __init__(self, exchange: Exchange | None = None, *, demo: bool = True) -> None:
        app = web.Application()
        super().__init__(app)
        self.exchange = exchange or Exchange(
            RULES, shorts=False, unique_while_open=True, currency="USDT", account_id=UID
        )
        self.exchange.listeners.append(self._heard)
        self.demo = demo
        self.account_level = "1"
        self.permissions = "read_only,trade"
        self.states: dict[str, str] = {}
        """Symbol -> its state, where it is not live."""
        self.balances: list[Row] | None = None
        """Stated instead of what there is."""
        self.clock_ms = 0
        """Milliseconds that its clock is ahead of ours."""
        self.sockets: list[Socket] = []
        self.subscribed = asyncio.Semaphore(0)
        """Released for each channel that was subscribed."""
        self.bodies: list[tuple[str, Row, dict[str, str]]] = []
        """(name of the request, body, headers) of each that was sent by POST."""
        # What it does wrong on purpose.
        self.mute = False
        """No text is answered, nor is anything told."""
        self.zero_fills = False
        """The event of a fill comes without the fill."""
        self.skip_events = 0
        """So many events of orders are not told."""
        self.hold_events = False
        """Events of orders wait, for `release`."""
        self.double_events = False
        self.amend_fails = ""
        """A change is taken, and then fails with this code."""
        self.amend_silent = False
        """A change is taken, and nothing is told of it."""
        self.post_only_crosses = False
        """A limit order is cancelled once it was taken, with source 31."""
        self.refuse_login = ""
        self.fee_in_base = Decimal(0)
        """A rate that a buy pays in what is bought."""
        self.page = 100
        self._held: list[Row] = []
        self._children: dict[str, str] = {}
        """Stop -> the order that it has become."""
        self._ids = FIRST_ID
        self._targets: dict[str, str] = {}
        """Stop -> the currency that its quantity is in."""
        self._amend: Row = {}
        self._seq = 1
        self.books: dict[str, tuple[list[list[str]], list[list[str]]]] = {}
        self._routes()

    # --- what a test does

    async def set_price(self, symbol: str, price: Decimal) -> None:
        self.exchange.set_price(symbol, price)
        for order in self.exchange.open_orders:
            if order.triggered and order.id not in self._children:
                self._trigger(order)
        self._tell_price(symbol, price)

    def release(self, *, reverse: bool = False) -> None:
        """Tell the events that were held."""
        held, self._held, self.hold_events = self._held, [], False
        for row in reversed(held) if reverse else held:
            self._send("orders", row)

    def notice(self) -> None:
        """The venue will close every connection soon."""
        for socket in self.sockets:
            socket.say(
                {"event": "notice", "code": "64008", "msg": "service upgrade", "connId": "a"}
            )

    def refuse_channel(self, channel: str) -> None:
        """An acknowledged channel turns out to be one connection too many."""
        for socket in self.sockets:
            if socket.hears(channel):
                socket.say(
                    {"event": "channel-conn-count-error", "channel": channel, "connCount": "30"}
                )

    def log_out(self) -> None:
        for socket in self.sockets:
            socket.say({"event": "error", "code": "60011", "msg": "Please log in", "connId": "a"})

    async def hang_up(self, name: str = "private") -> None:
        for socket in [s for s in self.sockets if s.name == name]:
            await socket.response.close(code=4004, message=b"no data received in 30s")

    def push(self, channel: str, data: Row) -> None:
        """Tell something of a channel, as it stands."""
        self._send(channel, data)

    def place_by_hand(self, symbol: str, sign: int, quantity: str, limit: str) -> Order:
        """Somebody else's order, without a client order id."""
        return self.exchange.place(
            client_id="", symbol=symbol, sign=sign, quantity=Decimal(quantity), kind="limit",
            limit=Decimal(limit),
        )  # fmt: skip

    def stream(self, name: str) -> Socket:
        return [socket for socket in self.sockets if socket.name == name][-1]

    # --- REST

    def _routes(self) -> None:
        def add(
            method: str, path: str, name: str, handler: Handler, *, private: bool = True
        ) -> None:
            async def handle(request: web.Request) -> web.Response:
                body = await request.text()
                if private:
                    wrong = self._unsigned(request, body)
                    if wrong is not None:
                        return wrong
                if method == "POST":
                    self.bodies.append((name, json.loads(body), dict(request.headers)))
                try:
                    return await handler(request, json.loads(body) if body else request.query)
                except Refused as error:
                    code = CODES[error.code]
                    if code == "51016" and name == "order-algo":
                        code = "51065"
                    return _failed(code, error.text)

            self.app.router.add_route(method, f"/api/v5/{path}", handle, name=name)

        add("GET", "public/time", "time", self._time, private=False)
        add("GET", "public/instruments", "instruments", self._instruments, private=False)
        add("GET", "market/candles", "candles", self._candles, private=False)
        add("GET", "market/index-tickers", "index", self._index, private=False)
        add("GET", "account/config", "config", self._config)
        add("GET", "account/balance", "balance", self._balance)
        add("POST", "trade/order", "order", self._place)
        add("POST", "trade/cancel-order", "cancel", self._cancel)
        add("POST", "trade/amend-order", "amend", self._change)
        add("GET", "trade/order", "get-order", self._one)
        add("GET", "trade/orders-pending", "pending", self._pending)
        add("GET", "trade/orders-history", "history", self._history)
        add("GET", "trade/fills", "fills", self._fills)
        add("GET", "trade/fills-history", "fills-history", self._fills)
        add("POST", "trade/order-algo", "order-algo", self._place_stop)
        add("POST", "trade/cancel-algos", "cancel-algos", self._cancel_stops)
        add("POST", "trade/amend-algos", "amend-algos", self._change_stop)
        add("GET", "trade/order-algo", "get-algo", self._one_stop)
        add("GET", "trade/orders-algo-pending", "pending-algos", self._pending_stops)
        for name in ("private", "business", "public"):
            self.app.router.add_get(f"/ws/v5/{name}", self._stream_handler(name), name=f"ws-{name}")

    def _now_ms(self) -> int:
        return self.exchange.now() // 1_000_000 + self.clock_ms

    def _unsigned(self, request: web.Request, body: str) -> web.Response | None:
        """Why a request is not accepted; None where it is."""
        given = request.headers

        def no(code: str, text: str, status: int = 401) -> web.Response:
            return web.json_response({"code": code, "msg": text, "data": []}, status=status)

        if given.get("OK-ACCESS-KEY") != KEY:
            return no("50111", "Invalid OK-ACCESS-KEY")
        at = given.get("OK-ACCESS-TIMESTAMP", "")
        try:
            sent = datetime.fromisoformat(at.replace("Z", "+00:00")).timestamp() * 1000
        except ValueError:
            return no("50112", "Invalid OK-ACCESS-TIMESTAMP")
        if not at.endswith("Z") or abs(sent - self._now_ms()) > 30_000:
            return no("50102", "Timestamp request expired")
        if given.get("OK-ACCESS-PASSPHRASE") != PASSPHRASE:
            return no("50105", "Request header OK-ACCESS-PASSPHRASE incorrect")
        if given.get("OK-ACCESS-SIGN") != _signature(
            f"{at}{request.method}{request.path_qs}{body}"
        ):
            return no("50113", "Invalid signature")
        if (given.get("x-simulated-trading") == "1") is not self.demo:
            return no("50101", "APIKey does not match current environment")
        until = given.get("expTime")
        if until is not None and int(until) < self._now_ms():
            return no("50036", "The expTime can't be earlier than the current system time", 200)
        return None

    async def _time(self, request: web.Request, given: Any) -> web.Response:
        return _ok([{"ts": str(self._now_ms())}])

    async def _instruments(self, request: web.Request, given: Any) -> web.Response:
        assert given["instType"] == "SPOT"
        rule = self.exchange.rules.get(given["instId"])
        if rule is None:
            return _failed("51001", "Instrument ID doesn't exist", rows=False)
        return _ok(
            [
                {
                    "instId": rule.symbol, "instType": "SPOT", "baseCcy": rule.base,
                    "quoteCcy": rule.quote, "tickSz": str(rule.tick), "lotSz": str(rule.lot),
                    "minSz": str(rule.lot * 10), "state": self.states.get(rule.symbol, "live"),
                    "futureSettlement": False,
                }
            ]
        )  # fmt: skip

    async def _candles(self, request: web.Request, given: Any) -> web.Response:
        until = int(given.get("after") or self._now_ms() // 60_000 * 60_000 + 60_000)
        rows = []
        for n in range(1, int(given["limit"]) + 1):
            start = until - n * 60_000
            done = "1" if start + 60_000 <= self._now_ms() else "0"
            rows.append([str(start), "100", "101.5", "99", "100.5", "12.5", "1250", "1250", done])
        return _ok(rows)

    async def _index(self, request: web.Request, given: Any) -> web.Response:
        return _ok([{"instId": given["instId"], "idxPx": "0.9995", "ts": str(self._now_ms())}])

    async def _config(self, request: web.Request, given: Any) -> web.Response:
        row = {
            "uid": self.exchange.account_id, "mainUid": self.exchange.account_id,
            "acctLv": self.account_level, "posMode": "net_mode", "perm": self.permissions,
            "enableSpotBorrow": False,
        }  # fmt: skip
        return _ok([row])

    async def _balance(self, request: web.Request, given: Any) -> web.Response:
        exchange, details = self.exchange, []
        for coin, cash in exchange.cash.items():
            free = exchange.buying_power if coin == exchange.currency else cash
            details.append(_coin(coin, cash, free, cash))
        for symbol, held in exchange.positions.items():
            worth = held * exchange.prices.get(symbol, Decimal(1))
            details.append(_coin(exchange.rules[symbol].base, held, held, worth))
        row = {
            "totalEq": str(exchange.equity), "uTime": str(self._now_ms()),
            "details": details if self.balances is None else self.balances,
        }  # fmt: skip
        return _ok([row])

    async def _place(self, request: web.Request, body: Row) -> web.Response:
        kind = body["ordType"]
        if body["tdMode"] != "cash":
            return _failed("51010", "Request unsupported under current account mode")
        if kind == "market" and body["side"] == "buy" and body.get("tgtCcy") != "base_ccy":
            raise AssertionError("a market buy for an amount of the quote currency")
        order_id = self._next_id()
        order = self.exchange.place(
            client_id=body.get("clOrdId", ""), symbol=body["instId"],
            sign=1 if body["side"] == "buy" else -1, quantity=Decimal(body["sz"]),
            kind="market" if kind == "market" else "limit",
            limit=Decimal(body["px"]) if "px" in body else None,
            tif=kind if kind in {"ioc", "fok"} else "gtc", order_id=order_id,
        )  # fmt: skip
        if self.post_only_crosses and order.is_open:
            self.exchange.cancel(order_id, "31")
        return _ok([_ack(order, self._now_ms())])

    async def _cancel(self, request: web.Request, body: Row) -> web.Response:
        order = self._named(body)
        self.exchange.cancel(order.id, "1")
        return _ok([_ack(order, self._now_ms())])

    async def _change(self, request: web.Request, body: Row) -> web.Response:
        order = self._named(body)
        if not order.is_open:
            return _failed("51503", "Your order has already been filled or canceled")
        self._amend = {"reqId": body.get("reqId", ""), "amendResult": "0"}
        if self.amend_fails:
            self._amend |= {"amendResult": "-1", "code": self.amend_fails, "msg": "no funds"}
            self._event(order)
        elif not self.amend_silent:
            quantity = Decimal(body["newSz"]) if "newSz" in body else None
            limit = Decimal(body["newPx"]) if "newPx" in body else None
            if quantity is not None and quantity <= order.filled:
                order.quantity, order.status = order.filled, "filled"
                self._event(order)
            else:
                self.exchange.change(order.id, quantity=quantity, limit=limit)
        self._amend = {}
        return _ok([_ack(order, self._now_ms()) | {"reqId": body.get("reqId", "")}])

    async def _one(self, request: web.Request, query: Row) -> web.Response:
        try:
            order = self._named(dict(query))
        except Refused:
            return _failed("51603", "Order does not exist", rows=False)
        return _ok([self._row(order)])

    async def _pending(self, request: web.Request, query: Row) -> web.Response:
        orders = [o for o in self.exchange.open_orders if not _waits(o)]
        return self._paged(query, [self._row(order) for order in orders], "ordId")

    async def _history(self, request: web.Request, query: Row) -> web.Response:
        orders = [o for o in self.exchange.orders.values() if not o.is_open]
        rows = [self._row(o) for o in orders if not _is_stop(o) or o.id in self._children]
        return self._paged(query, rows, "ordId")

    async def _fills(self, request: web.Request, query: Row) -> web.Response:
        begin = int(query.get("begin", "0"))
        rows = [
            self._fill_row(done)
            for done in self.exchange.executions
            if done.time // 1_000_000 >= begin
        ]
        if "ordId" in query:
            rows = [row for row in rows if row["ordId"] == query["ordId"]]
        return self._paged(query, rows, "billId")

    def _paged(self, query: Row, rows: list[Row], cursor: str) -> web.Response:
        rows = sorted(rows, key=lambda row: int(row[cursor]), reverse=True)
        after = query.get("after")
        if after:
            rows = [row for row in rows if int(row[cursor]) < int(after)]
        return _ok(rows[: int(query.get("limit", "100"))])

    # --- stops

    async def _place_stop(self, request: web.Request, body: Row) -> web.Response:
        assert body["ordType"] == "conditional"
        assert body["tdMode"] == "cash"
        sign, stop = (1 if body["side"] == "buy" else -1), Decimal(body["slTriggerPx"])
        price = self.exchange.prices.get(body["instId"])
        if price is not None and (price - stop) * sign >= 0:
            word = "lower" if sign > 0 else "higher"
            code = "51278" if sign > 0 else "51280"
            return _failed(code, f"SL trigger price cannot be {word} than the last price")
        at_market, order_id = body["slOrdPx"] == "-1", self._next_id()
        self._targets[order_id] = body.get("tgtCcy", "quote_ccy" if sign > 0 else "base_ccy")
        order = self.exchange.place(
            client_id=body.get("algoClOrdId", ""), symbol=body["instId"], sign=sign,
            quantity=Decimal(body["sz"]), kind="stop" if at_market else "stop_limit",
            stop=stop, limit=None if at_market else Decimal(body["slOrdPx"]),
            order_id=order_id,
        )  # fmt: skip
        ack = {"algoId": order.id, "algoClOrdId": order.client_id, "sCode": "0", "sMsg": ""}
        return _ok([ack])

    async def _cancel_stops(self, request: web.Request, body: Any) -> web.Response:
        (one,) = body
        order = self.exchange.orders.get(one["algoId"])
        if order is None or not order.is_open or order.triggered:
            return _failed("51400", "Cancellation failed as the order does not exist")
        self.exchange.cancel(order.id, "1")
        return _ok([{"algoId": order.id, "sCode": "0", "sMsg": ""}])

    async def _change_stop(self, request: web.Request, body: Row) -> web.Response:
        order = self.exchange.orders.get(body["algoId"])
        if order is None or not order.is_open:
            return _failed("51503", "Your order has already been filled or canceled")
        self._amend = {"reqId": body.get("reqId", ""), "amendResult": "0"}
        if self.amend_fails:
            failed = {"amendResult": "-1", "failCode": self.amend_fails}
            self._send("orders-algo", self._stop_row(order) | self._amend | failed)
        elif not self.amend_silent:
            stop = Decimal(body["newSlTriggerPx"]) if "newSlTriggerPx" in body else None
            limit = Decimal(body["newSlOrdPx"]) if "newSlOrdPx" in body else None
            quantity = Decimal(body["newSz"])
            self.exchange.change(order.id, quantity=quantity, stop=stop, limit=limit)
        self._amend = {}
        return _ok([{"algoId": order.id, "sCode": "0", "sMsg": ""}])

    async def _one_stop(self, request: web.Request, query: Row) -> web.Response:
        for order in reversed(self.exchange.orders.values()):
            named = (query.get("algoId") or order.id, query.get("algoClOrdId") or order.client_id)
            if _is_stop(order) and named == (order.id, order.client_id):
                return _ok([self._stop_row(order)])
        return _failed("51603", "Order does not exist", rows=False)

    async def _pending_stops(self, request: web.Request, query: Row) -> web.Response:
        if "conditional" not in query["ordType"].split(","):
            return _ok([])
        rows = [self._stop_row(o) for o in self.exchange.open_orders if _waits(o)]
        return self._paged(query, rows, "algoId")

    def _trigger(self, order: Order) -> None:
        """A stop becomes an order of its own."""
        self._children[order.id] = self._next_id()
        self._send("orders-algo", self._stop_row(order))
        row = self._row(order) | {"state": "live", "accFillSz": "0", "avgPx": ""}
        self._send("orders", row | _no_fill())

    # --- rows

    def _named(self, given: Row) -> Order:
        """The order of a body or a query. Raises Refused."""
        parents = {child: stop for stop, child in self._children.items()}
        order_id = str(given.get("ordId", ""))
        order = self.exchange.orders.get(parents.get(order_id, order_id))
        if not order_id:
            order = self.exchange.by_client_id(given.get("clOrdId", ""))
            if order is not None and _is_stop(order):
                order = None
        if order is None or order.symbol != given["instId"]:
            raise Refused("UNKNOWN", "Order cancellation failed as it does not exist")
        return order

    def _row(self, order: Order) -> Row:
        child = self._children.get(order.id)
        kind = {"market": "market", "stop": "market"}.get(order.kind, "limit")
        if order.tif in {"ioc", "fok"} and kind == "limit":
            kind = order.tif
        state = STATES.get(order.status, "partially_filled" if order.filled else "live")
        source = {"asked for": "1", "not filled at once": "14"}.get(order.reason, order.reason)
        return {
            "instType": "SPOT", "instId": order.symbol, "ordId": child or order.id,
            "clOrdId": "" if child else order.client_id, "algoId": order.id if child else "",
            "algoClOrdId": order.client_id if child else "",
            "side": "buy" if order.sign > 0 else "sell", "ordType": kind,
            "sz": str(order.quantity), "px": "" if order.limit is None else str(order.limit),
            "tgtCcy": "base_ccy" if kind == "market" else "", "tdMode": "cash", "state": state,
            "accFillSz": str(order.filled), "avgPx": str(order.average or ""),
            "cancelSource": source if state == "canceled" else "", "reduceOnly": "false",
            "cTime": str(order.created // 1_000_000), "uTime": str(order.updated // 1_000_000),
            "linkedAlgoOrd": {"algoId": ""}, "attachAlgoOrds": [],
        }  # fmt: skip

    def _stop_row(self, order: Order) -> Row:
        child = self._children.get(order.id)
        state = "effective" if child else STATES.get(order.status, "live")
        return {
            "instType": "SPOT", "instId": order.symbol, "algoId": order.id,
            "algoClOrdId": order.client_id, "ordIdList": [child] if child else [],
            "ordId": child or "", "ordType": "conditional",
            "side": "buy" if order.sign > 0 else "sell", "sz": str(order.quantity),
            "state": state, "slTriggerPx": str(order.stop), "tpTriggerPx": "",
            "slOrdPx": "-1" if order.limit is None else str(order.limit), "triggerPx": "",
            "uTime": str(order.updated // 1_000_000), "failCode": "",
            "tgtCcy": self._targets[order.id],
        }  # fmt: skip

    def _fill_row(self, done: Execution) -> Row:
        order = self.exchange.orders[done.order_id]
        child = self._children.get(order.id)
        fee, coin = self._fee(done)
        return {
            "instType": "SPOT", "instId": done.symbol, "tradeId": done.id[1:],
            "ordId": child or order.id, "clOrdId": "" if child else order.client_id,
            "billId": str(FIRST_ID + int(done.id[1:])), "side": "buy" if done.sign > 0 else "sell",
            "fillSz": str(done.quantity), "fillPx": str(done.price), "fee": str(fee),
            "feeCcy": coin, "execType": "T", "fillTime": str(done.time // 1_000_000),
            "ts": str(done.time // 1_000_000 + 1),
        }  # fmt: skip

    def _fee(self, done: Execution) -> tuple[Decimal, str]:
        if self.fee_in_base and done.sign > 0:
            return -done.quantity * self.fee_in_base, self.exchange.rules[done.symbol].base
        return -done.fee, done.fee_currency

    def _next_id(self) -> str:
        self._ids += 1
        return str(self._ids)

    # --- streams

    def _heard(self, change: Change, order: Order, done: Execution | None) -> None:
        """What the exchange has done, as the channels tell it."""
        if _is_stop(order) and order.id not in self._children:
            if done is None:
                self._send("orders-algo", self._stop_row(order) | self._amend)
                return
            self._trigger_before(order, done)
        if done is not None and self.fee_in_base and done.sign > 0:
            # It is taken of the coin, and not of the money.
            self.exchange.positions[done.symbol] += self._fee(done)[0]
            self.exchange.cash[done.fee_currency] += done.fee
        self._event(order, done)

    def _trigger_before(self, order: Order, done: Execution) -> None:
        """The event of the trigger, when the first fill is known already."""
        filled, order.filled = order.filled, Decimal(0)
        status, order.status = order.status, "new"
        self._trigger(order)
        order.filled, order.status = filled, status

    def _event(self, order: Order, done: Execution | None = None) -> None:
        row = self._row(order) | _no_fill() | self._amend
        if done is not None and not self.zero_fills:
            fill = self._fill_row(done)
            row |= {
                "fillSz": fill["fillSz"], "fillPx": fill["fillPx"], "tradeId": fill["tradeId"],
                "fillFee": fill["fee"], "fillFeeCcy": fill["feeCcy"],
                "fillTime": fill["fillTime"], "execType": "T",
            }  # fmt: skip
        if self.skip_events:
            self.skip_events -= 1
        elif self.hold_events:
            self._held.append(row)
        else:
            for _ in range(2 if self.double_events else 1):
                self._send("orders", row)

    def _send(self, channel: str, row: Any, **more: Any) -> None:
        if self.mute:
            return
        for socket in self.sockets:
            for arg in socket.channels:
                if arg["channel"] == channel and arg.get("instId", "") in {
                    "", row.get("instId") if isinstance(row, dict) else "", more.get("symbol", ""),
                }:  # fmt: skip
                    data = {name: value for name, value in more.items() if name != "symbol"}
                    socket.say({"arg": arg, "data": [row], **data})

    def _stream_handler(self, name: str) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def serve(request: web.Request) -> web.StreamResponse:
            response = web.WebSocketResponse()
            await response.prepare(request)
            socket = Socket(response, name)
            self.sockets.append(socket)
            writer = asyncio.create_task(socket.write())
            try:
                async for message in response:
                    if message.type is WSMsgType.TEXT:
                        socket.heard.append(message.data)
                        self._spoken(socket, message.data)
            finally:
                writer.cancel()
                self.sockets.remove(socket)
            return response

        return serve

    def _spoken(self, socket: Socket, text: str) -> None:
        if self.mute:
            return
        if text == "ping":
            socket.say("pong")
            return
        asked = json.loads(text)
        if asked["op"] == "login":
            code = self.refuse_login or self._wrong_login(asked["args"][0])
            socket.logged_in = not code
            said = {"event": "error", "code": code, "msg": "Login failed."}
            socket.say(said if code else {"event": "login", "code": "0", "msg": ""})
            return
        for arg in asked["args"]:
            if socket.name != "public" and "candle" not in arg["channel"] and not socket.logged_in:
                socket.say({"event": "error", "code": "60011", "msg": "Please log in"})
                return
            socket.channels.append(arg)
            self.subscribed.release()
            socket.say({"event": "subscribe", "arg": arg, "connId": "a4d3ae55"})
            count = {"event": "channel-conn-count", "channel": arg["channel"], "connCount": "1"}
            socket.say(count)
            if arg["channel"] == "books":
                self._tell_book(arg["instId"], "snapshot")

    def _wrong_login(self, given: Row) -> str:
        if given["apiKey"] != KEY:
            return "60005"
        if abs(int(given["timestamp"]) * 1000 - self._now_ms()) > 30_000:
            return "60006"
        if given["passphrase"] != PASSPHRASE:
            return "60024"
        sign = _signature(f"{given['timestamp']}GET/users/self/verify")
        return "" if given["sign"] == sign else "60007"

    # --- prices

    def _tell_price(self, symbol: str, price: Decimal) -> None:
        at = str(self._now_ms())
        tick = self.exchange.rules[symbol].tick
        ticker = {
            "instType": "SPOT", "instId": symbol, "last": str(price), "lastSz": "0.1",
            "askPx": str(price + tick), "askSz": "11", "bidPx": str(price - tick), "bidSz": "5",
            "ts": at,
        }  # fmt: skip
        self._send("tickers", ticker)
        trade = {"instId": symbol, "tradeId": "1", "px": str(price), "sz": "0.1", "ts": at}
        self._send("trades", trade | {"side": "buy", "count": "1"})
        self.books[symbol] = (
            [[str(price - n * tick), f"{n}.50", "0", "1"] for n in (1, 2)],
            [[str(price + n * tick), f"{n}.50", "0", "1"] for n in (1, 2, 3)],
        )
        self._tell_book(symbol, "snapshot")

    def change_book(self, symbol: str, size: str, *, skip: int = 0, checksum: int = 0) -> None:
        """Another size at the best bid; `skip` updates are lost before, or the checksum is off."""
        bids, _asks = self.books[symbol]
        bids[0][1] = size
        self._tell_book(symbol, "update", [bids[0]], skip=skip, off=checksum)

    def _tell_book(
        self, symbol: str, action: str, bids: Any = None, *, skip: int = 0, off: int = 0
    ) -> None:
        all_bids, all_asks = self.books.get(symbol, ([], []))
        before = -1 if action == "snapshot" else self._seq + skip
        self._seq += skip + 1
        row = {
            "bids": all_bids if bids is None else bids, "asks": all_asks if bids is None else [],
            "ts": str(self._now_ms()), "prevSeqId": before, "seqId": self._seq,
            "checksum": _crc(all_bids, all_asks) + off,
        }  # fmt: skip
        self._send("books", row, action=action, symbol=symbol)

    def tell_candle(self, symbol: str, *, done: bool) -> None:
        start = self._now_ms() // 60_000 * 60_000
        row = [str(start), "100", "101", "99", "100.5", "12", "1200", "1200", "1" if done else "0"]
        self._send("candle1m", row, symbol=symbol)


def _crc(bids: list[list[str]], asks: list[list[str]]) -> int:
    parts = []
    for n in range(25):
        parts += [f"{side[n][0]}:{side[n][1]}" for side in (bids, asks) if n < len(side)]
    number = zlib.crc32(":".join(parts).encode()) & 0xFFFFFFFF
    return number - (1 << 32) if number & 0x80000000 else number


def _signature(text: str) -> str:
    return base64.b64encode(hmac.digest(SECRET.encode(), text.encode(), hashlib.sha256)).decode()


def _ok(rows: list[Any]) -> web.Response:
    return web.json_response({"code": "0", "msg": "", "data": rows})


def _failed(code: str, text: str, *, rows: bool = True) -> web.Response:
    """A refusal, as HTTP 200: of one order in a row of its own, else of the whole."""
    if not rows:
        return web.json_response({"code": code, "msg": text, "data": []})
    row = {"clOrdId": "", "ordId": "", "sCode": code, "sMsg": text, "tag": ""}
    return web.json_response({"code": "1", "msg": "All operations failed", "data": [row]})


def _ack(order: Order, now: int) -> Row:
    ids = {"ordId": order.id, "clOrdId": order.client_id}
    return ids | {"sCode": "0", "sMsg": "", "tag": "", "ts": str(now)}


def _no_fill() -> Row:
    return {
        "fillSz": "0", "fillPx": "", "tradeId": "", "fillFee": "0", "fillFeeCcy": "",
        "fillTime": "", "execType": "", "reqId": "", "amendResult": "", "code": "0", "msg": "",
    }  # fmt: skip


def _coin(name: str, balance: Decimal, free: Decimal, worth: Decimal) -> Row:
    return {
        "ccy": name, "cashBal": str(balance), "availBal": str(free), "eq": str(balance),
        "eqUsd": str(worth), "frozenBal": str(balance - free),
    }  # fmt: skip


def _is_stop(order: Order) -> bool:
    return order.kind in {"stop", "stop_limit"}


def _waits(order: Order) -> bool:
    return _is_stop(order) and not order.triggered
