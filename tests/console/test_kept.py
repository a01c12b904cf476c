"""What a kill leaves as it is, it names: on the halt screen and from the command line (X-52)."""

from decimal import Decimal
from typing import Any

import pytest

from console.cli.killing import _print
from console.desk.values import HaltedAccount, KillRow
from console.host.kill_report import KillReport
from console.ui.screens.halt import Proof
from engine.domain.commands import Kill, PlaceOrder
from engine.domain.order import OrderType, Side
from engine.domain.run import Flatten, Level
from engine.domain.signal import TradeType
from tests.console.hosts import Host, console, press, settle, shown


async def held(host: Host, symbol: str, hold: TradeType, *, stop: str | None = None) -> None:
    """Ten of it are held, with a stop or without."""
    host.price(symbol, "229.00")
    await settle()
    protect = None if stop is None else Decimal(stop)
    asked = PlaceOrder(
        by="test", symbol=symbol, side=Side.BUY, quantity=Decimal(10), hold=hold, protect=protect
    )
    assert (await host.engine.command(asked)).ok
    await host.clock.advance(2)


async def killed(host: Host, flatten: Flatten) -> dict[str, Any]:
    """The report of a kill of that scope, once it is proved."""
    report = KillReport(host.engine.world)
    await host.engine.command(Kill(by="test", level=Level.KILL, flatten=flatten, reason="test"))
    await host.clock.advance(10)
    return report.document()


@pytest.mark.parametrize(
    ("flatten", "kept"),
    [
        (Flatten.ALL, []),
        (Flatten.DAY, ["AAPL 10 without a stop", "SPY 10"]),
        (Flatten.NONE, ["AAPL 10 without a stop", "MSFT 10 without a stop", "SPY 10"]),
    ],
    ids=str,
)
async def test_a_kill_names_what_it_keeps_and_what_of_it_has_no_stop(
    flatten: Flatten, kept: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    async with Host() as host:
        await held(host, "AAPL", TradeType.SWING)
        await held(host, "MSFT", TradeType.DAY)
        await held(host, "SPY", TradeType.SWING, stop="220")
        found = await killed(host, flatten)
        row = found["brokers"]["paper"]
        assert (row["state"], row["left"], row["kept"]) == ("VERIFIED", [], kept)
        _print(found)
        said = capsys.readouterr().out
        assert [line for line in said.splitlines() if "KEPT" in line] == [
            f"  KEPT: {item}" for item in kept
        ]
        assert ("the stops of what is kept" in said) == bool(kept)


@pytest.mark.parametrize("kept", [(), ("SPY 10",)])
def test_c502_the_halt_screen_does_not_call_flat_what_vanished_without_a_fill(
    kept: tuple[str, ...],
) -> None:
    halted = HaltedAccount(
        account="paper",
        entries_working=0,
        positions=len(kept),
        stops=0,
        entries_cancelled=0,
        stops_cancelled=0,
        working=True,
        state="VERIFIED",
        closed=0,
        kept=kept,
        vanished=("AAPL 10",),
        kill=KillRow(state="VERIFIED"),
    )
    said = ["".join(text for text, _ in line) for line in Proof()._kill(halted, 0)]
    assert "    vanished, no fill was told: AAPL 10" in said
    assert any("NOT PROVED SOLD" in line for line in said)
    assert not any("FLAT within scope" in line for line in said)


@pytest.mark.slow
async def test_the_halt_screen_names_what_a_kill_keeps_without_a_stop() -> None:
    async with Host() as host:
        await held(host, "AAPL", TradeType.SWING)
        await killed(host, Flatten.DAY)
        async with console(host) as (app, pilot):
            await press(app, pilot, "h")
            assert "kept: AAPL 10 without a stop" in shown(app)
            assert "NOT FLAT: 1 position kept, nothing in scope is left, proved" in shown(app)
            assert "FLAT within scope" not in shown(app)


@pytest.mark.slow
async def test_the_halt_screen_says_flat_where_nothing_is_kept() -> None:
    async with Host() as host:
        await held(host, "AAPL", TradeType.DAY)
        await killed(host, Flatten.DAY)
        async with console(host) as (app, pilot):
            await press(app, pilot, "h")
            assert "FLAT within scope, proved" in shown(app)
            assert "NOT FLAT" not in shown(app)


@pytest.mark.slow
async def test_what_the_first_chord_cancelled_is_told_after_the_second_too() -> None:
    async with Host() as host:
        host.price("AAPL", "229.00")
        await settle()
        resting = PlaceOrder(
            by="test",
            symbol="AAPL",
            side=Side.BUY,
            quantity=Decimal(10),
            type=OrderType.LIMIT,
            limit_price=Decimal(225),
        )
        assert (await host.engine.command(resting)).ok
        await host.clock.advance(1)
        async with console(host) as (app, pilot):
            await press(app, pilot, "ctrl+k")
            await host.clock.advance(2)
            found = await killed(host, Flatten.DAY)
            assert found["brokers"]["paper"]["cancelled"] == 1
            await press(app, pilot, "h")
            assert "entries cancelled 1 " in shown(app)
            assert "since it was first halted" in shown(app)


@pytest.mark.slow
@pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=str)
async def test_the_halt_screen_says_the_reason_to_its_last_word(size: tuple[int, int]) -> None:
    """What was measured, and the limit that it met, stand at its end and were cut off."""
    why = "ibkr has been unreachable while it holds exposure or orders: 60 against 60"
    async with Host() as host:
        await host.engine.command(Kill(by="engine", level=Level.HALT, reason=why))
        await host.clock.advance(1)
        async with console(host, size=size) as (app, pilot):
            await press(app, pilot, "h")
            await settle()
            proof = app.screen.query_one(Proof)
            first = next(n for n, line in enumerate(proof.texts) if line.startswith("reason"))
            after = next(n for n, line in enumerate(proof.texts) if line.startswith("trigger"))
            told = " ".join(" ".join(proof.texts[first:after]).split())
            assert told == f"reason {why}"
            for line in proof.texts[first:after]:
                assert line.strip() in shown(app)
