"""A share, the options on it and the futures of one root are one bet (A-082, A-083).

An option leans on its underlying one way or the other: a call that is held gains as it rises, a put
loses, and what is sold leans the other way round.
"""

from decimal import Decimal

import pytest

from engine.domain import events as ev
from engine.domain.commands import PlaceOrder
from engine.domain.instant import NS_PER_SECOND
from engine.domain.instrument import AssetClass, Facts, instrument_of
from engine.domain.order import Side
from engine.domain.signal import Direction, Signal
from engine.pipeline.request import manual_request, signal_request
from engine.pipeline.ruling import Ruling
from engine.pipeline.stages import decide
from tests.engine.worlds import MIDDAY, Built, config_of, signal

CALL, DEARER = "NVDA 2013-12-20 100 C", "NVDA 2013-12-20 110 C"
PUT = "NVDA 2013-12-20 100 P"
OF_ANOTHER = "AAPL 2013-12-20 100 C"
NEAR, FAR, OTHER_ROOT = "ES 2013-12", "ES 2014-03", "NQ 2013-12"

PRICES = {
    "NVDA": "100", "AAPL": "100", CALL: "5", DEARER: "5", PUT: "5", OF_ANOTHER: "5",
    NEAR: "100", FAR: "100", OTHER_ROOT: "100",
}  # fmt: skip

WIDE = {
    "max_risk_per_trade": "0.005",
    "daily_loss_limit": "1",
    "max_concurrent_positions": 100,
    "max_single_stock_exposure": "1",
    "max_sector_exposure": "1",
    "max_gross_exposure": "1",
    "drawdown_limit": "1",
    "max_trades_per_day": 1_000,
    "min_account_equity": "0",
    "consecutive_loss_threshold": 1_000,
    "consecutive_loss_pct": "1",
    "max_order_notional": "100000000",
    "max_orders_per_minute": 1_000,
    "price_collar_pct": "1",
    "max_open_orders": 1_000,
}


def built() -> Built:
    """A world in which everything has a price and every option may be sold short."""
    world = Built(config_of(profile="custom", risk=WIDE), equity="1000000", others=("other",))
    for symbol, price in PRICES.items():
        multiplier = Decimal(100 if " C" in symbol or " P" in symbol else 1)
        facts = Facts(shortable=True, multiplier=multiplier)
        world.event(ev.InstrumentLearned(instrument=instrument_of(symbol, facts)))
        world.price(symbol, price)
    return world


def asked(symbol: str, direction: Direction) -> Signal:
    entry = Decimal(PRICES[symbol])
    away = entry / 20 if direction is Direction.LONG else -entry / 20
    return signal(symbol, direction=direction, entry=entry, stop=entry - away, conviction=60)


LONG, SHORT = Direction.LONG, Direction.SHORT

AGAINST = [
    # held, how many, asked, which way
    (CALL, 1, "NVDA", SHORT),
    (CALL, -1, "NVDA", LONG),
    (PUT, 1, "NVDA", LONG),
    (PUT, -1, "NVDA", SHORT),
    ("NVDA", 10, CALL, SHORT),
    ("NVDA", 10, PUT, LONG),
    ("NVDA", -10, CALL, LONG),
    ("NVDA", -10, PUT, SHORT),
    (CALL, 1, PUT, LONG),
    (CALL, 1, DEARER, SHORT),
    (NEAR, 1, FAR, SHORT),
    (NEAR, -1, FAR, LONG),
]
ALONG = [
    (CALL, 1, "NVDA", LONG),
    (CALL, -1, "NVDA", SHORT),
    (PUT, 1, "NVDA", SHORT),
    (PUT, -1, "NVDA", LONG),
    ("NVDA", 10, CALL, LONG),
    ("NVDA", 10, PUT, SHORT),
    ("NVDA", -10, PUT, LONG),
    (CALL, 1, PUT, SHORT),
    (CALL, 1, DEARER, LONG),
    (NEAR, 1, FAR, LONG),
    (NEAR, -1, FAR, SHORT),
]


def side_of(quantity: int) -> Side:
    return Side.BUY if quantity > 0 else Side.SELL_SHORT


def hold(world: Built, symbol: str, quantity: int, gain: str) -> Built:
    """Hold so much, each unit of which has gained `gain` by now at the usual price."""
    price = Decimal(PRICES[symbol])
    paid = price - Decimal(gain) if quantity > 0 else price + Decimal(gain)
    return world.hold(symbol, quantity, paid, mark=price)


@pytest.mark.parametrize(("held", "quantity", "symbol", "direction"), AGAINST)
@pytest.mark.parametrize("gain", ["-1", "1"])
def test_a_bet_against_what_is_held_is_a_conflict(
    held: str, quantity: int, symbol: str, direction: Direction, gain: str
) -> None:
    """A-083: winner or loser, the reason is the direction."""
    ruling = hold(built(), held, quantity, gain).decide(asked(symbol, direction))
    assert ruling.code == "CONFLICT"
    assert held in ruling.reason
    assert symbol in ruling.reason


@pytest.mark.parametrize(("held", "quantity", "symbol", "direction"), AGAINST)
def test_a_bet_against_a_working_entry_is_a_conflict(
    held: str, quantity: int, symbol: str, direction: Direction
) -> None:
    """A-083: entries that work block too."""
    world = built()
    world.order(held, abs(quantity), PRICES[held], side=side_of(quantity))
    assert world.decide(asked(symbol, direction)).code == "CONFLICT"


