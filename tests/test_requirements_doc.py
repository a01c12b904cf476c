"""An id means something to a reader of this repository alone: docs/requirements.md says what."""

import re
import subprocess
from pathlib import Path

import pytest

ID = re.compile(r"(?<![A-Za-z0-9-])[ACDEGMPTUX]-\d{2,3}(?![A-Za-z0-9-])")
ROW = re.compile(r"^\| ([A-Z]-\d{2,3}) \| (\S.*\S) \|$", re.MULTILINE)
SUFFIXES = {".py", ".md", ".toml", ".sql", ".tcss", ".in"}


@pytest.fixture(scope="module")
def rows(root: Path) -> list[tuple[str, str]]:
    return ROW.findall((root / "docs" / "requirements.md").read_text(encoding="utf-8"))


def git(root: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True)
    if done.returncode:
        pytest.skip("this is no git checkout, so there are no commits to read")
    return done.stdout


def test_each_id_has_one_line(rows: list[tuple[str, str]]) -> None:
    ids = [name for name, _ in rows]
    assert ids
    assert sorted(ids) == sorted(set(ids))


def test_no_line_copies_another(rows: list[tuple[str, str]]) -> None:
    texts = [text for _, text in rows]
    assert sorted(texts) == sorted(set(texts))


@pytest.mark.slow
def test_every_id_in_code_and_tests_has_a_line(root: Path, rows: list[tuple[str, str]]) -> None:
    known = {name for name, _ in rows}
    listed = git(root, "ls-files", "-co", "--exclude-standard").splitlines()
    missing: dict[str, str] = {}
    for name in listed:
        path = root / name
        if path.suffix in SUFFIXES and path.is_file():
            for cited in ID.findall(path.read_text(encoding="utf-8")):
                if cited not in known:
                    missing.setdefault(cited, name)
    assert missing == {}


@pytest.mark.slow
def test_every_id_in_a_commit_has_a_line(root: Path, rows: list[tuple[str, str]]) -> None:
    cited = set(ID.findall(git(root, "log", "--format=%s%n%b")))
    assert cited - {name for name, _ in rows} == set()
