"""Fills, cash, holdings and cash movements, from OANDA's numbers.

OANDA keeps one balance: a trade moves it by the profit that it takes, never by its amount, and a
profit in another currency is converted at once. The engine books a trade as its amount in the
quote currency. Both say the same of equity, and so the balances are told as the engine counts:

- Cash in each currency is the balance there (OANDA has one, in the account's own currency) less
  what all open trades in it cost, signed. Opening a trade then moves the balance told by its
  amount, closing it by its proceeds, exactly, in whatever order trades are closed.
- Where the profit of a fill is in another currency than the account's, OANDA's conversion of it is
  told as two movements of cash: so much less of the one, so much more of the other.

Cash and holdings at OANDA's marks then add up to its NAV.
"""

from decimal import Decimal
from typing import Final

from brokers.net.numbers import NAN, number, time_of
from brokers.oanda import wire
from engine.domain.account import Account, CashMovement, MovementKind, VenuePosition
from engine.domain.instant import Nanos
from engine.domain.money import ZERO
from engine.domain.order import Fill, Side

FILL: Final = "ORDER_FILL"


def quote_of(instrument: str) -> str:
    """The currency that an instrument is paid in: what follows the last `_` of its name."""
    return instrument.rpartition("_")[2]


def fill_of(told: wire.Transaction, account: str, home: str, client_order_id: str = "") -> Fill:
    """The execution that a transaction of type ORDER_FILL tells.

    Its id is that of the transaction, the same on the stream and in the list. `home` is the
    account's own currency, in which it is charged; `client_order_id` that of the order where the
    transaction does not say. A number that cannot be read is none.
    """
    units = number(told.units)
    return Fill(
        execution_id=str(told.id),
        client_order_id=told.client_order_id or client_order_id,
        venue_order_id=str(told.order_id or ""),
        account=account,
        symbol=told.instrument or "",
        side=Side.SELL if units.is_finite() and units < 0 else Side.BUY,
        quantity=abs(units),
        price=_price(told, units),
        commission=_or_zero(told.commission) + _or_zero(told.guaranteed_execution_fee),
        commission_currency=home,
        time=time_of(told.time),
    )


def _or_zero(given: object) -> Decimal:
    return ZERO if given is None else number(given)


def _price(told: wire.Transaction, units: Decimal) -> Decimal:
    """The mean price of the trades that were closed and opened, each at its own; that of the whole
    where they do not add up to it."""
    changes = [*(told.trades_closed or ()), told.trade_reduced, told.trade_opened]
    parts = [(number(c.units), number(c.price)) for c in changes if c is not None]
    whole = number(told.price)
    sound = all(n.is_finite() and p.is_finite() for n, p in parts)
    if not parts or not sound or sum((n for n, _ in parts), start=ZERO) != units or not units:
        return whole
    first = parts[0][1]
    if all(price == first for _, price in parts):
        return first
    return sum((n * price for n, price in parts), start=ZERO) / units


def account_of(row: wire.AccountRow, now: Nanos) -> Account:
    """The balances as the engine counts; see above. What new exposure may cost is the free margin:
    OANDA would lend on it, and nothing here makes use of that."""
    balances = {row.currency: number(row.balance)}
    for trade in row.trades:
        quote = quote_of(trade.instrument)
        cost = number(trade.current_units) * number(trade.price)
        balances[quote] = balances.get(quote, ZERO) - cost
    return Account(
        account_id=row.id,
        currency=row.currency,
        cash=balances[row.currency],
        balances={name: cash for name, cash in balances.items() if cash or name == row.currency},
        equity=number(row.nav),
        buying_power=number(row.margin_available),
        as_of=now,
    )


def positions_of(rows: list[wire.PositionRow]) -> tuple[VenuePosition, ...]:
    """The holdings, signed; long and short of a hedging account are added up. The price is that of
    the larger side."""
    held = []
    for row in rows:
        long, short = _or_zero(row.long.units), _or_zero(row.short.units)
        sound = long.is_finite() and short.is_finite()
        larger = row.long if sound and abs(long) >= abs(short) else row.short
        quantity = long + short if sound else NAN
        if quantity:
            price = number(larger.average_price)
            held.append(
                VenuePosition(symbol=row.instrument, quantity=quantity, average_price=price)
            )
    return tuple(held)


def movements_of(told: wire.Transaction, home: str) -> list[CashMovement]:
    """The cash that a transaction moved and that is no trade."""
    at, name = time_of(told.time), str(told.id)

    def moved(kind: MovementKind, what: str, currency: str, amount: Decimal) -> CashMovement:
        return CashMovement(
            movement_id=f"{name}-{what}" if what else name,
            kind=kind,
            currency=currency,
            amount=amount,
            time=at,
        )

    match told.type:
        case "TRANSFER_FUNDS":
            found = [moved(MovementKind.TRANSFER, "", home, number(told.amount))]
        case "DAILY_FINANCING":
            found = [moved(MovementKind.INTEREST, "", home, number(told.financing))]
        case "DIVIDEND_ADJUSTMENT":
            found = [moved(MovementKind.DIVIDEND, "", home, number(told.dividend_adjustment))]
        case "ORDER_FILL":
            interest = _or_zero(told.financing)
            found = [moved(MovementKind.INTEREST, "financing", home, interest)]
            quote = quote_of(told.instrument or "")
            if quote != home:
                gained, converted = _profit(told)
                found.append(moved(MovementKind.FEE, f"from-{quote}", quote, -gained))
                found.append(moved(MovementKind.FEE, f"to-{home}", home, converted))
        case _:
            found = []
    return [each for each in found if each.amount != 0]


def _profit(told: wire.Transaction) -> tuple[Decimal, Decimal]:
    """What a fill gained in the currency of its instrument, and what that became in the account's.

    Older answers do not say the first: it follows from the rate of the conversion then.
    """
    converted = _or_zero(told.pl)
    if told.quote_pl is not None or not converted:
        return _or_zero(told.quote_pl), converted
    gains = converted.is_finite() and converted > 0
    factor = number(
        told.gain_quote_home_conversion_factor if gains else told.loss_quote_home_conversion_factor
    )
    return (converted / factor if factor else NAN), converted
