"""Any other venue of coins, by the library ccxt: experimental."""
