"""Kinds of instrument, their ids and facts (U-10, INTERFACE Instruments)."""

import datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from engine.domain.instrument import (
    AssetClass,
    Facts,
    Instrument,
    default_instrument,
    instrument_of,
    is_symbol,
    parse,
)
from engine.domain.instruments.future import FutureContract
from engine.domain.instruments.kind import InstrumentError
from engine.domain.instruments.option import OptionContract, OptionRight
from engine.domain.instruments.pair import Pair

D = Decimal
CALL = OptionContract(
    underlying="AAPL", expiry=datetime.date(2026, 12, 18), strike=D(200), right=OptionRight.CALL
)


@pytest.mark.parametrize(
    ("symbol", "asset_class", "contract"),
    [
        ("AAPL", AssetClass.STOCK, None),
        ("BRK.B", AssetClass.STOCK, None),
        ("ESZ3", AssetClass.STOCK, None),
        ("BTC-USD", AssetClass.CRYPTO, Pair(base="BTC", quote="USD")),
        ("EUR_USD", AssetClass.FX, Pair(base="EUR", quote="USD")),
        ("AAPL 2026-12-18 200 C", AssetClass.OPTION, CALL),
        (
            "BTC-USD 2026-12-18 0.5 P",
            AssetClass.OPTION,
            OptionContract(
                underlying="BTC-USD",
                expiry=datetime.date(2026, 12, 18),
                strike=D("0.5"),
                right=OptionRight.PUT,
            ),
        ),
        ("ES 2013-12", AssetClass.FUTURE, FutureContract(root="ES", expiry="2013-12")),
    ],
)
def test_the_shape_of_an_id_says_kind_and_contract(
    symbol: str, asset_class: AssetClass, contract: object
) -> None:
    assert is_symbol(symbol)
    assert parse(symbol) == (asset_class, contract)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " AAPL",
        "AAPL ",
        "A,B",
        "A B",
        "A" * 33,
        "-5",
        "ES 2013-13",
        "ES 2013-00",
        "ES 0000-12",
        "ES 1969-12",
        "ES 2200-01",
        "AAPL 2026-02-30 200 C",
        "AAPL 2026-12-18 200 X",
        "AAPL 2026-12-18 200 c",
        "AAPL 2026-12-18 -200 C",
        "AAPL 2026-12-18 0 C",
        "AAPL 2026-12-18 200.0 C",
        "AAPL 2026-12-18 200. C",
        "AAPL 2026-12-18 0200 C",
        "AAPL 2026-12-18 2e2 C",
        "AAPL  2026-12-18 200 C",
        "AAPL 2026-12-18 200 C\n",
        "AAPL 2026-12-18",
        "AAPL ２０２６-12-18 200 C",
    ],
)
def test_what_is_no_id_or_a_second_way_to_write_one_is_refused(text: str) -> None:
    assert not is_symbol(text)


@pytest.mark.parametrize(
    "text", ["A", "A" * 32, "ES 1970-01", "ES 2199-12", "AAPL 2028-02-29 0.00000001 P"]
)
def test_the_longest_and_the_smallest_are_ids(text: str) -> None:
    assert is_symbol(text)


def test_an_option_has_the_defaults_of_its_kind() -> None:
    made = default_instrument("AAPL 2026-12-18 200 C")
    assert (made.multiplier, made.tick, made.lot) == (D(100), D("0.01"), D(1))
    assert (made.currency, made.calendar, made.contract) == ("USD", "XNYS", CALL)
    assert (made.underlying, made.last_day) == ("AAPL", datetime.date(2026, 12, 18))


def test_a_future_has_no_default_multiplier() -> None:
    with pytest.raises(InstrumentError, match="ES 2013-12 is a future without a multiplier"):
        instrument_of("ES 2013-12", Facts())
    made = instrument_of("ES 2013-12", Facts(multiplier=D(50), tick=D("0.25")))
    assert (made.multiplier, made.tick, made.lot, made.currency) == (D(50), D("0.25"), D(1), "USD")
    assert (made.underlying, made.last_day, made.fault) == ("ES", datetime.date(2013, 12, 31), "")


@pytest.mark.parametrize(
    ("symbol", "asset_class", "underlying", "says"),
    [
        ("ES 2013-12", AssetClass.FUTURE, "ES", "ES 2013-12 is a future without a multiplier"),
        (
            "AAPL 2026-02-30 200 C",
            AssetClass.STOCK,
            None,
            "a date that exists, from 1970 to 2199, is allowed",
        ),
        ("BTC-", AssetClass.CRYPTO, None, "BASE-QUOTE is allowed for crypto"),
        ("AAPL 2026-12-18 200.0 C", AssetClass.STOCK, None, "is not a symbol: letters, digits"),
        ("A_\x1b", AssetClass.STOCK, None, "'A_\ufffd' is not a symbol"),
    ],
)
def test_what_an_id_says_too_little_of_is_a_fault_of_its_instrument(
    symbol: str, asset_class: AssetClass, underlying: str | None, says: str
) -> None:
    made = default_instrument(symbol, "SIM")
    assert says in made.fault
    assert (made.asset_class, made.underlying) == (asset_class, underlying or symbol)
    assert (made.symbol, made.calendar) == (symbol, "SIM")


