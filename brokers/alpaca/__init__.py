"""Alpaca: shares, options and coins, through alpaca-py (C-291)."""
