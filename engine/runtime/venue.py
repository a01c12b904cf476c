"""Asking a venue, and its answers as inputs: whatever goes wrong becomes one of the six (C-403)."""

import contextlib
from collections.abc import Awaitable, Callable, Sequence
from decimal import Decimal

import msgspec

from engine.core import lookback
from engine.domain.account import (
    Account,
    CashMovement,
    VenueOrder,
    VenuePosition,
    VenueSnapshot,
)
from engine.domain.ids import venue_order_id_of
from engine.domain.inputs import (
    CancelFailed,
    GateClosed,
    ModifyFailed,
    QueryAnswered,
    QueryFailed,
    SubmitFailed,
)
from engine.domain.instant import NS_PER_SECOND, Nanos
from engine.domain.money import ZERO, is_positive
from engine.domain.order import Fill, OrderTerms, Replacement
from engine.ports import Ambiguous, Banned, Broker, BrokerError, NotSent, OrderReport
from engine.runtime.answers import (
    account_fault,
    balance_fault,
    dated,
    movement_fault,
    order_fault,
    position_fault,
)
from engine.runtime.clock import SteadyTime
from engine.runtime.link import BALANCES, FILLS, ORDERS, POSITIONS, TIME, Link
from engine.runtime.order_ids import OrderIds
from engine.runtime.outside import (
    Outside,
    named_account,
    named_fill,
    named_movement,
    named_order,
    named_position,
)
from engine.runtime.rows import contradicted_orders, net_positions
from engine.runtime.send_gate import SendGate
from engine.state.book import Book
from engine.state.order import Order

BEAT_SECONDS = 5
"""How long an answer is waited for that nothing depends on but itself."""

BELIEVED_AFTER = 10 * NS_PER_SECOND
"""A venue that goes on for so long to say what contradicts itself counts in another way than we."""


