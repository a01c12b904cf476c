"""What the market does and what people ask in a run, all drawn from its seed."""

from collections.abc import Callable
from decimal import Decimal
from random import Random
from typing import Any, Final

import msgspec

from engine.config import Config
from engine.domain import commands as ask
from engine.domain.inputs import Command
from engine.domain.market import Quote
from engine.domain.order import OrderStatus, OrderType, Purpose, Side
from engine.domain.run import Flatten, Level
from engine.domain.signal import Direction, Signal, Timeframe, TradeType
from engine.state.book import Book
from engine.state.position import Position
from tests.configs import from_mapping
from tests.simulation.agenda import Agenda

PRIMARY: Final = "paper"
SECOND: Final = "second"
HOMES: Final = {"AAA": PRIMARY, "BBB": PRIMARY, "CCC": PRIMARY, "DDD": SECOND, "EEE": SECOND}
"""Where an order goes that names no account; the routes of the config say the same."""
CENT: Final = Decimal("0.01")
BY: Final = "simulation"


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """The accounts of a run, what is traded in them, and the config that says so."""

    config: Config
    accounts: tuple[str, ...]
    symbols: tuple[str, ...]


def _setting(
    accounts: tuple[str, ...], positions: int, gross: str, flatten: str, timeout: int
) -> Setting:
    tree: dict[str, Any] = {
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
        # Where nothing is tried again there are dead letters; where the breaker is as it comes, few
        # orders are in doubt at a time, and others are to be.
        "resiliency": {
            "max_retries": 0 if flatten == "none" else 3,
            "circuit_breaker_threshold": 5 if flatten == "none" else 1_000,
        },
    }
    if SECOND in accounts:
        tree["brokers"] = {SECOND: {"kind": "paper"}}
        tree["routes"] = [
            {"symbol": "DDD", "broker": SECOND},
            {"symbol": "E*", "broker": SECOND},
            {"symbol": "DD*", "broker": PRIMARY},
        ]
    symbols = tuple(symbol for symbol, home in HOMES.items() if home in accounts)
    return Setting(config=from_mapping(tree), accounts=accounts, symbols=symbols)


ONE: Final = (
    _setting((PRIMARY,), 3, "0.25", "day", 20),
    _setting((PRIMARY,), 2, "1.0", "all", 20),
    _setting((PRIMARY,), 3, "0.15", "none", 10),
)
TWO: Final = (
    _setting((PRIMARY, SECOND), 4, "0.25", "day", 20),
    _setting((PRIMARY, SECOND), 2, "1.0", "all", 20),
    _setting((PRIMARY, SECOND), 5, "0.15", "none", 10),
)
TWO_ACCOUNTS: Final = 0.75
"""Chance that a run has two accounts."""


def setting(random: Random, *, one_sound: bool) -> Setting:
    """One of the settings, which are built once; two accounts where one is to stay sound."""
    return random.choice(TWO if one_sound or random.random() < TWO_ACCOUNTS else ONE)


class Market:
    """Random walks with jumps that last one tick; every price goes to the venue and the engine."""

    def __init__(
        self, agenda: Agenda, random: Random, jumps: float, symbols: tuple[str, ...]
    ) -> None:
        self._agenda = agenda
        self._random = random
        self._jumps = jumps
        self.symbols = symbols
        self._true = {symbol: Decimal(random.randint(20, 200)) for symbol in symbols}
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
    symbol = random.choice(market.symbols)
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


Accounts = tuple[str, ...]
"""The accounts of a run, by name."""


def command(random: Random, market: Market, book: Book, accounts: Accounts) -> Command:
    """Something an operator may ask."""
    symbol = random.choice(market.symbols)
    broker = random.choice(("", *accounts))
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
        ask.Reconcile(by=BY, broker=broker),
        ask.Reconcile(by=BY, broker=broker, apply=True),
    ]
    data = book.data
    choices += [_manual(random, symbol, market.price(symbol), broker)] * 3
    choices += [
        ask.CancelOrder(by=BY, client_order_id=key)
        for name in accounts
        for key in book.account(name).orders
    ]
    for key in data.letters:
        choices += [ask.RetryLetter(by=BY, letter_id=key), ask.DropLetter(by=BY, letter_id=key)]
    return random.choice(choices)


Draw = Callable[[Random, Market, Book, Accounts], Command | None]
RESTING: Final = (OrderStatus.NEW, OrderStatus.PARTIALLY_FILLED)


def hand(random: Random, market: Market, book: Book, accounts: Accounts) -> Command | None:
    """Something an operator may do to a position, None while there is none."""
    held = [position for name in accounts for position in book.account(name).positions.values()]
    if not held:
        return None
    return random.choice(HANDS)(random, market, book, random.choice(held), accounts)


def change(random: Random, market: Market, book: Book, accounts: Accounts) -> Command | None:
    """Another total, limit or stop of an order, whatever becomes of it meanwhile (X-88).

    Mostly of one that rests and adds; None while there is none.
    """
    orders = [order for name in accounts for order in book.account(name).orders.values()]
    if random.random() < 0.9:
        orders = [o for o in orders if o.status in RESTING and not o.is_protective]
    if not orders:
        return None
    order = random.choice(orders)
    away = Decimal(random.randint(-10, 10)) / 1000
    near = _cents(market.price(order.symbol) * (1 + away))
    # Among them are totals that have filled already: those cancel.
    total = max(order.quantity + random.randint(-20, 20), order.filled - 1)
    draw = random.random()
    return ask.ModifyOrder(
        by=BY,
        client_order_id=order.client_order_id,
        quantity=total if draw < 0.6 and not order.is_protective else None,
        limit_price=near if draw > 0.4 and order.limit_price is not None else None,
        stop_price=near if draw > 0.3 and order.stop_price is not None else None,
    )


