"""Why an account that is named, or that an order is in, is none of this process."""

from engine.world import World


def no_broker(world: World, name: str) -> str:
    """That no account has the name, and which there are; "" where one has it."""
    if world.has(name):
        return ""
    return f"there is no broker {name!r}; there is {_names(world)}"


def not_open(world: World, account: str) -> str:
    """The account and that it is not open here, after "it is in"; "" where it is open."""
    if world.has(account):
        return ""
    return f"{account}, which is not open here; {_names(world)} are"


def _names(world: World) -> str:
    return ", ".join(sorted(world.accounts))
