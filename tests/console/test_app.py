"""Keys to commands: the console over a real engine on the paper venue."""

from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace
from textual import events
from textual.widgets import Button, Input

from console.commands.table import PANES
from console.terminal.compositor import LinesUpdate
from console.ui.panes.orders import OrdersPane
from console.ui.panes.positions import PositionsPane
from console.ui.screens.base import MeridianPalette
from console.ui.screens.detail import DetailScreen
from console.ui.screens.halt import HaltScreen
from console.ui.screens.help import HelpScreen
from console.ui.screens.jump import JumpScreen
from console.ui.screens.quit import QuitScreen
from console.ui.screens.reconcile import ReconcileScreen
from console.ui.screens.ticket import TicketScreen
from console.ui.widgets.confirm import ConfirmScreen
from console.ui.widgets.live_table import LiveTable
from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.commands import Kill, PlaceOrder
from engine.domain.order import OrderType, Side
from engine.domain.result import Result
from engine.domain.run import Flatten, Level, Mode, RunState
from engine.runtime.engine import Engine
from tests.console.hosts import Host, console, drawn, morning, press, settle, shown, write

pytestmark = pytest.mark.slow  # each drives a whole screen


async def test_six_panes_with_their_titles_A480() -> None:
    async with Host() as host:
        await morning(host)
        async with console(host, (200, 50)) as (app, _):
            titles = [str(app.main.pane(number).border_title) for number in range(1, 7)]
            for number, (title, wanted) in enumerate(zip(titles, PANES, strict=True), 1):
                assert title.startswith(f"{number} {wanted}")
            text = shown(app)
            assert "NVDA" in text
            assert "[Pending·4] Fills·0 History·6" in text
            assert "PAPER" in text.splitlines()[0]
            assert "134.89" in text


async def test_the_chord_shuts_the_gate_where_it_is_read_X52() -> None:
    async with Host() as host, console(host) as (app, pilot):
        for key in ("k", "ctrl+l", "enter"):
            assert app.urgent_key(key) is None
        assert not host.gate.closed
        for presses, level in ((1, Level.HALT), (2, Level.KILL)):
            rest = app.urgent_key("ctrl+k")
            assert rest is not None
            assert host.gate.closed
            rest()
            await drawn(app, pilot)
            halt = host.engine.book.data.halt
            assert halt is not None, presses
            assert halt.level is level


async def test_what_a_key_changes_is_drawn_before_the_loop_turns() -> None:
    async with Host() as host:
        await morning(host)
        async with console(host) as (app, pilot):
            await press(app, pilot, "2")
            updates: list[object] = []
            app._display = lambda _screen, update: updates.append(update)  # type: ignore[method-assign,assignment]
            key = events.Key("3", "3")
            with app._context():
                sending = app.on_event(key).send
                # a coroutine that ends in its first step has waited for nothing
                with pytest.raises(StopIteration):
                    sending(None)
            (update,) = updates
            assert isinstance(update, LinesUpdate)
            for number in (2, 3):
                frame = app.main.pane(number).region
                assert {frame.y, frame.bottom - 1} <= update.lines.keys()


async def test_an_alert_that_is_cut_says_so_and_is_read_whole_with_a_key() -> None:
    async with Host() as host, console(host, (80, 24)) as (app, pilot):
        reason = " ".join(f"word{number}" for number in range(30))
        await host.engine.command(ask.Kill(by="test", level=Level.HALT, reason=reason))
        await drawn(app, pilot)
        alert = shown(app).splitlines()[-2]
        assert alert.startswith(" !  HALTED")
        assert alert.endswith("…")
        assert "word29" not in alert
        await press(app, pilot, "exclamation_mark")
        text = " ".join(shown(app).replace("│", " ").split())
        assert f"by test: {reason}" in text
        await press(app, pilot, "escape", "ctrl+l")
        assert "word29" not in shown(app)


