"""The account that an order goes to: its venue, its money, and what is in doubt there."""

from collections.abc import Mapping
from decimal import Decimal

from engine.domain.instant import Nanos
from engine.domain.order import OrderStatus
from engine.domain.suspicion import CORPORATE_ACTION
from engine.ports import Capabilities
from engine.risk.facts.kept import kept
from engine.risk.facts.portfolio import PortfolioFacts
from engine.state.account import AccountState
from engine.state.order import Order
from engine.state.rates import Rate
from engine.world import exposure
from engine.world.looks import max_age_seconds, seen_at


class AccountFacts(PortfolioFacts):
    """What is known of the account."""

    __slots__ = ()

    @kept
    def venue_account(self) -> AccountState:
        """The account that the order goes to: its balances, its link, its last comparison."""
        return self._book.account(self.request.account)

    @property
    def account_max_age(self) -> int:
        """After how many seconds the last look at a venue is too old for an entry (X-84)."""
        return max_age_seconds(self._world)

    @property
    def account_seen_at(self) -> Nanos:
        """When that account was last seen as it is (X-84)."""
        return seen_at(self._world, self.venue_account, self.now)

    @property
    def able(self) -> Capabilities:
        """What its venue can do."""
        return self._world.able(self.request.account)

    @property
    def blocks(self) -> Mapping[str, str]:
        """What is unexplained of the symbol there: causes with their reasons."""
        blocked, symbol = self.venue_account.blocked, self.request.symbol
        found = blocked.get(symbol) or {}
        name = self.instrument.leans_on
        if name and CORPORATE_ACTION in blocked.get(name, {}):
            return found | {CORPORATE_ACTION: blocked[name][CORPORATE_ACTION]}
        return found

    @property
    def unclear(self) -> tuple[Order, ...]:
        """Orders in the symbol there that are UNKNOWN."""
        if not self._book.index.unclear:
            return ()
        working = self._book.working(self.request.account, self.request.symbol)
        return tuple(order for order in working if order.status is OrderStatus.UNKNOWN)

    @kept
    def rates(self) -> Mapping[str, Rate | None]:
        """The rate of each other currency that the order is paid or its account is kept in."""
        base = self.base
        paid, kept_in = self.instrument.currency, self.venue_account.currency or base
        if paid == base == kept_in:
            return {}
        return {
            currency: self._world.rates.rate(currency, self.now)
            for currency in sorted({paid, kept_in} - {base})
        }

    @property
    def buying_power(self) -> Decimal:
        """What new exposure there may still cost, what this order holds already included."""
        return exposure.buying_power(self._world, self.request.account) + self.request.freed

    @property
    def fee_rate(self) -> Decimal:
        """What the broker charges of a trade as far as the config says, as a fraction of it."""
        return self._world.config.brokers.of(self.request.account).fee_rate
