"""How to get at an account at Interactive Brokers."""

from brokers.guide import Guide

GUIDE = Guide(
    title="Interactive Brokers",
    steps=(
        "Start TWS or its gateway on this machine, and log in with a paper account.",
        "In its API settings: enable socket clients, switch Read-Only API off, trust 127.0.0.1.",
        "There is no key: whoever reaches the port of TWS trades with its login.",
    ),
    questions={
        "port": "the port that TWS listens at (paper: gateway 4002, TWS 7497)",
        "account_id": "the number of the account, where the login reaches several",
    },
    symbols=("AAPL", "MSFT", "SPY"),
    asset_classes=("stock", "etf", "option", "future", "fx"),
    refused="A paper account, whose number begins with D, is wanted here.",
)
