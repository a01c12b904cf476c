"""The portfolio as all that is in sight shows it: of one moment, wherever it stands."""

from console.desk.port import View
from console.desk.values import PortfolioView
from console.ui.pump import Pump, PumpedPane


class Totals:
    """What all accounts are worth together, for the panes that show some of it.

    Whoever paints takes it first. Where it differs from what the others show they are painted in
    the same turn, so that no two numbers of one name on a screen are of two moments.
    """

    def __init__(self, view: View, pump: Pump) -> None:
        self._view = view
        self._pump = pump
        self._shown: PortfolioView | None = None
        self._panes: list[PumpedPane] = []
        self._telling = False

    def join(self, pane: PumpedPane) -> None:
        """Paint `pane`, which is registered with the pump, whenever the totals change."""
        self._panes.append(pane)

    def leave(self, pane: PumpedPane) -> None:
        """Forget `pane`."""
        self._panes.remove(pane)

    def take(self, by: PumpedPane) -> PortfolioView:
        """The totals of now, for `by` to paint; the other panes are painted if they changed."""
        if self._telling and self._shown is not None:
            return self._shown
        held = self._view.portfolio()
        if held != self._shown:
            self._shown = held
            self._telling = True
            try:
                self._pump.urgent(*(pane for pane in self._panes if pane is not by))
            finally:
                self._telling = False
        return held
