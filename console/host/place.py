"""Where a command runs: which config, which state folder, on which machine."""

import functools
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from console.host import paths
from console.host.output import CommandFailed, ExitCode, warn

if TYPE_CHECKING:
    from engine.config import Config

PROGRAM: Final = "meridian-tui"


class Host:
    """The global options, and what follows from them."""

    def __init__(
        self,
        config_option: Path | None = None,
        state_option: Path | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        """Reads nothing yet."""
        self.config_option = config_option
        self.state_option = state_option
        self.environ: Mapping[str, str] = os.environ if environ is None else environ

    @functools.cached_property
    def state_dir(self) -> Path:
        """The state folder, whether it is there or not. Raises CommandFailed (usage)."""
        try:
            return paths.state_dir(self.state_option, self.environ)
        except paths.PathError as error:
            raise CommandFailed(ExitCode.USAGE, str(error), "STATE_DIR") from error

    @property
    def socket(self) -> Path:
        """The control socket of an engine on this state folder."""
        return self.state_dir / "control.sock"

    def demand_folder(self) -> None:
        """Raises CommandFailed (usage) where what is named as the state folder is none."""
        folder = self.state_dir
        if folder.exists() and not folder.is_dir():
            words = f"{folder} cannot be the state folder: it is a file."
            raise CommandFailed(ExitCode.USAGE, words, "STATE_DIR")

    def missing_journal(self) -> str:
        """One sentence where the state folder should hold a journal and has none.

        "" where it has one, and where nothing has run: in an empty folder, and in one that is not
        there and that no option names. Raises CommandFailed where it is no folder.
        """
        from console.host.wiring import JOURNAL

        self.demand_folder()
        folder = self.state_dir
        try:
            if (folder / JOURNAL).exists() or not any(folder.iterdir()):
                return ""
        except FileNotFoundError:
            if self.state_option is None:
                return ""
            return f"there is no journal in {folder}: the folder is not there"
        except OSError:
            return ""  # whoever opens it says what is wrong with it
        return (
            f"there is no journal in {folder}: other files of an engine are there, and it was "
            f"taken away or never made; the folder that holds the journal is named by --state-dir"
        )

    def config_file(self) -> Path | None:
        """The config file that is read; None for the defaults. Raises CommandFailed (usage)."""
        try:
            return paths.config_file(self.config_option, self.environ)
        except paths.PathError as error:
            raise CommandFailed(ExitCode.USAGE, str(error), "CONFIG") from error

    def config(self) -> "Config":
        """The effective config. Raises CommandFailed (usage) with every problem."""
        from brokers import venue_kinds
        from engine.config import ConfigError, load

        file = self.config_file()
        try:
            config = load(file, self.environ, venue_kinds())
        except ConfigError as error:
            raise CommandFailed(ExitCode.USAGE, str(error), "CONFIG") from error
        fault = _theme_fault(config.console.theme)
        if fault:
            variable = "MERIDIAN_CONSOLE__THEME"
            where = f"console.theme ({variable})"
            name = where if variable in self.environ else f"{file}: console.theme"
            raise CommandFailed(ExitCode.USAGE, f"{name} = {fault}", "CONFIG")
        return config

    def make_state_dir(self) -> Path:
        """The state folder, made if missing. Raises CommandFailed: usage where what is named can be
        none, else failed."""
        folder = self.state_dir
        try:
            doubts = paths.make_state_dir(folder)
        except paths.NotAFolder as error:
            raise CommandFailed(ExitCode.USAGE, str(error), "STATE_DIR") from error
        except paths.PathError as error:
            raise CommandFailed(ExitCode.FAILED, str(error), "STATE_DIR") from error
        for doubt in doubts:
            warn(doubt)
        return folder


def _theme_fault(name: str) -> str:
    """Why no console could start with this theme, behind its key; "" where one can."""
    from console.ui.theme import DEFAULT_THEME, load_themes

    if name == DEFAULT_THEME:
        return ""
    known = load_themes()
    if name in known:
        return ""
    allowed = ", ".join(f'"{theme}"' for theme in known)
    return f'"{name}" is refused: allowed is one of {allowed}.'


def program() -> str:
    """How a shell finds this program: by its name where that is on the path, else by its file."""
    import shlex
    import shutil

    started = Path(sys.argv[0])
    if started.name != PROGRAM or shutil.which(PROGRAM) is not None:
        return PROGRAM
    return shlex.quote(str(started.absolute()))


def version() -> str:
    """The program's version as it is installed.

    It is read off the name of the folder that an installation leaves, `NAME-VERSION.dist-info`: to
    load `importlib.metadata` for it takes a thirtieth of a start.
    """
    begins, ends = PROGRAM.replace("-", "_") + "-", ".dist-info"
    for folder in sys.path:
        try:
            names = [entry.name for entry in Path(folder).iterdir()]
        except OSError:  # no folder, as python311.zip
            continue
        for name in names:
            if name.startswith(begins) and name.endswith(ends):
                return name[len(begins) : -len(ends)]
    return "0.0.0+source"
