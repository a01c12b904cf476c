"""Which of an account's assets are cash, and which are holdings of what symbol.

Coinbase keeps one balance for each asset, whatever it was bought with: BTC-USD and BTC-EUR fill the
same one. Our ids are the venue's, BASE-QUOTE.
"""

from collections.abc import Iterable

from engine.ports import Rejected

FIAT = "ACCOUNT_TYPE_FIAT"


class Assets:
    """What the assets of one account count as."""

    def __init__(self, currency: str, symbols: Iterable[str]) -> None:
        """`currency` is the account's own, `symbols` what is watched: what they are paid in is
        cash, and a coin is held under the first of them that buys it."""
        self.currency = currency
        pairs = [symbol.rpartition("-") for symbol in symbols if "-" in symbol]
        self._cash = {currency} | {quote for _, _, quote in pairs}
        self._held: dict[str, str] = {}
        for base, _, quote in pairs:
            if base not in self._cash:
                self._held.setdefault(base, f"{base}-{quote}")

    def is_cash(self, asset: str, kind: str) -> bool:
        """Whether a balance is cash; `kind` is the venue's type of its account."""
        return kind == FIAT or asset in self._cash

    def symbol_of(self, asset: str) -> str:
        """The symbol under which a coin is held."""
        return self._held.get(asset, f"{asset}-{self.currency}")

    def check(self, symbol: str) -> None:
        """Raises Rejected for a symbol whose coin would be held under another one: what it bought
        would be taken for something else, and what it sold would not be found."""
        base = symbol.rpartition("-")[0]
        if base in self._cash:
            raise Rejected(
                "HELD_AS_CASH",
                f"{base} pays for another symbol of [market] symbols and is cash here: an order in "
                f"{symbol} is not sent",
            )
        held = self.symbol_of(base)
        if base and held != symbol:
            raise Rejected(
                "HELD_AS_ANOTHER",
                f"{base} is held as {held} here: Coinbase keeps one balance of it, so an order in "
                f"{symbol} is not sent; {held} is allowed, and [market] symbols says which it is",
            )
