"""Configuration: the keys, their rules, and how a file and the environment become one value."""

from engine.config.accounts import account_id, kept_elsewhere, opened
from engine.config.load import ConfigError, amended, from_mapping, load, parse
from engine.config.model import Config
from engine.config.render import digest, init_text, limits_digest, show, show_text

__all__ = [
    "Config",
    "ConfigError",
    "account_id",
    "amended",
    "digest",
    "from_mapping",
    "init_text",
    "kept_elsewhere",
    "limits_digest",
    "load",
    "opened",
    "parse",
    "show",
    "show_text",
]
