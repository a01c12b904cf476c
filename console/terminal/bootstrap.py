"""What has to be settled before textual is imported, and on every loop the console runs on.

Textual reads its settings from the environment when it is imported, and on Python 3.12+ its
`run_async` installs the eager task factory and leaves it there: the engine's tasks would then run
in another order under the console than headless or in a test.
"""

import asyncio
import gc
import os
import sys
from collections.abc import MutableMapping
from typing import Final

TEXTUAL_SETTINGS: Final = {
    # the paint timer adds up to one frame to a key press: 240 takes its p99 from 28 to 12 ms
    "TEXTUAL_FPS": "240",
    # animations repaint without news
    "TEXTUAL_ANIMATIONS": "none",
    # smooth scrolling turns on pixel mouse reports: more input for the same loop
    "TEXTUAL_SMOOTH_SCROLL": "0",
}
"""Environment that textual is imported with; a value the user set stays."""


def prepare_environment(environ: MutableMapping[str, str] | None = None) -> None:
    """Put `TEXTUAL_SETTINGS` into the environment. Raises RuntimeError once textual is imported."""
    if "textual.constants" in sys.modules and environ is None:
        raise RuntimeError(
            "prepare_environment() came after textual was imported: call it before any console "
            "module that draws"
        )
    target = os.environ if environ is None else environ
    for name, value in TEXTUAL_SETTINGS.items():
        target.setdefault(name, value)


COLLECT_EVERY: Final = (2_000, 10, 1_000)
"""How many new objects start a collection, and how many of one generation one of the next."""


def settle_collector() -> None:
    """Never look again for garbage in what stands after the start, and look less often elsewhere.

    Orders, events and quotes hold no cycles; a collection finds nothing and stops the loop. Neither
    does one of everything that a start made: it took 25 ms, a twelfth of the start, to find none.
    """
    gc.freeze()
    gc.set_threshold(*COLLECT_EVERY)


SWITCH_SECONDS: Final = 0.001
"""How long one thread may keep the interpreter while another waits for it."""


def settle_threads() -> None:
    """Let no thread wait 5 ms for a busy loop, as Python does by itself.

    A key waits to be read and an order to be durable meanwhile.
    """
    sys.setswitchinterval(min(SWITCH_SECONDS, sys.getswitchinterval()))


def settle_task_factory(loop: asyncio.AbstractEventLoop) -> None:
    """One task factory everywhere: asyncio's own, under which a task starts later."""
    loop.set_task_factory(None)
