"""How much more may be held: after this trade, working orders included, at worst prices.

(A-084, A-085, A-088, X-19, U-51; D-06, D-08.) Equal to a limit is allowed; more is resized to fit.
"""

from decimal import Decimal

from engine.domain.money import ONE, ZERO, plain
from engine.risk.case import Case, Finding, Limit, RequestKind, fraction, passed, refused
from engine.sizing.stock import size

BASIS_POINTS = Decimal(10_000)


def sized(case: Case, _: Limit) -> Finding | None:
    """SIZE_ZERO: sizes the request; what cannot be at least one lot is not traded (A-104)."""
    if case.kind is RequestKind.FLAT:
        return _held(case)
    if case.kind is RequestKind.CHANGE:
        return _risked(case)
    signal, limits = case.signal, case.world.limits
    if signal is None or case.conviction is None:
        return None
    case.size = size(
        equity=_in_instruments_currency(case),
        entry=signal.entry_price,
        stop=signal.stop_loss,
        conviction=case.conviction,
        risk_per_trade=limits.risk_per_trade,
        single_name=limits.single_name,
        lot=case.instrument.lot,
        multiplier=case.instrument.multiplier,
        mode=case.world.config.entries.conviction_mode,
        market=case.entry,
    )
    case.quantity = case.size.quantity
    if case.quantity > ZERO:
        return passed(case.quantity, case.instrument.lot)
    return refused(
        case.quantity,
        case.instrument.lot,
        f"{case.size.binding or 'no limit'} leaves less than one lot "
        f"({plain(case.instrument.lot)}) of {case.symbol} at {plain(signal.entry_price)}.",
    )


def _risked(case: Case) -> Finding | None:
    """A larger order risks no more than a trade may, where its stop is known (A-104, X-88)."""
    share, entry, stop = case.world.limits.risk_per_trade, case.entry, case.stop
    if share is None or entry is None or stop is None or case.added <= ZERO:
        return None
    room = share * _in_instruments_currency(case)
    unit = abs(entry - stop) * case.instrument.multiplier
    quantity = case.quantity or ZERO
    if quantity * unit <= room:
        return passed(quantity * unit, room)
    most = case.affordable(room, unit)
    return refused(
        quantity * unit,
        room,
        f"{plain(quantity)} {case.symbol} from {plain(entry)} to their stop at {plain(stop)} would "
        f"risk {plain(quantity * unit)}; {plain(room)} is allowed a trade: at most {plain(most)} "
        "would fit.",
    )


def _in_instruments_currency(case: Case) -> Decimal:
    """Equity as the instrument's prices count it; NaN without a rate (U-53)."""
    currency = case.instrument.currency
    if currency == case.world.base:
        return case.equity
    return case.equity / (case.world.worth(currency) or Decimal("NaN"))


def _held(case: Case) -> Finding:
    """What a flat signal closes: all that signals opened of the symbol, in any account (X-87)."""
    held = case.world.book.managed(case.symbol)
    if not held:
        kept = ", ".join(
            f"{plain(position.quantity)} in {position.account}"
            for position in case.world.book.held(case.symbol)
        )
        but = f"; what is held ({kept}) was opened by no signal" if kept else ""
        return refused(0, "a position", f"There is no position in {case.symbol} to close{but}.")
    if all(position.exiting is not None for position in held):
        return refused(0, "a position", f"The position in {case.symbol} is being closed already.")
    case.quantity = sum((abs(position.quantity) for position in held), start=ZERO)
    return passed(case.quantity, "a position")


def _share(case: Case, *, held: Decimal, limit: Decimal, what: str) -> Finding:
    """`held` and this order together are at most `limit` of equity."""
    measured = fraction(held + case.added, case.equity, up=True)
    return case.within(
        room=limit * case.equity - held + case.freed,
        unit=case.unit_value,
        measured=measured,
        limit=limit,
        reason=lambda: f"{what} would be {plain(measured)} of equity; {plain(limit)} is allowed.",
    )


def single_name(case: Case, limit: Limit) -> Finding | None:
    """SINGLE_EXPOSURE: one name, which is a stock with its options, or a root with its futures."""
    name = case.instrument.underlying
    return _share(case, held=case.world.exposure(case.symbol), limit=limit, what=name)


def sector(case: Case, limit: Limit) -> Finding | None:
    """SECTOR_EXPOSURE: one sector; symbols without a sector share the sector UNKNOWN (A-085)."""
    name = case.world.sector_of(case.symbol)
    held = case.world.sector_exposure(name)
    return _share(case, held=held, limit=limit, what=f"Sector {name}")


def gross(case: Case, limit: Limit) -> Finding | None:
    """GROSS_EXPOSURE: everything, long and short added."""
    return _share(case, held=case.world.gross_exposure, limit=limit, what="Gross exposure")


def buying_power(case: Case, _: Limit) -> Finding | None:
    """BUYING_POWER: the sized order at its worst price with its fee (A-088)."""
    room = case.world.buying_power(case.account) + case.freed
    unit = case.unit_value * (ONE + _fee_rate(case))
    needed = case.leaves * unit
    return case.within(
        room=room,
        unit=unit,
        measured=needed,
        limit=room,
        reason=lambda: f"The order may cost {plain(needed)}; buying power is {plain(room)}.",
    )


def _fee_rate(case: Case) -> Decimal:
    """What the broker charges of a trade as far as the config says."""
    settings = case.world.config.brokers.of(case.account)
    return getattr(settings, "commission_bps", ZERO) / BASIS_POINTS
