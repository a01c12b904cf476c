"""What one check of `doctor` found."""

from typing import NamedTuple


class Diagnosis(NamedTuple):
    """What one check found; `ok` None is a warning."""

    ok: bool | None
    text: str
    measured: str = ""
    """What was measured, with its unit; "" where nothing is."""
    allowed: str = ""
    """What is allowed of that."""

    @property
    def result(self) -> str:
        """`ok`, `warn` or `fail`."""
        return {True: "ok", None: "warn", False: "fail"}[self.ok]


def within(measured: str, allowed: str, *, ok: bool | None, text: str = "") -> Diagnosis:
    """A number against its limit, in words; `text` says more."""
    words = f"{measured}, allowed is {allowed}"
    return Diagnosis(ok, f"{words}; {text}" if text else words, measured, allowed)
