"""What venues say is one line, short, and without secrets before anything keeps it (DESIGN)."""

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from console.host.secrets import Redactor
from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.account import Account, VenueOrder, VenuePosition
from engine.domain.codes import Verdict
from engine.domain.market import Quote
from engine.domain.order import OrderStatus, OrderTerms
from engine.domain.schema import encode
from engine.domain.text import REPLACEMENT, TEXT_LIMIT, UNSAFE, clean_id
from engine.ports import (
    Ambiguous,
    AuthFailed,
    BrokerError,
    MarketClosed,
    NotSent,
    OrderReport,
    Rejected,
    Report,
    Throttled,
)
from engine.runtime.outside import CODE_LIMIT, UNCLEAR_WAIT, Outside
from tests.engine.wires import Rig, Wire, play

SECRET = "5eed5eed"
WORDS = f"500 for /order?symbol=AAA&signature={SECRET} {{'X-MBX-APIKEY': '{SECRET}'}}\x1b[31m\n"
outside = Outside(Redactor().redact)


def safe(text: str) -> bool:
    return SECRET not in text and "\x1b" not in text and "\n" not in text


@pytest.mark.parametrize(
    ("length", "kept"),
    [(TEXT_LIMIT - 1, TEXT_LIMIT - 1), (TEXT_LIMIT, TEXT_LIMIT), (TEXT_LIMIT + 1, TEXT_LIMIT)],
)
def test_a_text_is_as_long_as_any_from_outside_at_most(length: int, kept: int) -> None:
    assert len(outside.text("a" * length)) == kept


def test_a_secret_that_the_limit_would_cut_is_taken_out_first() -> None:
    text = outside.text("a" * (TEXT_LIMIT - 18) + f" signature={SECRET}")
    assert "5eed" not in text


@pytest.mark.parametrize("kind", [Ambiguous, AuthFailed, MarketClosed, NotSent])
def test_C403_an_error_stays_of_its_kind(kind: type[BrokerError]) -> None:
    cleaned = outside.error(kind(WORDS))
    assert type(cleaned) is kind
    assert str(cleaned).startswith("500 for /order")
    assert safe(str(cleaned))


def test_C403_what_a_refusal_and_a_request_to_wait_carry_is_kept() -> None:
    refused = outside.error(Rejected("NO\x1bT" + "x" * CODE_LIMIT, WORDS))
    assert isinstance(refused, Rejected)
    assert refused.code.startswith(f"NO{REPLACEMENT}Tx")
    assert len(refused.code) == CODE_LIMIT
    assert safe(refused.text)
    assert safe(str(refused))
    throttled = outside.error(Throttled(WORDS, 7.5))
    assert isinstance(throttled, Throttled)
    assert throttled.retry_after == 7.5
    assert safe(str(throttled))


@pytest.mark.parametrize("seconds", [float("nan"), float("inf"), -1.0, 1e30, 10**400, None, "5"])
def test_C403_a_wait_that_cannot_be_one_is_bounded_and_said(seconds: Any) -> None:
    throttled = outside.error(Throttled(WORDS, seconds))
    assert isinstance(throttled, Throttled)
    assert throttled.retry_after == UNCLEAR_WAIT
    assert "0 to 259200 are allowed" in str(throttled)
    assert safe(str(throttled))


def test_C403_what_is_none_of_the_six_proves_nothing_and_is_named() -> None:
    cleaned = outside.error(KeyError(WORDS))
    assert type(cleaned) is Ambiguous
    assert str(cleaned).startswith("KeyError: ")
    assert safe(str(cleaned))


def test_a_report_in_clean_words_is_left_as_it_is() -> None:
    report = OrderReport(
        account="a", client_order_id="k", symbol="AAA", status=OrderStatus.NEW, text="é", time=1
    )
    assert outside.report(report) is report


class Talkative(Wire):
    """Tells a secret, a control character and a long text wherever it can speak."""

    speaks = False

    def _error(self) -> RuntimeError:
        return RuntimeError(WORDS + "x" * 200_000)

    async def connect(self) -> None:
        if self.speaks:
            self.speaks = False
            raise self._error()
        await super().connect()

    async def submit_order(self, order: OrderTerms) -> None:
        if self.speaks:
            raise self._error()
        await super().submit_order(order)

    async def get_account(self) -> Account:
        if self.speaks:
            raise self._error()
        return await super().get_account()

    async def reports(self) -> AsyncIterator[Report]:
        async for report in super().reports():
            yield report
            if self.speaks:
                raise self._error()


