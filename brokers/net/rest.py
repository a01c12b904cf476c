"""Requests over HTTP: each is sent once, and ends in an answer or in one of the six errors (U-61).

Nothing is repeated here, nor by the library underneath: a client that repeats a request by itself
has placed orders twice (research/venues.md §1.3). What provably did not leave is `NotSent`; an
answer that does not come, breaks off or cannot be read is `Ambiguous`.
"""

import contextlib
import email.utils
import re
import ssl
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import Any, Final, Protocol, TypeVar

import httpx
import msgspec

from brokers.net.budget import Budget, Need
from brokers.net.tap import Line
from engine.domain.text import clean_text
from engine.ports import Ambiguous, AuthFailed, Banned, BrokerError, NotSent, Rejected, Throttled

T = TypeVar("T")

CONNECT_SECONDS: Final = 1.5
ANSWER_SECONDS: Final = 3.0
LARGEST_ANSWER: Final = 64 * 1024 * 1024
CONNECTIONS: Final = 32
WAIT_SECONDS: Final = 1.0
"""How long we wait where a venue asks us to and does not say how long."""

LONGEST_WAIT_SECONDS: Final = 259_200.0
"""Three days: the longest ban of an address that one of the six venues documents. At Binance bans
grow from 2 minutes to 3 days for those who go on
(developers.binance.com/docs/binance-spot-api-docs/rest-api/limits, IP Limits)."""

_BANNED: Final = re.compile(rb"\berror code:? 1015\b", re.IGNORECASE)
"""How the network before a venue says that it keeps an address out for a while
(developers.cloudflare.com/support/troubleshooting/http-status-codes/cloudflare-1xxx-errors)."""

SHOWN: Final = 200
"""So many characters of an answer that cannot be read are shown."""


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One request as it goes over the wire: what is signed is what is sent, byte for byte."""

    method: str
    path: str
    """With its leading slash, percent-encoded, without the query."""
    query: str = ""
    """Percent-encoded, without the question mark."""
    headers: Mapping[str, str] = {}
    body: bytes = b""

    @property
    def target(self) -> str:
        """Path and query."""
        return f"{self.path}?{self.query}" if self.query else self.path


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What the venue answered."""

    status: int
    headers: Mapping[str, str]
    """By name in small letters."""
    body: bytes

    @property
    def text(self) -> str:
        """The beginning of the body, for a person."""
        return clean_text(self.body[: SHOWN * 4].decode("utf-8", "replace"), SHOWN)


class Refusal(Protocol):
    """How a venue says no: the error that an answer below 500 stands for; None where it is no
    refusal. 429 and what it means by 401 and 403 it may leave to `usual_refusal`."""

    def __call__(self, request: Request, answer: Answer) -> BrokerError | None: ...


