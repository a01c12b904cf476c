"""Accounts of a config: named, of a kind, opened or only set (INTERFACE, Several accounts)."""

import tomllib
from typing import Any

import pytest

from engine.config import ConfigError, account_id, amended, digest, opened
from engine.config.render import show_text
from tests.configs import built, from_mapping, parse


def told(text: str) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        parse(text)
    return caught.value.problems


EUR = '[brokers.eur]\nkind = "paper"\ncurrency = "EUR"\n'


def test_an_account_of_its_own_name_is_opened_after_the_primary() -> None:
    config = parse(EUR)
    assert opened(config) == ("paper", "eur")
    assert [account_id(config, name) for name in opened(config)] == ["paper", "eur"]
    assert config.brokers.kind_of("eur") == "paper"
    assert config.brokers.of("eur").account_id == ""


def test_a_table_without_a_kind_sets_keys_and_opens_nothing() -> None:
    assert opened(parse('[brokers.alpaca]\nenvironment = "paper"\n')) == ("paper",)


def test_a_route_opens_what_it_names_once() -> None:
    routes = '[[routes]]\nasset_class = "fx"\nbroker = "eur"\n' * 2
    assert opened(parse(routes + EUR)) == ("paper", "eur")


def test_what_was_set_is_shown_read_again_and_in_the_digest() -> None:
    config = parse(EUR)
    assert amended(config, {}) == config
    assert amended(config, {"brokers.eur.currency": "GBP"}) != config
    assert digest(config) != digest(parse(""))
    shown = show_text(config)
    assert "[brokers.eur]" in shown
    assert parse(shown) == amended(config, {"risk." + k: v for k, v in _limits(shown).items()})


def _limits(shown: str) -> dict[str, Any]:
    risk: dict[str, Any] = tomllib.loads(shown)["risk"]
    return risk


@pytest.mark.parametrize("name", ["a", "eur", "eur2", "my_eur", "names", "of", "x" * 32])
def test_names_that_are_taken(name: str) -> None:
    assert opened(parse(f'[brokers.{name}]\nkind = "paper"\n')) == ("paper", name)


@pytest.mark.parametrize("name", ["EUR", "2eur", "my__eur", "_eur", "eur_", "my-eur", "x" * 33])
def test_names_that_are_refused(name: str) -> None:
    (sentence,) = told(f'[brokers.{name}]\nkind = "paper"\n')
    assert sentence == (
        f'brokers.{name} = "{name}" is refused: allowed is a name of small letters and digits, '
        "joined by single underscores, at most 32."
    )


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            '[brokers.eur]\nkind = "papr"\n',
            'brokers.eur.kind = "papr" is refused: allowed is one of "paper", "alpaca", "ibkr", '
            '"binance", "coinbase", "okx", "oanda", "ccxt".',
        ),
        (
            '[brokers.papr]\ncurrency = "EUR"\n',
            'brokers.papr = "***" is unknown: paper may be meant, [brokers] takes '
            "paper, alpaca, ibkr, binance, coinbase, okx, oanda, ccxt, and any other name with its "
            "kind.",
        ),
        (
            '[brokers.eur]\nkind = "paper"\ncurency = "EUR"\n',
            'brokers.eur.curency = "***" is unknown: currency may be meant, [brokers.eur] takes '
            "kind, initial_cash, currency, latency_ms, slippage_bps, commission_bps, "
            "fill_probability, participation, account_id, address.",
        ),
        (
            '[brokers.eur]\nkind = "paper"\ninitial_cash = "-1"\n',
            'brokers.eur.initial_cash = "-1" is refused: allowed is an amount above 0.',
        ),
        (
            '[brokers.eur]\nkind = "alpaca"\n',
            'market.source = "simulated" is refused: allowed is "broker" while the account eur is '
            "at a real venue.",
        ),
        (
            '[brokers.alpaca]\nkind = "paper"\n',
            'brokers.alpaca.kind = "paper" is refused: allowed is "alpaca", or another name for '
            "the table.",
        ),
        (
            '[[routes]]\nsymbol = "BTC*"\nbroker = "eur"\n',
            'routes.0.broker = "eur" is refused: allowed is a name under [brokers]: paper, alpaca, '
            "ibkr, binance, coinbase, okx, oanda, ccxt.",
        ),
        (
            '[[routes]]\nsymbol = "BTC*"\nbroker = "binance"\n',
            'market.source = "simulated" is refused: allowed is "broker" while the account binance '
            "is at a real venue.",
        ),
        (
            '[brokers.a]\nkind = "paper"\naccount_id = "U1"\n'
            '[brokers.b]\nkind = "paper"\naccount_id = "U1"\n',
            'brokers.b.account_id = "***" is refused: allowed is another than that of [brokers.a], '
            "which is the same account.",
        ),
        (
            '[brokers.a]\nkind = "paper"\naccount_id = "paper"\n',
            'brokers.a.account_id = "***aper" is refused: allowed is another than that of '
            "[brokers.paper], which is the same account.",
        ),
        (
            '[brokers.paper]\naddress = "/run/v"\n[brokers.b]\nkind = "paper"\n'
            'address = "/run/v"\n',
            'brokers.b.address = "/run/v" is refused: allowed is another than that of '
            "[brokers.paper], which is the same account.",
        ),
        (
            '[brokers.b]\nkind = "paper"\naddress = "run/v"\n',
            'brokers.b.address = "run/v" is refused: allowed is "" or the full path of a unix '
            "socket.",
        ),
        (
            '[brokers.eur]\nkind = "oanda"\nenvironment = "live"\n',
            'brokers.eur.environment = "live" is refused: allowed is "practice" while mode is '
            '"paper".',
        ),
    ],
)
def test_each_mistake_is_one_sentence(text: str, sentence: str) -> None:
    assert sentence in told(text)


