"""The profiles of staged runs: what is staged, and what goes wrong beside it."""

from typing import Final

import msgspec

from engine.domain.instant import NS_PER_SECOND
from tests.simulation.faults import Faults
from tests.simulation.harsh.staged.run import CLOSE, LAST_MINUTES
from tests.simulation.harsh.staged.switches import Staged, StagedHarsh
from tests.simulation.harsh.switches import Switches

PLAIN: Final = StagedHarsh(
    name="plain", faults=Faults(), most=Switches(), chance=1.0, real_journal=0.0, operator=4
)
"""Nothing is staged and no switch is on."""
UNREAD: Final = msgspec.structs.replace(
    PLAIN, name="unread", staged=Staged(unread=1), hands=2, jumps=0.0
)
MUTE: Final = msgspec.structs.replace(PLAIN, name="mute", staged=Staged(mute=40.0))
FORGETS: Final = msgspec.structs.replace(
    PLAIN, name="forgets", staged=Staged(forgets=1), hands=0, operator=0, jumps=0.0
)
ENLARGES: Final = msgspec.structs.replace(
    PLAIN,
    name="grown",
    staged=Staged(enlarges=0.8),
    most=Switches(thin=0.97),
    changes=0,
    hands=0,
    operator=0,
)
AFTER_ALL: Final = msgspec.structs.replace(
    PLAIN,
    name="after all",
    staged=Staged(fills_refused=0.5),
    most=Switches(late_fills=0.9, thin=0.8),
)
DROPPED: Final = msgspec.structs.replace(
    PLAIN, name="dropped", staged=Staged(drops_stops=1.0), hands=0
)
LATE_RESUMES: Final = msgspec.structs.replace(
    PLAIN, name="late resumes", staged=Staged(late_resumes=2), hands=4
)
PAID: Final = msgspec.structs.replace(PLAIN, name="paid", most=Switches(transfers=3), operator=12)
FLOOR: Final = msgspec.structs.replace(
    PLAIN, name="floor", staged=Staged(floor=0.95), most=Switches(transfers=4), operator=0
)
FALLS: Final = msgspec.structs.replace(
    PLAIN, name="falls", staged=Staged(falls=1.0), changes=30, operator=14
)
ASTRAY: Final = msgspec.structs.replace(PLAIN, name="astray", staged=Staged(astray=6))
ABSURD: Final = msgspec.structs.replace(PLAIN, name="absurd", staged=Staged(absurd=6), hands=12)
LATE: Final = msgspec.structs.replace(
    PLAIN,
    name="late",
    starts=CLOSE - (LAST_MINUTES + 20) * NS_PER_SECOND,
    most=Switches(thin=0.97),
    operator=0,
    changes=0,
    hands=0,
)
SPLITS: Final = msgspec.structs.replace(
    PLAIN, name="splits", staged=Staged(adjusts=1), hands=4, operator=0
)
UNNAMED: Final = msgspec.structs.replace(
    PLAIN, name="unnamed", staged=Staged(unnamed=1), strangers=4, operator=8
)
USED_IDS: Final = msgspec.structs.replace(
    PLAIN,
    name="used",
    faults=Faults(partial=0.5),
    most=Switches(ids_reused=1, thin=0.95, gaps=12),
    restarts=3,
    hands=12,
    jumps=0.1,
)
LATE_PRINTS: Final = msgspec.structs.replace(
    PLAIN, name="late prints", staged=Staged(late_prints=6), hands=12
)
RETOLD: Final = msgspec.structs.replace(PLAIN, name="retold", staged=Staged(retold=4), hands=12)
BESIDE: Final = msgspec.structs.replace(
    PLAIN, name="beside", staged=Staged(beside=3), operator=0, hands=0, changes=0, jumps=0.0
)
GARBLED: Final = msgspec.structs.replace(
    PLAIN, name="garbled", staged=Staged(garbles=1), operator=0, hands=0, jumps=0.0
)
LOTS: Final = msgspec.structs.replace(PLAIN, name="lots", staged=Staged(lots=1.0))
UNTOLD: Final = msgspec.structs.replace(
    PLAIN, name="never told", most=Switches(executions_missing=0.3), operator=0, hands=4
)
UNSEEN: Final = msgspec.structs.replace(
    PLAIN, name="unseen", staged=Staged(mute=30.0, floor=0.8), operator=0, hands=0
)
