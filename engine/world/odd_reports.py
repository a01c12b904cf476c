"""Reports of a venue that are left aside: of a row of them about one order the first is told."""

from collections.abc import Iterable
from typing import Final

from engine.domain.report import OrderReport

MOST_REMEMBERED: Final = 1_000
"""So many orders are remembered; then they are told once more."""


class OddReports:
    """Why the newest report about an order is odd, by account and order."""

    def __init__(self) -> None:
        self._why: dict[tuple[str, str], str] = {}
        self._news: tuple[OrderReport, ...] = ()
        """Those of this moment that are to be told."""

    def see(self, reports: Iterable[tuple[OrderReport, str]]) -> None:
        """Take the reports of one moment, each with why it is odd, "" for one that is not."""
        self._news = tuple(report for report, why in reports if self._is_news(report, why))

    def is_news(self, report: OrderReport) -> bool:
        """Whether that report of this moment is odd, and the one before it about its order was not,
        or for another reason."""
        return any(report is each for each in self._news)

    def _is_news(self, report: OrderReport, why: str) -> bool:
        key = (report.account, report.client_order_id)
        before = self._why.pop(key, "")
        if why:
            if len(self._why) >= MOST_REMEMBERED:
                self._why.clear()
            self._why[key] = why
        return bool(why) and why != before
