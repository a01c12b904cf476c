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


def test_an_execution_that_was_assumed_before_it_was_told_is_one() -> None:
    sheet = Sheet()
    sheet.take("AAA", D(-91), D(88), D(9))
    sheet.assume("stop", "AAA", D(72), D("88.80"))
    assert (sheet.held(), sheet.assumed("stop")) == ({"AAA": -19}, 72)
    sheet.told("stop", "AAA", D(72), D("90.93"), D(7))
    assert (sheet.held(), sheet.assumed("stop")) == ({"AAA": -19}, 0)
    sheet.told("stop", "AAA", D(19), D("91.32"), D(2))
    assert sheet.held() == {}
    assert sheet.profit({}) == 91 * 88 - 72 * D("90.93") - 19 * D("91.32") - 18


def test_what_is_told_of_an_order_is_what_was_assumed_of_it_as_far_as_that_goes() -> None:
    sheet = Sheet()
    sheet.assume("one", "AAA", D(5), D(10))
    sheet.assume("one", "AAA", D(5), D(12))
    sheet.told("other", "AAA", D(3), D(11), D(0))
    assert (sheet.held(), sheet.assumed("one")) == ({"AAA": 13}, 10)
    sheet.told("one", "AAA", D(7), D(11), D(0))
    assert (sheet.held(), sheet.assumed("one")) == ({"AAA": 13}, 3)
    assert sheet.profit({"AAA": D(11)}) == -3
    sheet.told("one", "AAA", D(7), D(11), D(0))
    assert (sheet.held(), sheet.assumed("one")) == ({"AAA": 17}, 0)
    assert sheet.profit({"AAA": D(11)}) == 0


def test_a_split_changes_no_profit() -> None:
    sheet = Sheet()
    sheet.take("AAA", D(14), D(70), D(0))
    sheet.split("AAA", 7)
    assert (sheet.profit({"AAA": D(10)}), sheet.held()) == (0, {"AAA": 98})
