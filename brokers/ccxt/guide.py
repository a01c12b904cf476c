"""How to get at an account at a venue that ccxt knows."""

from brokers.guide import Guide

GUIDE = Guide(
    title="any other exchange, by ccxt (experimental)",
    steps=(
        "Look whether the exchange has a test environment: only that is traded here.",
        "Make a key there that may read and trade, and not withdraw.",
    ),
    keys={"key_env": "API key", "secret_env": "secret key"},
    questions={"exchange": "the name of the exchange as ccxt writes it, such as kraken"},
    symbols=("BTC-USDT", "ETH-USDT"),
    asset_classes=("crypto",),
    refused="A key of the exchange's test environment is wanted here, one that may trade.",
    remark="Experimental: no exchange was ever traded this way but a local server of ours, and "
    "real money is refused.",
)
