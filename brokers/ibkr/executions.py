"""Executions and their commissions, which TWS tells apart from each other (C-232)."""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal
from typing import Final

from brokers.ibkr.codec import Execution
from brokers.ibkr.known import keep
from brokers.ibkr.symbols import Symbols
from engine.domain.instant import Nanos
from engine.domain.money import ZERO
from engine.domain.order import Fill, Side

log = logging.getLogger(__name__)

COMMISSION_SECONDS: Final = 1.0
"""How long an execution waits for its commission."""

NO_COMMISSION: Final = "its commission was not told in time, and counts as 0"


FIRST: Final = (2, "01")
"""The last part of the id of an execution that was never corrected."""


class UnknownCorrectionError(Exception):
    """It ends the connection: TWS is then asked for all executions, the corrected one included."""

    def __init__(self, execution_id: str) -> None:
        super().__init__(f"{execution_id} corrects an execution that is not known here")


def fill_id(execution_id: str) -> str:
    """What is one execution, however often TWS corrects it.

    A correction has the same id but for what follows the last dot, which is one higher. The port
    has no corrections: under this id the engine finds that one execution is told with other
    numbers, takes it not a second time, and blocks the symbol until a person has looked (X-91).
    """
    return execution_id.rpartition(".")[0] or execution_id


def newest(executions: Iterable[Execution]) -> list[Execution]:
    """Each execution once, as it was corrected last, in the order in which they were told."""
    found: dict[str, Execution] = {}
    for told in executions:
        before = found.get(fill_id(told.id))
        if before is None or _revision(told.id) > _revision(before.id):
            # A fill is known by its day too: a correction happened when what it corrects did.
            found[fill_id(told.id)] = told if before is None else replace(told, time=before.time)
    return list(found.values())


def _revision(execution_id: str) -> tuple[int, str]:
    last = execution_id.rpartition(".")[2]
    return len(last), last


class Executions:
    """Those of one account that were told, on whatever connection."""

    def __init__(self, name: str, symbols: Symbols) -> None:
        """`name` is the account's under `[brokers]`."""
        self._name = name
        self._symbols = symbols
        self._seen: OrderedDict[str, None] = OrderedDict()
        self._times: OrderedDict[str, Nanos] = OrderedDict()
        """When each happened, as it was told first."""
        self._commissions: OrderedDict[str, tuple[Decimal, str]] = OrderedDict()
        self._came = asyncio.Event()

    def first(self, told: Execution) -> Execution | None:
        """One that has just happened; None where the same was told before.

        Raises UnknownCorrectionError for a correction of one that was told to an earlier process,
        or while nobody listened: a fill is known by its day too, and nobody here knows the day.
        """
        if told.id in self._seen:
            return None
        if fill_id(told.id) not in self._times and _revision(told.id) > FIRST:
            raise UnknownCorrectionError(told.id)
        keep(self._seen, told.id, None)
        if fill_id(told.id) in self._times:
            told = replace(told, time=self._times[fill_id(told.id)])
        keep(self._times, fill_id(told.id), told.time)
        return told

    def charged(self, execution_id: str, fee: Decimal, currency: str) -> None:
        """Its commission; the same may be told again."""
        keep(self._commissions, execution_id, (fee, currency))
        self._came.set()

    def is_charged(self, execution_id: str) -> bool:
        """Whether its commission is known."""
        return execution_id in self._commissions

    async def charged_all(self, executions: list[Execution]) -> None:
        """Wait until the commissions of these are told, and no longer than for one of them."""
        try:
            async with asyncio.timeout(COMMISSION_SECONDS):
                while any(not self.is_charged(told.id) for told in executions):
                    self._came.clear()
                    await self._came.wait()
        except TimeoutError:
            log.warning("TWS has executions of which it does not tell the commission")

    def fill(self, told: Execution) -> Fill:
        """An execution as the engine knows it."""
        fee, currency = self._commissions.get(told.id, (ZERO, ""))
        return Fill(
            execution_id=fill_id(told.id),
            client_order_id=told.ref,
            venue_order_id=str(told.perm_id) if told.perm_id else "",
            account=self._name,
            symbol=self._symbols.ours(told.contract),
            side=Side.BUY if told.bought else Side.SELL,
            quantity=told.quantity,
            price=told.price,
            commission=fee,
            commission_currency=currency,
            time=told.time,
        )
