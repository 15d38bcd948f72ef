"""One process that does one piece of work after another, and what its parent may do to it."""

from __future__ import annotations

import asyncio
import gc
import math
import multiprocessing
import os
import resource
import signal
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from service.observability.instruments import ENGINE_PROCESS_ENDS
from service.runtime.engine_channel import pack, receive, send, unpack

# How new objects call for a look at the young ones; 700 by default.
YOUNG_OBJECTS_MAX = 20_000
# The process ends itself this much after its parent ought to have ended it, in seconds of processor time.
OWN_DEADLINE_LATE_SECONDS = 1
# How long a process that has closed its line may take to be gone.
END_SECONDS_MAX = 10.0

# Work that waits uses no processor; after so many times its deadline it is over all the same.
WALL_FACTOR = 10
# Between two looks at work that is about to exceed its deadline.
LOOK_SECONDS_MIN = 0.05
# Abandoned work may go on for as long as the start of another process would take: most of it
# ends by itself, and callers who come and go must not cost more than callers who stay.
ABANDONED_SECONDS_MAX = 0.5

DEADLINE, MEMORY, ABANDONED, DIED = ENGINE_PROCESS_ENDS

# Numbers of at most 20 digits and one short name.
TIMES_BYTES_MAX = 2048

_READY = b"ready"
_CLOCK_TICKS = os.sysconf("SC_CLK_TCK")

Work = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class EngineLimits:
    """What a piece of work may use: seconds of processor time, bytes beyond what its process starts with."""

    seconds_max: float = 20.0
    memory_bytes_max: int = 1024 * 1024 * 1024


class ProcessLost(Exception):
    """The process ended before it had answered; `exit_code` is minus the signal that ended it."""

    def __init__(self, exit_code: int | None) -> None:
        super().__init__(f"exit code {exit_code}")
        self.exit_code = exit_code

    @property
    def exceeded_own_deadline(self) -> bool:
        return self.exit_code == -signal.SIGXCPU


class MemoryExceeded(Exception):
    """The work asked for more memory than it may have; its process is not to be used again."""


@dataclass(frozen=True, slots=True)
class Refused:
    """What the work raised."""

    error: BaseException


