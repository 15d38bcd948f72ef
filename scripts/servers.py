"""Starts a real server on a free port, for the demo, the benchmark and the end-to-end tests."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
START_SECONDS_MAX = 20.0
STOP_SECONDS_MAX = 30.0
LINES_KEPT = 200


class Server:
    """One server process; its environment is this one's without our variables, plus what is given.

    `command` runs another one than ours, which must say in the same way that it listens.
    """

    def __init__(
        self, variables: Mapping[str, str], *, port: int = 0, command: Sequence[str] | None = None
    ) -> None:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("DPM_")}
        arguments = command or ["-m", "service", "serve", "--port", str(port)]
        self.started = time.perf_counter()
        self.process = subprocess.Popen(
            [sys.executable, *arguments], cwd=ROOT, env=inherited | dict(variables), stderr=subprocess.PIPE
        )
        self.lines: deque[bytes] = deque(maxlen=LINES_KEPT)
        self.port = self._await_listening()
        self.seconds_to_listen = time.perf_counter() - self.started
        self._drain = threading.Thread(target=self._read_on, daemon=True)
        self._drain.start()

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> int:
        """Asks the server to stop and waits; returns its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self._reap()

    def kill(self) -> None:
        """Ends the server as a power cut would."""
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
            if event.get("event") == "listening":
                return int(event["port"])
            if time.monotonic() > deadline:
                break
        self.process.kill()
        status = self.process.wait()
        self.process.stderr.close()
        said = b"".join(self.lines).decode(errors="replace")
        raise RuntimeError(f"the server did not start (exit status {status}): {said}")

    def _read_on(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line)
