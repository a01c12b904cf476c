"""Real money waits for a dry run that was signed off, is fresh, and fits (M-80, C-706, C-707)."""

from typing import Any

import msgspec
import pytest

from engine.core.rollout import FRESH_DAYS, Wanted, missing
from engine.domain.order import NS_PER_DAY
from engine.domain.run import SignOff
from tests.engine.test_sign_off import RUN

NOW = 1_000 * NS_PER_DAY
SIGNED = msgspec.structs.replace(RUN, run_at=NOW - NS_PER_DAY)


def said(*accounts: Wanted, signed: SignOff | None = SIGNED, **more: Any) -> str:
    given: dict[str, Any] = {"version": SIGNED.version, "limits": SIGNED.limits, "now": NOW} | more
    known = {} if signed is None else {signed.kind: signed}
    return "; ".join(missing(accounts or (wanted(),), known, **given))


def wanted(kind: str = "alpaca", *, at_venue: bool = True) -> Wanted:
    return Wanted(name="mine", kind=kind, at_venue=at_venue)


def test_a_fresh_sign_off_of_that_kind_of_venue_is_enough() -> None:
    assert said() == ""


def test_M80_without_a_sign_off_real_money_is_refused_with_what_to_do() -> None:
    assert said(signed=None).startswith("mine: no dry run of alpaca is signed off here: run `dry")
    assert "no dry run of binance" in said(wanted("binance"))


@pytest.mark.parametrize(
    ("age", "ok"),
    [
        (0, True),
        (FRESH_DAYS * NS_PER_DAY - 1, True),
        (FRESH_DAYS * NS_PER_DAY, True),
        (FRESH_DAYS * NS_PER_DAY + 1, False),
        (-1, False),
    ],
)
def test_C706_a_dry_run_is_fresh_for_30_days(age: int, ok: bool) -> None:
    signed = msgspec.structs.replace(SIGNED, run_at=NOW - age)
    assert (said(signed=signed) == "") is ok


def test_C706_a_dry_run_of_another_program_counts_for_nothing() -> None:
    assert "of version 1.0, and this program is 1.1" in said(version="1.1")


@pytest.mark.parametrize(
    ("ran_there", "trades_there", "ok"),
    [(True, True, True), (True, False, True), (False, False, True), (False, True, False)],
)
def test_X51_a_run_at_another_server_is_no_evidence_of_the_venue(
    ran_there: bool, trades_there: bool, ok: bool
) -> None:
    signed = msgspec.structs.replace(SIGNED, at_venue=ran_there)
    assert (said(wanted(at_venue=trades_there), signed=signed) == "") is ok


def test_M80_the_limits_are_those_that_were_accepted() -> None:
    assert "sign it again with this config" in said(limits="other")


def test_every_account_is_told_about_and_each_with_all_of_its_reasons() -> None:
    told = said(wanted(), wanted("okx"), version="2", limits="other")
    assert told.count("mine: ") == 3
    assert "okx" in told
