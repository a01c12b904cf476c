"""Whoever taps a connection hears every message on it, in order, and nobody else does."""

import pytest
from aiohttp import web

from brokers.net.rest import Request, Rest
from brokers.net.tap import What, tapped
from brokers.net.websocket import WebSocket
from console.host.wire_recorder import Recorder
from engine.ports import Ambiguous, NotSent
from tests.venues.served import Served


async def _echo(request: web.Request) -> web.Response:
    return web.json_response({"said": await request.text()})


async def _long(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    await response.write(b"one\n")
    await response.write_eof()
    return response


async def _talk(request: web.Request) -> web.WebSocketResponse:
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    await socket.send_str("welcome")
    await socket.receive()
    return socket


@pytest.fixture
async def server() -> Served:
    app = web.Application()
    app.router.add_post("/echo", _echo, name="echo")
    app.router.add_get("/long", _long)
    app.router.add_get("/talk", _talk)
    return Served(app)


def heard(recorder: Recorder) -> list[tuple[int, What, bytes]]:
    return [(m.channel, m.what, m.data) for _, m in recorder.messages]


async def test_a_request_and_its_answer_are_told_as_they_are_on_the_wire(server: Served) -> None:
    recorder = Recorder()
    async with server:
        with tapped(recorder):
            rest = Rest(server.url)
        await rest.open()
        request = Request(
            method="POST", path="/echo", query="a=1", headers={"X-Key": "k"}, body=b"hello"
        )
        await rest.send(request)
        await rest.close()
    (_, asked), (_, answered) = recorder.messages
    assert (asked.what, asked.method, asked.url) == (
        What.REQUEST,
        "POST",
        f"{server.url}/echo?a=1",
    )
    assert dict(asked.headers)["x-key"] == "k"
    assert (asked.data, asked.channel) == (b"hello", answered.channel)
    assert (answered.what, answered.status, answered.data) == (
        What.ANSWER,
        200,
        b'{"said": "hello"}',
    )


async def test_a_request_without_an_answer_is_told_with_why(server: Served) -> None:
    recorder = Recorder()
    async with server:
        with tapped(recorder):
            rest = Rest(server.url, answer_seconds=5)
        server.fault("echo", "drop_after")
        await rest.open()
        with pytest.raises(Ambiguous):
            await rest.send(Request(method="POST", path="/echo"))
    with pytest.raises(NotSent):
        await rest.send(Request(method="POST", path="/echo"))
    await rest.close()
    assert [m.what for _, m in recorder.messages] == [What.REQUEST, What.END] * 2


async def test_an_answer_that_goes_on_is_told_piece_by_piece(server: Served) -> None:
    recorder = Recorder()
    async with server:
        with tapped(recorder):
            rest = Rest(server.url)
        await rest.open()
        async with rest.stream(Request(method="GET", path="/long")) as pieces:
            assert [piece async for piece in pieces] == [b"one\n"]
        await rest.close()
    assert [(what, data) for _, what, data in heard(recorder)] == [
        (What.REQUEST, b""),
        (What.ANSWER, b""),
        (What.HEARD, b"one\n"),
        (What.END, b"the answer ended"),
    ]


async def _greet(socket: WebSocket) -> None:
    await socket.next()
    await socket.send("hello")


async def test_a_stream_is_told_from_its_opening_to_its_end(server: Served) -> None:
    recorder = Recorder()
    async with server:
        socket = _at(server, recorder)
        await socket.open()
        await socket.close()
    told = heard(recorder)
    assert told[:3] == [(1, What.OPEN, b""), (1, What.HEARD, b"welcome"), (1, What.SENT, b"hello")]
    assert told[-1][:2] == (1, What.END)


def _at(server: Served, recorder: Recorder) -> WebSocket:
    with tapped(recorder):
        return WebSocket(
            f"{server.ws_url}/talk", greet=_greet, heard=lambda _: None, ended=lambda _: None
        )


async def test_what_is_made_outside_is_not_listened_to(server: Served) -> None:
    recorder = Recorder()
    async with server:
        rest = Rest(server.url)
        await rest.open()
        with tapped(recorder):
            await rest.send(Request(method="POST", path="/echo"))
        await rest.close()
    assert recorder.messages == []
