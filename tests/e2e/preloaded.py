"""A process that has imported the service, and forks servers, workers and commands as often as it is asked.

Most of what a start takes is importing, and these tests start hundreds of times. Each is a process of its own
all the same: it is run as `python -m` runs it, and dies and is killed as any other.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

from scripts.harness.servers import ROOT
from tests.waiting import HANG_SECONDS

IMPORTED = "service.cli.commands"
MESSAGE_BYTES_MAX = 2**18
STDOUT = 1


class ForkedProcess:
    """What `subprocess.Popen` is of a process that is started by itself, as far as it is used of servers."""

    def __init__(self, arguments: Sequence[str], told: int, stderr: IO[bytes]) -> None:
        self.args = arguments
        self.stderr = stderr
        self.returncode: int | None = None
        self._told = os.fdopen(told, "rb", buffering=0)
        self.pid = int(self._told.readline())
        self._place = os.pidfd_open(self.pid)

    def poll(self) -> int | None:
        return self._status_within(0)

    def wait(self, timeout: float | None = None) -> int:
        status = self._status_within(timeout)
        if status is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0)
        return status

    def send_signal(self, number: int) -> None:
        with suppress(ProcessLookupError):
            if self.returncode is None:
                signal.pidfd_send_signal(self._place, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def _status_within(self, seconds: float | None) -> int | None:
        if self.returncode is None and select.select([self._told], [], [], seconds)[0]:
            self.returncode = int(self._told.readline())
            self._told.close()
            os.close(self._place)
        return self.returncode


class Preloaded:
    """The process that forks, as who asks sees it; it ends with its line."""

    def __init__(self) -> None:
        self._line, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", __name__, str(theirs.fileno())], cwd=ROOT, pass_fds=[theirs.fileno()]
            )

    def launch(self, arguments: Sequence[str], folder: Path, variables: Mapping[str, str]) -> ForkedProcess:
        """Starts `python -m ARGUMENTS[1] ARGUMENTS[2:]` in the folder, with these variables and no others."""
        stderr, say = os.pipe()
        try:
            return self._fork(arguments, folder, variables, say, STDOUT, os.fdopen(stderr, "rb"))
        finally:
            os.close(say)

    def run(self, arguments: Sequence[str], variables: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
        """The end of what is started in the same way, in this checkout, and what it has said."""
        with TemporaryFile() as out, TemporaryFile() as err:
            process = self._fork(arguments, ROOT, variables, err.fileno(), out.fileno(), err)
            status = process.wait(HANG_SECONDS)
            said = [read_again(file) for file in (out, err)]
        return subprocess.CompletedProcess(list(arguments), status, *said)

    def end(self) -> None:
        self._line.close()
        self._process.wait()

    def _fork(
        self,
        arguments: Sequence[str],
        folder: Path,
        variables: Mapping[str, str],
        err: int,
        out: int,
        stderr: IO[bytes],
    ) -> ForkedProcess:
        flag, module, *more = arguments
        assert flag == "-m"
        asked = {"module": module, "arguments": more, "folder": str(folder), "variables": dict(variables)}
        told, tell = os.pipe()
        try:
            socket.send_fds(self._line, [json.dumps(asked).encode()], [tell, err, out])
        finally:
            os.close(tell)
        return ForkedProcess(arguments, told, stderr)


@cache
def preloaded() -> Preloaded:
    """The one of this run; it is started when it is first asked for."""
    return Preloaded()


def end_preloaded() -> None:
    if preloaded.cache_info().currsize:
        preloaded().end()
        preloaded.cache_clear()


def read_again(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode()


def fork_on(line: socket.socket) -> None:
    """Forks whatever is asked for until nobody can ask any more; returns in the processes that are forked."""
    importlib.import_module(IMPORTED)
    # What is imported is shared with what is forked, as long as the collector does not write on it.
    gc.collect()
    gc.freeze()
    while True:
        message, places, *_ = socket.recv_fds(line, MESSAGE_BYTES_MAX, 3)
        bury()
        if not message:
            os._exit(0)
        if not os.fork():
            line.close()
            return keep(json.loads(message), *places)
        for place in places:
            os.close(place)


def bury() -> None:
    """Waits for keepers that have ended, and for no others."""
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def keep(asked: dict[str, Any], tell: int, err: int, out: int) -> None:
    """Forks a server, and stays to tell its process id and how it ended; returns in the server."""
    if process_id := os.fork():
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        for place in (err, out, sys.stdout.fileno(), sys.stderr.fileno()):
            os.close(place)
        os.write(tell, b"%d\n" % process_id)
        _, status = os.waitpid(process_id, 0)
        with suppress(BrokenPipeError):
            os.write(tell, b"%d\n" % os.waitstatus_to_exitcode(status))
        os._exit(0)
    os.close(tell)
    for place, standard in ((err, sys.stderr), (out, sys.stdout)):
        os.dup2(place, standard.fileno())
        os.close(place)
    os.chdir(asked["folder"])
    os.environ.clear()
    os.environ.update(asked["variables"])
    sys.argv = [asked["module"], *asked["arguments"]]
    runpy.run_module(asked["module"], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    fork_on(socket.socket(fileno=int(sys.argv[1])))
