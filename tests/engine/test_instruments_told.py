"""What a venue states of an instrument counts there, and what it does not trade is not opened.

U-10, U-60: a grid that the venue does not have would be refused order by order, or rounded wrongly.
"""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.instrument import Instrument, default_instrument
from engine.domain.order import Side
from engine.domain.result import Result
from engine.ports import Ambiguous, BrokerError, Capabilities, Rejected, Throttled
from tests.configs import from_mapping
from tests.engine.wires import ABLE, PRICE, TREE, Rig, Wire, play

D = Decimal
CONFIG = from_mapping({**TREE, "market": {"symbols": ["AAA", "BBB"]}})
STATES = msgspec.structs.replace(ABLE, states_instruments=True)


class Stating(Wire):
    """A venue with facts of its own."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.facts: dict[str, Instrument | BrokerError] = {
            "AAA": stated("AAA", lot="5"),
            "BBB": stated("BBB"),
        }

    async def instrument(self, symbol: str) -> Instrument:
        self._note(f"instrument {symbol}")
        found = self.facts[symbol]
        if isinstance(found, BrokerError):
            raise found
        return found


def stated(symbol: str, lot: str = "1") -> Instrument:
    made = default_instrument(symbol, "SIM")
    return msgspec.structs.replace(made, lot=D(lot), tick_stated=True, source="the venue")


def play_stating(scene: Any, able: Capabilities = STATES, **options: Any) -> None:
    play(scene, wire=Stating, config=CONFIG, able=able, **options)


def wire_of(rig: Rig) -> Stating:
    assert isinstance(rig.wire, Stating)
    return rig.wire


async def buy(rig: Rig, quantity: int, symbol: str = "AAA") -> Result:
    return await rig.engine.command(
        ask.PlaceOrder(
            by="t", symbol=symbol, side=Side.BUY, quantity=D(quantity), protect=PRICE - 10
        )
    )


async def again(rig: Rig) -> None:
    """The connection breaks and is there again."""
    rig.cut()
    rig.mend()
    await rig.until(lambda: rig.is_compared, 10)
    await rig.clock.sleep(1)


def changed(rig: Rig) -> list[str]:
    alarms = rig.events(ev.Alarmed)
    return [alarm.subject for alarm in alarms if alarm.code == "INSTRUMENT_CHANGED"]


def test_the_grid_of_the_venue_is_that_of_the_gate() -> None:
    async def scene(rig: Rig) -> None:
        assert rig.engine.world.instrument("AAA").lot == 5
        refused = await buy(rig, 7)
        assert (refused.ok, refused.code) == (False, "BAD_LOT")
        assert (await buy(rig, 10)).ok
        assert (await buy(rig, 7, "BBB")).ok
        assert changed(rig) == []

    play_stating(scene)


def test_the_tick_of_the_venue_counts_however_coarse_it_is_for_the_price() -> None:
    """A share at 5 is quoted in cents, a fiftieth of a tenth of its price; stops rest on cents."""

    async def scene(rig: Rig) -> None:
        known = rig.engine.world.instrument("AAA")
        assert known.tick_at(D(5)) == D("0.01")
        assert known.tick_fault(D(5)) == ""
        assert default_instrument("AAA").tick_at(D(5)) < D("0.01")

    play_stating(scene)


def test_a_venue_without_facts_of_its_own_is_not_asked() -> None:
    async def scene(rig: Rig) -> None:
        assert rig.engine.world.instrument("AAA").lot == 1
        assert [what for what, _ in rig.wire.asked if "instrument" in what] == []

    play_stating(scene, able=ABLE)


def test_what_the_venue_does_not_trade_is_not_opened_and_says_so() -> None:
    async def scene(rig: Rig) -> None:
        wire_of(rig).facts["AAA"] = Rejected("UNKNOWN", "no such symbol")
        await again(rig)
        refused = await buy(rig, 10)
        assert (refused.ok, refused.code) == (False, "NO_CONTRACT")
        assert "no such symbol" in refused.error
        assert (await buy(rig, 7, "BBB")).ok
        wire_of(rig).facts["AAA"] = stated("AAA")
        await again(rig)
        assert (await buy(rig, 7)).ok

    play_stating(scene)


def test_a_question_that_failed_changes_nothing_and_is_asked_again_with_the_next_connection() -> (
    None
):
    async def scene(rig: Rig) -> None:
        wire_of(rig).facts["AAA"] = Ambiguous("no answer")
        await again(rig)
        assert rig.engine.world.instrument("AAA").lot == 5
        assert (await buy(rig, 7, "BBB")).ok
        wire_of(rig).facts["AAA"] = stated("AAA", lot="2")
        await again(rig)
        assert rig.engine.world.instrument("AAA").lot == 2

    play_stating(scene)


def test_a_venue_that_asks_to_wait_is_asked_again_on_the_same_connection() -> None:
    """Facts of many symbols use up what a venue allows, and none of them is left out by that."""

    async def scene(rig: Rig) -> None:
        wire_of(rig).facts["AAA"] = Throttled("used up", 2.5)
        await again(rig)
        assert rig.engine.world.instrument("AAA").lot == 5
        wire_of(rig).facts |= {"AAA": stated("AAA", lot="2"), "BBB": stated("BBB", lot="3")}
        await rig.clock.sleep(1)
        assert rig.engine.world.instrument("AAA").lot == 5
        await rig.clock.sleep(1)
        assert rig.engine.world.instrument("AAA").lot == 2
        assert rig.engine.world.instrument("BBB").lot == 3
        assert "NO_INSTRUMENT" not in [alarm.code for alarm in rig.events(ev.Alarmed)]

    play_stating(scene)


def test_facts_that_change_while_it_is_held_are_told_and_taken_over_once_it_is_flat() -> None:
    async def scene(rig: Rig) -> None:
        assert (await buy(rig, 10)).ok
        await rig.until(lambda: bool(rig.book.account("paper").positions))
        wire_of(rig).facts["AAA"] = stated("AAA", lot="3")
        await again(rig)
        assert rig.engine.world.instrument("AAA").lot == 5
        assert changed(rig) == ["AAA"]
        assert (await rig.engine.command(ask.ClosePosition(by="t", symbol="AAA"))).ok
        await rig.until(lambda: not rig.book.account("paper").exposed)
        await again(rig)
        assert rig.engine.world.instrument("AAA").lot == 3

    play_stating(scene)


def test_a_restart_keeps_what_the_venue_stated_without_a_word() -> None:
    async def scene(rig: Rig) -> None:
        after = Rig(rig.clock, wire=Stating, config=CONFIG, able=STATES, after=rig)
        await rig.stop()
        await after.start()
        try:
            assert after.engine.world.instrument("AAA").lot == 5
            assert changed(after) == []
        finally:
            await after.stop()

    play_stating(scene)


def test_what_the_users_table_says_of_a_symbol_stands() -> None:
    """It is there to correct a venue, or to say what no venue tells."""
    named = msgspec.structs.replace(stated("AAA", lot="4"), source="[data] instruments")

    async def scene(rig: Rig) -> None:
        assert rig.engine.world.instrument("AAA").lot == 4
        assert (await buy(rig, 8)).ok

    def of(symbol: str) -> Instrument:
        return named if symbol == "AAA" else default_instrument(symbol, "SIM")

    play_stating(scene, instrument_of=of)


@pytest.mark.parametrize(
    "wrong",
    [
        {"lot": D("NaN")},
        {"lot": D("sNaN")},
        {"lot": D(0)},
        {"lot": D("-1")},
        {"tick": D("Infinity")},
        {"tick": D("1e-40")},
        {"tick": None},
        {"multiplier": D("NaN")},
        {"multiplier": D(0)},
        {"min_notional": D("sNaN")},
        {"min_notional": D(-1)},
        {"currency": ""},
        {"symbol": "BBB"},
    ],
    ids=repr,
)
def test_U10_facts_that_cannot_be_those_of_an_instrument_are_told_and_left_aside(
    wrong: dict[str, Any],
) -> None:
    async def scene(rig: Rig) -> None:
        known = dict(rig.book.data.instruments), rig.engine.world.instrument("AAA")
        wire_of(rig).facts["AAA"] = msgspec.structs.replace(stated("AAA", lot="2"), **wrong)
        at = rig.now
        await again(rig)
        assert (dict(rig.book.data.instruments), rig.engine.world.instrument("AAA")) == known
        assert rig.events(ev.InstrumentLearned, at) == []
        codes = [(alarm.code, alarm.subject) for alarm in rig.events(ev.Alarmed, at)]
        assert ("NO_INSTRUMENT", "AAA") in codes
        assert (await buy(rig, 10)).ok

    play_stating(scene)


def test_U10_a_pair_is_paid_in_what_its_id_says_whatever_the_venue_states() -> None:
    config = from_mapping({**TREE, "market": {"symbols": ["BTC-USD"]}})
    wrong = msgspec.structs.replace(
        default_instrument("BTC-USD", "SIM"), currency="EUR", source="the venue"
    )

    async def scene(rig: Rig) -> None:
        wire_of(rig).facts["BTC-USD"] = wrong
        await again(rig)
        assert rig.engine.world.instrument("BTC-USD").currency == "USD"
        assert "NO_INSTRUMENT" in [alarm.code for alarm in rig.events(ev.Alarmed)]

    class Pairs(Stating):
        def __init__(self, *args: Any) -> None:
            super().__init__(*args)
            self.facts["BTC-USD"] = Ambiguous("not yet")

    play(scene, wire=Pairs, config=config, able=STATES)
