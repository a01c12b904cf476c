"""From a command to an engine that runs: its config, its locks, its log and its loop."""

import asyncio
import logging
import time
from pathlib import Path

from brokers.paper.bars import BarFile, check_bars
from console.host import logs, wiring
from console.host.account_locks import account_locks, claims_of
from console.host.detach import Tether, has_terminal
from console.host.follow import demand_followable
from console.host.launch import Launch
from console.host.output import CommandFailed, ExitCode
from console.host.place import Host
from console.host.secrets import forbid_core_dumps
from console.host.sentences import in_sentences
from console.host.supervisor import Supervisor
from console.terminal.bootstrap import settle_collector
from engine.config import Config

_log = logging.getLogger("console.host.serving")


def run(
    host: Host,
    *,
    headless: bool,
    seconds: float | None,
    until_idle: bool,
    accept_clock: bool,
    tether: Tether | None = None,
) -> int:
    """Runs the engine, with the console where there is a terminal. Raises CommandFailed.

    `tether` leads to the process that the shell waits for, if that is another one.
    """
    config = host.config()
    folder = host.make_state_dir()
    without = headless or not has_terminal()
    launch = Launch(
        config,
        folder,
        headless=without,
        seconds=seconds,
        until_idle=until_idle,
        accept_clock=accept_clock,
        tether=tether,
    )
    told = "there is no terminal: the engine runs without the console"
    return locked(host, launch, warning=told if without and not headless else "")


def locked(host: Host, launch: Launch, *, warning: str = "") -> int:
    """Serve the launch with the locks of its accounts and a log. Raises CommandFailed."""
    forbid_core_dumps()
    config, folder = launch.config, launch.folder
    with account_locks(host, config, folder), claims_of(host, config, folder) as launch.claims:
        logging_ = _start_logs(host, launch)
        try:
            if warning:
                _log.warning("%s", warning)
            return serve(launch)
        finally:
            logging_.finish()


def serve(launch: Launch) -> int:
    """Runs the launch on a loop of its own; the account lock is held. Raises CommandFailed."""
    with in_sentences(launch.config):
        demand_followable(launch.config)
        bars = _bars(launch.config)
        if bars is not None and launch.config.market.speed == 0:
            from console.host.headless import serve_fast

            settle_collector()
            return serve_fast(launch.config, launch.folder, bars)
        return asyncio.run(Supervisor(launch, bars).live())


def _bars(config: Config) -> BarFile | None:
    if config.market.source != "replay":
        return None
    return check_bars(Path(config.market.file), not_after=time.time_ns())


def _start_logs(host: Host, launch: Launch) -> logs.Logs:
    try:
        level = logs.level_of(host.environ)
        return logs.start(file=launch.folder / wiring.LOG, stderr=launch.headless, level=level)
    except logs.LogSettingError as error:
        raise CommandFailed(ExitCode.USAGE, str(error), "LOG_LEVEL") from error
    except OSError as error:
        text = f"The log {launch.folder / wiring.LOG} cannot be written: {error.strerror or error}."
        raise CommandFailed(ExitCode.FAILED, text, "LOG") from error
