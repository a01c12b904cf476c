"""A look at an account at a venue in words, and why there was none."""

from collections.abc import Callable
from typing import Final

from brokers.guide import Guide
from console.host.look import Look
from console.host.output import CommandFailed, ExitCode, counted, warn
from console.host.secrets import KNOWN
from engine.core.machine import SKEW
from engine.domain.instant import NS_PER_SECOND
from engine.domain.money import plain
from engine.domain.text import clean_text
from engine.ports import Ambiguous, AuthFailed, NotSent, Throttled

MOST_SHOWN: Final = 20


def show(look: Look, tell: Callable[[str], None]) -> None:
    """Say what the venue says of the account, line by line; what is wrong goes to stderr."""
    account = look.account
    tell(f"Account {account.account_id}, in {account.currency}:")
    if look.rights.words:
        tell(f"  the key may: {clean_text(look.rights.words, 200)}")
    if look.rights.withdraw:
        warn("The key may withdraw: make one without that right, nothing here needs it.")
    tell(f"  equity {plain(account.equity)}, buying power {plain(account.buying_power)}")
    for currency, amount in sorted((account.balances or {account.currency: account.cash}).items()):
        tell(f"  cash {currency} {plain(amount)}")
    for held in look.positions[:MOST_SHOWN]:
        tell(f"  holds {held.symbol} {plain(held.quantity)}")
    orders = counted(len(look.orders), "working order")
    tell(f"  {counted(len(look.positions), 'holding')}, {orders}")
    ahead = look.clock_offset_seconds
    if ahead is None:
        tell("  it does not tell its time")
    else:
        tell(f"  its clock is {abs(ahead):.1f} s {'ahead of' if ahead > 0 else 'behind'} ours")
        if abs(ahead) * NS_PER_SECOND > SKEW:
            warn("The clocks differ too much to trade: set this machine's by NTP.")
    if look.stream_refused:
        warn(f"Requests are answered, and the stream is refused: {look.stream_refused}")


def failed(guide: Guide, error: Exception) -> CommandFailed:
    """One sentence of what went wrong at the venue, and where we were not let in what to look at.

    No key is in it, whatever the error holds.
    """
    said = clean_text(KNOWN.redact(str(error)), 600).rstrip(".")
    match error:
        case AuthFailed():
            words, code = f"did not let us in: {said}. {guide.refused}", "AUTH_FAILED"
        case Throttled():
            words, code = f"asks us to wait {error.retry_after:.0f} s: {said}.", "THROTTLED"
        case NotSent():
            words, code = f"cannot be reached: {said}.", "UNREACHABLE"
        case Ambiguous():
            words, code = f"gave no answer that can be used: {said}.", "NO_ANSWER"
        case _:
            words, code = f"cannot be used so: {said}.", "REFUSED"
    return CommandFailed(ExitCode.FAILED, f"{guide.title} {words}", code)
