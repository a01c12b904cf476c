"""A process that writes orders until it is killed, and says after each commit how far it came.

python -m tests.storage.crash_writer JOURNAL
"""

import asyncio
import os
import sys
from pathlib import Path

from engine.state.book import Book
from engine.state.fold import apply
from storage import open_journal
from tests.storage.lives import History


async def main(path: Path) -> None:
    journal = open_journal(path)
    book = Book()
    for record in journal.load().records:
        apply(book, record)
    history = History(first=journal.last_seq + 1)
    history.book = book
    waiting: set[asyncio.Task[None]] = set()
    places = asyncio.Semaphore(20)

    async def submit(number: int) -> None:
        records = history.life(f"o{number}", f"S{number % 7}")
        await journal.append(records)
        os.write(1, b"%d\n" % records[-1].seq)
        places.release()

    number = journal.last_seq
    while True:
        await places.acquire()
        number += 1
        task = asyncio.create_task(submit(number))
        waiting.add(task)
        task.add_done_callback(waiting.discard)


asyncio.run(main(Path(sys.argv[1])))
