"""`dryrun`: the acceptance run of a paper account or a test environment, and its report (C-706)."""

import resource
import sys
import time
from pathlib import Path
from typing import Final

import msgspec

from brokers import TellsIdentity, missing_libraries
from console.host import wiring
from console.host.acceptance import report as reports
from console.host.acceptance.report import OrderRow, Report
from console.host.acceptance.script import Performance, Plan
from console.host.account_opening import real_setups
from console.host.data_files import instruments
from console.host.launch import Launch
from console.host.output import CommandFailed, ExitCode, document, say
from console.host.place import Host, version
from console.host.sentences import in_sentences
from console.host.serving import locked
from console.host.venue_visit import visit
from engine.analytics.acceptance import Criterion, Life, Run, judged, lives_of
from engine.config import Config, account_id, digest, limits_digest, opened
from engine.config.accounts import routed_symbols
from engine.config.venue import RealVenueConfig, SimulatedVenueConfig
from engine.domain.instant import NS_PER_MS, NS_PER_SECOND
from engine.domain.money import plain
from engine.domain.run import Mode
from engine.ports import Clock
from engine.runtime.clock import SystemClock
from storage.latch import FileLatch

LATENCY_MS: Final = (10, 20)
"""C-701: the simulated latency of the run on paper; every limit that is touched fills."""

READ_ONLY: Final = (
    "any order: this environment gives canned answers and takes none (X-61), so that this is the "
    "part of a dry run that reads, and no ground for real money",
    "the venue's live prices: a paper account is traded on a simulated market; its own dry "
    "run is the part that trades",
)
NOT_SHOWN: Final = (
    "a restart, a kill, a lost connection: practise kill and resume (docs/rollout.md)",
    "the strategy: no signal was traded, only orders of the run itself",
)


def command(
    host: Host, *, broker: str, symbol: str, rounds: int, steady: float, as_json: bool
) -> ExitCode:
    """Run, write the report, print it; FAILED where a row of it failed. Raises CommandFailed."""
    config = host.config()
    name = broker or config.account.primary
    if _is_canned(config, name):
        found = _read_only(host, config, name)
    else:
        symbol = checked(config, name, symbol)
        demand_ready(host)
        found = perform(host, config, name, symbol, rests=rounds, trades=rounds, steady=steady)
    path = _written(found, host.state_dir / reports.FOLDER)
    if as_json:
        document(reports.document_of(found) | {"report": str(path)})
    else:
        for line in reports.lines_of(found):
            say(line, hang=6)
        say(f"written to {path}")
    return ExitCode.DONE if found.passed else ExitCode.FAILED


def _is_canned(config: Config, name: str) -> bool:
    """Whether the account's environment takes no orders, so that it can be read alone (X-61)."""
    settings = config.brokers.of(name) if name in opened(config) else None
    return isinstance(settings, RealVenueConfig) and settings.is_canned


def _read_only(host: Host, config: Config, name: str) -> Report:
    """The part of a dry run that reads, of an environment that takes no orders (X-61).

    No order was sent, and so it is no ground for real money. Raises CommandFailed.
    """
    with in_sentences(config):
        plan = real_setups(config, SystemClock())[name]
    host.make_state_dir()
    found = visit(host, config, {name: plan})
    told = {row.check: row.found for row in found}
    settings: RealVenueConfig = plan.settings
    return Report(
        version=version(),
        at=time.time_ns(),
        account=name,
        kind=plan.kind,
        environment=settings.environment,
        account_id=told["identity"].measured if "identity" in told else "",
        at_venue=settings.is_at_venue,
        evidence=reports.SANDBOX if settings.is_at_venue else reports.SIMULATED,
        config_digest=digest(config),
        limits_digest=limits_digest(config),
        symbol="",
        seconds=0,
        journal_first=0,
        journal_last=0,
        journal_head="",
        passed=all(one.ok is not False for one in told.values()),
        criteria=tuple(
            Criterion(
                name=check,
                spec="X-61",
                measured=one.text,
                allowed=one.allowed or "told",
                ok=one.ok,
            )
            for check, one in told.items()
        ),
        orders=(),
        told={},
        not_shown=READ_ONLY,
    )


def _written(found: Report, folder: Path) -> Path:
    try:
        return reports.write(found, folder)
    except OSError as error:
        text = f"The report cannot be written to {folder}: {error.strerror or error}."
        raise CommandFailed(ExitCode.FAILED, text, "REPORT") from error


def checked(config: Config, name: str, symbol: str) -> str:
    """The symbol to trade. Raises CommandFailed (usage, refused) for what cannot be run."""
    if name not in opened(config):
        text = f'--broker "{name}": allowed is {", ".join(opened(config))}.'
        raise CommandFailed(ExitCode.USAGE, text, "INVALID_INPUT")
    settings = config.brokers.of(name)
    is_live = isinstance(settings, RealVenueConfig) and settings.is_live
    if config.mode is not Mode.PAPER or is_live:
        text = f"{name} is live: a dry run places orders on paper or in a test environment only."
        raise CommandFailed(ExitCode.REFUSED, text, "LIVE")
    if isinstance(settings, RealVenueConfig):
        if settings.is_canned:
            text = (
                f"{name} is in the {settings.environment} environment, which gives canned answers "
                "and takes no orders (X-61)"
            )
            raise CommandFailed(ExitCode.REFUSED, text, "CANNED")
        if missing := missing_libraries(config.brokers.kind_of(name)):
            raise CommandFailed(ExitCode.USAGE, missing, "LIBRARY")
    with in_sentences(config):
        rules = instruments(config, simulated=config.market.source == "simulated")
    own = routed_symbols(config, name, rules.get)
    # Accounts on paper share one market; a real venue tells the prices of what is routed there.
    may = own if isinstance(settings, RealVenueConfig) else config.market.symbols
    if symbol and symbol not in may:
        text = f'--symbol "{symbol}": allowed is {", ".join(may) or "nothing, with these routes"}.'
        raise CommandFailed(ExitCode.USAGE, text, "INVALID_INPUT")
    if not symbol and not own:
        text = f"No symbol of [market] is routed to {name}: name one with --symbol."
        raise CommandFailed(ExitCode.USAGE, text, "INVALID_INPUT")
    return symbol or own[0]


