"""G8: the fast half of the test suite on two processors: how many tests, how long."""

import re
import subprocess
import sys
import time
from pathlib import Path

from tests.bench import rig
from tests.bench.figures import Row

ROOT = Path(__file__).resolve().parents[3]
_COUNT = re.compile(r"(\d+) (passed|failed|error)")


def main() -> None:
    folders = ["tests/storage"] if rig.is_quick() else ["tests"]
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-n", "2", "-m", "not slow", *folders],
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
                name="fast tests",
                value=float(counted.get("passed", 0)),
                unit="tests",
                budget=1500,
                direction="at least",
                note=f"{' '.join(folders)}: {note}",
            ),
            Row(
                id="G8",
                name="fast tests, time on two processors",
                value=seconds,
                unit="s",
                budget=30,
            ),
        ]
    )


if __name__ == "__main__":
    main()
