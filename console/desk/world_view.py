"""The view of a state in this process: what `console.desk.port.View` promises, read off a world.

The one place of the console that knows how the engine keeps its state; the desks beside it say
which state that is, and at what time.
"""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from itertools import chain
from typing import Any

import msgspec

from console.desk.port import Subject
from console.desk.replica import Replica
from console.desk.review import review
from console.desk.rows import fill_row, key_of, order_row, place_of, position_row
from console.desk.values import (
    AccountRow,
    ComparisonView,
    Counts,
    FillRow,
    HaltedAccount,
    HaltView,
    KillRow,
    Lag,
    LimitRow,
    LinkRow,
    OrderRow,
    PortfolioView,
    PositionRow,
    Prices,
    Review,
    RunView,
    Settings,
    SignalRow,
    Stale,
    Unattended,
    Unprotected,
)
from engine.analytics.open_risk import open_risk
from engine.analytics.status import limits_used
from engine.config import kept_elsewhere
from engine.domain.commands import PlaceOrder
from engine.domain.events import OrderFilled, Record
from engine.domain.instant import NS_PER_SECOND, Nanos
from engine.domain.market import Quote
from engine.domain.money import ONE, ZERO
from engine.domain.open_risk import OpenRisk
from engine.domain.order import OrderStatus
from engine.domain.run import Flatten, Halt
from engine.intake.operator import confirmation
from engine.plans.kill import cancelled, kept, vanished
from engine.plans.unattended import unattended
from engine.state.account import AccountState
from engine.state.cover import covered
from engine.state.order import Order
from engine.state.position import Position
from engine.world import World, exposure
from engine.world.looks import unseen_since


