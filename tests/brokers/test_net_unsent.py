"""A question before a request that is not answered leaves nothing in doubt (C-402)."""

import pytest

from brokers.net.unsent import nothing_sent_yet
from engine.ports import (
    Ambiguous,
    AuthFailed,
    BrokerError,
    MarketClosed,
    NotSent,
    Rejected,
    Throttled,
)


def test_a_question_that_is_not_answered_means_that_the_request_did_not_leave() -> None:
    with pytest.raises(NotSent) as told, nothing_sent_yet("the grid of X is not known"):
        raise Ambiguous("no answer within 3 s")
    assert str(told.value) == "the grid of X is not known: no answer within 3 s"
    assert isinstance(told.value.__cause__, Ambiguous)


@pytest.mark.parametrize(
    "error",
    [
        NotSent("the line is down"),
        Throttled("wait", retry_after=2),
        Rejected("51001", "no such symbol"),
        AuthFailed("the key is refused"),
        MarketClosed("it is night"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_every_other_error_passes_as_it_is(error: BrokerError) -> None:
    with pytest.raises(BrokerError) as told, nothing_sent_yet("the grid of X is not known"):
        raise error
    assert told.value is error


def test_what_is_asked_without_an_error_is_had() -> None:
    with nothing_sent_yet("the grid of X is not known"):
        asked = 2
    assert asked == 2
