"""What a kill believes to be gone by the venue's lists alone is no proof of a sale (X-52, C-502).

The lists decide in the end, and the kill ends VERIFIED: nothing in its scope is listed. What no
fill explains is named, and the kill is not done for whoever asked for it.
"""

from decimal import Decimal

import pytest

from console.cli.killing import proved
from console.host.kill_report import KillReport
from engine.analytics.status import status_of
from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.account import VenuePosition
from engine.domain.order import Side
from engine.domain.run import Flatten, Severity
from engine.state.account import KillWork
from engine.state.book import Book
from tests.engine.liar import Liar, Table, play

D = Decimal


class Listing(Liar):
    """Its list of holdings can show less than is held, or nothing; what else it says is true."""

    hides = Decimal(0)
    """How much of what is held it does not list."""

    async def get_positions(self) -> tuple[VenuePosition, ...]:
        return tuple(
            VenuePosition(
                symbol=p.symbol,
                quantity=p.quantity - self.hides * (1 if p.quantity > 0 else -1),
                average_price=p.average_price,
            )
            for p in await super().get_positions()
            if abs(p.quantity) > self.hides
        )


class Desk(Table):
    makes = Listing
    venue: Listing

    async def kill(self, hides: int) -> None:
        self.venue.hides = D(hides)
        await self.engine.command(ask.Kill(by="test", flatten=Flatten.DAY))

    async def verified(self) -> None:
        await self.until(lambda: self.state == "VERIFIED", 60)

    @property
    def state(self) -> str:
        proofs = self.events(ev.KillProved)
        return proofs[-1].state if proofs else ""

    @property
    def vanished(self) -> list[str]:
        """What the kill names, the same wherever it is told."""
        report = KillReport(self.engine.world).document()
        (row,) = report["brokers"].values()
        (account,) = status_of(self.engine.world, self.clock.now())["accounts"]
        assert account["kill"]["vanished"] == row["vanished"]
        assert proved(report) is (row["state"] == "VERIFIED" and not row["vanished"])
        return list(row["vanished"])

    def told(self) -> list[ev.Alarmed]:
        return [e for e in self.events(ev.Alarmed) if e.code == "KILL_VERIFIED"]


@pytest.mark.parametrize(
    ("side", "hides", "named"),
    [
        (Side.BUY, 0, []),
        (Side.BUY, 1, ["AAA 1"]),
        (Side.BUY, 60, ["AAA 60"]),
        (Side.BUY, 100, ["AAA 100"]),
        (Side.SELL_SHORT, 100, ["AAA -100"]),
    ],
)
def test_c502_a_kill_names_what_was_held_and_is_neither_listed_nor_sold(
    side: Side, hides: int, named: list[str]
) -> None:
    async def scene(table: Table) -> None:
        assert isinstance(table, Desk)
        assert (await table.order(side, 100)).ok
        await table.wait(60)
        await table.kill(hides)
        await table.verified()
        assert table.held == 0
        assert table.vanished == named
        told = table.told()[-1]
        assert told.severity is (Severity.CRITICAL if named else Severity.WARNING)
        what = f"NOT PROVED SOLD: paper does not list {', '.join(named)} any more"
        assert (what in told.text) is bool(named)

    play(scene, table=Desk)


def test_c502_what_is_listed_again_is_closed_and_then_nothing_has_vanished() -> None:
    async def scene(table: Table) -> None:
        assert isinstance(table, Desk)
        await table.buy(100)
        await table.wait(60)
        await table.kill(100)
        await table.verified()
        assert table.vanished == ["AAA 100"]
        table.venue.hides = D(0)
        await table.engine.command(ask.Kill(by="test", flatten=Flatten.ALL))
        await table.wait(30)
        assert (table.there, table.held, table.state) == (0, 0, "VERIFIED")
        assert table.vanished == []

    play(scene, table=Desk)


def test_c502_a_kill_that_is_raised_or_asked_for_again_still_names_it() -> None:
    async def scene(table: Table) -> None:
        assert isinstance(table, Desk)
        await table.buy(100)
        await table.wait(60)
        await table.kill(100)
        await table.verified()
        for flatten in (Flatten.DAY, Flatten.ALL):
            await table.engine.command(ask.Kill(by="test", flatten=flatten))
            await table.wait(30)
            assert (table.state, table.vanished) == ("VERIFIED", ["AAA 100"])
        # A state that is restored knows it too.
        again = Book.restore(table.engine.book.snapshot())
        work = again.account("paper").kill
        assert work is not None
        assert work.vanished == {"AAA": D(100)}

    play(scene, table=Desk)


def test_c502_what_somebody_else_sold_was_told_by_no_fill_either() -> None:
    """The balances agree; whose trade it was, and that it was this one, nobody has told."""

    async def scene(table: Table) -> None:
        assert isinstance(table, Desk)
        await table.buy(100)
        await table.wait(60)
        table.venue.move("AAA", D(-100))
        await table.kill(0)
        await table.verified()
        assert table.vanished == ["AAA 100"]

    play(scene, table=Desk)


@pytest.mark.parametrize(
    ("takings", "left"),
    [
        ([(100, 0)], 100),
        ([(100, 40)], 60),
        ([(100, 40), (40, 10)], 90),
        ([(100, 0), (0, 30)], 70),
        ([(100, 0), (0, 100)], 0),
        ([(100, 0), (0, 101)], 0),
        # The fill that sold it came late, and took what is held to the other side for a moment.
        ([(100, 0), (-100, 0)], 0),
        ([(100, 0), (-40, 0)], 60),
        # It is on the other side, as nobody has told either.
        ([(100, -50)], 100),
        ([(-100, 50)], -100),
        # What was never held here has not vanished.
        ([(0, 50)], 0),
        ([(0, 50), (50, 0)], 50),
    ],
)
def test_c502_what_vanished_is_what_was_taken_off_less_what_came_back(
    takings: list[tuple[int, int]], left: int
) -> None:
    work = KillWork(epoch=1, started_at=0)
    for before, after in takings:
        work.take_over("AAA", D(before), D(after))
    assert work.vanished == ({"AAA": D(left)} if left else {})
