"""A local venue server as a process: `python -m tests.venues.serve NAME [--port N] [--walk]`.

Prints one line of JSON once it listens: `config` is the TOML of an account there, `environment` the
variables that hold its keys (marked fakes: each contains the word canary), `symbols` what it
trades, `brokers` its own table alone, and `port`. On SIGUSR1 it hangs up and listens no more, on
SIGUSR2 it is back with its books as they were. It ends on SIGTERM, and prints a second line before:
what its account holds and which orders work then, by the exchange's own books (T-25). With `--books
FILE` it may be killed: started again with the same file and `--port` it has the same books.
"""

import argparse
import asyncio
import base64
import itertools
import json
import signal
import tempfile
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.venues import alpaca, binance, coinbase, ibkr, oanda, okx
from tests.venues.books import Books
from tests.venues.exchange import Rules

INSTRUMENTS: Final = """\
symbol,asset_class,tick,lot,multiplier,currency,calendar,shortable
AAPL,,,,,,24/7,
EUR_USD,,,,,,24/7,
"""
"""They trade at every hour, so that nothing depends on when a server is looked at."""

STILL_SECONDS: Final = 1.0
WALK_SECONDS: Final = 0.25
WALK: Final = (0, 1, 2, 1, 0, -1, -2, -1)
"""How many ticks a price is off its middle, over and over."""

COINBASE_SEED: Final = base64.b64decode("canary/coinbase/seed/for/tests/only/0123456=")[:32]
"""The private half of a key whose written form begins with the word canary."""


@dataclass(frozen=True)
class Venue:
    """What differs between the venues."""

    make: Callable[[], Any]
    """A server that does not listen yet."""
    symbols: dict[str, tuple[str, Decimal]]
    """Our symbol -> the exchange's, and its price."""
    tell: Callable[[Any, str, Decimal], Awaitable[None]]
    """Tells (server, the exchange's symbol, price) to everybody who listens."""
    table: Callable[[Any], dict[str, str | int]]
    """The keys of `[brokers.NAME]` for a server that listens."""
    environment: dict[str, str]
    """The variables that hold its keys."""


async def _tell_alpaca(server: alpaca.AlpacaServer, symbol: str, price: Decimal) -> None:
    server.exchange.set_price(symbol, price)
    tick, at = Decimal("0.01"), alpaca.stamp(server.exchange.wall())
    quote = {"T": "q", "S": symbol, "bp": price - tick, "bs": 5, "ap": price + tick, "as": 5}
    trade = {"T": "t", "S": symbol, "p": price, "s": 1}
    await server.quote(json.dumps([row | {"t": at} for row in (quote, trade)], default=float))


async def _tell_binance(server: binance.BinanceServer, symbol: str, price: Decimal) -> None:
    server.exchange.set_price(symbol, price)
    tick = Decimal("0.01")
    bid, ask = (format(value, "f") for value in (price - tick, price + tick))
    ticker = {"u": 1, "s": symbol, "b": bid, "B": "3", "a": ask, "A": "4"}
    server.publish(f"{symbol.lower()}@bookTicker", ticker)


async def _tell_coinbase(server: coinbase.CoinbaseVenue, symbol: str, price: Decimal) -> None:
    await server.set_price(symbol, price)


async def _tell_ibkr(server: ibkr.Tws, symbol: str, price: Decimal) -> None:
    server.exchange.set_price(symbol, price)
    server.quote(symbol, price)


async def _tell_oanda(server: oanda.OandaServer, symbol: str, price: Decimal) -> None:
    tick = server.exchange.rules[symbol].tick
    server.quote(symbol, f"{price - tick}", f"{price + tick}")
    server.price_beat()
    server.beat()


async def _tell_okx(server: okx.OkxServer, symbol: str, price: Decimal) -> None:
    await server.set_price(symbol, price)


def _oanda() -> oanda.OandaServer:
    """With pips that a currency has."""
    server = oanda.OandaServer()
    rules = Rules(oanda.SYMBOL, tick=Decimal("0.00001"), base="EUR")
    server.exchange.rules[oanda.SYMBOL] = rules
    return server


def _binance() -> binance.BinanceServer:
    server = binance.BinanceServer()
    book = {"lastUpdateId": 10, "bids": [["59999", "1"]], "asks": [["60001", "2"]]}
    server.depth["BTCUSDT"] = book
    return server


