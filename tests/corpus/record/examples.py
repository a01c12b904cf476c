"""Write two examples or more of every event type of 0.1.0, as its journal writes them.

    python -m tests.corpus.record.examples FILE

The first example of a type has every optional field filled, the second none.
"""

import datetime
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from engine.domain import event as ev
from engine.domain.account import Account
from engine.domain.codes import Answer, Code, Outcome, Stage, Verdict
from engine.domain.instant import parse_rfc3339
from engine.domain.instrument import AssetClass, Instrument
from engine.domain.order import (
    Fill,
    Liquidity,
    Order,
    OrderStatus,
    OrderType,
    Purpose,
    Side,
    TimeInForce,
)
from engine.domain.position import ExitPlan, ExitReason, Leg, RoundTrip
from engine.domain.run import (
    Flatten,
    Halt,
    Level,
    LinkState,
    Mode,
    Phase,
    Severity,
    Trigger,
    TriggerAction,
)
from engine.domain.signal import Direction, Signal, Timeframe, TradeType

AT = parse_rfc3339("2013-10-07T14:30:00.123456789Z")
LATER = parse_rfc3339("2013-10-07T19:55:00.000000001Z")
DAY = datetime.date(2013, 10, 7)
OPTION = "AAPL 2013-12-20 200 C"
ENTRY_ID = "1419352b85b0123456789abcdef0123"
STOP_ID = "1419352b85bfedcba9876543210fedc"
EXIT_ID = "1419352b85b00112233445566778899"
POSITION_ID = "p1419352b85b89abcdef0123456789ab"


def d(text: str) -> Decimal:
    """A decimal as it is written."""
    return Decimal(text)


CHECKS = (
    ev.CheckResult(code=Code.STALE_SIGNAL, answer=Answer.PASS, measured="12.25", limit="120"),
    ev.CheckResult(
        code=Code.SINGLE_EXPOSURE,
        answer=Answer.RESIZE,
        measured="0.1523",
        limit="0.1",
        max_quantity=d("65.5"),
    ),
    ev.CheckResult(code=Code.MAX_NOTIONAL, answer=Answer.REJECT, measured="51000", limit="50000"),
)

SIGNAL = Signal(
    signal_id="s-2013-10-07-0001",
    signal_type="cloud_cross_bullish",
    direction=Direction.LONG,
    ticker="AAPL",
    timeframe=Timeframe.M10,
    conviction=83,
    entry_price=d("487.35"),
    stop_loss=d("482.1"),
    target_price=d("497.85"),
    timestamp=AT,
    source="ema_cloud",
    cloud_states=(
        {"cloud": "fast", "bullish": True, "thickness": 0.0123, "ema": ["487.1", "486.9"]},
        {"cloud": "macro", "bullish": False, "thickness": 0.0045, "ema": None},
    ),
    metadata={"strategy": "clouds-of-october", "seen": 2, "nested": {"bars": [1, 2, 3]}},
)
BARE_SIGNAL = Signal(
    signal_id="s-bare",
    signal_type="random",
    direction=Direction.FLAT,
    ticker="BTC-USD",
    timeframe=Timeframe.MTF,
    conviction=0,
    entry_price=d("1"),
    stop_loss=d("2"),
    timestamp=AT,
)

