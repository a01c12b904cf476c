"""Every section and key of the config file, with its default and what it means.

The keys, their names and defaults are public (`config init` writes them). A model is frozen and
knows its keys; what keys say together is judged in `engine.config.rules`.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

from engine.calendars import CALENDARS
from engine.config.kinds import (
    BasisPoints,
    Count,
    Currency,
    Money,
    Multiple,
    Name,
    OptionalName,
    PositiveMoney,
    Seconds,
    SecondsOrNone,
    Share,
    ShareOrNone,
    Span,
    Symbols,
    Text,
    Texts,
    Url,
    Variable,
    member,
    real,
    several,
    text,
    whole,
)
from engine.config.profiles import ProfileName
from engine.domain.order import TimeInForce
from engine.domain.run import Flatten, Mode, TriggerAction

Trip = Annotated[TriggerAction, member(TriggerAction)]
Timeframe = Literal["", "10s", "1m", "5m", "10m", "1h", "1d"]


class Section(BaseModel):
    """A table of the file: frozen, strict, and without unknown keys."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, defer_build=True
    )


class AccountConfig(Section):
    """Which broker trades."""

    primary: Name = Field("paper", description="a name under [brokers]")
    fallback: OptionalName = Field("", description='"" = none')
    currency: Currency = Field("USD", description="base currency of equity and limits")
    calendar: Annotated[
        str,
        text(f'"" or one of {", ".join(CALENDARS)}', lambda name: not name or name in CALENDARS),
    ] = Field("", description='whose day the portfolio\'s is; "" = that of the symbols')


class MarketConfig(Section):
    """Where prices come from."""

    source: Literal["simulated", "replay", "broker"] = Field(
        "simulated", description="simulated | replay | broker"
    )
    bar_seconds: Seconds = Field(10, description="simulated: length of a bar")
    symbols: Symbols = Field(
        ("AAPL", "MSFT", "NVDA", "JPM", "XOM", "SPY"), description="what is watched and traded"
    )
    seed: Annotated[int, whole(0, 2**63 - 1)] = Field(7, description="of everything random")
    file: Text = Field("", description="replay: bars CSV")
    speed: Annotated[float, real("0", "1000")] = Field(
        1.0, description="replay: 1.0 = real time; 0 = as fast as it goes, headless only"
    )


class SignalsConfig(Section):
    """Where signals come from."""

    builtin: Literal["ema_cloud", ""] = Field("ema_cloud", description='"" = none')
    timeframe: Timeframe = Field("", description='"" = the bars of the source')
    file: Text = Field("", description="a JSONL file that is followed as it grows")


class RiskConfig(Section):
    """Limits of what may be risked.

    Read them through `engine.config.profiles.limits`: None here is the profile's.
    """

    max_risk_per_trade: Share | None = Field(None, description="of equity, to the stop")
    daily_loss_limit: Share | None = Field(None, description="of the session's starting equity")
    max_concurrent_positions: Count | None = Field(None, description="open positions")
    max_single_stock_exposure: Share | None = Field(None, description="of equity, in one name")
    max_sector_exposure: Share | None = Field(None, description="of equity, in one sector")
    max_gross_exposure: Share | None = Field(None, description="of equity, long and short added")
    drawdown_limit: Share | None = Field(None, description="of the highest equity")
    max_trades_per_day: Count | None = Field(None, description="entries a session")
    min_account_equity: Money | None = Field(None, description="a floor, in account currency")
    consecutive_loss_threshold: Count | None = Field(None, description="losing trades in a row")
    consecutive_loss_pct: ShareOrNone | None = Field(None, description="a loss that counts")
    api_timeout_seconds: Seconds = Field(60, description="a broker silent for longer is lost")
    max_order_notional: PositiveMoney = Field(Decimal(50_000), description="of one order")
    max_orders_per_minute: Count = Field(20, description="sent, all brokers together")
    price_collar_pct: Share = Field(Decimal("0.05"), description="a limit price from the market")
    quote_max_age_seconds: Seconds = Field(15, description="an older quote opens nothing")
    max_open_orders: Count = Field(100, description="working at once")