def _coinbase() -> coinbase.CoinbaseVenue:
    """Its sandbox: the program takes no other world of it while mode is "paper"."""
    key = Ed25519PrivateKey.from_private_bytes(COINBASE_SEED)
    server = coinbase.CoinbaseVenue(key.public_key(), "EdDSA", sandbox=True)
    server.heartbeat_seconds = 1.0
    return server


def _coinbase_secret() -> str:
    key = Ed25519PrivateKey.from_private_bytes(COINBASE_SEED).public_key()
    public = key.public_bytes(Encoding.Raw, PublicFormat.Raw)
    return base64.b64encode(COINBASE_SEED + public).decode()


COIN: Final = Decimal(60_000)

VENUES: Final[dict[str, Venue]] = {
    "alpaca": Venue(
        alpaca.AlpacaServer,
        {"AAPL": ("AAPL", Decimal(200)), "BTC-USD": ("BTC/USD", COIN)},
        _tell_alpaca,
        lambda server: {
            "trading_url": server.url,
            "trading_stream_url": f"{server.ws_url}/stream",
            "data_url": server.url,
            "data_stream_url": server.ws_url,
        },
        {"ALPACA_API_KEY": alpaca.KEY, "ALPACA_SECRET_KEY": alpaca.SECRET},
    ),
    "binance": Venue(
        _binance,
        {"BTC-USDT": ("BTCUSDT", COIN)},
        _tell_binance,
        lambda server: {
            "rest_url": server.url,
            "ws_api_url": f"{server.ws_url}/ws-api/v3",
            "stream_url": server.ws_url,
        },
        {"BINANCE_API_KEY": binance.KEY, "BINANCE_SECRET_KEY": binance.SECRET},
    ),
    "coinbase": Venue(
        _coinbase,
        {"BTC-USD": ("BTC-USD", COIN), "ETH-USD": ("ETH-USD", Decimal(3_000))},
        _tell_coinbase,
        lambda server: {"rest_url": server.url, "stream_url": server.stream_url},
        {"COINBASE_API_KEY": coinbase.KEY_NAME, "COINBASE_SECRET_KEY": _coinbase_secret()},
    ),
    "ibkr": Venue(
        ibkr.Tws,
        {"AAPL": ("AAPL", Decimal(200))},
        _tell_ibkr,
        lambda server: {"host": "127.0.0.1", "port": server.port},
        {},
    ),
    "oanda": Venue(
        _oanda,
        {"EUR_USD": ("EUR_USD", Decimal("1.10000"))},
        _tell_oanda,
        lambda server: {
            "rest_url": server.url,
            "stream_url": server.url,
            "account_id": oanda.ACCOUNT,
        },
        {"OANDA_API_TOKEN": oanda.TOKEN},
    ),
    "okx": Venue(
        okx.OkxServer,
        {"BTC-USDT": ("BTC-USDT", COIN), "ETH-USDT": ("ETH-USDT", Decimal(3_000))},
        _tell_okx,
        lambda server: {
            "rest_url": server.url,
            "stream_url": f"{server.ws_url}/ws/v5/private",
            "public_stream_url": f"{server.ws_url}/ws/v5/public",
        },
        {
            "OKX_API_KEY": okx.KEY,
            "OKX_SECRET_KEY": okx.SECRET,
            "OKX_PASSPHRASE": okx.PASSPHRASE,
        },
    ),
}


def _be_live(name: str, server: Any) -> None:
    """Make a server, before it listens, the live environment of its venue."""
    if name == "okx":
        server.demo = False
    elif name == "ibkr":
        server.accounts = [LIVE[name]["account_id"]]


LIVE: Final[dict[str, dict[str, str]]] = {
    "alpaca": {"account_id": alpaca.ACCOUNT},
    "binance": {"account_id": str(binance.UID)},
    "coinbase": {},
    "ibkr": {"account_id": "U1234567"},
    "oanda": {"account_id": oanda.ACCOUNT},
    "okx": {"account_id": okx.UID},
}
"""What the table of a live account states beside its environment."""


def tables(name: str, server: Any, *, live: bool = False) -> str:
    """`[brokers.NAME]` of a server that listens, as TOML; `live` of its live environment."""
    more = {"environment": "live"} | LIVE[name] if live else {}
    rows = (VENUES[name].table(server) | more).items()
    return "\n".join([f"[brokers.{name}]", *(f"{key} = {json.dumps(v)}" for key, v in rows), ""])


