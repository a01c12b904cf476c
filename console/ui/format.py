"""Numbers, ages and bars as text of a known width; nothing here knows a widget.

Signed numbers print their sign (colour never carries meaning alone), what is missing prints as
`-`, and money stays Decimal until the last digit is chosen here.
"""

from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final

MISSING: Final = "-"
"""What stands for a number nobody knows."""

NANOS_PER_SECOND: Final = 1_000_000_000
_AGE_STEPS: Final = ((86_400, "d"), (3_600, "h"), (60, "m"))
_COMPACT_STEPS: Final = (
    (Decimal(1_000_000_000), "G"),
    (Decimal(1_000_000), "M"),
    (Decimal(1_000), "k"),
)
_EXPONENT_LIMIT: Final = 30


@dataclass(frozen=True, slots=True)
class Glyphs:
    """The marks of one glyph set; each is one cell wide unless it says otherwise."""

    up: str
    down: str
    flat: str
    stale: str
    bar_full: str
    bar_empty: str
    ellipsis: str
    cursor: str
    sort_up: str
    sort_down: str
    dot: str
    passed: str
    separator: str
    paper: tuple[str, str]
    """Left and right edge of the banner's mark where no real money is at stake."""
    live: tuple[str, str]
    """The same where it is: another shape, so that it reads without colour too."""


UNICODE: Final = Glyphs(
    up="▲",
    down="▼",
    flat=" ",
    stale="~",
    bar_full="▓",
    bar_empty="░",
    ellipsis="…",
    cursor="▸",
    sort_up="↑",
    sort_down="↓",
    dot="●",
    passed="✓",
    separator="│",
    paper=("▐", "▌"),
    live=("█", "█"),
)
ASCII: Final = Glyphs(
    up="+",
    down="-",
    flat=" ",
    stale="~",
    bar_full="#",
    bar_empty=".",
    ellipsis="~",
    cursor=">",
    sort_up="^",
    sort_down="v",
    dot="*",
    passed="+",
    separator="|",
    paper=("[", "]"),
    live=("###", "###"),
)
GLYPHS: Final = {"unicode": UNICODE, "ascii": ASCII}
"""Glyph sets by the value of `console.glyphs`."""


def number(value: Decimal | int | None, places: int | None = None, *, signed: bool = False) -> str:
    """`value` with thousands separators; `-` where it is missing or not finite.

    `places` fixes the decimals (half even); None keeps those the value has. `signed` prints `+`
    on every number above zero, and a zero that rounding made has no sign.
    """
    if value is None:
        return MISSING
    exact = Decimal(value)
    if not exact.is_finite() or exact.adjusted() > _EXPONENT_LIMIT:
        return MISSING
    if places is not None:
        exact = exact.quantize(Decimal(1).scaleb(-places), ROUND_HALF_EVEN)
    if exact.is_zero():
        exact = abs(exact)
    return format(exact, "+,f" if signed and exact else ",f")


def money(amount: Decimal, currency: str, base: str, places: int | None = 2) -> str:
    """An amount; what is not in the base currency says what it is in."""
    text = number(amount, places)
    return text if currency == base else f"{text} {currency}"


def counted(count: int, one: str, many: str = "") -> str:
    """`1 order`, `2 orders`; `many` where it is not made with an s."""
    return f"{count} {one if count == 1 else many or one + 's'}"


def signed(value: Decimal | int | None, places: int | None = 2) -> str:
    """A profit or a difference: its sign is always there, except on zero."""
    return number(value, places, signed=True)


def percent(fraction: Decimal | None, places: int = 1, *, sign: bool = True) -> str:
    """A rate (a fraction of 1) as a percentage: `Decimal("0.028")` is `+2.8%`."""
    if fraction is None or not fraction.is_finite():
        return MISSING
    return number(fraction.scaleb(2), places, signed=sign) + "%"


def compact(value: Decimal | int | None, *, sign: bool = False) -> str:
    """A large amount in few cells: `61.2k`, `1.04M`; below a thousand as it is, no decimals."""
    if value is None:
        return MISSING
    exact = Decimal(value)
    if not exact.is_finite():
        return MISSING
    for step, suffix in _COMPACT_STEPS:
        if abs(exact) >= step:
            scaled = exact / step
            places = 2 if abs(scaled) < 10 and step > 1_000 else 1
            return number(scaled, places, signed=sign) + suffix
    return number(exact, 0, signed=sign)


def age(nanos: int | None) -> str:
    """A duration in nanoseconds in at most five cells: `41ms`, `0.3s`, `12s`, `4m`, `3h`, `2d`.

    A negative one (clocks disagree) prints as `0ms`; a missing one as `-`.
    """
    if nanos is None:
        return MISSING
    if nanos < NANOS_PER_SECOND // 10:
        return f"{max(nanos, 0) // 1_000_000}ms"
    tenths = nanos // (NANOS_PER_SECOND // 10)
    if tenths < 100:
        return f"{tenths // 10}.{tenths % 10}s"
    seconds = tenths // 10
    for step, suffix in _AGE_STEPS:
        if seconds >= step:
            return f"{min(seconds // step, 9999)}{suffix}"
    return f"{seconds}s"


def bar(used: Decimal | None, width: int = 10, glyphs: Glyphs = UNICODE) -> str:
    """`used` (a fraction of 1) as a bar of `width` cells; empty at 0 or less, full from 1 on.

    Anything above zero shows at least one cell, and only a whole use fills the last one.
    """
    if used is None or not used.is_finite() or used <= 0:
        filled = 0
    elif used >= 1:
        filled = width
    else:
        filled = min(max(int(used * width), 1), width - 1)
    return glyphs.bar_full * filled + glyphs.bar_empty * (width - filled)


def tick(change: Decimal | None, glyphs: Glyphs = UNICODE) -> str:
    """The direction of the last price as one cell, whatever colour up has in this region."""
    if change is None or not change.is_finite() or change == 0:
        return glyphs.flat
    return glyphs.up if change > 0 else glyphs.down


def mask_account(account: str, glyphs: Glyphs = UNICODE) -> str:
    """An account id as it may be shown: the first two and the last two characters at most."""
    if len(account) <= 4:
        return "*" * len(account)
    dots = glyphs.ellipsis if glyphs is UNICODE else ".."
    return f"{account[:2]}{dots}{account[-2:]}"


_POSITION_SIDES: Final = {1: "LONG", 0: "FLAT", -1: "SHORT"}
_ORDER_SIDES: Final = {"SELL_SHORT": "SHORT"}


def position_side(quantity: Decimal) -> str:
    """`LONG`, `SHORT` or `FLAT` for a signed quantity."""
    return _POSITION_SIDES[(quantity > 0) - (quantity < 0)]


def order_side(side: str) -> str:
    """The side of an order in at most five cells: `SELL_SHORT` prints as `SHORT`."""
    return _ORDER_SIDES.get(side, side)


def profit_style(value: Decimal | None) -> str:
    """The style name a signed amount of money is drawn in: `profit`, `loss` or none."""
    if value is None or not value.is_finite() or value == 0:
        return ""
    return "profit" if value > 0 else "loss"
