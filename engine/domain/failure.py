"""The six ways in which a venue can fail a request, how a stream is refused and how long a
ban lasts (U-61, C-403)."""


class BrokerError(Exception):
    """Base of the six; no library error ever passes a broker adapter."""


class NotSent(BrokerError):
    """The request provably did not reach the venue."""


class StreamRefused(NotSent):
    """Requests are answered, and the stream that tells what happens is refused for now: the venue
    has to be asked instead. Only an attempt to connect ends so, and requests go through after it.

    `retry_after`: how many seconds the venue wants to be left alone by the stream; 0 where it does
    not say.
    """

    def __init__(self, text: str, retry_after: float = 0.0) -> None:
        super().__init__(text)
        self.retry_after = retry_after

    @classmethod
    def by(cls, error: "NotSent | Throttled") -> "StreamRefused":
        """The refusal that kept the stream from opening, with the wait that it asks for."""
        wait = error.retry_after if isinstance(error, Throttled) else 0.0
        return cls(str(error), wait)


class Throttled(BrokerError):
    """The venue asked to wait; it did not act on the request."""

    def __init__(self, text: str, retry_after: float) -> None:
        super().__init__(text)
        self.retry_after = retry_after


class Banned(Throttled):
    """The venue answers nothing from this address until then; whoever goes on asking is kept out
    for longer. So cancels and exits wait too."""


class Ambiguous(BrokerError):
    """Nothing proves whether the venue acted: time-out, reset after write, 5xx."""


class Rejected(BrokerError):
    """The venue refused, finally."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


class AuthFailed(BrokerError):
    """The venue does not accept the credentials."""


class MarketClosed(BrokerError):
    """The venue does not take the order at this hour."""
