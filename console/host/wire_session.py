"""`doctor --record DIR`: one session with each real account, kept so that it can be sent.

The session looks at the account as `connect` does, and listens to its stream and its prices for a
while. Nothing is ordered, changed or cancelled.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

from brokers import Connection, LibraryUnusable, VenueSetup, open_venue
from brokers.net.tap import tapped
from console.host.look import Look, look_on, setup_of
from console.host.output import CommandFailed, ExitCode, counted, say, warn
from console.host.place import Host, version
from console.host.secrets import KNOWN, SecretError, SecretStore
from console.host.untraded import demand_untraded, untraded_there
from console.host.wire_recorder import (
    Recorder,
    RecordingError,
    lines_of,
    redaction_of,
    write_lines,
)
from engine.config import Config
from engine.config.accounts import real_accounts
from engine.config.venue import RealVenueConfig
from engine.domain.instant import rfc3339
from engine.domain.text import clean_text
from engine.ports import BrokerError
from engine.reference.textfile import BadFile


def record(host: Host, folder: Path, *, seconds: float, quiet: bool) -> list[Path]:
    """Record a session with every account at a real venue; the files, one for each account.

    `seconds` are those in which its streams are listened to. `quiet` says nothing on stdout. A
    session that fails is kept as far as it came: that is what it is for. Raises CommandFailed where
    the config has no such account, where an engine trades one, and where a file cannot be written.
    """
    config = host.config()
    names = list(real_accounts(config))
    if not names:
        raise CommandFailed(
            ExitCode.USAGE,
            "There is nothing to record: the config opens no account at a real venue.",
            "NO_ACCOUNT",
        )
    for name in names:
        demand_untraded(host, config, name)
    tell = warn if quiet else say
    files = []
    for name in names:
        tell(f"Recording a session with {name}, {seconds:g} s of its streams ...")
        file, told = _one(host, config, name, folder, seconds)
        files.append(file)
        tell(f"{file}: {counted(told, 'message')}, secrets, account and order ids replaced.")
    tell("Amounts, prices and symbols are as the venue told them: read a file before you send it.")
    return files


def _one(host: Host, config: Config, name: str, folder: Path, seconds: float) -> tuple[Path, int]:
    """Record one account; its file, and how many messages there are in it."""
    settings, kind = config.brokers.of(name), config.brokers.kind_of(name)
    assert isinstance(settings, RealVenueConfig)  # noqa: S101 - `record` has chosen it
    store, recorder, look = SecretStore(host.environ), Recorder(), None
    secrets = []
    for variable in settings.key_variables:
        with contextlib.suppress(SecretError):
            secrets.append(store.get(variable).reveal())
    try:
        with untraded_there(host, config, name) as claim, tapped(recorder):
            plan = setup_of(
                config, name, store.get, config.market.symbols, prices=True, claim=claim
            )
            look = asyncio.run(_session(plan, config.market.symbols, seconds))
    except (BrokerError, LibraryUnusable, BadFile) as error:
        warn(f"{name}: {clean_text(KNOWN.redact(str(error)), 600)}")
    redaction = redaction_of(recorder, secrets, [settings.account_id], look)
    moment = rfc3339(recorder.started)[:19].replace(":", "").replace("-", "")
    file = folder / f"{name}-{moment}.jsonl"
    try:
        write_lines(file, lines_of(recorder, redaction, kind, version()))
    except RecordingError as error:
        raise CommandFailed(ExitCode.FAILED, str(error), "UNWRITABLE") from None
    return file, len(recorder.messages)


async def _session(plan: VenueSetup, symbols: Sequence[str], seconds: float) -> Look:
    connection = open_venue(plan)
    try:
        async with look_on(connection, symbols) as look:
            await _listen(connection, seconds)
            return look
    finally:
        connection.close()


async def _listen(connection: Connection, seconds: float) -> None:
    """Read what the account and its market tell for so long; what breaks is in the recording."""
    streams: list[AsyncIterator[Any]] = [connection.broker.reports()]
    if connection.market is not None:
        streams.append(connection.market.events())
    tasks = [asyncio.ensure_future(_drain(stream)) for stream in streams]
    await asyncio.sleep(seconds)
    for task in tasks:
        task.cancel()
    for ended in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(ended, BrokerError):
            warn(f"A stream broke: {clean_text(KNOWN.redact(str(ended)), 300)}")


async def _drain(stream: AsyncIterator[Any]) -> None:
    async for _ in stream:
        pass
