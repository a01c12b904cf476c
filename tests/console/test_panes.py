"""What the panes show of a real book: signs, ages, what is missing, what is stale."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.desk.rows import r_multiple
from console.ui.panes.orders import WORDS
from console.ui.panes.positions import PositionsPane
from console.ui.panes.risk import spark
from console.ui.widgets.depth_ladder import Ladder, spacing
from console.ui.widgets.strips import loudness
from engine.domain import commands as ask
from engine.domain.inputs import Unanswered
from engine.domain.instant import NS_PER_SECOND
from engine.domain.instrument import Facts, instrument_of
from engine.domain.market import Depth, DepthLevel
from engine.domain.order import Fill, OrderStatus, OrderType, Side
from engine.domain.run import LinkState, Trigger
from engine.ports import LinkReport, OrderReport
from tests.console.hosts import Host, console, drawn, morning, press, settle, shown

pytestmark = pytest.mark.slow  # each drives a whole screen

D = Decimal


def _row(text: str, *words: str) -> str:
    """The first line of the screen that holds every word."""
    return next(line for line in text.splitlines() if all(word in line for word in words))


# --- positions -----------------------------------------------------------------------------------


async def test_a_position_shows_signs_price_direction_stop_and_r() -> None:
    async with Host() as host:
        await morning(host)
        async with console(host, (200, 50)) as (app, pilot):
            host.price("NVDA", "135.10")
            host.price("XOM", "114.40")
            await drawn(app, pilot)
            text = shown(app)
            row = _row(text, "NVDA", "LONG")
            for words in ("111", "134.21", "▲ 135.10", "+98.79", "130.50", "+0.2", "+14,996"):
                assert words in row
            row = _row(text, "XOM", "SHORT")
            for words in ("-130", "▲ 114.40", "+50.70", "117.30"):
                assert words in row


async def test_a_price_past_its_limit_is_marked_and_alarmed() -> None:
    async with Host() as host:
        await morning(host)
        async with console(host, (120, 40)) as (app, pilot):
            host.price("XOM", "114.10")
            await settle()
            await host.clock.advance(15)
            await drawn(app, pilot)
            assert "~ 114.10" not in shown(app)
            assert "~ 134.88" in shown(app)
            await host.clock.advance(1)
            await drawn(app, pilot)
            assert "~ 114.10" in shown(app)
            assert "entries blocked" in shown(app).splitlines()[-2]


async def test_an_account_that_takes_no_entries_is_named_with_why() -> None:
    async with Host() as host, console(host, (120, 40)) as (app, pilot):
        why = "its credentials are not accepted"
        host.engine.book.account("paper").barred[Trigger.BROKER_LOST] = why
        await host.clock.advance(2)
        await drawn(app, pilot)
        assert f"paper takes no entries: {why}" in shown(app).splitlines()[-2]


async def test_without_a_stop_it_says_so() -> None:
    async with Host() as host:
        host.price("AAPL", "229")
        await settle()
        await host.engine.command(
            ask.PlaceOrder(by="t", symbol="AAPL", side=Side.BUY, quantity=D(10))
        )
        await host.clock.advance(1)
        async with console(host) as (app, _):
            assert "NONE!" in _row(shown(app), "AAPL", "LONG")
            assert "AAPL has no stop (" in shown(app).splitlines()[-2]


async def test_a_closed_position_leaves_and_the_empty_pane_says_what_to_expect() -> None:
    async with Host() as host:
        await morning(host)
        async with console(host, (80, 24)) as (app, pilot):
            for symbol in ("NVDA", "AAPL", "XOM"):
                host.price(symbol, str(host.world.market.mark(symbol)))
            await settle()
            await host.engine.command(ask.CloseAll(by="t"))
            await host.clock.advance(1)
            await drawn(app, pilot)
            pane = app.main.pane(2)
            assert isinstance(pane, PositionsPane)
            assert pane.table.row_count == 0
            assert "no positions; a signal that passes every check opens one" in shown(app)


async def test_r_is_measured_from_the_first_stop() -> None:
    async with Host() as host:
        await morning(host)
        position = host.engine.book.holding("paper", "XOM")
        assert position is not None
        entry, stop = position.average_price, position.initial_stop
        assert stop is not None
        assert r_multiple(position, entry) == 0
        assert r_multiple(position, stop) == -1
        assert r_multiple(position, entry - (stop - entry)) == 1
        assert r_multiple(position, None) is None


# --- orders --------------------------------------------------------------------------------------


def test_every_status_has_a_word_of_its_own() -> None:
    assert set(WORDS) == set(OrderStatus)
    assert len({word for word, _ in WORDS.values()}) == len(WORDS)


async def test_an_order_without_an_answer_never_looks_like_a_working_one() -> None:
    async with Host(latency_ms=(200, 200)) as host:
        host.price("AAPL", "229")
        await settle()
        command = ask.PlaceOrder(
            by="t",
            symbol="AAPL",
            side=Side.BUY,
            quantity=D(10),
            type=OrderType.LIMIT,
            limit_price=D(225),
        )
        await host.engine.command(command)
        async with console(host) as (app, pilot):
            await settle()
            await drawn(app, pilot)
            assert "SENDING…" in _row(shown(app), "AAPL", "LMT", "225.00")
            await host.clock.advance(1)
            await drawn(app, pilot)
            assert "WORKING" in _row(shown(app), "AAPL", "LMT", "225.00")
            await host.engine.command(ask.CancelAll(by="t"))
            await drawn(app, pilot)
            assert "CANCELING…" in _row(shown(app), "AAPL", "LMT", "225.00")
            await host.clock.advance(1)
            await press(app, pilot, "3", "3", "3")
            assert "CANCELED" in _row(shown(app), "AAPL", "LMT", "225.00")
            assert "Ended" in shown(app)
            await host.clock.advance(7)
            await drawn(app, pilot)
            assert " 7s " in _row(shown(app), "AAPL", "CANCELED")


async def test_fills_show_price_fee_and_order() -> None:
    async with Host() as host, console(host, (200, 50)) as (app, pilot):
        await morning(host)
        await press(app, pilot, "3", "3")
        row = _row(shown(app), "15:30:23", "KO", "SELL", "15.06")
        assert "237" in row
        assert "taker" in row


# --- the rest ------------------------------------------------------------------------------------


async def test_a_broker_that_is_gone_is_on_the_banner() -> None:
    async with Host() as host, console(host) as (app, pilot):
        host.engine.step(
            LinkReport(
                account="paper",
                state=LinkState.DISCONNECTED,
                detail="cable",
                time=host.clock.now(),
            )
        )
        await drawn(app, pilot)
        rows = shown(app).splitlines()
        assert "brk DOWN" in rows[0]
        assert "DISCONNECTED" in rows[-2]


async def test_X84_a_broker_that_is_connected_and_silent_is_on_the_banner() -> None:
    async with Host() as host, console(host) as (app, pilot):
        host.engine.step(Unanswered("paper", host.clock.now()))
        await host.clock.advance(12)
        await drawn(app, pilot)
        assert "brk SILENT 12s" in shown(app).splitlines()[0]
        host.engine.step(Unanswered("paper", 0))
        await drawn(app, pilot)
        assert "brk ok" in shown(app).splitlines()[0]


async def test_X84_an_account_that_was_seen_too_long_ago_is_on_the_banner_and_an_alert() -> None:
    """It takes no entries: with its requests used up it had stood there for minutes as ok."""
    own = {"account_max_age_seconds": 20}
    async with Host(risk=own) as host, console(host) as (app, pilot):
        begun = host.world.book.account("paper").seen_at
        await host.clock.advance(20 - (host.clock.now() - begun) / NS_PER_SECOND)
        await drawn(app, pilot)
        assert "brk ok" in shown(app).splitlines()[0]
        await host.clock.advance(1)
        await drawn(app, pilot)
        rows = shown(app).splitlines()
        assert "brk UNSEEN 21s" in rows[0]
        assert "paper was last seen whole 21s ago: it takes no entries" in rows[-2]
        assert (await host.engine.command(ask.Reconcile(by="t"))).ok
        await drawn(app, pilot)
        rows = shown(app).splitlines()
        assert "brk ok" in rows[0]
        assert "takes no entries" not in rows[-2]


async def test_ages_on_the_banner_go_on_counting() -> None:
    async with Host() as host, console(host) as (app, pilot):
        host.price("AAPL", "229")
        await drawn(app, pilot)
        assert "feed <1s" in shown(app) or "feed 0s" in shown(app)
        await host.clock.advance(9)
        await drawn(app, pilot)
        assert "feed 9s" in shown(app).splitlines()[0]
        await host.clock.advance(20)
        await drawn(app, pilot)
        assert "feed ~29s" in shown(app).splitlines()[0]


async def test_text_from_outside_is_never_markup_and_never_reaches_the_terminal_raw() -> None:
    async with Host() as host, console(host, (200, 50)) as (app, pilot):
        host.engine.submit('{"signal_id": "[red]x[/]", "ticker": "[@click=app.kill]A\\u001b[2J"}')
        await drawn(app, pilot)
        text = shown(app)
        assert "\x1b" not in text
        assert "INVALID_INPUT" in text


@pytest.mark.parametrize(
    ("share", "style"),
    [("0.7499", ""), ("0.75", "warn"), ("0.8999", "warn"), ("0.90", "loss"), ("1.2", "loss")],
)
def test_a_limit_turns_amber_and_red(share: str, style: str) -> None:
    assert loudness(D(share)) == style


def test_the_curve_spans_lowest_to_highest() -> None:
    assert spark([D(1), D(2), D(3)], 8, "abc") == "abc"
    assert spark([D(1), D(1)], 8, "abc") == "aa"
    assert spark([D(1)], 8, "abc") == ""
    assert spark([D(9), D(1), D(2)], 2, "abc") == "ac"


# --- the ladder ----------------------------------------------------------------------------------


def _depth(mid: str, levels: int = 5, step: str = "0.01") -> Depth:
    gap = D(step)
    return Depth(
        symbol="A",
        bids=tuple(DepthLevel(D(mid) - gap * (n + 1), D(100)) for n in range(levels)),
        asks=tuple(DepthLevel(D(mid) + gap * n, D(200)) for n in range(levels)),
        time=0,
    )


def test_the_axis_stands_still_until_the_best_price_leaves_it() -> None:
    ladder = Ladder()

    def axis(mid: str) -> list[Decimal]:
        return [r.price for r in ladder.rungs(_depth(mid), tick=D("0.01"), rows=10, mine={})]

    first = axis("100.00")
    assert axis("100.02") == first
    assert axis("99.98") == first
    moved = axis("100.50")
    assert moved != first
    assert D("100.50") in moved
    assert axis("100.49") == moved


def test_levels_further_apart_than_a_tick_make_a_wider_axis() -> None:
    assert spacing(_depth("100", step="0.25"), D("0.01")) == D("0.25")
    assert spacing(_depth("100", levels=1), D("0.01")) == D("0.01")
    assert spacing(_depth("100", step="2", levels=1), D("0.01")) == D("0.01")


@pytest.mark.parametrize("far", ["0.00003", "0.01", "1", "50"])
def test_a_level_far_behind_does_not_carry_off_the_best_prices(far: str) -> None:
    """1.09999 to 1.10001 had been shown as a bid of 1 and an ask of 2, on an axis below zero."""
    bid, ask, tick = D("1.09999"), D("1.10001"), D("0.00001")
    depth = Depth(
        symbol="A",
        bids=(DepthLevel(bid, D(10)),),
        asks=(DepthLevel(ask, D(20)), DepthLevel(ask + D(far), D(30))),
        time=0,
    )
    rungs = Ladder().rungs(depth, tick=tick, rows=30, mine={})
    bids = [rung.price for rung in rungs if rung.bid]
    asks = [rung.price for rung in rungs if rung.ask]
    spread = ask - bid
    assert bid - spread < bids[0] <= bid
    assert ask <= asks[-1] < ask + spread
    assert rungs[-1].price > 0


def test_our_own_orders_stand_on_their_side() -> None:
    mine = {D("99.98"): D(40), D("100.03"): D(-7)}
    rungs = Ladder().rungs(_depth("100.00"), tick=D("0.01"), rows=12, mine=mine)
    assert {r.price: r.mine_bid for r in rungs if r.mine_bid} == {D("99.98"): D(40)}
    assert {r.price: r.mine_ask for r in rungs if r.mine_ask} == {D("100.03"): D(7)}


@given(
    mid=st.decimals("1", "5000", places=2),
    levels=st.integers(1, 12),
    step=st.sampled_from(["0.01", "0.05", "0.25", "1"]),
    rows=st.integers(2, 60),
)
def test_the_best_prices_are_always_in_the_window(
    mid: Decimal, levels: int, step: str, rows: int
) -> None:
    depth = _depth(str(mid + levels), levels, step)
    rungs = Ladder().rungs(depth, tick=D("0.01"), rows=rows, mine={})
    assert len(rungs) == rows
    low, high = rungs[-1].price, rungs[0].price
    gap = high - rungs[1].price
    assert low - gap <= depth.bids[0].price
    assert depth.asks[0].price <= high + gap


# --- money in several currencies -----------------------------------------------------------------


async def test_x86_a_commission_shows_its_asset_and_what_is_held_of_it_falls() -> None:
    async with Host() as host:
        host.price("BNB-USD", "320")
        host.price("AAPL", "229")
        await settle()
        for symbol, quantity in (("BNB-USD", 10), ("AAPL", 5)):
            buy = ask.PlaceOrder(by="t", symbol=symbol, side=Side.BUY, quantity=D(quantity))
            assert (await host.engine.command(buy)).ok
            await host.clock.advance(1)
        async with console(host, (120, 40)) as (app, pilot):
            await press(app, pilot, "3", "3")
            before = app.desk.view.portfolio().equity
            for number, (asset, amount) in enumerate((("BNB", "0.05"), ("XYZ", "0.5"))):
                told = Fill(
                    execution_id=f"x{number}",
                    client_order_id=f"of-another-program-{number}",
                    account="paper",
                    symbol="AAPL",
                    side=Side.BUY,
                    quantity=D(1),
                    price=D(229),
                    commission=D(amount),
                    commission_currency=asset,
                    time=host.clock.now(),
                )
                report = OrderReport(
                    account="paper",
                    client_order_id=told.client_order_id,
                    symbol="AAPL",
                    status=OrderStatus.FILLED,
                    fill=told,
                    time=told.time,
                )
                host.engine.step(report)
                await drawn(app, pilot)
            text = shown(app)
            assert _row(text, "AAPL", "0.05 BNB")
            assert _row(text, "AAPL", "0.5 XYZ")
            assert _row(text, "BNB-USD", "LONG", "9.95")
            assert "no fresh rate: XYZ" in text
            # 0.05 x 320, and what nobody knows the worth of is left out: the total is not sure
            held = app.desk.view.portfolio()
            assert (held.equity, held.unvalued) == (before - 16, ("XYZ",))
            assert "eq ~99,9" in text


async def test_x86_a_profit_in_another_currency_says_which_and_the_sum_is_in_the_base() -> None:
    sap = instrument_of("SAP", Facts(currency="EUR"))
    async with Host(instruments={"SAP": sap}) as host:
        for symbol, price in (("EUR_USD", "1.25"), ("SAP", "200"), ("AAPL", "229")):
            host.price(symbol, price, spread="0")
        await settle()
        async with console(host, (120, 40)) as (app, pilot):
            for symbol in ("AAPL", "SAP"):
                buy = ask.PlaceOrder(by="t", symbol=symbol, side=Side.BUY, quantity=D(10))
                assert (await host.engine.command(buy)).ok
                await host.clock.advance(1)
                await drawn(app, pilot)
                # The column is there once something has a currency of its own.
                assert ("Cur" in _row(shown(app), "uPnL", "Avg")) is (symbol == "SAP")
            host.price("SAP", "205", spread="0")
            host.price("AAPL", "228", spread="0")
            await drawn(app, pilot)
            text = shown(app)
            assert _row(text, "SAP", "+50.00 EUR")
            assert "EUR" not in _row(text, "AAPL", "LONG")
            # 50 x 1.25 - 10
            assert "uPnL +52.50" in text
            await press(app, pilot, "3", "3")
            # 10 basis points of 2000 euros, and of 2290 dollars
            assert _row(shown(app), "SAP", "2.00 EUR")
            assert "USD" not in _row(shown(app), "AAPL", "2.29")


# --- what no stop bounds -------------------------------------------------------------------------


@pytest.mark.parametrize("bare", [0, 1, 2])
async def test_the_risk_pane_names_what_is_held_without_a_stop(bare: int) -> None:
    """It is in no figure at the stops (X-82), so that it must be told beside them."""
    async with Host() as host:
        await morning(host)
        held = ("NVDA", "XOM")[:bare]
        for symbol in held:
            told = await host.engine.command(
                ask.Protect(by="t", symbol=symbol, price=None, confirm="UNPROTECT")
            )
            assert told.ok, told.error
        await host.clock.advance(2)
        async with console(host, (120, 40)) as (app, pilot):
            await drawn(app, pilot)
            told_of = [line for line in shown(app).splitlines() if "without a stop" in line]
            assert len(told_of) == bool(bare)
            assert all(f"without a stop: {' '.join(held)} " in line for line in told_of)
            assert "cash" in shown(app)
