"""The shipped session table is what the development library says (`make calendars`)."""

import importlib.util
from pathlib import Path

import pytest

from engine.calendars.exchange import ExchangeCalendar
from tests.tools import generate_calendars as generator

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        importlib.util.find_spec("exchange_calendars") is None,
        reason="exchange_calendars, which the table is compared with, is not installed (extra dev)",
    ),
    pytest.mark.filterwarnings("default"),  # the library's own warnings are not ours
]


def test_the_table_is_as_generated(root: Path) -> None:
    shipped = (root / "engine" / "calendars" / "xnys.csv").read_text(encoding="utf-8")
    assert shipped == generator.table("XNYS")


def test_A086_every_session_agrees_with_the_library() -> None:
    table = ExchangeCalendar.load("xnys.csv")
    known = generator.sessions("XNYS")
    for day in generator.weekdays():
        session = table.session_on(day)
        assert (session is not None) == (day in known), day
    assert len(known) > 9000
