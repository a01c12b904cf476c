"""The account that an order in a symbol goes to (INTERFACE, `[[routes]]`)."""

from engine.config.accounts import routed
from engine.world import World


def account_for(world: World, symbol: str) -> str:
    """The name of the account of the first route that matches the symbol and its asset class.

    Without a match it is the primary account's.
    """
    return routed(world.config, symbol, world.instrument(symbol).asset_class)
