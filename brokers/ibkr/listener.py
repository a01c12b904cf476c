"""Who hears what TWS tells by itself."""

from decimal import Decimal
from typing import Any, Protocol

from brokers.ibkr.codec import Execution


class Listener(Protocol):
    """What hears of whatever TWS tells by itself."""

    def order_told(self, contract: Any, order: Any, state: Any) -> None: ...

    def status_told(self, told: "Status") -> None: ...

    def execution_told(self, told: Execution) -> None: ...

    def commission_told(self, execution_id: str, fee: Decimal, currency: str) -> None: ...

    def order_error(self, order_id: int, code: int, text: str) -> None: ...

    def cut(self, why: str) -> None: ...

    def back(self, *, data_lost: bool) -> None: ...

    def ended(self, why: str) -> None: ...


class Ticks(Protocol):
    """What hears of market data."""

    def price(self, request: int, kind: int, price: Decimal, size: Decimal) -> None: ...

    def size(self, request: int, kind: int, size: Decimal) -> None: ...

    def type_of_data(self, request: int, kind: int) -> None: ...

    def refused(self, request: int, code: int, text: str) -> bool:
        """Whether the request is one of its own."""
        ...


class Status:
    """One orderStatus: it names an order by its numbers, never by our id."""

    __slots__ = ("average", "client_id", "filled", "order_id", "perm_id", "status")

    def __init__(self, *told: Any) -> None:
        (
            self.order_id, self.status, self.filled, _remaining, self.average, self.perm_id,
            _parent, _last, self.client_id, *_more,
        ) = told  # fmt: skip
