"""Where config, state and account locks live on this host (INTERFACE, command line).

Every path is absolute from here on, and none that is shared by several processes depends on the
folder that one of them was started in. The contract names the XDG folders on every system.
"""

import hashlib
import os
import pwd
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from engine.domain.text import clean_text

APP: Final = "meridian"

NETWORK_FILESYSTEMS: Final = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "glusterfs", "lustre", "gpfs"}
    | {"fuse.sshfs", "fuse.glusterfs", "fuse.cephfs", "fuse.s3fs", "fuse.rclone", "vboxsf"}
)
_MOUNTS: Final = Path("/proc/self/mountinfo")


class PathError(Exception):
    """A folder that cannot be used: one sentence that names it and what is needed."""


class NotAFolder(PathError):  # noqa: N818 - it is said as a sentence
    """What is named can be no state folder, whatever is done about rights and room."""


def home() -> Path:
    """The home folder: `$HOME` where that is an absolute path, else that of the user's account.

    Raises PathError where neither tells of one.
    """
    named = os.environ.get("HOME", "")
    if Path(named).is_absolute():
        return Path(named)
    try:
        known = pwd.getpwuid(os.geteuid()).pw_dir
    except KeyError:
        known = ""
    if not Path(known).is_absolute():
        raise PathError(
            f"This user (number {os.geteuid()}) has no home folder: HOME must be an absolute path, "
            "or --config, --state-dir and MERIDIAN_LOCK_DIR must be given."
        )
    return Path(known)


def default_config_file() -> Path:
    """`$XDG_CONFIG_HOME/meridian/config.toml`, whether it is there or not. Raises PathError."""
    return _config_folder() / "config.toml"


def config_file(option: Path | None, environ: Mapping[str, str]) -> Path | None:
    """The config file to read: `--config`, `$MERIDIAN_CONFIG`, else the default one if it is there.

    A file that was asked for is returned even if it is absent: reading it then says so. Raises
    PathError where there is no home folder to look in.
    """
    if option is not None:
        return option
    if named := environ.get("MERIDIAN_CONFIG"):
        return Path(named)
    default = default_config_file()
    # What cannot be looked at is read too: reading it says why.
    return default if os.path.lexists(default) else None


def state_dir(option: Path | None, environ: Mapping[str, str]) -> Path:
    """The state folder, absolute: `--state-dir`, `$MERIDIAN_STATE_DIR`, `$XDG_STATE_HOME/meridian`.

    Links are followed, so that one folder has one name. Raises PathError where there is no home
    folder and none is named, where no folder can have that name, and where it is relative to a
    current folder that has been deleted.
    """
    named = environ.get("MERIDIAN_STATE_DIR")
    chosen = option or (Path(named) if named else None)
    if chosen is None:
        chosen = _xdg("XDG_STATE_HOME", ".local/state")
    path = _expanded(chosen)
    try:
        path = Path(os.path.realpath(path))
    except OSError as error:  # the current folder is gone
        where = "it is relative to the current folder, and that is gone"
        raise PathError(
            f"{clean_text(str(path), 300)} cannot be the state folder: {where}."
        ) from error
    try:
        path.lstat()
    except FileNotFoundError:
        return path  # it may be made
    except OSError as error:  # a name that is too long, links in a circle
        raise PathError(_unusable(path, "state folder", error)) from error
    return path


def make_state_dir(path: Path) -> tuple[str, ...]:
    """Makes the state folder (mode 0700) if it is missing; returns what is doubtful about it.

    Raises NotAFolder if its name is no text or it is a file, and PathError if it cannot be made or
    written. A folder on the network and one that others may enter are told about, not refused.
    """
    try:
        str(path).encode()
    except UnicodeEncodeError as error:
        raise NotAFolder(f"{path} cannot be the state folder: its name must be UTF-8.") from error
    if path.exists() and not path.is_dir():
        raise NotAFolder(f"{path} cannot be the state folder: it is a file.")
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise PathError(_unusable(path, "state folder", error)) from error
    if not os.access(path, os.R_OK | os.W_OK | os.X_OK):
        raise PathError(f"{path} cannot be the state folder: it must be writable by this user.")
    doubts = []
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        doubts.append(f"{path} may be entered by other users: mode 0700 is advised.")
    if kind := network_filesystem(path):
        doubts.append(
            f"{path} is on {kind}, a network filesystem: a journal and its locks are safe only "
            "on a local one."
        )
    return tuple(doubts)


