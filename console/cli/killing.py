"""`kill`: through the running engine, and past it where it does not answer (X-52, C-503, T-05).

Only the standard library is loaded before the engine was asked.
"""

import time
from pathlib import Path
from typing import Any, Final

from console.commands.arguments import KillArgs
from console.commands.model import choices_of
from console.host.client import Client, NoAnswer, NoEngine, Refused
from console.host.output import CommandFailed, ExitCode, counted, document, say, warn
from console.host.place import Host

FLATTEN: Final = choices_of(KillArgs, "flatten")

ENGINE_SECONDS: Final = 1.0
"""How long the engine is waited for; its control thread has shut the gate before that."""

MERCY_SECONDS: Final = 2.0
"""How much longer an engine that holds the account has before it is ended."""

REPORT_SECONDS: Final = 45.0

ROW: Final = ("state", "cancelled", "closed", "left", "unknown")
"""What `--json` tells of a broker (INTERFACE) beside what vanished; what is kept is in `status`."""


def kill(host: Host, given: dict[str, Any], *, as_json: bool, why: str = "") -> ExitCode:
    """Kills, prints what is proved, and returns DONE only when nothing is left unknown.

    `given` holds the arguments of the command line, `reason` and `flatten` where they were given.
    `why` says what of the line could not be read. Where there is such, or a `flatten` that is none,
    it halts and cancels, closes nothing, and raises CommandFailed.
    """
    flatten = given.get("flatten")
    if flatten is not None and flatten not in FLATTEN:
        why = f'--flatten "{flatten}" is refused: {", ".join(FLATTEN)} are allowed'
    if why:
        # Whoever asks for a kill wants it to halt, however the rest is spelled.
        given = {**given, "flatten": "none"}
    began = time.monotonic()
    args: dict[str, Any] = {**given, "by": "cli"}
    found = through_engine(host.socket, args, ENGINE_SECONDS)
    if found is None:
        from console.host.kill_latch import latched

        latch = latched(host.state_dir, args)
        from console.host.fence import kill_directly
        from console.host.fencing import Patience

        def again(socket: Path, seconds: float) -> dict[str, Any] | None:
            return through_engine(socket, args, min(seconds, ENGINE_SECONDS))

        patience = Patience(began + ENGINE_SECONDS + MERCY_SECONDS - time.monotonic())
        found = kill_directly(host, latch, args, again, patience)
    shown = {name: found[name] for name in ("latched", "flatten", "fenced", "brokers")}
    if why:
        halted = f"{host.state_dir} is halted all the same"
        if not shown["latched"]:
            halted = f"{host.state_dir} is NOT halted"
        raise CommandFailed(
            ExitCode.USAGE,
            f"{why}; {halted}. This kill closed nothing: say it again as "
            f"`kill [--reason TEXT] [--flatten {'|'.join(FLATTEN)}]`",
            "INVALID_INPUT",
        )
    if as_json:
        rows = {
            name: {key: row[key] for key in ROW} | {"vanished": _vanished(row)}
            for name, row in shown["brokers"].items()
        }
        document(shown | {"brokers": rows})
    else:
        _print(shown, found.get("ended") or "engine")
    if flatten is not None and flatten != shown["flatten"]:
        warn(
            f"--flatten {flatten} was asked; a kill with flatten {shown['flatten']} stands "
            "already, and a kill is never lowered"
        )
    return ExitCode.DONE if proved(shown) else ExitCode.FAILED


def proved(found: dict[str, Any]) -> bool:
    """True when the latch is set, every broker is proved to hold what it should, and nothing is
    gone from what was held that no fill explains."""
    brokers = found["brokers"].values()
    verified = all(
        b["state"] == "VERIFIED" and not b["unknown"] and not _vanished(b) for b in brokers
    )
    return bool(found["latched"] and found["brokers"] and verified)


def _vanished(row: dict[str, Any]) -> list[str]:
    """What the venue's lists do not show any more, and no fill was told of; an engine of an older
    program does not say."""
    return list(row.get("vanished", ()))


def through_engine(socket: Path, args: dict[str, Any], seconds: float) -> dict[str, Any] | None:
    """The kill by the loop of the engine that listens there.

    None when it does not acknowledge within so many seconds; whatever goes wrong with asking it, a
    kill goes on without it.
    """
    deadline = time.monotonic() + seconds
    try:
        with Client(socket, seconds) as client:
            # The thread answers for the loop at the latest then; a little for the way back.
            left = deadline - time.monotonic() + 0.25
            found = client.request("kill", {**args, "wait": False}, left)
            if not found["acknowledged"]:
                return None
            return dict(client.request("kill-report", {}, REPORT_SECONDS))
    except (NoEngine, NoAnswer):
        return None
    except Refused as refused:
        warn(str(refused))
        return None
    except Exception as error:  # a kill goes on past whatever keeps the engine from being asked
        warn(f"The engine could not be asked: {error}")
        return None


def _print(found: dict[str, Any], ended: str = "engine") -> None:
    """`ended` says what the process was that was ended, if one was: a value of `Work`."""
    say("HALTED: the latch is set." if found["latched"] else "The latch is NOT set.")
    if found["fenced"]:
        who = "The engine" if ended == "engine" else f"Another {ended}"
        say(f"{who} did not answer: process {found['fenced']} was ended.")
    if not found["brokers"]:
        say("NOTHING IS PROVED: no broker could be reached. Use the venue's own screen.")
    for name, row in found["brokers"].items():
        say(
            f"{name}: {row['state']}, {counted(row['cancelled'], 'working order')} cancelled "
            "(stops not counted), "
            f"{counted(row['closed'], 'position')} closed (flatten {found['flatten']}), "
            "all since it was first halted"
        )
        for kind in ("left", "unknown", "kept", "vanished"):
            for item in row.get(kind, ()):  # an engine of an older program has not all of them
                say(f"  {kind.upper()}: {item}")
        if row["state"] == "VERIFIED":
            keeps = row.get("kept", found["flatten"] != "all")
            stops = " but the stops of what is kept" if keeps else ""
            say(f"  proved: no order works{stops}, and nothing in scope is held.")
            if gone := _vanished(row):
                say(
                    f"  NOT PROVED SOLD: {name} does not list {', '.join(gone)} any more, and no "
                    "fill was told: look at the venue's own screen."
                )
        else:
            say("  NOT PROVED FLAT: look at the venue's own screen.")
