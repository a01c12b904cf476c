"""`status`: exact keys, and figures that agree with the book (C-307, C-308, C-423, C-558, T-23)."""

import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from engine.analytics.status import Extras, status_of
from engine.domain import events as ev
from engine.domain.account import Account
from engine.domain.inputs import Sending, SubmitFailed
from engine.domain.instant import NS_PER_SECOND, rfc3339
from engine.domain.money import plain
from engine.domain.order import OrderStatus
from engine.domain.run import Flatten, Halt, Level, Mode, Trigger
from engine.ports import Ambiguous, BrokerError, MarketClosed, NotSent, Rejected, Throttled
from tests.engine.driver import CoreDriver
from tests.engine.worlds import BROKER, MIDDAY, Built, config_of

TOP = {
    "connected", "running", "run_state", "mode", "halt", "strategy_status", "strategy_equity",
    "account", "positions", "orders", "brokers", "limits", "oms", "resiliency", "shadow",
    "loop_lag_ms",
    "journal", "accounts", "open_risk",
}  # fmt: skip
ACCOUNT = {
    "id", "currency", "equity", "cash", "buying_power", "starting_equity", "daily_pnl",
    "daily_pnl_pct",
}  # fmt: skip
POSITION = {
    "symbol", "trade_type", "quantity", "average_price", "last", "market_value", "unrealized_pnl",
    "realized_pnl", "stop", "target", "opened_at", "broker", "currency", "protected",
}  # fmt: skip
LINK = frozenset({"state", "latency_ms", "last_seen", "circuit_state", "experimental"})
OMS = {
    "total_orders", "filled_orders", "cancelled_orders", "fill_rate", "avg_fill_latency_seconds",
    "total_filled_notional", "total_commission", "open_orders", "total_fills",
}  # fmt: skip
RESILIENCY = {
    "circuit_state", "failure_count", "last_failure", "recent_failures_5min", "dlq_size",
    "total_failures",
}  # fmt: skip


def test_T23_the_shape_is_exact() -> None:
    built = Built().hold("AAPL", 100, "180", mark="185")
    found = status_of(built.world, MIDDAY, Extras(running=True, lag_ms=(0.1, 0.2), commit_ms=1.0))
    assert set(found) == TOP
    assert set(found["account"]) == ACCOUNT
    assert set(found["positions"][0]) == POSITION
    assert set(found["oms"]) >= OMS
    assert set(found["resiliency"]) == RESILIENCY
    assert {frozenset(row) for row in found["brokers"].values()} == {LINK}
    assert set(found["loop_lag_ms"]) == {"p50", "p99"}
    assert set(found["journal"]) == {"seq", "last_commit_ms"}
    assert all(
        set(row) == {"name", "measured", "limit", "used", "counts"} for row in found["limits"]
    )
    assert json.loads(json.dumps(found)) == found


def test_a_position_is_valued_at_its_mark() -> None:
    built = Built().hold("AAPL", 100, "180", mark="185")
    (position,) = status_of(built.world, MIDDAY)["positions"]
    assert position["quantity"] == "100"
    assert position["average_price"] == "180"
    assert position["last"] == "185"
    assert position["market_value"] == "18500"
    assert position["unrealized_pnl"] == "500"


def test_D10_the_target_is_the_one_that_closes_the_position() -> None:
    """The signal's target, else the one computed from the risk (A-163)."""
    built = Built().hold("AAPL", 100, "180", mark="185")
    held = built.world.book.account("paper").positions

    def target() -> str | None:
        found: str | None = status_of(built.world, MIDDAY)["positions"][0]["target"]
        return found

    assert target() is None
    held["AAPL"] = replace(held["AAPL"], initial_stop=Decimal(170), managed=True)
    assert target() == plain(180 + 10 * built.world.config.exits.reward_to_risk_target)
    held["AAPL"] = replace(held["AAPL"], target=Decimal("190.5"), default_target=False)
    assert target() == "190.5"


