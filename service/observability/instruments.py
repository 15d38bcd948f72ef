"""The protocols of metrics, as the code that reports sees them; the wiring decides what counts."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

# Why an engine process ended, as it is counted.
ENGINE_PROCESS_ENDS = ("DEADLINE", "MEMORY", "ABANDONED", "DIED")


@dataclass(frozen=True, slots=True)
class PoolUse:
    """Open connections, the idle ones among them, and callers that wait for one."""

    open: int
    idle: int
    waiting: int
    connections_max: int


@runtime_checkable
class Pooled(Protocol):
    """A store behind a pool of connections."""

    def pool_use(self) -> PoolUse:
        """As it is at the moment; may be asked from any thread."""
        ...


class StoreMetrics(Protocol):
    """What the acts of a store are told to; all times in seconds."""

    def act_timer(self, noun: str, act: str) -> Callable[[float], None]:
        """What is to be called with the time each such act took."""
        ...

    def act_failed(self, noun: str, act: str, cause: str) -> None:
        """The store was not available for an act; the cause is the value of a StoreCause."""
        ...

    def act_refused(self, noun: str, act: str) -> None:
        """The store was there and did not take an act; the fault is ours."""
        ...


class EngineMetrics(Protocol):
    """What pure work is told to; all times in seconds."""

    def engine_worked(self, work: str, place: str, seconds: float) -> None:
        """Work of a name was done, `place` being process or loop; waiting for a process counts."""
        ...


class EngineProcessMetrics(Protocol):
    """What engine processes are told to."""

    def engine_process_ended(self, cause: str) -> None:
        """One ended before its time and is replaced; the cause is one of ENGINE_PROCESS_ENDS."""
        ...


class Spans(Protocol):
    """What follows one request through its parts."""

    def child(self, name: str) -> AbstractContextManager[object]:
        """A span inside the one that is under way; nothing where none is."""
        ...


class RecoveryMetrics(Protocol):
    """What a sweep tells of operations."""

    def recovered(self, *, requeued: int, exhausted: int, expired: int, overdue: int) -> None:
        """So many were requeued, and failed: after their last attempt, unexecuted, over their deadline."""
        ...


class RetentionMetrics(Protocol):
    """What a purge tells of its work."""

    def purged(self, removed: dict[str, int], seconds: float) -> None:
        """A purge went through in so many seconds, and removed so many rows of each kind."""
        ...

    def purge_failed(self) -> None:
        """A purge was broken off."""
        ...


class ShadowMetrics(Protocol):
    """What a shadow tells of its work."""

    def shadow_written(self) -> None:
        """One act of the primary was repeated by the shadow."""
        ...

    def shadow_differed(self, kind: str) -> None:
        """The shadow did not do as the primary did; the kind is one of a few words, never an id."""
        ...

    def shadow_dropped(self) -> None:
        """One act never reached the shadow, because too many waited or it was away."""
        ...

    def shadow_backlog(self, count: Callable[[], int]) -> None:
        """Has the acts that wait for the shadow counted whenever somebody looks."""
        ...


class NoopMetrics:
    """Counts nothing, for processes without metrics."""

    def engine_process_ended(self, cause: str) -> None:
        pass

    def recovered(self, *, requeued: int, exhausted: int, expired: int, overdue: int) -> None:
        pass

    def purged(self, removed: dict[str, int], seconds: float) -> None:
        pass

    def purge_failed(self) -> None:
        pass

    def shadow_written(self) -> None:
        pass

    def shadow_differed(self, kind: str) -> None:
        pass

    def shadow_dropped(self) -> None:
        pass

    def shadow_backlog(self, count: Callable[[], int]) -> None:
        pass


NOOP_METRICS = NoopMetrics()
