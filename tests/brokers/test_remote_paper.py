"""The paper venue in another process: conformance over a real socket, and every way to fail."""

import asyncio
import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest

from brokers.paper import wire
from brokers.paper.book import PaperBook
from brokers.paper.instruments import Instruments
from brokers.paper.remote import RemoteMarket, RemotePaper, _Line
from brokers.paper.server import PaperServer
from brokers.paper.venue import PaperVenue
from engine.domain.market import Bar, Depth, Quote
from engine.domain.order import OrderStatus
from engine.domain.run import LinkState
from engine.ports import Ambiguous, LinkReport, NotSent, OrderReport, Rejected
from engine.runtime.clock import SystemClock
from tests.brokers.conformance import Lab, PaperConformance
from tests.brokers.kit import FREE, D, order

ROOT = Path(__file__).resolve().parents[2]
TERMS = json.dumps(
    {"latency_ms": [0, 0], "slippage_bps": "0", "commission_bps": "0", "fill_probability": "1"}
)


class Hand:
    """A second connection, that sets prices and holds things back."""

    def __init__(self, path: Path) -> None:
        self.line = _Line(path, 10)

    async def open(self) -> None:
        await self.line.open()
        self.task = asyncio.create_task(self._listen())

    async def _listen(self) -> None:
        async for _ in self.line.heard():
            pass

    async def price(self, symbol: str, price: Decimal) -> None:
        await self.line.ask("set_price", wire.Price(symbol, price), None)

    async def hold(self, what: str, on: bool) -> None:
        await self.line.ask("hold", wire.Hold(what, on), None)

    async def fill(self, client_order_id: str, quantity: Decimal) -> None:
        await self.line.ask("fill", wire.Part(client_order_id, quantity), None)

    async def submits(self) -> dict[str, int]:
        answer: dict[str, int] = await self.line.ask("submits", wire.Nothing(), dict[str, int])
        return answer

    async def recorded(self) -> tuple[wire.Request, ...]:
        answer: tuple[wire.Request, ...] = await self.line.ask(
            "recorded", wire.Nothing(), tuple[wire.Request, ...]
        )
        return answer

    async def close(self) -> None:
        self.line.close("done")
        await self.task


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[tuple[Path, PaperServer]]:
    """A venue behind a socket, served by this process."""
    clock = SystemClock()
    venue = PaperVenue(
        clock=clock,
        random=Random(1),
        terms=FREE,
        book=PaperBook(tmp_path / "book.db", wait="thread"),
        instruments=Instruments(calendar_name="SIM"),
    )
    made = PaperServer(venue, clock, random=Random(2), market=None)
    path = tmp_path / "venue.sock"
    running = asyncio.create_task(made.run(path))
    await until(path.exists)
    yield path, made
    made.ended.set()
    await running


@pytest.fixture
async def hand(server: tuple[Path, PaperServer]) -> AsyncIterator[Hand]:
    made = Hand(server[0])
    await made.open()
    yield made
    await made.close()


async def until(true: Any) -> None:
    """Let others run until it is so."""
    async with asyncio.timeout(20):
        while not true():
            await asyncio.sleep(0.001)


class TestRemoteConformance(PaperConformance):
    @pytest.fixture
    async def lab(self, server: tuple[Path, PaperServer], hand: Hand) -> AsyncIterator[Lab]:
        broker = RemotePaper(server[0], SystemClock())
        yield Lab(broker, hand.price)
        await broker.disconnect()


async def connected(path: Path, **more: Any) -> RemotePaper:
    broker = RemotePaper(path, SystemClock(), **more)
    await broker.connect()
    return broker


async def test_a_connection_that_is_refused_sends_nothing(tmp_path: Path) -> None:
    broker = RemotePaper(tmp_path / "nobody.sock", SystemClock())
    with pytest.raises(NotSent, match="does not answer"):
        await broker.connect()
    with pytest.raises(NotSent, match="not connected"):
        await broker.submit_order(order("a"))


