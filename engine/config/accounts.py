"""Which accounts a config opens, and what each is known by (INTERFACE, Several accounts)."""

from engine.config.model import Config


def opened(config: Config) -> tuple[str, ...]:
    """The names of the accounts that the engine opens, the primary first.

    Those are the primary, the fallback, what a route names, and every table that states its kind:
    a table that only sets a key of a broker nobody names opens nothing.
    """
    brokers = config.brokers
    named = [config.account.primary, config.account.fallback]
    named += [route.broker for route in config.routes]
    named += [name for name in brokers.names if brokers.of(name).kind]
    return tuple(dict.fromkeys(name for name in named if name))


def account_id(config: Config, name: str) -> str:
    """The id of the account of that name: as configured, else the name.

    So a paper account without one says nothing of where its folder is.
    """
    return config.brokers.of(name).account_id or name
