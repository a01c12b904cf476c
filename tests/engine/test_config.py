"""Config: keys, kinds, the environment over the file, and one sentence for every refusal."""

import contextlib
import os
import string
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokers import venue_kinds
from engine.config import Config, ConfigError, amended, show_text
from engine.config.rules import value_at
from engine.domain.order import TimeInForce
from engine.domain.run import Flatten, Mode, TriggerAction
from tests.configs import from_mapping, load, paper, parse

RATE_KEYS = [
    "risk.max_risk_per_trade",
    "risk.daily_loss_limit",
    "risk.max_single_stock_exposure",
    "risk.max_sector_exposure",
    "risk.max_gross_exposure",
    "risk.drawdown_limit",
    "risk.consecutive_loss_pct",
    "risk.price_collar_pct",
    "execution.slippage_buffer",
    "entries.scale_in_initial_pct",
    "brokers.paper.fill_probability",
    "brokers.paper.participation",
]


def nested(key: str, value: object) -> dict[str, Any]:
    tree: Any = value
    for part in reversed(key.split(".")):
        tree = {part: tree}
    assert isinstance(tree, dict)
    return tree


def problems_of(
    tree: dict[str, Any] | str, environ: dict[str, str] | None = None
) -> tuple[str, ...]:
    """The sentences that a config is refused with, each checked for its form; none if it is not."""
    problems: tuple[str, ...] = ()
    try:
        parse(tree, environ) if isinstance(tree, str) else from_mapping(tree, environ)
    except ConfigError as error:
        problems, text = error.problems, str(error)
        if not problems or text != "\n".join(problems):
            raise
    for sentence in problems:
        assert sentence.endswith(".")
        assert sentence.isprintable()
    return problems


def refused(tree: dict[str, Any] | str, environ: dict[str, str] | None = None) -> tuple[str, ...]:
    problems = problems_of(tree, environ)
    assert problems, tree
    return problems


def only(tree: dict[str, Any] | str, environ: dict[str, str] | None = None) -> str:
    (sentence,) = refused(tree, environ)
    return sentence


def test_no_file_at_all_is_paper_simulated_builtin_conservative() -> None:
    config = load(None, {})
    assert config.mode is Mode.PAPER
    assert config.profile.value == "conservative"
    assert config.account.primary == "paper"
    assert config.market.source == "simulated"
    assert config.signals.builtin == "ema_cloud"
    assert config.kill.flatten is Flatten.DAY
    assert config.kill.overfill is TriggerAction.REDUCE_ONLY
    assert config.execution.default_time_in_force is TimeInForce.DAY
    assert paper(config).initial_cash == Decimal(100_000)


def test_the_defaults_are_what_validation_makes_of_nothing() -> None:
    assert Config.model_validate({}) == Config.model_construct()
    every: dict[str, Any] = {name: {} for name in venue_kinds()}
    assert from_mapping({"brokers": every}) == from_mapping({"mode": "paper"}) == from_mapping({})


def test_a_config_is_frozen() -> None:
    market: Any = from_mapping({}).market
    with pytest.raises(ValueError, match="frozen"):
        market.seed = 8


@pytest.mark.parametrize("key", RATE_KEYS)
@pytest.mark.parametrize("value", ["1.0000001", "2.0", 2, Decimal("2.0"), 1.5, "1e1"])
def test_X46_D03_no_rate_is_above_one_whatever_its_key_is_called(key: str, value: object) -> None:
    sentence = refused(nested(key, value))[0]
    assert sentence.startswith(f"{key} = ")
    assert "a fraction of 1" in sentence


@pytest.mark.parametrize("key", RATE_KEYS)
@pytest.mark.parametrize(
    "value", ["-0.01", "nan", "inf", "-inf", Decimal("NaN"), Decimal("Infinity"), "", "2 %", True]
)
def test_a_rate_that_is_negative_or_no_number_is_refused(key: str, value: object) -> None:
    assert refused(nested(key, value))[0].startswith(f"{key} = ")


@pytest.mark.parametrize("written", ['"0.01"', "0.01", "1e-2", '"1e-2"', "0.010"])
def test_a_rate_may_be_written_as_text_or_as_a_toml_decimal(written: str) -> None:
    config = parse(f"[risk]\nmax_risk_per_trade = {written}\n")
    assert config.risk.max_risk_per_trade == Decimal("0.01")


