"""What is traded, and on whose word: `[account]`, `[market]`, `[signals]`, `[strategy]`, `[data]`
and `[[routes]]`."""

from typing import Annotated, Literal

from pydantic import Field

from engine.calendars import CALENDARS
from engine.config.kinds import (
    Currency,
    FilePath,
    Name,
    OptionalName,
    Seconds,
    Symbols,
    Text,
    real,
    several,
    text,
    whole,
)
from engine.config.section import Section
from engine.domain.instrument import TERMS, AssetClass

Timeframe = Literal["", "10s", "1m", "5m", "10m", "1h", "1d"]


class AccountConfig(Section):
    """Which broker trades."""

    primary: Name = Field("paper", description="a name under [brokers]")
    fallback: OptionalName = Field(
        "", description='where an entry goes that its account provably did not take; "" = none'
    )
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
    file: FilePath = Field("", description="replay: bars CSV")
    speed: Annotated[float, real("0", "1000")] = Field(
        1.0, description="replay: 1.0 = real time; 0 = as fast as it goes, headless only"
    )


class SignalsConfig(Section):
    """Where signals come from."""

    builtin: Literal["ema_cloud", ""] = Field("ema_cloud", description='"" = none')
    timeframe: Timeframe = Field("", description='"" = the bars of the source')
    file: FilePath = Field("", description="a JSONL file that is followed as it grows")


class StrategyConfig(Section):
    """A Python strategy for the decision front end."""

    module: Text = Field("", description='"package.module:Class"')
    config: FilePath = Field("", description="its YAML")


class DataConfig(Section):
    """What rules need to know; built-in files by default."""

    instruments: FilePath = Field(
        "",
        description="CSV symbol,asset_class,tick,lot,multiplier,currency,calendar,shortable, and "
        f"{','.join(TERMS)} for contracts",
    )
    sectors: FilePath = Field("", description="CSV ticker,sector")
    etf_catalogue: FilePath = Field("", description="leveraged funds")
    events: FilePath = Field("", description="CSV date,kind (FOMC, earnings)")
    rates: FilePath = Field("", description="CSV currency,rate,date, where no quote tells")
    venues: FilePath = Field(
        "", description="CSV of fees, latency and fill rate of each account that a route chooses of"
    )
    history: FilePath = Field(
        "", description="bars CSV or a broker, for returns and average volume"
    )
    regime: FilePath = Field("", description='JSONL followed as it grows; "" = none')


class RouteConfig(Section):
    """One row of [[routes]]: the first that matches names the broker."""

    asset_class: OptionalName = Field("", description=" | ".join(AssetClass))
    symbol: Text = Field("", description='a symbol, or a pattern such as "BTC*"')
    broker: Name = Field(description="a name under [brokers]")
    also: Annotated[
        tuple[Name, ...],
        several(
            lambda names: len(names) <= 8 and len({str(name) for name in names}) == len(names),
            "a list of at most 8 different names under [brokers]",
        ),
    ] = Field((), description="others that quote the same: the better is chosen by [data] venues")
