"""Binance spot on loopback: REST, the WebSocket API and the market streams at their real paths.

It is made from the venue's published documents (research/alpaca-binance.md §6, §9) and shares no
code with the adapter. Every signed request is checked as the venue checks it: the key, the time
against recvWindow, and the signature over what was sent, byte for byte.
"""

import asyncio
import hashlib
import hmac
import itertools
import json
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any, Final
from urllib.parse import unquote

from aiohttp import WSMsgType, web

from tests.venues.exchange import Change, Exchange, Execution, Kind, Order, Refused, Rules, Tif
from tests.venues.served import Served

ZERO: Final = Decimal(0)
KEY, SECRET, UID = "canary-key-of-binance", "canary-secret-of-binance", 354937868
AHEAD_MS: Final = 1000
"""How far a timestamp may lie ahead of the server's clock."""
DAY_MS: Final = 86_400_000

_TYPES: Final[dict[str, Kind]] = {
    "MARKET": "market",
    "LIMIT": "limit",
    "STOP_LOSS": "stop",
    "STOP_LOSS_LIMIT": "stop_limit",
}
_WORDS: Final = {kind: word for word, kind in _TYPES.items()}
_NEEDS: Final = {
    "MARKET": (),
    "LIMIT": ("timeInForce", "price"),
    "STOP_LOSS": ("stopPrice",),
    "STOP_LOSS_LIMIT": ("timeInForce", "price", "stopPrice"),
}
_TIFS: Final[dict[str, Tif]] = {"GTC": "gtc", "IOC": "ioc", "FOK": "fok"}
_ENDS: Final = {"canceled": "CANCELED", "expired": "EXPIRED", "rejected": "REJECTED"}
_ORDER: Final = frozenset({
    "symbol", "side", "type", "quantity", "price", "stopPrice", "timeInForce", "newClientOrderId",
    "newOrderRespType", "selfTradePreventionMode",
})  # fmt: skip

Params = dict[str, str]
Answer = Callable[[Params], Awaitable[object] | object]


class Said(Exception):  # noqa: N818 - it is what the venue says
    """An error as the venue words it."""

    def __init__(self, code: int, msg: str, status: int = 400, **headers: str) -> None:
        super().__init__(msg)
        self.code, self.msg, self.status = code, msg, status
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


class Spot(Exchange):
    """An exchange on which whatever a working sell may take is held back, a stop too."""

    def _offered(self, symbol: str, kind: Kind) -> Decimal:
        sells = (o for o in self.open_orders if o.symbol == symbol and o.sign < 0)
        return sum((o.left for o in sells), ZERO)


