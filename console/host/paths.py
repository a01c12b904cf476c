"""Where config, state and account locks live on this host (INTERFACE, command line)."""

import hashlib
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from platformdirs.unix import Unix

APP: Final = "meridian"

NETWORK_FILESYSTEMS: Final = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "glusterfs", "lustre", "gpfs"}
    | {"fuse.sshfs", "fuse.glusterfs", "fuse.cephfs", "fuse.s3fs", "fuse.rclone", "vboxsf"}
)
_MOUNTS: Final = Path("/proc/self/mountinfo")


class PathError(Exception):
    """A folder that cannot be used: one sentence that names it and what is needed."""


def default_config_file() -> Path:
    """`$XDG_CONFIG_HOME/meridian/config.toml`, whether it is there or not."""
    return _folders().user_config_path / "config.toml"


def config_file(option: Path | None, environ: Mapping[str, str]) -> Path | None:
    """The config file to read: `--config`, `$MERIDIAN_CONFIG`, else the default one if it is there.

    A file that was asked for is returned even if it is absent: reading it then says so.
    """
    if option is not None:
        return option
    if named := environ.get("MERIDIAN_CONFIG"):
        return Path(named)
    default = default_config_file()
    return default if default.exists() else None


def secrets_file() -> Path:
    """The optional file of secrets beside the default config file (U-72)."""
    return _folders().user_config_path / "secrets.env"


def state_dir(option: Path | None, environ: Mapping[str, str]) -> Path:
    """The state folder, absolute: `--state-dir`, `$MERIDIAN_STATE_DIR`, `$XDG_STATE_HOME/meridian`.

    Links are followed, so that one folder has one name.
    """
    named = environ.get("MERIDIAN_STATE_DIR")
    chosen = option or (Path(named) if named else _folders().user_state_path)
    return Path(os.path.realpath(chosen.expanduser()))


def make_state_dir(path: Path) -> tuple[str, ...]:
    """Makes the state folder (mode 0700) if it is missing; returns what is doubtful about it.

    Raises PathError if it cannot be made or written. A folder on the network and one that others
    may enter are told about, not refused.
    """
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

    Raises PathError if no folder can be used, or if it belongs to somebody else.
    """
    if named := environ.get("MERIDIAN_LOCK_DIR"):
        return _private(Path(named))
    home = Path(os.path.expanduser("~")) / ".local" / "share" / APP / "locks"  # noqa: PTH111
    try:
        return _private(home)
    except PathError:
        if home.is_dir():
            raise  # it is there and not ours to use; another folder would split the lock
        return _private(Path(f"/var/tmp/{APP}-{os.geteuid()}"))  # noqa: S108 - checked by _private


def account_lock_file(folder: Path, broker: str, account_id: str, state: Path) -> Path:
    """The lock of one account: by broker and account id, for the paper broker by state folder."""
    owner = os.path.realpath(state) if broker == "paper" else account_id
    if not owner:
        raise PathError(f"The account lock of {broker} needs an account id.")
    digest = hashlib.sha256(f"{broker}\0{owner}".encode("utf-8", "surrogateescape")).hexdigest()
    return folder / f"{broker}-{digest[:24]}.lock"


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
    return f"{path} cannot be the {what}: {error.strerror or error}."


def _folders() -> "Unix":
    # The contract names the XDG folders on every system, macOS too.
    from platformdirs.unix import Unix

    return Unix(APP, appauthor=False)
