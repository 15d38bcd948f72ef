"""Runs several server processes on one port, starts the dead again, and passes signals on."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import tempfile
import time
from asyncio.subprocess import PIPE, Process
from dataclasses import dataclass
from pathlib import Path

import structlog

from service.observability.supervisor_metrics import SupervisorMetrics
from service.settings.environment import StoreBackend
from service.settings.process import Settings, SettingsInvalid
from service.web.http.metrics_endpoint import metrics_listening
from service.web.http.sockets import reserve
from service.wiring.exit_codes import EXIT_REFUSED
from service.wiring.shutdown import CUT_SECONDS

# What a process says on its standard output once it takes connections.
LISTENING = b"LISTENING\n"
# Before a process that ended is started again; twice as long after each that did not live long.
RESTART_SECONDS_MIN = 0.1
RESTART_SECONDS_MAX = 10.0
# A process that lived this long was well; what ended it has nothing to do with its start.
WELL_AFTER_SECONDS = 30.0
# A process needs this long to end after its own time limits.
END_SECONDS = 5.0

logger = structlog.get_logger()


class ProcessesRequireSharedStore(SettingsInvalid):
    """Several processes cannot share what one of them keeps in its memory."""

    code = "SERVER_PROCESSES_REQUIRE_SHARED_STORE"

    def __init__(self, variable: str) -> None:
        super().__init__(f"{self.code}: {variable} must be SQL or POSTGRES where there are several processes")


class ServerProcessRefused(Exception):
    """A process refused to start; it has said why, and starting it again would not help."""


def count_of(processes: int) -> int:
    """How many server processes are asked for; 0 asks for one per core this process may use."""
    return processes or len(os.sched_getaffinity(0))


def require_shared_stores(chosen: Settings) -> None:
    """Raises ProcessesRequireSharedStore when a store is in the memory of one process."""
    if chosen.store_backend is StoreBackend.IN_MEMORY:
        raise ProcessesRequireSharedStore("DPM_SUPPORTABILITY_STORE_BACKEND")
    if chosen.proposals.store_backend is StoreBackend.IN_MEMORY:
        raise ProcessesRequireSharedStore("PROPOSAL_STORE_BACKEND")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How each server process is run; `environment` replaces that of the supervisor."""

    count: int
    host: str
    port: int
    metrics_port: int | None
    end_seconds_max: float
    environment: dict[str, str]


