"""The gate at its boundaries: one check at a time, one step below, at and above (T-01)."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from engine.domain import events as ev
from engine.domain.codes import Answer, Code, Verdict
from engine.domain.instant import NS_PER_MS, NS_PER_SECOND, parse_rfc3339
from engine.domain.order import OrderType, Purpose, Side, TimeInForce
from engine.domain.position import ExitDecision, ExitReason
from engine.domain.run import LinkState
from engine.domain.signal import Direction, Signal, Timeframe
from engine.pipeline.ruling import Ruling
from tests.engine.worlds import ABLE, BROKER, MIDDAY, Built, config_of, signal

SECTORS = {"AAPL": "Technology", "MSFT": "Technology", "NVDA": "Semiconductors"}


def built(**more: Any) -> Built:
    return Built(sectors=SECTORS, **more).price("NVDA", "100")


def short(**more: Any) -> Signal:
    return signal(direction=Direction.SHORT, stop="105", **more)


def verdict_at(ruling: Ruling, code: Code) -> Answer | None:
    """What that check said; None when it was not asked."""
    return next((check.answer for check in ruling.checks if check.code is code), None)


def test_a_plain_signal_passes_every_check() -> None:
    ruling = built().decide(signal(conviction=60))
    assert ruling.verdict is Verdict.ACCEPTED
    assert ruling.quantity == 150
    assert ruling.code == ""
    assert {check.answer for check in ruling.checks} == {Answer.PASS}


def test_the_published_example_is_approved_with_17_shares() -> None:
    """A-493: 100,000 equity, one AAPL long 100 at 180 now 185, NVDA long 5m 75, 850, stop 830."""
    world = built().price("NVDA", "850").hold("AAPL", 100, "180", mark="185")
    world.account("100000", cash="81500")
    ruling = world.decide(signal(conviction=75, entry="850", stop="830"))
    assert ruling.verdict is Verdict.ACCEPTED
    assert ruling.quantity == 17
    assert ruling.order_type is OrderType.MARKET


# --- market hours (A-086, A-165, X-16, D-07) ------------------------------------------------------

SWING, DAY = Timeframe.H1, Timeframe.M10


@pytest.mark.parametrize(
    ("at", "timeframe", "is_open"),
    [
        # summer time: New York is UTC-4
        ("2013-10-07T13:29:59.999Z", SWING, False),
        ("2013-10-07T13:30:00Z", SWING, True),
        ("2013-10-07T19:59:59.999Z", SWING, True),
        ("2013-10-07T20:00:00Z", SWING, False),
        # winter time: UTC-5 (D-07: never a fixed offset)
        ("2013-12-09T14:29:59.999Z", SWING, False),
        ("2013-12-09T14:30:00Z", SWING, True),
        ("2013-12-09T20:59:59.999Z", SWING, True),
        ("2013-12-09T21:00:00Z", SWING, False),
        # a weekend, a holiday, an early close at 13:00
        ("2013-10-05T16:00:00Z", SWING, False),
        ("2013-11-28T16:00:00Z", SWING, False),
        ("2013-11-29T17:59:59.999Z", SWING, True),
        ("2013-11-29T18:00:00Z", SWING, False),
        # day and scalp entries end five minutes before
        ("2013-10-07T19:54:59.999Z", DAY, True),
        ("2013-10-07T19:55:00Z", DAY, False),
        ("2013-10-07T19:55:00Z", Timeframe.M1, False),
        ("2013-11-29T17:54:59.999Z", DAY, True),
        ("2013-11-29T17:55:00Z", DAY, False),
        # daily signals are not sent into a closed market either
        ("2013-10-07T21:00:00Z", Timeframe.D1, False),
    ],
)
def test_market_hours(at: str, timeframe: Timeframe, is_open: bool) -> None:
    now = parse_rfc3339(at)
    ruling = built(now=now).decide(signal(at=now, timeframe=timeframe))
    assert ruling.allowed is is_open
    if not is_open:
        assert ruling.code == "MARKET_CLOSED"
        assert ruling.measured == at
        assert "2013-1" in ruling.reason


def test_a_refusal_says_when_it_opens_next() -> None:
    now = parse_rfc3339("2013-10-05T16:00:00Z")
    ruling = built(now=now).decide(signal(at=now))
    assert "2013-10-07T13:30:00Z" in ruling.reason
    assert "2013-10-07T13:30:00Z" in ruling.limit


def test_a_market_that_never_closes_takes_day_trades_at_any_hour() -> None:
    now = parse_rfc3339("2013-10-05T23:59:00Z")
    for symbol, exchange in (("BTC-USD", ""), ("NVDA", "SIM")):
        world = Built(now=now, exchange=exchange).price(symbol, "100")
        ruling = world.decide(signal(symbol, at=now, timeframe=DAY))
        assert ruling.allowed
        assert ruling.time_in_force is TimeInForce.GTC


def test_a_session_market_gets_day_orders() -> None:
    """X-34."""
    assert built().decide(signal()).time_in_force is TimeInForce.DAY


def test_a_day_outside_of_the_table_is_closed() -> None:
    now = parse_rfc3339("1950-10-09T16:00:00Z")
    assert built(now=now).decide(signal(at=now)).code == "MARKET_CLOSED"


def test_an_instrument_without_a_calendar_is_refused() -> None:
    """U-53."""
    world = built()
    instrument = world.world.instrument("NVDA")
    elsewhere = msgspec.structs.replace(instrument, calendar="MARS")
    ruling = world.event(ev.InstrumentLearned(instrument=elsewhere)).decide(signal())
    assert (ruling.code, ruling.measured) == ("NO_CALENDAR", "MARS")


# --- what is held (A-081..A-083, X-42, D-61) ------------------------------------------------------


def holding(mark: str, **more: Any) -> Built:
    return built(**more).hold("NVDA", 10, "100", mark=mark)


@pytest.mark.parametrize(
    ("mark", "passes"), [("99.99", False), ("100", False), ("100.01", True), ("101", True)]
)
def test_only_a_winner_is_added_to(mark: str, passes: bool) -> None:
    """T-01, A-082: +$0.01 a share is a winner, 0 is not."""
    ruling = holding(mark).decide(signal(entry=mark))
    assert ruling.allowed is passes
    assert ruling.adding
    if not passes:
        assert ruling.code == "DUPLICATE_POSITION"
        assert ruling.limit == "> 0"


def test_a_winner_is_added_to_once() -> None:
    world = holding("101")
    world.fill(world.order("NVDA", 5, "101", purpose=Purpose.ADD), None, "101")
    assert world.price("NVDA", "105").decide(signal(entry="105", stop="99")).measured == "1"
    assert world.decide(signal(entry="105", stop="99")).code == "DUPLICATE_POSITION"


def test_a_working_add_is_the_add() -> None:
    world = holding("101")
    world.order("NVDA", 5, "101", purpose=Purpose.ADD)
    assert world.decide(signal(entry="101")).code == "DUPLICATE_POSITION"


def test_a_position_that_is_closing_is_not_added_to() -> None:
    world = holding("101")
    position = world.book.holding("paper", "NVDA")
    assert position is not None
    decision = ExitDecision(
        reason=ExitReason.TARGET,
        detail="",
        priority=4,
        quantity=Decimal(10),
        attempt=1,
        measured="101",
        limit="101",
    )
    world.event(
        ev.ExitPlanned(
            account="paper",
            symbol="NVDA",
            position_id=position.position_id,
            decision=decision,
        )
    )
    ruling = world.decide(signal(entry="101"))
    assert (ruling.code, ruling.measured) == ("DUPLICATE_POSITION", "closing")


def test_a_winner_by_an_old_price_is_none() -> None:
    """U-53: adding leans on a fresh mark."""
    world = holding("101")
    world.price("NVDA", "101", at=MIDDAY - 16 * NS_PER_SECOND)
    assert world.decide(signal(entry="101")).code == "DUPLICATE_POSITION"


def test_a_working_entry_is_a_duplicate() -> None:
    """A-082."""
    world = built()
    world.order("NVDA", 1, "100")
    assert world.decide(signal()).code == "DUPLICATE_POSITION"


@pytest.mark.parametrize("mark", ["90", "100", "110"])
def test_the_other_direction_is_a_conflict_before_it_is_a_duplicate(mark: str) -> None:
    """X-42, A-083, D-61: winner or loser, the reason is the direction."""
    ruling = holding(mark).decide(short(entry=mark))
    assert ruling.code == "CONFLICT"
    assert verdict_at(ruling, Code.DUPLICATE_POSITION) is None
    assert ruling.measured == "long 10"


def test_a_working_entry_the_other_way_is_a_conflict() -> None:
    """A-083: pending entries of the other direction block too."""
    world = built()
    world.order("NVDA", 1, "100", side=Side.SELL_SHORT)
    assert world.decide(signal()).code == "CONFLICT"


def test_a_protective_stop_is_no_conflict() -> None:
    world = holding("101")
    world.order("NVDA", 10, "95", side=Side.SELL, purpose=Purpose.PROTECT, reserves=False)
    assert world.decide(signal(entry="101")).allowed


@pytest.mark.parametrize(("count", "passes"), [(8, True), (9, True), (10, False), (11, False)])
def test_positions_and_working_entries_take_a_slot_each(count: int, passes: bool) -> None:
    """T-01, A-081: nine leave one slot; twenty signals in one burst do not pass."""
    world = built()
    for n in range(count):
        if n % 2:
            world.hold(f"H{n}", 1, "10")
        else:
            world.order(f"W{n}", 1, "10", at=MIDDAY - 120 * NS_PER_SECOND)
    ruling = world.decide(signal())
    assert ruling.allowed is passes
    if not passes:
        assert (ruling.code, ruling.measured, ruling.limit) == ("MAX_POSITIONS", str(count), "10")


def test_adding_takes_no_slot() -> None:
    """A-081."""
    world = holding("101")
    for n in range(9):
        world.hold(f"H{n}", 1, "10")
    assert world.decide(signal(entry="101")).allowed


# --- the account (A-080, A-087, X-13, X-15, X-55, U-53) -------------------------------------------


@pytest.mark.parametrize(
    ("equity", "passes", "measured"),
    [
        ("90010", True, "0.0999"),
        ("90000.01", True, "0.099999"),
        ("90000", False, "0.1"),
        ("89990", False, "0.1001"),
        ("110000", True, "0"),
    ],
)
def test_daily_loss(equity: str, passes: bool, measured: str) -> None:
    """T-01, A-080: refused at a loss of exactly 10.00 % of the starting equity."""
    ruling = built().account(equity).decide(signal(conviction=60))
    seen = next(check for check in ruling.checks if check.code is Code.DAILY_LOSS)
    assert (seen.measured, seen.limit) == (measured, "0.1")
    assert ruling.allowed is passes
    assert ruling.code == ("" if passes else "DAILY_LOSS")


def test_an_unrealised_loss_counts_for_the_day() -> None:
    """X-13."""
    world = built().hold("AAPL", 100, "500", mark="400")
    assert world.decide(signal()).code == "DAILY_LOSS"


def test_a_transfer_is_no_loss() -> None:
    """X-13: money taken out of the account is no loss of the day."""
    world = built()
    account = world.book.data.accounts["paper"].balances
    assert account is not None
    less = msgspec.structs.replace(account, cash=Decimal(80_000), equity=Decimal(80_000))
    world.event(ev.AccountSynced(account="paper", balances=less, flow=Decimal(-20_000)))
    assert world.decide(signal()).allowed


@pytest.mark.parametrize(
    ("equity", "passes"), [("24999.99", False), ("25000", True), ("25000.01", True)]
)
def test_min_equity(equity: str, passes: bool) -> None:
    """T-01, A-087: equal to the floor passes."""
    ruling = built(equity=equity).decide(signal())
    assert ruling.allowed is passes
    if not passes:
        assert (ruling.code, ruling.measured, ruling.limit) == ("MIN_EQUITY", equity, "25000")
        assert "PDT" not in ruling.reason  # a floor of the user's, no regulation


@pytest.mark.parametrize(
    ("equity", "passes"), [("90001", True), ("90000", False), ("89999", False)]
)
def test_drawdown(equity: str, passes: bool) -> None:
    """U-50: the fall from the highest equity; the day's own limit is kept out of the way."""
    world = Built(config_of(profile="conservative"), sectors=SECTORS).price("NVDA", "100")
    world.account(equity).session(equity)
    ruling = world.decide(signal())
    assert ruling.allowed is passes
    if not passes:
        assert (ruling.code, ruling.limit) == ("DRAWDOWN", "0.1")


