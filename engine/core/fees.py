"""Which commissions can be, beside the trade that they were taken for (rule 2, X-18, U-17)."""

from decimal import Decimal
from typing import Final

from engine.domain.money import ONE, ZERO, number_fault, plain
from engine.domain.order import Fill

BAD_FEE = "bad_fee"
"""The cause that blocks a symbol of which a commission could not be believed."""

SMALL_FEE: Final = Decimal(100)
"""In the base currency: a venue's least commission for one order is below it, and may be more than
a tiny order is worth."""

CONTRACT_FEE: Final = Decimal(10)
"""In the base currency, for one contract: what is charged by the contract is more than an option is
worth that is about to expire."""


def fee_fault(
    fill: Fill, *, currency: str, multiplier: Decimal, rate: Decimal, fee_rate: Decimal
) -> str:
    """Why the commission of a fill cannot be; "" where it can, however odd.

    No venue takes, or pays, more than was traded. What is taken in an asset whose worth nobody
    knows cannot be measured: it is believed as a charge, which makes equity less, and not as
    money received. `rate` and `fee_rate` are the worth of the `currency` of the instrument and of
    the asset of the commission in the base currency, 0 where it is not known.
    """
    if fault := number_fault(fill.commission):
        return f"it is {fault}"
    fee = fill.commission
    if fill.commission_currency in ("", currency):
        rate = fee_rate = rate or ONE
    if not fee_rate or not rate:
        return "nobody knows what that is worth" if fee < 0 else ""
    traded = fill.quantity * fill.price * multiplier * rate
    by_contract = fill.quantity * CONTRACT_FEE if multiplier != ONE else ZERO
    most = max(abs(traded), SMALL_FEE, by_contract)
    if abs(fee) * fee_rate <= most:
        return ""
    return f"that is more than the trade, {plain(round(most / fee_rate, 8))} is allowed"
