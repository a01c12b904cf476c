"""Staged runs: each switch does what it says, and without one a run is that of its profile."""

from decimal import Decimal
from random import Random

import pytest

from engine.domain.account import VenueOrder
from engine.domain.ids import unnamed_order_id
from engine.domain.order import OrderStatus, OrderTerms, OrderType, Purpose, Side, TimeInForce
from engine.ports import OrderReport, Rejected
from tests.simulation.harsh.run import run_harsh
from tests.simulation.harsh.staged.ablations import STAGED_ABLATIONS
from tests.simulation.harsh.staged.run import StagedRun
from tests.simulation.harsh.staged.switches import Staged, StagedHarsh
from tests.simulation.harsh.staged.venue import ENLARGED, StagedVenue
from tests.simulation.harsh.switches import HARSH, Switches
from tests.simulation.harsh.test_harsh import PRICE, At
from tests.simulation.simulate import START, simulate
from tests.simulation.venue import CASH, capabilities


class Soon(At):
    """An agenda that keeps what is to be done, for a test to do it."""

    def __init__(self) -> None:
        super().__init__(START)
        self.due: list[tuple[float, object]] = []

    def after(self, seconds: float, act: object) -> None:
        self.due.append((seconds, act))

    def do(self) -> None:
        due, self.due = self.due, []
        for seconds, act in due:
            self.at_second += seconds
            assert callable(act)
            act()


class Told:
    """Who is connected: it keeps the reports."""

    def __init__(self) -> None:
        self.reports: list[OrderReport] = []

    def carry(self, report: OrderReport) -> None:
        self.reports.append(report)

    def cut(self) -> None:
        return

    def die(self) -> None:
        return


def venue(**staged: float) -> StagedVenue:
    random = Random(1)
    made = StagedVenue(
        Soon(),
        random,
        capabilities(random, joins=1.0),
        name="paper",
        account_id="simulated",
        switches=Switches(),
    )
    made.stage(Staged(**staged), Random(1))  # type: ignore[arg-type]
    made.begin(("AAA", "BBB"), lambda symbol: PRICE)
    made.line = Told()
    return made


def entry(key: str = "a1", *, limit: int = 90, stop: int | None = None) -> OrderTerms:
    """A limit order to buy ten, with what it is protected by."""
    return OrderTerms(
        client_order_id=key,
        intent_id=key,
        account="paper",
        symbol="AAA",
        side=Side.BUY,
        type=OrderType.LIMIT,
        time_in_force=TimeInForce.DAY,
        quantity=Decimal(10),
        limit_price=Decimal(limit),
        purpose=Purpose.ENTRY,
        reserved=PRICE,
        stop_loss=None if stop is None else Decimal(stop),
    )


def protection() -> OrderTerms:
    """A stop for ten."""
    return OrderTerms(
        client_order_id="p1",
        intent_id="p1",
        account="paper",
        symbol="AAA",
        side=Side.SELL,
        type=OrderType.STOP,
        time_in_force=TimeInForce.GTC,
        quantity=Decimal(10),
        stop_price=Decimal(95),
        reduce_only=True,
        purpose=Purpose.PROTECT,
    )


def do(there: StagedVenue) -> None:
    assert isinstance(there.agenda, Soon)
    there.agenda.do()


def last_report(there: StagedVenue) -> OrderReport:
    assert isinstance(there.line, Told)
    return there.line.reports[-1]


def test_somebody_enlarges_an_entry_that_rests() -> None:
    there = venue(enlarges=1.0)
    there.accept(entry())
    do(there)
    assert there.open["a1"].quantity == 10 * ENLARGED
    assert last_report(there).quantity == 10 * ENLARGED
    assert there.enlarged == {"a1"}


def test_a_venue_ends_a_stop_soon_after_it_took_it() -> None:
    there = venue(drops_stops=1.0)
    there.positions["AAA"], there.costs["AAA"] = Decimal(10), PRICE
    there.accept(protection())
    assert "p1" in there.open
    do(there)
    assert there.orders["p1"].status is OrderStatus.CANCELED


def test_an_entry_that_was_refused_fills_after_all() -> None:
    there = venue(fills_refused=1.0)
    with pytest.raises(Rejected):
        there.accept(entry())
    assert there.positions == {}
    do(there)
    assert there.positions == {"AAA": 10}
    report = last_report(there)
    assert report.fill is not None
    assert (report.client_order_id, report.fill.quantity) == ("a1", 10)


