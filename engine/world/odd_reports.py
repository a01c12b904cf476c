"""Reports of a venue that are left aside: of a row of them about one order the first is told."""

from typing import Final

from engine.domain.report import OrderReport

MOST: Final = 1_000
"""So many orders are remembered; then they are told once more."""


class OddReports:
    """Why the newest report about an order is odd, by account and order."""

    def __init__(self) -> None:
        self._why: dict[tuple[str, str], str] = {}
        self.newly = False
        """Whether the report of this moment is odd, and the one before it about its order was not,
        or for another reason."""

    def see(self, report: OrderReport, why: str) -> None:
        """Take one report; `why` is "" for one that is not odd."""
        key = (report.account, report.client_order_id)
        before = self._why.pop(key, "")
        self.newly = bool(why) and why != before
        if why:
            if len(self._why) >= MOST:
                self._why.clear()
            self._why[key] = why
