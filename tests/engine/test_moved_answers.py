"""`protect` and `target` answer with what was done (X-85, INTERFACE)."""

from decimal import Decimal
from typing import Any

from engine.domain import commands as ask
from tests.engine.liar import Table, play

D = Decimal


def test_x85_protect_and_target_say_what_stood_before_and_what_does_now() -> None:
    async def scene(table: Table) -> None:
        await table.buy(10)

        async def said(command: Any) -> dict[str, Any]:
            done = await table.engine.command(command)
            assert done.ok, done.error
            await table.wait(1)
            return {name: value for name, value in done.data.items() if name != "client_order_ids"}

        where = {"symbol": "AAA", "broker": "paper"}
        stop = ask.Protect(by="test", symbol="AAA", price=D(90))
        assert await said(stop) == where | {"stop": "90", "before": None}
        stop = ask.Protect(by="test", symbol="AAA", price=D("95.5"))
        assert await said(stop) == where | {"stop": "95.5", "before": "90"}
        assert await said(stop) == {"symbol": "AAA", "stop": "95.5", "before": "95.5"}
        gone = ask.Protect(by="test", symbol="AAA", price=None, confirm="UNPROTECT")
        assert await said(gone) == where | {"stop": None, "before": "95.5"}
        target = ask.SetTarget(by="test", symbol="AAA", price=D(120))
        assert await said(target) == where | {"target": "120", "before": None}
        target = ask.SetTarget(by="test", symbol="AAA", price=None)
        assert await said(target) == where | {"target": None, "before": "120"}

    play(scene)
