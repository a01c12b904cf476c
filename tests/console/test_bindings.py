"""One table feeds keys, footer, help and palette (DESIGN, Console; INTERFACE, Keys)."""

import pytest
from rich.cells import cell_len

from console.commands.model import Action, Danger
from console.commands.table import ACTIONS, BY_ID
from console.ui.bindings import bindings
from console.ui.palette import _offered
from console.ui.screens.help import help_lines
from console.ui.widgets.footer import fit_hints

CONTRACT = {
    "kill": {"ctrl+k", "f12"},
    "flatten": {"F"},
    "pause": {"p"},
    "buy": {"b"},
    "sell": {"s"},
    "close": {"x"},
    "cancel": {"c"},
    "cancel-all": {"C"},
    "reconcile": {"r"},
    "pane-1": {"1"},
    "pane-2": {"2"},
    "pane-3": {"3"},
    "pane-4": {"4"},
    "pane-5": {"5"},
    "pane-6": {"6"},
    "filter": {"slash"},
    "zoom": {"z"},
    "jump": {"o"},
    "palette": {"ctrl+p"},
    "help": {"question_mark", "f1"},
    "quit": {"ctrl+q"},
    "escape": {"escape"},
}
"""The keys of INTERFACE."""


@pytest.mark.parametrize("name", CONTRACT)
def test_the_keys_of_the_contract(name: str) -> None:
    assert set(BY_ID[name].keys) == CONTRACT[name]


def test_no_key_and_no_id_is_used_twice() -> None:
    keys = [key for action in ACTIONS for key in action.keys]
    assert len(keys) == len(set(keys))
    assert len(BY_ID) == len(ACTIONS)


def test_what_must_work_everywhere_has_priority() -> None:
    assert {a.id for a in ACTIONS if a.priority} == {"kill", "palette", "quit"}
    made = {binding.id: binding for binding in bindings()}
    assert made["kill"].priority
    assert made["kill"].key == "ctrl+k,f12"


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_the_footer_fits_and_never_loses_the_kill_and_the_way_out(width: int) -> None:
    left, right = fit_hints(ACTIONS, width - 1)
    used = sum(cell_len(f"{a.first_key} {a.label}") + 2 for a in [*left, *right])
    assert used <= width - 1
    assert "kill" in {a.id for a in left}
    assert "quit" in {a.id for a in right}


def test_a_wider_footer_shows_more() -> None:
    counts = [sum(map(len, fit_hints(ACTIONS, width))) for width in (60, 80, 120, 200)]
    assert counts == sorted(counts)
    assert counts[-1] == sum(1 for a in ACTIONS if a.shown)


@pytest.mark.parametrize("action", ACTIONS, ids=lambda a: a.id)
def test_help_and_palette_name_every_action(action: Action) -> None:
    text = "\n".join("".join(t for t, _ in line) for line in help_lines(None, 86))
    assert action.label in text
    assert action.key_words in text
    assert (action in _offered()) is action.palette


def test_an_action_that_adds_risk_is_never_at_once() -> None:
    assert {a.id for a in ACTIONS if a.danger is Danger.ADDS} == {"buy", "sell"}
    assert {a.id for a in ACTIONS if a.danger is Danger.CHANGES} == {"modify"}
    assert {a.id for a in ACTIONS if a.danger is Danger.TYPED} == {"flatten"}
