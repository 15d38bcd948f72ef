"""What the tests of engine processes have done there; apart from them, so that a process begins soon."""

from __future__ import annotations

import os
import resource
import signal
import time
from pathlib import Path

from service.errors.idempotency import IdempotencyKeyConflict
from service.errors.requests import JsonTooDeep, RequestInvalid

ENTRIES = [{"type": "missing", "loc": ["body"], "msg": "Field required", "input": None}]


def prepare() -> None:
    pass


def refuse(kind: str) -> None:
    if kind == "invalid":
        raise RequestInvalid(ENTRIES)
    if kind == "deep":
        raise JsonTooDeep(levels_max=64)
    if kind == "unforeseen":
        raise ZeroDivisionError(kind)
    raise IdempotencyKeyConflict()


class Unsendable(Exception):
    def __init__(self, one: str, other: str) -> None:
        super().__init__(one + other)


def raise_unsendable() -> None:
    raise Unsendable("a", "b")


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def die_once(path: str) -> str:
    if not os.path.exists(path):
        Path(path).touch()
        die()
    return "done"


def double(number: int) -> int:
    return 2 * number


def give_back(*values: object) -> tuple[object, ...]:
    return values


def spin(path: str = "") -> None:
    if path:
        Path(path).write_text(str(os.getpid()))
    while True:
        pass


def spin_without_own_deadline(path: str) -> None:
    """Only another process can end this."""
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (hard, hard))
    spin(path)


def sleep_beyond(seconds: float) -> int:
    time.sleep(seconds)
    return os.getpid()


def fill(bytes_count: int) -> int:
    return len(b"x" * bytes_count)


def wait_for(path: str) -> str:
    Path(path + ".there").write_text(str(os.getpid()))
    while not os.path.exists(path):
        time.sleep(0.02)
    return "done"