@pytest.mark.parametrize("coin", ["EUR", "USDT", "USDC", "FDUSD", "BTC", "1INCH", "ABCDEFG8"])
def test_X86_money_is_kept_and_added_up_in_a_coin_too(coin: str) -> None:
    config = from_mapping({"account": {"currency": coin}, "brokers": {"paper": {"currency": coin}}})
    assert (config.account.currency, paper(config).currency) == (coin, coin)


def test_X86_X95_the_base_currency_and_the_calendar_of_the_day_are_taken() -> None:
    config = from_mapping(
        {
            "account": {"currency": "EUR", "calendar": "FX"},
            "brokers": {"paper": {"currency": "CHF"}},
            "data": {"rates": "rates.csv"},
            "market": {"symbols": ["AAPL 2026-12-18 200 C", "ES 2026-12", "EUR_USD"]},
        }
    )
    assert (config.account.currency, config.account.calendar) == ("EUR", "FX")
    assert (paper(config).currency, config.data.rates) == ("CHF", "rates.csv")
    assert config.market.symbols[0] == "AAPL 2026-12-18 200 C"
    standard = from_mapping({})
    assert (standard.account.currency, standard.account.calendar) == ("USD", "")
    assert (paper(standard).currency, standard.data.rates) == ("USD", "")


def test_a_toml_decimal_keeps_every_digit_that_was_written() -> None:
    config = parse("[brokers.paper]\ninitial_cash = 12345678901.123456789\n")
    assert paper(config).initial_cash == Decimal("12345678901.123456789")


def test_a_float_of_a_program_is_read_through_its_repr() -> None:
    config = from_mapping(nested("execution.slippage_buffer", 0.1))
    assert config.execution.slippage_buffer == Decimal("0.1")


@pytest.mark.parametrize(("value", "taken"), [("0", False), ("0.01", True), ("1", True)])
def test_a_share_is_above_zero_and_at_most_one(value: str, taken: bool) -> None:
    tree = nested("brokers.paper.participation", value)
    if taken:
        assert paper(from_mapping(tree)).participation == Decimal(value)
    else:
        assert "above 0 and at most 1" in only(tree)


@pytest.mark.parametrize(
    ("value", "bound"),
    [
        ("1e40", "an amount above 0 and at most 1000000000000000"),
        ("1e-30", "an amount above 0 with at most 18 digits after the point"),
    ],
)
def test_a_number_that_none_may_be_is_told_its_bound(value: str, bound: str) -> None:
    assert bound in only({"risk": {"max_order_notional": value}})


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("risk.max_order_notional", "0"),
        ("risk.max_order_notional", "-1"),
        ("risk.max_order_notional", "1e999999999"),
        ("risk.max_order_notional", "0.0000000000000000001"),
        ("risk.max_order_notional", "١٠"),
        ("risk.max_order_notional", "1_000"),
        ("risk.min_account_equity", "-0.01"),
        ("risk.max_orders_per_minute", 0),
        ("risk.max_orders_per_minute", "20"),
        ("risk.max_orders_per_minute", 20.0),
        ("risk.max_open_orders", True),
        ("risk.quote_max_age_seconds", 0),
        ("market.bar_seconds", 86_401),
        ("market.symbols", []),
        ("market.symbols", ["SPY", "SPY"]),
        ("market.symbols", ["[red]X"]),
        ("market.symbols", "SPY"),
        ("market.symbols", ["AAPL 2026-02-30 200 C"]),
        ("account.currency", ""),
        ("account.currency", "usd"),
        ("account.currency", "US"),
        ("account.currency", "USDt"),
        ("account.currency", "US-D"),
        ("account.currency", "123"),
        ("account.currency", "ABCDEFGHI"),
        ("account.calendar", "UTC"),
        ("account.calendar", "xnys"),
        ("brokers.paper.currency", "$"),
        ("brokers.paper.currency", "TETHERUSD"),
        ("data.rates", 1),
        ("market.speed", 1000.1),
        ("market.speed", -1),
        ("market.seed", -1),
        ("signals.timeframe", "2m"),
        ("signals.builtin", "magic"),
        ("kill.daily_loss", "shrug"),
        ("kill.flatten", True),
        ("entries.scale_in_enabled", 1),
        ("brokers.paper.latency_ms", [50, 10]),
        ("brokers.paper.latency_ms", [10]),
        ("brokers.paper.latency_ms", [False, True]),
        ("brokers.paper.slippage_bps", "10001"),
        ("brokers.alpaca.trading_url", "ftp://x"),
        ("brokers.ibkr.port", 65_536),
        ("console.glyphs", "emoji"),
        ("market", 3),
        ("brokers.paper", []),
        ("routes", "crypto"),
        ("mode", "backtest"),
        ("profile", "yolo"),
    ],
)
def test_a_value_that_is_not_allowed_is_one_sentence_with_key_value_and_what_is_allowed(
    key: str, value: object
) -> None:
    sentence = refused(nested(key, value))[0]
    assert sentence.startswith(f"{key}")
    assert " is refused: allowed is " in sentence


