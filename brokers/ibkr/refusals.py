"""What the numbers mean that TWS sends with its errors, warnings and notices: one table (D-64).

A number decides, never the text, which TWS translates. One that is in no row proves nothing: a new
order that it is told of stays in doubt until the order itself is told, or is asked about.
"""

from enum import Enum, auto
from typing import Final

from engine.ports import BrokerError, Rejected, Throttled

RATE_WAIT: Final = 2.0
"""Seconds that are waited after TWS said that it was asked too often (100)."""


class Meaning(Enum):
    """What a number says."""

    NOTICE = auto()
    """The order is live, or nothing happened to it; the text is for people."""
    REFUSED = auto()
    """A new order was refused, or one that was taken is by now."""
    CANCELED = auto()
    """The order has ended; what of it filled may still be told."""
    CANCEL_REFUSED = auto()
    """The cancel was not taken. Of the order that proves nothing: it may just have filled."""
    RATE = auto()
    """Too many messages: TWS may hang up. Whether it acted on this one it does not say, so that an
    order stays in doubt; a question or a cancel may be sent again."""
    CUT = auto()
    """TWS has lost its own connection to Interactive Brokers; ours to TWS stands."""
    BACK = auto()
    """TWS has its connection again."""
    UNKNOWN = auto()
    """In no row."""


_ROWS: Final[dict[Meaning, tuple[int, ...]]] = {
    # 10349 says that a preset changed the time in force; libraries call it a cancel, the order
    # lives. 10311 warns of direct routing, and what comes of it is told after it.
    Meaning.NOTICE: (399, 404, 10311, 10349, 10167, 10090, 10091),
    Meaning.REFUSED: (
        103, 104, 105, 106, 107, 109, 110, 111, 113, 116, 117, 125, 129, 132, 133, 134, 140, 141,
        144, 145, 146, 151, 152, 157, 160, 163, 164, 167, 200, 201, 203, 312, 313, 314, 321, 325,
        328, 329, 336, 343, 355, 356, 358, 361, 362, 363, 382, 383, 387, 388, 389, 392, 394, 397,
        398, 403, 406, 412, 417, 422, 423, 424, 425, 431, 434, 435, 436, 461, 10005, 10006, 10043,
        10052, 10239, 10243, 10244, 10268, 10269, 10270, 10289,
    ),
    Meaning.CANCELED: (202,),
    Meaning.CANCEL_REFUSED: (135, 136, 161, 10147, 10148),
    Meaning.RATE: (100,),
    # 2110 is told to a program that comes while TWS is without its connection: it is broken, and
    # "will be restored automatically".
    Meaning.CUT: (1100, 2110),
    Meaning.BACK: (1101, 1102),
}  # fmt: skip

MEANINGS: Final[dict[int, Meaning]] = {
    code: meaning for meaning, codes in _ROWS.items() for code in codes
}

LOST_DATA: Final = 1101
"""The connection is back, and subscriptions of market data are not."""

ID_IN_USE: Final = 326
PORT_MOVED: Final = 1300

NO_DATA: Final = frozenset({354, 10089, 10168, 10186, 10197})
"""No market data for this symbol: no right to it, or another session has it."""


def meaning_of(code: int) -> Meaning:
    """What a number says."""
    found = MEANINGS.get(code)
    if found is None:
        return Meaning.NOTICE if 2100 <= code <= 2199 else Meaning.UNKNOWN
    return found


def refusal(code: int, text: str) -> BrokerError:
    """The error that answers a question."""
    said = f"{code}: {text}"
    if meaning_of(code) is Meaning.RATE:
        return Throttled(said, RATE_WAIT)
    return Rejected(str(code), text)
