"""What is taken out of recorded messages, and what stays as it is (U-72)."""

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.host.wire_placeholders import NEAR
from console.host.wire_redaction import ADDRESS, REDACTED, Redaction

KEY = "canary/key+with=signs&0123456789"


def written(*texts: str, secrets: tuple[str, ...] = ()) -> list[str]:
    """The texts of one recording, as they may be told."""
    redaction = Redaction(secrets)
    for text in texts:
        redaction.learn(text)
    redaction.settle()
    return [redaction.text(text) for text in texts]


@pytest.mark.parametrize(
    "name",
    [
        "Authorization", "X-MBX-APIKEY", "APCA-API-KEY-ID", "APCA-API-SECRET-KEY", "OK-ACCESS-KEY",
        "OK-ACCESS-SIGN", "OK-ACCESS-PASSPHRASE", "CB-ACCESS-SIGN", "Cookie", "Set-Cookie",
        "Proxy-Authorization", "X-Auth-Token",
    ],
)  # fmt: skip
def test_a_header_that_holds_a_key_is_known_by_its_name_in_letters_of_any_size(name: str) -> None:
    for one in (name, name.lower(), name.upper()):
        assert Redaction().header(one, "anything") == REDACTED


@pytest.mark.parametrize(
    "name", ["Content-Type", "User-Agent", "Retry-After", "x-simulated-trading"]
)
def test_any_other_header_stays(name: str) -> None:
    assert Redaction().header(name, "as it is") == "as it is"


@pytest.mark.parametrize(
    "name",
    [
        "apiKey", "api_key", "secret_key", "key_id", "key", "secret", "signature", "sign", "jwt",
        "passphrase", "token", "listenKey", "email", "ip", "label",
    ],
)  # fmt: skip
def test_a_field_and_a_parameter_that_hold_a_secret_are_known_by_their_names(name: str) -> None:
    body, url = f'{{"{name}": "hidden", "price": "1.0"}}', f"https://x/api?{name}=hidden&side=BUY"
    assert written(body) == [f'{{"{name}": "{REDACTED}", "price": "1.0"}}']
    assert written(url) == [f"https://x/api?{name}={REDACTED}&side=BUY"]


@pytest.mark.parametrize(
    "form",
    [KEY, "canary%2Fkey%2Bwith%3Dsigns%260123456789", f"Bearer {KEY}", f'{{"msg": "no {KEY}!"}}'],
)
def test_a_known_secret_is_found_wherever_it_stands(form: str) -> None:
    (found,) = written(form, secrets=(KEY,))
    assert "canary" not in found
    assert REDACTED in found


def test_a_private_key_is_found_line_by_line() -> None:
    pem = "-----BEGIN EC PRIVATE KEY-----\ncanarycanarycanary\n-----END EC PRIVATE KEY-----"
    (found,) = written(json.dumps({"said": pem.splitlines()[1]}), secrets=(pem,))
    assert "canary" not in found


def test_an_account_is_the_same_one_wherever_it_stands_and_before_it_is_named() -> None:
    address = "https://x/v3/accounts/101-001-1234567-001/orders"
    first, then = written(address, '{"account": {"accountID": "101-001-1234567-001"}}')
    assert first == "https://x/v3/accounts/000-000-0000000-001/orders"
    assert then == '{"account": {"accountID": "000-000-0000000-001"}}'


@pytest.mark.parametrize(
    ("value", "new"),
    [
        ("PA3ABC9", "PA0AAA1"),
        ("DU1234567", "DU0000001"),
        ("44705892343619584", "90000000000000001"),
    ],
)
def test_an_account_keeps_its_shape_and_the_letters_that_say_its_world(
    value: str, new: str
) -> None:
    assert written(f'{{"account_number": "{value}"}}') == [f'{{"account_number": "{new}"}}']


def test_a_number_that_is_an_account_stays_a_number() -> None:
    assert json.loads(written('{"uid": 354937868}')[0]) == {"uid": 900000001}


def test_an_id_is_the_same_one_in_a_body_a_path_a_parameter_and_a_list() -> None:
    uuid = "904837e3-3b76-47ec-b432-046db621571b"
    texts = (
        f'{{"id": "{uuid}", "client_order_id": "mine-7"}}',
        f"https://x/v2/orders/{uuid}",
        "https://x/v2/orders?client_order_id=mine-7",
        f'{{"order_ids": ["{uuid}"]}}',
    )
    found = written(*texts)
    new = json.loads(found[0])
    assert found[1].endswith(f"/{new['id']}")
    assert found[2].endswith(f"={new['client_order_id']}")
    assert json.loads(found[3]) == {"order_ids": [new["id"]]}
    assert uuid not in "".join(found)
    assert "mine-7" not in "".join(found)


def test_what_is_no_id_stays_to_the_last_digit() -> None:
    text = '{"instId": "BTC-USDT", "px": "60000.10", "qty": 1.50, "ts": 1796074540561, "n": null}'
    assert written(text) == [text]