@pytest.mark.parametrize(
    ("tree", "starts", "names"),
    [
        ({"speed": 1}, 'speed = "***" is unknown', "market"),
        ({"risk": {"max_positons": 3}}, 'risk.max_positons = "***" is unknown', "price_collar_pct"),
        ({"brokers": {"ftx": {}}}, 'brokers.ftx = "***" is unknown', "binance"),
        (
            {"brokers": {"paper": {"fee": 1}}},
            'brokers.paper.fee = "***" is unknown',
            "commission_bps",
        ),
        ({"market": {"a b\x1b": 1}}, 'market."a b\\u001b" = "***" is unknown', "symbols"),
    ],
)
def test_an_unknown_key_is_refused_with_the_keys_there_are(
    tree: dict[str, Any], starts: str, names: str
) -> None:
    sentence = only(tree)
    assert sentence.startswith(starts)
    assert names in sentence


def test_a_misspelt_key_is_told_which_one_may_be_meant() -> None:
    assert "daily_loss_limit may be meant" in only({"risk": {"daily_los_limit": "0.01"}})


def test_every_problem_is_told_at_once() -> None:
    problems = refused(
        """
        mode = "backtest"
        colour = "red"
        [risk]
        daily_loss_limit = 2.0
        drawdown_limit = "0.11"
        [execution]
        instrument_mode = "options"
        [market]
        source = "moon"
        """,
        {"MERIDIAN_RISK__MAX_OPEN_ORDERS": "no"},
    )
    starts = {
        sentence.partition(" = ")[0].partition(" is ")[0].partition(" (")[0]
        for sentence in problems
    }
    assert starts == {
        "mode",
        "colour",
        "risk.daily_loss_limit",
        "risk.drawdown_limit",
        "risk.max_open_orders",
        "execution.instrument_mode",
        "market.source",
    }


def test_a_refused_key_is_told_once() -> None:
    problems = refused({"profile": "custom", "risk": {"daily_loss_limit": "2.0"}})
    assert sum("risk.daily_loss_limit" in sentence for sentence in problems) == 1


def test_a_secret_under_a_wrong_key_is_not_printed() -> None:
    for tree in (
        {"brokers": {"alpaca": {"api_key": "canary"}}},
        {"brokers": {"alpaca": {"key_env": "canary"}}},
        {"brokers": {"kraken": {"secret": "canary"}}},
        {"brokers": {"alpaca": {"data_url": "https://canary@example.com"}}},
        {"token": "canary"},
        {"alerts": {"urls": ["https://canary"]}},
    ):
        assert "canary" not in only(tree)


URL = "https://ann:canary@example.com/x"
PLACES = (
    "brokers.paper.address", "brokers.alpaca.trading_url", "brokers.ibkr.host", "market.file",
    "signals.file", "strategy.config", "strategy.module", "data.instruments", "data.sectors",
    "data.etf_catalogue", "data.events", "data.rates", "data.history", "data.regime", "market.seed",
    "market.symbols", "account.currency", "console.theme",
)  # fmt: skip


@pytest.mark.parametrize("key", PLACES)
@pytest.mark.parametrize(
    "value",
    [
        *(URL, "ann:canary@host:1", "https://h/x?token=canary", "//ann:canary@host/x"),
        # What an address should write in another way, and people do not.
        *(URL.replace("canary", f"a{sign}canary") for sign in "/?#@ "),
        *(f" ann:a{sign}canary@host:1" for sign in "/?#@ "),
    ],
)
def test_a_password_in_an_address_is_not_printed_whatever_key_it_stands_under(
    key: str, value: str
) -> None:
    """Refused or taken, a value that looks secret is shown by no sentence (fault 54)."""
    tree = nested(key, [value] if key == "market.symbols" else value)
    assert "canary" not in " ".join(problems_of(tree))
    with contextlib.suppress(ConfigError):
        config = from_mapping(tree)
        assert "canary" not in show_text(config)


