"""Risk profiles (U-50) and the limits that they put in force."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.config import Config
from engine.config.profiles import (
    FREE_KEYS,
    PROFILES,
    ROWS,
    RiskLimits,
    Tighter,
    limits,
    worst_case,
)
from engine.config.rules import NOT_BUILT
from engine.domain.run import ProfileName
from tests.configs import from_mapping

TABLE = {
    "conservative": ".01 .02 .10 5 .10 .25 1.0 100 0 3 .03",
    "axion_aggressive": ".05 .10 - 10 .15 .30 - - 25000 3 .03",
    "autotrader": ".02 .03 .15 5 .10 .30 - 50 0 5 0",
    "meridian": "- .02 .05 - .25 - 1.0 - 10000 - -",
}


@pytest.mark.parametrize("name", sorted(TABLE))
def test_U50_the_table(name: str) -> None:
    expected = [None if cell == "-" else Decimal(cell) for cell in TABLE[name].split()]
    profile = PROFILES[ProfileName(name)]
    assert [getattr(profile, row.field) for row in ROWS] == expected


def test_U50_a_bare_installation_runs_with_conservative() -> None:
    assert limits(from_mapping({})) == RiskLimits(
        profile=ProfileName.CONSERVATIVE,
        risk_per_trade=Decimal("0.01"),
        daily_loss=Decimal("0.02"),
        drawdown=Decimal("0.10"),
        max_positions=5,
        single_name=Decimal("0.10"),
        sector=Decimal("0.25"),
        gross=Decimal(1),
        trades_per_day=100,
        min_equity=Decimal(0),
        loss_streak_count=3,
        loss_streak_pct=Decimal("0.03"),
        api_timeout_seconds=60,
        max_order_notional=Decimal(50_000),
        max_orders_per_minute=20,
        price_collar_pct=Decimal("0.05"),
        quote_max_age_seconds=15,
        max_open_orders=100,
        account_max_age_seconds=0,
    )


def test_every_limit_has_one_key_in_risk() -> None:
    keys = [row.key for row in ROWS] + list(FREE_KEYS)
    keys += [row.key[1] for row in NOT_BUILT if row.key[0] == "risk"]
    assert sorted(keys) == sorted(type(Config().risk).model_fields)
    fields = {*(row.field for row in ROWS), *FREE_KEYS, "profile", "loss_streak_cooldown_seconds"}
    assert fields == set(RiskLimits.__struct_fields__)


def test_X67_a_key_of_risk_is_in_force_where_it_is_set() -> None:
    config = from_mapping({"risk": {"max_concurrent_positions": 2, "max_open_orders": 7}})
    assert limits(config).max_positions == 2
    assert limits(config).max_open_orders == 7
    assert limits(config).single_name == Decimal("0.10")


def test_X35_the_tighter_of_profile_and_risk_holds_even_past_validation() -> None:
    loose = Config.model_validate({"risk": {"daily_loss_limit": "0.9"}})
    assert limits(loose).daily_loss == Decimal("0.02")


def test_U53_custom_without_a_limit_is_no_set_of_limits() -> None:
    with pytest.raises(ValueError, match=r"risk\.max_risk_per_trade is missing"):
        limits(Config.model_validate({"profile": "custom"}))


def test_a_loss_streak_of_autotrader_rests_for_half_an_hour() -> None:
    assert limits(from_mapping({"profile": "autotrader"})).loss_streak_cooldown_seconds == 1_800
    assert limits(from_mapping({})).loss_streak_cooldown_seconds is None


@pytest.mark.parametrize(
    ("tree", "sentence"),
    [
        ({}, "5 positions at 1 % risk each is 5 % of equity lost at once."),
        (
            {"profile": "axion_aggressive"},
            "10 positions at 5 % risk each is 50 % of equity lost at once.",
        ),
        (
            {"risk": {"max_concurrent_positions": 1, "max_risk_per_trade": "0.0025"}},
            "1 position at 0.25 % risk each is 0.25 % of equity lost at once.",
        ),
        ({"profile": "meridian"}, "Profile meridian does not limit the risk of one position."),
        (
            {"profile": "meridian", "risk": {"max_risk_per_trade": "0.02"}},
            "Profile meridian risks 2 % a position and does not limit their number.",
        ),
    ],
)
def test_U50_the_simultaneous_loss_is_said_at_the_start(
    tree: dict[str, Any], sentence: str
) -> None:
    assert worst_case(limits(from_mapping(tree))) == sentence


@given(
    st.sampled_from(list(PROFILES)),
    st.sampled_from(ROWS),
    st.decimals("0", "1", places=4),
)
def test_no_value_of_risk_puts_a_looser_limit_in_force(
    name: ProfileName, row: Any, value: Decimal
) -> None:
    whole = row.field in ("max_positions", "trades_per_day", "loss_streak_count")
    own = int(value * 1_000) + 1 if whole else value or Decimal("0.0001")
    config = Config.model_validate({"profile": name.value, "risk": {row.key: own}})
    ceiling, found = getattr(PROFILES[name], row.field), getattr(limits(config), row.field)
    if ceiling is None:
        assert found == own
    elif row.tighter is Tighter.HIGHER:
        assert found == max(own, ceiling)
    else:
        assert found == min(own, ceiling)
