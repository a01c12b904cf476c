"""Numbers of a venue's answers that are none: the look or the question has failed (DESIGN, U-53).

Below, at and above each bound; and a whole engine whose second account tells NaN.
"""

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.account import Account, VenueOrder, VenuePosition
from engine.domain.failure import Throttled
from engine.domain.instant import EARLIEST, LATEST
from engine.domain.market import Bar, Quote
from engine.domain.money import DECIMALS, LARGEST
from engine.domain.order import Fill, OrderStatus, OrderType, Side
from engine.ports import OrderReport, Report
from engine.runtime.answers import (
    LONGEST_WAIT,
    account_fault,
    balance_fault,
    dated,
    order_fault,
    position_fault,
    wait_fault,
)
from tests.engine.wires import PRICE, Rig, Wire, play

D = Decimal
NONE = [D("NaN"), D("sNaN"), D("Infinity"), D("-Infinity"), LARGEST, -LARGEST, D("1e999999")]
NEAR = LARGEST - 1
FINEST = D(1).scaleb(-DECIMALS)

ACCOUNT = Account(
    account_id="a", cash=D(1), equity=D(2), buying_power=D(3), balances={"EUR": D(4)}, as_of=1
)
POSITION = VenuePosition(symbol="AAA", quantity=D(-5), average_price=D(10))
ORDER = VenueOrder(
    client_order_id="k",
    venue_order_id="v",
    symbol="AAA",
    side=Side.BUY,
    type=OrderType.STOP_LIMIT,
    quantity=D(5),
    filled=D(0),
    limit_price=D(10),
    stop_price=D(9),
    status=OrderStatus.NEW,
)


@pytest.mark.parametrize(
    ("cash", "equity", "fits"),
    [
        ("100", "100", True),
        ("99", "100", True),
        ("98.99", "100", False),
        ("100", "99", True),
        ("100", "98.99", False),
        ("0", "0", True),
        ("0", "1", False),
        ("-1", "1", False),
    ],
)
def test_an_account_that_holds_nothing_begins_with_its_cash(
    cash: str, equity: str, fits: bool
) -> None:
    """Its equity is that, but for a hundredth (X-75, U-53)."""
    plain = msgspec.structs.replace(ACCOUNT, currency="USD", balances={})
    told = msgspec.structs.replace(plain, cash=D(cash), equity=D(equity))
    in_dollars = msgspec.structs.replace(told, balances={"USD": D(cash)})
    for said in (told, in_dollars):
        assert (balance_fault(said, D(0), D(0)) == "") is fits
    # Of money in another currency nobody can say what it is worth.
    assert balance_fault(with_(told, "balances", {"EUR": D(1)}), D(0), D(0)) == ""


FILL = Fill(
    execution_id="e",
    client_order_id="k",
    account="a",
    symbol="AAA",
    side=Side.BUY,
    quantity=D(1),
    price=D(10),
    time=1,
)
QUOTE = Quote(symbol="AAA", bid=D(9), ask=D(11), last=D(10), time=1)
BAR = Bar(symbol="AAA", time=1, seconds=60, open=D(2), high=D(3), low=D(1), close=D(2))


def with_(whole: Any, name: str, number: Any) -> Any:
    return msgspec.structs.replace(whole, **{name: number})


@pytest.mark.parametrize("number", [*NONE, FINEST / 10], ids=str)
@pytest.mark.parametrize(
    ("check", "whole", "name"),
    [
        (account_fault, ACCOUNT, "cash"),
        (account_fault, ACCOUNT, "equity"),
        (account_fault, ACCOUNT, "buying_power"),
        (position_fault, POSITION, "quantity"),
        (position_fault, POSITION, "average_price"),
        (order_fault, ORDER, "quantity"),
        (order_fault, ORDER, "filled"),
        (order_fault, ORDER, "limit_price"),
        (order_fault, ORDER, "stop_price"),
    ],
)
def test_what_is_no_number_is_named(check: Any, whole: Any, name: str, number: Decimal) -> None:
    assert check(whole) == ""
    fault = check(with_(whole, name, number))
    assert f"{name} is " in fault
    assert "allowed" in fault
    assert len(fault) < 150


def test_a_balance_in_another_currency_is_named_with_it() -> None:
    fault = account_fault(with_(ACCOUNT, "balances", {"USD": D(1), "EUR": D("NaN")}))
    assert fault == "the account: cash in EUR is NaN; a finite number is allowed"


def test_what_an_adapter_counts_in_another_type_is_named() -> None:
    """Arithmetic of Decimals alone is exact; an adapter that forgets it is told at once."""
    for number in (100, 99.5, "100", None):
        fault = account_fault(with_(ACCOUNT, "cash", number))
        assert fault == f"the account: cash is {number!r}; a Decimal is allowed"


