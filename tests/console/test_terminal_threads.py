"""The writing and the reading thread on pipes: what is dropped, what is kept, what ends them."""

import os
import select
import threading
from collections.abc import Iterator

import pytest
from textual import events
from textual.message import Message

from console.terminal.input import PASTE_CHUNK, PASTE_SECONDS, PasteWatch, TerminalInput
from console.terminal.writer import (
    CONTROL_BYTES_LIMIT,
    FRAMES_WAITING_LIMIT,
    TerminalWriter,
)

PATIENCE = 30.0
FRAME = "x" * 200_000


class Pipe:
    """A writer whose reader reads only when asked."""

    def __init__(self) -> None:
        self.read_end, self.write_end = os.pipe()
        self.lost, self.drained = threading.Event(), threading.Event()
        self.writer = TerminalWriter(
            self.write_end, on_lost=self.lost.set, on_drained=self.drained.set
        )

    def read(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            assert select.select([self.read_end], [], [], PATIENCE)[0], f"only {len(data)} came"
            data += os.read(self.read_end, count - len(data))
        return data

    def stuck(self) -> None:
        """Fill pipe and queue with frames until one is dropped."""
        self.writer.start()
        for _ in range(FRAMES_WAITING_LIMIT):
            assert self.writer.write_frame(FRAME)
        assert not self.writer.write_frame(FRAME)


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    made = Pipe()
    yield made
    if made.read_end >= 0:
        os.close(made.read_end)
    made.writer.stop(PATIENCE)
    os.close(made.write_end)


def test_frames_beyond_the_limit_are_dropped_whole_and_controls_are_kept(pipe: Pipe) -> None:
    pipe.stuck()
    assert pipe.writer.behind
    assert pipe.writer.write_control("\x1b[?25h")
    expected = FRAME * FRAMES_WAITING_LIMIT + "\x1b[?25h"
    assert pipe.read(len(expected)).decode() == expected
    assert pipe.drained.wait(PATIENCE)
    stats = pipe.writer.stats()
    assert (stats.frames_written, stats.frames_dropped) == (FRAMES_WAITING_LIMIT, 1)
    assert (stats.bytes_written, stats.waiting, stats.lag_seconds) == (len(expected), 0, 0.0)
    assert not pipe.writer.behind


def test_without_a_dropped_frame_nothing_is_reported_as_recovered(pipe: Pipe) -> None:
    pipe.writer.start()
    pipe.writer.write_frame("abc")
    assert pipe.read(3) == b"abc"
    assert pipe.writer.stop(PATIENCE)
    assert not pipe.drained.is_set()


def test_a_frame_that_was_not_made_counts_as_dropped_even_if_the_queue_ran_empty_meanwhile(
    pipe: Pipe,
) -> None:
    pipe.writer.start()
    pipe.writer.skip_frame()
    assert pipe.drained.wait(PATIENCE)
    assert pipe.writer.stats().frames_dropped == 1


def test_controls_are_kept_up_to_a_limit(pipe: Pipe) -> None:
    pipe.stuck()
    assert pipe.writer.write_control("c" * CONTROL_BYTES_LIMIT)
    assert not pipe.writer.write_control("c")
    assert pipe.writer.stats().controls_dropped == 1


def test_a_terminal_that_is_gone_is_reported_and_refuses_at_once(pipe: Pipe) -> None:
    pipe.writer.start()
    os.close(pipe.read_end)
    pipe.read_end = -1
    pipe.writer.write_frame("x")
    assert pipe.lost.wait(PATIENCE)
    pipe.writer.join(PATIENCE)
    assert pipe.writer.lost
    assert not pipe.writer.write_frame("x")
    assert not pipe.writer.write_control("x")
    assert pipe.writer.stop(0.0)


def test_stopping_drops_waiting_frames_and_sends_waiting_controls(pipe: Pipe) -> None:
    pipe.stuck()
    pipe.writer.write_control("bye")
    assert pipe.read(1) == b"x"
    assert not pipe.writer.stop(0.0)
    expected = FRAME[1:] + "bye"
    assert pipe.read(len(expected)).decode() == expected
    pipe.writer.join(PATIENCE)
    assert not pipe.writer.is_alive()


def test_a_terminal_left_in_non_blocking_mode_loses_nothing(pipe: Pipe) -> None:
    os.set_blocking(pipe.write_end, False)
    pipe.writer.start()
    assert pipe.writer.write_frame(FRAME)
    assert pipe.read(len(FRAME)).decode() == FRAME


def test_a_lone_surrogate_is_written_as_a_question_mark(pipe: Pipe) -> None:
    pipe.writer.start()
    pipe.writer.write_frame("a\ud800b")
    assert pipe.read(3) == b"a?b"


class HandClock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


START, END = "\x1b[200~", "\x1b[201~"


@pytest.mark.parametrize("seconds", [PASTE_SECONDS - 0.01, PASTE_SECONDS])
def test_a_paste_is_not_given_up_up_to_its_time(seconds: float) -> None:
    clock = HandClock()
    watch = PasteWatch(clock)
    watch.feed(START + "abc")
    clock.now = seconds
    assert not watch.expired()


def test_a_paste_without_an_end_is_given_up_above_its_time() -> None:
    clock = HandClock()
    watch = PasteWatch(clock)
    watch.feed(START + "abc")
    clock.now = PASTE_SECONDS + 0.01
    assert watch.expired()
    watch.reset()
    assert not watch.is_open


@pytest.mark.parametrize(("length", "extends"), [(PASTE_CHUNK, False), (PASTE_CHUNK + 1, True)])
def test_more_of_a_paste_extends_it_and_typing_does_not(length: int, extends: bool) -> None:
    clock = HandClock()
    watch = PasteWatch(clock)
    watch.feed(START)
    clock.now = PASTE_SECONDS
    watch.feed("k" * length)
    clock.now = PASTE_SECONDS + 0.5
    assert watch.expired() is not extends


@pytest.mark.parametrize("cut", range(1, len(START)))
def test_a_start_or_an_end_cut_in_two_reads_is_seen(cut: int) -> None:
    watch = PasteWatch()
    watch.feed("x" + START[:cut])
    watch.feed(START[cut:] + "y")
    assert watch.is_open
    watch.feed("z" + END[:cut])
    assert watch.is_open
    watch.feed(END[cut:])
    assert not watch.is_open


def reader() -> tuple[TerminalInput, list[Message], list[float]]:
    got: list[Message] = []
    waits: list[float] = []
    made = TerminalInput(
        0, deliver=got.append, on_end=lambda: None, catch_up=waits.append, clock=HandClock()
    )
    return made, got, waits


def keys(messages: list[Message]) -> list[str]:
    return [m.key for m in messages if isinstance(m, events.Key)]


def test_a_sequence_the_parser_cannot_read_costs_only_itself() -> None:
    made, got, _ = reader()
    made.take(b"\x1b[99999999999;1u")
    made.take(b"q")
    assert made.errors == 1
    assert keys(got)[-1] == "q"


@pytest.mark.parametrize("data", [b"\xff", b"\x80", b"\xc3\x28", b"\xed\xa0\x80"])
def test_bytes_that_are_no_utf8_are_replaced(data: bytes) -> None:
    made, got, _ = reader()
    made.take(data)
    made.take(b"q")
    assert keys(got)[-1] == "q"
    assert made.errors == 0


def test_a_character_in_two_reads_is_one() -> None:
    made, got, _ = reader()
    for byte in "é".encode():
        made.take(bytes([byte]))
    assert [m.character for m in got if isinstance(m, events.Key)] == ["é"]


@pytest.mark.parametrize(("count", "waited"), [(64, 0), (65, 1)])
def test_a_flood_of_input_waits_for_the_loop(count: int, waited: int) -> None:
    made, _, waits = reader()
    made.take(b"k" * count)
    assert len(waits) == waited


def test_the_end_of_the_input_is_reported_once() -> None:
    read_end, write_end = os.pipe()
    ended: list[None] = []
    made = TerminalInput(
        read_end,
        deliver=lambda _m: None,
        on_end=lambda: ended.append(None),
        catch_up=lambda _s: None,
    )
    made.start()
    os.close(write_end)
    made.join(PATIENCE)
    assert ended == [None]
    assert made.stop(0.0)
    os.close(read_end)


def test_stopping_wakes_a_reader_that_waits() -> None:
    read_end, write_end = os.pipe()
    made = TerminalInput(
        read_end, deliver=lambda _m: None, on_end=lambda: None, catch_up=lambda _s: None
    )
    made.start()
    assert made.stop(PATIENCE)
    os.close(read_end)
    os.close(write_end)
