"""Two paper accounts in one engine, as a config wires them (X-86, X-87, X-49, DESIGN Accounts).

The amounts expected here are worked out by hand: no slippage and no commission are charged.
"""

import datetime
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from console.desk.past import PastDesk
from console.desk.review import review
from console.host import wiring
from console.host.account_locks import account_locks, lock_files
from console.host.locks import AccountLock, holder
from console.host.memory_latch import MemoryLatch
from console.host.output import CommandFailed, ExitCode
from console.host.place import Host
from console.virtual import MONDAY, Rehearsal, rehearse
from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.account import Account
from engine.domain.events import Record
from engine.domain.instant import parse_rfc3339
from engine.domain.market import Quote
from engine.domain.order import OrderTerms, OrderType, Purpose, Side, TimeInForce
from engine.domain.run import Flatten, KillState, Level, RunState
from engine.domain.signal import TradeType
from engine.ports import Clock
from engine.runtime.clock import SystemClock
from engine.runtime.virtual_time import run_virtual
from engine.state.book import Book
from engine.state.fold import apply
from storage.connection import memory_database
from storage.opening import open_journal
from tests.brokers.kit import D
from tests.configs import from_mapping

FREE = {"slippage_bps": 0, "commission_bps": 0, "latency_ms": [0, 0]}
TWO: dict[str, Any] = {
    "brokers": {
        "paper": FREE,
        "eur": {"kind": "paper", "currency": "EUR", "initial_cash": 50_000, **FREE},
    },
    "routes": [{"asset_class": "fx", "broker": "eur"}],
    "market": {"symbols": ["AAPL", "EUR_USD"]},
}


def buy(symbol: str, quantity: int, broker: str = "") -> ask.PlaceOrder:
    return ask.PlaceOrder(
        by="test",
        symbol=symbol,
        side=Side.BUY,
        quantity=D(quantity),
        hold=TradeType.SWING,
        broker=broker,
    )


def built(tree: dict[str, Any], clock: Clock, database: sqlite3.Connection) -> wiring.House:
    return wiring.build(
        from_mapping(tree),
        clock=clock,
        state_dir=None,
        version="test",
        latch=MemoryLatch(),
        database=database,
        threads=False,
        by_hand=True,
    )


def test_x87_a_review_names_the_account_that_the_order_would_go_to() -> None:
    """By the routes where none is named, and also before anything is held there."""

    async def main(clock: Clock) -> list[str]:
        house = built(TWO, clock, memory_database())
        orders = [
            buy("AAPL", 1),
            buy("EUR_USD", 1),
            buy("AAPL", 1, "eur"),
            buy("EUR_USD", 1, "paper"),
        ]
        return [review(house.engine.world, order, clock.now()).account for order in orders]

    assert run_virtual(main, parse_rfc3339(MONDAY), 600) == ["paper", "eur", "eur", "paper"]


async def bought(hand: Rehearsal, symbol: str, quantity: int, price: str, broker: str = "") -> None:
    hand.price(symbol, price)
    done = await hand.engine.command(buy(symbol, quantity, broker))
    assert done.ok, done.error
    await hand.wait(0.1)
    hand.price(symbol, price)
    await hand.wait(0.1)


async def both(hand: Rehearsal) -> None:
    """Ten AAPL at 100 in `paper`, five in `eur`, with the euro at 1.10."""
    hand.price("EUR_USD", "1.10")
    await bought(hand, "AAPL", 10, "100")
    await bought(hand, "AAPL", 5, "100", "eur")


def holdings(hand: Rehearsal) -> dict[tuple[str, str], D]:
    return {(p.account, p.symbol): p.quantity for p in hand.engine.state.holdings()}


def test_an_order_goes_where_the_first_route_says_and_else_to_the_primary() -> None:
    async def play(hand: Rehearsal) -> None:
        hand.price("EUR_USD", "1.10")
        await bought(hand, "AAPL", 10, "100")
        await bought(hand, "EUR_USD", 1_000, "1.10")
        assert holdings(hand) == {("paper", "AAPL"): 10, ("eur", "EUR_USD"): 1_000}

    rehearse(play, config=TWO)


def test_x87_the_same_order_in_the_other_account_is_no_repeat_of_the_first() -> None:
    async def play(hand: Rehearsal) -> None:
        hand.price("EUR_USD", "1.10")
        await bought(hand, "AAPL", 10, "100")
        hand.price("AAPL", "100")
        again = await hand.engine.command(buy("AAPL", 10, ""))
        assert (again.ok, again.code) == (False, "DUPLICATE_ORDER")
        await bought(hand, "AAPL", 10, "100", "eur")
        assert holdings(hand) == {("paper", "AAPL"): 10, ("eur", "AAPL"): 10}

    rehearse(play, config=TWO)


