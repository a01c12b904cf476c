"""Where config, state and account locks live."""

import os
import stat
from pathlib import Path

import pytest

from console.host import paths
from console.host.paths import (
    NETWORK_FILESYSTEMS,
    PathError,
    account_lock_file,
    config_file,
    default_config_file,
    lock_dir,
    make_state_dir,
    network_filesystem,
    state_dir,
)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    return folder


def test_the_config_file_is_the_option_then_the_variable_then_the_default(home: Path) -> None:
    asked, named = Path("/a.toml"), {"MERIDIAN_CONFIG": "/b.toml"}
    assert config_file(asked, named) == asked
    assert config_file(None, named) == Path("/b.toml")
    assert config_file(None, {}) is None
    default = home / ".config" / "meridian" / "config.toml"
    assert default_config_file() == default
    default.parent.mkdir(parents=True)
    default.touch()
    assert config_file(None, {}) == default
    assert config_file(None, {"MERIDIAN_CONFIG": ""}) == default


def test_the_xdg_folders_are_followed(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "c"))
    monkeypatch.setenv("XDG_STATE_HOME", str(home / "s"))
    assert default_config_file() == home / "c" / "meridian" / "config.toml"
    assert state_dir(None, {}) == home / "s" / "meridian"
    monkeypatch.setenv("XDG_STATE_HOME", "relative")  # the XDG rules: ignored
    assert state_dir(None, {}) == home / ".local" / "state" / "meridian"


def test_the_state_folder_is_the_option_then_the_variable(home: Path, tmp_path: Path) -> None:
    named = {"MERIDIAN_STATE_DIR": str(tmp_path / "b")}
    assert state_dir(tmp_path / "a", named) == tmp_path / "a"
    assert state_dir(None, named) == tmp_path / "b"
    assert state_dir(Path("~/x"), {}) == home / "x"


def test_39_a_state_folder_below_a_current_folder_that_is_gone_is_refused_in_words(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.raises(PathError, match="state cannot be the state folder: it is relative to"):
        state_dir(Path("state"), {})
    with pytest.raises(PathError, match="state cannot be the state folder: it is relative to"):
        state_dir(None, {"MERIDIAN_STATE_DIR": "state"})
    assert state_dir(tmp_path / "state", {}) == tmp_path / "state"
    assert state_dir(None, {}) == home / ".local" / "state" / "meridian"


def test_a_linked_state_folder_has_one_name(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    assert state_dir(tmp_path / "link", {}) == state_dir(tmp_path / "real", {})


def test_the_state_folder_is_made_private_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        assert make_state_dir(tmp_path / "a" / "state") == ()
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a" / "state").stat().st_mode) == 0o700
    assert make_state_dir(tmp_path / "a" / "state") == ()


def test_a_state_folder_that_others_may_enter_is_told_about_and_left(tmp_path: Path) -> None:
    folder = tmp_path / "open"
    folder.mkdir()
    folder.chmod(0o755)
    (doubt,) = make_state_dir(folder)
    assert "0700" in doubt
    assert stat.S_IMODE(folder.stat().st_mode) == 0o755


def test_a_state_folder_that_is_a_file_is_refused_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(PathError, match=r"cannot be the state folder: .+\."):
        make_state_dir(tmp_path / "file")
    with pytest.raises(PathError, match=r"cannot be the state folder: .+\."):
        make_state_dir(tmp_path / "file" / "below")


MOUNTS = """\
22 1 8:1 / / rw - ext4 /dev/sda1 rw
30 22 0:40 / /mnt/nas rw shared:1 - nfs4 nas:/export rw
31 30 8:2 / /mnt/nas/local rw - xfs /dev/sdb1 rw
32 22 0:41 / /mnt/with\\040blank rw - fuse.sshfs me@host:/ rw
33 22 8:3 / /mnt/over rw - ext4 /dev/sdc1 rw
34 22 0:42 / /mnt/over rw - cifs //host/share rw
broken line
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/home/me", None),
        ("/mnt/nas", "nfs4"),
        ("/mnt/nas/state/deep", "nfs4"),
        ("/mnt/nasty", None),
        ("/mnt/nas/local/state", None),
        ("/mnt/with blank/x", "fuse.sshfs"),
        ("/mnt/over/x", "cifs"),
    ],
)
def test_a_network_filesystem_is_the_innermost_mount_that_is_one(
    tmp_path: Path, path: str, kind: str | None
) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(MOUNTS)
    assert network_filesystem(Path(path), mounts) == kind
    assert kind is None or kind in NETWORK_FILESYSTEMS


def test_without_a_list_of_mounts_a_filesystem_is_unknown(tmp_path: Path) -> None:
    assert network_filesystem(tmp_path, tmp_path / "absent") is None


def test_a_state_folder_on_the_network_is_told_about(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text("22 1 8:1 / / rw - nfs4 nas:/ rw\n")
    monkeypatch.setattr(paths.network_filesystem, "__defaults__", (mounts,))
    (doubt,) = make_state_dir(tmp_path / "state")
    assert "network filesystem" in doubt


def test_the_lock_folder_is_one_for_every_session_of_a_user(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = lock_dir({})
    assert first == home / ".local" / "share" / "meridian" / "locks"
    assert stat.S_IMODE(first.stat().st_mode) == 0o700
    for name in ("XDG_RUNTIME_DIR", "XDG_STATE_HOME", "XDG_DATA_HOME"):
        monkeypatch.setenv(name, "/elsewhere")
    assert lock_dir({}) == first


def test_the_lock_folder_can_be_named(tmp_path: Path) -> None:
    named = {"MERIDIAN_LOCK_DIR": str(tmp_path / "locks")}
    assert lock_dir(named) == tmp_path / "locks"


def test_where_the_home_folder_cannot_hold_locks_var_tmp_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("HOME", str(tmp_path / "file"))
    folder = Path(f"/var/tmp/meridian-{os.geteuid()}")
    known = folder.exists()
    assert lock_dir({}) == folder
    if not known:
        folder.rmdir()


def test_a_lock_folder_that_others_write_to_or_that_is_a_link_is_refused(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    (tmp_path / "link").symlink_to(tmp_path)
    (tmp_path / "file").touch()
    for name in ("shared", "link", "file"):
        with pytest.raises(PathError, match="locks"):
            lock_dir({"MERIDIAN_LOCK_DIR": str(tmp_path / name)})


def test_an_account_has_one_lock_whatever_the_state_folder(tmp_path: Path) -> None:
    one = account_lock_file(tmp_path, "alpaca", "A1", tmp_path / "x")
    assert one == account_lock_file(tmp_path, "alpaca", "A1", tmp_path / "y")
    assert one != account_lock_file(tmp_path, "alpaca", "A2", tmp_path / "x")
    assert one != account_lock_file(tmp_path, "ibkr", "A1", tmp_path / "x")
    assert "A1" not in one.name


def test_the_paper_account_is_its_state_folder(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    (tmp_path / "link").symlink_to("x")
    one = account_lock_file(tmp_path, "paper", "", tmp_path / "x")
    assert one == account_lock_file(tmp_path, "paper", "ignored", tmp_path / "link")
    assert one != account_lock_file(tmp_path, "paper", "", tmp_path / "y")


def test_a_live_account_without_an_id_has_no_lock(tmp_path: Path) -> None:
    with pytest.raises(PathError, match="needs an account id"):
        account_lock_file(tmp_path, "okx", "", tmp_path)
