"""Each fault that docs/faults.md names has the test that it says, and all tests are real (E-10)."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "faults.md").read_text(encoding="utf-8")
BROKERS = ROOT / "tests" / "brokers"


def _rows() -> Iterator[tuple[str, str, list[str]]]:
    """The fault, where its tests are said to be, and one test."""
    for section in PAGE.split("\n## ")[1:]:
        head, *lines = section.splitlines()
        (usual,) = re.findall(r"`(tests/\S+\.py)`", head)
        for line in lines:
            if not line.startswith("| ") or line.startswith("| Fault "):
                continue
            _, fault, tests, _ = (cell.strip() for cell in line.split("|"))
            for name, place in re.findall(r"`(test_\w+)`(?: \((\S+\.py)\))?", tests):
                yield fault, name, [usual, place, f"tests/brokers/{place}"]
            assert "`test_" in tests, f"no test of: {fault}"


ROWS = list(_rows())


@pytest.mark.parametrize(("fault", "name", "places"), ROWS, ids=[name for _, name, _ in ROWS])
def test_the_test_of_a_fault_is_there(fault: str, name: str, places: list[str]) -> None:
    sought = re.compile(rf"^(async )?def {name}\(", re.MULTILINE)
    files = [ROOT / place for place in (places if places[1] else places[:1])]
    assert any(f.is_file() and sought.search(f.read_text(encoding="utf-8")) for f in files), fault


def test_the_page_has_the_six_venues() -> None:
    heads = re.findall(r"^## (.+?) \(", PAGE, re.MULTILINE)
    assert heads == ["Alpaca", "Interactive Brokers", "Binance", "Coinbase", "OKX", "OANDA"]