def test_the_money_of_both_is_one_portfolio_and_each_keeps_its_own() -> None:
    async def play(hand: Rehearsal) -> None:
        await both(hand)
        status = hand.engine.status()
        assert D(status["account"]["equity"]) == 100_000 + 50_000 * D("1.10")
        accounts = {row["broker"]: row for row in status["accounts"]}
        assert accounts["paper"]["cash"] == {"USD": "99000"}
        # The euro account pays dollars that it does not have: it owes them (INTERFACE).
        assert accounts["eur"]["cash"] == {"EUR": "50000", "USD": "-500"}

    rehearse(play, config=TWO)


def test_x86_a_currency_that_gets_its_first_rate_brings_no_profit() -> None:
    """50,000 euros counted as nothing until the pair was quoted; they are not a day's gain."""

    async def play(hand: Rehearsal) -> None:
        await hand.wait(1)
        assert D(hand.engine.status()["account"]["equity"]) == 100_000
        hand.price("EUR_USD", "1.10")
        await hand.wait(61)
        account = hand.engine.status()["account"]
        assert D(account["equity"]) == 155_000
        assert D(account["daily_pnl"]) == 0
        hand.price("EUR_USD", "1.09")
        account = hand.engine.status()["account"]
        assert D(account["equity"]) == 154_500
        assert D(account["daily_pnl"]) == -500
        state = hand.engine.state.data
        assert state.peak_equity == 155_000
        assert state.session is not None
        # The limit on a day's loss is a share of all of it.
        assert (state.session.starting_equity, state.session.flows) == (155_000, 0)

    rehearse(play, config=TWO)


def test_x86_whichever_account_is_seen_first_the_day_begins_with_all_of_them() -> None:
    """The euro account, worth nothing yet, opened the day; the dollar account came after it."""
    book = Book()

    def happens(*events: ev.Event) -> None:
        for event in events:
            apply(book, ev.Record(book.data.seq + 1, 5, event))

    def seen(name: str, currency: str, equity: int, rate: int) -> ev.AccountSynced:
        told = Account(
            account_id=name,
            currency=currency,
            cash=D(equity),
            equity=D(equity),
            buying_power=D(equity),
            as_of=5,
        )
        return ev.AccountSynced(account=name, balances=told, rate=D(rate))

    day = datetime.date(2013, 10, 7)
    happens(
        seen("eur", "EUR", 50_000, 0),
        ev.SessionOpened(date=day, starting_equity=D(0), unrealized=D(0)),
        seen("paper", "USD", 100_000, 1),
        ev.CurrencyValued(currency="EUR", rate=D("1.1"), equity=D(55_000), unrealized=D(0)),
    )
    session = book.data.session
    assert session is not None
    assert (session.starting_equity, session.flows) == (155_000, 0)
    assert book.data.peak_equity == 155_000


def test_x86_rates_of_a_file_count_from_the_first_look(tmp_path: Path) -> None:
    rates = tmp_path / "rates.csv"
    rates.write_text("currency,rate,date\nEUR,1.20,2013-10-04\n")

    async def play(hand: Rehearsal) -> None:
        await hand.wait(2)
        account = hand.engine.status()["account"]
        assert (D(account["equity"]), D(account["daily_pnl"])) == (160_000, 0)

    rehearse(play, config={**TWO, "data": {"rates": str(rates)}})


def test_X86_an_account_pays_in_a_currency_that_the_file_of_rates_tells(tmp_path: Path) -> None:
    """No pair is quoted: what lets the order through the gate lets it through the venue."""
    rates = tmp_path / "rates.csv"
    rates.write_text("currency,rate,date\nEUR,1.25,2013-10-04\n")

    async def play(hand: Rehearsal) -> None:
        hand.price("AAPL", "100")
        await hand.wait(1)
        assert (await hand.engine.command(buy("AAPL", 5, "eur"))).ok
        await hand.wait(0.1)
        hand.price("AAPL", "100")
        await hand.wait(1)
        assert holdings(hand) == {("eur", "AAPL"): 5}
        power = hand.engine.book.account("eur").buying_power
        assert D(49_000) < power < D(50_000)

    rehearse(play, config={**TWO, "data": {"rates": str(rates)}})


