"""Signed requests to Binance's REST API, each sent once (C-210, C-402).

The stack names python-binance. Its `AsyncClient` is not what requests go through: underneath it
aiohttp sends a DELETE a second time by itself where the connection breaks, a cancel would then be
answered "unknown" by its own first copy, and only a private attribute of aiohttp switches that off
(tests/brokers/test_binance_sdk.py shows it). It also signs other bytes than it sends, and measures
the venue's clock once. So requests go through `brokers.net.rest`, signed here; python-binance is
the independent client that proves the tests' server speaks the real protocol.
"""

import asyncio
import hashlib
import hmac
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import quote

import msgspec

from brokers.binance.refusals import AskedToWait, ClockApart, OrdersUsedUp, refusal
from brokers.net.budget import Budget, Need
from brokers.net.numbers import number
from brokers.net.rest import Answer, Request, Rest
from engine.domain.instant import NS_PER_MS, Nanos
from engine.ports import Ambiguous, AuthFailed, Banned, BrokerError, Clock, NotSent

RECEIVE_MS: Final = 2000
"""A request that reaches the venue later than this after its time is refused: a late copy of an
order that was given up cannot execute (research/alpaca-binance.md §6)."""

TIMEOUT_SECONDS: Final = 5.0
"""An answer is waited for so long at most, the connecting included."""

WEIGHT: Final = 6000
"""Units of weight in a minute that one address may use."""

ORDERS: Final = 50
"""Orders in ten seconds that one account may place (the smaller one of the two worlds)."""


class _ServerTime(msgspec.Struct):
    serverTime: int  # noqa: N815 - the venue's word


class Keys(msgspec.Struct, frozen=True):
    """How the key and the secret are had, at the moment at which they are needed."""

    key: Callable[[], str]
    secret: Callable[[], str]

    def sign(self, text: str) -> str:
        """The signature of a text. Raises AuthFailed where there is no secret."""
        secret = _revealed(self.secret)
        return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()

    def name(self) -> str:
        """The key itself. Raises AuthFailed where there is none."""
        return _revealed(self.key)


def weight_budget(clock: Clock) -> Budget:
    """The weight that one address may use."""
    return Budget("Binance", size=WEIGHT, seconds=60, monotonic=clock.monotonic)


class Limits:
    """What the venue lets us ask, by address and by account."""

    def __init__(self, clock: Clock, weight: Budget) -> None:
        """`weight` is that of the address, which all accounts here use up together."""
        self.weight = weight
        self.orders = Budget("Binance", size=ORDERS, seconds=10, monotonic=clock.monotonic)

    def heard(self, request: Request, answer: Answer) -> None:
        """Take over the venue's own counts."""
        for name, size, budget in (
            ("x-mbx-used-weight-1m", WEIGHT, self.weight),
            ("x-mbx-order-count-10s", ORDERS, self.orders),
        ):
            used = number(answer.headers.get(name))
            if used.is_finite():
                budget.told_left(float(size - used))


class Client:
    """One address with its keys and its clock; `open` before the first request."""

    def __init__(self, url: str, keys: Keys, clock: Clock, limits: Limits) -> None:
        self._keys = keys
        self._clock = clock
        self._limits = limits
        self._rest = Rest(url, refusal=refusal, heard=limits.heard)
        self._open = False
        self._ahead: Nanos = 0
        """By how much the venue's clock is ahead of ours."""

    @property
    def keys(self) -> Keys:
        return self._keys

    def now_ms(self) -> int:
        """The venue's clock in milliseconds, as far as it is known."""
        return (self._clock.now() + self._ahead) // NS_PER_MS

    async def open(self) -> None:
        """Be ready to send; nothing is sent by that."""
        await self._rest.open()
        self._open = True

    async def close(self) -> None:
        """Close every connection; what is under way ends as `Ambiguous`."""
        self._open = False
        await self._rest.close()

    async def set_clock(self) -> Nanos:
        """Ask the venue's time and go by it from now on; nanoseconds UTC."""
        asked = self._clock.now()
        told: _ServerTime = await self.ask("GET", "/api/v3/time", _ServerTime, urgent=True)
        answered = self._clock.now()
        theirs = told.serverTime * NS_PER_MS
        self._ahead = theirs - (asked + answered) // 2
        return theirs

    async def ask(
        self, method: str, path: str, kind: Any, *, cost: float = 1, urgent: bool = False
    ) -> Any:
        """Ask what needs no key; `cost` is its weight. Raises one of the six errors."""
        return await self._once(lambda: Request(method=method, path=path), kind, cost, urgent)

    async def ask_public(
        self,
        path: str,
        params: Mapping[str, str],
        kind: Any,
        *,
        cost: float = 1,
        urgent: bool = False,
    ) -> Any:
        """The same with parameters."""
        request = Request(method="GET", path=path, query=_query(params))
        return await self._once(lambda: request, kind, cost, urgent=urgent)

    async def ask_signed(
        self,
        method: str,
        path: str,
        params: Mapping[str, str],
        kind: Any,
        *,
        cost: float = 1,
        urgent: bool = False,
    ) -> Any:
        """Ask for the account; signed at the moment at which it leaves.

        After a refusal of our time the venue's clock is asked once, so that the next request has
        the right time; the refused one is not sent again here.
        """
        if method == "POST" and self._open:
            self._limits.orders.take(need=Need.of(urgent=urgent))
        try:
            return await self._once(
                lambda: self._signed(method, path, params), kind, cost, urgent=urgent
            )
        except OrdersUsedUp as error:
            raise self._limits.orders.heed(error, need=Need.of(urgent=urgent)) from None
        except ClockApart:
            await self._set_again()
            raise

    def _signed(self, method: str, path: str, params: Mapping[str, str]) -> Request:
        stamped = {**params, "recvWindow": str(RECEIVE_MS), "timestamp": str(self.now_ms())}
        query = _query(stamped)
        return Request(
            method=method,
            path=path,
            query=f"{query}&signature={self._keys.sign(query)}",
            headers={"X-MBX-APIKEY": self._keys.name()},
        )

    async def _once(
        self, request: Callable[[], Request], kind: Any, cost: float, urgent: bool
    ) -> Any:
        if not self._open:
            raise NotSent(f"{self._rest.host} is not connected")
        self._limits.weight.take(cost, need=Need.of(urgent=urgent))
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                return await self._rest.ask(request(), kind)
        except TimeoutError as error:
            raise Ambiguous(f"no answer from Binance within {TIMEOUT_SECONDS:g} s") from error
        except (AskedToWait, Banned) as error:
            raise self._limits.weight.heed(error, need=Need.of(urgent=urgent)) from None

    async def _set_again(self) -> None:
        try:
            await self.set_clock()
        except BrokerError:
            return  # the next request is refused again, and the clock asked again


def _query(params: Mapping[str, str]) -> str:
    return "&".join(f"{name}={quote(value, safe='')}" for name, value in params.items())


def _revealed(reveal: Callable[[], str]) -> str:
    try:
        return reveal()
    except Exception as error:  # wherever secrets are kept: its one sentence says where it looked
        raise AuthFailed(str(error)) from error
