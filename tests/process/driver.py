"""An engine that is killed and started again over a venue that lives on, and what must hold then.

Everything is looked at from outside: the venue over a connection of its own, the journal read-only,
the engine over its control socket.
"""

import json
import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from console.host.client import NoAnswer, NoEngine, Refused
from engine.domain.instant import rfc3339
from storage.tail import open_caught_up
from storage.verify import verify
from tests.console.program import PATIENCE, Program
from tests.process.venue import Hand, Venue

PARKING = ("-m", "tests.process.parking")
PRICE, STOP, QUANTITY = 100, 90, 10

UNPRICED = ("NO_PRICE", "STALE_QUOTE")

CONFIG = """
profile = "custom"

[market]
symbols = {symbols}

[signals]
builtin = ""

[risk]
max_risk_per_trade = "0.00005"
daily_loss_limit = "1"
max_concurrent_positions = 1000
max_single_stock_exposure = "1"
max_sector_exposure = "1"
max_gross_exposure = "1"
drawdown_limit = "1"
max_trades_per_day = 1000000
min_account_equity = "0"
consecutive_loss_threshold = 1000000
consecutive_loss_pct = "1"
max_order_notional = "1000000"
max_orders_per_minute = 1000000
price_collar_pct = "1"
max_open_orders = 100000

[execution]
dedup_window_seconds = 0

[brokers.paper]
address = "{address}"
latency_ms = [0, 100]
"""