def lock_dir(environ: Mapping[str, str]) -> Path:
    """The folder of account locks, made if missing (mode 0700).

    It is the same for every program of this user on this machine: below the home folder, and never
    below `$XDG_RUNTIME_DIR` or `$XDG_STATE_HOME`, which a login shell and a timer may see
    differently: with two lock folders, two engines could trade one account. Only where the home
    folder cannot be written does it lie below /var/tmp. `$MERIDIAN_LOCK_DIR` overrides it.

    Raises PathError if no folder can be used, if it belongs to somebody else, if its name depends
    on the current folder, or if there is no home folder.
    """
    if named := environ.get("MERIDIAN_LOCK_DIR"):
        folder = _expanded(Path(named))
        if not folder.is_absolute():
            raise PathError(
                f'MERIDIAN_LOCK_DIR = "{named}" is refused: an absolute path is needed.'
            )
        return _private(folder)
    below = home() / ".local" / "share" / APP / "locks"
    try:
        return _private(below)
    except PathError:
        if os.path.isdir(below):  # noqa: PTH112 - False for a name that is too long
            raise  # it is there and not ours to use; another folder would split the lock
        return _private(Path(f"/var/tmp/{APP}-{os.geteuid()}"))  # noqa: S108 - checked by _private


def account_lock_file(folder: Path, broker: str, account_id: str, state: Path) -> Path:
    """The lock of one account: by broker and account id, for the paper broker by state folder."""
    owner = os.path.realpath(state) if broker == "paper" else account_id
    if not owner:
        raise PathError(f"The account lock of {broker} needs an account id.")
    digest = hashlib.sha256(f"{broker}\0{owner}".encode("utf-8", "surrogateescape")).hexdigest()
    return folder / f"{broker}-{digest[:24]}.lock"


def answered_lock_file(folder: Path, kind: str, environment: str, answered: str) -> Path:
    """The lock of the account that a venue answers with, whatever a config calls it (C-201).

    `kind` and `environment` say which of the world's venues it is, `answered` is its id there.
    """
    whole = f"{kind}\0{environment}\0{answered}".encode("utf-8", "surrogateescape")
    return folder / f"{kind}-{hashlib.sha256(whole).hexdigest()[:24]}.lock"


def network_filesystem(path: Path, mounts: Path = _MOUNTS) -> str | None:
    """The kind of network filesystem that `path` is on, or None if it is local or unknown."""
    try:
        lines = mounts.read_text(errors="surrogateescape").splitlines()
    except OSError:
        return None  # only Linux tells
    best, kind = -1, ""
    for line in lines:
        left, _, right = line.partition(" - ")
        fields = left.split()
        if len(fields) < 5 or not right:
            continue
        point = fields[4].replace("\\040", " ")
        inside = Path(os.path.realpath(path)).is_relative_to(point)
        # Of two mounts on one point the later one is on top.
        if inside and len(point) >= best:
            best, kind = len(point), right.split()[0]
    return kind if kind in NETWORK_FILESYSTEMS else None


def _private(folder: Path) -> Path:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.lstat()
    except OSError as error:
        raise PathError(_unusable(folder, "folder of account locks", error)) from error
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise PathError(f"{folder} cannot hold account locks: a folder of this user is needed.")
    if stat.S_IMODE(found.st_mode) & 0o022:
        raise PathError(f"{folder} cannot hold account locks: others may write to it.")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PathError(f"{folder} cannot hold account locks: it must be writable by this user.")
    return folder


def _unusable(path: Path, what: str, error: OSError) -> str:
    return f"{clean_text(str(path), 300)} cannot be the {what}: {error.strerror or error}."


def _config_folder() -> Path:
    return _xdg("XDG_CONFIG_HOME", ".config")


def _xdg(variable: str, usual: str) -> Path:
    """The program's folder below that of the variable; a relative one is ignored, as XDG says."""
    named = os.environ.get(variable, "").strip()
    return (Path(named) if Path(named).is_absolute() else home() / usual) / APP


def _expanded(path: Path) -> Path:
    """The path with the home folder for a first `~`; another user's is left to the system."""
    first, *rest = path.parts or ("",)
    if first == "~":
        return home().joinpath(*rest)
    return Path(os.path.expanduser(path))  # noqa: PTH111 - a user that is not known stays as it is
