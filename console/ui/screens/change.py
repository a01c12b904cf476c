"""What changes a working order, or the stop and the target of a position (X-85, X-88).

The fields hold what stands. Enter sends what was typed over, and nothing else; a refusal is said
under the fields, which stay open.
"""

from decimal import Decimal
from typing import ClassVar, Final, NamedTuple

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.widgets import Input, Label

from console.commands.table import UNPROTECT
from console.desk.port import Result
from console.desk.values import OrderRow, PositionRow
from console.ui.console import console_of
from console.ui.external import literal
from console.ui.format import number
from console.ui.lines import order_words
from console.ui.screens.base import MeridianModal
from console.ui.widgets.choice import Choice
from console.ui.widgets.confirm import ConfirmScreen
from console.ui.widgets.field import Field, number_in
from console.ui.widgets.text_lines import TextLines, plain_line, wrapped
from engine.domain import commands as ask
from engine.domain.inputs import Command
from engine.domain.money import plain
from engine.domain.order import OrderType, TimeInForce

PRICES: Final = {
    OrderType.MARKET: (),
    OrderType.LIMIT: ("limit",),
    OrderType.STOP: ("stop",),
    OrderType.STOP_LIMIT: ("limit", "stop"),
}
"""The prices that a type of order has."""


class Asked(NamedTuple):
    """One command of a dialog, what it is in words, and the numbers that stand once it is done."""

    command: Command
    words: str
    numbers: dict[str, Decimal | None]


