"""alpaca-py's client for trading, made to send each request once, in time, and to tell all of it.

It loads in 1.8 s, with pandas, so that this module is imported in a thread, once an account is
connected. What is changed of it, and why (measured, research/alpaca-binance.md §2):

- it repeats any request, POST too, on 429 and 504, up to three times;
- it waits for an answer for ever;
- it hides the headers, in which the limits are, and the status behind an error of its own;
- it reads numbers as floats.

All four are in one method, `_one_request`, which is replaced; what calls it repeats only on an
error of the SDK's that is not raised any more. Each start proves that, with a request that is not
sent.
"""

import contextlib
import json
import ssl
import threading
import time
import warnings
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

from brokers.net.rest import ANSWER_SECONDS, CONNECT_SECONDS, LARGEST_ANSWER, Answer
from brokers.net.tap import Line
from engine.ports import Ambiguous, NotSent

with warnings.catch_warnings():
    # It still uses the old interface of websockets, which says so at import.
    warnings.simplefilter("ignore")
    import alpaca
    from alpaca.common.rest import RESTClient
    from alpaca.trading.client import TradingClient

CONNECTIONS: Final = 16
_CHUNK: Final = 65_536

_PRIVATE: Final = ("_one_request", "_request")
_PRIVATE_FIELDS: Final = ("_session",)
"""What is leaned on of the SDK that is not its promise: looked for at each start."""

_PROOF: Final = "/never-sent"


class _Call(threading.local):
    """The request that a thread is carrying out."""

    deadline = float("inf")
    """From when on nothing of it may leave any more, by `time.monotonic`."""


_call = _Call()


def _check_in_time(connection: HTTPConnection) -> None:
    """A connection that took so long that nobody waits for the request any more sends nothing:
    finding an address may take any time, and an order must not leave after it was given up."""
    if time.monotonic() >= _call.deadline:
        connection.close()
        raise ConnectTimeoutError(connection, "the connection stood too late")


class _Http(HTTPConnection):
    def connect(self) -> None:
        super().connect()
        _check_in_time(self)


class _Https(HTTPSConnection):
    def connect(self) -> None:
        super().connect()
        _check_in_time(self)


class _HttpPool(HTTPConnectionPool):
    ConnectionCls = _Http


class _HttpsPool(HTTPSConnectionPool):
    ConnectionCls = _Https


class _Adapter(HTTPAdapter):
    """Connections that check the time before they are used for the first time."""

    def init_poolmanager(self, *args: Any, **more: Any) -> None:
        super().init_poolmanager(*args, **more)
        self.poolmanager.pool_classes_by_scheme = {"http": _HttpPool, "https": _HttpsPool}

    def renew(self) -> None:
        """Close what is not in use now, and the rest once it is not; what follows is sent on new
        connections. The library leaves the closing to the collector, and an error that somebody
        keeps holds on to all of it."""
        pools = self.poolmanager.pools
        for key in tuple(pools.keys()):
            pools[key].close()
        self.poolmanager.clear()

    def close(self) -> None:
        """The same at the end."""
        self.renew()
        super().close()


