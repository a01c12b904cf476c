"""The account that an order in a symbol goes to (INTERFACE, `[[routes]]`)."""

from fnmatch import fnmatchcase

from engine.world import World


def account_for(world: World, symbol: str) -> str:
    """The name of the account of the first route that matches the symbol and its asset class.

    Without a match it is the primary account's.
    """
    for route in world.config.routes:
        if route.asset_class and route.asset_class != world.instrument(symbol).asset_class:
            continue
        if route.symbol and not fnmatchcase(symbol, route.symbol):
            continue
        return route.broker
    return world.config.account.primary
