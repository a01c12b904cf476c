"""Opening a paper account: in this process or in another one, with the market it trades on."""

from pathlib import Path
from random import Random
from typing import Any, Final

from brokers import Plan, Prices
from brokers.paper.adapter import PaperBroker
from brokers.paper.book import PaperBook
from brokers.paper.instruments import Instruments
from brokers.paper.remote import RemoteMarket, RemotePaper
from brokers.paper.replay import ReplayMarket
from brokers.paper.terms import Arrival, Terms
from brokers.paper.venue import PaperVenue
from engine.ports import MarketData

BOOK: Final = "paper.db"
"""The paper account's file in the state folder."""
SIMULATED_CALENDAR: Final = "SIM"


class PaperConnection:
    """A paper account in this process, and its market."""

    def __init__(self, broker: PaperBroker, market: MarketData | None, venue: PaperVenue) -> None:
        self.broker = broker
        self.market = market
        self.venue = venue

    def close(self) -> None:
        """Saves the newest prices; working orders stay in the book (D-53)."""
        self.venue.close()


class RemoteConnection:
    """A paper account in another process, and its market."""

    def __init__(self, broker: RemotePaper, market: MarketData | None) -> None:
        self.broker = broker
        self.market = market

    def close(self) -> None:
        """Nothing of it is kept here."""


def open_paper(plan: Plan) -> PaperConnection | RemoteConnection:
    """Open the account of `plan`. With `settings.address` it is that of `brokers.paper.server`.

    Raises BookError. A book with a writer thread needs a running loop.
    """
    terms = terms_of(plan.settings)
    if plan.settings.address:
        return _remote(plan, terms, Path(plan.settings.address))
    recorded = plan.bars is not None or plan.market.source != "simulated"
    simulated = plan.prices is not Prices.BY_HAND and not recorded
    path = None if plan.state_dir is None else plan.state_dir / BOOK
    seed = plan.market.seed
    venue = PaperVenue(
        clock=plan.clock,
        random=Random(f"venue {seed}"),
        terms=terms,
        book=PaperBook(path, wait="thread" if plan.threads and path is not None else "inline"),
        instruments=Instruments(plan.instruments, SIMULATED_CALENDAR if simulated else ""),
        arrival=_arrival(plan),
        name=plan.name,
        account_id=plan.account_id,
    )
    broker = PaperBroker(venue, plan.clock, Random(f"latency {seed}"))
    return PaperConnection(broker, _market(plan, venue), venue)


def terms_of(settings: Any) -> Terms:
    """The conditions that a table `[brokers.paper]` states."""
    return Terms(
        initial_cash=settings.initial_cash,
        latency_ms=settings.latency_ms,
        slippage_bps=settings.slippage_bps,
        commission_bps=settings.commission_bps,
        fill_probability=settings.fill_probability,
        participation=settings.participation,
    )


def _remote(plan: Plan, terms: Terms, address: Path) -> RemoteConnection:
    broker = RemotePaper(address, plan.clock, name=plan.name, latency_ms=terms.latency_ms)
    wanted = plan.prices is Prices.MARKET
    return RemoteConnection(broker, RemoteMarket(address, plan.clock) if wanted else None)


def _arrival(plan: Plan) -> Arrival:
    if plan.prices is Prices.LAST_KNOWN:
        return Arrival.LAST_KNOWN
    return Arrival.STANDING_QUOTE if plan.bars is None else Arrival.NEXT_PRICE


def _market(plan: Plan, venue: PaperVenue) -> MarketData | None:
    if plan.prices is not Prices.MARKET:
        return None
    if plan.bars is not None:
        return ReplayMarket(
            plan.bars, plan.clock, venue=venue, quote_max_age_seconds=plan.quote_max_age_seconds
        )
    # A replayed market pays nothing for it.
    from brokers.paper.simulated import SimulatedMarket

    return SimulatedMarket(
        plan.market.symbols,
        plan.clock,
        venue=venue,
        seed=plan.market.seed,
        bar_seconds=plan.market.bar_seconds,
        quotes_per_second=plan.quotes_per_second,
    )