ORDER = Order(
    client_order_id=ENTRY_ID,
    intent_id="i-s-2013-10-07-0001",
    signal_id="s-2013-10-07-0001",
    parent_id="i-parent-of-it",
    broker="paper",
    symbol="AAPL",
    side=Side.BUY,
    type=OrderType.STOP_LIMIT,
    quantity=d("66"),
    limit_price=d("487.84"),
    stop_price=d("487.4"),
    time_in_force=TimeInForce.DAY,
    reduce_only=True,
    purpose=Purpose.ENTRY,
    status=OrderStatus.PENDING_REPLACE,
    venue_order_id="PAPER-1",
    filled=d("21"),
    notional=d("10237.5"),
    commission=d("10.2375"),
    reserved=d("487.83735"),
    reference=d("487.35"),
    trade_type=TradeType.SWING,
    stop_loss=d("482.1"),
    target=d("497.85"),
    conviction=83,
    signal_type="cloud_cross_bullish",
    timeframe="10m",
    resized=True,
    reason="operator-asked",
    reject_code="BROKER_REJECT",
    timeout_seconds=300,
    created_at=AT,
    updated_at=AT + 7,
    sent_at=AT + 1,
    accepted_at=AT + 2,
    unclear_at=AT + 3,
    queries=2,
    attempt=3,
    cancel_wanted=True,
    check_first=True,
    pending_quantity=d("45"),
    pending_stop=d("483.05"),
)
BARE_ORDER = Order(
    client_order_id=EXIT_ID,
    intent_id=f"{POSITION_ID}-reduce",
    broker="paper",
    symbol="AAPL",
    side=Side.SELL,
    type=OrderType.MARKET,
    quantity=d("10"),
    time_in_force=TimeInForce.GTC,
    purpose=Purpose.EXIT,
    created_at=AT,
    updated_at=AT,
)
FRESH = {
    "reduce_only": False,
    "status": OrderStatus.CREATED,
    "venue_order_id": "",
    "filled": d("0"),
    "notional": d("0"),
    "commission": d("0"),
    "reason": "",
    "reject_code": "",
    "updated_at": AT,
    "sent_at": 0,
    "accepted_at": 0,
    "unclear_at": 0,
    "queries": 0,
    "cancel_wanted": False,
    "pending_quantity": None,
    "pending_stop": None,
}
"""What an order that was only decided does not have."""
INTENDED = msgspec.structs.replace(ORDER, attempt=0, check_first=False, **FRESH)
PROTECT = msgspec.structs.replace(
    BARE_ORDER,
    client_order_id=STOP_ID,
    type=OrderType.STOP,
    stop_price=d("482.1"),
    purpose=Purpose.PROTECT,
    reduce_only=True,
    attempt=1,
    timeout_seconds=0,
)
OPTIONS = msgspec.structs.replace(
    INTENDED,
    symbol=OPTION,
    type=OrderType.LIMIT,
    quantity=d("3"),
    limit_price=d("4.35"),
    stop_price=None,
    reserved=d("4.35"),
    reference=d("4.3"),
    stop_loss=d("2.15"),
    target=None,
)
ADOPTED = msgspec.structs.replace(
    PROTECT,
    status=OrderStatus.PARTIALLY_FILLED,
    venue_order_id="PAPER-9",
    filled=d("4"),
    notional=d("1928.4"),
    accepted_at=AT,
    sent_at=AT,
)

FILL = Fill(
    execution_id="PAPER-1-1",
    client_order_id=ENTRY_ID,
    venue_order_id="PAPER-1",
    broker="paper",
    symbol=OPTION,
    side=Side.SELL_SHORT,
    quantity=d("3"),
    price=d("4.325"),
    commission=d("1.2975"),
    liquidity=Liquidity.MAKER,
    time=AT + 5,
)
BARE_FILL = Fill(
    execution_id="x-bare",
    client_order_id=EXIT_ID,
    broker="paper",
    symbol="BTC-USD",
    side=Side.BUY,
    quantity=d("0.00012345"),
    price=d("7012.34"),
    time=AT,
)
LEGS = (
    Leg(
        execution_id="PAPER-1-1",
        quantity=d("21"),
        price=d("487.5"),
        commission=d("10.2375"),
        time=AT,
    ),
    Leg(
        execution_id="PAPER-1-2",
        quantity=d("45"),
        price=d("487.62"),
        commission=d("21.9429"),
        time=AT + 9,
    ),
    Leg(
        execution_id="PAPER-7-1",
        quantity=d("-66"),
        price=d("497.9"),
        commission=d("32.8614"),
        time=LATER,
    ),
)
TRADE = RoundTrip(
    trade_id="t-1419352b85b",
    position_id=POSITION_ID,
    symbol="AAPL",
    direction="long",
    instrument_type="leveraged_etf",
    trade_type=TradeType.DAY,
    quantity=d("66"),
    entry_price=d("487.58181818"),
    exit_price=d("497.9"),
    entry_time=AT,
    exit_time=LATER,
    exit_reason="target",
    exit_detail="497.9 against 497.85",
    pnl=d("615.9582"),
    pnl_pct=d("0.01914083"),
    fees=d("65.0418"),
    r_multiple=d("1.88"),
    mae=d("-0.0021"),
    mfe=d("0.0231"),
    signal_id="s-2013-10-07-0001",
    signal_type="cloud_cross_bullish",
    timeframe="10m",
    conviction=83,
    initial_stop=d("482.1"),
    target_price=d("497.85"),
    slippage_bps=d("4.77"),
    broker="paper",
    order_id=ENTRY_ID,
    strategy="clouds-of-october",
    leverage=d("2.5"),
    origin="manual",
    legs=LEGS,
)
BARE_TRADE = RoundTrip(
    trade_id="t-bare",
    position_id="p-of-a-bare-trade",
    symbol="BTC-USD",
    direction="short",
    trade_type=TradeType.SWING,
    quantity=d("0.5"),
    entry_price=d("7000"),
    exit_price=d("7000"),
    entry_time=AT,
    exit_time=LATER,
    exit_reason="venue",
    pnl=d("0"),
    pnl_pct=d("0"),
    fees=d("0"),
    r_multiple=None,
    mae=None,
    mfe=None,
    signal_id="",
    broker="paper",
)

