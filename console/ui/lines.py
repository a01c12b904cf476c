"""One event as one line a person reads: its kind, its words, the style it is drawn in.

A table from the event's type to a function; what is not in it has no line (it would only repeat
another). The words may hold text from outside: whoever draws them cleans them.
"""

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final, NamedTuple, Protocol

import msgspec

from console.ui.format import counted
from console.ui.measures import measures
from engine.domain import events as ev
from engine.domain.codes import Outcome, Verdict
from engine.domain.money import plain
from engine.domain.order import OrderType, Side, TimeInForce
from engine.domain.run import CircuitState, KillState, LinkState, Severity
from engine.domain.schema import account_of

SHORT_ID: Final = 6

SYMBOLS_NAMED: Final = 3
"""Symbols that a line names before it says that there are more."""


class JournalLine(NamedTuple):
    """Kind in one word, the sentence, and the name of the kind's style."""

    kind: str
    text: str
    style: str = ""

    @property
    def text_style(self) -> str:
        """The style of the sentence: a veto is news, not an alarm."""
        return "" if self.kind == "VETO" else self.style


class OrderWords(Protocol):
    """What was asked for, as far as a line names it."""

    @property
    def side(self) -> Side:
        """Buy, sell or sell short."""

    @property
    def quantity(self) -> Decimal:
        """How much."""

    @property
    def symbol(self) -> str:
        """Of what."""

    @property
    def type(self) -> OrderType:
        """Market, limit, stop or stop limit."""

    @property
    def limit_price(self) -> Decimal | None:
        """At this price or a better one."""

    @property
    def stop_price(self) -> Decimal | None:
        """From this price on."""

    @property
    def time_in_force(self) -> TimeInForce:
        """For how long."""

    @property
    def reason(self) -> str:
        """Why it ended, once it has."""


Find = Callable[[str], OrderWords | None]
"""An order by its client order id."""


def _nobody(client_order_id: str) -> OrderWords | None:
    return None


def short_id(client_order_id: str) -> str:
    """The end of an id, which tells orders of one moment apart."""
    return client_order_id[-SHORT_ID:]


def order_words(order: OrderWords) -> str:
    """`BUY 40 NVDA LIMIT 134.80 DAY`."""
    parts = [str(order.side), plain(order.quantity), order.symbol, str(order.type)]
    if order.stop_price is not None:
        parts.append(f"stop {plain(order.stop_price)}")
    if order.limit_price is not None:
        parts.append(plain(order.limit_price))
    return " ".join([*parts, str(order.time_in_force)])


def line_of(event: ev.Event, find: Find = _nobody) -> JournalLine | None:
    """The line of an event; None for one that has none. `find` knows orders by their id."""
    rule = _LINES.get(type(event))
    if rule is not None:
        return rule(event)
    named = _ORDER_LINES.get(type(event))
    if named is None:
        return None
    key: str = getattr(event, "client_order_id")  # noqa: B009 - every event of that table has one
    order = find(key)
    if order is None:
        return named(event, f"order {short_id(key)}")
    return named(_as_asked(event, order), order_words(order))


def _as_asked(event: ev.Event, order: OrderWords) -> ev.Event:
    """A cancel that was asked for ends for the reason of that, whatever its venue calls it: the
    lines of asking and of the end tell one story (fault 15)."""
    if isinstance(event, ev.OrderCanceled) and order.reason:
        return msgspec.structs.replace(event, reason=order.reason)
    return event


def named(line: JournalLine, event: ev.Event, primary: str) -> JournalLine:
    """The line with the account that the event is in, unless that is the primary one or the line
    names it already."""
    account = account_of(event)
    if account in ("", primary) or re.search(rf"\b{re.escape(account)}\b", line.text):
        return line
    return line._replace(text=f"{line.text} @{account}")


# --- signals -------------------------------------------------------------------------------------


def _decided(e: ev.SignalDecided) -> JournalLine:
    measured, limit = measures(e.code, e.measured, e.limit)
    seen = f"  {measured} against {limit}" if measured or limit else ""
    if e.verdict is Verdict.REJECTED:
        return JournalLine("VETO", f"{e.symbol} {e.code}{seen}  {e.reason}", "warn")
    amount = "" if e.quantity is None else f" {plain(e.quantity)}"
    if e.verdict is Verdict.RESIZED:
        return JournalLine("SIGNAL", f"{e.symbol} RESIZED to{amount} by {e.code}{seen}")
    return JournalLine("SIGNAL", f"{e.symbol} ACCEPTED{amount}  {e.signal_id}")