@pytest.mark.parametrize(("entries", "passes"), [(2, True), (3, False)])
def test_trades_a_day(entries: int, passes: bool) -> None:
    world = Built(config_of(risk={"max_trades_per_day": 3})).price("NVDA", "100")
    for n in range(entries):
        world.hold(f"H{n}", 1, "10")
    ruling = world.decide(signal())
    assert ruling.allowed is passes
    if not passes:
        assert (ruling.code, ruling.measured, ruling.limit) == ("MAX_TRADES", "3", "3")


@pytest.mark.parametrize(
    ("silent_ms", "measured"),
    [(0, "not compared"), (5_000, "not compared"), (5_001, "5.001")],
)
def test_balances_are_as_old_as_the_link(silent_ms: int, measured: str) -> None:
    """U-53: nothing opens while the venue is out of sight, and balances age from 5 s on."""
    world = built().link(LinkState.DISCONNECTED, at=MIDDAY - silent_ms * NS_PER_MS)
    ruling = world.decide(signal())
    assert (ruling.code, ruling.measured) == ("NO_ACCOUNT", measured)


def test_a_connection_that_came_back_opens_nothing_before_a_comparison() -> None:
    """C-441: replay, reconcile, only then entries."""
    world = built().link(LinkState.DISCONNECTED).link(LinkState.CONNECTED)
    assert world.decide(signal()).code == "NO_ACCOUNT"
    world.event(
        ev.Reconciled(account=BROKER, reason="reconnect", clean=True, differences=(), matched=0)
    )
    assert world.decide(signal()).allowed