def test_a_bar_has_no_ids_though_its_names_are_those_of_a_report() -> None:
    bar = '[{"T": "b", "t": "2026-11-30T21:38:30Z", "c": 200.5, "i": 5}]'
    report = '{"e": "executionReport", "c": "mine-one", "i": 4523456789, "t": 88123456}'
    assert written(bar) == [bar]
    found = json.loads(written(report)[0])
    assert found == {"e": "executionReport", "c": "aaaa-aa1", "i": 2 * NEAR, "t": NEAR}


@given(st.lists(st.integers(1, 10**18), min_size=1, unique=True))
def test_numbers_keep_their_order_and_their_distance_where_it_is_small(ids: list[int]) -> None:
    rows = written(*(f'{{"orderId": {one}}}' for one in ids))
    new = dict(zip(ids, (json.loads(row)["orderId"] for row in rows), strict=True))
    before, last = 0, 0
    for one in sorted(ids):
        assert new[one] - last == min(one - before, NEAR)
        before, last = one, new[one]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["id", "orderId", "uid", "apiKey", "price", "ids", "a"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(JSON)
def test_what_is_json_stays_json_of_the_same_shape(value: Any) -> None:
    assert _shape(json.loads(written(json.dumps(value))[0])) == _shape(value)


@given(st.text(max_size=40), st.text(alphabet='abcXYZ019/+=\n"\\', min_size=8, max_size=30))
def test_no_text_holds_a_known_secret_afterwards(around: str, secret: str) -> None:
    redaction = Redaction([secret])
    redaction.settle()
    for text in (f"{around}{secret}{around}", json.dumps({"said": around + secret})):
        assert secret not in redaction.text(text)
        assert not redaction.holds_secret(redaction.text(text))


def _shape(value: Any) -> Any:
    match value:
        case dict():
            return {name: _shape(item) for name, item in value.items()}
        case list():
            return [_shape(item) for item in value]
        case _:
            return type(value)


def test_messages_of_tws_lose_what_stands_where_ids_stand() -> None:
    execution = "0000e0d5.65f0a1b2.01.01"
    told = [
        "11",
        "3",
        "1",
        *["x"] * 11,
        execution,
        "time",
        "DU1234567",
        "ISLAND",
        "BOT",
        "2",
        "200",
    ]
    told += ["1234567", "17", "1", "2", "200", "mine", ""]
    redaction = Redaction()
    redaction.learn_fields(["15", "1", "DU1234567", ""], False)
    redaction.learn_fields(told, False)
    redaction.settle()
    found = redaction.fields(told, False)
    assert found[14].endswith(".01")
    assert found[14] != execution
    assert (found[21], found[26]) == (str(NEAR), "aaa3")
    assert redaction.text("\0".join(found)).split("\0")[16] == "DU0000001"
    assert redaction.fields(["11", "too short"], False) == ["11", "too short"]


ACCOUNT = '{"account_number": "PA3CANARY77"}'


@pytest.mark.parametrize(
    "text",
    [
        '{"message": "account pa3canary77 may not"}',
        '{"account": "PA9CANARY88"}',
        '{"acctCode": "PA9CANARY88", "subAccount": "PA9CANARY88"}',
        '{"accounts": ["101-canary-9999999-001"]}',
        r'{"account\u005fnumber": "PA9CANARY88"}',
        r'{"data": "{\"account_number\": \"PA9CANARY88\"}"}',
        r'{"data": "{\"more\": \"{\\\"uid\\\": \\\"9canary88\\\"}\"}"}',
        '{"user_name": "canary", "contactEmail": "a@b.example", "first_name": "canary"}',
        '{"msg": "ask canary.person@mail.example first"}',
    ],
)
def test_what_tells_who_somebody_is_goes_in_whatever_way_it_is_written(text: str) -> None:
    _, found = written(ACCOUNT, text)
    assert "canary" not in found.lower()
    assert "a@b" not in found
    json.loads(found)


@pytest.mark.parametrize(
    "form",
    [
        KEY.upper(), KEY.replace("/", r"\/"), base64.b64encode(KEY.encode()).decode(),
        json.dumps({"data": json.dumps({"x": KEY})}),
    ],
)  # fmt: skip
def test_a_known_secret_is_found_in_whatever_way_it_is_written(form: str) -> None:
    (found,) = written(form, secrets=(KEY,))
    assert REDACTED in found
    assert KEY.lower() not in found.lower()


@pytest.mark.parametrize("address", ["203.0.113.77", "2001:db8::77", "10.1.2.77"])
def test_the_address_from_which_somebody_asked_is_nobodys(address: str) -> None:
    """Binance and OKX name it where a key is not for it."""
    (found,) = written(f'{{"msg": "IP {address}, is not on the list of this key"}}')
    assert found == f'{{"msg": "IP {ADDRESS}, is not on the list of this key"}}'


@pytest.mark.parametrize(
    "text",
    [
        "http://127.0.0.1:8080/v2/orders", '{"time": "12:34:56"}', '{"ts": "2026-12-01T12:34:56Z"}',
        '{"price": "1.2", "ip_version": "1.2.3"}',
        '{"account": "spot"}', '{"account": "margin"}',
    ],
)  # fmt: skip
def test_what_is_no_address_and_no_account_stays(text: str) -> None:
    assert written(text) == [text]
