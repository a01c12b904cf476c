"""What is malformed in a command, whether or not an engine runs that could do it (INTERFACE)."""

from collections.abc import Mapping
from typing import Any

from console.commands.arguments import (
    CloseArgs,
    ModifyArgs,
    OrderArgs,
    ProtectArgs,
    TargetArgs,
)
from console.commands.table import SERVED
from console.host.conversion import convert
from console.host.operations import change, part_of_one, place_order, price_or_none
from console.host.requests import CommandError


def check(command: str, args: Mapping[str, Any]) -> None:
    """Read the arguments of a command of the table as an engine would.

    Raises CommandError, INVALID_INPUT, with one sentence on the first that no engine would take.
    """
    takes = SERVED[command].takes
    if takes is None:
        raise CommandError("UNKNOWN_COMMAND", f"{command} is served by no engine")
    match convert(args, takes):
        case OrderArgs() as order:
            place_order(order)
        case ModifyArgs() as modified:
            change(modified)
        case CloseArgs() as closed:
            part_of_one(closed)
        case ProtectArgs() | TargetArgs() as moved:
            price_or_none(moved.price)
        case _:
            pass
