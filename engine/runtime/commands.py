"""What an operator asks, with what the venues say of it first where that is needed (X-52)."""

import asyncio
from collections.abc import Callable

import msgspec

from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.inputs import Command, Input, LookReason, QueryAnswered
from engine.domain.order import OrderStatus
from engine.domain.result import Result
from engine.intake.operator import REFUSED, is_fresh
from engine.runtime.clock import SteadyTime
from engine.runtime.halting import Halting
from engine.runtime.journal_watch import DURABLE_SECONDS
from engine.runtime.links import Links
from engine.runtime.result import compared, result_of
from engine.state.book import Book


class Commands:
    """Does what an operator asks, and answers what came of it.

    `step` hands an input to the core and returns what was recorded.
    """

    def __init__(
        self,
        links: Links,
        book: Book,
        *,
        halting: Halting,
        time: SteadyTime,
        step: Callable[[Input], list[ev.Record]],
    ) -> None:
        self._links = links
        self._book = book
        self._halting = halting
        self._time = time
        self._step = step

    async def do(self, command: Command) -> Result:
        """What the command came to; what needs the venue's view waits for it."""
        if isinstance(command, ask.Resume):
            command = await self._checked(command)
        elif isinstance(command, ask.ResolveOrder):
            command = await self._asked_about(command)
        told = result_of(self._step(command))
        if isinstance(command, ask.Reconcile) and told.ok:
            told = await self._compared(command)
        elif isinstance(command, ask.Resume) and told.ok:
            told = await self._opened(told)
        return told

    async def _opened(self, told: Result) -> Result:
        """The answer to a resume, once what it cleared keeps no order back any more (X-69, X-81).

        It is refused where something halts again meanwhile, as a latch that cannot be removed
        (C-503).
        """
        cleared = await self._halting.cleared_within(DURABLE_SECONDS)
        if not cleared or self._halting.owes_clearing:
            words = (
                "the halt is not cleared yet: nothing that adds exposure leaves until the journal "
                "and the latch file are written"
            )
            return Result(ok=False, code="NO_ANSWER", error=words)
        if again := self._halting.standing:
            return Result(ok=False, code=REFUSED, error=f"halted again: {again}")
        return told

    async def _compared(self, command: ask.Reconcile) -> Result:
        """What looks at the venues found, and what of it was taken over where that was asked."""
        asked = [one for one in self._links if command.broker in ("", one.name)]
        looks = (
            one.looks.look(LookReason.OPERATOR, apply=command.apply, by=command.by) for one in asked
        )
        seen = await asyncio.gather(*looks)
        proposed = () if command.apply else tuple(e for step in seen for e in step.proposed)
        records = [record for step in seen for record in step.records]
        cash = {one.name: self._book.account(one.name).unexplained.told_cash for one in asked}
        doubtful = any(one.looks.cash_doubt for one in asked)
        missing = [one.looks.incomplete for one in asked if one.looks.incomplete]
        return compared(records, proposed, cash, doubtful=doubtful, missing=missing)

    async def _checked(self, resume: ask.Resume) -> ask.Resume:
        """The resume, after every venue was looked at, with what speaks against the clearing.

        Where balances cannot be true, or the history of cash cannot be read, nobody knows whether
        the cash is there. A halt that is asked for meanwhile is another one than was to be cleared,
        also where it goes no further than that; and a latch that cannot be cleared would halt again
        at once.
        """
        known = self._halting.newest
        await self._look_afresh(resume.by)
        against = [one.looks.cash_doubt for one in self._links if one.looks.cash_doubt]
        standing = await self._halting.not_ours()
        if standing is not None:
            against.append(
                f"the halt latch stands and is not ours to clear: {standing.reason}; remove it by "
                "hand, then resume again"
            )
        if self._halting.newest != known:
            against.append("a halt was asked for meanwhile: look at what it did, then resume again")
        return msgspec.structs.replace(resume, against="; ".join(against))

    async def _look_afresh(self, by: str) -> None:
        """Look at all venues at once; again where a look grew old while another was waited for."""
        await asyncio.gather(*(one.looks.look("resume", by=by) for one in self._links))
        old = [
            one
            for one in self._links
            if not is_fresh(self._book.account(one.name), self._time.now())
        ]
        await asyncio.gather(*(one.looks.look("resume", by=by) for one in old))

    async def _asked_about(self, resolve: ask.ResolveOrder) -> ask.ResolveOrder:
        """The decision with what the venue says of the order now, which is taken in before it."""
        order = self._book.order(resolve.client_order_id)
        link = None if order is None else self._links.find(order.account)
        if link is None or order is None or order.status is not OrderStatus.UNKNOWN:
            return resolve
        told = await link.ask_about(order.client_order_id)
        if not isinstance(told, QueryAnswered):
            return resolve
        return msgspec.structs.replace(
            resolve, answered=True, there=told.order, asked_at=told.asked_at
        )
