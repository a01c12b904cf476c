"""The events of a journal up to a moment: by seq, read-only, whoever writes beside it."""

from pathlib import Path

import pytest

from engine.domain import events as ev
from engine.domain.instant import Nanos
from storage import open_journal
from storage.history import load_until

TIMES: tuple[Nanos, ...] = (100, 200, 200, 150, 300)
"""Of the events 1 to 5: a clock may be set back between two of them."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A journal with an event at each of `TIMES`."""
    path = tmp_path / "journal.db"
    journal = open_journal(path, inline=True)
    journal.append(
        [
            ev.Record(seq, at, ev.Paused(by="test", reason=str(seq)))
            for seq, at in enumerate(TIMES, 1)
        ]
    )
    journal.close()
    return path


@pytest.mark.parametrize(
    ("until", "seqs", "last", "newest"),
    [
        (99, [], None, False),
        (100, [1], 100, False),
        (149, [1], 100, False),
        (150, [1, 2, 3, 4], 150, False),
        (199, [1, 2, 3, 4], 150, False),
        (200, [1, 2, 3, 4], 150, False),
        (299, [1, 2, 3, 4], 150, False),
        (300, [1, 2, 3, 4, 5], 300, True),
        (301, [1, 2, 3, 4, 5], 300, True),
    ],
)
def test_up_to_the_last_event_by_seq_whose_time_had_come(
    path: Path, until: Nanos, seqs: list[int], last: Nanos | None, newest: bool
) -> None:
    found = load_until(path, until)
    assert [record.seq for record in found.records] == seqs
    assert (found.first, found.last, found.newest) == (100, last, newest)


def test_a_journal_that_is_not_there_is_empty_and_is_not_made(tmp_path: Path) -> None:
    found = load_until(tmp_path / "journal.db", 1)
    assert (list(found.records), found.first, found.last) == ([], None, None)
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_written(path: Path) -> None:
    before = {p.name: (p.stat().st_size, p.stat().st_mtime_ns) for p in path.parent.iterdir()}
    list(load_until(path, 300).records)
    after = {p.name: (p.stat().st_size, p.stat().st_mtime_ns) for p in path.parent.iterdir()}
    assert {k: v for k, v in after.items() if k in before} == before


def test_what_is_written_meanwhile_is_left_out(path: Path) -> None:
    found = load_until(path, 10_000)
    journal = open_journal(path, inline=True)
    journal.append([ev.Record(6, 400, ev.Unpaused(by="test"))])
    assert [record.seq for record in found.records] == [1, 2, 3, 4, 5]
    journal.close()