def plan_of(chosen: Settings, *, count: int, host: str, port: int) -> Plan:
    environment = dict(os.environ)
    # By default one process of a server computes on each core but one; several servers share the cores.
    cores = len(os.sched_getaffinity(0))
    environment.setdefault("DPM_ENGINE_PROCESSES", str(max(1, (cores - 1) // count)))
    return Plan(
        count=count,
        host=host,
        port=port,
        metrics_port=chosen.serving.metrics_port,
        end_seconds_max=chosen.serving.drain_seconds
        + chosen.stop_seconds_max
        + 2 * CUT_SECONDS
        + END_SECONDS,
        environment=environment,
    )


async def supervise(plan: Plan) -> None:
    """Runs until told to stop, and then until every process has ended.

    Raises PortRefused, and ServerProcessRefused when a process refuses to start.
    """
    reserved = await reserve(plan.host, plan.port)
    try:
        with tempfile.TemporaryDirectory(prefix="lotus-manage-") as folder:
            await Supervisor(plan, reserved.getsockname()[1], Path(folder)).run()
    finally:
        reserved.close()


class Supervisor:
    """Keeps `plan.count` server processes running on one port.

    Each process binds the port for itself (SO_REUSEPORT), and ends in good order when its standard input
    ends: so none outlives the supervisor, however that ends.
    """

    def __init__(self, plan: Plan, port: int, folder: Path) -> None:
        self._plan = plan
        self._port = port
        self._sockets = [folder / f"{number}.sock" for number in range(plan.count)]
        self._running: dict[int, Process] = {}
        self._ready = [asyncio.Event() for _ in range(plan.count)]
        self._stopping = asyncio.Event()
        self._refused: ServerProcessRefused | None = None
        self._metrics = SupervisorMetrics(self._sockets, lambda: len(self._running))

    async def run(self) -> None:
        """Runs until told to stop. Raises PortRefused, ServerProcessRefused."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._pass_on, number)
        async with metrics_listening(self._metrics, self._plan.host, self._plan.metrics_port) as metrics_port:
            announcing = asyncio.create_task(self._announce(metrics_port))
            await asyncio.gather(*(self._keep(number) for number in range(self._plan.count)))
            announcing.cancel()
        if self._refused is not None:
            raise self._refused
        logger.info("stopped")

    async def _announce(self, metrics_port: int | None) -> None:
        for ready in self._ready:
            await ready.wait()
        logger.info(
            "listening",
            host=self._plan.host,
            port=self._port,
            metrics_port=metrics_port,
            processes=self._plan.count,
        )

    def _pass_on(self, number: signal.Signals) -> None:
        logger.info("stopping", signal=number.name)
        self._stopping.set()
        for process in self._running.values():
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(number)

    async def _keep(self, number: int) -> None:
        """Runs the process of one place, again and again, until all are to stop."""
        pause = RESTART_SECONDS_MIN
        while not self._stopping.is_set():
            started = time.monotonic()
            status = await self._run_once(number)
            if self._stopping.is_set():
                return
            logger.error("server_process_ended", server_process=number, status=status)
            if status == EXIT_REFUSED and not self._ready[number].is_set():
                self._refused = ServerProcessRefused(f"server process {number} refused to start")
                self._pass_on(signal.SIGTERM)
                return
            if time.monotonic() - started >= WELL_AFTER_SECONDS:
                pause = RESTART_SECONDS_MIN
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), pause)
                return
            pause = min(2 * pause, RESTART_SECONDS_MAX)
            self._metrics.restarted()

    async def _run_once(self, number: int) -> int:
        """Starts one process and waits for its end; gives its exit status."""
        plan = self._plan
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "service", "serve", "--host", plan.host, "--port", str(self._port)),
            *("--supervised", str(self._sockets[number])),
            stdin=PIPE,
            stdout=PIPE,
            env=plan.environment,
            # A Ctrl-C of the terminal reaches the supervisor only, which passes it on once.
            start_new_session=True,
        )
        self._running[number] = process
        logger.info("server_process_started", server_process=number, pid=process.pid)
        if self._stopping.is_set():
            process.terminate()
        hearing = asyncio.create_task(self._hear(process, number))
        ended = asyncio.create_task(process.wait())
        stopping = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait((ended, stopping), return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait((ended,), timeout=plan.end_seconds_max)
            if not ended.done():
                logger.warning("server_process_killed", server_process=number, pid=process.pid)
                process.kill()
            return await ended
        finally:
            hearing.cancel()
            stopping.cancel()
            del self._running[number]

    async def _hear(self, process: Process, number: int) -> None:
        assert process.stdout is not None, "it is a pipe"
        async for line in process.stdout:
            if line == LISTENING:
                self._ready[number].set()


def say_listening() -> None:
    """Tells the supervisor that connections are taken; nothing else is ever said on standard output."""
    with contextlib.suppress(OSError):
        os.write(sys.stdout.fileno(), LISTENING)


async def stop_with_supervisor() -> None:
    """Ends this process in good order when its standard input ends, which the supervisor holds open."""
    loop = asyncio.get_running_loop()
    gone = asyncio.Event()

    def look() -> None:
        if os.read(sys.stdin.fileno(), 1) == b"":
            loop.remove_reader(sys.stdin.fileno())
            gone.set()

    loop.add_reader(sys.stdin.fileno(), look)
    await gone.wait()
    logger.warning("supervisor_gone")
    signal.raise_signal(signal.SIGTERM)
