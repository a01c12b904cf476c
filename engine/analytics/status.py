"""`status --json`: what is true now, as plain data (INTERFACE; C-307, C-423, C-558, T-23).

Decimals are strings, times RFC 3339 in UTC. The shape is public: fields are added, never renamed.
"""

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

import msgspec

from engine.analytics.open_risk import open_risk
from engine.domain.instant import Nanos, clipped, rfc3339
from engine.domain.money import ONE, ZERO, plain
from engine.domain.run import CircuitState, LinkState, Mode, Phase, RunState
from engine.domain.suspicion import CORPORATE_ACTION
from engine.exits.target import shown_target
from engine.plans.kill import kept, left, unknown, vanished
from engine.state.account import AccountState, Circuit
from engine.state.cover import covered, stop_of
from engine.state.order import Order
from engine.state.position import Position
from engine.state.recent import count_after
from engine.state.sent import FAILURE_WINDOW, sent_lately
from engine.world import World, exposure
from engine.world.looks import unseen_since


class LinkFigures(msgspec.Struct, frozen=True, kw_only=True):
    """What is measured of one broker connection."""

    latency_ms: float | None = None
    last_seen: Nanos = 0


class Extras(msgspec.Struct, frozen=True, kw_only=True):
    """What the running process knows and the book does not."""

    running: bool = False
    lag_ms: tuple[float, float] | None = None
    """Loop lag, p50 and p99."""
    commit_ms: float | None = None
    links: Mapping[str, LinkFigures] = {}


def status_of(world: World, now: Nanos, extras: Extras | None = None) -> dict[str, Any]:
    """Everything INTERFACE promises of `status --json`.

    Without `extras` it is what the journal alone knows: nothing runs, nothing is connected.
    """
    more = extras or Extras()
    data = world.book.data
    state = world.book.run_state
    if extras is None:
        # What a process that is gone wrote last is not what it does now; a latch outlives it.
        state = RunState.STOPPED if data.halt is None else RunState.HALTED
    running = more.running and data.phase in (Phase.STARTING, Phase.RUNNING)
    halt = data.halt
    return {
        "connected": running and world.book.links_up,
        "running": running,
        "run_state": state.value,
        "mode": world.config.mode.value,
        "halt": None
        if halt is None
        else {"reason": halt.reason, "at": rfc3339(halt.at), "by": halt.by}
        | {"level": halt.level.value, "trigger": halt.trigger.value, "epoch": halt.epoch},
        "strategy_status": state.value,
        "strategy_equity": _money(world.money.equity),
        "account": _account(world),
        "positions": [
            _position(world, p)
            for p in sorted(world.book.holdings(), key=lambda p: (p.symbol, p.account))
        ],
        "orders": [_order(o) for o in world.book.orders()],
        "brokers": _brokers(world, more, running),
        "accounts": [_own_account(world, account, now) for account in world.book.accounts],
        "open_risk": _open_risk(world),
        "limits": limits_used(world, now),
        "oms": _oms(world),
        "resiliency": _resiliency(world, now),
        "shadow": _shadow(world),
        "loop_lag_ms": {"p50": None, "p99": None}
        if more.lag_ms is None
        else {"p50": round(more.lag_ms[0], 3), "p99": round(more.lag_ms[1], 3)},
        "journal": {"seq": data.seq, "last_commit_ms": more.commit_ms},
    }


def _account(world: World) -> dict[str, Any]:
    """The portfolio, in the base currency."""
    data = world.book.data
    session = data.session
    starting = session.starting_equity if session is not None else data.starting_equity
    daily = world.money.daily_pnl
    basis = session.loss_basis if session is not None else starting
    primary = data.accounts.get(data.primary)
    power = sum((exposure.buying_power(world, a.name) for a in world.book.accounts), start=ZERO)
    return {
        "id": primary.id if primary is not None else "",
        "currency": world.base,
        "equity": _money(world.money.equity),
        "cash": _money(world.money.cash),
        "buying_power": _money(max(power, ZERO)),
        "starting_equity": None if starting is None else _money(starting),
        "daily_pnl": _money(daily),
        "daily_pnl_pct": plain(round(daily / basis, 6)) if basis else "0",
    }


