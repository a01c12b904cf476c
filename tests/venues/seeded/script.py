"""What people and signals ask in a seeded run, drawn from its seed."""

from collections.abc import Callable
from decimal import Decimal
from random import Random
from typing import Final

from engine.domain import commands as ask
from engine.domain.inputs import Command
from engine.domain.instant import Nanos
from engine.domain.order import RESTING, OrderType, Side, TimeInForce
from engine.domain.signal import Direction, Signal, Timeframe, TradeType
from engine.state.book import Book
from engine.state.order import Order
from engine.state.position import Position

BY: Final = "seeded"
UNITS: Final = 40
"""An order by hand is for so many units of a hundred at most."""


class Script:
    """What may be asked at a venue: `shorts` says whether something can be sold that is not held,
    quantities are multiples of `step`, prices of `tick`."""

    def __init__(
        self,
        random: Random,
        book: Callable[[], Book],
        account: str,
        prices: dict[str, Decimal],
        *,
        shorts: bool,
        step: Decimal,
        tick: Decimal,
    ) -> None:
        self._random = random
        self._book = book
        self._account = account
        self._prices = prices
        self._shorts = shorts
        self._step = step
        self._tick = tick
        self._signals = 0

    def signal(self, now: Nanos) -> Signal:
        """A wish to trade."""
        random = self._random
        self._signals += 1
        symbol = random.choice([*self._prices])
        directions = [Direction.LONG, Direction.LONG, Direction.FLAT]
        direction = random.choice(directions + [Direction.SHORT] * self._shorts)
        price, sign = self._prices[symbol], direction.sign or 1
        away = Decimal(random.choice((10, 20, 40))) / 1000
        return Signal(
            signal_id=f"s{self._signals}",
            signal_type="random",
            direction=direction,
            ticker=symbol,
            timeframe=random.choice((Timeframe.M5, Timeframe.M10, Timeframe.H1)),
            conviction=random.choice((55, 80, 90)),
            entry_price=self._near(price * (1 + Decimal(random.randint(-2, 2)) / 1000)),
            stop_loss=self._near(price * (1 - sign * away)),
            target_price=self._near(price * (1 + sign * away)) if random.random() < 0.5 else None,
            timestamp=now,
            source=f"seeded{self._signals}",
        )

    def command(self) -> Command:
        """Something that an operator asks."""
        random, account = self._random, self._book().account(self._account)
        orders, held = list(account.orders.values()), list(account.positions.values())
        resting = [order for order in orders if order.status in RESTING]
        draws: list[Callable[[], Command]] = [self._order, self._order, self._order]
        if held:
            position = random.choice(held)
            draws += [
                lambda: self._reduce(position), lambda: self._close(position),
                lambda: self._protect(position), lambda: self._target(position),
            ]  # fmt: skip
        if orders:
            draws += [lambda: self._cancel(random.choice(orders))] * 2
        if resting:
            draws += [lambda: self._change(random.choice(resting))] * 2
        if random.random() < 0.04:
            return random.choice((ask.CancelAll(by=BY), ask.CloseAll(by=BY)))
        return random.choice(draws)()

    # --- each of them

    def _near(self, price: Decimal) -> Decimal:
        return max(price // self._tick, Decimal(1)) * self._tick

    def _beside(self, symbol: str, thousandths: int) -> Decimal:
        return self._near(self._prices[symbol] * (1 + Decimal(thousandths) / 1000))

    def _quantity(self, most: Decimal) -> Decimal:
        """A multiple of the step, of `most` at most and of one step at least."""
        return max(Decimal(self._random.random()) * most // self._step, Decimal(1)) * self._step

    def _order(self) -> ask.PlaceOrder:
        random, symbol = self._random, self._random.choice([*self._prices])
        price = self._prices[symbol]
        side = random.choice((Side.BUY, Side.SELL_SHORT)) if self._shorts else Side.BUY
        kind = random.choice((OrderType.MARKET, OrderType.LIMIT, OrderType.LIMIT, OrderType.STOP))
        away = self._beside(symbol, random.randint(-15, 15))
        stop = self._beside(symbol, 30 * (-1 if side is Side.BUY else 1))
        at_once = kind is OrderType.LIMIT and random.random() < 0.15
        return ask.PlaceOrder(
            by=BY,
            symbol=symbol,
            side=side,
            quantity=self._quantity(100 * UNITS / price),
            type=kind,
            limit_price=away if kind is OrderType.LIMIT else None,
            stop_price=away if kind is OrderType.STOP else None,
            protect=stop if random.random() < 0.6 else None,
            hold=random.choice((TradeType.DAY, TradeType.SWING)),
            time_in_force=random.choice((TimeInForce.IOC, TimeInForce.GTC)) if at_once else None,
        )

    def _reduce(self, position: Position) -> ask.PlaceOrder:
        """An order of a person's that takes something off, at the market, near it or as a stop."""
        random, symbol = self._random, position.symbol
        kind = random.choice((OrderType.MARKET, OrderType.LIMIT, OrderType.STOP))
        beyond = random.randint(2, 15) * position.sign
        return ask.PlaceOrder(
            by=BY,
            symbol=symbol,
            side=Side.SELL if position.is_long else Side.BUY,
            quantity=self._quantity(abs(position.quantity)),
            type=kind,
            limit_price=self._beside(symbol, beyond) if kind is OrderType.LIMIT else None,
            stop_price=self._beside(symbol, -beyond) if kind is OrderType.STOP else None,
        )

    def _close(self, position: Position) -> Command:
        part = self._quantity(abs(position.quantity)) if self._random.random() < 0.5 else None
        return ask.ClosePosition(by=BY, symbol=position.symbol, quantity=part)

    def _protect(self, position: Position) -> Command:
        """A first stop, another one, or none any more."""
        away = self._random.choice((4, 10, 20, 40)) * position.sign
        if self._random.random() < 0.15:
            return ask.Protect(by=BY, symbol=position.symbol, price=None, confirm="UNPROTECT")
        price = self._beside(position.symbol, -away)
        return ask.Protect(by=BY, symbol=position.symbol, price=price)

    def _target(self, position: Position) -> Command:
        away = self._random.choice((4, 10, 40)) * position.sign
        price = self._beside(position.symbol, away) if self._random.random() < 0.8 else None
        return ask.SetTarget(by=BY, symbol=position.symbol, price=price)

    def _cancel(self, order: Order) -> Command:
        confirm = "UNPROTECT" if self._random.random() < 0.5 else ""
        return ask.CancelOrder(by=BY, client_order_id=order.client_order_id, confirm=confirm)

    def _change(self, order: Order) -> Command:
        random = self._random
        near = self._beside(order.symbol, random.randint(-15, 15))
        total = order.quantity + random.randint(-5, 5) * self._step
        draw = random.random()
        return ask.ModifyOrder(
            by=BY,
            client_order_id=order.client_order_id,
            quantity=max(total, self._step) if draw < 0.6 else None,
            limit_price=near if draw > 0.4 and order.limit_price is not None else None,
            stop_price=near if draw > 0.3 and order.stop_price is not None else None,
        )
