"""The built wheel, alone in a fresh environment, is the whole program: styles, themes, data."""

import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

FOLDERS = ("engine", "brokers", "storage", "themes", "console")


@pytest.fixture(scope="module")
def wheel(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("dist")
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(target)],
        cwd=root,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = target.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def fresh(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment that holds the wheel, and sees the tests' libraries but not this checkout."""
    home = tmp_path_factory.mktemp("fresh")
    venv.create(home, with_pip=False)
    site = next(home.glob("lib/python3*/site-packages"))
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    (site / "libraries.pth").write_text(sysconfig.get_path("purelib"), encoding="utf-8")
    return home


def run(fresh: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    return subprocess.run(
        [str(fresh / "bin" / "python"), *arguments],
        cwd=fresh,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_the_wheel_holds_every_file_of_the_packages(root: Path, wheel: Path) -> None:
    packed = set(zipfile.ZipFile(wheel).namelist())
    files = {
        str(path.relative_to(root))
        for folder in FOLDERS
        for path in (root / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert files - packed == set()


def test_the_wheel_holds_nothing_else(wheel: Path) -> None:
    tops = {name.split("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert {t for t in tops if not t.endswith(".dist-info")} == set(FOLDERS)


def test_every_folder_is_imported_from_the_wheel(fresh: Path) -> None:
    done = run(fresh, "-c", f"import {', '.join(FOLDERS)}; print(engine.__file__)")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(str(fresh))


def test_the_installed_program_runs(fresh: Path, tmp_path: Path) -> None:
    start = "import sys; from console.cli import main; sys.exit(main())"
    version = run(fresh, "-c", start, "--version")
    assert (version.returncode, version.stderr) == (0, "")
    assert "0.1.0" in version.stdout
    headless = run(
        fresh, "-c", start, "--state-dir", str(tmp_path / "state"), "--headless", "--for", "1"
    )
    assert headless.returncode == 0, headless.stdout + headless.stderr
