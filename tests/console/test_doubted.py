"""What a comparison is unsure of reaches whoever asked for it (A-373, X-69, fault 42)."""

from decimal import Decimal
from typing import Any

import pytest

from console.cli.operate import _print_reconcile
from console.host.operations import reconciled
from engine.domain import commands as ask
from engine.domain.result import Result
from tests.engine.liar import Table, play


def doubtful() -> Result:
    """A look that lists 57 of what is held as 50, while a close of it is on its way."""
    seen: list[Result] = []

    async def scene(table: Table) -> None:
        await table.buy(50)
        await table.wait(10)
        table.venue.move("AAA", Decimal(7))
        table.venue.silent = {"submit"}
        await table.engine.command(ask.ClosePosition(by="test", symbol="AAA"))
        await table.wait(0.1)
        seen.append(await table.engine.command(ask.Reconcile(by="test")))

    play(scene)
    return seen[0]


DOUBTED = {"broker": "paper", "symbol": "AAA", "kind": "QTY_MISMATCH", "local": "50", "venue": "57"}


def test_a373_what_is_in_doubt_is_in_the_document() -> None:
    told = reconciled(doubtful())
    assert (told["clean"], told["differences"]) == (False, [])
    assert told["doubted"] == [DOUBTED]


def test_a373_it_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    _print_reconcile(reconciled(doubtful()))
    text = capsys.readouterr().out
    assert "the comparison is not clean" in text
    assert "AAA in paper: 50 here, 57 there" in text


@pytest.mark.parametrize("missing", ["clean", "differences", "events"])
def test_x69_an_answer_that_does_not_say_whether_it_is_clean_is_none(missing: str) -> None:
    """Nothing stands in for what was not said, least of all that all is well."""
    data: dict[str, Any] = {"clean": True, "differences": [], "events": []}
    del data[missing]
    with pytest.raises(KeyError):
        reconciled(Result(ok=True, data=data))
