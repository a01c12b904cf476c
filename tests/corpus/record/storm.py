"""Keep the events of seeded runs of the simulator of 0.1.0: faults, crashes and kills.

python -m tests.corpus.record.storm FOLDER
"""

import sys
import tempfile
from pathlib import Path

from engine.domain.instant import rfc3339
from storage import open_journal
from tests.corpus.record.keep import keep
from tests.simulation.faults import PROFILES
from tests.simulation.simulate import Run
from tests.simulation.venue import ACCOUNT

STORMS = (("hostile", 22), ("crashy", 6))
PARTS = 10
"""What is true is kept after each tenth of the events."""


def record(target: Path, profile: str, seed: int) -> None:
    """One run of the real engine in virtual time; what its disk holds in the end is the journal."""
    run = Run(seed, PROFILES[profile])
    run.go()
    assert not run.watch.found, run.watch.found
    records = run.disk.records(0)
    moments = {
        f"{rfc3339(records[seq - 1].time)}, event {seq}": seq
        for seq in (len(records) * part // PARTS for part in range(1, PARTS + 1))
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "journal.db"
        journal = open_journal(path, inline=True, account=ACCOUNT)
        journal.append(records)
        journal.close()
        keep(path, target, f"storm-{profile}-{seed}", moments)


if __name__ == "__main__":
    for storm in STORMS:
        record(Path(sys.argv[1]), *storm)
