"""What every façade stands on: a running engine, its loop, and the one account that it speaks for.

An engine lives on one loop. A published call that is synchronous is made from another thread and
waits for that loop; made on the loop itself it would wait for itself, and is refused in words.
"""

import asyncio
import contextlib
import warnings
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from decimal import Decimal, InvalidOperation
from typing import Any, Final, TypeVar

import msgspec

from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.order import OrderStatus, OrderType, Side, TimeInForce
from engine.domain.result import Result
from engine.domain.signal import TradeType
from engine.runtime.engine import Engine
from engine.state.order import Order

T = TypeVar("T")

Number = Decimal | int | float | str
"""What the published calls take for a price or a quantity. A float is taken as it is written."""

ANSWER_SECONDS: Final = 30.0
"""How long a synchronous call waits for the engine: the published default of a request (C-106)."""


_UNDER_WAY: Final = frozenset({OrderStatus.CREATED, OrderStatus.PENDING_NEW})


class NoAnswerError(TimeoutError):
    """Nobody knows yet whether an order will leave: the engine's journal tells, and asking again
    could order twice."""


class Placed(msgspec.Struct, frozen=True, kw_only=True):
    """What came of an order that was handed to the engine."""

    order_id: str = ""
    """"" where it was refused."""
    order: Order | None = None
    """None where it was refused, or waits until its stop has made room for it."""
    code: str = ""
    """The check that refused it; "" where none did."""
    refusal: str = ""
    """The code and why, in words."""


class NotConnectedError(ConnectionError):
    """The façade was not connected or was disconnected, or its engine has ended."""


