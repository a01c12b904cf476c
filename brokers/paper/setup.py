"""Opening a paper account: in this process or in another one, with the market it trades on.

Several accounts of one process trade on one market: `open_exchange` opens it, and each account
whose `Plan.exchange` names it joins. An account without one opens a market of its own.
"""

from pathlib import Path
from random import Random
from typing import Any, Final

from brokers import PriceSource, VenueSetup
from brokers.paper.adapter import PaperBroker
from brokers.paper.book import PaperBook
from brokers.paper.exchange import Exchange
from brokers.paper.instruments import Instruments
from brokers.paper.remote import RemoteMarket, RemotePaper
from brokers.paper.replay import ReplayMarket
from brokers.paper.terms import Arrival, Terms
from brokers.paper.venue import PaperVenue
from engine.ports import MarketData
from engine.reference.rates import restated
from engine.reference.textfile import BadFile

DEFAULT_NAME: Final = "paper"
BOOK: Final = "paper.db"
"""The file of the account named `paper` in the state folder."""
SIMULATED_CALENDAR: Final = "SIM"


class PaperConnection:
    """A paper account in this process, and its market; None where it shares one."""

    def __init__(
        self,
        broker: PaperBroker,
        market: MarketData | None,
        venue: PaperVenue,
        exchange: Exchange,
    ) -> None:
        self.broker = broker
        self.market = market
        self.venue = venue
        self._exchange = exchange

    def close(self) -> None:
        """Saves the newest prices; working orders stay in the book (D-53)."""
        self._exchange.leave(self.venue)
        self.venue.close()


class RemoteConnection:
    """A paper account in another process, and its market."""

    def __init__(self, broker: RemotePaper, market: MarketData | None) -> None:
        self.broker = broker
        self.market = market

    def close(self) -> None:
        """Nothing of it is kept here."""


def book_name(name: str) -> str:
    """The file of the account of this name under `[brokers]`."""
    return BOOK if name == DEFAULT_NAME else f"paper-{name}.db"


def open_paper(plan: VenueSetup) -> PaperConnection | RemoteConnection:
    """Open the account of `plan`. With `settings.address` it is that of `brokers.paper.server`.

    Raises BookError, and BadFile as `open_exchange` does; nothing stays open then. A book with a
    writer thread needs a running loop.
    """
    terms = terms_of(plan.settings)
    if plan.settings.address:
        return _remote(plan, terms, Path(plan.settings.address))
    shared: Exchange | None = plan.exchange
    exchange = open_exchange(plan) if shared is None else shared
    path = None if plan.state_dir is None else plan.state_dir / book_name(plan.name)
    # Accounts side by side draw numbers of their own.
    seed = f"{plan.market.seed}" if plan.name == DEFAULT_NAME else f"{plan.market.seed} {plan.name}"
    book = PaperBook(path, wait="thread" if plan.threads and path is not None else "inline")
    try:
        venue = PaperVenue(
            clock=plan.clock,
            random=Random(f"venue {seed}"),
            terms=terms,
            book=book,
            instruments=exchange.instruments,
            arrival=_arrival(plan),
            name=plan.name,
            account_id=plan.account_id,
            reference_rates=restated(plan.reference_rates, plan.base_currency, terms.currency),
        )
    except BaseException:
        book.close()
        raise
    exchange.join(venue)
    random = Random(f"latency {seed}")
    broker = PaperBroker(venue, plan.clock, random, alone=plan.bars is not None)
    return PaperConnection(broker, exchange.market if shared is None else None, venue, exchange)


def open_exchange(plan: VenueSetup) -> Exchange:
    """Open the market of `plan`, for every account that joins it.

    Raises BadFile where a symbol of the market is no instrument, such as a future that no table
    names.
    """
    recorded = plan.bars is not None or plan.market.source != "simulated"
    simulated = plan.prices is not PriceSource.BY_HAND and not recorded
    exchange = Exchange(Instruments(plan.instruments, SIMULATED_CALENDAR if simulated else ""))
    exchange.market = _market(plan, exchange)
    return exchange


def terms_of(settings: Any) -> Terms:
    """The conditions that a table `[brokers.paper]` states."""
    return Terms(
        initial_cash=settings.initial_cash,
        currency=settings.currency,
        latency_ms=settings.latency_ms,
        slippage_bps=settings.slippage_bps,
        commission_bps=settings.commission_bps,
        fill_probability=settings.fill_probability,
        participation=settings.participation,
    )


def _remote(plan: VenueSetup, terms: Terms, address: Path) -> RemoteConnection:
    broker = RemotePaper(address, plan.clock, name=plan.name, latency_ms=terms.latency_ms)
    wanted = plan.prices is PriceSource.MARKET
    return RemoteConnection(broker, RemoteMarket(address, plan.clock) if wanted else None)


def _arrival(plan: VenueSetup) -> Arrival:
    if plan.prices is PriceSource.LAST_KNOWN:
        return Arrival.LAST_KNOWN
    return Arrival.STANDING_QUOTE if plan.bars is None else Arrival.NEXT_PRICE


def _market(plan: VenueSetup, exchange: Exchange) -> MarketData | None:
    if plan.prices is not PriceSource.MARKET:
        return None
    where = "[market] symbols" if plan.bars is None else str(plan.bars.path)
    for symbol in plan.market.symbols if plan.bars is None else plan.bars.symbols:
        if fault := exchange.instruments.get(symbol).fault:
            raise BadFile(f"{where}: {fault}")
    if plan.bars is not None:
        return ReplayMarket(
            plan.bars, plan.clock, venue=exchange, quote_max_age_seconds=plan.quote_max_age_seconds
        )
    # A replayed market pays nothing for it.
    from brokers.paper.simulated import SimulatedMarket

    return SimulatedMarket(
        plan.market.symbols,
        plan.clock,
        venue=exchange,
        seed=plan.market.seed,
        bar_seconds=plan.market.bar_seconds,
        quotes_per_second=plan.quotes_per_second,
    )
