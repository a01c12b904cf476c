"""What TWS tells of an order comes in any order, and some of it twice: each fill is reported once,
with its commission, and the order ends once (C-231, C-232, rule 2)."""

import asyncio
from decimal import Decimal
from typing import Any, Final

import pytest

pytest.importorskip("eventkit", reason="neither ib_async nor ib_insync is installed")

from hypothesis import given
from hypothesis import strategies as st

from brokers.ibkr import executions, orders
from brokers.ibkr._lib import lib
from brokers.ibkr.codec import Execution
from brokers.ibkr.executions import Executions
from brokers.ibkr.known import KnownOrders
from brokers.ibkr.listener import Status
from brokers.ibkr.orders import Orders
from brokers.ibkr.symbols import Symbols
from engine.domain.order import OrderStatus
from engine.ports import OrderReport
from engine.runtime.clock import SystemClock
from tests.brokers.kit import order

D = Decimal
S = OrderStatus

QUANTITY: Final = D(10)
PERM: Final = 1_234_560_001
NUMBER: Final = 5
PARTS: Final = {"0000e0d5.00000001.01.01": D(4), "0000e0d5.00000002.01.01": D(6)}
"""Executions and how much each is for; every one costs a tenth of that."""

Message = tuple[str, str]
"""What kind it is, and a word or the id of an execution."""

ALL: Final[tuple[Message, ...]] = (
    ("order", "Submitted"), ("order", "Filled"), ("status", "Submitted"), ("status", "Filled"),
    *(("execution", key) for key in PARTS), *(("commission", key) for key in PARTS),
)  # fmt: skip


class Told:
    """Hands messages to what is tested, as the decoder does."""

    def __init__(self) -> None:
        self.reports: list[OrderReport] = []
        self.filled = D(0)
        symbols = Symbols({})
        self.known = KnownOrders(17)
        self.executed = Executions("ibkr", symbols)
        self.orders = Orders(
            name="ibkr", client_id=17, symbols=symbols, clock=SystemClock(), known=self.known,
            executed=self.executed, put=self.reports.append,
        )  # fmt: skip
        self.contract = lib.Contract(conId=265598, symbol="AAPL", secType="STK", currency="USD")
        self.known.placed(NUMBER, order("a", "BUY", str(QUANTITY)))

    def tell(self, message: Message) -> None:
        kind, what = message
        match kind:
            case "order":
                made: Any = lib.Order(
                    orderId=NUMBER, clientId=17, permId=PERM, action="BUY", orderType="MKT",
                    orderRef="a", tif="DAY",
                )  # fmt: skip
                made.totalQuantity = QUANTITY
                self.orders.order_told(self.contract, made, lib.OrderState(status=what))
            case "status":
                filled = QUANTITY if what == "Filled" else self.filled
                self.orders.status_told(
                    Status(NUMBER, what, filled, QUANTITY - filled, D(100), PERM, 0, D(0), 17)
                )
            case "execution":
                self.filled = min(self.filled + PARTS[what], QUANTITY)
                self.orders.execution_told(
                    Execution(
                        request=-1,
                        contract=self.contract,
                        id=what,
                        order_id=NUMBER,
                        client_id=17,
                        perm_id=PERM,
                        ref="a",
                        account="DU1",
                        bought=True,
                        quantity=PARTS[what],
                        price=D(100),
                        total=self.filled,
                        time=1,
                    )
                )
            case "commission":
                self.orders.commission_told(what, PARTS[what] / 10, "USD")


async def told(messages: list[Message]) -> list[OrderReport]:
    """The reports that follow; nothing waits for longer than a turn of the loop."""
    told = Told()
    for message in messages:
        told.tell(message)
    for _ in range(10):  # what was to be done at once is done by then
        await asyncio.sleep(0)
    return told.reports


@given(st.permutations(ALL), st.lists(st.sampled_from(ALL), max_size=6), st.randoms())
def test_C232_every_order_of_messages_gives_each_fill_once_and_one_end(
    once: list[Message], again: list[Message], random: Any
) -> None:
    messages = list(once)
    for message in again:  # a message again, at any moment after its first time
        messages.insert(random.randint(messages.index(message) + 1, len(messages)), message)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(executions, "COMMISSION_SECONDS", 0)
        patched.setattr(orders, "EXECUTION_SECONDS", 0)
        reports = asyncio.run(told(messages))
    fills = [report.fill for report in reports if report.fill is not None]
    assert sorted(f.execution_id for f in fills) == sorted(key[:-3] for key in PARTS)
    assert sum(f.quantity for f in fills) == QUANTITY
    assert {f.client_order_id for f in fills} == {"a"}
    assert sum(f.commission for f in fills) == QUANTITY / 10
    ends = [report for report in reports if report.status is S.FILLED]
    assert ends[0].filled in {QUANTITY, None}
    assert len([end for end in ends if end.fill is None]) <= 1
    assert {report.status for report in reports} <= {S.NEW, S.PARTIALLY_FILLED, S.FILLED}
    assert len([report for report in reports if report.status is S.NEW]) <= 1
