"""One exchange of ccxt, with our own transport underneath.

ccxt signs requests and reads answers. What goes over the wire is ours: each request is sent once,
with our time-outs and our budget, where the client of the library repeats PUT and DELETE and sleeps
to keep to limits (research/venues.md §1.3, §1.4). Numbers stay the text that they were sent as.
"""

import json
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from decimal import localcontext
from typing import Any, Final, cast
from urllib.parse import urlsplit

import ccxt.async_support as library

from brokers.ccxt.refusals import error_of, local_error_of
from brokers.net.budget import Budget
from brokers.net.rest import Answer, Request, Rest, retry_after, usual_refusal
from engine.domain.text import clean_text
from engine.ports import Ambiguous, BrokerError, Clock, NotSent, Throttled
from engine.reference.textfile import BadFile

TIMEOUT_SECONDS: Final = 5.0
"""How long a request takes at most: its connection and its answer (`brokers.net.rest`)."""
WINDOW_SECONDS: Final = 60
"""ccxt states a pace; exchanges count over about a minute, and a look asks for much at once."""
LEAST_BUDGET: Final = 30
LARGEST_COST: Final = 0.3
"""No request takes a larger part of the budget: one that never had room could never be sent."""

ELSEWHERE: Final = {"alpaca": "alpaca", "binance": "binance", "coinbase": "coinbase", "okx": "okx"}
"""Exchanges that have an adapter of their own here, by its kind."""

FEW: Final = 10
"""So many tickers are asked for one by one."""

NEEDED: Final = (
    "createOrder", "cancelOrder", "fetchOrder", "fetchOpenOrders", "fetchMyTrades", "fetchBalance",
    "fetchTime", "fetchTicker", "fetchTickers",
)  # fmt: skip
"""What an exchange must answer to be traded here."""


class _Call:
    """One call of ccxt, which may send several requests."""

    def __init__(self, *, urgent: bool) -> None:
        self.urgent = urgent
        self.answered = False
        """An answer that was no refusal has come: what ccxt makes of it changes nothing more."""


_CALL: Final[ContextVar[_Call | None]] = ContextVar("ccxt call", default=None)


class _Wire:
    """What is put in the place of ccxt's own transport; mixed into the class of an exchange."""

    budget: Budget
    rests: dict[str, Rest] | None = None
    size = float(LEAST_BUDGET)
    """The whole budget, in what ccxt counts the cost of a request in."""
    cost = 1.0

    async def throttle(self, cost: float = 1) -> None:
        """Note what the next request costs: who has no room is refused, and nobody sleeps."""
        self.cost = min(float(cost or 1), self.size * LARGEST_COST)

    async def fetch(
        self, url: str, method: str = "GET", headers: Any = None, body: Any = None
    ) -> Any:
        """Send a request once; its answer as ccxt reads it. Raises one of the six errors."""
        call, rests = _CALL.get(), self.rests
        if rests is None or call is None:
            raise NotSent(f"{urlsplit(url).hostname} is not connected")
        parts = urlsplit(url)
        origin = f"{parts.scheme}://{parts.netloc}"
        if origin not in rests:
            rests[origin] = Rest(origin, refusal=self._refusal, budget=self.budget)
            await rests[origin].open()
        if not isinstance(body, str | bytes | None):
            raise NotSent(f"{method} {parts.path} has a body that is not text: not built")
        written = body.encode() if isinstance(body, str) else body or b""
        given = {str(name): str(value) for name, value in (headers or {}).items()}
        request = Request(
            method=method, path=parts.path, query=parts.query, headers=given, body=written
        )
        answer = await rests[origin].send(request, urgent=call.urgent, cost=self.cost)
        told = _read(answer)
        if told is None:
            raise Ambiguous(f"the answer to {method} {parts.path} cannot be read: {answer.text!r}")
        call.answered = True
        return told

    def _refusal(self, request: Request, answer: Answer) -> BrokerError | None:
        if answer.status in {418, 429}:
            return usual_refusal(request, answer)
        exchange, told = cast(Any, self), _read(answer)
        if told is None:
            return None
        text = answer.body.decode("utf-8", "replace")
        try:
            exchange.handle_errors(
                answer.status, "", request.target, request.method, dict(answer.headers), text,
                told, dict(request.headers), request.body.decode("utf-8", "replace"),
            )  # fmt: skip
        except Exception as error:  # ccxt raises what it found, and stumbles over what is not there
            found = error_of(error, retry_after(answer))
            # ccxt takes a key that is refused after it was taken once for a ban.
            refused = answer.status == 401 and isinstance(found, Throttled)
            return usual_refusal(request, answer) if refused else found
        return None


