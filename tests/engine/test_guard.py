"""The signal guard at its boundaries, and across a restart (T-17, A-300..A-304, X-66)."""

from decimal import Decimal

import msgspec
import pytest

from engine.config import Config
from engine.domain import events as ev
from engine.domain.codes import Answer, Code, Stage, Verdict
from engine.domain.instant import NS_PER_MS, NS_PER_SECOND, Nanos
from engine.domain.signal import Direction, Signal, Timeframe
from engine.pipeline.ruling import Ruling
from engine.risk.guard import stats
from engine.state.book import Book
from engine.world import World
from tests.engine.worlds import ABLE, AXION, MIDDAY, Built, config_of, signal


def built(**execution: int) -> Built:
    config: Config = config_of(**AXION, execution=execution) if execution else config_of(**AXION)
    return Built(config).price("NVDA", "100")


def decided(world: Built, request: Signal, ruling: Ruling) -> None:
    """Record a ruling as the core does."""
    world.event(
        ev.SignalDecided(
            signal_id=request.signal_id,
            symbol=request.ticker,
            verdict=ruling.verdict,
            stage=ruling.stage,
            code=ruling.code,
            measured=ruling.measured,
            limit=ruling.limit,
            reason=ruling.reason,
            checks=ruling.checks,
            content=ruling.content,
        )
    )


def at(world: Built, now: Nanos) -> Built:
    """The same world later, its price told again."""
    world.now = now
    return world.price("NVDA", "100")


@pytest.mark.parametrize(
    ("age_ms", "passes", "measured"),
    [
        (-5_000, True, "-5"),
        (-5_001, False, "-5.001"),
        (0, True, "0"),
        (119_999, True, "119.999"),
        (120_000, True, "120"),
        (120_001, False, "120.001"),
    ],
)
def test_age_at_its_boundaries(age_ms: int, passes: bool, measured: str) -> None:
    """T-17, A-300, A-303: 120 s exactly passes; more than 5 s ahead of the clock does not."""
    ruling = built().decide(signal(at=MIDDAY - age_ms * NS_PER_MS))
    seen = next(check for check in ruling.checks if check.code is Code.STALE_SIGNAL)
    assert seen.measured == measured
    assert (seen.answer is Answer.PASS) is passes
    if not passes:
        assert (ruling.code, ruling.stage) == ("STALE_SIGNAL", Stage.SIGNAL_GUARD)
        assert ruling.content == ""


def test_the_age_limit_is_the_configured_one() -> None:
    world = built(max_signal_age_seconds=10)
    assert world.decide(signal(at=MIDDAY - 11 * NS_PER_SECOND)).limit == "10"


def test_a_bar_of_a_day_is_as_old_as_its_close() -> None:
    """A-304: the timestamp is the close of the bar, so a daily signal is not stale by itself."""
    assert built().decide(signal(timeframe=Timeframe.D1)).allowed


@pytest.mark.parametrize(
    ("elapsed_ms", "passes"), [(0, False), (299_999, False), (300_000, True), (300_001, True)]
)
def test_the_same_content_within_the_window_is_a_duplicate(elapsed_ms: int, passes: bool) -> None:
    """T-17, A-301, A-303: a second at exactly 300 s passes."""
    world = built()
    first = signal(signal_id="a")
    decided(world, first, world.decide(first))
    at(world, MIDDAY + elapsed_ms * NS_PER_MS)
    ruling = world.decide(signal(signal_id="b", at=world.now))
    assert ruling.allowed is passes
    if not passes:
        assert ruling.code == "DUPLICATE_SIGNAL"
        assert ruling.limit == "300"
        assert Decimal(ruling.measured) * 1_000 == elapsed_ms


def test_a_window_of_zero_is_none_but_an_id_is_still_taken_once() -> None:
    """X-66."""
    world = built(dedup_window_seconds=0)
    first = signal(signal_id="a")
    decided(world, first, world.decide(first))
    assert world.decide(signal(signal_id="b")).allowed
    again = world.decide(first)
    assert (again.code, again.measured, again.limit) == ("DUPLICATE_SIGNAL", "seen before", "once")


def test_an_id_is_taken_once_ever_whatever_its_content() -> None:
    """X-66: not for another symbol, and not a day later."""
    world = built().price("AAPL", "100")
    first = signal(signal_id="a")
    decided(world, first, world.decide(first))
    assert world.decide(signal("AAPL", signal_id="a")).code == "DUPLICATE_SIGNAL"
    at(world, MIDDAY + 86_400 * NS_PER_SECOND)
    assert world.decide(signal(signal_id="a", at=world.now)).code == "DUPLICATE_SIGNAL"


