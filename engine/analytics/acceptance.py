"""What an acceptance run has measured, and what is allowed (C-701 to C-704, P-03, P-04, X-50).

The run asks for two kinds of order: a limit far from the market, which is to rest and be cancelled,
and an order at the market, which is to fill. What became of each is read off the events. Rates are
fractions of 1; of an order that rests nothing is to fill, and it is told apart.
"""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Final

import msgspec

from engine.domain import events as ev
from engine.domain.instant import NS_PER_MS, NS_PER_SECOND, Nanos
from engine.domain.money import ZERO, plain
from engine.domain.order import OrderStatus, Side
from engine.domain.run import CircuitState, LinkState, Severity
from engine.state.account import SMALL

SUCCESS_ABOVE: Final = Decimal("0.99")
"""P-03: so large a share of the orders reaches the venue and comes to the end that was asked."""

FILLED_ABOVE: Final = Decimal("0.95")
"""P-04, X-50: so large a share of the orders at the market fills; on paper all of them do."""

FILL_SECONDS: Final = 60
"""P-04: an order at the market that fills later counts as one that did not."""

SLIPPAGE_BELOW: Final = Decimal(10)
"""C-703: basis points of the price at which an order was decided, on the mean."""

PAPER_LATENCY_MS: Final = Decimal(50)
"""X-49: a fill on paper takes less on the mean, the simulated latency included."""

EQUAL: Final = {
    "positions": "the same",
    "open orders": "the same",
    "cash": "the same to the cent",
}
"""What is compared with the venue in the end."""

BASIS_POINTS: Final = Decimal(10_000)


class Life(msgspec.Struct, kw_only=True):
    """What became of one order of the run; times are those of the events, in nanoseconds UTC."""

    client_order_id: str
    rests: bool
    """It was to rest and be cancelled, and not to fill."""
    side: Side
    quantity: Decimal
    reference: Decimal | None = None
    """The price of its market when it was decided."""
    sent_at: Nanos = 0
    accepted_at: Nanos = 0
    filled: Decimal = ZERO
    average_price: Decimal | None = None
    filled_at: Nanos = 0
    """When all of it had filled."""
    ended: OrderStatus | None = None
    said: str = ""
    """What the venue, or the engine, said against it."""
    unclear: bool = False
    """At some time nobody knew whether it had arrived."""

    @property
    def is_filled(self) -> bool:
        """All of it filled within `FILL_SECONDS`."""
        return (
            bool(self.filled_at) and self.filled_at - self.sent_at <= FILL_SECONDS * NS_PER_SECOND
        )

    @property
    def succeeded(self) -> bool:
        """It reached the venue and came to an end that was asked for; a fill is no part of that."""
        if self.ended is None or self.unclear or not self.sent_at:
            return False
        if self.rests:
            return bool(self.accepted_at) and self.ended is OrderStatus.CANCELED and not self.filled
        return self.ended in (OrderStatus.FILLED, OrderStatus.CANCELED)

    @property
    def latency(self) -> Nanos:
        """From when it was handed to the venue until all of it had filled."""
        return self.filled_at - self.sent_at

    @property
    def slippage(self) -> Decimal | None:
        """Basis points that it filled worse than its market stood; better is below 0."""
        if self.average_price is None or not self.reference:
            return None
        worse = (self.average_price - self.reference) * self.side.sign
        return worse / self.reference * BASIS_POINTS


class Books(msgspec.Struct, frozen=True, kw_only=True):
    """Holdings, working orders and cash of one account."""

    positions: Mapping[str, Decimal]
    orders: tuple[str, ...]
    cash: Mapping[str, Decimal]


def differences(ours: Books, theirs: Books) -> tuple[str, ...]:
    """What of `positions`, `open orders` and `cash` is not the same; cash to a cent (X-75)."""
    cash = {*ours.cash, *theirs.cash}
    apart = {c: ours.cash.get(c, ZERO) - theirs.cash.get(c, ZERO) for c in cash}
    found = {
        "positions": ours.positions != theirs.positions,
        "open orders": sorted(ours.orders) != sorted(theirs.orders),
        "cash": any(abs(amount) >= SMALL for amount in apart.values()),
    }
    return tuple(name for name, differs in found.items() if differs)


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """All that a run has seen of its account."""

    account: str
    is_paper: bool
    rests: tuple[str, ...]
    """The orders that were to rest, by client order id."""
    trades: tuple[str, ...]
    """The orders at the market."""
    records: Sequence[ev.Record]
    """Every event of the run."""
    link: LinkState
    """The link in the end, before it was taken down."""
    circuit: CircuitState
    began: Nanos
    ended: Nanos
    gone: int
    """So many of the resting orders the venue did not list any more after their cancel."""
    letters: int
    """Dead letters that came with the run."""
    currency: str
    """Of the instrument that was traded."""
    multiplier: Decimal
    before: Books | None
    """As the venue told it before the first order; None where the run did not come so far."""
    after: Books
    """As the venue told it after the last one."""
    ours: Books
    """As the engine counts it after the last one."""
    left: Decimal
    """What is held of the symbol in the end, that was not held before."""
    lot: Decimal
    trouble: tuple[str, ...] = ()
    """What kept the run from going on, in sentences."""


