"""The test that the README shows is run as it stands there, and is as short as it says."""

import re
from pathlib import Path
from typing import Any

import pytest

FENCE = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture
def example(root: Path) -> str:
    (found,) = FENCE.findall((root / "README.md").read_text(encoding="utf-8"))
    return str(found)


def test_the_example_of_the_readme_passes(example: str) -> None:
    names: dict[str, Any] = {}
    exec(compile(example, "README.md", "exec"), names)
    tests = [value for name, value in names.items() if name.startswith("test_")]
    assert tests
    for test in tests:
        test()


def test_the_example_of_the_readme_fails_when_the_engine_does_something_else(example: str) -> None:
    names: dict[str, Any] = {}
    exec(
        compile(example.replace('"conviction": 80', '"conviction": 1'), "README.md", "exec"), names
    )
    (test,) = (value for name, value in names.items() if name.startswith("test_"))
    with pytest.raises((AssertionError, IndexError)):
        test()
