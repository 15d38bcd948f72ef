"""Starts real servers and workers on free ports, for the demo, the benchmark and the end-to-end tests."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar, Self

ROOT = Path(__file__).resolve().parents[2]
# Against a hang alone: a machine with much else to do is slow to start anything.
START_SECONDS_MAX = 120.0
STOP_SECONDS_MAX = 120.0
LINES_KEPT = 200


# What a process is told is what its caller says, and nothing that lies about.
OURS = ("DPM_", "PROPOSAL_", "APP_PERSISTENCE_")


# Starts a Python with these arguments, in that folder and with these variables alone. Gives a Popen of it
# with a pipe for its errors, or what can be used as one.
Launch = Callable[[Sequence[str], Path, Mapping[str, str]], Any]


class Service:
    """One process of ours; its environment is this one's without our variables, plus what is given.

    `arguments` are further ones of it; `command` runs another one than ours, which must say in the same way
    that it listens; `launch` starts it in another way than by itself.
    """

    verb: ClassVar[str]
    listens: ClassVar[str]
    lines_kept: ClassVar[int] = LINES_KEPT
    # What runs it, and where: this checkout.
    interpreter: str = sys.executable
    folder: Path = ROOT

    def __init__(
        self,
        variables: Mapping[str, str],
        *,
        port: int = 0,
        command: Sequence[str] | None = None,
        arguments: Sequence[str] = (),
        launch: Launch | None = None,
    ) -> None:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
        asked = command or ["-m", "service", self.verb, "--port", str(port), *arguments]
        self.started = time.perf_counter()
        self.process = (launch or self._spawned)(asked, self.folder, inherited | dict(variables))
        self.lines: deque[bytes] = deque(maxlen=self.lines_kept)
        self.port = self._await_listening()
        self.seconds_to_listen = time.perf_counter() - self.started
        self._frozen: tuple[int, ...] = ()
        self._drain = threading.Thread(target=self._read_on, daemon=True)
        self._drain.start()

    def _spawned(
        self, arguments: Sequence[str], folder: Path, variables: Mapping[str, str]
    ) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [self.interpreter, *arguments], cwd=folder, env=variables, stderr=subprocess.PIPE
        )

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> int:
        """Asks the process to stop and waits; returns its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self._reap()

    def kill(self) -> None:
        """Ends the process as a power cut would."""
        self.process.kill()
        self._reap()

    def _reap(self) -> int:
        try:
            status = self.process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise
        if self._drain.is_alive():
            self._drain.join()
        assert self.process.stderr is not None
        self.process.stderr.close()
        return status

    def _await_listening(self) -> int:
        assert self.process.stderr is not None
        deadline = time.monotonic() + START_SECONDS_MAX
        for line in self.process.stderr:
            self.lines.append(line)
            event = json.loads(line) if line.startswith(b"{") else {}
            if event.get("event") == self.listens:
                return int(event["port"])
            if time.monotonic() > deadline:
                break
        self.process.kill()
        status = self.process.wait()
        self.process.stderr.close()
        said = b"".join(self.lines).decode(errors="replace")
        raise RuntimeError(f"`{self.verb}` did not start (exit status {status}): {said}")

    def _read_on(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line)


class Server(Service):
    verb = "serve"
    listens = "listening"


class Worker(Service):
    """A worker can also be frozen, as when its machine is suspended."""

    verb = "worker"
    listens = "worker_listening"
    # It says little, and what it says is what its operations are traced by.
    lines_kept = 100_000

    def freeze(self, *, whole: bool = False) -> None:
        """Stops the process where it is; with `whole`, its engine processes too."""
        self._frozen = (self.process.pid, *(children_of(self.process.pid) if whole else ()))
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Lets what was frozen go on."""
        self._signal(signal.SIGCONT)

    def stop(self) -> int:
        self.thaw()
        return super().stop()

    def kill(self) -> None:
        self.process.kill()
        # Engine processes leave when the worker is gone, once they can.
        self.thaw()
        super().kill()

    def _signal(self, number: signal.Signals) -> None:
        for pid in self._frozen:
            # An engine process may have ended in between; the worker itself is not waited for yet.
            with suppress(ProcessLookupError):
                os.kill(pid, number)


def children_of(pid: int) -> list[int]:
    """The processes that any thread of a process has started."""
    lists = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for one in lists for child in one.read_text(encoding="utf-8").split()]
