"""How to get at an account at OANDA."""

from brokers.guide import Guide

GUIDE = Guide(
    title="OANDA",
    steps=(
        "Open a v20 practice account; it is free, and one of MetaTrader 4 will not do.",
        "Make a token on OANDA's pages, under Manage API Access.",
    ),
    keys={"token_env": "token"},
    questions={"account_id": "the number of the account, where the token may use several"},
    symbols=("EUR_USD", "GBP_USD", "USD_JPY"),
    asset_classes=("fx",),
    refused="Practice and live have different tokens: one of the practice account is wanted here.",
)
