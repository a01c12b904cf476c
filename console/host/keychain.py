"""Keeping a secret in the system's keyring, where `SecretStore` finds it again (U-72).

A keyring that writes secrets into a plain file is none.
"""

from typing import Any, Final

from console.host.secrets import SERVICE, Secret, SecretError, SecretStore

_OPEN_FILES: Final = ("plaintext", "json")
"""Parts of the names of back-ends that keep what they are given where anybody can read it."""


def keyring_fault() -> str:
    """Why nothing can be kept in a keyring here, as a part of a sentence; "" where it can."""
    try:
        import keyring
        from keyring.backends.fail import Keyring as NoKeyring
        from keyring.backends.null import Keyring as NullKeyring
    except ImportError:
        return "no keyring is installed"
    try:
        backend = keyring.get_keyring()
        used = _first(backend)
    except Exception as error:  # back-ends raise what they like; the kind is told
        return f"the keyring did not answer ({type(error).__name__})"
    name = type(used).__name__
    if isinstance(used, NoKeyring | NullKeyring):
        return "this system has no keyring"
    if any(word in name.lower() for word in _OPEN_FILES):
        return f"the keyring here ({name}) keeps secrets in a plain file, which is not used"
    return ""


def keep(name: str, secret: Secret) -> None:
    """Keep a secret under the name of its variable, in place of any that is there.

    Raises SecretError, in one sentence, where the keyring does not take it or does not give it
    back.
    """
    import keyring

    try:
        keyring.set_password(SERVICE, name, secret.reveal())
    except Exception as error:  # back-ends raise what they like, with the secret in it perhaps
        why = type(error).__name__
        raise SecretError(f"The keyring did not take {name} ({why}).") from None
    if SecretStore({}).get(name) != secret:
        raise SecretError(f"The keyring took {name} and gives another value back.")


def kept(name: str) -> Secret | None:
    """What the keyring has under that name; None for nothing, and where there is no keyring."""
    try:
        return SecretStore({}).get(name)
    except SecretError:
        return None


def _first(backend: Any) -> Any:
    """The back-end that a secret would go to: the first of a chain."""
    chained = getattr(backend, "backends", None)
    return next(iter(chained), backend) if chained else backend
