"""What OANDA writes, as far as it is read here (v20, official definition 3.0.25).

Numbers and ids stay as they came: `brokers.net.numbers.number` reads them, and what is none does
not spoil the rest of its row. Fields that are missing here are not read.
"""

from typing import Any

import msgspec


class Extensions(msgspec.Struct, frozen=True):
    """What a client has written on an order."""

    id: str | None = None
    tag: str | None = None


class TradeChange(msgspec.Struct, frozen=True):
    """The part of a fill that opened, reduced or closed one trade."""

    units: Any = None
    price: Any = None


class Transaction(msgspec.Struct, frozen=True, rename="camel"):
    """One line of the account's log, of whatever type, and a heartbeat of its stream."""

    type: str = ""
    id: Any = None
    batch_id: Any = msgspec.field(default=None, name="batchID")
    time: Any = None
    reason: str | None = None
    instrument: str | None = None
    units: Any = None
    price: Any = None
    price_bound: Any = None
    time_in_force: str | None = None
    position_fill: str | None = None
    client_extensions: Extensions | None = None
    replaces_order_id: Any = msgspec.field(default=None, name="replacesOrderID")
    replaced_by_order_id: Any = msgspec.field(default=None, name="replacedByOrderID")
    intended_replaces_order_id: Any = msgspec.field(default=None, name="intendedReplacesOrderID")
    reject_reason: str | None = None
    order_id: Any = msgspec.field(default=None, name="orderID")
    client_order_id: str | None = msgspec.field(default=None, name="clientOrderID")
    requested_units: Any = None
    pl: Any = None
    quote_pl: Any = msgspec.field(default=None, name="quotePL")
    gain_quote_home_conversion_factor: Any = None
    loss_quote_home_conversion_factor: Any = None
    financing: Any = None
    commission: Any = None
    guaranteed_execution_fee: Any = None
    trade_opened: TradeChange | None = None
    trades_closed: list[TradeChange] | None = None
    trade_reduced: TradeChange | None = None
    amount: Any = None
    dividend_adjustment: Any = None
    last_transaction_id: Any = msgspec.field(default=None, name="lastTransactionID")

    @property
    def number(self) -> int:
        """Its id, which is one more than that of the transaction before; 0 where it is none."""
        return id_of(self.id)


class OrderRow(msgspec.Struct, frozen=True, rename="camel"):
    """An order as it stands."""

    id: Any = None
    type: str = ""
    state: str = ""
    create_time: Any = None
    instrument: str | None = None
    units: Any = None
    price: Any = None
    price_bound: Any = None
    time_in_force: str | None = None
    position_fill: str | None = None
    client_extensions: Extensions | None = None
    trade_id: Any = msgspec.field(default=None, name="tradeID")
    trailing_stop_value: Any = None
    filling_transaction_id: Any = msgspec.field(default=None, name="fillingTransactionID")
    cancelling_transaction_id: Any = msgspec.field(default=None, name="cancellingTransactionID")


class TradeRow(msgspec.Struct, frozen=True, rename="camel"):
    """An open trade: so much was bought or sold at a price, and is still held."""

    id: Any = None
    instrument: str = ""
    price: Any = None
    current_units: Any = None


class PositionSide(msgspec.Struct, frozen=True, rename="camel"):
    """What is held of one instrument on one side; `units` is signed."""

    units: Any = None
    average_price: Any = None


class PositionRow(msgspec.Struct, frozen=True):
    """What is held of one instrument: in a hedging account both sides at once."""

    instrument: str
    long: PositionSide = PositionSide()
    short: PositionSide = PositionSide()


class AccountRow(msgspec.Struct, frozen=True, rename="camel"):
    """The whole account at one moment."""

    id: str
    currency: str
    balance: Any = None
    nav: Any = msgspec.field(default=None, name="NAV")
    margin_available: Any = None
    created_time: Any = None
    hedging_enabled: bool = False
    last_transaction_id: Any = msgspec.field(default=None, name="lastTransactionID")
    orders: list[OrderRow] = []
    trades: list[TradeRow] = []


