"""The watch on the `HALT` file: one that appears halts, whoever wrote it (C-503, A-283)."""

import os
from collections.abc import Callable
from pathlib import Path

from engine.domain.run import Halt
from engine.ports import Latch
from engine.runtime.send_gate import SendGate


class HaltWatch:
    """Looks at the latch file whenever it is asked to, and shuts the gate where it has halted.

    `tell` tells the loop of a halt; with it comes the number under which the gate was shut for it,
    None where it was shut already.
    """

    def __init__(
        self,
        halt_file: Path,
        *,
        gate: SendGate,
        latch: Latch,
        tell: Callable[[Halt, int | None], None],
    ) -> None:
        """Looks at nothing before `look`."""
        self._halt_file = halt_file
        self._gate = gate
        self._latch = latch
        self._tell = tell
        self._seen: tuple[int, ...] | None = None
        self._told = (-1, -1)
        """How far the halt went that the loop was told of last."""

    def told(self, halt: Halt) -> None:
        """The loop is told of this halt: only one that goes further is news."""
        self._told = max(self._told, halt.reach)

    def look(self) -> None:
        """A latch file that appeared, or changed while nothing was halted, halts."""
        try:
            found = os.stat(self._halt_file, follow_symlinks=False)  # noqa: PTH116 - every 40 ms
            sign: tuple[int, ...] = (found.st_ino, found.st_mtime_ns, found.st_size)
        except FileNotFoundError:
            self._seen = None
            self._told = (-1, -1)
            return
        except OSError:
            sign = (-1,)  # it cannot be looked at: unreadable means halted
        if sign == self._seen and self._gate.closed:
            return
        halt = self._latch.read()
        if halt is None:
            return  # gone again: a gate that is shut now would be shut without a halt
        self._seen = sign
        asked = None
        if not self._gate.closed:
            self._told = (-1, -1)
            asked = self._gate.ask("the HALT file is set")
        # The engine writes the file too; only what goes further than what it was told is news.
        if halt.reach > self._told:
            self._told = halt.reach
            # A gate that is shut here is not left shut without a halt, should the file be gone.
            self._tell(halt, asked)