def _turned_away(e: ev.SignalsRefused) -> JournalLine:
    symbols = list(dict.fromkeys(refusal.symbol for refusal in e.refusals))
    named = ", ".join(symbols[:SYMBOLS_NAMED]) + (", ..." if symbols[SYMBOLS_NAMED:] else "")
    return JournalLine(
        "VETO", f"{counted(e.count, 'signal')} {e.code}: {named}  {e.reason}", "warn"
    )


def _ended(e: ev.SignalEnded) -> JournalLine | None:
    if e.outcome in (Outcome.EXECUTED, Outcome.RESIZED, Outcome.REJECTED):
        return None
    return JournalLine("SIGNAL", f"{e.symbol} {e.outcome} {e.code} {e.reason}".rstrip(), "muted")


def _input_rejected(e: ev.InputRejected) -> JournalLine:
    where = f"{e.source} line {e.line}" if e.line else e.source
    told = e.reason if e.reason.startswith(where) else f"from {where}: {e.reason}"
    return JournalLine("VETO", f"INVALID_INPUT {told}", "warn")


# --- orders --------------------------------------------------------------------------------------


def _intended(e: ev.OrderIntended) -> JournalLine:
    return JournalLine("ORDER", f"{order_words(e.terms)}  {e.terms.purpose}")


def _filled(e: ev.OrderFilled) -> JournalLine:
    fill = e.fill
    notes = [
        note
        for note, said in (
            ("LATE", e.late),
            (f"OVER by {plain(e.overfill)}", bool(e.overfill)),
            ("UNKNOWN ORDER", not e.known_order),
        )
        if said
    ]
    words = f"{fill.side} {plain(fill.quantity)} {fill.symbol} @ {plain(fill.price)}"
    fee = plain(round(fill.commission, 4))
    if fill.commission_currency:
        fee = f"{plain(round(fill.commission, 8))} {fill.commission_currency}"
    text = "  ".join([words, f"fee {fee}", *notes])
    return JournalLine("FILL", text, "warn" if notes else "strong")


def _shadowed(e: ev.ShadowFilled) -> JournalLine:
    """What the paper venue filled, beside what the real book showed."""
    what = f"{e.side} {plain(e.quantity)} {e.symbol} at {plain(e.price)}"
    if e.expected is None or e.slippage is None:
        return JournalLine("SHADOW", f"{what}, no quote of the venue is known", "warn")
    worse = plain(round(e.slippage * 10_000, 2))
    return JournalLine("SHADOW", f"{what}, the venue showed {plain(e.expected)}: {worse} bp worse")


def _price_words(price: Decimal | None) -> str:
    return "none" if price is None else plain(price)


def _because(words: str, reason: str) -> str:
    return f"{words}: {reason}" if reason else words


def _change_asked(e: ev.ReplaceRequested, name: str) -> JournalLine | None:
    """What a working order is to become; silent where a stop only follows its position."""
    if e.native and not e.adds_exposure and e.limit_price is None and e.time_in_force is None:
        return None
    wanted = [plain(e.quantity)]
    wanted += [f"limit {plain(e.limit_price)}"] if e.limit_price is not None else []
    wanted += [f"stop {plain(e.stop_price)}"] if e.stop_price is not None else []
    wanted += [e.time_in_force] if e.time_in_force is not None else []
    how = "" if e.native else " by cancel and a new order"
    return JournalLine(
        "CHANGE", _because(f"asked {name} to {' '.join(wanted)}{how}", e.reason), "muted"
    )


def _trade(e: ev.PositionClosed) -> JournalLine:
    trade = e.trade
    pnl = plain(round(trade.pnl, 2))
    ratio = "" if trade.r_multiple is None else f"  {round(trade.r_multiple, 2):+}R"
    sign = "+" if trade.pnl > 0 else ""
    style = "profit" if trade.pnl > 0 else "loss" if trade.pnl < 0 else ""
    text = f"{trade.direction} {plain(trade.quantity)} {trade.symbol} {sign}{pnl}{ratio}"
    return JournalLine("TRADE", f"{text}  {trade.exit_reason}", style)


