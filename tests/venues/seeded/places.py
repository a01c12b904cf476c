"""The venues of seeded runs."""

from typing import Final

from tests.venues.seeded.alpaca import Alpaca
from tests.venues.seeded.binance import Binance
from tests.venues.seeded.coinbase import Coinbase
from tests.venues.seeded.ibkr import Ibkr
from tests.venues.seeded.oanda import Oanda
from tests.venues.seeded.okx import Okx
from tests.venues.seeded.place import Place

PLACES: Final[dict[str, type[Place]]] = {
    place.name: place for place in (Alpaca, Binance, Coinbase, Ibkr, Oanda, Okx)
}
