"""An exchange of ccxt behind the port, against a local server of its protocol (C-131, X-51)."""

from collections.abc import AsyncIterator
from decimal import Decimal

import pytest

from engine.domain.order import OrderStatus
from engine.ports import Rejected
from tests.brokers.conformance import BrokerConformance, Lab
from tests.venues.binance import BinanceServer
from tests.venues.ccxt_account import SYMBOL, opened

D = Decimal


@pytest.fixture
async def server() -> AsyncIterator[BinanceServer]:
    async with BinanceServer() as served:
        yield served


@pytest.fixture
async def lab(server: BinanceServer) -> AsyncIterator[Lab]:
    async def set_price(symbol: str, price: Decimal) -> None:
        server.exchange.set_price(symbol.replace("-", ""), price)

    broker = opened(server.url).broker
    yield Lab(broker, set_price, symbol=SYMBOL)
    await broker.disconnect()


class TestCcxtConformance(BrokerConformance):
    """What the exchange cannot do by ccxt is declared, and refused in words."""

    async def test_orders_are_cancelled_together_and_refused_one_by_one(self, lab: Lab) -> None:
        await lab.start()
        assert not lab.broker.capabilities.cancels_together
        with pytest.raises(Rejected) as refused:
            await lab.broker.cancel_orders(("a", "b"))
        assert refused.value.code == "UNSUPPORTED"

    async def test_cancel_all_leaves_nothing_that_works(self, lab: Lab) -> None:
        await lab.start()
        assert not lab.broker.capabilities.cancel_all
        with pytest.raises(Rejected) as refused:
            await lab.broker.cancel_all()
        assert refused.value.code == "UNSUPPORTED"

    async def test_modify_changes_quantity_and_stop(self, lab: Lab) -> None:
        await lab.start()
        await lab.submit("a", limit="95")
        assert not lab.broker.capabilities.native_modify
        with pytest.raises(Rejected) as refused:
            await lab.broker.modify_order("a", D(4))
        assert refused.value.code == "UNSUPPORTED"
        known = await lab.broker.get_order("a")
        assert known is not None
        assert known.quantity == 10

    async def test_C405_a_repeated_id_never_makes_a_second_order(self, lab: Lab) -> None:
        """It does here, once the first order has ended: so it is not declared."""
        await lab.start()
        assert not lab.broker.capabilities.deduplicates
        for count in (1, 2):
            await lab.submit("a")
            await lab.until("a", OrderStatus.FILLED)
            assert len(await lab.broker.get_fills_since(0)) == count

    async def test_a_reduce_only_order_never_crosses_zero(self, lab: Lab) -> None:
        """The exchange knows no such order; on spot it refuses to sell what is not held."""
        await lab.start()
        assert not lab.broker.capabilities.reduce_only
        await lab.submit("a", "BUY", "10")
        await lab.until("a", OrderStatus.FILLED)
        code, _ = await lab.refused(lab.order("b", "SELL", "25", reduce_only=True))
        assert code == "INSUFFICIENT_FUNDS"
        (position,) = await lab.broker.get_positions()
        assert position.quantity == 10
