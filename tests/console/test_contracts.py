"""An option and a future from the order to the row of the trade (U-10, U-16 to U-19, X-86).

Every expected amount is worked out by hand beside it: a contract costs price x multiplier, an
option's being 100 and the future's 50. No slippage is charged, and a commission of 10 basis points.
AAPL is at 2.00, so low that the option counts as exposure at its premium, the larger of both.
"""

import datetime
import json
import signal as signal_module
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from console.cli.program import main
from console.virtual import Rehearsal, rehearse
from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.order import OrderType, Side
from engine.domain.signal import Direction, Signal, Timeframe, TradeType
from tests.brokers.kit import D
from tests.console.program import Program

CALL = "AAPL 2026-12-18 200 C"
FUTURE = "ES 2026-12"
START = "2026-03-02T15:30:00Z"
"""Half past ten in New York on a plain Monday."""

TABLE = f"""\
symbol,asset_class,tick,lot,multiplier,currency,calendar,shortable
{CALL},option,,,100,USD,,
{FUTURE},future,,,50,USD,,
"""
TERMS = {"slippage_bps": 0, "commission_bps": 10, "latency_ms": [0, 0], "fill_probability": 1}


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "instruments.csv"
    path.write_text(TABLE, encoding="utf-8")
    return path


def config(table: Path, **risk: Any) -> dict[str, Any]:
    return {
        "brokers": {"paper": TERMS},
        "market": {"symbols": ["AAPL", CALL, FUTURE]},
        "data": {"instruments": str(table)},
        "risk": risk,
    }


def order(
    symbol: str, quantity: int, side: Side = Side.BUY, *, limit: str | None = None
) -> ask.PlaceOrder:
    return ask.PlaceOrder(
        by="test",
        symbol=symbol,
        side=side,
        quantity=D(quantity),
        type=OrderType.MARKET if limit is None else OrderType.LIMIT,
        limit_price=None if limit is None else D(limit),
        hold=TradeType.SWING,
    )


def signal(hand: Rehearsal, symbol: str, entry: str, stop: str, number: int = 1) -> Signal:
    return Signal(
        signal_id=f"s-{number}",
        signal_type="mine",
        direction=Direction.LONG if D(stop) < D(entry) else Direction.SHORT,
        ticker=symbol,
        timeframe=Timeframe.M10,
        conviction=80,
        entry_price=D(entry),
        stop_loss=D(stop),
        timestamp=hand.now,
        source="test",
    )


async def trades(hand: Rehearsal, symbol: str, price: str) -> None:
    """The symbol trades at this price, twice, so that what waits for a price has met one."""
    for _ in range(2):
        hand.price("AAPL", price if symbol == "AAPL" else "2.00")
        hand.price(symbol, price)
        await hand.wait(0.1)


def heard(hand: Rehearsal) -> list[ev.Event]:
    """Every event from here on."""
    found: list[ev.Event] = []
    hand.engine.subscribe(lambda record: found.append(record.event))
    return found