class Rest:
    """One venue's address: `open` before the first request, `close` after the last.

    `sign` makes a request one that the venue accepts, at the moment at which it leaves; `refusal`
    reads its refusals; `heard` is told of every answer (limits in its headers, the venue's clock).
    """

    def __init__(
        self,
        url: str,
        *,
        sign: Callable[[Request], Request] = lambda request: request,
        refusal: Refusal | None = None,
        budget: Budget | None = None,
        heard: Callable[[Request, Answer], None] = lambda request, answer: None,
        answer_seconds: float = ANSWER_SECONDS,
        connections: int = CONNECTIONS,
    ) -> None:
        """`connections`: so many stand at once at most, for a venue that counts new ones; a request
        that gets none in time was not sent."""
        self._url = httpx.URL(url.rstrip("/"))
        self._base = self._url.raw_path.decode("ascii").rstrip("/")
        self._sign = sign
        self._refusal = refusal
        self._budget = budget
        self._heard = heard
        self._seconds = answer_seconds
        self._connections = connections
        self._line = Line()
        self._tls: ssl.SSLContext | None = None
        self._client: httpx.AsyncClient | None = None
        self._busy: dict[httpx.AsyncClient, int] = {}
        """Requests under way, by the client whose connections they use."""

    @property
    def host(self) -> str:
        """Host and port, for people and for a signature that holds them."""
        return self._url.netloc.decode("ascii")

    @property
    def base(self) -> str:
        """The path that every request's path follows; "" for none."""
        return self._base

    async def open(self) -> None:
        """Be ready to send, on connections that are new; nothing is sent by that.

        One that is open may have lost its way to the venue without a word, and a request on it
        would wait for its whole time: of those only what is under way goes on, and then they are
        closed.
        """
        if self._tls is None and self._url.scheme == "https":
            self._tls = ssl.create_default_context()
        before, self._client = (
            self._client,
            httpx.AsyncClient(
                timeout=httpx.Timeout(self._seconds, connect=CONNECT_SECONDS),
                follow_redirects=False,
                trust_env=False,
                verify=self._tls or False,
                limits=httpx.Limits(
                    max_connections=self._connections, max_keepalive_connections=16
                ),
            ),
        )
        if before is not None and before not in self._busy:
            await before.aclose()

    async def close(self) -> None:
        """Close every connection; a request that is under way ends as `Ambiguous`."""
        client, self._client = self._client, None
        clients = {*self._busy} if client is None else {*self._busy, client}
        self._busy.clear()
        for each in clients:
            await each.aclose()

    async def ask(
        self, request: Request, kind: type[T] | Any, *, urgent: bool = False, cost: float = 1
    ) -> Any:
        """Send a request once; its answer as `kind`, the type of a msgspec decoder.

        `urgent`: it reduces risk, or asks about what does. `cost`: what it takes of the budget.
        Raises one of the six errors.
        """
        answer = await self.send(request, urgent=urgent, cost=cost)
        try:
            return msgspec.json.decode(answer.body, type=kind)
        except (msgspec.DecodeError, ValueError) as error:
            raise Ambiguous(
                f"the answer to {request.method} {request.path} cannot be read ({error}): "
                f"{answer.text!r}"
            ) from error

    async def send(self, request: Request, *, urgent: bool = False, cost: float = 1) -> Answer:
        """Send a request once; the answer of a venue that did not refuse it. See `ask`."""
        if self._client is None:
            raise NotSent(f"{self.host} is not connected")
        if self._budget is not None:
            self._budget.take(cost, need=Need.of(urgent=urgent))
        answer = await self._exchange(self._client, request)
        self._heard(request, answer)
        error = self._error_of(request, answer)
        if isinstance(error, Throttled) and self._budget is not None:
            error = self._budget.heed(error, need=Need.of(urgent=urgent))
        if error is not None:
            raise error
        return answer

    @contextlib.asynccontextmanager
    async def stream(self, request: Request) -> AsyncIterator[AsyncIterator[bytes]]:
        """The pieces of an answer that goes on for as long as both sides want. Raises one of the
        six errors where it does not begin."""
        if self._client is None:
            raise NotSent(f"{self.host} is not connected")
        async with self._in_use(self._client), self._streamed(self._client, request) as pieces:
            yield pieces

    @contextlib.asynccontextmanager
    async def _streamed(
        self, client: httpx.AsyncClient, request: Request
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        sent = self._built(client, request)
        sent.extensions["timeout"] = httpx.Timeout(None, connect=CONNECT_SECONDS).as_dict()
        channel = self._leaves(sent)
        with self._told(request, channel):
            response = await client.send(sent, stream=True)
        try:
            if response.status_code != 200:
                with self._told(request, channel):
                    await response.aread()
                answer = self._arrived(channel, response)
                self._heard(request, answer)
                raise self._error_of(request, answer) or NotSent(
                    f"{request.path} answered HTTP {answer.status}: {answer.text}"
                )
            if self._line.is_tapped:
                self._line.answer(channel, 200, tuple(response.headers.items()), b"")
                yield self._pieces(channel, response)
            else:
                yield response.aiter_bytes()
        finally:
            await response.aclose()

    async def _exchange(self, client: httpx.AsyncClient, request: Request) -> Answer:
        with _as_ours(request):
            sent = self._built(client, request)
        channel = self._leaves(sent)
        async with self._in_use(client):
            with self._told(request, channel):
                response = await client.send(sent)
        return self._arrived(channel, response)

    @contextlib.asynccontextmanager
    async def _in_use(self, client: httpx.AsyncClient) -> AsyncIterator[None]:
        """Keeps the connections of a client open; the last to leave one that was replaced meanwhile
        closes them."""
        self._busy[client] = self._busy.get(client, 0) + 1
        try:
            yield
        finally:
            if client in self._busy:  # else it was closed meanwhile
                self._busy[client] -= 1
                if not self._busy[client]:
                    del self._busy[client]
                    if client is not self._client:
                        await client.aclose()

    # --- what is told to whoever listens (`brokers.net.tap`)

    def _leaves(self, sent: httpx.Request) -> int:
        if not self._line.is_tapped:
            return 0
        channel = self._line.channel()
        headers = tuple(sent.headers.items())
        self._line.request(channel, sent.method, str(sent.url), headers, sent.content)
        return channel

    def _arrived(self, channel: int, response: httpx.Response) -> Answer:
        answer = _answer(response)
        if self._line.is_tapped:
            self._line.answer(channel, answer.status, tuple(answer.headers.items()), answer.body)
        return answer

    async def _pieces(self, channel: int, response: httpx.Response) -> AsyncIterator[bytes]:
        async for piece in response.aiter_bytes():
            self._line.heard(channel, piece)
            yield piece
        self._line.ends(channel, "the answer ended")

    @contextlib.contextmanager
    def _told(self, request: Request, channel: int) -> Iterator[None]:
        """The library's errors as ours, told too."""
        try:
            with _as_ours(request):
                yield
        except BrokerError as error:
            self._line.ends(channel, str(error))
            raise

    def _built(self, client: httpx.AsyncClient, request: Request) -> httpx.Request:
        signed = self._sign(request)
        target = (self._base + signed.target).encode("ascii")
        return client.build_request(
            signed.method,
            self._url.copy_with(raw_path=target),
            headers=dict(signed.headers),
            content=signed.body or None,
        )

    def _error_of(self, request: Request, answer: Answer) -> BrokerError | None:
        if answer.status >= 500:
            return Ambiguous(
                f"{request.method} {request.path} answered HTTP {answer.status}: {answer.text}"
            )
        if self._refusal is not None:
            error = self._refusal(request, answer)
            if error is not None:
                return error
        return None if answer.status < 300 else usual_refusal(request, answer)


def usual_refusal(request: Request, answer: Answer) -> BrokerError:
    """What an answer of 300 to 499 means where its venue says nothing else of it."""
    said = f"{request.method} {request.path} answered HTTP {answer.status}: {answer.text}"
    if answer.status == 418 or (answer.status == 429 and _BANNED.search(answer.body)):
        return Banned(said, retry_after(answer))
    if answer.status == 429:
        return Throttled(said, retry_after(answer))
    if answer.status in {401, 403}:
        return AuthFailed(said)
    if answer.status == 408:
        return Ambiguous(said)
    return Rejected(f"HTTP_{answer.status}", said)


def retry_after(answer: Answer, usual: float = WAIT_SECONDS) -> float:
    """Seconds to wait by the header Retry-After, as a number or as a date; `usual` without one.

    A date counts from the answer's own Date (RFC 9110, 10.2.3 and 6.6.1), so that it is right
    whatever the clock here says. More than `LONGEST_WAIT_SECONDS` is no wait that a venue means,
    and counts as none was given: it would keep every exit back.
    """
    return asked_wait(answer.headers, usual)


def asked_wait(headers: Mapping[str, str], usual: float) -> float:
    """As `retry_after`, of headers that are found by names in small letters."""
    given = headers.get("retry-after", "").strip()
    try:
        if given.isdecimal():
            wait = float(given)
        else:
            until = email.utils.parsedate_to_datetime(given)
            said = email.utils.parsedate_to_datetime(headers.get("date", ""))
            wait = max((until - said).total_seconds(), 0.0)
    except (ValueError, TypeError):
        return usual
    return wait if wait <= LONGEST_WAIT_SECONDS else usual


def _answer(response: httpx.Response) -> Answer:
    return Answer(
        status=response.status_code,
        headers={name.lower(): value for name, value in response.headers.items()},
        body=response.content,
    )


@contextlib.contextmanager
def _as_ours(request: Request) -> Iterator[None]:
    """The library's errors as ours."""
    what = f"{request.method} {request.path}"
    try:
        yield
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
        raise NotSent(f"{what}: no connection: {_said(error)}") from error
    except (httpx.UnsupportedProtocol, httpx.LocalProtocolError, httpx.InvalidURL) as error:
        raise NotSent(f"{what} cannot be sent: {_said(error)}") from error
    except httpx.TimeoutException as error:
        raise Ambiguous(f"no answer to {what} in time") from error
    except (httpx.HTTPError, httpx.StreamError) as error:
        raise Ambiguous(f"the connection broke during {what}: {_said(error)}") from error


def _said(error: Exception) -> str:
    return str(error) or type(error).__name__
