"""`journal events --symbol` lists what happened in a symbol, wherever an event says so (INTERFACE).

The engine finds the symbol of an event in the state (`engine.state.places`), the reader in the
columns of the journal; what one of them finds, the other must.
"""

from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from engine.domain import events as ev
from engine.domain.events import EVENT_TYPES, Event, Record
from engine.domain.schema import Decoder
from engine.state.book import Book
from engine.state.fold import apply
from engine.state.places import place_of, places_of
from storage import open_journal
from storage.reader import Reader
from tests.corpus.examples import NOW, example
from tests.corpus.reading import event_rows, put, rebuild
from tests.storage.test_corpus import CORPUS, RUNS

SYMBOL = "the symbol"
"""What the examples say wherever a symbol stands."""

BY_READER_ALONE = {
    "InstrumentLearned",
    "InstrumentStated",
    "SignalReceived",
    "SignalDecided",
    "SignalEnded",
    "SignalsRefused",
    "IntentEnded",
}
"""About a symbol and at no place: nothing follows from them there."""


class Line(msgspec.Struct):
    """An example as the corpus holds it."""

    type: str
    version: int
    data: msgspec.Raw


def symbols_of(book: Book, event: Event) -> set[str]:
    """Where the engine says that the event happened."""
    if isinstance(event, ev.IntentOpened):
        return {symbol for _, symbol in places_of(event)}
    place = place_of(book, event)
    return set() if place is None else {place[1]}


def in_symbol(event: Event) -> Event:
    """The event, a signal with the symbol that the other examples have."""
    if not isinstance(event, ev.SignalReceived):
        return event
    return replace(event, signal=replace(event.signal, ticker=SYMBOL))


async def listed(journal: Path, symbol: str) -> dict[int, str]:
    """The type of each event that the reader lists, by its number."""
    async with Reader(journal) as reader:
        return {row["seq"]: row["type"] async for row in reader.events(symbol=symbol)}


async def test_of_every_event_type_of_now_both_find_the_same_symbol(tmp_path: Path) -> None:
    book, journal = Book(), open_journal(tmp_path / "journal.db", inline=True)
    known = [
        Record(1, 1, in_symbol(example(ev.SignalReceived, whole=True))),
        Record(2, 2, example(ev.OrderIntended, whole=True)),
    ]
    journal.append(known, [value for record in known for value in apply(book, record)])
    lines = [msgspec.json.decode(line, type=Line) for line in NOW.read_bytes().splitlines()]
    assert {line.type for line in lines} == set(EVENT_TYPES)
    expected, silent = {2: "OrderIntended"}, {1: "SignalReceived"}
    for seq, line in enumerate(lines, 3):
        event = in_symbol(Decoder().decode(line.type, line.version, bytes(line.data)))
        record = Record(seq, seq, event)
        rows = apply(book, record) if isinstance(event, ev.SignalsRefused) else []
        journal.append([record], rows)
        found = SYMBOL in symbols_of(book, event)
        (expected if found else silent)[seq] = line.type
    journal.close()
    seen = await listed(tmp_path / "journal.db", SYMBOL)
    assert {seq: kind for seq, kind in expected.items() if seq not in seen} == {}
    assert {silent[seq] for seq in seen if seq in silent} == BY_READER_ALONE
    assert await listed(tmp_path / "journal.db", "another") == {}


@pytest.mark.parametrize("run", RUNS)
async def test_of_every_event_of_an_old_journal_both_find_the_same_symbol(
    run: str, tmp_path: Path
) -> None:
    journal = tmp_path / "journal.db"
    rows = event_rows(CORPUS / f"{run}.jsonl.gz")
    put(rows, journal)
    rebuild(journal)
    book, decoder, expected = Book(), Decoder("paper"), dict[str, dict[int, str]]()
    for row in rows:
        event = decoder.decode(row.type, 1, row.data.encode())
        before = symbols_of(book, event)
        apply(book, Record(row.seq, row.time, event))
        for symbol in before | symbols_of(book, event):
            expected.setdefault(symbol, {})[row.seq] = row.type
    assert expected
    for symbol, found in expected.items():
        seen = await listed(journal, symbol)
        assert {seq: kind for seq, kind in found.items() if seq not in seen} == {}
        assert {kind for seq, kind in seen.items() if seq not in found} <= BY_READER_ALONE
