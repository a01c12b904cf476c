"""The pictures of the README, made by the code: the embedded default after a while, seeded.

`make screenshots` writes them to `docs/pictures`; the same code gives the same pictures.
"""

import asyncio
import os
import re
from pathlib import Path
from typing import Final

from console.terminal.bootstrap import prepare_environment

MINUTES: Final = 40
FOLDER: Final = Path(__file__).resolve().parents[2] / "docs" / "pictures"
SHOTS: Final = (
    ("console-80x24", (80, 24), ()),
    ("console-120x40", (120, 40), ()),
    ("console-200x50", (200, 50), ()),
    ("ticket-120x40", (120, 40), ("b", "2", "0")),
    ("halt-120x40", (120, 40), ("ctrl+k", "ctrl+k")),
)
"""Name, window, keys pressed before the picture is taken."""


async def take(name: str, size: tuple[int, int], keys: tuple[str, ...]) -> str:
    """One picture as SVG."""
    from textual.widgets import Input

    from console.desk.local import LocalDesk
    from console.ui.app import MeridianApp
    from tests.console.hosts import drawn, simulated

    house, clock = await simulated(0)
    running = asyncio.ensure_future(house.engine.run())
    app = MeridianApp(LocalDesk(house.engine))
    async with app.run_test(size=size) as pilot:
        app.pump.stop()
        app.seconds = lambda: 0.0
        await clock.advance(MINUTES * 60)
        await drawn(app, pilot)
        await clock.advance(2)
        await drawn(app, pilot)
        await pilot.press(*keys)
        if keys and keys[0].startswith("ctrl"):
            await clock.advance(4)
        for field in app.screen.query(Input):
            field.cursor_blink = False
        await drawn(app, pilot)
        svg = app.export_screenshot(title="meridian-tui")
    stopping = asyncio.ensure_future(house.engine.stop("the picture is taken"))
    while not stopping.done():
        await clock.advance(0.1)
    await running
    house.close()
    # the classes of the SVG carry a number that changes with every run
    return re.sub(r"terminal-\d+", f"terminal-{name}", svg)


def main() -> None:
    """Write every picture."""
    os.environ.update(TERM="xterm-256color", COLORTERM="truecolor")
    for name in ("NO_COLOR", "SSH_CONNECTION", "TMUX"):
        os.environ.pop(name, None)
    prepare_environment()
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, size, keys in SHOTS:
        target = FOLDER / f"{name}.svg"
        target.write_text(asyncio.run(take(name, size, keys)), encoding="utf-8")
        print(target)


if __name__ == "__main__":
    main()
