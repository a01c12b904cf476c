"""What keys say together: modes, profiles, references, features that are not built yet."""

import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from engine.config import Config, ConfigError
from engine.config.profiles import PROFILES, ROWS, Tighter
from engine.config.rules import environments, not_built, places, problems, value_at
from engine.config.venue import RealVenueConfig
from engine.domain.run import Mode, ProfileName, TriggerAction
from tests.configs import built, from_mapping, unruled

CUSTOM: dict[str, Any] = {
    "max_risk_per_trade": "0.5",
    "daily_loss_limit": "1",
    "max_concurrent_positions": 1_000_000,
    "max_single_stock_exposure": "1",
    "max_sector_exposure": "1",
    "max_gross_exposure": "1",
    "drawdown_limit": "1",
    "max_trades_per_day": 1_000_000,
    "min_account_equity": "0",
    "consecutive_loss_threshold": 1_000,
    "consecutive_loss_pct": "1",
}


def told(tree: dict[str, Any]) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        from_mapping(tree)
    return caught.value.problems


def about(tree: dict[str, Any], key: str) -> str:
    (sentence,) = (line for line in told(tree) if line.startswith(key))
    return sentence


BOUNDED = [
    (name, row)
    for name, profile in PROFILES.items()
    for row in ROWS
    if getattr(profile, row.field) is not None
]


@pytest.mark.parametrize(("profile", "row"), BOUNDED)
def test_X67_a_limit_may_equal_or_tighten_the_profile_s_and_never_loosen_it(
    profile: ProfileName, row: Any
) -> None:
    ceiling = getattr(PROFILES[profile], row.field)
    step = 1 if isinstance(ceiling, int) else Decimal("0.001")
    loose, tight = ceiling + step, ceiling - step
    if row.tighter is Tighter.HIGHER:
        loose, tight = tight, loose

    def risk(value: Any) -> dict[str, Any]:
        return {"profile": profile.value, "risk": {row.key: value}}

    assert getattr(from_mapping(risk(ceiling)).risk, row.key) == ceiling if ceiling else True
    if tight >= step:
        assert getattr(from_mapping(risk(tight)).risk, row.key) == tight
    sentence = about(risk(loose), f"risk.{row.key}")
    if 0 <= loose <= 1 or row.key not in ("max_gross_exposure", "min_account_equity"):
        assert profile.value in sentence


@pytest.mark.parametrize("row", ROWS)
def test_X67_where_a_profile_has_no_limit_any_value_is_taken(row: Any) -> None:
    for name, profile in PROFILES.items():
        if getattr(profile, row.field) is None:
            config = from_mapping({"profile": name.value, "risk": {row.key: CUSTOM[row.key]}})
            assert getattr(config.risk, row.key) is not None


def test_X67_keys_that_the_profiles_do_not_list_are_free() -> None:
    free = {
        "api_timeout_seconds": 3_600,
        "max_order_notional": "900000000",
        "max_orders_per_minute": 1_000_000,
        "price_collar_pct": "1",
        "quote_max_age_seconds": 86_400,
        "max_open_orders": 1_000_000,
    }
    for profile in PROFILES:
        from_mapping({"profile": profile.value, "risk": free})


def test_X67_custom_takes_every_limit_from_risk() -> None:
    config = from_mapping({"profile": "custom", "risk": CUSTOM})
    assert config.risk.max_concurrent_positions == 1_000_000


@pytest.mark.parametrize("key", sorted(CUSTOM))
def test_X67_custom_misses_none(key: str) -> None:
    rest = {name: value for name, value in CUSTOM.items() if name != key}
    (sentence,) = told({"profile": "custom", "risk": rest})
    assert sentence == f"risk.{key} is missing: profile custom takes every limit from [risk]."


def test_order_rate_position_count_and_duplicate_window_can_be_lifted() -> None:
    config = from_mapping(
        {
            "profile": "custom",
            "risk": {**CUSTOM, "max_orders_per_minute": 1_000_000_000},
            "execution": {"dedup_window_seconds": 0},
        }
    )
    assert config.execution.dedup_window_seconds == 0


