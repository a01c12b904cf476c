"""Requests to OKX: signed, within its limits, each sent once (C-260, C-402, E-12)."""

import base64
import hashlib
import hmac
import itertools
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final
from urllib.parse import urlencode

import msgspec

from brokers.net.budget import Budget, Need
from brokers.net.numbers import time_of_millis
from brokers.net.rest import Answer, Request, Rest
from brokers.okx.refusals import LIMIT_SECONDS, refusal
from brokers.okx.wire import Reply, TimeRow
from engine.domain.instant import NS_PER_SECOND, Nanos
from engine.ports import Ambiguous, Banned, Clock, Throttled

V5: Final = "/api/v5"
VERIFY: Final = "/users/self/verify"

EXPIRES_SECONDS: Final = 5
"""An order, or a change of one, that reaches the venue so long after it was signed is refused there
(header expTime)."""

STAMP_SECONDS: Final = 30
"""Any request that reaches it so long after the time that it was signed with is refused (50102)."""

STOP_SECONDS: Final = 10
"""A stop has no other bound, so that it is signed with a time that leaves it so long. Without that
a stop could not be placed for so much longer after each start (`Capabilities.arrival`)."""

_EXPIRE: Final = frozenset({f"{V5}/trade/order", f"{V5}/trade/amend-order"})
_AGE: Final = frozenset({f"{V5}/trade/order-algo", f"{V5}/trade/amend-algos"})

NOTICED_SECONDS: Final = 5
"""From so far on a clock is set by a header that is exact to the second."""

_LIMITS: Final = {
    "/trade/order": 60, "/trade/cancel-order": 60, "/trade/amend-order": 60,
    "/trade/order-algo": 20, "/trade/cancel-algos": 20, "/trade/amend-algos": 20,
    "/trade/orders-algo-pending": 20, "/trade/orders-pending": 60, "/trade/orders-history": 40,
    "/trade/fills": 60, "/trade/fills-history": 10, "/account/balance": 10, "/account/config": 5,
    "/public/instruments": 20, "/public/time": 10, "/market/candles": 40,
    "/market/index-tickers": 20,
}  # fmt: skip
"""How many requests each address takes in two seconds. What it counts by symbol is counted for all
symbols together here, and asking and sending are counted apart, as it does."""


class Keys(msgspec.Struct, frozen=True, kw_only=True):
    """Finds the three secrets, each at the moment at which it is needed."""

    key: Callable[[], str]
    secret: Callable[[], str]
    passphrase: Callable[[], str]

    def signed(self, text: str) -> str:
        """The signature of a text."""
        digest = hmac.new(self.secret().encode(), text.encode(), hashlib.sha256).digest()
        return base64.b64encode(digest).decode("ascii")