async def test_an_attempt_to_connect_that_was_given_up_leaves_nothing_open(tmp_path: Path) -> None:
    """The next attempt opens a connection of its own, on which reports are asked for."""
    path = tmp_path / "mute.sock"
    calls: list[bytes] = []
    ended: list[bool] = []

    async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            calls.append(line)
        writer.close()
        await writer.wait_closed()
        ended.append(True)

    server = await asyncio.start_unix_server(mute, str(path))
    broker = RemotePaper(path, SystemClock())
    for attempt in (1, 2):
        connecting = asyncio.create_task(broker.connect())
        await until(lambda: len(calls) == attempt)  # noqa: B023 - awaited in this round
        connecting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await connecting
        with pytest.raises(NotSent, match="not connected"):
            await broker.submit_order(order("a"))
    await until(lambda: len(ended) == 2)
    server.close()
    await server.wait_closed()


async def test_T07_an_answer_that_is_lost_is_ambiguous_and_the_order_is_there(
    server: tuple[Path, PaperServer], hand: Hand
) -> None:
    broker = await connected(server[0], timeout_seconds=0.05)
    await hand.price("AAPL", D(100))
    await hand.hold("reports", True)
    with pytest.raises(Ambiguous, match="no answer to submit"):
        await broker.submit_order(order("a"))
    known = await broker.get_order("a")
    assert known is not None
    assert known.status is OrderStatus.FILLED
    await hand.hold("reports", False)
    with pytest.raises(Rejected, match="used before"):
        await broker.submit_order(order("a"))
    assert await hand.submits() == {"a": 2}
    assert len(await broker.get_fills_since(0)) == 1
    await broker.disconnect()


async def test_T07_a_request_that_is_late_arrives_after_its_sender_gave_up(
    server: tuple[Path, PaperServer], hand: Hand
) -> None:
    broker = await connected(server[0], timeout_seconds=0.05)
    await hand.price("AAPL", D(100))
    await hand.hold("requests", True)
    with pytest.raises(Ambiguous):
        await broker.submit_order(order("a"))
    assert await broker.get_order("a") is None
    await broker.disconnect()
    await hand.hold("requests", False)
    await broker.connect()
    async with asyncio.timeout(10):
        while await broker.get_order("a") is None:
            await asyncio.sleep(0)
    await broker.disconnect()


async def test_each_step_of_an_orders_life_can_be_held(
    server: tuple[Path, PaperServer], hand: Hand
) -> None:
    broker = await connected(server[0])
    lab = Lab(broker, hand.price)
    await lab.next_report()
    await hand.price("AAPL", D(100))
    await hand.hold("fills", True)
    await broker.submit_order(order("a", "BUY", "10"))
    await lab.until("a", OrderStatus.NEW)
    await hand.fill("a", D(3))
    report = await lab.until("a", OrderStatus.PARTIALLY_FILLED)
    assert report.fill is not None
    assert report.fill.quantity == 3
    await hand.hold("requests", True)
    cancel = asyncio.create_task(broker.cancel_order("a"))
    assert (await broker.get_open_orders())[0].filled == 3
    await hand.hold("requests", False)
    await cancel
    await lab.until("a", OrderStatus.CANCELED)
    await broker.submit_order(order("b", "BUY", "5"))
    await hand.hold("fills", False)
    await lab.until("b", OrderStatus.FILLED)
    (position,) = await broker.get_positions()
    assert position.quantity == 8
    await broker.disconnect()


async def test_what_is_no_call_ends_only_its_own_connection(
    server: tuple[Path, PaperServer], hand: Hand, capsys: pytest.CaptureFixture[str]
) -> None:
    reader, writer = await asyncio.open_unix_connection(str(server[0]))
    writer.write(b"this is no call\n")
    assert await reader.read() == b""
    writer.close()
    assert "a client was dropped" in capsys.readouterr().err
    await hand.price("AAPL", D(100))
    with pytest.raises(Rejected) as refused:
        await hand.line.ask("dance", wire.Nothing(), None)
    assert refused.value.code == "INVALID_CALL"
    with pytest.raises(Rejected, match="submit"):
        await hand.line.ask("submit", wire.Named("a"), None)


