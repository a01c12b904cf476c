"""An account at a real venue is locked by the id that the venue answers (C-201, C-503).

The locks are real files. A lock of another descriptor keeps us out as one of another process does.
"""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from console.host.claims import Claims
from console.host.locks import AccountHeld, AccountLock, Work, holder
from console.host.paths import answered_lock_file
from engine.config import Config
from engine.ports import AuthFailed
from tests.configs import from_mapping

NOT_LONG = 0.05
PATIENCE = 10.0


def config(*names: str, kind: str = "alpaca", **more: Any) -> Config:
    """Accounts of one kind, the first of them primary."""
    tables = {name: {"kind": kind, "key_env": f"{name.upper()}_API_KEY"} | more for name in names}
    market = {"source": "broker", "symbols": ["AAPL"]}
    return from_mapping({"account": {"primary": names[0]}, "brokers": tables, "market": market})


def claims(folder: Path, *names: str, **more: Any) -> Claims:
    locks = folder / "locks"
    locks.mkdir(exist_ok=True)
    return Claims(locks, config(*names), folder / "state", **{"gather_seconds": PATIENCE} | more)


def file_of(folder: Path, answered: str, kind: str = "alpaca", world: str = "paper") -> Path:
    return answered_lock_file(folder / "locks", kind, world, answered)


def taken(folder: Path, answered: str) -> AccountLock:
    """The account is another engine's."""
    (folder / "locks").mkdir(exist_ok=True)
    return AccountLock.acquire(file_of(folder, answered), state_dir=folder / "other")


async def both(made: Claims, **answered: str) -> list[BaseException | None]:
    """What came of claims that are made at once, by the order of their names here."""
    asked = (made.claim(name, told) for name, told in answered.items())
    return await asyncio.wait_for(asyncio.gather(*asked, return_exceptions=True), PATIENCE * 3)


def test_the_lock_is_that_of_kind_environment_and_id(tmp_path: Path) -> None:
    (tmp_path / "locks").mkdir()
    files = {
        file_of(tmp_path, "1"),
        file_of(tmp_path, "2"),
        file_of(tmp_path, "1", kind="okx"),
        file_of(tmp_path, "1", world="live"),
    }
    assert len(files) == 4
    assert all(path.parent == tmp_path / "locks" for path in files)


async def test_an_account_is_held_from_its_claim_to_the_release(tmp_path: Path) -> None:
    made = claims(tmp_path, "mine")
    await made.claim("mine", "PA1")
    found = holder(file_of(tmp_path, "PA1"))
    assert found is not None
    assert (found.state_dir, found.work) == (str(tmp_path / "state"), Work.ENGINE)
    await made.claim("mine", "PA1")  # the next connection
    made.release()
    assert holder(file_of(tmp_path, "PA1")) is None


async def test_once_all_are_given_free_none_is_taken_any_more(tmp_path: Path) -> None:
    """An attempt to connect may outlive what it was for; its lock would stand until the process
    ends, in the way of the kill that this process makes next."""
    made = claims(tmp_path, "mine")
    made.release()
    with pytest.raises(AuthFailed, match="given free"):
        await made.claim("mine", "PA1")
    assert holder(file_of(tmp_path, "PA1")) is None


async def test_a_claim_that_is_under_way_when_all_are_given_free_keeps_nothing(
    tmp_path: Path,
) -> None:
    made = claims(tmp_path, "a", "b")
    first = asyncio.create_task(made.claim("a", "PA1"))
    await asyncio.sleep(0)  # it waits for the other account now
    made.release()
    second = asyncio.create_task(made.claim("b", "PA2"))
    told = await asyncio.wait_for(asyncio.gather(first, second, return_exceptions=True), PATIENCE)
    assert [type(error) for error in told] == [AuthFailed, AuthFailed]
    for answered in ("PA1", "PA2"):
        assert holder(file_of(tmp_path, answered)) is None


async def test_another_name_and_folder_is_kept_out_of_the_same_account(tmp_path: Path) -> None:
    first = claims(tmp_path, "mine")
    await first.claim("mine", "PA1")
    second = Claims(tmp_path / "locks", config("yours"), tmp_path / "other")
    with pytest.raises(AuthFailed, match=rf"yours.*PA1.*held by.*{tmp_path / 'state'}"):
        await second.claim("yours", "PA1")
    assert second.conflict is not None
    assert second.conflict.path == file_of(tmp_path, "PA1")
    first.release()


