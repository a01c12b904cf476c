"""The sampler says where the processor time of a process went."""

import subprocess
import sys
from pathlib import Path

BUSY = """
import time
from tests.bench.profile import Sampler
from tests.bench import figures

sampler = Sampler()
sampler.start()
while time.process_time() < 1.5:
    figures.p99([float(n) for n in range(1000)])
sampler.stop()
print(sampler.table())
"""


def test_a_profile_says_which_thread_and_module_used_the_processor(root: Path) -> None:
    done = subprocess.run([sys.executable, "-c", BUSY], cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "MainThread" in done.stdout
    assert "tests/bench/figures.py" in done.stdout