def config(name: str, server: Any, folder: Path, *, live: bool = False) -> str:
    """The whole TOML of a config whose only account is at a server that listens.

    `folder` gets the files that it names: instruments that always trade, and what a USDT is worth
    today, which no price here tells (X-86).
    """
    instruments, rates = folder / "instruments.csv", folder / "rates.csv"
    instruments.write_text(INSTRUMENTS, encoding="utf-8")
    today = datetime.now(UTC).date()
    rates.write_text(f"currency,rate,date\nUSDT,1,{today}\n", encoding="utf-8")
    mode = 'mode = "live"\n\n' if live else ""
    return f"""\
{mode}[account]
primary = "{name}"

[market]
source = "broker"
symbols = {json.dumps([*VENUES[name].symbols])}

[signals]
builtin = ""

[data]
instruments = {json.dumps(str(instruments))}
rates = {json.dumps(str(rates))}

{tables(name, server, live=live)}"""


def holds(server: Any) -> dict[str, Any]:
    """What the account holds, and which of its orders work, by the exchange's own books."""
    exchange = server.exchange
    return {
        "positions": {symbol: str(held) for symbol, held in exchange.positions.items() if held},
        "open_orders": [order.client_id for order in exchange.open_orders],
    }


async def tell_prices(venue: Venue, server: Any, *, walk: bool) -> None:
    """Until it is cancelled: every price again and again, a little elsewhere if it walks."""
    for step in itertools.cycle(WALK if walk else (0,)):
        for theirs, middle in venue.symbols.values():
            tick = server.exchange.rules[theirs].tick
            await venue.tell(server, theirs, middle + step * max(tick, Decimal("0.00001")))
        await asyncio.sleep(WALK_SECONDS if walk else STILL_SECONDS)


async def serve(
    name: str,
    port: int,
    folder: Path,
    *,
    walk: bool,
    switches: dict[str, Any],
    faults: Sequence[Sequence[str]] = (),
    live: bool = False,
    books: Path | None = None,
) -> None:
    """Serve until SIGTERM; files of the config lie in `folder`, and its books in `books`.

    `switches` are set on the server, and each of `faults`, an operation and a play of `Served`, is
    played at every request of that name. `live`: it is the venue's live environment, as its config
    says.
    """
    ends, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ends.set)
    venue = VENUES[name]
    server = venue.make()
    server.port = port
    if live:
        _be_live(name, server)
    for switch, value in switches.items():
        if not hasattr(server, switch):
            raise SystemExit(f"the server of {name} has no switch {switch}")
        setattr(server, switch, value)
    for op, play in faults:
        server.fault(op, play, times=1_000_000)
    kept = Books(server, books) if books else None
    if kept:
        kept.open()
    await server.start()
    telling = asyncio.create_task(tell_prices(venue, server, walk=walk))
    keeping = asyncio.create_task(kept.keep()) if kept else None
    moves: set[asyncio.Task[None]] = set()

    def move(to: Callable[[], Coroutine[Any, Any, None]]) -> None:
        moves.add(asyncio.create_task(to()))

    loop.add_signal_handler(signal.SIGUSR1, move, server.stop)
    loop.add_signal_handler(signal.SIGUSR2, move, server.start)
    ready = {
        "config": config(name, server, folder, live=live),
        "brokers": tables(name, server, live=live),
        "environment": venue.environment,
        "symbols": [*venue.symbols],
        "port": server.port,
    }
    print(json.dumps(ready), flush=True)
    busy = [task for task in (telling, keeping, asyncio.create_task(ends.wait())) if task]
    await asyncio.wait(busy, return_when="FIRST_COMPLETED")
    for task in busy:
        task.cancel()
    print(json.dumps(holds(server)), flush=True)
    await server.stop()


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=VENUES)
    parser.add_argument("--port", type=int, default=0, help="0: a free one")
    parser.add_argument("--walk", action="store_true", help="prices move several times a second")
    parser.add_argument("--live", action="store_true", help="be the live environment")
    parser.add_argument("--fault", action="append", default=[], metavar="OP=PLAY")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=JSON")
    parser.add_argument("--books", type=Path, metavar="FILE", help="kept over the process's end")
    given = parser.parse_args()
    switches = {name: json.loads(value) for name, _, value in (s.partition("=") for s in given.set)}
    with tempfile.TemporaryDirectory(prefix="venue-") as folder:
        asyncio.run(
            serve(
                given.name,
                given.port,
                Path(folder),
                walk=given.walk,
                switches=switches,
                faults=[fault.split("=") for fault in given.fault],
                live=given.live,
                books=given.books,
            )
        )


if __name__ == "__main__":
    main()