def _exit(e: ev.ExitPlanned) -> JournalLine:
    measured, limit = measures("", e.decision.measured, e.decision.limit)
    seen = f"  {measured} against {limit}" if measured or limit else ""
    amount = "all" if e.decision.quantity is None else plain(e.decision.quantity)
    return JournalLine("EXIT", f"{e.symbol} {amount}: {e.decision.reason}{seen}")


# --- stop and go ---------------------------------------------------------------------------------


def _left(event: ev.Paused) -> str:
    """How many entries go on working through a pause."""
    count = event.entries_working
    return f"; {count} working {'entry stays' if count == 1 else 'entries stay'}" if count else ""


def _restricted(e: ev.Restricted) -> JournalLine:
    whose = f"{e.account}: " if e.account else ""
    return JournalLine("ENGINE", f"{whose}REDUCE ONLY, {e.cause}: {e.reason}", "warn")


def _unrestricted(e: ev.Unrestricted) -> JournalLine:
    whose = f"{e.account}: " if e.account else ""
    return JournalLine("ENGINE", f"{whose}restriction {e.cause} lifted by {e.by}")


def _halted(e: ev.Halted) -> JournalLine:
    what = f"{e.halt.level.upper()} by {e.halt.by}: {e.halt.reason}"
    return JournalLine("KILL", f"{what} (flatten {e.halt.flatten})", "error")


def _kill_progress(e: ev.KillProgressed) -> JournalLine | None:
    if not e.left and not e.unknown:
        return None
    return JournalLine("KILL", f"{e.account}: {len(e.left)} left, {len(e.unknown)} unknown", "warn")


def _kill_proved(e: ev.KillProved) -> JournalLine:
    text = (
        f"{e.account} {e.state}: {e.cancelled} cancelled, {e.closed} closed, "
        f"{len(e.left)} left, {len(e.unknown)} unknown"
    )
    return JournalLine("KILL", text, "" if e.state == KillState.VERIFIED else "error")


def _reconciled(e: ev.Reconciled) -> JournalLine:
    if e.failed:
        return JournalLine("RECON", f"{e.account} could not be compared ({e.reason})", "warn")
    if e.clean:
        left = f", {' '.join(e.unsettled)} still in flight" if e.unsettled else ""
        words = f"{e.account} clean, {e.matched} matched{left} ({e.reason})"
        return JournalLine("RECON", words, "muted")
    return JournalLine(
        "RECON", f"{e.account} {counted(len(e.differences), 'difference')} ({e.reason})", "warn"
    )


def _amounts(amounts: dict[str, Decimal]) -> str:
    return ", ".join(f"{plain(amount)} {name}" for name, amount in sorted(amounts.items()))


def _unexplained(e: ev.UnexplainedChanged) -> JournalLine:
    left = _amounts(e.cash | {held.symbol: held.quantity for held in e.holdings})
    if not left:
        return JournalLine("RECON", f"{e.account} everything is explained again")
    return JournalLine("RECON", f"{e.account} unexplained: {left}", "warn")


def _acted(e: ev.OperatorActed) -> JournalLine:
    given = " ".join(f"{k}={v}" for k, v in e.args.items() if v not in (None, "", False))
    return JournalLine("OPERATOR", f"{e.by}: {e.command} {given}".rstrip())


_LOUD: Final = {Severity.INFO: "", Severity.WARNING: "warn"}


def _alarm(e: ev.Alarmed) -> JournalLine:
    return JournalLine("ALARM", f"{e.code} {e.text}", _LOUD.get(e.severity, "error"))


def _link(e: ev.LinkChanged) -> JournalLine:
    style = "" if e.state is LinkState.CONNECTED else "error"
    return JournalLine("LINK", f"{e.account} {e.state} {e.detail}".rstrip(), style)


_ENTRIES: Final = {
    CircuitState.CLOSED: "entries pass",
    CircuitState.OPEN: "no entries",
    CircuitState.HALF_OPEN: "one entry is tried",
}
"""What each state of a breaker lets through: a closed one is no door that is shut."""


def _circuit(e: ev.CircuitMoved) -> JournalLine:
    style = "" if e.state is CircuitState.CLOSED else "error"
    words = f"{e.account} breaker {e.state}, {_ENTRIES[e.state]}; {e.failures} failed"
    return JournalLine("LINK", words, style)


