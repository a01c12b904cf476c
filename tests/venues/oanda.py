"""A local OANDA: one v20 account behind its REST paths and its two streams, with its faults.

It speaks the protocol of the official definition (version 3.0.25) and of recorded answers: the
transaction log is the truth, a created order is answered with 201 whatever became of it, and the
stream tells the same transactions. What no source tells is marked where it is decided.
"""

import asyncio
import contextlib
import json
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from decimal import Decimal
from itertools import chain
from typing import Any, Final

from aiohttp import web

from tests.venues.exchange import Change, Exchange, Execution, Kind, Order, Refused, Rules, Tif
from tests.venues.served import Served

ACCOUNT: Final = "101-001-1234567-001"
TOKEN: Final = "canary0123456789-fedcba9876543210"
SYMBOL: Final = "EUR_USD"
ZERO: Final = Decimal(0)

Json = dict[str, Any]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_KINDS: Final[dict[str, Kind]] = {"MARKET": "market", "LIMIT": "limit", "STOP": "stop"}
_TIFS: Final[dict[str, Tif]] = {"GTC": "gtc", "GFD": "day", "IOC": "ioc", "FOK": "fok"}
_TIF_WORDS: Final = {mine: word for word, mine in _TIFS.items()}
_STATES: Final = {"new": "PENDING", "filled": "FILLED"}
_REJECTS: Final = {
    "SYMBOL": "INSTRUMENT_NOT_TRADEABLE",
    "DUPLICATE": "CLIENT_ORDER_ID_ALREADY_EXISTS",
    "QUANTITY": "UNITS_PRECISION_EXCEEDED",
    "PRICE": "PRICE_PRECISION_EXCEEDED",
    "NO_PRICE": "INSTRUMENT_PRICE_UNKNOWN",
}
"""What is refused before there is an order: 400."""
_CANCELLED: Final = {
    "FUNDS": "INSUFFICIENT_MARGIN",
    # No source says the reason of a REDUCE_ONLY order that finds nothing to reduce.
    "REDUCE_ONLY": "POSITION_CLOSEOUT_FAILED",
    "nothing is left to reduce": "POSITION_CLOSEOUT_FAILED",
    "asked for": "CLIENT_REQUEST",
    "not filled at once": "INSUFFICIENT_LIQUIDITY",
}
"""What is refused once there is an order: 201, and a cancel."""
_ORDER_FIELDS: Final = {
    "type", "instrument", "units", "price", "timeInForce", "positionFill", "triggerCondition",
    "clientExtensions",
}  # fmt: skip


