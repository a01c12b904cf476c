"""The parts of the adapter of Interactive Brokers by themselves (C-230, C-231, E-11)."""

import importlib.metadata
from typing import Any

import pytest

pytest.importorskip("eventkit", reason="neither ib_async nor ib_insync is installed")

from brokers.ibkr import _lib
from brokers.ibkr._lib import lib
from brokers.ibkr.codec import price_of, stated, time_of
from brokers.ibkr.executions import fill_id
from brokers.ibkr.holdings import positions_of
from brokers.ibkr.known import KnownOrders
from brokers.ibkr.refusals import Meaning, meaning_of, refusal
from brokers.ibkr.settings import IbkrConfig
from brokers.ibkr.symbols import Symbols
from brokers.ibkr.words import ENDED, STATUSES
from brokers.net.numbers import number
from engine.domain.instant import parse_rfc3339
from engine.domain.instrument import AssetClass, Facts, instrument_of
from engine.domain.instruments.option import OptionRight
from engine.domain.order import TERMINAL, OrderStatus
from engine.ports import Rejected, Throttled
from tests.brokers.conformance import D

S = OrderStatus


def contract(**terms: Any) -> Any:
    return lib.Contract(**{"conId": 77, "currency": "USD", **terms})


@pytest.mark.parametrize(
    ("symbol", "terms"),
    [
        ("AAPL", {"secType": "STK", "symbol": "AAPL", "exchange": "SMART", "currency": "USD"}),
        ("BRK.B", {"secType": "STK", "symbol": "BRK B"}),
        ("EUR_USD", {"secType": "CASH", "symbol": "EUR", "exchange": "IDEALPRO"}),
        ("USD_JPY", {"secType": "CASH", "symbol": "USD", "currency": "JPY"}),
        ("SPY 2026-12-18 437.5 P", {"secType": "OPT", "strike": "437.5", "right": "P"}),
        ("ES 2026-12", {"secType": "FUT", "lastTradeDateOrContractMonth": "202612"}),
    ],
)
def test_C230_our_id_is_a_contract(symbol: str, terms: dict[str, Any]) -> None:
    found = Symbols({}).contract(symbol)
    assert {name: getattr(found, name) for name in terms} == terms


@pytest.mark.parametrize(
    ("terms", "symbol"),
    [
        ({"secType": "STK", "symbol": "AAPL"}, "AAPL"),
        ({"secType": "STK", "symbol": "BRK B"}, "BRK.B"),
        ({"secType": "STK", "symbol": "VOD", "currency": "GBP"}, "IBKR.77"),
        ({"secType": "CASH", "symbol": "EUR"}, "EUR_USD"),
        (
            {
                "secType": "OPT", "symbol": "SPY", "strike": D("437.50"), "right": "PUT",
                "lastTradeDateOrContractMonth": "20261218",
            },
            "SPY 2026-12-18 437.5 P",
        ),
        (
            {
                "secType": "FUT", "symbol": "ES", "localSymbol": "ESZ6",
                "lastTradeDateOrContractMonth": "20261218",
            },
            "ES 2026-12",
        ),
        (
            # Its last day lies in the month before the one that it is named by.
            {
                "secType": "FUT", "symbol": "CL", "localSymbol": "CLF7",
                "lastTradeDateOrContractMonth": "20261218",
            },
            "CL 2027-01",
        ),
        ({"secType": "FUT", "symbol": "ES", "localSymbol": "DEC"}, "IBKR.77"),
        (
            # In another currency than we would ask for: its money would be taken for dollars.
            {
                "secType": "FUT", "symbol": "DAX", "localSymbol": "FDAXZ6", "currency": "EUR",
                "lastTradeDateOrContractMonth": "20261218",
            },
            "IBKR.77",
        ),
        ({"secType": "BOND", "symbol": "T"}, "IBKR.77"),
        ({"secType": "STK", "symbol": "\x1b[2J"}, "IBKR.77"),
    ],
)  # fmt: skip
def test_C230_a_contract_is_called_by_our_id_or_by_its_number(
    terms: dict[str, Any], symbol: str
) -> None:
    assert Symbols({}).ours(contract(**terms)) == symbol