def _own_account(world: World, account: AccountState, now: Nanos) -> dict[str, Any]:
    """One account in its own currency; `unvalued` names what has no fresh rate (X-86),
    `unseen_since` when it was last seen, where that is too long ago for an entry (X-84)."""
    currency = account.currency or world.base
    equity = world.money.own_equity_of(account.name)
    missing = [c for c in world.currencies.unvalued(now) if c in _currencies_of(world, account)]
    unseen = unseen_since(world, account, now)
    return {
        "broker": account.name,
        "id": account.id,
        "currency": currency,
        "equity": None if equity is None else _money(equity),
        "cash": {c: plain(amount) for c, amount in sorted(account.cash.items()) if amount},
        "buying_power": _money(ZERO if account.balances is None else account.balances.buying_power),
        "state": account.status.value,
        "as_of": None if account.balances is None else rfc3339(clipped(account.balances.as_of)),
        "compared": rfc3339(account.seen_at) if account.seen_at else None,
        "unseen_since": rfc3339(unseen) if unseen else None,
        "differences": [msgspec.to_builtins(found) for found in account.differences],
        "unexplained": _unexplained(world, account),
        "unvalued": missing,
        "kill": _kill(world, account),
        "restrictions": [
            {"cause": cause, "reason": reason}
            for cause, reason in (*account.barred.items(), *_suspected(account))
        ],
    }


def _unexplained(world: World, account: AccountState) -> list[dict[str, Any]]:
    """What the venue has more, or less, than anything explains: cash has no symbol (X-75)."""
    found = account.unexplained
    rows = [
        {"symbol": "", "currency": currency, "quantity": plain(amount), "value": _money(amount)}
        for currency, amount in sorted(found.cash.items())
    ]
    rows += [
        {
            "symbol": symbol,
            "currency": world.book.currency_of(symbol),
            "quantity": plain(held.quantity),
            "value": _money(world.money.value_of(held)),
        }
        for symbol, held in sorted(found.holdings.items())
    ]
    return rows


def _suspected(account: AccountState) -> Iterator[tuple[str, str]]:
    """What is frozen because its price looks as after a split (X-93)."""
    for symbol in account.suspected:
        yield CORPORATE_ACTION, account.blocked.get(symbol, {}).get(CORPORATE_ACTION, symbol)


def _kill(world: World, account: AccountState) -> dict[str, Any] | None:
    """How far a kill is in one account, and what it has still to prove; None without one."""
    if account.kill is None:
        return None
    halt = world.book.data.halt
    return {
        "state": account.kill.state,
        "left": list(left(world, account)),
        "kept": [] if halt is None else list(kept(world, account, halt.flatten)),
        "unknown": list(unknown(world, account)),
        "vanished": list(vanished(account)),
    }


def _currencies_of(world: World, account: AccountState) -> set[str]:
    held = {world.book.currency_of(symbol) for symbol in account.positions}
    return held | {c for c, amount in account.cash.items() if amount} | {account.currency}


def _open_risk(world: World) -> dict[str, Any]:
    risk = open_risk(world)
    return {
        "at_stops": plain(round(risk.at_stops, 2)),
        "entries": plain(round(risk.entries, 2)),
        "unprotected": [*risk.unprotected],
    }


def _position(world: World, position: Position) -> dict[str, Any]:
    """One holding. Before its first quote a process knows the last price that was journalled, and
    without an engine that is all there is: its age is that of the document.

    Where its price looks as after a split, it counts at the price of before (X-93).
    """
    mark = world.prices.mark(position.symbol)
    suspicion = world.prices.suspicion_of(position)
    valued_at = mark if suspicion is None else suspicion.mark
    return {
        "symbol": position.symbol,
        "trade_type": position.trade_type.value,
        "quantity": plain(position.quantity),
        "average_price": plain(round(position.average_price, 8)),
        "last": _number(mark),
        "market_value": plain(world.prices.market_value(position)),
        "unrealized_pnl": None if valued_at is None else plain(position.unrealized(valued_at)),
        "realized_pnl": plain(position.realized - position.commission),
        "stop": _number(stop_of(world.book, position)),
        "target": _number(shown_target(world, position)),
        "opened_at": rfc3339(clipped(position.opened_at)),
        "broker": position.account,
        "currency": world.book.currency_of(position.symbol),
        "protected": plain(covered(world.book, position)),
    }


