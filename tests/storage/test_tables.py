"""The tables say what the events say: scripted lives, every status, and rebuilding (U-70, X-25)."""

import sqlite3
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.domain import events as ev
from engine.domain.codes import Outcome, Verdict
from engine.domain.instrument import AssetClass
from engine.domain.order import TRANSITIONS, OrderStatus, Purpose, Side, VenueState
from engine.domain.position import ExitReason
from engine.domain.run import Mode
from engine.state.book import Book
from engine.state.fold import apply
from engine.state.holdings import change, round_trip
from storage import Journal, memory_database, open_journal
from storage import tables as stored
from storage.errors import JournalNewer
from storage.verify import verify_connection
from tests.storage import lives
from tests.storage.lives import START

S = OrderStatus


class History(lives.History):
    """A history that begins, as every journal does, with a process that takes the account."""

    def __init__(self) -> None:
        super().__init__()
        self.add(
            ev.EngineStarted(
                mode=Mode.PAPER,
                profile="conservative",
                config_digest="",
                version="test",
                accounts={"paper": "acct"},
                primary="paper",
            )
        )


class Tables:
    """A journal in memory and its tables as dictionaries; what is written is folded first."""

    def __init__(self, history: History | None = None) -> None:
        self.database = memory_database()
        self.book = Book()
        self.journal: Journal = open_journal(self.database, inline=True, mode=Mode.PAPER)
        if history is not None:
            self.write(history.records)

    def write(self, records: list[ev.Record]) -> None:
        touched = [value for record in records for value in apply(self.book, record)]
        self.journal.append(records, touched)
        self.journal.catch_up()
        assert self.journal.failure is None

    def rows(self, table: str, where: str = "1") -> list[dict[str, Any]]:
        cursor = self.database.execute(f"SELECT * FROM {table} WHERE {where} ORDER BY 1")
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor]

    def one(self, table: str, where: str = "1") -> dict[str, Any]:
        (row,) = self.rows(table, where)
        return row


# --- orders --------------------------------------------------------------------------------------


def test_an_order_row_has_everything_that_was_intended() -> None:
    history = History()
    history.order("o1", "AAPL", signal_id="s-1", stop_price=Decimal("167.00"))
    row = Tables(history).one("orders")
    assert row == row | {
        "client_order_id": "o1",
        "venue_order_id": "",
        "intent_id": "i-o1",
        "signal_id": "s-1",
        "symbol": "AAPL",
        "side": "BUY",
        "type": "LIMIT",
        "quantity": "10",
        "filled": "0",
        "average_price": None,
        "limit_price": "167.4",
        "stop_price": "167",
        "time_in_force": "DAY",
        "status": "CREATED",
        "purpose": "ENTRY",
        "broker": "paper",
        "reject_code": "",
        "account_id": "acct",
        "mode": "paper",
    }


Step = Callable[[History], object]


def after(event: Callable[[str], ev.Event]) -> Step:
    return lambda history: history.add(event("o1"))


SENT = after(lambda key: ev.OrderSent(account="paper", client_order_id=key))
ACCEPTED = after(
    lambda key: ev.OrderAccepted(account="paper", client_order_id=key, venue_order_id="v1")
)
REJECTED = after(
    lambda key: ev.OrderRejected(
        account="paper", client_order_id=key, code="BROKER_REJECT", text=""
    )
)
UNCLEAR = after(
    lambda key: ev.OrderUnclear(account="paper", client_order_id=key, reason="time-out")
)
QUERIED = after(lambda key: ev.OrderQueried(account="paper", client_order_id=key, reason="unclear"))
CANCEL = after(
    lambda key: ev.CancelRequested(account="paper", client_order_id=key, reason="time-out")
)
REFUSED = after(
    lambda key: ev.CancelRefused(
        account="paper", client_order_id=key, status=S.NEW, text="too late"
    )
)
CANCELED = after(lambda key: ev.OrderCanceled(account="paper", client_order_id=key, reason=""))
EXPIRED = after(lambda key: ev.OrderExpired(account="paper", client_order_id=key))
REPLACE = after(
    lambda key: ev.ReplaceRequested(
        account="paper", client_order_id=key, quantity=Decimal(4), stop_price=None, reason="resize"
    )
)
REPLACED = after(
    lambda key: ev.OrderReplaced(
        account="paper", client_order_id=key, quantity=Decimal(4), stop_price=None
    )
)


