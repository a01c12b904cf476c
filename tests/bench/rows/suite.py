"""G8: the unit and property tests on two processors: how many, and how long they take.

A file whose tests start a process, open a pty or run the simulator is no such file.
"""

import re
import subprocess
import sys
import time
from pathlib import Path

from tests.bench import rig
from tests.bench.figures import Row

ROOT = Path(__file__).resolve().parents[3]
NOT_COUNTED = re.compile(
    r"subprocess|pexpect|openpty|multiprocessing|tests\.console\.program|tests\.simulation"
)
_COUNT = re.compile(r"(\d+) (passed|failed|error)")


def files(folder: Path) -> list[str]:
    """The test files under a folder whose tests stay in their own process."""
    found = sorted(folder.rglob("test_*.py"))
    texts = ((path, path.read_text(encoding="utf-8")) for path in found)
    return [str(path) for path, text in texts if not NOT_COUNTED.search(text)]


def main() -> None:
    chosen = files(ROOT / "tests" / "storage" if rig.is_quick() else ROOT / "tests")
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-n", "2", "-m", "not slow", *chosen],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    seconds = time.perf_counter() - began
    counted = {word: int(number) for number, word in _COUNT.findall(done.stdout)}
    note = done.stdout.strip().rsplit("\n", 1)[-1]
    rig.report(
        [
            Row(
                id="G8",
                name="unit and property tests",
                value=float(counted.get("passed", 0)),
                unit="tests",
                budget=1500,
                direction="at least",
                note=f"{len(chosen)} files: {note}; inside: pytest, two workers",
            ),
            Row(
                id="G8",
                name="unit and property tests, time on two processors",
                value=seconds,
                unit="s",
                budget=30,
            ),
        ]
    )


if __name__ == "__main__":
    main()
