"""The whole way of a signal through the engine, its ports in memory (A-490 to A-492, A-001)."""

from pathlib import Path

import pytest

from console.virtual import Rehearsal, rehearse
from engine.domain import events as ev
from engine.domain.codes import Verdict
from engine.domain.events import SignalDecided

SIGNAL = {
    "signal_id": "s-1",
    "signal_type": "an_idea",
    "direction": "long",
    "ticker": "NVDA",
    "timeframe": "10m",
    "conviction": 80,
    "entry_price": "100",
    "stop_loss": "98",
    "timestamp": "2013-10-07T14:00:00Z",
}


def test_a491_signal_gate_size_order_fill_stop_exit_trade() -> None:
    async def play(desk: Rehearsal) -> list[ev.Record]:
        records: list[ev.Record] = []
        desk.engine.subscribe(records.append)
        desk.price("NVDA", "100")
        desk.engine.submit(SIGNAL)
        for last in ("100", "100", "105", "105"):
            await desk.wait(1)
            desk.price("NVDA", last)
        await desk.wait(1)
        assert desk.held("NVDA") == 0
        return records

    records = rehearse(play)
    way = (
        "SignalReceived",
        "SignalDecided",
        "OrderIntended",
        "OrderSent",
        "OrderAccepted",
        "OrderFilled",
        "SignalEnded",
        "ExitPlanned",
        "PositionClosed",
    )
    seen = [record.type for record in records]
    first = [seen.index(kind) for kind in way]
    assert first == sorted(first)
    trade = next(r.event.trade for r in records if isinstance(r.event, ev.PositionClosed))
    assert (trade.signal_id, trade.exit_reason) == ("s-1", "target")


@pytest.mark.parametrize(
    ("change", "stage", "code"),
    [
        ({"conviction": 40}, "risk_assessment", "LOW_CONVICTION"),
        ({"timestamp": "2013-10-07T13:57:59Z"}, "signal_guard", "STALE_SIGNAL"),
        ({"stop_loss": "101"}, "risk_assessment", "INVALID_STOP"),
    ],
)
def test_a492_a_rejection_names_stage_code_numbers_and_reason(
    change: dict[str, object], stage: str, code: str
) -> None:
    async def play(desk: Rehearsal) -> SignalDecided:
        desk.price("NVDA", "100")
        verdict = desk.engine.submit(SIGNAL | change)
        assert isinstance(verdict, SignalDecided)
        return verdict

    said = rehearse(play)
    assert said.verdict is Verdict.REJECTED
    assert (said.stage, said.code) == (stage, code)
    assert said.measured
    assert said.limit
    assert said.reason


def test_a490_every_port_has_a_stand_in_that_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    async def play(desk: Rehearsal) -> bool:
        desk.price("NVDA", "100")
        desk.engine.submit(SIGNAL)
        await desk.wait(5)
        return bool(desk.engine.state.data.metrics.total)

    assert rehearse(play)
    assert list(tmp_path.iterdir()) == []
