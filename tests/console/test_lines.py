"""The journal pane's line of an event: every kind can be shown, whatever its fields hold."""

from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from console.desk.local import LocalDesk
from console.ui.lines import JournalLine, line_of, named
from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.order import OrderType, Side
from engine.domain.position import ExitReason
from engine.domain.run import CircuitState, Level, Trigger
from engine.domain.schema import Decoder
from tests.console.hosts import Host, settle

CANCELS = (ev.CancelRequested, ev.OrderCanceled)
EXAMPLES = Path(__file__).parent.parent / "corpus" / "0.1.0" / "events.jsonl"


class Example(msgspec.Struct):
    """An event as a journal of its version wrote it."""

    type: str
    data: msgspec.Raw


@pytest.mark.parametrize(
    "example",
    [
        pytest.param(msgspec.json.decode(line, type=Example), id=str(number))
        for number, line in enumerate(EXAMPLES.read_bytes().splitlines())
    ],
)
def test_every_event_has_a_line_or_is_silent_and_none_breaks_the_pane(example: Example) -> None:
    event = Decoder("paper").decode(example.type, 1, bytes(example.data))
    line = line_of(event)
    assert line is None or (line.kind and line.text is not None)


@pytest.mark.parametrize(("account", "whose"), [("", ""), ("eur", "eur: ")])
def test_a_restriction_says_whose_it_is(account: str, whose: str) -> None:
    begun = line_of(ev.Restricted(cause=Trigger.BROKER_LOST, reason="no key", account=account))
    ended = line_of(ev.Unrestricted(cause=Trigger.BROKER_LOST, by="ann", account=account))
    assert begun is not None
    assert ended is not None
    assert begun.text == f"{whose}REDUCE ONLY, broker_lost: no key"
    assert ended.text == f"{whose}restriction broker_lost lifted by ann"


def test_a_close_of_a_part_that_is_done_does_not_read_as_a_failure() -> None:
    why = "the part is closed"
    manual = ExitReason.MANUAL
    done = line_of(
        ev.ExitAbandoned(account="", symbol="AAPL", position_id="p", reason=manual, detail=why)
    )
    assert done is not None
    assert (done.kind, done.text) == ("EXIT", "AAPL ended: the part is closed")


@pytest.mark.parametrize(
    ("state", "failures", "text"),
    [
        (CircuitState.CLOSED, 1, "oanda breaker CLOSED, entries pass; 1 failed"),
        (CircuitState.OPEN, 5, "oanda breaker OPEN, no entries; 5 failed"),
        (CircuitState.HALF_OPEN, 5, "oanda breaker HALF_OPEN, one entry is tried; 5 failed"),
    ],
)
def test_a_breaker_says_what_it_lets_through(state: CircuitState, failures: int, text: str) -> None:
    """`entries CLOSED` was told where they passed."""
    moved = line_of(ev.CircuitMoved(account="oanda", state=state, failures=failures))
    assert moved is not None
    assert moved.text == text


@pytest.mark.parametrize(
    ("matched", "failed", "unsettled", "text"),
    [
        (4, False, (), "oanda clean, 4 matched (silence)"),
        (0, False, ("EUR_USD",), "oanda clean, 0 matched, EUR_USD still in flight (silence)"),
        (0, True, (), "oanda could not be compared (silence)"),
    ],
)
def test_a_comparison_that_failed_is_not_told_as_one_without_differences(
    matched: int, failed: bool, unsettled: tuple[str, ...], text: str
) -> None:
    told = line_of(
        ev.Reconciled(
            account="oanda",
            reason="silence",
            clean=not failed,
            differences=(),
            matched=matched,
            failed=failed,
            unsettled=unsettled,
        )
    )
    assert told is not None
    assert told.text == text


@pytest.mark.parametrize(
    ("account", "end"), [("paper", "order XYZ"), ("", "order XYZ"), ("eur", "order XYZ @eur")]
)
def test_x87_a_line_names_the_account_where_it_is_not_the_primary_one(
    account: str, end: str
) -> None:
    line = JournalLine("ORDER", "order XYZ")
    event = ev.OrderSent(account=account, client_order_id="XYZ")
    assert named(line, event, "paper").text == end


def test_x87_a_line_that_says_so_itself_names_the_account_once() -> None:
    event = ev.VenueSilent(account="eur", since=1)
    line = line_of(event)
    assert line is not None
    assert named(line, event, "paper").text == line.text == "eur gives no usable answer"


async def test_a_cancel_and_its_end_give_one_reason() -> None:
    """Fault 15: what the venue calls it is not why it was done."""
    async with Host() as host:
        host.price("AAPL", "100")
        await settle()
        order = ask.PlaceOrder(
            by="t",
            symbol="AAPL",
            side=Side.BUY,
            quantity=Decimal(1),
            type=OrderType.LIMIT,
            limit_price=Decimal(97),
        )
        assert (await host.engine.command(order)).ok
        await host.clock.advance(1)
        await host.engine.command(ask.Kill(by="t", level=Level.HALT))
        await host.clock.advance(1)
        find = LocalDesk(host.engine).view.order
        events = [r.event for r in host.records]
        lines = [line_of(e, find) for e in events if isinstance(e, CANCELS)]
        words = "BUY 1 AAPL LIMIT 97 GTC: halt"
        assert [line.text for line in lines if line] == [f"asked {words}", f"done {words}"]