@pytest.mark.parametrize("start", ["0", "-1", "NaN"])
def test_a_starting_equity_that_is_not_above_zero_fails_closed(start: str) -> None:
    """X-55, A-080."""
    world = built()
    world.event(
        ev.SessionOpened(
            date=world.world.home.session_date(MIDDAY),
            starting_equity=Decimal(start),
            unrealized=Decimal(0),
        )
    )
    assert world.decide(signal()).code == "NO_ACCOUNT"


def test_no_account_and_no_session_fail_closed() -> None:
    world = built()
    world.book.data.session = None
    assert world.decide(signal()).code == "NO_ACCOUNT"
    world = built()
    world.book.data.accounts["paper"].balances = None
    assert world.decide(signal()).code == "NO_ACCOUNT"


# --- price and stop (A-101, U-01, U-53, X-68) -----------------------------------------------------


@pytest.mark.parametrize(
    ("age_ms", "passes"), [(0, True), (14_999, True), (15_000, True), (15_001, False)]
)
def test_a_quote_ages(age_ms: int, passes: bool) -> None:
    world = built().price("NVDA", "100", at=MIDDAY - age_ms * NS_PER_MS)
    ruling = world.decide(signal())
    assert ruling.allowed is passes
    if not passes:
        assert (ruling.code, ruling.measured, ruling.limit) == ("STALE_QUOTE", "15.001", "15")