def test_risk_adds_up_by_underlying_root_or_the_id_itself() -> None:
    future = instrument_of(
        "ESZ3", Facts(asset_class=AssetClass.FUTURE, multiplier=D(50), terms={"underlying": "ES"})
    )
    assert future.underlying == "ES"
    for symbol in ("AAPL", "BTC-USD", "EUR_USD"):
        assert default_instrument(symbol).underlying == symbol
        assert default_instrument(symbol).last_day is None


@pytest.mark.parametrize(
    ("expiry", "last_day"),
    [
        ("2024-02", datetime.date(2024, 2, 29)),
        ("2023-02", datetime.date(2023, 2, 28)),
        ("2013-12-20", datetime.date(2013, 12, 20)),
        ("", None),
    ],
)
def test_the_last_day_of_a_future(expiry: str, last_day: datetime.date | None) -> None:
    facts = Facts(asset_class=AssetClass.FUTURE, multiplier=D(50), terms={"expiry": expiry or None})
    assert instrument_of("ESX", facts).last_day == last_day


def test_a_word_is_what_a_table_says_it_is() -> None:
    facts = Facts(
        asset_class=AssetClass.OPTION,
        terms={
            "underlying": "AAPL",
            "expiry": "2026-12-18",
            "strike": D(200),
            "right": OptionRight.CALL,
        },
    )
    assert instrument_of("MYCALL", facts).contract == CALL
    brk = instrument_of("BRK-B", Facts(asset_class=AssetClass.STOCK))
    assert (brk.currency, brk.calendar, brk.contract) == ("USD", "XNYS", None)


OPTION = "AAPL 2014-01-18 480 C"


@pytest.mark.parametrize(
    ("symbol", "facts", "says"),
    [
        (OPTION, {"terms": {"strike": D(490)}}, f"strike is 490, but the id {OPTION} says 480"),
        (
            OPTION,
            {"terms": {"expiry": "2014-01-17"}},
            f"expiry is 2014-01-17, but the id {OPTION} says",
        ),
        (
            OPTION,
            {"terms": {"right": OptionRight.PUT}},
            f"right is put, but the id {OPTION} says call",
        ),
        (
            OPTION,
            {"terms": {"underlying": "MSFT"}},
            f"underlying is MSFT, but the id {OPTION} says AAPL",
        ),
        (
            OPTION,
            {"asset_class": AssetClass.FUTURE},
            f"asset_class is future, but the id {OPTION} says option",
        ),
        (
            OPTION,
            {"asset_class": AssetClass.STOCK},
            f"asset_class is stock, but the id {OPTION} says option",
        ),
        (
            "ES 2013-12",
            {"asset_class": AssetClass.OPTION},
            "asset_class is option, but the id ES 2013-12 says future",
        ),
        (
            "ES 2013-12",
            {"terms": {"expiry": "2014-03"}, "multiplier": D(50)},
            "expiry is 2014-03, but",
        ),
        (
            "ES 2013-12",
            {"terms": {"strike": D(1)}, "multiplier": D(50)},
            "strike is stated of ES 2013-12",
        ),
        (
            "AAPL 2014-02-30 480 C",
            {},
            "'2014-02-30': a date that exists, from 1970 to 2199, is allowed",
        ),
        ("X", {"asset_class": AssetClass.FUTURE}, "X is a future without a multiplier"),
        (
            "X",
            {
                "asset_class": AssetClass.FUTURE,
                "multiplier": D(1),
                "terms": {"expiry": "2026-W01-1"},
            },
            "'2026-W01-1': a date that exists, from 1970 to 2199, is allowed",
        ),
        ("X", {"asset_class": AssetClass.OPTION}, "all four are needed"),
        (
            "X",
            {
                "asset_class": AssetClass.OPTION,
                "terms": {
                    "underlying": "A",
                    "expiry": "2026-12-18",
                    "strike": D(0),
                    "right": OptionRight.PUT,
                },
            },
            "strike of X is 0: a number above 0 is allowed",
        ),
        (
            "AAPL",
            {"terms": {"strike": D(200)}},
            "strike is stated of AAPL, which is of class stock",
        ),
        (
            "AAPL",
            {"terms": {"expiry": "2026-12-18"}},
            "expiry is stated of AAPL, which is of class stock",
        ),
        ("BTC-USD", {"currency": "EUR"}, "currency is EUR, but BTC-USD is paid in USD"),
        ("EURUSD", {"asset_class": AssetClass.FX}, "BASE_QUOTE is allowed for fx"),
        ("BTC-", {}, "BASE-QUOTE is allowed for crypto"),
        ("AAPL", {"multiplier": D(0)}, "multiplier of AAPL is 0: a number above 0 is allowed"),
        ("AAPL", {"multiplier": D(-1)}, "multiplier of AAPL is -1"),
        ("AAPL", {"multiplier": D("NaN")}, "multiplier of AAPL is NaN"),
        ("AAPL", {"tick": D(0)}, "tick of AAPL is 0"),
        ("AAPL", {"lot": D("Infinity")}, "lot of AAPL is Infinity"),
    ],
)
def test_facts_that_contradict_or_are_missing_are_one_sentence(
    symbol: str, facts: dict[str, Any], says: str
) -> None:
    with pytest.raises(InstrumentError) as refused:
        instrument_of(symbol, Facts(**facts))
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_day_may_be_stated_beside_the_month_of_a_future() -> None:
    made = instrument_of("ES 2013-12", Facts(multiplier=D(50), terms={"expiry": "2013-12-20"}))
    assert made.contract == FutureContract(root="ES", expiry="2013-12-20")


