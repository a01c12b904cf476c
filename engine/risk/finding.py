"""What one row of the gate answers: a finding, with the number it saw and the limit it met."""

from collections.abc import Callable
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any, Final

import msgspec

from engine.domain.codes import Answer, Code
from engine.domain.events import CheckResult
from engine.domain.instant import Nanos
from engine.domain.money import plain
from engine.sizing.added import Added

PLACES: Final = Decimal("0.000001")

_PASS: Final = Answer.PASS
"""Once, since a member of an enum takes twice as long to look up as to put into a finding."""

Measure = Decimal | int | str
"""A number or a word as a check saw it; `words` makes it the text of the trace."""

Limit = Any
"""A limit as its row finds it: Decimal, int or text; a row's function knows which."""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What one check found: the number it saw, the limit it met, and a sentence when it is not met.

    Numbers become text only where a trace is kept: an order that passes two dozen checks keeps
    none, and their text was a tenth of its life on the loop. `max_quantity` belongs to RESIZE: the
    largest quantity that the limit still has room for.
    """

    answer: Answer
    measured: Measure
    limit: Measure
    reason: str = ""
    max_quantity: Decimal | None = None

    def told(self, code: Code) -> CheckResult:
        """The finding of the row `code` as it is journalled."""
        return CheckResult(
            code=code,
            answer=self.answer,
            measured=words(self.measured),
            limit=words(self.limit),
            max_quantity=self.max_quantity,
        )


def words(value: Measure) -> str:
    """The measure as text, numbers plain."""
    return plain(value) if isinstance(value, Decimal) else str(value)


def passed(measured: Measure, limit: Measure) -> Finding:
    """The check is met."""
    return Finding(answer=_PASS, measured=measured, limit=limit)


def refused(measured: Measure, limit: Measure, reason: str) -> Finding:
    """The check is not met, and no smaller quantity would meet it."""
    return Finding(answer=Answer.REJECT, measured=measured, limit=limit, reason=reason)


def fitting(
    adds: Added,
    *,
    room: Decimal,
    unit: Decimal,
    measured: Decimal,
    limit: Decimal,
    reason: Callable[[], str],
) -> Finding:
    """PASS where what can still fill, at `unit` each, fits into `room`, else RESIZE."""
    if adds.leaves * unit <= room:
        return passed(measured, limit)
    return Finding(
        answer=Answer.RESIZE,
        measured=measured,
        limit=limit,
        reason=reason(),
        max_quantity=adds.filled + adds.affordable(room, unit),
    )


def fraction(part: Decimal, whole: Decimal, *, up: bool) -> Decimal:
    """`part` / `whole` to six places, cut toward the side on which the limit is still told apart.

    A limit that may be reached is measured `up`, one that may not is measured down, so that the
    text never shows a number on the other side of the limit than the verdict.
    """
    mode = ROUND_CEILING if up else ROUND_FLOOR
    return (part / whole).quantize(PLACES, mode)


def percent(share: Decimal) -> str:
    """A share as a sentence says it: 0.05 is "5 %". A measure and its limit stay shares."""
    return f"{plain(share * 100)} %"


def in_seconds(interval: Nanos) -> Decimal:
    """An interval as exact seconds."""
    return Decimal(interval).scaleb(-9)