async def test_a_fill_names_its_account_where_it_is_not_the_primary_one_X86() -> None:
    async with Host() as host, console(host) as (app, pilot):
        await morning(host)
        await press(app, pilot, "3", "3")
        pane = app.main.pane(3)
        assert isinstance(pane, OrdersPane)
        assert pane.tab == "fills"
        key = app.desk.view.fills()[0]
        fill = app.desk.view.fill(key)
        assert fill is not None
        name = fill.instrument.symbol
        for account, told in (("paper", name), ("eur", f"{name} @eur")):
            pane._paint_fill(key, replace(fill, account=account))
            row = pane.table._rows.get(key)
            assert row is not None
            assert row.cells[1].text == told


async def test_at_80_columns_one_pane_and_what_a_tab_could_hide() -> None:
    async with Host() as host:
        await morning(host)
        async with console(host, (80, 24)) as (app, pilot):
            await host.engine.command(ask.Pause(by="test"))
            await press(app, pilot, "1")
            rows = shown(app).splitlines()
            assert "1▸Signals" in rows[1]
            assert any("gross" in row and "DD" in row for row in rows)
            assert any("PAUSED by test" in row for row in rows)
            assert "PAUSED: no automatic entries" in rows[-2]
            assert sum("╭" in row for row in rows) == 1
            await press(app, pilot, "6")
            assert "6▸Journal" in shown(app)


@pytest.mark.parametrize("size", [(59, 30), (100, 19)])
async def test_a_window_too_small_keeps_banner_and_the_way_out(size: tuple[int, int]) -> None:
    async with Host() as host, console(host, size) as (app, pilot):
        text = shown(app)
        assert "PAPER" in text
        assert "too small" in text
        assert "^k halts" in text
        assert "Sym" not in text
        await press(app, pilot, "ctrl+k")
        assert host.engine.book.run_state is RunState.HALTED


# --- the chord -----------------------------------------------------------------------------------


async def test_first_press_halts_and_keeps_stops_second_kills_X52() -> None:
    async with Host() as host:
        await morning(host)
        async with console(host) as (app, pilot):
            await press(app, pilot, "ctrl+k")
            halt = host.engine.book.data.halt
            assert halt is not None
            assert (halt.level, halt.flatten) == (Level.HALT, Flatten.NONE)
            assert "AGAIN = KILL" in shown(app).splitlines()[0]
            orders = host.engine.book.account("paper").orders.values()
            assert {str(order.purpose) for order in orders} == {"PROTECT"}
            assert len(host.engine.book.account("paper").positions) == 3
            await press(app, pilot, "f12")
            halt = host.engine.book.data.halt
            assert halt is not None
            assert (halt.level, halt.flatten) == (Level.KILL, Flatten.DAY)
            for symbol in ("NVDA", "AAPL", "XOM"):
                host.price(symbol, str(host.world.market.mark(symbol)))
            await host.clock.advance(5)
            await drawn(app, pilot)
            assert not host.engine.book.account("paper").positions
            assert isinstance(app.screen, HaltScreen)
            assert "VERIFIED" in shown(app)
            assert "proved" in shown(app)


async def test_a_second_press_after_three_seconds_halts_only() -> None:
    async with Host() as host, console(host) as (app, pilot):
        now = [100.0]
        app.seconds = lambda: now[0]
        await press(app, pilot, "ctrl+k")
        now[0] += 3.0
        await press(app, pilot, "ctrl+k")
        assert host.engine.book.data.halt is not None
        assert host.engine.book.data.halt.level is Level.HALT
        now[0] += 2.999
        await press(app, pilot, "ctrl+k")
        assert host.engine.book.data.halt.level is Level.KILL


class _Watched(Engine):
    """Notes whether the gate was shut when a halt arrived."""

    gate_was_shut: bool | None = None

    def halt(self, kill: Kill) -> Result:
        self.gate_was_shut = self.gate.closed
        return super().halt(kill)