def test_the_price_of_a_bar_is_fresh_until_its_own_hour() -> None:
    """X-68."""
    at = MIDDAY - 70 * NS_PER_SECOND
    for stale_at, passes in ((MIDDAY, True), (MIDDAY - 1, False)):
        world = built().price("NVDA", "100", at=at, stale_at=stale_at)
        assert world.decide(signal()).allowed is passes


@pytest.mark.parametrize("last", ["NaN", "0", "-1", "Infinity"])
def test_a_price_that_is_none_opens_nothing(last: str) -> None:
    """U-53."""
    assert built().price("NVDA", last).decide(signal()).code == "NO_PRICE"
    assert Built().decide(signal()).code == "NO_PRICE"


@pytest.mark.parametrize(
    ("direction", "stop", "passes"),
    [
        (Direction.LONG, "99.99", True),
        (Direction.LONG, "100", False),
        (Direction.LONG, "100.01", False),
        (Direction.SHORT, "100.01", True),
        (Direction.SHORT, "100", False),
        (Direction.SHORT, "99.99", False),
    ],
)
@pytest.mark.parametrize("conviction", [60, 80])
def test_the_stop_is_on_the_losing_side(
    direction: Direction, stop: str, passes: bool, conviction: int
) -> None:
    """A-101."""
    ruling = built().decide(signal(direction=direction, stop=stop, conviction=conviction))
    assert ruling.allowed is passes
    if not passes:
        assert (ruling.code, ruling.measured) == ("INVALID_STOP", stop)
        assert "100" in ruling.limit