def _order(order: Order) -> dict[str, Any]:
    return {
        "client_order_id": order.client_order_id,
        "venue_order_id": order.venue_order_id,
        "symbol": order.symbol,
        "side": order.side.value,
        "type": order.type.value,
        "quantity": plain(order.quantity),
        "filled": plain(order.filled),
        "limit_price": _number(order.limit_price),
        "stop_price": _number(order.stop_price),
        "status": order.status.value,
        "purpose": order.purpose.value,
        "created_at": rfc3339(order.created_at),
        "broker": order.account,
        "routed": order.routed or "",
    }


def _brokers(world: World, more: Extras, running: bool) -> dict[str, Any]:
    data, brokers = world.book.data, world.config.brokers
    shown: dict[str, Any] = {}
    for name in dict.fromkeys([world.config.account.primary, *data.accounts]):
        account = data.accounts.get(name)
        figures = more.links.get(name, LinkFigures())
        link = account.link if account is not None else None
        if account is not None and not account.open:
            continue
        state = link.state if link is not None and running else LinkState.DISCONNECTED
        heard = [figures.last_seen, link.since if link is not None else 0]
        if account is not None:
            heard.append(account.heard_at)
        shown[name] = {
            "state": state.value,
            "latency_ms": None if figures.latency_ms is None else round(figures.latency_ms, 3),
            "last_seen": rfc3339(max(heard)) if max(heard) else None,
            "circuit_state": (account.circuit if account is not None else Circuit()).state.value,
            "experimental": name in brokers.names and brokers.of(name).is_experimental,
        }
    return shown


# --- limits --------------------------------------------------------------------------------------


class LimitUse(msgspec.Struct, frozen=True):
    """One limit as the status shows it: its key under `[risk]`, its value, what is measured."""

    name: str
    limit: Callable[[World], Decimal | int | None]
    measured: Callable[[World, Nanos], Decimal | int]
    counts: Callable[[World], str] = lambda world: ""
    """What is counted, where the name of the limit does not say it."""


def _share(value: Decimal, of: Decimal) -> Decimal:
    return round(value / of, 6) if of > 0 else ZERO


def _daily_loss(world: World, now: Nanos) -> Decimal:
    session = world.book.data.session
    basis = session.loss_basis if session is not None else ZERO
    return max(_share(-world.money.daily_pnl, basis), ZERO)


def _largest_name(world: World, now: Nanos) -> Decimal:
    symbols = {*(p.symbol for p in world.book.holdings()), *world.book.reservations.by_symbol}
    return _share(
        max((exposure.of_name(world, s) for s in symbols), default=ZERO), world.money.equity
    )


def _largest_sector(world: World, now: Nanos) -> Decimal:
    symbols = {*(p.symbol for p in world.book.holdings()), *world.book.reservations.by_symbol}
    sectors = {world.groups.sector_of(symbol) for symbol in symbols}
    return _share(
        max((exposure.of_sector(world, s) for s in sectors), default=ZERO), world.money.equity
    )


def _losses_counted(world: World) -> str:
    """Which losses count (A-184): a smaller one neither counts nor ends the row."""
    least = world.limits.loss_streak_pct
    size = f"{plain(least * 100)}% of the entry or more" if least else "any size"
    return f"losses in a row, of {size}"


def _entries_today(world: World, now: Nanos) -> int:
    session = world.book.data.session
    return session.entries if session is not None else 0


def _sent_last_minute(world: World, now: Nanos) -> int:
    return sent_lately(world.book, now)


LIMITS: Final = (
    LimitUse("daily_loss_limit", lambda w: w.limits.daily_loss, _daily_loss),
    LimitUse(
        "drawdown_limit", lambda w: w.limits.drawdown, lambda w, n: round(w.money.drawdown, 6)
    ),
    LimitUse(
        "max_concurrent_positions",
        lambda w: w.limits.max_positions,
        lambda w, n: w.book.symbols.slots_used,
    ),
    LimitUse("max_single_stock_exposure", lambda w: w.limits.single_name, _largest_name),
    LimitUse("max_sector_exposure", lambda w: w.limits.sector, _largest_sector),
    LimitUse(
        "max_gross_exposure",
        lambda w: w.limits.gross,
        lambda w, n: _share(exposure.gross(w), w.money.equity),
    ),
    LimitUse("max_trades_per_day", lambda w: w.limits.trades_per_day, _entries_today),
    LimitUse(
        "consecutive_loss_threshold",
        lambda w: w.limits.loss_streak_count,
        lambda w, n: w.book.data.loss_streak,
        _losses_counted,
    ),
    LimitUse("min_account_equity", lambda w: w.limits.min_equity, lambda w, n: w.money.equity),
    LimitUse("max_orders_per_minute", lambda w: w.limits.max_orders_per_minute, _sent_last_minute),
    LimitUse(
        "max_open_orders", lambda w: w.limits.max_open_orders, lambda w, n: w.book.index.count
    ),
)
"""Every limit that has a running measure, in the order it is shown."""


