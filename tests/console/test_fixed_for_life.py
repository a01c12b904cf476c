"""What a journal fixes for its life: the base currency, and the calendar of the day (X-86, X-95).

A config that says something else is refused before anything trades, with one sentence that says
what, where and what is allowed.
"""

import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from console.host import wiring
from console.host.memory_latch import MemoryLatch
from console.host.past import open_past
from console.virtual import MONDAY
from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.instant import NS_PER_SECOND, parse_rfc3339
from engine.domain.market import Quote
from engine.domain.order import OrderTerms, OrderType, Purpose, Side, TimeInForce
from engine.domain.run import Flatten
from engine.domain.signal import TradeType
from engine.ports import Clock
from engine.runtime.virtual_time import run_virtual
from storage.opening import open_journal
from tests.brokers.kit import D
from tests.configs import from_mapping
from tests.console.program import Program

FREE = {"slippage_bps": 0, "commission_bps": 0, "latency_ms": [0, 0]}
Play = Callable[[wiring.House, Clock], Awaitable[None]]


def tree(*symbols: str, **account: str) -> dict[str, Any]:
    return {
        "account": account,
        "brokers": {"paper": FREE},
        "market": {"symbols": list(symbols or ("AAPL",))},
        "signals": {"builtin": ""},
    }


class Life:
    """A state folder, and one process after the other on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.now = parse_rfc3339(MONDAY)

    def run(self, config: dict[str, Any], play: Play, **options: Any) -> None:
        async def main(clock: Clock) -> None:
            house = wiring.build(
                from_mapping(config),
                clock=clock,
                state_dir=self.folder,
                version="test",
                latch=MemoryLatch(),
                threads=False,
                by_hand=not options.get("flatten_only"),
                **options,
            )
            await house.engine.start()
            try:
                await clock.sleep(1)
                await play(house, clock)
            finally:
                self.now = clock.now() + NS_PER_SECOND
                await house.engine.stop("done")
                house.close()

        run_virtual(main, self.now, 86_400)

    def refused(self, config: dict[str, Any]) -> str:
        """The sentence with which a process does not start; nothing was written."""
        before = self.written
        with pytest.raises(wiring.FixedOtherwise) as told:
            self.run(config, nothing)
        assert self.written == before
        return str(told.value)

    def rows(self, query: str) -> list[Any]:
        """A read of the journal."""
        reader = sqlite3.connect(self.folder / wiring.JOURNAL)
        try:
            return reader.execute(query).fetchall()
        finally:
            reader.close()

    @property
    def written(self) -> int:
        ((number,),) = self.rows("SELECT count(*) FROM events")
        return int(number)


@pytest.fixture
def life(tmp_path: Path) -> Life:
    return Life(tmp_path)


async def nothing(house: wiring.House, clock: Clock) -> None:
    pass


def price(house: wiring.House, clock: Clock) -> None:
    """AAPL trades at 100."""
    quote = Quote(symbol="AAPL", bid=None, ask=None, last=D(100), time=clock.now(), trade=True)
    house.venues["paper"].on_price(quote)
    house.engine.step(quote)


async def buy(house: wiring.House, clock: Clock) -> None:
    """Five AAPL at 100."""
    price(house, clock)
    asked = ask.PlaceOrder(
        by="test",
        symbol="AAPL",
        side=Side.BUY,
        quantity=D(5),
        hold=TradeType.SWING,
    )
    done = await house.engine.command(asked)
    assert done.ok, done.error
    price(house, clock)
    await clock.sleep(1)


# --- the base currency ----------------------------------------------------------------------------


@pytest.mark.parametrize("before", [nothing, buy], ids=["flat", "held"])
def test_x86_another_base_currency_is_refused_flat_or_not(life: Life, before: Play) -> None:
    """Equity, its highest, the day's start and every row of a day are counted in it."""
    life.run(tree(), before)
    assert life.refused(tree(currency="EUR")) == (
        'This journal counts in USD and [account] currency is "EUR": the base currency is fixed '
        'for the life of a journal. Set it to "USD", or begin another journal with --state-dir.'
    )
    life.run(tree(), nothing)


def test_x86_a_new_journal_counts_in_whatever_the_config_says(life: Life) -> None:
    life.run(tree(currency="EUR"), nothing)
    assert "EUR" in life.refused(tree())
    life.run(tree(currency="EUR"), nothing)


def test_x86_a_kill_from_outside_is_not_kept_from_closing(life: Life) -> None:
    """It counts as the journal does, whatever the config has become."""
    life.run(tree(), buy)

    async def kill(house: wiring.House, clock: Clock) -> None:
        assert house.engine.world.base == "USD"
        await house.engine.command(ask.Kill(by="test", flatten=Flatten.ALL))
        await clock.sleep(20)
        assert not list(house.engine.state.holdings())

    life.run(tree(currency="EUR", calendar="FX"), kill, flatten_only=True)
    life.run(tree(), nothing)