OLD = (
    b'{"symbol":"BTC-USD","asset_class":"crypto","tick":"0.01","lot":"0.00000001","multiplier":"1",'
    b'"currency":"USD","calendar":"SIM","shortable":false,"min_notional":"0"}'
)


def test_an_instrument_of_0_1_0_is_read() -> None:
    """Version 0.1.0 knew no contracts."""
    old = msgspec.json.decode(OLD, type=Instrument)
    now = default_instrument("BTC-USD", "SIM")
    assert old == msgspec.structs.replace(now, contract=None)


@pytest.mark.parametrize(
    "made",
    [
        default_instrument("AAPL 2026-12-18 200 C"),
        default_instrument("EUR_USD"),
        instrument_of("ES 2013-12", Facts(multiplier=D(50), as_of=datetime.date(2013, 1, 2))),
    ],
)
def test_an_instrument_can_be_written_down_and_read_back(made: Instrument) -> None:
    assert msgspec.json.decode(msgspec.json.encode(made), type=Instrument) == made


@pytest.mark.parametrize(
    ("symbol", "facts", "coin"),
    [
        ("BTC-USD", Facts(), "BTC"),
        ("ETH-BTC", Facts(), "ETH"),
        # what moves by more than its own price is a contract, and no coin is held
        ("BTC-USD", Facts(multiplier=Decimal(10)), ""),
        ("EUR_USD", Facts(), ""),
        ("AAPL", Facts(), ""),
        ("AAPL 2026-12-18 200 C", Facts(), ""),
        ("ES 2026-12", Facts(multiplier=Decimal(50)), ""),
    ],
)
def test_x86_a_coin_that_is_held_can_be_spent_and_a_contract_cannot(
    symbol: str, facts: Facts, coin: str
) -> None:
    assert instrument_of(symbol, facts).coin == coin


class TestTheCurrencyOfAnOption:
    """A strike, a premium and what exercising brings are in what the underlying is paid in."""

    @pytest.mark.parametrize(
        ("symbol", "currency"),
        [
            ("BTC-EUR 2026-12-18 200 C", "EUR"),
            ("BTC-USDT 2026-12-18 200 P", "USDT"),
            ("AAPL 2026-12-18 200 C", "USD"),
        ],
    )
    def test_it_is_what_the_id_of_the_underlying_says(self, symbol: str, currency: str) -> None:
        assert instrument_of(symbol, Facts()).currency == currency
        assert instrument_of(symbol, Facts(currency=currency)).currency == currency

    def test_another_one_contradicts_a_pair_and_not_a_stock_that_nobody_described(self) -> None:
        with pytest.raises(InstrumentError, match="the underlying BTC-EUR is paid in EUR"):
            instrument_of("BTC-EUR 2026-12-18 200 C", Facts(currency="USD"))
        assert instrument_of("SAP 2026-12-18 200 C", Facts(currency="EUR")).currency == "EUR"

    def test_an_option_on_itself_is_refused(self) -> None:
        terms = {"expiry": "2026-12-18", "strike": D(200), "right": OptionRight.CALL}
        option = Facts(asset_class=AssetClass.OPTION, terms={"underlying": "SELFX", **terms})
        with pytest.raises(InstrumentError, match="the underlying of SELFX is itself"):
            instrument_of("SELFX", option)
        assert instrument_of("SELFY", option).underlying == "SELFX"
