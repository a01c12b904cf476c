"""`[risk]` and `[kill]`: what may be risked, and what happens when it is too much."""

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field

from engine.config.kinds import (
    Count,
    Money,
    PositiveMoney,
    Seconds,
    SecondsOrNone,
    Share,
    ShareOrNone,
    member,
)
from engine.config.section import Section
from engine.domain.run import Flatten, TriggerAction

Trip = Annotated[TriggerAction, member(TriggerAction)]


class RiskConfig(Section):
    """Limits of what may be risked.

    Read them through `engine.config.profiles.limits`: None here is the profile's.
    """

    max_risk_per_trade: Share | None = Field(
        None, description="of equity, to the stop; signals and adds: your first order names its own"
    )
    daily_loss_limit: Share | None = Field(None, description="of the session's starting equity")
    max_concurrent_positions: Count | None = Field(None, description="open positions")
    max_single_stock_exposure: Share | None = Field(None, description="of equity, in one name")
    max_sector_exposure: Share | None = Field(None, description="of equity, in one sector")
    max_gross_exposure: Share | None = Field(None, description="of equity, long and short added")
    drawdown_limit: Share | None = Field(None, description="of the highest equity")
    max_trades_per_day: Count | None = Field(None, description="entries a session")
    min_account_equity: Money | None = Field(None, description="a floor, in account currency")
    consecutive_loss_threshold: Count | None = Field(
        None,
        description="losses in a row, each of consecutive_loss_pct or more; a smaller one changes "
        "nothing, a trade without a loss ends the row",
    )
    consecutive_loss_pct: ShareOrNone | None = Field(
        None, description="of what was paid to enter: a loss this large counts"
    )
    api_timeout_seconds: Seconds = Field(60, description="a broker silent for longer is lost")
    max_order_notional: PositiveMoney = Field(Decimal(50_000), description="of one order")
    max_orders_per_minute: Count = Field(20, description="sent, all brokers together")
    price_collar_pct: Share = Field(Decimal("0.05"), description="a limit price from the market")
    quote_max_age_seconds: Seconds = Field(15, description="an older quote opens nothing")
    max_open_orders: Count = Field(100, description="working at once")
    account_max_age_seconds: SecondsOrNone = Field(0, description="0 = reconcile_seconds + 30")
    account_rule: Literal["off", "legacy_pdt", "intraday_margin"] = Field(
        "off", description="off | legacy_pdt | intraday_margin"
    )


class KillConfig(Section):
    """What a kill flattens, and what each trigger does."""

    flatten: Annotated[Flatten, member(Flatten)] = Field(
        Flatten.DAY, description="none | day | all"
    )
    daily_loss: Trip = Field(TriggerAction.KILL, description="kill | reduce_only | alert")
    broker_lost: Trip = Field(TriggerAction.KILL, description="silent with exposure")
    min_equity: Trip = Field(TriggerAction.KILL, description="equity below the floor")
    loss_streak: Trip = Field(
        TriggerAction.KILL, description="consecutive_loss_threshold is reached"
    )
    drawdown: Trip = Field(TriggerAction.KILL, description="from the highest equity")
    journal: Trip = Field(TriggerAction.KILL, description="the journal cannot be written")
    divergence: Trip = Field(
        TriggerAction.REDUCE_ONLY, description="an unexplained difference with the venue"
    )
    overfill: Trip = Field(TriggerAction.REDUCE_ONLY, description="more filled than ordered")
    reject_storm: Trip = Field(TriggerAction.REDUCE_ONLY, description="10 a minute")
    clock_skew: Trip = Field(TriggerAction.REDUCE_ONLY, description="more than 5 s")
