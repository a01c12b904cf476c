"""Connections, and what an operator should see."""

from engine.domain.events.base import Event
from engine.domain.run import LinkState, Severity


class LinkChanged(Event, frozen=True, kw_only=True):
    """A broker connection came up or went down."""

    account: str
    state: LinkState
    detail: str


class Alarmed(Event, frozen=True, kw_only=True):
    """Something an operator should see."""

    code: str
    severity: Severity
    subject: str
    text: str