class Bridge:
    """The way from a published class into a running engine, for one account.

    `engine` runs on `loop`; the account is a name under `[brokers]`.
    """

    def __init__(self, engine: Engine, account: str, loop: asyncio.AbstractEventLoop) -> None:
        self.engine = engine
        self.account = account
        self.loop = loop
        self.connected = False

    @classmethod
    def to(
        cls,
        engine: Engine,
        *,
        kind: str,
        account: str = "",
        loop: asyncio.AbstractEventLoop | None = None,
    ) -> "Bridge":
        """The way to the account of that name, or to the only one of a kind of venue.

        `loop` is the engine's, by default the one that runs here. Raises ValueError where no
        account has the name, or none or several are of the kind; RuntimeError without a loop.
        """
        if loop is None:
            try:
                loop = asyncio.get_running_loop()
            except RuntimeError:
                raise RuntimeError(
                    "the engine's loop is needed: loop=..., as no loop runs in this thread"
                ) from None
        names = engine.world.accounts
        if not account:
            brokers = engine.world.config.brokers
            found = [name for name in names if brokers.kind_of(name) == kind]
            if len(found) != 1:
                there = ", ".join(names)
                raise ValueError(
                    f"{len(found)} accounts are of the kind {kind}: account=... is needed, "
                    f"one of {there}"
                )
            account = found[0]
        if account not in names:
            raise ValueError(f"there is no account {account!r}; there is {', '.join(names)}")
        return cls(engine, account, loop)

    # --- from one thread to the engine's ----------------------------------------------------------

    def wait(self, work: Coroutine[Any, Any, T], seconds: float = ANSWER_SECONDS) -> T:
        """Do this on the engine's loop and return what it returns, for a synchronous call.

        Raises RuntimeError on that loop itself, NotConnectedError where it does not run, and
        TimeoutError where no answer came: whether the engine did it is then not known, and its
        journal says.
        """
        try:
            here = asyncio.get_running_loop()
        except RuntimeError:
            here = None
        if here is self.loop:
            work.close()
            raise RuntimeError(
                "a synchronous call waits for the engine and was made on the engine's own loop: "
                "make it from another thread, such as by asyncio.to_thread"
            )
        return self._handed_over(work).result(seconds)

    async def on_loop(self, work: Coroutine[Any, Any, T]) -> T:
        """The same for an asynchronous call, from whatever loop it is awaited on."""
        if asyncio.get_running_loop() is self.loop:
            return await work
        return await asyncio.wrap_future(self._handed_over(work))

    def _handed_over(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        if not self.loop.is_running():
            work.close()
            raise NotConnectedError(f"the engine of {self.account} does not run")
        return asyncio.run_coroutine_threadsafe(work, self.loop)

    def ask(self, look: Callable[[], T]) -> T:
        """What `look` sees of the state on the engine's loop, for a synchronous call."""
        return self.wait(self.read(look))

    async def read(self, look: Callable[[], T]) -> T:
        """What `look` sees of the state, looked at on the engine's loop."""
        return look()

    # --- what every design asks -------------------------------------------------------------------

    @property
    def reaches_venue(self) -> bool:
        """Whether the engine's link to the venue of the account stands."""
        link = self.engine.book.account(self.account).link
        return link is not None and link.state.is_up

    def need_connection(self) -> None:
        """Raises NotConnectedError before `connect` and after `disconnect`."""
        if not self.connected:
            raise NotConnectedError(f"{self.account} is not connected: call connect() first")

    async def connect(self) -> bool:
        """True where the engine's own link to the venue stands: the façade opens none."""
        self.connected = self.reaches_venue
        return self.connected

    async def place(
        self,
        *,
        by: str,
        symbol: str,
        side: Side,
        quantity: Number,
        type_: OrderType,
        limit_price: Number | None = None,
        stop_price: Number | None = None,
        protect: Number | None = None,
        time_in_force: TimeInForce | None = None,
        hold: TradeType = TradeType.SWING,
        intent_id: str = "",
        routed: bool = False,
        seconds: float = ANSWER_SECONDS / 2,
    ) -> "Placed":
        """Place an order through the engine's gate and wait for its venue's answer, so many seconds
        at most.

        It goes to this account, or, `routed`, where the engine's routes send it. Raises
        NoAnswerError where it is not known whether the order will leave: asking again could order
        twice.
        """
        command = ask.PlaceOrder(
            by=by,
            symbol=symbol,
            side=side,
            quantity=exact(quantity),
            type=type_,
            limit_price=None if limit_price is None else exact(limit_price),
            stop_price=None if stop_price is None else exact(stop_price),
            protect=None if protect is None else exact(protect),
            time_in_force=time_in_force,
            hold=hold,
            broker="" if routed else self.account,
            intent_id=intent_id,
        )
        refused: dict[str, ev.LegRefused] = {}
        news = asyncio.Event()

        def see(record: ev.Record) -> None:
            if isinstance(record.event, ev.LegRefused):
                refused[record.event.client_order_id] = record.event
            news.set()

        end = self.engine.subscribe(see)
        try:
            told = await self.engine.command(command)
            if told.code == "NO_ANSWER":
                raise NoAnswerError(f"{symbol}: {told.error}")
            if not told.ok:
                return Placed(refusal=f"{told.code}: {told.error}", code=told.code)
            order_id = str(told.data["client_order_ids"][0])
            with contextlib.suppress(TimeoutError):  # it is then told as it is
                async with asyncio.timeout(seconds):
                    while order_id not in refused and self._is_awaited(order_id):
                        news.clear()
                        await news.wait()
        finally:
            end()
        leg, order = refused.get(order_id), self.engine.book.order(order_id)
        if leg is not None and order is None:
            return Placed(refusal=f"{leg.code}: {leg.reason}", code=leg.code)
        return Placed(order_id=order_id, order=order)

    def _is_awaited(self, order_id: str) -> bool:
        """Whether an order is not made yet, or its venue has not answered."""
        order = self.engine.book.order(order_id)
        return order is None or order.status in _UNDER_WAY

    async def cancel(self, by: str, order_id: str) -> Result:
        """Ask for the cancel of an order of this account."""
        if self.order(order_id) is None:
            error = f"{self.account} has no order {order_id!r}"
            return Result(ok=False, code="REFUSED", error=error)
        return await self.engine.command(ask.CancelOrder(by=by, client_order_id=order_id))

    async def cancel_all(self, by: str) -> int:
        """Ask for the cancel of every order of this account but protective stops, and say how many
        those are. Raises RuntimeError where the engine refuses it."""
        working = self.engine.book.account(self.account).orders.values()
        count = sum(not order.is_protective for order in working)
        told = await self.engine.command(ask.CancelAll(by=by, broker=self.account))
        if not told.ok:
            raise RuntimeError(f"{told.code}: {told.error}")
        return count

    def order(self, order_id: str) -> Order | None:
        """An order of this account, working or recently ended, by its client order id."""
        return self.engine.book.order_in(self.account, order_id)

    def status_rows(self, name: str) -> list[dict[str, Any]]:
        """The rows of this account in a list of the engine's status (INTERFACE, `status`)."""
        return [row for row in self.engine.status()[name] if row["broker"] == self.account]

    def balances(self) -> dict[str, Any]:
        """What the engine's status says of this account."""
        (row,) = self.status_rows("accounts")
        return row

    def own_cash(self) -> Decimal:
        """The cash of this account in its own currency."""
        row = self.balances()
        return Decimal(row["cash"].get(row["currency"], "0"))

    def own_equity(self) -> Decimal:
        """The equity of this account in its own currency; NaN where it is not known."""
        equity = self.balances()["equity"]
        return Decimal("NaN") if equity is None else Decimal(equity)

    def hear_fills(self, heard: Callable[[ev.OrderFilled], None]) -> Callable[[], None]:
        """Call `heard` with every fill of this account from now on; the result ends it.

        What it raises goes to the loop's exception handler and stops nobody else (C-128).
        """

        def see(record: ev.Record) -> None:
            event = record.event
            if not isinstance(event, ev.OrderFilled) or event.account != self.account:
                return
            try:
                heard(event)
            except Exception as error:
                text = f"a reader of fills of {self.account} failed"
                self.loop.call_exception_handler({"message": text, "exception": error})

        return self.engine.subscribe(see)


def drop_keys(account: str, *keys: str) -> None:
    """Warn where a published constructor was given keys: they are not used and not kept.

    Those of an account come from the environment or the system's keyring, by the names that its
    table in the config states (U-72).
    """
    if any(keys):
        warnings.warn(
            f"keys given in code are dropped: those of {account} come from the environment or the "
            f"keyring, by the names under [brokers.{account}]",
            stacklevel=3,
        )


def need_world(engine: Engine, account: str, *, live: bool, named: str) -> None:
    """Raises ValueError where an address or a flag names another of a venue's worlds than the
    account is configured for: no address ever switches to real money (M-03, C-201)."""
    environment = getattr(engine.world.config.brokers.of(account), "environment", "")
    if live != (environment == "live"):
        is_in = environment or "simulated"
        raise ValueError(
            f"{named} is of the venue's {'live' if live else 'test'} world and the account "
            f"{account} is {is_in}: [brokers.{account}] in the config decides, and nothing else"
        )


def exact(number: Number) -> Decimal:
    """A number as it is written, so that 0.1 is one tenth; NaN, which the gate refuses, for what
    is none."""
    try:
        return number if isinstance(number, Decimal) else Decimal(str(number))
    except InvalidOperation:
        return Decimal("NaN")


def side_of(word: str) -> Side:
    """The side of a published word: buy or sell. Raises ValueError for another.

    A sell of what is not held opens a short, by the engine's own rules.
    """
    known = {"buy": Side.BUY, "long": Side.BUY, "sell": Side.SELL, "short": Side.SELL}
    found = known.get(str(word).lower())
    if found is None:
        raise ValueError(f"side is {word!r}; buy or sell is allowed")
    return found


def type_of(word: str, allowed: frozenset[OrderType] = frozenset(OrderType)) -> OrderType:
    """The order type of a published word. Raises ValueError for one that is not `allowed`."""
    for one in allowed:
        if one == str(word).upper().replace("-", "_"):
            return one
    names = ", ".join(sorted(one.lower() for one in allowed))
    raise ValueError(f"order type is {word!r}; one of {names} is allowed")


def tif_of(word: str) -> TimeInForce:
    """The time in force of a published word. Raises ValueError for one that is none here."""
    for one in TimeInForce:
        if one == str(word).upper():
            return one
    raise ValueError(f"time in force is {word!r}; one of day, gtc, ioc, fok is allowed")
