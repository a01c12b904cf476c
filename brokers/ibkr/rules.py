"""The grid of a contract: what Interactive Brokers takes of it, asked once and kept (C-232)."""

import asyncio
import logging
from collections import defaultdict
from decimal import Decimal
from typing import Any, Final

import msgspec

from brokers.ibkr._lib import lib
from brokers.ibkr.codec import price_of, stated
from brokers.ibkr.session import Session
from brokers.ibkr.symbols import Symbols
from brokers.net.numbers import number
from engine.domain.instrument import Facts, Instrument, instrument_of
from engine.domain.instruments.kind import InstrumentError
from engine.domain.money import ONE, ZERO, plain
from engine.domain.order import OrderTerms
from engine.ports import Ambiguous, Rejected

log = logging.getLogger(__name__)

SIMULATED: Final = frozenset({"QBALGO"})
"""Exchanges under which TWS lists a contract once more."""


Band = tuple[Decimal, Decimal]
"""From this price on, the step of prices."""


class Rules:
    """What an order in one contract must keep to."""

    def __init__(self, contract: Any, instrument: Instrument, bands: list[Band]) -> None:
        self.contract = contract
        self.instrument = instrument
        self._bands = bands

    def check(self, order: OrderTerms) -> None:
        """Raises Rejected for what TWS would refuse, with the number and what is allowed."""
        lot = self.instrument.lot
        if order.quantity % lot:
            raise Rejected(
                "QUANTITY",
                f"quantity of {order.symbol} is {plain(order.quantity)}: "
                f"a multiple of {plain(lot)} is allowed",
            )
        for name, price in (("limit price", order.limit_price), ("stop price", order.stop_price)):
            if price is None:
                continue
            step = self._step(price)
            if price % step:
                raise Rejected(
                    "PRICE",
                    f"{name} of {order.symbol} is {plain(price)}: a multiple of {plain(step)} is "
                    "allowed near it",
                )

    def _step(self, price: Decimal) -> Decimal:
        """The step of the band in which a price lies."""
        return [step for low, step in self._bands if low <= abs(price)][-1]