def settled(status: OrderStatus) -> Step:
    return after(
        lambda key: ev.OrderSettled(
            account="paper", client_order_id=key, venue_order_id="v2", status=status, reason="asked"
        )
    )


def fills(quantity: int) -> Step:
    return lambda history: history.fill("o1", quantity)


LIVES: dict[str, tuple[list[Step], str]] = {
    "intended": ([], "CREATED"),
    "sent": ([SENT], "PENDING_NEW"),
    "accepted": ([SENT, ACCEPTED], "NEW"),
    "filled before it was accepted": ([SENT, fills(4), ACCEPTED], "PARTIALLY_FILLED"),
    "one short of filled": ([SENT, ACCEPTED, fills(9)], "PARTIALLY_FILLED"),
    "filled": ([SENT, ACCEPTED, fills(4), fills(6)], "FILLED"),
    "filled beyond its quantity": ([SENT, ACCEPTED, fills(11)], "FILLED"),
    "rejected": ([SENT, REJECTED], "REJECTED"),
    "unclear": ([SENT, UNCLEAR], "UNKNOWN"),
    "asked about": ([SENT, UNCLEAR, QUERIED], "UNKNOWN"),
    "unclear, then settled as working": ([SENT, UNCLEAR, settled(S.NEW)], "NEW"),
    "unclear, then settled as rejected": ([SENT, UNCLEAR, settled(S.REJECTED)], "REJECTED"),
    "unclear and to be cancelled": ([SENT, UNCLEAR, CANCEL], "UNKNOWN"),
    "being cancelled": ([SENT, ACCEPTED, CANCEL], "PENDING_CANCEL"),
    "filled in part while being cancelled": (
        [SENT, ACCEPTED, CANCEL, fills(4)],
        "PENDING_CANCEL",
    ),
    "cancel refused": ([SENT, ACCEPTED, CANCEL, REFUSED], "NEW"),
    "cancelled": ([SENT, ACCEPTED, CANCEL, CANCELED], "CANCELED"),
    "filled in part after the cancel": (
        [SENT, ACCEPTED, CANCEL, CANCELED, fills(4)],
        "CANCELED",
    ),
    "filled wholly after the cancel": ([SENT, ACCEPTED, CANCELED, fills(10)], "FILLED"),
    "expired": ([SENT, ACCEPTED, EXPIRED], "EXPIRED"),
    "being replaced": ([SENT, ACCEPTED, REPLACE], "PENDING_REPLACE"),
    "replaced": ([SENT, ACCEPTED, REPLACE, REPLACED], "NEW"),
    "replaced, one filled of four": (
        [SENT, ACCEPTED, fills(1), REPLACE, REPLACED],
        "PARTIALLY_FILLED",
    ),
    "replaced by what is filled already": ([SENT, ACCEPTED, fills(4), REPLACE, REPLACED], "FILLED"),
}


@pytest.mark.parametrize("name", LIVES)
def test_the_row_follows_the_order(name: str) -> None:
    """Status by hand, and status, quantity, filled and ids as the state folds them (U-20)."""
    steps, status = LIVES[name]
    history = History()
    history.order("o1", "AAPL")
    for step in steps:
        step(history)
    row = Tables(history).one("orders")
    assert row["status"] == status
    agrees(row, history)


def agrees(row: dict[str, Any], history: History) -> None:
    order = history.book.order(row["client_order_id"])
    assert order is not None
    assert row["status"] == order.status
    assert Decimal(row["filled"]) == order.filled
    assert Decimal(row["quantity"]) == order.quantity
    assert row["venue_order_id"] == order.venue_order_id
    assert row["reject_code"] == order.reject_code
    assert row["updated_at"] == order.updated_at
    if order.average_price is not None:
        assert Decimal(row["average_price"]) == order.average_price


MOVES: dict[OrderStatus, Step] = {
    S.PENDING_NEW: SENT,
    S.NEW: ACCEPTED,
    S.PARTIALLY_FILLED: fills(1),
    S.FILLED: fills(10),
    S.PENDING_CANCEL: CANCEL,
    S.CANCELED: CANCELED,
    S.PENDING_REPLACE: REPLACE,
    S.REJECTED: REJECTED,
    S.EXPIRED: EXPIRED,
    S.SUSPENDED: settled(S.SUSPENDED),
    S.UNKNOWN: UNCLEAR,
}


