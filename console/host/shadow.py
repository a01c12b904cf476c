"""Mode shadow: the prices of real venues, and orders to a paper venue beside them (U-40).

Every account at a real venue is traded as a paper account of its name, under the terms of
`[brokers.paper]`. Only `participation`, a share of a bar's volume, is none of them: what a quote
shows may be taken whole, as a real book has it. From here on nothing knows the real account: of its
venue the prices alone are opened, so that no order, cancel or change can reach it, and its stream
of orders stays free for whoever trades there.
"""

from typing import Any

from brokers.paper.settings import PaperConfig
from engine.config import Config, opened
from engine.config.venue import BrokersConfig, RealVenueConfig, VenueConfig
from engine.domain.money import ONE
from engine.domain.run import Mode

PAPER = "paper"


def as_traded(config: Config) -> Config:
    """The config as its accounts are traded: in mode shadow with paper accounts alone, and the
    config itself in any other mode."""
    brokers = config.brokers
    if config.mode is not Mode.SHADOW or PAPER not in brokers.kinds:
        return config
    terms = brokers.of(PAPER)
    tables: dict[str, VenueConfig] = {PAPER: terms}
    for name in opened(config):
        settings = brokers.of(name)
        if isinstance(settings, RealVenueConfig):
            own: dict[str, Any] = {"kind": PAPER, "account_id": "", "address": ""}
            own |= {"participation": ONE}
            settings = terms.model_copy(update=own)
        tables[name] = settings
    kinds = {PAPER: brokers.kinds[PAPER]}
    return config.model_copy(update={"brokers": BrokersConfig(kinds, tables)})


def demand_paper(settings: VenueConfig, name: str) -> None:
    """Raise RuntimeError where an account of mode shadow is anything but a paper account of this
    process: a defect of ours, found before anything is opened."""
    if not isinstance(settings, PaperConfig) or settings.address:
        raise RuntimeError(f"in mode shadow the account {name} is no paper account of this process")
