"""OANDA's REST interface: its two addresses, what goes into every request, and its questions.

The account that is asked about is known once `find_account` has returned.
"""

import email.utils
import re
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import quote, urlencode

import msgspec

from brokers import Secret
from brokers.net.budget import Budget
from brokers.net.identity import confirm_account
from brokers.net.rest import Answer, Request, Rest
from brokers.oanda import wire
from brokers.oanda.refusals import refusal
from brokers.oanda.settings import OandaConfig
from engine.domain.instant import NS_PER_SECOND, Nanos, clipped, rfc3339
from engine.ports import Ambiguous, AuthFailed

HOSTS: Final = {
    "practice": ("https://api-fxpractice.oanda.com", "https://stream-fxpractice.oanda.com"),
    "live": ("https://api-fxtrade.oanda.com", "https://stream-fxtrade.oanda.com"),
}
"""Environment -> the addresses of requests and of streams."""

REQUESTS_PER_SECOND: Final = 100
"""It allows 120 from one address, and advises 100 on a connection (research §6)."""

CONNECTIONS: Final = 2
"""It refuses more than two new connections a second (research §6), so that a burst may open two."""

MOST_AT_ONCE: Final = 1000
"""So many transactions it tells in one answer."""

ORDERS_AT_ONCE: Final = 500

_TOKEN: Final = re.compile(r"[A-Za-z0-9._~+/=-]+", re.ASCII)

_PAGE: Final = re.compile(r"[?&](from|to)=(\d{1,18})(?=&|$)", re.ASCII)


def oanda_budget(monotonic: Callable[[], Nanos]) -> Budget:
    """The requests that accounts and their prices share: it counts by the address they come from
    (research §6)."""
    return Budget("OANDA", size=REQUESTS_PER_SECOND, seconds=1, monotonic=monotonic)