class EngineProcess:
    """The parent's end of one process. What begins, waits or ends blocks: call it in a thread."""

    def __init__(self, limits: EngineLimits, prepare: Callable[[], object] | None) -> None:
        """Starts the process; `prepare` runs in it first, and pickling it names what is to be imported."""
        spawning = multiprocessing.get_context("spawn")
        # Of its processor time; open while the process is asked, for to open it costs more than to read it.
        self._times: int | None = None
        self._line, theirs = spawning.Pipe()
        self._process = spawning.Process(
            target=_serve, args=(theirs, limits, prepare), name="engine", daemon=True
        )
        try:
            self._process.start()
        except BaseException:
            self._line.close()
            raise
        finally:
            # Ours must be the only other end, or the death of the process would go unnoticed.
            theirs.close()

    @property
    def process_id(self) -> int:
        return self._process.pid or 0

    def wait_ready(self) -> None:
        """Returns once it is prepared. Raises ProcessLost."""
        self._receive()
        with suppress(OSError):
            self._times = os.open(f"/proc/{self.process_id}/stat", os.O_RDONLY | os.O_CLOEXEC)

    def do(self, work: Work, args: tuple[Any, ...]) -> Any:
        """What the work gives, or Refused with what it raises. Raises ProcessLost, MemoryExceeded."""
        asked = pack((work, args))
        try:
            send(self._line, asked)
        except OSError:
            raise self._lost() from None
        answer = unpack(self._receive())
        if isinstance(answer, Refused) and isinstance(answer.error, MemoryError):
            raise MemoryExceeded()
        return answer

    def is_alive(self) -> bool:
        return self._process.is_alive()

    def processor_seconds(self) -> float | None:
        """The processor time it has used so far; None where the system does not tell, or it is gone."""
        if self._times is None:
            return None
        try:
            status = os.pread(self._times, TIMES_BYTES_MAX, 0)
        except OSError:
            return None
        # The second field is a name in parentheses that may itself have blanks; user and system time are
        # the 14th and 15th.
        fields = status.rpartition(b")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _CLOCK_TICKS

    def kill(self) -> None:
        self._process.kill()

    def end(self) -> None:
        """Kills it if it still lives, and gives back what it held."""
        self._process.kill()
        self._process.join(END_SECONDS_MAX)
        self._line.close()
        if self._times is not None:
            os.close(self._times)
            self._times = None

    def _receive(self) -> list[bytes]:
        try:
            return receive(self._line)
        except (EOFError, OSError):
            raise self._lost() from None

    def _lost(self) -> ProcessLost:
        self._process.join(END_SECONDS_MAX)
        return ProcessLost(self._process.exitcode)


class Job:
    """Work in a process, from its beginning to its end; kills the process when there is reason to."""

    def __init__(self, process: EngineProcess, limits: EngineLimits) -> None:
        self.process = process
        # Why it was killed, in the word of those who count; None while it was not.
        self.killed_for: str | None = None
        self._limits = limits
        self._loop = asyncio.get_running_loop()
        self._used_before = process.processor_seconds() or 0.0
        self._until = self._loop.time() + WALL_FACTOR * limits.seconds_max
        self._look: asyncio.TimerHandle | None = None
        self._leave: asyncio.TimerHandle | None = None
        self._ended = False

    def watch(self) -> None:
        """Kills the process once it has used the time it has, or has waited for many times as long."""
        # No process uses more processor time than passes; so there is nothing to see any sooner.
        self._look = self._loop.call_later(self._limits.seconds_max, self._look_again)

    def _look_again(self) -> None:
        used = (self.process.processor_seconds() or 0.0) - self._used_before
        if used >= self._limits.seconds_max or self._loop.time() >= self._until:
            self._kill(DEADLINE)
            return
        pause = max(self._limits.seconds_max - used, LOOK_SECONDS_MIN)
        self._look = self._loop.call_later(pause, self._look_again)

    def abandon(self) -> None:
        """Its caller is gone: it may end by itself at once, or is killed."""
        if not self._ended:
            self._leave = self._loop.call_later(ABANDONED_SECONDS_MAX, self._kill, ABANDONED)

    def close(self) -> None:
        """It has ended; the process may be another's from here on."""
        self._ended = True
        for timer in (self._look, self._leave):
            if timer is not None:
                timer.cancel()

    def _kill(self, reason: str) -> None:
        if not self._ended and self.killed_for is None:
            self.killed_for = reason
            self.process.kill()


def tune_gc() -> None:
    """Keeps the collector away from what start-up made, which lives as long as the process.

    A simulation makes and drops thousands of values and hardly a cycle; by default the collector would walk
    everything several times a second to find that out.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS_MAX)


def _serve(line: Connection, limits: EngineLimits, prepare: Callable[[], object] | None) -> None:
    # The parent decides when to stop: a Ctrl-C to the whole group must not break work under way.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    if prepare is not None:
        prepare()
    tune_gc()
    _limit_memory(limits.memory_bytes_max)
    send(line, pack(_READY))
    while True:
        try:
            # Nothing of one caller has a name here while the next is waited for.
            send(line, _answer_to(receive(line), limits))
        except EOFError:
            return


def _answer_to(asked: list[bytes], limits: EngineLimits) -> list[bytes]:
    try:
        _limit_processor_time(limits.seconds_max)
        work, args = unpack(asked)
        return pack(work(*args))
    except MemoryError:
        return pack(Refused(MemoryError()))
    except Exception as error:
        # The frames stay here; who reads the log over there needs to know them.
        error.add_note("".join(traceback.format_exception(error)))
        return _packed_refusal(error)


def _packed_refusal(error: Exception) -> list[bytes]:
    try:
        packed = pack(Refused(error))
        unpack(packed)
    except Exception:
        packed = pack(Refused(RuntimeError("".join(traceback.format_exception(error)))))
    return packed


def _limit_processor_time(seconds_max: float) -> None:
    used = resource.getrusage(resource.RUSAGE_SELF)
    until = math.ceil(used.ru_utime + used.ru_stime + seconds_max) + OWN_DEADLINE_LATE_SECONDS
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(
        resource.RLIMIT_CPU, (until if hard == resource.RLIM_INFINITY else min(until, hard), hard)
    )


def _limit_memory(bytes_max: int) -> None:
    # Ending by a signal would leave a copy of everybody's figures on the disk.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        pages = int(Path("/proc/self/statm").read_bytes().split()[0])
    except OSError:
        return
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    wanted = pages * resource.getpagesize() + bytes_max
    resource.setrlimit(
        resource.RLIMIT_AS, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard)
    )


def _leave_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
