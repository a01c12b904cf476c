"""The commands of the control socket: what was asked, put to the engine, and its answer.

Which there are, and what they take, is the table of `console.commands`; here is how each is done.
"""

import os
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any, Final

import msgspec

from console.commands.arguments import (
    CancelArgs,
    CloseArgs,
    KillArgs,
    LetterArgs,
    ModifyArgs,
    NoArgs,
    OrderArgs,
    ProtectArgs,
    ReconcileArgs,
    ResolveArgs,
    ResumeArgs,
    SignalArgs,
    TargetArgs,
)
from console.commands.model import Args
from console.commands.table import SERVED
from console.host.conversion import convert
from console.host.kill_report import PROOF_SECONDS, KillReport
from console.host.requests import CommandError
from engine.config import Config
from engine.config.kinds import as_decimal, within
from engine.core.day import close_day
from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.inputs import Command
from engine.domain.instant import rfc3339
from engine.domain.money import is_positive
from engine.domain.order import OrderType, Side, TimeInForce
from engine.domain.result import Result
from engine.domain.run import Flatten, Halt, Level, Trigger
from engine.domain.signal import TradeType
from engine.domain.text import clean_text
from engine.plans.unattended import unattended
from engine.runtime.engine import Engine
from engine.state.letters import state_at
from storage.rows import day_row

DIFFERENCE: Final = ("broker", "symbol", "kind", "local", "venue")
"""What `reconcile` says of one difference."""