@given(st.lists(st.sampled_from(sorted(MOVES)), max_size=8))
def test_any_legal_walk_gives_the_row_the_state_has(walk: list[OrderStatus]) -> None:
    history = History()
    history.order("o1", "AAPL")
    for target in walk:
        order = history.book.order("o1")
        assert order is not None
        if target in TRANSITIONS[order.status]:
            MOVES[target](history)
    agrees(Tables(history).one("orders"), history)


def test_an_event_for_an_order_nobody_knows_changes_nothing() -> None:
    history = History()
    for step in (SENT, ACCEPTED, REJECTED, UNCLEAR, CANCEL, CANCELED, EXPIRED, REPLACED):
        step(history)
    assert Tables(history).rows("orders") == []


def test_an_adopted_order_has_a_row_with_the_venue_s_status() -> None:
    history = History()
    adopted = history.new_order("theirs", "AAPL")
    state = VenueState(status=S.NEW, venue_order_id="v9")
    history.add(ev.OrderAdopted(terms=adopted, state=state))
    row = Tables(history).one("orders")
    assert (row["status"], row["venue_order_id"]) == ("NEW", "v9")


# --- fills ---------------------------------------------------------------------------------------


def test_a_fill_has_its_row_and_comes_once() -> None:
    """Unique by broker and execution id (A-405): a second report of it changes nothing."""
    history = History()
    history.order("o1", "AAPL")
    history.fill("o1", 4, "167.41", execution="x1")
    tables = Tables(history)
    orders, trade = tables.rows("orders"), tables.rows("trade_executions")
    again = ev.Record(4, START, history.records[-1].event)
    tables.write([again])
    assert tables.one("fills") == tables.one("fills") | {
        "execution_id": "x1",
        "client_order_id": "o1",
        "quantity": "4",
        "price": "167.41",
        "commission": "0.35",
        "liquidity": "taker",
    }
    assert (tables.rows("orders"), tables.rows("trade_executions")) == (orders, trade)


def test_the_same_execution_id_at_two_brokers_is_two_fills() -> None:
    history = History()
    history.order("o1", "AAPL")
    history.fill("o1", 4, execution="x1")
    history.fill("o1", 4, execution="x1", account="other")
    assert len(Tables(history).rows("fills")) == 2


# --- trades --------------------------------------------------------------------------------------


def closing(history: History, key: str) -> ev.PositionClosed:
    """The round trip that the last fill of the order ended, made by the state's own rule."""
    position = history.book.holding("paper", "AAPL")
    fill = history.records[-1].event
    assert isinstance(fill, ev.OrderFilled)
    before = Tables(history).one("trade_executions", "held = '0' AND status = 'open'")
    replay = lives.History()
    for record in history.records[:-1]:
        replay.add(record.event)
    held = replay.book.holding("paper", "AAPL")
    closed = change(held, fill.fill, Decimal(1), history.book.order(key)).closed
    assert closed is not None
    assert closed.position_id == before["position_id"]
    assert position is None or position.position_id != closed.position_id
    trade = round_trip(
        closed,
        fill.fill,
        asset_class=AssetClass.STOCK,
        reason=ExitReason.TARGET,
        detail="2R",
        mae=Decimal("-0.001"),
        mfe=Decimal("0.01"),
    )
    return ev.PositionClosed(account="paper", trade=trade)


def test_a_trade_is_there_from_its_first_fill() -> None:
    """A-391, A-396, D-27: with its signal, whatever happens next; keyed by the position's id."""
    history = History()
    history.signal("s-1", "AAPL", orders=["o1"])
    history.order("o1", "AAPL", signal_id="s-1", signal_type="cloud_flip", timeframe="10m")
    history.fill("o1", 4, "167.40")
    history.fill("o1", 6, "167.50")
    row = Tables(history).one("trade_executions")
    position = history.book.holding("paper", "AAPL")
    assert position is not None
    assert row == row | {
        "status": "open",
        "ticker": "AAPL",
        "direction": "long",
        "trade_type": "day",
        "shares": "10",
        "held": "10",
        "entry_price": "167.46",
        "stop_loss": "166.9",
        "conviction": 80,
        "signal_id": "s-1",
        "signal_type": "cloud_flip",
        "timeframe": "10m",
        "origin": "bot",
        "fees": "0.7",
        "order_id": "o1",
        "position_id": position.position_id,
        "exit_price": None,
        "pnl": None,
    }
    assert msgspec.json.decode(row["metadata_json"]) == {
        "cloud_states": [{"cloud": "pullback", "up": True}],
        "metadata": {"seen": "twice"},
    }


