"""Keys of a config file are changed, all else in it stays (INTERFACE, `connect NAME`)."""

import os
import stat
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokers import venue_kinds
from console.host.config_edit import Change, Edit, EditError, edited, read_config, replace_config
from engine.config import init_text

TEXT = """\
# what I trade with
mode = "paper"                    # never live

[market]   # the market
symbols = ["AAPL", "MSFT"]        # mine
# the venue's
[brokers.alpaca]
key_env = "MY_KEY"
"""


def comments(text: str) -> list[str]:
    """Every comment in order; no value of these tests holds the sign."""
    return [line[line.index("#") :].rstrip() for line in text.splitlines() if "#" in line]


def test_a_key_is_changed_where_it_stands_and_keeps_its_comment() -> None:
    found = edited(TEXT, Edit((Change(("market", "symbols"), ("AAPL", "SPY")),)))
    assert found == TEXT.replace('"MSFT"', '"SPY"')


def test_a_new_key_follows_the_head_of_its_table() -> None:
    found = edited(TEXT, Edit((Change(("market", "source"), "broker"),)))
    assert found == TEXT.replace("# the market\n", '# the market\nsource = "broker"\n')


def test_a_new_table_and_a_route_follow_the_end_of_the_file() -> None:
    edit = Edit((Change(("account", "primary"), "alpaca"),), ({"symbol": "X", "broker": "okx"},))
    assert edited(TEXT, edit) == (
        f'{TEXT}\n[account]\nprimary = "alpaca"\n\n[[routes]]\nsymbol = "X"\nbroker = "okx"\n'
    )
    assert edited("", edit).startswith('[account]\nprimary = "alpaca"\n')


def test_line_ends_of_another_system_stay() -> None:
    text = TEXT.replace("\n", "\r\n")
    found = edited(text, Edit((Change(("market", "source"), "broker"),), ({"broker": "okx"},)))
    assert found.count("\n") == found.count("\r\n")


def test_a_list_over_several_lines_keeps_the_comments_of_what_stays() -> None:
    text = '[market]\nsymbols = [\n  "AAPL",  # core\n  "MSFT",  # core too\n]\n'
    found = edited(text, Edit((Change(("market", "symbols"), ("AAPL", "MSFT", "SPY")),)))
    assert comments(found) == ["# core", "# core too"]
    assert tomllib.loads(found) == {"market": {"symbols": ["AAPL", "MSFT", "SPY"]}}


@pytest.mark.parametrize(
    "text",
    [
        'account.primary = "paper"\n',
        'account = { primary = "paper" }  # short\n',
        '[account]\n"primary" = "paper"\n',
    ],
)
def test_a_key_may_be_written_in_any_way(text: str) -> None:
    found = edited(text, Edit((Change(("account", "primary"), "okx"),)))
    assert tomllib.loads(found) == {"account": {"primary": "okx"}}
    assert comments(found) == comments(text)


def test_what_only_looks_like_a_head_is_left_alone() -> None:
    text = 'strategy = """\n[market]\n"""\n[market]\nseed = 7\n'
    with pytest.raises(EditError, match=r"\[market\] source = \"broker\".* by hand"):
        edited(text, Edit((Change(("market", "source"), "broker"),)))


def test_routes_that_are_no_rows_of_their_own_are_left_alone() -> None:
    with pytest.raises(EditError, match="by hand"):
        edited("routes = []\n", Edit((), ({"broker": "okx"},)))


KEYS: list[tuple[tuple[str, ...], Any]] = [
    (("account", "primary"), "okx"),
    (("account", "currency"), "USDT"),
    (("market", "source"), "broker"),
    (("market", "symbols"), ("BTC-USDT", "ETH-USDT")),
    (("brokers", "okx", "account_id"), "44705892343619584"),
    (("brokers", "mine", "kind"), "okx"),
]


@given(
    st.lists(st.sampled_from(KEYS), unique=True),
    st.lists(st.sampled_from(["[account]", "[market]", "[brokers.okx]", "[risk]"]), unique=True),
    st.booleans(),
)
def test_only_the_keys_that_are_meant_differ_whatever_the_file_says(
    keys: list[tuple[tuple[str, ...], Any]], heads: list[str], whole: bool
) -> None:
    text = "".join(f"# of {head}\n{head}  # here\n" for head in heads)
    if whole:
        text = init_text(venue_kinds(), example="okx")
    found = edited(text, Edit(tuple(Change(key, value) for key, value in keys)))
    before, after = dict(_leaves(tomllib.loads(text))), dict(_leaves(tomllib.loads(found)))
    asked = {key: list(v) if isinstance(v, tuple) else v for key, v in keys}
    assert after == before | asked
    assert comments(found) == comments(text)


def _leaves(tree: dict[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[Any, Any]]:
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from _leaves(value, (*path, key))
        else:
            yield (*path, key), value


def test_the_file_is_replaced_whole_with_its_mode_and_behind_its_link(tmp_path: Path) -> None:
    file, link = tmp_path / "dotfiles.toml", tmp_path / "config.toml"
    file.write_text("a = 1\n", encoding="utf-8")
    file.chmod(0o640)
    link.symlink_to(file)
    replace_config(link, "a = 1\n", "a = 2\n")
    assert (link.is_symlink(), read_config(file)) == (True, "a = 2\n")
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config.toml", "dotfiles.toml"]


def test_a_new_file_is_for_this_user_alone(tmp_path: Path) -> None:
    path = tmp_path / "meridian" / "config.toml"
    replace_config(path, "", "a = 2\n")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_file_that_somebody_changed_meanwhile_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text("a = 3\n", encoding="utf-8")
    with pytest.raises(EditError, match="was changed meanwhile"):
        replace_config(path, "a = 1\n", "a = 2\n")
    assert read_config(path) == "a = 3\n"
    assert [found.name for found in tmp_path.iterdir()] == ["config.toml"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_file_that_may_not_be_changed_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text("a = 1\n", encoding="utf-8")
    path.chmod(0o400)
    with pytest.raises(EditError, match="may not change it"):
        replace_config(path, "a = 1\n", "a = 2\n")
    path.chmod(0o600)
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(EditError, match=f"{path} cannot be written"):
            replace_config(path, "a = 1\n", "a = 2\n")
    finally:
        tmp_path.chmod(0o700)
    assert read_config(path) == "a = 1\n"


def test_a_folder_that_is_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "meridian").write_text("", encoding="utf-8")
    with pytest.raises(EditError, match="cannot be"):
        replace_config(tmp_path / "meridian" / "config.toml", "", "a = 2\n")
