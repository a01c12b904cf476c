"""Market data on its way into the engine."""

import asyncio
from collections.abc import Callable, Mapping

from engine.domain.inputs import History, Input, Trouble
from engine.domain.instant import NS_PER_SECOND
from engine.domain.market import Bar
from engine.domain.run import Severity
from engine.domain.text import clean_text
from engine.indicators.bars import PAST_BARS
from engine.ports import Clock, MarketData, Throttled
from engine.runtime import cancelled
from engine.runtime.outside import believed_wait, named_event
from engine.state import pauses

HISTORY_SECONDS = 2
"""How long a source is waited for that should tell its past, in seconds, before its prices."""

MARKET_LOST = "MARKET_LOST"
MARKET_BACK = "MARKET_BACK"


class MarketFeed:
    """One source of market events. `step` hands an input to the core.

    A source that fails, or ends, is no failure of the engine: entries stop for want of fresh prices
    (U-53), what reduces goes on, and the source is asked again after a pause, or at once when its
    venue is connected to again (`hurry`). Where it asks to wait, it is left alone for as long. One
    that is `recorded` is not asked again: it would begin anew, so that its failure is raised, and
    its end is that of the prices. `redact` takes secrets out of a text. `account` is whose venue
    tells the prices, where several do; "" for the only source.
    """

    def __init__(
        self,
        market: MarketData,
        *,
        step: Callable[[Input], object],
        clock: Clock,
        recorded: bool = False,
        redact: Callable[[str], str] = str,
        account: str = "",
    ) -> None:
        self.account = account
        self._market = market
        self._step = step
        self._clock = clock
        self._recorded = recorded
        self._redact = redact
        self._failures = 0
        """How often in a row it failed without having told prices for `pauses.LONGEST` between."""
        self._asked_to_wait = 0.0
        """Seconds that the source wants to be left alone for, as its last failure says."""
        self._rest: asyncio.Task[None] | None = None
        """The pause that is on."""
        self.exhausted = False
        """True once a recorded market has told all it has."""

    async def _recall(self, symbols: tuple[str, ...]) -> None:
        """Hand over the bars before the start, symbol by symbol; all are asked for at once."""
        for past in await asyncio.gather(*(self._past(symbol) for symbol in symbols)):
            self._step(past)

    async def _past(self, symbol: str) -> Input:
        """The past of a symbol; a source that fails or hangs only delays its signals."""
        try:
            async with asyncio.timeout(HISTORY_SECONDS):
                with cancelled.told_apart(f"the question for the past of {symbol}"):
                    past = await self._market.history(symbol, PAST_BARS)
        except Exception as error:  # without a past they begin later; trading does not wait
            why = self._why("no history", f"{type(error).__name__} {error}")
            return Trouble(code="NO_HISTORY", subject=symbol, text=why)
        return History(tuple(named_event(bar) for bar in past if isinstance(bar, Bar)))

    async def run(self, symbols: tuple[str, ...]) -> None:
        """The past of `symbols`, then every event in order; raises what a recording raised."""
        await self._recall(symbols)
        while True:
            await self._play()
            if self.exhausted:
                return
            await self._pause()

    def hurry(self) -> None:
        """Ask the source again now, if it failed and is rested from: its venue answers again.

        Prices wait as long as was asked for; nothing that reduces waits for them.
        """
        if self._rest is not None and not self._asked_to_wait:
            self._rest.cancel()

    async def _pause(self) -> None:
        usual = pauses.doubled(pauses.MARKET, self._failures - 1) / NS_PER_SECOND
        self._rest = asyncio.create_task(self._clock.sleep(max(usual, self._asked_to_wait)))
        try:
            await asyncio.wait([self._rest])
        finally:
            self._rest.cancel()
            self._rest = None

    async def _play(self) -> None:
        """Hand over the events of the source until it ends or fails.

        Raises what a recording raised, and what went wrong with the handing over.
        """
        began, stepping = self._clock.monotonic(), False
        self._asked_to_wait = 0.0
        try:
            with cancelled.told_apart("the source"):
                async for event in self._market.events():
                    given = named_event(event)
                    stepping = True
                    if self._failures:
                        self._is_telling(began)
                    self._step(given)
                    stepping = False
        except Exception as error:
            if stepping or self._recorded:
                raise
            if isinstance(error, Throttled):
                self._asked_to_wait = believed_wait(error)
            # Whatever a source raises, only its prices are lost.
            self._has_failed(f"{type(error).__name__} {error}")
        else:
            if self._recorded:
                self.exhausted = True
            else:
                self._has_failed("it has ended")

    def _is_telling(self, began: int) -> None:
        """It tells prices: after a while of that it is back."""
        if self._clock.monotonic() - began >= pauses.LONGEST:
            self._failures = 0
            self._tell(MARKET_BACK, Severity.INFO, "prices are told again")

    def _has_failed(self, why: str) -> None:
        if not self._failures:
            text = self._why("the source of prices has failed, and is asked again", why)
            self._tell(MARKET_LOST, Severity.CRITICAL, text)
        self._failures += 1

    def _tell(self, code: str, severity: Severity, text: str) -> None:
        subject = self.account or "market"
        self._step(Trouble(code=code, subject=subject, text=text, severity=severity))

    def _why(self, what: str, why: str) -> str:
        return clean_text(self._redact(f"{what}: {why}"))


def feeds_of(
    market: MarketData | Mapping[str, MarketData] | None,
    *,
    step: Callable[[Input], object],
    clock: Clock,
    recorded: bool,
    redact: Callable[[str], str],
) -> tuple[MarketFeed, ...]:
    """A feed of each source, by the account whose venue it is where there are several.

    None waits for another: what fails or is gone keeps no prices of another venue back.
    """
    sources = market if isinstance(market, Mapping) else {"": market}
    return tuple(
        MarketFeed(
            source, step=step, clock=clock, recorded=recorded, redact=redact, account=account
        )
        for account, source in sources.items()
        if source is not None
    )
