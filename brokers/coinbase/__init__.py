"""Coinbase Advanced Trade: its settings; the adapter is not built yet."""
