"""Axion's names that face a venue or choose one (A-240, A-452, A-453, A-460)."""

from engine.facade.axion.brokers import AlpacaBroker, OrderRouter
from engine.facade.axion.records import AccountState, Order, OrderResult, Position
from engine.facade.axion.routing import CostOptimizer, RouteScorer, SmartRouter
from engine.facade.bridge import NoAnswerError, NotConnectedError

__all__ = [
    "AccountState",
    "AlpacaBroker",
    "CostOptimizer",
    "NoAnswerError",
    "NotConnectedError",
    "Order",
    "OrderResult",
    "OrderRouter",
    "Position",
    "RouteScorer",
    "SmartRouter",
]
