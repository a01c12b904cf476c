"""Autotrader's six adapters: which account of the engine each stands for (C-005)."""

from asyncio import AbstractEventLoop
from collections.abc import Callable
from decimal import Decimal

from engine.facade.autotrader.base import EngineAdapter
from engine.facade.autotrader.records import BrokerConfig
from engine.facade.bridge import Number, exact, need_world
from engine.runtime.engine import Engine


class PaperAdapter(EngineAdapter):
    """Autotrader's paper account (C-150 to C-155)."""

    kind = "paper"

    def __init__(
        self,
        initial_balance: Number | None = None,
        latency_ms: tuple[int, int] | None = None,
        slippage_bps: Number | None = None,
        commission_bps: Number | None = None,
        fill_probability: Number | None = None,
        *,
        engine: Engine,
        account: str = "",
        loop: AbstractEventLoop | None = None,
        feed: Callable[[str, Decimal], None] | None = None,
    ) -> None:
        """What is given must be what the account's table in the config says, and is left out where
        that is to decide: ValueError otherwise. `feed` tells the market a price of a symbol, for
        `set_price`; a market by hand has one.
        """
        super().__init__(None, engine, account, loop)
        need_world(engine, self.account, live=False, named="a paper adapter")
        self._feed = feed
        table = engine.world.config.brokers.of(self.account)
        given = {
            "initial_cash": initial_balance,
            "slippage_bps": slippage_bps,
            "commission_bps": commission_bps,
            "fill_probability": fill_probability,
        }
        for key, value in given.items():
            if value is not None:
                _agree(self.account, key, exact(value), getattr(table, key, None))
        if latency_ms is not None:
            own = getattr(table, "latency_ms", None)
            _agree(self.account, "latency_ms", tuple(latency_ms), own)

    def set_price(self, symbol: str, price: Number) -> None:
        """Tell the market a price (C-153). Raises RuntimeError where the market has its own."""
        if self._feed is None:
            raise RuntimeError("the market tells its own prices: no feed was given")
        self._feed(symbol, exact(price))


class _Real(EngineAdapter):
    """An adapter that is published with a flag for its venue's test world."""

    def __init__(
        self,
        config: BrokerConfig | None = None,
        testnet: bool = True,
        *,
        engine: Engine,
        account: str = "",
        loop: AbstractEventLoop | None = None,
    ) -> None:
        """`testnet` says which of the venue's worlds is meant, and must be that of the account's
        `environment`: ValueError otherwise, and no flag switches to real money (C-200, C-201)."""
        super().__init__(config, engine, account, loop)
        need_world(engine, self.account, live=not testnet, named=f"testnet={testnet}")


class BinanceAdapter(_Real):
    """Autotrader's adapter of Binance (C-210)."""

    kind = "binance"


class IBKRAdapter(_Real):
    """Autotrader's adapter of Interactive Brokers (C-230)."""

    kind = "ibkr"


class CoinbaseAdapter(_Real):
    """Autotrader's adapter of Coinbase (C-250)."""

    kind = "coinbase"


class OKXAdapter(_Real):
    """Autotrader's adapter of OKX (C-260)."""

    kind = "okx"


class OandaAdapter(_Real):
    """Autotrader's adapter of OANDA (C-270)."""

    kind = "oanda"


def _agree(account: str, key: str, given: object, own: object) -> None:
    if given != own:
        raise ValueError(
            f"{key} is {given} and the account {account} has {own}: "
            f"[brokers.{account}] in the config decides"
        )
