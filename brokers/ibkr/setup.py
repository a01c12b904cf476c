"""Opens an account at Interactive Brokers."""

from brokers import PriceSource, VenueSetup
from brokers.ibkr.adapter import IbkrBroker
from brokers.ibkr.market import IbkrMarket


class IbkrConnection:
    """An opened account, not connected yet."""

    def __init__(self, broker: IbkrBroker, market: IbkrMarket | None) -> None:
        self._broker = broker
        self._market = market

    @property
    def broker(self) -> IbkrBroker:
        return self._broker

    @property
    def market(self) -> IbkrMarket | None:
        """Its market data, None where none is wanted."""
        return self._market

    def close(self) -> None:
        """It has no files."""


def open_ibkr(plan: VenueSetup) -> IbkrConnection:
    """Open the account of `plan`. TWS and its gateway know no keys: whoever reaches their port is
    the login. Raises ImportError where no library is installed."""
    wanted = plan.prices is PriceSource.MARKET
    broker = IbkrBroker(
        plan.name,
        plan.settings,
        plan.clock,
        plan.instruments,
        plan.market.symbols if wanted else (),
        claim=plan.claim,
    )
    return IbkrConnection(broker, broker.market if wanted else None)