class BinanceServer(Served):
    """One account. Faults beside those of `Served` are the switches below."""

    def __init__(self, *symbols: Rules, cash: Decimal = Decimal(100_000)) -> None:
        rules = symbols or (Rules("BTCUSDT", lot=Decimal("0.00001"), base="BTC", quote="USDT"),)
        self.exchange = Spot(rules, cash=cash, shorts=False, currency="USDT")
        self.exchange.listeners.append(self._told)
        self.max_quantity = Decimal(9000)
        self.status: dict[str, str] = {}
        """Another symbol status than TRADING."""
        self.coins: dict[str, Decimal] = {}
        """What is held beside cash and what was bought here."""
        self.fee_rate = ZERO
        self.fee_asset = ""
        """What commissions are taken in: "" is the asset that was received."""
        self.clock_offset_ms = 0
        self.may_withdraw = False
        self.held_reports: list[dict[str, Any]] | None = None
        """A list: reports are kept in it, until `release`."""
        self.dup_reports = False
        self.trades_lag = 0
        """So many of the newest trades are missing in myTrades."""
        self.unknown_orders = False
        """Every query about an order says -2013, as before the order has reached the database."""
        self.status_word = ""
        """What every order is said to be."""
        self.first_event: dict[str, Any] | None = None
        """Told together with the answer to the subscription, before it."""
        self.refuses_subscription = False
        self.half_open = False
        """Pings are not answered on a new connection, as where one half of the link is gone."""
        self.loses = 0
        """So many of the next reports of orders are never told."""
        self.subscribed = asyncio.Event()
        self.depth: dict[str, dict[str, Any]] = {}
        """The snapshot of a book, by symbol."""
        self.klines: dict[str, list[list[Any]]] = {}
        self.streams: list[str] = []
        """The streams that somebody listens to."""
        self.watched = asyncio.Event()
        self.used_weight = 0
        """As the venue counts it, in the minute that is on."""
        self._minute = 0
        self.refused: list[int] = []
        """The codes of every refusal over REST, in order."""
        self._cancel_ids = itertools.count(1)
        self._wires: dict[str, str] = {}
        """Id of an order -> the id of its cancel."""
        self._listeners: list[web.WebSocketResponse] = []
        self._markets: list[web.WebSocketResponse] = []
        self._out: asyncio.Queue[tuple[web.WebSocketResponse, str]] = asyncio.Queue()
        self._sender: asyncio.Task[None] | None = None
        self._trades: list[dict[str, Any]] = []
        self._trade_ids = itertools.count(1001)
        super().__init__(web.Application())
        rows: list[tuple[str, str, str, Answer, bool, int]] = [
            ("ping", "GET", "/api/v3/ping", lambda params: {}, False, 1),
            ("time", "GET", "/api/v3/time", self._time, False, 1),
            ("exchangeInfo", "GET", "/api/v3/exchangeInfo", self._info, False, 20),
            ("price", "GET", "/api/v3/ticker/price", self._price, False, 4),
            ("tickers", "GET", "/api/v3/ticker/24hr", self._tickers, False, 80),
            ("depth", "GET", "/api/v3/depth", self._depth, False, 50),
            ("klines", "GET", "/api/v3/klines", self._klines, False, 2),
            ("account", "GET", "/api/v3/account", self._account, True, 20),
            ("rights", "GET", "/sapi/v1/account/apiRestrictions", self._rights, True, 1),
            ("submit", "POST", "/api/v3/order", self._place, True, 0),
            ("cancel", "DELETE", "/api/v3/order", self._cancel, True, 0),
            ("order", "GET", "/api/v3/order", self._order, True, 4),
            ("openOrders", "GET", "/api/v3/openOrders", self._open, True, 80),
            ("cancelAll", "DELETE", "/api/v3/openOrders", self._cancel_all, True, 0),
            ("allOrders", "GET", "/api/v3/allOrders", self._all_orders, True, 20),
            ("myTrades", "GET", "/api/v3/myTrades", self._my_trades, True, 20),
        ]
        for name, method, path, answer, signed, weight in rows:
            handler = self._handler(answer, signed=signed, weight=weight)
            self.app.router.add_route(method, path, handler, name=name)
        for method in ("POST", "PUT", "DELETE"):
            self.app.router.add_route(method, "/api/v3/userDataStream", self._gone)
        self.app.router.add_get("/ws-api/v3", self._ws_api, name="ws-api")
        self.app.router.add_get("/stream", self._stream, name="stream")

    async def start(self, port: int = 0) -> None:
        await super().start(port)
        self._sender = asyncio.create_task(self._send())

    async def stop(self) -> None:
        if self._sender is not None:
            self._sender.cancel()
        await self.hang_up()
        await super().stop()

    # --- signatures and errors

    def now_ms(self) -> int:
        return self.exchange.wall() // 1_000_000 + self.clock_offset_ms

    def _handler(
        self, answer: Answer, *, signed: bool, weight: int
    ) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def handle(request: web.Request) -> web.Response:
            minute = self.now_ms() // 60_000
            if minute != self._minute:
                self._minute, self.used_weight = minute, 0
            self.used_weight += weight
            headers = {"X-MBX-USED-WEIGHT-1M": str(self.used_weight)}
            try:
                query = request.rel_url.raw_query_string
                body = await request.text()
                params = self._params(query, body)
                if signed:
                    self._check(request, query, body, params)
                told = answer(params)
                if isinstance(told, Awaitable):
                    told = await told
            except Said as error:
                self.refused.append(error.code)
                text = {"code": error.code, "msg": error.msg}
                return web.json_response(text, status=error.status, headers=headers | error.headers)
            return web.json_response(told, headers=headers)

        return handle

    @staticmethod
    def _params(query: str, body: str) -> Params:
        params: Params = {}
        for part in "&".join(filter(None, (query, body))).split("&"):
            name, _, value = part.partition("=")
            if not name:
                continue
            if name in params:
                raise Said(-1101, f"Duplicate values for parameter '{name}'.")
            params[name] = unquote(value)
        return params

    def _check(self, request: web.Request, query: str, body: str, params: Params) -> None:
        key = request.headers.get("X-MBX-APIKEY", "")
        if not key:
            raise Said(-2014, "API-key format invalid.", 401)
        if key != KEY:
            raise Said(-2015, "Invalid API-key, IP, or permissions for action.", 401)
        self._check_time(params)
        given = params.pop("signature", "")
        plain = "&".join(
            p for p in (query + body).split("&") if p and not p.startswith("signature=")
        )
        if not hmac.compare_digest(given, _signed(plain)):
            raise Said(-1022, "Signature for this request is not valid.")

    def _check_time(self, params: Params) -> None:
        if "timestamp" not in params:
            raise Said(-1102, "Mandatory parameter 'timestamp' was not sent.")
        sent, window = int(params.pop("timestamp")), Decimal(params.pop("recvWindow", "5000"))
        if window > 60_000:
            raise Said(-1131, "recvWindow must be less than 60000.")
        now = self.now_ms()
        if sent >= now + AHEAD_MS:
            raise Said(-1021, "Timestamp for this request was 1000ms ahead of the server's time.")
        if now - sent > window:
            raise Said(-1021, "Timestamp for this request is outside of the recvWindow.")

    @staticmethod
    async def _gone(request: web.Request) -> web.Response:
        return web.json_response({"code": -1, "msg": "Gone"}, status=410)

    def _symbol(self, params: Params) -> str:
        symbol = params.get("symbol", "")
        if symbol not in self.exchange.rules:
            raise Said(-1121, "Invalid symbol.")
        return symbol

    # --- public

    def _time(self, params: Params) -> object:
        return {"serverTime": self.now_ms()}

    def _info(self, params: Params) -> object:
        wanted = json.loads(params["symbols"]) if "symbols" in params else None
        if wanted is None:
            wanted = [self._symbol(params)] if "symbol" in params else list(self.exchange.rules)
        for symbol in wanted:
            self._symbol({"symbol": symbol})
        return {
            "timezone": "UTC",
            "serverTime": self.now_ms(),
            "rateLimits": [],
            "symbols": [self._facts(self.exchange.rules[symbol]) for symbol in wanted],
        }

    def _facts(self, rules: Rules) -> dict[str, Any]:
        step = format(rules.lot, ".8f")
        return {
            "symbol": rules.symbol,
            "status": self.status.get(rules.symbol, "TRADING"),
            "baseAsset": rules.base,
            "baseAssetPrecision": 8,
            "quoteAsset": rules.quote,
            "quoteAssetPrecision": 8,
            "quotePrecision": 8,
            "orderTypes": ["LIMIT", "LIMIT_MAKER", "MARKET", "STOP_LOSS", "STOP_LOSS_LIMIT"],
            "isSpotTradingAllowed": True,
            "filters": [
                {
                    "filterType": "PRICE_FILTER",
                    "minPrice": "0.01000000",
                    "maxPrice": "1000000.00000000",
                    "tickSize": format(rules.tick, ".8f"),
                },
                {
                    "filterType": "LOT_SIZE",
                    "minQty": step,
                    "maxQty": format(self.max_quantity, ".8f"),
                    "stepSize": step,
                },
                {
                    "filterType": "MARKET_LOT_SIZE",
                    "minQty": "0.00000000",
                    "maxQty": "5000.00000000",
                    "stepSize": "0.00000000",
                },
                {
                    "filterType": "NOTIONAL",
                    "minNotional": format(rules.min_notional or Decimal(5), ".8f"),
                    "applyMinToMarket": True,
                    "maxNotional": "9000000.00000000",
                    "applyMaxToMarket": False,
                    "avgPriceMins": 5,
                },
                {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": 200},
            ],
        }

    def _price(self, params: Params) -> object:
        known = self.exchange.prices
        return [{"symbol": s, "price": format(price, ".8f")} for s, price in known.items()]

    def _tickers(self, params: Params) -> object:
        known = self.exchange.prices
        one = [self._symbol(params)] if "symbol" in params else None
        wanted = one or (json.loads(params["symbols"]) if "symbols" in params else list(known))
        now = self.now_ms()
        rows = [
            {
                "symbol": symbol,
                "lastPrice": format(known[symbol], ".8f"),
                "bidPrice": format(known[symbol], ".8f"),
                "bidQty": "1.00000000",
                "askPrice": format(known[symbol], ".8f"),
                "askQty": "1.00000000",
                "openTime": now - DAY_MS,
                "closeTime": now,
            }
            for symbol in wanted
            if symbol in known
        ]
        return rows if one is None else rows[0]

    def _depth(self, params: Params) -> object:
        return self.depth[self._symbol(params)]

    def _klines(self, params: Params) -> object:
        return self.klines.get(self._symbol(params), [])[-int(params.get("limit", "500")) :]

    # --- the account

    def balances(self) -> dict[str, tuple[Decimal, Decimal]]:
        """Free and locked by asset."""
        exchange = self.exchange
        held = dict(exchange.cash)
        for symbol, quantity in exchange.positions.items():
            base = exchange.rules[symbol].base
            held[base] = held.get(base, ZERO) + quantity
        for asset, quantity in self.coins.items():
            held[asset] = held.get(asset, ZERO) + quantity
        locked: dict[str, Decimal] = {}
        for order in exchange.open_orders:
            rules = exchange.rules[order.symbol]
            price = order.limit or order.stop or exchange.prices.get(order.symbol, ZERO)
            asset, amount = (
                (rules.quote, order.left * price) if order.sign > 0 else (rules.base, order.left)
            )
            locked[asset] = locked.get(asset, ZERO) + amount
        return {
            asset: (total - locked.get(asset, ZERO), locked.get(asset, ZERO))
            for asset, total in held.items()
        }

    def _account(self, params: Params) -> object:
        omit = params.get("omitZeroBalances") == "true"
        return {
            "makerCommission": 10,
            "canTrade": True,
            "accountType": "SPOT",
            "uid": UID,
            "updateTime": self.now_ms(),
            "balances": [
                {"asset": asset, "free": format(free, "f"), "locked": format(locked, "f")}
                for asset, (free, locked) in sorted(self.balances().items())
                if free or locked or not omit
            ],
            "permissions": ["SPOT"],
        }

    def _rights(self, params: Params) -> object:
        return {
            "ipRestrict": False,
            "createTime": 1698645219000,
            "enableReading": True,
            "enableWithdrawals": self.may_withdraw,
            "enableInternalTransfer": False,
            "enableMargin": False,
            "enableFutures": False,
            "permitsUniversalTransfer": False,
            "enableVanillaOptions": False,
            "enableFixApiTrade": False,
            "enableFixReadOnly": True,
            "enableSpotAndMarginTrading": True,
            "enablePortfolioMarginTrading": False,
        }

    # --- orders

    def _place(self, params: Params) -> object:
        symbol = self._symbol(params)
        for name in set(params) - _ORDER:
            raise Said(-1104, f"Not all sent parameters were read; '{name}' was not.")
        word = params.get("type", "")
        kind = _TYPES.get(word)
        if kind is None:
            raise Said(-1116, "Invalid orderType.")
        for name in ("side", "quantity", *_NEEDS[word]):
            if name not in params:
                raise Said(-1102, f"Mandatory parameter '{name}' was not sent.")
        if "timeInForce" in params and "timeInForce" not in _NEEDS[word]:
            raise Said(-1106, "Parameter 'timeInForce' sent when not required.")
        if self.status.get(symbol, "TRADING") != "TRADING":
            raise Said(-1013, "Market is closed.")
        if not _decimal(params["quantity"]) <= self.max_quantity:
            raise Said(-1013, "Filter failure: LOT_SIZE")
        client_id = params.get("newClientOrderId") or f"auto{self.exchange.next_id()}"
        try:
            order = self.exchange.place(
                client_id=client_id,
                symbol=symbol,
                sign=1 if params["side"] == "BUY" else -1,
                quantity=_decimal(params["quantity"]),
                kind=kind,
                limit=_decimal(params["price"]) if "price" in params else None,
                stop=_decimal(params["stopPrice"]) if "stopPrice" in params else None,
                tif=_TIFS[params.get("timeInForce", "GTC")],
            )
        except Refused as error:
            raise _refusal(error) from error
        return {
            "symbol": symbol,
            "orderId": int(order.id),
            "orderListId": -1,
            "clientOrderId": client_id,
            "transactTime": order.created // 1_000_000,
        }

    def _found(self, params: Params, code: int, msg: str) -> Order:
        symbol = self._symbol(params)
        for order in reversed(self.exchange.orders.values()):
            if order.symbol == symbol and (
                order.id == params.get("orderId")
                or (order.client_id == params.get("origClientOrderId"))
            ):
                return order
        raise Said(code, msg)

    def _cancel(self, params: Params) -> object:
        order = self._found(params, -2011, "Unknown order sent.")
        if not order.is_open:
            raise Said(-2011, "Unknown order sent.")
        return self.cancel(order)

    def cancel(self, order: Order) -> dict[str, Any]:
        """Cancel by request: the cancel has an id of its own."""
        self._wires[order.id] = f"cancel{next(self._cancel_ids)}"
        self.exchange.cancel(order.id)
        row = self._row(order)
        return row | {"origClientOrderId": order.client_id, "clientOrderId": self._wires[order.id]}

    def _cancel_all(self, params: Params) -> object:
        symbol = self._symbol(params)
        mine = [order for order in self.exchange.open_orders if order.symbol == symbol]
        if not mine:
            raise Said(-2011, "Unknown order sent.")
        return [self.cancel(order) for order in mine]

    def _order(self, params: Params) -> object:
        order = self._found(params, -2013, "Order does not exist.")
        if self.unknown_orders:
            raise Said(-2013, "Order does not exist.")
        return self._row(order)

    def _open(self, params: Params) -> object:
        wanted = self._symbol(params) if "symbol" in params else ""
        self.used_weight -= 74 if wanted else 0
        return [
            self._row(order)
            for order in self.exchange.open_orders
            if not wanted or order.symbol == wanted
        ]

    def _all_orders(self, params: Params) -> object:
        symbol, first = self._symbol(params), int(params.get("orderId", "0"))
        found = [o for o in self.exchange.orders.values() if o.symbol == symbol]
        return [self._row(o) for o in found if int(o.id) >= first][: int(params["limit"])]

    def _my_trades(self, params: Params) -> object:
        symbol, limit = self._symbol(params), int(params.get("limit", "500"))
        if limit > 1000:
            raise Said(-1130, "Data sent for parameter 'limit' is not valid.")
        shown = self._trades[: len(self._trades) - self.trades_lag]
        rows = [row for row in shown if row["symbol"] == symbol]
        if "fromId" in params:
            return [row for row in rows if row["id"] >= int(params["fromId"])][:limit]
        if "startTime" in params:
            begin, end = int(params["startTime"]), int(params["endTime"])
            if not 0 <= end - begin <= DAY_MS:
                raise Said(-1127, "More than 24 hours between startTime and endTime.")
            return [row for row in rows if begin <= row["time"] <= end][:limit]
        return rows[-limit:]

    def _status(self, order: Order) -> str:
        if self.status_word:
            return self.status_word
        if order.status == "new":
            return "PARTIALLY_FILLED" if order.filled else "NEW"
        return _ENDS.get(order.status, "FILLED")

    def _row(self, order: Order) -> dict[str, Any]:
        return {
            "symbol": order.symbol,
            "orderId": int(order.id),
            "orderListId": -1,
            "clientOrderId": order.client_id,
            "price": format(order.limit or ZERO, ".8f"),
            "origQty": format(order.quantity, ".8f"),
            "executedQty": format(order.filled, ".8f"),
            "cummulativeQuoteQty": format(order.paid, ".8f"),
            "status": self._status(order),
            "timeInForce": order.tif.upper(),
            "type": _WORDS[order.kind],
            "side": "BUY" if order.sign > 0 else "SELL",
            "stopPrice": format(order.stop or ZERO, ".8f"),
            "icebergQty": "0.00000000",
            "time": order.created // 1_000_000,
            "updateTime": order.updated // 1_000_000,
            "isWorking": order.stop is None or order.triggered,
            "workingTime": order.created // 1_000_000,
            "origQuoteOrderQty": "0.00000000",
            "selfTradePreventionMode": "NONE",
        }

    # --- the stream of the account

    def _told(self, change: Change, order: Order, done: Execution | None) -> None:
        execution = {"new": "NEW", "fill": "TRADE"}.get(change) or _ENDS[change]
        # A partial fill is told before the exchange counts the next one, so this is its own state.
        trade = None if done is None else self._trade(order, done)
        cancel = self._wires.get(order.id, "") if change == "canceled" else ""
        self.tell({
            "e": "executionReport",
            "E": self.now_ms(),
            "s": order.symbol,
            "c": cancel or order.client_id,
            "S": "BUY" if order.sign > 0 else "SELL",
            "o": _WORDS[order.kind],
            "f": order.tif.upper(),
            "q": format(order.quantity, ".8f"),
            "p": format(order.limit or ZERO, ".8f"),
            "P": format(order.stop or ZERO, ".8f"),
            "F": "0.00000000",
            "g": -1,
            "C": order.client_id if cancel else "",
            "x": execution,
            "X": self._status(order),
            "r": "NONE",
            "i": int(order.id),
            "l": "0.00000000" if done is None else format(done.quantity, ".8f"),
            "z": format(order.filled, ".8f"),
            "L": "0.00000000" if done is None else format(done.price, ".8f"),
            "n": "0" if trade is None else trade["commission"],
            "N": None if trade is None else trade["commissionAsset"],
            "T": order.updated // 1_000_000,
            "t": -1 if trade is None else trade["id"],
            "I": int(self.exchange.next_id()),
            "w": order.stop is None or order.triggered,
            "m": False,
            "M": False,
            "O": order.created // 1_000_000,
            "Z": format(order.paid, ".8f"),
            "Y": "0.00000000",
            "Q": "0.00000000",
            "W": order.created // 1_000_000,
            "V": "NONE",
        })  # fmt: skip
        if trade is not None:
            now = self.now_ms()
            self.tell({"e": "outboundAccountPosition", "E": now, "u": now, "B": []})

    def _trade(self, order: Order, done: Execution) -> dict[str, Any]:
        rules = self.exchange.rules[order.symbol]
        received = rules.base if order.sign > 0 else rules.quote
        asset = self.fee_asset or received
        amount = done.quantity if received == rules.base else done.quantity * done.price
        fee = (amount * self.fee_rate).quantize(Decimal("1e-8"))
        if self.fee_rate:
            self.coins[asset] = self.coins.get(asset, ZERO) - fee
        row = {
            "symbol": order.symbol,
            "id": next(self._trade_ids),
            "orderId": int(order.id),
            "orderListId": -1,
            "price": format(done.price, ".8f"),
            "qty": format(done.quantity, ".8f"),
            "quoteQty": format(done.quantity * done.price, ".8f"),
            "commission": format(fee, ".8f"),
            "commissionAsset": asset,
            "time": done.time // 1_000_000,
            "isBuyer": order.sign > 0,
            "isMaker": False,
            "isBestMatch": True,
        }
        self._trades.append(row)
        return row

    def past_trades(self, count: int, *, first_ms: int, step_ms: int = 1) -> None:
        """So many trades happened at that pace before anything else did, each of 0.00001."""
        for n in range(count):
            self._trades.append({
                "symbol": next(iter(self.exchange.rules)),
                "id": next(self._trade_ids),
                "orderId": 1,
                "price": "100.00000000",
                "qty": "0.00001000",
                "commission": "0.00000000",
                "commissionAsset": "USDT",
                "time": first_ms + n * step_ms,
                "isBuyer": True,
                "isMaker": True,
            })  # fmt: skip

    def tell(self, event: dict[str, Any]) -> None:
        """Say it to whoever has subscribed."""
        if self.held_reports is not None:
            self.held_reports.append(event)
            return
        if self.loses and event["e"] == "executionReport":
            self.loses -= 1
            return
        for _ in range(2 if self.dup_reports else 1):
            self._say({"subscriptionId": 0, "event": event})

    def _say(self, told: dict[str, Any]) -> None:
        for socket in self._listeners:
            self._out.put_nowait((socket, json.dumps(told)))

    def release(self, *, reverse: bool = False) -> None:
        """Say what was held back."""
        held, self.held_reports = self.held_reports or [], None
        for event in reversed(held) if reverse else held:
            self.tell(event)

    def shut_down(self) -> None:
        """The server is about to be restarted: told without a subscription."""
        self._say({"event": {"e": "serverShutdown", "E": self.now_ms()}})

    def terminate(self) -> None:
        """The subscription ends, the connection stays."""
        self._say({"subscriptionId": 0, "event": {"e": "eventStreamTerminated", "E": 1}})
        self._listeners.clear()

    async def hang_up(self, code: int = 1001) -> None:
        """Close every connection of the account and of the market."""
        sockets, self._listeners, self._markets = [*self._listeners, *self._markets], [], []
        for socket in sockets:
            await socket.close(code=code)

    def say_late_error(self) -> None:
        """The refusal of a request that nobody waits for any more."""
        self._say({"id": 99, "status": 400, "error": {"code": -1000, "msg": "late"}})

    @property
    def subscriptions(self) -> int:
        return len(self._listeners)

    async def _send(self) -> None:
        while True:
            socket, text = await self._out.get()
            if not socket.closed:
                await socket.send_str(text)

    async def _ws_api(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(autoping=not self.half_open)
        await socket.prepare(request)
        async for message in socket:
            if message.type is not WSMsgType.TEXT:
                continue
            asked = json.loads(message.data)
            answer: dict[str, Any] = {"id": asked.get("id")}
            try:
                answer |= {"status": 200, "result": self._ws_asked(asked, socket)}
            except Said as error:
                answer |= {
                    "status": error.status,
                    "error": {"code": error.code, "msg": error.msg},
                }
            if self.first_event is not None:
                early, self.first_event = self.first_event, None
                await socket.send_str(json.dumps({"subscriptionId": 0, "event": early}))
            await socket.send_str(json.dumps(answer | {"rateLimits": []}))
            if answer["status"] == 200:
                self.subscribed.set()
        if socket in self._listeners:
            self._listeners.remove(socket)
        return socket

    def _ws_asked(self, asked: dict[str, Any], socket: web.WebSocketResponse) -> object:
        if asked.get("method") != "userDataStream.subscribe.signature":
            raise Said(-1000, f"unknown method {asked.get('method')}")
        params = {name: str(value) for name, value in asked["params"].items()}
        given = params.pop("signature", "")
        plain = "&".join(f"{name}={params[name]}" for name in sorted(params))
        if params.get("apiKey") != KEY:
            raise Said(-2015, "Invalid API-key, IP, or permissions for action.", 401)
        self._check_time(params)
        if not hmac.compare_digest(given, _signed(plain)):
            raise Said(-1022, "Signature for this request is not valid.")
        if socket in self._listeners:
            raise Said(-2035, "User Data Stream subscription already active.")
        if self.refuses_subscription:
            raise Said(-1003, "Too many requests.", 429)
        self._listeners.append(socket)
        return {"subscriptionId": 0}

    # --- the market

    async def _stream(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(autoping=not self.half_open)
        await socket.prepare(request)
        self.streams = request.query["streams"].split("/")
        self._markets.append(socket)
        self.watched.set()
        async for _ in socket:
            pass
        if socket in self._markets:
            self._markets.remove(socket)
        return socket

    def publish(self, stream: str, data: dict[str, Any]) -> None:
        """Say it on a market stream, to those who listen to that."""
        if stream in self.streams:
            for socket in self._markets:
                self._out.put_nowait((socket, json.dumps({"stream": stream, "data": data})))


def _signed(text: str) -> str:
    return hmac.new(SECRET.encode(), text.encode(), hashlib.sha256).hexdigest()


def _decimal(text: str) -> Decimal:
    if not text.replace(".", "", 1).isdecimal():
        raise Said(-1100, f"Illegal characters found in a parameter: '{text}'.")
    return Decimal(text)


def _refusal(error: Refused) -> Said:
    match error.code:
        case "DUPLICATE":
            return Said(-2010, "Duplicate order sent.")
        case "FUNDS":
            return Said(-2010, "Account has insufficient balance for requested action.")
        case "QUANTITY":
            return Said(-1013, "Filter failure: LOT_SIZE")
        case "PRICE":
            return Said(-1013, "Filter failure: PRICE_FILTER")
        case "NOTIONAL":
            return Said(-1013, "Filter failure: NOTIONAL")
        case _:
            return Said(-2010, error.text)