class Operations:
    """Does what clients ask of a running engine (`console.host.control.Handler`)."""

    def __init__(
        self,
        engine: Engine,
        config: Config,
        report: KillReport,
        end: Callable[[str], None] | None = None,
    ) -> None:
        """`end` begins the orderly end of the process, for a reason; None where it has no such."""
        self._end = end
        self._engine = engine
        self._config = config
        self._report = report
        self._started = False
        self._found: Halt | None = None
        self._asked: list[int] = []
        """Under which numbers the gate was shut before the start."""

    async def serve(self, command: str, args: Mapping[str, Any]) -> Any:
        """Does one command. Raises CommandError for what is refused, unknown or ill-formed."""
        known, rule = SERVED.get(command), _RULES.get(command)
        if known is None or known.takes is None or rule is None:
            raise CommandError(
                "UNKNOWN_COMMAND",
                f"{clean_text(command, 32)} is no command: {', '.join(SERVED)} are allowed",
            )
        asked = convert(args, known.takes)
        if known.either is not None:
            _one_of(asked, *known.either)
        return await rule(self, asked)

    def halt_of(self, args: Mapping[str, Any]) -> Halt:
        """The latch a kill asks for. Raises CommandError."""
        return halt_of(convert(args, KillArgs), self._config)

    def latched(self, halt: Halt, asked: int | None) -> dict[str, Any]:
        """Follow a latch that was set in another thread; before the start it is kept for it.

        `asked` is the number under which the gate was shut for it; None if it was shut already.
        """
        if asked is not None:
            self._asked.append(asked)
        if self._started:
            self._follow(halt)
        else:
            self._found = halt
        return {"brokers": self._report.brokers(), "flatten": halt.flatten.value}

    def started(self) -> None:
        """The engine has begun: a latch that was found meanwhile reaches it now."""
        self._started = True
        if self._found is not None:
            self._follow(self._found)
            self._found = None

    def _follow(self, halt: Halt) -> None:
        self._engine.latch_found(halt)
        self._engine.halt_taken(self._asked)
        self._asked.clear()

    # --- the rules --------------------------------------------------------------------------------

    async def _status(self, args: NoArgs) -> Any:
        return self._engine.status()

    async def _today(self, args: NoArgs) -> Any:
        """The row of the day at the prices of now, as `journal daily` has it; {} before the first
        one. The journal's own is that of its last mark, a minute old at most."""
        days = close_day(self._engine.world, final=False)
        return next((day_row(day) for day in days if isinstance(day, ev.SessionClosed)), {})

    async def _pause(self, args: NoArgs) -> Any:
        return await self._do(ask.Pause(by=args.by))

    async def _unpause(self, args: NoArgs) -> Any:
        return await self._do(ask.Unpause(by=args.by))

    async def _resume(self, args: ResumeArgs) -> Any:
        epoch = msgspec.UNSET if args.epoch is None else args.epoch
        return await self._do(
            ask.Resume(by=args.by, confirm=args.confirm, rebase=args.rebase, epoch=epoch)
        )

    async def _stop(self, args: NoArgs) -> Any:
        if self._end is None:
            raise CommandError("REFUSED", "this engine ends with the program that runs it")
        bare = [one.text for one in unattended(self._engine.world)]
        self._end(f"stopped by {args.by}")
        return {"stopping": True, "pid": os.getpid(), "unprotected": bare}

    async def _signal(self, args: SignalArgs) -> Any:
        line = args.signal if args.base64 is None else args.base64
        decided, told = await self._engine.submitted(line, source=args.source, line=args.line)
        if not told.ok:
            raise CommandError(told.code, told.error)
        return verdict(decided)

    async def _order(self, args: OrderArgs) -> Any:
        return await self._do(place_order(args))

    async def _cancel(self, args: CancelArgs) -> Any:
        if args.all:
            return await self._do(ask.CancelAll(by=args.by, broker=args.broker))
        return await self._do(
            ask.CancelOrder(by=args.by, client_order_id=args.id or "", confirm=args.confirm)
        )

    async def _modify(self, args: ModifyArgs) -> Any:
        return await self._do(change(args))

    async def _resolve(self, args: ResolveArgs) -> Any:
        return await self._do(
            ask.ResolveOrder(
                by=args.by,
                client_order_id=args.id,
                decision=args.decision,
                quantity=args.quantity,
                price=args.price,
                confirm=args.confirm,
            )
        )

    async def _close(self, args: CloseArgs) -> Any:
        part_of_one(args)
        if args.all:
            return await self._do(ask.CloseAll(by=args.by, broker=args.broker))
        return await self._do(
            ask.ClosePosition(
                by=args.by,
                symbol=args.symbol or "",
                broker=args.broker,
                quantity=args.quantity,
                intent_id=args.id or args.intent_id,
            )
        )

    async def _protect(self, args: ProtectArgs) -> Any:
        return await self._do(
            ask.Protect(
                by=args.by,
                symbol=args.symbol,
                price=price_or_none(args.price),
                confirm=args.confirm,
                broker=args.broker,
            )
        )

    async def _target(self, args: TargetArgs) -> Any:
        price = price_or_none(args.price)
        return await self._do(
            ask.SetTarget(by=args.by, symbol=args.symbol, price=price, broker=args.broker)
        )

    async def _reconcile(self, args: ReconcileArgs) -> Any:
        done = await self._done(ask.Reconcile(by=args.by, apply=args.apply, broker=args.broker))
        return reconciled(done)

    async def _letters(self, args: LetterArgs) -> Any:
        match args.action:
            case "retry":
                return await self._do(ask.RetryLetter(by=args.by, letter_id=args.id))
            case "drop":
                return await self._do(ask.DropLetter(by=args.by, letter_id=args.id))
            case "list":
                now = self._engine.clock.now()
                return [
                    {
                        "id": key,
                        "order": msgspec.to_builtins(letter.terms),
                        "created_at": rfc3339(letter.at),
                        "expires_at": rfc3339(letter.expires_at),
                        "state": state_at(now, letter.expires_at),
                    }
                    for key, letter in self._engine.book.data.letters.items()
                ]

    async def _kill_report(self, args: NoArgs) -> Any:
        proved = await self._report.proof(self._engine.clock, PROOF_SECONDS)
        return proved | {"acknowledged": True}

    async def _do(self, command: Command) -> dict[str, Any]:
        done = await self._done(command)
        return {**done.data, "run_state": self._engine.book.run_state.value}

    async def _done(self, command: Command) -> Result:
        done = await self._engine.command(command)
        if not done.ok:
            raise CommandError(done.code or "REFUSED", done.error)
        return done


def halt_of(args: KillArgs, config: Config) -> Halt:
    """The latch of a kill (X-52). Called in any thread, and in a process without an engine."""
    return Halt(
        reason=clean_text(args.reason) or "operator",
        at=time.time_ns(),
        by=clean_text(args.by, 64),
        level=Level.KILL,
        trigger=Trigger.MANUAL,
        flatten=Flatten(args.flatten or config.kill.flatten),
        epoch=0,
    )