_LINES: Final[dict[type[ev.Event], Callable[[Any], JournalLine | None]]] = {
    ev.EngineStarted: lambda e: JournalLine(
        "ENGINE", f"started {e.version}, {e.mode}, {e.profile}"
    ),
    ev.PhaseChanged: lambda e: JournalLine("ENGINE", f"{e.phase}: {e.reason}"),
    ev.Paused: lambda e: JournalLine("ENGINE", f"PAUSED by {e.by}: {e.reason}{_left(e)}", "warn"),
    ev.Unpaused: lambda e: JournalLine("ENGINE", f"unpaused by {e.by}"),
    ev.Restricted: _restricted,
    ev.Unrestricted: _unrestricted,
    ev.OperatorActed: _acted,
    ev.CommandRefused: lambda e: JournalLine(
        "REFUSED", f"{e.command} {e.code}: {e.reason}", "warn"
    ),
    # Each of its orders, or its refusal, has a line already.
    ev.CommandAnswered: lambda e: None,
    ev.TriggerFired: lambda e: JournalLine("KILL", f"trigger {e.trigger}: {e.reason}", "error"),
    ev.Halted: _halted,
    ev.HaltCleared: lambda e: JournalLine("KILL", f"halt cleared by {e.by}; entries stay paused"),
    ev.LossAccepted: lambda e: JournalLine(
        "KILL", f"loss accepted by {e.by}: high-water mark {plain(e.before)} → {plain(e.after)}"
    ),
    ev.SignedOff: lambda e: JournalLine(
        "LIVE", f"the dry run of {e.sign_off.kind} was signed off for real money by {e.by}"
    ),
    ev.KillProgressed: _kill_progress,
    ev.KillProved: _kill_proved,
    ev.AccountSynced: lambda e: (
        JournalLine(
            "ACCOUNT",
            f"{e.account} cash {plain(e.balances.cash)} {e.balances.currency} flow {plain(e.flow)}",
        )
        if e.flow
        else None
    ),
    ev.CashMoved: lambda e: JournalLine(
        "ACCOUNT", f"{e.account} {e.kind} {plain(e.amount)} {e.currency}"
    ),
    ev.CashMovementLeftOut: lambda e: JournalLine(
        "RECON", f"{e.account} a line of the history of cash is left out: {e.fault}", "warn"
    ),
    ev.CashAdjusted: lambda e: JournalLine(
        "RECON", f"{e.account} cash adjusted by {_amounts(e.amounts)}: {e.reason}", "warn"
    ),
    ev.UnexplainedChanged: _unexplained,
    ev.AccountLeft: lambda e: JournalLine(
        "ACCOUNT", f"{e.account} is left out: {plain(round(e.equity, 2))} count no longer", "warn"
    ),
    ev.AccountReturned: lambda e: JournalLine(
        "ACCOUNT", f"{e.account} counts again with {plain(round(e.equity, 2))}"
    ),
    ev.SessionOpened: lambda e: JournalLine("SESSION", f"{e.date} from {plain(e.starting_equity)}"),
    ev.InputRejected: _input_rejected,
    ev.SignalDecided: _decided,
    ev.SignalEnded: _ended,
    ev.SignalsRefused: _turned_away,
    ev.IntentOpened: lambda e: JournalLine(
        "INTENT", f"{e.plan}: " + ", ".join(order_words(terms) for terms in e.legs)
    ),
    ev.IntentEnded: lambda e: JournalLine("INTENT", f"{e.plan} ended: {e.reason}"),
    ev.LegRefused: lambda e: JournalLine("VETO", f"{e.symbol} {e.code}  {e.reason}", "warn"),
    ev.OrderIntended: _intended,
    ev.OrderRouted: lambda e: JournalLine("ROUTE", f"{e.symbol} to {e.account}: {e.choice.reason}"),
    ev.OrderRefused: lambda e: JournalLine("VETO", f"{e.symbol} {e.code}  {e.reason}", "warn"),
    ev.OrderFilled: _filled,
    ev.VenueSilent: lambda e: JournalLine(
        "LINK",
        f"{e.account} gives no usable answer" if e.since else f"{e.account} answers again",
        "error" if e.since else "",
    ),
    ev.FillMatched: lambda e: JournalLine(
        "FILL",
        f"{e.fill.side} {plain(e.fill.quantity)} {e.fill.symbol} at {plain(e.fill.price)} told, "
        f"assumed before at {plain(round(e.price, 8))}",
    ),
    ev.CommissionTaken: lambda e: JournalLine(
        "FEE", f"{plain(e.quantity)} {e.currency} out of {e.symbol} at {plain(round(e.price, 10))}"
    ),
    ev.OrderAdopted: lambda e: JournalLine("ADOPTED", order_words(e.terms), "warn"),
    ev.DeadLettered: lambda e: JournalLine("DEAD", f"{e.terms.symbol}: {e.error}", "error"),
    ev.DeadLetterClosed: lambda e: JournalLine("DEAD", f"{e.letter_id} {e.action} by {e.by}"),
    ev.ExitPlanned: _exit,
    ev.ExitRefused: lambda e: JournalLine("EXIT", f"{e.symbol} REFUSED {e.code}", "error"),
    ev.ExitAbandoned: lambda e: JournalLine("EXIT", f"{e.symbol} ended: {e.detail}", "warn"),
    ev.StopMoved: lambda e: JournalLine(
        "STOP",
        f"{e.symbol} stop {_price_words(e.before)} to {_price_words(e.after)} by {e.by}",
        "error" if e.after is None else "",
    ),
    ev.StopTraded: lambda e: JournalLine(
        "STOP", f"{e.symbol} stop trades, no fill of it is here", "warn"
    ),
    ev.Unprotected: lambda e: JournalLine(
        "STOP", f"{plain(e.quantity)} {e.symbol} UNPROTECTED", "error"
    ),
    ev.TargetMoved: lambda e: JournalLine(
        "TARGET", f"{e.symbol} target {_price_words(e.before)} to {_price_words(e.after)} by {e.by}"
    ),
    ev.StopRemoved: lambda e: JournalLine("STOP", f"{e.symbol} stop taken away by {e.by}", "error"),
    ev.PositionClosed: _trade,
    ev.Reconciled: _reconciled,
    ev.PositionAdjusted: lambda e: JournalLine(
        "RECON", f"{e.symbol} {plain(e.previous)} is now {plain(e.quantity)}: {e.reason}", "warn"
    ),
    ev.HoldingPriced: lambda e: (
        JournalLine("RECON", f"{e.symbol} in {e.account} has its first price, {plain(e.price)}")
        if not e.left
        else JournalLine(
            "RECON",
            f"{plain(abs(e.left))} {e.symbol} that are not held in {e.account} any more count at "
            f"{plain(e.price)}",
        )
    ),
    ev.SymbolBlocked: lambda e: JournalLine("BLOCK", f"{e.symbol}: {e.reason}", "warn"),
    ev.SymbolUnblocked: lambda e: JournalLine("BLOCK", f"{e.symbol} free again ({e.cause})"),
    ev.LinkChanged: _link,
    ev.CircuitMoved: _circuit,
    ev.SendPutOff: lambda e: JournalLine(
        "ORDER", f"{short_id(e.client_order_id)} did not leave, is tried again: {e.text}", "warn"
    ),
    ev.Alarmed: _alarm,
    ev.ShadowFilled: _shadowed,
}

