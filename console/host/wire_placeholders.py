"""What stands for each id of a recorded session: another of the same shape, the same for the same.

Numbers among ids keep their order, and their distance where it is small: a venue that counts its
transactions still counts.
"""

import re
from bisect import bisect_left
from typing import Final

EXECUTION: Final = re.compile(r"[0-9a-f]{8}\.[0-9a-f]{8}\.[0-9]{2}\.[0-9]{2}")
"""An id of an execution as Interactive Brokers writes it."""

NEAR: Final = 100
"""Numbers that are further apart than that come to be so far apart."""

SHORTEST: Final = 6
"""A shorter id is replaced only where its name says that it is one: it would blot out numbers."""

_HEX: Final = re.compile(r"[0-9a-f]{32}")
_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Placeholders:
    """What stands for each id of one recording; learned whole before the first is asked for."""

    def __init__(self) -> None:
        self._numbers: set[int] = set()
        self._sorted: list[int] = []
        self._shifted: list[int] = []
        self._accounts: dict[str, str] = {}
        self._ids: dict[str, str] = {}

    def account(self, value: str) -> None:
        """Learn the id of an account. Its first letters stay: they say which world it is of."""
        if _HEX.fullmatch(value):  # Coinbase's, as the engine writes it
            value = "-".join((value[:8], value[8:12], value[12:16], value[16:20], value[20:]))
        if value and value not in self._accounts:
            keep = len(value) - len(value.lstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZ"))
            new = _alike(value, len(self._accounts) + 1, keep=min(keep, 2))
            self._accounts[value] = new
            if _UUID.fullmatch(value):
                self._accounts[value.replace("-", "")] = new.replace("-", "")

    def id(self, value: str) -> None:
        """Learn any other id. That of an execution at Interactive Brokers ends in which correction
        it is, which stays."""
        if EXECUTION.fullmatch(value):
            first, dot, correction = value.rpartition(".")
            self.id(first)
            self._ids[value] = self._ids[first] + dot + correction
        elif value.isascii() and value.isdecimal() and str(int(value)) == value:
            self._numbers.add(int(value))
        elif value and value not in self._ids:
            self._ids[value] = _alike(value, len(self._ids) + 1)

    def settle(self) -> None:
        """Nothing more is learned: work out the numbers."""
        self._sorted = sorted(self._numbers)
        before, now = 0, 0
        for number in self._sorted:
            now += min(number - before, NEAR)
            before = number
            self._shifted.append(now)

    def of(self, value: str) -> str:
        """What stands for this id; itself where it is none that was learned."""
        if value in self._accounts:
            return self._accounts[value]
        if value in self._ids:
            return self._ids[value]
        if value.isascii() and value.isdecimal() and str(int(value)) == value:
            place = bisect_left(self._sorted, int(value))
            if place < len(self._sorted) and self._sorted[place] == int(value):
                return str(self._shifted[place])
        return value

    def long(self) -> dict[str, str]:
        """Every id that is long enough to be known by itself, with what stands for it."""
        numbers = {str(number): self.of(str(number)) for number in self._numbers}
        found = self._accounts | self._ids | numbers
        return {value: new for value, new in found.items() if len(value) >= SHORTEST}


def _alike(value: str, number: int, *, keep: int = 0) -> str:
    """The number in the shape of a value: its length and its signs stay, and so many letters."""
    if _UUID.fullmatch(value):
        return f"00000000-0000-4000-8000-{number:012x}"
    shape = [
        "0" if char.isdigit() else ("A" if char.isupper() else "a") if char.isalpha() else char
        for char in value
    ]
    if value.isdecimal():
        shape[0] = "9"  # it may stand for a number, which begins with no zero
    shape[:keep] = value[:keep]
    digits = list(str(number))
    for place in reversed(range(keep, len(shape))):
        if digits and shape[place].isalnum():
            shape[place] = digits.pop()
    return "".join(digits) + "".join(shape)
