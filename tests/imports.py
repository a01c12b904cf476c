"""Who imports whom, read off the source: every import counts, wherever it stands in its file.

An import inside a function or under `TYPE_CHECKING` ties two modules together as any other does,
so both are edges here. Nothing is executed.
"""

import ast
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

Graph = Mapping[str, frozenset[str]]
"""A module or package, and what it imports of the same graph."""


def import_graph(root: Path, folder: str) -> Graph:
    """The modules under `root/folder` by dotted name, each with those of them it imports.

    Importing `a.b.c` runs `a` and `a.b` too. They count, except for a module inside them: a
    package always runs before what it holds.
    """
    files = {_name(root, path): path for path in sorted((root / folder).rglob("*.py"))}
    return {name: frozenset(_imported(name, path, files)) for name, path in files.items()}


def packages(graph: Graph, depth: int) -> Graph:
    """The same edges between packages: names are cut to `depth` parts."""
    cut = {name: ".".join(name.split(".")[:depth]) for name in graph}
    found: dict[str, set[str]] = {short: set() for short in cut.values()}
    for name, targets in graph.items():
        found[cut[name]] |= {cut[target] for target in targets} - {cut[name]}
    return {name: frozenset(targets) for name, targets in found.items()}


def circles(graph: Graph) -> list[list[str]]:
    """Every group of nodes that can all reach one another; empty when the graph has no circle."""
    reach = {node: _reachable(graph, node) for node in graph}
    found: list[list[str]] = []
    placed: set[str] = set()
    for node in sorted(graph):
        if node in placed or node not in reach[node]:
            continue
        group = sorted(other for other in reach[node] if node in reach[other])
        placed.update(group)
        found.append(group)
    return found


def _reachable(graph: Graph, start: str) -> set[str]:
    """What `start` imports, directly or through others; `start` itself only through a circle."""
    seen: set[str] = set()
    waiting = list(graph[start])
    while waiting:
        node = waiting.pop()
        if node not in seen:
            seen.add(node)
            waiting += graph[node]
    return seen


def _name(root: Path, path: Path) -> str:
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imported(name: str, path: Path, files: Mapping[str, Path]) -> Iterator[str]:
    own = {name, *_parents(name)}
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), filename=str(path))):
        for target in _targets(node, package):
            for module in (target, *_parents(target)):
                if module in files and module not in own:
                    yield module


def _targets(node: ast.AST, package: str) -> Iterable[str]:
    """The dotted names that one statement may import; what is no module is left out later."""
    match node:
        case ast.Import(names=names):
            return [alias.name for alias in names]
        case ast.ImportFrom(module=module, names=names, level=level):
            base = module or ""
            if level:
                above = package.split(".")[: len(package.split(".")) - level + 1]
                base = ".".join([*above, *([module] if module else [])])
            return [base, *(f"{base}.{alias.name}" for alias in names)]
        case _:
            return []


def _parents(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[:count]) for count in range(1, len(parts))]