def test_what_is_forgotten_is_in_no_list_and_in_no_equity() -> None:
    there = venue(forgets=1)
    there.positions["AAA"], there.costs["AAA"] = Decimal(10), PRICE
    assert [p.symbol for p in there.listed_positions()] == ["AAA"]
    assert there.account().equity == CASH + 1000
    there.forgotten = "AAA"
    assert there.listed_positions() == ()
    assert there.account().equity == CASH
    assert there.worth == CASH + 1000


def test_an_order_of_somebody_else_has_no_id_and_is_known_by_what_it_is_called() -> None:
    there = venue(unnamed=1)
    there.somebody_orders("AAA")
    (listed,) = there.listed_orders()
    assert isinstance(listed, VenueOrder)
    assert listed.client_order_id == ""
    known = there.known_by(unnamed_order_id("paper", listed.venue_order_id))
    assert known == "somebody1"
    there.cancel(known)
    assert there.open == {}


def test_a_venue_reports_that_it_adjusted_what_rests_through_a_split() -> None:
    there = venue(adjusts=1)
    there.accept(entry())
    there.split("AAA", 7)
    report = last_report(there)
    assert (report.quantity, report.limit_price) == (70, Decimal("12.86"))


def test_the_market_falls_once_an_entry_is_cancelled() -> None:
    there = venue(falls=1.0)
    fallen: list[OrderTerms] = []
    there.on_cancelled = fallen.append
    there.accept(entry(stop=85))
    there.cancel("a1")
    assert [order.client_order_id for order in fallen] == ["a1"]


def test_no_question_is_answered_while_a_venue_is_unread() -> None:
    there = venue(unread=1)
    there.goes_unread(5)
    assert there.unread
    assert isinstance(there.agenda, Soon)
    there.agenda.at_second += 5
    assert not there.unread


@pytest.mark.parametrize("quantity", [-40, -1, 1, 2, 7, 10])
def test_rows_of_a_holding_add_up_to_it(quantity: int) -> None:
    there = venue(lots=1.0)
    there.positions["AAA"], there.costs["AAA"] = Decimal(quantity), PRICE
    for _ in range(20):
        rows = there.listed_positions()
        assert {(row.symbol, row.average_price) for row in rows} == {("AAA", PRICE)}
        assert len(rows) == 2
        assert sum(row.quantity for row in rows) == quantity


def test_what_is_garbled_is_listed_with_no_number_held_or_not_and_all_else_as_it_is() -> None:
    there = venue(garbles=1)
    there.positions["AAA"], there.costs["AAA"] = Decimal(10), PRICE
    for symbol, others in (("AAA", []), ("BBB", [("AAA", 10)])):
        there.garbles(symbol)
        *rows, last = there.listed_positions()
        assert [(row.symbol, row.quantity) for row in rows] == others
        assert (last.symbol, last.quantity.is_nan()) == (symbol, True)
    there.garbles("")
    assert [(p.symbol, p.quantity) for p in there.listed_positions()] == [("AAA", 10)]


def test_what_somebody_sells_is_gone_and_on_no_list_of_executions() -> None:
    there = venue(garbles=1)
    there.positions["AAA"], there.costs["AAA"] = Decimal(10), PRICE
    worth = there.worth
    there.somebody_sells("AAA")
    assert (there.positions, there.costs, there.fills) == ({}, {}, [])
    assert there.worth == worth
    assert there.sold_off == {"AAA"}


@pytest.mark.parametrize("name", Staged.__struct_fields__)
def test_every_switch_is_of_some_row(name: str) -> None:
    staged = [
        row.profile.staged for row in STAGED_ABLATIONS if isinstance(row.profile, StagedHarsh)
    ]
    assert any(getattr(each, name) for each in staged)


@pytest.mark.parametrize("profile", HARSH)
def test_where_nothing_is_staged_a_run_is_that_of_its_profile(profile: str) -> None:
    assert simulate(3, HARSH[profile], StagedRun).digest == run_harsh(3, profile).digest


def test_a_staged_seed_replays_exactly() -> None:
    row = STAGED_ABLATIONS[0]
    first, second = (simulate(row.seed, row.profile, StagedRun) for _ in range(2))
    assert (first.digest, first.trace) == (second.digest, second.trace)
