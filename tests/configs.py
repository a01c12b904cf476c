"""Configs of tests, with every kind of venue there is in this tree."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from brokers import venue_kinds
from brokers.paper.settings import PaperConfig
from engine import config
from engine.config import Config
from engine.config.judge import judged
from engine.config.tree import copied
from engine.config.venue import VenueKinds


def from_mapping(
    tree: Mapping[str, Any],
    environ: Mapping[str, str] | None = None,
    kinds: VenueKinds | None = None,
) -> Config:
    """The config of nested keys. Raises ConfigError."""
    return config.from_mapping(tree, environ, venue_kinds() if kinds is None else kinds)


def parse(text: str, environ: Mapping[str, str] | None = None, source: str = "config") -> Config:
    """The config that TOML text stands for. Raises ConfigError."""
    return config.parse(text, environ, venue_kinds(), source)


def load(path: Path | None, environ: Mapping[str, str]) -> Config:
    """The config of a file and the environment. Raises ConfigError."""
    return config.load(path, environ, venue_kinds())


def unruled(tree: Mapping[str, Any]) -> Config:
    """A config of valid keys that no rule has judged: past what is not built yet."""
    found: list[str] = []
    config_ = judged(copied(tree), venue_kinds(), {}, found, set())
    assert found == []
    return config_


def paper(config: Config, name: str = "paper") -> PaperConfig:
    """The settings of a paper account."""
    settings = config.brokers.of(name)
    assert isinstance(settings, PaperConfig)
    return settings


def built(*names: str) -> VenueKinds:
    """Every kind of venue, as if those of these names, and the paper one, alone had an adapter."""
    return {
        name: msgspec.structs.replace(kind, built=name in ("paper", *names))
        for name, kind in venue_kinds().items()
    }