def test_a_finished_trade_is_written_over_its_open_row() -> None:
    history = History()
    history.life("o1", "AAPL", signal_id="s-1")
    history.order("o2", "AAPL", side=Side.SELL, purpose=Purpose.EXIT)
    history.fill("o2", 4, "168.40")
    assert Tables(history).one("trade_executions")["held"] == "6"
    history.fill("o2", 6, "168.40")
    closed = closing(history, "o2")
    history.add(closed)
    row = Tables(history).one("trade_executions")
    trade = closed.trade
    assert row == row | {
        "status": "closed",
        "shares": "10",
        "entry_price": "167.4",
        "exit_price": "168.4",
        "pnl": "8.95",
        "fees": "1.05",
        "exit_reason": "target",
        "exit_detail": "2R",
        "position_id": trade.position_id,
        "trade_id": trade.trade_id,
        "held": "0",
        "entry_time": "2013-10-07T13:30:05.000000000Z",
        "exit_time": "2013-10-07T13:30:08.000000000Z",
    }
    assert len(msgspec.json.decode(row["legs_json"])) == 3


def test_a_fill_beyond_flat_closes_one_row_and_opens_the_other_side() -> None:
    """D-42."""
    history = History()
    history.life("o1", "AAPL")
    history.order("o2", "AAPL", quantity=15, side=Side.SELL, purpose=Purpose.EXIT)
    history.fill("o2", 15, "168.40")
    history.add(closing(history, "o2"))
    long, short = Tables(history).rows("trade_executions")
    position = history.book.holding("paper", "AAPL")
    assert position is not None
    assert (long["status"], long["direction"], long["shares"]) == ("closed", "long", "10")
    assert (short["status"], short["direction"], short["held"]) == ("open", "short", "-5")
    assert short["position_id"] == position.position_id
    assert Decimal(long["fees"]) + Decimal(short["fees"]) == Decimal("0.70")


def test_a_finished_trade_without_an_open_row_is_kept_all_the_same() -> None:
    """A-391: no trade without a row."""
    history = History()
    history.life("o1", "AAPL")
    history.order("o2", "AAPL", side=Side.SELL)
    history.fill("o2", 10)
    closed = closing(history, "o2")
    tables = Tables()
    tables.write([ev.Record(1, START, closed)])
    assert tables.one("trade_executions")["status"] == "closed"


def test_a_manual_trade_is_told_by_its_origin() -> None:
    """X-25."""
    history = History()
    history.life("o1", "AAPL", purpose=Purpose.MANUAL)
    assert Tables(history).one("trade_executions")["origin"] == "manual"


def adjust(quantity: int, previous: int) -> ev.PositionAdjusted:
    return ev.PositionAdjusted(
        symbol="AAPL",
        account="paper",
        quantity=Decimal(quantity),
        price=Decimal(167),
        multiplier=Decimal(1),
        previous=Decimal(previous),
        reason="the venue holds it",
        by="reconcile",
    )


def test_a_holding_only_the_venue_knew_is_a_trade_of_its_own() -> None:
    history = History()
    history.add(adjust(-5, 0))
    row = Tables(history).one("trade_executions")
    position = history.book.holding("paper", "AAPL")
    assert position is not None
    assert (row["direction"], row["shares"], row["origin"]) == ("short", "5", "venue")
    assert row["position_id"] == position.position_id


@pytest.mark.parametrize(
    ("quantity", "states"),
    [(4, [("open", "4")]), (0, [("cancelled", "0")]), (-3, [("cancelled", "0"), ("open", "-3")])],
)
def test_an_adjustment_moves_shrinks_or_ends_the_row(
    quantity: int, states: list[tuple[str, str]]
) -> None:
    history = History()
    history.life("o1", "AAPL")
    history.add(adjust(quantity, 10))
    rows = Tables(history).rows("trade_executions")
    assert [(row["status"], row["held"]) for row in rows] == states


# --- days ----------------------------------------------------------------------------------------