def demand_ready(host: Host) -> None:
    """Raises CommandFailed (refused) while the state folder is halted."""
    halt = FileLatch(host.state_dir).read()
    if halt is not None:
        text = f"HALTED by {halt.by}: {halt.reason}; a dry run needs a cleared halt."
        raise CommandFailed(ExitCode.REFUSED, text, "KILL_SWITCH")


def perform(
    host: Host, config: Config, name: str, symbol: str, *, rests: int, trades: int, steady: float
) -> Report:
    """The run by an engine of its own, which holds the locks of all accounts of the config.

    Signals are left out: nothing but the orders of the run is traded. Raises CommandFailed.
    """
    settings = config.brokers.of(name)
    plan = Plan(
        account=name,
        symbol=symbol,
        is_paper=isinstance(settings, SimulatedVenueConfig),
        rests=rests,
        trades=trades,
        steady=steady,
    )
    found: list[tuple[Run, str, tuple[int, int], str]] = []

    async def work(house: wiring.House, clock: Clock) -> None:
        first = house.journal.last_seq + 1
        run = await Performance(plan, house, clock).perform()
        told = house.connections[name].broker
        answered = told.identity.answered if isinstance(told, TellsIdentity) else ""
        who = answered or account_id(config, name)
        found.append((run, who, (first, house.journal.last_seq), house.journal.digest))

    began, cpu = time.monotonic(), time.process_time()
    launch = Launch(_for_the_run(config, name), host.make_state_dir(), headless=True, task=work)
    code = locked(host, launch)
    used = (time.process_time() - cpu) / max(time.monotonic() - began, 0.001)
    if not found:
        text = f"The dry run of {name} ended before it was done: see {wiring.LOG}."
        raise CommandFailed(ExitCode.FAILED, text, "STOPPED")
    run, who, span, head = found[0]
    return _report(config, plan, run, who=who, span=span, head=head, used=used, code=code)


def _for_the_run(config: Config, name: str) -> Config:
    """The config without signals; of a paper account as C-701 wants it."""
    signals = config.signals.model_copy(update={"builtin": "", "file": ""})
    brokers = config.brokers
    settings = brokers.of(name)
    if isinstance(settings, SimulatedVenueConfig) and not settings.address:
        terms = {"latency_ms": LATENCY_MS, "fill_probability": 1}
        tables = {**brokers.tables, name: settings.model_copy(update=terms)}
        brokers = msgspec.structs.replace(brokers, tables=tables)
    return config.model_copy(update={"signals": signals, "brokers": brokers})


def _report(
    config: Config,
    plan: Plan,
    run: Run,
    *,
    who: str,
    span: tuple[int, int],
    head: str,
    used: float,
    code: int,
) -> Report:
    settings, kind = config.brokers.of(plan.account), config.brokers.kind_of(plan.account)
    real = settings if isinstance(settings, RealVenueConfig) else None
    at_venue = real is not None and real.is_at_venue
    criteria = judged(run)
    missing = list(NOT_SHOWN)
    if real is not None and real.proof_left:
        missing.append(real.proof_left)
    elif real is not None and not at_venue:
        missing.append("the venue itself: its addresses in the config are others than its own")
    if len(run.trades) < 100:
        missing.append(
            f"a rate of more than 99 %: {len(run.rests) + len(run.trades)} orders show that none "
            "of them failed, and no more"
        )
    return Report(
        version=version(),
        at=run.ended,
        account=plan.account,
        kind=kind,
        environment=real.environment if real is not None else "",
        account_id=who,
        at_venue=at_venue,
        evidence=reports.SANDBOX if at_venue else reports.SIMULATED,
        config_digest=digest(config),
        limits_digest=limits_digest(config),
        symbol=plan.symbol,
        seconds=(run.ended - run.began) // NS_PER_SECOND,
        journal_first=span[0],
        journal_last=span[1],
        journal_head=head,
        passed=code == 0 and all(row.ok is not False for row in criteria),
        criteria=criteria,
        orders=tuple(map(_order, lives_of(run))),
        told={"cpu": f"{used:.0%} of one core", "memory": f"{_memory_mb()} MB at most"},
        not_shown=tuple(missing),
    )


def _memory_mb() -> int:
    """The most memory that this process has had, in MB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak // 1_000_000 if sys.platform == "darwin" else peak // 1_000


def _order(life: Life) -> OrderRow:
    slippage = life.slippage
    return OrderRow(
        client_order_id=life.client_order_id,
        kind="resting limit" if life.rests else "at the market",
        side=life.side.value,
        quantity=plain(life.quantity),
        filled=plain(life.filled),
        average_price="" if life.average_price is None else plain(life.average_price),
        reference="" if life.reference is None else plain(life.reference),
        ended="" if life.ended is None else life.ended.value,
        fill_ms=f"{life.latency / NS_PER_MS:.1f}" if life.filled_at else "",
        slippage_bps="" if slippage is None else plain(round(slippage, 2)),
        said=life.said,
    )