def limits_used(world: World, now: Nanos) -> list[dict[str, Any]]:
    """Each limit in force with what is measured.

    `used` is the share of the limit that is used, `counts` what is counted where the name does not
    say it.
    """
    rows = []
    for row in LIMITS:
        limit = row.limit(world)
        if limit is None:
            continue
        measured, ceiling = Decimal(row.measured(world, now)), Decimal(limit)
        floor = row.name == "min_account_equity"
        above, below = (ceiling, measured) if floor else (measured, ceiling)
        used = _share(above, below) if below > 0 else (ONE if above > 0 else ZERO)
        rows.append(
            {
                "name": row.name,
                "measured": plain(measured),
                "limit": plain(ceiling),
                "used": plain(round(used, 4)),
                "counts": row.counts(world),
            }
        )
    return rows


# --- order management and resilience -------------------------------------------------------------


def _oms(world: World) -> dict[str, Any]:
    """The keys of C-307; the fill rate is of what ended (C-308)."""
    metrics = world.book.data.metrics
    ended = metrics.filled + metrics.cancelled + metrics.rejected + metrics.expired
    latency = metrics.latency_ns / metrics.latency_count if metrics.latency_count else None
    return {
        "total_orders": metrics.total,
        "filled_orders": metrics.filled,
        "cancelled_orders": metrics.cancelled,
        "rejected_orders": metrics.rejected,
        "expired_orders": metrics.expired,
        "fill_rate": round(metrics.filled / ended, 6) if ended else None,
        "avg_fill_latency_seconds": None if latency is None else round(latency / 1e9, 6),
        "total_filled_notional": plain(metrics.notional),
        "total_commission": plain(metrics.commission),
        "open_orders": world.book.index.count,
        "total_fills": metrics.fills,
    }


def _shadow(world: World) -> dict[str, Any] | None:
    """What mode shadow has measured: how much worse paper fills were than the real book showed, and
    how far that had moved since the decision; means over fills. None in another mode."""
    if world.config.mode is not Mode.SHADOW:
        return None
    totals = world.book.data.shadow
    assumed = {
        a.name: plain(world.config.brokers.of(a.name).slippage_rate) for a in world.book.accounts
    }
    return {
        "fills": totals.fills,
        "measured": totals.measured,
        "slippage": plain(round(totals.slippage / totals.measured, 8)) if totals.measured else None,
        "drift": plain(round(totals.drift / totals.drifted, 8)) if totals.drifted else None,
        "assumed": assumed,
        "cost": {currency: _money(cost) for currency, cost in sorted(totals.cost.items())},
    }


def _resiliency(world: World, now: Nanos) -> dict[str, Any]:
    """The keys of C-423."""
    data = world.book.data
    metrics = data.metrics
    circuits = [account.circuit for account in world.book.accounts] or [Circuit()]
    worst = max(
        circuits, key=lambda circuit: (tuple(CircuitState).index(circuit.state), circuit.failures)
    )
    return {
        "circuit_state": worst.state.value,
        "failure_count": worst.failures,
        "last_failure": rfc3339(metrics.last_failure) if metrics.last_failure else None,
        "recent_failures_5min": count_after(data.failed, now - FAILURE_WINDOW),
        "dlq_size": len(data.letters),
        "total_failures": metrics.failures,
    }


def _money(amount: Decimal) -> str:
    """An amount to eight places: a rate that is one divided by a price has as many as fit."""
    return plain(round(amount, 8))


def _number(value: Decimal | None) -> str | None:
    return None if value is None else plain(value)
