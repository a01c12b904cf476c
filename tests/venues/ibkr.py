"""A local TWS: a peer on loopback that speaks its text protocol, and its faults (C-230..C-232).

`API`, version range, length-prefixed messages of fields that end in NUL. An order is checked as
strictly as TWS does: a message of another length is refused with 320.
"""

import asyncio
import contextlib
import itertools
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from types import TracebackType
from typing import Any, Literal, Self
from zoneinfo import ZoneInfo

from tests.venues.exchange import Change, Exchange, Execution, Order, Refused, Rules
from tests.venues.ibkr_wire import (
    UNSET,
    Listing,
    Ticket,
    completed_order,
    contract_details,
    frame,
    open_order,
)

ACCOUNT = "DU1234567"
ZERO = Decimal(0)

AAPL = Listing("AAPL", 265598, "AAPL")
MSFT = Listing("MSFT", 272093, "MSFT")
BRK = Listing("BRK.B", 72063691, "BRK B", exchange="SMART", primary="NYSE")
EUR = Listing(
    "EUR_USD", 12087792, "EUR", sec_type="CASH", exchange="IDEALPRO", primary="", local="EUR.USD",
    trading_class="EUR.USD", valid="IDEALPRO", rules="239", min_tick="0.00005",
    min_size="1", size_increment="1",
)  # fmt: skip
CALL = Listing(
    "AAPL 2026-12-18 200 C", 700001, "AAPL", sec_type="OPT", expiry="20261218", strike="200.0",
    right="C", multiplier="100", local="AAPL  261218C00200000", trading_class="AAPL",
    valid="SMART,CBOE", rules="32,109",
)  # fmt: skip
ES = Listing(
    "ES 2026-12", 700002, "ES", sec_type="FUT", expiry="20261218", multiplier="50", local="ESZ6",
    trading_class="ES", exchange="CME", primary="", valid="CME,QBALGO", rules="67,67",
    min_tick="0.25",
)  # fmt: skip

MARKET_RULES: dict[int, list[tuple[str, str]]] = {
    26: [("0", "0.0001"), ("1", "0.01")],
    32: [("0", "0.05"), ("3", "0.1")],
    67: [("0", "0.25")],
    109: [("0", "0.01")],
    239: [("0", "0.00005")],
}

KINDS: dict[str, Literal["market", "limit", "stop", "stop_limit"]] = {
    "MKT": "market", "LMT": "limit", "STP": "stop", "STP LMT": "stop_limit",
}  # fmt: skip
CODES = {"SYMBOL": 200, "QUANTITY": 10243, "PRICE": 110}

OPS = {
    "1": "market_data", "2": "cancel_market_data", "3": "place", "4": "cancel", "7": "executions",
    "9": "details", "16": "open_orders", "20": "history", "25": "cancel_history", "49": "time",
    "58": "global_cancel", "61": "positions", "62": "summary", "63": "cancel_summary",
    "64": "cancel_positions", "71": "start_api", "91": "rule", "99": "completed",
}  # fmt: skip

Play = Literal["swallow", "mute", "drop_before", "drop_after", "error"]
"""`swallow`: read and never heard of again. `mute`: carried out, and nothing of it is told.
`drop_after`: carried out, and the connection is reset before anything is told."""


@dataclass
class Fault:
    """What happens at the next request of that name."""

    op: str
    play: Play
    times: int = 1
    code: int = 0
    text: str = ""


@dataclass
class Peer:
    """One connected program."""

    writer: asyncio.StreamWriter
    version: int = 0
    client_id: int = -1
    next_id: int = 1
    is_muted: bool = False
    subscriptions: dict[int, Listing] = field(default_factory=dict)
    piece: int = 0
    """Bytes that are put on the wire at once, wherever messages end; 0: each message whole."""
    owed: bytearray = field(default_factory=bytearray)
    cutting: "asyncio.Task[None] | None" = None

    def send(self, *fields: Any) -> None:
        self.put(frame(*fields))

    def put(self, message: bytes) -> None:
        if self.is_muted or self.writer.is_closing():
            return
        if not self.piece:
            self.writer.write(message)
            return
        self.owed += message
        if self.cutting is None:
            self.cutting = asyncio.create_task(self._cut())

    async def _cut(self) -> None:
        """Write what is owed piece by piece: what comes meanwhile is joined to it."""
        while self.owed:
            await asyncio.sleep(0)  # whoever reads is in this loop, and reads it by itself
            piece = bytes(self.owed[: self.piece])
            del self.owed[: self.piece]
            self.writer.write(piece)
        self.cutting = None

    def error(self, request: int, code: int, text: str) -> None:
        more = ("",) if self.version >= 166 else ()
        self.send(4, 2, request, code, text, *more)


