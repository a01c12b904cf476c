"""Our ids and the contracts of Interactive Brokers (C-230).

| ours | contract |
|---|---|
| `AAPL`, `BRK.B` | STK, SMART; a space where ours has a dot |
| `EUR_USD` | CASH, IDEALPRO |
| `AAPL 2026-12-18 200 C` | OPT, SMART |
| `ES 2026-12` | FUT; the exchange is asked for |

A contract that has no id of ours is called by its number, as `IBKR.265598`: a holding is never left
out because nobody can name it.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from brokers.ibkr._lib import lib
from brokers.ibkr.codec import price_of
from engine.domain.instrument import (
    AssetClass,
    Instrument,
    default_instrument,
    is_symbol,
    parse,
    symbol_fault,
)
from engine.domain.instruments.future import FutureContract
from engine.domain.instruments.kind import Contract
from engine.domain.instruments.months import MONTH_LETTERS
from engine.domain.instruments.option import OptionContract, OptionRight
from engine.domain.instruments.pair import Pair
from engine.domain.money import plain
from engine.ports import Rejected

BY_NUMBER: Final = "IBKR."

_RIGHTS: Final = {"C": "C", "CALL": "C", "P": "P", "PUT": "P"}


class Symbols:
    """Translates; it knows what the user's table says of symbols."""

    def __init__(self, instruments: Mapping[str, Instrument]) -> None:
        self._told = instruments
        self._of_table = {
            key: symbol for symbol, told in instruments.items() if (key := _key_of(told.contract))
        }
        """What the table says of contracts -> our id."""
        self._found: dict[int, str] = {}
        """Number of a contract -> our id, of those that were asked for by our id."""

    def learn(self, con_id: int, symbol: str) -> None:
        """A contract that was found for an id of ours."""
        self._found[con_id] = symbol

    def contract(self, symbol: str) -> Any:
        """The contract to ask for. Raises Rejected for an id that cannot be traded here."""
        if fault := symbol_fault(symbol):
            raise Rejected("SYMBOL", fault)
        if symbol.startswith(BY_NUMBER) and symbol[len(BY_NUMBER) :].isdecimal():
            raise Rejected("SYMBOL", f"{symbol} is a contract that has no id here")
        kind, terms = parse(symbol)
        told = self._told.get(symbol)
        if told is not None:
            kind, terms = told.asset_class, told.contract or terms
        match kind, terms:
            case ((AssetClass.STOCK | AssetClass.ETF), _):
                return lib.Contract(
                    secType="STK",
                    symbol=symbol.replace(".", " "),
                    exchange="SMART",
                    currency=self._currency(symbol),
                )
            case AssetClass.FX, Pair():
                return lib.Contract(
                    secType="CASH", symbol=terms.base, exchange="IDEALPRO", currency=terms.quote
                )
            case AssetClass.OPTION, OptionContract():
                return lib.Contract(
                    secType="OPT",
                    symbol=terms.underlying.replace(".", " "),
                    lastTradeDateOrContractMonth=terms.expiry.strftime("%Y%m%d"),
                    strike=plain(terms.strike),
                    right="C" if terms.right is OptionRight.CALL else "P",
                    exchange="SMART",
                    currency=self._currency(symbol),
                )
            case AssetClass.FUTURE, FutureContract() if terms.expiry:
                return lib.Contract(
                    secType="FUT",
                    symbol=terms.root,
                    lastTradeDateOrContractMonth=terms.expiry.replace("-", ""),
                    currency=self._currency(symbol),
                )
        raise Rejected("SYMBOL", f"{symbol} is {kind.kind.noun}: that is not traded here")

    def ours(self, contract: Any) -> str:
        """Our id of a contract that TWS tells of."""
        found = self._found.get(contract.conId, "")
        if found:
            return found
        named = self._named(contract)
        return named if named and is_symbol(named) else f"{BY_NUMBER}{contract.conId}"

    def _named(self, contract: Any) -> str:
        """Our id by what the contract says; "" where that is not enough."""
        root = contract.symbol.replace(" ", ".")
        match contract.secType:
            case "STK":
                return root if contract.currency == self._currency(root) else ""
            case "CASH":
                return f"{contract.symbol}_{contract.currency}"
            case "OPT":
                day, strike = contract.lastTradeDateOrContractMonth[:8], price_of(contract.strike)
                right = _RIGHTS.get(contract.right, "")
                if len(day) != 8 or strike is None or not strike.is_finite() or not right:
                    return ""
                own = f"{root} {day[:4]}-{day[4:6]}-{day[6:]} {plain(strike)} {right}"
                named = self._of_table.get((root, day, strike, right), own)
                return named if contract.currency == self._currency(named) else ""
            case "FUT":
                day, month = contract.lastTradeDateOrContractMonth[:8], _month(contract)
                own = f"{root} {month}" if month else ""
                named = self._of_table.get((root, month), own)
                named = self._of_table.get((root, day), named)
                return named if contract.currency == self._currency(named) else ""
        return ""

    def _currency(self, symbol: str) -> str:
        told = self._told.get(symbol)
        if told is not None:
            return told.currency
        return default_instrument(symbol).currency or "USD"


def _key_of(contract: Contract | None) -> tuple[str, ...] | tuple[str, str, Decimal, str] | None:
    """By what a contract of the table is known at TWS; None for one of another kind."""
    match contract:
        case OptionContract():
            day, right = contract.expiry.strftime("%Y%m%d"), contract.right[0].upper()
            return contract.underlying, day, contract.strike, right
        case FutureContract() if contract.expiry:
            is_month = len(contract.expiry) == len("YYYY-MM")
            return contract.root, contract.expiry if is_month else contract.expiry.replace("-", "")
    return None


def _month(contract: Any) -> str:
    """The month that a future is named by; its last day may lie in the month before.

    Its local symbol ends in a letter for the month and the last digits of the year.
    """
    name, last = contract.localSymbol.strip(), contract.lastTradeDateOrContractMonth
    digits = len(name) - len(name.rstrip("0123456789"))
    letter = name[len(name) - digits - 1 : len(name) - digits]
    if not digits or letter not in MONTH_LETTERS or not last[:6].isdecimal() or len(last) < 6:
        return ""
    month, tail = MONTH_LETTERS.index(letter) + 1, name[len(name) - digits :]
    for year in (int(last[:4]), int(last[:4]) + 1, int(last[:4]) - 1):
        if str(year).endswith(tail):
            return f"{year}-{month:02d}"
    return ""
