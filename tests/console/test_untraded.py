"""While an account at a real venue is looked at, no engine begins to trade it (C-201).

The locks are real files. A lock of another descriptor keeps us out as one of another process does.
"""

from pathlib import Path

import pytest

from console.host.locks import AccountHeld, AccountLock, Work, last_holder
from console.host.output import CommandFailed, ExitCode
from console.host.paths import account_lock_file
from console.host.place import Host
from console.host.untraded import demand_untraded, untraded
from engine.config import Config
from tests.configs import from_mapping


def config() -> Config:
    market = {"source": "broker", "symbols": ["AAPL"]}
    brokers = {"alpaca": {"account_id": "PA123"}}
    return from_mapping({"account": {"primary": "alpaca"}, "brokers": brokers, "market": market})


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(None, tmp_path / "state", {"MERIDIAN_LOCK_DIR": str(tmp_path / "locks")})


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "locks").mkdir(mode=0o700)
    return account_lock_file(tmp_path / "locks", "alpaca", "PA123", tmp_path / "state")


def test_no_engine_has_the_account_until_the_look_is_over(host: Host, file: Path) -> None:
    with untraded(host, config(), "alpaca"):
        with pytest.raises(AccountHeld) as caught:
            AccountLock.acquire(file, state_dir=file.parent)
        assert caught.value.holder is not None
        assert caught.value.holder.work is Work.DOCTOR
    AccountLock.acquire(file, state_dir=file.parent).release()


def test_to_ask_beforehand_keeps_nobody_out_and_leaves_no_trace(host: Host, file: Path) -> None:
    demand_untraded(host, config(), "alpaca")
    assert last_holder(file) is None
    AccountLock.acquire(file, state_dir=file.parent).release()


@pytest.mark.parametrize("ask", [untraded, demand_untraded])
@pytest.mark.parametrize(
    ("work", "words"),
    [
        (Work.ENGINE, "trades the account alpaca now, and a second connection could push it out"),
        (Work.RESET, "try again when that reset has ended"),
        (Work.DOCTOR, "try again when that doctor has ended"),
    ],
)
def test_an_account_that_somebody_is_at_is_refused_with_what_he_does(
    host: Host, file: Path, work: Work, words: str, ask: object
) -> None:
    assert callable(ask)
    with AccountLock.acquire(file, state_dir=file.parent, work=work):
        with pytest.raises(CommandFailed, match=words) as caught:
            ask(host, config(), "alpaca")
        assert caught.value.exit_code is ExitCode.HELD
