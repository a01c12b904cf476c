"""The engine, with the console where there is a terminal and nobody asked for it alone."""

from console.cli.outcome import outcome
from console.host.detach import Tether, beside, has_terminal
from console.host.place import Host


def started(
    host: Host, *, headless: bool, seconds: float | None, until_idle: bool, accept_clock: bool
) -> int:
    """Run until it ends, or until the console is left; returns the exit code of INTERFACE.

    `seconds` and `until_idle` are for a start without the console: when it ends by itself. With
    `accept_clock` a clock that stands before the journal's last event is no reason not to.
    """

    def run(tether: Tether | None) -> int:
        # Loaded in the process that runs it: the one that waits stays small.
        from console.host import serving

        return serving.run(
            host,
            headless=headless,
            seconds=seconds,
            until_idle=until_idle,
            accept_clock=accept_clock,
            tether=tether,
        )

    if headless or not has_terminal():
        return outcome(host, False, lambda _: run(None))
    return beside(lambda tether: outcome(host, False, lambda _: run(tether)))
