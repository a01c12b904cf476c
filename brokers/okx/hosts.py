"""The addresses of OKX: a key works only in the region that it was made in (research/venues.md §5).

The region is that of `rest_url`; whoever states an address of another kind states all that are
needed, so that nothing is ever sent to a region by guess.
"""

from typing import Final

import msgspec

from brokers.okx.settings import OkxConfig
from engine.reference.textfile import BadFile

_PATH: Final = "/ws/v5"
_REST: Final = "https://www.okx.com"

_STREAMS: Final = {
    ("www.okx.com", "live"): f"wss://ws.okx.com:8443{_PATH}",
    ("www.okx.com", "demo"): f"wss://wspap.okx.com:8443{_PATH}",
    ("eea.okx.com", "live"): f"wss://wseea.okx.com:8443{_PATH}",
    ("eea.okx.com", "demo"): f"wss://wseeapap.okx.com:8443{_PATH}",
    ("us.okx.com", "live"): f"wss://wsus.okx.com:8443{_PATH}",
    ("us.okx.com", "demo"): f"wss://wsuspap.okx.com:8443{_PATH}",
}


class Hosts(msgspec.Struct, frozen=True, kw_only=True):
    """Where each part of the API is."""

    rest: str
    private: str
    """Orders, after a login."""
    business: str
    """Stops, after a login."""
    public: str
    """Tickers, trades and books."""
    candles: str
    """Completed bars."""


def hosts_of(name: str, settings: OkxConfig) -> Hosts:
    """The addresses of an account; `name` is that under `[brokers]`.

    Raises BadFile, in one sentence, where a stream's address is missing or ends in another word
    than the venue's.
    """
    rest = settings.rest_url or _REST
    host = rest.partition("://")[2].partition("/")[0]
    base = _STREAMS.get((host, settings.environment), "")
    private = settings.stream_url or (f"{base}/private" if base else "")
    public = settings.public_stream_url or (f"{base}/public" if base else "")
    return Hosts(
        rest=rest,
        private=private,
        business=_beside(name, "stream_url", private, "/private"),
        public=public,
        candles=_beside(name, "public_stream_url", public, "/public"),
    )


def _beside(name: str, key: str, url: str, end: str) -> str:
    """The address of the business stream that lies beside another one."""
    where = f"[brokers.{name}] {key}"
    if not url:
        raise BadFile(f"{where} is missing: rest_url is none of the venue's own addresses")
    if not url.endswith(end):
        raise BadFile(f'{where} = "{url}": an address that ends in {end} is allowed')
    return url.removesuffix(end) + "/business"
