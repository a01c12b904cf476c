"""D: what the disk and the processor do by themselves; every other figure leans on it."""

from tests.bench import rig
from tests.bench.figures import Row
from tests.bench.probe import probe


def main() -> None:
    found = probe(syncs=100 if rig.is_quick() else 1_000)
    note = f"p50 {found.sync_p50_ms:.3f} ms; others {found.others:.0%}, steal {found.steal:.0%}"
    rig.report(
        [
            Row(
                id="D",
                name="append of 4 KB with fdatasync, p99",
                value=found.sync_p99_ms,
                unit="ms",
                note=note,
            ),
            Row(id="D", name="a fixed piece of Python", value=found.spin_ms, unit="ms"),
        ]
    )


if __name__ == "__main__":
    main()
