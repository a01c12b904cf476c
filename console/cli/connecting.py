"""`connect NAME`: from the keys of a venue to an account that the config trades, step by step.

What is asked is asked on a terminal; a script gives keys by environment or keyring, and `--yes`.
The keys are tested at the venue's test environment by its adapter before anything is kept. No key
is written to a file, printed, or held by an error that leaves here. The config is written once, at
the end, whole.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from brokers import LibraryUnusable, guide_of, missing_libraries, venue_kinds
from brokers.guide import Guide
from console.cli.look_words import failed, show
from console.cli.settings import target
from console.host import doctor
from console.host.asking import agreed, ask, has_person
from console.host.config_edit import Edit, EditError, edited, read_config, replace_config
from console.host.look import Look, look_at, setup_of
from console.host.output import CommandFailed, ExitCode, document, say, warn
from console.host.place import PROGRAM, Host
from console.host.proposal import candidates, is_decided, proposed
from console.host.secrets import forbid_core_dumps
from console.host.untraded import demand_untraded, untraded_there
from console.host.venue_keys import VenueKeys
from console.host.wiring import JOURNAL
from engine.config import Config, ConfigError, amended, from_mapping, load, parse
from engine.config.accounts import is_real
from engine.config.render import written
from engine.config.toml import read_toml
from engine.config.venue import RealVenueConfig
from engine.domain.text import clean_text
from engine.ports import AuthFailed, BrokerError
from engine.reference.textfile import BadFile


class Setup:
    """One run of the command."""

    def __init__(self, host: Host, name: str, *, yes: bool, as_json: bool) -> None:
        """Raises CommandFailed for a config that is none and a name that is no account there."""
        self._host = host
        self._name = name
        self._yes = yes
        self._as_json = as_json
        self._person = has_person()
        self._tell: Callable[[str], None] = warn if as_json else say
        self.path = target(host)
        self._text = _read(self.path)
        self._config = _config(host, self.path, self._text, name)
        kind = _kind(self._config, name)
        self._kind = kind
        self._guide = _guide(self._config, kind)
        self._answers: dict[str, str | int] = {}
        self._asks = self._person and not yes
        self._keys = VenueKeys(
            host.environ, self._guide, person=self._person, asks=self._asks, tell=self._tell
        )
        self.is_written = False

    def run(self) -> ExitCode:
        """Every step in turn. Raises CommandFailed with one sentence; nothing is half written."""
        demand_untraded(self._host, self._config, self._name)
        self._introduce()
        if missing := missing_libraries(self._kind):
            raise CommandFailed(ExitCode.FAILED, f"{missing}.", "LIBRARY")
        self._ask_settings()
        look = self._tested()
        show(look, self._tell)
        self._keys.offer_to_keep()
        symbols = self._symbols(look)
        edit = self._edit(look, symbols)
        self._write(edit)
        return self._examined(look, edit)

    # --- the venue and its keys

    @property
    def _settings(self) -> RealVenueConfig:
        settings = self._config.brokers.of(self._name)
        assert isinstance(settings, RealVenueConfig)  # noqa: S101 - a kind with a guide is real
        return settings

    def _introduce(self) -> None:
        guide = self._guide
        self._tell(f"{guide.title}, its {self._settings.environment} environment.")
        for number, step in enumerate(guide.steps, 1):
            self._tell(f"  {number}. {step}")
        if guide.remark:
            self._tell(guide.remark)

    def _ask_settings(self) -> None:
        """What has to be right before anything is asked at the venue, where it is at its default
        and a person is there."""
        if not self._asks:
            return
        settings = self._settings
        for key, words in self._guide.questions.items():
            usual, info = getattr(settings, key), type(settings).model_fields[key]
            if usual != info.default:
                continue
            while True:
                said = ask(f"{key}, {words}", str(usual))
                if said == str(usual):
                    break
                value = int(said) if isinstance(usual, int) and said.isdecimal() else said
                try:
                    self._config = amended(self._config, {f"brokers.{self._name}.{key}": value})
                except ConfigError as error:
                    warn(str(error))
                    continue
                self._answers[key] = value
                break

    def _tested(self) -> Look:
        """The look at the account, with keys that were found or typed; again with others where the
        venue does not take them and a person wants to try."""
        typed = False
        while True:
            self._keys.find(self._settings, anew=typed)
            self._tell(f"Asking {self._guide.title} ...")
            try:
                return self._looked()
            except AuthFailed as error:
                refused = failed(self._guide, error)
                if not self._keys.may_change:
                    raise refused from None
                warn(str(refused))
                if not agreed("Try other keys?", usual=False):
                    raise CommandFailed(
                        ExitCode.FAILED, "Nothing was kept or written.", "AUTH_FAILED"
                    ) from None
                typed = True
            except (BrokerError, LibraryUnusable, BadFile) as error:
                raise failed(self._guide, error) from None

    def _looked(self) -> Look:
        return self._asked(self._candidates())

    def _asked(self, symbols: Sequence[str]) -> Look:
        config, name = self._config, self._name
        with untraded_there(self._host, config, name) as claim:
            return look_at(setup_of(config, name, self._keys.get, symbols, claim=claim), symbols)

    def _candidates(self) -> tuple[str, ...]:
        guide = self._guide
        return candidates(self._config, self._name, guide.asset_classes, guide.symbols)

    # --- the config

    def _symbols(self, look: Look) -> tuple[str, ...]:
        """What is to be watched: what the venue trades of what was asked about, and what is held.
        A person may say otherwise."""
        asked = self._candidates()
        held = [row.symbol for row in look.positions]
        traded = [symbol for symbol in asked if symbol not in look.untraded]
        for symbol, why in look.untraded.items():
            self._tell(f"{symbol} is not traded there: {clean_text(why, 200)}")
        usual = tuple(dict.fromkeys([*traded, *held]))
        if self._settings.is_canned:  # nobody is told there what is traded
            usual = usual or asked
        if not self._asks:
            if not usual and asked:
                raise CommandFailed(
                    ExitCode.USAGE,
                    f"{self._guide.title} trades none of {', '.join(asked)}: [market] symbols must "
                    "name one that it does.",
                    "NOT_TRADED",
                )
            return usual
        while True:
            said = ask("Symbols to watch there", " ".join(usual)).replace(",", " ").split()
            try:
                amended(self._config, {"market.symbols": said})
            except ConfigError as error:
                warn(str(error))
                continue
            unasked = [symbol for symbol in said if symbol not in {*traded, *held}]
            refused = self._untraded(unasked)
            if not refused:
                return tuple(dict.fromkeys(said))
            for symbol, why in refused.items():
                warn(f"{symbol} is not traded there: {clean_text(why, 200)}")

    def _untraded(self, symbols: Sequence[str]) -> dict[str, str]:
        """Those of the symbols that the venue does not trade, each with why; it is asked."""
        if not symbols or self._settings.is_canned:
            return {}
        try:
            return self._asked(symbols).untraded
        except (BrokerError, LibraryUnusable, BadFile) as error:
            raise failed(self._guide, error) from None

    def _edit(self, look: Look, symbols: Sequence[str]) -> Edit:
        """The changes that are to be made, all of them agreed to."""
        fresh = not (self._host.state_dir / JOURNAL).exists()
        edit = proposed(
            self._config,
            self._text,
            self._name,
            look.account,
            symbols,
            answers=self._answers,
            fresh=fresh,
        )
        if not edit.changes and not edit.routes:
            return edit
        self._tell(f"This goes into {self.path}:")
        for change in edit.changes:
            was = "" if change.was is None else f"   (it is {written(change.was)} now)"
            self._tell(f"  {change}{was}")
        for row in edit.routes:
            self._tell("  [[routes]] " + ", ".join(f"{k} = {written(v)}" for k, v in row.items()))
        decided = [change for change in edit.changes if is_decided(self._config, change)]
        if not self._person:
            self._demand_yes(decided)
            return edit
        for change in decided:
            question = f"{self.path} says {written(change.was)}. Replace it by {change}?"
            if not agreed(question, usual=False):
                raise _not_written(self.path, "the change was not agreed to")
        if not self._yes and not agreed("Write it?", usual=True):
            raise _not_written(self.path, "the change was not agreed to")
        return edit

    def _demand_yes(self, decided: Sequence[object]) -> None:
        """A script agrees by --yes, and never to what takes away what somebody has set."""
        if decided:
            what = "; ".join(map(str, decided))
            raise _not_written(
                self.path, f"it says otherwise, and only a person may replace {what}"
            )
        if not self._yes:
            raise _not_written(self.path, "without a terminal --yes has to agree to it")

    def _write(self, edit: Edit) -> None:
        if not edit.changes and not edit.routes:
            self._tell(f"{self.path} has all that is needed.")
            return
        try:
            text = edited(self._text, edit)
            parse(text, self._host.environ, venue_kinds(), str(self.path))
            replace_config(self.path, self._text, text)
        except ConfigError as error:
            words = f"The config would not be good so, and is left as it is: {error}"
            raise CommandFailed(ExitCode.USAGE, words, "CONFIG") from None
        except EditError as error:
            raise CommandFailed(ExitCode.FAILED, str(error), "UNWRITABLE") from None
        self.is_written = True
        self._tell(f"{self.path} is written.")

    # --- the end

    def _examined(self, look: Look, edit: Edit) -> ExitCode:
        """What the doctor says by the new config, with the keys that were typed; its exit code."""
        with self._keys.exported() as environ:
            host = Host(self.path, self._host.state_option, environ)
            if self._as_json:
                return self._documented(host, look, edit)
            say()
            code = doctor.command(host, orders=False, as_json=False)
        self._say_next(good=code is ExitCode.DONE)
        return code

    def _documented(self, host: Host, look: Look, edit: Edit) -> ExitCode:
        """All of it as one document."""
        checks = [
            {
                "check": row.check,
                "account": row.account,
                "ok": row.found.ok is not False,
                "text": row.found.text,
            }
            for row in doctor.examine(host)
        ]
        document(self._document(look, edit) | {"checks": checks})
        return ExitCode.DONE if all(row["ok"] for row in checks) else ExitCode.FAILED

    def _say_next(self, *, good: bool) -> None:
        """What is to be done before a start; `good` where the doctor found nothing bad."""
        if unset := self._keys.unset:
            say(f"Before each start set {' and '.join(unset)} in the environment.")
        if (self._host.state_dir / JOURNAL).exists():
            say(
                f"An engine has run in {self._host.state_dir}: where that was a paper account, "
                "give this one a folder of its own with --state-dir."
            )
        if good:
            say(f"{PROGRAM} starts it.")
        else:
            say(f"What is BAD above comes first; then ask {PROGRAM} doctor again.")

    def _document(self, look: Look, edit: Edit) -> dict[str, Any]:
        return {
            "ok": True,
            "name": self._name,
            "kind": self._kind,
            "environment": self._config.brokers.environment_of(self._name),
            "account": look.account,
            "rights": look.rights,
            "positions": look.positions,
            "open_orders": len(look.orders),
            "clock_offset_seconds": look.clock_offset_seconds,
            "stream_refused": look.stream_refused,
            "keys": self._keys.origins,
            "config": str(self.path),
            "changed": {".".join(change.key): change.value for change in edit.changes},
            "routes": edit.routes,
        }


def connect(host: Host, name: str, *, yes: bool, as_json: bool) -> ExitCode:
    """Set up the account `name`; returns what the doctor says of it in the end.

    `yes` agrees to what is proposed. Raises CommandFailed: usage for a config, a name or a key that
    is none, refused where somebody does not agree, else failed.
    """
    forbid_core_dumps()
    setup: Setup | None = None
    try:
        setup = Setup(host, name, yes=yes, as_json=as_json)
        return setup.run()
    except KeyboardInterrupt:
        done = setup is not None and setup.is_written
        words = "is written" if done else "is as it was"
        where = "The config" if setup is None else str(setup.path)
        raise CommandFailed(
            ExitCode.FAILED, f"Interrupted: {where} {words}.", "INTERRUPTED"
        ) from None


def _read(path: Path) -> str:
    try:
        return read_config(path)
    except EditError as error:
        raise CommandFailed(ExitCode.USAGE, str(error), "CONFIG") from None


def _config(host: Host, path: Path, text: str, name: str) -> Config:
    """The config as it is in force; that of the defaults where the file is not there yet.

    A table that states its kind opens an account of it, so that a file with it alone is refused for
    want of the keys that are proposed here: it is taken as it will be with those.
    """
    if not path.exists():
        try:
            return load(None, host.environ, venue_kinds())
        except ConfigError as error:
            raise CommandFailed(ExitCode.USAGE, str(error), "CONFIG") from error
    host.config_option = path
    try:
        return host.config()
    except CommandFailed as failure:
        try:
            tree = read_toml(text)
            tree.setdefault("account", {}).setdefault("primary", name)
            tree.setdefault("market", {}).setdefault("source", "broker")
            return from_mapping(tree, host.environ, venue_kinds(), str(path))
        except (ConfigError, ValueError, AttributeError):
            raise failure from None


def _kind(config: Config, name: str) -> str:
    if name in config.brokers.names:
        return config.brokers.kind_of(name)
    names = [known for known in config.brokers.names if is_real(config, known)]
    raise CommandFailed(
        ExitCode.USAGE,
        f"There is no account named {clean_text(name, 64)!r}: {', '.join(names)} are allowed, and "
        "the name of a table [brokers.NAME] that states its kind.",
        "NO_ACCOUNT",
    )


def _guide(config: Config, kind: str) -> Guide:
    found = guide_of(kind)
    if found is None:
        names = [known for known in config.brokers.names if is_real(config, known)]
        raise CommandFailed(
            ExitCode.USAGE,
            f"A {kind} account needs no setting up: {', '.join(names)} are allowed.",
            "NO_ACCOUNT",
        )
    return found


def _not_written(path: Path, why: str) -> CommandFailed:
    return CommandFailed(ExitCode.REFUSED, f"{path} is left as it is: {why}.", "NOT_CONFIRMED")
