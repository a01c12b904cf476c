"""How to get at an account at Alpaca."""

from brokers.guide import Guide

GUIDE = Guide(
    title="Alpaca",
    steps=(
        "Sign up at alpaca.markets; the dashboard has a paper account from the start.",
        "Switch the dashboard to that paper account and make a key there (API Keys).",
    ),
    keys={"key_env": "API key", "secret_env": "secret key"},
    symbols=("AAPL", "MSFT", "SPY"),
    asset_classes=("stock", "etf", "option", "crypto"),
    refused="Paper and live have different keys: those of the paper account are wanted here.",
)
