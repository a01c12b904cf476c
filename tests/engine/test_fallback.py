"""An entry that its account did not take goes to the fallback, once (A-240 to A-242, X-44)."""

from decimal import Decimal
from typing import Any, ClassVar

import msgspec
import pytest

from brokers.paper.settings import PaperConfig
from engine.analytics.status import status_of
from engine.config.venue import VenueKind
from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.account import Account
from engine.domain.codes import Answer, Code, Outcome, Verdict
from engine.domain.inputs import GateClosed, QueryAnswered, SendAgain, Sending, SubmitFailed
from engine.domain.instrument import AssetClass
from engine.domain.order import OrderStatus, OrderTerms, OrderType, Purpose, Side
from engine.domain.run import CircuitState, Halt, LinkState, Mode, Phase, Trigger
from engine.ports import (
    Ambiguous,
    AuthFailed,
    BrokerError,
    LinkReport,
    MarketClosed,
    NotSent,
    OrderReport,
    Rejected,
    Throttled,
)
from engine.state.book import Book
from tests.configs import built, from_mapping
from tests.engine.driver import CoreDriver, kinds, one
from tests.engine.worlds import ACCOUNT, AXION, BROKER, config_of, signal

D = Decimal
SECOND = "second"
TREE: dict[str, Any] = {
    **AXION,
    "account": {"fallback": SECOND},
    "brokers": {SECOND: {"kind": "paper"}},
}
CONFIG = config_of(**TREE)


class Two(CoreDriver):
    """The core with two accounts of 50,000 each, the second of which is the fallback."""

    def __init__(self, config: Any = CONFIG, *, power: str = "50000") -> None:
        super().__init__(config, others=(SECOND,), running=False)
        self.event(
            ev.EngineStarted(
                mode=Mode.PAPER,
                profile=str(config.profile),
                config_digest="",
                version="test",
                accounts={BROKER: ACCOUNT, SECOND: SECOND},
                primary=BROKER,
            )
        )
        for name, able in ((BROKER, "50000"), (SECOND, power)):
            self.event(ev.LinkChanged(account=name, state=LinkState.CONNECTED, detail=""))
            self.told(name, able)
        self.session("100000")
        for name in (BROKER, SECOND):
            compared = ev.Reconciled(
                account=name, reason="start", clean=True, differences=(), matched=0
            )
            self.event(compared)
        self.event(ev.PhaseChanged(phase=Phase.RUNNING, reason="test"))
        self.price("NVDA", "100")

    def told(self, name: str, power: str) -> None:
        """What an account of 50,000 may still spend."""
        balances = Account(
            account_id=name, cash=D(50000), equity=D(50000), buying_power=D(power), as_of=self.now
        )
        self.event(ev.AccountSynced(account=name, balances=balances))

    def enter(self) -> OrderTerms:
        """A signal's entry that was handed to the account of its route."""
        self.signal(signal("NVDA", entry="100", stop="95"))
        order = self.last(Purpose.ENTRY)
        assert order.account == BROKER
        self.give(Sending(order.account, order.client_order_id))
        return order

    def fails(self, order: OrderTerms, error: BrokerError) -> list[ev.Event]:
        """Its account says this to the order."""
        return self.give(SubmitFailed(order.account, order.client_order_id, error))

    def cut(self, seconds: float = 6) -> None:
        """The link of the first account is down for so long."""
        self.drop(BROKER)
        self.tick(seconds)
        self.price("NVDA", "100")

    def drop(self, name: str) -> None:
        """The link of an account breaks."""
        self.give(
            LinkReport(
                account=name, state=LinkState.DISCONNECTED, detail="reset by peer", time=self.now
            )
        )

    @property
    def second(self) -> list[OrderTerms]:
        """What was decided for the fallback."""
        orders = [event.terms for event in self.of(ev.OrderIntended)]
        return [order for order in orders if order.account == SECOND]

    def alarms(self, code: str) -> list[str]:
        return [event.text for event in self.of(ev.Alarmed) if event.code == code]


DEFINITE: dict[str, BrokerError] = {
    "not sent after its retries": NotSent("connect refused"),
    "asked to wait for longer than an entry waits": Throttled("slower", 60.0),
    "credentials refused": AuthFailed("the key is unknown"),
    "no orders at this hour": MarketClosed("maintenance"),
}


