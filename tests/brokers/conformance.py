"""What every broker adapter must do, whatever its venue (U-60..U-62, C-120..C-131).

A venue's tests subclass `BrokerConformance` and provide the fixture `lab`: an adapter that is not
connected yet, a hand on the venue's prices, and a symbol whose price is 100, its tick a cent, its
lot at most 1. Where a venue cannot do a thing, its capabilities say so, and the test is skipped.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from brokers import TellsIdentity
from engine.domain.order import OrderStatus, OrderTerms, Side
from engine.domain.run import LinkState
from engine.ports import Broker, LinkReport, NotSent, OrderReport, Rejected, Report
from tests.brokers.kit import order

D = Decimal
PATIENCE_SECONDS = 10
"""How long a test waits for a report before it fails."""


class Lab:
    """An adapter, its reports, and the venue's prices."""

    def __init__(
        self,
        broker: Broker,
        set_price: Callable[[str, Decimal], Awaitable[None]],
        *,
        symbol: str = "AAPL",
        pays: bool = True,
    ) -> None:
        """`pays`: what is bought is paid for in cash; not so in a margin account for currencies."""
        self.broker = broker
        self.symbol = symbol
        self.pays = pays
        self._set_price = set_price
        self.seen: list[Report] = []
        self._reports: AsyncIterator[Report] = broker.reports()

    async def price(self, price: str) -> None:
        """The market of the symbol is there now."""
        await self._set_price(self.symbol, D(price))

    def order(self, client_order_id: str, *args: Any, **more: Any) -> OrderTerms:
        """An order in the symbol, see `tests.brokers.kit.order`."""
        terms = order(client_order_id, *args, **{"symbol": self.symbol, **more})
        return msgspec.structs.replace(terms, account=self.broker.name)

    async def submit(self, client_order_id: str, *args: Any, **more: Any) -> None:
        await self.broker.submit_order(self.order(client_order_id, *args, **more))

    async def refused(self, wrong: OrderTerms) -> tuple[str, str]:
        """The code and text with which the venue refuses an order, at once or by a report."""
        try:
            await self.broker.submit_order(wrong)
        except Rejected as error:
            return error.code, error.text
        report = await self.until(wrong.client_order_id, OrderStatus.REJECTED)
        return report.code, report.text

    async def next_report(self) -> Report:
        report = await asyncio.wait_for(anext(self._reports), PATIENCE_SECONDS)
        self.seen.append(report)
        return report

    async def until(self, client_order_id: str, status: OrderStatus) -> OrderReport:
        """Read reports until the order has this status."""
        while True:
            report = await self.next_report()
            if isinstance(report, OrderReport) and (report.client_order_id, report.status) == (
                client_order_id,
                status,
            ):
                return report

    async def linked(self, state: LinkState) -> LinkReport:
        """Read reports up to the next one of the connection, which must tell this."""
        while True:
            report = await self.next_report()
            if isinstance(report, LinkReport):
                assert report.state is state
                return report

    async def disconnected(self) -> LinkReport:
        """Read reports up to the next one of the connection, which must tell that it is gone."""
        return await self.linked(LinkState.DISCONNECTED)

    async def filled(self) -> OrderReport:
        """Read reports until one of an execution."""
        while True:
            report = await self.next_report()
            if isinstance(report, OrderReport) and report.fill is not None:
                return report

    def of(self, client_order_id: str) -> list[OrderStatus]:
        """The statuses reported of an order so far."""
        return [
            report.status
            for report in self.seen
            if isinstance(report, OrderReport) and report.client_order_id == client_order_id
        ]

    async def start(self) -> None:
        await self.broker.connect()
        report = await self.next_report()
        assert isinstance(report, LinkReport)
        assert report.state is LinkState.CONNECTED
        await self.price("100")


