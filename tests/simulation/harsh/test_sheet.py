"""The independent ledger, against sums done by hand."""

from decimal import Decimal

from tests.simulation.harsh.sheet import Sheet

D = Decimal


def test_profit_is_what_everything_is_worth_less_what_was_paid() -> None:
    sheet = Sheet()
    sheet.take("AAA", D(99), D(100), D("9.9"))
    assert sheet.profit({"AAA": D(100)}) == D("-9.9")
    sheet.take("AAA", D(-99), D(70), D("6.93"))
    assert sheet.profit({}) == D(-2970) - D("16.83")
    assert (sheet.fees, sheet.held()) == (D("16.83"), {})


def test_profit_does_not_depend_on_the_order_of_executions() -> None:
    trades = [(D(10), D(5)), (D(-4), D(7)), (D(-10), D(6)), (D(2), D(3))]
    one, other = Sheet(), Sheet()
    for bought, price in trades:
        one.take("AAA", bought, price, D(1))
    for bought, price in reversed(trades):
        other.take("AAA", bought, price, D(1))
    prices = {"AAA": D(8)}
    assert one.profit(prices) == other.profit(prices) == D(-50 + 28 + 60 - 6 - 4) + D(-2) * 8


def test_the_average_follows_a_turn_over_zero() -> None:
    sheet = Sheet()
    sheet.take("AAA", D(10), D(5), D(0))
    sheet.take("AAA", D(10), D(7), D(0))
    assert sheet.holdings["AAA"].average == 6
    sheet.take("AAA", D(-5), D(9), D(0))
    assert (sheet.holdings["AAA"].quantity, sheet.holdings["AAA"].average) == (15, 6)
    sheet.take("AAA", D(-20), D(9), D(0))
    assert (sheet.holdings["AAA"].quantity, sheet.holdings["AAA"].average) == (-5, 9)


def test_what_is_adopted_is_no_profit_and_earns_from_then_on() -> None:
    sheet = Sheet()
    sheet.adopt("AAA", D(99), D(100))
    assert sheet.profit({"AAA": D(100)}) == 0
    assert sheet.profit({"AAA": D(101)}) == 99
    sheet.adopt("AAA", D(-99), D(101))
    assert (sheet.profit({}), sheet.held()) == (99, {})


def test_a_split_changes_no_profit() -> None:
    sheet = Sheet()
    sheet.take("AAA", D(14), D(70), D(0))
    sheet.split("AAA", 7)
    assert (sheet.profit({"AAA": D(10)}), sheet.held()) == (0, {"AAA": 98})