@pytest.mark.parametrize("error", DEFINITE.values(), ids=DEFINITE)
def test_A242_what_the_first_account_definitely_did_not_take_is_an_order_in_the_second(
    error: BrokerError,
) -> None:
    desk = Two()
    first = desk.enter()
    desk.fails(first, error)
    assert desk.current(first).status is OrderStatus.REJECTED
    (order,) = desk.second
    assert order.intent_id == first.intent_id
    assert order.parent_id == first.client_order_id
    assert order.client_order_id != first.client_order_id
    assert order.signal_id == first.signal_id
    same = ("symbol", "side", "type", "quantity", "limit_price", "stop_loss", "target", "managed",
            "signal_type", "timeframe", "conviction", "purpose", "trade_type")  # fmt: skip
    assert [getattr(order, name) for name in same] == [getattr(first, name) for name in same]
    assert str(error) in str(order.routed)
    assert desk.alarms("FALLBACK") == [
        f"BUY {order.quantity} NVDA goes to the fallback second: {order.routed}"
    ]
    assert not desk.of(ev.DeadLettered), "it goes on: a retry by hand would be a second one"
    assert not desk.of(ev.SignalEnded)


@pytest.mark.parametrize("error", DEFINITE.values(), ids=DEFINITE)
def test_A242_it_is_one_trade_of_the_day_and_its_signal_ends_once(error: BrokerError) -> None:
    desk = Two()
    first = desk.enter()
    desk.fails(first, error)
    session = desk.book.data.session
    assert session is not None
    assert session.entries == 1
    (order,) = desk.second
    fill = msgspec.structs.replace(desk.execution(order, order.quantity, "100"), account=SECOND)
    desk.give(Sending(SECOND, order.client_order_id))
    desk.give(
        OrderReport(
            account=SECOND,
            client_order_id=order.client_order_id,
            venue_order_id="v",
            symbol="NVDA",
            status=OrderStatus.FILLED,
            fill=fill,
            time=desk.now,
        )
    )
    assert [event.outcome for event in desk.of(ev.SignalEnded)] == [
        Outcome.RESIZED if first.resized else Outcome.EXECUTED
    ]
    assert desk.book.holding(BROKER, "NVDA") is None
    held = desk.book.holding(SECOND, "NVDA")
    assert held is not None
    assert held.quantity == order.quantity
    protects = desk.last(Purpose.PROTECT)
    assert protects.account == SECOND, "its stop rests where it is held"


def test_A242_an_answer_that_proves_nothing_never_falls_back() -> None:
    desk = Two()
    first = desk.enter()
    desk.fails(first, Ambiguous("no answer"))
    assert desk.current(first).status is OrderStatus.UNKNOWN
    assert desk.second == []
    # Its venue then proves that it never came: still no second order, it was in doubt.
    desk.later(600).price("NVDA", "100")
    desk.give(QueryAnswered(BROKER, first.client_order_id, None, (), desk.now))
    assert desk.current(first).status is OrderStatus.REJECTED
    assert desk.second == []
    (ended,) = desk.of(ev.SignalEnded)
    assert ended.code == Code.NOT_SENT


@pytest.mark.parametrize(
    "error", [Rejected("40310000", "insufficient buying power"), Rejected("DUPLICATE_ID", "known")]
)
def test_C266_a_refusal_of_the_order_itself_is_final(error: BrokerError) -> None:
    desk = Two()
    desk.fails(desk.enter(), error)
    assert desk.second == []


def test_A242_what_its_venue_told_of_does_not_fall_back_whatever_an_attempt_says() -> None:
    desk = Two()
    first = desk.enter()
    desk.report(first, OrderStatus.NEW)
    desk.fails(first, AuthFailed("the key was withdrawn"))
    assert desk.second == []


def test_rule_1_an_order_in_doubt_in_the_symbol_keeps_another_from_falling_back() -> None:
    desk = Two()
    desk.place(Side.BUY, 3)
    other = desk.last(Purpose.MANUAL)
    desk.give(Sending(BROKER, other.client_order_id))
    desk.place(Side.BUY, 4)
    order = desk.last(Purpose.MANUAL)
    desk.give(Sending(BROKER, order.client_order_id))
    desk.fails(other, Ambiguous("no answer"))
    desk.fails(order, NotSent("connect refused"))
    assert desk.current(order).status is OrderStatus.REJECTED
    assert desk.second == []
    assert [letter.letter_id for letter in desk.of(ev.DeadLettered)] == [order.client_order_id]


