"""What the market does and what people ask in a run, all drawn from its seed."""

from collections.abc import Callable
from decimal import Decimal
from random import Random
from typing import Final

from engine.config import Config, from_mapping
from engine.domain import commands as ask
from engine.domain.inputs import Command
from engine.domain.market import Quote
from engine.domain.order import OrderType, Side
from engine.domain.run import Flatten, Level
from engine.domain.signal import Direction, Signal, Timeframe, TradeType
from engine.state.book import Book
from tests.simulation.agenda import Agenda

SYMBOLS: Final = ("AAA", "BBB", "CCC")
CENT: Final = Decimal("0.01")
BY: Final = "simulation"

CONFIGS: Final = tuple(
    from_mapping(
        {
            "risk": {
                "max_risk_per_trade": "0.01",
                "daily_loss_limit": "0.02",
                "drawdown_limit": "0.10",
                "max_concurrent_positions": positions,
                "max_single_stock_exposure": "0.10",
                "max_gross_exposure": gross,
                "max_orders_per_minute": 40,
            },
            "kill": {"flatten": flatten, "reject_storm": "alert", "divergence": "alert"},
            "execution": {
                "dedup_window_seconds": 0,
                "order_timeout_seconds": timeout,
                "reconcile_seconds": 15,
            },
            "entries": {"medium_conviction_order_type": "limit"},
        }
    )
    for positions, gross, flatten, timeout in (
        (3, "0.25", "day", 20),
        (2, "1.0", "all", 20),
        (3, "0.15", "none", 10),
    )
)


class Market:
    """Random walks with jumps that last one tick; every price goes to the venue and the engine."""

    def __init__(self, agenda: Agenda, random: Random, jumps: float) -> None:
        self._agenda = agenda
        self._random = random
        self._jumps = jumps
        self._true = {symbol: Decimal(random.randint(20, 200)) for symbol in SYMBOLS}
        self.calm = False
        self.on_quote: Callable[[Quote], None] = lambda quote: None

    def price(self, symbol: str) -> Decimal:
        """The price the walk stands at."""
        return self._true[symbol]

    def tell(self, symbol: str) -> None:
        """The next price of a symbol."""
        random = self._random
        price = self._true[symbol]
        if not self.calm:
            step = random.gauss(0, 0.004) if random.random() > 0.03 else random.gauss(0, 0.03)
            price = max(_cents(price * (1 + _decimal(step))), Decimal(1))
            self._true[symbol] = price
            if random.random() < self._jumps:
                price = _cents(price * random.choice((Decimal("0.9"), Decimal("1.1"))))
        self.on_quote(
            Quote(
                symbol=symbol,
                bid=price - CENT,
                ask=price + CENT,
                last=price,
                time=self._agenda.now,
                trade=random.random() < 0.5,
            )
        )


def signal(random: Random, market: Market, number: int, now: int) -> Signal:
    """A random wish to trade."""
    symbol = random.choice(SYMBOLS)
    direction = random.choice((Direction.LONG, Direction.LONG, Direction.SHORT, Direction.FLAT))
    price = market.price(symbol)
    away = Decimal(random.choice((8, 15, 30, 60))) / 1000
    sign = direction.sign or 1
    target = price * (1 + sign * away) if random.random() < 0.5 else None
    return Signal(
        signal_id=f"s{number}",
        signal_type="random",
        direction=direction,
        ticker=symbol,
        timeframe=random.choice((Timeframe.M5, Timeframe.M10, Timeframe.H1)),
        conviction=random.choice((55, 80, 90)),
        entry_price=_cents(price * (1 + _decimal(random.gauss(0, 0.002)))),
        stop_loss=_cents(price * (1 - sign * away)),
        target_price=None if target is None else _cents(target),
        timestamp=now,
        source=f"test{number}",
    )


def command(random: Random, market: Market, book: Book, *, joins: bool) -> Command:
    """Something an operator may ask.

    Where the venue does not join a person's order with the stop (`joins`), both may fill: there
    nobody reduces by hand.
    """
    symbol = random.choice(SYMBOLS)
    price = market.price(symbol)
    kill = ask.Kill(by=BY, level=Level.KILL, flatten=random.choice(tuple(Flatten)))
    choices: list[Command] = [
        kill,
        kill,
        ask.Kill(by=BY, level=Level.HALT),
        ask.Pause(by=BY),
        ask.Unpause(by=BY),
        ask.ClosePosition(by=BY, symbol=symbol),
        ask.CloseAll(by=BY),
        ask.CancelAll(by=BY),
        ask.Reconcile(by=BY),
        ask.Reconcile(by=BY, apply=True),
    ]
    data = book.data
    manual = _manual(random, symbol, price)
    held = data.accounts["paper"].positions.get(symbol)
    if joins or held is None or held.sign == manual.side.sign:
        choices += [manual] * 3
    choices += [
        ask.CancelOrder(by=BY, client_order_id=key) for key in data.accounts["paper"].orders
    ]
    for key in data.letters:
        choices += [ask.RetryLetter(by=BY, letter_id=key), ask.DropLetter(by=BY, letter_id=key)]
    return random.choice(choices)


def _manual(random: Random, symbol: str, price: Decimal) -> ask.PlaceOrder:
    side = random.choice((Side.BUY, Side.SELL))
    kind = random.choice((OrderType.MARKET, OrderType.LIMIT, OrderType.STOP))
    away = Decimal(random.randint(-10, 10)) / 1000
    near = _cents(price * (1 + away))
    protect = _cents(price * (Decimal("0.97") if side is Side.BUY else Decimal("1.03")))
    return ask.PlaceOrder(
        by=BY,
        symbol=symbol,
        side=side,
        quantity=Decimal(random.randint(1, 60)),
        type=kind,
        limit_price=near if kind is OrderType.LIMIT else None,
        stop_price=near if kind is OrderType.STOP else None,
        protect=protect if random.random() < 0.7 else None,
        hold=random.choice((TradeType.DAY, TradeType.SWING)),
    )


def config(random: Random) -> Config:
    """One of the configs, which are built once."""
    return random.choice(CONFIGS)


def _decimal(value: float) -> Decimal:
    return Decimal(round(value * 1_000_000)).scaleb(-6)


def _cents(price: Decimal) -> Decimal:
    return price.quantize(CENT)
