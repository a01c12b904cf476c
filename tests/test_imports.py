"""No circle in the imports: the console's files, and the engine's packages (DESIGN, Folders)."""

from pathlib import Path

import pytest

from tests.imports import circles, import_graph, packages


def _write(root: Path, **sources: str) -> None:
    """Files of a package `toy`, their text by name; a double underscore stands for a folder."""
    for name, text in {"__init__": "", **sources}.items():
        parts = ["__init__"] if name == "__init__" else name.split("__")
        path = root.joinpath("toy", *parts[:-1], f"{parts[-1]}.py")
        path.parent.mkdir(parents=True, exist_ok=True)
        (path.parent / "__init__.py").touch()
        path.write_text(text, encoding="utf-8")


def test_a_line_of_imports_is_no_circle(tmp_path: Path) -> None:
    _write(tmp_path, a="from toy import b\n", b="import toy.c\n", c="import json\n")
    graph = import_graph(tmp_path, "toy")
    assert graph["toy.a"] == {"toy.b"}
    assert graph["toy.b"] == {"toy.c"}
    assert circles(graph) == []


@pytest.mark.parametrize(
    "back",
    [
        "from toy.a import thing\n",
        "import toy.a as other\n",
        "from . import a\n",
        "from .a import thing\n",
        "def late():\n    from toy.a import thing\n",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from toy.a import Thing\n",
    ],
    ids=["from", "import", "relative", "relative-from", "in-a-function", "for-types"],
)
def test_every_kind_of_import_closes_a_circle(tmp_path: Path, back: str) -> None:
    _write(tmp_path, a="from toy.b import thing\n", b=back)
    assert circles(import_graph(tmp_path, "toy")) == [["toy.a", "toy.b"]]


def test_a_circle_through_a_package_of_another_folder_is_seen(tmp_path: Path) -> None:
    _write(tmp_path, one__x="from toy.two.y import thing\n", two__y="from toy.one.z import thing\n")
    (tmp_path / "toy" / "one" / "z.py").write_text("", encoding="utf-8")
    graph = import_graph(tmp_path, "toy")
    assert circles(graph) == []
    assert circles(packages(graph, 2)) == [["toy.one", "toy.two"]]


def test_no_circle_in_the_imports_of_the_console(root: Path) -> None:
    assert circles(import_graph(root, "console")) == []


def test_no_circle_between_the_rooms_of_the_console(root: Path) -> None:
    assert circles(packages(import_graph(root, "console"), 2)) == []


def test_no_two_packages_of_the_engine_import_each_other(root: Path) -> None:
    assert circles(packages(import_graph(root, "engine"), 2)) == []