@pytest.mark.parametrize("venue", ["alpaca", "ibkr", "binance", "coinbase", "okx", "oanda"])
def test_X30_no_live_broker_in_paper_mode(venue: str) -> None:
    sentence = about({"brokers": {venue: {"environment": "live"}}}, f"brokers.{venue}.environment")
    assert 'while mode is "paper"' in sentence


@pytest.mark.parametrize(
    ("venue", "key", "url", "is_of"),
    [
        ("alpaca", "trading_url", "https://api.alpaca.markets", "live"),
        ("alpaca", "trading_stream_url", "wss://API.alpaca.markets/stream", "live"),
        ("binance", "rest_url", "https://api.binance.com", "live"),
        ("binance", "ws_api_url", "wss://ws-api.binance.com:443/ws-api/v3", "live"),
        ("coinbase", "rest_url", "https://api.coinbase.com", "live"),
        ("okx", "stream_url", "wss://ws.okx.com:8443/ws/v5/private", "live"),
        ("oanda", "rest_url", "https://api-fxtrade.oanda.com", "live"),
        ("alpaca", "trading_url", "https://api.alpaca.markets.", "live"),
        ("oanda", "rest_url", "https://API-fxtrade.OANDA.com.:443/", "live"),
    ],
)
def test_C201_a_test_environment_is_never_asked_at_a_live_address(
    venue: str, key: str, url: str, is_of: str
) -> None:
    sentence = about({"brokers": {venue: {key: url}}}, f"brokers.{venue}.{key}")
    assert sentence.endswith(f": it is {is_of}.")


@pytest.mark.parametrize(
    ("venue", "key", "url", "ok"),
    [
        # research/alpaca-binance.md: the live exchange answers at each of these as well.
        ("binance", "rest_url", "https://api1.binance.com", False),
        ("binance", "rest_url", "https://api-gcp.binance.com", False),
        ("binance", "rest_url", "https://api4.binance.com.", False),
        ("alpaca", "trading_url", "https://broker-api.alpaca.markets", False),
        ("okx", "rest_url", "https://aws.okx.com", False),
        ("okx", "rest_url", "https://www.okx.com", True),
        ("binance", "rest_url", "https://testnet.binance.vision", True),
        ("binance", "rest_url", "https://mybinance.com", True),
        ("binance", "rest_url", "http://127.0.0.1:8080", True),
    ],
)
def test_C201_a_test_environment_is_not_asked_at_a_host_that_may_be_live(
    venue: str, key: str, url: str, *, ok: bool
) -> None:
    tree = {"brokers": {venue: {key: url}}}
    if ok:
        from_mapping(tree)
    else:
        assert about(tree, f"brokers.{venue}.{key}").endswith(": it may be live.")


def test_C201_a_live_environment_is_never_asked_at_a_test_address() -> None:
    for venue, key, url in (
        ("alpaca", "trading_url", "https://paper-api.alpaca.markets"),
        ("binance", "rest_url", "https://testnet.binance.vision"),
        ("oanda", "stream_url", "https://stream-fxpractice.oanda.com"),
        ("okx", "stream_url", "wss://wspap.okx.com:8443/ws/v5/private"),
    ):
        config = with_values(mode="live", brokers={venue: {"environment": "live", key: url}})
        assert f"brokers.{venue}.{key}" in {".".join(p.key) for p in places(config)}


@pytest.mark.parametrize(
    ("venue", "url", "own"),
    [
        ("alpaca", "", True),
        ("alpaca", "https://data.alpaca.markets", True),
        ("alpaca", "http://127.0.0.1:8080", False),
        ("alpaca", "https://data.alpaca.markets.example.com", False),
        ("okx", "https://eea.okx.com", True),
    ],
)
def test_X51_it_is_known_whether_the_venue_itself_is_asked(venue: str, url: str, own: bool) -> None:
    key = "data_url" if venue == "alpaca" else "rest_url"
    config = from_mapping({"brokers": {venue: {key: url}}})
    settings = config.brokers.of(venue)
    assert isinstance(settings, RealVenueConfig)
    assert settings.is_at_venue is own