@pytest.mark.parametrize("key", [place for place in PLACES if place.startswith("data.")])
def test_where_a_file_is_wanted_an_address_on_a_network_is_refused(key: str) -> None:
    """Its name is told by whatever reads it."""
    for address in ("https://ann:canary@example.com/x", "ftp://example.com/x"):
        (problem,) = problems_of(nested(key, address))
        assert "allowed is the path of a file" in problem
    assert "is refused" not in " ".join(
        found for found in problems_of(nested(key, "a@b:c")) if "not built yet" not in found
    )


# Environment


def test_a_refusal_names_its_file_or_its_variable(tmp_path: Path) -> None:
    """Which of several configs is read is part of the sentence (fault 33)."""
    file = tmp_path / "config.toml"
    file.write_text('[market]\nseed = "x"\nfile = 3\n[risk]\nlimit = 1\n')
    environ = {"MERIDIAN_MARKET__SEED": "y", "MERIDIAN_ACCOUNT__PRIMARY": "nobody"}
    with pytest.raises(ConfigError) as failed:
        load(file, environ)
    told = {problem.partition(" = ")[0] for problem in failed.value.problems}
    assert told == {
        "market.seed (MERIDIAN_MARKET__SEED)",
        "account.primary (MERIDIAN_ACCOUNT__PRIMARY)",
        f"{file}: market.file",
        f"{file}: risk.limit",
    }
    with pytest.raises(ConfigError) as failed:
        load(None, environ)
    assert not any(str(tmp_path) in problem for problem in failed.value.problems)


def test_what_a_file_lacks_names_the_file(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('[market]\nsource = "replay"\n')
    with pytest.raises(ConfigError) as failed:
        load(file, {})
    (problem,) = failed.value.problems
    assert problem.startswith(f'{file}: market.file = "" is refused')


def test_the_environment_is_laid_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text("[market]\nseed = 1\nbar_seconds = 5\n")
    config = load(file, {"MERIDIAN_MARKET__SEED": "2", "HOME": "/", "OTHER_KEY": "x"})
    assert (config.market.seed, config.market.bar_seconds) == (2, 5)


@pytest.mark.parametrize(
    ("name", "text", "key", "value"),
    [
        ("MERIDIAN_MODE", "paper", "mode", Mode.PAPER),
        ("MERIDIAN_PROFILE", '"meridian"', "profile", "meridian"),
        ("MERIDIAN_RISK__MAX_OPEN_ORDERS", "7", "risk.max_open_orders", 7),
        ("MERIDIAN_RISK__DAILY_LOSS_LIMIT", "0.01", "risk.daily_loss_limit", Decimal("0.01")),
        ("MERIDIAN_RISK__DAILY_LOSS_LIMIT", '"0.01"', "risk.daily_loss_limit", Decimal("0.01")),
        ("MERIDIAN_SIGNALS__BUILTIN", "", "signals.builtin", ""),
        ("MERIDIAN_SIGNALS__FILE", "signals.jsonl", "signals.file", "signals.jsonl"),
        ("MERIDIAN_DATA__SECTORS", "2024", "data.sectors", "2024"),
        ("MERIDIAN_DATA__SECTORS", "true", "data.sectors", "true"),
        ("MERIDIAN_MARKET__SYMBOLS", '["A", "B"]', "market.symbols", ("A", "B")),
        ("MERIDIAN_BROKERS__PAPER__INITIAL_CASH", "5000", "brokers.paper.initial_cash", 5000),
        ("MERIDIAN_BROKERS__PAPER__LATENCY_MS", "[0, 1]", "brokers.paper.latency_ms", (0, 1)),
        ("MERIDIAN_MARKET__SPEED", "2.5", "market.speed", 2.5),
    ],
)
def test_any_key_can_be_set_from_the_environment(
    name: str, text: str, key: str, value: object
) -> None:
    assert value_at(from_mapping({}, {name: text}), tuple(key.split("."))) == value


@pytest.mark.parametrize(
    ("name", "text", "starts"),
    [
        ("MERIDIAN_RISK__FOO", "1", 'risk.foo (MERIDIAN_RISK__FOO) = "***" is unknown'),
        ("MERIDIAN_FOO", "x", 'foo (MERIDIAN_FOO) = "***" is unknown'),
        ("MERIDIAN_MODE__X", "x", "mode.x"),
        ("MERIDIAN_", "x", '"" (MERIDIAN_) = "***" is unknown'),
        ("MERIDIAN_RISK", "1", "risk (MERIDIAN_RISK) = 1 is refused"),
        ("MERIDIAN_RISK__DAILY_LOSS_LIMIT", "2.0", "risk.daily_loss_limit (MERIDIAN_RISK__D"),
        ("MERIDIAN_MODE", '"paper"\nprofile = "custom"', "mode (MERIDIAN_MODE) = "),
    ],
)
def test_a_bad_variable_is_refused_and_named(name: str, text: str, starts: str) -> None:
    assert only({}, {name: text}).startswith(starts.replace("mode.x", "mode"))


def test_variables_of_the_program_are_no_keys() -> None:
    environ = {
        "MERIDIAN_CONFIG": "/x",
        "MERIDIAN_STATE_DIR": "/y",
        "MERIDIAN_LOG_LEVEL": "debug",
        "MERIDIAN_LOCK_DIR": "/z",
    }
    assert from_mapping({}, environ) == from_mapping({})


def test_a_variable_that_a_broker_names_for_its_secret_is_no_key() -> None:
    tree = {"brokers": {"alpaca": {"key_env": "MERIDIAN_ALPACA_KEY"}}}
    config = from_mapping(tree, {"MERIDIAN_ALPACA_KEY": "canary"})
    assert value_at(config, ("brokers", "alpaca", "key_env")) == "MERIDIAN_ALPACA_KEY"
    assert "canary" not in show_text(config)


# The file


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"mode = ", "is not TOML"),
        (b'mode = "paper"\nmode = "paper"', "is not TOML"),
        (b"a = " + b"[" * 5000, "is not TOML"),
        (b"mode = \xff", "line 1 column 8: the byte 0xff is not UTF-8"),
        (b"#" * 1_048_577, "larger than 1048576 bytes"),
    ],
    ids=["no value", "twice", "deep", "bytes", "large"],
)
def test_a_file_that_is_no_toml_is_one_sentence_with_its_path(
    tmp_path: Path, content: bytes, says: str
) -> None:
    file = tmp_path / "config.toml"
    file.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        load(file, {})
    (sentence,) = caught.value.problems
    assert sentence.startswith(str(file))
    assert says in sentence


