"""OANDA v20: an account for currencies on margin, over REST and two streams (C-270).

`setup` opens it, `adapter` is the broker, `market` its prices; `log` follows the transactions of
the account, which are the truth of all that happens there.
"""
