"""Requests to Alpaca's trading API: each once, in a thread, and never longer than promised.

The SDK blocks, so that it runs in threads of its own: the loop's usual ones are few, and one
request that hangs would keep others from theirs. What reduces risk has threads that nothing else
waits in.

A thread that is carrying out a request cannot be stopped. Whoever gives up waiting for it has an
`Ambiguous` answer, unless its turn had not come: then it is taken back, and was not sent. What
had not left by then does not leave any more (`brokers.alpaca.sdk`).
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final

import msgspec

from brokers.alpaca.keys import Keys, looked_up
from brokers.alpaca.refusals import asked_to_wait, refusal
from brokers.alpaca.wire import decode
from brokers.net.budget import Budget, Need
from brokers.net.rest import Answer, Request, usual_refusal
from brokers.net.tap import Line
from engine.ports import Ambiguous, BrokerError, Clock, NotSent, Throttled

if TYPE_CHECKING:
    from brokers.alpaca.sdk import Session

THREADS: Final = 8
"""Of each kind: for what reduces risk, and for everything else."""

WAIT_SECONDS: Final = 5.0
"""How long an answer is waited for, the turn of a thread and the opening of a connection in it."""

LEAVE_SECONDS: Final = 2.0
"""How long after it was asked for a request may still leave: what remains is for its answer."""

REQUESTS_A_MINUTE: Final = 200


class Client:
    """The trading API of one account. `keys` gives key and secret, when they are needed."""

    def __init__(self, url: str, keys: Keys, clock: Clock) -> None:
        self._url = url
        self._keys = keys
        self._clock = clock
        self._budget = Budget(
            "Alpaca", size=REQUESTS_A_MINUTE, seconds=60, monotonic=clock.monotonic
        )
        self._line = Line()
        self._session: Session | None = None
        self._pools: dict[bool, ThreadPoolExecutor] = {}

    async def open(self) -> None:
        """Load the SDK and be ready to send, on connections that are new; nothing is sent.

        Raises AuthFailed where the key or the secret is missing.
        """
        if self._session is not None:
            self._session.renew()
            return
        self._pools = {
            urgent: ThreadPoolExecutor(
                THREADS, thread_name_prefix="alpaca urgent" if urgent else "alpaca"
            )
            for urgent in (True, False)
        }
        try:
            key, secret = await looked_up(self._keys)
            made = self._pools[False].submit(_session, self._url, key, secret, self._line)
            self._session = await asyncio.wrap_future(made)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Send nothing more; what has left is waited for by whoever asked."""
        session, self._session = self._session, None
        pools, self._pools = self._pools, {}
        for pool in pools.values():
            pool.shutdown(wait=False, cancel_futures=True)
        if session is not None:
            session.close()

    def get(
        self,
        path: str,
        kind: Any,
        query: Mapping[str, str] | None = None,
        *,
        need: Need = Need.ADD,
        cost: int = 1,
    ) -> Awaitable[Any]:
        """Ask, and the answer as `kind`. Raises one of the six errors.

        `cost`: what is taken of the requests that are
        allowed; more than 1 pays for questions that follow, and those cost 0.
        """
        return self._ask("GET", path, query, kind, need=need, cost=cost)

    def post(
        self, path: str, body: Mapping[str, str], kind: Any, *, need: Need = Need.ADD
    ) -> Awaitable[Any]:
        """The same with something to take."""
        return self._ask("POST", path, body, kind, need=need)

    def delete(self, path: str, kind: Any = None) -> Awaitable[Any]:
        """The same for what is to be cancelled; always urgent. `kind` None: no answer is read."""
        return self._ask("DELETE", path, None, kind, need=Need.REDUCE)

    async def _ask(
        self,
        method: str,
        path: str,
        data: Mapping[str, str] | None,
        kind: Any,
        *,
        need: Need,
        cost: int = 1,
    ) -> Any:
        session = self._session
        if session is None:
            raise NotSent("Alpaca is not connected")
        self._budget.take(cost, need=need if cost else Need.REDUCE)
        request = Request(method=method, path=path)
        until = time.monotonic() + LEAVE_SECONDS

        def carry_out() -> Answer:
            return session.ask(method, path, data, until)

        answer = await self._carried_out(request, carry_out, urgent=need is Need.REDUCE)
        self._heed(answer)
        error = self._error_of(request, answer)
        if isinstance(error, Throttled):
            error = self._budget.heed(error, need=need)
        if error is not None:
            raise error
        if kind is None:
            return None
        try:
            return decode(answer.body, kind)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise Ambiguous(
                f"the answer to {method} {path} cannot be read ({error}): {answer.text!r}"
            ) from error

    async def _carried_out(
        self, request: Request, send: Callable[[], Answer], *, urgent: bool
    ) -> Answer:
        """The answer of a thread; Ambiguous where it does not come in time, NotSent where it had
        not begun by then."""
        what = f"{request.method} {request.path}"
        try:
            job: Future[Answer] = self._pools[urgent].submit(send)
        except (KeyError, RuntimeError) as error:
            raise NotSent(f"{what}: disconnected by us") from error
        answer = asyncio.wrap_future(job)
        begun = True
        try:
            # Not `wait_for`: its cancel would take away what tells whether it had begun.
            await asyncio.wait({answer}, timeout=WAIT_SECONDS)
        finally:
            if not answer.done():
                begun = not job.cancel()
                answer.cancel()
        if not begun or job.cancelled():
            raise NotSent(f"{what}: it was given up before it was sent")
        if answer.cancelled():
            raise Ambiguous(f"no answer to {what} within {WAIT_SECONDS:g} s")
        try:
            return answer.result()
        except BrokerError:
            raise
        except Exception as error:  # whatever the libraries raise beyond what they promise
            raise Ambiguous(f"{what} broke: {type(error).__name__}") from error

    def _heed(self, answer: Answer) -> None:
        """Take over how much of its limit the venue says is left."""
        left = answer.headers.get("x-ratelimit-remaining", "")
        if left.isdecimal() and len(left) < 8:
            self._budget.told_left(float(left))

    def _error_of(self, request: Request, answer: Answer) -> BrokerError | None:
        what = f"{request.method} {request.path}"
        if answer.status >= 500:
            return Ambiguous(f"{what} answered HTTP {answer.status}: {answer.text}")
        if answer.status == 429:
            return asked_to_wait(request, answer, self._clock.now())
        if answer.status < 300:
            return None
        return refusal(request, answer) or usual_refusal(request, answer)


def _session(url: str, key: str, secret: str, line: Line) -> "Session":
    """The SDK's client. Raises NotSent where the SDK is not the one that is known."""
    from brokers.alpaca.sdk import Session

    return Session(url, key, secret, line)