class KillConfig(Section):
    """What a kill flattens, and what each trigger does."""

    flatten: Annotated[Flatten, member(Flatten)] = Field(
        Flatten.DAY, description="none | day | all"
    )
    daily_loss: Trip = Field(TriggerAction.KILL, description="kill | reduce_only | alert")
    broker_lost: Trip = Field(TriggerAction.KILL, description="silent with exposure")
    min_equity: Trip = Field(TriggerAction.KILL, description="equity below the floor")
    loss_streak: Trip = Field(TriggerAction.KILL, description="losing trades in a row")
    drawdown: Trip = Field(TriggerAction.KILL, description="from the highest equity")
    journal: Trip = Field(TriggerAction.KILL, description="the journal cannot be written")
    divergence: Trip = Field(
        TriggerAction.REDUCE_ONLY, description="an unexplained difference with the venue"
    )
    overfill: Trip = Field(TriggerAction.REDUCE_ONLY, description="more filled than ordered")
    reject_storm: Trip = Field(TriggerAction.REDUCE_ONLY, description="10 a minute")
    clock_skew: Trip = Field(TriggerAction.REDUCE_ONLY, description="more than 5 s")


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
        300, description="0 = no window; a signal_id is still taken once"
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


class StrategyConfig(Section):
    """A Python strategy for the decision front end."""

    module: Text = Field("", description='"package.module:Class"')
    config: Text = Field("", description="its YAML")


class DataConfig(Section):
    """What rules need to know; built-in files by default."""

    instruments: Text = Field(
        "",
        description="CSV symbol,asset_class,tick,lot,multiplier,currency,calendar,shortable, and "
        "underlying,expiry,strike,right for contracts",
    )
    sectors: Text = Field("", description="CSV ticker,sector")
    etf_catalogue: Text = Field("", description="leveraged funds")
    events: Text = Field("", description="CSV date,kind (FOMC, earnings)")
    rates: Text = Field("", description="CSV currency,rate,date, where no quote tells")
    history: Text = Field("", description="bars CSV or a broker, for returns and average volume")
    regime: Text = Field("", description='JSONL followed as it grows; "" = none')


class RouteConfig(Section):
    """One row of [[routes]]: the first that matches names the broker."""

    asset_class: OptionalName = Field("", description="stock | crypto | fx | etf | option | future")
    symbol: Text = Field("", description='a symbol, or a pattern such as "BTC*"')
    broker: Name = Field(description="a name under [brokers]")


class PaperConfig(Section):
    """The paper broker."""

    kind: OptionalName = Field("", description='"" = the name of this table')
    initial_cash: PositiveMoney = Field(Decimal(100_000), description="of a new paper account")
    currency: Currency = Field("USD", description="what a new account starts with")
    latency_ms: Span = Field((10, 50), description="from, to")
    slippage_bps: BasisPoints = Field(Decimal(5), description="of a market order")
    commission_bps: BasisPoints = Field(Decimal(10), description="of the traded amount")
    fill_probability: ShareOrNone = Field(Decimal("0.95"), description="of a limit that is touched")
    participation: Share = Field(Decimal("0.10"), description="of a bar's volume")
    account_id: OptionalName = Field("", description='"" = the paper account of the state folder')
    address: Text = Field(
        "", description='socket of a paper venue in another process; "" = in this one'
    )


class VenueConfig(Section):
    """What every real venue takes."""

    kind: OptionalName = Field("", description='"" = the name of this table')
    account_id: OptionalName = Field("", description="live: must equal what the venue answers")


class AlpacaConfig(VenueConfig):
    """Alpaca."""

    environment: Literal["paper", "live"] = Field("paper", description="paper | live")
    key_env: Variable = Field("ALPACA_API_KEY", description="the variable that holds the key")
    secret_env: Variable = Field("ALPACA_SECRET_KEY", description="and the secret")
    trading_url: Url = Field("", description='"" = the venue\'s own')
    trading_stream_url: Url = Field("", description='"" = the venue\'s own')
    data_url: Url = Field("", description='"" = the venue\'s own')
    data_stream_url: Url = Field("", description='"" = the venue\'s own')


