"""Risk profiles as data (U-50), and the limits in force for one configuration (X-35, X-67).

`None` is a limit that the profile does not have. `[risk]` may only tighten what a profile has;
profile `custom` has nothing and takes every limit from `[risk]`. The row "regime block" of U-50
belongs to an input that a market without regimes does not have (X-59).
"""

from decimal import Decimal
from enum import StrEnum
from typing import Final

import msgspec

from engine.config.model import Config
from engine.domain.money import ONE, ZERO, plain
from engine.domain.run import ProfileName


class Tighter(StrEnum):
    """Which way a limit is tightened."""

    LOWER = "at most"
    HIGHER = "at least"


class ProfileLimit(msgspec.Struct, frozen=True):
    """One row of U-50: its field in `Ceilings`, its key in `[risk]`, and which way is tighter."""

    field: str
    key: str
    tighter: Tighter = Tighter.LOWER

    def looser(self, value: Decimal | int, ceiling: Decimal | int) -> bool:
        """True if `value` allows more than `ceiling` does."""
        return value < ceiling if self.tighter is Tighter.HIGHER else value > ceiling


ROWS: Final = (
    ProfileLimit("risk_per_trade", "max_risk_per_trade"),
    ProfileLimit("daily_loss", "daily_loss_limit"),
    ProfileLimit("drawdown", "drawdown_limit"),
    ProfileLimit("max_positions", "max_concurrent_positions"),
    ProfileLimit("single_name", "max_single_stock_exposure"),
    ProfileLimit("sector", "max_sector_exposure"),
    ProfileLimit("gross", "max_gross_exposure"),
    ProfileLimit("trades_per_day", "max_trades_per_day"),
    ProfileLimit("min_equity", "min_account_equity", Tighter.HIGHER),
    ProfileLimit("loss_streak_count", "consecutive_loss_threshold"),
    ProfileLimit("loss_streak_pct", "consecutive_loss_pct"),
)

FREE_KEYS: Final = (
    "api_timeout_seconds",
    "max_order_notional",
    "max_orders_per_minute",
    "price_collar_pct",
    "quote_max_age_seconds",
    "max_open_orders",
    "account_max_age_seconds",
)
"""Keys of `[risk]` that U-50 does not list: free in every profile, and named so in RiskLimits."""


class Ceilings(msgspec.Struct, frozen=True, kw_only=True):
    """The limits of U-50: rates are fractions of 1, `min_equity` is money; None = off."""

    risk_per_trade: Decimal | None
    daily_loss: Decimal | None
    drawdown: Decimal | None
    max_positions: int | None
    single_name: Decimal | None
    sector: Decimal | None
    gross: Decimal | None
    trades_per_day: int | None
    min_equity: Decimal | None
    loss_streak_count: int | None
    loss_streak_pct: Decimal | None
    loss_streak_cooldown_seconds: int | None = None
    """A loss streak rests the engine this long instead of what `kill.loss_streak` says."""


PROFILES: Final[dict[ProfileName, Ceilings]] = {
    ProfileName.CONSERVATIVE: Ceilings(
        risk_per_trade=Decimal("0.01"),
        daily_loss=Decimal("0.02"),
        drawdown=Decimal("0.10"),
        max_positions=5,
        single_name=Decimal("0.10"),
        sector=Decimal("0.25"),
        gross=ONE,
        trades_per_day=100,
        min_equity=ZERO,
        loss_streak_count=3,
        loss_streak_pct=Decimal("0.03"),
    ),
    ProfileName.AXION_AGGRESSIVE: Ceilings(
        risk_per_trade=Decimal("0.05"),
        daily_loss=Decimal("0.10"),
        drawdown=None,
        max_positions=10,
        single_name=Decimal("0.15"),
        sector=Decimal("0.30"),
        gross=None,
        trades_per_day=None,
        min_equity=Decimal(25_000),
        loss_streak_count=3,
        loss_streak_pct=Decimal("0.03"),
    ),
    # The base of its sizing methods (0.02) stands for the risk of a trade; they reach 0.05 at most.
    ProfileName.AUTOTRADER: Ceilings(
        risk_per_trade=Decimal("0.02"),
        daily_loss=Decimal("0.03"),
        drawdown=Decimal("0.15"),
        max_positions=5,
        single_name=Decimal("0.10"),
        sector=Decimal("0.30"),
        gross=None,
        trades_per_day=50,
        min_equity=ZERO,
        loss_streak_count=5,
        loss_streak_pct=ZERO,
        loss_streak_cooldown_seconds=1_800,
    ),
    ProfileName.MERIDIAN: Ceilings(
        risk_per_trade=None,
        daily_loss=Decimal("0.02"),
        drawdown=Decimal("0.05"),
        max_positions=None,
        single_name=Decimal("0.25"),
        sector=None,
        gross=ONE,
        trades_per_day=None,
        min_equity=Decimal(10_000),
        loss_streak_count=None,
        loss_streak_pct=None,
    ),
}


class RiskLimits(Ceilings, frozen=True, kw_only=True):
    """Every limit in force: those of U-50, and the hard limits that every order meets."""

    profile: ProfileName
    api_timeout_seconds: int
    max_order_notional: Decimal
    max_orders_per_minute: int
    price_collar_pct: Decimal
    quote_max_age_seconds: int
    max_open_orders: int
    account_max_age_seconds: int
    """0 where it follows from how often the venue is looked at (X-84)."""


def limits(config: Config) -> RiskLimits:
    """The limits in force: the key of `[risk]` where it is set, else the profile's (X-67).

    `engine.config` has refused what is looser; the tighter of both holds here all the same.
    Raises ValueError where profile `custom` misses a limit (U-53).
    """
    profile = PROFILES.get(config.profile)
    values: dict[str, object] = {}
    for row in ROWS:
        own = getattr(config.risk, row.key)
        ceiling = None if profile is None else getattr(profile, row.field)
        if own is None and profile is None:
            raise ValueError(f"risk.{row.key} is missing: profile custom takes it from [risk]")
        loose = own is None or (ceiling is not None and row.looser(own, ceiling))
        values[row.field] = ceiling if loose else own
    if profile is not None:
        values["loss_streak_cooldown_seconds"] = profile.loss_streak_cooldown_seconds
    values.update({key: getattr(config.risk, key) for key in FREE_KEYS})
    return msgspec.convert({"profile": config.profile, **values}, RiskLimits)


def worst_case(limits: RiskLimits) -> str:
    """What is lost when every position is stopped out at once, as one sentence for the start."""
    if limits.risk_per_trade is None:
        return f"Profile {limits.profile} does not limit the risk of one position."
    each = plain(limits.risk_per_trade * 100)
    if limits.max_positions is None:
        return (
            f"Profile {limits.profile} risks {each} % a position and does not limit their number."
        )
    total = plain(limits.risk_per_trade * 100 * limits.max_positions)
    noun = "position" if limits.max_positions == 1 else "positions"
    return (
        f"{limits.max_positions} {noun} at {each} % risk each is {total} % of equity lost at once."
    )