async def test_the_gate_is_shut_before_the_engine_is_asked() -> None:
    host = Host(engine_class=_Watched)
    async with host, console(host) as (app, pilot):
        await press(app, pilot, "ctrl+k")
        assert isinstance(host.engine, _Watched)
        assert host.engine.gate_was_shut is True


@pytest.mark.parametrize(
    ("keys", "where"),
    [
        (("b", "1", "2"), TicketScreen),
        (("F", "F", "L"), ConfirmScreen),
        (("ctrl+p", "h", "e"), MeridianPalette),
        (("question_mark",), HelpScreen),
        (("ctrl+q",), QuitScreen),
        (("o",), JumpScreen),
    ],
)
async def test_the_chord_works_wherever_the_focus_is(keys: tuple[str, ...], where: type) -> None:
    async with Host() as host:
        host.price("AAPL", "229")
        async with console(host) as (app, pilot):
            await press(app, pilot, *keys)
            assert isinstance(app.screen, where)
            await press(app, pilot, "ctrl+k")
            assert host.engine.book.run_state is RunState.HALTED
            assert "KILL" in shown(app).splitlines()[0]
            await press(app, pilot, "ctrl+k")
            assert host.engine.book.data.halt is not None
            assert host.engine.book.data.halt.level is Level.KILL


async def test_the_chord_works_inside_the_filter() -> None:
    async with Host() as host, console(host) as (app, pilot):
        await press(app, pilot, "6", "slash", "x", "ctrl+k")
        assert isinstance(app.focused, Input)
        assert host.engine.book.run_state is RunState.HALTED


async def test_kill_from_the_palette_halts() -> None:
    async with Host() as host, console(host) as (app, pilot):
        await press(app, pilot, "ctrl+p")
        await write(app, pilot, "halt/kill")
        await pilot.pause(0.2)
        await press(app, pilot, "enter")
        await pilot.pause()
        assert host.engine.book.run_state is RunState.HALTED


# --- back from a halt ----------------------------------------------------------------------------


async def test_resume_is_typed_and_lands_in_paused_X69() -> None:
    async with Host() as host, console(host) as (app, pilot):
        await press(app, pilot, "ctrl+k", "h")
        assert isinstance(app.screen, HaltScreen)
        await write(app, pilot, "resume")
        await press(app, pilot, "enter")
        assert host.engine.book.run_state is RunState.HALTED
        assert "type RESUME to go on; escape leaves" in shown(app)
        app.screen.query_one("#resume", Input).value = ""
        await write(app, pilot, "RESUME")
        await press(app, pilot, "enter")
        assert host.engine.book.run_state is RunState.PAUSED
        assert not isinstance(app.screen, HaltScreen)
        words = [n.message for n in app._notifications]
        assert words.count("halt cleared: PAUSED, p allows entries again") == 1
        await press(app, pilot, "p")
        assert host.engine.book.run_state is RunState.ACTIVE
        assert [n.message for n in app._notifications] == ["automatic entries are allowed"]
        await press(app, pilot, "ctrl+k")
        assert host.engine.book.run_state is RunState.HALTED
        assert not list(app._notifications), "a halt ends what was said of the state before"


async def test_a_resume_is_of_the_halt_that_stood_when_its_word_was_begun() -> None:
    """A script's kill comes while the word is typed: it stands, and the screen says so (C-503)."""
    async with Host() as host, console(host) as (app, pilot):
        await press(app, pilot, "ctrl+k", "h")
        await write(app, pilot, "RESU")
        await host.engine.command(Kill(by="script", reason="it went wrong", flatten=Flatten.NONE))
        await host.clock.advance(10)
        await drawn(app, pilot)
        await write(app, pilot, "ME")
        await press(app, pilot, "enter")
        assert host.engine.book.run_state is RunState.HALTED
        told = " ".join(shown(app).replace("│", " ").split())
        assert "epoch 1" in told
        assert "epoch 2" in told
        await press(app, pilot, "enter")
        assert host.engine.book.run_state is RunState.PAUSED