@pytest.mark.parametrize(
    "changes",
    [
        {"ticker": "AAPL"},
        {"signal_type": "cloud_flip_bullish"},
        {"timeframe": Timeframe.M1},
        {"source": "another"},
        {"direction": Direction.SHORT, "stop_loss": Decimal(105)},
    ],
)
def test_content_is_symbol_type_direction_timeframe_and_strategy(
    changes: dict[str, object],
) -> None:
    """X-66: what differs in one of the five is another signal."""
    world = built().price("AAPL", "100")
    first = signal(signal_id="a")
    decided(world, first, world.decide(first))
    other = msgspec.structs.replace(first, signal_id="b", **changes)
    assert world.decide(other).allowed


def test_a_restart_inside_the_window_does_not_enter_twice() -> None:
    """T-17, A-301: ids and contents are in the book that a snapshot holds."""
    world = built()
    first = signal(signal_id="a")
    decided(world, first, world.decide(first))
    again = Built(world.world.config, running=False)
    again.book = Book.restore(world.book.snapshot())
    again.world = World(again.book, world.world.config, {"paper": ABLE})
    again.now = MIDDAY + 100 * NS_PER_SECOND
    again.price("NVDA", "100")
    same_id, same_content = (
        again.decide(first),
        again.decide(signal(signal_id="b", at=again.now)),
    )
    assert {same_id.code, same_content.code} == {"DUPLICATE_SIGNAL"}
    assert same_content.measured == "100"


def test_what_the_guard_refused_is_not_remembered() -> None:
    """A-301: recorded only when the guard accepts; a stale signal may come again fresh."""
    world = built()
    old = signal(signal_id="a", at=MIDDAY - 500 * NS_PER_SECOND)
    decided(world, old, world.decide(old))
    assert world.decide(signal(signal_id="a")).allowed


def test_what_a_later_check_refused_is_remembered() -> None:
    """A-301: the guard accepted it, the gate did not."""
    world = built()
    weak = signal(signal_id="a", conviction=10)
    ruling = world.decide(weak)
    assert ruling.verdict is Verdict.REJECTED
    assert ruling.content == weak.content
    decided(world, weak, ruling)
    assert world.decide(weak).code == "DUPLICATE_SIGNAL"


def test_the_figures_of_the_guard() -> None:
    """A-302: contents outside of the window do not count."""
    world = built()
    first = signal(signal_id="a")
    decided(world, first, world.decide(first))
    assert msgspec.structs.astuple(stats(world.world, world.now)) == (1, 120, 300)
    assert stats(world.world, MIDDAY + 300 * NS_PER_SECOND).active_dedup_entries == 0


def test_X66_an_id_that_was_rejected_may_come_again_and_is_accepted_once() -> None:
    """Too little conviction refuses it after the guard let it pass: nothing was accepted."""
    world = built()
    weak = signal(signal_id="a", conviction=1)
    first = world.decide(weak)
    assert (first.code, first.content) == ("LOW_CONVICTION", weak.content)
    decided(world, weak, first)
    at(world, MIDDAY + 300 * NS_PER_SECOND)
    strong = signal(signal_id="a", at=world.now)
    accepted = world.decide(strong)
    assert accepted.allowed
    decided(world, strong, accepted)
    at(world, world.now + 300 * NS_PER_SECOND)
    third = world.decide(signal(signal_id="a", at=world.now))
    assert third.reason == "signal_id a was accepted before; once, ever."


def test_A301_what_the_guard_let_pass_is_remembered_by_its_content_for_the_window() -> None:
    """Under the same id too; the refusal names the window, and says nothing of the id."""
    world = built()
    weak = signal(signal_id="a", conviction=1)
    decided(world, weak, world.decide(weak))
    at(world, MIDDAY + 299 * NS_PER_SECOND)
    again = world.decide(signal(signal_id="a", at=world.now))
    assert (again.code, again.limit) == ("DUPLICATE_SIGNAL", "300")
    assert again.reason == "The same content came 299 s before; 300 s must lie between."


def test_X66_an_id_whose_order_was_resized_is_accepted_too() -> None:
    world = built()
    first = signal(signal_id="a")
    resized = msgspec.structs.replace(world.decide(first), verdict=Verdict.RESIZED)
    decided(world, first, resized)
    at(world, MIDDAY + 86_400 * NS_PER_SECOND)
    assert world.decide(signal(signal_id="a", at=world.now)).limit == "once"