def place_order(args: OrderArgs) -> ask.PlaceOrder:
    """The order a person asked for. Raises CommandError with one sentence."""
    if not args.symbol or args.symbol != clean_text(args.symbol, 32):
        raise CommandError("INVALID_INPUT", "a symbol of at most 32 printable characters is needed")
    for name in ("quantity", "limit", "stop", "protect", "target"):
        value = getattr(args, name)
        if value is not None and not is_positive(value):
            raise CommandError(
                "INVALID_INPUT", f'{name} "{value}" is refused: allowed is a finite number above 0'
            )
    kinds = {
        (False, False): OrderType.MARKET,
        (True, False): OrderType.LIMIT,
        (False, True): OrderType.STOP,
        (True, True): OrderType.STOP_LIMIT,
    }
    return ask.PlaceOrder(
        by=args.by,
        symbol=args.symbol,
        side=Side.BUY if args.side == "buy" else Side.SELL,
        quantity=args.quantity,
        type=kinds[args.limit is not None, args.stop is not None],
        limit_price=args.limit,
        stop_price=args.stop,
        protect=args.protect,
        target=args.target,
        managed=args.managed,
        hold=TradeType(args.hold),
        time_in_force=None if args.tif is None else TimeInForce(args.tif.upper()),
        broker=args.broker,
        intent_id=args.id or args.intent_id,
    )


def change(args: ModifyArgs) -> ask.ModifyOrder:
    """The change of an order that a person asked for. Raises CommandError with one sentence."""
    if all(value is None for value in (args.quantity, args.limit, args.stop, args.tif)):
        raise CommandError(
            "INVALID_INPUT",
            "nothing is to be changed: give a quantity, a limit, a stop or a time in force",
        )
    return ask.ModifyOrder(
        by=args.by,
        client_order_id=args.id,
        quantity=args.quantity,
        limit_price=args.limit,
        stop_price=args.stop,
        time_in_force=None if args.tif is None else TimeInForce(args.tif.upper()),
    )


def part_of_one(args: CloseArgs) -> None:
    """Raise CommandError where a part of all positions is asked to be closed."""
    if args.all and args.quantity is not None:
        raise CommandError("INVALID_INPUT", "quantity is a part of one position, not of all")


def price_or_none(text: str) -> Decimal | None:
    """A price, or None for the word `none`. Raises CommandError with one sentence."""
    if text == "none":
        return None
    price = as_decimal(text)
    if price is None or not is_positive(price):
        allowed = within("none or a number above 0", text)
        words = f'price "{clean_text(text, 32)}" is refused: allowed is {allowed}'
        raise CommandError("INVALID_INPUT", words)
    return price


def verdict(decided: ev.SignalDecided | ev.InputRejected) -> dict[str, Any]:
    """One result line of `signal` (INTERFACE)."""
    if isinstance(decided, ev.InputRejected):
        return {
            "signal_id": decided.input_id,
            "outcome": "REJECTED",
            "stage": "intake",
            "code": "INVALID_INPUT",
            "measured": "",
            "limit": "",
            "reason": decided.reason,
            "client_order_ids": [],
        }
    return {
        "signal_id": decided.signal_id,
        "outcome": decided.verdict.value,
        "stage": decided.stage.value,
        "code": decided.code,
        "measured": decided.measured,
        "limit": decided.limit,
        "reason": decided.reason,
        "client_order_ids": list(decided.client_order_ids),
    }


def reconciled(done: Result) -> dict[str, Any]:
    """The document of `reconcile --json`.

    `doubted`, `unexplained` and `notes` are there where a holding differs of which something moves,
    where cash is unexplained, and where something was not taken over.
    """
    found = done.data
    told: dict[str, Any] = {
        "clean": found["clean"],
        "differences": _differences(found["differences"]),
        "events": found["events"],
    }
    if "doubted" in found:
        told["doubted"] = _differences(found["doubted"])
    return told | {name: found[name] for name in ("unexplained", "notes") if name in found}


def _differences(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, str]]:
    return [{name: str(row[name]) for name in DIFFERENCE} for row in rows]


def _one_of(args: Args, one: str, everything: str) -> None:
    if (getattr(args, one) is None) is not getattr(args, everything):
        raise CommandError("INVALID_INPUT", f"either {one} or {everything} is needed")


Rule = Callable[[Operations, Any], Awaitable[Any]]

_RULES: Final[Mapping[str, Rule]] = {
    "status": Operations._status,
    "pause": Operations._pause,
    "unpause": Operations._unpause,
    "resume": Operations._resume,
    "stop": Operations._stop,
    "signal": Operations._signal,
    "order": Operations._order,
    "cancel": Operations._cancel,
    "close": Operations._close,
    "modify": Operations._modify,
    "protect": Operations._protect,
    "target": Operations._target,
    "resolve": Operations._resolve,
    "reconcile": Operations._reconcile,
    "dead-letters": Operations._letters,
    "kill-report": Operations._kill_report,
    "today": Operations._today,
}
"""What the socket takes; `kill` is served by its own thread (`console.host.control`)."""