class RuleBook:
    """The rules of every contract that was asked for."""

    def __init__(self, symbols: Symbols, told: dict[str, Instrument]) -> None:
        """`told` is what the user's table says of symbols."""
        self._symbols = symbols
        self._told = told
        self._known: dict[str, Rules] = {}
        self._details: dict[str, Any] = {}
        self._bands: dict[str, list[Band]] = {}
        """By the number of a market rule, which many contracts share."""
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        """By symbol, and by `rule` and its number: none waits for the question of another."""

    async def of(self, session: Session, symbol: str, *, urgent: bool = False) -> Rules:
        """The rules of a symbol by our id. Raises one of the six errors.

        `urgent`: an order that only reduces waits for them."""
        known = self._known.get(symbol)
        if known is not None:
            return known
        async with self._locks[symbol]:
            if symbol not in self._known:
                self._known[symbol] = await self._ask(session, symbol, urgent=urgent)
            return self._known[symbol]

    async def _ask(self, session: Session, symbol: str, *, urgent: bool) -> Rules:
        wanted = self._symbols.contract(symbol)
        # Kept one by one: where the second question must wait, the first is not asked again.
        details = self._details.get(symbol)
        if details is None:
            details = _only(symbol, await session.details(wanted, urgent=urgent))
            self._details[symbol] = details
        there = details.contract
        exchange = wanted.exchange or there.exchange
        bands = _bands(details, await self._rule(session, details, exchange, urgent=urgent))
        known_as = self._symbols.ours(there)
        if known_as != symbol:
            raise Rejected(
                "CONTRACT",
                f"{symbol} is {there.localSymbol} there, which would be known as {known_as} after "
                "a restart: that is not traded here",
            )
        self._symbols.learn(there.conId, symbol)
        contract = lib.Contract(
            conId=there.conId,
            symbol=there.symbol,
            secType=there.secType,
            lastTradeDateOrContractMonth=there.lastTradeDateOrContractMonth,
            strike=str(there.strike) if there.secType == "OPT" else 0.0,
            right=there.right,
            multiplier=there.multiplier,
            exchange=exchange,
            currency=there.currency,
            localSymbol=there.localSymbol,
            tradingClass=there.tradingClass,
        )
        return Rules(contract, self._instrument(symbol, details, bands), bands)

    async def _rule(
        self, session: Session, details: Any, exchange: str, *, urgent: bool
    ) -> list[Band]:
        """The steps of prices at the exchange that orders go to; none where TWS does not say."""
        exchanges, rules = details.validExchanges.split(","), details.marketRuleIds.split(",")
        rule = dict(zip(exchanges, rules, strict=False)).get(exchange, "")
        if not rule.isdecimal():
            return []
        # It is answered without the number of a question: asked for once at a time.
        async with self._locks[f"rule {rule}"]:
            if rule not in self._bands:
                try:
                    self._bands[rule] = await session.market_rule(int(rule), urgent=urgent)
                except Ambiguous:
                    if not session.is_open:
                        raise
                    log.warning("TWS says nothing of market rule %s", rule)
                    return []
            return self._bands[rule]

    def _instrument(self, symbol: str, details: Any, bands: list[Band]) -> Instrument:
        """Its facts. The tick is the coarsest step there is: a multiple of it is on the grid
        everywhere, and the order's own price is checked by its band."""
        there = details.contract
        tick = max(step for _, step in bands)
        lot = _lot(details)
        multiplier = price_of(number(there.multiplier)) if there.multiplier else ONE
        told = self._told.get(symbol)
        try:
            if told is None:
                told = instrument_of(
                    symbol,
                    Facts(
                        tick=tick,
                        lot=lot,
                        multiplier=multiplier,
                        currency=there.currency,
                        source="ibkr",
                    ),
                )
        except InstrumentError as error:
            raise Rejected("CONTRACT", str(error)) from error
        if told.currency != there.currency or told.multiplier != multiplier:
            raise Rejected(
                "CONTRACT",
                f"{symbol} is {told.currency} times {plain(told.multiplier)} here, and "
                f"{there.currency} times {multiplier} at Interactive Brokers",
            )
        return msgspec.structs.replace(told, tick=tick, lot=lot, tick_stated=True)


def _lot(details: Any) -> Decimal:
    """The step of quantities. Of stocks only whole ones are taken through this interface, whatever
    the contract says of its increment (10243)."""
    increment = price_of(details.sizeIncrement)
    step = ONE if increment is None or not increment.is_finite() else increment
    return max(step, ONE) if details.contract.secType == "STK" else step


def _only(symbol: str, found: list[Any]) -> Any:
    """The one contract that a symbol is. Raises Rejected where there are several, and for prices
    that are in parts of the currency."""
    rows = [details for details in found if details.contract.exchange not in SIMULATED]
    if len(rows) != 1:
        names = ", ".join(f"{d.contract.localSymbol} at {d.contract.exchange}" for d in rows[:5])
        raise Rejected(
            "CONTRACT", f"{symbol} is {len(rows)} contracts at Interactive Brokers: {names}"
        )
    (details,) = rows
    if details.priceMagnifier not in {0, 1}:
        raise Rejected(
            "CONTRACT",
            f"prices of {symbol} are in parts of {details.contract.currency} there "
            f"(price magnifier {details.priceMagnifier}): that is not traded here",
        )
    return details


def _bands(details: Any, told: list[Band]) -> list[Band]:
    """The steps of prices, lowest band first; where the rule is not known, the smallest step that
    the contract states."""
    sound = sorted(b for b in told if all(n.is_finite() for n in b) and b[1] > 0)
    if sound and len(sound) == len(told):
        return [(ZERO, sound[0][1]), *sound]
    smallest = stated(details.minTick)
    if smallest is None or not smallest.is_finite() or smallest <= 0:
        raise Rejected("CONTRACT", f"TWS states no step of prices of {details.contract.symbol}")
    return [(ZERO, smallest)]
