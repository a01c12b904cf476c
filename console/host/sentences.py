"""What keeps an engine from being wired, or from its venue, as one sentence and an exit code."""

from collections.abc import Iterator
from contextlib import contextmanager

from brokers import LibraryUnusable
from brokers.paper.book import BookError
from console.host import wiring
from console.host.claims import HeldElsewhere
from console.host.output import CommandFailed, ExitCode
from console.host.secrets import SecretError
from engine.config import Config
from engine.ports import BrokerError
from engine.reference.textfile import BadFile
from storage.errors import JournalError


@contextmanager
def in_sentences(config: Config) -> Iterator[None]:
    """Turns what keeps an engine of this config from being wired, or from its venue, into
    CommandFailed."""
    try:
        yield
    except (
        BadFile,
        wiring.SectorFileError,
        wiring.AccountNotOpened,
        wiring.FixedOtherwise,
    ) as error:
        raise CommandFailed(ExitCode.USAGE, str(error), "BAD_DATA") from error
    except SecretError as error:
        raise CommandFailed(ExitCode.USAGE, str(error), "SECRET") from error
    except HeldElsewhere as held:
        raise CommandFailed(ExitCode.HELD, str(held), "HELD") from held
    except LibraryUnusable as error:
        raise CommandFailed(ExitCode.USAGE, str(error), "LIBRARY") from error
    except (JournalError, BookError) as error:
        raise CommandFailed(ExitCode.FAILED, str(error), "JOURNAL") from error
    except BrokerError as error:
        text = f"The account {config.account.primary} cannot be connected to: {error}"
        raise CommandFailed(ExitCode.FAILED, text, "BROKER") from error
