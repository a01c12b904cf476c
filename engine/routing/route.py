"""The account that an order in a symbol goes to (INTERFACE, `[[routes]]`)."""

from engine.config.accounts import routed_among
from engine.world import World


def account_for(world: World, symbol: str) -> str:
    """The name of the account of the first route that matches the symbol and its asset class.

    Without a match it is the primary account's. Where the route names several accounts and the
    symbol is held, or an order in it works, in one of them, it is that one: what is held is added
    to and reduced where it is.
    """
    names = routed_among(world.config, symbol, world.instrument(symbol).asset_class)
    if len(names) == 1:
        return names[0]
    return next((name for name in names if is_in(world, name, symbol)), names[0])


def is_in(world: World, account: str, symbol: str) -> bool:
    """Whether an account holds a symbol, or has a working order in it."""
    return bool(world.book.holding(account, symbol) or world.book.index.at(account, symbol))