def test_variables_set_keys_of_an_account_and_make_one() -> None:
    environ = {
        "MERIDIAN_BROKERS__EUR__ACCOUNT_ID": "123",
        "MERIDIAN_BROKERS__MY_GBP__KIND": "paper",
    }
    config = parse(EUR, environ)
    assert opened(config) == ("paper", "eur", "my_gbp")
    assert account_id(config, "eur") == "123"


def test_accounts_of_one_id_at_different_kinds_are_two() -> None:
    tree = {
        "account": {"primary": "a"},
        "market": {"source": "broker"},
        "brokers": {
            "a": {"kind": "alpaca", "account_id": "U1"},
            "b": {"kind": "ibkr", "account_id": "U1"},
        },
    }
    assert opened(from_mapping(tree, None, built("alpaca", "ibkr"))) == ("a", "b")


ID_1, ID_2, KEY_A = 'account_id = "1"', 'account_id = "2"', 'key_env = "KEY_A"'
KEY, TOKEN = 'key_env = "***"', 'token_env = "***"'


@pytest.mark.parametrize(
    ("kind", "a", "b", "key"),
    [
        ("alpaca", "", "", KEY),
        ("alpaca", ID_1, "", KEY),
        ("alpaca", "", ID_1, KEY),
        ("alpaca", 'secret_env = "SECRET_A"', "", KEY),
        ("alpaca", KEY_A, KEY_A, KEY),
        ("alpaca", KEY_A, "", ""),
        ("alpaca", ID_1, ID_2, ""),
        ("binance", "", "", KEY),
        ("coinbase", "", "", KEY),
        ("okx", "", "", KEY),
        ("oanda", "", "", TOKEN),
        ("oanda", ID_1, ID_2, ""),
        ("ibkr", "", "client_id = 18", "port = 4002"),
        ("ibkr", "", "port = 4003", ""),
    ],
)
def test_two_tables_of_one_key_are_one_account(kind: str, a: str, b: str, key: str) -> None:
    """Without ids that tell them apart the venue would open the same account for both."""
    text = f'[brokers.a]\nkind = "{kind}"\n{a}\n[brokers.b]\nkind = "{kind}"\n{b}\n'
    said = f"brokers.b.{key} is refused: allowed is another than that of [brokers.a], or an "
    assert refused(text, kind) == ((f"{said}account_id in each.",) if key else ())


def test_one_key_in_two_worlds_of_a_venue_is_two_accounts() -> None:
    text = '[brokers.a]\nkind = "okx"\n[brokers.b]\nkind = "okx"\nenvironment = "live"\n'
    assert not any("key_env" in sentence for sentence in refused(text, "okx"))


def refused(text: str, kind: str) -> tuple[str, ...]:
    """What is said of a config where venues of that kind can be opened."""
    tree = {"account": {"primary": "a"}, "market": {"source": "broker"}, **tomllib.loads(text)}
    try:
        from_mapping(tree, kinds=built(kind))
    except ConfigError as error:
        return error.problems
    return ()
