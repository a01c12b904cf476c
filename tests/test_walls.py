"""The walls between the folders, and the promises of the packaging files."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

from brokers import FACTORIES

LOCKED = re.compile(r"^([a-z0-9-]+)==([^ ]+)", re.MULTILINE)


@pytest.fixture(scope="module")
def project(root: Path) -> dict[str, Any]:
    return tomllib.loads((root / "pyproject.toml").read_text())


@pytest.fixture(scope="module")
def lock(root: Path) -> str:
    return (root / "requirements.lock").read_text()


def normal(requirement: str) -> str:
    """The package's name as the index writes it: lower case, dashes (PEP 503)."""
    name = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert name is not None, requirement
    return re.sub(r"[-_.]+", "-", name.group()).lower()


def test_no_folder_imports_through_a_wall(root: Path) -> None:
    linter = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([linter, "--no-logo"], cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def words(name: str) -> set[str]:
    """The words of a name or a text, in small letters: those of `KeyOfAlpaca` and `alpaca_key`."""
    found = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)
    return {word.lower() for word in found}


def named(source: str) -> Iterator[str]:
    """Every name and every text of a source, without its comments and docstrings."""
    tree = ast.parse(source)
    prose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant):
            if isinstance(node.value, str) and id(node) not in prose:
                yield node.value
            continue
        for field in ("id", "attr", "arg", "name", "asname", "module"):
            value = getattr(node, field, None)
            if isinstance(value, str):
                yield value


def test_words_are_told_apart() -> None:
    source = (
        '"""Of okx."""\nclass OandaKey:\n    IBKR_PORT = f"at {x.binance} coinbases"  # alpaca\n'
    )
    found = set().union(*map(words, named(source)))
    assert found >= {"oanda", "key", "ibkr", "port", "at", "binance", "coinbases"}
    assert not found & {"okx", "coinbase", "alpaca"}


PUBLISHED = {
    "AlpacaBroker",
    "AlpacaClient",
    "BinanceAdapter",
    "CoinbaseAdapter",
    "IBKRAdapter",
    "IBKRClient",
    "OKXAdapter",
    "OandaAdapter",
    "alpaca",
    "binance",
    "coinbase",
    "https://api.alpaca.markets",
    "https://paper-api.alpaca.markets",
    "ibkr",
    "oanda",
    "okx",
}
"""The names of venues that the three published designs carry, each with the kind it stands for."""


def test_the_engine_names_no_venue(root: Path) -> None:
    """A venue's folder declares what is its own; the engine knows it by its table and its port."""
    venues = set(FACTORIES) - {"paper"}  # which is the word of a mode too
    found: dict[str, set[str]] = {}
    texts: set[str] = set()
    published: set[str] = set()
    for path in (root / "engine").rglob("*.py"):
        if path.is_relative_to(root / "engine" / "facade"):
            published |= {name for name in named(path.read_text()) if words(name) & venues}
            continue
        for name in named(path.read_text()):
            if words(name) & venues:
                found.setdefault(str(path.relative_to(root)), set()).add(name)
            if name == "paper":
                texts.add(str(path.relative_to(root)))
    assert found == {}
    # The mode of that name, and the name of the account that a file without [account] trades in.
    assert texts == {"engine/domain/run.py", "engine/config/trading.py"}
    assert published == PUBLISHED


def test_the_console_names_no_venue(root: Path) -> None:
    """What is said of one venue and no other is declared by its settings, or by its guide."""
    venues = set(FACTORIES) - {"paper"}
    found: dict[str, set[str]] = {}
    for path in (root / "console").rglob("*.py"):
        if names := {name for name in named(path.read_text()) if words(name) & venues}:
            found[str(path.relative_to(root))] = names
    # The example of a route in a new config.
    assert found == {"console/cli/settings.py": {"binance"}}


@pytest.mark.parametrize("folder", ["engine", "brokers", "storage", "themes"])
def test_textual_is_named_only_in_the_console(root: Path, folder: str) -> None:
    importing = re.compile(r"^\s*(?:from|import)\s+textual\b", re.MULTILINE)
    found = [p for p in (root / folder).rglob("*.py") if importing.search(p.read_text())]
    assert found == []


def test_the_headless_command_line_never_imports_textual(root: Path) -> None:
    code = (
        "import console.cli.program, sys; "
        "sys.exit(', '.join(m for m in sys.modules if m.split('.')[0] == 'textual') or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_lock_names_no_address(lock: str) -> None:
    assert re.findall(r"^.*(?:://|--index|--find-links|@ ).*$", lock, re.MULTILINE) == []


def test_every_locked_version_has_hashes(lock: str) -> None:
    entries = re.split(r"^(?=[a-z0-9])", lock, flags=re.MULTILINE)[1:]
    assert entries
    assert [e.split()[0] for e in entries if "--hash=sha256:" not in e] == []


def test_the_lock_covers_runtime_tests_and_build_back_end(
    root: Path, project: dict[str, Any], lock: str
) -> None:
    wanted = [
        *project["project"]["dependencies"],
        *project["project"]["optional-dependencies"]["test"],
        *project["build-system"]["requires"],
        *[
            line
            for line in (root / "requirements.in").read_text().splitlines()
            if line and not line.startswith("#")
        ],
    ]
    locked = {name for name, _ in LOCKED.findall(lock)}
    assert {normal(w) for w in wanted} - locked == set()


def test_an_exact_pin_of_the_project_is_the_locked_version(
    project: dict[str, Any], lock: str
) -> None:
    locked = dict(LOCKED.findall(lock))
    pins = [d.split("==") for d in project["project"]["dependencies"] if "==" in d]
    assert pins
    for name, version in pins:
        assert locked[normal(name)] == version


def test_the_lock_is_within_every_bound_of_the_project(project: dict[str, Any], lock: str) -> None:
    """The locked versions are the tested ones; no other version within a bound was tried."""
    locked = dict(LOCKED.findall(lock))
    extras = project["project"]["optional-dependencies"]
    apart = {"ibkr-legacy", "alerts", "dev"}
    assert apart < extras.keys()
    stated = [row for name, rows in extras.items() if name not in apart for row in rows]
    for requirement in map(Requirement, [*project["project"]["dependencies"], *stated]):
        assert locked[normal(requirement.name)] in requirement.specifier, requirement


def test_only_one_library_brings_the_module_eventkit(lock: str) -> None:
    locked = {name for name, _ in LOCKED.findall(lock)}
    assert not {"ib-async", "ib-insync"} <= locked


def test_every_dependency_says_what_it_is_for(root: Path, project: dict[str, Any]) -> None:
    lines = [line.strip() for line in (root / "pyproject.toml").read_text().splitlines()]
    extras = project["project"]["optional-dependencies"].values()
    for requirement in [*project["project"]["dependencies"], *(r for e in extras for r in e)]:
        places = [n for n, line in enumerate(lines) if line == f'"{requirement}",']
        assert places, f"{requirement}: not on a line of its own"
        for n in places:
            assert lines[n - 1].startswith("# "), f"{requirement}: the line above says nothing"


def test_the_wheel_holds_every_folder(project: dict[str, Any]) -> None:
    packages = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert sorted(packages) == ["brokers", "console", "engine", "storage", "themes"]
