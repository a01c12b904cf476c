"""A request is sent once and ends in an answer or in one of the six errors (U-61, C-402, C-403).

Over real sockets: what a server has seen is counted there.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from brokers.net.budget import Budget
from brokers.net.rest import Answer, Request, Rest, retry_after
from engine.domain.instant import NS_PER_SECOND
from engine.ports import (
    Ambiguous,
    AuthFailed,
    Banned,
    BrokerError,
    NotSent,
    Rejected,
    Throttled,
)
from tests.venues.deaf import Deaf
from tests.venues.served import Served

ORDER = Request(method="POST", path="/orders", query="a=1%2B2", body=b'{"q": 1}')


async def _take(request: web.Request) -> web.Response:
    await request.read()
    return web.json_response({"id": "7"})


@pytest.fixture
async def server() -> AsyncIterator[Served]:
    app = web.Application()
    app.router.add_route("*", "/orders", _take, name="orders")
    async with Served(app) as served:
        yield served


@pytest.fixture
async def rest(server: Served) -> AsyncIterator[Rest]:
    client = Rest(server.url, answer_seconds=0.5)
    await client.open()
    yield client
    await client.close()


async def test_an_answer_is_decoded_and_the_request_arrives_as_it_was_signed(
    server: Served, rest: Rest
) -> None:
    assert await rest.ask(ORDER, dict[str, str]) == {"id": "7"}
    assert server.requests == [("orders", "POST", "/orders?a=1%2B2")]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "GET"])
@pytest.mark.parametrize("play", ["drop_before", "drop_after", "truncate", "status_after"])
async def test_C402_an_answer_that_is_lost_is_ambiguous_and_nothing_is_sent_again(
    server: Served, rest: Rest, method: str, play: Any
) -> None:
    """Also on a connection that was used before: there a library is tempted to send it again."""
    request = Request(method=method, path="/orders")
    await rest.send(request)
    server.fault("orders", play)
    with pytest.raises(Ambiguous):
        await rest.send(request)
    assert server.count("orders") == 2


async def test_an_answer_that_is_late_is_ambiguous(server: Served, rest: Rest) -> None:
    server.fault("orders", "silent")
    with pytest.raises(Ambiguous, match="no answer to POST /orders in time"):
        await rest.send(ORDER)
    assert server.count("orders") == 1


async def test_what_cannot_be_read_is_ambiguous_and_shown(server: Served, rest: Rest) -> None:
    server.fault("orders", "status_before", status=200, body="<html>\x1b[2J maintenance")
    with pytest.raises(Ambiguous, match="maintenance") as error:
        await rest.ask(ORDER, dict[str, str])
    assert "\x1b" not in str(error.value)


async def test_without_a_connection_nothing_was_sent(server: Served) -> None:
    client = Rest(server.url)
    with pytest.raises(NotSent, match="is not connected"):
        await client.send(ORDER)
    await client.open()
    await server.stop()
    with pytest.raises(NotSent, match="no connection"):
        await client.send(ORDER)
    await client.close()
    with pytest.raises(NotSent, match="is not connected"):
        await client.send(ORDER)
    assert server.requests == []


@pytest.fixture
async def deaf() -> AsyncIterator[tuple[Deaf, Rest]]:
    async with Deaf() as server:
        client = Rest(server.url, answer_seconds=20)
        await client.open()
        yield server, client
        await client.close()


LOOK = Request(method="GET", path="/orders")


async def test_C440_to_open_again_is_to_send_on_new_connections(deaf: tuple[Deaf, Rest]) -> None:
    """One that carries nothing any more would keep the first request for its whole time."""
    server, rest = deaf
    await rest.send(LOOK)
    server.connections[0].hears.clear()
    async with asyncio.timeout(5):
        await rest.open()
        await rest.send(LOOK)
    assert [each.requests for each in server.connections] == [1, 1]


async def test_C440_what_is_under_way_as_it_is_opened_again_gets_its_answer(
    deaf: tuple[Deaf, Rest],
) -> None:
    server, rest = deaf
    await rest.send(LOOK)
    server.connections[0].hears.clear()
    asked = asyncio.create_task(rest.send(LOOK))
    while server.connections[0].requests < 2:
        await asyncio.sleep(0.001)
    await rest.open()
    await rest.send(LOOK)
    assert not asked.done()
    server.connections[0].hears.set()
    assert (await asked).status == 200


async def test_what_is_under_way_on_any_connection_ends_as_ambiguous_when_it_is_closed(
    deaf: tuple[Deaf, Rest],
) -> None:
    server, rest = deaf
    await rest.send(LOOK)
    server.connections[0].hears.clear()
    asked = asyncio.create_task(rest.send(LOOK))
    while server.connections[0].requests < 2:
        await asyncio.sleep(0.001)
    await rest.open()
    await rest.close()
    with pytest.raises(Ambiguous):
        await asked


async def test_a_request_that_gets_no_connection_in_time_was_not_sent(server: Served) -> None:
    """For a venue that counts new connections: no more than so many stand at once."""
    client = Rest(server.url, answer_seconds=0.3, connections=1)
    await client.open()
    server.fault("orders", "silent")
    asked = await asyncio.gather(client.send(ORDER), client.send(ORDER), return_exceptions=True)
    assert sorted(type(error).__name__ for error in asked) == ["Ambiguous", "NotSent"]
    assert server.count("orders") == 1
    await client.close()


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (500, Ambiguous), (502, Ambiguous), (503, Ambiguous), (504, Ambiguous), (408, Ambiguous),
        (418, Throttled), (429, Throttled), (401, AuthFailed), (403, AuthFailed),
        (302, Rejected), (400, Rejected), (404, Rejected), (422, Rejected), (499, Rejected),
    ],
)  # fmt: skip
async def test_C403_what_a_status_means(
    server: Served, rest: Rest, status: int, kind: type[BrokerError]
) -> None:
    server.fault("orders", "status_before", status=status)
    with pytest.raises(kind):
        await rest.send(ORDER)
    assert server.count("orders") == 1


async def test_a_venue_reads_its_own_refusals_but_never_those_of_a_gateway(server: Served) -> None:
    def refusal(request: Request, answer: Answer) -> BrokerError | None:
        return Rejected("FUNDS", "too dear") if answer.status == 403 else None

    client = Rest(server.url, refusal=refusal)
    await client.open()
    for status, kind in ((403, Rejected), (401, AuthFailed), (502, Ambiguous)):
        server.fault("orders", "status_before", status=status)
        with pytest.raises(kind):
            await client.send(ORDER)
    await client.close()


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (429, "slow down", Throttled),
        (418, "", Banned),
        (429, "<title>Access denied | error code: 1015</title>", Banned),
        (429, "error code: 1015", Banned),
        (429, "error code: 10150", Throttled),
    ],
)
async def test_C200_a_ban_of_the_address_is_told_from_a_limit(
    server: Served, rest: Rest, status: int, body: str, kind: type[BrokerError]
) -> None:
    """418 is Binance's, 1015 that of the network before several venues."""
    server.fault("orders", "status_before", status=status, body=body, headers={"Retry-After": "90"})
    with pytest.raises(Throttled) as error:
        await rest.send(ORDER)
    assert (type(error.value), error.value.retry_after) == (kind, 90)