def stamp(nanos: int) -> str:
    """A time as it writes it: nine decimals."""
    whole = datetime.fromtimestamp(nanos // 1_000_000_000, UTC)
    return f"{whole:%Y-%m-%dT%H:%M:%S}.{nanos % 1_000_000_000:09d}Z"


def nanos_of(text: str) -> int:
    """The nanoseconds of a time as it writes it."""
    whole, _, rest = text.rstrip("Z").partition(".")
    since = datetime.fromisoformat(whole).replace(tzinfo=UTC).timestamp()
    return int(since) * 1_000_000_000 + int(rest.ljust(9, "0") or 0)


class OandaServer(Served):
    """The venue: `exchange` matches, this tells it in OANDA's words."""

    def __init__(self, wall: Callable[[], int] = time.time_ns) -> None:
        """`wall`: the clock here, UTC nanoseconds; the account is opened at once."""
        self.exchange = Exchange(
            (
                Rules(SYMBOL, tick=Decimal("0.01"), base="EUR", quote="USD"),
                Rules("USD_JPY", tick=Decimal("0.001"), base="USD", quote="JPY"),
            ),
            account_id=ACCOUNT,
        )
        self.exchange.wall = wall
        self.exchange.listeners.append(self._changed)
        self.token = TOKEN
        self.accounts: list[Json] = [{"id": ACCOUNT, "tags": []}]
        self.rates = {"USD": Decimal(1), "JPY": Decimal("0.0067")}
        """What one unit of a currency is worth in that of the account."""
        self.balance = Decimal(100_000)
        self.margin_rate = Decimal("0.05")
        self.transactions: list[Json] = []
        self.trades: list[Json] = []
        """Open ones, oldest first: what is closed is taken off the first (FIFO)."""
        self.dependents: list[Json] = []
        """Pending orders that are tied to a trade."""
        self.hedged: list[Json] | None = None
        """The rows of an account in which long and short stand side by side."""
        self.candles: list[Json] = []
        self.tradeable = True
        self.rejects_next = ""
        """The next order is refused for this reason before there is one: 400."""
        self.cancels_next = ""
        """The next order is created, and cancelled for this reason: 201."""
        self.thin: Decimal | None = None
        """The next order that fills at once finds so much and no more."""
        self.tells_remainder = True
        """An IOC that filled in part is cancelled by a transaction; no source says which it is."""
        self.finds_ended = False
        """An order that has ended is found by its client id, which may be in use again."""
        self.held: list[Json] | None = None
        """Transactions that the stream has not told yet; None: it tells each at once."""
        self.batch = ""
        self.ends: dict[str, dict[str, str]] = {}
        """Order id -> which transactions filled and cancelled it."""
        self.refused: dict[str, Json] = {}
        """Orders that were cancelled in the moment in which they were created."""
        self.tags: dict[str, str] = {}
        self.posted: list[Json] = []
        """The body of every order that was asked for."""
        self._streams: list[asyncio.Queue[bytes | None]] = []
        self._prices: list[asyncio.Queue[bytes | None]] = []
        self.watched = asyncio.Event()
        """Somebody has asked for the stream of prices."""
        super().__init__(web.Application())
        self._add_routes()
        self._log("CREATE", homeCurrency="USD")
        self.transfer("100000", booked=False)

    # --- what somebody else does

    def transfer(self, amount: str, *, booked: bool = True) -> None:
        """Money comes in, or goes out."""
        if booked:
            self.balance += Decimal(amount)
        self._log("TRANSFER_FUNDS", amount=amount, fundingReason="CLIENT_FUNDING",
                  accountBalance=self._money(self.balance))  # fmt: skip

    def finance(self, amount: str) -> None:
        """The day's interest on what is held."""
        self.balance += Decimal(amount)
        self._log("DAILY_FINANCING", financing=amount, accountBalance=self._money(self.balance))

    def close_out(self, symbol: str = SYMBOL) -> None:
        """The venue closes what is held, for want of margin."""
        held = self.exchange.positions[symbol]
        self.batch = ""
        self.exchange.place(
            client_id="", symbol=symbol, sign=-1 if held > 0 else 1, quantity=abs(held),
            kind="market", tif="fok", reduce_only=True, order_id=self.next_number,
        )  # fmt: skip

    def order_by_hand(self, units: str, price: str, *, client_id: str = "") -> str:
        """Somebody rests a limit order in the venue's own program; its id."""
        self.batch = ""
        quantity = Decimal(units)
        return self.exchange.place(
            client_id=client_id, symbol=SYMBOL, sign=1 if quantity > 0 else -1,
            quantity=abs(quantity), kind="limit", limit=Decimal(price), order_id=self.next_number,
        ).id  # fmt: skip

    def replace_by_hand(self, order_id: str, units: str, price: str) -> str:
        """Somebody gives a working order other terms: it gets another id, and keeps its own."""
        old = self.exchange.orders[order_id]
        self.batch = self.next_number
        old.replaced_by = str(int(self.next_number) + 1)
        self.exchange.cancel(order_id, "CLIENT_REQUEST_REPLACED")
        quantity = Decimal(units)
        return self.exchange.place(
            client_id=old.client_id, symbol=old.symbol, sign=1 if quantity > 0 else -1,
            quantity=abs(quantity), kind=old.kind, limit=Decimal(price), order_id=self.next_number,
            replaces=order_id,
        ).id  # fmt: skip

    def protect_by_hand(self, price: str) -> str:
        """Somebody ties a stop to the newest trade; its id."""
        trade = self.trades[-1]
        order_id = self.next_number
        self.batch = ""
        row = {"tradeID": trade["id"], "price": price, "timeInForce": "GTC"}
        self._log("STOP_LOSS_ORDER", **row, reason="CLIENT_ORDER")
        self.dependents.append(
            {**row, "id": order_id, "createTime": stamp(self.exchange.now()), "state": "PENDING",
             "type": "STOP_LOSS", "triggerCondition": "DEFAULT"}
        )  # fmt: skip
        return order_id

    def end_of_day(self, order_id: str) -> None:
        """Its time in force has passed."""
        self.batch = ""
        self.exchange.cancel(order_id, "TIME_IN_FORCE_EXPIRED")

    # --- the stream

    @property
    def listeners(self) -> int:
        """How many read the stream of transactions."""
        return len(self._streams)

    def hold(self) -> None:
        """From now on the stream is behind."""
        self.held = []

    def release(self, *numbers: int) -> None:
        """Tell what was held, in that order: places in the list of what was held, each as often as
        it is named; without any all of it, in order."""
        held, self.held = self.held or [], None
        for each in [held[n] for n in numbers] if numbers else held:
            self._say(each)

    def lose(self) -> None:
        """What was held is never told."""
        self.held = None

    def beat(self) -> None:
        """The heartbeat of every 5 s."""
        now = stamp(self.exchange.now())
        self._say({"type": "HEARTBEAT", "lastTransactionID": self._last, "time": now})

    def say(self, given: bytes) -> None:
        """Bytes on the stream as they stand."""
        for queue in self._streams:
            queue.put_nowait(given)

    def hang_up(self) -> None:
        """End both streams."""
        for queue in chain(self._streams, self._prices):
            queue.put_nowait(None)

    async def stop(self) -> None:
        """Hang up on everybody and listen no more."""
        self.hang_up()
        await super().stop()

    def revoke(self) -> None:
        """The token is not valid any more."""
        self.token = "another"
        self.hang_up()

    def quote(self, symbol: str, bid: str, ask: str) -> None:
        """Both sides of a symbol now, told to whoever watches it."""
        self.exchange.set_price(symbol, (Decimal(bid) + Decimal(ask)) / 2)
        self._tell_price(self._price(symbol, bid, ask))

    def price_beat(self) -> None:
        """The heartbeat of the stream of prices."""
        self._tell_price({"type": "HEARTBEAT", "time": stamp(self.exchange.now())})

    def _say(self, given: Json) -> None:
        self.say(json.dumps(given).encode() + b"\n")

    def say_price(self, given: bytes) -> None:
        """Bytes on the stream of prices as they stand."""
        for queue in self._prices:
            queue.put_nowait(given)

    def _tell_price(self, given: Json) -> None:
        self.say_price(json.dumps(given).encode() + b"\n")

    def _price(self, symbol: str, bid: str, ask: str) -> Json:
        return {
            "type": "PRICE", "instrument": symbol, "time": stamp(self.exchange.now()),
            "tradeable": self.tradeable,
            "status": "tradeable" if self.tradeable else "non-tradeable",
            "bids": [{"price": bid, "liquidity": 1_000_000}],
            "asks": [{"price": ask, "liquidity": 1_000_000},
                     {"price": f"{Decimal(ask) + 1}", "liquidity": 2_000_000}],
            "closeoutBid": bid, "closeoutAsk": ask,
        }  # fmt: skip

    # --- the log

    @property
    def next_number(self) -> str:
        return str(len(self.transactions) + 1)

    @property
    def _last(self) -> str:
        return str(len(self.transactions))

    def _log(self, kind: str, at: int = 0, **fields: Any) -> Json:
        number = self.next_number
        told = {
            "id": number, "batchID": self.batch or number, "accountID": ACCOUNT, "userID": 1234567,
            "time": stamp(at or self.exchange.now()), "type": kind, **fields,
        }  # fmt: skip
        self.transactions.append(told)
        if self.held is not None:
            self.held.append(told)
        else:
            self._say(told)
        return told

    def _changed(self, change: Change, order: Order, done: Execution | None) -> None:
        if change == "new":
            self._log(f"{order.kind.upper()}_ORDER", order.created, **self._terms(order),
                      reason="REPLACEMENT" if order.replaces else "CLIENT_ORDER")  # fmt: skip
            return
        ends = self.ends.setdefault(order.id, {})
        if done is not None:
            ends["fillingTransactionID"] = self._filled(order, done)["id"]
        elif self.tells_remainder or not order.filled:
            reason = _CANCELLED.get(order.reason, order.reason)
            ends["cancellingTransactionID"] = self._cancelled(order, reason)["id"]

    def _cancelled(self, order: Order, reason: str) -> Json:
        more = {"replacedByOrderID": order.replaced_by} if order.replaced_by else {}
        return self._log("ORDER_CANCEL", order.updated, orderID=order.id, reason=reason, **more,
                         **_client_order_id(order.client_id))  # fmt: skip

    def _filled(self, order: Order, done: Execution) -> Json:
        units, price = done.sign * done.quantity, done.price
        rate = self.rates[self.exchange.rules[done.symbol].quote]
        closed, left, number = [], units, self.next_number
        for trade in list(self.trades):
            if trade["instrument"] != done.symbol or trade["units"] * left >= 0:
                continue
            part = min(abs(left), abs(trade["units"])) * (1 if left > 0 else -1)
            gained = -part * (price - trade["price"])
            closed.append({"tradeID": trade["id"], "units": f"{part}", "price": f"{price}",
                           "realizedPL": self._money(gained * rate), "financing": "0.0000",
                           "quote": gained})  # fmt: skip
            trade["units"] += part
            left -= part
            if not trade["units"]:
                self.trades.remove(trade)
        quote_gain = sum((each.pop("quote") for each in closed), ZERO)
        opened: Json = {}
        if left:
            self.trades.append({"id": number, "instrument": done.symbol, "price": price,
                                "units": left, "openTime": stamp(done.time)})  # fmt: skip
            opened["tradeOpened"] = {"tradeID": number, "units": f"{left}", "price": f"{price}"}
        gained = Decimal(self._money(quote_gain * rate))
        commission = Decimal(self._money(done.fee * rate))
        self.balance += gained - commission
        if closed:
            opened["tradesClosed"] = closed
        return self._log(
            "ORDER_FILL", done.time, orderID=order.id, instrument=done.symbol, units=f"{units}",
            requestedUnits=f"{order.sign * order.quantity}", price=f"{price}",
            fullVWAP=f"{price}", pl=f"{gained}", quotePL=f"{quote_gain}", financing="0.0000",
            commission=f"{commission}", guaranteedExecutionFee="0.0000",
            accountBalance=self._money(self.balance), reason=f"{order.kind.upper()}_ORDER",
            gainQuoteHomeConversionFactor=f"{rate}", lossQuoteHomeConversionFactor=f"{rate}",
            **opened, **_client_order_id(order.client_id),
        )  # fmt: skip

    def _terms(self, order: Order) -> Json:
        price = order.limit if order.limit is not None else order.stop
        more: Json = {} if price is None else {"price": f"{price}", "triggerCondition": "DEFAULT"}
        if order.client_id:
            more["clientExtensions"] = {"id": order.client_id}
            if order.client_id in self.tags:
                more["clientExtensions"]["tag"] = self.tags[order.client_id]
        if order.replaces:
            more["replacesOrderID"] = order.replaces
        return {
            "instrument": order.symbol, "units": f"{order.sign * order.quantity}",
            "timeInForce": _TIF_WORDS[order.tif],
            "positionFill": "REDUCE_ONLY" if order.reduce_only else "DEFAULT", **more,
        }  # fmt: skip

    def _order(self, order: Order) -> Json:
        told = self.ends.get(order.id, {})
        state = _STATES.get(order.status, "CANCELLED" if "cancellingTransactionID" in told else "")
        return {
            "id": order.id, "createTime": stamp(order.created), "type": order.kind.upper(),
            "state": state or "FILLED", **self._terms(order), **told,
        }  # fmt: skip

    @staticmethod
    def _money(amount: Decimal) -> str:
        return f"{amount:.4f}"

    # --- what it answers

    def _add_routes(self) -> None:
        account = f"/v3/accounts/{ACCOUNT}"
        table: list[tuple[str, str, str, Handler]] = [
            ("accounts", "GET", "/v3/accounts", self._get_accounts),
            ("account", "GET", account, self._get_account),
            ("summary", "GET", f"{account}/summary", self._get_account),
            ("instruments", "GET", f"{account}/instruments", self._get_instruments),
            ("create", "POST", f"{account}/orders", self._create),
            ("orders", "GET", f"{account}/orders", self._get_orders),
            ("pending", "GET", f"{account}/pendingOrders", self._get_pending),
            ("order", "GET", f"{account}/orders/{{spec}}", self._get_order),
            ("cancel", "PUT", f"{account}/orders/{{spec}}/cancel", self._cancel),
            ("positions", "GET", f"{account}/openPositions", self._get_positions),
            ("trades", "GET", f"{account}/openTrades", self._get_trades),
            ("transactions", "GET", f"{account}/transactions", self._get_transactions),
            ("idrange", "GET", f"{account}/transactions/idrange", self._get_range),
            ("sinceid", "GET", f"{account}/transactions/sinceid", self._get_since),
            ("stream", "GET", f"{account}/transactions/stream", self._stream),
            ("transaction", "GET", f"{account}/transactions/{{id}}", self._get_transaction),
            ("pricing_stream", "GET", f"{account}/pricing/stream", self._price_stream),
            ("candles", "GET", "/v3/instruments/{symbol}/candles", self._get_candles),
        ]
        for name, method, path, handler in table:
            self.app.router.add_route(method, path, self._authorised(handler), name=name)

    def _authorised(self, handler: Handler) -> Handler:
        async def checked(request: web.Request) -> web.StreamResponse:
            if request.headers.get("Authorization") != f"Bearer {self.token}":
                text = "Insufficient authorization to perform request."
                return web.json_response({"errorMessage": text}, status=401)
            return await handler(request)

        return checked

    def _answer(self, status: int = 200, **fields: Any) -> web.Response:
        return web.json_response({**fields, "lastTransactionID": self._last}, status=status)

    async def _get_accounts(self, request: web.Request) -> web.Response:
        return web.json_response({"accounts": self.accounts})

    async def _get_account(self, request: web.Request) -> web.Response:
        unrealized, used = ZERO, ZERO
        for trade in self.trades:
            symbol = trade["instrument"]
            rate = self.rates[self.exchange.rules[symbol].quote]
            mark = self.exchange.prices[symbol]
            unrealized += trade["units"] * (mark - trade["price"]) * rate
            used += abs(trade["units"]) * mark * rate * self.margin_rate
        nav = self.balance + unrealized
        told: Json = {
            "id": ACCOUNT, "currency": "USD", "balance": self._money(self.balance),
            "createdTime": "2020-01-01T00:00:00.000000000Z",
            "hedgingEnabled": self.hedged is not None,
            "unrealizedPL": self._money(unrealized), "NAV": self._money(nav),
            "marginUsed": self._money(used), "marginAvailable": self._money(max(nav - used, ZERO)),
            "marginRate": f"{self.margin_rate}", "openTradeCount": len(self.trades),
            "pendingOrderCount": len(self.exchange.open_orders), "lastTransactionID": self._last,
        }  # fmt: skip
        if not request.path.endswith("/summary"):
            told["trades"] = self._trades()
            told["orders"] = self._pending()
            told["positions"] = self._positions()
        return self._answer(account=told)

    async def _get_instruments(self, request: web.Request) -> web.Response:
        wanted = request.query.get("instruments", "")
        names = wanted.split(",") if wanted else list(self.exchange.rules)
        if not set(names) <= set(self.exchange.rules):
            text = "Invalid value specified for 'instruments'"
            return web.json_response({"errorMessage": text}, status=400)
        rows = [
            {"name": name, "type": "CURRENCY", "displayName": name.replace("_", "/"),
             "pipLocation": -2, "displayPrecision": -int(rule.tick.as_tuple().exponent),
             "tradeUnitsPrecision": 0, "minimumTradeSize": "1", "maximumOrderUnits": "100000000",
             "maximumPositionSize": "0", "marginRate": "0.02",
             "maximumTrailingStopDistance": "1.00000", "minimumTrailingStopDistance": "0.00050"}
            for name in names for rule in (self.exchange.rules[name],)
        ]  # fmt: skip
        return self._answer(instruments=rows)

    def _pending(self) -> list[Json]:
        return [self._order(order) for order in self.exchange.open_orders] + self.dependents

    async def _get_pending(self, request: web.Request) -> web.Response:
        return self._answer(orders=self._pending())

    async def _get_orders(self, request: web.Request) -> web.Response:
        every = [self._order(order) for order in self.exchange.orders.values()]
        every += self.refused.values()
        every.sort(key=lambda order: -int(order["id"]))
        state, count = request.query.get("state", "PENDING"), int(request.query.get("count", "50"))
        before = int(request.query.get("beforeID", "0")) or len(self.transactions) + 1
        rows = [o for o in every if state in {"ALL", o["state"]} and int(o["id"]) < before]
        return self._answer(orders=rows[: min(count, 500)])

    def _named(self, spec: str, *, ended: bool) -> Order | None:
        if spec.startswith("@"):
            found = self.exchange.by_client_id(spec[1:])
            return found if found is not None and (found.is_open or ended) else None
        return self.exchange.orders.get(spec)

    async def _get_order(self, request: web.Request) -> web.Response:
        spec = request.match_info["spec"]
        order = self._named(spec, ended=self.finds_ended)
        if order is not None:
            return self._answer(order=self._order(order))
        if spec in self.refused:
            return self._answer(order=self.refused[spec])
        text = "The order ID specified does not exist"
        return self._answer(404, errorCode="NO_SUCH_ORDER", errorMessage=text)

    async def _cancel(self, request: web.Request) -> web.Response:
        spec = request.match_info["spec"]
        order = self._named(spec, ended=False)
        self.batch = ""
        if order is None or not order.is_open:
            told = self._log("ORDER_CANCEL_REJECT", rejectReason="ORDER_DOESNT_EXIST")
            return self._answer(404, orderCancelRejectTransaction=told,
                                relatedTransactionIDs=[told["id"]], errorCode="ORDER_DOESNT_EXIST",
                                errorMessage="The Order specified does not exist")  # fmt: skip
        self.exchange.cancel(order.id)
        told = self.transactions[-1]
        return self._answer(orderCancelTransaction=told, relatedTransactionIDs=[told["id"]])

    async def _create(self, request: web.Request) -> web.Response:
        body = (await request.json()).get("order")
        self.posted.append(body)
        fault = _fault_of(body)
        if fault:
            return web.json_response({"errorMessage": fault}, status=400)
        first = len(self.transactions)
        self.batch = self.next_number
        units = Decimal(body["units"])
        extensions = body.get("clientExtensions", {})
        client_id = extensions.get("id", "")
        reject = ""
        if "tag" in extensions:
            self.tags.setdefault(client_id, extensions["tag"])
        if body["type"] == "MARKET" and body["timeInForce"] not in {"FOK", "IOC"}:
            reject = "TIME_IN_FORCE_INVALID"
        reject, self.rejects_next = self.rejects_next or reject, ""
        cancel, self.cancels_next = self.cancels_next, ""
        if cancel:
            self._refuse(body, client_id, cancel)
        elif not reject:
            try:
                self._place(body, client_id, units)
            except Refused as refused:
                reject = _REJECTS.get(refused.code, "")
                if not reject:
                    self._refuse(body, client_id, _CANCELLED[refused.code])
        if reject:
            told = self._log(f"{body['type']}_ORDER_REJECT", **_echo(body), rejectReason=reject)
            return self._answer(400, orderRejectTransaction=told, errorCode=reject,
                                relatedTransactionIDs=[told["id"]],
                                errorMessage=f"refused: {reject}")  # fmt: skip
        made = self.transactions[first:]
        words = {"ORDER_FILL": "orderFillTransaction", "ORDER_CANCEL": "orderCancelTransaction"}
        named = {words.get(each["type"], "orderCreateTransaction"): each for each in made}
        return self._answer(201, **named, relatedTransactionIDs=[each["id"] for each in made])

    def _place(self, body: Json, client_id: str, units: Decimal) -> None:
        kind, tif = _KINDS[body["type"]], _TIFS[body["timeInForce"]]
        price = Decimal(body["price"]) if "price" in body else None
        thin, self.thin = (self.thin, None) if kind == "market" else (None, self.thin)
        self.exchange.fills = self.exchange.fills and thin is None
        try:
            order = self.exchange.place(
                client_id=client_id, symbol=body["instrument"], sign=1 if units > 0 else -1,
                quantity=abs(units), kind=kind, limit=price if kind == "limit" else None,
                stop=price if kind == "stop" else None,
                tif="gtc" if thin is not None and tif == "ioc" else tif,
                reduce_only=body["positionFill"] == "REDUCE_ONLY", order_id=self.next_number,
            )  # fmt: skip
            if thin is not None and tif == "ioc":
                self.exchange.fill(
                    order.id, min(thin, order.left), self.exchange.prices[order.symbol]
                )
                order.tif = tif
                self.exchange.cancel(order.id, "not filled at once")
        finally:
            self.exchange.fills = self.exchange.fills or thin is not None

    def _refuse(self, body: Json, client_id: str, reason: str) -> None:
        """Create an order, and cancel it in the same batch."""
        made = self._log(f"{body['type']}_ORDER", **_echo(body), reason="CLIENT_ORDER")
        ended = self._log("ORDER_CANCEL", orderID=made["id"], reason=reason,
                          **_client_order_id(client_id))  # fmt: skip
        self.refused[made["id"]] = {
            **body, "id": made["id"], "createTime": made["time"], "state": "CANCELLED",
            "cancellingTransactionID": ended["id"],
        }  # fmt: skip

    def _trades(self) -> list[Json]:
        return [
            {"id": t["id"], "instrument": t["instrument"], "price": f"{t['price']}",
             "openTime": t["openTime"], "state": "OPEN", "initialUnits": f"{t['units']}",
             "currentUnits": f"{t['units']}", "realizedPL": "0.0000", "unrealizedPL": "0.0000",
             "financing": "0.0000"}
            for t in self.trades
        ]  # fmt: skip

    async def _get_trades(self, request: web.Request) -> web.Response:
        return self._answer(trades=self._trades())

    def _positions(self) -> list[Json]:
        if self.hedged is not None:
            return self.hedged
        rows = []
        none: Json = {"units": "0", "pl": "0.0000", "unrealizedPL": "0.0000"}
        for symbol, units in self.exchange.positions.items():
            held = {**none, "units": f"{units}", "averagePrice": f"{self.exchange.costs[symbol]}"}
            long, short = (held, none) if units > 0 else (none, held)
            rows.append({"instrument": symbol, "long": long, "short": short, "pl": "0.0000"})
        return rows

    async def _get_positions(self, request: web.Request) -> web.Response:
        return self._answer(positions=self._positions())

    async def _get_transactions(self, request: web.Request) -> web.Response:
        since = nanos_of(request.query["from"])
        kinds, size = request.query.get("type", ""), int(request.query.get("pageSize", "100"))
        numbers = [int(t["id"]) for t in self.transactions if nanos_of(t["time"]) >= since]
        more = f"&type={kinds}" if kinds else ""
        base = f"https://api-fxpractice.oanda.com/v3/accounts/{ACCOUNT}/transactions/idrange"
        pages = [
            f"{base}?from={numbers[n]}&to={numbers[min(n + size, len(numbers)) - 1]}{more}"
            for n in range(0, len(numbers), size)
        ]
        to = stamp(self.exchange.now())
        told: Json = {"from": request.query["from"], "to": to, "pageSize": size}
        return self._answer(200, **told, count=len(numbers), pages=pages)

    async def _get_range(self, request: web.Request) -> web.Response:
        low, high = int(request.query["from"]), int(request.query["to"])
        return self._answer(transactions=self._of_types(request, self.transactions[low - 1 : high]))

    async def _get_since(self, request: web.Request) -> web.Response:
        rows = self.transactions[int(request.query["id"]) :]
        return self._answer(transactions=self._of_types(request, rows))

    @staticmethod
    def _of_types(request: web.Request, rows: list[Json]) -> list[Json]:
        kinds = request.query.get("type", "")
        return [row for row in rows if not kinds or row["type"] in kinds.split(",")]

    async def _get_transaction(self, request: web.Request) -> web.Response:
        number = int(request.match_info["id"])
        if not 0 < number <= len(self.transactions):
            return self._answer(404, errorMessage="The transaction ID does not exist")
        return self._answer(transaction=self.transactions[number - 1])

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        return await self._flow(request, self._streams)

    async def _price_stream(self, request: web.Request) -> web.StreamResponse:
        return await self._flow(request, self._prices, self.watched)

    @staticmethod
    async def _flow(
        request: web.Request,
        readers: list[asyncio.Queue[bytes | None]],
        reads: asyncio.Event | None = None,
    ) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/octet-stream"})
        response.enable_chunked_encoding()
        await response.prepare(request)
        queue: asyncio.Queue[bytes | None] = asyncio.Queue()
        readers.append(queue)
        if reads is not None:
            reads.set()
        try:
            with contextlib.suppress(ConnectionError):  # the reader has gone
                while (given := await queue.get()) is not None:
                    await response.write(given)
        finally:
            readers.remove(queue)
        return response

    async def _get_candles(self, request: web.Request) -> web.Response:
        rows = self.candles[-int(request.query["count"]) :]
        return web.json_response({
            "instrument": request.match_info["symbol"], "candles": rows,
            "granularity": request.query["granularity"],
        })  # fmt: skip


def _client_order_id(client_id: str) -> Json:
    return {"clientOrderID": client_id} if client_id else {}


def _echo(body: Json) -> Json:
    return {name: value for name, value in body.items() if name != "type"}


def _fault_of(body: Any) -> str:
    """What it says of a body that is none."""
    if not isinstance(body, dict):
        return "Invalid JSON, ParseErrorCode: 3, Message: 'The document is empty.'"
    for name in ("type", "instrument", "units", "timeInForce", "positionFill"):
        if not isinstance(body.get(name), str):
            return f"Invalid value specified for 'order.{name}'"
    if body["type"] != "MARKET" and not isinstance(body.get("price"), str):
        return "Invalid value specified for 'order.price'"
    unknown = set(body) - _ORDER_FIELDS
    return f"Unrecognized field '{min(unknown)}'" if unknown else ""
