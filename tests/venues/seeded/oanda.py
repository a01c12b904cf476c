"""OANDA in seeded runs."""

import asyncio
from collections import deque
from collections.abc import Iterable
from decimal import Decimal
from random import Random

from engine.domain.order import NS_PER_DAY
from tests.venues.exchange import Execution
from tests.venues.oanda import ACCOUNT, SYMBOL, OandaServer
from tests.venues.seeded.books import ZERO, held
from tests.venues.seeded.place import Web


class Oanda(Web):
    """A margin account for currencies. It keeps one balance, which a trade moves by the profit that
    it takes; what is told as cash is that less what the open trades cost (docs/venues/oanda.md)."""

    name = "oanda"
    account_id = ACCOUNT
    symbols = {SYMBOL: SYMBOL}  # noqa: RUF012 - never changed
    shorts = True
    late = 10.0
    submits = ("create",)
    cancels = ("cancel",)
    asks = ("pending", "orders", "order", "positions", "account", "transactions", "sinceid")
    server: OandaServer

    def make(self) -> None:
        """With or without a commission, in fills of several parts or in one."""
        self.server = server = OandaServer(lambda: self.wall() - NS_PER_DAY)
        rate = self.random.choice((ZERO, Decimal("0.0001")))
        server.exchange.fee_rate = rate
        server.exchange.slices = self.random.choice((1, 1, 3))

    def fee(self, done: Execution) -> tuple[Decimal, str]:
        """To four decimals, in dollars."""
        return round(done.fee, 4), self.currency

    def _balance(self) -> tuple[Decimal, Decimal]:
        """The balance, and what the open trades cost: what was opened first is closed first, and
        each profit counts to four decimals."""
        balance, lots = Decimal(100_000), deque[tuple[Decimal, Decimal]]()
        for done in self.exchange.executions:
            left, gained = done.sign * done.quantity, ZERO
            while left and lots and lots[0][0] * left < 0:
                units, price = lots.popleft()
                part = min(abs(units), abs(left)) * (1 if units > 0 else -1)
                gained += part * (done.price - price)
                left += part
                if units != part:
                    lots.appendleft((units - part, price))
            if left:
                lots.append((left, done.price))
            balance += round(gained, 4) - self.fee(done)[0]
        return balance, sum((units * price for units, price in lots), ZERO)

    def cash(self) -> Iterable[tuple[str, Decimal]]:
        """As it is told."""
        balance, cost = self._balance()
        yield self.currency, balance - cost

    def states(self) -> dict[str, dict[str, Decimal]]:
        """Holdings and cash as the server keeps them."""
        server = self.server
        cost = sum((t["units"] * t["price"] for t in server.trades), ZERO)
        return super().states() | {"cash": held([(self.currency, server.balance - cost)])}

    async def hang_up(self) -> None:
        """End every stream."""
        self.server.hang_up()

    async def fault_gap(self, random: Random) -> None:
        """Transactions of a while are not told, and the stream may go on."""
        self.server.hold()
        await asyncio.sleep(random.uniform(0.5, 6))
        self.server.lose()
        if random.random() < 0.5:
            await self.hang_up()

    async def fault_out_of_order(self, random: Random) -> None:
        """Transactions are held back, and then told in another order, some twice."""
        self.server.hold()
        await asyncio.sleep(random.uniform(0.5, 6))
        places = [*range(len(self.server.held or ()))]
        places += [n for n in places if random.random() < 0.3]
        random.shuffle(places)
        self.server.release(*places)

    async def fault_half_open(self, random: Random) -> None:
        """The streams stand, and say nothing, not even that they are alive."""
        self.silent = True
        self.server.hold()
        await asyncio.sleep(random.uniform(2, 14))
        self.server.lose()
        self.silent = False

    silent = False

    async def fault_found_ended(self, random: Random) -> None:
        """An order that has ended is found by its client id for a while."""
        self.server.finds_ended = True
        await asyncio.sleep(random.uniform(2, 12))
        self.server.finds_ended = False

    async def fault_thin(self, random: Random) -> None:
        """The next order that fills at once finds little."""
        self.server.thin = Decimal(random.randint(1, 3))

    async def fault_refused(self, random: Random) -> None:
        """The next order is refused, or created and cancelled."""
        if random.random() < 0.5:
            self.server.rejects_next = "INSTRUMENT_NOT_TRADEABLE"
        else:
            self.server.cancels_next = random.choice(("MARKET_HALTED", "INSUFFICIENT_MARGIN"))

    async def tell(self, symbol: str, price: Decimal) -> None:
        """The market is there now; beats come with it, unless the streams are silent."""
        server, tick = self.server, self.tick
        if self.silent:
            server.exchange.set_price(symbol, price)
            return
        server.quote(symbol, f"{price - tick}", f"{price + tick}")
        server.price_beat()
        if server.held is None:
            server.beat()

    def sound(self) -> None:
        """Every switch as it is where nothing is wrong."""
        server = self.server
        server.finds_ended = self.silent = False
        server.thin = None
        server.rejects_next = server.cancels_next = ""
        if server.held is not None:
            server.release()
