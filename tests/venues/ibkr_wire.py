"""The messages of TWS as it writes them, field by field (server versions 157 to 178).

Layouts after the decoders of both clients; it shares no code with them.
"""

import struct
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

UNSET = "1.7976931348623157E308"
NONE = "2147483647"


def frame(*fields: Any) -> bytes:
    """One message: its length, and its fields, each ended by NUL."""
    body = "".join(f"{written(field)}\0" for field in fields).encode()
    return struct.pack(">I", len(body)) + body


def written(field: Any) -> str:
    if field is None:
        return ""
    if isinstance(field, bool):
        return "1" if field else "0"
    return format(field, "f") if isinstance(field, Decimal) else str(field)


@dataclass
class Listing:
    """One contract. `name` is what the exchange of the test calls it."""

    name: str
    con_id: int
    symbol: str
    sec_type: str = "STK"
    currency: str = "USD"
    expiry: str = ""
    strike: str = "0.0"
    right: str = ""
    multiplier: str = ""
    local: str = ""
    trading_class: str = "NMS"
    exchange: str = "SMART"
    primary: str = "NASDAQ"
    valid: str = "SMART,NYSE,ISLAND"
    rules: str = "26,26,26"
    min_tick: str = "0.01"
    min_size: str = "1"
    size_increment: str = "1"
    magnifier: str = "1"

    def contract(self, exchange: str = "") -> list[Any]:
        """As it stands in openOrder, completedOrder, execDetails and position."""
        return [
            self.con_id, self.symbol, self.sec_type, self.expiry, self.strike, self.right,
            self.multiplier, exchange, self.currency, self.local or self.symbol,
            self.trading_class,
        ]  # fmt: skip


@dataclass
class Ticket:
    """An order as TWS keeps it, beside what the exchange has of it."""

    client_id: int
    order_id: int
    perm_id: int
    listing: Listing
    action: str
    quantity: Decimal
    type: str
    limit: Decimal
    stop: Decimal
    tif: str
    account: str
    ref: str
    exchange: str = "SMART"
    status: str = "PendingSubmit"
    refused: str = ""


def open_order(ticket: Ticket, version: int, *, status: str = "") -> bytes:
    """openOrder, as a real one reads: many fields stand for nothing."""
    t = ticket
    fields: list[Any] = [
        5, t.order_id, *t.listing.contract(t.exchange), t.action, t.quantity, t.type,
        t.limit, t.stop, t.tif, "", t.account, "", 0, t.ref, t.client_id, t.perm_id, 0, 0, 0,
        "", "", "", "", "",
    ]  # fmt: skip
    if version < 177:
        fields.append("")
    fields += ["", "", "", "", "", 0, "", -1, 0, "", "", "", "", "", NONE, 0, 0, 0, "", 3, 0, 0]
    fields += ["", 0, 0, "", 0, "None", "", 0, "", "", "", "?", 0, 0, ""]
    fields += [0, 0, "", "", "", "", "", 0, 0, 0, "", "", "", "", 0, "", "IB", 0, 0, "", 0, 0]
    fields += [status or t.status, *[UNSET] * 9, "", "", "", "", "", 0, 0, 0]
    fields += ["None", UNSET, UNSET, UNSET, UNSET, UNSET, UNSET, 0, "", "", "", 0, 1, 0, 0, 0]
    if version >= 159:
        fields.append("")
    if version >= 160:
        fields.append(NONE)
    if version >= 162:
        fields.append(0)
    if version >= 170:
        fields += ["", "", "", "", ""]
    return frame(*fields)


def completed_order(ticket: Ticket, filled: Decimal, left: Decimal, version: int) -> bytes:
    """completedOrder: without the numbers of order and client; its quantity is what was left."""
    t = ticket
    fields: list[Any] = [
        101, *t.listing.contract(t.exchange), t.action, left, t.type, t.limit, t.stop, t.tif, "",
        t.account, "", 0, t.ref, t.perm_id, 0, 0, 0, "", "", "", "",
    ]  # fmt: skip
    if version < 177:
        fields.append("")
    fields += ["", "", "", "", "", 0, "", -1, "", "", "", "", "", NONE, 0, 0, "", 3, 0, "", 0]
    fields += ["None", "", 0, 0, 0, ""]
    fields += [0, 0, "", "", "", 0, 0, 0, "", "", "", "", "", "IB", 0, 0, ""]
    fields += [0, t.status, 0, 0, 0, UNSET, UNSET, 0, 1, 0, "", filled, 0, 0, "", 0, 0]
    fields += [9223372036854775807, "20260302-15:00:00 UTC", t.refused or t.status]
    if version >= 170:
        fields += ["", "", "", "", ""]
    return frame(*fields)


def contract_details(request: int, listing: Listing, version: int) -> bytes:
    """contractData."""
    x = listing
    fields: list[Any] = [10] if version >= 164 else [10, 8]
    fields += [
        request, x.symbol, x.sec_type, x.expiry, x.strike, x.right, x.exchange, x.currency,
        x.local or x.symbol, x.trading_class, x.trading_class, x.con_id, x.min_tick,
    ]  # fmt: skip
    if version < 164:
        fields.append(100)
    fields += [
        x.multiplier, "LMT,MKT,STP,STPLMT", x.valid, x.magnifier, 0, f"{x.symbol} INC", x.primary,
        x.expiry[:6], "", "", "", "US/Eastern", "", "", "", "", 0, 1, "", "", x.rules,
        x.expiry, "COMMON",
    ]  # fmt: skip
    if version == 163:
        fields.append("100")
    if version >= 164:
        fields += [x.min_size, x.size_increment, "100"]
    return frame(*fields)
