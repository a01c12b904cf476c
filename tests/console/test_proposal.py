"""What `connect` proposes for a config, so that an account at a venue is traded."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from console.host.config_edit import Edit, edited
from console.host.proposal import candidates, is_decided, proposed
from console.host.rates import rates
from engine.config import Config
from engine.domain.account import Account
from tests.configs import parse

ALPACA = '[account]\nprimary = "alpaca"\n[market]\nsource = "broker"\nsymbols = ["AAPL"]\n'


def account(currency: str = "USD") -> Account:
    return Account(
        account_id="A-1",
        currency=currency,
        cash=Decimal(1),
        equity=Decimal(1),
        buying_power=Decimal(1),
        as_of=0,
    )


def edit_of(
    text: str, name: str, symbols: list[str], currency: str = "USD", *, fresh: bool = True
) -> Edit:
    config = parse(text)
    return proposed(config, text, name, account(currency), symbols, answers={}, fresh=fresh)


def keys(edit: Edit) -> dict[str, Any]:
    return {".".join(change.key): change.value for change in edit.changes}


def after(text: str, edit: Edit) -> Config:
    """The config once it is changed: a good one."""
    return parse(edited(text, edit))


def test_the_first_real_account_becomes_the_primary_one_on_its_own_prices() -> None:
    edit = edit_of("", "okx", ["BTC-USDT"], "USDT")
    assert keys(edit) == {
        "brokers.okx.account_id": "A-1",
        "brokers.okx.environment": "demo",
        "account.primary": "okx",
        "account.currency": "USDT",
        "market.symbols": ("BTC-USDT",),
        "market.source": "broker",
    }
    assert edit.routes == ()
    assert after("", edit).account.primary == "okx"


@pytest.mark.parametrize(
    ("text", "fresh"),
    [
        ('[account]\ncurrency = "EUR"\n', True),
        ("", False),
        ('[account]\ncurrency = "USDT"\n', True),
    ],
)
def test_the_currency_stays_where_somebody_or_a_journal_has_decided(text: str, fresh: bool) -> None:
    assert "account.currency" not in keys(edit_of(text, "okx", [], "USDT", fresh=fresh))


@pytest.mark.parametrize("row", ["USDT,1,2026-11-30", "EUR,1.08,2026-11-30"])
def test_the_currency_stays_where_rates_are_told_against_it(row: str, tmp_path: Path) -> None:
    """Against another currency a row says another thing, and one of its own contradicts it (X-86):
    the config that comes out of it must start."""
    told = tmp_path / "rates.csv"
    told.write_text(f"currency,rate,date\n{row}\n")
    text = f'[data]\nrates = "{told}"\n'
    edit = edit_of(text, "okx", ["BTC-USDT"], "USDT")
    assert "account.currency" not in keys(edit)
    config = after(text, edit)
    assert config.account.currency == "USD"
    (rate,) = rates(config.data.rates, config.account.currency)
    assert rate.currency == row.split(",", maxsplit=1)[0]


def test_a_kind_of_instrument_that_nothing_else_trades_gets_one_route() -> None:
    edit = edit_of(ALPACA, "oanda", ["EUR_USD", "GBP_USD"])
    assert keys(edit)["market.symbols"] == ("AAPL", "EUR_USD", "GBP_USD")
    assert edit.routes == ({"asset_class": "fx", "broker": "oanda"},)
    assert after(ALPACA, edit).account.primary == "alpaca"


def test_where_another_account_trades_that_kind_each_symbol_gets_its_own() -> None:
    text = ALPACA.replace('"AAPL"', '"BTC-USD"')
    edit = edit_of(text, "binance", ["ETH-USDT"])
    assert edit.routes == ({"symbol": "ETH-USDT", "broker": "binance"},)
    assert after(text, edit).routes[0].broker == "binance"


def test_an_account_that_is_opened_already_gets_no_second_route() -> None:
    text = f'{ALPACA}[[routes]]\nasset_class = "fx"\nbroker = "oanda"\n'
    assert edit_of(text, "oanda", ["EUR_USD"]).routes == ()


def test_a_config_that_has_all_of_it_is_not_changed() -> None:
    text = f'{ALPACA}[brokers.alpaca]\nenvironment = "paper"\naccount_id = "A-1"\n'
    assert edit_of(text, "alpaca", ["AAPL"]) == Edit()


def test_the_venue_is_asked_about_what_is_watched_and_else_about_what_is_usual() -> None:
    usual = ("BTC-USDT", "ETH-USDT")
    assert candidates(parse(""), "okx", ("crypto",), usual) == usual
    text = '[market]\nsymbols = ["AAPL", "BTC-USD"]\n'
    assert candidates(parse(text), "okx", ("crypto",), usual) == ("BTC-USD",)
    watched = ALPACA.replace('"AAPL"', '"AAPL", "BTC-USDT"')
    assert candidates(parse(watched), "okx", ("crypto",), usual) == ("ETH-USDT",)


@pytest.mark.parametrize(
    ("text", "decided"),
    [
        ("", []),
        ('[account]\nprimary = "paper"\n', []),
        ('[market]\nsymbols = ["TSLA"]\n', ["market.symbols"]),
        ('[market]\nsymbols = ["BTC-USDT"]\n', []),
        ('[market]\nsource = "replay"\nfile = "bars.csv"\n', ["market.source"]),
        ('[brokers.okx]\naccount_id = "B-2"\n', ["brokers.okx.account_id"]),
    ],
)
def test_what_differs_from_the_default_was_decided_by_somebody(
    text: str, decided: list[str]
) -> None:
    config = parse(text)
    edit = edit_of(text, "okx", ["BTC-USDT", "ETH-USDT"], "USDT")
    found = [".".join(change.key) for change in edit.changes if is_decided(config, change)]
    assert found == decided