@pytest.mark.parametrize("number", [NEAR, -NEAR, FINEST, -FINEST, D(0)])
def test_what_is_owed_or_held_short_is_a_number(number: Decimal) -> None:
    for name in ("cash", "equity", "buying_power"):
        assert account_fault(with_(ACCOUNT, name, number)) == ""
    assert account_fault(with_(ACCOUNT, "balances", {"EUR": number})) == ""
    for name in ("quantity", "average_price"):
        assert position_fault(with_(POSITION, name, number)) == ""


@pytest.mark.parametrize(
    ("number", "quantity", "filled"),
    [(-FINEST, False, False), (D(0), False, True), (FINEST, True, True), (NEAR, True, True)],
)
def test_the_sign_of_an_orders_numbers(number: Decimal, quantity: bool, filled: bool) -> None:
    for name in ("quantity", "limit_price", "stop_price"):
        assert (order_fault(with_(ORDER, name, number)) == "") is quantity, name
    assert (order_fault(with_(ORDER, "filled", number)) == "") is filled


def test_an_order_without_prices_has_none_that_is_wrong() -> None:
    assert order_fault(with_(with_(ORDER, "limit_price", None), "stop_price", None)) == ""


@pytest.mark.parametrize(
    ("at", "can_be"),
    [
        (EARLIEST - 1, False),
        (EARLIEST, True),
        (0, True),
        (LATEST, True),
        (LATEST + 1, False),
        (10**24, False),
        (1.5, False),
        (None, False),
    ],
)
def test_a_time_is_one_that_nanoseconds_hold(at: Any, can_be: bool) -> None:
    """Of balances, a quote, a bar and a fill, which happened all the same (X-91)."""
    fault = account_fault(with_(ACCOUNT, "as_of", at))
    assert (fault == "") is can_be
    assert can_be or f"as_of is {at!r:.40}" in fault
    assert dated(with_(FILL, "time", at)).time == (at if can_be else 0)
    assert (with_(QUOTE, "time", at).fault == "") is can_be
    assert (with_(QUOTE, "stale_at", at).fault == "") is can_be
    assert (with_(BAR, "time", at).fault == "") is can_be


@pytest.mark.parametrize(
    ("number", "price", "side"),
    [
        (D("NaN"), False, False),
        (D("sNaN"), False, False),
        (-FINEST, False, False),
        (D(0), False, True),
        (FINEST, True, True),
        (NEAR, True, True),
        (LARGEST, False, False),
        (D("1e999999"), False, False),
    ],
    ids=str,
)
def test_a_price_is_above_0_and_below_the_largest_number(
    number: Decimal, price: bool, side: bool
) -> None:
    """Of a quote and a bar; a side may be 0, and a bar may have no volume."""
    alone = msgspec.structs.replace(QUOTE, bid=None, ask=None)
    assert (with_(alone, "last", number).fault == "") is price
    assert (with_(alone, "bid", number).fault == "") is side
    assert (with_(alone, "ask", number).fault == "") is side
    prices = dict.fromkeys(("open", "high", "low", "close"), number)
    assert (msgspec.structs.replace(BAR, **prices).fault == "") is price
    assert (with_(BAR, "volume", number).fault == "") is side


# --- what the engine makes of it ------------------------------------------------------------------


class Wrong(Wire):
    """Puts a number in the place of one, while it is told to."""

    cash: Decimal | None = None
    held: Decimal | None = None
    size: Decimal | None = None

    async def get_account(self) -> Account:
        told = await super().get_account()
        return told if self.cash is None else with_(told, "cash", self.cash)

    async def get_positions(self) -> tuple[VenuePosition, ...]:
        told = await super().get_positions()
        more = VenuePosition(symbol="BBB", quantity=self.held or D(1), average_price=PRICE)
        return told if self.held is None else (*told, more)

    async def get_open_orders(self) -> tuple[VenueOrder, ...]:
        return tuple(self._other(order) for order in await super().get_open_orders())

    async def get_order(self, client_order_id: str) -> VenueOrder | None:
        order = await super().get_order(client_order_id)
        return None if order is None else self._other(order)

    def _other(self, order: VenueOrder) -> VenueOrder:
        return order if self.size is None else with_(order, "quantity", self.size)


def test_U53_a_look_with_balances_that_are_no_numbers_has_failed() -> None:
    """The engine goes on, nothing of the look is taken, and it is told once."""

    async def scene(rig: Rig) -> None:
        key = await rig.rest()
        reserved = dict(rig.engine.book.reservations.by_symbol)
        cash, start = dict(rig.engine.book.account("paper").cash), rig.now
        assert isinstance(rig.wire, Wrong)
        rig.wire.cash = D("NaN")
        asked = await rig.engine.command(ask.Reconcile(by="test"))
        assert not asked.ok
        rig.cut()
        await rig.clock.sleep(1)
        rig.mend()
        await rig.clock.sleep(30)
        told = [a.text for a in rig.events(ev.Alarmed, start) if a.code == "RECONCILE_FAILED"]
        words = "the account: cash is NaN; a finite number is allowed"
        assert [words in text for text in told] == [True], (
            "the operator's look; the engine's says no more"
        )
        book = rig.engine.book
        assert not rig.is_compared
        assert (book.reservations.by_symbol, book.account("paper").cash) == (reserved, cash)
        assert key in book.account("paper").orders
        rig.wire.cash = None
        await rig.until(lambda: rig.is_compared)

    play(scene, wire=Wrong)