async def test_C200_a_long_wait_keeps_back_entries_and_lets_the_rest_go_on(server: Served) -> None:
    """Ten minutes are asked for, and the limit is one of requests a second."""
    now = [0]
    client = Rest(server.url, budget=Budget("v", size=10, seconds=1, monotonic=lambda: now[0]))
    await client.open()
    server.fault("orders", "status_before", status=429, headers={"Retry-After": "600"})
    with pytest.raises(Throttled) as error:
        await client.send(ORDER, urgent=True)
    assert error.value.retry_after == 1
    now[0] += NS_PER_SECOND
    await client.send(ORDER, urgent=True)
    with pytest.raises(Throttled) as error:
        await client.send(ORDER)
    assert error.value.retry_after == 599
    assert server.count("orders") == 2
    await client.close()


async def test_C200_a_venue_that_asks_to_wait_is_left_alone_so_long(server: Served) -> None:
    now = [0]
    budget = Budget("venue", size=10, seconds=60, monotonic=lambda: now[0])
    client = Rest(server.url, budget=budget)
    await client.open()
    server.fault("orders", "status_before", status=429, headers={"Retry-After": "7"})
    for wait in (7.0, 7.0):
        with pytest.raises(Throttled) as error:
            await client.send(ORDER, urgent=True)
        assert error.value.retry_after == wait
    now[0] += 7 * NS_PER_SECOND
    await client.send(ORDER)
    assert server.count("orders") == 2
    await client.close()


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("", 1.0), ("0", 0.0), ("12", 12.0), ("soon", 1.0), ("-3", 1.0), ("9" * 12, 1.0),
     ("259199", 259_199.0), ("259200", 259_200.0), ("259201", 1.0), ("9" * 400, 1.0),
     ("Sat, 24 Oct 2015 07:28:00 GMT", 259_200.0), ("Sat, 24 Oct 2015 07:28:01 GMT", 1.0),
     ("Wed, 21 Oct 2015 07:28:09 GMT", 9.0), ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
     ("Wed, 21 Oct 2015 07:27:00 GMT", 0.0), ("Wed, 21 Oct 2015 07:28:09 -0000", 1.0)],
)  # fmt: skip
def test_how_long_a_venue_wants_us_to_wait(header: str, seconds: float) -> None:
    headers = {"date": "Wed, 21 Oct 2015 07:28:00 GMT"}
    headers |= {"retry-after": header} if header else {}
    assert retry_after(Answer(status=429, headers=headers, body=b"")) == seconds


def test_a_date_to_wait_for_means_nothing_without_the_date_of_the_answer() -> None:
    headers = {"retry-after": "Wed, 21 Oct 2015 07:28:09 GMT"}
    assert retry_after(Answer(status=429, headers=headers, body=b"")) == 1.0
