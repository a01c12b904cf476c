"""The paper venue in a process of its own, and a hand that holds things back in it."""

import json
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from brokers.paper import wire
from engine.domain.account import VenueOrder, VenuePosition
from engine.domain.order import Fill
from tests.console.program import PATIENCE, ROOT

TERMS = {
    "initial_cash": "10000000",
    "latency_ms": [0, 0],
    "slippage_bps": "0",
    "commission_bps": "0",
    "fill_probability": "1",
    "participation": "1",
}
TICK_SECONDS = 0.2


class Hand:
    """A connection to the venue, for a test's thread."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(PATIENCE)
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                self._socket.connect(str(path))
                break
            except OSError:
                assert time.monotonic() < deadline, f"nobody listens on {path}"
                time.sleep(0.02)
        self._lines = self._socket.makefile("rb")
        self._number = 0

    def ask(self, op: str, args: Any = None, kind: Any = None) -> Any:
        """The answer to one call. Raises the port's errors."""
        self._number += 1
        given = msgspec.Raw(msgspec.json.encode(args))
        call = wire.Call(id=self._number, op=op, args=given)
        self._socket.sendall(msgspec.json.encode(call) + b"\n")
        said = msgspec.json.decode(self._lines.readline(), type=wire.Said)
        if said.failure is not None:
            raise wire.error_of(said.failure)
        return msgspec.json.decode(said.result, type=kind)

    def price(self, symbol: str, price: Decimal) -> None:
        self.ask("set_price", wire.Price(symbol, price))

    def hold(self, what: str) -> None:
        """Stop `requests`, `reports` or `fills`."""
        self.ask("hold", wire.Hold(what, True))

    def release(self, what: str) -> None:
        self.ask("hold", wire.Hold(what, False))

    def release_all(self) -> None:
        for what in ("requests", "reports", "fills"):
            self.release(what)

    def fill(self, client_order_id: str, quantity: int) -> None:
        """Fill a part while fills are held."""
        self.ask("fill", wire.Part(client_order_id, Decimal(quantity)))

    def submits(self) -> dict[str, int]:
        """How often each client order id reached the venue, taken or not."""
        answer: dict[str, int] = self.ask("submits", wire.Nothing(), dict[str, int])
        return answer

    def order(self, client_order_id: str) -> VenueOrder | None:
        answer: VenueOrder | None = self.ask(
            "order", wire.Named(client_order_id), VenueOrder | None
        )
        return answer

    def orders(self) -> dict[str, VenueOrder]:
        """Those that work."""
        answer = self.ask("open_orders", wire.Nothing(), tuple[VenueOrder, ...])
        return {order.client_order_id: order for order in answer}

    def positions(self) -> dict[str, Decimal]:
        answer = self.ask("positions", wire.Nothing(), tuple[VenuePosition, ...])
        return {held.symbol: held.quantity for held in answer if held.quantity}

    def fills(self) -> tuple[Fill, ...]:
        """All there ever were."""
        answer: tuple[Fill, ...] = self.ask("fills", wire.Since(0), tuple[Fill, ...])
        return answer

    def close(self) -> None:
        self._lines.close()
        self._socket.close()


class Venue:
    """The process, its market (one price a symbol, told again and again) and a hand in it."""

    def __init__(self, folder: Path, prices: Mapping[str, int], **terms: Any) -> None:
        self.path = folder / "v.sock"
        self.prices = {symbol: Decimal(price) for symbol, price in prices.items()}
        self._command = [sys.executable, "-m", "brokers.paper.server", "--socket", str(self.path)]
        self._command += ["--book", str(folder / "venue.db")]
        self._command += ["--terms", json.dumps(TERMS | terms)]
        self.start()

    def start(self) -> None:
        """A process of it, over the same account and socket, and its market."""
        self.process = subprocess.Popen(self._command, cwd=ROOT)
        self.hand = Hand(self.path)
        for symbol, price in self.prices.items():
            self.hand.price(symbol, price)
        self._open_market()

    def _open_market(self) -> None:
        self._over = threading.Event()
        self._market = threading.Thread(target=self._tick, name="market")
        self._market.start()

    def freeze(self) -> None:
        """It answers nothing from now on, and stays connected."""
        self._over.set()
        self._market.join()
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """It answers again, and what was asked meanwhile."""
        self.process.send_signal(signal.SIGCONT)
        self._open_market()

    def kill(self) -> None:
        """SIGKILL, now; its market ends first, so that nothing is asked of what is gone."""
        self._over.set()
        self._market.join()
        self.hand.close()
        self.process.kill()
        assert self.process.wait(PATIENCE) == -signal.SIGKILL

    def _tick(self) -> None:
        hand = Hand(self.path)
        while not self._over.wait(TICK_SECONDS):
            for symbol, price in tuple(self.prices.items()):
                hand.price(symbol, price)
        hand.close()

    def move(self, symbol: str, price: int) -> None:
        """The symbol trades at another price from now on."""
        self.prices[symbol] = Decimal(price)
        self.hand.price(symbol, self.prices[symbol])

    def stop(self) -> None:
        self._over.set()
        self._market.join()
        self.hand.close()
        self.process.terminate()
        assert self.process.wait(PATIENCE) == 0