def test_a_day_is_written_at_a_kill_and_again_at_its_close() -> None:
    """A-407: one row by account and date, the later one stands."""
    history = History()
    history.day("2013-10-07", "99000", kill_switch_triggered=True, final=False)
    tables = Tables(history)
    assert tables.one("daily_pnl")["final"] == 0
    tables.write(history.day("2013-10-07", "99500", kill_switch_triggered=True))
    tables.write(history.day("2013-10-08", "99600"))
    first, second = tables.rows("daily_pnl")
    assert (first["ending_equity"], first["final"], first["kill_switch_triggered"]) == (
        "99500",
        1,
        1,
    )
    assert second["date"] == "2013-10-08"
    assert (first["realized_pnl"], first["max_drawdown"], first["account_id"]) == (
        "-500",
        "0.01",
        "acct",
    )


# --- signals -------------------------------------------------------------------------------------


def test_a_rejected_signal_ends_at_its_verdict() -> None:
    history = History()
    history.signal("s-1", "AAPL", Verdict.REJECTED, "DAILY_LOSS")
    row = Tables(history).one("signals")
    assert row == row | {
        "signal_id": "s-1",
        "symbol": "AAPL",
        "outcome": "REJECTED",
        "stage": "risk_assessment",
        "code": "DAILY_LOSS",
        "measured": "0.04",
        "limit": "0.02",
        "reason": "because",
        "client_order_ids": "[]",
    }


def test_an_accepted_signal_has_no_outcome_until_it_ends() -> None:
    history = History()
    history.signal("s-1", "AAPL", orders=["o1"])
    tables = Tables(history)
    row = tables.one("signals")
    assert (row["outcome"], row["verdict"], row["client_order_ids"]) == (None, "ACCEPTED", '["o1"]')
    tables.write(history.ended("s-1", Outcome.CANCELLED, "ORDER_TIMEOUT"))
    assert tables.one("signals")["outcome"] == "CANCELLED"
    tables.write(history.ended("s-1", Outcome.EXECUTED))
    row = tables.one("signals")
    assert (row["outcome"], row["code"], row["stage"]) == ("EXECUTED", "", "completed")


def test_an_input_that_could_not_be_read_is_one_rejected_row() -> None:
    history = History()
    history.add(ev.InputRejected(source="signals.jsonl", input_id="", reason="not JSON", line=7))
    row = Tables(history).one("signals")
    assert (row["outcome"], row["code"], row["stage"]) == ("REJECTED", "INVALID_INPUT", "intake")
    assert row["reason"] == "not JSON"


def test_an_id_that_is_offered_twice_has_two_rows_and_two_ends() -> None:
    """One outcome an input: a duplicate takes nothing from the first."""
    history = History()
    history.signal("s-1", "AAPL", orders=["o1"])
    history.signal("s-1", "AAPL", Verdict.REJECTED, "DUPLICATE_SIGNAL")
    history.ended("s-1", Outcome.EXECUTED)
    first, second = Tables(history).rows("signals")
    assert (first["outcome"], second["outcome"]) == ("EXECUTED", "REJECTED")
    assert second["code"] == "DUPLICATE_SIGNAL"


def test_outcomes_count_one_an_input_and_name_the_code() -> None:
    history = History()
    history.signal("s-1", "AAPL", orders=["o1"])
    history.ended("s-1", Outcome.EXECUTED)
    history.signal("s-2", "AAPL", Verdict.REJECTED, "DAILY_LOSS")
    history.signal("s-3", "AAPL", Verdict.REJECTED, "DAILY_LOSS")
    history.signal("s-4", "AAPL", orders=["o4"])
    history.add(ev.InputRejected(source="", input_id="s-5", reason="bad"))
    counts = {row["code"]: row["inputs"] for row in Tables(history).rows("outcomes")}
    assert counts == {"EXECUTED": 1, "DAILY_LOSS": 2, "INVALID_INPUT": 1}


# --- dead letters --------------------------------------------------------------------------------


def test_a_dead_letter_stays_open_until_a_person_acts() -> None:
    history = History()
    order = history.new_order("o1", "AAPL")
    history.add(ev.DeadLettered(letter_id="d1", terms=order, error="no route"))
    tables = Tables(history)
    assert tables.one("dead_letters")["action"] is None
    tables.write(
        history.add(ev.DeadLetterClosed(account="paper", letter_id="d1", action="drop", by="me"))
    )
    row = tables.one("dead_letters")
    assert (row["action"], row["closed_by"], row["error"]) == ("drop", "me", "no route")


