"""The command line (INTERFACE): parses, and hands over to a module that loads only then.

`--version`, `kill` and `--headless` must be quick and never import textual.
"""

import sys
from collections.abc import Iterator, Sequence
from itertools import pairwise, takewhile
from pathlib import Path
from typing import Annotated, Final, cast

import typer

from console.cli.lines import JSON, JSON_LINES, add_lines
from console.cli.work import do
from console.host import speech
from console.host.crash import crashed
from console.host.output import CommandFailed, ExitCode, Format, failure, refused, say, warn
from console.host.place import PROGRAM, Host, version

app = typer.Typer(
    name=PROGRAM,
    help="A trading console for the terminal.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
config_app = typer.Typer(help="Write, check or show the configuration.", rich_markup_mode=None)
journal_app = typer.Typer(help="Read history.", rich_markup_mode=None)
dryrun_app = typer.Typer(rich_markup_mode=None)
letters_app = typer.Typer(help="Orders that could not be sent.", rich_markup_mode=None)
app.add_typer(config_app, name="config")
app.add_typer(journal_app, name="journal")
app.add_typer(letters_app, name="dead-letters")
app.add_typer(dryrun_app, name="dryrun")

Json = Annotated[bool, typer.Option("--json", help=JSON)]
JsonLines = Annotated[bool, typer.Option("--json", help=JSON_LINES)]
Context = typer.Context

_UNREADABLE: Final[tuple[type[BaseException], ...]] = typer.BadParameter.__bases__
"""The usage error: typer has a public name for kinds of it alone."""

_GLOBAL_VALUES: Final = frozenset({"--config", "--state-dir", "--for", "--at"})
_GLOBAL_FLAGS: Final = frozenset({"--headless", "--until-idle", "--accept-clock"})


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; returns the exit code of INTERFACE, whatever happened."""
    arguments = hoisted(sys.argv[1:] if argv is None else argv)
    code: int = ExitCode.DONE
    try:
        code = app(args=arguments, prog_name=PROGRAM, standalone_mode=False) or ExitCode.DONE
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except _UNREADABLE as error:
        code = _refused(arguments, cast("typer.BadParameter", error))
    except typer.Abort:
        code = ExitCode.FAILED
    except OSError as error:  # of a help text, which typer writes: a command's own end in `outcome`
        speech.ANSWERS.end(error)
        code = ExitCode.FAILED
    except Exception as error:  # before a command of ours began: while it was read
        failure(crashed(error), as_json=_wants_json(arguments))
        code = ExitCode.FAILED
    speech.finish()
    if why := speech.ANSWERS.lost:
        warn(
            f"standard output cannot be written ({why}): what this command prints is not whole "
            "there."
        )
        return code or ExitCode.FAILED
    return code


def _refused(arguments: Sequence[str], error: typer.BadParameter) -> int:
    """Say that a line is none of ours; one that asks for a kill halts all the same (X-52)."""
    from console.cli.misread import asks_to_kill, halted

    if not asks_to_kill(arguments, frozenset(typer.main.get_group(app).commands), _GLOBAL_VALUES):
        error.show()
        if _wants_json(arguments):
            refused(error.format_message(), "INVALID_INPUT")
        return error.exit_code
    return halted(arguments, error.format_message().rstrip("."))


def _wants_json(arguments: Sequence[str]) -> bool:
    """Whether a line that could not be read asks for JSON, as `--json` or as `--format json`."""
    words = [*takewhile(lambda word: word != "--", arguments)]
    asked = "--json" in words or "--format=json" in words
    return asked or ("--format", "json") in pairwise(words)


def hoisted(arguments: Sequence[str]) -> list[str]:
    """The arguments with the global options in front, so that they may stand anywhere."""
    front: list[str] = []
    rest: list[str] = []
    words: Iterator[str] = iter(arguments)
    for word in words:
        name, equals, _ = word.partition("=")
        if word == "--":
            rest += [word, *words]
        elif word in _GLOBAL_FLAGS or (equals and name in _GLOBAL_VALUES):
            front.append(word)
        elif word in _GLOBAL_VALUES:
            value = next(words, None)
            if value is None:
                rest.append(word)  # it has no value: a command is none
            else:
                front += [word, value]
        else:
            rest.append(word)
    return front + rest


def _show_version(wanted: bool) -> None:
    if wanted:
        say(f"{PROGRAM} {version()}")
        raise typer.Exit


class Run:
    """What the global options say about running."""

    def __init__(
        self,
        headless: bool,
        seconds: float | None,
        until_idle: bool,
        accept_clock: bool,
        at: str | None,
    ) -> None:
        self.at = at
        self.accept_clock = accept_clock
        self.headless = headless
        self.seconds = seconds
        self.until_idle = until_idle


def _folder(text: str) -> Path:
    """Nothing is what a variable holds that is not set, and no name of the folder one is in."""
    if not text:
        raise typer.BadParameter('"" names no folder.')
    return Path(text)


@app.callback(invoke_without_command=True)
def start(
    ctx: Context,
    *,
    config: Annotated[Path | None, typer.Option(help="The config file.")] = None,
    state_dir: Annotated[
        Path | None, typer.Option(parser=_folder, metavar="<path>", help="The state folder.")
    ] = None,
    headless: Annotated[bool, typer.Option("--headless", help="The engine alone.")] = False,
    seconds: Annotated[
        float | None, typer.Option("--for", min=0, help="Headless: stop after so many seconds.")
    ] = None,
    until_idle: Annotated[
        bool,
        typer.Option(
            "--until-idle", help="Headless: stop once inputs are exhausted and no order works."
        ),
    ] = False,
    accept_clock: Annotated[
        bool,
        typer.Option(
            "--accept-clock",
            help="Start though the machine's clock is behind the journal's last event.",
        ),
    ] = False,
    at: Annotated[
        str | None,
        typer.Option(
            "--at",
            metavar="TIME",
            help="The console of a moment that is over, to be looked at: RFC 3339 with zone, "
            "or YYYY-MM-DD[ HH:MM[:SS]] in UTC.",
        ),
    ] = None,
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Name and version."),
    ] = False,
) -> None:
    """A trading console for the terminal. With no command: the console."""
    ctx.obj = Host(config, state_dir)
    ctx.meta["run"] = Run(headless, seconds, until_idle, accept_clock, at)
    if (seconds is not None or until_idle) and not headless:
        raise typer.BadParameter("--for and --until-idle need --headless.")
    if at is not None and headless:
        raise typer.BadParameter("--at shows the console: it does not go with --headless.")
    if accept_clock and (at is not None or ctx.invoked_subcommand not in (None, "run")):
        raise typer.BadParameter("--accept-clock is about a start: it goes with no command or run.")
    if at is not None and ctx.invoked_subcommand not in (None, "run"):
        raise typer.BadParameter(f"--at does not go with {ctx.invoked_subcommand}.")
    if ctx.invoked_subcommand is None:
        run(ctx)
    elif headless and ctx.invoked_subcommand != "run":
        raise typer.BadParameter(f"--headless does not go with {ctx.invoked_subcommand}.")


@app.command()
def run(ctx: Context) -> None:
    """The console, or with --headless the engine alone (same as no command)."""
    how: Run = ctx.meta["run"]
    if how.at is not None:
        from console.host import past

        moment = how.at
        do(ctx, False, lambda host: past.show(host, moment))
        return
    from console.cli.starting import started

    code = started(
        ctx.obj,
        headless=how.headless,
        seconds=how.seconds,
        until_idle=how.until_idle,
        accept_clock=how.accept_clock,
    )
    if code:
        raise typer.Exit(code)


add_lines({(): app, ("dead-letters",): letters_app})


@app.command()
def replay(
    ctx: Context,
    bars: Annotated[Path, typer.Argument(metavar="BARS.csv")],
    *,
    signals: Annotated[Path | None, typer.Option(help="JSONL signals.")] = None,
    report: Annotated[Path | None, typer.Option(help="Write the report here.")] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, max=2**63 - 1, help="Of everything random.")
    ] = None,
    as_json: Json = False,
) -> None:
    """A recorded market through the paper broker in virtual time."""
    from console.host import replay as replaying

    do(
        ctx,
        as_json,
        lambda host: replaying.command(
            host, bars, signals=signals, report=report, seed=seed, as_json=as_json
        ),
    )


@app.command()
def reset(
    ctx: Context,
    *,
    confirm: Annotated[str, typer.Option(help="RESET: everything is set aside.")] = "",
    as_json: Json = False,
) -> None:
    """Paper only: set the state folder's content aside under a dated name, and begin afresh."""
    from console.cli import resetting

    do(ctx, as_json, lambda host: resetting.reset(host, confirm, as_json=as_json), acts=True)


@app.command()
def doctor(
    ctx: Context,
    *,
    record: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Keep a session with each real venue, secrets replaced."),
    ] = None,
    seconds: Annotated[
        float, typer.Option("--seconds", min=0, help="With --record: listen so long.")
    ] = 5.0,
    orders: Annotated[
        bool,
        typer.Option(
            "--orders",
            help="Also place a limit far from the market, and cancel it, in test environments.",
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Pre-flight: config, clock, disk, state, brokers, calendars."""
    from console.host import doctor as checks

    def work(host: Host) -> int:
        if record is not None:
            from console.host import wire_session

            wire_session.record(host, record, seconds=seconds, quiet=as_json)
        return checks.command(host, orders=orders, as_json=as_json)

    do(ctx, as_json, work, acts=orders)


@app.command()
def connect(
    ctx: Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="A venue, or [brokers.NAME].")],
    *,
    yes: Annotated[
        bool, typer.Option("--yes", help="Agree to what is proposed, as a script must.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Set up an account at a venue: keys, a test, symbols, routes, the config."""
    from console.cli import connecting

    do(ctx, as_json, lambda host: connecting.connect(host, name, yes=yes, as_json=as_json))


@dryrun_app.callback(invoke_without_command=True)
def dryrun(
    ctx: Context,
    *,
    broker: Annotated[str, typer.Option(help="The account; default: the primary.")] = "",
    symbol: Annotated[str, typer.Option(help="What to trade; default: its first.")] = "",
    rounds: Annotated[
        int, typer.Option(min=1, max=1_000, help="Limits to rest, and purchases to make.")
    ] = 5,
    steady: Annotated[
        float, typer.Option(min=0, max=7 * 86_400, help="Watch the stream for so many seconds.")
    ] = 30.0,
    as_json: Json = False,
) -> None:
    """The acceptance run: orders on paper or in a test environment, measured, with a report."""
    if ctx.invoked_subcommand is not None:
        return
    from console.host.acceptance import command

    do(
        ctx,
        as_json,
        lambda host: command.command(
            host, broker=broker, symbol=symbol, rounds=rounds, steady=steady, as_json=as_json
        ),
        acts=True,
    )


@dryrun_app.command("sign")
def dryrun_sign(
    ctx: Context,
    report: Annotated[Path, typer.Argument(metavar="REPORT.json")],
    *,
    by: Annotated[str, typer.Option(help="Who signs.")],
    confirm: Annotated[str, typer.Option(help="What it asks to be typed without this.")] = "",
    as_json: Json = False,
) -> None:
    """Sign a report off for real money, with the config that will trade live."""
    from console.host.acceptance import signing

    do(
        ctx,
        as_json,
        lambda host: signing.sign(host, report, by, confirm, as_json=as_json),
        acts=True,
    )


@config_app.command("init")
def config_init(ctx: Context, as_json: Json = False) -> None:
    """Write a commented file; never over a file."""
    from console.cli import settings

    do(ctx, as_json, lambda host: settings.init(host, as_json=as_json), acts=True)


@config_app.command("check")
def config_check(
    ctx: Context,
    file: Annotated[Path | None, typer.Argument(help="The file; default: as --config.")] = None,
    as_json: Json = False,
) -> None:
    """Validate the config and the files that it names."""
    from console.cli import settings

    if file is not None:
        if ctx.obj.config_option not in (None, file):
            raise typer.BadParameter("give the file either as FILE or with --config.")
        ctx.obj.config_option = file
    do(ctx, as_json, lambda host: settings.check(host, as_json=as_json))


@config_app.command("show")
def config_show(ctx: Context, as_json: Json = False) -> None:
    """Print the effective config, secrets masked."""
    from console.cli import settings

    do(ctx, as_json, lambda host: settings.effective(host, as_json=as_json))


def _journal_list(name: str, when: str) -> None:
    """`when` says which time of a row a span is about."""
    from_when = f"RFC 3339 time or date: {when} then or later."
    to_when = f"RFC 3339 time or date: {when} then or before."

    def command(
        ctx: Context,
        *,
        since: Annotated[str | None, typer.Option(help=from_when)] = None,
        until: Annotated[str | None, typer.Option(help=to_when)] = None,
        symbol: Annotated[str | None, typer.Option()] = None,
        form: Annotated[str, typer.Option("--format", help="table, json or csv.")] = "table",
        as_json: JsonLines = False,
    ) -> None:
        from console.cli import history

        if form not in list(Format):
            raise typer.BadParameter(f'--format "{form}": allowed is table, json or csv.')
        wanted = Format.JSON if as_json else Format(form)
        do(
            ctx,
            wanted is Format.JSON,
            lambda host: history.show(
                host, name, since=since, until=until, symbol=symbol, form=wanted
            ),
        )

    journal_app.command(name, help=f"List {name}.")(command)


for _list, _when in (
    ("events", "journalled"),
    ("orders", "created"),
    ("fills", "filled"),
    ("trades", "entered"),
    ("daily", "days"),
    ("signals", "received"),
):
    _journal_list(_list, _when)


@journal_app.command("verify")
def journal_verify(ctx: Context, as_json: Json = False) -> None:
    """Check the hash chain."""
    from console.cli import history

    do(ctx, as_json, lambda host: history.verify(host, as_json=as_json))


def _unbuilt(parent: typer.Typer, name: str, full: str) -> None:
    def command(ctx: Context) -> None:
        def refuse(host: Host) -> int:
            raise CommandFailed(ExitCode.USAGE, f"{full} is not built yet.", "NOT_BUILT")

        do(ctx, "--json" in ctx.args, refuse)

    parent.command(
        name,
        help="Not built yet.",
        context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
    )(command)


_unbuilt(app, "rebalance", "rebalance")
_unbuilt(journal_app, "chart", "journal chart")
_unbuilt(journal_app, "export", "journal export")
