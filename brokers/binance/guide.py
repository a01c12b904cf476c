"""How to get at an account at Binance."""

from brokers.guide import Guide

GUIDE = Guide(
    title="Binance",
    steps=(
        "Sign in at https://testnet.binance.vision, the test network, which has keys of its own.",
        "Generate an HMAC-SHA-256 key there.",
    ),
    keys={"key_env": "API key", "secret_env": "secret key"},
    symbols=("BTC-USDT", "ETH-USDT"),
    asset_classes=("crypto",),
    refused="The test network and the live venue have different keys: those of the test network "
    "are wanted here.",
)