class Client:
    """An exchange, by its ccxt name. `open` before the first call, `close` after the last."""

    def __init__(
        self,
        name: str,
        exchange: str,
        clock: Clock,
        *,
        sandbox: bool,
        rest_url: str,
        shares: "Client | None" = None,
    ) -> None:
        """`name` is the account's under `[brokers]`; `shares` is who uses the same allowance of
        the exchange. Raises BadFile for an exchange that cannot be worked with, in one sentence."""
        where = f"[brokers.{name}] exchange"
        if not exchange:
            raise BadFile(f"{where} is missing: the name of one as ccxt writes it, such as kraken")
        if exchange in ELSEWHERE:
            raise BadFile(f'{where} = "{exchange}" has an adapter of its own: kind = "{exchange}"')
        if exchange not in library.exchanges:
            raise BadFile(f'{where} = "{exchange}" is none that ccxt {library.__version__} knows')
        ours = type("Exchange", (_Wire, getattr(library, exchange)), {})
        self.exchange: Any = ours({"enableRateLimit": True, "number": str})
        self.name = exchange
        self._check(where)
        self._address(where, sandbox=sandbox, rest_url=rest_url)
        self.exchange.number = str
        self.exchange.options.update(
            {
                "warnOnFetchOpenOrdersWithoutSymbol": False,
                "adjustForTimeDifference": True,
                "maxRetriesOnFailure": 0,
            }
        )
        size = max(int(WINDOW_SECONDS * 1000 / (float(self.exchange.rateLimit) or 1)), LEAST_BUDGET)
        self.exchange.size = float(size)
        self.exchange.budget = shares.exchange.budget if shares is not None else Budget(
            exchange, size=size, seconds=WINDOW_SECONDS, monotonic=clock.monotonic
        )  # fmt: skip

    def _check(self, where: str) -> None:
        known = self.exchange
        missing = [word for word in NEEDED if known.has.get(word) is not True]
        if missing:
            raise BadFile(f'{where} = "{self.name}" cannot be traded here: ccxt has no '
                          f"{', '.join(missing)} of it")  # fmt: skip
        asked = {word for word, is_needed in known.requiredCredentials.items() if is_needed}
        if more := sorted(asked - {"apiKey", "secret"}):
            raise BadFile(
                f'{where} = "{self.name}" asks for {", ".join(more)} beside a key and a secret, '
                "which is not built"
            )

    def _address(self, where: str, *, sandbox: bool, rest_url: str) -> None:
        if rest_url:
            self.exchange.urls["api"] = _moved(self.exchange.urls["api"], rest_url.rstrip("/"))
        elif sandbox:
            live, test = self.exchange.urls["api"], self.exchange.urls.get("test")
            if not test or _origins(live) & _origins(test):
                raise BadFile(
                    f'{where} = "{self.name}" has no test environment of its own that ccxt knows: '
                    "nothing is traded there from here"
                )
            if parent := _lender(self.exchange):
                raise BadFile(
                    f'{where} = "{self.name}" has no test environment of its own: ccxt sends it to '
                    f"that of {parent}, which is another venue; nothing is traded there from here"
                )
            self.exchange.set_sandbox_mode(True)

    def open(self, key: str = "", secret: str = "") -> None:
        """Be ready to send; nothing is sent by that."""
        self.exchange.apiKey, self.exchange.secret = key, secret
        if self.exchange.rests is None:
            self.exchange.rests = {}

    async def close(self) -> None:
        """Close every connection and forget the key."""
        rests, self.exchange.rests = self.exchange.rests, None
        self.exchange.apiKey = self.exchange.secret = ""
        for rest in (rests or {}).values():
            await rest.close()

    async def tickers(self, symbols: Sequence[str]) -> Mapping[str, Any]:
        """The tickers of these symbols of ccxt's, by symbol: one by one where they are few, as a
        request for several costs as much as one for all. Raises one of the six errors."""
        if len(symbols) > FEW:
            told: Mapping[str, Any] = await self.ask("fetch_tickers", list(symbols))
            return told
        return {symbol: await self.ask("fetch_ticker", symbol) for symbol in symbols}

    def seconds_of(self, symbols: Sequence[str]) -> float:
        """How long half of the allowance takes to make up for so many tickers."""
        cost = len(symbols) if len(symbols) <= FEW else self.exchange.size * LARGEST_COST
        return 2 * cost * WINDOW_SECONDS / float(self.exchange.size)

    async def ask(self, method: str, *given: Any, urgent: bool = False) -> Any:
        """Call a method of ccxt. Raises one of the six errors.

        What ccxt refuses before it sends anything is final; where an answer came that was no
        refusal and ccxt cannot make anything of it, nobody knows what became of the request.
        """
        call = _Call(urgent=urgent)
        token = _CALL.set(call)
        try:
            # ccxt sets how this process rounds, and what of it raises, whenever it writes a number
            # (ccxt/base/decimal_to_precision.py): only its own call may compute so.
            with localcontext():
                return await getattr(self.exchange, method)(*given)
        except BrokerError:
            raise
        except Exception as error:  # ccxt's own, and whatever it stumbles over in an answer
            if call.answered:
                said = clean_text(f"{type(error).__name__}: {error}", 200)
                raise Ambiguous(f"the answer to {method} cannot be read: {said}") from error
            raise local_error_of(error) from error
        finally:
            _CALL.reset(token)


