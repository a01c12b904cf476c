"""One request through the stages: gate, size, gate, and the ruling they add up to (X-17, X-65).

The rows of the gate judge, in their order. Sizing comes before the first row of its stage. What a
row leaves room for is taken over by the stages, never by the row.
"""

from decimal import Decimal

import msgspec

from engine.domain.codes import Answer, Code, Stage, Verdict
from engine.domain.instant import Nanos
from engine.domain.money import ZERO, floor_to, plain
from engine.pipeline.ruling import Ruling
from engine.pipeline.size import resized, sized
from engine.risk import gate
from engine.risk.facts import Facts
from engine.risk.finding import Finding, words
from engine.risk.gate import Check
from engine.risk.request import Request, RequestKind
from engine.world import World

Trace = list[tuple[Code, Finding]]

_SIZING = Stage.SIZING
_PASS, _REJECT, _RESIZE = Answer.PASS, Answer.REJECT, Answer.RESIZE


def decide(
    world: World, request: Request, now: Nanos, checks: tuple[Check, ...] | None = None
) -> Ruling:
    """Ask every check of the request's kind in order; the first that refuses ends it.

    RESIZE binds: later checks and the order see the smaller quantity. A person's number is never
    silently changed, so for MANUAL a resize is a refusal that says what would fit (X-24). `checks`
    are those of the gate where none are given.
    """
    trace: Trace = []
    bound: tuple[Check, Finding] | None = None
    facts = Facts(world, request, now)
    to_size = True
    rows = gate.asked_of(request.kind, gate.CHECKS if checks is None else checks)
    for check in rows:
        if to_size and check.stage is _SIZING:
            to_size, unsized = False, request
            request = sized(world, unsized, facts)
            if request is not unsized:
                facts = facts.of(request)
                for earlier in [row for row in rows if row.resizes]:
                    finding = _asked_again(earlier, facts, trace)
                    if finding is None:
                        continue
                    request, finding = _resized(request, earlier, finding)
                    _take_back(trace, earlier, finding)
                    if finding.answer is _REJECT:
                        by = earlier
                        return _ruling(request, facts, Verdict.REJECTED, finding, trace, by=by)
                    facts, bound = facts.of(request), (earlier, finding)
        limit_in = check.limit_in
        finding = check.judge(facts, None if limit_in is None else limit_in(world))
        if finding is None:
            continue
        if finding.answer is _PASS:
            trace.append((check.code, finding))
            continue
        if finding.answer is _RESIZE:
            request, finding = _resized(request, check, finding)
            facts, bound = facts.of(request), (check, finding)
        trace.append((check.code, finding))
        if finding.answer is _REJECT:
            return _ruling(request, facts, Verdict.REJECTED, finding, trace, by=check)
    if bound is not None:
        check, finding = bound
        return _ruling(request, facts, Verdict.RESIZED, finding, trace, by=check)
    return _ruling(request, facts, Verdict.ACCEPTED, _accepted(request), trace)


def _asked_again(check: Check, facts: Facts, trace: Trace) -> Finding | None:
    """What a row that was passed before sizing finds too much of what was sized; else None."""
    if all(code is not check.code for code, _ in trace):
        return None
    finding = check.judge(facts, None)
    return finding if finding is not None and finding.answer is _RESIZE else None


def _take_back(trace: Trace, check: Check, finding: Finding) -> None:
    """Put what a row found the second time in the place of what it found the first time."""
    place = next(place for place, (code, _) in enumerate(trace) if code is check.code)
    trace[place] = (check.code, finding)


def _resized(request: Request, check: Check, finding: Finding) -> tuple[Request, Finding]:
    """The request with the smaller quantity, or a refusal where none of it may be ordered."""
    most = finding.max_quantity
    if most is None:
        most = ZERO
        finding = msgspec.structs.replace(finding, max_quantity=most)
    if request.kind is not RequestKind.SIGNAL:
        hint = f"{finding.reason} At most {plain(most)} would fit."
        return request, msgspec.structs.replace(finding, answer=Answer.REJECT, reason=hint)
    smaller = resized(request, most, str(check.code))
    if not smaller.quantity:
        return request, msgspec.structs.replace(finding, answer=Answer.REJECT)
    return smaller, finding


def _accepted(request: Request) -> Finding:
    quantity = plain(request.quantity or ZERO)
    what = f"{request.side} {quantity} {request.symbol}"
    if request.size is None:
        return Finding(
            answer=Answer.PASS,
            measured=quantity,
            limit=quantity,
            reason=f"{what} passes every check.",
        )
    most = min((bound.quantity for bound in request.size.bounds), default=Decimal(0))
    return Finding(
        answer=Answer.PASS,
        measured=quantity,
        limit=plain(floor_to(most, request.instrument.lot)),
        reason=f"{what} passes every check; {request.size.binding} binds its size.",
    )


def _ruling(
    request: Request,
    facts: Facts,
    verdict: Verdict,
    finding: Finding,
    trace: Trace,
    *,
    by: Check | None = None,
) -> Ruling:
    """The ruling; `by` is the check that refused or resized."""
    allowed = verdict is not Verdict.REJECTED
    signal = request.signal
    heard = signal is not None and any(
        code is Code.DUPLICATE_SIGNAL and found.answer is Answer.PASS for code, found in trace
    )
    return Ruling(
        kind=request.kind,
        account=request.account,
        verdict=verdict,
        stage=by.stage if by is not None and not allowed else Stage.ORDER,
        code=str(by.code) if by is not None else "",
        measured=words(finding.measured),
        limit=words(finding.limit),
        reason=finding.reason,
        trace=tuple(trace),
        symbol=request.symbol,
        instrument=request.instrument,
        side=request.side,
        quantity=request.quantity if allowed else None,
        size=request.size,
        order_type=request.order_type,
        limit_price=request.limit_price,
        stop_price=request.stop_price,
        time_in_force=request.time_in_force,
        reserved=facts.worst_price if allowed and not request.kind.reduces else ZERO,
        stop_loss=request.stop,
        target=request.target,
        managed=request.managed,
        trade_type=request.trade_type,
        conviction=request.conviction,
        adding=request.adding,
        choice=request.choice,
        content=signal.content if signal is not None and heard else "",
    )