class Venue:
    """One venue, asked over its link; it decides nothing and keeps nothing.

    What can add exposure is handed over only while `gate` stands open: any thread may shut it, so
    that it is read in the very call that hands over.
    """

    def __init__(
        self,
        broker: Broker,
        link: Link,
        gate: SendGate,
        book: Book,
        time: SteadyTime,
        *,
        outside: Outside,
        hear: Callable[[BrokerError], None],
    ) -> None:
        self._broker = broker
        self._link = link
        self._gate = gate
        self._book = book
        self._time = time
        self._outside = outside
        self._hear = hear
        self._ids = OrderIds(broker.name, book)
        self._odd_since: Nanos | None = None
        """Since when its balances contradict what it says is held; None while they do not."""
        self._whole_at: Nanos = 0
        """When it was last asked for all fills that may explain what differs, and answered."""
        self._unread_since: Nanos | None = None
        """From when on its history of cash could not be had; None while it can."""

    @property
    def lag(self) -> Nanos:
        """By how much its lists may be behind what it has told."""
        return self._broker.capabilities.lag

    async def submit(self, order: OrderTerms) -> SubmitFailed | GateClosed | None:
        """Hand an order over; None when it was taken."""
        key, withheld = order.client_order_id, None

        async def request() -> None:
            nonlocal withheld
            if order.adds_exposure and self._gate.closed:
                withheld = self._gate.withheld(self._broker.name, key)
                raise NotSent(withheld.reason)
            await self._broker.submit_order(order)

        # A venue that limits entries is looked at all the same: they have limits of their own.
        error = await self._failure(key, request, paces=not order.adds_exposure)
        if withheld is not None or error is None:
            return withheld
        return SubmitFailed(self._broker.name, key, error)

    async def cancel(self, key: str) -> CancelFailed | None:
        """Ask for a cancel; None when the request was taken."""
        error = await self._failure(key, lambda: self._broker.cancel_order(key))
        return None if error is None else CancelFailed(self._broker.name, key, error)

    async def cancel_together(self, keys: Sequence[str]) -> list[CancelFailed]:
        """Ask for several cancels in one request; what was not taken, one by one."""
        refused: dict[str, BrokerError] = {}

        async def request() -> None:
            refused.update(await self._broker.cancel_orders(keys))

        error = await self._failure(keys[0], request)
        if error is not None:
            return [CancelFailed(self._broker.name, key, error) for key in keys]
        failed = [key for key in keys if key in refused]
        return [CancelFailed(self._broker.name, key, self._heard(refused[key])) for key in failed]

    async def modify(self, key: str, wanted: Replacement, *, adds: bool) -> ModifyFailed | None:
        """Ask for other terms; None when the request was taken.

        `adds`: the order can add exposure.
        """

        async def request() -> None:
            if adds and self._gate.closed:
                raise NotSent(f"not sent: {self._gate.reason}")
            await self._broker.modify_order(
                key,
                wanted.quantity,
                wanted.limit_price,
                wanted.stop_price,
                wanted.time_in_force,
            )

        error = await self._failure(key, request)
        return None if error is None else ModifyFailed(self._broker.name, key, error)

    async def look_up(self, key: str) -> QueryAnswered | QueryFailed:
        """What the venue knows of an order, with every fill since: in order they make sense.

        An answer with a number that is none counts as no answer.
        """
        asked = self._time.now()
        known = self._book.order_in(self._broker.name, key)
        since = lookback.order_since(self._book, self._broker.name, key, asked)
        try:
            async with self._link.request(key, grace=0) as then:
                order = await self._order(key)
                then(FILLS)
                fills = await self._broker.get_fills_since(since)
        except Exception as error:  # one of the six, or ambiguous
            return QueryFailed(self._broker.name, key, self._heard(error))
        fault = "" if order is None else order_fault(order)
        if order is not None and known is not None and not fault and _is_other(order, known):
            fault = f"{order.side} {order.symbol} has the id of {known.side} {known.symbol}"
        if fault:
            return QueryFailed(self._broker.name, key, Ambiguous(self._outside.text(fault)))
        return QueryAnswered(self._broker.name, key, order, self._own_fills(fills), asked)

    async def _order(self, key: str) -> VenueOrder | None:
        """The order of that id as the venue states it; one that is known by what the venue calls
        it, as it lists it. None where it does not know it; raises what the venue raises, and
        Ambiguous where its list contradicts itself."""
        if venue_order_id_of(key):
            listed = tuple(map(named_order, await self._broker.get_open_orders()))
            contradicted = contradicted_orders(listed)
            for order in self._ids.of_list(listed):
                if order.client_order_id == key:
                    if order.symbol in contradicted:
                        raise Ambiguous(contradicted[order.symbol])
                    return order
        found = await self._broker.get_order(key)
        return None if found is None else named_order(found, key)

    async def beat(self) -> None:
        """Ask the venue for nothing but an answer; whatever it says is one (X-84)."""
        with contextlib.suppress(NotSent, Ambiguous):
            async with self._link.request(TIME, grace=0, limit=BEAT_SECONDS):
                try:
                    await self._broker.server_time()
                except (Ambiguous, TimeoutError):
                    raise
                except Exception:  # noqa: S110 - an adapter that cannot ask it is not silent
                    pass

    async def look(
        self, *, for_kill: bool = False, whole: bool = False
    ) -> VenueSnapshot | BrokerError:
        """Everything a comparison needs, over one connection.

        A list that failed fails it all, and so do balances that are no numbers. What may be missing
        in it is the history of cash, or a line of that, and the holdings and orders of a symbol of
        which a number is none; of an account that is not known yet those only `for_kill`. Once it
        is known, such a look may also be without balances. `whole`: all fills that may explain what
        differs, also where they were asked for a moment ago.
        """
        asked = self._time.now()
        broker = self._broker
        state = self._book.account(broker.name)
        whole = whole or lookback.is_whole_due(state, self._whole_at, asked)
        since = lookback.look_since(state, asked, lag=self.lag, whole=whole)
        known = state.balances is not None
        try:
            async with self._link.request(ORDERS, grace=0) as then:
                orders = await broker.get_open_orders()
                then(POSITIONS)
                positions = await broker.get_positions()
                then(BALANCES)
                account = await self._balances(may_fail=for_kill and known)
                then(None, answered=isinstance(account, Account))
                history = await self._movements(since) if known else ()
                then(FILLS)
                # Fills last: whatever holdings and cash already show is then among them.
                fills = await broker.get_fills_since(since)
        except Exception as error:  # one of the six, or ambiguous
            return self._heard(error)
        rows = tuple(map(named_position, positions))
        faulty = {p.symbol: fault for p in rows if (fault := position_fault(p))}
        positions = net_positions(row for row in rows if row.symbol not in faulty)
        faulty |= {p.symbol: fault for p in positions if (fault := position_fault(p))}
        orders = tuple(map(named_order, orders))
        faulty |= contradicted_orders(orders)
        orders = self._ids.of_list(orders)
        history_fault = (
            f"the history of cash: {history}" if isinstance(history, BrokerError) else ""
        )
        movements, unread = self._readable(() if isinstance(history, BrokerError) else history)
        faulty |= {o.symbol: fault for o in orders if (fault := order_fault(o))}
        faulty = {symbol: self._outside.text(fault) for symbol, fault in faulty.items()}
        fault = "" if known or for_kill else next(iter(faulty.values()), "")
        contradicts = ""
        if isinstance(account, Account) and not faulty:
            contradicts = self._contradiction(account, positions, asked)
        if not known:
            fault = fault or contradicts
        if fault:
            return Ambiguous(self._outside.text(fault))
        if whole:
            self._whole_at = asked
        missing = [] if isinstance(account, Account) else [str(account)]
        missing += [history_fault] if history_fault else []
        missing += faulty.values()
        return VenueSnapshot(
            account=broker.name,
            balances=account if isinstance(account, Account) else None,
            without="; ".join(missing),
            contradicts=self._outside.text(contradicts) if contradicts else "",
            unreadable=faulty,
            history_fault=history_fault,
            unread_movements=unread,
            positions=tuple(p for p in positions if p.symbol not in faulty),
            orders=tuple(o for o in orders if o.symbol not in faulty),
            fills=self._own_fills(fills),
            movements=movements,
            requested_at=asked,
            as_of=self._time.now(),
        )

    def _contradiction(
        self, account: Account, positions: tuple[VenuePosition, ...], asked: Nanos
    ) -> str:
        """Why the balances cannot be true beside what is held; "" where they can, where nobody can
        say, or after so long must."""
        held = [position for position in positions if position.quantity]
        known = self._book.account(self._broker.name).balances is not None
        worth = list(map(self._worth, held)) if known else []
        values = [value for value in worth if value is not None]
        fault = ""
        if len(values) == len(held):
            gross = sum(map(abs, values), start=ZERO)
            fault = balance_fault(account, sum(values, start=ZERO), gross)
        if not fault:
            self._odd_since = None
            return ""
        if self._odd_since is None:
            self._odd_since = asked
        return fault if asked - self._odd_since < BELIEVED_AFTER else ""

    def _worth(self, held: VenuePosition) -> Decimal | None:
        """What a holding is worth at the newest price known, in the account's own currency; None
        where nobody can say."""
        account = self._book.account(self._broker.name)
        instrument = self._book.instrument(held.symbol)
        if instrument is None or instrument.contract or instrument.currency != account.currency:
            return None
        price = held.mark or self._book.data.marks.get(held.symbol) or held.average_price
        return held.quantity * price * instrument.multiplier if is_positive(price) else None

    async def _balances(self, *, may_fail: bool) -> Account | BrokerError:
        """The venue's balances; where they may fail, why they could not be had.

        Raises Ambiguous for a number that is none, and what the venue raises.
        """

        async def told() -> Account:
            account = named_account(await self._broker.get_account())
            fault = account_fault(account)
            if fault:
                raise Ambiguous(self._outside.text(fault))
            return account

        if not may_fail:
            return await told()
        try:
            async with self._link.request(BALANCES, grace=0, limit=BEAT_SECONDS):
                return await told()
        except Exception as error:  # one of the six, or ambiguous
            return self._heard(error)

    async def _movements(self, since: Nanos) -> tuple[CashMovement, ...] | BrokerError:
        """Cash that moved without a trade since then, in nanoseconds UTC, and since the history was
        last read; why it could not be had. None where the venue has no such history.

        A venue that does not tell it is not silent: whatever else it tells can be relied on (X-84).
        """
        if not self._broker.capabilities.history:
            return ()
        if self._unread_since is not None:
            since = min(since, self._unread_since)
        try:
            async with self._link.beside(BEAT_SECONDS):
                told = await self._broker.get_cash_movements_since(since)
        except Exception as error:  # one of the six, or ambiguous
            self._unread_since = since
            return self._heard(error)
        self._unread_since = None
        return told

    def _readable(
        self, history: tuple[CashMovement, ...]
    ) -> tuple[tuple[CashMovement, ...], dict[str, str]]:
        """The lines of a history of cash that can be read; and why another cannot be, by its id, or
        by that where it has none. What was booked or left out before is not read again (X-69)."""
        known = self._book.account(self._broker.name).cash_movements
        readable: list[CashMovement] = []
        unread: dict[str, str] = {}
        for line in map(named_movement, history):
            fault = self._outside.text(movement_fault(line))
            key = line.movement_id or fault
            if not fault:
                readable.append(line)
            elif key not in known:
                unread[key] = fault
        return tuple(readable), unread

    def own(self, report: OrderReport) -> OrderReport:
        """The report under the account's name, in words that may be kept.

        What a venue calls itself is nothing to go by.
        """
        report = self._ids.of_report(self._outside.report(report))
        fill = report.fill
        if fill is not None:
            (fill,) = self._own_fills((fill,))
        if report.account == self._broker.name and fill is report.fill:
            return report
        return msgspec.structs.replace(report, account=self._broker.name, fill=fill)

    def _own_fills(self, fills: tuple[Fill, ...]) -> tuple[Fill, ...]:
        name = self._broker.name
        return tuple(
            fill if fill.account == name else msgspec.structs.replace(fill, account=name)
            for fill in map(self._ids.of_fill, map(named_fill, map(dated, fills)))
        )

    def _heard(self, error: Exception) -> BrokerError:
        """A failure as one of the six; one that asks to wait puts off the looks."""
        told = self._outside.error(error)
        self._hear(told)
        return told

    async def _failure(
        self, key: str, request: Callable[[], Awaitable[None]], *, paces: bool = True
    ) -> BrokerError | None:
        """Why a request about that order was not taken, if so; `paces`: one that is asked to wait
        puts off the looks."""
        grace = self._broker.capabilities.timeout_seconds
        try:
            async with self._link.request(key, grace):
                await request()
        except Exception as error:  # one of the six, or ambiguous
            if paces or isinstance(error, Banned):
                return self._heard(error)
            return self._outside.error(error)
        return None


def _is_other(there: VenueOrder, here: Order) -> bool:
    """Whether an order of one id there cannot be the one of that id here.

    Most venues know one kind of sell, and say it of an order that opens a short too (A-245).
    """
    return (there.symbol, there.side.sign) != (here.symbol, here.side.sign)
