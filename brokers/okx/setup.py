"""Opening an account at OKX, and its market data where they are wanted."""

from brokers import PriceSource, VenueSetup
from brokers.okx.adapter import OkxBroker
from brokers.okx.client import Client, Keys
from brokers.okx.hosts import hosts_of
from brokers.okx.market import OkxMarket
from brokers.okx.money import money_of
from brokers.okx.settings import OkxConfig
from brokers.okx.terms import is_pair
from engine.ports import MarketData
from engine.reference.textfile import BadFile


class OkxConnection:
    """An account at OKX and its market."""

    def __init__(self, broker: OkxBroker, market: MarketData | None) -> None:
        self.broker = broker
        self.market = market

    def close(self) -> None:
        """Nothing of it is kept here."""


def open_okx(plan: VenueSetup) -> OkxConnection:
    """Open the account of `plan`; nothing is asked of the venue by that.

    Raises BadFile for an address that is none of OKX's, and where prices are wanted and no symbol
    is one of its pairs; and what `plan.secret` raises for a secret that is missing.
    """
    settings: OkxConfig = plan.settings
    hosts = hosts_of(plan.name, settings)
    variables = (settings.key_env, settings.secret_env, settings.passphrase_env)
    key, secret, passphrase = map(plan.secret, variables)
    demo = settings.environment == "demo"
    keys = Keys(key=key.reveal, secret=secret.reveal, passphrase=passphrase.reveal)
    client = Client(hosts.rest, clock=plan.clock, keys=keys, demo=demo)
    broker = OkxBroker(
        plan.name,
        settings,
        hosts=hosts,
        client=client,
        money=money_of(plan.market.symbols),
        clock=plan.clock,
    )
    if plan.prices is not PriceSource.MARKET:
        return OkxConnection(broker, None)
    symbols = tuple(filter(is_pair, plan.market.symbols))
    if not symbols:
        raise BadFile(
            f"[market] symbols has none that OKX can trade ({', '.join(plan.market.symbols)}): "
            "pairs such as BTC-USDT are allowed"
        )
    public = Client(hosts.rest, clock=plan.clock, keys=None, demo=demo)
    return OkxConnection(broker, OkxMarket(hosts, public, symbols))
