"""Measures health and memory of a server while it is attacked, and whether ordinary work is served after."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from scripts.bench.postgres import migrated
from scripts.harness import attacks
from scripts.harness.attacks import MEBIBYTE, Probes
from scripts.harness.sample_requests import a_batch_body, a_body, a_proposal_body
from scripts.harness.servers import Server, children_of

HEALTH_P99_MS_MAX = 100.0
MEMORY_MEBIBYTES_MAX = 400
SILENT = 1_100
NEVER_READING = 300
GONE = 20
KEYS = count()
SERVING = {
    "DPM_WORKFLOW_ENABLED": "true",
    "DPM_WORKFLOW_REQUIRES_REVIEW_FOR_STATUSES": "READY,PENDING_REVIEW,BLOCKED",
}


def bench_attacks() -> None:
    print("Attacks, one after the other on one server with default limits; health is asked for all the while")
    print(
        f"  {'store':<10}{'attack':<38}{'answers':>12}{'seconds':>9}{'health p50, p99, max ms':>26}{'MiB':>6}"
    )
    for store in ("IN_MEMORY", "SQL", "POSTGRES"):
        with variables_of(store) as variables, Server(variables | SERVING) as server:
            _attack(store, server)
    print(f"  asked: health p99 <= {HEALTH_P99_MS_MAX:.0f} ms, server memory <= {MEMORY_MEBIBYTES_MAX} MiB")
    print()


@contextmanager
def variables_of(store: str) -> Iterator[dict[str, str]]:
    """Runs and proposals in one empty store."""
    if store == "IN_MEMORY":
        yield {"DPM_SUPPORTABILITY_STORE_BACKEND": store, "PROPOSAL_STORE_BACKEND": store}
    elif store == "SQL":
        with tempfile.TemporaryDirectory() as folder:
            path = str(Path(folder) / "store.db")
            yield {
                "DPM_SUPPORTABILITY_STORE_BACKEND": store,
                "DPM_SUPPORTABILITY_SQL_PATH": path,
                "PROPOSAL_STORE_BACKEND": store,
                "PROPOSAL_SQL_PATH": path,
            }
    else:
        with migrated() as dsn:
            yield {
                "DPM_SUPPORTABILITY_STORE_BACKEND": store,
                "DPM_SUPPORTABILITY_POSTGRES_DSN": dsn,
                "PROPOSAL_STORE_BACKEND": store,
                "PROPOSAL_POSTGRES_DSN": dsn,
            }


def _attack(store: str, server: Server) -> None:
    base = server.base
    first = _ordinary(base, attacks.SIMULATE, a_body(10, seed=1))
    wide = _ordinary(base, attacks.SIMULATE, a_body(3_000, seed=2))
    for one in attacks.requests_of(json.loads(first)["rebalance_run_id"]):
        with _measured(store, one.name, server) as told:
            status = attacks.send(base, one, f"hostile-{next(KEYS)}")
            told.append(str(status))
            if status not in one.statuses:
                raise SystemExit(f"{one.name}: {status}")
    body = attacks.many_caps(200, 4_000)
    with _measured(store, f"{GONE} large requests, callers gone", server):
        for _ in range(GONE):
            attacks.leave(server.port, attacks.post_text(attacks.SIMULATE, body, f"gone-{next(KEYS)}"))
        _require_ordinary_work(base)
    run_id = json.loads(wide)["rebalance_run_id"]
    text = f"GET /rebalance/runs/{run_id} HTTP/1.1\r\nHost: attack\r\n\r\n".encode()
    with (
        _measured(store, f"{NEVER_READING} callers who never read", server),
        attacks.never_reading(server.port, lambda _: text, NEVER_READING),
    ):
        _require_ordinary_work(base)
    with _measured(store, f"{SILENT} silent connections", server), attacks.silent(server.port, SILENT):
        _require_ordinary_work(base)
    family = [server.process.pid, *children_of(server.process.pid)]
    print(
        f"  {store:<10}with its engine processes: {attacks.peak_memory_bytes(family) // MEBIBYTE} MiB at most"
    )


@contextmanager
def _measured(store: str, name: str, server: Server) -> Iterator[list[str]]:
    told: list[str] = []
    began = time.perf_counter()
    with Probes(server.base) as probes:
        yield told
        # The quickest attack is over before health was asked for once.
        while not probes.seconds:
            time.sleep(attacks.PROBE_PAUSE_SECONDS)
    seconds = time.perf_counter() - began
    if probes.statuses != {200}:
        raise SystemExit(f"{name}: health answered {probes.statuses}")
    health = " ".join(f"{probes.percentile_ms(share):.0f}" for share in (0.5, 0.99, 1.0))
    memory = attacks.peak_memory_bytes([server.process.pid]) // MEBIBYTE
    print(f"  {store:<10}{name:<38}{' '.join(told):>12}{seconds:>9.1f}{health:>26}{memory:>6}", flush=True)


def _require_ordinary_work(base: str) -> None:
    _ordinary(base, attacks.SIMULATE, a_body(10, seed=3))
    _ordinary(base, attacks.SIMULATE, a_body(1_000, seed=4))
    _ordinary(base, attacks.ANALYZE, a_batch_body({"a": {}, "b": {"target_method": "SOLVER"}}, 50))
    _ordinary(base, attacks.PROPOSE, a_proposal_body(10, seed=5))


def _ordinary(base: str, path: str, body: bytes) -> bytes:
    status, answer = attacks.ask(base, path, body, f"ordinary-{next(KEYS)}")
    if status != 200:
        raise SystemExit(f"ordinary work at {path} was answered {status}: {answer[:300]!r}")
    return answer
