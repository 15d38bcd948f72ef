"""The tables of the memory store, shared by its nouns."""

from __future__ import annotations

from dataclasses import dataclass, field

from service.domains.dpm_runs import DpmRun, RunRequest
from service.domains.idempotency import KeyFamily, KeyMapping, KeyUse
from service.domains.lineage import Edge
from service.errors import StoreUnavailable


@dataclass(slots=True)
class State:
    """Each key starts with the tenant id."""

    requests: dict[tuple[str, str], RunRequest] = field(default_factory=dict)
    runs: dict[tuple[str, str], DpmRun] = field(default_factory=dict)
    newest_by_correlation: dict[tuple[str, str], DpmRun] = field(default_factory=dict)
    keys: dict[tuple[str, KeyFamily, str], KeyMapping] = field(default_factory=dict)
    history: dict[tuple[str, KeyFamily, str], list[KeyUse]] = field(default_factory=dict)
    edges: dict[tuple[str, str], list[Edge]] = field(default_factory=dict)
    closed: bool = False

    def require_open(self) -> None:
        if self.closed:
            raise StoreUnavailable()