class ChangeScreen(MeridianModal[str]):
    """Fields with what stands; subclasses say what they are, and make commands of them.

    Its result is one sentence on what was sent, None where nothing was.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "close", "Leave"),
        Binding("up", "app.focus_previous", "Up", show=False),
        Binding("down", "app.focus_next", "Down", show=False),
        Binding("enter", "send", "Send", show=False),
    ]
    DEFAULT_CSS = """
    ChangeScreen {
        & > .modal--frame { border: round $primary; border-title-color: $primary; }
        & .change--field { height: 1; }
        & .change--field Label { width: 12; color: $muted; }
        & Input { width: 1fr; height: 1; border: none; padding: 0 1; background: $panel; }
        & Input:focus {
            background: $block-cursor-background;
            color: $block-cursor-foreground;
        }
        & Choice { width: 1fr; }
        & #change-what { height: auto; margin-bottom: 1; }
        & #change-said { height: auto; min-height: 2; margin-top: 1; }
    }
    """

    def __init__(self, title: str, what: str, numbers: dict[str, Decimal | None]) -> None:
        super().__init__()
        self._title = title
        self._what = what
        self._numbers = numbers
        """What stands, by the name of its field."""
        self._asked: list[Asked] = []
        """What has not been answered, or not been sent; the first is under way."""
        self._done: list[str] = []
        """What was done while the dialog is open, in words."""

    def body(self) -> ComposeResult:
        """What is changed, a line a field, and what was said."""
        yield TextLines(id="change-what")
        for name, value in self._numbers.items():
            with Horizontal(classes="change--field"):
                yield Label(literal(name.capitalize()))
                text = "" if value is None else plain(value)
                yield Field(text, id=name, compact=True)
        yield from self.more()
        yield TextLines(id="change-said")

    def more(self) -> ComposeResult:
        """Fields that hold no number."""
        yield from ()

    def on_mount(self) -> None:
        """The title, and the first field with what stands in it."""
        self.frame.border_title = literal(self._title)
        self.frame.border_subtitle = literal("enter sends what was changed   esc leaves")
        self.query_one("#change-what", TextLines).show_lines([((self._what, "strong"),)])
        self.query(Input).first().focus()

    def commands(self, changed: dict[str, Decimal | None]) -> list[Asked] | str:
        """What is asked, from the numbers that are not what stood; None is a field left empty. Or
        one sentence on what must be known before it is."""
        raise NotImplementedError

    def words_of(self, changed: dict[str, Decimal | None]) -> str:
        """The change of so many numbers, in words."""
        return ", ".join(
            f"{name} {_words(self._numbers[name])} to {_words(value)}"
            for name, value in changed.items()
        )

    def changed(self) -> dict[str, Decimal | None] | str:
        """The numbers that were typed over, or one sentence on what is none."""
        found: dict[str, Decimal | None] = {}
        for name, stood in self._numbers.items():
            try:
                value = number_in(name, self.query_one(f"#{name}", Input).value)
            except ValueError as none:
                return str(none)
            if value != stood:
                found[name] = value
        return found

    @on(Input.Submitted)
    def _entered(self, event: Input.Submitted) -> None:
        event.stop()
        self.action_send()

    def action_send(self) -> None:
        """Ask for what was changed."""
        if self._asked:
            return
        changed = self.changed()
        if isinstance(changed, str):
            self.say(changed, "warn")
            return
        asked = self.commands(changed)
        if isinstance(asked, str):
            self.say(asked, "warn")
        elif asked:
            self.ask(asked)
        elif self.app.screen is self:
            self.say("nothing was changed", "warn")

    def ask(self, asked: list[Asked]) -> None:
        """Hand the commands over, one after the other; after a refusal none is sent any more."""
        self._asked = asked
        self.say("sending …", "warn")
        self._send()

    def _send(self) -> None:
        console_of(self.app).ask(self._asked[0].command, answered=self._answered)

    def _answered(self, result: Result) -> None:
        if not self.is_attached:
            return
        asked, *left = self._asked
        if not result.ok:
            self._asked = []
            self.say(f"{self._came_of(left)}refused: {result.code} {result.error}", "loss")
            return
        self._asked = left
        self._done.append(asked.words)
        self._numbers |= asked.numbers
        if left:
            self._send()
        else:
            self.dismiss(f"{self._what}: {', '.join(self._done)}")

    def _came_of(self, left: list[Asked]) -> str:
        """What was done before the refusal, and what was not sent after it; "" for neither."""
        done = f"done: {', '.join(self._done)}. " if self._done else ""
        rest = f"not sent: {', '.join(one.words for one in left)}. " if left else ""
        return done + rest

    def say(self, words: str, style: str) -> None:
        """One sentence under the fields."""
        said = self.query_one("#change-said", TextLines)
        said.show_lines(plain_line(line, style) for line in wrapped(words, said.size.width or 60))


def _words(number: Decimal | None) -> str:
    return "none" if number is None else plain(number)


class ChangeOrderScreen(ChangeScreen):
    """`m` on an order: quantity, prices, time in force; of a stop that protects, its price."""

    def __init__(self, order: OrderRow) -> None:
        prices = {"limit": order.limit_price, "stop": order.stop_price}
        numbers = {} if order.protective else {"quantity": order.quantity}
        numbers |= {name: prices[name] or Decimal(0) for name in PRICES[order.type]}
        super().__init__("Change an order", order_words(order), dict(numbers))
        self._order = order
        self._ends_at: Decimal | None = None
        """The quantity of which it was said that it cancels the order."""

    def more(self) -> ComposeResult:
        """The time in force."""
        if self._order.protective:
            return
        with Horizontal(classes="change--field"):
            yield Label(literal("TIF"))
            now = str(self._order.time_in_force)
            others = [str(one) for one in TimeInForce if str(one) != now]
            yield Choice((now, *others), id="tif")

    def commands(self, changed: dict[str, Decimal | None]) -> list[Asked] | str:
        """One command with everything that was typed over; an empty field changes nothing.

        A quantity that leaves nothing to fill cancels the order: that is said first.
        """
        tif = None
        if not self._order.protective:
            chosen = TimeInForce(self.query_one("#tif", Choice).value)
            tif = None if chosen is self._order.time_in_force else chosen
        given = {name: value for name, value in changed.items() if value is not None}
        if not given and tif is None:
            return []
        quantity = given.get("quantity")
        if quantity is not None and quantity <= self._order.filled and quantity != self._ends_at:
            self._ends_at = quantity
            filled = plain(self._order.filled)
            return f"quantity {plain(quantity)} cancels it ({filled} filled): enter again does so"
        in_force = "" if tif is None else f"time in force {tif}"
        command = ask.ModifyOrder(
            by=console_of(self.app).by,
            client_order_id=self._order.client_order_id,
            quantity=quantity,
            limit_price=given.get("limit"),
            stop_price=given.get("stop"),
            time_in_force=tif,
        )
        words = ", ".join(filter(None, [self.words_of({**given}), in_force]))
        return [Asked(command, words, {**given})]


class ChangePositionScreen(ChangeScreen):
    """`m` on a position: its stop and its target; an empty field takes them away."""

    def __init__(self, position: PositionRow) -> None:
        what = f"{number(position.quantity)} {position.symbol} in {position.account}"
        super().__init__(
            "Stop and target", what, {"stop": position.stop, "target": position.target}
        )
        self._position = position

    def commands(self, changed: dict[str, Decimal | None]) -> list[Asked] | str:
        """One command for each, the stop first; the end of a stop is typed first, and goes last."""
        position, by = self._position, console_of(self.app).by
        named = {"symbol": position.symbol, "broker": position.account}
        asked: list[Asked] = []
        if changed.get("stop") is not None:
            moved = ask.Protect(by=by, price=changed["stop"], **named)
            asked.append(self._one("stop", moved, changed))
        if "target" in changed:
            moved_target = ask.SetTarget(by=by, price=changed["target"], **named)
            asked.append(self._one("target", moved_target, changed))
        if "stop" in changed and changed["stop"] is None:
            bare = ask.Protect(by=by, price=None, confirm=UNPROTECT.phrase, **named)
            self._take_away([*asked, self._one("stop", bare, changed)])
            return []
        return asked

    def _one(self, name: str, command: Command, changed: dict[str, Decimal | None]) -> Asked:
        numbers = {name: changed[name]}
        return Asked(command, self.words_of(numbers), numbers)

    def _take_away(self, asked: list[Asked]) -> None:
        """The stop goes only once it is typed out; until then nothing is sent."""
        lines = [f"{self._position.symbol} is then held without a stop: nothing protects it."]
        screen = ConfirmScreen(
            "Take the stop away", lines, phrase=UNPROTECT.phrase, action="Unprotect"
        )

        def decided(yes: bool | None) -> None:
            if yes is True:
                self.ask(asked)
            else:
                self.say("the stop stays", "warn")

        self.app.push_screen(screen, decided)
