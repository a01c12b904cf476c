"""Secrets: where they are found, and that they show nowhere (U-72)."""

import copy
import json
import os
import pickle
import resource
import subprocess
import sys
from pathlib import Path

import keyring
import keyring.errors
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keyring.backend import KeyringBackend
from keyring.backends.fail import Keyring as NoKeyring

from console.host.secrets import (
    MASK,
    SERVICE,
    Redactor,
    Secret,
    SecretError,
    SecretStore,
    read_secrets,
)

ROOT = Path(__file__).resolve().parents[2]


class MemoryKeyring(KeyringBackend):
    """A keyring in memory."""

    priority = 1

    def __init__(self, values: dict[tuple[str, str], str]) -> None:
        self.values = values

    def get_password(self, service: str, username: str) -> str | None:
        if username == "BROKEN_KEY":
            raise keyring.errors.KeyringLocked("the text of the back-end: canary")
        return self.values.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.values[service, username] = password


@pytest.fixture
def no_keyring() -> object:
    before = keyring.get_keyring()
    keyring.set_keyring(NoKeyring())  # type: ignore[no-untyped-call]
    yield
    keyring.set_keyring(before)


def private(path: Path, text: str | bytes) -> Path:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    path.chmod(0o600)
    return path


def test_a_secret_shows_itself_only_where_it_is_revealed() -> None:
    secret = Secret("canary")
    assert secret.reveal() == "canary"
    shown = [
        repr(secret),
        str(secret),
        f"{secret}",
        f"{secret!r:>10}",
        f"{secret:>10}",
        str(secret),
    ]
    shown += [repr({"key": secret}), repr([secret])]
    assert not any("canary" in text for text in shown)
    assert str(secret) == MASK


def test_a_secret_is_never_pickled_copied_hashed_or_encoded() -> None:
    secret = Secret("canary")
    for act in (
        lambda: pickle.dumps(secret),
        lambda: copy.copy(secret),
        lambda: copy.deepcopy(secret),
        lambda: hash(secret),
        lambda: json.dumps(secret),
        lambda: msgspec.json.encode(secret),
        lambda: vars(secret),
    ):
        with pytest.raises(TypeError) as caught:
            act()
        assert "canary" not in str(caught.value)


def test_secrets_are_equal_by_value_and_an_empty_one_is_none() -> None:
    assert Secret("a") == Secret("a") != Secret("b")
    assert Secret("a") != "a"
    with pytest.raises(ValueError, match="empty"):
        Secret("")


@pytest.mark.usefixtures("no_keyring")
def test_the_environment_comes_before_the_file(tmp_path: Path) -> None:
    file = private(tmp_path / "secrets.env", "A_KEY=file\nB_KEY=file\n")
    store = SecretStore({"A_KEY": "environment", "B_KEY": ""}, file, Redactor())
    assert store.get("A_KEY").reveal() == "environment"
    assert store.get("B_KEY").reveal() == "file"


def test_the_keyring_comes_last() -> None:
    before = keyring.get_keyring()
    keyring.set_keyring(MemoryKeyring({(SERVICE, "A_KEY"): "ring"}))
    try:
        assert SecretStore({}, None, Redactor()).get("A_KEY").reveal() == "ring"
        assert (
            SecretStore({"A_KEY": "environment"}, None, Redactor()).get("A_KEY").reveal()
            == "environment"
        )
        with pytest.raises(SecretError, match=f"and not in the keyring under {SERVICE}"):
            SecretStore({}, None, Redactor()).get("B_KEY")
        with pytest.raises(SecretError, match="did not answer") as caught:
            SecretStore({}, None, Redactor()).get("BROKEN_KEY")
        assert "canary" not in str(caught.value)
    finally:
        keyring.set_keyring(before)


@pytest.mark.usefixtures("no_keyring")
def test_a_system_without_a_keyring_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(SecretError) as caught:
        SecretStore({}, tmp_path / "secrets.env").get("A_KEY")
    assert str(caught.value) == (
        f"A_KEY is missing: it is not set in the environment, not in {tmp_path / 'secrets.env'}, "
        "and this system has no keyring."
    )


