"""`config init`, `config show` and the digest of a config."""

import json
import re
import subprocess
import sys
import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokers import venue_kinds
from engine.config import ConfigError, digest, init_text, show, show_text
from engine.config.render import masked, plain_value, quoted, written
from tests.configs import from_mapping, parse, unruled

KEY = re.compile(r"(# )?[a-z_]+ = ")


def test_the_written_file_is_the_defaults() -> None:
    assert parse(init_text(venue_kinds(), example="binance")) == from_mapping({})


def test_the_written_file_has_every_key_once_with_a_comment() -> None:
    text = init_text(venue_kinds(), example="binance")

    def keys(tree: Any) -> int:
        return sum(map(keys, tree.values())) if isinstance(tree, dict) else 1

    lines = [line for line in text.splitlines() if KEY.match(line)]
    lines = [line for line in lines if not line.startswith(("# asset_class", "# broker"))]
    tree: Any = plain_value(from_mapping({}))
    del tree["routes"]
    assert len(lines) == keys(tree)
    for line in lines:
        assert " # " in line.removeprefix("# "), line


def test_the_limits_that_it_shows_are_those_of_conservative() -> None:
    text = init_text(venue_kinds(), example="binance")
    section = text[text.index("[risk]") : text.index("[kill]")]
    commented = "\n".join(
        line.removeprefix("# ") for line in section.splitlines() if KEY.match(line)
    )
    tree = tomllib.loads(commented)
    assert tree["max_risk_per_trade"] == "0.01"
    assert tree["max_sector_exposure"] == "0.25"
    from_mapping({"risk": tree})


def test_show_fills_in_the_limits_of_the_profile() -> None:
    risk: Any = show(from_mapping({"profile": "meridian", "risk": {"drawdown_limit": "0.04"}}))
    assert risk["risk"]["drawdown_limit"] == "0.04"
    assert risk["risk"]["daily_loss_limit"] == "0.02"
    assert risk["risk"]["max_sector_exposure"] is None
    json.dumps(risk)


def test_show_as_text_is_toml() -> None:
    config = from_mapping({"profile": "meridian"})
    text = show_text(config)
    assert "# max_sector_exposure is off" in text
    assert tomllib.loads(text)["brokers"]["alpaca"]["key_env"] == "ALPACA_API_KEY"
    assert from_mapping(tomllib.loads(text)).market == config.market


def test_show_cuts_account_ids_and_masks_what_is_secret() -> None:
    config = unruled(
        {
            "brokers": {"paper": {"account_id": "DU1234567"}, "oanda": {"account_id": "001"}},
            "alerts": {"urls": ["slack://canary"]},
            "routes": [{"symbol": "A", "broker": "paper"}],
        }
    )
    text = show_text(config) + json.dumps(show(config))
    assert "DU1234567" not in text
    assert "***4567" in text
    assert "001" not in text.replace("0.001", "")
    assert "canary" not in text
    assert '[[routes]]\nasset_class = ""\nsymbol = "A"' in text


def test_masking_looks_at_the_name_of_a_key() -> None:
    for name in ("key", "api_key", "secret_key", "Token", "passphrase_env", "password", "apikey"):
        assert masked((name,), "canary") == "***"
    for name in ("keyword", "signal_id", "tokens_used", "monkey", "seed"):
        assert masked((name,), "plain") == ("***" if name == "tokens_used" else "plain")
    assert masked(("a",), {"b": {"secret": "canary"}, "c": 1}) == {"b": {"secret": "***"}, "c": 1}
    assert masked(("key",), "") == ""


@pytest.mark.parametrize(
    "value",
    [
        ["SEKRET1"], [["SEKRET1"]], ("A", "SEKRET1"), {"a": "SEKRET1"}, [{"a": "SEKRET1"}],
        {"account_id": "SEKRET1"},
    ],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("name", ["account_id", "api_key", "secret", "token"])
def test_of_a_list_or_a_table_where_a_secret_belongs_nothing_is_shown_U72(
    name: str, value: object
) -> None:
    key = ("brokers", "paper", name)
    assert "T1" not in f"{masked(key, value)} {quoted(key, value)}"
    with pytest.raises(ConfigError) as caught:
        from_mapping({"brokers": {"paper": {name: value}}})
    assert "T1" not in str(caught.value)


def test_a_refused_value_is_cut_and_never_leaves_its_line() -> None:
    assert quoted(("a",), "x" * 1_000) == '"' + "x" * 78 + "…"
    assert quoted(("a",), "\x1b[2J\u202e\n") == '"\\u001b[2J\\u202e\\n"'
    assert quoted(("a",), Decimal("2.0")) == "2.0"


@given(
    st.recursive(
        st.booleans() | st.integers(-(2**62), 2**62) | st.text(max_size=30),
        lambda inner: st.lists(inner, max_size=4),
        max_leaves=8,
    )
)
def test_what_is_written_is_read_back(value: object) -> None:
    try:
        str(value).encode()
    except UnicodeEncodeError:
        return  # lone surrogates are no TOML
    assert tomllib.loads(f"value = {written(value)}") == {"value": value}


def test_the_digest_is_of_values_not_of_their_spelling() -> None:
    one = parse('[risk]\ndaily_loss_limit = "0.010"\n')
    other = parse("mode = 'paper'\n[risk]\ndaily_loss_limit = 1e-2\n")
    assert digest(one) == digest(other) != digest(from_mapping({}))


def test_the_digest_changes_with_what_trades_and_not_with_how_it_looks() -> None:
    base = digest(from_mapping({}))
    assert digest(from_mapping({"console": {"theme": "night"}})) == base
    for tree in (
        {"market": {"seed": 8}},
        {"kill": {"flatten": "all"}},
        {"brokers": {"paper": {"participation": "0.2"}}},
    ):
        assert digest(from_mapping(tree)) != base


@pytest.mark.parametrize("seed", ["0", "1", "random"])
def test_the_digest_does_not_depend_on_the_hash_seed(root: Path, seed: str) -> None:
    code = (
        "from engine.config import digest; from tests.configs import load; "
        "print(digest(load(None, {})))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=root,
        env={"PYTHONHASHSEED": seed},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == digest(from_mapping({}))


def test_the_config_is_loaded_without_what_it_does_not_need(root: Path) -> None:
    """Start-up: pydantic-settings alone costs more than the whole headless budget leaves."""
    code = (
        "import brokers, engine.config, sys; "
        "engine.config.load(None, {}, brokers.venue_kinds()); "
        "print([m for m in ('pydantic_settings', 'asyncio', 'sqlite3', 'numpy') "
        "if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