def test_a_file_that_cannot_be_read_is_one_sentence(tmp_path: Path) -> None:
    for path in (tmp_path / "absent.toml", tmp_path):
        with pytest.raises(ConfigError, match=r"cannot be read: .+\."):
            load(path, {})


def test_reading_a_config_never_looks_at_the_real_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(os.environ, "MERIDIAN_MARKET__SEED", "99")
    assert load(None, {}).market.seed == 7


# A program that changes a config


def test_an_amended_config_is_judged_again() -> None:
    config = from_mapping({"risk": {"daily_loss_limit": "0.01"}})
    changed = amended(config, {"market.source": "replay", "market.file": "bars.csv"})
    assert changed.market.source == "replay"
    assert changed.risk.daily_loss_limit == Decimal("0.01")
    assert amended(config, {}) == config
    with pytest.raises(ConfigError, match=r"risk\.daily_loss_limit"):
        amended(config, {"risk.daily_loss_limit": Decimal("0.5")})


words = st.text(string.printable, max_size=12)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.decimals() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=6,
)
sections = st.sampled_from(sorted(Config.model_fields)) | words


@given(
    st.dictionaries(
        sections,
        values
        | st.dictionaries(
            st.sampled_from(["file", "symbols", "daily_loss_limit", "paper", "broker"]) | words,
            values,
            max_size=3,
        ),
        max_size=4,
    )
)
def test_any_tree_is_a_config_or_sentences(tree: dict[str, Any]) -> None:
    problems_of(tree)


@given(st.text(max_size=80))
def test_any_text_in_a_variable_is_a_value_or_a_sentence(text: str) -> None:
    for name in ("MERIDIAN_RISK__DAILY_LOSS_LIMIT", "MERIDIAN_MARKET__FILE", "MERIDIAN_ROUTES"):
        assert all(name in sentence for sentence in problems_of({}, {name: text}))
