"""Nothing of a released version is lost: its events decode, its journals say what they said.

`tests/corpus/VERSION` holds what that version wrote (its README says how); it never changes. What a
program says of it may have more keys than it had, never fewer, and never another value.
"""

import gzip
import sqlite3
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest

from engine.domain.events import EVENT_TYPES
from engine.domain.schema import Decoder, encode
from storage import open_journal
from storage.connection import VERSIONED
from storage.errors import JournalCorrupt
from storage.verify import verify
from tests.corpus.examples import NOW, examples, line_of
from tests.corpus.reading import (
    EventRow,
    beyond_status,
    event_rows,
    expect_what_is_told_now,
    missing,
    put,
    rebuild,
    status,
    tables,
)

CORPUS = Path(__file__).resolve().parent.parent / "corpus" / "0.1.0"
RUNS = ("day", "storm-hostile-22", "storm-crashy-6")

EVENTS_OF_0_1_0 = (
    "EngineStarted", "PhaseChanged", "Paused", "Unpaused", "Restricted", "Unrestricted",
    "OperatorActed", "TriggerFired", "Halted", "CommandRefused", "HaltCleared", "KillProgressed",
    "KillProved", "InstrumentLearned", "AccountSynced", "SessionOpened", "SessionClosed",
    "EquityMarked", "InputRejected", "SignalReceived", "SignalDecided", "SignalEnded",
    "OrderIntended", "OrderRefused", "OrderSent", "OrderAccepted", "OrderRejected", "OrderUnclear",
    "OrderQueried", "OrderFilled", "CancelRequested", "CancelRefused", "OrderCanceled",
    "OrderExpired", "ReplaceRequested", "OrderReplaced", "OrderSettled", "OrderAdopted",
    "DeadLettered", "DeadLetterClosed", "ExitPlanned", "ExitAbandoned", "StopRemoved",
    "PositionClosed", "SnapshotRequested", "Reconciled", "PositionAdjusted", "SymbolBlocked",
    "SymbolUnblocked", "LinkChanged", "Alarmed",
)  # fmt: skip


class Example(msgspec.Struct):
    """An event as the journal of its version writes it."""

    type: str
    data: msgspec.Raw


EXAMPLES = [
    msgspec.json.decode(line, type=Example)
    for line in (CORPUS / "events.jsonl").read_bytes().splitlines()
]
BY_NUMBER = [
    pytest.param(example, id=f"{example.type}-{number}") for number, example in enumerate(EXAMPLES)
]


def test_what_was_added_is_let_be_and_what_is_missing_or_different_is_named() -> None:
    told = {"a": "1", "b": [{"c": "2"}]}
    assert missing({"a": "1", "b": [{"c": "2", "added": "3"}], "added": "4"}, told) == []
    assert missing({"b": [{"c": "2"}]}, told) == [".a is not there"]
    assert missing({"a": "1", "b": [{"c": "3"}]}, told) == [".b[0].c is '3', not '2'"]
    assert missing({"a": "1", "b": []}, told) == [".b is [], not [{'c': '2'}]"]


# --- events ---------------------------------------------------------------------------------------


def test_every_event_type_of_0_1_0_has_an_example_with_all_fields_and_one_with_none() -> None:
    counts = Counter(example.type for example in EXAMPLES)
    assert len(EVENTS_OF_0_1_0) == 51
    assert set(counts) == set(EVENTS_OF_0_1_0)
    assert min(counts.values()) == 2


@pytest.mark.parametrize("example", BY_NUMBER)
def test_U70_an_event_of_0_1_0_decodes_and_keeps_its_texts_and_numbers(example: Example) -> None:
    event = Decoder("paper").decode(example.type, 1, bytes(example.data))
    data = msgspec.json.decode(example.data)
    if has_lived(data):
        return
    assert not Counter(leaves(data)) - Counter(leaves(msgspec.to_builtins(event)))


def has_lived(data: dict[str, Any]) -> bool:
    """Whether it holds an order with a life at the venue: more than was decided, and not asked."""
    return "order" in data and data["order"]["filled"] != "0"


