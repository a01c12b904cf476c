"""Keys and tokens of Coinbase, and bodies that the real venue took (E-07, C-250)."""

import base64
import json
import os
from decimal import Decimal
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from brokers.coinbase.keys import EARLY_SECONDS, TOKEN_SECONDS, read_key
from brokers.coinbase.products import Product
from brokers.coinbase.symbols import Assets
from brokers.coinbase.terms import is_wide, order_body, wide_limit
from brokers.coinbase.venue_time import SLOWLY, VenueTime
from engine.domain.instant import NS_PER_SECOND
from engine.domain.order import Side
from engine.ports import AuthFailed, Rejected
from engine.runtime.clock import SystemClock
from tests.brokers.kit import order
from tests.brokers.test_coinbase import ED25519, RAW, SEED, opened
from tests.venues.coinbase import KEY_NAME, CoinbaseVenue

D = Decimal
NOW = 1_790_000_000 * NS_PER_SECOND
SEC1, PKCS8 = PrivateFormat.TraditionalOpenSSL, PrivateFormat.PKCS8
CURVE = ec.generate_private_key(ec.SECP256R1())


def pem(key: Any, form: PrivateFormat = PKCS8) -> str:
    text: bytes = key.private_bytes(Encoding.PEM, form, NoEncryption())
    return text.decode()


GOOD: dict[str, tuple[Any, str]] = {
    "an EC key": (CURVE, pem(CURVE, SEC1)),
    "an EC key in one line": (CURVE, pem(CURVE, SEC1).replace("\n", "\\n")),
    "an EC key as PKCS8": (CURVE, pem(CURVE)),
    "Ed25519 as PEM": (SEED, pem(SEED)),
    "Ed25519 as PEM in one line": (SEED, pem(SEED).replace("\n", "\\n")),
    "Ed25519 in base64": (SEED, ED25519),
    "Ed25519 in base64, seed alone": (SEED, base64.b64encode(RAW).decode()),
}


@pytest.mark.parametrize("name", GOOD)
async def test_E07_every_form_in_which_a_key_is_handed_out_trades(name: str) -> None:
    private, secret = GOOD[name]
    algorithm = "EdDSA" if isinstance(private, Ed25519PrivateKey) else "ES256"
    async with (
        CoinbaseVenue(private.public_key(), algorithm) as venue,
        opened(venue, secret=secret) as lab,
    ):
        await lab.start()
        await lab.submit("a", "BUY", "0.1", limit="90")
        (listed,) = await lab.broker.get_open_orders()
        assert listed.client_order_id == "a"
        assert venue.uris[0] == f"GET 127.0.0.1:{venue.port}/api/v3/brokerage/key_permissions"
        assert not any("?" in uri for uri in venue.uris)


def test_E07_a_token_names_key_request_and_times_and_is_never_the_same() -> None:
    given = iter(["one", "two"])
    key = read_key(KEY_NAME, ED25519, lambda: next(given))
    uri = "GET api.coinbase.com/api/v3/brokerage/accounts"
    first, second = key.token(NOW, uri), key.token(NOW)
    header = jwt.get_unverified_header(first)
    assert header == {"alg": "EdDSA", "kid": KEY_NAME, "nonce": "one", "typ": "JWT"}
    options: Any = {"verify_exp": False, "verify_nbf": False}
    claims = jwt.decode(first, SEED.public_key(), algorithms=["EdDSA"], options=options)
    assert claims == {
        "iss": "cdp",
        "sub": KEY_NAME,
        "nbf": NOW // NS_PER_SECOND - EARLY_SECONDS,
        "exp": NOW // NS_PER_SECOND + TOKEN_SECONDS,
        "uri": uri,
    }
    later = jwt.decode(second, SEED.public_key(), algorithms=["EdDSA"], options=options)
    assert "uri" not in later


BAD = {
    "nothing": "",
    "no key": "hunter2hunter2hunter2",
    "too short": base64.b64encode(b"x" * 31).decode(),
    "too long": base64.b64encode(b"x" * 65).decode(),
    "half a PEM": pem(SEED)[:60],
    "another curve": pem(ec.generate_private_key(ec.SECP384R1())),
    "another kind": pem(rsa.generate_private_key(public_exponent=65537, key_size=2048)),
    "one with a password": SEED.private_bytes(
        Encoding.PEM, PKCS8, BestAvailableEncryption(b"x")
    ).decode(),
}


@pytest.mark.parametrize("name", BAD)
def test_a_secret_that_is_no_key_is_refused_and_never_shown(name: str) -> None:
    secret = BAD[name]
    with pytest.raises(AuthFailed, match="is no key: an EC key") as refused:
        read_key(KEY_NAME, secret, lambda: "n")
    assert not secret or secret not in str(refused.value)
    assert refused.value.__cause__ is None


async def test_a_secret_that_is_missing_says_where_it_was_looked_for() -> None:
    async with (
        CoinbaseVenue(SEED.public_key(), "EdDSA") as venue,
        opened(venue, secret_env="COINBASE_OTHER_KEY") as lab,
    ):
        with pytest.raises(AuthFailed, match="COINBASE_OTHER_KEY"):
            await lab.broker.connect()
        assert venue.requests == []