class TestAPersonsOrder:
    """An operator buys contracts: gate, venue, P&L."""

    @pytest.mark.parametrize(
        ("symbol", "price", "multiplier", "marked", "unrealized", "realized"),
        [
            # 3 x 5.00 x 100 = 1500; at 6.20: 3 x 1.20 x 100; fees 1.50 and 1.86
            (CALL, "5.00", 100, "6.20", "360", "356.64"),
            # 3 x 40.00 x 50 = 6000; at 38.50: 3 x -1.50 x 50; fees 6.00 and 5.775
            (FUTURE, "40.00", 50, "38.50", "-225", "-236.775"),
        ],
    )
    def test_what_is_bought_is_valued_and_sold_with_its_multiplier(
        self,
        *,
        table: Path,
        symbol: str,
        price: str,
        multiplier: int,
        marked: str,
        unrealized: str,
        realized: str,
    ) -> None:
        async def play(hand: Rehearsal) -> None:
            await trades(hand, symbol, price)
            done = await hand.engine.command(order(symbol, 3))
            assert done.ok, done.error
            await trades(hand, symbol, price)
            cost = 3 * D(price) * multiplier
            fee = cost / 1000
            status = hand.engine.status()
            (account,) = status["accounts"]
            assert D(account["cash"]["USD"]) == 100_000 - cost - fee
            assert D(account["equity"]) == 100_000 - fee
            await trades(hand, symbol, marked)
            (held,) = hand.engine.status()["positions"]
            assert (held["symbol"], D(held["quantity"])) == (symbol, 3)
            assert D(held["average_price"]) == D(price)
            assert D(held["market_value"]) == 3 * D(marked) * multiplier
            assert D(held["unrealized_pnl"]) == D(unrealized)
            # Exposure is the value of what is held, as a share of equity.
            equity = 100_000 - fee + D(unrealized)
            rows = {row["name"]: D(row["measured"]) for row in hand.engine.status()["limits"]}
            share = round(3 * D(marked) * multiplier / equity, 6)
            assert rows["max_gross_exposure"] == share
            assert rows["max_single_stock_exposure"] == share
            found = heard(hand)
            assert (await hand.engine.command(ask.ClosePosition(by="test", symbol=symbol))).ok
            await trades(hand, symbol, marked)
            assert hand.engine.status()["positions"] == []
            (closed,) = [e.trade for e in found if isinstance(e, ev.PositionClosed)]
            assert closed.pnl == D(realized)
            assert D(hand.engine.status()["account"]["equity"]) == 100_000 + D(realized)
            assert D(hand.engine.status()["account"]["daily_pnl"]) == D(realized)

        rehearse(play, start=START, config=config(table))

    @pytest.mark.parametrize(
        ("symbol", "price", "quantity", "code"),
        [
            # a limit of 6000: 11 x 5.00 x 100 is 5500, 12 are 6000, 13 are 6500
            (CALL, "5.00", 11, ""),
            (CALL, "5.00", 12, ""),
            (CALL, "5.00", 13, "MAX_NOTIONAL"),
            # 2 x 40.00 x 50 is 4000, 3 are 6000, 4 are 8000
            (FUTURE, "40.00", 2, ""),
            (FUTURE, "40.00", 3, ""),
            (FUTURE, "40.00", 4, "MAX_NOTIONAL"),
            # a share is one: 149 x 40 is 5960, 150 are 6000, 151 are 6040
            ("AAPL", "40.00", 149, ""),
            ("AAPL", "40.00", 150, ""),
            ("AAPL", "40.00", 151, "MAX_NOTIONAL"),
        ],
    )
    def test_the_largest_order_is_counted_with_the_multiplier(
        self, table: Path, symbol: str, price: str, quantity: int, code: str
    ) -> None:
        async def play(hand: Rehearsal) -> None:
            await trades(hand, symbol, price)
            done = await hand.engine.command(order(symbol, quantity, limit=price))
            assert done.code == code, done

        rehearse(play, start=START, config=config(table, max_order_notional="6000"))

    @pytest.mark.parametrize(("quantity", "code"), [(19, ""), (20, ""), (21, "SINGLE_EXPOSURE")])
    def test_one_name_is_the_stock_and_its_options_with_their_multiplier(
        self, table: Path, quantity: int, code: str
    ) -> None:
        """One name may be a tenth of equity: 99,995 after the fee of 2,500 shares at 2.00."""

        async def play(hand: Rehearsal) -> None:
            await trades(hand, "AAPL", "2.00")
            assert (await hand.engine.command(order("AAPL", 2_500, limit="2.00"))).ok
            await trades(hand, "AAPL", "2.00")
            # 9999.50 less 5000 of shares leave 4999.50: 20 x 2.49 x 100 are 4980, 21 are 5229
            await trades(hand, CALL, "2.49")
            done = await hand.engine.command(order(CALL, quantity, limit="2.49"))
            assert done.code == code, done
            assert done.error.startswith("AAPL would be") is bool(code)

        rehearse(play, start=START, config=config(table, max_single_stock_exposure="0.1"))


