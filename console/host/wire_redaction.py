"""Recorded messages without what is nobody else's business: secrets, accounts, ids (U-72).

A secret becomes `REDACTED`, by its value and by the name of the header or field that holds one, and
so does an address of electronic mail; an address in a network becomes `ADDRESS`. Capital and small
letters are the same, and JSON within the text of a field is read as any other. Ids
of accounts and of orders, trades and the like become others of the same shape, the same one for the
same id wherever it stands, so that a recording still reads as a session and plays back as one.
Numbers among ids keep their order, and their distance where it is small: a venue that counts its
transactions still counts.

Everything is learned first and replaced afterwards, for an id may be told before its name is.
"""

import base64
import ipaddress
import json
import re
from collections.abc import Iterable
from typing import Final

from console.host.wire_placeholders import EXECUTION, SHORTEST, Placeholders

REDACTED: Final = "REDACTED"

ADDRESS: Final = "192.0.2.1"
"""For any address but that of this machine: one that is nobody's (RFC 5737). Venues name that of a
user where they refuse it."""

_MAIL: Final = re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+")
_NUMBERED: Final = re.compile(
    r"(?<![\w.:])(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9a-f]{0,4}(?::[0-9a-f]{0,4}){2,7})(?![\w.]*\w)", re.I
)
"""What may be an address in a network; `ipaddress` says whether it is one."""

SECRET_NAMES: Final = re.compile(
    r"""(?ix)
    .* (?: secret | passphrase | password | signature | token | api[-_]?key | access[-_]?key
         | authorization | cookie | jwt | listen[-_]?key | credential | private | [-_]sign ) .*
    | sign | sig | key | key[-_]?id | auth | ip | alias | label | nickname
    | .* e-?mail .* | .* phone .* | (?:first|last|given|family|full|user) [-_]? name
    """
)
"""Names of headers, fields and parameters that hold what is never told."""

ACCOUNT_NAMES: Final = re.compile(
    r"""(?ix)
    account[-_]?(?:number|id|no) | (?:main|sub)?[-_]?uid | user[-_]?id | profile[-_]?id | uuid
    | (?:retail_)?portfolio[-_]?(?:id|uuid) | mt4accountid
    """
)
ACCOUNT_WORDS: Final = re.compile(
    r"(?ix) (?:sub|main|primary|parent)? [-_]? (?:acct|account) (?:[-_]?code | s)? | owner"
)
"""Names under which an account stands where the value can be its id: it has a digit, and is as long
as one that is replaced wherever it stands."""

ID_NAMES: Final = re.compile(
    r"""(?ix)
    id | .* (?:order|trade|transaction) [-_]? id s? | (?:client_?|cl|algo_?cl_?)? ord_?id | algo_?id
    | (?:exec|execution|entry|fill|activity|batch|request|position|from|conn)_?id
    | replaced_by | replaces
    """
)
"""Names of what tells one order, execution or entry of an account from another."""

REPORT_NAMES: Final = re.compile(r"i|t|c|C|I")
"""The same in Binance's execution reports, whose names are one letter."""

RANGE_NAMES: Final = re.compile(r"from|to")
"""Bounds of a range of ids, where they are plain numbers."""

MANAGED_ACCOUNTS: Final = "15"
"""The message of TWS that names the accounts of its login."""

TWS_SENT: Final[dict[str, tuple[int, ...]]] = {"3": (26,)}
TWS_HEARD: Final[dict[str, tuple[int, ...]]] = {
    "3": (6,),
    "5": (23, 25),
    "11": (14, 21, 26),
    "101": (22, 23),
}
"""Where the reference of an order, its permanent id and that of an execution stand in messages of
TWS: placeOrder, orderStatus, openOrder, execDetails, completedOrder (server versions 157 to 178, by
the decoder of ib_async 2.1)."""