class AccountName(msgspec.Struct, frozen=True, rename="camel"):
    """An account that the token may use."""

    id: str
    mt4_account_id: Any = msgspec.field(default=None, name="mt4AccountID")


class InstrumentRow(msgspec.Struct, frozen=True, rename="camel"):
    """The facts of an instrument."""

    name: str
    type: str = ""
    display_precision: int = 0
    trade_units_precision: int = 0
    minimum_trade_size: Any = None
    maximum_order_units: Any = None


class PriceLevel(msgspec.Struct, frozen=True):
    """A price, and how much of it there is."""

    price: Any = None
    liquidity: Any = None


class PriceLine(msgspec.Struct, frozen=True):
    """A line of the stream of prices: PRICE or HEARTBEAT."""

    type: str = ""
    instrument: str = ""
    time: Any = None
    tradeable: bool | None = None
    status: str = ""
    """What older lines say instead."""
    bids: list[PriceLevel] = []
    asks: list[PriceLevel] = []

    @property
    def can_be_traded(self) -> bool:
        """False at a weekend, and where nothing is said of it."""
        return self.status == "tradeable" if self.tradeable is None else self.tradeable


class Candle(msgspec.Struct, frozen=True):
    """A bar; `time` is its beginning, `mid` its prices by o, h, l and c."""

    time: Any = None
    complete: bool = False
    mid: dict[str, Any] = {}


# --- answers


class Accounts(msgspec.Struct, frozen=True):
    accounts: list[AccountName]


class AccountAnswer(msgspec.Struct, frozen=True):
    account: AccountRow


class InstrumentsAnswer(msgspec.Struct, frozen=True):
    instruments: list[InstrumentRow]


class OrdersAnswer(msgspec.Struct, frozen=True):
    orders: list[OrderRow]


class OrderAnswer(msgspec.Struct, frozen=True):
    order: OrderRow


class TradesAnswer(msgspec.Struct, frozen=True):
    trades: list[TradeRow]


class PositionsAnswer(msgspec.Struct, frozen=True):
    positions: list[PositionRow]


class TransactionAnswer(msgspec.Struct, frozen=True):
    transaction: Transaction


class TransactionsAnswer(msgspec.Struct, frozen=True, rename="camel"):
    transactions: list[Transaction]
    last_transaction_id: Any = msgspec.field(default=None, name="lastTransactionID")


class PagesAnswer(msgspec.Struct, frozen=True):
    pages: list[str]


class CandlesAnswer(msgspec.Struct, frozen=True):
    candles: list[Candle]


class Done(msgspec.Struct, frozen=True, rename="camel"):
    """The answer to a request that changes something: the transactions that it led to."""

    order_create_transaction: Transaction | None = None
    order_fill_transaction: Transaction | None = None
    order_cancel_transaction: Transaction | None = None
    order_reissue_transaction: Transaction | None = None

    @property
    def transactions(self) -> tuple[Transaction, ...]:
        """Those of them that there are."""
        told = (
            self.order_create_transaction,
            self.order_fill_transaction,
            self.order_cancel_transaction,
            self.order_reissue_transaction,
        )
        return tuple(each for each in told if each is not None)


class Refused(msgspec.Struct, frozen=True, rename="camel"):
    """The answer to a request that was refused."""

    error_code: str | None = None
    error_message: str | None = None
    order_reject_transaction: Transaction | None = None
    order_cancel_reject_transaction: Transaction | None = None


def id_of(given: Any) -> int:
    """A transaction's id as a number; 0 where it is none."""
    if isinstance(given, int) and not isinstance(given, bool):
        return max(given, 0)
    if isinstance(given, str) and given.isascii() and given.isdecimal() and len(given) <= 18:
        return int(given)
    return 0
