"""The close of a part that the venue refuses, where the stop makes room for it (rule 3, C-403).

Between two attempts the stop covers all of it again. That costs two stops for each attempt where
the venue changes none, and no more: what is exchanged protects nothing meanwhile.
"""

from decimal import Decimal

import msgspec
import pytest

from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.inputs import QueryAnswered, Sending
from engine.domain.instant import NS_PER_SECOND
from engine.domain.order import OrderStatus, OrderTerms, Purpose
from engine.ports import Capabilities
from tests.engine.driver import NO_REDUCE_ONLY, protected
from tests.engine.worlds import ABLE

BY_CANCEL = msgspec.structs.replace(NO_REDUCE_ONLY, native_modify=False)
VENUES = pytest.mark.parametrize(
    "able", [ABLE, NO_REDUCE_ONLY, BY_CANCEL], ids=["joins", "alone", "by cancel"]
)


class Refusing:
    """Answers everything at once as a venue would, and refuses the close `times` times."""

    def __init__(self, able: Capabilities, times: int) -> None:
        self.desk = protected(150, capabilities=able)
        self.times = times
        self.closes: list[int] = []
        """When each close was sent, in seconds."""
        self.begun = self.desk.now
        self.silent_until = 0
        """Before this nothing is said of a stop that is sent, though it rests."""

    def answer(self, events: list[ev.Event]) -> None:
        """What the venue makes of what was asked, until nothing more is."""
        for _ in range(100):
            if not events:
                return
            events = [later for event in events for later in self._told(event)]
        raise AssertionError("it never ends")

    def _told(self, event: ev.Event) -> list[ev.Event]:
        desk = self.desk
        desk.later(0.01)
        match event:
            case ev.OrderIntended(terms=order) if order.purpose is Purpose.EXIT:
                return self._closes(order)
            case ev.OrderIntended(terms=order):
                before = len(desk.seen)
                if desk.now < self.silent_until:
                    desk.give(Sending(order.account, order.client_order_id))
                else:
                    desk.accept(order)
                return desk.seen[before:]
            case ev.OrderQueried(client_order_id=key) if desk.now >= self.silent_until:
                return self._works(self._order(key))
            case ev.CancelRequested(client_order_id=key):
                return desk.report(self._order(key), OrderStatus.CANCELED)
            case ev.ReplaceRequested(client_order_id=key, quantity=quantity):
                order, stop = self._order(key), event.stop_price
                return desk.report(order, OrderStatus.NEW, quantity=quantity, stop_price=stop)
            case _:
                return []

    def _closes(self, order: OrderTerms) -> list[ev.Event]:
        desk = self.desk
        self.closes.append(round((desk.now - self.begun) / 1e9))
        if len(self.closes) <= self.times:
            return desk.report(order, OrderStatus.REJECTED, code="REFUSED", text="no")
        return desk.filled(order, order.quantity, "100")

    def _works(self, order: OrderTerms) -> list[ev.Event]:
        desk = self.desk
        answer = QueryAnswered(
            account=order.account,
            client_order_id=order.client_order_id,
            order=desk.works(order),
            fills=(),
            asked_at=desk.now,
        )
        return desk.give(answer)

    def _order(self, key: str) -> OrderTerms:
        order = self.desk.book.order(key)
        assert order is not None
        return order

    def stops(self) -> int:
        """How many stops were sent since."""
        return len(self.desk.intended(Purpose.PROTECT)) - 1


@VENUES
@pytest.mark.parametrize("times", [0, 1, 4])
def test_c403_it_is_tried_again_after_its_pauses_and_the_stop_with_it(
    able: Capabilities, times: int
) -> None:
    rig = Refusing(able, times)
    rig.answer(rig.desk.give(ask.ClosePosition(by="me", symbol="NVDA", quantity=Decimal(30))))
    for _ in range(60):
        rig.answer(rig.desk.tick(0.5))
    apart = [b - a for a, b in zip(rig.closes, rig.closes[1:], strict=False)]
    assert len(rig.closes) == times + 1
    assert all(1 <= found <= pause + 2 for found, pause in zip(apart, (1, 2, 4, 8), strict=False))
    assert rig.desk.held().quantity == 120
    assert rig.stops() <= (2 * times + 1 if able is BY_CANCEL else 0)
    stop = rig.desk.current(rig.desk.last(Purpose.PROTECT))
    assert (stop.status, stop.quantity) == (OrderStatus.NEW, 120)


def test_c403_a_stop_that_is_answered_for_late_is_not_exchanged_again_and_again() -> None:
    """The pause is over by the time at which it is known to rest: the close goes on."""
    rig = Refusing(BY_CANCEL, 1)
    rig.silent_until = rig.desk.now + 3 * NS_PER_SECOND // 2
    rig.answer(rig.desk.give(ask.ClosePosition(by="me", symbol="NVDA", quantity=Decimal(30))))
    for _ in range(60):
        rig.answer(rig.desk.tick(0.5))
    assert len(rig.closes) == 2
    assert rig.stops() <= 3
    stop = rig.desk.current(rig.desk.last(Purpose.PROTECT))
    assert (stop.status, stop.quantity) == (OrderStatus.NEW, 120)