def test_A242_the_second_account_falls_back_to_nobody() -> None:
    desk = Two()
    desk.fails(desk.enter(), NotSent("connect refused"))
    (order,) = desk.second
    desk.give(Sending(SECOND, order.client_order_id))
    desk.fails(order, NotSent("connect refused"))
    assert len(desk.of(ev.OrderIntended)) == 2
    assert [letter.letter_id for letter in desk.of(ev.DeadLettered)] == [order.client_order_id]
    (ended,) = desk.of(ev.SignalEnded)
    assert (ended.outcome, ended.code) == (Outcome.REJECTED, Code.NOT_SENT)


def test_A242_the_second_accounts_own_gate_is_asked_as_it_is_then() -> None:
    desk = Two()
    first = desk.enter()
    desk.later(30)  # the price is older than 15 s by now
    desk.fails(first, NotSent("connect refused"))
    assert desk.second == []
    (text,) = desk.alarms("FALLBACK_REFUSED")
    assert "second does not take it either: STALE_QUOTE" in text
    assert [letter.letter_id for letter in desk.of(ev.DeadLettered)] == [first.client_order_id]
    assert one(desk.seen, ev.SignalEnded).outcome is Outcome.REJECTED


def test_X79_a_second_account_that_can_pay_for_less_gets_less_and_never_more() -> None:
    poor = Two(power="3000")
    first = poor.enter()
    poor.fails(first, NotSent("connect refused"))
    (order,) = poor.second
    # 3,000 at 100 and a tenth of a percent for slippage and one for the commission
    assert 0 < order.quantity < first.quantity
    assert order.quantity * D("100.1") <= 3000
    assert order.resized

    richer = Two()
    first = richer.enter()
    richer.account("100000")  # twice the equity: sized anew it would be more
    richer.fails(first, NotSent("connect refused"))
    (order,) = richer.second
    assert order.quantity == first.quantity


def test_X24_a_persons_number_is_never_made_smaller() -> None:
    desk = Two(power="3000")
    desk.place(Side.BUY, 100, protect=D(95))
    first = desk.last(Purpose.MANUAL)
    desk.give(Sending(BROKER, first.client_order_id))
    desk.fails(first, NotSent("connect refused"))
    assert desk.second == []
    assert "BUYING_POWER" in desk.alarms("FALLBACK_REFUSED")[0]


def test_a_persons_order_falls_back_and_one_that_names_its_account_does_not() -> None:
    for broker, expected in (("", 1), (BROKER, 0)):
        desk = Two()
        fields: dict[str, Any] = {"type": OrderType.LIMIT, "limit_price": D(99), "broker": broker}
        desk.place(Side.BUY, 10, protect=D(95), target=D(120), **fields)
        first = desk.last(Purpose.MANUAL)
        desk.give(Sending(BROKER, first.client_order_id))
        desk.fails(first, NotSent("connect refused"))
        assert len(desk.second) == expected
        assert len(desk.of(ev.DeadLettered)) == 1 - expected
        for order in desk.second:
            same = ("symbol", "side", "type", "quantity", "limit_price", "stop_loss", "target",
                    "intent_id", "purpose", "time_in_force")  # fmt: skip
            assert [getattr(order, n) for n in same] == [getattr(first, n) for n in same]


def test_rule_3_what_reduces_goes_to_the_account_that_holds_and_nowhere_else() -> None:
    desk = Two()
    order = desk.enter()
    desk.accept(order).filled(order, order.quantity, "100")
    desk.cut()
    desk.place(Side.SELL, 5)
    desk.give(ask.ClosePosition(by="me", symbol="NVDA"))
    assert desk.second == []
    reducing = [e.terms for e in desk.of(ev.OrderIntended) if e.terms.reduce_only]
    assert {order.account for order in reducing} == {BROKER}


def test_a_halt_keeps_it_from_the_fallback_too() -> None:
    desk = Two()
    first = desk.enter()
    desk.give(ask.Kill(by="me"))
    desk.give(GateClosed(BROKER, first.client_order_id))
    assert desk.second == []
    desk = Two()
    first = desk.enter()
    halt = ask.Kill(by="me")
    desk.give(halt)
    assert isinstance(desk.book.data.halt, Halt)
    desk.fails(first, NotSent("connect refused"))
    assert desk.second == []


