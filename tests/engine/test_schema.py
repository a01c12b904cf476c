"""Every event type has a version, and every older version becomes the newest (DESIGN, Journal)."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from engine.domain import events as ev
from engine.domain.events import EVENT_TYPES
from engine.domain.instant import EARLIEST, LATEST
from engine.domain.money import ZERO
from engine.domain.position import Leg
from engine.domain.schema import (
    UPCASTS,
    VERSIONS,
    Context,
    Decoder,
    UnknownEventError,
    UpcastError,
    account_of,
    decode,
    encode,
)
from tests.corpus.examples import example


def test_every_type_has_a_version_and_every_older_one_its_upcast() -> None:
    assert set(VERSIONS) == set(EVENT_TYPES)
    for name, version in VERSIONS.items():
        assert all((name, older) in UPCASTS for older in range(1, version)), name
    assert {name for name, _ in UPCASTS} <= set(EVENT_TYPES)


def test_an_event_of_the_newest_version_comes_back_as_it_was() -> None:
    event = ev.OrderCanceled(account="two", client_order_id="o1", reason="test")
    assert decode("OrderCanceled", encode(event)) == event


def test_an_old_event_belongs_to_the_account_of_the_last_start() -> None:
    old = b'{"client_order_id":"o1","reason":"test"}'
    start = (
        b'{"mode":"paper","profile":"p","config_digest":"","version":"0.1.0",'
        b'"account_id":"A-1","broker":"paper"}'
    )
    decoder = Decoder()
    started = decoder.decode("EngineStarted", 1, start)
    assert isinstance(started, ev.EngineStarted)
    assert (started.primary, started.accounts) == ("paper", {"paper": "A-1"})
    found = decoder.decode("OrderCanceled", 1, old)
    assert found == ev.OrderCanceled(account="paper", client_order_id="o1", reason="test")


def test_an_event_that_named_its_broker_keeps_it() -> None:
    old = b'{"broker":"other","state":"CONNECTED","detail":""}'
    found = Decoder("paper").decode("LinkChanged", 1, old)
    assert account_of(found) == "other"


@pytest.mark.parametrize(
    ("event", "account"),
    [
        (ev.Unpaused(by="me"), ""),
        (ev.StopRemoved(account="one", symbol="AAPL", by="me"), "one"),
        (ev.DeadLetterClosed(account="two", letter_id="d", action="drop", by="me"), "two"),
    ],
)
def test_the_account_of_an_event_is_in_it(event: ev.Event, account: str) -> None:
    assert account_of(event) == account


@pytest.mark.parametrize(("kind", "version"), [("MoonLanded", 1), ("OrderFilled", 3)])
def test_an_event_of_a_newer_program_is_refused_in_one_sentence(kind: str, version: int) -> None:
    with pytest.raises(UnknownEventError, match=f"{kind}.*newer program$"):
        Decoder().decode(kind, version, b"{}")


@pytest.mark.parametrize("data", [b"{}", b'{"order":{}}', b'{"order":{"broker":"paper"}}', b"[]"])
def test_an_old_event_that_cannot_be_read_is_named(data: bytes) -> None:
    with pytest.raises(UpcastError, match="OrderIntended of version 1 cannot be read"):
        Decoder("paper").decode("OrderIntended", 1, data)


@pytest.mark.parametrize(
    ("at", "fill", "others"),
    [(LATEST, LATEST, LATEST), (LATEST + 1, 0, LATEST), (EARLIEST - 1, 0, EARLIEST)],
)
def test_a_time_that_was_once_taken_over_out_of_range_is_brought_into_it(
    at: int, fill: int, others: int
) -> None:
    """A fill is then without one (X-91); the others become the nearest that can be."""

    def again(kind: type[ev.Event], change: Callable[[Any], ev.Event]) -> Any:
        return decode(kind.__name__, encode(change(example(kind, whole=True))))

    filled = again(ev.OrderFilled, lambda e: replace(e, fill=replace(e.fill, time=at)))
    assert filled.fill.time == fill
    synced = again(ev.AccountSynced, lambda e: replace(e, balances=replace(e.balances, as_of=at)))
    assert synced.balances.as_of == others
    leg = Leg(execution_id="e", quantity=Decimal(1), price=Decimal(1), commission=ZERO, time=at)
    times = {"entry_time": at, "exit_time": at, "legs": (leg,)}
    closed = again(ev.PositionClosed, lambda e: replace(e, trade=replace(e.trade, **times)))
    trade = closed.trade
    assert (trade.entry_time, trade.exit_time, trade.legs[0].time) == (others, others, others)


def test_an_upcast_takes_the_decision_from_the_working_order() -> None:
    data = {
        "order": {
            "client_order_id": "o1",
            "broker": "paper",
            "status": "PARTIALLY_FILLED",
            "venue_order_id": "v1",
            "filled": "3",
            "notional": "300",
            "accepted_at": 7,
        }
    }
    upcast = UPCASTS["OrderAdopted", 1](data, Context("paper"))
    assert upcast["terms"]["account"] == "paper"
    assert upcast["state"] == {
        "status": "PARTIALLY_FILLED",
        "venue_order_id": "v1",
        "filled": "3",
        "notional": "300",
        "listed": True,
    }


def test_an_old_exit_keeps_what_it_measured() -> None:
    old = (
        b'{"symbol":"AAPL","position_id":"p1","measured":"99","limit":"98","plan":{"reason":'
        b'"stop_loss","detail":"hard","priority":1,"quantity":"3","attempt":2,"started_at":5}}'
    )
    found = Decoder("paper").decode("ExitPlanned", 1, old)
    assert isinstance(found, ev.ExitPlanned)
    decided = found.decision
    assert (decided.measured, decided.limit, decided.attempt) == ("99", "98", 2)
    assert decided.quantity == Decimal(3)