class Client:
    """One account's requests. `open` before the first, `close` after the last.

    Its times are the venue's: how far that is from this machine's clock is measured with each
    answer to `server_time`, and where the venue does not accept a request.
    """

    def __init__(self, url: str, *, clock: Clock, keys: Keys | None, demo: bool) -> None:
        """`keys` None: nothing is signed, and only what is public can be asked."""
        self._clock = clock
        self._keys = keys
        self._demo = demo
        self._ahead: Nanos = 0
        self._rest = Rest(url, sign=self._sign, refusal=refusal, heard=self._heard)
        self._budgets: dict[tuple[str, str], Budget] = {}

    async def open(self) -> None:
        await self._rest.open()

    async def close(self) -> None:
        await self._rest.close()

    def now(self) -> Nanos:
        """The venue's time by this machine's clock."""
        return self._clock.now() + self._ahead

    async def server_time(self, *, urgent: bool = False) -> Nanos:
        """The venue's own time."""
        (row,) = await self.get("/public/time", TimeRow, urgent=urgent, at_least=1)
        told = time_of_millis(row.ts)
        if not told:
            raise Ambiguous(f"the venue's time is {row.ts!r}")
        self._ahead = told - self._clock.now()
        return told

    async def get(
        self,
        path: str,
        kind: Any,
        query: Mapping[str, str] | None = None,
        *,
        urgent: bool = False,
        at_least: int = 0,
        cost: int = 1,
    ) -> Any:
        """Ask, and the rows of the answer; what is empty in the query is left out.

        `cost`: what is taken of the requests that are allowed; 0 where `pay` has paid for it.
        Raises one of the six errors, Ambiguous also for an answer of fewer than `at_least` rows.
        """
        given = {name: value for name, value in (query or {}).items() if value}
        request = Request(method="GET", path=V5 + path, query=urlencode(given, safe=","))
        return await self._ask(path, request, kind, urgent=urgent, at_least=at_least, cost=cost)

    def pay(self, path: str, cost: int, *, urgent: bool) -> None:
        """Take what so many questions cost that are of use together alone: those that break off in
        the middle use up what the next attempt wants. Raises Throttled; nothing is taken then."""
        self._budget("GET", path).take(cost, need=Need.of(urgent=urgent))

    async def post(self, path: str, body: Any, kind: Any, *, urgent: bool = False) -> Any:
        """Send, and the rows of the answer, at least one. Raises one of the six errors."""
        request = Request(method="POST", path=V5 + path, body=msgspec.json.encode(body))
        return await self._ask(path, request, kind, urgent=urgent, at_least=1)

    async def _ask(
        self,
        path: str,
        request: Request,
        kind: Any,
        *,
        urgent: bool,
        at_least: int,
        cost: int = 1,
    ) -> Any:
        budget = self._budget(request.method, path)
        budget.take(cost, need=Need.of(urgent=urgent))
        try:
            reply = await self._rest.ask(request, Reply[kind])
        except Banned as error:  # of the address, whatever is asked
            for known_method, known_path in itertools.product(("GET", "POST"), _LIMITS):
                self._budget(known_method, known_path).heed(error, need=Need.of(urgent=urgent))
            raise
        except Throttled as error:
            raise budget.heed(error, need=Need.of(urgent=urgent)) from None
        if len(reply.data) < at_least:
            raise Ambiguous(f"the answer to {request.method} {request.path} has no row")
        return reply.data

    def _heard(self, request: Request, answer: Answer) -> None:
        """A request that is not accepted may be signed with a time that is wrong since this
        machine's clock was set: the answer says when it was written, to the second."""
        if answer.status != 401:
            return
        try:
            written_at = parsedate_to_datetime(answer.headers.get("date", "")).timestamp()
        except (ValueError, TypeError):
            return
        off = int(written_at) * NS_PER_SECOND - self.now()
        if abs(off) > NOTICED_SECONDS * NS_PER_SECOND:
            self._ahead += off

    def _budget(self, method: str, path: str) -> Budget:
        budget = self._budgets.get((method, path))
        if budget is None:
            budget = self._budgets[method, path] = Budget(
                f"OKX ({path})",
                size=_LIMITS[path],
                seconds=LIMIT_SECONDS,
                monotonic=self._clock.monotonic,
            )
        return budget

    def _sign(self, request: Request) -> Request:
        headers: dict[str, str] = dict(request.headers)
        if request.method == "POST" and request.path in _EXPIRE:
            headers["expTime"] = str(self.now() // 1_000_000 + EXPIRES_SECONDS * 1000)
        if request.body:
            headers["Content-Type"] = "application/json"
        if self._demo:
            headers["x-simulated-trading"] = "1"
        if self._keys is not None:
            headers |= self._signature(self._keys, request)
        return msgspec.structs.replace(request, headers=headers)

    def _signature(self, keys: Keys, request: Request) -> Mapping[str, str]:
        ages = request.method == "POST" and request.path in _AGE
        age = STAMP_SECONDS - STOP_SECONDS if ages else 0
        at = stamp(self.now() - age * NS_PER_SECOND)
        text = at + request.method + request.target + request.body.decode("utf-8")
        return {
            "OK-ACCESS-KEY": keys.key(),
            "OK-ACCESS-SIGN": keys.signed(text),
            "OK-ACCESS-TIMESTAMP": at,
            "OK-ACCESS-PASSPHRASE": keys.passphrase(),
        }

    def login(self) -> str:
        """The message that logs a stream in."""
        if self._keys is None:
            raise Ambiguous("a login needs keys")
        at = str(self.now() // NS_PER_SECOND)
        sign = self._keys.signed(f"{at}GET{VERIFY}")
        who = {
            "apiKey": self._keys.key(),
            "passphrase": self._keys.passphrase(),
            "timestamp": at,
            "sign": sign,
        }
        return msgspec.json.encode({"op": "login", "args": [who]}).decode()


def stamp(at: Nanos) -> str:
    """A time as the venue wants it signed: ISO 8601 in UTC with milliseconds."""
    millis = at // 1_000_000
    moment = datetime.fromtimestamp(millis // 1000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{millis % 1000:03d}Z"
