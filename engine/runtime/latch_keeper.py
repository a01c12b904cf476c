"""The file half of the halt latch, kept off the loop and in order (U-71, C-503).

The cancels of a halt do not wait for a disk. The thread is one of its own: what hangs elsewhere
must not keep a halt from the disk, and a set never overtakes a clear.
"""

import asyncio
from concurrent.futures import ThreadPoolExecutor

from engine.domain.inputs import Trouble
from engine.domain.run import Halt
from engine.ports import Latch, LatchError

BY_HAND = "file"
"""Who set a latch that is not one of ours, as `Latch.read` tells it."""


class LatchKeeper:
    """Sets and clears the latch file; a failure comes back as an input that raises an alarm."""

    def __init__(self, latch: Latch) -> None:
        self._latch = latch
        self._thread = ThreadPoolExecutor(1, "latch")

    async def set(self, halt: Halt) -> Trouble | None:
        """Write it; trouble when it cannot be written and the journal alone keeps the halt."""
        try:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._latch.set, halt)
        except LatchError as error:
            return not_kept(error)
        return None

    async def kept(self, halt: Halt) -> Halt | None:
        """The halt that would still stand there once `halt` is cleared: one that somebody made by
        hand, that cannot be read, or a later one. None where none would."""
        loop = asyncio.get_running_loop()
        standing = await loop.run_in_executor(self._thread, self._latch.read)
        if standing is None or standing == halt:
            return None
        ours = standing.by != BY_HAND and 0 < standing.epoch <= halt.epoch
        return None if ours else standing

    async def clear(self, epoch: int) -> tuple[Trouble | None, Halt | None]:
        """Remove the halt of this epoch; what went wrong, and what stands there afterwards."""
        loop = asyncio.get_running_loop()
        trouble = None
        try:
            await loop.run_in_executor(self._thread, self._latch.clear, epoch)
        except LatchError as error:
            trouble = Trouble(code="LATCH_FAILED", subject="HALT", text=str(error))
        return trouble, await loop.run_in_executor(self._thread, self._latch.read)


def not_kept(error: LatchError) -> Trouble:
    """The trouble of a latch file that could not be written."""
    text = f"the latch file cannot be written, the journal alone keeps the halt: {error}"
    return Trouble(code="LATCH_FAILED", subject="HALT", text=text)
