"""What leaves for the venues, and what has to stand before it does (U-32, DESIGN The one idea).

An order that can add exposure is sent only once its intent is durable, while the gate is open, and
over the connection that stood when it was decided (C-441); one that reduces waits for neither. One
that was taken while a halt was being cleared waits for the end of that (X-81, C-430).
"""

from collections.abc import Awaitable, Callable

from engine.core.leaving import is_withdrawn
from engine.domain import events as ev
from engine.domain.inputs import Input, ModifyFailed, Sending, SubmitFailed
from engine.domain.order import OrderStatus, OrderTerms, Replacement
from engine.ports import NotSent
from engine.runtime.account_link import AccountLink
from engine.runtime.halting import Halting
from engine.runtime.journal_watch import REDUCING_WAITS, JournalWatch
from engine.runtime.links import Links
from engine.runtime.send_gate import SendGate
from engine.runtime.tasks import Tasks
from engine.state.book import Book


class Sender:
    """Orders, cancels, changes and questions, each handed to the link of its account.

    Its effects are called with an event and what resolves once that event is durable. `step` hands
    an input to the core; `tasks` runs what waits.
    """

    def __init__(
        self,
        links: Links,
        book: Book,
        *,
        gate: SendGate,
        halting: Halting,
        journal: JournalWatch,
        tasks: Tasks,
        step: Callable[[Input], object],
    ) -> None:
        self._links = links
        self._book = book
        self._gate = gate
        self._halting = halting
        self._journal = journal
        self._tasks = tasks
        self._step = step

    def intended(self, event: ev.OrderIntended, durable: Awaitable[None]) -> None:
        """Send an order."""
        link = self._links.of(event.terms.account)
        self._tasks.spawn(self._submit(event.terms, durable, link, link.connection))

    def cancel(self, event: ev.CancelRequested, durable: Awaitable[None]) -> None:
        """Ask for a cancel; an order that waits for another attempt has its end now."""
        link = self._links.of(event.account)
        link.waits.end(event.client_order_id)
        link.cancels.ask(event.client_order_id)

    def replace(self, event: ev.ReplaceRequested, durable: Awaitable[None]) -> None:
        """Ask for other terms; where the venue cannot change an order, for its cancel."""
        link = self._links.of(event.account)
        if event.native:
            self._tasks.spawn(self._modify(event, durable, link, link.connection))
        else:
            link.cancels.ask(event.client_order_id)

    def query(self, event: ev.OrderQueried, durable: Awaitable[None]) -> None:
        """Ask what the venue knows of an order."""
        self._links.of(event.account).query(event.client_order_id)

    def look(self, event: ev.SnapshotRequested, durable: Awaitable[None]) -> None:
        """Look at everything that the venue has of the account."""
        self._links.of(event.account).looks.ask(event.reason)

    async def _submit(
        self, order: OrderTerms, durable: Awaitable[None], link: AccountLink, connection: int
    ) -> None:
        """`connection`: the number of that on which it was decided."""
        key = order.client_order_id
        if order.adds_exposure:
            try:
                await durable
            except Exception as error:  # not durable: it must not leave, whatever the reason
                self._step(
                    SubmitFailed(order.account, key, NotSent(f"its intent is not durable: {error}"))
                )
                return
            await self._halting.cleared_within()
        else:
            if not order.is_derived:
                # A process that ended before would leave an order that the next cannot know; a
                # journal that cannot be written, or waits, keeps nothing from being reduced.
                await self._journal.written(durable, within=REDUCING_WAITS)
            if order.check_first and not await link.is_new(order):
                return
        withdrawn = is_withdrawn(self._book, order)
        if withdrawn or (order.adds_exposure and self._gate.closed):
            self._step(self._gate.withheld(order.account, key))
            return
        lost = link.lost_since(connection) if order.adds_exposure else None
        if lost is not None:
            self._step(SubmitFailed(order.account, key, lost))
            return
        self._step(Sending(order.account, key))
        await link.submit(order)

    async def _modify(
        self,
        event: ev.ReplaceRequested,
        durable: Awaitable[None],
        link: AccountLink,
        connection: int,
    ) -> None:
        """What adds exposure waits for the disk and for the gate; a stop waits for nothing.

        `connection`: the number of that on which it was decided.
        """
        key = event.client_order_id
        if event.adds_exposure:
            try:
                await durable
            except Exception as error:  # not durable: it must not leave, whatever the reason
                self._step(
                    ModifyFailed(event.account, key, NotSent(f"the change is not durable: {error}"))
                )
                return
            await self._halting.cleared_within()
            known = self._book.order_in(event.account, key)
            if known is None or known.status is not OrderStatus.PENDING_REPLACE:
                return  # a cancel came in between
            lost = link.lost_since(connection)
            if lost is not None:
                self._step(ModifyFailed(event.account, key, lost))
                return
        wanted = Replacement(
            quantity=event.quantity,
            limit_price=event.limit_price,
            stop_price=event.stop_price,
            time_in_force=event.time_in_force,
        )
        await link.modify(key, wanted, adds=event.adds_exposure)