def test_A242_a_cancel_of_what_went_on_in_the_fallback_ends_it_there() -> None:
    """Whoever asked for the order knows it by its first id."""
    for left in (False, True):
        desk = Two()
        first = desk.enter()
        desk.fails(first, NotSent("connect refused"))
        (order,) = desk.second
        if left:
            desk.give(Sending(SECOND, order.client_order_id))
        desk.give(ask.CancelOrder(by="me", client_order_id=first.client_order_id))
        assert not desk.of(ev.CommandRefused)
        assert desk.current(order).cancel_wanted or desk.current(order).status.is_terminal
        desk.give(SubmitFailed(SECOND, order.client_order_id, NotSent("connect refused")))
        assert desk.current(order).status is OrderStatus.CANCELED
        desk.give(ask.CancelOrder(by="me", client_order_id=first.client_order_id))
        (refused,) = desk.of(ev.CommandRefused)
        assert refused.reason == f"no working order has the id {first.client_order_id}"


# --- where the first account took it after all ----------------------------------------------------


def told_of(
    desk: Two, order: OrderTerms, status: OrderStatus, account: str = BROKER
) -> OrderReport:
    """The account's venue tells of an order, with its fill where it has filled; what it told."""
    fill = None
    if status is OrderStatus.FILLED:
        fill = msgspec.structs.replace(
            desk.execution(order, order.quantity, "100"), account=account
        )
    report = OrderReport(
        account=account,
        client_order_id=order.client_order_id,
        venue_order_id="v",
        symbol="NVDA",
        status=status,
        fill=fill,
        time=desk.now,
    )
    desk.give(report)
    return report


@pytest.mark.parametrize("status", [OrderStatus.NEW, OrderStatus.FILLED])
@pytest.mark.parametrize("error", DEFINITE.values(), ids=DEFINITE)
def test_A242_a_venue_that_refused_and_took_it_all_the_same_ends_the_order_in_the_fallback(
    error: BrokerError, status: OrderStatus
) -> None:
    """Before it left, it never does; one that works there is cancelled."""
    for left in (False, True):
        desk = Two()
        first = desk.enter()
        desk.fails(first, error)
        (order,) = desk.second
        if left:
            desk.give(Sending(SECOND, order.client_order_id))
            told_of(desk, order, OrderStatus.NEW, SECOND)
        told = told_of(desk, first, status)
        (asked,) = desk.of(ev.CancelRequested)
        assert (asked.account, asked.client_order_id) == (SECOND, order.client_order_id)
        assert desk.current(order).status is not OrderStatus.CREATED, "it does not leave any more"
        (text,) = desk.alarms("TAKEN_TWICE")
        assert first.client_order_id in text and order.client_order_id in text  # noqa: PT018
        desk.give(told)
        assert len(desk.of(ev.CancelRequested)) == 1, "told again, it is nothing new"
        assert len(desk.alarms("TAKEN_TWICE")) == 1


def test_A242_so_does_a_list_that_shows_the_refused_order() -> None:
    desk = Two()
    first = desk.enter()
    desk.fails(first, NotSent("connect refused"))
    (order,) = desk.second
    desk.snapshot()
    assert not desk.of(ev.CancelRequested)
    desk.snapshot(orders=(msgspec.structs.replace(desk.works(first), status=OrderStatus.NEW),))
    (asked,) = desk.of(ev.CancelRequested)
    assert asked.client_order_id == order.client_order_id


def test_A242_where_both_accounts_have_filled_that_is_told_once() -> None:
    desk = Two()
    first = desk.enter()
    desk.fails(first, NotSent("connect refused"))
    (order,) = desk.second
    desk.give(Sending(SECOND, order.client_order_id))
    told_of(desk, order, OrderStatus.FILLED, SECOND)
    assert not desk.alarms("TAKEN_TWICE")
    told = told_of(desk, first, OrderStatus.FILLED)
    for again in (told, msgspec.structs.replace(told, fill=None)):
        desk.give(again)
        (text,) = desk.alarms("TAKEN_TWICE")
        assert text.endswith(f"{order.quantity} and {order.quantity} NVDA filled")
    for name in (BROKER, SECOND):
        held = desk.book.holding(name, "NVDA")
        assert held is not None, "what has filled is held, and protected"
        stops = [e.terms.account for e in desk.of(ev.OrderIntended) if e.terms.protects]
        assert name in stops