def test_the_table_of_instruments_says_in_which_currency_a_symbol_is_meant() -> None:
    symbols = Symbols({"VOD": instrument_of("VOD", Facts(currency="GBP"))})
    assert symbols.contract("VOD").currency == "GBP"
    assert symbols.ours(contract(secType="STK", symbol="VOD", currency="GBP")) == "VOD"
    assert symbols.ours(contract(secType="STK", symbol="VOD")) == "IBKR.77"


@pytest.mark.parametrize(
    ("symbol", "stated", "terms"),
    [
        (
            # Its local symbol says no month; the table says its last day.
            "DAX 2026-12",
            Facts(currency="EUR", multiplier=D(25), terms={"expiry": "2026-12-18"}),
            {"secType": "FUT", "symbol": "DAX", "localSymbol": "FDAX 20261218 M"},
        ),
        (
            "FDAX",
            Facts(
                asset_class=AssetClass.FUTURE, currency="EUR", multiplier=D(25),
                terms={"underlying": "DAX", "expiry": "2026-12"},
            ),
            {"secType": "FUT", "symbol": "DAX", "localSymbol": "FDAXZ6"},
        ),
        (
            "MYCALL",
            Facts(
                asset_class=AssetClass.OPTION, currency="EUR",
                terms={
                    "underlying": "SAP", "expiry": "2026-12-18", "strike": D(200),
                    "right": OptionRight.CALL,
                },
            ),
            {"secType": "OPT", "symbol": "SAP", "strike": D("200.0"), "right": "C"},
        ),
    ],
)  # fmt: skip
def test_C230_a_contract_is_called_as_the_table_of_instruments_calls_it(
    symbol: str, stated: Facts, terms: dict[str, Any]
) -> None:
    symbols = Symbols({symbol: instrument_of(symbol, stated)})
    told = contract(currency="EUR", lastTradeDateOrContractMonth="20261218", **terms)
    assert symbols.ours(told) == symbol
    later = {**terms, "lastTradeDateOrContractMonth": "20270319", "localSymbol": "FDAXH7"}
    other = contract(currency="EUR", **later)
    assert symbols.ours(other) != symbol


@pytest.mark.parametrize("symbol", ["BTC-USD", "IBKR.77", "no symbol", ""])
def test_what_is_not_traded_is_refused(symbol: str) -> None:
    with pytest.raises(Rejected):
        Symbols({}).contract(symbol)


def test_C231_only_words_that_say_so_are_an_end() -> None:
    ends = {word: status for word, status in STATUSES.items() if status in TERMINAL}
    assert ends == {
        "ApiCancelled": S.CANCELED, "Cancelled": S.CANCELED, "Filled": S.FILLED,
    }  # fmt: skip
    assert STATUSES["PendingCancel"] is S.PENDING_CANCEL
    assert (STATUSES["Inactive"], ENDED["Inactive"]) == (S.SUSPENDED, S.REJECTED)


@pytest.mark.parametrize(
    ("code", "meaning"),
    [
        (100, Meaning.RATE), (110, Meaning.REFUSED), (161, Meaning.CANCEL_REFUSED),
        (200, Meaning.REFUSED), (201, Meaning.REFUSED), (202, Meaning.CANCELED),
        (321, Meaning.REFUSED), (399, Meaning.NOTICE), (404, Meaning.NOTICE),
        (434, Meaning.REFUSED), (1100, Meaning.CUT), (1101, Meaning.BACK), (1102, Meaning.BACK),
        (2099, Meaning.UNKNOWN), (2100, Meaning.NOTICE), (2109, Meaning.NOTICE),
        (2110, Meaning.CUT), (2199, Meaning.NOTICE), (2200, Meaning.UNKNOWN),
        (10147, Meaning.CANCEL_REFUSED), (10148, Meaning.CANCEL_REFUSED),
        (10167, Meaning.NOTICE), (10311, Meaning.NOTICE), (10349, Meaning.NOTICE),
        (99999, Meaning.UNKNOWN),
    ],
)  # fmt: skip
def test_D64_what_a_number_means(code: int, meaning: Meaning) -> None:
    assert meaning_of(code) is meaning