# --- rebuilding ----------------------------------------------------------------------------------


def everything() -> History:
    """A history that touches every table."""
    history = History()
    history.signal("s-1", "AAPL", orders=["o1"])
    history.life("o1", "AAPL", signal_id="s-1")
    history.ended("s-1", Outcome.EXECUTED)
    history.order("o2", "AAPL", quantity=15, side=Side.SELL, purpose=Purpose.EXIT)
    history.fill("o2", 15, "168.40")
    history.add(closing(history, "o2"))
    history.signal("s-2", "MSFT", Verdict.REJECTED, "DAILY_LOSS")
    history.add(ev.InputRejected(source="", input_id="", reason="bad"))
    history.add(adjust(-2, -5))
    history.day("2013-10-07", "100010")
    order = history.new_order("o3", "XOM")
    history.add(ev.DeadLettered(letter_id="d1", terms=order, error="no route"))
    history.note()
    return history


def dump(database: sqlite3.Connection) -> dict[str, list[Any]]:
    return {t: database.execute(f"SELECT * FROM {t}").fetchall() for t in stored.TABLES}


def test_rebuilt_tables_equal_those_kept_as_it_happened() -> None:
    history = everything()
    tables = Tables()
    for record in history.records:
        tables.write([record])
    kept = dump(tables.database)
    assert all(rows for table, rows in kept.items() if table != "stale_projections")
    for table in stored.TABLES:
        tables.database.execute(f"DELETE FROM {table}")
    stored.rebuild(tables.database)
    assert dump(tables.database) == kept
    assert dump(Tables(history).database) == kept, "grouped as one transaction"


def test_rebuilding_walks_pages_and_repairs_what_was_changed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stored, "PAGE", 3)
    tables = Tables(everything())
    kept = dump(tables.database)
    tables.database.execute("UPDATE orders SET status = 'NEW'")
    assert stored.differing(tables.database, Tables(everything()).database) == ("orders",)
    stored.rebuild(tables.database)
    assert dump(tables.database) == kept


def test_each_row_keeps_the_mode_and_account_of_its_time() -> None:
    database = memory_database()
    history = History()
    started = history.records[0].event
    assert isinstance(started, ev.EngineStarted)
    history.life("o1", "AAPL")
    again = msgspec.structs.replace(started, mode=Mode.SHADOW, accounts={"paper": "two"})
    history.add(again)
    history.life("o2", "MSFT")
    open_journal(database, inline=True).append(history.records)
    stored.rebuild(database)
    rows = database.execute("SELECT client_order_id, mode, account_id FROM orders").fetchall()
    assert rows == [("o1", "paper", "acct"), ("o2", "shadow", "two")]


def test_an_event_no_table_can_take_is_kept_and_named() -> None:
    """The event is the truth: a table that refuses its row must not stop the journal."""
    history = History()
    history.life("o1", "AAPL")
    odd = history.new_order("o2", "MSFT")
    odd = msgspec.structs.replace(odd, conviction=2**70)
    history.add(ev.OrderIntended(terms=odd))
    history.life("o3", "XOM")
    tables = Tables(history)
    assert [row["client_order_id"] for row in tables.rows("orders")] == ["o1", "o3"]
    stale = tables.one("stale_projections")
    assert (stale["seq"], stale["type"]) == (6, "orders")
    assert "OverflowError" in stale["error"]
    assert verify_connection(tables.database).ok
    kept = dump(tables.database)
    stored.rebuild(tables.database)
    assert dump(tables.database) == kept


@pytest.mark.parametrize(("kind", "version"), [("MoonLanded", 1), ("OrderIntended", 3)])
def test_an_event_of_a_later_program_is_named_and_the_tables_stay(kind: str, version: int) -> None:
    """DESIGN, Journal: a journal written by a newer program is refused with a sentence."""
    history = everything()
    tables = Tables(history)
    kept = dump(tables.database)
    tables.database.execute(
        "INSERT INTO events VALUES (?, 0, 'paper', '', ?, '{}', x'00', x'00', ?, '')",
        (len(history.records) + 1, kind, version),
    )
    with pytest.raises(JournalNewer, match=f"{kind}.* newer program"):
        stored.rebuild(tables.database)
    assert dump(tables.database) == kept