def test_the_keyring_is_loaded_only_when_it_is_asked() -> None:
    code = (
        "import sys; from console.host.secrets import SecretStore; "
        "SecretStore({'A_KEY': 'x'}).get('A_KEY'); print('keyring' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("False\n", "")


def test_a_file_has_comments_quotes_and_exports(tmp_path: Path) -> None:
    file = private(tmp_path / "f", '# c\n\nexport A_KEY = a=b\nB_KEY=\'b b\'\nC_KEY="c"\nD_KEY="\n')
    found = {name: secret.reveal() for name, secret in read_secrets(file).items()}
    assert found == {"A_KEY": "a=b", "B_KEY": "b b", "C_KEY": "c", "D_KEY": '"'}
    assert read_secrets(tmp_path / "absent") == {}


@pytest.mark.parametrize("bits", [0o640, 0o604, 0o620, 0o602, 0o610, 0o601, 0o777])
def test_a_file_that_group_or_others_may_use_is_refused(tmp_path: Path, bits: int) -> None:
    file = private(tmp_path / "f", "A_KEY=canary\n")
    file.chmod(bits)
    with pytest.raises(SecretError, match="mode 0600 is needed"):
        read_secrets(file)


@pytest.mark.parametrize("bits", [0o600, 0o400])
def test_a_private_file_is_read(tmp_path: Path, bits: int) -> None:
    file = private(tmp_path / "f", "A_KEY=x\n")
    file.chmod(bits)
    assert list(read_secrets(file)) == ["A_KEY"]


def test_a_link_a_folder_or_a_pipe_is_refused(tmp_path: Path) -> None:
    private(tmp_path / "real", "A_KEY=canary\n")
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "folder").mkdir(mode=0o700)
    os.mkfifo(tmp_path / "pipe", 0o600)
    for name, why in (("link", "it is a link"), ("folder", "no plain file"), ("pipe", "no plain")):
        with pytest.raises(SecretError, match=why):
            read_secrets(tmp_path / name)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a file to another user")
def test_a_file_of_another_user_is_refused(tmp_path: Path) -> None:
    file = private(tmp_path / "f", "A_KEY=canary\n")
    os.chown(file, 12_345, -1)
    with pytest.raises(SecretError, match="belongs to another user"):
        read_secrets(file)


@pytest.mark.parametrize(
    "content",
    [b"canary\n", b"a_key=canary\n", b"A_KEY=\n", b"A_KEY=canary\xff\n", b"#" * 70_000],
    ids=["no name", "lower case", "empty", "no text", "large"],
)
def test_a_file_of_another_shape_is_refused_without_showing_it(
    tmp_path: Path, content: bytes
) -> None:
    with pytest.raises(SecretError) as caught:
        read_secrets(private(tmp_path / "f", content))
    assert "canary" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_known_secret_is_taken_out_as_it_is_and_as_it_travels() -> None:
    redactor = Redactor([Secret("s3cr/et+x"), Secret("ab\ncd")])
    for text in ("<s3cr/et+x>", "<s3cr%2Fet%2Bx>", "<ab\ncd>", "<ab\\ncd>"):
        assert redactor.redact(text) == "<***>"


def test_one_secret_inside_another_leaves_nothing() -> None:
    redactor = Redactor([Secret("abcd"), Secret("abcdefgh")])
    assert redactor.redact("abcdefgh abcd") == "*** ***"


def test_each_line_of_a_private_key_is_known() -> None:
    key = "-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEIB0canary0canary\n-----END EC PRIVATE KEY-----"
    assert "canary" not in Redactor([Secret(key)]).redact("  line MHcCAQEEIB0canary0canary")


def test_a_short_secret_does_not_blot_out_text() -> None:
    assert Redactor([Secret("a")]).redact("a cat") == "a cat"


@pytest.mark.parametrize(
    "text",
    [
        "GET /x?apiKey=canary&symbol=BTC",
        "secret=canary",
        "SIGN=canary;",
        "X-MBX-TOKEN = 'canary'",
        '{"secret_key": "canary", "a": 1}',
        "{'passphrase': 'canary'}",
        "signature=canary",
        "Authorization: Bearer canary",
        "{'Authorization': 'Bearer canary'}",
        "APCA-API-SECRET-KEY=canary",
        "X-Api-Key: canary",
        "bearer canary",
    ],
)
def test_what_is_written_like_a_secret_is_taken_out(text: str) -> None:
    redacted = Redactor().redact(text)
    assert "canary" not in redacted
    assert MASK in redacted


@pytest.mark.parametrize(
    "text",
    [
        "signal_id=s-1",
        "client_order_id=01HX symbol=SPY",
        "key pressed: F12",
        "token bucket is empty",
        "signed quantity -5",
        "equity=100000.00 design=3d",
    ],
)
def test_ordinary_text_is_left_alone(text: str) -> None:
    kept = text.replace("design=3d", "design=***")
    assert Redactor().redact(text) == kept


@given(st.text(min_size=4, max_size=30), st.text(max_size=30), st.text(max_size=30))
def test_no_known_secret_survives(value: str, before: str, after: str) -> None:
    redacted = Redactor([Secret(value)]).redact(f"{before}{value}{after}")
    # What is left may spell it only where the mask itself does.
    assert value not in redacted or value in f"{before}{MASK}{after}"


def test_core_dumps_are_forbidden() -> None:
    code = (
        "import resource; from console.host.secrets import forbid_core_dumps; forbid_core_dumps(); "
        "print(resource.getrlimit(resource.RLIMIT_CORE))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == "(0, 0)\n"
    assert resource.RLIMIT_CORE >= 0