def test_A242_a_refusal_that_is_told_again_takes_nothing_back() -> None:
    desk = Two()
    first = desk.enter()
    desk.fails(first, MarketClosed("maintenance"))
    for status in (OrderStatus.REJECTED, OrderStatus.CANCELED, OrderStatus.EXPIRED):
        told_of(desk, first, status)
    assert not desk.of(ev.CancelRequested)
    assert len(desk.second) == 1


# --- where nothing was sent -----------------------------------------------------------------------


def test_A240_an_account_that_cannot_be_reached_is_passed_over_when_the_signal_comes() -> None:
    desk = Two()
    desk.cut()
    desk.signal(signal("NVDA", entry="100", stop="95", at=desk.now))
    verdict = one(desk.seen, ev.SignalDecided)
    assert verdict.verdict is not Verdict.REJECTED
    first, *rest = verdict.checks
    assert (first.code, first.answer) == (Code.FALLBACK, Answer.PASS)
    assert (first.measured, first.limit) == (f"{BROKER}: NO_ACCOUNT", SECOND)
    assert len(rest) > 20, "the whole gate of the second account"
    assert "It goes to the fallback second, as paper does not take it: paper is DISCONNECTED" in (
        verdict.reason
    )
    (order,) = desk.second
    assert verdict.client_order_ids == (order.client_order_id,)
    assert not order.parent_id
    assert desk.of(ev.OrderIntended)[0].account == SECOND
    assert len(desk.alarms("FALLBACK")) == 1


def test_A240_so_is_one_whose_breaker_is_open_or_whose_credentials_are_refused() -> None:
    open_ = Two()
    moved = ev.CircuitMoved(
        account=BROKER, state=CircuitState.OPEN, failures=5, until=open_.now + 60 * 10**9
    )
    open_.event(moved)
    barred = Two()
    barred.event(ev.Restricted(cause=Trigger.BROKER_LOST, reason="credentials", account=BROKER))
    for desk, code in ((open_, Code.CIRCUIT_OPEN), (barred, Code.NO_ACCOUNT)):
        desk.signal(signal("NVDA", entry="100", stop="95"))
        assert len(desk.second) == 1
        assert one(desk.seen, ev.SignalDecided).checks[0].measured == f"{BROKER}: {code}"


@pytest.mark.parametrize("power", ["0", "50000"])
def test_A240_what_the_gate_refuses_for_another_reason_is_asked_of_nobody_else(power: str) -> None:
    desk = Two()
    desk.told(BROKER, power)
    desk.signal(signal("NVDA", entry="100", stop="95"))
    assert desk.second == []
    assert (one(desk.seen, ev.SignalDecided).verdict is Verdict.REJECTED) is (power == "0")


def test_A240_where_neither_takes_it_the_first_ones_word_stands_with_the_others_behind_it() -> None:
    desk = Two()
    desk.cut()
    desk.drop(SECOND)
    desk.tick(6)
    desk.event(ev.Unrestricted(cause=Trigger.BROKER_LOST, by="test", account=SECOND))
    desk.price("NVDA", "100")
    desk.signal(signal("NVDA", entry="100", stop="95", at=desk.now))
    verdict = one(desk.seen, ev.SignalDecided)
    assert (verdict.verdict, verdict.code) == (Verdict.REJECTED, Code.NO_ACCOUNT)
    assert verdict.checks[-1].code is Code.FALLBACK
    assert verdict.checks[-1].answer is Answer.REJECT
    assert "The fallback second does not take it either: NO_ACCOUNT" in verdict.reason


class StocksConfig(PaperConfig):
    """A venue of ours that trades no coins."""

    asset_classes: ClassVar[frozenset[AssetClass]] = frozenset({AssetClass.STOCK})


@pytest.mark.parametrize(("symbol", "falls"), [("NVDA", True), ("BTC-USD", False)])
def test_A240_what_the_fallback_does_not_trade_stays(symbol: str, *, falls: bool) -> None:
    kinds_ = {**built(), "stocks": VenueKind(settings=StocksConfig, built=True)}
    config = from_mapping({**TREE, "brokers": {SECOND: {"kind": "stocks"}}}, None, kinds_)
    desk = Two(config)
    desk.price(symbol, "100")
    desk.place(Side.BUY, 10, symbol=symbol, protect=D(95))
    order = desk.last(Purpose.MANUAL, symbol)
    desk.give(Sending(BROKER, order.client_order_id))
    desk.fails(order, NotSent("connect refused"))
    assert bool(desk.second) is falls