async def test_X73_a_drawdown_is_accepted_by_its_own_word() -> None:
    accepted: list[ev.LossAccepted] = []

    def watch(record: ev.Record) -> None:
        if isinstance(record.event, ev.LossAccepted):
            accepted.append(record.event)

    async with Host() as host, console(host) as (app, pilot):
        host.engine.subscribe(watch)
        await press(app, pilot, "ctrl+k", "h")
        await write(app, pilot, "REBASE")
        await press(app, pilot, "enter")
        assert host.engine.book.run_state is RunState.PAUSED
        assert not isinstance(app.screen, HaltScreen)
    assert len(accepted) == 1
    assert accepted[0].after == host.engine.book.data.peak_equity


async def test_after_a_kill_the_halt_screen_names_the_way_to_begin_afresh_on_paper() -> None:
    async with Host() as host, console(host) as (app, pilot):
        await press(app, pilot, "h")
        assert "reset --confirm RESET" not in shown(app)
        assert "the halt stays" not in shown(app), "none stands"
        await press(app, pilot, "escape", "ctrl+k", "h")
        assert "reset --confirm RESET" not in shown(app)
        assert "esc closes, the halt stays" in shown(app)
        await press(app, pilot, "ctrl+k")
        assert "meridian-tui reset --confirm RESET" in shown(app)


async def test_where_a_venue_keeps_the_account_nothing_begins_afresh_after_a_kill() -> None:
    elsewhere = {"paper": {"address": "/run/paper.sock"}}
    async with Host(brokers=elsewhere) as host, console(host) as (app, pilot):
        await press(app, pilot, "ctrl+k", "ctrl+k", "h")
        assert "flatten" in shown(app)
        assert "reset --confirm RESET" not in shown(app)


async def test_a_halt_cleared_elsewhere_closes_its_screen() -> None:
    async with Host() as host, console(host) as (app, pilot):
        await press(app, pilot, "ctrl+k", "h")
        assert isinstance(app.screen, HaltScreen)
        await host.engine.command(ask.Resume(by="another", confirm="RESUME"))
        await drawn(app, pilot)
        assert not isinstance(app.screen, HaltScreen)
        assert isinstance(app.focused, LiveTable)


async def test_a_halt_says_what_it_ended_and_what_stays() -> None:
    async with Host() as host:
        await morning(host)
        async with console(host) as (app, pilot):
            await press(app, pilot, "ctrl+k", "h")
            await host.clock.advance(13)
            await drawn(app, pilot)
            text = shown(app)
            assert "0 entries working   1 cancelled" in text
            assert "3 positions and 3 stops stay" in text
            assert "not read yet" not in text


async def test_ctrl_c_says_what_leaves_and_what_stops() -> None:
    async with Host() as host, console(host) as (app, pilot):
        await press(app, pilot, "ctrl+c")
        assert [n.message for n in app._notifications] == ["ctrl+q quits; ctrl+k halts"]


async def test_flatten_is_typed() -> None:
    async with Host() as host:
        await morning(host)
        async with console(host) as (app, pilot):
            await press(app, pilot, "F", "enter")
            assert "type FLATTEN to go on; escape leaves" in shown(app)
            assert isinstance(app.screen, ConfirmScreen)
            await press(app, pilot, "escape")
            assert host.engine.book.run_state is RunState.ACTIVE
            assert [n.message for n in app._notifications] == ["not flattened"]
            await press(app, pilot, "F")
            await write(app, pilot, "FLATTEN")
            await press(app, pilot, "enter")
            halt = host.engine.book.data.halt
            assert halt is not None
            assert (halt.level, halt.flatten) == (Level.KILL, Flatten.ALL)
            await settle()
            assert not list(app._notifications), "what was said before is no longer so"


