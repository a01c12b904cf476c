"""The program, with places where it can be made to stand still and be killed.

    python -m tests.process.parking --state-dir DIR --headless

A file `park` in the state folder names a place and the purposes of the orders that stop there, as
`PLACE PURPOSE...`; whoever stands there is named in the file `parked`. They go on once `park` no
longer says so. Without it this is the program as it is.

    durable   the intent is in the journal, nothing was sent
    sending   it counts as sent, and not a byte has left
    cancel    a cancel was decided, and not a byte has left
    replace   the same of a replace
    frozen    nothing becomes durable any more (the disk stands still)
"""

import asyncio
import sys
import time
from collections.abc import Awaitable, Sequence
from pathlib import Path

from brokers.paper.remote import RemotePaper
from console.cli.program import main
from engine.domain.order import OrderTerms, Replacement
from engine.runtime.account_link import AccountLink
from engine.runtime.cancels import Cancels
from engine.runtime.sender import Sender
from storage.writer import Entry, Writer

FOLDER = Path(sys.argv[sys.argv.index("--state-dir") + 1])
PARK, PARKED = FOLDER / "park", FOLDER / "parked"
LOOK_SECONDS = 0.005


def wanted(place: str, purpose: str) -> bool:
    """Whether `park` says that such an order stops here."""
    try:
        said, *purposes = PARK.read_text(encoding="utf-8").split()
    except (FileNotFoundError, ValueError):
        return False
    return said == place and (not purpose or purpose in purposes)


async def stand(place: str, purpose: str, key: str) -> None:
    """Stand here for as long as `park` says so."""
    if not wanted(place, purpose):
        return
    with PARKED.open("a", encoding="utf-8") as parked:
        parked.write(f"{key}\n")
    while wanted(place, purpose):
        await asyncio.sleep(LOOK_SECONDS)


_submit, _cancel, _modify = Sender._submit, Cancels._cancel, AccountLink.modify
_send, _commit = RemotePaper.submit_order, Writer.commit


async def submit(
    self: Sender, order: OrderTerms, durable: Awaitable[None], link: AccountLink, connection: int
) -> None:
    if wanted("durable", order.purpose):
        await durable
        await stand("durable", order.purpose, order.client_order_id)
    await _submit(self, order, durable, link, connection)


async def send(self: RemotePaper, order: OrderTerms) -> None:
    await stand("sending", order.purpose, order.client_order_id)
    await _send(self, order)


async def cancel(self: Cancels, key: str) -> None:
    await stand("cancel", "", key)
    await _cancel(self, key)


async def modify(self: AccountLink, key: str, wanted: Replacement, *, adds: bool) -> None:
    await stand("replace", "", key)
    await _modify(self, key, wanted, adds=adds)


def commit(self: Writer, entries: Sequence[Entry]) -> None:
    while wanted("frozen", ""):
        time.sleep(LOOK_SECONDS)
    _commit(self, entries)


if __name__ == "__main__":
    Sender._submit = submit  # type: ignore[method-assign]
    Cancels._cancel = cancel  # type: ignore[method-assign]
    AccountLink.modify = modify  # type: ignore[method-assign]
    RemotePaper.submit_order = send  # type: ignore[method-assign]
    Writer.commit = commit  # type: ignore[method-assign]
    sys.exit(main())
