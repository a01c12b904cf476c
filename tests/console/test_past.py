"""`--at TIME`: what was true at a moment, to be looked at and not changed (INTERFACE)."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from console.cli.program import main
from console.desk.local import LocalDesk
from console.desk.past import READ_ONLY, PastDesk
from console.desk.port import View
from console.host.output import CommandFailed, ExitCode
from console.host.past import moment, open_past
from console.ui.app import MeridianApp
from console.ui.screens.halt import HaltScreen
from console.ui.widgets.alert_line import standing
from engine.analytics.status import Extras, status_of
from engine.domain import commands as ask
from engine.domain.events import EquityMarked
from engine.domain.instant import NS_PER_SECOND, Nanos, parse_rfc3339
from engine.domain.order import Side
from engine.domain.run import Flatten, Level, Mode, RunState
from storage import open_journal
from tests.configs import from_mapping
from tests.console.hosts import D, Host, drawn, morning, press, settle, shown

SECOND = NS_PER_SECOND

OF_PRICES = frozenset(
    {"last", "fresh", "price_age", "unrealized", "unrealized_share", "value", "equity_share",
     "r_multiple"}
)  # fmt: skip
"""Fields of a position that rest on the newest price, which the journal does not hold."""


# --- the time ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("2026-03-02T15:30:00Z", "2026-03-02T15:30:00Z"),
        ("2026-03-02T15:30:00.25Z", "2026-03-02T15:30:00.25Z"),
        ("2026-03-02T10:30:00-05:00", "2026-03-02T15:30:00Z"),
        ("2026-03-02", "2026-03-02T00:00:00Z"),
        ("2026-03-02 15:30", "2026-03-02T15:30:00Z"),
        ("2026-03-02 15:30:07", "2026-03-02T15:30:07Z"),
    ],
)
def test_a_time_with_its_zone_or_a_plain_one_in_utc(text: str, meant: str) -> None:
    assert moment(text) == parse_rfc3339(meant)


@pytest.mark.parametrize(
    "text",
    ["", "yesterday", "2026-03-02T15:30:00", "2026-02-30", "2026-03-02 24:00", "2026-03-02 15",
     "2026-03-02 15:30:60", "20260302"],
)  # fmt: skip
def test_anything_else_is_refused_in_one_sentence(text: str) -> None:
    with pytest.raises(CommandFailed) as refused:
        moment(text)
    assert refused.value.exit_code is ExitCode.USAGE
    assert "YYYY-MM-DD" in str(refused.value)
    assert "\n" not in str(refused.value)


# --- ten moments of a recorded run ---------------------------------------------------------------


def looks(view: View) -> dict[str, Any]:
    """Everything a screen can show that comes from the state."""
    positions = [view.position(key) for key in view.held()]
    money = view.portfolio()
    return {
        "now": view.now,
        "settings": view.settings,
        "run": view.run(),
        "links": view.links(),
        "heard": view.heard_at,
        "cash": money.cash,
        "currency": money.currency,
        "day_start": money.day_start,
        "accounts": [(a.account, a.account_id, a.currency, a.cash) for a in view.accounts()],
        "positions": [
            {n: getattr(row, n) for n in row.__struct_fields__ if n not in OF_PRICES}
            for row in positions
            if row is not None
        ],
        "unprotected": view.unprotected(),
        "orders": [view.order(key) for key in (*view.working(), *view.ended())],
        "fills": [view.fill(seq) for seq in view.fills()],
        "signals": [view.signal(key) for key in view.signals()],
        "curve": view.equity_curve(),
        "halt": view.halt(),
        "comparison": view.comparison(),
        "records": list(view.records()),
        "phrase": view.resume_phrase,
    }


class Recording:
    """A run with what its console showed at ten of its seconds, and its journal on the disk."""

    def __init__(self, journal: Path) -> None:
        self.journal = journal
        self.shown: list[tuple[Nanos, dict[str, Any], dict[str, Any]]] = []
        """Moment, what the screens showed, and the status."""

    def take(self, host: Host, desk: LocalDesk) -> None:
        self.shown.append((host.clock.now(), looks(desk.view), host.engine.status()))


@pytest.fixture
async def recording(tmp_path: Path) -> AsyncIterator[Recording]:
    """A morning, a manual order, a pause, a halt, a resume and a kill."""
    made = Recording(tmp_path / "journal.db")
    host = Host()
    desk = LocalDesk(host.engine)
    desk.start()
    async with host:

        async def act(command: Any = None, seconds: float = 1.0) -> None:
            if command is not None:
                await host.engine.command(command)
            await host.clock.advance(seconds)
            made.take(host, desk)
            await host.clock.advance(1)

        await act()
        await morning(host)
        await act()
        order = ask.PlaceOrder(by="t", symbol="MSFT", side=Side.BUY, quantity=D(5))
        host.price("MSFT", "417.40")
        await settle()
        await act(order)
        await act(ask.Pause(by="t", reason="lunch"))
        await act(seconds=70)
        await act(ask.Unpause(by="t"))
        await act(ask.ClosePosition(by="t", symbol="MSFT"))
        await act(ask.Kill(by="t", level=Level.HALT, flatten=Flatten.NONE))
        await act(ask.Resume(by="t", confirm="RESUME"))
        for symbol in ("NVDA", "AAPL", "XOM"):
            host.price(symbol, str(host.world.market.mark(symbol)))
        await settle()
        await act(ask.Kill(by="t"), seconds=5)
        journal = open_journal(made.journal, inline=True)
        journal.append(host.records)
        journal.close()
        yield made
    desk.stop()


def opened(recording: Recording, at: Nanos, **sections: Any) -> PastDesk:
    wanted = {"profile": "axion_aggressive", "risk": {"max_order_notional": "500000"}}
    return open_past(recording.journal, from_mapping({**wanted, **sections}), at)


async def test_ten_moments_are_what_the_live_console_showed(recording: Recording) -> None:
    assert len(recording.shown) == 10
    states = set()
    for at, live, _ in recording.shown[:-1]:
        past = looks(opened(recording, at).view)
        assert past == live
        states.add(past["run"].state)
    assert {RunState.ACTIVE, RunState.PAUSED, RunState.HALTED} <= states


def test_the_same_moment_has_the_live_status(recording: Recording) -> None:
    rests = ("last", "market_value", "unrealized_pnl")
    for at, _, live in recording.shown[:-1]:
        past = status_of(opened(recording, at)._view._world, at, Extras(running=True))
        for name in ("run_state", "mode", "halt", "orders", "oms", "resiliency"):
            assert past[name] == live[name]
        assert past["journal"]["seq"] == live["journal"]["seq"]
        assert past["account"]["cash"] == live["account"]["cash"]
        assert past["account"]["id"] == live["account"]["id"]
        for ours, theirs in zip(past["positions"], live["positions"], strict=True):
            assert {k: v for k, v in ours.items() if k not in rests} == {
                k: v for k, v in theirs.items() if k not in rests
            }


def test_after_the_last_event_it_is_that_event_and_says_so(recording: Recording) -> None:
    last = recording.shown[-1][1]["records"][-1].time
    for at in (last, last + 1, last + 3_600 * SECOND, moment("2999-01-01")):
        view = opened(recording, at).view
        assert view.now == last
        assert view.past.endswith("(last event)")
    before = opened(recording, last - 1).view
    assert before.now == last - 1
    assert "last event" not in before.past


def test_before_the_first_event_there_is_nothing_to_show(recording: Recording) -> None:
    first = recording.shown[0][1]["records"][0].time
    assert len(opened(recording, first).view.records()) >= 1
    with pytest.raises(CommandFailed) as refused:
        opened(recording, first - 1)
    assert refused.value.exit_code is ExitCode.USAGE
    assert str(refused.value) == (
        "--at 2026-03-02 15:29:59.999999999Z is before the journal begins, at 2026-03-02 15:30:00Z."
    )


def test_without_a_journal_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(CommandFailed) as refused:
        open_past(tmp_path / "journal.db", from_mapping({}), 0)
    assert refused.value.exit_code is ExitCode.USAGE
    assert f"no journal in {tmp_path}" in str(refused.value)


def test_a_price_is_the_last_one_that_the_journal_tells(recording: Recording) -> None:
    at, live, _ = recording.shown[1]
    view = opened(recording, at).view
    sold = next(fill for fill in reversed(live["fills"]) if fill.instrument.symbol == "KO")
    marked = next(r for r in reversed(live["records"]) if isinstance(r.event, EquityMarked))
    known = {"KO": (sold.price, sold.time), "NVDA": (marked.event.marks["NVDA"], marked.time)}
    for symbol, told in known.items():
        prices = view.prices(symbol)
        assert prices.quote is not None
        assert (prices.quote.last, prices.quote.time) == told
        assert prices.depth is None
    assert view.prices("JPM").quote is None
    position = view.position("NVDA")
    assert position is not None
    assert (position.last, position.price_age) == (known["NVDA"][0], at - marked.time)


def test_the_mode_and_the_account_are_those_of_the_journal(recording: Recording) -> None:
    now_live = from_mapping({}).model_copy(update={"mode": Mode.LIVE})
    settings = open_past(recording.journal, now_live, recording.shown[1][0]).view.settings
    assert (settings.mode, settings.account) == (Mode.PAPER, "paper")


# --- it changes nothing --------------------------------------------------------------------------


WORDS = "this is the past (2026-03-02 15:31:01Z): it can be looked at, not changed"


async def test_every_command_is_refused_with_one_sentence(recording: Recording) -> None:
    desk = opened(recording, recording.shown[1][0])
    before = looks(desk.view)
    kill = ask.Kill(by="t")
    commands = (kill, ask.Pause(by="t"), ask.ClosePosition(by="t", symbol="NVDA"))
    answers = [await desk.halt(kill), *[await desk.ask(command) for command in commands]]
    for answer in answers:
        assert (answer.ok, answer.code) == (False, READ_ONLY)
        assert answer.error == WORDS
    assert looks(desk.view) == before


def test_of_the_past_no_alert_names_a_key_that_is_refused(recording: Recording) -> None:
    told: dict[str, list[str]] = {}
    for at, *_ in recording.shown:
        view = opened(recording, at).view
        for alert in standing(view):
            told.setdefault(alert.text.split()[0].rstrip(":"), []).append(alert.text)
    assert {"PAUSED", "HALTED", "KILLED"} <= set(told)
    assert not [text for text in told["PAUSED"] if "p ends it" in text]
    assert not [text for text in (*told["HALTED"], *told["KILLED"]) if "resume" in text]


@pytest.mark.slow
async def test_row_0_says_which_moment_and_keys_are_refused(recording: Recording) -> None:
    desk = opened(recording, recording.shown[1][0])
    app = MeridianApp(desk)
    async with app.run_test(size=(120, 40)) as pilot:
        await drawn(app, pilot)
        row = shown(app).splitlines()[0]
        assert "PAPER" in row
        assert "PAST 2026-03-02 15:31:01Z" in row
        assert "ACTIVE" in row
        assert "loop" not in row
        text = shown(app)
        assert "NVDA" in text
        assert "nothing can be changed" in text.splitlines()[-2]
        for number, key in enumerate(["ctrl+k", "F", "p", "b", "s", "2", "x", "3", "c", "C", "r"]):
            said = len(app._notifications)
            await press(app, pilot, key)
            assert (len(app._notifications) > said) is (key not in "23"), f"{number} {key}"
            assert len(app.screen_stack) == 1
        assert {n.message for n in app._notifications} == {f"refused: {desk.refusal}"}
        await press(app, pilot, "h")
        assert isinstance(app.screen, HaltScreen)
        await press(app, pilot, "escape", "ctrl+q")
    assert app.return_value == "quit"


@pytest.mark.slow
@pytest.mark.parametrize("size", [(60, 20), (80, 24), (200, 50)])
async def test_the_moment_stays_on_row_0_however_narrow(
    recording: Recording, size: tuple[int, int]
) -> None:
    app = MeridianApp(opened(recording, recording.shown[-1][0]))
    async with app.run_test(size=size) as pilot:
        for number in range(1, 7):
            await press(app, pilot, str(number))
            assert "PAST 2026-03-02" in shown(app).splitlines()[0]
        await drawn(app, pilot)
        assert "HALTED" in shown(app).splitlines()[0]


# --- the command line ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--at", "noon"], "'noon' is not a time"),
        (["--at", "2026-03-02", "--headless"], "does not go with --headless"),
        (["--at", "2026-03-02", "status"], "--at does not go with status"),
        (["--at", "2026-03-02"], "it needs a terminal"),
    ],
)
def test_what_cannot_be_shown_is_exit_2(
    arguments: list[str], sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--state-dir", str(tmp_path / "state"), *arguments]) == ExitCode.USAGE
    told = " ".join(capsys.readouterr().err.split())
    assert sentence in told
    assert not (tmp_path / "state").exists()