async def test_pause_and_unpause() -> None:
    async with Host() as host, console(host) as (app, pilot):
        await press(app, pilot, "p")
        assert host.engine.book.run_state is RunState.PAUSED
        assert "PAUSED" in shown(app).splitlines()[0]
        await press(app, pilot, "p")
        assert host.engine.book.run_state is RunState.ACTIVE
        assert [e.by for e in host.events("OperatorActed")] == ["console", "console"]


async def test_with_real_money_ending_a_pause_is_asked() -> None:
    host = Host()
    host.world.config = host.config.model_copy(update={"mode": Mode.LIVE})
    async with host, console(host) as (app, pilot):
        assert "LIVE · REAL MONEY" in shown(app).splitlines()[0]
        await press(app, pilot, "p", "p")
        assert isinstance(app.screen, ConfirmScreen)
        assert "LIVE · REAL MONEY" in shown(app).splitlines()[0]
        await press(app, pilot, "enter")
        assert host.engine.book.run_state is RunState.PAUSED


# --- positions and orders ------------------------------------------------------------------------


async def test_x_closes_the_selected_position_at_once() -> None:
    async with Host() as host:
        await morning(host)
        async with console(host) as (app, pilot):
            pane = app.main.pane(2)
            assert isinstance(pane, PositionsPane)
            symbol = pane.selected
            assert symbol is not None
            host.price(symbol, str(host.world.market.mark(symbol)))
            await press(app, pilot, "2", "x")
            await host.clock.advance(1)
            assert host.engine.book.holding("paper", symbol) is None
            assert host.events("OperatorActed")[-1].command == "ClosePosition"


@pytest.mark.parametrize("waited", [0.0, 1.499, 1.5])
async def test_x_spares_a_row_that_came_under_the_cursor_by_itself(waited: float) -> None:
    async with Host() as host:
        await morning(host)
        async with console(host) as (app, pilot):
            app.seconds = lambda: 10.0
            pane = app.main.pane(2)
            assert isinstance(pane, PositionsPane)
            first = pane.selected
            assert first is not None
            for symbol in host.engine.book.account("paper").positions:
                host.price(symbol, str(host.world.market.mark(symbol)))
            await press(app, pilot, "2", "x")
            await host.clock.advance(1)
            await drawn(app, pilot)
            second = pane.selected
            assert second not in (None, first)
            app.seconds = lambda: 10.0 + waited
            asked = len(host.events("OperatorActed"))
            await press(app, pilot, "x")
            spared = waited < 1.5
            assert len(host.events("OperatorActed")) == asked + (not spared)
            words = [n.message for n in app._notifications]
            told = f"the rows moved: press x again to close {second}"
            assert (told in words) is spared
            if spared:
                await press(app, pilot, "x")
                assert host.events("OperatorActed")[-1].args["symbol"] == second


async def test_x_and_c_act_only_on_the_pane_in_focus() -> None:
    async with Host() as host:
        await morning(host)
        before = len(host.records)
        async with console(host) as (app, pilot):
            await press(app, pilot, "6", "x", "c")
            assert len(host.records) == before
            told = [note.message for note in app._notifications]
            assert told == [
                "keys go to Journal: press 2 first, x closes what is selected in Positions",
                "keys go to Journal: press 3 first, c cancels what is selected in Orders",
            ]


async def test_x_c_and_m_say_where_there_is_nothing_to_act_on() -> None:
    async with Host() as host, console(host) as (app, pilot):
        await press(app, pilot, "2", "x", "m", "3", "c", "m", "3", "c", "m")
        told = [note.message for note in app._notifications]
        assert told == [
            "there is no position to close",
            "there is no position to change",
            "there is no working order to cancel",
            "there is no working order to change",
            "only working orders are cancelled: left or right goes to Pending",
            "only working orders are changed: left or right goes to Pending",
        ]