_SCALAR: Final = r'"(?:[^"\\]|\\.)*"|-?[0-9]+(?![0-9.eE])'
_FIELD: Final = re.compile(rf'"((?:[^"\\]|\\.)*)"(\s*:\s*)({_SCALAR})')
_LIST: Final = re.compile(
    rf'"((?:[^"\\]|\\.)*)"(\s*:\s*\[\s*)((?:{_SCALAR})(?:\s*,\s*(?:{_SCALAR}))*)'
)
_ITEM: Final = re.compile(_SCALAR)
_PARAMETER: Final = re.compile(r"(^|[?&;])([\w.-]+)=([^&\s\"#;\\]*)")
_PATH: Final = re.compile(r"(/(?:accounts|orders|trades|transactions)/@?)([\w.-]+)")
_ACCOUNT_PATH: Final = re.compile(r"/accounts/([0-9][0-9a-f-]{7,})")


class Redaction:
    """Learns a recording, and then writes its texts anew."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        """`secrets` are replaced wherever they stand."""
        from urllib.parse import quote, quote_plus

        self._places = Placeholders()
        written = {
            form
            for value in secrets
            if value
            for form in (
                value,
                quote(value, safe=""),
                quote_plus(value),
                value.replace("/", r"\/"),
                value.encode("unicode_escape").decode(),
                base64.b64encode(value.encode()).decode().rstrip("="),
                *(line for line in value.splitlines() if len(line) >= 2 * SHORTEST),
            )
        }
        longest = sorted(written, key=len, reverse=True)
        self._secrets = re.compile("|".join(map(re.escape, longest)), re.I) if longest else None
        self._long: re.Pattern[str] | None = None
        self._table: dict[str, str] = {}

    def account(self, value: str) -> None:
        """This is the id of an account, whatever it stands under."""
        self._places.account(value)

    def id(self, value: str) -> None:
        """This is an id."""
        self._places.id(value)

    def learn(self, text: str) -> None:
        """Take the ids of a text: an address, a body, or a message of a stream."""
        short = _is_report(text)
        for name, value in _named(text):
            if SECRET_NAMES.fullmatch(name):
                continue
            if _is_account(name, value):
                self._places.account(value)
            elif _is_id(name, value, short):
                self._places.id(value)
        for value in EXECUTION.findall(text):
            self._places.id(value)
        for value in _ACCOUNT_PATH.findall(text):
            self._places.account(value)

    def settle(self) -> None:
        """All is learned: from now on texts can be written anew."""
        self._places.settle()
        self._table = {value.lower(): new for value, new in self._places.long().items()}
        longest = sorted(self._table, key=len, reverse=True)
        if longest:
            words = "|".join(map(re.escape, longest))
            self._long = re.compile(rf"(?<![0-9A-Za-z])(?:{words})(?![0-9A-Za-z])", re.I)

    def header(self, name: str, value: str) -> str:
        """A header's value as it may be told."""
        if SECRET_NAMES.fullmatch(name):
            return REDACTED
        return self.text(value)

    def text(self, text: str) -> str:
        """A text as it may be told: without secrets, its ids replaced."""
        if self._secrets is not None:
            text = self._secrets.sub(REDACTED, text)
        short = _is_report(text)
        text = _LIST.sub(lambda found: self._list(found, short), text)
        text = _FIELD.sub(lambda found: self._field(found, short), text)
        text = _PARAMETER.sub(self._parameter, text)
        text = _PATH.sub(lambda found: found[1] + self._places.of(found[2]), text)
        if self._long is not None:
            text = self._long.sub(lambda found: self._table[found[0].lower()], text)
        text = _MAIL.sub(REDACTED, text)
        return _NUMBERED.sub(_nobodys, text)

    def fields(self, fields: list[str], sent: bool) -> list[str]:
        """The fields of a message of TWS with its ids replaced by where they stand."""
        return [
            self._places.of(value) if place in _private(fields, sent) else value
            for place, value in enumerate(fields)
        ]

    def learn_fields(self, fields: list[str], sent: bool) -> None:
        """Take the ids of a message of TWS by where they stand."""
        if fields[:1] == [MANAGED_ACCOUNTS] and not sent:
            for one in fields[2].split(",") if len(fields) > 2 else ():
                self._places.account(one)
        for place in _private(fields, sent):
            self._places.id(fields[place])

    def known(self, value: str) -> str:
        """What stands for an id in the recording."""
        return self._places.of(value)

    def holds_secret(self, text: str) -> bool:
        """Whether a known secret is in a text."""
        return self._secrets is not None and self._secrets.search(text) is not None

    def _field(self, found: re.Match[str], short: bool) -> str:
        name, gap, value = found.groups()
        return f'"{name}"{gap}{self._value(name, value, short)}'

    def _list(self, found: re.Match[str], short: bool) -> str:
        name, gap, values = found.groups()
        return f'"{name}"{gap}' + _ITEM.sub(lambda v: self._value(name, v[0], short), values)

    def _value(self, name: str, value: str, short: bool) -> str:
        """A JSON value under a name, as it may be told."""
        bare, name = _bare(value), _unescaped(name)
        if SECRET_NAMES.fullmatch(name):
            return f'"{REDACTED}"' if value.startswith('"') and value != '""' else value
        if _is_account(name, bare) or _is_id(name, bare, short):
            new = self._places.of(bare)
            if new != bare:
                return json.dumps(new) if value.startswith('"') else new
        elif _is_json(value, bare) and (new := self.text(bare)) != bare:
            return json.dumps(new)
        return value

    def _parameter(self, found: re.Match[str]) -> str:
        sign, name, value = found.groups()
        if SECRET_NAMES.fullmatch(name):
            value = REDACTED
        elif _is_account(name, value) or _is_id(name, value, False):
            value = self._places.of(value)
        return f"{sign}{name}={value}"