def _read(answer: Answer) -> Any:
    """The JSON of an answer, each number with a point as its text; None where it is none."""
    try:
        return json.loads(answer.body, parse_float=str)
    except ValueError:
        return None


def _origins(urls: Any) -> set[str]:
    """The hosts of the addresses of an exchange, whose placeholders ccxt fills in later."""
    if isinstance(urls, dict):
        return set().union(*map(_origins, urls.values()))
    return {urlsplit(urls).netloc} if isinstance(urls, str) else set()


def _lender(exchange: Any) -> str:
    """The exchange whose test environment ccxt names for this one, which is not there itself; ""
    where it has its own.

    A class of ccxt has the addresses of the class that it is made from, unless it says others. Both
    may also stand for one venue: then they have the same addresses for real money too.
    """
    for kind in type(exchange).__mro__[1:]:
        name = kind.__name__
        if name == exchange.id or name not in library.exchanges:
            continue
        other = kind()
        if _hosts(other, "api") != _hosts(exchange, "api") and (
            _hosts(other, "test") & _hosts(exchange, "test")
        ):
            return name
    return ""


def _hosts(exchange: Any, world: str) -> set[str]:
    """The hosts of the addresses of an exchange in one of its worlds."""
    hosts = _origins(exchange.urls.get(world))
    return {host.replace("{hostname}", str(exchange.hostname)) for host in hosts}


def _moved(urls: Any, origin: str) -> Any:
    """The addresses of an exchange at another origin; their paths stay."""
    if isinstance(urls, dict):
        return {name: _moved(url, origin) for name, url in urls.items()}
    return origin + urlsplit(str(urls)).path
