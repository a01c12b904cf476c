"""Keys that act at once count only when they were typed alone; the run of a key says so."""

import asyncio

import pytest
from textual import events
from textual.keys import _character_to_key
from textual.pilot import Pilot

from console.terminal.input import RUN_SECONDS, Runs, TerminalKey
from console.ui.app import MeridianApp
from console.ui.keyboard import ALONE_SECONDS
from tests.console.hosts import Host, asked, console, drawn, morning, press


async def send(app: MeridianApp, pilot: Pilot[str], *runs: str) -> None:
    """Each text as one run of keys, as the thread that reads the terminal marks them."""
    for number, text in enumerate(runs, 1):
        for place, character in enumerate(text):
            name = "enter" if character == "\r" else _character_to_key(character)
            typed = events.Key(name, character)
            app.post_message(TerminalKey(typed, number, follows=place > 0))
    async with asyncio.timeout(30):
        while True:
            await drawn(app, pilot)
            if app.keyboard.idle:
                return


@pytest.mark.parametrize("key", ["x", "p"])
async def test_a_key_alone_acts(key: str) -> None:
    async with Host() as host:
        await morning(host)
        async with console(host) as (app, pilot):
            await press(app, pilot, "2", "home")
            before = asked(host)
            await send(app, pilot, key)
            assert asked(host) != before


@pytest.mark.parametrize("text", ["xom", "2x", "p.", "3c1C"])
async def test_a_text_is_no_command(text: str) -> None:
    async with Host() as host:
        await morning(host)
        async with console(host) as (app, pilot):
            await press(app, pilot, "2", "home")
            before = asked(host)
            await send(app, pilot, text)
            assert asked(host) == before


async def test_keys_one_by_one_act_each() -> None:
    async with Host() as host:
        await morning(host)
        async with console(host) as (app, pilot):
            await press(app, pilot, "6")
            before = asked(host)
            await send(app, pilot, "2", "x")
            assert asked(host) != before


@pytest.mark.parametrize(
    ("opened", "rest"), [("F", "FLATTEN\r"), ("m", "1\r"), ("h", "RESUME\r"), ("b", "1\r\r")]
)
async def test_enter_of_a_text_answers_nothing_that_the_text_opened(opened: str, rest: str) -> None:
    async with Host() as host:
        await morning(host)
        async with console(host) as (app, pilot):
            await press(app, pilot, "2", "home")
            before = asked(host)
            await send(app, pilot, opened + rest)
            assert asked(host) == before
            assert not host.engine.book.data.halt


async def test_a_phrase_typed_at_once_counts_where_the_question_was_there_before() -> None:
    async with Host() as host:
        await morning(host)
        async with console(host) as (app, pilot):
            await press(app, pilot, "F")
            await send(app, pilot, "FLATTEN\r")
            assert host.engine.book.data.halt


class Clock:
    """A clock that is set by hand."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def key(character: str = "x") -> events.Key:
    return events.Key(character, character)


@pytest.mark.parametrize(
    ("gap", "together"), [(0.0, True), (RUN_SECONDS - 0.001, True), (RUN_SECONDS + 0.001, False)]
)
def test_the_gap_between_two_reads_says_whether_their_keys_are_of_one_run(
    gap: float, together: bool
) -> None:
    clock = Clock()
    runs = Runs(clock)
    runs.next_read()
    first = runs.mark(key())
    clock.now += gap
    runs.next_read()
    second = runs.mark(key())
    assert isinstance(first, TerminalKey)
    assert isinstance(second, TerminalKey)
    assert not first.follows
    assert second.follows is together
    assert (first.run == second.run) is together


def test_a_key_behind_a_paste_in_one_read_follows_it() -> None:
    runs = Runs(Clock())
    runs.next_read()
    runs.mark(events.Paste("xom"))
    behind = runs.mark(key())
    assert isinstance(behind, TerminalKey)
    assert behind.follows


def test_what_is_left_of_a_paste_that_was_given_up_follows_it() -> None:
    runs = Runs(Clock())
    runs.next_read()
    left = runs.mark(key(), pasted=True)
    assert isinstance(left, TerminalKey)
    assert left.follows


def test_a_key_that_must_be_alone_waits_for_longer_than_a_run() -> None:
    assert ALONE_SECONDS > RUN_SECONDS
