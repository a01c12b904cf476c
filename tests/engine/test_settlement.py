"""What the engine makes of a contract that has ended (rule 2, U-10, U-53)."""

from decimal import Decimal

import msgspec
import pytest

from console.virtual import Rehearsal, rehearse
from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.instant import parse_rfc3339
from engine.domain.order import Fill, OrderStatus, Side
from engine.domain.signal import TradeType
from engine.ports import OrderReport
from tests.engine.driver import CoreDriver, one
from tests.engine.worlds import BROKER

D = Decimal
CALL = "AAPL 2013-10-07 480 C"
CASH = 1_000_000
"""So much that two contracts of 480 x 100 are a small share of it."""

AFTER = parse_rfc3339("2013-10-07T20:00:01Z")
"""New York closed a second before, on the last day."""


def execution(desk: CoreDriver, at: str) -> Fill:
    """Two of the call are paid at a price."""
    return Fill(
        execution_id=f"expiry {CALL}",
        client_order_id="",
        account=BROKER,
        symbol=CALL,
        side=Side.SELL,
        quantity=D(2),
        price=D(at),
        time=desk.now,
    )


def paid(desk: CoreDriver, at: str, **changes: object) -> list[ev.Event]:
    """The venue tells an execution of no order."""
    fill = msgspec.structs.replace(execution(desk, at), **changes)
    return desk.give(
        OrderReport(
            account=BROKER,
            client_order_id=fill.client_order_id,
            venue_order_id="",
            symbol=CALL,
            status=OrderStatus.FILLED,
            fill=fill,
            time=desk.now,
        )
    )


@pytest.mark.parametrize(
    # 2 x 5 x 100 were paid
    ("price", "pnl"),
    [("7", 400), ("0.01", -998), ("0", -1_000)],
)
def test_it_closes_the_position_at_its_price_and_takes_a_zero(price: str, pnl: int) -> None:
    desk = CoreDriver(now=AFTER).hold(CALL, 2, "5")
    events = paid(desk, price)
    trade = one(events, ev.PositionClosed).trade
    assert (trade.pnl, trade.exit_price, trade.quantity) == (pnl, D(price), 2)
    assert (trade.exit_reason, trade.exit_detail) == (
        "venue",
        "the contract has expired and was settled",
    )
    assert one(events, ev.Alarmed).code == "CONTRACT_SETTLED"
    assert desk.book.held(CALL) == []
    assert desk.world.money.equity == 100_000 + pnl
    assert paid(desk, price) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"time": parse_rfc3339("2013-10-07T19:59:59Z")},
        {"quantity": D(1)},
        {"side": Side.BUY},
        {"client_order_id": "other"},
        {"price": D("-0.01")},
    ],
    ids=["while it trades", "a part", "more of it", "of an order", "less than nothing"],
)
def test_any_other_fill_without_a_price_is_no_fact(changes: dict[str, object]) -> None:
    desk = CoreDriver(now=AFTER).hold(CALL, 2, "5")
    events = paid(desk, "0", **changes)
    assert one(events, ev.Alarmed).code == "BAD_FILL"
    assert [p.quantity for p in desk.book.held(CALL)] == [2]


def test_a_fill_of_no_order_while_it_trades_is_told_as_before() -> None:
    desk = CoreDriver(now=parse_rfc3339("2013-10-07T19:59:59Z")).hold(CALL, 2, "5")
    assert one(paid(desk, "7"), ev.Alarmed).code == "UNKNOWN_ORDER_FILL"


@pytest.mark.parametrize("heard", [False, True])
def test_a_look_at_the_venue_tells_it_too_and_not_twice(*, heard: bool) -> None:
    """As after a start: the report was lost, or came before."""
    desk = CoreDriver(now=AFTER).hold(CALL, 2, "5")
    desk.snapshot(positions={CALL: 2}, reason="start")
    told = execution(desk, "0")
    if heard:
        paid(desk, "0")
    desk.later(60)
    events = desk.snapshot(positions={}, fills=(told,), cash=desk.book.account(BROKER).cash["USD"])
    assert len([event for event in events if isinstance(event, ev.PositionClosed)]) == (not heard)
    assert one(events, ev.Reconciled).clean
    assert len(desk.of(ev.PositionClosed)) == 1
    assert (desk.book.held(CALL), desk.world.money.equity) == ([], 99_000)


def test_what_is_still_held_afterwards_is_told_once_a_day() -> None:
    """From the opening of the next session on; the portfolio's day is New York's."""
    desk = (
        CoreDriver(now=parse_rfc3339("2013-10-07T13:45:00Z")).hold(CALL, 2, "5").hold("AMD", 1, "5")
    )

    def told(at: str) -> list[str]:
        desk.now = parse_rfc3339(at)
        found = [event for event in desk.tick(0) if isinstance(event, ev.Alarmed)]
        return [event.text for event in found if event.code == "EXPIRED_HOLDING"]

    text = (
        f"2 {CALL} are still held in paper: it traded until 2013-10-07, and the venue has not told "
        "what became of it"
    )
    assert told("2013-10-07T19:59:59Z") == []
    assert told("2013-10-08T13:29:59Z") == []
    assert told("2013-10-08T13:30:00Z") == [text]
    assert told("2013-10-08T13:30:01Z") == []
    assert told("2013-10-09T13:30:00Z") == [text]
    assert desk.book.data.halt is None


@pytest.mark.parametrize(("at_close", "pnl"), [("487", "400"), ("480", "-1000")])
def test_an_option_with_a_stop_ends_with_its_last_session(at_close: str, pnl: str) -> None:
    """The whole engine with its paper venue, through the close of the last day."""

    async def play(desk: Rehearsal) -> None:
        seen: list[ev.Event] = []
        desk.engine.subscribe(lambda record: seen.append(record.event))

        async def trades(spot: str, price: str) -> None:
            for _ in range(2):
                desk.price("AAPL", spot)
                desk.price(CALL, price)
                await desk.wait(1)

        await trades("480", "5.00")
        bought = ask.PlaceOrder(
            by="t",
            symbol=CALL,
            side=Side.BUY,
            quantity=D(2),
            protect=D("2.00"),
            hold=TradeType.SWING,
        )
        done = await desk.engine.command(bought)
        assert done.ok, done.error
        await trades("480", "5.00")
        (stop,) = desk.engine.status()["orders"]
        assert (stop["purpose"], stop["status"]) == ("PROTECT", "NEW")
        await desk.wait(3600)
        await trades(at_close, "5.00")
        await desk.wait(6 * 3600)
        status = desk.engine.status()
        assert (status["positions"], status["orders"]) == ([], [])
        (trade,) = [event.trade for event in seen if isinstance(event, ev.PositionClosed)]
        assert trade.pnl == D(pnl)
        assert D(status["account"]["equity"]) == CASH + D(pnl)
        serious = [e.code for e in seen if isinstance(e, ev.Alarmed) and e.severity != "info"]
        assert serious == []
        assert (await desk.engine.command(bought)).code in ("MARKET_CLOSED", "NO_CONTRACT")

    terms = {"slippage_bps": 0, "commission_bps": 0, "latency_ms": [0, 0], "fill_probability": 1}
    config = {
        "brokers": {"paper": {**terms, "initial_cash": CASH}},
        "profile": "axion_aggressive",
        "market": {"symbols": [CALL]},
    }
    rehearse(play, config=config)