_ORDER_LINES: Final[dict[type[ev.Event], Callable[[Any, str], JournalLine | None]]] = {
    ev.OrderRejected: lambda e, name: JournalLine("REJECT", f"{name}: {e.code} {e.text}", "error"),
    ev.OrderUnclear: lambda e, name: JournalLine("UNKNOWN", _because(name, e.reason), "error"),
    ev.CancelRequested: lambda e, name: JournalLine(
        "CANCEL", _because(f"asked {name}", e.reason), "muted"
    ),
    ev.CancelRefused: lambda e, name: JournalLine("CANCEL", f"REFUSED {name}: {e.text}", "warn"),
    ev.CancelPutOff: lambda e, name: JournalLine("CANCEL", f"AGAIN LATER {name}: {e.text}", "warn"),
    ev.OrderCanceled: lambda e, name: JournalLine("CANCEL", _because(f"done {name}", e.reason)),
    ev.OrderExpired: lambda e, name: JournalLine("EXPIRED", name, "muted"),
    ev.ReplaceRequested: _change_asked,
    ev.OrderReplaced: lambda e, name: (
        JournalLine("CHANGE", f"done {name}") if e.reserved is not None else None
    ),
    ev.ReplaceAbandoned: lambda e, name: JournalLine(
        "CHANGE", f"no order takes the place of {name}: {e.code} {e.reason}", "warn"
    ),
    ev.OrderSettled: lambda e, name: JournalLine("ORDER", f"{name} is {e.status}: {e.reason}"),
}
"""Events that name an order by its id alone."""