class Criterion(msgspec.Struct, frozen=True, kw_only=True):
    """One row of a report; `ok` None is told and judges nothing."""

    name: str
    spec: str
    measured: str
    allowed: str
    ok: bool | None


def lives_of(run: Run) -> tuple[Life, ...]:
    """What became of each order of the run, in the order in which they were decided."""
    wanted = dict.fromkeys(run.rests, True) | dict.fromkeys(run.trades, False)
    found: dict[str, Life] = {}
    for record in run.records:
        event, at = record.event, record.time
        if isinstance(event, ev.OrderIntended) and event.terms.client_order_id in wanted:
            terms = event.terms
            found[terms.client_order_id] = Life(
                client_order_id=terms.client_order_id,
                rests=wanted[terms.client_order_id],
                side=terms.side,
                quantity=terms.quantity,
                reference=terms.reference,
            )
        elif isinstance(event, ev.OrderFilled) and event.fill.client_order_id in found:
            _fill(found[event.fill.client_order_id], event, at)
        elif (life := found.get(getattr(event, "client_order_id", ""))) is not None:
            _follow(life, event, at)
    return tuple(found.values())


def _fill(life: Life, event: ev.OrderFilled, at: Nanos) -> None:
    life.filled, life.average_price = event.cumulative, event.average_price
    if life.filled >= life.quantity:
        life.filled_at, life.ended = at, OrderStatus.FILLED


def _follow(life: Life, event: ev.Event, at: Nanos) -> None:
    match event:
        case ev.OrderSent():
            life.sent_at = life.sent_at or at
        case ev.OrderAccepted():
            life.accepted_at = at
        case ev.OrderUnclear():
            life.unclear, life.said = True, event.reason
        case ev.OrderRejected():
            life.ended, life.said = OrderStatus.REJECTED, f"{event.code}: {event.text}"
        case ev.OrderCanceled():
            life.ended = OrderStatus.CANCELED
        case ev.OrderExpired():
            life.ended = OrderStatus.EXPIRED


def judged(run: Run) -> tuple[Criterion, ...]:
    """Every row of the report, judged."""
    lives = lives_of(run)
    rests = [life for life in lives if life.rests]
    trades = [life for life in lives if not life.rests]
    return (
        _row("link", "C-702", run.link.value, "CONNECTED", run.link is LinkState.CONNECTED),
        _row("trouble", "C-706", "; ".join(run.trouble) or "none", "none", not run.trouble),
        _resting(run, rests),
        _success(lives, len(run.rests) + len(run.trades)),
        _filled(run, trades),
        _latency(run, trades),
        _slippage(trades),
        _none("rejections", "C-703", [life for life in lives if life.said and not life.unclear]),
        _none("unclear", "C-405", [life for life in lives if life.unclear]),
        _breaker(run),
        _row("dead letters", "P-43", str(run.letters), "0", not run.letters),
        _stream(run),
        _alarms(run),
        *_equal(run),
        _moved(run, trades),
        _row("left over", "C-701", plain(run.left), f"less than a lot of {plain(run.lot)}",
             abs(run.left) < run.lot),
    )  # fmt: skip


def _row(name: str, spec: str, measured: str, allowed: str, ok: bool | None) -> Criterion:
    return Criterion(name=name, spec=spec, measured=measured, allowed=allowed, ok=ok)


def _share(part: int, whole: int) -> str:
    return f"{part} of {whole}" + (
        f", {plain(round(Decimal(part * 100) / whole, 2))} %" if whole else ""
    )


def _resting(run: Run, rests: Sequence[Life]) -> Criterion:
    whole = len(run.rests)
    good = min(sum(life.succeeded for life in rests), run.gone)
    ok = whole > 0 and good == whole
    allowed = "all placed, cancelled, and gone from the venue's list"
    return _row("resting limits", "C-702, X-50", _share(good, whole), allowed, ok)


def _success(lives: Sequence[Life], asked: int) -> Criterion:
    good = sum(life.succeeded for life in lives)
    ok = asked > 0 and Decimal(good) / asked > SUCCESS_ABOVE
    return _row("order success", "P-03", _share(good, asked), "more than 99 %", ok)


def _filled(run: Run, trades: Sequence[Life]) -> Criterion:
    whole = len(run.trades)
    good = sum(life.is_filled for life in trades)
    ok = whole > 0 and (good == whole if run.is_paper else Decimal(good) / whole > FILLED_ABOVE)
    least = "100 %" if run.is_paper else "more than 95 %"
    spec = "C-701" if run.is_paper else "P-04, X-50"
    return _row("fill rate", spec, _share(good, whole), f"{least} within {FILL_SECONDS} s", ok)


