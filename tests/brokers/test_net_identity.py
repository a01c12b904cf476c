"""Nothing is sent to an account that nobody named, or that another engine trades (C-201)."""

from typing import Literal

import pytest

from brokers.alpaca.settings import AlpacaConfig
from brokers.net.identity import Identity, Rights, confirm_account
from engine.ports import AuthFailed

World = Literal["paper", "live"]


def settings(environment: World, account_id: str = "") -> AlpacaConfig:
    return AlpacaConfig.model_construct(environment=environment, account_id=account_id)


@pytest.mark.parametrize(
    ("environment", "wanted"), [("live", "PA1"), ("paper", "PA1"), ("paper", "")]
)
def test_the_account_that_is_meant_is_taken(environment: World, wanted: str) -> None:
    confirm_account("alpaca", settings(environment, wanted), "PA1")


@pytest.mark.parametrize("environment", ["live", "paper"])
def test_another_account_is_refused_with_both_ids(environment: World) -> None:
    with pytest.raises(AuthFailed, match=r'account_id = "PA2", and the venue answers with PA1'):
        confirm_account("alpaca", settings(environment, "PA2"), "PA1")


def test_real_money_needs_the_id() -> None:
    with pytest.raises(AuthFailed, match=r"\[brokers.mine\] account_id is missing.*PA1"):
        confirm_account("mine", settings("live"), "PA1")


class Claims:
    """Who asked for which account; what is held elsewhere is refused."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self.held: set[str] = set()

    async def __call__(self, name: str, answered: str) -> None:
        self.asked.append((name, answered))
        if answered in self.held:
            raise AuthFailed("another process holds it")


async def test_the_id_that_the_venue_answers_is_claimed_at_every_connect() -> None:
    claims = Claims()
    identity = Identity("mine", settings("paper"), claims)
    await identity.confirm("PA1")
    await identity.confirm("PA1")
    assert claims.asked == [("mine", "PA1"), ("mine", "PA1")]


async def test_an_account_that_is_not_the_one_of_the_config_is_not_claimed() -> None:
    claims = Claims()
    with pytest.raises(AuthFailed, match="the venue answers with PA1"):
        await Identity("mine", settings("paper", "PA2"), claims).confirm("PA1")
    assert claims.asked == []


async def test_a_later_connection_to_another_account_is_refused_with_both_ids() -> None:
    claims = Claims()
    identity = Identity("mine", settings("paper"), claims)
    await identity.confirm("PA1")
    with pytest.raises(AuthFailed, match=r"\[brokers.mine\].* PA1 .* PA2"):
        await identity.confirm("PA2")
    assert claims.asked == [("mine", "PA1")]
    await identity.confirm("PA1")  # the account that was meant is back


async def test_an_account_that_was_refused_is_none_that_it_connected_to() -> None:
    claims = Claims()
    claims.held.add("PA1")
    identity = Identity("mine", settings("paper"), claims)
    with pytest.raises(AuthFailed, match="another process holds it"):
        await identity.confirm("PA1")
    await identity.confirm("PA2")


@pytest.mark.parametrize("environment", ["live", "paper"])
@pytest.mark.parametrize("withdraw", [True, False, None])
async def test_P47_a_key_that_may_withdraw_is_refused_with_real_money_alone(
    environment: World, withdraw: bool | None
) -> None:
    claims = Claims()
    identity = Identity("alpaca", settings(environment, "PA1"), claims)
    rights = Rights(withdraw=withdraw, words="trade, withdraw")
    if environment == "live" and withdraw:
        with pytest.raises(AuthFailed, match=r"account PA1 may withdraw \(trade, withdraw\)"):
            await identity.confirm("PA1", rights)
        assert (identity.answered, claims.asked) == ("", [])
    else:
        await identity.confirm("PA1", rights)
        assert (identity.answered, identity.rights) == ("PA1", rights)