class ProcessDriver:
    """One account: its venue, its state folder, and the engine of the moment."""

    def __init__(self, folder: Path, symbols: Sequence[str], **terms: Any) -> None:
        self.symbols = tuple(symbols)
        self._next = Counter(dict.fromkeys(symbols, QUANTITY))
        self.venue = Venue(folder, dict.fromkeys(symbols, PRICE), **terms)
        self.program = Program(folder)
        self.folder = self.program.folder
        self.journal = self.folder / "journal.db"
        self.signals = 0
        text = CONFIG.format(symbols=json.dumps(self.symbols), address=self.venue.path)
        self.program.configure(text)

    @property
    def hand(self) -> Hand:
        """The test's own connection to the venue."""
        return self.venue.hand

    # --- the engine's process ---------------------------------------------------------------------

    def start(self, *, wait: bool = True) -> None:
        """A new process on the account; `wait` until it runs."""
        (self.folder / "parked").unlink(missing_ok=True)
        self.program.launch(module=PARKING)
        if wait:
            self.program.wait_for(lambda: self.status()["run_state"] not in ("STOPPED", "STARTING"))

    def kill(self) -> None:
        """SIGKILL, now."""
        self.program.send(signal.SIGKILL)
        assert self.program.ended() == -signal.SIGKILL, self.program.told
        self.unpark()

    def restart(self) -> None:
        self.kill()
        self.start()

    def close(self) -> None:
        """Ends both processes."""
        self.program.stop()
        self.venue.stop()

    # --- what a person does -----------------------------------------------------------------------

    def buy(self, symbol: str, quantity: int = 0, **more: Any) -> str:
        """A manual order with a stop behind it; its client order id.

        Without a quantity each of a symbol is for one more than the one before, or the later of two
        within a minute would be a repeat.
        """
        if not quantity:
            quantity = QUANTITY if more.keys() & {"id", "intent_id"} else self._next[symbol]
            self._next[symbol] += 1
        asked = {"side": "buy", "symbol": symbol, "quantity": str(quantity), "protect": str(STOP)}
        asked |= {name: str(value) for name, value in more.items()}
        return self._priced(lambda: self._bought(asked))

    def _bought(self, asked: dict[str, str]) -> tuple[str, Any]:
        try:
            done = self.program.ask("order", **asked)
        except Refused as refused:
            return refused.code, refused
        return "", done

    def _priced(self, act: Callable[[], tuple[str, Any]]) -> str:
        """The order that came of `act`; a new process has no price until the market speaks."""
        found: list[Any] = ["NO_PRICE", None]

        def done() -> bool:
            found[:] = act()
            return found[0] not in UNPRICED

        self.until(done, "a price of it")
        code, answer = found
        assert not code, answer
        (key,) = answer["client_order_ids"]
        return str(key)

    def signal(self, symbol: str) -> str:
        """An entry by signal; its client order id."""
        return self._priced(lambda: self._signalled(symbol))

    def _signalled(self, symbol: str) -> tuple[str, Any]:
        self.signals += 1
        line = {
            "signal_id": f"s-{self.signals}",
            "signal_type": "cloud_cross_bullish",
            "direction": "long",
            "ticker": symbol,
            "timeframe": "1m",
            "conviction": 80,
            "entry_price": str(PRICE),
            "stop_loss": str(STOP),
            "target_price": None,
            "timestamp": rfc3339(time.time_ns()),
            "source": "test",
            "cloud_states": [],
            "metadata": {},
        }
        verdict = self.program.ask("signal", signal=line)
        return verdict["code"] if verdict["outcome"] == "REJECTED" else "", verdict

    def hold_position(self, symbol: str) -> str:
        """A position with its stop at the venue."""
        key = self.buy(symbol)
        self.until(lambda: self.is_protected(symbol), f"{symbol} is held and protected")
        return key

    # --- standing still ---------------------------------------------------------------------------

    def park(self, place: str, *purposes: str) -> None:
        """See `tests.process.parking`."""
        made = self.folder / "park.new"
        made.write_text(" ".join((place, *purposes)), encoding="utf-8")
        made.rename(self.folder / "park")

    def unpark(self) -> None:
        (self.folder / "park").unlink(missing_ok=True)

    def parked(self) -> list[str]:
        """The orders that stand still."""
        path = self.folder / "parked"
        return path.read_text(encoding="utf-8").split() if path.exists() else []

    # --- what is so -------------------------------------------------------------------------------

    def until(self, true: Callable[[], bool], what: str, seconds: float = PATIENCE) -> None:
        """Until it is so; the engine, where there is one, must live."""
        deadline = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < deadline, f"never came: {what}\n{self.scene()}"
            engine = self.program.engine
            assert engine is None or engine.poll() in (None, -signal.SIGKILL), self.program.told
            time.sleep(0.01)

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = self.program.ask("status")
        return found

    def rows(self, query: str, *values: Any) -> list[Any]:
        """A read of the journal, beside whoever writes it."""
        reader = open_caught_up(self.journal).connection
        try:
            return reader.execute(query, values).fetchall()
        finally:
            reader.close()

    def has_event(self, kind: str, key: str) -> bool:
        """Whether the journal holds an event of that type about that order."""
        found = self.rows(
            "SELECT 1 FROM events WHERE type = ? AND ? IN (json_extract(data, "
            "'$.client_order_id'), json_extract(data, '$.terms.client_order_id')) LIMIT 1",
            kind,
            key,
        )
        return bool(found)

    def links(self) -> list[str]:
        """What the link to the venue became, in order, in every process."""
        found = self.rows(
            "SELECT json_extract(data, '$.state') FROM events WHERE type = 'LinkChanged' "
            "ORDER BY seq"
        )
        return [state for (state,) in found]

    def looks(self) -> int:
        """How many looks at the venue were compared."""
        ((number,),) = self.rows(
            "SELECT count(*) FROM events WHERE type = 'Reconciled' "
            "AND NOT json_extract(data, '$.failed')"
        )
        return int(number)

    def quantity(self, key: str) -> Decimal:
        """What was ordered."""
        ((quantity,),) = self.rows("SELECT quantity FROM orders WHERE client_order_id = ?", key)
        return Decimal(quantity)

    def order_status(self, key: str) -> str:
        """As the engine sees a working order; empty when it does not."""
        orders = {order["client_order_id"]: order for order in self.status()["orders"]}
        return orders[key]["status"] if key in orders else ""

    def stops(self, symbol: str) -> list[Any]:
        return [o for o in self.hand.orders().values() if o.symbol == symbol and o.reduce_only]

    def is_protected(self, symbol: str) -> bool:
        """One stop rests at the venue for exactly what is held, and the engine knows both."""
        held = self.hand.positions().get(symbol)
        stops = self.stops(symbol)
        if held is None or len(stops) != 1 or stops[0].stop_price is None:
            return False
        known = self.order_status(stops[0].client_order_id)
        return known == "NEW" and stops[0].quantity - stops[0].filled == abs(held)

    def differences(self) -> list[str]:
        """Between the engine and the venue, and what is not as it must be; empty when settled."""
        try:
            status = self.status()
        except (NoEngine, NoAnswer):
            return ["the engine does not answer"]
        found = []
        ours = {row["symbol"]: Decimal(row["quantity"]) for row in status["positions"]}
        theirs = self.hand.positions()
        if ours != theirs:
            found.append(f"positions: {ours} here, {theirs} there")
        mine = {o["client_order_id"]: Decimal(o["filled"]) for o in status["orders"]}
        working = {key: order.filled for key, order in self.hand.orders().items()}
        if mine != working:
            found.append(f"orders: {mine} here, {working} there")
        bad = [o for o in status["orders"] if o["status"] not in ("NEW", "PARTIALLY_FILLED")]
        if bad:
            found.append(f"not settled: {bad}")
        there = Counter(fill.execution_id for fill in self.hand.fills())
        here = Counter(row[0] for row in self.rows("SELECT execution_id FROM fills"))
        if here != there:
            found.append(f"fills: {dict(here - there)} here only, {dict(there - here)} there only")
        found += [f"unprotected: {symbol}" for symbol in theirs if not self.is_safe(symbol)]
        return found

    def is_safe(self, symbol: str) -> bool:
        """Exactly one stop behind what is held, or an order that closes it."""
        return self.is_protected(symbol) or any(o.stop_price is None for o in self.stops(symbol))

    def settle(self) -> None:
        """Until engine and venue say the same."""
        self.until(lambda: not self.differences(), "engine and venue agree")

    def check(self, run_state: str = "ACTIVE") -> None:
        """After a restart has settled: nothing twice, everything equal, the journal whole."""
        self.settle()
        assert self.status()["run_state"] == run_state, self.scene()
        sent = self.hand.submits()
        assert not [key for key, times in sent.items() if times > 1], sent
        intents = self.rows(
            "SELECT intent_id FROM orders WHERE purpose IN ('ENTRY', 'MANUAL') "
            "GROUP BY intent_id HAVING count(*) > 1"
        )
        assert not intents, f"two orders of one intent: {intents}"
        found = verify(self.journal, tables=True)
        assert found.ok, found.problem
        assert not found.stale

    def clear(self) -> None:
        """Everything closed and cancelled, for the next round."""
        self.hand.release_all()
        self.settle()
        if self.hand.orders():
            self.program.ask("cancel", all=True)
        if self.hand.positions():
            self.program.ask("close", all=True)
        self.until(lambda: not self.hand.orders() and not self.hand.positions(), "all is flat")
        self.settle()

    def scene(self) -> str:
        """What a failure needs to be understood."""
        lines = [f"differences: {self.differences()}"]
        if self.journal.exists():
            events = self.rows("SELECT seq, type, data FROM events ORDER BY seq DESC LIMIT 60")
            lines += [f"{seq} {kind} {data[:300]!r}" for seq, kind, data in reversed(events)]
        lines.append(f"venue: {self.hand.submits()}")
        return "\n".join(lines)


def rounds(few: int) -> int:
    """How often a step is repeated; MERIDIAN_CRASH_ROUNDS multiplies it (the bench)."""
    return few * int(os.environ.get("MERIDIAN_CRASH_ROUNDS", "1"))
