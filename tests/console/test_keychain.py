"""Keeping a secret in the keyring, and which keyrings are none (U-72)."""

from collections.abc import Iterator

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.backends.fail import Keyring as NoKeyring
from keyring.backends.null import Keyring as NullKeyring

from console.host.keychain import keep, kept, keyring_fault
from console.host.secrets import Secret, SecretError

CANARY = "canary-key-0123456789"


class Memory(KeyringBackend):
    """A keyring in memory."""

    priority = 1

    def __init__(self) -> None:
        self.values: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.values.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.values[service, username] = password


class Locked(Memory):
    def set_password(self, service: str, username: str, password: str) -> None:
        raise RuntimeError(f"cannot keep {password}")


class Forgetful(Memory):
    def set_password(self, service: str, username: str, password: str) -> None:
        self.values[service, username] = "another"


class PlaintextKeyring(Memory):
    """Named as the back-end that writes into an open file."""


@pytest.fixture(autouse=True)
def usual() -> Iterator[None]:
    before = keyring.get_keyring()
    yield
    keyring.set_keyring(before)


def test_what_is_kept_is_found_again_and_replaces_what_was_there() -> None:
    keyring.set_keyring(Memory())
    assert keyring_fault() == ""
    assert kept("A_KEY") is None
    keep("A_KEY", Secret("first"))
    keep("A_KEY", Secret(CANARY))
    assert kept("A_KEY") == Secret(CANARY)


@pytest.mark.parametrize(
    ("backend", "words"),
    [
        (NoKeyring, "this system has no keyring"),
        (NullKeyring, "this system has no keyring"),
        (PlaintextKeyring, "in a plain file"),
    ],
)
def test_a_keyring_that_keeps_nothing_or_in_the_open_is_none(
    backend: type[KeyringBackend], words: str
) -> None:
    keyring.set_keyring(backend())
    assert words in keyring_fault()


@pytest.mark.parametrize("backend", [Locked, Forgetful])
def test_a_keyring_that_does_not_keep_it_is_told_without_the_secret(
    backend: type[KeyringBackend],
) -> None:
    keyring.set_keyring(backend())
    with pytest.raises(SecretError, match="A_KEY") as raised:
        keep("A_KEY", Secret(CANARY))
    error: BaseException | None = raised.value
    while error is not None:
        assert CANARY not in str(error) or error.__suppress_context__
        error = error.__cause__
