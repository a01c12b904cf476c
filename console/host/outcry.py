"""What an operator must know at once goes into the log, which a headless engine has on stderr."""

import logging

from engine.domain import events as ev
from engine.domain.run import Severity

_log = logging.getLogger("console.host.alarm")


def cry(record: ev.Record) -> None:
    """Log a critical alarm, as a halt is, and that a halt was cleared."""
    event = record.event
    if isinstance(event, ev.Alarmed) and event.severity is Severity.CRITICAL:
        _log.error("%s: %s", event.code, event.text)
    elif isinstance(event, ev.HaltCleared):
        _log.warning("the halt was cleared by %s; entries wait for `unpause`", event.by)
