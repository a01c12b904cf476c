"""`doctor --orders`: a limit far from the market placed, cancelled, and gone, in each test
environment (C-702).

It is the first step of a dry run, by an engine of its own; no other step is taken and no report is
written.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from console.host.acceptance.command import checked, demand_ready, perform
from console.host.diagnosis import Diagnosis
from console.host.output import CommandFailed
from console.host.place import Host
from console.host.venue_checks import Finding
from engine.config import Config

ASKED: Final = ("trouble", "resting limits", "rejections", "unclear", "positions", "open orders")
"""The rows of a dry run that are about a limit that rests."""


def place_and_cancel(host: Host, config: Config, names: Iterable[str]) -> Iterator[Finding]:
    """A row for each account: whether its limit was taken, cancelled and is gone."""
    for name in names:
        try:
            demand_ready(host)
            symbol = checked(config, name, "")
            found = perform(host, config, name, symbol, rests=1, trades=0, steady=0)
        except CommandFailed as error:
            told = None if error.code in ("CANNED", "LIVE") else False
            yield Finding("orders", name, Diagnosis(told, f"no order was sent: {error}"))
            continue
        rows = [row for row in found.criteria if row.name in ASKED]
        bad = [f"{row.name}: {row.measured}" for row in rows if row.ok is False]
        resting = next(row for row in rows if row.name == "resting limits")
        text = f"a limit of {symbol} far from the market: {resting.measured} {resting.allowed}"
        if bad:
            text = "; ".join(bad)
        yield Finding("orders", name, Diagnosis(not bad, text, resting.measured, resting.allowed))
