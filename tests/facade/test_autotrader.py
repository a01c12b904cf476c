"""Autotrader's adapters and its resiliency over a running engine, in virtual time (C-100 to C-129,
C-400 to C-423, C-761, T-26)."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any, TypeVar

import pytest

from console.virtual import Rehearsal, rehearse
from engine.domain import commands as ask
from engine.domain.order import Side
from engine.domain.run import Level
from engine.facade.autotrader import (
    BaseBrokerAdapter,
    BinanceAdapter,
    BrokerConfig,
    CoinbaseAdapter,
    Fill,
    IBKRAdapter,
    NoAnswerError,
    NotConnectedError,
    OandaAdapter,
    OKXAdapter,
    Order,
    OrderSide,
    OrderStatus,
    OrderType,
    PaperAdapter,
    ResiliencyManager,
)
from engine.runtime.clock import VirtualClock
from engine.runtime.journal_watch import DURABLE_SECONDS
from engine.runtime.virtual_time import run_virtual
from tests.engine.wires import Rig
from tests.engine.worlds import MIDDAY
from tests.facade.hosted import FREE, PAPER, hosted

T = TypeVar("T")
SIX = (PaperAdapter, BinanceAdapter, IBKRAdapter, CoinbaseAdapter, OKXAdapter, OandaAdapter)


def played(play: Callable[[Rehearsal, PaperAdapter], Awaitable[T]], **paper: Any) -> T:
    """What `play` returns, with a connected paper adapter and a price of 50,000 and 3,000."""

    async def main(hand: Rehearsal) -> T:
        adapter = PaperAdapter(engine=hand.engine, feed=hand.price)
        assert await adapter.connect() is True
        adapter.set_price("BTC-USD", 50_000)
        adapter.set_price("ETH-USD", 3_000.0)
        return await play(hand, adapter)

    return rehearse(main, config={**PAPER, "brokers": {"paper": {**FREE, **paper}}})


def market(symbol: str, quantity: str, side: OrderSide = OrderSide.BUY) -> Order:
    return Order(symbol, side, OrderType.MARKET, Decimal(quantity))


async def filled(hand: Rehearsal, adapter: PaperAdapter, order: Order) -> Order:
    """The order, submitted and filled at the price of its symbol."""
    sent = await adapter.submit_order(order)
    assert sent.status in {OrderStatus.SUBMITTED, OrderStatus.FILLED}, sent
    await hand.wait(1)
    mark = hand.engine.world.prices.mark(order.symbol)
    assert mark is not None
    adapter.set_price(order.symbol, mark)
    await hand.wait(1)
    return await adapter.get_order_status(sent.order_id)


def test_C156_the_worked_example_of_notional_and_commission() -> None:
    async def play(hand: Rehearsal, adapter: PaperAdapter) -> None:
        fills: list[Fill] = []
        adapter.subscribe_fills(fills.append)
        one = await filled(hand, adapter, market("BTC-USD", "0.1"))
        two = await filled(hand, adapter, market("ETH-USD", "1"))
        assert (one.status, two.status) == (OrderStatus.FILLED, OrderStatus.FILLED)
        assert [fill.notional for fill in fills] == [5_000, 3_000]
        assert sum(fill.commission for fill in fills) == 8
        assert [fill.order_id for fill in fills] == [one.order_id, two.order_id]
        assert len({fill.execution_id for fill in fills}) == 2
        balance = await adapter.get_account_balance()
        assert balance == {
            "currency": "USD",
            "cash": Decimal(91_992),
            "equity": Decimal(99_992),
            "buying_power": balance["buying_power"],
            "position_value": Decimal(8_000),
            "total_equity": Decimal(99_992),
        }

    played(play, commission_bps=10)


def test_C101_C107_an_order_lives_from_submitted_to_filled_and_is_a_position() -> None:
    async def play(hand: Rehearsal, adapter: PaperAdapter) -> None:
        given = market("BTC-USD", "0.2")
        assert (given.status, given.is_open, given.remaining_quantity) == (
            "pending",
            False,
            Decimal("0.2"),
        )
        order = await filled(hand, adapter, given)
        assert order.is_completed
        assert (order.filled_quantity, order.avg_fill_price) == (Decimal("0.2"), 50_000)
        assert order.remaining_quantity == 0
        assert order.metadata["venue_order_id"]
        assert order.submitted_at is not None
        (position,) = await adapter.get_positions()
        assert (position.symbol, position.quantity, position.is_long) == (
            "BTC-USD",
            Decimal("0.2"),
            True,
        )
        adapter.set_price("BTC-USD", 51_000)
        (position,) = await adapter.get_positions()
        assert position.unrealized_pnl == 200
        await filled(hand, adapter, market("BTC-USD", "0.2", OrderSide.SELL))
        assert await adapter.get_positions() == []

    played(play)


def test_C123_C124_a_resting_order_is_changed_and_cancelled() -> None:
    async def play(hand: Rehearsal, adapter: PaperAdapter) -> None:
        order = Order("BTC-USD", OrderSide.BUY, OrderType.LIMIT, "0.1", 49_000)
        sent = await adapter.submit_order(order)
        assert sent is order
        assert sent.is_open
        changed = await adapter.modify_order(sent.order_id, price=48_900, quantity="0.2")
        await hand.wait(1)
        changed = await adapter.get_order_status(changed.order_id)
        assert (changed.price, changed.quantity, changed.is_open) == (48_900, Decimal("0.2"), True)
        assert await adapter.cancel_order(changed.order_id) is True
        await hand.wait(1)
        ended = await adapter.get_order_status(changed.order_id)
        assert ended.status is OrderStatus.CANCELLED
        with pytest.raises(TypeError, match="side is changed; price, quantity, stop_price, time"):
            await adapter.modify_order(sent.order_id, side="sell")
        with pytest.raises(ValueError, match=": "):
            await adapter.modify_order(changed.order_id, price=48_000)
        with pytest.raises(KeyError, match="paper has no order 'nobody'"):
            await adapter.modify_order("nobody", price=48_000)
        with pytest.raises(KeyError):
            await adapter.get_order_status("nobody")
        assert await adapter.cancel_order("nobody") is False

    played(play)


@pytest.mark.parametrize("kind", [OrderType.IOC, OrderType.FOK])
@pytest.mark.parametrize(("price", "type_"), [(None, "MARKET"), (50_000, "LIMIT")])
def test_X26_ioc_and_fok_are_times_in_force(kind: OrderType, price: int | None, type_: str) -> None:
    async def play(hand: Rehearsal, adapter: PaperAdapter) -> None:
        sent = await adapter.submit_order(Order("BTC-USD", OrderSide.BUY, kind, "0.1", price))
        made = hand.engine.book.order(sent.order_id)
        assert made is not None, sent
        assert (made.type, made.time_in_force) == (type_, kind.upper())
        both = Order("BTC-USD", OrderSide.BUY, kind, "0.1", price, None, "DAY")
        with pytest.raises(ValueError, match=f"the order is {kind.upper()} and its time in force"):
            await adapter.submit_order(both)

    played(play)


@pytest.mark.parametrize(
    ("order", "code"),
    [
        (Order("BTC-USD", OrderSide.BUY, OrderType.LIMIT, "0.1", 90_000), "PRICE_COLLAR"),
        (Order("BTC-USD", OrderSide.BUY, OrderType.MARKET, 1_000), "SINGLE_EXPOSURE"),
        (Order("SOL-USD", OrderSide.BUY, OrderType.MARKET, 1), "NO_PRICE"),
        (Order("BTC-USD", OrderSide.BUY, OrderType.MARKET, float("nan")), "INVALID_INPUT"),
    ],
)
def test_the_engines_gate_refuses_what_it_refuses_everybody(order: Order, code: str) -> None:
    async def play(hand: Rehearsal, adapter: PaperAdapter) -> None:
        sent = await adapter.submit_order(order)
        assert sent.status is OrderStatus.REJECTED
        assert sent.reject_reason.startswith(f"{code}: ")
        assert sent.order_id == ""
        assert not hand.engine.book.index.count

    played(play)


def test_C404_a_halt_refuses_orders_and_no_cancel() -> None:
    async def play(hand: Rehearsal, adapter: PaperAdapter) -> None:
        resting = await adapter.submit_order(
            Order("BTC-USD", OrderSide.BUY, OrderType.LIMIT, "0.1", 49_000)
        )
        hand.engine.halt(ask.Kill(by="test", level=Level.HALT, reason="drill"))
        sent = await adapter.submit_order(market("BTC-USD", "0.1"))
        assert (sent.status, sent.reject_reason[:11]) == (OrderStatus.REJECTED, "KILL_SWITCH")
        await hand.wait(1)
        assert (await adapter.get_order_status(resting.order_id)).status is OrderStatus.CANCELLED

    played(play)


def test_C128_a_reader_of_fills_that_fails_stops_no_other() -> None:
    async def play(hand: Rehearsal, adapter: PaperAdapter) -> None:
        told: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda loop, what: told.append(what))
        heard: list[Fill] = []

        def broken(fill: Fill) -> None:
            raise LookupError("a reader's own defect")

        adapter.subscribe_fills(broken)
        adapter.subscribe_fills(heard.append)
        await filled(hand, adapter, market("BTC-USD", "0.1"))
        assert len(heard) == 1
        (what,) = told
        assert what["message"] == "a reader of fills of paper failed"
        assert isinstance(what["exception"], LookupError)

    played(play)


def test_C120_C121_before_connect_and_after_disconnect_nothing_is_sent() -> None:
    async def play(hand: Rehearsal, adapter: PaperAdapter) -> None:
        assert adapter.is_connected
        await adapter.disconnect()
        assert not adapter.is_connected
        with pytest.raises(NotConnectedError):
            await adapter.submit_order(market("BTC-USD", "0.1"))
        with pytest.raises(NotConnectedError):
            await PaperAdapter(engine=hand.engine).get_positions()
        assert hand.engine.status()["running"] is True

    played(play)


def test_C129_every_adapter_is_one_of_the_base_and_has_all_nine() -> None:
    assert len(BaseBrokerAdapter.__abstractmethods__) == 9
    for one in SIX:
        assert issubclass(one, BaseBrokerAdapter)
        assert not getattr(one, "__abstractmethods__", None)
    kinds = [one.kind for one in SIX]
    assert kinds == ["paper", "binance", "ibkr", "coinbase", "okx", "oanda"]


@pytest.mark.parametrize("made", SIX[1:])
def test_C201_no_flag_switches_to_real_money(made: type[BinanceAdapter]) -> None:
    async def play(hand: Rehearsal, adapter: PaperAdapter) -> None:
        standing_in = made(engine=hand.engine, account="paper")
        assert await standing_in.connect() is True
        with pytest.raises(ValueError, match="testnet=False is of the venue's live world"):
            made(testnet=False, engine=hand.engine, account="paper")
        with pytest.raises(ValueError, match="0 accounts are of the kind"):
            made(engine=hand.engine)
        with pytest.warns(UserWarning, match="keys given in code are dropped"):
            made(BrokerConfig(api_key="k", api_secret="s"), engine=hand.engine, account="paper")

    played(play)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"initial_balance": 5}, "initial_cash is 5 and the account paper has 100000"),
        ({"latency_ms": (10, 50)}, r"latency_ms is \(10, 50\) and the account paper has \(0, 0\)"),
        ({"slippage_bps": 5}, "slippage_bps is 5"),
        ({"commission_bps": 10}, "commission_bps is 10"),
        ({"fill_probability": 0.95}, "fill_probability is 0.95"),
    ],
)
def test_C150_a_setting_that_is_not_the_accounts_is_refused(
    given: dict[str, Any], says: str
) -> None:
    async def play(hand: Rehearsal, adapter: PaperAdapter) -> None:
        with pytest.raises(ValueError, match=says):
            PaperAdapter(**given, engine=hand.engine)
        PaperAdapter(100_000, (0, 0), 0, 0, 1, engine=hand.engine)
        with pytest.raises(RuntimeError, match="the market tells its own prices"):
            PaperAdapter(engine=hand.engine).set_price("BTC-USD", 1)

    played(play)


def test_C400_the_resiliency_manager_is_the_engines_own() -> None:
    async def play(hand: Rehearsal, adapter: PaperAdapter) -> None:
        manager = ResiliencyManager(adapter, 3, 1.0, 2.0, 5, 60)
        order = Order("BTC-USD", OrderSide.BUY, OrderType.LIMIT, "0.1", 49_000)
        sent = await manager.submit_order_with_retry(order)
        assert sent.is_open
        assert await manager.cancel_order_with_retry(sent.order_id) is True
        assert await manager.get_failure_stats() == {
            "circuit_state": "CLOSED",
            "failure_count": 0,
            "last_failure": None,
            "recent_failures_5min": 0,
            "dlq_size": 0,
            "total_failures": 0,
        }
        with pytest.raises(ValueError, match=r"max_retries is 5 and \[resiliency\] says 3"):
            ResiliencyManager(adapter, max_retries=5)

    played(play)


def test_an_adapter_may_be_awaited_on_another_loop() -> None:
    with hosted() as host:
        host.price("BTC-USD", "100")

        async def elsewhere() -> tuple[bool, str, int]:
            adapter = PaperAdapter(engine=host.engine, loop=host.loop)
            connected = await adapter.connect()
            sent = await adapter.submit_order(
                Order("BTC-USD", OrderSide.BUY, OrderType.LIMIT, 1, 97)
            )
            return connected, sent.status, len(await adapter.get_positions())

        assert threading.current_thread() is threading.main_thread()
        assert asyncio.run(elsewhere()) == (True, "submitted", 0)


def test_an_order_that_waits_for_its_stop_to_make_room_is_no_refusal() -> None:
    """A limit sale of what a stop protects leaves once the stop has made room for it."""

    async def play(hand: Rehearsal, adapter: PaperAdapter) -> None:
        bought = ask.PlaceOrder(
            by="test",
            symbol="BTC-USD",
            side=Side.BUY,
            quantity=Decimal("0.2"),
            protect=Decimal(45_000),
        )
        assert (await hand.engine.command(bought)).ok
        await hand.wait(1)
        adapter.set_price("BTC-USD", 50_000)
        await hand.wait(1)
        sale = Order("BTC-USD", OrderSide.SELL, OrderType.LIMIT, "0.2", 51_000)
        sent = await adapter.submit_order(sale)
        assert sent.reject_reason == ""
        assert sent.order_id
        assert sent.status in {OrderStatus.PENDING, OrderStatus.SUBMITTED}
        await hand.wait(5)
        assert (await adapter.get_order_status(sent.order_id)).is_open

    played(play)


@pytest.mark.parametrize(("seconds", "known"), [(0.0, True), (DURABLE_SECONDS + 5.0, False)])
def test_what_nobody_knows_the_end_of_is_no_refusal(seconds: float, known: bool) -> None:
    """The journal does not answer: the order may still leave, so that asking again could order
    twice."""
    commit = [0.0]

    async def main(clock: VirtualClock) -> None:
        rig = Rig(clock, commit_seconds=lambda: commit[0])
        await rig.start()
        try:
            adapter = PaperAdapter(engine=rig.engine, account="paper")
            await adapter.connect()
            commit[0] = seconds
            order = Order("BBB", OrderSide.BUY, OrderType.LIMIT, 1, 98)
            if known:
                assert (await adapter.submit_order(order)).is_open
            else:
                with pytest.raises(NoAnswerError, match="BBB: not sent within"):
                    await adapter.submit_order(order)
            commit[0] = 0.0
        finally:
            await rig.stop()

    run_virtual(main, MIDDAY, 3600)
