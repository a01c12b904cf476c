"""An engine whose loop is blocked once a file named `block` appears in its state folder."""

import asyncio
import sys
import time
from pathlib import Path

from console.host.account_locks import account_locks
from console.host.launch import Launch
from console.host.place import Host
from console.host.supervisor import Supervisor


async def block(folder: Path) -> None:
    """A rule that never gives the loop back."""
    while not (folder / "block").exists():
        await asyncio.sleep(0.02)
    (folder / "blocked").touch()
    time.sleep(600)


async def main(host: Host, folder: Path) -> None:
    blocking = asyncio.create_task(block(folder))
    await Supervisor(Launch(host.config(), folder, headless=True)).live()
    blocking.cancel()


if __name__ == "__main__":
    here = Host(state_option=Path(sys.argv[sys.argv.index("--state-dir") + 1]))
    state = here.make_state_dir()
    with account_locks(here, here.config(), state):
        asyncio.run(main(here, state))