def test_C403_a_question_that_is_refused() -> None:
    refused = refusal(200, "no security definition")
    assert isinstance(refused, Rejected)
    assert refused.code == "200"
    assert isinstance(refusal(100, "too many"), Throttled)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("20260302 10:00:00 US/Eastern", "2026-03-02T15:00:00Z"),
        ("20260302  10:00:00 America/New_York", "2026-03-02T15:00:00Z"),
        ("20260302-15:00:00", "2026-03-02T15:00:00Z"),
        ("20260702 10:00:00 US/Eastern", "2026-07-02T14:00:00Z"),
    ],
)
def test_a_time_is_read_as_it_is_meant(text: str, moment: str) -> None:
    assert time_of(text) == parse_rfc3339(moment)


@pytest.mark.parametrize(
    "text", ["", "20260302", "20260302 10:00:00", "20260302 10:00:00 MET/Nowhere", "x y ../../z"]
)
def test_a_time_that_nobody_can_place_is_none(text: str) -> None:
    assert time_of(text) == 0


def test_numbers_that_stand_for_none() -> None:
    assert stated(number("1.7976931348623157E308")) is None
    assert stated(1.7976931348623157e308) is None
    assert stated(number("0")) == 0
    assert price_of(number("0.0")) is None
    assert price_of(number("95.10")) == D("95.10")
    found = stated(number("many"))
    assert found is not None
    assert found.is_nan()


@pytest.mark.parametrize(
    ("execution_id", "expected"),
    [("0000e0d5.6561a9b8.01.01", "0000e0d5.6561a9b8.01"), ("plain", "plain")],
)
def test_a_correction_is_the_same_execution(execution_id: str, expected: str) -> None:
    assert fill_id(execution_id) == expected


def test_E11_two_libraries_at_once_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "1.0")
    with pytest.raises(ImportError, match="Uninstall both"):
        _lib.load()


def test_E11_without_a_library_it_is_said_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_lib, "NAMES", ("no_such_library",))
    with pytest.raises(ImportError, match=r"meridian-tui\[ibkr\]"):
        _lib.load()


def test_E13_the_paper_gateway_is_the_default() -> None:
    settings = IbkrConfig()
    assert (settings.port, settings.environment) == (4002, "paper")


def test_C232_a_number_means_nothing_after_its_connection_whatever_order_had_it() -> None:
    """A change by hand can make two orders of one number (research, ibkr 3.1): the number of each
    would cancel another order on the next connection."""
    known = KnownOrders(17)
    first, second = known.of(17, 5, 100, "a"), known.of(17, 5, 101, "a")
    assert first is not second
    known.lost("the connection ended")
    assert (first.order_id, second.order_id) == (0, 0)


def test_C232_an_order_that_got_another_number_is_not_found_by_the_old_one() -> None:
    known = KnownOrders(17)
    order = known.of(17, 5, 100, "a")
    assert known.of(17, 6, 100, "a") is order
    assert (known.of_number(5), known.of_number(6)) == (None, order)


@pytest.mark.parametrize(
    ("rows", "held"),
    [
        ([("1", "1000"), ("3", "2000")], ("4", "17.5")),
        ([("3", "1000"), ("-1", "2000")], ("2", "10")),
        ([("1", "1000"), ("-3", "2000")], ("-2", "20")),
        ([("1", "1000"), ("-1", "2000")], None),
        ([("0", "0"), ("-3", "2000")], ("-3", "20")),
        ([("NaN", "1000"), ("3", "2000")], ("NaN", "NaN")),
    ],
)
def test_C232_contracts_of_one_id_are_one_holding_at_the_average_of_one_side(
    rows: list[tuple[str, str]], held: tuple[str, str] | None
) -> None:
    """Those that end in the morning and in the evening of a day have one id here."""
    terms = {
        "secType": "OPT", "symbol": "SPX", "strike": D(5000), "right": "C", "multiplier": "100",
        "lastTradeDateOrContractMonth": "20261218",
    }  # fmt: skip
    told = [
        (contract(**{**terms, "conId": n, "localSymbol": str(n)}), D(quantity), D(cost))
        for n, (quantity, cost) in enumerate(rows)
    ]
    found = positions_of(told, Symbols({}))
    assert [(str(p.quantity), str(p.average_price)) for p in found] == ([held] if held else [])
    assert {p.symbol for p in found} <= {"SPX 2026-12-18 5000 C"}