def leaves(value: Any) -> Iterator[str]:
    """The texts and decimals in a value that no other value would be taken for."""
    if isinstance(value, dict):
        for part in value.values():
            yield from leaves(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from leaves(part)
    elif isinstance(value, str) and (len(value) > 8 or "." in value):
        yield value


def test_U70_an_event_that_cannot_be_brought_up_is_told_before_the_journal_is_migrated(
    tmp_path: Path,
) -> None:
    """The older program can still open it: nothing else is lost."""
    journal = tmp_path / "journal.db"
    rows = event_rows(CORPUS / "day.jsonl.gz")
    broken = [
        msgspec.structs.replace(row, data="{}") if row.type == "OrderIntended" else row
        for row in rows
    ]
    put(broken, journal)
    before = version_of(journal)
    with pytest.raises(JournalCorrupt, match="the journal is left as it was"):
        open_journal(journal, inline=True)
    assert version_of(journal) == before < VERSIONED
    assert sorted(path.name for path in tmp_path.iterdir() if "ballast" in path.name) == []


def version_of(journal: Path) -> int:
    """The version of a journal's schema."""
    connection = sqlite3.connect(journal)
    try:
        found: int = connection.execute("PRAGMA user_version").fetchone()[0]
    finally:
        connection.close()
    return found


# --- events of now --------------------------------------------------------------------------------


class Versioned(msgspec.Struct):
    """An event as a line of the corpus holds it."""

    type: str
    version: int
    data: msgspec.Raw


OF_NOW = [msgspec.json.decode(line, type=Versioned) for line in NOW.read_bytes().splitlines()]


def test_every_event_type_of_now_has_an_example_with_all_fields_and_one_with_none() -> None:
    assert {one.type for one in OF_NOW} == set(EVENT_TYPES)
    assert min(Counter(one.type for one in OF_NOW).values()) == 2


def test_what_is_written_now_is_what_the_corpus_holds() -> None:
    """A field that is added, renamed or left out shows here before a journal shows it."""
    assert [line_of(event) for event in examples()] == NOW.read_bytes().splitlines(), (
        "an event is written otherwise: once its version is released it needs a new version and an "
        "upcast; before that `python -m tests.corpus.examples` writes the corpus anew"
    )


@pytest.mark.parametrize(
    "example", [pytest.param(one, id=f"{one.type}-{n}") for n, one in enumerate(OF_NOW)]
)
def test_U70_an_event_of_now_decodes_and_is_written_the_same_again(example: Versioned) -> None:
    event = Decoder("paper").decode(example.type, example.version, bytes(example.data))
    assert encode(event) == bytes(example.data)


# --- runs -----------------------------------------------------------------------------------------


def expected_of(run: str) -> dict[str, Any]:
    """What 0.1.0 said of a run."""
    packed = (CORPUS / f"{run}.expected.json.gz").read_bytes()
    found: dict[str, Any] = msgspec.json.decode(gzip.decompress(packed))
    return found


def moments() -> list[Any]:
    """Every moment of every run of which 0.1.0 said what was true."""
    return [
        pytest.param(run, moment, id=f"{run}, {moment['name']}")
        for run in RUNS
        for moment in expected_of(run)["moments"]
    ]


@pytest.fixture(params=RUNS)
def run(request: pytest.FixtureRequest) -> str:
    """The name of a run."""
    name: str = request.param
    return name


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state folder on a machine that configures nothing."""
    monkeypatch.setenv("MERIDIAN_LOCK_DIR", str(tmp_path / "locks"))
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    return state


def opened(folder: Path, rows: list[EventRow]) -> Path:
    """A journal of these rows, opened and closed once by the program of today."""
    journal = folder / "journal.db"
    put(rows, journal)
    open_journal(journal, inline=True).close()
    return journal


def test_the_runs_emit_every_event_type_of_0_1_0() -> None:
    emitted = {row.type for name in RUNS for row in event_rows(CORPUS / f"{name}.jsonl.gz")}
    assert emitted == set(EVENTS_OF_0_1_0)


def test_U70_the_chain_of_0_1_0_holds(run: str, folder: Path) -> None:
    rows = event_rows(CORPUS / f"{run}.jsonl.gz")
    found = verify(opened(folder, rows))
    assert found.ok, found.problem
    assert found.events == len(rows)
    assert found.digest == expected_of(run)["head"] == rows[-1].hash


def test_U70_the_tables_made_again_say_what_0_1_0_wrote(run: str, folder: Path) -> None:
    expected = expected_of(run)
    journal = opened(folder, event_rows(CORPUS / f"{run}.jsonl.gz"))
    rebuild(journal)
    lists = {name: rows for name, rows in expected.items() if name not in ("head", "moments")}
    assert len(lists) == 8
    for letter in [*lists["dead_letters"], *lists["open_dead_letters"]]:
        letter["order"] = terms_alone(letter["order"])
    assert missing(tables(journal), lists) == []
    assert verify(journal, tables=True).ok


BECAME: Final = (
    "status venue_order_id filled notional commission reject_code created_at updated_at sent_at "
    "accepted_at unclear_at queries cancel_wanted pending_quantity pending_stop"
)
"""What had become of an order; 0.1.0 kept it in a letter with the terms of the decision."""


def terms_alone(order: dict[str, Any]) -> dict[str, Any]:
    """What was decided, which is all that a letter holds now; `broker` is called `account`."""
    terms = {name: value for name, value in order.items() if name not in BECAME.split()}
    return terms | {"account": terms.pop("broker")}


@pytest.mark.parametrize(("run", "moment"), moments())
def test_U70_the_fold_up_to_a_moment_knows_what_0_1_0_knew(
    run: str, moment: dict[str, Any], folder: Path
) -> None:
    journal = opened(folder, event_rows(CORPUS / f"{run}.jsonl.gz")[: moment["seq"]])
    _without_unasked_targets(moment)
    expect_what_is_told_now(moment["status"])
    assert missing(by_name(status(folder)), by_name(moment["status"]), "status") == []
    assert missing(beyond_status(journal), moment["beyond_status"], "state") == []


def test_C423_the_failures_of_a_run_are_its_orders_that_did_not_get_through(
    run: str, folder: Path
) -> None:
    """Counted here by order, from the rows themselves: handed over, and not heard of after that."""
    rows = event_rows(CORPUS / f"{run}.jsonl.gz")
    sent: set[str] = set()
    unclear: set[str] = set()
    failed = 0
    for row in rows:
        data = msgspec.json.decode(row.data)
        key = data.get("client_order_id", "")
        if row.type == "OrderSent":
            sent.add(key)
        elif row.type == "OrderUnclear":
            unclear.add(key)
            failed += 1
        elif row.type == "OrderRejected" and data["code"] == "NOT_SENT":
            failed += key in sent and key not in unclear
    opened(folder, rows)
    assert status(folder)["resiliency"]["total_failures"] == failed


def _without_unasked_targets(moment: dict[str, Any]) -> None:
    """0.1.0 worked out a target for what an operator had opened too; nobody had asked for it
    (X-80)."""
    known = moment["beyond_status"]["positions"]
    for position in moment["status"]["positions"]:
        if not known[position["symbol"]]["signal_id"]:
            position["target"] = None


def by_name(status: dict[str, Any]) -> dict[str, Any]:
    """The limits as a mapping: a later version may know more of them.

    0.1.0 counted every symbol into one sector where no engine ran; that figure is left out. So is
    when a venue was heard last: it took a look that had failed for a word of the venue's (X-84).
    """
    limits = {limit["name"]: limit for limit in status["limits"]}
    del limits["max_sector_exposure"]
    brokers = {name: broker | {"last_seen": None} for name, broker in status["brokers"].items()}
    return status | {"limits": limits, "brokers": brokers}


# --- the expectation itself -----------------------------------------------------------------------


def test_the_cash_of_0_1_0_is_what_its_fills_cost(run: str) -> None:
    """So that what the runs are compared with is right, and not only what 0.1.0 said."""
    expected = expected_of(run)
    rows = [
        (row.type, msgspec.json.decode(row.data)) for row in event_rows(CORPUS / f"{run}.jsonl.gz")
    ]
    synced = [data for kind, data in rows if kind == "AccountSynced"]
    cash = Decimal(synced[0]["account"]["cash"]) + sum(Decimal(data["flow"]) for data in synced)
    multipliers = {
        data["instrument"]["symbol"]: Decimal(data["instrument"]["multiplier"])
        for kind, data in rows
        if kind == "InstrumentLearned"
    }
    held: Counter[str] = Counter()
    for kind, data in rows:
        if kind == "PositionAdjusted":
            held[data["symbol"]] = int(Decimal(data["quantity"]))
        if kind != "OrderFilled":
            continue
        fill = data["fill"]
        signed = Decimal(fill["quantity"]) * (1 if fill["side"] == "BUY" else -1)
        cash -= signed * Decimal(fill["price"]) * multipliers[fill["symbol"]]
        cash -= Decimal(fill["commission"])
        held[fill["symbol"]] += int(signed)
    last = expected["moments"][-1]["status"]
    assert Decimal(last["account"]["cash"]) == cash
    assert {p["symbol"]: int(p["quantity"]) for p in last["positions"]} == {
        symbol: quantity for symbol, quantity in held.items() if quantity
    }
    assert len(expected["fills"]) == sum(kind == "OrderFilled" for kind, _ in rows)