LOCAL = "http://127.0.0.1:8080"
HERE = {"trading_url": LOCAL, "trading_stream_url": "ws://[::1]:1", "data_url": LOCAL}
HERE |= {"data_stream_url": "ws://localhost:2"}


@pytest.mark.parametrize(
    ("table", "may"),
    [
        ({}, True),
        (HERE, False),
        # One that is not stated is the venue's own.
        ({"data_url": LOCAL}, True),
        *(({**HERE, key: ""}, True) for key in HERE),
        ({**HERE, "trading_url": "https://api.alpaca.markets."}, True),
        ({**HERE, "trading_url": "https://proxy.example.com"}, True),
        ({**HERE, "trading_url": "https://10.0.0.7"}, True),
        ({**HERE, "trading_url": "https://127.0.0.1.example.com"}, True),
    ],
)
def test_X51_money_may_be_real_wherever_not_all_is_asked_of_servers_of_this_machine(
    table: dict[str, str], *, may: bool
) -> None:
    """A dry run at a local server must not let real money be traded at the venue."""
    settings = with_values(brokers={"alpaca": table}).brokers.of("alpaca")
    assert isinstance(settings, RealVenueConfig)
    assert settings.may_be_at_venue is may


def test_X51_a_venue_without_addresses_of_its_own_may_be_real() -> None:
    settings = from_mapping({}).brokers.of("ibkr")
    assert isinstance(settings, RealVenueConfig)
    assert settings.may_be_at_venue


def rules_told(config: Config) -> dict[str, str]:
    return {".".join(problem.key): problem.allowed for problem in problems(config)}


def with_values(**sections: Any) -> Config:
    """A config past the refusal of what is not built, to judge the rules that come with it."""
    return unruled(sections)


def told_by_environments(config: Config) -> dict[str, str]:
    return {".".join(problem.key): problem.allowed for problem in environments(config)}


def test_X30_no_paper_environment_in_live_mode() -> None:
    config = with_values(mode="live", account={"primary": "alpaca", "fallback": "ibkr"})
    told_ = told_by_environments(config)
    assert told_["brokers.alpaca.environment"] == '"live" while mode is "live"'
    assert told_["brokers.ibkr.environment"] == '"live" while mode is "live"'
    assert "brokers.okx.environment" not in told_


def test_X30_the_paper_broker_does_not_trade_live() -> None:
    assert told_by_environments(with_values(mode="live"))["account.primary"] == (
        'a live broker while mode is "live"'
    )


LIVE: dict[str, Any] = {
    "mode": "live",
    "account": {"primary": "alpaca"},
    "market": {"source": "broker"},
    "brokers": {"alpaca": {"environment": "live", "account_id": "A1"}},
}


def test_a_live_broker_agrees_with_live_mode() -> None:
    assert from_mapping(LIVE, None, built("alpaca")).mode is Mode.LIVE


def test_C201_a_live_account_states_its_id() -> None:
    nameless = LIVE | {"brokers": {"alpaca": {"environment": "live"}}}
    with pytest.raises(ConfigError) as caught:
        from_mapping(nameless, None, built("alpaca"))
    (sentence,) = caught.value.problems
    assert sentence.startswith('brokers.alpaca.account_id = ""')
    assert "the id of the account that the venue answers with" in sentence


def test_C201_every_account_that_live_mode_opens_is_a_live_one() -> None:
    brokers = LIVE["brokers"] | {"second": {"kind": "paper"}, "third": {"kind": "ibkr"}}
    found = told_by_environments(with_values(**LIVE | {"brokers": brokers}))
    assert found == {
        "brokers.second.kind": 'a live broker while mode is "live"',
        "brokers.third.environment": '"live" while mode is "live"',
    }