@pytest.mark.parametrize(
    ("broker", "left"),
    [("", {}), ("eur", {("paper", "AAPL"): 10}), ("paper", {("eur", "AAPL"): 5})],
)
def test_x87_close_is_for_every_account_or_for_the_one_named(
    broker: str, left: dict[tuple[str, str], int]
) -> None:
    async def play(hand: Rehearsal) -> None:
        await both(hand)
        assert (await hand.engine.command(_close(broker))).ok
        await hand.wait(0.1)
        hand.price("AAPL", "100")
        await hand.wait(0.1)
        assert holdings(hand) == left

    rehearse(play, config=TWO)


def test_x87_a_part_is_closed_in_the_account_named_and_never_in_two_at_once() -> None:
    async def play(hand: Rehearsal) -> None:
        await both(hand)
        part = ask.ClosePosition(by="test", symbol="AAPL", quantity=D(2))
        refused = await hand.engine.command(part)
        assert refused.error == "AAPL is held in eur and paper: name one of them as the broker"
        named = ask.ClosePosition(by="test", symbol="AAPL", quantity=D(2), broker="eur")
        assert (await hand.engine.command(named)).ok
        await hand.wait(0.1)
        hand.price("AAPL", "100")
        await hand.wait(0.1)
        assert holdings(hand) == {("paper", "AAPL"): 10, ("eur", "AAPL"): 3}

    rehearse(play, config=TWO)


def _close(broker: str) -> ask.ClosePosition:
    return ask.ClosePosition(by="test", symbol="AAPL", broker=broker)


def test_a_kill_proves_each_account_by_itself() -> None:
    async def play(hand: Rehearsal) -> None:
        await both(hand)
        await hand.engine.command(ask.Kill(by="test", flatten=Flatten.ALL, reason="drill"))
        for _ in range(10):
            await hand.wait(1)
            hand.price("AAPL", "100")
        assert holdings(hand) == {}
        for name in ("paper", "eur"):
            work = hand.engine.state.account(name).kill
            assert work is not None
            assert work.state == KillState.VERIFIED

    rehearse(play, config=TWO)


def test_reconcile_looks_at_the_named_account_alone_and_its_rows_say_which() -> None:
    async def play(hand: Rehearsal) -> None:
        await both(hand)
        looks: list[str] = []

        def heard(record: ev.Record) -> None:
            if isinstance(record.event, ev.Reconciled):
                looks.append(record.event.account)

        hand.engine.subscribe(heard)
        one = await hand.engine.command(ask.Reconcile(by="test", broker="eur"))
        assert one.ok
        assert looks == ["eur"]
        every = await hand.engine.command(ask.Reconcile(by="test"))
        assert every.data["clean"] is True
        assert looks[1:] == ["paper", "eur"]

    rehearse(play, config=TWO)


def theirs(house: wiring.House, account: str, key: str) -> None:
    """Somebody else orders in an account."""
    house.venues[account].submit(
        OrderTerms(
            client_order_id=key,
            intent_id="theirs",
            account=account,
            symbol="AAPL",
            side=Side.BUY,
            type=OrderType.LIMIT,
            time_in_force=TimeInForce.GTC,
            quantity=D(3),
            limit_price=D(50),
            purpose=Purpose.MANUAL,
        )
    )


def priced(house: wiring.House, clock: Clock) -> None:
    """A share trades at 100, and the euro at 1.10."""
    for symbol, price in (("AAPL", D(100)), ("EUR_USD", D("1.1"))):
        at = clock.now()
        quote = Quote(symbol=symbol, bid=None, ask=None, last=price, time=at, trade=True)
        for venue in house.venues.values():
            venue.on_price(quote)
        house.engine.step(quote)


def test_x69_a_halt_is_cleared_only_once_both_accounts_agree_with_their_venues() -> None:
    async def main(clock: Clock) -> None:
        house = built(TWO, clock, memory_database())
        engine, venue = house.engine, house.venues["eur"]
        await engine.start()
        priced(house, clock)
        await engine.command(ask.Kill(by="test", level=Level.HALT, reason="drill"))
        theirs(house, "eur", "somebody")
        await clock.sleep(6)
        resume = ask.Resume(by="test", confirm="RESUME")
        refused = await engine.command(resume)
        assert not refused.ok
        assert "eur" in refused.error
        assert "paper" not in refused.error
        assert engine.state.data.halt is not None
        venue.cancel("somebody")
        await clock.sleep(6)
        assert (await engine.command(resume)).ok
        assert engine.state.data.halt is None
        assert engine.state.run_state is RunState.PAUSED
        await engine.stop("done")
        house.close()

    run_virtual(main, parse_rfc3339(MONDAY), 600)