async def test_help_says_that_x_acts_in_positions_alone() -> None:
    async with Host() as host, console(host) as (app, pilot):
        await press(app, pilot, "question_mark")
        text = " ".join(shown(app).replace("│", " ").split())
        assert "In Positions: close the selected position, reduce-only" in text
        assert "In Orders: cancel the selected order" in text


async def test_c_cancels_an_order_and_asks_for_a_word_before_a_stop_goes() -> None:
    async with Host() as host:
        await morning(host)
        async with console(host) as (app, pilot):
            await press(app, pilot, "3")
            table = app.main.pane(3).table
            assert table is not None
            by_purpose = {
                str(o.purpose): o for o in host.engine.book.account("paper").orders.values()
            }
            table.move_cursor(by_purpose["ENTRY"].client_order_id)
            await press(app, pilot, "c")
            await host.clock.advance(1)
            assert (
                by_purpose["ENTRY"].client_order_id not in host.engine.book.account("paper").orders
            )
            stop = by_purpose["PROTECT"]
            await drawn(app, pilot)
            table.move_cursor(stop.client_order_id)
            await press(app, pilot, "c")
            assert isinstance(app.screen, ConfirmScreen)
            await press(app, pilot, "escape")
            assert stop.client_order_id in host.engine.book.account("paper").orders
            await press(app, pilot, "c")
            await write(app, pilot, "UNPROTECT")
            await press(app, pilot, "enter")
            await host.clock.advance(1)
            assert stop.client_order_id not in host.engine.book.account("paper").orders
            await press(app, pilot, "2")
            assert "NONE!" in shown(app)


async def test_capital_c_cancels_all_but_stops() -> None:
    async with Host() as host:
        await morning(host)
        async with console(host) as (app, pilot):
            await press(app, pilot, "C")
            await host.clock.advance(1)
            left = host.engine.book.account("paper").orders.values()
            assert {str(order.purpose) for order in left} == {"PROTECT"}
            await press(app, pilot, "C")
            words = [n.message for n in app._notifications]
            assert words == ["cancelling 1 order; protective stops stay", "nothing to cancel"]


async def test_reconcile_shows_a_difference_and_takes_it_over_typed() -> None:
    async with Host() as host:
        await morning(host)
        async with console(host) as (app, pilot):
            await press(app, pilot, "r")
            assert isinstance(app.screen, ReconcileScreen)
            assert "no difference" in shown(app)
            account = host.venue._account
            account.book_fill("JPM", Decimal(7), Decimal(241), Decimal(1), Decimal(0))
            await host.clock.advance(30)
            await press(app, pilot, "r")
            assert "BROKER_ONLY" in shown(app)
            await write(app, pilot, "APPLY")
            await press(app, pilot, "enter")
            assert "no difference" in shown(app)
            position = host.engine.book.holding("paper", "JPM")
            assert position is not None
            assert position.quantity == 7


@pytest.mark.parametrize(
    ("amount", "head"), [("-3000", "1 difference"), ("0.004", "no difference")]
)
async def test_reconcile_shows_cash_that_nothing_explains_and_takes_it_over(
    amount: str, head: str
) -> None:
    """X-75: whatever an apply would record can be applied, and only what is clean is called so."""
    async with Host() as host:
        await morning(host)
        async with console(host) as (app, pilot):
            host.venue._account.balances["USD"].cash += Decimal(amount)
            await host.clock.advance(30)
            await press(app, pilot, "r")
            assert head in shown(app)
            assert "CashAdjusted" in shown(app)
            assert (f"differs by {amount} USD" in shown(app)) is (head == "1 difference")
            await write(app, pilot, "APPLY")
            await press(app, pilot, "enter")
            assert "no difference" in shown(app)
            assert host.engine.book.account("paper").unexplained.is_nothing


