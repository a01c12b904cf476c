"""A venue that lends on what an account is worth: what a short bound of that is not known here, so
that the venue is asked again once one is bought back (X-79)."""

import msgspec

from engine.domain import commands as ask
from engine.domain.account import Account
from engine.domain.order import Side
from engine.world.exposure import buying_power
from tests.engine.liar import CASH, PRICE, ZERO, Liar, Table, play
from tests.engine.worlds import ABLE, BROKER

AT_REST = 12
"""While nothing is open the clock is looked at every 10 s."""


class Lender(Liar):
    """It lends as much as the account is worth, and lets nobody spend what backs a short."""

    async def get_account(self) -> Account:
        told = await super().get_account()
        short = sum((-q * self.price for q in self.held.values() if q < 0), start=ZERO)
        return msgspec.structs.replace(told, buying_power=2 * told.equity - 2 * short)


class Counter(Table):
    makes = Lender

    def asked(self) -> int:
        """How often it was asked for the balances."""
        return sum(1 for _, what in self.venue.asked if what == "account")


def test_x79_a_short_that_is_bought_back_is_followed_by_a_look() -> None:
    async def scene(table: Table) -> None:
        assert isinstance(table, Counter)
        done = await table.order(Side.SELL_SHORT, 1_000, protect=PRICE * 11 / 10)
        assert done.ok, done.error
        await table.wait(130)
        assert buying_power(table.engine.world, BROKER) == 2 * CASH - 2 * 1_000 * PRICE
        looks = table.asked()
        await table.engine.command(ask.ClosePosition(by="test", symbol="AAA"))
        await table.until(lambda: table.held == 0)
        await table.wait(AT_REST)
        assert buying_power(table.engine.world, BROKER) == 2 * CASH
        assert table.asked() == looks + 1

    play(scene, table=Counter, able=ABLE)
