"""Coinbase Advanced Trade: spot orders over REST with a token a request, told by a user stream."""
