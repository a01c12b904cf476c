"""What a command prints is folded between words where its terminal is narrower (U-72)."""

import fcntl
import os
import struct
import termios
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import pytest

from console.host.speech import Voice, folded

COLUMNS = 40
SENTENCE = "the venue does not say what the key may do: look at its own page"


def written_to(stream: TextIO, *lines: str, hang: int = 0) -> None:
    voice = Voice(lambda: stream)
    for line in lines:
        voice.write_folded(line + "\n", hang)


@pytest.fixture
def terminal() -> Iterator[tuple[int, TextIO]]:
    """The end at which a person reads, and the stream that a command writes to."""
    reader, writer = os.openpty()
    fcntl.ioctl(writer, termios.TIOCSWINSZ, struct.pack("HHHH", 24, COLUMNS, 0, 0))
    with os.fdopen(writer, "w") as stream:
        yield reader, stream
    os.close(reader)


def test_U72_a_sentence_is_folded_between_words_on_a_narrower_terminal(
    terminal: tuple[int, TextIO],
) -> None:
    reader, stream = terminal
    written_to(stream, SENTENCE)
    assert os.read(reader, 1000).decode().split("\r\n") == [
        "the venue does not say what the key may",
        "do: look at its own page",
        "",
    ]


def test_U72_a_file_gets_the_whole_line(tmp_path: Path) -> None:
    with (tmp_path / "out").open("w") as stream:
        written_to(stream, SENTENCE, hang=6)
    assert (tmp_path / "out").read_text() == SENTENCE + "\n"


@pytest.mark.parametrize(
    ("line", "columns", "hang", "pieces"),
    [
        ("one two", 6, 0, ["one", "two"]),  # a column too few
        ("one two", 7, 0, ["one two"]),  # as many as it has
        ("one two", 8, 0, ["one two"]),
        ("one two", None, 0, ["one two"]),
        ("one two\n", 7, 0, ["one two\n"]),
        ("ok    link  it stands", 18, 6, ["ok    link  it", "      stands"]),
        ("  12. log in there now", 18, 0, ["  12. log in there", "      now"]),
        ("  a holding of it", 12, 0, ["  a holding", "  of it"]),
        ("one two", 6, 4, ["one", "two"]),  # there is no room for so much space
        ("see /a/long/path/of/it", 10, 0, ["see", "/a/long/path/of/it"]),
        ("one two [y/N] ", 10, 0, ["one two", "[y/N] "]),  # what is typed stands apart
    ],
)
def test_U72_where_a_line_is_folded(
    line: str, columns: int | None, hang: int, pieces: list[str]
) -> None:
    assert folded(line, columns, hang) == pieces
