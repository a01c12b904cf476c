"""Whatever a venue says of an order, in whatever order, ends no engine (U-20, U-21, rule 2)."""

from collections.abc import Callable
from decimal import Decimal

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.inputs import (
    CancelFailed,
    GateClosed,
    Input,
    ModifyFailed,
    QueryAnswered,
    QueryFailed,
    Sending,
    SubmitFailed,
)
from engine.domain.order import OrderStatus, OrderType, Side
from engine.ports import (
    Ambiguous,
    AuthFailed,
    BrokerError,
    MarketClosed,
    NotSent,
    OrderReport,
    Rejected,
    Throttled,
)
from tests.engine.driver import CoreDriver
from tests.engine.worlds import BROKER

ERRORS: tuple[BrokerError, ...] = (
    NotSent("no"),
    Ambiguous("who knows"),
    Rejected("NO", "no"),
    Rejected("DUPLICATE_ID", "known"),
    MarketClosed("shut"),
    AuthFailed("who are you"),
    Throttled("later", 1),
)
FAILED: dict[str, Callable[[str, str, BrokerError], Input]] = {
    "submit": SubmitFailed,
    "cancel": CancelFailed,
    "modify": ModifyFailed,
    "query": QueryFailed,
}
STATUSES = [status for status in OrderStatus if status is not OrderStatus.CREATED]

SAID = st.one_of(
    st.tuples(st.just("report"), st.sampled_from(STATUSES), st.integers(0, 25)),
    st.tuples(st.just("answer"), st.sampled_from(STATUSES), st.integers(0, 25)),
    st.tuples(
        st.sampled_from(["submit", "cancel", "modify", "query"]),
        st.sampled_from(ERRORS),
        st.just(0),
    ),
    st.tuples(
        st.sampled_from(["gate", "sending", "cancel it", "change it", "kill", "lost", "time"]),
        st.just(OrderStatus.NEW),
        st.just(0),
    ),
)


@settings(max_examples=120)
@given(st.lists(SAID, max_size=12), st.booleans())
def test_u21_no_sequence_of_answers_ends_the_engine(
    said: list[tuple[str, OrderStatus | BrokerError, int]], reduces: bool
) -> None:
    desk = CoreDriver().hold("NVDA", 20, "100").price("NVDA", "100")
    side = Side.SELL if reduces else Side.BUY
    desk.place(side, 20, type=OrderType.LIMIT, limit_price=Decimal(100), managed=True)
    terms = desk.of(ev.OrderIntended)[-1].terms
    key = terms.client_order_id
    for what, how, quantity in said:
        given: Input | None = None
        if isinstance(how, BrokerError):
            given = FAILED[what](BROKER, key, how)
        elif what == "report":
            fill = desk.execution(terms, quantity, "100") if quantity else None
            given = OrderReport(
                account=BROKER,
                client_order_id=key,
                symbol="NVDA",
                status=how,
                fill=fill,
                time=desk.now,
            )
        elif what == "answer":
            there = msgspec.structs.replace(
                desk.works(terms), status=how, filled=Decimal(min(quantity, 20))
            )
            fills = (desk.execution(terms, quantity, "100"),) if quantity % 2 else ()
            given = QueryAnswered(BROKER, key, there, fills, desk.now)
        elif what == "lost":
            given = QueryAnswered(BROKER, key, None, (), desk.now)
        elif what == "gate":
            given = GateClosed(BROKER, key)
        elif what == "sending":
            given = Sending(BROKER, key)
        elif what == "cancel it":
            given = ask.CancelOrder(by="test", client_order_id=key)
        elif what == "change it":
            given = ask.ModifyOrder(by="test", client_order_id=key, quantity=Decimal(15))
        elif what == "kill":
            given = ask.Kill(by="test")
        if given is not None:
            desk.give(given)
        desk.tick(3)
    order = desk.book.order(key)
    assert order is not None
    assert order.status in OrderStatus
