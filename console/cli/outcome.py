"""The exit code of one command's work (INTERFACE)."""

from collections.abc import Callable
from contextlib import nullcontext

from console.host import speech
from console.host.crash import crashed
from console.host.output import CommandFailed, ExitCode, failure
from console.host.place import Host


def outcome(
    host: Host, as_json: bool, work: Callable[[Host], int | None], *, acts: bool = False
) -> int:
    """Run `work` on a host; returns how it ended.

    With `as_json` a failure is a document on stdout besides the sentence on stderr. With `acts`
    neither a reader that takes nothing nor a terminal that hangs up stops the work, and what was
    done decides the exit code, never what was printed. Otherwise what is printed is the work: it
    waits for its reader, and `console.cli.program.main` tells of output that cannot be written.
    """
    with speech.acting() if acts else nullcontext():
        try:
            code = work(host) or ExitCode.DONE
        except CommandFailed as failed:
            failure(failed, as_json=as_json)
            code = failed.exit_code
        except KeyboardInterrupt:
            interrupted = CommandFailed(ExitCode.FAILED, "Interrupted.", "INTERRUPTED")
            failure(interrupted, as_json=as_json)
            code = ExitCode.FAILED
        except Exception as error:  # the outermost frame of every command
            failure(crashed(error, host), as_json=as_json)
            code = ExitCode.FAILED
        speech.finish()
    return int(code)
