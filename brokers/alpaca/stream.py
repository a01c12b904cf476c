"""What Alpaca tells of an account by itself: `trade_updates`.

The SDK has a client for it too, and it is not used. Made to connect once and to end with its
connection, what is left of it are three messages, and those hide what we need: it takes keys that
are refused and a message it does not understand for the same error, loses the status of a refused
handshake (429 says how long to wait), does not wait until the venue says that it listens, so that a
fill right after could be lost without a word, reads numbers as floats, and stands on an interface
of websockets that is being withdrawn, behind five private names. A test has the SDK's own client
listen to the same local server, which keeps the two honest.
"""

import asyncio
import json
from collections.abc import Callable
from typing import Any, Final

from brokers.alpaca.activities import fill_of_update
from brokers.alpaca.gaps import FILLS, Gaps
from brokers.alpaca.keys import Keys, looked_up
from brokers.alpaca.known import KnownOrders
from brokers.alpaca.wire import (
    Authorization,
    Frame,
    Listening,
    TradeUpdate,
    decode,
    filled_of,
    status_of,
    symbol_in,
    text,
    time_in_force_of,
)
from brokers.net.numbers import number, price_or_none, time_of
from brokers.net.websocket import WebSocket
from engine.domain.text import clean_text
from engine.ports import AuthFailed, NotSent, OrderReport

UPDATES: Final = "trade_updates"

LATE_SECONDS: Final = 1.0
"""How long an execution that others overtook may still come, before the stream counts as broken."""


class UpdateStream:
    """The stream of one account, from one opening to its end. `heard` gets each report.

    `ended` is told once why it is over: also where an execution has not come that others say there
    was. The engine then looks at the account, and the history has it.
    """

    def __init__(
        self,
        url: str,
        account: str,
        *,
        keys: Keys,
        known: KnownOrders,
        heard: Callable[[OrderReport], None],
        ended: Callable[[str], None],
    ) -> None:
        self._account = account
        self._keys = keys
        self._known = known
        self._tell = heard
        self._ended = ended
        self._gaps = Gaps()
        self._waits: dict[str, asyncio.TimerHandle] = {}
        self._socket = WebSocket(url, greet=self._greet, heard=self._hear, ended=self._over)

    async def open(self) -> None:
        """Connect, log in, and listen. Raises one of the six errors; nothing stays open then."""
        await self._socket.open()

    async def close(self) -> None:
        """End it without a word."""
        self._forget()
        await self._socket.close()

    async def _greet(self, socket: WebSocket) -> None:
        """Log in and listen; returns once the venue says that it does."""
        key, secret = await looked_up(self._keys)
        login = {"action": "authenticate", "data": {"key_id": key, "secret_key": secret}}
        await socket.send(json.dumps(login))
        status = text((await self._next(socket, "authorization", Authorization)).status)
        if status != "authorized":
            raise AuthFailed(f"Alpaca's stream does not accept the key: {clean_text(status, 60)}")
        await socket.send(json.dumps({"action": "listen", "data": {"streams": [UPDATES]}}))
        if UPDATES not in (await self._next(socket, "listening", Listening)).streams:
            raise NotSent(f"Alpaca's stream does not listen to {UPDATES}")

    async def _next(self, socket: WebSocket, stream: str, kind: Any) -> Any:
        """The next message of that stream, as `kind`; what happens to orders meanwhile is told."""
        while True:
            message = await socket.next()
            try:
                frame: Frame = decode(_bytes(message), Frame)
                if frame.stream == stream:
                    return decode(frame.data, kind)
                self._hear(message)
            except ValueError as error:
                raise NotSent(f"Alpaca's stream says what cannot be read: {error}") from error

    def _hear(self, message: str | bytes) -> None:
        """Take one message; JSON, in frames of text or of bytes. Raises for what is none: something
        was told that nobody can know."""
        frame: Frame = decode(_bytes(message), Frame)
        if frame.stream == "authorization":
            raise ValueError(f"the key is refused: {clean_text(bytes(frame.data).decode(), 100)}")
        if frame.stream != UPDATES:
            return
        update: TradeUpdate = decode(frame.data, TradeUpdate)
        if update.order.legs and not text(update.order.symbol):
            # Neither symbol nor side: what happened is told of its legs, in lists alone.
            if update.event in FILLS:
                raise ValueError("an order of several legs has filled, which the history has alone")
            return
        order_id, event = text(update.order.id), text(update.event)
        if event in TAKEN_BACK:
            raise ValueError(f"{event}: an execution of order {order_id} is not what was told")
        self._tell(self._report(update))
        if self._gaps.take(update) and order_id not in self._waits:
            loop = asyncio.get_running_loop()
            self._waits[order_id] = loop.call_later(LATE_SECONDS, self._look_for, order_id)

    def _report(self, update: TradeUpdate) -> OrderReport:
        row, event = update.order, text(update.event)
        named = self._known.see(row)
        quantity = number(row.qty) if row.qty is not None else None
        status = status_of(row, event)
        said = "" if event in _PLAIN else event.replace("_", " ")
        if event == "replaced":
            said = f"replaced by {text(row.replaced_by)}"
        return OrderReport(
            account=self._account,
            client_order_id=named.client_order_id,
            venue_order_id=text(row.id),
            symbol=symbol_in(row),
            status=status,
            fill=fill_of_update(self._account, update, named) if event in FILLS else None,
            filled=filled_of(row),
            quantity=quantity,
            limit_price=None if quantity is None else price_or_none(row.limit_price),
            stop_price=None if quantity is None else price_or_none(row.stop_price),
            time_in_force=None if quantity is None else time_in_force_of(row),
            text=said,
            time=time_of(update.timestamp),
        )

    def _look_for(self, order_id: str) -> None:
        """An execution was missing a moment ago: without it the stream is not to be relied on."""
        self._waits.pop(order_id, None)
        missing = self._gaps.missing(order_id)
        if missing > 0:
            self._over(f"an execution of {missing} of order {order_id} was not told")

    def _over(self, why: str) -> None:
        self._forget()
        self._ended(why)

    def _forget(self) -> None:
        for timer in self._waits.values():
            timer.cancel()
        self._waits.clear()


TAKEN_BACK: Final = frozenset({"trade_bust", "trade_correct"})
"""An execution that was told is void, or has other numbers. The port has no word for that: the
connection is made anew, so that the account is looked at at once, and what differs blocks its
symbol until a person has looked."""

_PLAIN: Final = frozenset({"new", "fill", "partial_fill", "canceled", "expired"})
"""Events that the status says as well."""


def _bytes(message: str | bytes) -> bytes:
    return message.encode() if isinstance(message, str) else message
