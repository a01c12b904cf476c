"""No single broker, account or currency is left where decisions are made (DESIGN, Accounts).

Read off the types and the code: what belongs to one account is reached through the accounts, and
no rule names a broker or a currency.
"""

import ast
import types
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints

import msgspec
import pytest

from engine.domain import events as ev
from engine.domain import inputs
from engine.domain.account import Account
from engine.domain.inputs import (
    CancelFailed,
    ModifyFailed,
    QueryFailed,
    Sending,
    SubmitFailed,
)
from engine.domain.order import Purpose, Side
from engine.domain.schema import account_of
from engine.ports import Ambiguous
from engine.state.account import AccountState, KillWork, LinkStatus
from engine.state.order import Order
from engine.state.portfolio import Portfolio
from engine.state.position import Position
from tests.engine.driver import CoreDriver

ROOMS = (
    "state",
    "core",
    "risk",
    "plans",
    "sizing",
    "exits",
    "reconcile",
    "intake",
    "world",
    "pipeline",
    "routing",
)
OF_ONE_ACCOUNT = (Account, AccountState, KillWork, LinkStatus, Order, Position)
SINGLE = {"account", "broker", "cash", "balances", "buying_power", "currency", "link", "kill"}
PRIMARY = {
    "engine/state/book.py": "whose account an event of 0.1.0 was",
    "engine/state/folds/process.py": "which one that is",
    "engine/core/life.py": "which one that is, told at the start",
    "engine/intake/operator.py": "whose id is typed to resume (X-69)",
}
"""The files that may ask which account is the primary one, and what for."""


def named(kind: Any) -> Iterator[type]:
    """Every class that an annotation names."""
    if get_origin(kind) in (Union, types.UnionType, dict, list, tuple, set, frozenset):
        for inner in get_args(kind):
            yield from named(inner)
    elif isinstance(kind, type):
        yield kind


def structs_below(kind: type, seen: set[type]) -> set[type]:
    """The structs that a struct's fields hold, at any depth, not through its accounts."""
    for name, annotation in get_type_hints(kind).items():
        if (kind, name) == (Portfolio, "accounts"):
            continue
        for inner in named(annotation):
            if issubclass(inner, msgspec.Struct) and inner not in seen:
                seen.add(inner)
                structs_below(inner, seen)
    return seen


def test_what_belongs_to_one_account_is_reached_through_the_accounts_alone() -> None:
    assert structs_below(AccountState, set()) >= {Account, KillWork, LinkStatus, Order, Position}
    assert structs_below(Portfolio, set()).isdisjoint(OF_ONE_ACCOUNT)


def test_the_portfolio_has_no_field_of_a_single_one() -> None:
    assert SINGLE.isdisjoint(Portfolio.__struct_fields__)


@pytest.mark.parametrize("kind", [Order, Position])
def test_what_is_held_and_what_works_says_in_which_account(kind: type) -> None:
    assert "account" in dir(kind)


def test_every_event_of_an_account_says_which_one() -> None:
    portfolio = {kind for kind in ev.EVENT_TYPES.values() if not _has_account(kind)}
    assert {kind.__name__ for kind in portfolio}.isdisjoint(
        {"OrderIntended", "OrderFilled", "AccountSynced", "Reconciled", "LinkChanged"}
        | {"PositionClosed", "PositionAdjusted", "SymbolBlocked", "KillProved", "OrderAdopted"}
    )
    assert account_of(ev.Unpaused(by="test")) == ""


def _has_account(kind: type) -> bool:
    return "account" in getattr(kind, "__struct_fields__", ()) or hasattr(kind, "account")


def parsed(root: Path) -> Iterator[tuple[str, ast.AST]]:
    for room in ROOMS:
        for path in sorted((root / "engine" / room).rglob("*.py")):
            yield str(path.relative_to(root)), ast.parse(path.read_text())


def test_no_rule_names_a_broker_or_a_currency(root: Path) -> None:
    forbidden = {"paper", "alpaca", "ibkr", "binance", "coinbase", "okx", "oanda"}
    forbidden |= {"USD", "EUR", "USDT", "USDC", "GBP", "JPY"}
    found = [
        (file, node.value)
        for file, tree in parsed(root)
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and node.value in forbidden
    ]
    assert found == []


def test_only_these_files_ask_which_account_is_the_primary_one(root: Path) -> None:
    asking = {
        file
        for file, tree in parsed(root)
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr == "primary"
    }
    assert asking == set(PRIMARY)


def test_an_input_about_an_order_says_whose_it_is() -> None:
    about_orders = [
        kind
        for kind in vars(inputs).values()
        if isinstance(kind, type)
        and issubclass(kind, msgspec.Struct)
        and kind.__module__ == inputs.__name__
        and "client_order_id" in kind.__struct_fields__
    ]
    assert len(about_orders) >= 7
    assert [k.__name__ for k in about_orders if "account" not in k.__struct_fields__] == []


@pytest.mark.parametrize("kind", [CancelFailed, ModifyFailed, SubmitFailed, QueryFailed])
def test_what_one_venue_says_of_an_id_touches_no_order_of_another(
    kind: type[CancelFailed | ModifyFailed | SubmitFailed | QueryFailed],
) -> None:
    desk = CoreDriver()
    desk.quote("NVDA", "100")
    desk.place(Side.BUY, Decimal(1))
    key = desk.last(Purpose.MANUAL).client_order_id
    desk.give(Sending("paper", key))
    assert desk.give(kind("elsewhere", key, Ambiguous("no answer"))) == []
    assert desk.give(kind("paper", key, Ambiguous("no answer"))) != []
