"""A stream that never comes back by itself, and whose end is always told (C-441)."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiohttp import WSMsgType, web

from brokers.net.websocket import REFUSED_WAIT, WebSocket
from engine.ports import AuthFailed, Banned, BrokerError, NotSent, Throttled
from tests.venues.served import Served


class Talk:
    """The server's side: greets, says what it is told to, and keeps what it hears."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.sockets: list[web.WebSocketResponse] = []
        self.greets = True
        self.answers_pings = True

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(autoping=self.answers_pings)
        await socket.prepare(request)
        self.sockets.append(socket)
        if self.greets:
            await socket.send_str("welcome")
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                self.heard.append(message.data)
        return socket


class Ear:
    """Our side: what was heard, and how it ended."""

    def __init__(self) -> None:
        self.heard: list[str | bytes] = []
        self.why: list[str] = []
        self.over = asyncio.Event()

    async def greet(self, socket: WebSocket) -> None:
        assert await socket.next() == "welcome"
        await socket.send("hello")

    def hear(self, message: str | bytes) -> None:
        if message == "poison":
            raise ValueError("cannot be taken")
        self.heard.append(message)

    def end(self, why: str) -> None:
        self.why.append(why)
        self.over.set()


@pytest.fixture
def talk() -> Talk:
    return Talk()


@pytest.fixture
async def server(talk: Talk) -> AsyncIterator[Served]:
    app = web.Application()
    app.router.add_get("/ws", talk.serve, name="ws")
    async with Served(app) as served:
        yield served


def stream(server: Served, ear: Ear, **more: float | str) -> WebSocket:
    return WebSocket(
        f"{server.ws_url}/ws",
        greet=ear.greet,
        heard=ear.hear,
        ended=ear.end,
        **more,  # type: ignore[arg-type]
    )


async def ended(ear: Ear) -> str:
    await asyncio.wait_for(ear.over.wait(), 10)
    (why,) = ear.why
    return why


async def test_it_greets_hears_and_closes_without_a_word(server: Served, talk: Talk) -> None:
    ear = Ear()
    socket = stream(server, ear)
    await socket.open()
    await talk.sockets[0].send_str("one")
    while not ear.heard:
        await asyncio.sleep(0.01)
    await socket.close()
    await socket.close()
    assert (ear.heard, talk.heard, ear.why) == (["one"], ["hello"], [])
    with pytest.raises(NotSent):
        await socket.send("more")


async def test_a_hang_up_is_told_once_with_its_reason(server: Served, talk: Talk) -> None:
    ear = Ear()
    socket = stream(server, ear)
    await socket.open()
    await talk.sockets[0].close(code=1008, message=b"too slow")
    assert "too slow" in await ended(ear)
    assert not socket.is_open


async def test_a_silence_longer_than_the_beat_of_the_venue_ends_it(
    server: Served, talk: Talk
) -> None:
    ear = Ear()
    socket = stream(server, ear, silence_seconds=0.4)
    await socket.open()
    for _ in range(4):  # longer than the silence in all, and never silent for so long
        await asyncio.sleep(0.2)
        await talk.sockets[0].send_str("beat")
    assert ear.why == []
    assert "nothing was heard for 0.4 s" in await ended(ear)


async def test_pings_that_are_not_answered_end_it(server: Served, talk: Talk) -> None:
    talk.answers_pings = False
    ear = Ear()
    await stream(server, ear).open()
    assert "ping" in await ended(ear)


async def test_the_venue_hears_the_beat_that_it_wants(server: Served, talk: Talk) -> None:
    ear = Ear()
    socket = stream(server, ear, beat="ping", beat_seconds=0.05)
    await socket.open()
    while talk.heard.count("ping") < 3:
        await asyncio.sleep(0.02)
    await socket.close()


async def test_a_message_that_cannot_be_taken_ends_it(server: Served, talk: Talk) -> None:
    """What it told is lost, unless everything is asked again: so the connection is made anew."""
    ear = Ear()
    socket = stream(server, ear)
    await socket.open()
    await talk.sockets[0].send_str("poison")
    assert "ValueError: cannot be taken" in await ended(ear)
    assert not socket.is_open


@pytest.mark.parametrize(
    ("status", "kind"),
    [(401, AuthFailed), (403, AuthFailed), (406, Throttled), (429, Throttled), (502, NotSent)],
)
async def test_a_stream_that_is_refused(
    server: Served, status: int, kind: type[BrokerError]
) -> None:
    server.fault("ws", "status_before", status=status)
    socket = stream(server, Ear())
    with pytest.raises(kind):
        await socket.open()
    assert not socket.is_open


LATER = {"Date": "Tue, 01 Dec 2026 10:00:00 GMT", "Retry-After": "Tue, 01 Dec 2026 10:00:40 GMT"}


@pytest.mark.parametrize(
    ("status", "headers", "kind", "seconds"),
    [
        (429, {"Retry-After": "7"}, Throttled, 7),
        (406, {"Retry-After": "7"}, Throttled, 7),
        (418, {"Retry-After": "120"}, Banned, 120),
        (403, {"Retry-After": "30"}, Throttled, 30),
        (503, {"Retry-After": "30"}, Throttled, 30),
        (429, {"Retry-After": "0"}, Throttled, 0),
        (429, LATER, Throttled, 40),
        (429, {}, Throttled, REFUSED_WAIT),
        (418, {}, Banned, REFUSED_WAIT),
        (429, {"Retry-After": "soon"}, Throttled, REFUSED_WAIT),
        (429, {"Retry-After": "259200"}, Throttled, 259_200),
        (429, {"Retry-After": "259201"}, Throttled, REFUSED_WAIT),
    ],
)
async def test_C401_a_refusal_of_the_handshake_says_how_long_to_wait(
    server: Served, status: int, headers: dict[str, str], kind: type[Throttled], seconds: float
) -> None:
    """As an answer to a request does: a number of seconds, or a date against the answer's own."""
    server.fault("ws", "status_before", status=status, headers=headers)
    with pytest.raises(Throttled) as refused:
        await stream(server, Ear()).open()
    assert type(refused.value) is kind
    assert refused.value.retry_after == seconds


async def test_a_venue_that_lets_us_in_and_says_nothing(server: Served, talk: Talk) -> None:
    talk.greets = False
    ear = Ear()
    socket = stream(server, ear)
    with pytest.raises(NotSent, match="said nothing for"):
        await socket.open(within=0.2)
    assert (socket.is_open, ear.why) == (False, [])


async def test_nobody_there(server: Served) -> None:
    await server.stop()
    with pytest.raises(NotSent):
        await stream(server, Ear()).open()
