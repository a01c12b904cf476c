"""A number of any size in a config is refused by its key, with what is allowed there."""

from decimal import Decimal

import pytest

from engine.config import ConfigError
from engine.config.toml import read_toml
from tests.configs import parse

ENDLESS = ("9" * 5_000, "-" + "9" * 5_000, "9_" * 5_000 + "9", "0x" + "f" * 5_000)
OUT_OF_REACH = ("1e99999999999999999999", "-1e+99999999999999999999", "1.5e-99999999999999999999")
NUMBERS = {
    "market.seed": "a whole number from 0 to 9223372036854775807",
    "market.symbols": "a list of 1 to 500 different symbols",
    "risk.max_gross_exposure": "a fraction of 1, above 0 and at most 1 (0.02 is 2 %)",
}
OTHERS = ("market.file", "mode", "brokers.paper.account_id", "brokers.mine.kind", "alerts.urls")
UNKNOWN = "colour"


def only(text: str, environ: dict[str, str]) -> str:
    """The one sentence that refuses a config."""
    with pytest.raises(ConfigError) as caught:
        parse(text, environ)
    (problem,) = caught.value.problems
    return problem


def in_file(key: str, written: str) -> str:
    *section, name = key.split(".")
    head = f"[{'.'.join(section)}]\n" if section else ""
    return f"{head}{name} = {written}\n"


@pytest.mark.parametrize(
    "written", [*ENDLESS, *OUT_OF_REACH], ids=lambda text: text[:12] + text[-3:]
)
@pytest.mark.parametrize("key", [*NUMBERS, *OTHERS, UNKNOWN])
def test_a_number_that_nothing_can_be_is_refused_by_its_key(key: str, written: str) -> None:
    problem = only(in_file(key, written), {})
    assert key in problem
    assert "is refused: allowed is " in problem or "is unknown: " in problem
    assert "Exceeds the limit" not in problem
    assert len(problem) < 600


@pytest.mark.parametrize(
    "written", [*ENDLESS, *OUT_OF_REACH], ids=lambda text: text[:12] + text[-3:]
)
@pytest.mark.parametrize(("key", "allowed"), NUMBERS.items())
def test_so_it_is_from_the_environment(key: str, allowed: str, written: str) -> None:
    variable = "MERIDIAN_" + key.upper().replace(".", "__")
    problem = only("", {variable: written})
    assert problem.startswith(f"{key} ({variable}) = ")
    fine = "e-" in written and key == "risk.max_gross_exposure"
    places = " with at most 18 digits after the point" if fine else ""
    assert problem.endswith(f" is refused: allowed is {allowed}{places}.")


def test_every_other_key_stands_as_it_is_written_beside_one() -> None:
    tree = read_toml(f'a = {"9" * 5_000}\nb = "{"é" * 200}"\nc = 1.50\nd = [1, {"8" * 5_000}]\n')
    assert tree["b"] == "é" * 200
    assert tree["c"] == Decimal("1.50")
    assert tree["d"][0] == 1


@pytest.mark.parametrize("digits", [20, 99, 100, 101, 308, 309, 4_300])
def test_a_number_that_python_reads_keeps_its_value(digits: int) -> None:
    text = "7" * digits
    assert read_toml(f"a = {text}\n")["a"] == Decimal(text)
    assert str(read_toml(f"a = {text}\n")["a"]) == text


def test_text_that_is_nothing_but_digits_is_text() -> None:
    text = "7" * 5_000
    assert read_toml(f'a = "{text}"\n')["a"] == text