class BrokerConformance:
    """Subclass it, and give the fixture `lab`."""

    async def test_what_is_not_connected_provably_sends_nothing(self, lab: Lab) -> None:
        with pytest.raises(NotSent):
            await lab.submit("a")
        with pytest.raises(NotSent):
            await lab.broker.get_positions()

    async def test_it_says_what_it_can_do_and_what_it_trades(self, lab: Lab) -> None:
        await lab.start()
        assert lab.broker.name
        assert lab.broker.capabilities.order_types
        rules = await lab.broker.instrument(lab.symbol)
        assert (rules.symbol, rules.tick > 0, rules.lot > 0) == (lab.symbol, True, True)
        assert await lab.broker.server_time() > 0

    async def test_C201_it_says_whose_account_the_venue_answers_with(self, lab: Lab) -> None:
        if not isinstance(lab.broker, TellsIdentity):
            pytest.skip("an account of a program of ours")
        await lab.start()
        assert lab.broker.identity.answered == (await lab.broker.get_account()).account_id != ""

    async def test_a_market_order_is_acknowledged_then_filled(self, lab: Lab) -> None:
        await lab.start()
        before = await lab.broker.get_account()
        await lab.submit("a", "BUY", "10")
        report = await lab.until("a", OrderStatus.FILLED)
        assert lab.of("a") == [OrderStatus.NEW, OrderStatus.FILLED]
        fill = report.fill
        assert fill is not None
        assert (fill.client_order_id, fill.symbol, fill.side) == ("a", lab.symbol, Side.BUY)
        assert (fill.quantity, fill.execution_id != "") == (D(10), True)
        assert await lab.broker.get_fills_since(0) == (fill,)
        assert await lab.broker.get_fills_since(fill.time) == (fill,)
        assert await lab.broker.get_fills_since(fill.time + 1) == ()
        (position,) = await lab.broker.get_positions()
        assert (position.symbol, position.quantity) == (lab.symbol, D(10))
        after = await lab.broker.get_account()
        if lab.pays:
            assert before.cash - after.cash == fill.price * 10 + fill.commission
        assert after.buying_power < before.buying_power
        known = await lab.broker.get_order("a")
        assert known is not None
        assert (known.status, known.filled) == (OrderStatus.FILLED, D(10))
        assert known.venue_order_id == report.venue_order_id != ""

    async def test_a_limit_rests_and_fills_at_the_limit_or_better(self, lab: Lab) -> None:
        await lab.start()
        await lab.submit("a", limit="95")
        await lab.until("a", OrderStatus.NEW)
        (resting,) = await lab.broker.get_open_orders()
        assert (resting.client_order_id, resting.limit_price) == ("a", D(95))
        await lab.price("94")
        report = await lab.until("a", OrderStatus.FILLED)
        assert report.fill is not None
        assert report.fill.price <= 95
        assert await lab.broker.get_open_orders() == ()

    async def test_a_stop_rests_at_the_venue_until_its_price(self, lab: Lab) -> None:
        await lab.start()
        await lab.submit("a", "BUY", "10")
        await lab.until("a", OrderStatus.FILLED)
        await lab.submit("stop", "SELL", "10", stop="95", reduce_only=True)
        await lab.price("96")
        await lab.until("stop", OrderStatus.NEW)
        (resting,) = await lab.broker.get_open_orders()
        assert resting.stop_price == D(95)
        assert resting.reduce_only is lab.broker.capabilities.reduce_only
        await lab.price("94.9")
        await lab.until("stop", OrderStatus.FILLED)
        assert await lab.broker.get_positions() == ()

    async def test_a_cancel_ends_with_a_report(self, lab: Lab) -> None:
        await lab.start()
        await lab.submit("a", limit="95")
        await lab.broker.cancel_order("a")
        await lab.until("a", OrderStatus.CANCELED)
        assert lab.of("a") == [OrderStatus.NEW, OrderStatus.CANCELED]
        for name in ("a", "nobody"):
            with pytest.raises(Rejected) as refused:
                await lab.broker.cancel_order(name)
            assert refused.value.code
        await lab.price("90")
        assert await lab.broker.get_positions() == ()

    async def test_orders_are_cancelled_together_and_refused_one_by_one(self, lab: Lab) -> None:
        await lab.start()
        if not lab.broker.capabilities.cancels_together:
            pytest.skip("this venue has no request that cancels several orders")
        for n in range(4):
            await lab.submit(f"o{n}", limit=f"{90 + n}")
        await lab.broker.cancel_order("o1")
        refused = await lab.broker.cancel_orders(("o0", "o1", "nobody", "o2"))
        assert sorted(refused) == ["nobody", "o1"]
        for error in refused.values():
            assert isinstance(error, Rejected)
            assert error.code
        for n in range(3):
            if OrderStatus.CANCELED not in lab.of(f"o{n}"):
                await lab.until(f"o{n}", OrderStatus.CANCELED)
        assert [known.client_order_id for known in await lab.broker.get_open_orders()] == ["o3"]
        assert await lab.broker.cancel_orders(()) == {}

    async def test_cancel_all_leaves_nothing_that_works(self, lab: Lab) -> None:
        await lab.start()
        if not lab.broker.capabilities.cancel_all:
            pytest.skip("this venue has no request that cancels everything")
        for n in range(3):
            await lab.submit(f"o{n}", limit=f"{90 + n}")
        await lab.broker.cancel_all()
        for n in range(3):
            if OrderStatus.CANCELED not in lab.of(f"o{n}"):
                await lab.until(f"o{n}", OrderStatus.CANCELED)
        assert await lab.broker.get_open_orders() == ()

    async def test_modify_changes_quantity_and_stop(self, lab: Lab) -> None:
        await lab.start()
        if not lab.broker.capabilities.native_modify:
            pytest.skip("this venue cannot change a working order")
        await lab.submit("a", "BUY", "10", stop="110")
        await lab.broker.modify_order("a", D(4), stop_price=D(108))
        known = await lab.broker.get_order("a")
        assert known is not None
        assert (known.quantity, known.stop_price) == (D(4), D(108))
        await lab.price("108")
        report = await lab.until("a", OrderStatus.FILLED)
        assert report.fill is not None
        assert report.fill.quantity == 4

    async def test_C405_a_repeated_id_never_makes_a_second_order(self, lab: Lab) -> None:
        await lab.start()
        if not lab.broker.capabilities.deduplicates:
            pytest.skip("this venue does not promise that an id is unique for ever")
        await lab.submit("a")
        await lab.until("a", OrderStatus.FILLED)
        with pytest.raises(Rejected) as refused:
            await lab.submit("a")
        assert refused.value.code == "DUPLICATE_ID"
        assert len(await lab.broker.get_fills_since(0)) == 1

    async def test_a_refusal_is_final_and_says_why(self, lab: Lab) -> None:
        await lab.start()
        wrongs = [
            lab.order("off", "BUY", "10", limit="95.005"),
            lab.order("rich", "BUY", "100000000"),
        ]
        if lab.broker.capabilities.reduce_only:
            wrongs.append(lab.order("flat", "SELL", "10", reduce_only=True))
        for wrong in wrongs:
            code, text = await lab.refused(wrong)
            assert code
            assert text
            known = await lab.broker.get_order(wrong.client_order_id)
            assert known is None or known.status is OrderStatus.REJECTED
        assert await lab.broker.get_open_orders() == ()

    async def test_a_reduce_only_order_never_crosses_zero(self, lab: Lab) -> None:
        await lab.start()
        if not lab.broker.capabilities.reduce_only:
            pytest.skip("this venue knows no orders that only reduce")
        await lab.submit("a", "BUY", "10")
        await lab.submit("b", "SELL", "25", reduce_only=True)
        await lab.until("b", OrderStatus.CANCELED)
        assert await lab.broker.get_positions() == ()

    async def test_an_unknown_order_is_none(self, lab: Lab) -> None:
        await lab.start()
        assert await lab.broker.get_order("nobody") is None

    async def test_D53_a_disconnect_cancels_nothing_and_questions_tell_what_happened(
        self, lab: Lab
    ) -> None:
        await lab.start()
        await lab.submit("a", limit="95")
        await lab.until("a", OrderStatus.NEW)
        await lab.broker.disconnect()
        report = await lab.next_report()
        assert isinstance(report, LinkReport)
        assert report.state is LinkState.DISCONNECTED
        with pytest.raises(NotSent):
            await lab.broker.cancel_order("a")
        await lab.start()
        await lab.price("94")
        await lab.until("a", OrderStatus.FILLED)

    async def test_execution_ids_are_unique(self, lab: Lab) -> None:
        await lab.start()
        for n in range(5):
            await lab.submit(f"o{n}", "BUY", "1")
            await lab.until(f"o{n}", OrderStatus.FILLED)
        fills = await lab.broker.get_fills_since(0)
        assert len({fill.execution_id for fill in fills}) == 5
        reported = [r.fill for r in lab.seen if isinstance(r, OrderReport) and r.fill is not None]
        assert list(fills) == reported

    async def test_cash_is_told_by_currency(self, lab: Lab) -> None:
        await lab.start()
        await lab.submit("a")
        await lab.until("a", OrderStatus.FILLED)
        account = await lab.broker.get_account()
        assert account.balances.get(account.currency, account.cash) == account.cash
        assert all(balance.is_finite() for balance in account.balances.values())

    async def test_answers_are_plain_values(self, lab: Lab) -> None:
        """What crosses the port can be written down and read back unchanged."""
        await lab.start()
        await lab.submit("a")
        await lab.until("a", OrderStatus.FILLED)
        account = await lab.broker.get_account()
        for value in (*lab.seen, account, *(await lab.broker.get_positions())):
            assert msgspec.json.decode(msgspec.json.encode(value), type=type(value)) == value


class PaperConformance(BrokerConformance):
    """What is promised of the paper venue beyond that."""

    async def test_D34_without_a_price_nothing_is_filled(self, lab: Lab) -> None:
        await lab.start()
        with pytest.raises(Rejected) as refused:
            await lab.submit("a", symbol="MSFT")
        assert refused.value.code == "NO_PRICE"
