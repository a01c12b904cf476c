"""A route that names several accounts which quote the same: one of them gets the order, chosen by
what the user's data says of them, and the journal says why (A-471, A-472)."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from console.host.data_files import read_files
from console.virtual import Rehearsal, rehearse
from engine.config import ConfigError
from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.market import Quote
from engine.domain.order import OrderType, Side, TimeInForce
from engine.domain.run import LinkState
from engine.domain.signal import TradeType
from engine.reference.textfile import BadFile
from engine.reference.venues import COLUMNS, read_venues
from engine.routing.account_router import choose_account
from tests.configs import from_mapping
from tests.engine.worlds import ABLE, Built, config_of, signal

HEADER = ",".join(COLUMNS)
DEAR = "paper,lit_exchange,maker_taker,notional,0.001,0.004,5,0.9,,,2026-11-30"
CHEAP = "second,lit_exchange,maker_taker,notional,0.002,0.002,5,0.9,,,2026-11-30"
"""Cheaper for who takes, dearer for who waits."""


def tree(folder: Path, *rows: str) -> dict[str, Any]:
    path = folder / "venues.csv"
    path.write_text("\n".join((HEADER, *(rows or (DEAR, CHEAP)))) + "\n")
    free = {"slippage_bps": 0, "commission_bps": 0, "latency_ms": [0, 0]}
    return {
        "brokers": {"paper": free, "second": {"kind": "paper", **free}},
        "routes": [{"asset_class": "crypto", "broker": "paper", "also": ["second"]}],
        "market": {"symbols": ["BTC-USD", "AAPL"]},
        "data": {"venues": str(path)},
    }


def told(hand: Rehearsal, bid: str | None, ask_: str | None, symbol: str = "BTC-USD") -> None:
    """Both venues and the engine hear these best prices."""
    quote = Quote(
        symbol=symbol,
        bid=None if bid is None else Decimal(bid),
        ask=None if ask_ is None else Decimal(ask_),
        last=Decimal(ask_ or "100"),
        time=hand.now,
        trade=True,
    )
    for venue in hand._house.venues.values():
        venue.on_price(quote)
    hand.engine.step(quote)


def order(quantity: str, side: Side = Side.BUY, **given: Any) -> ask.PlaceOrder:
    return ask.PlaceOrder(
        by="test",
        symbol=given.pop("symbol", "BTC-USD"),
        side=side,
        quantity=Decimal(quantity),
        hold=TradeType.SWING,
        **given,
    )


async def done(hand: Rehearsal, command: ask.PlaceOrder) -> None:
    told(hand, "99", "100", command.symbol)
    answer = await hand.engine.command(command)
    assert answer.ok, answer.error
    await hand.wait(0.1)
    told(hand, "99", "100", command.symbol)
    await hand.wait(0.1)


def held(hand: Rehearsal) -> dict[str, Decimal]:
    return {p.account: p.quantity for p in hand.engine.state.held("BTC-USD")}


def watched(hand: Rehearsal) -> list[ev.OrderRouted]:
    seen: list[ev.OrderRouted] = []

    def see(record: ev.Record) -> None:
        if isinstance(record.event, ev.OrderRouted):
            seen.append(record.event)

    hand.engine.subscribe(see)
    return seen


def test_A472_a_market_order_goes_where_it_costs_less_to_take(tmp_path: Path) -> None:
    async def play(hand: Rehearsal) -> None:
        seen = watched(hand)
        await done(hand, order("2"))
        assert held(hand) == {"second": 2}
        (event,) = seen
        assert (event.account, event.choice.chosen) == ("second", "second")
        assert event.choice.priority == "aggressive"
        assert (event.choice.bid, event.choice.ask) == (99, 100)
        assert event.choice.reason == "second has the best score"
        scores = {one.account: one.score for one in event.choice.accounts}
        # all but the fee is alike, and the fee has a quarter of the score
        assert scores["second"] - scores["paper"] == Decimal("0.25")
        order_of = {o.client_order_id for a in hand.engine.book.accounts for o in a.closed.values()}
        assert event.client_order_id in order_of

    rehearse(play, config=tree(tmp_path))


def test_A466_an_order_that_waits_goes_where_waiting_costs_less(tmp_path: Path) -> None:
    async def play(hand: Rehearsal) -> None:
        seen = watched(hand)
        limit = order("2", type=OrderType.LIMIT, limit_price=Decimal(98))
        await done(hand, limit)
        assert [(e.account, e.choice.priority) for e in seen] == [("paper", "passive")]

    rehearse(play, config=tree(tmp_path))


def test_X87_what_is_held_is_added_to_and_reduced_where_it_is(tmp_path: Path) -> None:
    async def play(hand: Rehearsal) -> None:
        seen = watched(hand)
        await done(hand, order("2"))
        await done(hand, order("1", type=OrderType.LIMIT, limit_price=Decimal(100)))
        assert held(hand) == {"second": 3}
        await done(hand, order("3", Side.SELL))
        assert held(hand) == {}
        assert len(seen) == 1  # there was nothing to choose the other two times

    rehearse(play, config=tree(tmp_path))


def test_X87_a_working_order_keeps_its_symbol_in_its_account(tmp_path: Path) -> None:
    async def play(hand: Rehearsal) -> None:
        seen = watched(hand)
        await done(hand, order("2", type=OrderType.LIMIT, limit_price=Decimal(97)))
        await done(hand, order("1"))
        assert held(hand) == {"paper": 1}
        assert len(seen) == 1

    rehearse(play, config=tree(tmp_path))


def test_A472_a_signal_goes_to_the_better_account_too(tmp_path: Path) -> None:
    async def play(hand: Rehearsal) -> None:
        told(hand, "99.9", "100")
        sent = signal("BTC-USD", entry="100", stop="95", at=hand.now)
        verdict = hand.engine.submit(sent)
        assert isinstance(verdict, ev.SignalDecided), verdict
        assert verdict.client_order_ids, verdict
        found = hand.engine.book.order(verdict.client_order_ids[0])
        assert found is not None
        assert found.account == "second"

    rehearse(play, config=tree(tmp_path))


def test_A472_without_a_bid_and_an_offer_it_is_the_first_of_the_route(tmp_path: Path) -> None:
    async def play(hand: Rehearsal) -> None:
        seen = watched(hand)
        told(hand, None, None)
        answer = await hand.engine.command(order("2"))
        assert answer.ok, answer.error
        (event,) = seen
        assert (event.account, event.choice.accounts) == ("paper", ())
        assert event.choice.reason.startswith("nothing can be compared: the best bid and offer")

    rehearse(play, config=tree(tmp_path))


def test_A472_where_a_route_names_one_account_nothing_is_chosen(tmp_path: Path) -> None:
    async def play(hand: Rehearsal) -> None:
        seen = watched(hand)
        await done(hand, order("2", broker="paper"))
        assert held(hand) == {"paper": 2}
        await done(hand, order("2", symbol="AAPL"))
        assert [p.account for p in hand.engine.state.held("AAPL")] == ["paper"]
        assert seen == []

    rehearse(play, config=tree(tmp_path))


def chosen_between(
    tmp_path: Path,
    *,
    link: LinkState | None = LinkState.CONNECTED,
    described_by: str = "",
    **second: Any,
) -> ev.AccountChoice:
    """Where a purchase goes in a world in which the second account is connected so and can that."""
    built = Built(from_mapping(tree(tmp_path)), others=("second",))
    if link is not None:
        built.event(ev.LinkChanged(account="second", state=link, detail=""))
    built.price("BTC-USD", "100", bid="99", ask="100")
    world = built.world
    world._able["second"] = msgspec.structs.replace(ABLE, **second)
    found = read_venues(f"{HEADER}\n{DEAR}\n{CHEAP}\n", "venues.csv")
    world.venues.update({venue.name: venue for venue in found})
    plain = world.instrument("BTC-USD")
    world._instrument_of = lambda symbol: msgspec.structs.replace(plain, source=described_by)
    choice = choose_account(
        world,
        plain,
        side=Side.BUY,
        order_type=OrderType.MARKET,
        time_in_force=TimeInForce.GTC,
        limit_price=None,
        quantity=None,
        reference=Decimal(100),
    )
    assert choice is not None
    assert choice.quantity == plain.lot
    return choice


def test_A472_an_account_that_can_take_it_and_costs_less_gets_it(tmp_path: Path) -> None:
    choice = chosen_between(tmp_path)
    assert choice.chosen == "second"
    assert [one.excluded for one in choice.accounts] == ["", ""]


@pytest.mark.parametrize(
    ("second", "why"),
    [
        ({"link": None}, "it is CONNECTING"),
        ({"link": LinkState.CONNECTING}, "it is CONNECTING"),
        ({"order_types": frozenset({OrderType.LIMIT})}, "it takes no MARKET orders"),
        ({"times_in_force": frozenset({TimeInForce.DAY})}, "it does not know GTC"),
        (
            {"states_instruments": True},
            "its lot and tick of BTC-USD are not known: no row of [data] instruments",
        ),
    ],
)
def test_A472_an_account_that_cannot_take_it_gets_nothing_and_the_journal_says_why(
    second: dict[str, Any], why: str, tmp_path: Path
) -> None:
    choice = chosen_between(tmp_path, **second)
    assert choice.chosen == "paper"
    assert {one.account: one.excluded for one in choice.accounts} == {"paper": "", "second": why}


def test_A472_what_the_user_describes_is_known_at_every_venue(tmp_path: Path) -> None:
    told = chosen_between(tmp_path, states_instruments=True, described_by="the user's table")
    assert told.chosen == "second"


@pytest.mark.parametrize(
    ("route", "says"),
    [
        ({"also": ["paper"]}, "routes.0.also"),
        ({"also": ["nobody"]}, "routes.0.also"),
        ({"also": ["second", "second"]}, "routes.0.also"),
    ],
)
def test_a_route_that_cannot_be_is_refused(
    route: dict[str, Any], says: str, tmp_path: Path
) -> None:
    given = tree(tmp_path)
    given["routes"][0] |= route
    with pytest.raises(ConfigError, match=says):
        from_mapping(given)


def test_a_route_among_several_needs_the_data_to_choose_by(tmp_path: Path) -> None:
    given = tree(tmp_path)
    del given["data"]
    with pytest.raises(ConfigError, match=r"data\.venues"):
        from_mapping(given)
    unmeasured = CHEAP.replace(",5,0.9,", ",,,")
    for rows in ([DEAR], [DEAR, unmeasured]):
        with pytest.raises(BadFile, match="has no row with fill_rate and latency_ms for second"):
            read_files(from_mapping(tree(tmp_path, *rows)))
    with pytest.raises(BadFile, match=r"venues\.csv line 2: 11 fields are needed"):
        read_files(from_mapping(tree(tmp_path, "paper")))


def test_without_such_a_route_the_journal_says_nothing_of_routing() -> None:
    built = Built(config_of()).price("NVDA", "100")
    assert built.decide(signal()).choice is None