def _close_part(
    random: Random, market: Market, book: Book, position: Position, accounts: Accounts
) -> Command:
    """A part, and now and then more than there is."""
    quantity = Decimal(random.randint(1, int(abs(position.quantity)) + 2))
    return ask.ClosePosition(
        by=BY, symbol=position.symbol, broker=position.account, quantity=quantity
    )


def _close_here(
    random: Random, market: Market, book: Book, position: Position, accounts: Accounts
) -> Command:
    """All of it in one account, whatever else is held there or elsewhere."""
    if random.random() < 0.3:
        return ask.CloseAll(by=BY, broker=position.account)
    return ask.ClosePosition(by=BY, symbol=position.symbol, broker=position.account)


def _protect(
    random: Random, market: Market, book: Book, position: Position, accounts: Accounts
) -> Command:
    """A first stop, a tighter one, a looser one, or one that the market has passed already."""
    away = Decimal(random.choice((-5, 5, 10, 20, 40))) / 1000
    price = _cents(market.price(position.symbol) * (1 - position.sign * away))
    return ask.Protect(by=BY, symbol=position.symbol, price=price, broker=position.account)


def _unprotect(
    random: Random, market: Market, book: Book, position: Position, accounts: Accounts
) -> Command:
    """The stop is taken away, by its position or by its order; not always with the word."""
    confirm = random.choice(("UNPROTECT", "UNPROTECT", ""))
    stops = [o for o in book.working(position.account, position.symbol) if o.is_protective]
    if stops and random.random() < 0.5:
        return ask.CancelOrder(by=BY, client_order_id=stops[0].client_order_id, confirm=confirm)
    return ask.Protect(
        by=BY, symbol=position.symbol, price=None, confirm=confirm, broker=position.account
    )


def _target(
    random: Random, market: Market, book: Book, position: Position, accounts: Accounts
) -> Command:
    """A target, near or far, or none."""
    away = Decimal(random.choice((-5, 5, 10, 40))) / 1000
    price = _cents(market.price(position.symbol) * (1 + position.sign * away))
    given = None if random.random() < 0.25 else price
    return ask.SetTarget(by=BY, symbol=position.symbol, price=given, broker=position.account)


def _reduce(
    random: Random, market: Market, book: Book, position: Position, accounts: Accounts
) -> Command:
    """An order of a person's that takes something off, at the market, near it, or as a stop."""
    made = _manual(random, position.symbol, market.price(position.symbol), position.account)
    side = Side.SELL if position.is_long else Side.BUY
    quantity = Decimal(random.randint(1, int(abs(position.quantity))))
    limit = made.limit_price
    if limit is not None and random.random() < 0.7:
        # So far away that it rests for a while.
        away = Decimal(random.randint(10, 40)) / 1000
        limit = _cents(market.price(position.symbol) * (1 + position.sign * away))
    return msgspec.structs.replace(
        made, side=side, quantity=quantity, protect=None, limit_price=limit
    )


def _grow(
    random: Random, market: Market, book: Book, position: Position, accounts: Accounts
) -> Command:
    """A person's order that reduces is made larger or smaller; a new one where none rests."""
    orders = book.reducing(position.account, position.symbol)
    mine = [o for o in orders if o.status in RESTING and o.purpose is Purpose.MANUAL]
    if not mine:
        return _reduce(random, market, book, position, accounts)
    total = Decimal(random.randint(1, int(abs(position.quantity))))
    return ask.ModifyOrder(by=BY, client_order_id=mine[0].client_order_id, quantity=total)


def _elsewhere(
    random: Random, market: Market, book: Book, position: Position, accounts: Accounts
) -> Command:
    """More of what is held, now and then its opposite, mostly in the account that lacks it."""
    others = [name for name in accounts if name != position.account]
    account = random.choice(others) if others and random.random() < 0.8 else position.account
    made = _manual(random, position.symbol, market.price(position.symbol), account)
    more = random.random() < 0.7 and made.side.sign != position.sign
    if more:
        side = Side.BUY if position.sign > 0 else Side.SELL
        return ask.PlaceOrder(
            by=BY,
            symbol=position.symbol,
            side=side,
            quantity=Decimal(random.randint(1, 20)),
            hold=made.hold,
            broker=account,
        )
    return made


Hand = Callable[[Random, Market, Book, Position, Accounts], Command]
HANDS: Final[tuple[Hand, ...]] = (
    _close_part,
    _close_part,
    _close_part,
    _close_here,
    _reduce,
    _reduce,
    _grow,
    _grow,
    _protect,
    _protect,
    _unprotect,
    _target,
    _elsewhere,
    _elsewhere,
)
"""What is drawn from, each row as often as it stands here."""


def _manual(random: Random, symbol: str, price: Decimal, broker: str) -> ask.PlaceOrder:
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
        broker=broker,
    )


def words(given: Command) -> str:
    """A command as a line of the trace."""
    return f"{type(given).__name__} {ask.args_of(given)}"


def _decimal(value: float) -> Decimal:
    return Decimal(round(value * 1_000_000)).scaleb(-6)


def _cents(price: Decimal) -> Decimal:
    return price.quantize(CENT)
