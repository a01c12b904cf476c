"""What keys do to what is under the cursor: a ticket, a close, a cancel, a change.

A row that came under the cursor by itself, just now, is named before anything is done to it.
"""

from typing import cast

from console.commands.table import UNPROTECT
from console.ui.asking_app import AskingApp
from console.ui.format import counted
from console.ui.lines import order_words
from console.ui.panes.orders import TABS, OrdersPane
from console.ui.panes.positions import PositionsPane
from console.ui.screens.change import ChangeOrderScreen, ChangePositionScreen
from console.ui.screens.main import MainScreen
from console.ui.screens.reconcile import ReconcileScreen
from console.ui.screens.ticket import TicketScreen
from console.ui.widgets.confirm import ConfirmScreen
from engine.domain import commands as ask
from engine.domain.order import Side


class TradingApp(AskingApp):
    """Trades from the panes of `MainScreen`."""

    _ticket_for: tuple[str, tuple[int, int]] | None = None
    """The symbol of the last ticket, and where a person's hand had put the cursor then."""

    @property
    def main(self) -> MainScreen:
        """The screen of the panes, whatever lies over it."""
        return cast(MainScreen, self.screen_stack[0])

    @property
    def _over_main(self) -> bool:
        """True while nothing lies over the panes."""
        return isinstance(self.screen, MainScreen)

    def action_ticket(self, side: str) -> None:
        """A ticket for the symbol that is selected.

        One that came under the cursor by itself, just now or since the last ticket, is named first.
        """
        if not self._over_main:
            return
        pane, symbol, hand = self.main.active_pane, self.main.symbol, self.main.hand
        last, self._ticket_for = self._ticket_for, (symbol, hand)
        moved = isinstance(pane, PositionsPane | OrdersPane) and pane.take_moved()
        if moved or (last is not None and last[0] != symbol and last[1] == hand):
            key = "b" if side == Side.BUY else "s"
            self._tell(f"the rows moved: press {key} again for a ticket in {symbol}", warn=True)
            return
        ticket = TicketScreen(Side(side), symbol, self._account())

        def closed(sent: str | None) -> None:
            if sent and ticket.reviewed is not None:
                # what it buys may come under the cursor: that is where the hand is
                self._ticket_for = ticket.reviewed.symbol, hand
            self._changed(sent)

        self.push_screen(ticket, closed)

    def _account(self) -> str:
        """The account of the position that is selected, where there are several accounts."""
        pane = self.main.active_pane
        key = pane.selected if isinstance(pane, PositionsPane) else None
        if key is None or len(self.desk.view.accounts()) < 2:
            return ""
        return self.desk.view.account_of(key)

    def _changed(self, sent: str | None) -> None:
        if sent:
            self._tell(sent)

    def action_close_position(self) -> None:
        """Close what is selected in Positions, at once (reducing is never asked twice).

        Only rows that moved under the cursor by themselves are named first.
        """
        pane = self.main.active_pane
        key = pane.selected if isinstance(pane, PositionsPane) else None
        if not isinstance(pane, PositionsPane):
            self._elsewhere("2", "x closes", "Positions")
            return
        if key is None:
            self._tell("there is no position to close", warn=True)
            return
        symbol = self.desk.view.symbol_of(key)
        if pane.take_moved():
            self._tell(f"the rows moved: press x again to close {key}", warn=True)
            return
        account = self.desk.view.account_of(key)
        self.ask(
            ask.ClosePosition(by=self.by, symbol=symbol, broker=account), done=f"closing {key}"
        )

    def action_cancel_order(self) -> None:
        """Cancel what is selected in Orders; taking a stop away is typed.

        Only rows that moved under the cursor by themselves are named first.
        """
        pane = self.main.active_pane
        key = pane.selected if isinstance(pane, OrdersPane) else None
        order = None if key is None else self.desk.view.order(key)
        if not isinstance(pane, OrdersPane):
            self._elsewhere("3", "c cancels", "Orders")
            return
        if order is None or not order.working:
            self._no_order(pane, "cancel", "cancelled")
            return
        if pane.take_moved():
            words = f"the rows moved: press c again to cancel {order_words(order)}"
            self._tell(words, warn=True)
            return
        command = ask.CancelOrder(by=self.by, client_order_id=order.client_order_id)
        if not order.protective:
            self.ask(command, done=f"cancelling {order_words(order)}")
            return
        lines = [order_words(order), f"protects {order.symbol}: without it nothing does."]
        typed = ask.CancelOrder(
            by=self.by, client_order_id=order.client_order_id, confirm=UNPROTECT.phrase
        )
        screen = ConfirmScreen(
            "Take the stop away", lines, phrase=UNPROTECT.phrase, action="Unprotect"
        )
        self._confirm(
            screen, lambda: self.ask(typed, done=f"{order.symbol} loses its stop"), "the stop stays"
        )

    def action_modify(self) -> None:
        """Change the order or the position that is selected."""
        if not self._over_main:
            return
        pane = self.main.active_pane
        view = self.desk.view
        if isinstance(pane, PositionsPane):
            position = None if pane.selected is None else view.position(pane.selected)
            if position is None:
                self._tell("there is no position to change", warn=True)
            else:
                self.push_screen(ChangePositionScreen(position), self._changed)
        elif isinstance(pane, OrdersPane):
            order = None if pane.selected is None else view.order(pane.selected)
            if order is None or not order.working:
                self._no_order(pane, "change", "changed")
            else:
                self.push_screen(ChangeOrderScreen(order), self._changed)
        else:
            self._elsewhere("2 or 3", "m changes", "Positions or Orders")

    def _elsewhere(self, key: str, does: str, pane: str) -> None:
        """A key that acts on a row was pressed where it acts on none."""
        here = self.main.active_pane.title
        words = f"keys go to {here}: press {key} first, {does} what is selected in {pane}"
        self._tell(words, warn=True)

    def _no_order(self, pane: OrdersPane, verb: str, done: str) -> None:
        if pane.tab == TABS[0]:
            self._tell(f"there is no working order to {verb}", warn=True)
        else:
            words = f"only working orders are {done}: left or right goes to Pending"
            self._tell(words, warn=True)

    def action_cancel_all(self) -> None:
        """Every working order but protective stops."""
        count = self.desk.view.run().cancellable
        words = f"cancelling {counted(count, 'order')}; protective stops stay"
        self.ask(ask.CancelAll(by=self.by), done=words if count else "nothing to cancel")

    def action_reconcile(self) -> None:
        """Differences with the venue."""
        if self._over_main:
            self.push_screen(ReconcileScreen())
