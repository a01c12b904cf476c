"""A dead letter whose order its venue turns out to have (C-430, X-10, U-21)."""

from collections.abc import Iterator

from engine.domain import events as ev
from engine.domain.order import VENUE
from engine.domain.run import Severity
from engine.world import World


def reached(world: World, account: str, client_order_id: str) -> Iterator[ev.Event]:
    """Close the dead letter of an order of which its venue tells that it works, or has filled.

    It was kept as one that never left, and whoever sent it again would send it twice (rule 1).
    Nothing where there is no such letter.
    """
    letter = world.book.data.letters.get(client_order_id)
    if letter is None or letter.terms.account != account:
        return
    yield ev.DeadLetterClosed(account=account, letter_id=client_order_id, action="taken", by=VENUE)
    yield ev.Alarmed(
        code="DEAD_LETTER_TAKEN",
        severity=Severity.CRITICAL,
        subject=letter.terms.symbol,
        text=f"{account} has order {client_order_id} in {letter.terms.symbol}, which was kept as a "
        "dead letter since it had provably not left: the letter is closed, and cannot be sent "
        "again",
    )
