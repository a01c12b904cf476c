"""A venue whose word is not its truth: it lags, leaves out, denies, and is not ours alone."""

from collections.abc import Callable
from decimal import Decimal
from random import Random
from typing import Any, Final

import msgspec

from engine.domain.account import Account, VenueOrder, VenuePosition
from engine.domain.instant import NS_PER_SECOND, Nanos
from engine.domain.order import (
    Fill,
    OrderStatus,
    OrderTerms,
    OrderType,
    Purpose,
    Replacement,
    Side,
    TimeInForce,
)
from engine.ports import Capabilities, MarketClosed, OrderReport, Rejected
from tests.simulation.agenda import Agenda
from tests.simulation.harsh.switches import Switches
from tests.simulation.venue import CENT, FEE, ZERO, Venue, Working

STRANGE: Final = tuple(
    map(Decimal, ("NaN", "Infinity", "-Infinity", "-1", "1.8e308", "-1.8e308", "0"))
)
"""What comes instead of a number."""
YEAR: Final = 365 * 86_400 * NS_PER_SECOND
CANCELS: Final = 0.5
ADJUSTS: Final = 0.75
"""Below the one a venue cancels what rests through a split, above the other it adjusts it."""
SOMEBODY: Final = "theirs"
"""What the ids of other people's orders begin with."""


