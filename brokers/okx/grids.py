"""The grids of the symbols that are traded, each asked for once a connection (C-260)."""

from brokers.net.unsent import nothing_sent_yet
from brokers.okx.client import Client
from brokers.okx.lists import SPOT
from brokers.okx.terms import Grid, grid_of, is_pair
from brokers.okx.wire import InstrumentRow
from engine.ports import Rejected


class Grids:
    """What OKX states of symbols of its spot market."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._known: dict[str, Grid] = {}

    def forget(self) -> None:
        """Ask again: what was stated may hold no more."""
        self._known.clear()

    async def of(self, symbol: str) -> Grid:
        """The grid of a symbol. Raises one of the six errors, Rejected where it is not traded."""
        grid = self._known.get(symbol)
        if grid is None:
            unknown = Rejected("51001", f"OKX trades no {symbol} on its spot market")
            if not is_pair(symbol):
                raise unknown
            query = {"instType": SPOT, "instId": symbol}
            rows = await self._client.get("/public/instruments", InstrumentRow, query, urgent=True)
            if not rows:
                raise unknown
            grid = self._known[symbol] = grid_of(rows[0])
        return grid

    async def before_sending(self, symbol: str) -> Grid:
        """As `of`, for a request that is to follow: NotSent where OKX does not answer."""
        with nothing_sent_yet(f"what {symbol} is could not be asked"):
            return await self.of(symbol)
