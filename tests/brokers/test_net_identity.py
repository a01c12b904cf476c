"""Nothing is sent to an account that nobody named (C-201)."""

from typing import Literal

import pytest

from brokers.alpaca.settings import AlpacaConfig
from brokers.net.identity import confirm_account
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