class IbkrConfig(VenueConfig):
    """Interactive Brokers through TWS or its gateway."""

    environment: Literal["paper", "live"] = Field("paper", description="paper | live")
    host: Text = Field("127.0.0.1", description="of TWS or the gateway")
    port: Annotated[int, whole(1, 65_535)] = Field(4002, description="4002 is the paper gateway")
    client_id: Annotated[int, whole(0, 2**31 - 1)] = Field(17, description="one for each program")


class BinanceConfig(VenueConfig):
    """Binance spot."""

    environment: Literal["testnet", "live"] = Field("testnet", description="testnet | live")
    key_env: Variable = Field("BINANCE_API_KEY", description="the variable that holds the key")
    secret_env: Variable = Field("BINANCE_SECRET_KEY", description="and the secret")
    rest_url: Url = Field("", description='"" = the venue\'s own')
    stream_url: Url = Field("", description='"" = the venue\'s own')
    ws_api_url: Url = Field("", description='"" = the venue\'s own')


class CoinbaseConfig(VenueConfig):
    """Coinbase Advanced Trade."""

    environment: Literal["sandbox", "live"] = Field(
        "sandbox", description="sandbox (static answers) | live"
    )
    key_env: Variable = Field("COINBASE_API_KEY", description="the variable that holds the key")
    secret_env: Variable = Field("COINBASE_SECRET_KEY", description="and the secret")
    rest_url: Url = Field("", description='"" = the venue\'s own')
    stream_url: Url = Field("", description='"" = the venue\'s own')


class OkxConfig(VenueConfig):
    """OKX."""

    environment: Literal["demo", "live"] = Field("demo", description="demo | live")
    key_env: Variable = Field("OKX_API_KEY", description="the variable that holds the key")
    secret_env: Variable = Field("OKX_SECRET_KEY", description="and the secret")
    passphrase_env: Variable = Field("OKX_PASSPHRASE", description="and the passphrase")
    rest_url: Url = Field("", description='"" = the venue\'s own')
    stream_url: Url = Field("", description='private; "" = the venue\'s own')
    public_stream_url: Url = Field("", description='"" = the venue\'s own')


class OandaConfig(VenueConfig):
    """OANDA."""

    environment: Literal["practice", "live"] = Field("practice", description="practice | live")
    token_env: Variable = Field("OANDA_API_TOKEN", description="the variable that holds the token")
    rest_url: Url = Field("", description='"" = the venue\'s own')
    stream_url: Url = Field("", description='"" = the venue\'s own')


KIND_TABLES: Final[Mapping[str, type[PaperConfig | VenueConfig]]] = {
    "paper": PaperConfig,
    "alpaca": AlpacaConfig,
    "ibkr": IbkrConfig,
    "binance": BinanceConfig,
    "coinbase": CoinbaseConfig,
    "okx": OkxConfig,
    "oanda": OandaConfig,
}
"""Kind of a broker -> what a table `[brokers.NAME]` of that kind takes."""


def _kind_of(table: object) -> str | None:
    """The kind that a table of another name states."""
    kind = table.get("kind") if isinstance(table, Mapping) else getattr(table, "kind", None)
    return None if kind is None or kind == "" else str(kind)


AnyBroker = Annotated[
    Annotated[PaperConfig, Tag("paper")]
    | Annotated[AlpacaConfig, Tag("alpaca")]
    | Annotated[IbkrConfig, Tag("ibkr")]
    | Annotated[BinanceConfig, Tag("binance")]
    | Annotated[CoinbaseConfig, Tag("coinbase")]
    | Annotated[OkxConfig, Tag("okx")]
    | Annotated[OandaConfig, Tag("oanda")],
    Discriminator(_kind_of),
]


