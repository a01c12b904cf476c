"""What a start with real money asks for (M-80, C-706, C-707)."""

from console.host.place import version
from engine.config import Config, limits_digest
from engine.config.accounts import real_accounts
from engine.core.rollout import Wanted, missing
from engine.domain.instant import Nanos
from engine.domain.run import Mode
from engine.state.book import Book


def live_accounts(config: Config) -> tuple[Wanted, ...]:
    """The accounts of real money that a config opens; none in another mode than live."""
    found = real_accounts(config) if config.mode is Mode.LIVE else {}
    return tuple(
        Wanted(name=name, kind=config.brokers.kind_of(name), at_venue=settings.may_be_at_venue)
        for name, settings in found.items()
    )


def against_live(config: Config, book: Book, now: Nanos) -> tuple[str, ...]:
    """Why the accounts of real money of a config may not be traded now, in sentences."""
    return missing(
        live_accounts(config),
        book.data.sign_offs,
        version=version(),
        limits=limits_digest(config),
        now=now,
    )