def test_without_a_process_nothing_runs_and_nothing_is_connected() -> None:
    found = status_of(Built().world, MIDDAY)
    assert found["running"] is False
    assert found["connected"] is False
    assert {row["state"] for row in found["brokers"].values()} == {"DISCONNECTED"}


def test_without_a_process_the_run_state_is_stopped_or_the_latch_s() -> None:
    """A process that was killed wrote no end: its journal still says ACTIVE."""
    built = Built()
    assert status_of(built.world, MIDDAY, Extras(running=True))["run_state"] == "ACTIVE"
    assert status_of(built.world, MIDDAY)["run_state"] == "STOPPED"
    assert status_of(built.world, MIDDAY)["strategy_status"] == "STOPPED"
    built.world.book.data.halt = Halt(
        reason="r",
        at=MIDDAY,
        by="me",
        level=Level.HALT,
        trigger=Trigger.MANUAL,
        flatten=Flatten.NONE,
        epoch=0,
    )
    assert status_of(built.world, MIDDAY)["run_state"] == "HALTED"


@pytest.mark.parametrize("name", ["max_concurrent_positions", "max_single_stock_exposure"])
def test_a_limit_says_how_much_of_it_is_used(name: str) -> None:
    built = Built().hold("AAPL", 10, "100", mark="100")
    rows = {row["name"]: row for row in status_of(built.world, MIDDAY)["limits"]}
    assert 0 < float(rows[name]["used"]) < 1


def test_orders_of_the_last_minute_are_counted_from_its_boundary() -> None:
    built = Built()
    built.world.book.data.sent.extend([MIDDAY - 60 * NS_PER_SECOND, MIDDAY - NS_PER_SECOND])
    rows = {row["name"]: row for row in status_of(built.world, MIDDAY)["limits"]}
    assert rows["max_orders_per_minute"]["measured"] == "1"


EUR = "eur"


def with_euros(more: dict[str, Decimal] | None = None) -> Built:
    """Beside the account of the base currency one that is kept in euros and holds 50,000."""
    built = Built(others=(EUR,))
    balances = {"EUR": Decimal(50_000), **(more or {})}
    built.event(
        ev.EngineStarted(
            mode=Mode.PAPER,
            profile="custom",
            config_digest="",
            version="test",
            accounts={BROKER: "one", EUR: EUR},
            primary=BROKER,
        )
    )
    return built.event(
        ev.AccountSynced(
            account=EUR,
            balances=Account(
                account_id=EUR,
                currency="EUR",
                cash=Decimal(50_000),
                equity=Decimal(50_000),
                buying_power=Decimal(50_000) / 3,
                balances=balances,
                as_of=MIDDAY,
            ),
        )
    )


def own(built: Built) -> dict[str, Any]:
    rows = {row["broker"]: row for row in status_of(built.world, MIDDAY)["accounts"]}
    found: dict[str, Any] = rows[EUR]
    return found


def test_X86_an_account_of_its_own_currency_alone_needs_no_rate_for_its_equity() -> None:
    built = with_euros()
    assert (own(built)["equity"], own(built)["unvalued"]) == ("50000", ["EUR"])
    built.world.currencies.count("EUR", Decimal("1.1"))
    assert own(built)["equity"] == "50000"


def test_X86_what_it_has_in_another_currency_is_counted_at_the_rate_of_its_own() -> None:
    """110 dollars at 1.1 are 100 euros; while nobody tells the rate, nobody knows the sum."""
    built = with_euros({"USD": Decimal(110)})
    assert own(built)["equity"] is None
    built.world.currencies.count("EUR", Decimal("1.1"))
    assert own(built)["equity"] == "50100"


def test_amounts_have_eight_places_at_most() -> None:
    """A rate of one divided by three has 28; so has what the venue worked out by one."""
    built = with_euros()
    built.world.currencies.count("EUR", Decimal(1) / 3)
    account = status_of(built.world, MIDDAY)["account"]
    assert account["equity"] == "116666.66666667"
    assert account["cash"] == "116666.66666667"
    assert account["buying_power"] == "105555.55555556"
    assert own(built)["buying_power"] == "16666.66666667"


