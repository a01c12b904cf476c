"""How to get at an account at Coinbase."""

from brokers.guide import Guide

GUIDE = Guide(
    title="Coinbase",
    steps=(
        "The sandbox wants no key; it gives the same answers to everybody.",
        "A key for later is made at https://portal.cdp.coinbase.com, API keys, as a secret API key "
        "with the permissions view and trade, and not transfer.",
    ),
    keys={"key_env": "name of the key (organizations/.../apiKeys/...)", "secret_env": "secret"},
    symbols=("BTC-USD", "ETH-USD"),
    asset_classes=("crypto",),
    refused="A secret API key with the permissions view and trade is wanted here.",
    remark="Coinbase's sandbox takes no orders: it can be looked at, and nothing is traded there.",
)