@pytest.mark.parametrize("environment", ["sandbox", "live"])
def test_X61_a_venue_that_is_not_traded_live_yet_is_refused_in_one_sentence(
    environment: str,
) -> None:
    config = with_values(
        mode="live",
        account={"primary": "coinbase"},
        brokers={"coinbase": {"environment": environment, "account_id": "c"}},
    )
    assert told_by_environments(config) == {
        "brokers.coinbase.environment": ("another kind of venue: coinbase is not traded live yet")
    }


def test_a_broker_that_is_named_has_a_section() -> None:
    sentence = about({"account": {"primary": "robinhood"}}, "account.primary")
    assert "a name under [brokers]: paper, alpaca, ibkr, binance, coinbase, okx, oanda" in sentence


def test_the_fallback_is_another_broker() -> None:
    sentence = about({"account": {"fallback": "paper"}}, "account.fallback")
    assert "other than the primary" in sentence


CRYPTO_AND_FX = {"symbols": ["BTC-USD", "EUR_USD"], "source": "broker"}


def test_A240_the_fallback_trades_what_may_go_to_it() -> None:
    """Below: none of what is routed elsewhere; at: one kind of it; above: all of it."""
    stocks = {"symbols": ["AAPL"], "source": "broker"}
    kinds = built("alpaca", "ibkr", "binance", "oanda")

    def said(fallback: str, market: dict[str, Any], **tree: Any) -> list[str]:
        account = {"primary": "alpaca", "fallback": fallback}
        try:
            from_mapping({"account": account, "market": market, **tree}, None, kinds)
        except ConfigError as error:
            return list(error.problems)
        return []

    (sentence,) = said("binance", stocks)
    assert sentence.startswith('account.fallback = "binance"')
    assert "an account that trades stock" in sentence
    assert "binance trades crypto" in sentence
    assert said("ibkr", stocks) == []
    assert said("binance", CRYPTO_AND_FX) == []
    routed = [{"asset_class": "crypto", "broker": "binance"}]
    (sentence,) = said("binance", CRYPTO_AND_FX, routes=routed)
    assert "an account that trades fx" in sentence, "what is routed there anyway does not count"


def test_A240_a_fallback_of_another_mode_is_named() -> None:
    said = told_of_prices(account={"primary": "paper", "fallback": "alpaca"})
    assert "market.source" in said, "a real venue beside a paper account"
    real = {"primary": "alpaca", "fallback": "paper"}
    said = told_of_prices(account=real, market={"source": "broker"})
    assert list(said) == ["account.fallback"]
    live = {"alpaca": {"environment": "paper"}, "ibkr": {"environment": "live"}}
    real = {"primary": "alpaca", "fallback": "ibkr"}
    said = told_of_prices(account=real, market={"source": "broker"}, brokers=live)
    assert list(said) == ["brokers.ibkr.environment"]


def told_of_prices(**tree: Any) -> dict[str, str]:
    kinds = built("alpaca", "ibkr")
    try:
        from_mapping(tree, None, kinds)
    except ConfigError as error:
        return dict(sentence.split(" = ", 1) for sentence in error.problems)
    return {}


@pytest.mark.parametrize("source", ["simulated", "replay"])
def test_X68_an_account_at_a_real_venue_is_never_traded_by_made_up_prices(source: str) -> None:
    """Its orders would be sized and stopped by a market that is not there."""
    market = {"source": source, "file": "bars.csv" if source == "replay" else ""}
    said = told_of_prices(account={"primary": "alpaca"}, market=market)
    assert list(said) == ["market.source"]
    assert '"broker" while the account alpaca is at a real venue' in said["market.source"]
    assert told_of_prices(account={"primary": "alpaca"}, market={"source": "broker"}) == {}


