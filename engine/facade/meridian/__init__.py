"""The names of Meridian's execution stage that face a venue (M-10 to M-18)."""

from engine.facade.bridge import NoAnswerError, NotConnectedError
from engine.facade.meridian.clients import AlpacaClient, BrokerBase, IBKRClient
from engine.facade.meridian.records import AccountInfo, Order, Position

__all__ = [
    "AccountInfo",
    "AlpacaClient",
    "BrokerBase",
    "IBKRClient",
    "NoAnswerError",
    "NotConnectedError",
    "Order",
    "Position",
]