async def test_only_the_owner_may_talk_to_it(server: tuple[Path, PaperServer]) -> None:
    assert stat.S_IMODE(server[0].stat().st_mode) == 0o600


async def test_prices_by_hand_reach_whoever_watches(
    server: tuple[Path, PaperServer], hand: Hand
) -> None:
    market = RemoteMarket(server[0], SystemClock())
    assert await market.history("AAPL", 10) == ()
    events = market.events()
    first = asyncio.ensure_future(anext(events))
    await until(lambda: any(client.watches for client in server[1]._clients))
    await hand.price("AAPL", D(101))
    quote = await first
    assert isinstance(quote, Quote)
    assert (quote.symbol, quote.last) == ("AAPL", D(101))
    await events.aclose()  # type: ignore[attr-defined]


async def test_a_frame_of_a_feed_meets_working_orders_and_is_told_whole_and_in_order(
    server: tuple[Path, PaperServer], hand: Hand
) -> None:
    broker = await connected(server[0])
    await hand.price("AAPL", D(100))
    await broker.submit_order(order("low", "BUY", "10", limit="95"))
    market = RemoteMarket(server[0], SystemClock())
    events = market.events()
    first = asyncio.ensure_future(anext(events))
    await until(lambda: any(client.watches for client in server[1]._clients))
    now = SystemClock().now()
    frame = [
        Quote(symbol="AAPL", bid=bid, ask=bid, last=bid, ask_size=D(500), time=now + n)
        for n, bid in enumerate((D(99), D(94), D(98)))
    ]
    await hand.line.ask("quotes", wire.Quotes(tuple(frame)), None)
    assert [await first, await anext(events), await anext(events)] == frame
    known = await broker.get_order("low")
    assert known is not None
    assert known.status is OrderStatus.FILLED
    await events.aclose()  # type: ignore[attr-defined]
    await broker.disconnect()


async def test_requests_about_orders_are_recorded_in_the_order_they_came_once_asked_for(
    server: tuple[Path, PaperServer], hand: Hand
) -> None:
    broker = await connected(server[0])
    await hand.price("AAPL", D(100))
    await broker.submit_order(order("before", limit="90"))
    assert await hand.recorded() == ()
    await hand.line.ask("record", wire.Nothing(), None)
    await broker.submit_order(order("a", limit="90"))
    await broker.get_order("a")
    await broker.modify_order("a", D(5))
    await broker.cancel_order("a")
    await broker.cancel_orders(("before", "nobody"))
    await broker.cancel_all()
    seen = await hand.recorded()
    assert [(request.op, request.client_order_id) for request in seen] == [
        ("submit", "a"),
        ("modify", "a"),
        ("cancel", "a"),
        ("cancel_together", "before"),
        ("cancel_together", "nobody"),
        ("cancel_all", ""),
    ]
    moments = [request.at for request in seen]
    assert moments == sorted(moments)
    await broker.disconnect()


# A real process.


