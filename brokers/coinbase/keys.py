"""A key of the Coinbase Developer Platform, and the tokens that are signed with it (E-07).

Every request has a token of its own, which names method, host and path and is good for seconds. A
subscription has one that names nothing.
"""

import base64
import binascii
from collections.abc import Callable
from typing import Final

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from engine.domain.instant import NS_PER_SECOND, Nanos
from engine.ports import AuthFailed

TOKEN_SECONDS: Final = 10
"""How long the venue accepts a token. It is less than the two minutes that the venue's own library
takes, because a request that hangs on the way may be carried out for as long (rule 1)."""

EARLY_SECONDS: Final = 2
"""A token is good from so much before it was made: the venue's machines differ among themselves."""

SEED_BYTES: Final = 32
_ALLOWED: Final = (
    "an EC key on the curve P256 as PEM, or an Ed25519 key as PEM or as 64 bytes in base64, is "
    "allowed"
)


class Key:
    """Signs tokens. It shows its name and nothing else."""

    def __init__(
        self,
        name: str,
        private: EllipticCurvePrivateKey | Ed25519PrivateKey,
        nonce: Callable[[], str],
    ) -> None:
        """`nonce` gives a text that was never given before."""
        self._name = name
        self._private = private
        self._nonce = nonce
        self._algorithm = "EdDSA" if isinstance(private, Ed25519PrivateKey) else "ES256"

    def __repr__(self) -> str:
        return f"Key({self._name!r}, ***)"

    def token(self, now: Nanos, uri: str = "") -> str:
        """A token for one request, `uri` as "GET host/path" without a query, or for one
        subscription. `now` is the venue's time in nanoseconds UTC."""
        begins = now // NS_PER_SECOND
        claims: dict[str, object] = {
            "iss": "cdp",
            "sub": self._name,
            "nbf": begins - EARLY_SECONDS,
            "exp": begins + TOKEN_SECONDS,
        }
        if uri:
            claims["uri"] = uri
        headers = {"kid": self._name, "nonce": self._nonce()}
        return jwt.encode(claims, self._private, algorithm=self._algorithm, headers=headers)


def read_key(name: str, secret: str, nonce: Callable[[], str]) -> Key:
    """The key of that name. Raises AuthFailed, whose words hold nothing of the secret.

    A PEM is often handed on in one line, with backslash and n where lines end.
    """
    text = secret.replace("\\n", "\n").strip()
    private = _from_pem(text) if "-----BEGIN" in text else _from_seed(text)
    if isinstance(private, EllipticCurvePrivateKey) and isinstance(private.curve, SECP256R1):
        return Key(name, private, nonce)
    if isinstance(private, Ed25519PrivateKey):
        return Key(name, private, nonce)
    raise AuthFailed(f"the secret of the Coinbase key is no key: {_ALLOWED}")


def _from_pem(text: str) -> object:
    try:
        return load_pem_private_key(text.encode(), password=None)
    except (ValueError, TypeError):  # what it says of the text is not for a log
        return None


def _from_seed(text: str) -> object:
    """A seed of 32 bytes with its public key behind it."""
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    if len(raw) not in {SEED_BYTES, 2 * SEED_BYTES}:
        return None
    return Ed25519PrivateKey.from_private_bytes(raw[:SEED_BYTES])