class TestASignal:
    """Sizing: quantity = floor(equity x risk / (|entry - stop| x multiplier)), at most the cap."""

    @pytest.mark.parametrize(
        ("symbol", "entry", "stop", "quantity"),
        [
            # 1000 of risk; 0.99, 1.00 and 1.01 a unit are 99, 100 and 101 a contract
            (CALL, "5.00", "4.01", 10),
            (CALL, "5.00", "4.00", 10),
            (CALL, "5.00", "3.99", 9),
            # 4.99, 5.00 and 5.01 a unit are 249.50, 250 and 250.50 a contract
            (FUTURE, "40.00", "35.01", 4),
            (FUTURE, "40.00", "35.00", 4),
            (FUTURE, "40.00", "34.99", 3),
            # the same for what is sold first
            (FUTURE, "40.00", "45.00", 4),
            (FUTURE, "40.00", "45.01", 3),
            # one name may be 10,000: of the 40 that the stop allows, 19 x 5.005 x 100 at the worst
            # price fit, and 20 do not
            (CALL, "5.00", "4.75", 19),
        ],
    )
    def test_the_size_is_what_the_stop_may_cost(
        self, table: Path, symbol: str, entry: str, stop: str, quantity: int
    ) -> None:
        async def play(hand: Rehearsal) -> None:
            await trades(hand, symbol, entry)
            found = heard(hand)
            hand.engine.submit(signal(hand, symbol, entry, stop))
            await trades(hand, symbol, entry)
            (sent,) = [
                e.terms
                for e in found
                if isinstance(e, ev.OrderIntended) and e.terms.purpose == "ENTRY"
            ]
            assert sent.quantity == quantity
            sign = 1 if D(stop) < D(entry) else -1
            assert hand.held(symbol) == sign * quantity

        rehearse(play, start=START, config=config(table))

    def test_its_stop_covers_every_contract_and_counts_what_it_may_cost(self, table: Path) -> None:
        async def play(hand: Rehearsal) -> None:
            await trades(hand, CALL, "5.00")
            hand.engine.submit(signal(hand, CALL, "5.00", "4.00"))
            await trades(hand, CALL, "5.00")
            status = hand.engine.status()
            (held,) = status["positions"]
            assert (held["stop"], held["protected"]) == ("4", "10")
            # 10 x 1.00 x 100
            assert D(status["open_risk"]["at_stops"]) == 1_000
            (stop,) = status["orders"]
            assert (stop["symbol"], stop["purpose"], stop["quantity"]) == (CALL, "PROTECT", "10")
            found = heard(hand)
            await trades(hand, CALL, "4.00")
            (closed,) = [e.trade for e in found if isinstance(e, ev.PositionClosed)]
            # -1000, fees 5.00 and 4.00; a thousand was the risk
            assert (closed.pnl, closed.fees) == (D(-1_009), D(9))
            assert closed.r_multiple == D("-1.009")
            # of 5000 that it cost
            assert closed.pnl_pct == D("-0.2018")

        rehearse(play, start=START, config=config(table))


HEADER = "time,symbol,open,high,low,close,volume,bid,bid_size,ask,ask_size\n"
MINUTES: dict[str, list[str]] = {
    "AAPL": ["2.00"] * 10,
    CALL: ["5.00"] * 4 + ["6.00"] * 6,
    FUTURE: ["40.00"] * 7 + ["38.00"] * 3,
}
"""The price of every minute, flat within it."""


