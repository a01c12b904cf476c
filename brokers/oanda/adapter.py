"""The broker port over one OANDA account (C-270, U-60).

What becomes of an order is told by the log of transactions alone, see `log`. The stream of it is
opened first, then the account is read, and what came with it is history; a line that is missing is
asked for by its id, and where that fails the stream ends and the engine connects again.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from decimal import Decimal
from typing import Final

import msgspec

from brokers import unclaimed
from brokers.inbox import AccountInbox
from brokers.net.identity import Claim, Identity
from brokers.net.numbers import time_of
from brokers.oanda import wire
from brokers.oanda.api import OandaApi
from brokers.oanda.listed import Listed, specifier
from brokers.oanda.log import TransactionLog
from brokers.oanda.money import FILL, account_of, fill_of, movements_of, positions_of
from brokers.oanda.orders import Pair, body_of, instrument_from, pair_of
from brokers.oanda.stream import QUIET_SECONDS, SILENCE_SECONDS, LineStream, StreamEnded
from engine.domain.account import Account, CashMovement, VenueOrder, VenuePosition
from engine.domain.instant import Nanos, to_datetime
from engine.domain.instrument import Instrument
from engine.domain.order import Fill, OrderTerms, OrderType, TimeInForce
from engine.domain.run import LinkState
from engine.ports import (
    Ambiguous,
    BrokerError,
    Capabilities,
    Clock,
    NotSent,
    Rejected,
    Report,
    StreamRefused,
    Throttled,
)

CAPABILITIES: Final = Capabilities(
    order_types=frozenset({OrderType.MARKET, OrderType.LIMIT, OrderType.STOP}),
    times_in_force=frozenset(TimeInForce),
    native_stop=True,
    # A replace there is a cancel and a new order of another id; the engine does that itself.
    native_modify=False,
    reduce_only=True,
    shorting=True,
    fractional=False,
    # An id is free again once its order has ended (research §6): a blind resend may fill twice.
    deduplicates=False,
    # No source bounds how late a lost request may arrive, and a request cannot state a bound. The
    # latest that was seen at any venue came 4 s after its sender gave up (research/reliability.md).
    late_arrival_seconds=10,
    # 1.5 s to connect, 3 s to send and 3 s for the answer: see brokers.net.rest.
    timeout_seconds=8,
    cancel_all=False,
    odd_lots=False,
    states_instruments=True,
    history=True,
)

MOST_BAD_LINES: Final = 5
"""So many lines in a row that cannot be read are no stream of transactions."""

CHECK_SECONDS: Final = 3.0
"""With `QUIET_SECONDS` before it: a connection that carries nothing is noticed within 5 s."""


class OandaBroker:
    """One account at OANDA. `silence_seconds` without a line and its stream is over; after each
    `quiet_seconds` without one the venue is asked what the stream may have failed to bring."""

    def __init__(
        self,
        name: str,
        api: OandaApi,
        clock: Clock,
        *,
        silence_seconds: float = SILENCE_SECONDS,
        quiet_seconds: float = QUIET_SECONDS,
        claim: Claim = unclaimed,
    ) -> None:
        """`name` is the account's under `[brokers]`; `claim` keeps it from other processes."""
        self._name = name
        self._api = api
        self._identity = Identity(name, api.settings, claim)
        self._clock = clock
        self._silence = silence_seconds
        self._quiet_seconds = quiet_seconds
        self._inbox = AccountInbox(name, clock)
        self._log = TransactionLog(name, self._inbox.put)
        self._listed = Listed(api, self._log)
        self._stream: LineStream | None = None
        self._is_asked = False
        """Requests go out though the stream was refused."""
        self._pairs: dict[str, Pair] = {}
        self._home = ""
        self._begun: Nanos = 0
        """When the account was created there."""
        self._bad_lines = 0
        self._awaited = 0
        """The newest transaction that the venue told of when asked, until the stream says anything;
        0 where there is none."""

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
        """Open the stream, then read the account: whatever comes after that moment is told."""
        if self._stream is not None:
            return
        api, stream, refused = self._api, None, None
        await api.open()
        try:
            if not api.account_id:
                await api.find_account()
            await self._identity.confirm(api.account_id)
            stream = LineStream(
                api.streams,
                api.request("GET", "/transactions/stream"),
                heard=self._heard,
                ended=self._ended,
                silence_seconds=self._silence,
                quiet=self._check,
                quiet_seconds=self._quiet_seconds,
            )
            try:
                await stream.open()
            except (NotSent, Throttled) as error:
                refused = StreamRefused.by(error)
            account = await api.account(urgent=True)
            await self._identity.confirm(account.id)
            listed = await api.ask("/instruments", wire.InstrumentsAnswer, urgent=True)
        except BaseException:
            self._is_asked = False
            if stream is not None:
                await stream.close()
            await api.close()
            raise
        self._pairs = {row.name: pair_of(row) for row in listed.instruments}
        self._home, self._begun = account.currency, time_of(account.created_time)
        self._bad_lines = self._awaited = 0
        self._log.begin(account)
        self._is_asked = refused is not None
        if refused is not None:
            raise refused
        self._stream = stream
        stream.begin()
        self._inbox.link(LinkState.CONNECTED)

    async def disconnect(self) -> None:
        """No order is cancelled (D-53)."""
        stream, self._stream = self._stream, None
        self._is_asked = False
        if stream is not None:
            await stream.close()
            self._inbox.link(LinkState.DISCONNECTED, "disconnected by us")
        await self._api.close()

    def reports(self) -> AsyncIterator[Report]:
        """Every report from the first connect on; one reader at a time."""
        return self._inbox.read()

    def _ended(self, why: str) -> None:
        self._stream = None
        self._inbox.link(LinkState.DISCONNECTED, why)

    async def _heard(self, lines: list[bytes]) -> None:
        """Tell what the lines say. Where one is missing or cannot be read, the venue is asked for
        all that follows the newest that was told."""
        missing, self._awaited = False, 0
        for line in lines:
            try:
                told = msgspec.json.decode(line, type=wire.Transaction)
            except (msgspec.DecodeError, ValueError):
                told = wire.Transaction()
            if told.type == "HEARTBEAT":
                self._bad_lines = 0
                newest = wire.id_of(told.last_transaction_id)
                missing |= newest > self._log.last
                if newest == self._log.last:
                    self._log.batch_ended()
            elif told.number:
                self._bad_lines = 0
                missing |= not self._log.take((told,))
            else:
                self._bad_lines += 1
                missing = True
                if self._bad_lines >= MOST_BAD_LINES:
                    raise StreamEnded(f"{self._bad_lines} lines in a row could not be read")
        if not missing:
            return
        try:
            self._log.take_all(await self._api.after(self._log.last))
        except BrokerError as error:
            raise StreamEnded(f"what was missed could not be had: {error}") from error

    async def _check(self) -> None:
        """Ask for what a quiet stream may have failed to bring, and tell it. A connection that
        carries nothing more shows so before the next beat is missing (C-440)."""
        if self._awaited:
            raise StreamEnded(f"it did not bring transaction {self._awaited}")
        try:
            async with asyncio.timeout(CHECK_SECONDS):
                missed = await self._api.after(self._log.last)
        except Throttled:
            return
        except (BrokerError, TimeoutError) as error:
            what = str(error) or f"no answer in {CHECK_SECONDS:g} s"
            raise StreamEnded(f"it was quiet, and the venue could not be asked: {what}") from error
        if missed:
            self._awaited = missed[-1].number
            self._log.take_all(missed)

    # --- orders

    async def submit_order(self, order: OrderTerms) -> None:
        """Hand an order over; what is off the instrument's grid is refused here."""
        self._check_open()
        body = body_of(order, self._pair(order.symbol))
        request = self._api.request("POST", "/orders", body={"order": body})
        done: wire.Done = await self._api.rest.ask(request, wire.Done, urgent=order.reduce_only)
        if done.order_create_transaction is None:
            raise Ambiguous(f"the answer to order {order.client_order_id} names no order")
        self._take(done)

    async def cancel_order(self, client_order_id: str) -> None:
        """Ask for a cancel, by the client order id or by what the venue calls the order."""
        self._check_open()
        request = self._api.request("PUT", f"/orders/{specifier(client_order_id)}/cancel")
        self._take(await self._api.rest.ask(request, wire.Done, urgent=True))

    async def cancel_orders(self, client_order_ids: Sequence[str]) -> dict[str, BrokerError]:
        """OANDA has no such request."""
        raise Rejected("UNSUPPORTED", "OANDA has no request that cancels several orders")

    async def cancel_all(self) -> None:
        """OANDA has no such request."""
        raise Rejected("UNSUPPORTED", "OANDA has no request that cancels every order")

    async def modify_order(
        self,
        client_order_id: str,
        quantity: Decimal,
        limit_price: Decimal | None = None,
        stop_price: Decimal | None = None,
        time_in_force: TimeInForce | None = None,
    ) -> None:
        """OANDA has none that keeps the order: see `CAPABILITIES`."""
        raise Rejected("UNSUPPORTED", "OANDA changes no order: it is cancelled and sent anew")

    def _take(self, done: wire.Done) -> None:
        """Tell what an answer says, unless something before it is still to come by the stream."""
        if self._log.take(done.transactions):
            self._log.batch_ended()

    # --- questions

    async def get_order(self, client_order_id: str) -> VenueOrder | None:
        """The order as it stands, looked for until it is certain that there is none."""
        self._check_open()
        row = await self._listed.find(client_order_id)
        return None if row is None else await self._listed.stated(row, self._fill)

    async def get_open_orders(self) -> tuple[VenueOrder, ...]:
        """Every pending order, those that are tied to a trade included.

        Whatever state is stated of one in this list, it can still fill.
        """
        self._check_open()
        return await self._listed.pending()

    async def get_fills_since(self, since: Nanos) -> tuple[Fill, ...]:
        """Every fill of the log at or after `since`, oldest first."""
        self._check_open()
        told = await self._api.since(max(since, self._begun), FILL)
        fills = (self._fill(each) for each in told if each.type == FILL)
        return tuple(fill for fill in fills if fill.time >= since or not fill.time)

    async def get_cash_movements_since(self, since: Nanos) -> tuple[CashMovement, ...]:
        """Transfers, interest, and conversions of profits, oldest first; see `money`."""
        self._check_open()
        told = await self._api.since(max(since, self._begun))
        moved = (movement for each in told for movement in movements_of(each, self._home))
        return tuple(each for each in moved if each.time >= since or not each.time)

    async def get_positions(self) -> tuple[VenuePosition, ...]:
        """Every holding that is not flat, long and short of one symbol added up."""
        self._check_open()
        answer: wire.PositionsAnswer = await self._api.ask("/openPositions", wire.PositionsAnswer)
        return positions_of(answer.positions)

    async def get_account(self) -> Account:
        """Cash by currency as the engine counts it, net asset value and free margin."""
        self._check_open()
        return account_of(await self._api.account(), self._clock.now())

    async def instrument(self, symbol: str) -> Instrument:
        """The facts of a pair, as they were when the connection was opened."""
        self._check_open()
        return instrument_from(self._pair(symbol), to_datetime(self._clock.now()).date())

    async def server_time(self) -> Nanos:
        """The venue's clock, to the second."""
        self._check_open()
        return await self._api.server_time()

    def _fill(self, told: wire.Transaction) -> Fill:
        client_id = self._log.client_id_of(str(told.order_id or ""))
        return fill_of(told, self._name, self._home, client_id)

    def _pair(self, symbol: str) -> Pair:
        pair = self._pairs.get(symbol)
        if pair is None:
            raise Rejected("INSTRUMENT_UNKNOWN", f"{symbol} is not traded in this account at OANDA")
        return pair

    def _check_open(self) -> None:
        if self._stream is None and not self._is_asked:
            raise NotSent(f"{self._name} is not connected to OANDA")