def exchange(**more: Any) -> Exchange:
    """The account behind it; AAPL is at 100."""
    rules = (
        Rules("AAPL"),
        Rules("MSFT"),
        Rules("BRK.B"),
        Rules("EUR_USD", tick=Decimal("0.00005"), base="EUR"),
        Rules("AAPL 2026-12-18 200 C"),
        Rules("ES 2026-12", tick=Decimal("0.25")),
    )
    return Exchange(rules, account_id=ACCOUNT, unique_while_open=False, **more)


class Tws:
    """TWS on a free port of loopback. The switches say how it behaves from now on."""

    def __init__(self, venue: Exchange | None = None, *, version: int = 178) -> None:
        self.exchange = venue or exchange()
        self.exchange.listeners.append(self._heard)
        self.version = version
        self.accounts = [self.exchange.account_id]
        self.listings = {x.con_id: x for x in (AAPL, MSFT, BRK, EUR, CALL, ES)}
        self.requests: list[tuple[str, list[str]]] = []
        self.handled: list[tuple[int, int]] = []
        """When each was begun and answered, on the machine's monotonic clock in ns."""
        self.faults: list[Fault] = []
        self.peers: list[Peer] = []
        self.tickets: dict[int, Ticket] = {}
        self.executions: list[list[Any]] = []
        """execDetails without its first two fields, in the order in which they happened."""
        self.commissions: dict[str, tuple[Decimal, str]] = {}
        self.zone = "US/Eastern"
        self.tells_status = True
        """False: no orderStatus comes, as with fills that are fast."""
        self.tells_executions = True
        """False: executions of now are lost, as those of while TWS was without its connection."""
        self.tells_commissions = True
        self.commission_seconds = 0.0
        """So long after its execution a commission is told."""
        self.commission_first = False
        self.status_first = False
        """The word Filled comes before the execution that it is about."""
        self.is_connected = True
        """False: TWS has lost its own connection (1100)."""
        self.says_it_early = True
        """False: a program that comes then hears of it with the answer to its first question."""
        self.greeting = ""
        """What is said in place of the version."""
        self.hangs = False
        """True: a program that comes is let in and told nothing."""
        self.greets_seconds = 0.0
        """So long after a program came it is told the version, as by one that has just started."""
        self.piece = 0
        """What is told to a program that comes arrives in pieces of so many bytes; 0: as sent."""
        self.notices: list[tuple[int, str]] = []
        """Told of each new order, before anything else is."""
        self.answers_cancels = True
        self.fills_before_cancel = False
        self.moves_while_listed: Decimal | None = None
        """So much is bought of each holding while holdings are listed: it is told as a row more."""
        self.data_type = 1
        self._perm = itertools.count(1_234_560_001)
        self._next = itertools.count(1)
        self._server: asyncio.Server | None = None
        self._served: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        self._arrived = asyncio.Event()
        self.port = 0

    # --- life

    async def start(self) -> None:
        """Listen; again on the same port after `stop`."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    @property
    def listens(self) -> bool:
        return self._server is not None

    async def stop(self) -> None:
        """Hang up on everybody and listen no more."""
        server, self._server = self._server, None
        if server is not None:
            server.close()
            for writer in self._served.values():
                writer.transport.abort()
            await asyncio.gather(*self._served, return_exceptions=True)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()

    def drop(self) -> None:
        """Reset every connection."""
        for peer in tuple(self.peers):
            peer.writer.transport.abort()

    def fault(self, op: str, play: Play, **more: Any) -> None:
        """Play this at the next request of that name."""
        self.faults.append(Fault(op, play, **more))

    def count(self, op: str) -> int:
        """How many requests of that name have come in."""
        return sum(name == op for name, _ in self.requests)

    async def until(self, op: str, count: int = 1) -> None:
        """Wait until so many requests of that name have come in."""
        async with asyncio.timeout(5):
            while self.count(op) < count:
                self._arrived.clear()
                await self._arrived.wait()

    def tell(self, code: int, text: str = "") -> None:
        """A notice to everybody, about no request."""
        for peer in self.peers:
            peer.error(-1, code, text)

    def lose_connection(self) -> None:
        """1100: whatever happens now is not told."""
        self.is_connected = False
        self.tell(1100, "Connectivity between IB and TWS has been lost.")

    def find_connection(self, *, data_lost: bool = False) -> None:
        """1101 or 1102."""
        self.is_connected = True
        if data_lost:
            for peer in self.peers:
                peer.subscriptions.clear()
        self.tell(1101 if data_lost else 1102, "Connectivity between IB and TWS is restored.")

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer, task = Peer(writer), asyncio.current_task()
        assert task is not None
        self._served[task] = writer
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            if await self._greet(reader, peer):
                while True:
                    self._take(peer, await _read(reader))
        if peer in self.peers:
            self.peers.remove(peer)
        writer.close()
        del self._served[task]

    async def _greet(self, reader: asyncio.StreamReader, peer: Peer) -> bool:
        """The handshake; False for one that speaks something else."""
        if await reader.readexactly(4) != b"API\0":
            return False
        text = (
            await reader.readexactly(struct.unpack(">I", await reader.readexactly(4))[0])
        ).decode()
        low, _, high = text.removeprefix("v").partition("..")
        peer.version = min(int(high), self.version)
        assert int(low) <= peer.version
        if self.hangs:
            await reader.read()
            return False
        await asyncio.sleep(self.greets_seconds)
        peer.piece = self.piece
        peer.send(self.greeting or peer.version, "20260302 10:00:00 EST")
        self.peers.append(peer)
        return True

    def _take(self, peer: Peer, fields: list[str]) -> None:
        op = OPS[fields[0]]
        self.requests.append((op, fields))
        self._arrived.set()
        fault = next((f for f in self.faults if f.op == op and f.times > 0), None)
        handler: Callable[[Peer, list[str]], None] = getattr(self, f"_{op}")
        if fault is None:
            began = time.monotonic_ns()
            handler(peer, fields)
            self.handled.append((began, time.monotonic_ns()))
            return
        fault.times -= 1
        match fault.play:
            case "drop_before":
                peer.writer.transport.abort()
            case "drop_after" | "mute":
                peer.is_muted = True
                handler(peer, fields)
                peer.is_muted = False
                if fault.play == "drop_after":
                    peer.writer.transport.abort()
            case "error":
                number = fields[1] if op in {"place", "history"} else fields[2]
                peer.error(int(number), fault.code, fault.text)

    # --- coming in

    def _start_api(self, peer: Peer, fields: list[str]) -> None:
        peer.client_id = int(fields[2])
        if any(p is not peer and p.client_id == peer.client_id for p in self.peers):
            peer.error(-1, 326, "Unable to connect as the client id is already in use.")
            peer.writer.close()
            return
        peer.next_id = next(self._next)
        peer.send(15, 1, ",".join(self.accounts))
        peer.send(9, 1, peer.next_id)
        if not self.is_connected and self.says_it_early:
            peer.error(-1, 2110, "Connectivity between TWS and server is broken.")
        peer.error(-1, 2104, "Market data farm connection is OK:usfarm")
        peer.error(-1, 2158, "Sec-def data farm connection is OK:secdefil")
        for ticket in self._working():
            if ticket.client_id == peer.client_id:
                self._describe(peer, ticket)

    # --- orders

    def _place(self, peer: Peer, fields: list[str]) -> None:
        number = int(fields[1])
        if len(fields) != _order_length(peer.version):
            peer.error(number, 320, f"Error reading request: {len(fields)} fields")
            return
        listing = self._listing(fields[2:14])
        action, quantity, kind, limit, stop, tif = fields[16:22]
        account, ref = fields[23], fields[26]
        if listing is None or account not in self.accounts:
            peer.error(number, 200 if listing is None else 321, "No security definition or account")
            return
        if any(
            (t.client_id, t.order_id) == (peer.client_id, number) for t in self.tickets.values()
        ):
            peer.error(number, 103, "Duplicate order id")
            return
        self._next = itertools.count(max(next(self._next), number + 1))
        ticket = Ticket(
            client_id=peer.client_id, order_id=number, perm_id=next(self._perm), listing=listing,
            action=action, quantity=Decimal(quantity), type=kind, limit=Decimal(limit or "0"),
            stop=Decimal(stop or "0"), tif=tif, account=account, ref=ref,
        )  # fmt: skip
        self.tickets[ticket.perm_id] = ticket
        for code, text in self.notices:
            peer.error(number, code, text)
        try:
            self.exchange.place(
                client_id=ref, symbol=listing.name, sign=1 if action == "BUY" else -1,
                quantity=ticket.quantity, kind=KINDS[kind], limit=ticket.limit or None,
                stop=ticket.stop or None, tif=tif.lower(), order_id=str(ticket.perm_id),  # type: ignore[arg-type]
            )  # fmt: skip
        except Refused as error:
            ticket.status, ticket.refused = "Inactive", error.text
            peer.error(number, CODES.get(error.code, 201), f"Order rejected - reason:{error.text}")
            if error.code not in CODES:
                self._describe(peer, ticket)

    def place_by_hand(self, listing: Listing, action: str, quantity: str, limit: str) -> Ticket:
        """An order that somebody placed in TWS: no reference, no number, client 0."""
        ticket = Ticket(
            client_id=0, order_id=0, perm_id=next(self._perm), listing=listing, action=action,
            quantity=Decimal(quantity), type="LMT", limit=Decimal(limit), stop=ZERO, tif="GTC",
            account=self.accounts[0], ref="",
        )  # fmt: skip
        self.tickets[ticket.perm_id] = ticket
        self.exchange.place(
            client_id="", symbol=listing.name, sign=1 if action == "BUY" else -1,
            quantity=ticket.quantity, kind="limit", limit=ticket.limit,
            order_id=str(ticket.perm_id),
        )  # fmt: skip
        return ticket

    def _cancel(self, peer: Peer, fields: list[str]) -> None:
        number = int(fields[2])
        ticket = next(
            (
                t
                for t in self.tickets.values()
                if (t.client_id, t.order_id) == (peer.client_id, number)
            ),
            None,
        )
        if ticket is None:
            peer.error(number, 10147, f"OrderId {number} that needs to be cancelled is not found.")
            return
        order = self.exchange.orders.get(str(ticket.perm_id))
        if order is not None and order.is_open and self.fills_before_cancel:
            self.exchange.fill(order.id, order.left, order.limit or Decimal(100))
        if order is None or not order.is_open:
            state = ticket.status
            peer.error(number, 10148, f"OrderId {number} cannot be cancelled, state: {state}.")
            return
        if self.answers_cancels:
            self.exchange.cancel(order.id)

    def _global_cancel(self, peer: Peer, fields: list[str]) -> None:
        for order in self.exchange.open_orders:
            self.exchange.cancel(order.id)

    def reject(self, ref: str, text: str) -> None:
        """Refuse an order that was taken."""
        order = self.exchange.by_client_id(ref)
        assert order is not None
        self.exchange.reject(order.id, text)

    def say(self, ref: str, word: str) -> None:
        """Tell another word for the state of an order."""
        ticket = self.ticket(ref)
        ticket.status = word
        for peer in self._owners(ticket):
            self._describe(peer, ticket)

    def ticket(self, ref: str) -> Ticket:
        return next(t for t in reversed(self.tickets.values()) if t.ref == ref)

    def _heard(self, change: Change, order: Order, done: Execution | None) -> None:
        ticket = self.tickets[int(order.id)]
        stops = order.stop is not None and not order.triggered
        words = {"filled": "Filled", "new": "PreSubmitted" if stops else "Submitted"}
        ticket.status = words.get(order.status, "Cancelled")
        if done is not None:
            self._executed(ticket, order, done)
            return
        if change == "rejected":
            ticket.status, ticket.refused = "Inactive", order.reason
        if not self.is_connected:
            return
        for peer in self._owners(ticket):
            if change == "rejected":
                peer.error(ticket.order_id, 201, f"Order rejected - reason:{order.reason}")
            if change in {"canceled", "expired"}:
                if self.tells_status:
                    self._status(peer, ticket)
                peer.error(ticket.order_id, 202, f"Order Canceled - reason:{order.reason}")
            else:
                self._describe(peer, ticket)

    def _executed(self, ticket: Ticket, order: Order, done: Execution) -> None:
        number = int(done.id[1:])
        row = self._execution_row(ticket, order, done, f"0000e0d5.{number:08x}.01.01")
        self.executions.append(row)
        self.commissions[row[12]] = (done.fee, done.fee_currency)
        if not self.is_connected:
            return
        for peer in self._owners(ticket):
            if self.status_first:
                self._describe(peer, ticket)
            if self.commission_first:
                self._commission(peer, row[12])
            if self.tells_executions:
                self._execution(peer, -1, row)
            if not self.status_first:
                self._describe(peer, ticket)
                self._describe(peer, ticket)
            if self.tells_commissions and self.tells_executions and not self.commission_first:
                self._commission_later(peer, row[12])

    def _commission_later(self, peer: Peer, execution_id: str) -> None:
        if self.commission_seconds:
            loop = asyncio.get_running_loop()
            loop.call_later(self.commission_seconds, self._commission, peer, execution_id)
        else:
            self._commission(peer, execution_id)

    def _execution_row(
        self, ticket: Ticket, order: Order, done: Execution, execution_id: str
    ) -> list[Any]:
        side = "BOT" if done.sign > 0 else "SLD"
        return [
            ticket.order_id, *ticket.listing.contract("NASDAQ"), execution_id,
            self._moment(done.time), ticket.account, "NASDAQ", side, done.quantity, done.price,
            ticket.perm_id, ticket.client_id, 0, order.filled, order.average, ticket.ref, "", "",
            "", 2,
        ]  # fmt: skip

    def _moment(self, at: int) -> str:
        moment = datetime.fromtimestamp(at // 1_000_000_000, UTC)
        if not self.zone:
            return moment.strftime("%Y%m%d-%H:%M:%S")
        with contextlib.suppress(Exception):
            moment = moment.astimezone(ZoneInfo(self.zone))
        return f"{moment:%Y%m%d %H:%M:%S} {self.zone}"

    def correct(self, row: list[Any], price: Decimal) -> None:
        """Correct an execution: the same id, its last part one higher."""
        head, _, last = row[12].rpartition(".")
        new = [*row]
        new[12], new[18] = f"{head}.{int(last) + 1:02d}", price
        new[13] = "20260303-15:00:00"  # when it was corrected
        self.executions.append(new)
        self.commissions[new[12]] = self.commissions[row[12]]
        for peer in self.peers:
            self._execution(peer, -1, new)
            self._commission(peer, new[12])

    def _owners(self, ticket: Ticket) -> list[Peer]:
        return [p for p in self.peers if p.client_id == ticket.client_id and ticket.order_id]

    def _describe(self, peer: Peer, ticket: Ticket) -> None:
        """openOrder and orderStatus, which come together."""
        peer.put(open_order(ticket, peer.version))
        if self.tells_status:
            self._status(peer, ticket)

    def _status(self, peer: Peer, ticket: Ticket) -> None:
        order = self.exchange.orders.get(str(ticket.perm_id))
        filled = ZERO if order is None else order.filled
        average = (order and order.average) or ZERO
        peer.send(
            3, ticket.order_id, ticket.status, filled, ticket.quantity - filled, average,
            ticket.perm_id, 0, 0, ticket.client_id, "", 0,
        )  # fmt: skip

    def _execution(self, peer: Peer, request: int, row: list[Any]) -> None:
        more = (False,) if peer.version >= 178 else ()
        peer.send(11, request, *row, *more)

    def _commission(self, peer: Peer, execution_id: str) -> None:
        fee, currency = self.commissions[execution_id]
        peer.send(59, 1, execution_id, fee, currency, UNSET, UNSET, "")

    # --- questions

    def _working(self) -> list[Ticket]:
        return [self.tickets[int(o.id)] for o in self.exchange.open_orders]

    def _open_orders(self, peer: Peer, fields: list[str]) -> None:
        if not self.is_connected and not self.says_it_early:
            peer.error(-1, 2110, "Connectivity between TWS and server is broken.")
        for ticket in self._working():
            self._describe(peer, ticket)
        peer.send(53, 1)

    def _completed(self, peer: Peer, fields: list[str]) -> None:
        for order in self.exchange.orders.values():
            if not order.is_open:
                ticket = self.tickets[int(order.id)]
                peer.put(completed_order(ticket, order.filled, order.left, peer.version))
        peer.send(102)

    def _executions(self, peer: Peer, fields: list[str]) -> None:
        request = int(fields[2])
        for row in self.executions:
            self._execution(peer, request, row)
        peer.send(55, 1, request)
        for row in self.executions:
            if self.tells_commissions:
                self._commission(peer, row[12])

    def _positions(self, peer: Peer, fields: list[str]) -> None:
        for name, quantity in self.exchange.positions.items():
            listing = next(x for x in self.listings.values() if x.name == name)
            cost = self.exchange.costs[name] * Decimal(listing.multiplier or 1)
            rows = [quantity] if self.moves_while_listed is None else [
                quantity, quantity + self.moves_while_listed
            ]  # fmt: skip
            for row in rows:
                peer.send(61, 3, self.accounts[0], *listing.contract(), row, cost)
        peer.send(62, 1)

    def _cancel_positions(self, peer: Peer, fields: list[str]) -> None:
        pass

    def _summary(self, peer: Peer, fields: list[str]) -> None:
        request, account, money = int(fields[2]), self.accounts[0], self.exchange.cash
        rows = [
            ("NetLiquidation", self.exchange.equity, self.exchange.currency),
            ("BuyingPower", self.exchange.buying_power, self.exchange.currency),
            *(("CashBalance", amount, currency) for currency, amount in money.items()),
            ("CashBalance", sum(money.values()), "BASE"),
            ("RealizedPnL", "0.00", "BASE"),
        ]
        for tag, value, currency in rows:
            peer.send(63, 1, request, account, tag, value, currency)
        peer.send(64, 1, request)

    def _cancel_summary(self, peer: Peer, fields: list[str]) -> None:
        pass

    def _time(self, peer: Peer, fields: list[str]) -> None:
        peer.send(49, 1, self._seconds())

    def _seconds(self) -> int:
        return (self.exchange.wall() + self.exchange.skew) // 1_000_000_000

    def _details(self, peer: Peer, fields: list[str]) -> None:
        request, asked = int(fields[2]), fields[3:15]
        found = [x for x in self.listings.values() if _fits(x, asked)]
        if not found:
            peer.error(request, 200, "No security definition has been found for the request")
            return
        for listing in found:
            peer.put(contract_details(request, listing, peer.version))
        peer.send(52, 1, request)

    def _rule(self, peer: Peer, fields: list[str]) -> None:
        bands = MARKET_RULES.get(int(fields[1]))
        if bands is not None:
            peer.send(93, fields[1], len(bands), *itertools.chain.from_iterable(bands))

    def _listing(self, asked: list[str]) -> Listing | None:
        return next((x for x in self.listings.values() if _fits(x, asked)), None)

    # --- market data

    def _market_data(self, peer: Peer, fields: list[str]) -> None:
        request, listing = int(fields[2]), self._listing(fields[3:15])
        assert listing is not None
        peer.subscriptions[request] = listing
        peer.send(58, 1, request, self.data_type)
        price = self.exchange.prices.get(listing.name)
        if price is not None:
            self.quote(listing.name, price)

    def _cancel_market_data(self, peer: Peer, fields: list[str]) -> None:
        peer.subscriptions.pop(int(fields[2]), None)

    def quote(self, name: str, price: Decimal, spread: Decimal = Decimal("0.01")) -> None:
        """Bid, ask and last of a symbol to everybody who watches it."""
        shift = 65 if self.data_type >= 3 else 0
        for peer in self.peers:
            for request, listing in peer.subscriptions.items():
                if listing.name != name:
                    continue
                for kind, at in ((1, price - spread), (2, price + spread), (4, price)):
                    if kind != 4 or listing.sec_type != "CASH":
                        peer.send(1, 6, request, kind + shift, at, 100, 0)

    def _cancel_history(self, peer: Peer, fields: list[str]) -> None:
        pass

    def _history(self, peer: Peer, fields: list[str]) -> None:
        request = int(fields[1])
        now = self._seconds() // 60 * 60
        bars = [(now - 60 * n, 100, 101, 99, "100.5", "1200", "100.2", 7) for n in range(3, -1, -1)]
        peer.send(17, request, "s", "e", len(bars), *itertools.chain.from_iterable(bars))


def _order_length(version: int) -> int:
    """How many fields a plain order has: newer versions added one each, and took one away."""
    return 110 + sum(version >= new for new in (158, 160, 162, 166, 169)) - (version >= 177)


async def _read(reader: asyncio.StreamReader) -> list[str]:
    (size,) = struct.unpack(">I", await reader.readexactly(4))
    return (await reader.readexactly(size)).decode().split("\0")[:-1]


def _fits(listing: Listing, asked: list[str]) -> bool:
    """Whether a contract is the one that is asked for, by its number or by its terms."""
    con_id, symbol, kind, expiry, strike, right, _mult, exchange, _primary, currency, *_ = asked
    if int(con_id or 0):
        return int(con_id) == listing.con_id and bool(exchange)
    return (
        symbol == listing.symbol
        and kind == listing.sec_type
        and listing.expiry.startswith(expiry)
        and currency == listing.currency
        and (not right or (right == listing.right and Decimal(strike) == Decimal(listing.strike)))
        and (not exchange or exchange in listing.valid.split(","))
    )
