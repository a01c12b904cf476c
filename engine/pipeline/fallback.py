"""In which account an entry is decided: that of its route, or the fallback (A-240, A-242, X-44).

The account of the route is asked first. What its gate refuses because nothing reaches that account
was provably not sent there; it is asked of the fallback then, through the whole gate of that one,
unless the first account has something of the symbol.
Any other refusal stands: it is about the entry, and a second account does not make it right. What
only reduces goes to the account that holds, and an account that was named is the only one.
"""

from collections.abc import Callable

import msgspec

from engine.domain.codes import Code
from engine.domain.commands import PlaceOrder
from engine.domain.instant import Nanos
from engine.domain.signal import Signal
from engine.pipeline.request import manual_request, signal_request
from engine.pipeline.ruling import Ruling
from engine.pipeline.stages import decide
from engine.risk.finding import passed, refused
from engine.risk.gate import Check
from engine.risk.request import Request
from engine.routing.fallback import fallback_for, is_out_of_reach, stays_in
from engine.world import World

_replace = msgspec.structs.replace


def signalled(
    world: World, signal: Signal, now: Nanos, checks: tuple[Check, ...] | None = None
) -> Ruling:
    """The ruling on a signal; `checks` are those of the gate where none are given."""
    request = signal_request(world, signal)
    _, ruling = _settled(
        world,
        request,
        decide(world, request, now, checks),
        lambda name: signal_request(world, signal, account=name),
        lambda other: decide(world, other, now, checks),
    )
    return ruling


def placed(world: World, command: PlaceOrder, now: Nanos) -> tuple[Request, Ruling]:
    """The request that a person's order comes to, and the ruling on it."""
    request = manual_request(world, command)
    ruling = decide(world, request, now)
    if command.broker:
        return request, ruling
    return _settled(
        world,
        request,
        ruling,
        lambda name: manual_request(world, _replace(command, broker=name)),
        lambda other: decide(world, other, now),
    )


def is_unreached(world: World, ruling: Ruling) -> bool:
    """Whether an entry was refused because it cannot reach its account, and for nothing else."""
    if ruling.allowed or ruling.kind.reduces:
        return False
    if ruling.code == Code.NO_ACCOUNT:
        return is_out_of_reach(world, ruling.account)
    return ruling.code == Code.CIRCUIT_OPEN


def _settled(
    world: World,
    request: Request,
    ruling: Ruling,
    asked_of: Callable[[str], Request],
    ask: Callable[[Request], Ruling],
) -> tuple[Request, Ruling]:
    """The request and the ruling of the account that takes it.

    `asked_of` makes the request of another account, and `ask` decides one. Where the fallback does
    not take it either, what the first account said stands, with the other's words behind it.
    """
    name = fallback_for(world, ruling.account, ruling.symbol)
    if not name or not is_unreached(world, ruling):
        return request, ruling
    stays = stays_in(world, ruling.account, ruling.symbol)
    if stays:
        why = f"It does not go to the fallback {name}: {stays}."
        row = (Code.FALLBACK, refused(f"{ruling.account}: {ruling.code}", name, why))
        reason = f"{ruling.reason} {why}"
        return request, _replace(ruling, reason=reason, trace=(*ruling.trace, row))
    other = asked_of(name)
    if other.kind is not request.kind:
        return request, ruling  # there it would reduce, which nobody asked for
    second, first = ask(other), f"{ruling.account}: {ruling.code}"
    if second.allowed:
        why = f"{ruling.account} does not take it: {ruling.reason}"
        return other, _replace(
            second,
            routed=why,
            reason=f"{second.reason} It goes to the fallback {name}, as {why}",
            trace=((Code.FALLBACK, passed(first, name)), *second.trace),
        )
    why = f"The fallback {name} does not take it either: {second.code}: {second.reason}"
    row = (Code.FALLBACK, refused(f"{name}: {second.code}", name, why))
    return request, _replace(ruling, reason=f"{ruling.reason} {why}", trace=(*ruling.trace, row))
