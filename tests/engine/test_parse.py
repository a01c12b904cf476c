"""Reading signals: what is taken, and one sentence for all that is not (INTERFACE `signal`)."""

import json
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.domain.inputs import InvalidArrived
from engine.domain.instant import parse_rfc3339
from engine.domain.signal import Direction, Signal, Timeframe
from engine.domain.text import UNSAFE
from engine.intake.parse import MAX_LINE, SignalType, parse_line, parse_signal

GOOD: dict[str, Any] = {
    "signal_id": "s-1",
    "signal_type": "cloud_cross_bullish",
    "direction": "long",
    "ticker": "SPY",
    "timeframe": "5m",
    "conviction": 60,
    "entry_price": "167.40",
    "stop_loss": "166.90",
    "target_price": None,
    "timestamp": "2013-10-07T14:00:00Z",
    "source": "ema_cloud",
    "cloud_states": [],
    "metadata": {},
}


def taken(**changes: Any) -> Signal:
    read = parse_line(json.dumps(GOOD | changes), source="test", number=1)
    assert isinstance(read, Signal), read
    return read


def refused(line: str | bytes) -> str:
    read = parse_line(line, source="test", number=7)
    assert isinstance(read, InvalidArrived), read
    assert (read.source, read.line) == ("test", 7)
    assert read.reason.endswith(".")
    assert not UNSAFE.search(read.reason + read.input_id)
    return read.reason


def without(key: str) -> str:
    return json.dumps({k: v for k, v in GOOD.items() if k != key})


def with_raw(key: str, raw: str) -> str:
    """The good line with the JSON of one value written by hand."""
    return json.dumps(GOOD | {key: "@@"}).replace('"@@"', raw)


def test_the_shape_of_the_contract() -> None:
    read = taken()
    assert read == Signal(
        signal_id="s-1",
        signal_type="cloud_cross_bullish",
        direction=Direction.LONG,
        ticker="SPY",
        timeframe=Timeframe.M5,
        conviction=60,
        entry_price=Decimal("167.40"),
        stop_loss=Decimal("166.90"),
        timestamp=parse_rfc3339("2013-10-07T14:00:00Z"),
        source="ema_cloud",
    )


@pytest.mark.parametrize("raw", ['"167.40"', "167.40", "167.4", "1674e-1"])
def test_a_price_is_text_or_a_number_and_exact(raw: str) -> None:
    """U-01: no float in between."""
    read = parse_line(with_raw("entry_price", raw), source="test")
    assert isinstance(read, Signal)
    assert read.entry_price == Decimal("167.4")


@pytest.mark.parametrize("kind", list(SignalType))
def test_known_types(kind: SignalType) -> None:
    assert taken(signal_type=kind.value).signal_type == kind


def test_another_type_is_carried_along() -> None:
    assert taken(signal_type="my own").signal_type == "my own"


@pytest.mark.parametrize("key", ["source", "cloud_states", "metadata", "target_price"])
def test_what_may_be_left_out(key: str) -> None:
    assert isinstance(parse_line(without(key), source="test"), Signal)


@pytest.mark.parametrize("key", [*[*GOOD][:8], "timestamp"])
def test_what_may_not_be_left_out(key: str) -> None:
    assert refused(without(key)).startswith(f"test line 7: {key} is missing")


@pytest.mark.parametrize("conviction", [0, 50, 100, 75.0])
def test_conviction_at_its_boundaries(conviction: float) -> None:
    assert taken(conviction=conviction).conviction == conviction


NUMBERS = ["0", "-1", "NaN", "Infinity", "-Infinity", "1e999", "true", "null", '"NaN"', '"inf"']


@pytest.mark.parametrize("raw", [*NUMBERS, '"abc"', '""', "[]", '"1_000"', '"１"'])
def test_a_price_that_is_none(raw: str) -> None:
    reason = refused(with_raw("entry_price", raw))
    assert "allowed" in reason


@pytest.mark.parametrize(
    ("raw", "bound"),
    [
        ('"1e30"', "a finite number above 0 and at most 1000000000000000 is allowed"),
        ("1e-30", "a finite number above 0 with at most 18 digits after the point is allowed"),
        ('"-1e30"', "a finite number above 0 is allowed"),
    ],
)
def test_a_price_that_no_number_may_be_is_told_its_bound(raw: str, bound: str) -> None:
    assert bound in refused(with_raw("stop_loss", raw))


@pytest.mark.parametrize("raw", ["-1", "101", "60.5", "true", '"60"', "null", "NaN", "1e999", "[]"])
def test_a_conviction_that_is_none(raw: str) -> None:
    assert "allowed" in refused(with_raw("conviction", raw))


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"timestamp": "2013-10-07T14:00:00"}, "offset"),
        ({"timestamp": "2013-02-30T14:00:00Z"}, "does not exist"),
        ({"timestamp": 1381154400}, "timestamp is 1381154400"),
        ({"direction": "up"}, "direction is 'up'; one of long, short, flat is allowed."),
        ({"timeframe": "2m"}, "10s, 1m, 5m, 10m, 1h, 1d, mtf"),
        ({"timeframe": ["5m"]}, "timeframe is"),
        ({"ticker": ""}, "ticker is"),
        ({"ticker": "S PY"}, "ticker is"),
        ({"ticker": "X" * 33}, "ticker is"),
        ({"ticker": 5}, "ticker is 5"),
        ({"ticker": "AAPL 2026-02-30 100 C"}, "'2026-02-30': a date that exists, from 1970"),
        ({"signal_id": ""}, "signal_id is"),
        ({"signal_id": "  "}, "signal_id is"),
        ({"signal_id": "x" * 51}, "1 to 50"),
        ({"signal_id": 7}, "signal_id is 7"),
        ({"signal_id": "a\x1b[31m"}, "signal_id is"),
        ({"signal_type": ""}, "signal_type is"),
        ({"source": "x" * 51}, "source is"),
        ({"metadata": []}, "metadata is"),
        ({"metadata": {"a": "x" * 500, "b": ["y" * 499] * 20}}, "longer than"),
        ({"cloud_states": {}}, "cloud_states is"),
        ({"stop_loss": None}, "stop_loss is null"),
        ({"target_price": -1}, "target_price is -1"),
        ({"leverage": 3}, "'leverage' is no field of a signal"),
    ],
)
def test_one_sentence_names_field_value_and_what_is_allowed(
    changes: dict[str, Any], named: str
) -> None:
    assert named in refused(json.dumps(GOOD | changes))