async def test_reconcile_says_what_an_apply_leaves_to_the_next_comparison() -> None:
    """XOM is gone at the venue only after the comparison that was shown: it stays (X-75)."""
    async with Host() as host:
        await morning(host)
        async with console(host) as (app, pilot):
            account = host.venue._account
            account.book_fill("JPM", Decimal(7), Decimal(241), Decimal(1), Decimal(0))
            await host.clock.advance(30)
            await press(app, pilot, "r")
            held = host.engine.book.holding("paper", "XOM")
            assert held is not None
            account.book_fill("XOM", -held.quantity, Decimal(90), Decimal(1), Decimal(0))
            await write(app, pilot, "APPLY")
            await press(app, pilot, "enter")
            assert host.engine.book.holding("paper", "XOM") == held
            assert "XOM in paper is not taken over yet" in shown(app)
            await write(app, pilot, "APPLY")
            await press(app, pilot, "enter")
            assert "not taken over yet" not in shown(app)
            assert host.engine.book.holding("paper", "XOM") is None


# --- looking -------------------------------------------------------------------------------------


async def test_zoom_filter_and_escape() -> None:
    async with Host() as host:
        await morning(host)
        async with console(host) as (app, pilot):
            await press(app, pilot, "2", "z")
            assert sum("╭" in row for row in shown(app).splitlines()) == 1
            await press(app, pilot, "slash")
            await write(app, pilot, "xo")
            table = app.main.pane(2).table
            assert table is not None
            assert list(table.shown_keys()) == ["XOM"]
            assert "/xo" in shown(app)
            await press(app, pilot, "escape")
            assert table.shown_count == 3
            await press(app, pilot, "escape")
            assert not app.main.zoomed


async def test_orders_again_goes_through_its_tabs() -> None:
    async with Host() as host:
        await morning(host)
        async with console(host) as (app, pilot):
            pane = app.main.pane(3)
            assert isinstance(pane, OrdersPane)
            await press(app, pilot, "3")
            assert pane.tab == "pending"
            await press(app, pilot, "3")
            assert pane.tab == "fills"
            await press(app, pilot, "3")
            assert pane.tab == "history"
            assert "FILLED" in shown(app)
            await press(app, pilot, "right")
            assert pane.tab == "pending"


async def test_jump_goes_where_its_label_says() -> None:
    async with Host() as host, console(host) as (app, pilot):
        await press(app, pilot, "o", "5")
        assert app.main.active == 5
        await press(app, pilot, "o", "h")
        pane = app.main.pane(3)
        assert isinstance(pane, OrdersPane)
        assert (app.main.active, pane.tab) == (3, "history")
        await press(app, pilot, "o", "escape")
        assert app.main.active == 3


async def test_enter_says_why_a_signal_was_refused() -> None:
    async with Host() as host, console(host) as (app, pilot):
        host.price("AAPL", "229")
        await drawn(app, pilot)
        host.signal("AAPL", "229", "225", conviction=20)
        await press(app, pilot, "1", "enter")
        assert isinstance(app.screen, DetailScreen)
        text = shown(app)
        assert "LOW_CONVICTION" in text
        assert "STALE_SIGNAL" in text


# --- leaving -------------------------------------------------------------------------------------


@pytest.mark.parametrize("choice", ["leave", "quit", "halt_exit"])
async def test_leaving_asks_what_becomes_of_the_engine(choice: str) -> None:
    async with Host() as host:
        async with console(host) as (app, pilot):
            await press(app, pilot, "ctrl+q")
            assert isinstance(app.screen, QuitScreen)
            await press(app, pilot, "enter")
            assert not isinstance(app.screen, QuitScreen)
            await press(app, pilot, "ctrl+q")
            app.screen.query_one(f"#{choice}", Button).press()
            await pilot.pause()
        assert app.return_value == choice
        halted = host.engine.book.run_state is RunState.HALTED
        assert halted is (choice == "halt_exit")


