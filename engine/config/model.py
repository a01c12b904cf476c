"""The whole config: every section of the file in one value.

The keys, their names and defaults are public (`config init` writes them). A section is frozen and
knows its keys; what keys say together is judged in `engine.config.rules`.
"""

from typing import Annotated

from pydantic import Field, InstanceOf

from engine.config.front import AlertsConfig, ConsoleConfig
from engine.config.kinds import member, several
from engine.config.limits import KillConfig, RiskConfig
from engine.config.orders import (
    EntriesConfig,
    ExecutionConfig,
    ExitsConfig,
    PipelineConfig,
    ResiliencyConfig,
)
from engine.config.section import Section
from engine.config.trading import (
    AccountConfig,
    DataConfig,
    MarketConfig,
    RouteConfig,
    SignalsConfig,
    StrategyConfig,
)
from engine.config.venue import BrokersConfig
from engine.domain.run import Mode, ProfileName


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
    brokers: InstanceOf[BrokersConfig] = Field(default_factory=BrokersConfig)
    alerts: AlertsConfig = Field(default_factory=AlertsConfig.model_construct)
    console: ConsoleConfig = Field(default_factory=ConsoleConfig.model_construct)