class Process:
    """`python -m brokers.paper.server` with its files in a folder."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.path = folder / "v.sock"
        self.folder = folder
        self.options = options
        self.start()

    def start(self) -> None:
        command = [sys.executable, "-m", "brokers.paper.server", "--socket", str(self.path)]
        command += ["--book", str(self.folder / "book.db"), "--terms", TERMS, *self.options]
        self.process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)

    async def connect(self, broker: RemotePaper) -> None:
        """Once it listens."""
        async with asyncio.timeout(20):
            while True:
                try:
                    await broker.connect()
                except NotSent:
                    assert self.process.poll() is None, self.process.stderr
                    await asyncio.sleep(0.02)
                else:
                    return

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()

    def stop(self) -> str:
        if self.process.poll() is None:
            self.process.terminate()
        return self.process.communicate(timeout=20)[1]


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Process]:
    made = Process(tmp_path)
    yield made
    made.stop()


async def test_a_venue_that_dies_leaves_the_request_ambiguous_and_comes_back_with_its_book(
    process: Process,
) -> None:
    broker = RemotePaper(process.path, SystemClock())
    await process.connect(broker)
    hand = Hand(process.path)
    await hand.open()
    await hand.price("AAPL", D(100))
    await broker.submit_order(order("a"))
    await broker.submit_order(order("rest", limit="90"))
    await hand.hold("reports", True)
    asking = asyncio.create_task(broker.submit_order(order("b", limit="91")))
    async with asyncio.timeout(10):
        while (await hand.submits()).get("b") is None:
            await asyncio.sleep(0.01)
    process.kill()
    with pytest.raises(Ambiguous, match="broke"):
        await asking
    with pytest.raises(NotSent):
        await broker.submit_order(order("c"))
    reports = broker.reports()
    states = []
    while LinkState.DISCONNECTED not in states:
        report = await asyncio.wait_for(anext(reports), 10)
        if isinstance(report, LinkReport):
            states.append(report.state)
    await hand.close()

    process.start()  # over the socket that the dead process left behind
    await process.connect(broker)
    (position,) = await broker.get_positions()
    assert position.quantity == 10
    working = {known.client_order_id for known in await broker.get_open_orders()}
    assert "rest" in working
    known = await broker.get_order("b")
    assert (known is not None) == ("b" in working)
    with pytest.raises(Rejected, match="used before"):
        await broker.submit_order(order("a"))
    await broker.disconnect()


CLIENT = """
import asyncio, sys
from pathlib import Path
from brokers.paper.remote import RemotePaper
from engine.runtime.clock import SystemClock
from tests.brokers.kit import order

async def main():
    broker = RemotePaper(Path(sys.argv[1]), SystemClock())
    await broker.connect()
    await broker.submit_order(order("a", limit="90"))
    print("sent", flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


def start_client(path: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", CLIENT, str(path)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )


async def test_T06_the_venue_outlives_a_client_that_is_killed(process: Process) -> None:
    broker = RemotePaper(process.path, SystemClock())
    await process.connect(broker)
    hand = Hand(process.path)
    await hand.open()
    await hand.price("AAPL", D(100))
    client = start_client(process.path)
    assert client.stdout is not None
    assert await asyncio.to_thread(client.stdout.readline) == "sent\n"
    os.kill(client.pid, signal.SIGKILL)
    client.communicate()
    (known,) = await broker.get_open_orders()
    assert known.client_order_id == "a"
    await hand.price("AAPL", D(89))
    lab = Lab(broker, hand.price)
    await lab.until("a", OrderStatus.FILLED)
    assert await hand.submits() == {"a": 1}
    await hand.close()
    await broker.disconnect()


async def test_a_second_venue_on_one_socket_is_refused(process: Process) -> None:
    broker = RemotePaper(process.path, SystemClock())
    await process.connect(broker)
    second = Process(process.folder)
    said = await asyncio.to_thread(second.process.communicate)
    assert second.process.returncode == 1
    assert "cannot start" in said[1]
    assert await broker.server_time() > 0
    await broker.disconnect()


async def test_a_simulated_market_in_another_process(tmp_path: Path) -> None:
    process = Process(tmp_path, "--simulated", "AAPL,MSFT", "--bar-seconds", "1")
    broker = RemotePaper(process.path, SystemClock())
    await process.connect(broker)
    market = RemoteMarket(process.path, SystemClock())
    past = await market.history("AAPL", 120)
    assert len(past) == 120
    kinds: set[type] = set()
    events = market.events()
    async with asyncio.timeout(20):
        while kinds != {Quote, Bar, Depth}:
            kinds.add(type(await anext(events)))
    await events.aclose()  # type: ignore[attr-defined]
    await broker.submit_order(order("a", "BUY", "1"))
    lab = Lab(broker, None)  # type: ignore[arg-type]
    report = await lab.until("a", OrderStatus.FILLED)
    assert isinstance(report, OrderReport)
    await broker.disconnect()
    assert process.stop() == ""
    assert process.process.returncode == 0


def test_bad_options_are_refused_in_words(tmp_path: Path) -> None:
    process = Process(tmp_path, "--terms", msgspec.json.encode({"latency_ms": "x"}).decode())
    assert "the paper venue cannot start" in process.process.communicate(timeout=20)[1]
    assert process.process.returncode == 1