def test_a_market_beyond_the_stop_is_no_entry() -> None:
    """The stop would be hit by the fill itself."""
    assert built().price("NVDA", "94").decide(signal()).code == "INVALID_STOP"


def test_prices_move_to_the_grid_as_they_must() -> None:
    """U-01: a limit away from marketability, a stop toward earlier protection."""
    long = built().decide(signal(conviction=60, entry="100.009", stop="95.001"))
    assert (long.limit_price, long.stop_loss) == (Decimal("100.00"), Decimal("95.01"))
    sell = built().decide(short(conviction=60, entry="100.001"))
    assert (sell.limit_price, sell.stop_loss, sell.side) == (
        Decimal("100.01"),
        Decimal(105),
        Side.SELL_SHORT,
    )


@pytest.mark.parametrize(
    ("conviction", "kind"), [(50, "LIMIT"), (74, "LIMIT"), (75, "MARKET"), (100, "MARKET")]
)
def test_the_order_type_follows_conviction(conviction: int, kind: str) -> None:
    ruling = built().decide(signal(conviction=conviction))
    assert ruling.order_type == kind
    assert (ruling.limit_price is None) is (kind == "MARKET")


@pytest.mark.parametrize(("conviction", "passes"), [(49, False), (50, True), (0, False)])
def test_conviction_below_50_is_not_traded(conviction: int, passes: bool) -> None:
    """A-090, D-61, T-02."""
    ruling = built().decide(signal(conviction=conviction))
    assert ruling.allowed is passes
    if not passes:
        assert (ruling.code, ruling.limit) == ("LOW_CONVICTION", "50")


def test_what_cannot_be_sold_short_is_not() -> None:
    """C-157: crypto spot; and a venue that does not."""
    world = built().price("BTC-USD", "100")
    assert world.decide(signal("BTC-USD", direction=Direction.SHORT, stop="105")).code == (
        "NOT_SHORTABLE"
    )
    unable = msgspec.structs.replace(ABLE, shorting=False)
    assert built(capabilities=unable).decide(short()).code == "NOT_SHORTABLE"
    assert built().decide(short()).allowed