def test_lengths_at_their_boundaries() -> None:
    read = taken(signal_id="x" * 50, signal_type="y" * 50, source="z" * 50, ticker="T" * 32)
    assert (len(read.signal_id), len(read.ticker)) == (50, 32)


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("", "empty"),
        ("   \n", "empty"),
        ("{", "column 2: the line is no JSON"),
        ("not json", "column 1: the line is no JSON"),
        ("7", "no signal"),
        ("null", "no signal"),
        ("[]", "no signal"),
        ("[" * 30_000, "nested too deeply"),
        (b"{\xff\xfe", "column 2: the byte 0xff is not UTF-8"),
        (json.dumps(GOOD)[:-1] + ', "conviction": 61}', "'conviction' is there twice"),
        (with_raw("metadata", '{"a": 1, "a": 2}'), "'a' is there twice"),
        (with_raw("metadata", '{"a": NaN}'), "NaN is no number"),
        (with_raw("metadata", '{"a": 1e999}'), "finite"),
        (with_raw("metadata", "[" * 9 + "]" * 9), "metadata is"),
        (with_raw("cloud_states", "[" * 10 + "]" * 10), "nested deeper than 8"),
        (with_raw("conviction", "9" * 5_000), "5000 digits"),
        (json.dumps(GOOD) + " " * MAX_LINE, f"{MAX_LINE} are allowed"),
    ],
)
def test_a_line_that_is_no_signal_at_all(line: str | bytes, named: str) -> None:
    assert named in refused(line)


def test_a_line_of_exactly_the_size_is_read() -> None:
    line = json.dumps(GOOD)
    assert isinstance(parse_line(line + " " * (MAX_LINE - len(line)), source="test"), Signal)


@pytest.mark.parametrize(
    ("data", "named"),
    [
        ({"action": "LONG", "symbol": "SPY", "size": 1}, "an execution decision"),
        ({"signals": {}, "prices": {}, "allocation": {}}, "a portfolio step"),
    ],
)
def test_the_other_shapes_are_told_apart_by_their_keys(data: dict[str, Any], named: str) -> None:
    reason = refused(json.dumps(data))
    assert named in reason
    assert "not built yet" in reason


def test_flat_needs_no_stop() -> None:
    read = taken(direction="flat", stop_loss=None)
    assert read.stop_loss == read.entry_price
    assert isinstance(parse_line(without("stop_loss").replace("long", "flat"), source="t"), Signal)
    assert "needs one" in refused(without("stop_loss"))


def test_the_id_is_the_one_in_the_text() -> None:
    """D-04: the identity of a signal is data, the same in every run and for every object."""
    assert taken().signal_id == taken().signal_id == "s-1"
    assert "signal_id" in refused(without("signal_id"))


def test_free_fields_come_out_safe_and_as_the_journal_gives_them_back() -> None:
    read = taken(metadata={"a\x1b": [1.5, "x\x07", None, True, {"b": 2}]}, cloud_states=["\u202e"])
    assert not UNSAFE.search(json.dumps(read.metadata, ensure_ascii=False))
    assert not UNSAFE.search(str(read.cloud_states[0]))
    again = msgspec.json.decode(msgspec.json.encode(read), type=Signal)
    assert again == read


def test_a_refusal_carries_the_id_it_can_read() -> None:
    read = parse_line(json.dumps(GOOD | {"conviction": 101}), source="a\x1bb", number=3)
    assert isinstance(read, InvalidArrived)
    assert (read.input_id, read.line) == ("s-1", 3)
    assert "\x1b" not in read.source


def test_a_mapping_of_a_program() -> None:
    read = parse_signal(GOOD | {"entry_price": 167.4, "stop_loss": Decimal(166)}, source="api")
    assert isinstance(read, Signal)
    assert read.entry_price == Decimal("167.4")
    for bad in (float("nan"), float("inf"), True, b"167", 10**5_000):
        assert isinstance(parse_signal(GOOD | {"entry_price": bad}, source="api"), InvalidArrived)
    assert isinstance(parse_signal("long", source="api"), InvalidArrived)
    assert isinstance(parse_signal({1: 2}, source="api"), InvalidArrived)
    assert isinstance(
        parse_signal(GOOD | {"metadata": {"a": object()}}, source="x"), InvalidArrived
    )


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(st.dictionaries(st.sampled_from([*GOOD]), VALUES))
def test_nothing_that_is_json_is_ever_an_exception(changes: dict[str, Any]) -> None:
    read = parse_line(json.dumps(GOOD | changes), source="test")
    if isinstance(read, Signal):
        assert read.entry_price > 0
        assert 0 <= read.conviction <= 100
        assert not UNSAFE.search(read.signal_id + read.ticker + read.signal_type + read.source)
    else:
        assert read.reason


@given(st.binary(max_size=200) | st.text(max_size=200))
def test_no_line_is_ever_an_exception(line: str | bytes) -> None:
    assert isinstance(parse_line(line, source="test"), Signal | InvalidArrived)
