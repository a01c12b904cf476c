"""Secrets of this host: found in the environment, a private file or the keyring (U-72).

A secret is a `Secret` from the moment it is read: it prints as `***`, is never pickled, and shows
itself only where `reveal` is called, at the edge of a venue's client. A `Redactor` takes what is
known, and what looks like a secret, out of every line that is logged.
"""

import hmac
import os
import re
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final, NoReturn, final

MASK: Final = "***"
SERVICE: Final = "meridian-tui"
"""The name of the keyring's service; the user name there is that of the variable."""

SHORTEST_KNOWN: Final = 4
"""A shorter secret is not looked for by value: it would blot out ordinary text."""

LONG_LINE: Final = 12
"""A line of a secret of this length is looked for by itself."""

LARGEST_FILE: Final = 65_536

_LINE: Final = re.compile(r"(?:export\s+)?([A-Z][A-Z0-9_]*)\s*=\s*(.*)", re.ASCII)
_TELLING: Final = re.compile(
    r"""(?ix)
    ( (?:key|secret|sign|signature|token|passphrase|password) ["']? \s* = \s* ["']?
    | ["'] [\w-]* (?:key|secret|sign|signature|token|passphrase|password) ["'] \s* : \s* ["']?
    | \b (?:authorization|x-[\w-]*(?:key|secret|sign|token|passphrase)[\w-]*) ["']? \s* [:=] \s*
      ["']? (?:bearer\s+|basic\s+)?
    | \b bearer \s+
    )
    [^\s"'&,;})\]]+
    """
)


class SecretError(Exception):
    """A secret that is missing or kept unsafely: one sentence, never the secret itself."""


@final
class Secret:
    """A secret value. Everything but `reveal` shows `***`."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        """Takes the value; an empty one is no secret (ValueError)."""
        if not value:
            raise ValueError("A secret is empty: a value is needed.")
        self._value = value

    def reveal(self) -> str:
        """The value itself, for the one call that needs it."""
        return self._value

    def __repr__(self) -> str:
        return MASK

    def __format__(self, spec: str) -> str:
        return MASK

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._value.encode(), other._value.encode())

    __hash__ = None  # type: ignore[assignment]  # a hash would tell two secrets apart

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("A secret is never pickled or copied.")

    def __getstate__(self) -> NoReturn:
        raise TypeError("A secret is never pickled or copied.")


class SecretStore:
    """Looks for a secret by the name of its variable: environment, then file, then keyring."""

    def __init__(
        self,
        environ: Mapping[str, str],
        file: Path | None = None,
        redactor: "Redactor | None" = None,
    ) -> None:
        """`file` may be absent; it is read when a secret is first looked for. `redactor` learns
        every secret that is found; without one, that of this process does."""
        self._redactor = redactor or KNOWN
        self._environ = environ
        self._path = file
        self._file: dict[str, Secret] | None = None

    def get(self, name: str) -> Secret:
        """The secret that `name` stands for; what is logged and told shows it no more.

        Raises SecretError with what was looked at if there is none, or if the file is not private.
        """
        found = self._found(name)
        self._redactor.add(found)
        return found

    def _found(self, name: str) -> Secret:
        if value := self._environ.get(name):
            return Secret(value)
        if self._file is None:
            self._file = {} if self._path is None else read_secrets(self._path)
        if name in self._file:
            return self._file[name]
        found, keyring_says = _from_keyring(name)
        if found is not None:
            return found
        looked = ["it is not set in the environment"]
        if self._path is not None:
            looked.append(f"not in {self._path}")
        raise SecretError(f"{name} is missing: {', '.join(looked)}, and {keyring_says}.")


def read_secrets(path: Path) -> dict[str, Secret]:
    """The secrets of a file of `NAME=value` lines; an absent file has none.

    Raises SecretError if the file is a link or no plain file, belongs to somebody else, may be
    read or written by group or others, or has a line of another shape.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return {}
    except OSError as error:
        why = "it is a link" if path.is_symlink() else error.strerror or str(error)
        raise SecretError(f"{path} is not read for secrets: {why}.") from error
    try:
        _demand_private(path, os.fstat(descriptor))
        content = os.read(descriptor, LARGEST_FILE + 1)
    finally:
        os.close(descriptor)
    if len(content) > LARGEST_FILE:
        raise SecretError(f"{path} is not read for secrets: it is larger than 64 KiB.")
    return _parsed(path, content)


def _demand_private(path: Path, found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise SecretError(f"{path} is not read for secrets: it is no plain file.")
    if found.st_uid != os.geteuid():
        raise SecretError(f"{path} is not read for secrets: it belongs to another user.")
    if mode := stat.S_IMODE(found.st_mode) & 0o077:
        raise SecretError(
            f"{path} is not read for secrets: group or others may use it (mode bits {mode:03o}); "
            "mode 0600 is needed."
        )


def _parsed(path: Path, content: bytes) -> dict[str, Secret]:
    try:
        text = content.decode()
    except UnicodeDecodeError:
        # Raised afresh: the error of the codec holds the bytes.
        raise SecretError(f"{path} is not read for secrets: it is not UTF-8 text.") from None
    secrets: dict[str, Secret] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        match = _LINE.fullmatch(stripped)
        value = match.group(2) if match else ""
        if len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'":
            value = value[1:-1]
        if match is None or not value:
            raise SecretError(f"{path} line {number} is no secret: NAME=value is allowed.")
        secrets[match.group(1)] = Secret(value)
    return secrets


def _from_keyring(name: str) -> tuple[Secret | None, str]:
    """The keyring's secret, or why there is none. The library loads only here."""
    try:
        import keyring
        from keyring.backends.fail import Keyring as NoKeyring
    except ImportError:
        return None, "no keyring is installed"
    try:
        if isinstance(keyring.get_keyring(), NoKeyring):
            return None, "this system has no keyring"
        value = keyring.get_password(SERVICE, name)
    except Exception as error:  # back-ends raise what they like; the kind is told
        return None, f"the keyring did not answer ({type(error).__name__})"
    return (Secret(value), "") if value else (None, f"not in the keyring under {SERVICE}")


class Redactor:
    """Takes secrets out of text: those it was told, and whatever is written like one."""

    def __init__(self, secrets: Iterable[Secret] = ()) -> None:
        """Knows `secrets` from the start."""
        self._values: set[str] = set()
        self._known: re.Pattern[str] | None = None
        for secret in secrets:
            self.add(secret)

    def add(self, secret: Secret) -> None:
        """Knows one more, as it is written plainly, in an address and in a string literal."""
        from urllib.parse import quote, quote_plus

        value = secret.reveal()
        if len(value) < SHORTEST_KNOWN:
            return
        escaped = value.encode("unicode_escape").decode()
        self._values |= {value, quote(value, safe=""), quote_plus(value), escaped}
        # A private key has lines, and a traceback may show one of them.
        self._values |= {line for line in value.splitlines() if len(line) >= LONG_LINE}
        longest_first = sorted(self._values, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, longest_first)))

    def redact(self, text: str) -> str:
        """`text` with `***` in place of each secret."""
        if self._known is not None:
            text = self._known.sub(MASK, text)
        return _TELLING.sub(rf"\1{MASK}", text)


KNOWN: Final = Redactor()
"""What this process knows of secrets: every one that it has read, wherever it is told from."""


def forbid_core_dumps() -> None:
    """No core file of this process is ever written: it would hold every secret."""
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
