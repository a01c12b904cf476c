"""The tables that a config names under `[data]`; what is wrong with one is told with its key."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from brokers.paper.instruments import Instruments, load_instruments
from console.host.rates import rates
from console.host.sectors import SectorFileError, sectors
from console.host.venues import venues
from engine.config import Config
from engine.domain.instrument import Instrument
from engine.reference.rates import ReferenceRate
from engine.reference.textfile import BadFile
from engine.reference.venues import Venue


def instruments(config: Config, *, simulated: bool) -> Instruments:
    """The instruments in force. Raises `brokers.paper.instruments.BadFile`."""
    return Instruments(instrument_table(config), "SIM" if simulated else "")


def instrument_table(config: Config) -> Mapping[str, Instrument]:
    """What the instruments are that the file describes, by symbol. Raises BadFile."""
    named = config.data.instruments
    with _named("instruments"):
        return load_instruments(Path(named)) if named else {}


def sectors_of(config: Config) -> dict[str, str]:
    """The sector of each symbol that the file names. Raises SectorFileError."""
    with _named("sectors"):
        return sectors(config.data.sectors)


def rates_of(config: Config) -> tuple[ReferenceRate, ...]:
    """The rates into the base currency. Raises BadFile."""
    with _named("rates"):
        return rates(config.data.rates, config.account.currency)


def venues_of(config: Config) -> dict[str, Venue]:
    """What the file says of each account's venue, by the account's name. Raises BadFile."""
    with _named("venues"):
        return venues(config)


@contextmanager
def _named(key: str) -> Iterator[None]:
    """What is wrong with a file, with the key of the config that names it."""
    try:
        yield
    except (BadFile, SectorFileError) as error:
        raise type(error)(f"data.{key}: {error}") from error


def read_files(config: Config) -> None:
    """Read every table that the config names under `[data]`, as a start would.

    Raises BadFile and SectorFileError, one sentence a bad line.
    """
    instrument_table(config)
    sectors_of(config)
    rates_of(config)
    venues_of(config)
