"""An engine on a venue that takes its commission in BNB, as Binance does (X-86, C-154).

A commission is 10 basis points, at 320 dollars a coin; amounts are worked out by hand.
"""

import pytest

from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.instrument import Facts, instrument_of
from engine.domain.order import Side
from tests.console.hosts import D, Host, settle

SAP = {"SAP": instrument_of("SAP", Facts(currency="EUR"))}


async def bought(host: Host, symbol: str, quantity: str, **more: object) -> None:
    command = ask.PlaceOrder(
        by="t",
        symbol=symbol,
        side=Side.BUY,
        quantity=D(quantity),
        **more,  # type: ignore[arg-type]
    )
    done = await host.engine.command(command)
    assert done.ok, done
    await host.clock.advance(1)


async def day(host: Host) -> None:
    """Coins, a bitcoin and a share in euros are bought, at prices without a spread."""
    prices = {"EUR_USD": "1.25", "BNB-USD": "320", "BTC-USD": "10000", "SAP": "200"}
    for symbol, price in prices.items():
        host.price(symbol, price, spread="0")
    await settle()
    await bought(host, "BNB-USD", "10", protect=D(280))
    await bought(host, "BTC-USD", "1")
    await bought(host, "SAP", "8")


async def test_engine_and_venue_hold_the_same_and_it_adds_up_to_the_cent() -> None:
    async with Host(instruments=SAP, commission_currency="BNB") as host:
        await day(host)
        # 3200, 10000 and 1600 x 1.25 dollars: 0.01, 0.03125 and 0.00625 coins
        left = D(10) - D("0.01") - D("0.03125") - D("0.00625")
        held = host.engine.book.holding("paper", "BNB-USD")
        assert held is not None
        assert held.quantity == left == host.venue.position("BNB-USD")
        host.price("EUR_USD", "1.30", spread="0")
        host.price("BNB-USD", "310", spread="0")
        host.price("SAP", "205", spread="0")
        await settle()
        # 86800 of cash, 1600 euros owed, 8 x 205 euros held, the coins and a bitcoin
        equity = D(86_800) + (D(1_640) - 1_600) * D("1.30") + left * 310 + 10_000
        assert round(host.world.money.equity, 2) == round(equity, 2)
        assert round(host.venue.account().equity, 2) == round(equity, 2)
        done = await host.engine.command(ask.Reconcile(by="t"))
        assert (done.data["clean"], done.data["differences"]) == (True, [])
        assert [event.flow for event in host.events("AccountSynced") if event.flow] == []
        assert host.events("Alarmed") == []
        row = host.engine.status()["accounts"][0]
        assert row["cash"] == {"EUR": "-1600", "USD": "86800"}
        assert row["unvalued"] == []


async def test_the_stop_of_the_coins_follows_what_is_left_of_them() -> None:
    async with Host(instruments=SAP, commission_currency="BNB") as host:
        await day(host)
        (stop,) = [o for o in host.engine.book.orders() if o.is_protective]
        assert stop.quantity == D("9.9525")
        (there,) = host.venue.open_orders()
        assert there.quantity == D("9.9525")
        host.price("BNB-USD", "279", spread="0")
        await host.clock.advance(1)
        assert host.engine.book.holding("paper", "BNB-USD") is None
        trade = host.events("PositionClosed")[-1].trade
        # 9.9525 x -41; 0.0475 paid what they had cost; nothing is left to pay the last fee with
        assert trade.symbol == "BNB-USD"
        assert trade.fees == D("3.2") + D("9.9525") * 279 / 1000
        assert trade.pnl == D("9.9525") * -41 - trade.fees


@pytest.mark.parametrize("symbol", ["BTC-USD", "SAP"])
async def test_a_trade_counts_what_the_coins_were_worth(symbol: str) -> None:
    async with Host(instruments=SAP, commission_currency="BNB") as host:
        await day(host)
        await host.engine.command(ask.ClosePosition(by="t", symbol=symbol))
        await host.clock.advance(1)
        closed: ev.PositionClosed = host.events("PositionClosed")[-1]
        # twice 10 basis points of 10000 dollars, or of 1600 euros
        fees = {"BTC-USD": D(20), "SAP": D("3.2")}[symbol]
        assert (closed.trade.fees, closed.trade.pnl) == (fees, -fees)