@pytest.mark.parametrize(("held", "quantity", "symbol", "direction"), ALONG)
@pytest.mark.parametrize("gain", ["-0.01", "0", "0.01"])
def test_the_same_bet_is_only_made_again_while_it_wins(
    held: str, quantity: int, symbol: str, direction: Direction, gain: str
) -> None:
    """A-082."""
    ruling = hold(built(), held, quantity, gain).decide(asked(symbol, direction))
    wins = Decimal(gain) > 0
    assert ruling.code == ("" if wins else "DUPLICATE_POSITION"), ruling.reason


@pytest.mark.parametrize(("held", "quantity", "symbol", "direction"), ALONG)
def test_the_same_bet_is_not_made_beside_a_working_entry(
    held: str, quantity: int, symbol: str, direction: Direction
) -> None:
    """A-082: one at a time."""
    world = built()
    world.order(held, abs(quantity), PRICES[held], side=side_of(quantity))
    assert world.decide(asked(symbol, direction)).code == "DUPLICATE_POSITION"


def test_a_winner_by_an_old_price_is_none() -> None:
    """U-53."""
    world = hold(built(), CALL, 1, "1")
    world.price(CALL, "5", at=MIDDAY - 16 * NS_PER_SECOND)
    ruling = world.decide(asked("NVDA", LONG))
    assert (ruling.code, ruling.measured) == ("DUPLICATE_POSITION", "no fresh price")


def test_a_bet_is_added_to_once_whatever_in() -> None:
    """A-082: the share beside the call was the one add."""
    world = hold(hold(built(), CALL, 1, "1"), "NVDA", 10, "1")
    ruling = world.decide(asked(DEARER, LONG))
    assert (ruling.code, ruling.measured, ruling.limit) == ("DUPLICATE_POSITION", "1", "0")


def test_what_is_held_of_the_symbol_is_added_to_by_its_own_profit() -> None:
    """A-082: an add to a held symbol is judged by that symbol alone."""
    world = hold(hold(built(), CALL, 1, "-1"), "NVDA", 10, "1")
    assert world.decide(asked("NVDA", LONG)).allowed


@pytest.mark.parametrize("direction", [LONG, SHORT])
@pytest.mark.parametrize(
    ("held", "symbol"), [(OF_ANOTHER, "NVDA"), ("NVDA", OF_ANOTHER), (OTHER_ROOT, NEAR)]
)
def test_another_underlying_is_another_bet(held: str, symbol: str, direction: Direction) -> None:
    ruling = hold(built(), held, 1, "-1").decide(asked(symbol, direction))
    assert ruling.allowed, ruling.reason


@pytest.mark.parametrize("direction", [LONG, SHORT])
def test_a_bet_that_has_ended_is_in_nobodys_way(direction: Direction) -> None:
    world = hold(built(), CALL, 1, "-1")
    close = world.order(CALL, 1, "5", side=Side.SELL, reserves=False)
    world.fill(close, None, "5")
    entry = world.order(PUT, 1, "5")
    world.event(ev.OrderCanceled(account="paper", client_order_id=entry.client_order_id, reason=""))
    ruling = world.decide(asked("NVDA", direction))
    assert ruling.allowed, ruling.reason


def test_a_snapshot_knows_what_belongs_together() -> None:
    world = hold(built(), CALL, 1, "-1")
    world.order(PUT, 1, "5", side=Side.SELL_SHORT)
    again = type(world.book).restore(world.book.snapshot())
    assert (
        again.symbols.of_underlying("NVDA")
        == world.book.symbols.of_underlying("NVDA")
        == [CALL, PUT]
    )


def test_what_a_contract_derives_from_may_be_learned_late() -> None:
    """The table may say of an id that it is a future of a root only after it was bought."""
    world = built().hold("ESZ3", 1, "100", mark="99")
    assert world.book.symbols.of_underlying("ES") == []
    stated = instrument_of("ESZ3", Facts(asset_class=AssetClass.FUTURE, multiplier=Decimal(1),
                                         terms={"underlying": "ES"}))  # fmt: skip
    world.event(ev.InstrumentLearned(instrument=stated))
    assert world.decide(asked(FAR, SHORT)).code == "CONFLICT"


def by_hand(world: Built, symbol: str, side: Side) -> Ruling:
    command = PlaceOrder(by="me", symbol=symbol, side=side, quantity=Decimal(1))
    return decide(world.world, manual_request(world.world, command), world.now)


@pytest.mark.parametrize(("symbol", "side"), [(PUT, Side.BUY), (CALL, Side.SELL_SHORT)])
def test_a_person_may_hedge_what_is_held(symbol: str, side: Side) -> None:
    """A put bought beside a share takes risk off it; a person's order is no second bet."""
    ruling = by_hand(hold(built(), "NVDA", 100, "1"), symbol, side)
    assert ruling.allowed, ruling.reason


def test_a_flat_signal_closes_the_symbol_that_it_names() -> None:
    world = hold(hold(built(), CALL, 1, "1"), "NVDA", 10, "1")
    ruling = decide(
        world.world, signal_request(world.world, signal("NVDA", direction=Direction.FLAT)), MIDDAY
    )
    assert (ruling.allowed, ruling.quantity) == (True, 10)
