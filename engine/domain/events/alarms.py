"""Connections, and what an operator should see."""

from engine.domain.events.base import Event
from engine.domain.instant import Nanos
from engine.domain.run import CircuitState, LinkState, Severity


class LinkChanged(Event, frozen=True, kw_only=True):
    """A broker connection came up or went down."""

    account: str
    state: LinkState
    detail: str


class CircuitMoved(Event, frozen=True, kw_only=True):
    """An order that adds exposure failed on its way to the venue, or one was answered (C-422)."""

    account: str
    state: CircuitState
    failures: int
    """How many such orders have failed in a row."""
    until: Nanos = 0
    """Before this nothing that adds exposure is sent there; 0 where it is."""


class Alarmed(Event, frozen=True, kw_only=True):
    """Something an operator should see."""

    code: str
    severity: Severity
    subject: str
    text: str