def test_before_its_first_quote_a_process_shows_the_last_price_that_was_journalled() -> None:
    built = Built().hold("AAPL", 100, "180")
    built.world.market.quotes.clear()
    (position,) = status_of(built.world, MIDDAY, Extras(running=True))["positions"]
    assert (position["last"], position["unrealized_pnl"]) == ("180", "0")


FAILS: list[BrokerError] = [NotSent("connect refused"), Ambiguous("no answer")]


def failing(desk: CoreDriver, error: BrokerError, pauses: Sequence[float]) -> dict[str, Any]:
    """What is told of `resiliency` once the submits of as many orders have ended so, each after a
    pause in seconds."""
    for pause in pauses:
        desk.later(pause).price("NVDA", "100")
        order = desk.order("NVDA", 1, "100", order_id=f"r{desk.now}-{len(desk.seen)}")
        desk.give(Sending(BROKER, order.client_order_id))
        desk.give(SubmitFailed(BROKER, order.client_order_id, error))
    found: dict[str, Any] = status_of(desk.world, desk.now, Extras(running=True))["resiliency"]
    return found


@pytest.mark.parametrize("error", FAILS, ids=["not sent", "ambiguous"])
@pytest.mark.parametrize(("later", "counted"), [(240, 3), (299.999, 3), (300, 2), (301, 2)])
def test_C423_recent_failures_are_those_of_five_minutes(
    error: BrokerError, later: float, counted: int
) -> None:
    """One fails, a second one `later`, and a third just after it."""
    desk = CoreDriver(config_of(risk={"account_max_age_seconds": 86_400})).price("NVDA", "100")
    told = failing(desk, error, (0, later, 0))
    assert (told["recent_failures_5min"], told["total_failures"]) == (counted, 3)
    assert told["last_failure"] == rfc3339(desk.now)


def test_C423_an_order_that_is_put_off_by_its_venue_and_given_up_has_failed_too() -> None:
    desk = CoreDriver(config_of(risk={"account_max_age_seconds": 86_400})).price("NVDA", "100")
    told = failing(desk, Throttled("slower", 40.0), (0,))
    assert (told["recent_failures_5min"], told["total_failures"]) == (1, 1)
    assert told["failure_count"] == 0, "the venue answered"


@pytest.mark.parametrize("error", [Rejected("FUNDS", "too dear"), MarketClosed("closed")])
def test_C421_what_the_venue_refuses_is_no_failure_in_any_of_the_figures(
    error: BrokerError,
) -> None:
    desk = CoreDriver(config_of(risk={"account_max_age_seconds": 86_400})).price("NVDA", "100")
    told = failing(desk, error, (0, 1, 1))
    assert (told["recent_failures_5min"], told["total_failures"]) == (0, 0)
    assert (told["failure_count"], told["last_failure"]) == (0, None)


@pytest.mark.parametrize(("before", "kept"), [(5_000, 5_001), (9_999, 10_000), (10_000, 10_000)])
def test_C451_no_more_than_ten_thousand_recent_failures_are_kept(before: int, kept: int) -> None:
    desk = CoreDriver(config_of(risk={"account_max_age_seconds": 86_400})).price("NVDA", "100")
    desk.book.data.failed.extend([desk.now] * before)
    told = failing(desk, FAILS[0], (0,))
    assert told["recent_failures_5min"] == len(desk.book.data.failed) == kept
    assert told["total_failures"] == 1


@pytest.mark.parametrize(("later", "storms"), [(59.999, True), (60, False)])
def test_U52_a_storm_of_refusals_is_still_ten_within_a_minute(later: float, storms: bool) -> None:
    desk = CoreDriver(config_of(risk={"account_max_age_seconds": 86_400})).price("NVDA", "100")
    for n, pause in enumerate((0, *[0] * 8, later)):
        desk.later(pause)
        order = desk.order("NVDA", 1, "100", order_id=f"r{n}")
        desk.report(order, OrderStatus.REJECTED, text="no")
    fired = [event.trigger for event in desk.of(ev.TriggerFired)]
    assert (Trigger.REJECT_STORM in fired) is storms
