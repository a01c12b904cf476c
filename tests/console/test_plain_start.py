"""A start with global options alone is read without typer, and means what typer makes of it."""

import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
import typer

from console.cli.plain import Start, plain_start
from console.cli.program import app, hoisted
from console.host.place import PROGRAM, version
from tests.console.program import Program

READ = [
    ([], Start()),
    (["run"], Start()),
    (["--headless"], Start(headless=True)),
    (["run", "--headless", "--for", "3"], Start(headless=True, seconds=3)),
    (["--for=0.5", "--headless"], Start(headless=True, seconds=0.5)),
    (["--headless", "--until-idle", "run"], Start(headless=True, until_idle=True)),
    (["--accept-clock"], Start(accept_clock=True)),
    (["--config", "a b.toml", "--state-dir=x=y"], Start(Path("a b.toml"), Path("x=y"))),
]


@pytest.mark.parametrize(("arguments", "start"), READ)
def test_what_a_start_says(arguments: list[str], start: Start) -> None:
    assert plain_start(arguments) == start
    command = typer.main.get_command(app)
    said = command.make_context(PROGRAM, hoisted(arguments), resilient_parsing=False).params
    names = {"config", "state_dir", "headless", "seconds", "until_idle", "accept_clock"}
    assert {name: said[name] for name in names} == start._asdict()
    assert said["at"] is None


@pytest.mark.parametrize(
    "arguments",
    [
        ["status"],
        ["run", "status"],
        ["run", "run"],
        ["--version"],
        ["--help"],
        ["--at", "2026-03-02"],
        ["--"],
        [""],
        ["--headless=yes"],
        ["--headless", "--headless"],
        ["--config"],
        ["--config", "--headless"],
        ["--config="],
        ["--config", "a", "--config", "b"],
        ["--for", "3"],
        ["--until-idle"],
        ["--headless", "--for", "-1"],
        ["--headless", "--for", "soon"],
        ["--headless", "--for", "nan"],
        ["--headless", "--for", "1e3"],
    ],
)
def test_whatever_else_is_left_to_typer(arguments: list[str]) -> None:
    assert plain_start(arguments) is None


def test_an_engine_starts_without_typer(tmp_path: Path, root: Path) -> None:
    program = Program(tmp_path)
    code = (
        "import sys; from console.cli import main; "
        "done = main(['--state-dir', sys.argv[1], '--headless', '--for', '0']); "
        "sys.exit(done or ('typer' in sys.modules and 'typer is here') or 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(program.folder)],
        cwd=root,
        env=program.environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def test_the_version_is_that_of_the_installation() -> None:
    assert version() == metadata.version(PROGRAM)