@pytest.mark.parametrize("held", ["PA1", "PA2"])
async def test_the_accounts_of_a_start_are_taken_all_or_none(tmp_path: Path, held: str) -> None:
    made = claims(tmp_path, "a", "b")
    with taken(tmp_path, held):
        told = await both(made, a="PA1", b="PA2")
        assert [type(error) for error in told] == [AuthFailed, AuthFailed]
        (other,) = {"PA1", "PA2"} - {held}
        assert not file_of(tmp_path, other).exists() or holder(file_of(tmp_path, other)) is None
    assert made.conflict is not None
    with pytest.raises(AuthFailed):  # whoever comes later is refused too: this start has ended
        await made.claim("a", "PA1")


async def test_they_are_taken_in_one_order_whoever_answers_first(tmp_path: Path) -> None:
    first, last = sorted(("PA1", "PA2"), key=lambda told: file_of(tmp_path, told))
    for accounts in ({"a": first, "b": last}, {"a": last, "b": first}):
        made = claims(tmp_path, "a", "b")
        with taken(tmp_path, first):
            await both(made, **accounts)
            assert not file_of(tmp_path, last).exists()  # it was not even tried


async def test_one_whose_venue_does_not_answer_keeps_the_others_only_so_long(
    tmp_path: Path,
) -> None:
    made = claims(tmp_path, "a", "b", gather_seconds=NOT_LONG)
    await made.claim("a", "PA1")
    assert holder(file_of(tmp_path, "PA1")) is not None
    await made.claim("b", "PA2")
    assert holder(file_of(tmp_path, "PA2")) is not None
    made.release()


async def test_one_that_is_held_and_answers_late_ends_a_start_that_is_not_over(
    tmp_path: Path,
) -> None:
    made = claims(tmp_path, "a", "b", gather_seconds=NOT_LONG)
    await made.claim("a", "PA1")
    with taken(tmp_path, "PA2"), pytest.raises(AuthFailed, match=r"b.*PA2.*held by"):
        await made.claim("b", "PA2")
    assert made.conflict is not None
    # what works in the other account until that has ended is still ours alone
    assert holder(file_of(tmp_path, "PA1")) is not None
    made.release()


async def test_one_that_is_held_and_answers_after_the_start_is_refused_by_itself(
    tmp_path: Path,
) -> None:
    made = claims(tmp_path, "a", "b", gather_seconds=NOT_LONG)
    await made.claim("a", "PA1")
    made.start_is_over()
    with taken(tmp_path, "PA2"), pytest.raises(AuthFailed, match=r"b.*PA2.*held by"):
        await made.claim("b", "PA2")
    assert made.conflict is None
    assert holder(file_of(tmp_path, "PA1")) is not None
    await made.claim("b", "PA2")  # it is free by now
    made.release()


async def test_two_names_of_one_account_are_told_and_the_first_keeps_it(tmp_path: Path) -> None:
    made = claims(tmp_path, "a", "b")
    told = await both(made, b="PA1", a="PA1")
    assert [type(error) for error in told] == [AuthFailed, type(None)]
    assert str(told[0]) == (
        "[brokers.b] answers with account PA1 at alpaca, which [brokers.a] is already: "
        "two names would trade it without knowing of each other"
    )
    made.release()


async def test_an_attempt_that_is_given_up_meanwhile_loses_no_lock(tmp_path: Path) -> None:
    made = claims(tmp_path, "a", "b")
    asking = asyncio.ensure_future(made.claim("a", "PA1"))
    await asyncio.sleep(0)
    asking.cancel()
    assert await both(made, b="PA2", a="PA1") == [None, None]
    made.release()
    assert holder(file_of(tmp_path, "PA1")) is None


async def test_an_account_that_a_kill_has_fenced_is_its_own(tmp_path: Path) -> None:
    path = file_of(tmp_path, "PA1")
    (tmp_path / "locks").mkdir()
    lock = AccountLock.acquire(path, state_dir=tmp_path / "state", work=Work.KILL)
    made = claims(tmp_path, "mine", work=Work.KILL, kept={path: lock})
    await made.claim("mine", "PA1")
    made.release()
    assert holder(path) is not None  # it is let go by who has it
    lock.release()
    assert holder(path) is None


async def test_an_account_that_is_left_to_its_engine_keeps_back_no_other(tmp_path: Path) -> None:
    with taken(tmp_path, "PA1"):
        made = claims(tmp_path, "a", "b", left={file_of(tmp_path, "PA1")})
        told = await both(made, a="PA1", b="PA2")
        assert [type(error) for error in told] == [AuthFailed, type(None)]
        assert (made.conflict, made.refused) == (None, {"a": file_of(tmp_path, "PA1")})
    made.release()


def test_the_error_of_a_held_account_names_its_lock(tmp_path: Path) -> None:
    with taken(tmp_path, "PA1"), pytest.raises(AccountHeld) as caught:
        taken(tmp_path, "PA1")
    assert caught.value.path == file_of(tmp_path, "PA1")