def _private(fields: list[str], sent: bool) -> tuple[int, ...]:
    """Where the ids of orders and executions are in a message of TWS."""
    places = (TWS_SENT if sent else TWS_HEARD).get(fields[0] if fields else "", ())
    return tuple(place for place in places if place < len(fields) and fields[place])


def _named(text: str) -> Iterable[tuple[str, str]]:
    """Every value of a text that has a name, with it."""
    found = [(name, value) for name, _, value in _FIELD.findall(text)]
    found += [
        (name, value) for name, _, values in _LIST.findall(text) for value in _ITEM.findall(values)
    ]
    for name, value in found:
        bare = _bare(value)
        yield _unescaped(name), bare
        if _is_json(value, bare):
            yield from _named(bare)
    for _, name, value in _PARAMETER.findall(text):
        yield name, value


def _bare(value: str) -> str:
    """The text of a JSON string, or the digits of a number; "" for a number below zero, which is no
    id, and for what is no JSON."""
    if not value.startswith('"'):
        return value if value.isdecimal() else ""
    try:
        return str(json.loads(value))
    except ValueError:
        return ""


def _unescaped(name: str) -> str:
    """The name of a field as it is meant."""
    return _bare(f'"{name}"') if "\\" in name else name


def _is_json(value: str, bare: str) -> bool:
    """Whether the text of a field holds fields itself."""
    return value.startswith('"') and '":' in bare.replace(" ", "")


def _nobodys(found: re.Match[str]) -> str:
    """What is told in the place of an address in a network; what is none stays."""
    try:
        address = ipaddress.ip_address(found[0])
    except ValueError:
        return found[0]
    return found[0] if address.is_loopback or address.is_unspecified else ADDRESS


def _is_account(name: str, value: str) -> bool:
    """Whether what stands under a name is the id of an account."""
    if ACCOUNT_NAMES.fullmatch(name):
        return True
    can_be = len(value) >= SHORTEST and any(map(str.isdecimal, value))
    return can_be and ACCOUNT_WORDS.fullmatch(name) is not None


def _is_id(name: str, value: str, short: bool) -> bool:
    if RANGE_NAMES.fullmatch(name):
        return value.isascii() and value.isdecimal()
    return bool(ID_NAMES.fullmatch(name) or (short and REPORT_NAMES.fullmatch(name)))


def _is_report(text: str) -> bool:
    return '"executionReport"' in text