def _latency(run: Run, trades: Sequence[Life]) -> Criterion:
    took = sorted(life.latency for life in trades if life.is_filled)
    allowed = f"mean below {PAPER_LATENCY_MS} ms" if run.is_paper else "told"
    if not took:
        return _row("fill latency", "X-49", "no fill", allowed, False if run.is_paper else None)
    mean = Decimal(sum(took)) / len(took) / NS_PER_MS
    words = f"mean {plain(round(mean, 1))} ms, longest {took[-1] // NS_PER_MS} ms"
    ok = mean < PAPER_LATENCY_MS if run.is_paper else None
    return _row("fill latency", "X-49", words, allowed, ok)


def _slippage(trades: Sequence[Life]) -> Criterion:
    found = [life.slippage for life in trades]
    known = [value for value in found if value is not None]
    allowed = f"mean below {SLIPPAGE_BELOW} bps"
    if not known:
        return _row("slippage", "C-703", "no fill", allowed, False)
    mean = sum(known, start=ZERO) / len(known)
    worst = max(known)
    words = f"mean {plain(round(mean, 2))} bps, worst {plain(round(worst, 2))} bps"
    return _row("slippage", "C-703", words, allowed, mean < SLIPPAGE_BELOW)


def _none(name: str, spec: str, lives: Sequence[Life]) -> Criterion:
    said = "".join(f"; {life.client_order_id}: {life.said}" for life in lives[:3])
    return _row(name, spec, f"{len(lives)}{said}", "0", not lives)


def _breaker(run: Run) -> Criterion:
    events = (record.event for record in run.records)
    moves = [
        event
        for event in events
        if isinstance(event, ev.CircuitMoved)
        and event.account == run.account
        and event.state is CircuitState.OPEN
    ]
    ok = not moves and run.circuit is CircuitState.CLOSED
    words = f"{run.circuit.value}, opened {len(moves)} times"
    return _row("breaker", "C-704", words, "CLOSED, never opened", ok)


def _stream(run: Run) -> Criterion:
    events = (record.event for record in run.records)
    breaks = [
        event
        for event in events
        if isinstance(event, ev.LinkChanged)
        and event.account == run.account
        and event.state is not LinkState.CONNECTED
    ]
    seconds = (run.ended - run.began) // NS_PER_SECOND
    words = f"{len(breaks)} breaks in {seconds} s"
    return _row("stream", "C-702", words, "0 breaks", not breaks)


def _alarms(run: Run) -> Criterion:
    loud = [
        record.event
        for record in run.records
        if isinstance(record.event, ev.Alarmed)
        and record.event.severity in (Severity.ERROR, Severity.CRITICAL)
    ]
    said = "".join(f"; {event.code}: {event.text}" for event in loud[:3])
    return _row("errors", "C-701", f"{len(loud)}{said}", "0", not loud)


def _equal(run: Run) -> Iterable[Criterion]:
    """Holdings, orders and cash here against the venue (X-75)."""
    differ = differences(run.ours, run.after)
    ours, theirs = _words(run.ours), _words(run.after)
    for name, allowed in EQUAL.items():
        words = f"here {ours[name] or 'none'}; at the venue {theirs[name] or 'none'}"
        yield _row(name, "C-703, P-42", words, allowed, name not in differ)


def _words(books: Books) -> dict[str, str]:
    return {
        "positions": _numbers(books.positions),
        "open orders": " ".join(sorted(books.orders)),
        "cash": _numbers(books.cash),
    }


def _numbers(values: Mapping[str, Decimal]) -> str:
    return ", ".join(f"{name} {plain(value)}" for name, value in sorted(values.items()) if value)


def _moved(run: Run, trades: Sequence[Life]) -> Criterion:
    """What the venue's cash moved by, against what the fills come to by their own numbers."""
    name, spec, allowed = "cash of the fills", "C-704", "the same to the cent"
    if run.before is None:
        return _row(name, spec, "the venue's cash was not read before", allowed, False)
    keys = {life.client_order_id for life in trades} | set(run.rests)
    expected = ZERO
    for record in run.records:
        event = record.event
        if isinstance(event, ev.OrderFilled) and event.fill.client_order_id in keys:
            fill = event.fill
            expected -= fill.side.sign * fill.quantity * fill.price * run.multiplier
            if fill.commission_currency in ("", run.currency):
                expected -= fill.commission
    moved = run.after.cash.get(run.currency, ZERO) - run.before.cash.get(run.currency, ZERO)
    words = f"{plain(moved)} {run.currency} at the venue, {plain(expected)} by the fills"
    return _row(name, spec, words, allowed, abs(moved - expected) < SMALL)