class OandaApi:
    """One token's way to OANDA. `name` is the account's under `[brokers]`."""

    def __init__(
        self,
        name: str,
        settings: OandaConfig,
        secret: Callable[[str], Secret],
        budget: Budget,
    ) -> None:
        rest_url, stream_url = HOSTS[settings.environment]
        self._name = name
        self.settings = settings
        self._secret = secret
        self.rest = Rest(
            settings.rest_url or rest_url,
            sign=self._sign,
            refusal=refusal,
            budget=budget,
            connections=CONNECTIONS,
        )
        self.streams = Rest(settings.stream_url or stream_url, sign=self._sign, refusal=refusal)
        self.account_id = ""

    async def open(self) -> None:
        """Be ready to send; nothing is sent by that."""
        await self.rest.open()
        await self.streams.open()

    async def close(self) -> None:
        """Close every connection."""
        await self.streams.close()
        await self.rest.close()

    def _sign(self, request: Request) -> Request:
        headers = {
            "Authorization": f"Bearer {self._token()}",
            "Accept-Datetime-Format": "RFC3339",
            "Content-Type": "application/json",
        }
        return msgspec.structs.replace(request, headers=headers)

    def _token(self) -> str:
        """The token. Raises AuthFailed where there is none; what cannot be one never gets near a
        library, whose error would show it."""
        variable = self.settings.token_env
        try:
            token = self._secret(variable).reveal()
        except Exception as error:  # it says where it was looked for
            raise AuthFailed(str(error)) from error
        if _TOKEN.fullmatch(token) is None:
            raise AuthFailed(f"{variable} is no token of OANDA's: it has other characters")
        return token

    async def find_account(self) -> None:
        """Ask which accounts the token may use, and settle on the one that is meant (C-201).

        Raises AuthFailed where it is none of them, or nobody says which of several.
        """
        asked = Request(method="GET", path="/v3/accounts")
        told = await self.rest.ask(asked, wire.Accounts, urgent=True)
        rows = {row.id: row for row in told.accounts}
        wanted = self.settings.account_id
        if not wanted and len(rows) > 1:
            raise AuthFailed(
                f"[brokers.{self._name}] account_id is missing: the token may use "
                f"{', '.join(sorted(rows))}"
            )
        found = rows.get(wanted) if wanted else next(iter(rows.values()), None)
        if found is None:
            raise AuthFailed(
                f"[brokers.{self._name}] the token may not use account {wanted or 'any'}: it may "
                f"use {', '.join(sorted(rows)) or 'none'}"
            )
        confirm_account(self._name, self.settings, found.id)
        if found.mt4_account_id is not None:
            raise AuthFailed(
                f"[brokers.{self._name}] account {found.id} belongs to MetaTrader 4, where no "
                "order may have a client order id (E-06): a v20 account is needed"
            )
        self.account_id = found.id

    def request(
        self, method: str, path: str, query: Mapping[str, str] | None = None, body: Any = None
    ) -> Request:
        """A request about the account; `path` follows that of the account."""
        return Request(
            method=method,
            path=f"/v3/accounts/{quote(self.account_id, safe='')}{path}",
            query=urlencode(query or {}),
            body=b"" if body is None else msgspec.json.encode(body),
        )

    async def ask(
        self,
        path: str,
        kind: type[Any],
        query: Mapping[str, str] | None = None,
        *,
        urgent: bool = False,
    ) -> Any:
        """A question about the account, and its answer as `kind`."""
        return await self.rest.ask(self.request("GET", path, query), kind, urgent=urgent)

    async def account(self, *, urgent: bool = False) -> wire.AccountRow:
        """The whole account at one moment."""
        answer: wire.AccountAnswer = await self.ask("", wire.AccountAnswer, urgent=urgent)
        return answer.account

    async def server_time(self) -> Nanos:
        """The venue's clock by the header of an answer, cut to the second: nothing else tells it.

        Raises Ambiguous where there is none.
        """
        return _date_of(await self.rest.send(self.request("GET", "/summary")))

    async def transaction(self, number: int) -> wire.Transaction:
        """One line of the log."""
        answer: wire.TransactionAnswer = await self.ask(
            f"/transactions/{number}", wire.TransactionAnswer, urgent=True
        )
        return answer.transaction

    async def after(self, number: int) -> list[wire.Transaction]:
        """Every transaction after that of this id, oldest first."""
        told: list[wire.Transaction] = []
        while True:
            query = {"id": str(number)}
            answer: wire.TransactionsAnswer = await self.ask(
                "/transactions/sinceid", wire.TransactionsAnswer, query, urgent=True
            )
            told += answer.transactions
            newest = max((each.number for each in answer.transactions), default=0)
            if newest <= number or newest >= wire.id_of(answer.last_transaction_id):
                return sorted(told, key=lambda each: each.number)
            number = newest

    async def since(self, since: Nanos, kinds: str = "") -> list[wire.Transaction]:
        """Every transaction at or after `since`, oldest first; `kinds` names their types, with
        commas between.

        It answers with the addresses of pages; only the ids in them are used, so that no host from
        outside is asked. Without a beginning it would answer for a week alone.
        """
        only = {"type": kinds} if kinds else {}
        query = {"from": rfc3339(clipped(since)), "pageSize": str(MOST_AT_ONCE), **only}
        listed: wire.PagesAnswer = await self.ask("/transactions", wire.PagesAnswer, query)
        told: list[wire.Transaction] = []
        for page in listed.pages:
            ends = dict(_PAGE.findall(page))
            if ends.keys() != {"from", "to"}:
                raise Ambiguous("a page of the list of transactions has no ids")
            answer: wire.TransactionsAnswer = await self.ask(
                "/transactions/idrange", wire.TransactionsAnswer, {**ends, **only}
            )
            told += answer.transactions
        return sorted(told, key=lambda each: each.number)


def _date_of(answer: Answer) -> Nanos:
    given = answer.headers.get("date", "")
    try:
        moment = email.utils.parsedate_to_datetime(given)
    except (ValueError, TypeError) as error:
        raise Ambiguous(f"the answer has no time: its Date is {given[:40]!r}") from error
    return round(moment.timestamp()) * NS_PER_SECOND