def test_an_order_of_somebody_else_is_a_difference_of_its_own_account() -> None:
    async def main(clock: Clock) -> None:
        house = built(TWO, clock, memory_database())
        await house.engine.start()
        priced(house, clock)
        theirs(house, "eur", "somebody")
        await clock.sleep(6)
        found = await house.engine.command(ask.Reconcile(by="test"))
        assert {(row["broker"], row["symbol"]) for row in found.data["differences"]} == {
            ("eur", "AAPL")
        }
        assert {row["broker"] for row in found.data["events"]} == {"eur"}
        # A symbol is blocked in its own account alone.
        blocked = {one.name: set(one.blocked) for one in house.engine.state.accounts}
        assert blocked == {"paper": set(), "eur": {"AAPL"}}
        await house.engine.stop("done")
        house.close()

    run_virtual(main, parse_rfc3339(MONDAY), 600)


def test_x87_an_id_of_somebody_else_may_be_the_same_in_two_accounts() -> None:
    """What happens to it in one account says nothing of the other."""

    async def main(clock: Clock) -> None:
        house = built(TWO, clock, memory_database())
        engine = house.engine
        await engine.start()
        priced(house, clock)
        theirs(house, "paper", "17")
        await clock.sleep(6)
        await engine.command(ask.Reconcile(by="test", broker="paper", apply=True))
        theirs(house, "eur", "17")
        await clock.sleep(6)
        found = await engine.command(ask.Reconcile(by="test", apply=True))
        assert {(row["broker"], row["symbol"]) for row in found.data["differences"]} == {
            ("eur", "AAPL")
        }
        house.venues["eur"].cancel("17")
        await clock.sleep(6)
        known = engine.state.order("17")
        assert known is not None
        assert (known.account, known.status) == ("paper", "NEW")
        await engine.stop("done")
        house.close()

    run_virtual(main, parse_rfc3339(MONDAY), 600)


async def test_a_config_that_leaves_out_an_account_with_something_in_it_starts_nothing() -> None:
    database = memory_database()
    held = ev.PositionAdjusted(
        account="eur",
        symbol="AAPL",
        quantity=D(5),
        price=D(100),
        multiplier=D(1),
        previous=D(0),
        reason="adopted",
        by="test",
    )
    journal = open_journal(database, inline=True, state_format=wiring.STATE_FORMAT)
    journal.append([ev.Record(1, 5, held)])
    journal.close()
    with pytest.raises(wiring.AccountNotOpened) as caught:
        built({}, SystemClock(), database)
    assert str(caught.value) == (
        "The account eur holds 1 positions and 0 working orders, and the config does not open it: "
        "[brokers.eur] with its kind is needed until it is empty."
    )
    built(TWO, SystemClock(), database).close()
    database.close()


def _host(tmp_path: Path) -> Host:
    environ = {"MERIDIAN_LOCK_DIR": str(tmp_path / "locks")}
    return Host(None, tmp_path / "state", environ)


def test_paper_accounts_of_a_folder_share_its_lock_and_others_have_their_own(
    tmp_path: Path,
) -> None:
    host, folder = _host(tmp_path), tmp_path / "state"
    one = lock_files(host, from_mapping({}), folder)
    assert lock_files(host, from_mapping(TWO), folder) == one
    remote = {"brokers": {"far": {"kind": "paper", "address": "/run/venue"}}}
    several = lock_files(host, from_mapping(remote), folder)
    assert len(several) == 2
    assert set(one) < set(several)
    assert list(several) == sorted(several)


def test_locks_are_taken_all_or_none(tmp_path: Path) -> None:
    host, folder = _host(tmp_path), tmp_path / "state"
    remote = {"brokers": {"far": {"kind": "paper", "address": "/run/venue"}}}
    config = from_mapping(remote)
    first, last = lock_files(host, config, folder)
    for taken, other in ((first, last), (last, first)):
        with AccountLock.acquire(taken, state_dir=folder):
            with pytest.raises(CommandFailed) as caught:
                account_locks(host, config, folder)
            assert caught.value.exit_code is ExitCode.HELD
            assert holder(other) is None
    with account_locks(host, config, folder):
        assert holder(first) is not None
        assert holder(last) is not None
    assert holder(first) is None
    assert holder(last) is None


MOMENT = 0.001
QUOTE_AGE = 15
"""`[risk] quote_max_age_seconds` of the profile."""