class WorldView:
    """What is true in a world; nothing of it is changed (`console.desk.port.View`)."""

    def __init__(
        self,
        world: World,
        replica: Replica,
        *,
        now: Callable[[], Nanos],
        lag: Callable[[], Lag | None],
        past: str = "",
    ) -> None:
        """`now` tells the engine's time, `lag` its loop's; `past` says which moment this is."""
        self._world = world
        self._book = world.book
        self._replica = replica
        self._now = now
        self._lag = lag
        self._positions: dict[str, tuple[Position, Quote | None, bool, int, PositionRow]] = {}
        """Rows made so far, each with what it was made of."""
        config = world.config
        self.past = past
        self.settings = Settings(
            mode=config.mode,
            profile=str(config.profile),
            account=config.account.primary,
            currency=world.base,
            symbols=tuple(config.market.symbols),
            flatten=Flatten(config.kill.flatten),
            quote_max_age_seconds=world.limits.quote_max_age_seconds,
            gross_limit=world.limits.gross,
            loss_counts_from=world.limits.loss_streak_pct,
            drawdown_limit=world.limits.drawdown,
            kept_here=not kept_elsewhere(config),
        )

    @property
    def now(self) -> Nanos:
        """The engine's time."""
        return self._now()

    @property
    def lag(self) -> Lag | None:
        """How late the engine's loop is; None where none runs."""
        return self._lag()

    @property
    def resume_phrase(self) -> str:
        """What a person types to clear a halt (X-69)."""
        return confirmation(self._world)

    def run(self) -> RunView:
        """What the engine may do now, and why no more."""
        book, data = self._book, self._book.data
        return RunView(
            state=book.run_state,
            phase=data.phase,
            paused=data.paused,
            pause_reason=data.pause_reason,
            halt=data.halt,
            journal_failed=data.journal_failed,
            unknown=book.index.unclear,
            positions=sum(len(account.positions) for account in book.accounts),
            orders=book.index.count,
            cancellable=sum(book.index.closable.values()),
            letters=len(data.letters),
            blocked=tuple(
                (symbol, tuple(causes.values()))
                for account in book.accounts
                for symbol, causes in account.blocked.items()
            ),
            restrictions=tuple((str(c), r.reason) for c, r in data.restrictions.items()),
            barred=tuple(
                (account.name, tuple(account.barred.values()))
                for account in book.accounts
                if account.barred
            ),
        )

    def links(self) -> Sequence[LinkRow]:
        """The connection of each account that was ever connected."""
        world, now = self._world, self.now
        return [
            LinkRow(
                account.name,
                link.state,
                link.since,
                link.detail,
                account.silent_since,
                unseen_since(world, account, now),
            )
            for account in self._book.accounts
            if (link := account.link) is not None
        ]

    @property
    def heard_at(self) -> Nanos:
        """When a venue last said anything; 0 before the first word."""
        accounts = self._book.accounts
        links = [account.link.since for account in accounts if account.link is not None]
        return max((*links, *(account.heard_at for account in accounts)), default=0)

    # -- money

    def portfolio(self) -> PortfolioView:
        """All accounts together, in the base currency."""
        world, session = self._world, self._book.data.session
        return PortfolioView(
            currency=world.base,
            equity=world.money.equity,
            cash=world.money.cash,
            market_value=world.currencies.in_base(world.value.market_value),
            gross=exposure.gross(world),
            unrealized=world.money.unrealized,
            day=world.money.daily_pnl,
            day_start=None if session is None else session.starting_equity,
            drawdown=world.money.drawdown,
            unvalued=tuple(world.currencies.unvalued(self.now)),
        )

    def open_risk(self) -> OpenRisk:
        """What is lost at the stops, in the base currency, and what no stop bounds (X-82)."""
        return open_risk(self._world)

    def accounts(self) -> Sequence[AccountRow]:
        """Each account in its own currency, the primary one first."""
        book = self._book
        ordered = sorted(book.accounts, key=lambda account: account.name != book.data.primary)
        return [self._account(account) for account in ordered]

    def _account(self, account: AccountState) -> AccountRow:
        world = self._world
        currency = account.currency or world.base
        worth = world.currencies.worth.get(currency) or ONE
        return AccountRow(
            account=account.name,
            account_id=account.id,
            currency=currency,
            equity=world.money.own_equity_of(account.name) or ZERO,
            cash=account.cash.get(currency, ZERO),
            buying_power=max(exposure.buying_power(world, account.name) / worth, ZERO),
        )

    def limits(self) -> Sequence[LimitRow]:
        """The limits in force, and how much of each is used."""
        return [
            LimitRow(
                name=row["name"],
                measured=Decimal(row["measured"]),
                limit=Decimal(row["limit"]),
                used=Decimal(row["used"]),
            )
            for row in limits_used(self._world, self._now())
        ]

    def equity_curve(self) -> Sequence[Decimal]:
        """Equity as it was marked, oldest first."""
        return [amount for _, amount in self._replica.equity]

    # -- holdings

    def held(self) -> Sequence[str]:
        """The keys of all holdings."""
        return [key_of(self._world, p.account, p.symbol) for p in self._book.holdings()]

    def position(self, key: str) -> PositionRow | None:
        """One holding; made anew when it, its stop or its price changed, or a second passed."""
        account, symbol = place_of(self._world, key)
        position = self._book.holding(account, symbol)
        if position is None:
            self._positions.pop(key, None)
            self._replica.touched.discard(key)
            return None
        now, market = self._now(), self._world.market
        quote, fresh = market.quotes.get(symbol), market.is_fresh(symbol, now)
        seconds = (now - position.opened_at) // NS_PER_SECOND
        made = self._positions.get(key)
        if (
            made is not None
            and made[0] is position
            and made[1] is quote
            and made[2:4] == (fresh, seconds)
            and key not in self._replica.touched
        ):
            return made[4]
        self._replica.touched.discard(key)
        row = position_row(self._world, position, quote, fresh=fresh, now=now)
        self._positions[key] = (position, quote, fresh, seconds, row)
        return row

    def symbol_of(self, key: str) -> str:
        """The symbol that the key of a holding stands for, whether it is still held or not."""
        return place_of(self._world, key)[1]

    def account_of(self, key: str) -> str:
        """The account that the key of a holding stands for, whether it is still held or not."""
        return place_of(self._world, key)[0]

    def unprotected(self) -> Sequence[Unprotected]:
        """Holdings without a stop for all of them that are not being closed."""
        return [
            Unprotected(
                position.symbol,
                position.unprotected_since,
                bool(covered(self._book, position)),
            )
            for position in self._book.holdings()
            if position.unprotected_since and position.exiting is None
        ]

    def unattended(self) -> Sequence[Unattended]:
        """What no stop would cover at its venue if the engine ended now."""
        return [Unattended(bare.symbol, bare.text) for bare in unattended(self._world)]

    def stale(self) -> Sequence[Stale]:
        """Holdings whose newest price is too old to trade on."""
        now, market = self._now(), self._world.market
        return [
            Stale(symbol, market.age(symbol, now))
            for symbol in dict.fromkeys(p.symbol for p in self._book.holdings())
            if not market.is_fresh(symbol, now)
        ]

    # -- orders and signals

    def working(self) -> Sequence[str]:
        """The ids of orders that work, UNKNOWN ones included."""
        return [order.client_order_id for order in self._book.orders()]

    def works(self, client_order_id: str) -> bool:
        """Whether an order of that id works; as `working`, without looking at every order."""
        return self._book.works(client_order_id)

    def ended(self) -> Sequence[str]:
        """The ids of the newest finished orders, oldest first."""
        return list(self._replica.history)

    def order(self, client_order_id: str) -> OrderRow | None:
        """An order that works or that finished not long ago."""
        order = self._book.order(client_order_id)
        return None if order is None else order_row(self._world, order)

    def fills(self) -> Sequence[int]:
        """The places in the journal of the newest fills, oldest first."""
        return list(self._replica.fills)

    def fill(self, seq: int) -> FillRow | None:
        """One of `fills`."""
        record = self._replica.fills.get(seq)
        if record is None or not isinstance(record.event, OrderFilled):
            return None
        return fill_row(self._world, record, record.event)

    def signals(self) -> Sequence[str]:
        """The keys of the newest signals, oldest first: ids, told apart where one came again."""
        return list(self._replica.signals)

    def signal(self, key: str) -> SignalRow | None:
        """One of `signals`."""
        return self._replica.signals.get(key)

    @property
    def counts(self) -> Counts:
        """How many signals, orders and fills came since this console opened."""
        return self._replica.counts

    # -- market

    @property
    def price_updates(self) -> int:
        """Prices taken so far: where it did not change, no price did."""
        return self._world.market.updates

    @property
    def newest_price_at(self) -> Nanos:
        """The time of the newest price of any symbol; 0 before the first."""
        return max((quote.time for quote in self._world.market.quotes.values()), default=0)

    def quoted(self) -> Sequence[str]:
        """Symbols that have a price, in the order of their first one."""
        return list(self._world.market.quotes)

    def prices(self, symbol: str) -> Prices:
        """What the market last said of one symbol."""
        market, held = self._world.market, self._book.held(symbol)
        mine: dict[Decimal, Decimal] = {}
        working = (self._book.working(account.name, symbol) for account in self._book.accounts)
        for order in chain.from_iterable(working):
            price = order.limit_price if order.limit_price is not None else order.stop_price
            if price is not None:
                mine[price] = mine.get(price, ZERO) + order.signed_leaves
        return Prices(
            instrument=self._world.instrument(symbol),
            quote=market.quotes.get(symbol),
            depth=market.depths.get(symbol),
            fresh=market.is_fresh(symbol, self._now()),
            mine=mine,
            held=sum((position.quantity for position in held), start=ZERO),
        )

    # -- halt, comparison, journal

    def halt(self) -> HaltView:
        """The halt that stands, and what it has shown so far at each account."""
        data = self._book.data
        accounts = dict.fromkeys([*(a.name for a in self._book.accounts), *self._replica.kill])
        return HaltView(
            halt=data.halt,
            state=self._book.run_state,
            accounts=tuple(map(self._halted, accounts)),
        )

    def _halted(self, name: str) -> HaltedAccount:
        data, account = self._book.data, self._book.account(name)
        work = account.kill
        row = self._replica.kill.get(name, KillRow())
        ended = [] if data.halt is None else self._cancelled_since(account, data.halt)
        closed = 0 if work is None else work.closed
        return HaltedAccount(
            account=name,
            entries_working=sum(order.adds_exposure for order in account.orders.values()),
            positions=len(account.positions),
            stops=sum(order.protects for order in account.orders.values()),
            entries_cancelled=cancelled(account),
            stops_cancelled=sum(order.protects for order in ended),
            working=work is not None,
            state=row.state if work is None else work.state,
            closed=closed if row.closed is None else row.closed,
            kept=() if data.halt is None else kept(self._world, account, data.halt.flatten),
            vanished=vanished(account),
            kill=row,
        )

    def _cancelled_since(self, account: AccountState, halt: Halt) -> list[Order]:
        known = (account.closed.get(key) for key in self._replica.history)
        return [
            order
            for order in known
            if order is not None
            and order.status is OrderStatus.CANCELED
            and order.updated_at >= halt.at
        ]

    def comparison(self) -> ComparisonView:
        """The newest comparison with each venue, told as one: the oldest of their times."""
        accounts = self._book.accounts
        differences = tuple(d for account in accounts for d in account.differences)
        return ComparisonView(
            account=", ".join(account.name for account in accounts),
            at=min((account.reconciled_at for account in accounts), default=0),
            failed=any(account.look_failed for account in accounts),
            differences=differences,
            blocked=tuple(symbol for account in accounts for symbol in account.blocked),
        )

    def records(self) -> Sequence[Record]:
        """The newest events, oldest first."""
        return self._replica.records

    def review(self, order: PlaceOrder) -> Review:
        """What the gate says of an order at this moment; nothing is recorded or changed."""
        return review(self._world, order, self._now())

    def facts(self, subject: Subject, key: str) -> Mapping[str, Any] | None:
        """Every field of one thing by name; None where it is not known (any more)."""
        thing: msgspec.Struct | None
        match subject:
            case Subject.SIGNAL:
                row = self._replica.signals.get(key)
                thing = None if row is None else row.signal
            case Subject.POSITION:
                thing = self._book.holding(*place_of(self._world, key))
            case Subject.ORDER:
                thing = self._book.order(key)
        return None if thing is None else msgspec.structs.asdict(thing)
