"""The broker port over TWS or the gateway of Interactive Brokers (C-230..C-232, E-11, E-13)."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

import msgspec

from brokers import unclaimed
from brokers.ibkr._lib import lib
from brokers.ibkr.codec import Execution
from brokers.ibkr.executions import Executions, newest
from brokers.ibkr.holdings import account_of, positions_of
from brokers.ibkr.known import Known, KnownOrders
from brokers.ibkr.listener import Status
from brokers.ibkr.market import IbkrMarket
from brokers.ibkr.orders import Orders
from brokers.ibkr.rules import RuleBook
from brokers.ibkr.session import Session
from brokers.ibkr.settings import IbkrConfig
from brokers.ibkr.symbols import Symbols
from brokers.ibkr.words import TYPES, WORDS
from brokers.inbox import AccountInbox
from brokers.net.budget import Budget
from brokers.net.identity import Claim, Identity
from brokers.net.numbers import written
from brokers.net.unsent import nothing_sent_yet
from engine.domain.account import Account, CashMovement, VenueOrder, VenuePosition
from engine.domain.ids import venue_order_id_of
from engine.domain.instant import Nanos
from engine.domain.instrument import Instrument
from engine.domain.order import Fill, OrderTerms, Side, TimeInForce
from engine.domain.run import LinkState
from engine.ports import (
    Ambiguous,
    AuthFailed,
    BrokerError,
    Capabilities,
    Clock,
    NotSent,
    Rejected,
    Report,
)

ANSWER_SECONDS: Final = 4.0
"""How long the first word about an order, or about its cancel, is waited for."""

CUT_SECONDS: Final = 120.0
"""A connection of which TWS said so long ago that it leads nowhere, and not that it is back, is
opened anew: a notice that never comes must not keep us out for ever."""

BURST: Final = 20
"""Messages at once and a second, see `session.MAX_REQUESTS`."""

LARGEST_NUMBER: Final = 2**30
"""Numbers of orders that are larger were made up by another program, and leave no room for ours."""

COMBINATION: Final = "BAG"

CAPABILITIES: Final = Capabilities(
    order_types=frozenset(TYPES.values()),
    times_in_force=frozenset(TimeInForce),
    native_stop=True,
    # A change sent while TWS has lost its connection has become a second order (research, ibkr).
    native_modify=False,
    reduce_only=False,
    shorting=True,
    fractional=False,
    # TWS takes an orderRef as often as it is sent.
    deduplicates=False,
    # TWS is as near as a socket: what has not arrived there soon after the time-out is lost.
    late_arrival_seconds=2,
    timeout_seconds=5,
    late_execution_seconds=10,
    cancel_all=True,
    odd_lots=False,
    states_instruments=True,
)


class IbkrBroker:
    """One account at Interactive Brokers. It connects only when told to."""

    def __init__(
        self,
        name: str,
        settings: IbkrConfig,
        clock: Clock,
        instruments: Mapping[str, Instrument],
        watched: Sequence[str] = (),
        *,
        claim: Claim = unclaimed,
    ) -> None:
        """`watched` are the symbols of its market data, by our ids; `claim` keeps the account from
        other processes."""
        self._name = name
        self._settings = settings
        self._identity = Identity(name, settings, claim)
        self._clock = clock
        self._inbox = AccountInbox(name, clock)
        self._symbols = Symbols(instruments)
        self._rules = RuleBook(self._symbols, dict(instruments))
        self._known = KnownOrders(settings.client_id)
        self._told = Executions(name, self._symbols)
        self._orders = Orders(
            name=name,
            client_id=settings.client_id,
            symbols=self._symbols,
            clock=clock,
            known=self._known,
            executed=self._told,
            put=self._tell,
        )
        self._budget = Budget("TWS", size=BURST, seconds=1, monotonic=clock.monotonic, reserved=0.5)
        self._session: Session | None = None
        self._account = ""
        self._next_id = 0
        """Order numbers begin here on the next connection: none is given out twice by us."""
        self._cut_since: Nanos = 0
        self._connecting = asyncio.Lock()
        self._early: list[Report] | None = None
        """What is told while we come in: it is handed on once the connection is told."""
        self.market = IbkrMarket(self._rules, clock, watched)

    @property
    def name(self) -> str:
        return self._name

    @property
    def identity(self) -> Identity:
        return self._identity

    @property
    def capabilities(self) -> Capabilities:
        return CAPABILITIES

    # --- the connection

    async def connect(self) -> None:
        """Connect, log in, and learn which orders work. Raises one of the six errors.

        While TWS itself has lost its connection this raises NotSent, and CONNECTED is told by
        itself once it is back.
        """
        async with self._connecting:
            session = self._session
            if session is not None and session.is_open:
                if not session.is_cut:
                    return
                waited = self._clock.monotonic() - self._cut_since
                if waited < CUT_SECONDS * 1_000_000_000:
                    raise NotSent("TWS has lost its connection to Interactive Brokers")
                self._hang_up("TWS did not come back")
            session = Session(
                host=self._settings.host,
                port=self._settings.port,
                client_id=self._settings.client_id,
                listener=self,
                ticks=self.market,
                budget=self._budget,
            )
            self._session = session
            self._early = []
            try:
                await session.open(first_id=self._next_id)
                self._account = await self._confirmed(session.accounts)
                try:
                    # It teaches which order has which number, and shows that TWS answers.
                    await session.open_orders()
                except Ambiguous as error:
                    raise NotSent(f"TWS let us in, and: {error}") from error
                if session.is_cut:
                    raise NotSent("TWS has no connection to Interactive Brokers")
            except BaseException:
                # Whoever gave up waiting is free to try again.
                self._session = None
                session.close()
                self._known.lost("the connection did not stand")
                self._orders.lost()
                self._hand_on()
                raise
            self._inbox.link(LinkState.CONNECTED)
            self._hand_on()
            self._orders.found()
        self.market.attach(session)

    def _tell(self, report: Report) -> None:
        if self._early is None:
            self._inbox.put(report)
        else:
            self._early.append(report)

    def _hand_on(self) -> None:
        early, self._early = self._early or [], None
        for report in early:
            self._inbox.put(report)

    async def disconnect(self) -> None:
        """No order is cancelled (D-53)."""
        if self._hang_up("disconnected by us"):
            self._inbox.link(LinkState.DISCONNECTED, "disconnected by us")

    def _hang_up(self, why: str) -> bool:
        """End the connection without a word; False when there is none."""
        session, self._session = self._session, None
        if session is None:
            return False
        session.close()
        self._known.lost(why)
        self._orders.lost()
        self.market.detach()
        return True

    async def _confirmed(self, accounts: list[str]) -> str:
        """The account to trade, of those that the login reaches. Raises AuthFailed."""
        wanted = self._settings.account_id
        if not wanted and len(accounts) > 1:
            raise AuthFailed(
                f"[brokers.{self._name}] account_id is missing: TWS has {len(accounts)} accounts"
            )
        found = wanted if wanted in accounts else next(iter(accounts), "")
        is_paper = found.upper().startswith("D")
        if is_paper == self._settings.is_live:
            kind = "a paper account" if is_paper else "an account of real money"
            raise AuthFailed(
                f'[brokers.{self._name}] environment = "{self._settings.environment}", and TWS at '
                f"port {self._settings.port} answers with {kind}"
            )
        await self._identity.confirm(found)
        return found

    def _open(self) -> Session:
        if self._session is None or not self._session.is_open:
            raise NotSent("TWS is not connected")
        return self._session

    # --- orders

    async def submit_order(self, order: OrderTerms) -> None:
        session, urgent = self._open(), not order.adds_exposure
        with nothing_sent_yet(f"what TWS takes of {order.symbol} is not known"):
            rules = await self._rules.of(session, order.symbol, urgent=urgent)
        rules.check(order)
        number_there = session.next_id()
        self._next_id = number_there + 1
        known = self._known.placed(number_there, order)
        known.answer = asyncio.get_running_loop().create_future()
        sent = self._order(order)
        try:
            session.send(
                lambda c: c.placeOrder(number_there, rules.contract, sent),
                urgent=urgent,
            )
        except BrokerError:
            self._known.forget(known)
            raise
        await _answered(known.answer, "the order", known)

    def _order(self, order: OrderTerms) -> Any:
        """What is sent of an order. It always says its time in force, so that no preset of TWS
        changes it, and its account."""
        made = lib.Order(
            action="BUY" if order.side is Side.BUY else "SELL",
            totalQuantity=written(order.quantity),
            orderType=WORDS[order.type],
            tif=order.time_in_force.value,
            account=self._account,
            orderRef=order.client_order_id,
        )
        if order.limit_price is not None:
            made.lmtPrice = written(order.limit_price)
        if order.stop_price is not None:
            made.auxPrice = written(order.stop_price)
        return made

    async def cancel_order(self, client_order_id: str) -> None:
        session = self._open()
        ours = self._cancellable(self._known.named(client_order_id))
        if not ours:
            # Which number it has on this connection, and whether it still works.
            listed = await self._listed(session)
            found = [known for known in self._known.named(client_order_id) if known in listed]
            if not found:
                raise Rejected("UNKNOWN_ORDER", f"TWS works no order {client_order_id}")
            ours = self._cancellable(found)
            if not ours:
                # Its number under our client id is that of another order, which would be cancelled.
                raise Rejected(
                    "FOREIGN_ORDER",
                    f"order {client_order_id} belongs to client id {found[0].client_id} of TWS: "
                    "only that program, or TWS itself, can cancel it",
                )
        # Two of one id are both unwanted: both are asked for, whatever is said of the first.
        sent = [(known, self._send_cancel(session, known)) for known in ours]
        told = [await _error_of(answer, "the cancel", known) for known, answer in sent]
        errors = [error for error in told if error is not None]
        doubts = [error for error in errors if not isinstance(error, Rejected)]
        if doubts or len(errors) == len(ours):
            raise (doubts or errors)[0]

    def _send_cancel(self, session: Session, known: Known) -> asyncio.Future[None]:
        """Ask for a cancel; what is told of it is the answer."""
        if known.cancel is None or known.cancel.done():
            known.cancel = asyncio.get_running_loop().create_future()
        session.send(lambda c: c.cancelOrder(known.order_id), urgent=True)
        return known.cancel

    def _cancellable(self, found: list[Known]) -> list[Known]:
        """Those that have a number of ours on this connection, and have not ended."""
        mine = self._settings.client_id
        return [k for k in found if k.client_id == mine and k.order_id and not k.has_ended]

    async def cancel_orders(self, client_order_ids: Sequence[str]) -> dict[str, BrokerError]:
        raise Rejected("NOT_SUPPORTED", "TWS cancels one order a request, or all of them")

    async def cancel_all(self) -> None:
        """Every order of the login: those of other programs and of TWS itself too. Raises Rejected
        where the login reaches other accounts than ours, whose orders TWS would cancel as well."""
        session = self._open()
        if len(session.accounts) > 1:
            raise Rejected(
                "NOT_SUPPORTED",
                f"TWS would cancel the orders of all {len(session.accounts)} accounts of its login",
            )
        session.send(lambda c: c.reqGlobalCancel(), urgent=True)

    async def modify_order(
        self,
        client_order_id: str,
        quantity: Decimal,
        limit_price: Decimal | None = None,
        stop_price: Decimal | None = None,
        time_in_force: TimeInForce | None = None,
    ) -> None:
        raise Rejected("NOT_SUPPORTED", "an order here is cancelled and sent anew")

    # --- questions

    async def get_order(self, client_order_id: str) -> VenueOrder | None:
        """First those that work, then those that have ended: one that ends meanwhile is found.

        Raises Ambiguous where TWS has two of this id, and where there are executions of an order
        that is in neither list.
        """
        session = self._open()
        there = venue_order_id_of(client_order_id)

        def is_it(ref: str, perm_id: str) -> bool:
            return perm_id == there if there else ref == client_order_id

        found = [
            self._orders.listed(known)
            for known in await self._listed(session)
            if is_it(known.ref, known.venue_id)
        ]
        ended = await self._completed(session) if len(found) != 1 else []
        found += [o for o in ended if is_it(o.client_order_id, o.venue_order_id)]
        if len(found) > 1:
            raise Ambiguous(f"TWS has {len(found)} orders of the id {client_order_id}")
        if found:
            return found[0]
        executions = await self._executions(session)
        permanent = {str(x.perm_id) for x in executions if is_it(x.ref, str(x.perm_id))}
        if not permanent:
            return None
        # TWS has listed orders that have ended without their reference.
        unnamed = [o for o in ended if not o.client_order_id and o.venue_order_id in permanent]
        if len(unnamed) != 1:
            raise Ambiguous(f"TWS has executions of {client_order_id}, and the order in no list")
        return msgspec.structs.replace(unnamed[0], client_order_id=client_order_id)

    async def get_open_orders(self) -> tuple[VenueOrder, ...]:
        return tuple(map(self._orders.listed, await self._listed(self._open())))

    async def _listed(self, session: Session) -> list[Known]:
        """The orders of the account that work, each once."""
        rows = [order for _, order, _ in await session.open_orders()]
        ours = [order for order in rows if self._is_ours(order.account)]
        return [known for known in self._known.listed(ours) if not known.has_ended]

    async def _completed(self, session: Session) -> list[VenueOrder]:
        return [
            self._orders.completed(contract, order, state)
            for contract, order, state in await session.completed_orders()
            if self._is_ours(order.account)
        ]

    async def _executions(self, session: Session) -> list[Execution]:
        return newest(filter(self._counts, await session.executions()))

    def _counts(self, told: Execution) -> bool:
        """Whether an execution is of our account, and of what can be held: TWS tells that of a
        combination beside those of its legs."""
        return self._is_ours(told.account) and told.contract.secType != COMBINATION

    def _is_ours(self, account: str) -> bool:
        """Whether a row is of our account; while we come in, of that which the config names."""
        mine = self._account or self._settings.account_id
        return not account or not mine or account == mine

    async def get_fills_since(self, since: Nanos) -> tuple[Fill, ...]:
        """What TWS still has: the gateway has executions since midnight alone. One whose time
        cannot be read is always among them."""
        found = await self._executions(self._open())
        wanted = [told for told in found if not told.time or told.time >= since]
        await self._told.charged_all(wanted)
        return tuple(sorted(map(self._told.fill, wanted), key=lambda fill: fill.time))

    async def get_cash_movements_since(self, since: Nanos) -> tuple[CashMovement, ...]:
        raise Rejected("NOT_SUPPORTED", "TWS has no history of cash")

    async def get_positions(self) -> tuple[VenuePosition, ...]:
        rows = await self._open().positions()
        return positions_of((row[1:] for row in rows if self._is_ours(row[0])), self._symbols)

    async def get_account(self) -> Account:
        rows = await self._open().summary()
        told = (row[1:] for row in rows if self._is_ours(row[0]))
        return account_of(told, self._account, self._clock.now())

    async def instrument(self, symbol: str) -> Instrument:
        return (await self._rules.of(self._open(), symbol)).instrument

    async def server_time(self) -> Nanos:
        return await self._open().time()

    def reports(self) -> AsyncIterator[Report]:
        """Every report from the first connect on; one reader at a time."""
        return self._inbox.read()

    # --- what the session tells

    def order_told(self, contract: Any, order: Any, state: Any) -> None:
        if self._is_ours(order.account):
            if 0 < order.orderId < LARGEST_NUMBER and self._session is not None:
                self._session.at_least(order.orderId)
            self._orders.order_told(contract, order, state)

    def status_told(self, told: Status) -> None:
        self._orders.status_told(told)

    def execution_told(self, told: Execution) -> None:
        if self._counts(told):
            self._orders.execution_told(told)

    def commission_told(self, execution_id: str, fee: Decimal, currency: str) -> None:
        self._orders.commission_told(execution_id, fee, currency)

    def order_error(self, order_id: int, code: int, text: str) -> None:
        self._orders.error_told(order_id, code, text)

    def cut(self, why: str) -> None:
        """TWS has lost its own connection: what it shows from here on may be old."""
        self._cut_since = self._clock.monotonic()
        self._orders.lost()
        if self._early is None:  # else nobody was told that it stood
            detail = f"TWS has lost Interactive Brokers: {why}"
            self._inbox.link(LinkState.DISCONNECTED, detail)

    def back(self, *, data_lost: bool) -> None:
        """It is back: the engine looks at everything, for executions of meanwhile are not told."""
        if self._early is not None:
            return  # whoever comes in tells it
        self._orders.found()
        self._inbox.link(LinkState.CONNECTED)
        if data_lost:
            self.market.subscribe_again()

    def ended(self, why: str) -> None:
        self._session = None
        self._known.lost(why)
        self._orders.lost()
        self.market.detach()
        if self._early is None:  # else nobody was told that it stood
            self._inbox.link(LinkState.DISCONNECTED, why)


async def _error_of(answer: asyncio.Future[None], what: str, known: Known) -> BrokerError | None:
    """As `_answered`; what it raises is returned, None where nothing is."""
    try:
        await _answered(answer, what, known)
    except BrokerError as error:
        return error
    return None


async def _answered(answer: asyncio.Future[None], what: str, known: Known) -> None:
    """Wait for the first word about what was sent. Raises what TWS says, or Ambiguous."""
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            await asyncio.shield(answer)
    except TimeoutError as error:
        more = f"; it said {known.doubt}" if known.doubt else ""
        raise Ambiguous(f"TWS did not answer {what} in time{more}") from error
