"""How to get at an account at OKX."""

from brokers.guide import Guide

GUIDE = Guide(
    title="OKX",
    steps=(
        "At okx.com, or at the address of your region, switch to Demo trading.",
        "Open API keys there and make one that may read and trade, and not withdraw.",
        "Set the account to Spot mode (Settings, Account mode).",
    ),
    keys={"key_env": "API key", "secret_env": "secret key", "passphrase_env": "passphrase"},
    questions={
        "rest_url": "the address of the region that the key was made in: https://www.okx.com, "
        "https://eea.okx.com or https://us.okx.com"
    },
    symbols=("BTC-USDT", "ETH-USDT"),
    asset_classes=("crypto",),
    refused="A key works only in the region and in the world, demo or live, that it was made in: "
    "one of the demo world is wanted here, and rest_url names its region.",
)
