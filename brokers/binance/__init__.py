"""Binance: its settings; the adapter is not built yet."""