HALT = Halt(
    reason="the day's loss reached its limit",
    at=AT,
    by="engine",
    level=Level.KILL,
    trigger=Trigger.DAILY_LOSS,
    flatten=Flatten.ALL,
    epoch=3,
)
PLAN = ExitPlan(
    reason=ExitReason.SIGNAL,
    detail="s-2013-10-07-0002",
    priority=2,
    quantity=d("33.5"),
    attempt=2,
    started_at=AT,
)
ACCOUNT = Account(
    account_id="paper",
    currency="EUR",
    cash=d("67812.345"),
    equity=d("100012.5"),
    buying_power=d("64000.25"),
    as_of=AT,
)
BARE_ACCOUNT = Account(
    account_id="paper", cash=d("100000"), equity=d("100000"), buying_power=d("100000"), as_of=AT
)
CLOSED: dict[str, Any] = {
    "date": DAY,
    "starting_equity": d("100000"),
    "ending_equity": d("100615.9582"),
    "realized_pnl": d("615.9582"),
    "unrealized_pnl": d("-12.5"),
    "total_trades": 7,
    "winning_trades": 4,
    "losing_trades": 3,
    "max_drawdown": d("0.00345"),
    "fees": d("65.0418"),
    "flows": d("250.75"),
}

EXAMPLES: tuple[ev.Event, ...] = (
    ev.EngineStarted(
        mode=Mode.PAPER,
        profile="axion_aggressive",
        config_digest="9f86d081884c7d659a2feaa0c55ad015",
        version="0.1.0",
        account_id="paper",
        broker="paper",
    ),
    ev.EngineStarted(
        mode=Mode.SHADOW,
        profile="custom",
        config_digest="",
        version="0.1.0",
        account_id="",
        broker="paper",
    ),
    ev.PhaseChanged(phase=Phase.RUNNING, reason="reconciled"),
    ev.PhaseChanged(phase=Phase.STOPPED, reason=""),
    ev.Paused(by="console", reason="lunch in New York"),
    ev.Paused(by="", reason=""),
    ev.Unpaused(by="console"),
    ev.Unpaused(by=""),
    ev.Restricted(cause=Trigger.DAILY_LOSS, reason="0.0213 against 0.02", until=LATER),
    ev.Restricted(cause=Trigger.OVERFILL, reason=""),
    ev.Unrestricted(cause=Trigger.LOSS_STREAK, by="time"),
    ev.Unrestricted(cause=Trigger.JOURNAL, by=""),
    ev.OperatorActed(
        command="PlaceOrder",
        args={"symbol": "AAPL", "quantity": "12.5", "limit_price": None, "protect": "480.25"},
        by="operator@console",
    ),
    ev.OperatorActed(command="CloseAll", args={}, by=""),
    ev.TriggerFired(
        trigger=Trigger.DRAWDOWN,
        action=TriggerAction.KILL,
        measured="0.101234",
        limit="0.1",
        reason="drawdown reached its limit",
    ),
    ev.TriggerFired(
        trigger=Trigger.CLOCK_SKEW, action=TriggerAction.ALERT, measured="", limit="", reason=""
    ),
    ev.Halted(halt=HALT),
    ev.Halted(
        halt=Halt(
            reason="",
            at=0,
            by="",
            level=Level.HALT,
            trigger=Trigger.LATCH,
            flatten=Flatten.NONE,
            epoch=1,
        )
    ),
    ev.CommandRefused(
        command="Resume",
        code="REFUSED",
        reason="2 differences with the venue remain",
        by="operator",
    ),
    ev.CommandRefused(command="Unpause", code="RUN_STATE", reason="", by=""),
    ev.HaltCleared(by="operator", note="looked at the venue", epoch=3),
    ev.HaltCleared(by="", note="", epoch=1),
    ev.KillProgressed(
        epoch=3, broker="paper", clean_reads=1, left=("AAPL 66", ENTRY_ID), unknown=(EXIT_ID,)
    ),
    ev.KillProgressed(epoch=1, broker="paper", clean_reads=0, left=(), unknown=()),
    ev.KillProved(
        epoch=3,
        broker="paper",
        state="DEGRADED",
        cancelled=4,
        closed=2,
        left=("AAPL 66",),
        unknown=(EXIT_ID,),
    ),
    ev.KillProved(epoch=1, broker="paper", state="VERIFIED", cancelled=0, closed=0),
    ev.InstrumentLearned(
        instrument=Instrument(
            symbol=OPTION,
            asset_class=AssetClass.OPTION,
            tick=d("0.05"),
            lot=d("1"),
            multiplier=d("100"),
            currency="EUR",
            calendar="XNYS",
            shortable=False,
            min_notional=d("12.5"),
        )
    ),
    ev.InstrumentLearned(
        instrument=Instrument(
            symbol="EUR_USD",
            asset_class=AssetClass.FX,
            tick=d("0.00001"),
            lot=d("1"),
            calendar="FX",
        )
    ),
    ev.AccountSynced(broker="paper", account=ACCOUNT, flow=d("-1500.25")),
    ev.AccountSynced(broker="paper", account=BARE_ACCOUNT),
    ev.SessionOpened(date=DAY, starting_equity=d("100000.125"), unrealized=d("-37.75")),
    ev.SessionOpened(date=DAY, starting_equity=d("0"), unrealized=d("0")),
    ev.SessionClosed(**CLOSED, kill_switch_triggered=True, final=True),
    ev.SessionClosed(
        date=DAY,
        starting_equity=d("0"),
        ending_equity=d("0"),
        realized_pnl=d("0"),
        unrealized_pnl=d("0"),
        total_trades=0,
        winning_trades=0,
        losing_trades=0,
        max_drawdown=d("0"),
        kill_switch_triggered=False,
        fees=d("0"),
        flows=d("0"),
        final=False,
    ),
    ev.EquityMarked(
        equity=d("99321.0625"),
        peak=d("100615.9582"),
        drawdown=d("0.01286966"),
        marks={"AAPL": d("489.125"), OPTION: d("4.4")},
    ),
    ev.EquityMarked(equity=d("100000"), peak=d("100000"), drawdown=d("0")),
    ev.InputRejected(
        source="signals.jsonl", input_id="s-broken", reason="conviction: 101 is above 100", line=17
    ),
    ev.InputRejected(source="api", input_id="", reason=""),
    ev.SignalReceived(signal=SIGNAL),
    ev.SignalReceived(signal=BARE_SIGNAL),
    ev.SignalDecided(
        signal_id="s-2013-10-07-0001",
        symbol="AAPL",
        verdict=Verdict.RESIZED,
        stage=Stage.ORDER,
        code="SINGLE_EXPOSURE",
        measured="0.1523",
        limit="0.1",
        reason="resized to 65",
        checks=CHECKS,
        client_order_ids=(ENTRY_ID, STOP_ID),
        quantity=d("65.5"),
        content="AAPL|cloud_cross_bullish|long|10m|ema_cloud",
    ),
    ev.SignalDecided(
        signal_id="s-bare",
        symbol="BTC-USD",
        verdict=Verdict.REJECTED,
        stage=Stage.SIGNAL_GUARD,
        code="STALE_SIGNAL",
        measured="",
        limit="",
        reason="",
        checks=(),
    ),
    ev.SignalEnded(
        signal_id="s-2013-10-07-0001",
        symbol="AAPL",
        outcome=Outcome.EXECUTED,
        code="ORDER_TIMEOUT",
        reason="filled after it had ended",
        previous="CANCELLED",
    ),
    ev.SignalEnded(
        signal_id="s-bare", symbol="BTC-USD", outcome=Outcome.EXPIRED, code="", reason=""
    ),
    ev.OrderIntended(order=ORDER),
    ev.OrderIntended(order=BARE_ORDER),
    ev.OrderIntended(order=INTENDED),
    ev.OrderIntended(order=PROTECT),
    ev.OrderIntended(order=OPTIONS),
    ev.OrderRefused(
        intent_id="manual-177",
        symbol="AAPL",
        by="operator",
        code="MAX_NOTIONAL",
        measured="51000",
        limit="50000",
        reason="one order may be worth 50000 at most",
        checks=CHECKS,
    ),
    ev.OrderRefused(
        intent_id="",
        symbol="",
        by="",
        code="INVALID_INPUT",
        measured="",
        limit="",
        reason="",
        checks=(),
    ),
    ev.OrderSent(client_order_id=ENTRY_ID),
    ev.OrderSent(client_order_id=""),
    ev.OrderAccepted(client_order_id=ENTRY_ID, venue_order_id="PAPER-1"),
    ev.OrderAccepted(client_order_id=EXIT_ID, venue_order_id=""),
    ev.OrderRejected(client_order_id=ENTRY_ID, code="NOT_SENT", text="no connection to the venue"),
    ev.OrderRejected(client_order_id=EXIT_ID, code="", text=""),
    ev.OrderUnclear(client_order_id=ENTRY_ID, reason="no answer within 3.0 s"),
    ev.OrderUnclear(client_order_id=EXIT_ID, reason=""),
    ev.OrderQueried(client_order_id=ENTRY_ID, reason="no answer to the submit"),
    ev.OrderQueried(client_order_id=EXIT_ID, reason=""),
    ev.OrderFilled(
        fill=FILL,
        multiplier=d("100"),
        cumulative=d("5"),
        average_price=d("4.31"),
        late=True,
        overfill=d("2"),
        known_order=False,
        position_id=POSITION_ID,
    ),
    ev.OrderFilled(
        fill=BARE_FILL, multiplier=d("1"), cumulative=d("0.00012345"), average_price=d("7012.34")
    ),
    ev.CancelRequested(client_order_id=ENTRY_ID, reason="ORDER_TIMEOUT"),
    ev.CancelRequested(client_order_id=EXIT_ID, reason=""),
    ev.CancelRefused(
        client_order_id=ENTRY_ID, status=OrderStatus.PARTIALLY_FILLED, text="too late to cancel"
    ),
    ev.CancelRefused(client_order_id=EXIT_ID, status=OrderStatus.NEW, text=""),
    ev.OrderCanceled(client_order_id=ENTRY_ID, reason="the position is flat"),
    ev.OrderCanceled(client_order_id=EXIT_ID, reason=""),
    ev.OrderExpired(client_order_id=ENTRY_ID),
    ev.OrderExpired(client_order_id=EXIT_ID),
    ev.ReplaceRequested(
        client_order_id=STOP_ID,
        quantity=d("66"),
        stop_price=d("483.05"),
        reason="66 are to be protected",
    ),
    ev.ReplaceRequested(client_order_id=STOP_ID, quantity=d("1"), stop_price=None, reason=""),
    ev.OrderReplaced(client_order_id=STOP_ID, quantity=d("66"), stop_price=d("483.05")),
    ev.OrderReplaced(client_order_id=STOP_ID, quantity=d("1"), stop_price=None),
    ev.OrderSettled(
        client_order_id=ENTRY_ID,
        venue_order_id="PAPER-1",
        status=OrderStatus.CANCELED,
        reason="the venue no longer knows it",
    ),
    ev.OrderSettled(client_order_id=EXIT_ID, venue_order_id="", status=OrderStatus.NEW, reason=""),
    ev.OrderAdopted(order=ORDER),
    ev.OrderAdopted(order=BARE_ORDER),
    ev.OrderAdopted(order=ADOPTED),
    ev.DeadLettered(letter_id=ENTRY_ID, order=ORDER, error="no connection to the venue"),
    ev.DeadLettered(letter_id=EXIT_ID, order=BARE_ORDER, error=""),
    ev.DeadLettered(
        letter_id=ENTRY_ID, order=INTENDED, error="its intent is not durable: the disk is full"
    ),
    ev.DeadLetterClosed(letter_id=ENTRY_ID, action="retried", by="operator"),
    ev.DeadLetterClosed(letter_id=EXIT_ID, action="dropped", by=""),
    ev.ExitPlanned(
        symbol="AAPL", position_id=POSITION_ID, plan=PLAN, measured="497.9", limit="497.85"
    ),
    ev.ExitPlanned(
        symbol="AAPL",
        position_id=POSITION_ID,
        plan=ExitPlan(
            reason=ExitReason.EOD, detail="", priority=6, quantity=None, attempt=1, started_at=AT
        ),
        measured="",
        limit="",
    ),
    ev.ExitAbandoned(
        symbol="AAPL", position_id=POSITION_ID, reason=ExitReason.TRAILING, detail="BROKER_REJECT"
    ),
    ev.ExitAbandoned(symbol="AAPL", position_id="", reason=ExitReason.VENUE, detail=""),
    ev.StopRemoved(symbol="AAPL", by="operator"),
    ev.StopRemoved(symbol="BTC-USD", by=""),
    ev.PositionClosed(trade=TRADE, loss_streak=2),
    ev.PositionClosed(trade=BARE_TRADE),
    ev.SnapshotRequested(broker="paper", reason="reconnect"),
    ev.SnapshotRequested(broker="paper", reason=""),
    ev.Reconciled(
        broker="paper",
        reason="scheduled",
        clean=True,
        differences=(
            ev.Difference(
                symbol="AAPL",
                kind="BROKER_ONLY",
                local="",
                venue="SELL 4 STOP",
                client_order_id=STOP_ID,
            ),
            ev.Difference(symbol=OPTION, kind="QTY_MISMATCH", local="3", venue="2"),
        ),
        matched=5,
        failed=True,
    ),
    ev.Reconciled(broker="paper", reason="start", clean=False, differences=(), matched=0),
    ev.PositionAdjusted(
        symbol=OPTION,
        broker="paper",
        quantity=d("-2"),
        price=d("4.35"),
        multiplier=d("100"),
        previous=d("3"),
        reason="the venue's quantity, not explained by any fill",
        by="operator",
    ),
    ev.PositionAdjusted(
        symbol="AAPL",
        broker="paper",
        quantity=d("0"),
        price=d("0"),
        multiplier=d("1"),
        previous=d("0"),
        reason="",
        by="",
    ),
    ev.SymbolBlocked(symbol="AAPL", cause="reconcile", reason="QTY_MISMATCH: here 3, there 2"),
    ev.SymbolBlocked(symbol="BTC-USD", cause="bad_fill", reason=""),
    ev.SymbolUnblocked(symbol="AAPL", cause="reconcile", by="operator"),
    ev.SymbolUnblocked(symbol="BTC-USD", cause="bad_fill", by=""),
    ev.LinkChanged(broker="paper", state=LinkState.DISCONNECTED, detail="the report stream ended"),
    ev.LinkChanged(broker="paper", state=LinkState.CONNECTING, detail=""),
    ev.Alarmed(
        code="LATE_FILL",
        severity=Severity.CRITICAL,
        subject="AAPL",
        text="BUY 21 AAPL at 487.5: after the order was CANCELED",
    ),
    ev.Alarmed(code="", severity=Severity.INFO, subject="", text=""),
)


def unfilled(value: Any, path: str) -> list[str]:
    """The optional fields that are at their default, down to the last one."""
    if isinstance(value, tuple):
        return [
            name
            for number, part in enumerate(value)
            for name in unfilled(part, f"{path}[{number}]")
        ]
    if not isinstance(value, msgspec.Struct):
        return []
    found = []
    for field in msgspec.structs.fields(value):
        here = getattr(value, field.name)
        if not field.required and here == field.default:
            found.append(f"{path}.{field.name}")
        found += unfilled(here, f"{path}.{field.name}")
    return found


def write(target: Path) -> None:
    """Write the file, having looked that nothing was forgotten."""
    first: dict[str, ev.Event] = {}
    for event in EXAMPLES:
        first.setdefault(type(event).__name__, event)
    assert list(first) == list(ev.EVENT_TYPES)
    for name, event in first.items():
        print(name, unfilled(event, ""))  # its log
    lines = (
        f'{{"type":"{type(event).__name__}","data":{ev.encode(event).decode()}}}\n'
        for event in EXAMPLES
    )
    target.write_text("".join(lines), encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