def test_an_entry_that_another_try_must_not_send_falls_back_where_it_cannot_reach_its_account() -> (
    None
):
    desk = Two()
    first = desk.enter()
    desk.event(
        ev.CircuitMoved(
            account=BROKER, state=CircuitState.OPEN, failures=5, until=desk.now + 60 * 10**9
        )
    )
    desk.give(SendAgain(BROKER, first.client_order_id, NotSent("connect refused")))
    assert desk.current(first).status is OrderStatus.REJECTED
    (order,) = desk.second
    assert order.parent_id == first.client_order_id
    assert not desk.of(ev.DeadLettered)

    desk = Two()
    first = desk.enter()
    desk.give(ask.Pause(by="me"))
    desk.give(SendAgain(BROKER, first.client_order_id, NotSent("connect refused")))
    assert desk.second == [], "a pause is no account that cannot be reached"
    assert len(desk.of(ev.DeadLettered)) == 1


# --- its identity ---------------------------------------------------------------------------------


def test_the_state_folds_to_the_same_from_events_and_says_why_it_is_there() -> None:
    desk = Two()
    desk.fails(desk.enter(), NotSent("connect refused"))
    again = Book.restore(desk.book.snapshot())
    assert again.snapshot() == desk.book.snapshot()
    (order,) = desk.second
    known = again.order_in(SECOND, order.client_order_id)
    assert known is not None
    assert known.routed == "paper did not take it: connect refused"
    (row,) = status_of(desk.world, desk.now)["orders"]
    assert (row["broker"], row["routed"]) == (SECOND, known.routed)
    assert "SignalEnded" not in kinds(desk.seen)


def holds(desk: Two) -> OrderTerms:
    """The first account holds 50 that a person bought, with their stop."""
    desk.place(Side.BUY, 50, protect=D(95))
    order = desk.last(Purpose.MANUAL)
    desk.accept(order).filled(order, 50, "100")
    desk.accept(desk.last(Purpose.PROTECT))
    return order


def test_A242_what_adds_to_a_holding_that_is_out_of_reach_is_opened_nowhere_else() -> None:
    """Two accounts in one symbol are what A-242 forbids: a stop and a close know of one of them."""
    desk = Two()
    holds(desk)
    desk.cut()
    refused = one(desk.place(Side.BUY, 5, protect=D(95)), ev.OrderRefused)
    assert desk.second == []
    assert refused.code == Code.NO_ACCOUNT
    assert refused.reason.startswith("paper is DISCONNECTED")
    assert refused.reason.endswith(
        "It does not go to the fallback second: NVDA is held in paper, or an order in it works "
        "there."
    )
    desk.signal(signal("NVDA", entry="100", stop="95", at=desk.now))
    assert desk.second == []


def test_A242_so_is_what_its_account_does_not_take_while_it_holds_the_symbol() -> None:
    desk = Two()
    holds(desk)
    desk.place(Side.BUY, 5, protect=D(95))
    added = desk.last(Purpose.MANUAL)
    assert added.account == BROKER
    desk.give(Sending(BROKER, added.client_order_id))
    desk.fails(added, NotSent("connect refused"))
    assert desk.second == []
    (text,) = desk.alarms("FALLBACK_REFUSED")
    assert "NVDA is held in paper" in text
    assert len(desk.of(ev.DeadLettered)) == 1, "it is kept for a person, as without a fallback"


def test_A242_an_order_that_works_out_of_reach_may_fill_there_yet() -> None:
    desk = Two()
    desk.place(Side.BUY, 5, type=OrderType.LIMIT, limit_price=D(96), protect=D(90))
    desk.accept(desk.last(Purpose.MANUAL))
    desk.cut()
    desk.place(Side.BUY, 5, protect=D(95))
    assert desk.second == []


def test_A242_who_names_the_fallback_means_it() -> None:
    desk = Two()
    holds(desk)
    desk.cut()
    desk.place(Side.BUY, 5, protect=D(95), broker=SECOND)
    assert [order.quantity for order in desk.second if not order.reduce_only] == [5]


def test_A240_another_symbol_than_the_one_held_falls_back_all_the_same() -> None:
    desk = Two().price("AAPL", "100")
    holds(desk)
    desk.cut()
    desk.price("AAPL", "100")
    desk.place(Side.BUY, 5, symbol="AAPL", protect=D(95))
    assert [order.symbol for order in desk.second] == ["AAPL"]
