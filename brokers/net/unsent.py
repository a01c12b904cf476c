"""A request whose facts could not be asked for was not sent (C-402)."""

import contextlib
from collections.abc import Iterator

from engine.ports import Ambiguous, NotSent


@contextlib.contextmanager
def nothing_sent_yet(what: str) -> Iterator[None]:
    """Around the questions that come before a request that can change an order.

    A question that is not answered leaves nothing in doubt: its Ambiguous becomes NotSent, which
    says `what` could not be had, and why. Every other error passes.
    """
    try:
        yield
    except Ambiguous as error:
        raise NotSent(f"{what}: {error}") from error
