"""What the control socket answers: a result, a refusal, or what a kill has come to (C-503)."""

import logging
from concurrent.futures import Future
from typing import Any

from console.host.requests import CommandError, Request
from engine.domain.text import clean_text

_log = logging.getLogger("console.host.control")


def answer_of(request: Request, ended: "Future[Any]") -> dict[str, Any]:
    """The reply to a request whose work has ended: its result, or how it failed."""
    if ended.cancelled():
        failed: BaseException | None = CommandError("STOPPED", "the engine has stopped")
    else:
        failed = ended.exception()
    if failed is None:
        return {"id": request.id, "ok": True, "result": ended.result()}
    if isinstance(failed, CommandError):
        return {"id": request.id, "ok": False, "code": failed.code, "error": str(failed)}
    _log.error("command %s failed", request.command, exc_info=failed)
    text = f"{type(failed).__name__}: {clean_text(str(failed), 200)}"
    return {"id": request.id, "ok": False, "code": "FAILED", "error": text}


def refusal(number: int | str | None, code: str, text: str) -> dict[str, Any]:
    """The reply that a request was not done: its number, a stable code and one sentence."""
    return {"id": number, "ok": False, "code": code, "error": text}


def answer_to_kill(request: Request, found: dict[str, Any], fault: str) -> dict[str, Any]:
    """The answer to a kill that came to `found`; with a `fault` of its line, a refusal that says
    that it halted all the same and closed nothing."""
    if not fault:
        return {"id": request.id, "ok": True, "result": found}
    halted = "halted all the same"
    if not found["acknowledged"]:
        halted += ", though the engine's loop has not answered yet"
    text = (
        f"{fault}; {halted}. This kill closed nothing: "
        'its arguments are "reason" and "flatten", which is none, day or all'
    )
    return refusal(request.id, "INVALID_INPUT", text)
