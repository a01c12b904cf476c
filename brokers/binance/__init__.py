"""Binance spot: its settings, and the adapter, which loads when an account is opened."""