@pytest.mark.parametrize(
    ("age", "code"),
    [(None, "NO_RATE"), (QUOTE_AGE - MOMENT, ""), (QUOTE_AGE, ""), (QUOTE_AGE + MOMENT, "NO_RATE")],
)
def test_x86_an_entry_waits_for_a_fresh_rate_of_what_its_account_is_kept_in(
    age: float | None, code: str
) -> None:
    """Nothing opens in the euro account before a rate is told, and none on one that is too old."""

    async def play(hand: Rehearsal) -> None:
        if age is not None:
            hand.price("EUR_USD", "1.10")
            await hand.wait(age)
        hand.price("AAPL", "100")
        done = await hand.engine.command(buy("AAPL", 5, "eur"))
        assert done.code == code, done
        # The dollar account needs none.
        assert (await hand.engine.command(buy("AAPL", 6))).ok

    rehearse(play, config=TWO)


def test_x86_where_no_rate_was_ever_told_of_the_only_account_it_is_the_rate_that_is_missing() -> (
    None
):
    """Its equity is unknown for that alone; an account that has nothing is still refused as one."""
    only = {
        "brokers": {"paper": {**FREE, "currency": "EUR"}},
        "market": {"symbols": ["AAPL", "EUR_USD"]},
    }

    async def play(hand: Rehearsal) -> None:
        hand.price("AAPL", "100")
        done = await hand.engine.command(buy("AAPL", 5))
        assert (done.ok, done.code) == (False, "NO_RATE"), done
        assert "EUR" in done.error
        hand.price("EUR_USD", "1.10")
        hand.price("AAPL", "100")
        assert (await hand.engine.command(buy("AAPL", 5))).ok

    rehearse(play, config=only)


def test_x86_a_restart_does_not_bring_back_a_rate_that_is_older_than_the_last_quote(
    tmp_path: Path,
) -> None:
    """100,000 dollars and 50,000 euros at 1.38; at 1.30, of days before, 4,000 are missing.

    That would be 2.4 % of 169,000, above the 2 % that a day may lose.
    """
    table = tmp_path / "rates.csv"
    table.write_text("currency,rate,date\nEUR,1.30,2013-10-04\n", encoding="utf-8")
    tree = {**TWO, "data": {"rates": str(table)}}

    async def main(clock: Clock) -> None:
        database = memory_database()
        house = built(tree, clock, database)
        await house.engine.start()
        hand = Rehearsal(house, clock)
        hand.price("EUR_USD", "1.38")
        hand.price("AAPL", "100")
        await hand.wait(1)
        assert (await house.engine.command(buy("AAPL", 5))).ok
        await hand.wait(70)
        await house.engine.stop("done")

        house = built(tree, clock, database)
        await house.engine.start()
        hand = Rehearsal(house, clock)
        for _ in range(5):
            hand.price("AAPL", "100")
            await hand.wait(1)
        status = house.engine.status()
        assert (status["run_state"], status["halt"]) == ("ACTIVE", None)
        assert D(status["account"]["equity"]) == 169_000
        assert [row["unvalued"] for row in status["accounts"]] == [[], ["EUR"]]
        assert (await house.engine.command(buy("AAPL", 6, "eur"))).code == "NO_RATE"
        hand.price("EUR_USD", "1.39")
        await hand.wait(1)
        assert D(house.engine.status()["account"]["equity"]) == 169_500
        await house.engine.stop("done")

    run_virtual(main, parse_rfc3339(MONDAY), 600)


def test_no_contract_what_no_table_tells_of_is_not_opened_and_the_sentence_says_what() -> None:
    async def play(hand: Rehearsal) -> None:
        hand.price("ES 2013-12", "1700")
        done = await hand.engine.command(buy("ES 2013-12", 1))
        assert (done.ok, done.code) == (False, "NO_CONTRACT"), done
        assert "ES 2013-12" in done.error

    rehearse(play, config=TWO)


def test_X86_the_past_counts_both_currencies_as_the_engine_did() -> None:
    """`--at`: what each was worth is in the events alone."""
    records: list[Record] = []

    async def main(clock: Clock) -> D:
        house = built(TWO, clock, memory_database())
        house.engine.subscribe(records.append)
        await house.engine.start()
        await both(Rehearsal(house, clock))
        await clock.sleep(120)
        equity = D(house.engine.status()["account"]["equity"])
        await house.engine.stop("done")
        house.close()
        return equity

    equity = run_virtual(main, parse_rfc3339(MONDAY), 600)
    desk = PastDesk(wiring.world_at_rest(from_mapping(TWO), Book()), records, at=records[-1].time)
    assert equity == 100_000 + 50_000 * D("1.10")
    assert desk.view.portfolio().equity == equity
