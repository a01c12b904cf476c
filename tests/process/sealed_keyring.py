"""A keyring for a program under test: kept in a file, and never as it was given.

`SEALED_KEYRING` names the file, and `PYTHON_KEYRING_BACKEND` this back-end for the program
(`BACKEND`); tests read it by `content`.
"""

import json
import os
from pathlib import Path

from keyring.backend import KeyringBackend

FILE = "SEALED_KEYRING"
BACKEND = f"{__name__}.Sealed"


class Sealed(KeyringBackend):
    """It turns every character into another one, so that a search for a key finds none."""

    priority = 1

    def get_password(self, service: str, username: str) -> str | None:
        return content(Path(os.environ[FILE])).get(f"{service}/{username}")

    def set_password(self, service: str, username: str, password: str) -> None:
        path = Path(os.environ[FILE])
        kept = content(path) | {f"{service}/{username}": password}
        path.write_text(json.dumps({name: _turned(value) for name, value in kept.items()}))


def content(path: Path) -> dict[str, str]:
    """What a keyring holds, by service and name."""
    if not path.exists():
        return {}
    return {name: _turned(value) for name, value in json.loads(path.read_text()).items()}


def _turned(text: str) -> str:
    return "".join(chr(0x2000 ^ ord(character)) for character in text)
