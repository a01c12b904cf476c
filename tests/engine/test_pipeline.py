"""The gate judges, the stages work out: what a row may read, what a stage hands on (X-65)."""

import ast
from collections.abc import Callable
from decimal import Decimal
from functools import cached_property
from pathlib import Path

import msgspec
import pytest

from engine.domain.codes import Answer, Code, Stage, Verdict
from engine.pipeline.request import signal_request
from engine.pipeline.stages import decide
from engine.risk.facts import Facts
from engine.risk.facts.kept import kept_for_quantity
from engine.risk.finding import Finding, passed
from engine.risk.gate import CHECKS, Check
from engine.risk.request import Request
from tests.engine.worlds import Built, signal

ROOT = Path(__file__).resolve().parents[2]
WHOLE = {"World", "Book", "Portfolio", "Config", "Facts", "Request", "MarketView", "Valuation"}
"""Types that hold everything: who is handed one of them may read anything."""


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: str(check.code))
def test_what_a_row_reads_is_asked_or_a_fact(check: Check) -> None:
    fields = {*Request.__struct_fields__} | {n for n in dir(Request) if not n.startswith("_")}
    facts = {name for name in dir(Facts) if not name.startswith("_")}
    assert check.reads
    assert set(check.reads) <= fields | facts


def test_a_fact_that_is_kept_is_the_same_with_another_quantity_or_worked_out_anew() -> None:
    """Every kept fact is asked with a quantity of 1, then of 2: as if it had never been kept."""
    world = Built().price("NVDA", "100")
    one = msgspec.structs.replace(signal_request(world.world, signal()), quantity=Decimal(1))
    two = msgspec.structs.replace(one, quantity=Decimal(2))
    kept = [name for name in dir(Facts) if isinstance(getattr(Facts, name), cached_property)]
    assert "adds" in kept
    facts = Facts(world.world, one, world.now)
    for name in kept:
        getattr(facts, name)
        assert getattr(facts.of(two), name) == getattr(Facts(world.world, two, world.now), name)


def test_a_fact_of_the_quantity_is_that_of_the_quantity_a_row_has_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A row before and a row after buying power cut the order read a fact of this test's own."""

    def units(facts: Facts) -> Decimal:
        return facts.request.quantity or Decimal(0)

    fact = kept_for_quantity(units)
    monkeypatch.setattr(kept_for_quantity, "names", [*kept_for_quantity.names])
    fact.__set_name__(Facts, "units")
    monkeypatch.setattr(Facts, "units", fact, raising=False)
    saw: list[tuple[Decimal, Decimal | None]] = []

    def look(units: Decimal, quantity: Decimal | None) -> Finding:
        saw.append((units, quantity))
        return passed(units, units)

    at = [check.code for check in CHECKS].index(Code.SINGLE_EXPOSURE)
    before = Check(Code.CIRCUIT_OPEN, Stage.RISK, look)
    after = Check(Code.VAR_BUDGET, Stage.ORDER, look)
    world = Built(buying_power="5000").price("NVDA", "100")
    request = signal_request(world.world, signal("NVDA", entry="100", stop="95"))
    rows = (*CHECKS[:at], before, *CHECKS[at:], after)
    ruling = decide(world.world, request, world.now, rows)
    assert ruling.verdict is Verdict.RESIZED
    (sized, asked), (left, ordered) = saw
    assert (sized, left) == (asked, ordered)
    assert left == ruling.quantity
    assert left < sized


def test_no_row_is_handed_the_whole_of_anything() -> None:
    """Not through its module either: what a row does not take it cannot look up."""
    for path in sorted((ROOT / "engine/risk/checks").glob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        names = {alias.name for node in ast.walk(tree) for alias in getattr(node, "names", ())}
        assert not names & WHOLE, path.name


@pytest.mark.parametrize(
    ("ask", "unknown"),
    [(lambda worlds: None, "worlds"), (lambda equity, limits, limit: None, "limits")],
)
def test_a_row_that_reads_what_is_no_fact_is_refused_when_it_is_written(
    ask: Callable[..., Finding | None], unknown: str
) -> None:
    with pytest.raises(TypeError, match=rf"VAR_BUDGET reads '{unknown}'"):
        Check(Code.VAR_BUDGET, Stage.RISK, ask)


def test_a_row_takes_its_limit_last() -> None:
    with pytest.raises(TypeError, match="VAR_BUDGET takes its limit before 'equity'"):
        Check(Code.VAR_BUDGET, Stage.RISK, lambda limit, equity: None)


def seen(at: Code, before: bool) -> tuple[Decimal | None, Decimal | None]:
    """The quantity that a row sees which stands before or after the row `at`, and what is ruled."""
    saw: list[Decimal | None] = []

    def look(quantity: Decimal | None) -> Finding:
        saw.append(quantity)
        return passed("", "")

    place = [check.code for check in CHECKS].index(at) + (0 if before else 1)
    rows = (*CHECKS[:place], Check(Code.VAR_BUDGET, Stage.RISK, look), *CHECKS[place:])
    world = Built().price("NVDA", "100")
    ruling = decide(world.world, signal_request(world.world, signal()), world.now, rows)
    (quantity,) = saw
    return quantity, ruling.quantity


def test_a_signal_has_no_quantity_before_the_row_of_its_size_and_one_after_it() -> None:
    """Sizing is a stage of its own: it comes between the rows of the signal and of the order."""
    assert seen(Code.SIZE_ZERO, before=True)[0] is None
    # 15 % of 100,000 at 100 each; at the worst price, a thousandth dearer, 149 fit.
    assert seen(Code.SIZE_ZERO, before=False) == (150, 149)


def test_a_row_after_one_that_left_less_room_sees_the_smaller_quantity() -> None:
    world = Built().price("NVDA", "100")
    whole = decide(world.world, signal_request(world.world, signal()), world.now).quantity
    assert whole is not None
    asked: list[Decimal | None] = []

    def half() -> Finding:
        return Finding(answer=Answer.RESIZE, measured=1, limit=1, max_quantity=Decimal(3))

    def look(quantity: Decimal | None) -> Finding:
        asked.append(quantity)
        return passed("", "")

    rows = (
        *CHECKS,
        Check(Code.VAR_BUDGET, Stage.RISK, half),
        Check(Code.CIRCUIT_OPEN, Stage.ORDER, look),
    )
    request = signal_request(world.world, signal())
    ruling = decide(world.world, request, world.now, rows)
    assert (ruling.verdict, ruling.code, ruling.quantity) == (Verdict.RESIZED, "VAR_BUDGET", 3)
    assert asked == [Decimal(3)]
    assert ruling.size is not None
    assert (ruling.size.binding, ruling.size.quantity) == ("VAR_BUDGET", 3)
    assert request.quantity is None, "a request is a value: no stage changes the one it was given"