async def test_the_choice_of_how_to_leave_shows_what_is_true_now() -> None:
    """It stays open while a person thinks: what is held and works goes on changing, and so does
    the run state."""
    async with Host() as host:
        await morning(host)
        async with console(host) as (app, pilot):
            await press(app, pilot, "ctrl+q")
            assert "The engine is ACTIVE: 3 positions, 4 working orders." in shown(app)
            assert "engine trades on" not in shown(app)
            assert (await host.engine.command(Kill(by="test", level=Level.HALT))).ok
            await host.clock.advance(2)
            await drawn(app, pilot)
            assert isinstance(app.screen, QuitScreen)
            assert "The engine is HALTED: 3 positions, 3 working orders." in shown(app)


def _order(side: Side, quantity: int, **fields: Any) -> PlaceOrder:
    return PlaceOrder(by="test", symbol="AAPL", side=side, quantity=Decimal(quantity), **fields)


async def test_the_choice_of_how_to_leave_names_what_would_have_no_stop() -> None:
    """Before the choice, in words: the quantity, the symbol, and what rests instead (rule 3)."""
    async with Host(reduce_only=False) as host, console(host) as (app, pilot):
        host.price("AAPL", "229")
        await settle()
        await host.engine.command(_order(Side.BUY, 10, protect=Decimal(225)))
        await host.clock.advance(2)
        await press(app, pilot, "ctrl+q")
        assert "nothing protects" not in shown(app)
        sale = _order(Side.SELL, 4, type=OrderType.LIMIT, limit_price=Decimal(240))
        assert (await host.engine.command(sale)).ok
        await host.clock.advance(2)
        await drawn(app, pilot)
        text = " ".join(shown(app).replace("│", " ").split())
        assert "Without the engine nothing protects:" in text
        assert "4 AAPL in paper: no stop, an order to sell 4 stays at the venue" in text
        assert isinstance(app.screen, QuitScreen)
        assert app.focused is app.screen.query_one("#back", Button), "to stay is still the first"


async def _break_a_pane(host: Host) -> None:
    def fail() -> None:
        raise RuntimeError("drawn badly")

    async with console(host) as (app, pilot):
        app.main.pane(2).call_later(fail)
        await pilot.pause()


async def test_an_error_in_a_pane_ends_the_console_and_not_the_engine() -> None:
    async with Host() as host:
        with pytest.raises(RuntimeError, match="drawn badly"):
            await _break_a_pane(host)
        host.price("AAPL", "229")
        await settle()
        host.signal("AAPL", "229", "225")
        await host.clock.advance(1)
        assert host.engine.book.run_state is RunState.ACTIVE
        assert host.engine.book.holding("paper", "AAPL") is not None


@pytest.mark.parametrize("key", ["question_mark", "h", "F"])
async def test_the_counts_on_the_tabs_go_on_under_a_dialog(key: str) -> None:
    async with Host() as host:
        await morning(host)
        async with console(host, (80, 24)) as (app, pilot):
            await press(app, pilot, key)
            assert "Positions·3" in shown(app).splitlines()[1]
            for symbol in ("NVDA", "AAPL", "XOM"):
                host.price(symbol, str(host.world.market.mark(symbol)))
            await settle()
            await host.engine.command(ask.CloseAll(by="t"))
            await host.clock.advance(2)
            await drawn(app, pilot)
            assert not host.engine.book.data.accounts["paper"].positions
            tabs = shown(app).splitlines()[1]
            assert "Positions·" not in tabs


@pytest.mark.parametrize("size", [(60, 20), (80, 24)])
async def test_z_gives_the_one_pane_the_rows_below_it_too(size: tuple[int, int]) -> None:
    async with Host() as host, console(host, size) as (app, pilot):
        await press(app, pilot, "2")
        before = app.main.pane(2).size.height
        assert "last events" in shown(app)
        await press(app, pilot, "z")
        assert app.main.pane(2).size.height == before + 5
        assert "last events" not in shown(app)
        await press(app, pilot, "z")
        assert app.main.pane(2).size.height == before