class BrokersConfig(Section):
    """The brokers that may be named; an account of another name says its kind."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, AnyBroker]

    paper: PaperConfig = Field(default_factory=PaperConfig.model_construct)
    alpaca: AlpacaConfig = Field(default_factory=AlpacaConfig.model_construct)
    ibkr: IbkrConfig = Field(default_factory=IbkrConfig.model_construct)
    binance: BinanceConfig = Field(default_factory=BinanceConfig.model_construct)
    coinbase: CoinbaseConfig = Field(default_factory=CoinbaseConfig.model_construct)
    okx: OkxConfig = Field(default_factory=OkxConfig.model_construct)
    oanda: OandaConfig = Field(default_factory=OandaConfig.model_construct)

    @property
    def names(self) -> tuple[str, ...]:
        """Every table there is: one of each kind, and those with a name of their own."""
        return (*type(self).model_fields, *(self.__pydantic_extra__ or ()))

    def of(self, name: str) -> VenueConfig | PaperConfig:
        """The settings of an account by its name. Raises KeyError for a name not there."""
        if name in KIND_TABLES:
            known: VenueConfig | PaperConfig = getattr(self, name)
            return known
        return (self.__pydantic_extra__ or {})[name]

    def kind_of(self, name: str) -> str:
        """The kind of an account: its name where that is one, else as its table states."""
        return name if name in KIND_TABLES else self.of(name).kind


class AlertsConfig(Section):
    """Messages to the operator."""

    urls: Texts = Field((), description="apprise URLs")
    minimum: Literal["info", "warning", "error", "critical"] = Field(
        "warning", description="info | warning | error | critical"
    )


class ConsoleConfig(Section):
    """How the console looks."""

    theme: Name = Field("meridian", description="a theme of the console")
    refresh_hz: Annotated[int, whole(0, 60)] = Field(
        0, description="0 = 10 local, 4 over a slow link"
    )
    glyphs: Literal["unicode", "ascii"] = Field("unicode", description="unicode | ascii")
    profit_colours: Literal["green-red", "red-green", "blue-orange"] = Field(
        "green-red", description="green-red | red-green | blue-orange"
    )


class Config(Section):
    """The whole configuration; without a file, its defaults trade on paper."""

    mode: Annotated[Mode, member(Mode, Mode.PAPER, Mode.SHADOW, Mode.LIVE)] = Field(
        Mode.PAPER, description="paper | shadow | live; fixed for the life of the process"
    )
    profile: Annotated[ProfileName, member(ProfileName)] = Field(
        ProfileName.CONSERVATIVE,
        description="conservative | axion_aggressive | autotrader | meridian | custom",
    )
    account: AccountConfig = Field(default_factory=AccountConfig.model_construct)
    market: MarketConfig = Field(default_factory=MarketConfig.model_construct)
    signals: SignalsConfig = Field(default_factory=SignalsConfig.model_construct)
    risk: RiskConfig = Field(default_factory=RiskConfig.model_construct)
    kill: KillConfig = Field(default_factory=KillConfig.model_construct)
    execution: ExecutionConfig = Field(default_factory=ExecutionConfig.model_construct)
    entries: EntriesConfig = Field(default_factory=EntriesConfig.model_construct)
    exits: ExitsConfig = Field(default_factory=ExitsConfig.model_construct)
    pipeline: PipelineConfig = Field(default_factory=PipelineConfig.model_construct)
    resiliency: ResiliencyConfig = Field(default_factory=ResiliencyConfig.model_construct)
    strategy: StrategyConfig = Field(default_factory=StrategyConfig.model_construct)
    data: DataConfig = Field(default_factory=DataConfig.model_construct)
    routes: Annotated[
        tuple[RouteConfig, ...], several(lambda rows: len(rows) <= 100, "rows of [[routes]]")
    ] = ()
    brokers: BrokersConfig = Field(default_factory=BrokersConfig.model_construct)
    alerts: AlertsConfig = Field(default_factory=AlertsConfig.model_construct)
    console: ConsoleConfig = Field(default_factory=ConsoleConfig.model_construct)
