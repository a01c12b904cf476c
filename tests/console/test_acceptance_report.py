"""A report is read back only as it was written (C-706)."""

import json
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from console.host.acceptance.live import live_accounts
from console.host.acceptance.report import (
    SIMULATED,
    OrderRow,
    Report,
    ReportError,
    digest_of,
    document_of,
    lines_of,
    read,
    write,
)
from engine.analytics.acceptance import Criterion
from engine.domain.instant import NS_PER_SECOND
from tests.configs import unruled

REPORT = Report(
    version="0.1.0",
    at=1_793_000_000 * NS_PER_SECOND + 5,
    account="alpaca",
    kind="alpaca",
    environment="paper",
    account_id="PA1",
    at_venue=False,
    evidence=SIMULATED,
    config_digest="c" * 64,
    limits_digest="d" * 64,
    symbol="AAPL",
    seconds=30,
    journal_first=7,
    journal_last=42,
    journal_head="e" * 64,
    passed=True,
    criteria=(
        Criterion(name="fill rate", spec="P-04", measured="2 of 2", allowed="95 %", ok=True),
        Criterion(name="fill latency", spec="X-49", measured="9 ms", allowed="told", ok=None),
    ),
    orders=(
        OrderRow(
            client_order_id="a", kind="resting limit", side="BUY", quantity="1", filled="0",
            average_price="", reference="100", ended="CANCELED", fill_ms="", slippage_bps="",
            said="",
        ),
    ),
    told={"cpu": "7 % of one core"},
    not_shown=("a restart",),
)  # fmt: skip


def test_X51_a_run_at_a_local_server_opens_no_account_of_which_any_part_is_at_the_venue() -> None:
    """As where the prices alone come over a server of one's own."""
    here = dict.fromkeys(("trading_url", "data_url"), "http://127.0.0.1:1")
    here |= dict.fromkeys(("trading_stream_url", "data_stream_url"), "ws://127.0.0.1:1")
    for stated, may in (({}, True), ({"data_url": "http://127.0.0.1:1"}, True), (here, False)):
        table = {"environment": "live", "account_id": "123456789", **stated}
        config = unruled(
            {"mode": "live", "account": {"primary": "alpaca"}, "brokers": {"alpaca": table}}
        )
        (account,) = live_accounts(config)
        assert account.at_venue is may


def test_what_is_written_is_read_back_with_its_digest(tmp_path: Path) -> None:
    path = write(REPORT, tmp_path / "reports")
    assert read(path) == (REPORT, digest_of(REPORT))
    assert path.name == f"dryrun-alpaca-20261026T073320Z-{digest_of(REPORT)[:8]}.json"
    text = path.with_suffix(".txt").read_text(encoding="utf-8")
    assert text == "".join(f"{line}\n" for line in lines_of(REPORT))
    assert digest_of(REPORT) in text
    with pytest.raises(FileExistsError):
        write(REPORT, tmp_path / "reports")


@pytest.mark.parametrize("field", REPORT.__struct_fields__)
def test_C706_whatever_is_changed_in_a_report_is_noticed(tmp_path: Path, field: str) -> None:
    path = tmp_path / "report.json"
    found = document_of(REPORT)
    value = found["content"][field]
    changed: object = f"{value}x"
    if isinstance(value, bool):
        changed = not value
    elif isinstance(value, int):
        changed = value + 1
    elif isinstance(value, list | tuple):
        changed = value[1:]
    elif isinstance(value, dict):
        changed = {}
    found["content"][field] = changed
    path.write_text(json.dumps(found), encoding="utf-8")
    with pytest.raises(ReportError):
        read(path)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"content": {}}', '{"content": 1, "sha256": "x"}', "\x00", "NaN"]
)
def test_what_is_no_report_is_refused_in_one_sentence(tmp_path: Path, text: str) -> None:
    path = tmp_path / "report.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ReportError, match=r"is no report of a dry run"):
        read(path)
    with pytest.raises(ReportError, match="cannot be read"):
        read(tmp_path / "none.json")


def test_a_field_that_nobody_knows_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    found = document_of(REPORT)
    found["content"]["more"] = str(Decimal(1))
    path.write_text(json.dumps(found), encoding="utf-8")
    with pytest.raises(ReportError, match="is no report"):
        read(path)
    later = msgspec.structs.replace(REPORT, format=2)
    path.write_text(json.dumps(document_of(later)), encoding="utf-8")
    with pytest.raises(ReportError, match="format 2: this program reads 1"):
        read(path)


def test_X61_only_a_run_that_was_to_place_no_order_is_called_the_part_that_reads_alone() -> None:
    failed = msgspec.structs.replace(REPORT, passed=False, orders=())
    assert next(lines_of(failed)) == "FAILED: dry run of alpaca (alpaca paper)"
    read_alone = list(lines_of(msgspec.structs.replace(failed, symbol="")))
    assert read_alone[0] == (
        "FAILED: dry run of alpaca (alpaca paper), of the part that reads alone"
    )
    assert read_alone[1] == "  account PA1, 2026-10-26T07:33:20.000000005Z"