@pytest.fixture
def replayed(
    tmp_path: Path, table: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> dict[str, Any]:
    """The report of a replay through the command line; the state folder is `state`."""
    lines = "\n".join(f"{name} = {json.dumps(value)}" for name, value in TERMS.items())
    (tmp_path / "config.toml").write_text(
        f'[signals]\nbuiltin = ""\n[data]\ninstruments = "{table}"\n[brokers.paper]\n{lines}\n',
        encoding="utf-8",
    )
    monkeypatch.setenv("MERIDIAN_CONFIG", str(tmp_path / "config.toml"))
    began = datetime.datetime(2026, 3, 2, 15, 30, tzinfo=datetime.UTC)

    def minute(number: int) -> str:
        return (began + datetime.timedelta(minutes=number)).strftime("%Y-%m-%dT%H:%M:%SZ")

    bars = tmp_path / "bars.csv"
    bars.write_text(
        HEADER
        + "".join(
            f"{minute(number + 1)},{symbol},{','.join([prices[number]] * 4)},20000,,,,\n"
            for number in range(10)
            for symbol, prices in MINUTES.items()
        ),
        encoding="utf-8",
    )
    given = {"signal_type": "mine", "timeframe": "1m", "conviction": 80}
    asked = [
        {"signal_id": "call", "ticker": CALL, "direction": "long", "timestamp": minute(2)}
        | {"entry_price": "5.00", "stop_loss": "4.00"},
        {"signal_id": "out", "ticker": CALL, "direction": "flat", "timestamp": minute(6)}
        | {"entry_price": "6.00", "stop_loss": "5.00"},
        {"signal_id": "future", "ticker": FUTURE, "direction": "short", "timestamp": minute(6)}
        | {"entry_price": "40.00", "stop_loss": "45.00"},
    ]
    signals = tmp_path / "signals.jsonl"
    signals.write_text("".join(json.dumps(given | one) + "\n" for one in asked), encoding="utf-8")
    state = ["--state-dir", str(tmp_path / "state")]
    assert main([*state, "replay", str(bars), "--signals", str(signals), "--json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


class TestTables:
    """What the command line and the journal say afterwards."""

    def test_the_report_states_profit_with_the_multiplier(self, replayed: dict[str, Any]) -> None:
        (trip,) = replayed["round_trips"]
        assert (trip["symbol"], trip["quantity"]) == (CALL, "10")
        assert (trip["instrument_type"], trip["currency"]) == ("option", "USD")
        # 10 x 1.00 x 100 less 5.00 and 6.00
        assert (trip["pnl"], trip["fees"]) == ("989", "11")
        (held,) = replayed["positions"]
        # 4 x 38.00 x 50 owed, 4 x 2.00 x 50 gained; 8000 were sold at a fee of 8
        assert (held["symbol"], held["quantity"]) == (FUTURE, "-4")
        assert (held["market_value"], held["unrealized_pnl"]) == ("-7600", "400")
        assert replayed["realized_pnl"] == "981"
        assert replayed["cash"] == "108981"
        assert replayed["ending_equity"] == "101381"

    def test_status_and_lists_say_the_same(
        self, replayed: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        state = ["--state-dir", str(tmp_path / "state")]

        def rows(name: str) -> list[dict[str, Any]]:
            assert main([*state, "journal", name, "--json"]) == 0
            return [json.loads(line) for line in capsys.readouterr().out.splitlines()]

        assert main([*state, "status", "--json"]) == 3
        status = json.loads(capsys.readouterr().out)
        (held,) = status["positions"]
        assert (held["symbol"], held["quantity"], held["currency"]) == (FUTURE, "-4", "USD")
        # From the journal alone the last price it knows counts.
        assert status["account"]["equity"] == replayed["ending_equity"]
        (trade,) = rows("trades")
        assert (trade["symbol"], trade["pnl"], trade["fees"]) == (CALL, "989", "11")
        assert (trade["instrument_type"], trade["currency"]) == ("option", "USD")
        fills = [(row["symbol"], row["quantity"], row["commission"]) for row in rows("fills")]
        assert fills == [(CALL, "10", "5"), (CALL, "10", "6"), (FUTURE, "4", "8")]
        orders = {(row["symbol"], row["purpose"], row["quantity"]) for row in rows("orders")}
        assert {(CALL, "ENTRY", "10"), (CALL, "EXIT", "10"), (FUTURE, "ENTRY", "4")} <= orders


@pytest.fixture
def program(tmp_path: Path, table: Path) -> Iterator[Program]:
    made = Program(tmp_path)
    made.configure(
        'profile = "axion_aggressive"\n'
        f'[signals]\nbuiltin = ""\n[data]\ninstruments = "{table}"\n'
        f'[market]\nsymbols = ["AAPL", "{CALL}", "{FUTURE}"]\n'
        "[brokers.paper]\nlatency_ms = [0, 0]\ninitial_cash = 1000000\n"
    )
    yield made
    made.stop()


def gained(fills: list[dict[str, Any]]) -> Decimal:
    """What the fills of one symbol that is flat again brought, by hand: money in less money out."""
    multiplier = {CALL: 100, FUTURE: 50}[fills[0]["symbol"]]
    sign = {"BUY": -1, "SELL": 1, "SELL_SHORT": 1}
    return sum(
        (
            sign[row["side"]] * D(row["quantity"]) * D(row["price"]) * multiplier
            - D(row["commission"])
            for row in fills
        ),
        start=D(0),
    )


@pytest.mark.slow
@pytest.mark.parametrize("end", ["close", "kill of a dead engine"])
def test_a_running_engine_trades_contracts_from_the_command_line(
    program: Program, end: str
) -> None:
    program.start()
    for side, symbol in (("buy", CALL), ("sell", FUTURE)):
        # It is refused until the market that has just opened has told a price.
        order = ("order", side, symbol, "1", "--hold", "swing")
        program.wait_for(lambda order=order: program.run(*order).returncode == 0)

    def held() -> dict[str, str]:
        return {row["symbol"]: row["quantity"] for row in program.ask("status")["positions"]}

    program.wait_for(lambda: held() == {CALL: "1", FUTURE: "-1"})
    if end == "close":
        for symbol in (CALL, FUTURE):
            assert program.run("close", symbol).returncode == 0
        program.wait_for(lambda: not held())
    else:
        program.send(signal_module.SIGKILL)
        program.ended()
        done = program.run("kill", "--flatten", "all", "--json")
        assert done.returncode == 0, done.stdout + done.stderr
        assert json.loads(done.stdout)["brokers"]["paper"]["closed"] == 2
        program.start()
        program.wait_for(lambda: not held())
    fills = program.rows("fills")
    assert len(fills) == 4
    trades = {row["symbol"]: row for row in program.rows("trades")}
    for symbol in (CALL, FUTURE):
        assert D(trades[symbol]["pnl"]) == gained([f for f in fills if f["symbol"] == symbol])
    account = program.ask("status")["account"]
    assert D(account["equity"]) == 1_000_000 + sum(D(row["pnl"]) for row in trades.values())
