"""Autotrader's names that face a venue (C-100 to C-131, C-400 to C-423)."""

from engine.facade.autotrader.adapters import (
    BinanceAdapter,
    CoinbaseAdapter,
    IBKRAdapter,
    OandaAdapter,
    OKXAdapter,
    PaperAdapter,
)
from engine.facade.autotrader.base import BaseBrokerAdapter
from engine.facade.autotrader.records import (
    BrokerConfig,
    Fill,
    Order,
    OrderSide,
    OrderStatus,
    OrderType,
    Position,
)
from engine.facade.autotrader.resiliency import ResiliencyManager
from engine.facade.bridge import NoAnswerError, NotConnectedError

__all__ = [
    "BaseBrokerAdapter",
    "BinanceAdapter",
    "BrokerConfig",
    "CoinbaseAdapter",
    "Fill",
    "IBKRAdapter",
    "NoAnswerError",
    "NotConnectedError",
    "OKXAdapter",
    "OandaAdapter",
    "Order",
    "OrderSide",
    "OrderStatus",
    "OrderType",
    "PaperAdapter",
    "Position",
    "ResiliencyManager",
]