def test_nothing_that_a_venue_says_reaches_the_journal_as_it_was_said() -> None:
    """A submit, a look, the report stream and an attempt to connect, each of which breaks."""

    async def scene(rig: Rig) -> None:
        assert isinstance(rig.wire, Talkative)
        resting = await rig.rest()
        rig.wire.speaks = True
        rig.signal("BBB")
        looked = await rig.engine.command(ask.Reconcile(by="test"))
        assert not looked.ok
        await rig.engine.command(ask.CancelOrder(by="test", client_order_id=resting))
        await rig.clock.sleep(30)
        said = [r.event for r in rig.records if b"500 for /order" in encode(r.event)]
        kinds = {type(event).__name__ for event in said}
        codes = {event.code for event in said if isinstance(event, ev.Alarmed)}
        assert kinds >= {"OrderUnclear", "LinkChanged"}
        assert codes >= {"RECONCILE_FAILED", "CONNECT_FAILED"}
        for event in said:
            line = encode(event)
            assert SECRET.encode() not in line
            assert b"u001b" not in line
            assert len(line) < TEXT_LIMIT * 2

    play(scene, wire=Talkative)


ODD = "Z\x1b[2J\ud800"
CLEAN = "Z<U+001B>[2J<U+D800>"


class Unprintable(Wire):
    """Puts control characters and a lone surrogate into every id, symbol and currency."""

    speaks = False

    async def get_account(self) -> Account:
        told = await super().get_account()
        if not self.speaks:
            return told
        return replace(told, balances={"USD": told.cash, ODD: Decimal(5)})

    async def get_positions(self) -> tuple[VenuePosition, ...]:
        told = await super().get_positions()
        odd = VenuePosition(symbol=ODD, quantity=Decimal(1), average_price=Decimal(1))
        return (*told, odd) if self.speaks else told

    async def get_open_orders(self) -> tuple[VenueOrder, ...]:
        told = await super().get_open_orders()
        odd = [replace(o, client_order_id=ODD, venue_order_id=ODD, symbol=ODD) for o in told]
        return (*told, *odd) if self.speaks else told

    async def reports(self) -> AsyncIterator[Report]:
        async for report in super().reports():
            yield report
            if self.speaks and isinstance(report, OrderReport) and report.fill is not None:
                fill = replace(
                    report.fill,
                    client_order_id=ODD,
                    execution_id=ODD,
                    venue_order_id=ODD,
                    symbol=ODD,
                    commission_currency=ODD,
                )
                yield replace(report, client_order_id=ODD, symbol=ODD, fill=fill)


def test_no_id_symbol_or_currency_of_a_venue_reaches_the_journal_unclean() -> None:
    """The engine goes on, and every record is one that the journal can hold."""

    async def scene(rig: Rig) -> None:
        assert isinstance(rig.wire, Unprintable)
        await rig.rest()
        rig.wire.speaks = True
        rig.feed.put(Quote(symbol=ODD, bid=None, ask=None, last=Decimal(-1), time=rig.clock.now()))
        assert rig.signal("BBB").verdict is not Verdict.REJECTED
        await rig.clock.sleep(6)
        await rig.engine.command(ask.Reconcile(by="test", apply=True))
        await rig.clock.sleep(90)  # a look by schedule is among it
        lines = [encode(record.event).decode() for record in rig.records]
        assert all(UNSAFE.search(line) is None and "u001b" not in line for line in lines)
        kinds = {type(r.event) for r in rig.records if CLEAN in encode(r.event).decode()}
        assert kinds >= {ev.Alarmed, ev.OrderFilled, ev.AccountSynced}

    play(scene, wire=Unprintable)


def test_an_id_that_is_not_clean_stays_one_of_its_own() -> None:
    assert clean_id(ODD) == CLEAN
    assert clean_id(CLEAN) == CLEAN
    assert len({clean_id(f"a{chr(number)}") for number in range(0xE100)}) == 0xE100