class HarshVenue(Venue):
    """As the sound venue, with switches; what it holds and executes is true as before."""

    def __init__(
        self,
        agenda: Agenda,
        random: Random,
        capabilities: Capabilities,
        *,
        name: str,
        account_id: str,
        switches: Switches,
    ) -> None:
        super().__init__(agenda, random, capabilities, name=name, account_id=account_id)
        self.switches = switches
        self.chances = Random(random.random())
        """What the switches draw on."""
        self.sound = False
        """Set once faults end: nothing new goes wrong."""
        self.silent_until: Nanos = 0
        self.closed: set[str] = set()
        """Symbols that do not trade now."""
        self.moved_at: Nanos = 0
        """When anything last happened here."""
        self.touched: dict[str, Nanos] = {}
        """When somebody else last traded in a symbol."""
        self.missing: set[str] = set()
        """Executions that are told to nobody, by their number."""
        self.denied: dict[str, int] = {}
        """How many of the newest lists in a row had a symbol wrong."""
        self.confirmed: set[str] = set()
        """Orders that ended here and were said to."""
        self.transferred = ZERO
        self.told_at: dict[Nanos, tuple[Decimal, dict[str, Decimal]]] = {}
        """What everything here was worth whenever the balances were told, and at which prices."""
        self.free_at: dict[Nanos, Decimal] = {}
        """What new orders might still cost then; with the price of what is held that moves too."""
        self.on_other: Callable[[str, Decimal, Decimal], None] = lambda *_: None
        """Told of what somebody else did: symbol, quantity bought, price."""
        self._shown: list[tuple[Nanos, tuple[VenuePosition, ...], tuple[VenueOrder, ...]]] = []
        self._listed_at: dict[str, Nanos] = {}
        self._epochs: list[int] = []
        """The number of the first execution after each restart that began to count anew."""
        self._theirs = 0
        self._shadowed: list[bool] = []
        """Of each execution, whether another one of quantity 0 is beside it."""
        self.at_split = self.chances.random()
        """What becomes of orders that rest through a split."""
        self.says_average = Random(f"{name} {switches}").random() < 0.5
        """Whether it says at which mean price an order has filled."""

    # --- the past ---------------------------------------------------------------------------------

    def begin(self, symbols: tuple[str, ...], price: Callable[[str], Decimal]) -> None:
        """The account as the first start finds it."""
        switches, chances = self.switches, self.chances
        now = self.agenda.now
        for symbol in symbols:
            self.prices[symbol] = price(symbol)
        for number in range(switches.history):
            symbol = chances.choice(symbols)
            at = now - YEAR + number * YEAR // 10
            loss = Decimal(chances.choice((70, 90, 110, 130))) / 100
            side = chances.choice((Side.BUY, Side.SELL))
            paid = (price(symbol) * loss).quantize(CENT)
            self.fills.append(self._execution(symbol, side, 20, paid, at=at, key="old"))
        for symbol in chances.sample(symbols, min(switches.holdings, len(symbols))):
            quantity = Decimal(chances.randint(10, 90)) * chances.choice((1, 1, 1, -1))
            average = (price(symbol) * Decimal(chances.choice((80, 100, 120))) / 100).quantize(CENT)
            self.positions[symbol], self.costs[symbol] = quantity, average
            self.cash -= quantity * price(symbol)
            self.on_other(symbol, quantity, price(symbol))
            if switches.stops_of_others:
                side = Side.SELL if quantity > 0 else Side.BUY
                away = Decimal(90 if quantity > 0 else 110) / 100
                self._their_order(
                    symbol, side, abs(quantity), stop=(price(symbol) * away).quantize(CENT)
                )
        self._happened()

    # --- somebody else ----------------------------------------------------------------------------

    def somebody_trades(self, symbol: str) -> None:
        """Somebody buys or sells in the account; half of them are on the list of executions."""
        if self.sound:
            return
        chances, price = self.chances, self.prices[symbol]
        held = self.positions.get(symbol, ZERO)
        quantity = -held if held and chances.random() < 0.4 else Decimal(chances.randint(-40, 40))
        if not quantity:
            return
        self._traded_by_somebody(symbol, quantity, price)
        if chances.random() < 0.5:
            self._theirs += 1
            side = Side.BUY if quantity > 0 else Side.SELL
            fill = self._execution(
                symbol, side, abs(quantity), price, at=self.agenda.now, key=f"{SOMEBODY}-"
            )
            self.cash -= fill.commission
            self.fills.append(fill)
        self._happened()

    def _traded_by_somebody(self, symbol: str, quantity: Decimal, price: Decimal) -> None:
        """Somebody has bought `quantity`, signed, at `price`."""
        before = self.positions.get(symbol, ZERO)
        after = before + quantity
        self.cash -= quantity * price
        self._cost(symbol, before, after, price)
        self.positions[symbol] = after
        if not after:
            del self.positions[symbol]
        self.touched[symbol] = self.agenda.now
        self.on_other(symbol, quantity, price)

    def somebody_pays(self) -> None:
        """Cash comes in or goes out."""
        if self.sound:
            return
        amount = Decimal(self.chances.choice((-20_000, -5_000, 3_000, 50_000)))
        self.cash += amount
        self.transferred += amount
        self._happened()

    def _their_order(self, symbol: str, side: Side, quantity: Decimal, *, stop: Decimal) -> None:
        self._theirs += 1
        key = f"{SOMEBODY}{self._theirs}-{self.name}"
        terms = OrderTerms(
            client_order_id=key,
            intent_id=SOMEBODY,
            account=self.name,
            symbol=symbol,
            side=side,
            type=OrderType.STOP,
            time_in_force=TimeInForce.GTC,
            quantity=quantity,
            stop_price=stop,
            reduce_only=True,
            purpose=Purpose.MANUAL,
        )
        self._ids += 1
        self.orders[key] = self.open[key] = Working(terms, f"v{self._ids}")

    def split(self, symbol: str, ratio: int) -> None:
        """Each becomes so many; what rests is cancelled on some exchanges, adjusted on others, and
        left as it was on the rest."""
        if symbol in self.positions:
            self.positions[symbol] *= ratio
            self.costs[symbol] /= ratio
        self.prices[symbol] /= ratio
        for working in [w for w in self.open.values() if w.order.symbol == symbol]:
            if self.at_split < CANCELS:
                self._end(working, OrderStatus.CANCELED, "the company split")
            elif self.at_split > ADJUSTS:
                self._adjust(working, ratio)
        self._happened()

    def _adjust(self, working: Working, ratio: int) -> None:
        """What rests is for as much, in the new units; nothing is reported."""
        working.quantity = working.filled + working.leaves * ratio
        if working.limit_price is not None:
            working.limit_price = (working.limit_price / ratio).quantize(CENT)
        if working.stop_price is not None:
            working.stop_price = (working.stop_price / ratio).quantize(CENT)

    # --- what is true -----------------------------------------------------------------------------

    def restart(self) -> None:
        super().restart()
        if self.switches.ids_reused:
            self._epochs.append(len(self.fills))
            for working in self.open.values():
                self._ids += 1
                working.venue_id = f"w{self._ids}"

    def _fill(self, working: Working, quantity: Decimal, price: Decimal) -> None:
        hidden = self._goes_wrong(self.switches.executions_missing)
        if hidden:
            self.missing.add(str(len(self.fills)))
            line, self.line = self.line, None
            try:
                super()._fill(working, quantity, price)
            finally:
                self.line = line
            if not working.is_open:
                self._report(working)
        else:
            super()._fill(working, quantity, price)
        late = self.switches.executions_late if not self.sound else 0.0
        if self.fills:
            at = self.agenda.now + round(self.chances.uniform(0, late) * NS_PER_SECOND)
            self._listed_at[str(len(self.fills) - 1)] = at
        self._happened()

    def _trade(self, working: Working, price: Decimal) -> None:
        thin = self.switches.thin
        if thin and not self.sound:
            most = max((working.quantity * Decimal(1 - thin)).to_integral_value(), Decimal(1))
            self._fill(working, min(working.leaves, most), price)
        else:
            super()._trade(working, price)

    def somebody_orders(self, symbol: str) -> None:
        super().somebody_orders(symbol)
        self._happened()

    def _end(self, working: Working, status: OrderStatus, text: str) -> None:
        super()._end(working, status, text)
        self._happened()
        if status is OrderStatus.CANCELED:
            self.confirmed.add(working.order.client_order_id)
            if self._goes_wrong(self.switches.late_fills):
                self.agenda.after(self.chances.uniform(0.1, 3), lambda: self._after_all(working))

    def _after_all(self, working: Working) -> None:
        """What was cancelled had filled on the exchange."""
        price = self.prices.get(working.order.symbol)
        leaves = working.leaves
        if self.sound or price is None or leaves <= 0 or not working.triggered:
            return
        order = working.order
        if order.reduce_only and self.capabilities.reduce_only:
            leaves = min(leaves, self._reducible(order))
        if leaves > 0:
            self._fill(working, leaves, working.limit_price or price)

    def accept(self, order: OrderTerms) -> None:
        super().accept(order)
        self._happened()

    def _admit(self, order: OrderTerms) -> None:
        if order.symbol in self.closed:
            raise MarketClosed(f"{order.symbol} is halted")
        super()._admit(order)

    def cancel(self, key: str) -> None:
        if key in self.open and self._goes_wrong(self.switches.cancels_refused):
            raise Rejected("CANNOT_CANCEL", f"{key} cannot be cancelled now")
        super().cancel(key)

    def modify(self, key: str, wanted: Replacement) -> None:
        super().modify(key, wanted)
        self._happened()

    def _meet(self, working: Working) -> None:
        if working.order.symbol not in self.closed:
            super()._meet(working)

    def _happened(self) -> None:
        now = self.agenda.now
        self.moved_at = now
        if self.switches.lists_lag:
            self._shown.append((now, self._true_positions(), self._true_orders()))

    def _goes_wrong(self, chance: float) -> bool:
        return not self.sound and self.chances.random() < chance

    # --- what is said -----------------------------------------------------------------------------

    @property
    def silent(self) -> bool:
        """Whether nothing is answered."""
        return self.agenda.now < self.silent_until

    def falls_silent(self, seconds: float) -> None:
        """Answer and report nothing from now on, for so long; the connection stands."""
        self.silent_until = self.agenda.now + round(seconds * NS_PER_SECOND)

    def _true_positions(self) -> tuple[VenuePosition, ...]:
        return tuple(
            VenuePosition(symbol=s, quantity=q, average_price=self.costs[s])
            for s, q in self.positions.items()
        )

    def _true_orders(self) -> tuple[VenueOrder, ...]:
        return tuple(self._stated(working) for working in self.open.values())

    def _stated(self, working: Working) -> VenueOrder:
        """An order as it is, with the mean price of what filled where this venue says that."""
        true = working.stated()
        if not (self.says_average and true.filled):
            return true
        mine = [f for f in self.fills if f.client_order_id == true.client_order_id]
        paid = sum((fill.quantity * fill.price for fill in mine), ZERO)
        return msgspec.structs.replace(true, average_price=paid / true.filled)

    def _lagged(self) -> tuple[tuple[VenuePosition, ...], tuple[VenueOrder, ...]]:
        until = self.agenda.now - round(self.switches.lists_lag * NS_PER_SECOND)
        while len(self._shown) > 1 and self._shown[1][0] <= until:
            del self._shown[0]
        return self._shown[0][1:]

    def listed_positions(self) -> tuple[VenuePosition, ...]:
        """The list of positions, as old as it is."""
        positions = self._lagged()[0] if self.switches.lists_lag else self._true_positions()
        if positions and self._goes_wrong(self.switches.strange_positions):
            first = msgspec.structs.replace(positions[0], quantity=self._strange())
            self.denied[first.symbol] = self.denied.get(first.symbol, 0) + 1
            return (first, *positions[1:])
        self.denied.clear()
        return positions

    def listed_orders(self) -> tuple[VenueOrder, ...]:
        """The list of open orders, as old as it is."""
        return self._lagged()[1] if self.switches.lists_lag else self._true_orders()

    def stated(self, key: str) -> VenueOrder | None:
        """What is said of one order."""
        known = self.orders.get(key)
        if known is None:
            return None
        told = self._stated(known)
        if told.filled and self._goes_wrong(self.switches.contradictions):
            return msgspec.structs.replace(
                told, filled=ZERO, average_price=None, status=OrderStatus.NEW
            )
        return told

    def listed_fills(self, since: Nanos) -> tuple[Fill, ...]:
        """The list of executions."""
        now = self.agenda.now
        found: list[Fill] = []
        for index, fill in enumerate(self.fills):
            if fill.time < since or str(index) in self.missing:
                continue
            if self._listed_at.get(str(index), 0) > now:
                continue
            found.append(self.named(index, fill))
            if self._has_shadow(index):
                found.append(self._shadow(index, fill))
        if self.switches.executions_shuffled and not self.sound:
            self.chances.shuffle(found)
        return tuple(found)

    def number_of(self, told: Fill) -> int | None:
        """Which execution is meant, whatever it is called; None for one that never was."""
        for index in range(len(self.fills) - 1, -1, -1):
            true = self.fills[index]
            if (
                true.time == told.time
                and true.client_order_id == told.client_order_id
                and (true.symbol, true.quantity, true.price)
                == (told.symbol, told.quantity, told.price)
            ):
                return index
        return None

    def named(self, index: int, fill: Fill) -> Fill:
        """The execution under the id that the venue gave it when it happened."""
        begun = [first for first in self._epochs if first <= index]
        if not begun:
            return fill
        return msgspec.structs.replace(fill, execution_id=f"x{index - begun[-1] + 1}")

    def _has_shadow(self, index: int) -> bool:
        """Whether an execution has an empty one beside it; drawn once, as it always has."""
        chance = self.switches.empty_executions
        if not chance:
            return False
        while len(self._shadowed) <= index:
            draw = Random(f"{self.name}{len(self._shadowed)}").random()
            self._shadowed.append(draw < chance)
        return self._shadowed[index]

    def _shadow(self, index: int, fill: Fill) -> Fill:
        return msgspec.structs.replace(
            fill, execution_id=f"x{index + 1}z", quantity=ZERO, commission=ZERO
        )

    def _strange(self) -> Decimal:
        return self.chances.choice(STRANGE)

    def _report(self, working: Working, **more: Any) -> None:
        fill = more.get("fill")
        if fill is not None:
            more["fill"] = self.named(len(self.fills) - 1, fill)
        super()._report(working, **more)
        if fill is None or self.line is None:
            return
        if self._goes_wrong(self.switches.strange_fills):
            name = self.chances.choice(("price", "quantity"))
            wrong = msgspec.structs.replace(
                fill, execution_id=f"{fill.execution_id}s", **{name: self._strange()}
            )
            self.line.carry(
                OrderReport(
                    account=self.name,
                    client_order_id=working.order.client_order_id,
                    venue_order_id=working.venue_id,
                    symbol=fill.symbol,
                    status=working.status,
                    fill=wrong,
                    filled=working.filled,
                    time=self.agenda.now,
                )
            )

    def account(self) -> Account:
        true = super().account()
        self.told_at[true.as_of] = (true.equity, dict(self.prices))
        self.free_at[true.as_of] = self.free
        if self.switches.nets:
            true = msgspec.structs.replace(true, buying_power=self.free)
        if self._goes_wrong(self.switches.strange_balances):
            name = self.chances.choice(("cash", "equity", "buying_power"))
            return msgspec.structs.replace(true, **{name: self._strange()})
        return true

    @property
    def free(self) -> Decimal:
        """What new orders may still cost; a venue that says so itself gives no credit."""
        true = super().account()
        bound = sum((w.leaves * w.order.reserved for w in self.open.values()), ZERO)
        credit = true.equity if self.switches.nets else ZERO
        return max(true.buying_power - credit - bound, ZERO)

    @property
    def worth(self) -> Decimal:
        """Equity by what is true."""
        return super().account().equity

    def _execution(
        self,
        symbol: str,
        side: Side,
        quantity: Decimal | int,
        price: Decimal,
        *,
        at: Nanos,
        key: str,
    ) -> Fill:
        number = len(self.fills) + 1
        return Fill(
            execution_id=f"x{number}",
            client_order_id=f"{key}{number}",
            venue_order_id=f"{key}{number}",
            account=self.name,
            symbol=symbol,
            side=side,
            quantity=Decimal(quantity),
            price=price,
            commission=quantity * price * FEE,
            time=at,
        )
