"""The hosts that a venue's settings name are those at which its accounts are opened (C-201)."""

from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit

import pytest

from brokers import venue_kinds
from brokers.alpaca import setup as alpaca
from brokers.binance import setup as binance
from brokers.coinbase import setup as coinbase
from brokers.ibkr.settings import IbkrConfig
from brokers.oanda import api as oanda
from brokers.okx.hosts import hosts_of
from brokers.okx.settings import OkxConfig
from engine.config.venue import RealVenueConfig


def okx(environment: str) -> tuple[str, ...]:
    found = hosts_of("okx", OkxConfig.model_validate({"environment": environment}))
    return found.private, found.public


ADDRESSES: Mapping[str, Mapping[str, Iterable[str]]] = {
    "alpaca": {name: (alpaca.TRADING[name], alpaca.STREAM[name]) for name in alpaca.TRADING},
    "binance": binance.ADDRESSES,
    "coinbase": {
        "live": (coinbase.LIVE_REST, coinbase.USER_STREAM),
        "sandbox": (coinbase.SANDBOX_REST,),
    },
    "oanda": oanda.HOSTS,
    "okx": {name: okx(name) for name in ("live", "demo")},
}


@pytest.mark.parametrize("kind", ADDRESSES)
def test_C201_every_address_of_an_environment_is_known_as_one_of_it_alone(kind: str) -> None:
    settings = venue_kinds()[kind].settings
    assert issubclass(settings, RealVenueConfig)
    for environment, urls in ADDRESSES[kind].items():
        names = {urlsplit(url).hostname for url in urls}
        assert names <= settings.hosts[environment]
        others = {name for other in settings.hosts if other != environment
                  for name in settings.hosts[other]}  # fmt: skip
        assert not names & (others | settings.shared_hosts)


@pytest.mark.parametrize("environment", ["demo", "live"])
def test_real_money_is_in_the_environment_live_and_in_no_other(environment: str) -> None:
    settings = OkxConfig.model_validate({"environment": environment})
    assert settings.is_live is (environment == "live")


def test_where_a_venue_is_asked_is_told_in_words() -> None:
    assert OkxConfig.model_validate({}).asked_at == "the addresses of the venue"
    stated = OkxConfig.model_validate({"rest_url": "http://127.0.0.1:1"})
    assert stated.asked_at == "rest_url http://127.0.0.1:1"
    behind = IbkrConfig.model_validate({"host": "10.0.0.2", "port": 7497})
    assert behind.asked_at.startswith("10.0.0.2 port 7497; ")


def test_only_of_a_venue_behind_a_program_something_of_its_identity_is_left_to_prove() -> None:
    kinds = {kind: known.settings for kind, known in venue_kinds().items()}
    real = {kind: one for kind, one in kinds.items() if issubclass(one, RealVenueConfig)}
    assert [kind for kind, one in real.items() if one.proof_left] == ["ibkr"]
