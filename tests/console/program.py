"""The program as a process of its own, for tests: started, asked, stopped, killed."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from console.host.client import Client, NoAnswer, NoEngine
from console.host.locks import holder

ROOT = Path(__file__).resolve().parents[2]
MAIN = "import sys; from console.cli import main; sys.exit(main())"
BLOCKING_HOST = "tests.console.blocking_host"
PATIENCE = 30.0


class Program:
    """One state folder and the processes on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "state"
        self.environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith("MERIDIAN_")},
            "MERIDIAN_LOCK_DIR": str(folder / "locks"),
            "MERIDIAN_CONFIG": str(folder / "config.toml"),
            "PYTHONPATH": str(ROOT),
        }
        (folder / "config.toml").write_text("", encoding="utf-8")
        self.engine: subprocess.Popen[bytes] | None = None
        self._stderr = folder / "stderr"
        self._stderr.touch()

    def configure(self, text: str) -> None:
        """The config file's whole text."""
        Path(self.environment["MERIDIAN_CONFIG"]).write_text(text, encoding="utf-8")

    def start(self, *options: str, module: Sequence[str] = ("-c", MAIN)) -> Self:
        """Starts the engine headless and waits until it answers."""
        self.launch(*options, module=module)
        self.wait_for(lambda: self.ask("status")["run_state"] not in ("STOPPED", "STARTING"))
        return self

    def launch(self, *options: str, module: Sequence[str] = ("-c", MAIN)) -> None:
        """Starts the engine headless."""
        command = [sys.executable, *module, "--state-dir", str(self.folder), "--headless", *options]
        with self._stderr.open("ab") as stderr:
            self.engine = subprocess.Popen(
                command,
                cwd=ROOT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=stderr,
            )

    def ask(self, command: str, **args: Any) -> Any:
        """One request on the control socket."""
        with Client(self.folder / "control.sock") as client:
            return client.request(command, args)

    def run(self, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """One command in a process of its own."""
        return subprocess.run(
            [sys.executable, "-c", MAIN, "--state-dir", str(self.folder), *arguments],
            cwd=ROOT,
            env=self.environment,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=90,
        )

    def document(self, *arguments: str) -> Any:
        """The JSON document a command prints."""
        done = self.run(*arguments, "--json")
        assert done.stdout.strip(), done.stderr
        return json.loads(done.stdout)

    def rows(self, name: str) -> list[Any]:
        """A list of the journal."""
        done = self.run("journal", name, "--json")
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    def wait_for(self, condition: Any, seconds: float = PATIENCE) -> None:
        """Until the condition holds; an engine that is not there yet is waited for."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.engine is not None and self.engine.poll() is not None:
                raise AssertionError(f"the engine ended: {self.told}")
            try:
                if condition():
                    return
            except (NoEngine, NoAnswer):
                pass
            time.sleep(0.05)
        raise AssertionError(f"not within {seconds:g} s: {condition}")

    def send(self, number: int) -> None:
        """A signal to the engine's process."""
        assert self.engine is not None
        self.engine.send_signal(number)

    def ended(self) -> int:
        """Waits for the engine's end; its exit code."""
        assert self.engine is not None
        return self.engine.wait(timeout=PATIENCE)

    @property
    def told(self) -> str:
        """What the engine wrote to stderr."""
        return self._stderr.read_text(encoding="utf-8", errors="replace")

    @property
    def trader(self) -> int | None:
        """The process that holds the account; on a terminal it is a child of the command's."""
        folder = self.environment.get("MERIDIAN_LOCK_DIR")
        locks = Path(folder).glob("*.lock") if folder else ()
        found = [one for one in map(holder, locks) if one is not None]
        return found[0].pid if found else None

    def stop(self) -> None:
        """Ends whatever still runs."""
        trader = self.trader
        if trader is not None and trader != os.getpid():
            with contextlib.suppress(ProcessLookupError):
                os.kill(trader, signal.SIGKILL)
        if self.engine is not None and self.engine.poll() is None:
            self.engine.send_signal(signal.SIGCONT)
            self.engine.kill()
            self.engine.wait()