class Session(TradingClient):
    """The SDK's client of one account; safe to use from several threads.

    Its `get`, `post` and `delete` return the venue's `Answer`, whatever it says, and raise NotSent
    or Ambiguous.
    """

    def __init__(self, url: str, key: str, secret: str, line: Line | None = None) -> None:
        """`url` of the venue without `/v2`; `line` is told of what is sent and answered."""
        self._line = line or Line()
        super().__init__(key, secret, raw_data=True, url_override=url)
        _check_names(self)
        self._tried: list[str] | None = []
        """What the proof at the start has tried to send; None once it is over."""
        self._prove()
        # Neither proxies nor a .netrc of the machine, which would put other keys beside ours.
        self._session.trust_env = False
        self._connections = _Adapter(pool_maxsize=CONNECTIONS, max_retries=0)
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, self._connections)

    def ask(self, method: str, path: str, data: Mapping[str, str] | None, until: float) -> Answer:
        """Send a request once, if it can leave before `until` (`time.monotonic`)."""
        if time.monotonic() >= until:
            raise NotSent(f"{method} {path}: too late to be sent")
        _call.deadline = until
        given = None if data is None else dict(data)
        answer: Any
        if method == "GET":
            answer = self.get(path, given)
        elif method == "POST":
            answer = self.post(path, given)
        else:
            answer = self.delete(path, given)
        if not isinstance(answer, Answer):
            # A newer SDK sends in another way: what it did is not known.
            raise Ambiguous(f"alpaca-py {alpaca.__version__} answered {type(answer).__name__}")
        return answer

    def renew(self) -> None:
        """Send on new connections from now on: one that is open may have lost its way to the venue
        without a word. What is under way goes on."""
        self._connections.renew()

    def close(self) -> None:
        """Close the connections that are not in use."""
        self._session.close()

    def _prove(self) -> None:
        """Raises NotSent where the SDK would send a request again whose end is not known, or does
        not send it through here."""
        with contextlib.suppress(Ambiguous):
            self.post(_PROOF, {})
        tried, self._tried = self._tried, None
        if tried != ["POST"]:
            raise NotSent(
                f"alpaca-py {alpaca.__version__} tries {tried} where one POST is meant: nothing is "
                "sent through it"
            )

    def _one_request(self, method: str, url: str, opts: dict[str, Any], retry: int) -> Any:
        if self._tried is not None:
            self._tried.append(method)
            raise Ambiguous("a proof, not sent")
        what = f"{method} {urlsplit(url).path}"
        began, channel = time.monotonic(), self._leaves(method, url, opts)
        try:
            with self._session.request(
                method, url, timeout=(CONNECT_SECONDS, ANSWER_SECONDS), stream=True, **opts
            ) as response:
                body = bytearray()
                for chunk in response.iter_content(_CHUNK):
                    body += chunk
                    if len(body) > LARGEST_ANSWER:
                        raise Ambiguous(f"the answer to {what} is longer than {LARGEST_ANSWER} B")
                    if time.monotonic() - began > CONNECT_SECONDS + ANSWER_SECONDS:
                        raise Ambiguous(f"no whole answer to {what} in time")
                headers = {name.lower(): value for name, value in response.headers.items()}
                answer = Answer(status=response.status_code, headers=headers, body=bytes(body))
                self._line.answer(channel, answer.status, tuple(headers.items()), answer.body)
                return answer
        except requests.exceptions.RequestException as error:
            self._line.ends(channel, type(error).__name__)
            if _never_left(error):
                raise NotSent(f"{what}: no connection: {type(error).__name__}") from error
            if isinstance(error, requests.exceptions.Timeout):
                raise Ambiguous(f"no answer to {what} in time") from error
            raise Ambiguous(f"the connection broke during {what}: {_said(error)}") from error

    def _leaves(self, method: str, url: str, opts: Mapping[str, Any]) -> int:
        """Tell whoever listens of a request; its channel (`brokers.net.tap`)."""
        if not self._line.is_tapped:
            return 0
        channel, query = self._line.channel(), urlencode(opts.get("params") or {})
        body = json.dumps(opts["json"]).encode() if opts.get("json") is not None else b""
        headers = tuple((opts.get("headers") or {}).items())
        self._line.request(channel, method, f"{url}?{query}" if query else url, headers, body)
        return channel


_BEFORE: Final = (
    requests.exceptions.ConnectTimeout,
    requests.exceptions.InvalidHeader,
    requests.exceptions.InvalidSchema,
    requests.exceptions.InvalidURL,
    requests.exceptions.MissingSchema,
)
"""What the library raises only before anything is written."""


def _never_left(error: requests.exceptions.RequestException) -> bool:
    """Whether an error of the library's proves that no byte of the request was written."""
    if isinstance(error, _BEFORE):
        return True
    seen: list[object] = [error, *error.args]
    seen += [getattr(found, "reason", None) for found in list(seen)]
    seen += [arg for found in list(seen) for arg in getattr(found, "args", ())]
    return any(
        isinstance(found, NewConnectionError | ConnectTimeoutError | ssl.SSLCertVerificationError)
        for found in seen
    )


def _said(error: Exception) -> str:
    """What broke, without the address: that holds nothing that a person needs."""
    return type(error.args[0] if error.args else error).__name__


def _check_names(session: TradingClient) -> None:
    """Raises NotSent where the SDK has not what is leaned on."""
    missing = [name for name in _PRIVATE if name not in vars(RESTClient)]
    missing += [name for name in _PRIVATE_FIELDS if name not in vars(session)]
    if missing:
        raise NotSent(
            f"alpaca-py {alpaca.__version__} has no {', '.join(missing)} any more: "
            "nothing is sent through it"
        )