def test_a_paper_account_is_not_matched_on_the_market_of_a_real_venue() -> None:
    said = told_of_prices(market={"source": "broker"})
    assert 'an account at a real venue while market.source is "broker"' in said["account.primary"]
    two = {"account": {"primary": "alpaca"}, "market": {"source": "broker"}}
    said = told_of_prices(**two, brokers={"spare": {"kind": "paper"}})
    assert list(said) == ["brokers.spare.kind"]
    said = told_of_prices(**two, routes=[{"symbol": "A*", "broker": "ibkr"}])
    assert said == {}


def test_U40_shadow_follows_the_prices_of_real_venues() -> None:
    real = {"account": {"primary": "alpaca"}, "mode": "shadow"}
    assert told_of_prices(**real, market={"source": "broker"}) == {}
    for source in ("simulated", "replay"):
        said = told_of_prices(**real, market={"source": source, "file": "bars.csv"})
        assert list(said) == ["market.source"]
        assert '"broker" while mode is "shadow"' in said["market.source"]
    said = told_of_prices(mode="shadow", market={"source": "broker"})
    assert list(said) == ["account.primary"], "a paper account has no prices of its own there"


def test_U40_shadow_may_follow_the_live_world_whose_account_it_cannot_reach() -> None:
    live = {"alpaca": {"environment": "live"}}
    tree = {"account": {"primary": "alpaca"}, "market": {"source": "broker"}, "brokers": live}
    assert told_of_prices(**tree, mode="shadow") == {}
    assert list(told_of_prices(**tree, mode="paper")) == ["brokers.alpaca.environment"]


def test_U40_prices_that_come_over_the_accounts_connection_cannot_be_followed() -> None:
    said = told_of_prices(mode="shadow", account={"primary": "ibkr"}, market={"source": "broker"})
    assert list(said) == ["account.primary"]
    assert "its prices come over the connection of the account" in said["account.primary"]


def test_a_replay_names_its_file() -> None:
    assert "a bars CSV" in about({"market": {"source": "replay"}}, "market.file")
    from_mapping({"market": {"source": "replay", "file": "bars.csv"}})


def test_a_route_says_what_it_matches_and_names_a_broker() -> None:
    assert "asset_class" in about({"routes": [{"broker": "paper"}]}, "routes.0.symbol")
    lines = told({"routes": [{"broker": "nobody", "symbol": "BTC*"}]})
    assert any(line.startswith("routes.0.broker") for line in lines)
    assert "routes.0.broker is missing: routes.0 needs it." in told({"routes": [{"symbol": "A"}]})


# Features that are not built yet

OTHER: dict[str, object] = {
    "risk.account_rule": "legacy_pdt",
    "execution.instrument_mode": "both",
    "execution.cycle_time_ms": 50,
    "execution.on_hangup": "flatten",
    "entries.high_conviction_order_type": "limit",
    "entries.medium_conviction_order_type": "market",
    "entries.scale_in_enabled": False,
    "entries.scale_in_initial_pct": "0.4",
    "exits.trailing_stop_cloud": "fast",
    "exits.stop_mode": "hard",
    "exits.breakeven": True,
    "exits.scale_out": True,
    "pipeline.enable_signal_recording": False,
    "pipeline.enable_unified_risk": False,
    "pipeline.enable_feedback_loop": False,
    "pipeline.enable_alerting": False,
    "pipeline.enable_analytics": False,
    "pipeline.feedback_adjust_every_n_trades": 25,
    "strategy.module": "a.b:C",
    "strategy.config": "c.yaml",
    "data.etf_catalogue": "etf.csv",
    "data.events": "events.csv",
    "data.history": "bars.csv",
    "data.regime": "regime.jsonl",
    "kill.clock_skew": "kill",
    "alerts.urls": ["json://localhost"],
    "alerts.minimum": "info",
}


@pytest.mark.parametrize("key", sorted(OTHER))
def test_a_key_whose_feature_comes_later_is_taken_at_its_default_and_refused_otherwise(
    key: str,
) -> None:
    tree: Any = OTHER[key]
    for part in reversed(key.split(".")):
        tree = {part: tree}
    sentence = about(tree, key)
    assert sentence.endswith(": not built yet).")
    assert "allowed is " in sentence


