"""Signing a dry run off is a recorded event, and what is in force is the last one (C-707)."""

import msgspec

from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.run import SignOff
from engine.state.book import Book
from tests.engine.driver import CoreDriver, one
from tests.engine.worlds import config_of

RUN = SignOff(
    kind="alpaca",
    environment="paper",
    account_id="PA1",
    at_venue=True,
    evidence="sandbox-verified",
    version="1.0",
    run_at=1,
    report="a" * 64,
    limits="b" * 64,
)


def test_C707_who_signed_which_report_is_recorded_and_the_last_one_of_a_kind_stands() -> None:
    desk = CoreDriver(config_of())
    other = msgspec.structs.replace(RUN, report="c" * 64)
    for by, signed in (("ann", RUN), ("bob", other)):
        events = desk.give(ask.Sign(by=by, sign_off=signed, passed=True))
        assert one(events, ev.OperatorActed).by == by
        recorded = one(events, ev.SignedOff)
        assert (recorded.by, recorded.sign_off) == (by, signed)
    assert desk.book.data.sign_offs == {"alpaca": other}
    binance = msgspec.structs.replace(RUN, kind="binance")
    desk.give(ask.Sign(by="ann", sign_off=binance, passed=True))
    assert set(desk.book.data.sign_offs) == {"alpaca", "binance"}


def test_C706_a_run_that_did_not_pass_is_not_signed_off() -> None:
    desk = CoreDriver(config_of())
    events = desk.give(ask.Sign(by="ann", sign_off=RUN, passed=False))
    assert "did not pass" in one(events, ev.CommandRefused).reason
    assert desk.book.data.sign_offs == {}


def test_a_sign_off_survives_a_snapshot_and_a_fold() -> None:
    desk = CoreDriver(config_of())
    desk.give(ask.Sign(by="ann", sign_off=RUN, passed=True))
    assert Book.restore(desk.book.snapshot()).data.sign_offs == {"alpaca": RUN}