@pytest.mark.parametrize(
    ("name", "number", "symbol", "words"),
    [
        ("held", "NaN", "BBB", "the position in BBB: quantity is NaN; a finite number is allowed"),
        ("size", "NaN", "AAA", "quantity is NaN; a finite number is allowed"),
        ("size", "-5", "AAA", "quantity is -5; a number above 0 is allowed"),
    ],
)
def test_U53_a_row_with_a_number_that_is_none_freezes_its_symbol(
    name: str, number: str, symbol: str, words: str
) -> None:
    """Nothing of that symbol is taken or concluded, all else is compared, and it is told once."""

    async def scene(rig: Rig) -> None:
        key = await rig.rest()
        reserved = dict(rig.engine.book.reservations.by_symbol)
        cash, start = dict(rig.engine.book.account("paper").cash), rig.now
        setattr(rig.wire, name, D(number))
        asked = await rig.engine.command(ask.Reconcile(by="test"))
        assert asked.ok
        assert not asked.data["clean"]
        assert [words in note for note in asked.data["notes"]] == [True]
        rig.cut()
        await rig.clock.sleep(1)
        rig.mend()
        await rig.clock.sleep(30)
        told = [a.text for a in rig.events(ev.Alarmed, start) if a.code == "LOOK_INCOMPLETE"]
        assert [words in text for text in told] == [True]
        account = rig.engine.book.account("paper")
        assert rig.is_compared
        assert words in account.blocked[symbol]["unreadable"]
        assert not account.differences
        assert (rig.engine.book.reservations.by_symbol, account.cash) == (reserved, cash)
        assert key in account.orders
        setattr(rig.wire, name, None)
        await rig.engine.command(ask.Reconcile(by="test"))
        assert symbol not in account.blocked or "unreadable" not in account.blocked[symbol]

    play(scene, wire=Wrong)


class Misdated(Wire):
    """Takes nanoseconds for milliseconds in the time of fills and of reports of them."""

    async def reports(self) -> AsyncIterator[Report]:
        async for report in super().reports():
            fill = report.fill if isinstance(report, OrderReport) else None
            yield report if fill is None else with_(report, "fill", self._later(fill))

    async def get_fills_since(self, since: int) -> tuple[Fill, ...]:
        return tuple(map(self._later, await super().get_fills_since(since)))

    def _later(self, fill: Fill) -> Fill:
        return msgspec.structs.replace(fill, time=fill.time * 1_000_000)


def test_X91_a_fill_whose_time_can_be_none_is_taken_once_and_protected() -> None:
    async def scene(rig: Rig) -> None:
        rig.signal("AAA")
        await rig.clock.sleep(3)
        await rig.engine.command(ask.Reconcile(by="test"))
        assert [e.fill.time for e in rig.events(ev.OrderFilled)] == [0]
        (told,) = rig.engine.status()["positions"]
        assert told["protected"] == told["quantity"]
        assert rig.engine.status()["accounts"][0]["differences"] == []

    play(scene, wire=Misdated)


@pytest.mark.parametrize(
    ("seconds", "can_be"),
    [
        (-0.001, False),
        (0.0, True),
        (LONGEST_WAIT, True),
        (LONGEST_WAIT + 0.001, False),
        (float("nan"), False),
        (float("inf"), False),
        (10**400, False),
    ],
)
def test_a_wait_is_from_none_to_the_longest_ban(seconds: float, can_be: bool) -> None:
    assert (wait_fault(Throttled("wait", seconds)) == "") is can_be


@pytest.mark.parametrize("cash", ["1.8e308", "-1.8e308", "1e15"])
def test_X13_an_absurd_balance_moves_no_high_water_mark(cash: str) -> None:
    async def scene(rig: Rig) -> None:
        data = rig.engine.book.data
        before = (
            data.peak_equity,
            data.starting_equity,
            data.flows,
            rig.engine.world.money.daily_pnl,
        )
        for told in (D(cash), None):
            rig.wire.cash = told  # type: ignore[attr-defined]
            await rig.engine.command(ask.Reconcile(by="test"))
            await rig.clock.sleep(61)
        after = (
            data.peak_equity,
            data.starting_equity,
            data.flows,
            rig.engine.world.money.daily_pnl,
        )
        assert after == before

    play(scene, wire=Wrong)
