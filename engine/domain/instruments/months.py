"""Months as traders write them in the names of contracts."""

from typing import Final

MONTHS: Final = (
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
)  # fmt: skip

MONTH_LETTERS: Final = "FGHJKMNQUVXZ"
"""The letters that futures exchanges name the months by."""
