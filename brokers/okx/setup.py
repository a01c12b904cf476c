"""Opening an account at OKX, and its market data where they are wanted."""

from collections.abc import Callable

from brokers import PriceSource, Secret, VenueSetup
from brokers.okx.adapter import OkxBroker
from brokers.okx.client import Client, Keys
from brokers.okx.hosts import hosts_of
from brokers.okx.market import OkxMarket
from brokers.okx.money import money_of
from brokers.okx.settings import OkxConfig
from brokers.okx.terms import is_pair
from engine.ports import AuthFailed, MarketData
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
    is one of its pairs. A secret that is missing is told when the account connects: other accounts
    are worked without it (X-52).
    """
    settings: OkxConfig = plan.settings
    hosts = hosts_of(plan.name, settings)
    demo = settings.environment == "demo"
    keys = Keys(
        key=_found(plan, settings.key_env),
        secret=_found(plan, settings.secret_env),
        passphrase=_found(plan, settings.passphrase_env),
    )
    client = Client(hosts.rest, clock=plan.clock, keys=keys, demo=demo)
    broker = OkxBroker(
        plan.name,
        settings,
        hosts=hosts,
        client=client,
        money=money_of(plan.market.symbols),
        clock=plan.clock,
        claim=plan.claim,
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


def _found(plan: VenueSetup, variable: str) -> Callable[[], str]:
    """Reveals the secret of a variable, looked for until it is found and then kept as a Secret.

    That raises AuthFailed, whose sentence says where it was looked for.
    """
    kept: list[Secret] = []

    def reveal() -> str:
        if not kept:
            try:
                kept.append(plan.secret(variable))
            except Exception as error:  # whatever looks for secrets says where in its words
                raise AuthFailed(str(error)) from error
        return kept[0].reveal()

    return reveal
