"""How orders are made: `[execution]`, `[entries]`, `[exits]`, `[pipeline]`, `[resiliency]`."""

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field

from engine.config.kinds import (
    Count,
    Multiple,
    Seconds,
    SecondsOrNone,
    Share,
    ShareOrNone,
    member,
    real,
    whole,
)
from engine.config.section import Section
from engine.domain.order import TimeInForce


class ExecutionConfig(Section):
    """How orders are made and watched."""

    instrument_mode: Literal["stock", "options", "leveraged_etf", "both"] = Field(
        "stock", description="stock | options | leveraged_etf | both"
    )
    default_time_in_force: Annotated[TimeInForce, member(TimeInForce)] = Field(
        TimeInForce.DAY, description="day | gtc | ioc | fok"
    )
    slippage_buffer: ShareOrNone = Field(Decimal("0.001"), description="worst entry price")
    max_signal_age_seconds: Seconds = Field(120, description="an older signal is stale")
    dedup_window_seconds: SecondsOrNone = Field(
        300, description="0 = no window; a signal_id is still accepted once"
    )
    order_timeout_seconds: Seconds = Field(300, description="entries, adds and exits")
    reconcile_seconds: Seconds = Field(60, description="between two comparisons with the venue")
    cycle_time_ms: Annotated[int, whole(1, 60_000)] = Field(
        100, description="the decision front end's loop"
    )
    on_hangup: Literal["continue", "protect", "flatten"] = Field(
        "continue", description="continue | protect | flatten"
    )


class EntriesConfig(Section):
    """How positions are entered."""

    high_conviction_order_type: Literal["market", "limit"] = Field(
        "market", description="conviction of 75 and more"
    )
    medium_conviction_order_type: Literal["market", "limit"] = Field(
        "limit", description="conviction below 75"
    )
    scale_in_enabled: bool = Field(True, description="two legs where there is a second one")
    scale_in_initial_pct: Share = Field(Decimal("0.5"), description="of the size, first leg")
    conviction_mode: Literal["seed", "scaled_cap"] = Field(
        "seed", description="seed | scaled_cap: what conviction scales"
    )


class ExitsConfig(Section):
    """How positions are left."""

    reward_to_risk_target: Multiple = Field(Decimal("2.0"), description="of the initial risk")
    time_stop_minutes: Annotated[int, whole(1, 10_080)] = Field(
        120, description="day trades without progress"
    )
    time_stop_progress_pct: ShareOrNone = Field(
        Decimal("0.005"), description="of the entry: what counts as progress"
    )
    eod_close_minutes_before: Annotated[int, whole(1, 240)] = Field(
        5, description="day trades are closed this long before the session ends"
    )
    trailing_stop_cloud: Literal["fast", "pullback", "trend", "macro"] = Field(
        "pullback", description="fast | pullback | trend | macro"
    )
    stop_mode: Literal["both", "hard", "structure"] = Field(
        "both", description="both | hard | structure"
    )
    breakeven: bool = Field(False, description="move the stop to the entry")
    scale_out: bool = Field(False, description="leave in parts")


class PipelineConfig(Section):
    """Parts of the pipeline that can be left out."""

    enable_signal_recording: bool = Field(True, description="every signal and its outcome")
    enable_unified_risk: bool = Field(True, description="the checks across the portfolio")
    enable_feedback_loop: bool = Field(True, description="weights of signal sources")
    enable_alerting: bool = Field(True, description="messages to [alerts]")
    enable_analytics: bool = Field(True, description="performance figures")
    feedback_adjust_every_n_trades: Count = Field(50, description="round trips")


class ResiliencyConfig(Section):
    """Repeating what is safe to repeat."""

    max_retries: Annotated[int, whole(0, 20)] = Field(3, description="after the first attempt")
    initial_backoff: Annotated[float, real("0", "3600")] = Field(1.0, description="seconds")
    backoff_multiplier: Annotated[float, real("1", "10")] = Field(2.0, description="each time")
    circuit_breaker_threshold: Count = Field(5, description="failures in a row that open it")
    circuit_breaker_timeout: Annotated[float, real("0.001", "86400")] = Field(
        60.0, description="seconds it stays open"
    )
