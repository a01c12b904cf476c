"""The details of a row are read by a person: columns apart, numbers short, no brackets."""

from console.ui.details import _fields, check_lines
from console.ui.widgets.text_lines import TextLine
from engine.domain.codes import Answer, Code
from engine.domain.events import CheckResult


def text(line: TextLine) -> str:
    return "".join(piece[0] for piece in line)


def check(code: Code, measured: str, limit: str) -> CheckResult:
    return CheckResult(code=code, answer=Answer.PASS, measured=measured, limit=limit)


def test_the_columns_of_checks_stand_apart_and_under_their_titles() -> None:
    told = (
        check(Code.INVALID_INPUT, "MSFT", "a request that can be read"),
        check(Code.DUPLICATE_SIGNAL, "a signal that was never seen before", "300"),
        check(Code.SINGLE_EXPOSURE, "0.09975", "0.1"),
    )
    head, *rows = [text(line) for line in check_lines(told)]
    assert rows[0].split("  ")[0] == "+ INVALID_INPUT"
    assert [word.strip() for word in rows[0].split("  ") if word][1:] == [
        "MSFT",
        "a request that can be read",
    ]
    assert {len(row) for row in rows} == {len(head)}, "right-hand columns end together"
    assert rows[2].split() == ["+", "SINGLE_EXPOSURE", "9.975%", "10.000%"]


def test_what_a_signal_carries_is_no_python() -> None:
    states = ({"layer": "fast", "short": 427.12345678901234, "long": 0.00001234, "bullish": True},)
    title, line = [text(one) for one in _fields({"cloud_states": states})]
    assert title == "cloud_states"
    assert line == "  layer fast  short 427.1235  long 0.00001234  bullish yes"
