"""The report of an acceptance run: written, read back, and shown (C-706, X-51).

Its digest is the SHA-256 of its content. It shows that a report was not changed since the digest
was noted, as in the journalled sign-off; it shows nothing about who wrote it, and whoever may write
the file can make another one.
"""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from console.host.output import counted
from engine.analytics.acceptance import Criterion
from engine.domain.instant import Nanos, rfc3339
from engine.domain.text import clean_text

FORMAT: Final = 1
LARGEST: Final = 4_000_000
"""Bytes of a report that is read."""

FOLDER: Final = "reports"

SIMULATED, SANDBOX = "simulated", "sandbox-verified"
"""The levels of evidence that a dry run can reach (X-51)."""


class ReportError(Exception):
    """A report that cannot be read or is not what was written: one sentence."""


class OrderRow(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One order of the run; decimals as text, times RFC 3339."""

    client_order_id: str
    kind: str
    """`resting limit` or `at the market`."""
    side: str
    quantity: str
    filled: str
    average_price: str
    reference: str
    ended: str
    fill_ms: str
    slippage_bps: str
    said: str


class Report(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What was run, where, by which program, and what came of it."""

    format: int = FORMAT
    version: str
    """Of the program."""
    at: Nanos
    """When the run ended, nanoseconds UTC."""
    account: str
    """The account's name under `[brokers]`."""
    kind: str
    environment: str
    """"" of a paper account."""
    account_id: str
    """As the venue answered."""
    at_venue: bool
    """All of it was asked at the venue's own addresses."""
    evidence: str
    config_digest: str
    limits_digest: str
    symbol: str
    seconds: int
    journal_first: int
    journal_last: int
    """The events of the run, in the journal that it was recorded in."""
    journal_head: str
    """The head of that journal's hash chain after the run."""
    passed: bool
    criteria: tuple[Criterion, ...]
    orders: tuple[OrderRow, ...]
    told: dict[str, str]
    """Figures that judge nothing."""
    not_shown: tuple[str, ...]
    """What a reader may miss, in sentences."""

    @property
    def reads_alone(self) -> bool:
        """No order was meant: its environment takes none, and so no symbol was traded (X-61)."""
        return not self.symbol


def digest_of(report: Report) -> str:
    """SHA-256 of the content, in hex; the same on every machine."""
    text = json.dumps(
        msgspec.to_builtins(report), sort_keys=True, separators=(",", ":"), ensure_ascii=True
    )
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def document_of(report: Report) -> dict[str, Any]:
    """What the file holds and `--json` prints: the content and its digest."""
    return {"content": msgspec.to_builtins(report), "sha256": digest_of(report)}


def write(report: Report, folder: Path) -> Path:
    """Write it as JSON and as text into the folder, never over a file; the path of the JSON.

    Raises OSError.
    """
    folder.mkdir(mode=0o700, exist_ok=True)
    moment = rfc3339(report.at).replace("-", "").replace(":", "").partition(".")[0].rstrip("Z")
    name = f"dryrun-{report.account}-{moment}Z-{digest_of(report)[:8]}"
    path = folder / f"{name}.json"
    with path.open("x", encoding="utf-8") as file:
        json.dump(document_of(report), file, indent=1)
        file.write("\n")
    with (folder / f"{name}.txt").open("x", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for line in lines_of(report))
    return path


def read(path: Path) -> tuple[Report, str]:
    """A report from its JSON, and its digest. Raises ReportError, also where the digest in it is
    not that of its content."""
    try:
        if path.stat().st_size > LARGEST:
            raise ReportError(f"{path} is no report: it is larger than {LARGEST // 1_000_000} MB.")
        found = json.loads(path.read_text(encoding="utf-8"))
        report = msgspec.convert(found["content"], type=Report)
        stated = str(found["sha256"])
    except OSError as error:
        raise ReportError(f"{path} cannot be read: {error.strerror or error}.") from error
    except (ValueError, KeyError, TypeError, msgspec.ValidationError) as error:
        raise ReportError(f"{path} is no report of a dry run: {clean_text(str(error))}.") from error
    if report.format != FORMAT:
        raise ReportError(f"{path} has format {report.format}: this program reads {FORMAT}.")
    if digest_of(report) != stated:
        raise ReportError(f"{path} was changed after it was written: its digest does not fit.")
    return report, stated


def lines_of(report: Report) -> Iterator[str]:
    """The report for a person, line by line."""
    place = f"{report.kind} {report.environment}".strip()
    word = "PASSED" if report.passed else "FAILED"
    part = ", of the part that reads alone" if report.reads_alone else ""
    yield f"{word}: dry run of {report.account} ({place}){part}"
    about = (report.account_id, report.symbol, rfc3339(report.at))
    yield "  account " + ", ".join(word for word in about if word)
    yield f"  evidence: {report.evidence}"
    yield f"  version {report.version}, config {report.config_digest[:16]}"
    yield f"  journal events {report.journal_first} to {report.journal_last}, " + (
        f"head {report.journal_head[:16]}"
    )
    yield f"  sha256 {digest_of(report)}"
    for row in report.criteria:
        mark = {True: "ok  ", False: "BAD ", None: "note"}[row.ok]
        yield f"{mark}  {row.name:<17} {row.measured}; allowed: {row.allowed} ({row.spec})"
    for name, value in report.told.items():
        yield f"note  {name:<17} {value}"
    rests = sum(row.kind == "resting limit" for row in report.orders)
    at_market = len(report.orders) - rests
    yield f"  {counted(rests, 'resting limit')}, {counted(at_market, 'order')} at the market"
    for sentence in report.not_shown:
        yield f"  not shown: {sentence}"