def test_a_key_shows_its_name_alone() -> None:
    assert repr(read_key(KEY_NAME, ED25519, lambda: "n")) == f"Key({KEY_NAME!r}, ***)"


class SetClock(SystemClock):
    """A clock that somebody sets."""

    def __init__(self) -> None:
        self.wall = 1_000 * NS_PER_SECOND
        self.steady = 5 * NS_PER_SECOND

    def now(self) -> int:
        return self.wall

    def monotonic(self) -> int:
        return self.steady


def test_F08_tokens_are_dated_right_while_our_clock_is_set() -> None:
    clock = SetClock()
    venue = VenueTime(clock)
    assert venue.now() == clock.wall
    venue.set(NOW)
    clock.wall += 3600 * NS_PER_SECOND
    assert venue.now() == NOW
    clock.steady += NS_PER_SECOND
    assert venue.now() == NOW + NS_PER_SECOND


def test_F08_a_message_that_waited_to_be_read_does_not_put_the_venue_s_clock_back() -> None:
    clock = SetClock()
    venue = VenueTime(clock)
    venue.set(NOW)
    clock.steady += 60 * NS_PER_SECOND
    venue.told(NOW + 2 * NS_PER_SECOND)  # heard 58 s late
    assert venue.now() == NOW + 60 * NS_PER_SECOND - SLOWLY
    venue.told(NOW + 61 * NS_PER_SECOND)  # ours had fallen behind
    assert venue.now() == NOW + 61 * NS_PER_SECOND


# --- the limit of a stop


@pytest.mark.parametrize("tick", ["0.01", "0.00001", "1", "0.1"])
@pytest.mark.parametrize("stop", ["95", "100", "63320.73", "0.12345", "7", "99.99"])
@pytest.mark.parametrize("side", [Side.BUY, Side.SELL])
def test_the_limit_of_a_stop_lies_beyond_it_and_is_recognised(
    tick: str, stop: str, side: Side
) -> None:
    given = D(stop)
    limit = wide_limit(given, side, D(tick))
    assert limit % D(tick) == 0
    assert limit > 0
    if given * D("0.95") < D(tick):
        return  # no price is below the first one
    assert (limit - given * (1 + side.sign * D("0.05"))) * side.sign >= 0
    grid = D(tick)
    assert is_wide(given, limit, side, grid)
    assert is_wide(given, limit.normalize(), side, grid)
    assert not is_wide(given, limit + grid * side.sign, side, grid)
    assert not is_wide(given, limit - grid * side.sign, side, grid)
    # An order is listed before the grid of its pair was asked for.
    assert is_wide(given, limit.normalize(), side)


@pytest.mark.parametrize(("stop", "limit"), [("95", "94"), ("95", "90"), ("95", "NaN"), ("0", "1")])
def test_a_limit_of_somebody_s_own_is_left_as_it_is(stop: str, limit: str) -> None:
    assert not is_wide(D(stop), D(limit), Side.SELL, D("0.01"))


# --- what is held under which symbol


def test_a_balance_is_cash_where_it_pays_and_else_a_holding() -> None:
    assets = Assets("USD", ("BTC-USD", "ETH-USDC", "AAPL", "BTC-EUR"))
    assert [assets.is_cash(asset, "") for asset in ("USD", "USDC", "EUR", "BTC", "AAPL")] == [
        True, True, True, False, False,
    ]  # fmt: skip
    assert assets.is_cash("GBP", "ACCOUNT_TYPE_FIAT")
    held = [assets.symbol_of(asset) for asset in ("BTC", "ETH", "SOL")]
    assert held == ["BTC-USD", "ETH-USDC", "SOL-USD"]
    assets.check("BTC-USD")
    assets.check("ETH-USDC")
    for symbol in ("BTC-EUR", "ETH-USD", "USDC-USD", "EUR-USD"):
        with pytest.raises(Rejected):
            assets.check(symbol)


# --- what others have recorded


def product(symbol: str) -> Product:
    base, _, paid = symbol.partition("-")
    return Product(
        symbol,
        base_increment="0.1",
        quote_increment="0.0001",
        base_currency_id=base,
        quote_currency_id=paid,
    )


@pytest.mark.parametrize(
    ("name", "terms"),
    [
        ("limit gtc", {"quantity": "4", "limit": "0.2"}),
        ("market sell", {"side": "SELL", "quantity": "10"}),
        ("limit ioc", {"quantity": "10", "limit": "0.05", "tif": "IOC"}),
    ],
)
def test_orders_are_written_as_the_real_venue_took_them(
    root: Path, name: str, terms: dict[str, str]
) -> None:
    shared = Path(os.environ.get("MERIDIAN_SHARED", root.parent / "shared"))
    file = shared / "recorded" / "coinbase" / "ccxt_mit" / "request_vectors.json"
    if not file.is_file():
        pytest.skip(f"{file} is not here: it is no part of the project")
    wanted = dict(json.loads(file.read_text("utf-8"))["create"])[name]
    made = order_body(order("a", symbol=wanted["product_id"], **terms), product("ADA-USDT"))  # type: ignore[arg-type]
    assert made.pop("client_order_id") == "a"
    assert made == wanted
