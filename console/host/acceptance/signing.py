"""`dryrun sign`: a person signs a report off for real money (M-80, C-706, C-707).

The sign-off is an event of the journal of the state folder that will trade live, made with the
config that it will trade by.
"""

import asyncio
import time
from pathlib import Path
from typing import Final

from console.host import wiring
from console.host.acceptance import report as reports
from console.host.acceptance.live import live_accounts
from console.host.acceptance.report import Report, ReportError
from console.host.account_locks import account_locks
from console.host.locks import Work
from console.host.output import CommandFailed, ExitCode, document, say
from console.host.place import Host, version
from console.host.sentences import in_sentences
from engine.config import Config, limits_digest
from engine.config.profiles import limits, worst_case
from engine.core.rollout import faults
from engine.domain import commands as ask
from engine.domain.result import Result
from engine.domain.run import Mode, SignOff
from engine.domain.text import clean_text
from engine.runtime.clock import SystemClock
from storage.latch import FileLatch

LONGEST_NAME: Final = 80


def sign(host: Host, path: Path, by: str, confirm: str, *, as_json: bool) -> None:
    """Record the sign-off. Raises CommandFailed: the report cannot be read (2), it is no ground for
    real money here or is not confirmed (4), an engine works there (5), or failed."""
    config = host.config()
    if config.mode is not Mode.LIVE:
        text = (
            f'mode = "{config.mode}": a dry run is signed off with the config that trades live, '
            "and its --state-dir"
        )
        raise CommandFailed(ExitCode.REFUSED, text, "MODE")
    name = clean_text(by).strip()
    if not name or len(name) > LONGEST_NAME:
        text = f'--by "{name[:LONGEST_NAME]}": a name of 1 to {LONGEST_NAME} characters is allowed.'
        raise CommandFailed(ExitCode.USAGE, text, "INVALID_INPUT")
    try:
        found, digest = reports.read(path)
    except ReportError as error:
        raise CommandFailed(ExitCode.USAGE, str(error), "REPORT") from error
    signed = _sign_off(found, digest, config)
    _demand(config, found, signed)
    phrase = f"SIGN {digest[:8]}"
    if confirm != phrase:
        if not as_json:
            for line in reports.lines_of(found):
                say(line, hang=6)
        raise CommandFailed(ExitCode.REFUSED, _asked(config, phrase), "NOT_CONFIRMED")
    told = _recorded(host, config, ask.Sign(by=name, sign_off=signed, passed=found.passed))
    if not told.ok:
        raise CommandFailed(ExitCode.REFUSED, told.error, told.code)
    if as_json:
        document({"signed": True, "by": name, "kind": signed.kind, "report": digest})
    else:
        say(f"signed off by {name}: real money may be traded at {signed.kind} with this config")


def _sign_off(found: Report, digest: str, config: Config) -> SignOff:
    return SignOff(
        kind=found.kind,
        environment=found.environment,
        account_id=found.account_id,
        at_venue=found.at_venue,
        evidence=found.evidence,
        version=found.version,
        run_at=found.at,
        report=digest,
        limits=limits_digest(config),
    )


def _demand(config: Config, found: Report, signed: SignOff) -> None:
    """Raises CommandFailed (refused) where a live start would not take this sign-off."""
    wanted = [account for account in live_accounts(config) if account.kind == found.kind]
    against = [] if found.passed else ["the dry run did not pass"]
    if found.reads_alone:
        against.append("it is the part that reads alone, without an order")
    elif not found.orders:
        against.append("it placed no order")
    if not wanted:
        kinds = ", ".join(sorted({account.kind for account in live_accounts(config)}))
        against.append(f"it is a dry run of {found.kind}, and this config trades {kinds}")
    against += faults(
        found.kind,
        signed,
        at_venue=any(account.at_venue for account in wanted),
        version=version(),
        limits=signed.limits,
        now=time.time_ns(),
    )
    if against:
        text = f"The report cannot be signed off: {'; '.join(against)}."
        raise CommandFailed(ExitCode.REFUSED, text, "REPORT")


def _asked(config: Config, phrase: str) -> str:
    """What a person is about to sign, and what to type for it."""
    accounts = ", ".join(f"{a.name} ({a.kind})" for a in live_accounts(config))
    return (
        f'not confirmed: type --confirm "{phrase}" to let real money be traded with this config at '
        f"{accounts}, profile {config.profile.value}. {worst_case(limits(config))}"
    )


def _recorded(host: Host, config: Config, command: ask.Sign) -> Result:
    """The command's result, once it is durable; no venue is connected to. Raises CommandFailed."""
    folder = host.make_state_dir()

    async def record() -> Result:
        house = wiring.build(
            config,
            clock=SystemClock(),
            state_dir=folder,
            version=version(),
            latch=FileLatch(folder),
        )
        try:
            return await house.engine.command(command)
        finally:
            house.close()

    with account_locks(host, config, folder, Work.SIGN_OFF), in_sentences(config):
        return asyncio.run(record())