# --- hard limits ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("most", "quantity"), [("15000", 150), ("14999.99", 149), ("99", None)])
def test_notional_of_a_signal_is_resized(most: str, quantity: int | None) -> None:
    config = config_of(profile="axion_aggressive", risk={"max_order_notional": most})
    ruling = built(config=config).decide(signal(conviction=60))
    assert ruling.quantity == quantity
    assert ruling.code == ("" if quantity == 150 else "MAX_NOTIONAL")


@pytest.mark.parametrize(
    ("entry", "passes"), [("95", True), ("94.99", False), ("105", True), ("105.01", False)]
)
@pytest.mark.parametrize("conviction", [60, 80])
def test_price_collar(entry: str, passes: bool, conviction: int) -> None:
    """A signal far from the market is a mistake, with and without a limit."""
    ruling = built().decide(signal(entry=entry, stop="90", conviction=conviction))
    assert ruling.allowed is passes
    if not passes:
        assert (ruling.code, ruling.limit) == ("PRICE_COLLAR", "0.05")
        assert Decimal(ruling.measured) > Decimal("0.05")


@pytest.mark.parametrize(("working", "passes"), [(2, True), (3, False)])
def test_open_orders(working: int, passes: bool) -> None:
    world = Built(config_of(risk={"max_open_orders": 3})).price("NVDA", "100")
    for n in range(working):
        world.order(f"P{n}", 1, "10", purpose=Purpose.PROTECT, reserves=False)
    ruling = world.decide(signal())
    assert ruling.allowed is passes
    if not passes:
        assert (ruling.code, ruling.measured) == ("MAX_OPEN_ORDERS", "3")


@pytest.mark.parametrize(
    ("ago_ms", "passes"), [(0, False), (59_999, False), (60_000, True), (60_001, True)]
)
def test_orders_a_minute(ago_ms: int, passes: bool) -> None:
    """Entries intended within the last 60 s; one of exactly 60 s ago counts no more."""
    world = Built(config_of(risk={"max_orders_per_minute": 2})).price("NVDA", "100")
    for n in range(2):
        world.order(f"W{n}", 1, "10", at=MIDDAY - ago_ms * NS_PER_MS)
    ruling = world.decide(signal())
    assert ruling.allowed is passes
    if not passes:
        assert (ruling.code, ruling.measured, ruling.limit) == ("RATE_LIMIT", "2", "2")


def test_orders_that_reduce_do_not_count_for_the_rate() -> None:
    world = Built(config_of(risk={"max_orders_per_minute": 1})).price("NVDA", "100")
    world.order("AAPL", 1, "10", purpose=Purpose.EXIT, reserves=False)
    assert world.decide(signal()).allowed


# --- closing signals ------------------------------------------------------------------------------


def flat(**more: Any) -> Signal:
    return signal(direction=Direction.FLAT, **more)


def test_a_flat_signal_closes_what_is_held() -> None:
    """A-089, X-20."""
    for held, side in ((10, Side.SELL), (-10, Side.BUY)):
        ruling = built().hold("NVDA", held, "100").decide(flat())
        assert ruling.allowed
        assert (ruling.quantity, ruling.side, ruling.reduce_only) == (Decimal(10), side, True)
        assert ruling.reserved == 0


def test_a_flat_signal_meets_the_guard_but_no_entry_gate() -> None:
    """X-20, U-42: paused, broke, silent and without a price it still closes."""
    world = built().hold("NVDA", 10, "100")
    world.event(ev.Paused(by="test", reason="test")).account("1").link(
        LinkState.DISCONNECTED, at=MIDDAY - 60 * NS_PER_SECOND
    )
    world.price("NVDA", "100", at=MIDDAY - 600 * NS_PER_SECOND)
    assert world.decide(flat(conviction=0)).allowed
    assert world.decide(flat(at=MIDDAY - 121 * NS_PER_SECOND)).code == "STALE_SIGNAL"


def test_a_flat_signal_without_a_position_closes_nothing() -> None:
    assert built().decide(flat()).code == "SIZE_ZERO"
