"""Seeded runs at every venue's local server: nothing twice, nothing lost, all adds up (C-291).

`make venue-seeds` runs as many as one likes; here are a few of each venue, and that a rule which is
taken out is noticed.
"""

import asyncio
import contextlib
import gc
import json
import logging
import time
import warnings
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Future
from pathlib import Path

import pytest
from aiohttp import ClientSession, ClientTimeout, web

from tests.venues.seeded import seeds
from tests.venues.seeded.ablations import ABLATIONS, SeededAblation
from tests.venues.seeded.loop import CountedPool, SkippingLoop, Stuck
from tests.venues.seeded.places import PLACES
from tests.venues.seeded.run import run
from tests.venues.serve import VENUES

FEW = 3
"""Seeds of each venue."""
SEEDS = 15
"""Of these one must notice a rule that is missing."""


@pytest.fixture
def _quiet(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What servers and libraries say of broken connections is no warning of ours; neither is one
    that httpcore removed from its pool and did not close, since its request was cancelled then: it
    is collected here, and not in some later test."""
    monkeypatch.setattr(logging.root.manager, "disable", logging.CRITICAL)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
        gc.collect()


# --- the runs


def test_every_venue_with_a_server_is_run() -> None:
    assert PLACES.keys() == VENUES.keys()


@pytest.mark.slow
@pytest.mark.usefixtures("_quiet")
@pytest.mark.parametrize("seed", range(FEW))
@pytest.mark.parametrize("venue", PLACES)
def test_nothing_is_twice_or_lost_and_all_adds_up(venue: str, seed: int) -> None:
    outcome = run(venue, seed)
    assert outcome.broken == [], "\n".join(outcome.trace[-200:])


@pytest.mark.parametrize("row", ABLATIONS, ids=lambda row: f"{row.name}-{row.venue}")
def test_what_a_row_takes_out_is_there(
    row: SeededAblation, monkeypatch: pytest.MonkeyPatch
) -> None:
    row.patch(monkeypatch)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # a broken engine leaves tasks and futures behind
@pytest.mark.usefixtures("_quiet")
@pytest.mark.parametrize("row", ABLATIONS, ids=lambda row: f"{row.name}-{row.venue}")
def test_the_seeds_catch_a_missing_rule(
    row: SeededAblation, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(row.venue, row.seed).broken == []
    row.patch(monkeypatch)
    for seed in dict.fromkeys((row.seed, *range(SEEDS))):
        broken = run(row.venue, seed).broken
        if any(text.partition(":")[0] in row.caught_by for text in broken):
            return
    pytest.fail(f"no seed at {row.venue} misses the rule", pytrace=False)


@pytest.mark.slow
@pytest.mark.usefixtures("_quiet")
def test_ranges_go_on_from_where_they_stopped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = tmp_path / "state.json"
    asked = ["--state", str(state), "--jobs", "1", "ibkr"]
    assert seeds.main(["--to", "1", *asked]) == 0
    assert json.loads(state.read_text()) == {"ibkr": 1}
    assert seeds.main(["--to", "1", *asked]) == 0
    assert "ibkr: 0 seeds" in capsys.readouterr().out


# --- the loop


def skipped(main: Callable[[SkippingLoop], Awaitable[None]], limit: float = 1e6) -> float:
    """Run this in skipped time; how many real seconds it took."""
    loop, began = SkippingLoop(limit), time.monotonic()
    asyncio.set_event_loop(loop)
    try:
        loop.run_until_complete(main(loop))
        loop.run_until_complete(loop.shutdown_default_executor())
    finally:
        asyncio.set_event_loop(None)
        loop.close()
    return time.monotonic() - began


def test_what_nobody_waits_for_is_skipped() -> None:
    async def main(loop: SkippingLoop) -> None:
        await asyncio.sleep(86_400)
        assert loop.time() == 86_400

    assert skipped(main) < 60


def test_answers_over_a_socket_come_before_time_passes() -> None:
    """An answer that takes a second is there after a second, and one that takes longer than it is
    waited for is not."""

    async def answer(request: web.Request) -> web.Response:
        await asyncio.sleep(float(request.query["seconds"]))
        return web.Response(text="here")

    async def main(loop: SkippingLoop) -> None:
        app = web.Application()
        app.router.add_get("/", answer)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
        url = f"http://127.0.0.1:{port}/?seconds="
        async with ClientSession(timeout=ClientTimeout(total=3)) as client:
            for n in range(1, 11):
                async with client.get(f"{url}1") as told:
                    assert await told.text() == "here"
                assert loop.time() == pytest.approx(n, abs=0.01)
            with pytest.raises(TimeoutError):
                await client.get(f"{url}4")
        await runner.cleanup()

    skipped(main)


def test_a_thread_that_works_is_waited_for() -> None:
    async def main(loop: SkippingLoop) -> None:
        with CountedPool(1) as pool:
            works = asyncio.wrap_future(pool.submit(time.sleep, 0.05))
            sleeps = asyncio.ensure_future(asyncio.sleep(3600))
            done, _ = await asyncio.wait({works, sleeps}, return_when=asyncio.FIRST_COMPLETED)
            assert done == {works}
            assert loop.time() < 1
        await asyncio.to_thread(time.sleep, 0.05)
        assert loop.time() < 1
        await sleeps

    skipped(main)


def test_who_waits_for_a_thread_hears_of_its_end_before_time_passes() -> None:
    """However slowly the thread tells one after the other."""

    def slow(job: Future[None]) -> None:
        time.sleep(0.05)

    async def main(loop: SkippingLoop) -> None:
        with CountedPool(1) as pool:
            job = pool.submit(time.sleep, 0.05)
            job.add_done_callback(slow)
            works = asyncio.wrap_future(job)
            sleeps = asyncio.ensure_future(asyncio.sleep(3600))
            done, _ = await asyncio.wait({works, sleeps}, return_when=asyncio.FIRST_COMPLETED)
            assert done == {works}
        await sleeps

    skipped(main)


def test_a_thread_that_is_done_at_once_is_not_waited_for_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """However soon it is done: also before its pool has given the job back."""
    added = Future.add_done_callback

    def late(job: "Future[None]", call: Callable[[Future[None]], None]) -> None:
        with contextlib.suppress(TimeoutError):
            job.exception(timeout=0.05)
        added(job, call)

    monkeypatch.setattr(Future, "add_done_callback", late)

    async def main(loop: SkippingLoop) -> None:
        with CountedPool(1) as pool:
            await asyncio.wrap_future(pool.submit(time.sleep, 0))
            assert loop.working == 0
            await asyncio.sleep(3600)

    skipped(main)


def test_a_run_ends_with_its_time() -> None:
    async def main(loop: SkippingLoop) -> None:
        await asyncio.sleep(11)

    with pytest.raises(Stuck, match="10 seconds"):
        skipped(main, limit=10)