# --- the calendar of the portfolio's day ----------------------------------------------------------


def works(life: Life) -> None:
    """An order is intended, and the process ends that very moment."""
    life.run(tree(), nothing)
    order = OrderTerms(
        client_order_id="works",
        intent_id="i-works",
        account="paper",
        symbol="AAPL",
        side=Side.BUY,
        type=OrderType.MARKET,
        time_in_force=TimeInForce.GTC,
        quantity=D(5),
        purpose=Purpose.MANUAL,
        reserved=D(100),
    )
    journal = open_journal(
        life.folder / wiring.JOURNAL, inline=True, state_format=wiring.STATE_FORMAT
    )
    journal.append([ev.Record(life.written + 1, life.now, ev.OrderIntended(terms=order))])
    journal.close()


def held(life: Life) -> None:
    life.run(tree(), buy)


@pytest.mark.parametrize("before", [held, works])
def test_x95_another_calendar_is_refused_while_something_is_held_or_works(
    life: Life, before: Callable[[Life], None]
) -> None:
    before(life)
    assert life.refused(tree(calendar="24/7")) == (
        'The portfolio\'s day of this journal is that of XNYS and [account] calendar is "24/7": '
        "it can be changed while nothing is held and nothing works. Until then set it to "
        '"XNYS".'
    )

    async def same(house: wiring.House, clock: Clock) -> None:
        assert house.engine.world.home.name == "XNYS"

    life.run(tree(), same)
    life.run(tree(calendar="XNYS"), same)


def test_x95_another_calendar_is_taken_over_while_flat_and_journalled(life: Life) -> None:
    life.run(tree(), nothing)
    told: list[str] = []

    async def other(house: wiring.House, clock: Clock) -> None:
        assert house.engine.world.home.name == "24/7"
        assert house.engine.state.data.calendar == "24/7"
        found = life.rows(
            "SELECT json_extract(data, '$.text') FROM events WHERE type = 'Alarmed' "
            "AND json_extract(data, '$.code') = 'CALENDAR_CHANGED'"
        )
        told[:] = [text for (text,) in found]

    life.run(tree(calendar="24/7"), other)
    assert told == ["the portfolio's day is now that of 24/7; it was that of XNYS"]
    # Now it stands, and is told no more.
    life.run(tree(calendar="24/7"), other)
    assert len(told) == 1


def test_x95_other_symbols_do_not_move_the_day_of_what_is_held(life: Life) -> None:
    """Where the config names no calendar it is the symbols', once; it follows them while flat."""
    life.run(tree("AAPL"), buy)

    async def kept(house: wiring.House, clock: Clock) -> None:
        assert house.engine.world.home.name == "XNYS"
        price(house, clock)
        await house.engine.command(ask.CloseAll(by="test"))
        await clock.sleep(0.1)
        price(house, clock)
        await clock.sleep(1)
        assert not list(house.engine.state.holdings())

    life.run(tree("BTC-USD"), kept)

    async def followed(house: wiring.House, clock: Clock) -> None:
        assert house.engine.world.home.name == "24/7"

    life.run(tree("BTC-USD"), followed)


def test_x12_a_day_that_has_begun_is_not_begun_again_by_a_calendar_that_is_behind(
    life: Life,
) -> None:
    """At one in the morning of Tuesday, UTC, it is Monday in New York still."""
    life.now = parse_rfc3339("2013-10-08T01:00:00Z")
    life.run(tree(calendar="24/7"), nothing)
    life.run(tree(calendar="XNYS"), nothing)
    dates = [
        date
        for (date,) in life.rows(
            "SELECT json_extract(data, '$.date') FROM events WHERE type = 'SessionOpened'"
        )
    ]
    assert dates == ["2013-10-08"]


def test_x86_the_past_counts_as_its_journal_did(life: Life) -> None:
    life.run(tree(), buy)
    desk = open_past(life.folder / wiring.JOURNAL, from_mapping(tree(currency="EUR")), life.now)
    assert desk.view.portfolio().equity == 100_000


# --- the process ----------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_program_ends_with_the_sentence_and_nothing_trades(tmp_path: Path) -> None:
    program = Program(tmp_path)
    first = program.run("--headless", "--for", "1")
    assert first.returncode == 0, first.stderr
    with sqlite3.connect(program.folder / "journal.db") as journal:
        before = journal.execute("SELECT count(*) FROM events").fetchone()
    program.configure('[account]\ncurrency = "EUR"\n')
    done = program.run("--headless", "--for", "1")
    assert done.returncode == 2
    assert "[account] currency" in done.stderr
    assert "Traceback" not in done.stderr
    with sqlite3.connect(program.folder / "journal.db") as journal:
        assert journal.execute("SELECT count(*) FROM events").fetchone() == before
    # What is only looked at counts as the journal does.
    assert program.document("status")["account"]["currency"] == "USD"