def test_every_row_of_what_is_not_built_takes_its_default() -> None:
    config = from_mapping({})
    rows = tuple(not_built(config.brokers.kinds))
    for row in rows:
        assert value_at(config, row.key) in row.allowed
    tested = {key.split(".")[0] for key in OTHER}
    assert {row.key[0] for row in rows} == tested


def test_a_venue_with_an_adapter_is_taken_with_whatever_its_section_says() -> None:
    tree = {
        "account": {"primary": "alpaca"},
        "market": {"source": "broker"},
        "brokers": {"alpaca": {"key_env": "MY_KEY"}},
    }
    assert from_mapping(tree, None, built("alpaca")).account.primary == "alpaca"
    with pytest.raises(ConfigError) as refused:
        from_mapping(tree, None, built())
    (first, second) = refused.value.problems
    assert first.startswith("brokers.alpaca.key_env")
    assert (
        second == 'account.primary = "alpaca" is refused: allowed is "paper" (the broker '
        "alpaca: not built yet)."
    )


def test_a_venue_s_section_at_its_defaults_is_taken() -> None:
    config = from_mapping({"brokers": {"alpaca": {"environment": "paper", "account_id": ""}}})
    assert config.mode is Mode.PAPER


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("entries.conviction_mode", "scaled_cap"),
        ("data.sectors", "sectors.csv"),
        ("data.instruments", "instruments.csv"),
        ("exits.reward_to_risk_target", "3"),
        ("exits.eod_close_minutes_before", 10),
        ("signals.builtin", ""),
        ("signals.timeframe", "5m"),
        ("kill.flatten", "all"),
        ("kill.drawdown", "alert"),
        ("execution.dedup_window_seconds", 0),
        ("brokers.paper.account_id", "PA-1"),
        ("brokers.paper.address", "/run/venue.sock"),
        ("console.theme", "night"),
    ],
)
def test_a_key_whose_feature_is_built_is_free(key: str, value: object) -> None:
    section, _, name = key.rpartition(".")
    tree: Any = {name: value}
    for part in reversed(section.split(".")):
        tree = {part: tree}
    from_mapping(tree)


def test_each_trigger_takes_each_action() -> None:
    for name in Config().kill.model_fields_set | {"daily_loss", "journal", "divergence"}:
        for action in TriggerAction:
            assert getattr(from_mapping({"kill": {name: action.value}}).kill, name) is action


def test_the_address_of_a_paper_venue_is_a_full_path_and_has_its_own_market() -> None:
    key = "brokers.paper.address"
    relative = {"brokers": {"paper": {"address": "venue.sock"}}}
    assert "the full path of a unix socket" in about(relative, key)
    replayed = {
        "brokers": {"paper": {"address": "/run/venue.sock"}},
        "market": {"source": "replay", "file": "bars.csv"},
    }
    assert 'while market.source is "replay"' in about(replayed, key)


PUBLIC = tomllib.loads(
    (Path(__file__).parent / "public_config.toml").read_text(encoding="utf-8"),
    parse_float=Decimal,
)
"""Every key of the public config with the value that it is documented with."""

PUBLIC_KEYS = [
    (section, key)
    for section, table in PUBLIC.items()
    for key in (table if isinstance(table, dict) else [""])
]


@pytest.mark.parametrize(("section", "key"), PUBLIC_KEYS)
def test_every_documented_key_is_taken_as_documented(section: str, key: str) -> None:
    """INTERFACE: what is not built is a key too, and its default is taken."""
    value = PUBLIC[section][key] if key else PUBLIC[section]
    from_mapping({section: {key: value} if key else value})


def test_the_documented_config_is_taken_as_a_whole() -> None:
    assert from_mapping(PUBLIC).profile is ProfileName.CONSERVATIVE
