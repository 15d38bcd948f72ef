"""What became of accepted operations, as the database and the logs of workers tell it."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from scripts.harness.servers import Worker
from tests.e2e.databases import RUNS_BY_STATUS, TALLIES, Ask, Database
from tests.waiting import wait_for

EXHAUSTED = "DPM_ASYNC_ATTEMPTS_EXHAUSTED"

UNENDED = "SELECT operation_id, status, attempt FROM dpm_operations WHERE status IN ('PENDING', 'RUNNING')"
OPERATIONS = "SELECT operation_id, status, attempt, scenarios_done, error_code FROM dpm_operations"
RUNS = "SELECT rebalance_run_id, request_id, scenario FROM dpm_runs"
CAUSES = "SELECT source_entity_id, target_entity_id FROM dpm_lineage_edges WHERE edge_type = 'CAUSED_BY'"
RUN_EDGES = "SELECT target_entity_id FROM dpm_lineage_edges WHERE edge_type = 'CORRELATION_TO_RUN'"
OPERATION_EDGES = (
    "SELECT source_entity_id FROM dpm_lineage_edges WHERE edge_type = 'OPERATION_TO_CORRELATION'"
)

CORRELATION = re.compile(rb'"correlation_id":"[^"]*"')

# An attempt, by its operation and its number.
Attempt = tuple[str, int]
# Its scenario, its id and its batch.
Run = tuple[str, str, str]


class Answer(msgspec.Struct, forbid_unknown_fields=True):
    """The answer to a batch; results and metrics to the byte."""

    batch_run_id: str
    run_at_utc: str
    base_snapshot_ids: dict[str, str]
    results: dict[str, msgspec.Raw]
    comparison_metrics: dict[str, msgspec.Raw]
    failed_scenarios: dict[str, str]
    warnings: list[str]


class AnsweredRun(msgspec.Struct):
    rebalance_run_id: str


ANSWER = msgspec.json.Decoder(Answer)
RUN = msgspec.json.Decoder(AnsweredRun)


@dataclass(frozen=True, slots=True)
class Ended:
    status: str
    attempt: int
    scenarios_done: int
    error_code: str | None


def wait_for_ends(database: Database) -> None:
    """Until no operation waits or runs."""
    wait_for(lambda: not unended(database), "the ends of the operations")


def unended(database: Database) -> dict[str, tuple[str, int]]:
    """The status and the attempt of operations that have not ended."""
    with database.snapshot() as ask:
        return {str(name): (str(status), int(attempt)) for name, status, attempt in ask(UNENDED)}


def running(database: Database) -> set[Attempt]:
    found = unended(database)
    return {(name, attempt) for name, (status, attempt) in found.items() if status == "RUNNING"}


def have_moved_on(database: Database, held: Set[Attempt]) -> bool:
    """Whether each of these attempts has been followed by another, or its operation has ended."""
    found = unended(database)
    return all(name not in found or found[name][1] > attempt for name, attempt in held)


def require_each_once(
    database: Database, accepted: Mapping[str, int], expected: Sequence[Answer]
) -> dict[str, Ended]:
    """Every accepted operation has ended, with the result an undisturbed analysis has and one set of runs.

    `expected` has the answers, `accepted` the place of each operation's among them. Nothing else is there:
    no run without its operation, nothing staged, nothing that waits. Gives how all operations ended.
    """
    essences = [essence(answer) for answer in expected]
    with database.snapshot() as ask:
        assert ask("SELECT count(*) FROM dpm_operation_scenarios") == [(0,)]
        assert sorted(ask(TALLIES)) == sorted(ask(RUNS_BY_STATUS))
        ended = {row[0]: Ended(*row[1:]) for row in ask(OPERATIONS)}
        assert sorted(name for (name,) in ask(OPERATION_EDGES)) == sorted(ended)
        assert accepted.keys() <= ended.keys()
        caused = runs_by_cause(ask)
        batches = []
        for name, end in ended.items():
            if end.status == "FAILED":
                assert (end.error_code, caused.pop(name, [])) == (EXHAUSTED, []), name
                continue
            answer = answer_of(ask, name)
            assert caused.pop(name, []) == runs_of(answer), name
            require_kept(ask, answer)
            assert end.scenarios_done == len(answer.results) + len(answer.failed_scenarios)
            if name in accepted:
                assert essence(answer) == essences[accepted[name]], name
            batches += [answer.batch_run_id] * bool(answer.results)
        assert caused == {}, "runs that no operation caused"
        assert Counter(batches) == Counter(name for (name,) in ask("SELECT request_id FROM dpm_run_requests"))
    return ended


def answer_of(ask: Ask, operation_id: str) -> Answer:
    """The result of an operation that succeeded."""
    [(status, result)] = ask(
        f"SELECT status, result FROM dpm_operations WHERE operation_id = '{operation_id}'"
    )
    assert status == "SUCCEEDED", (operation_id, status)
    return ANSWER.decode(result)


def require_kept(ask: Ask, answer: Answer) -> None:
    """Each run is kept as the result of its operation has it, to the byte."""
    kept = ask(f"SELECT rebalance_run_id, result FROM dpm_runs WHERE request_id = '{answer.batch_run_id}'")
    found = {id_of(run): bytes(run) for run in answer.results.values()}
    assert {run_id: bytes(result) for run_id, result in kept} == found, answer.batch_run_id


def runs_by_cause(ask: Ask) -> dict[str, list[Run]]:
    """By operation, all runs it caused; each has one cause, and the edge every run has."""
    runs = {row[0]: row for row in ask(RUNS)}
    causes = ask(CAUSES)
    assert sorted(source for source, _ in causes) == sorted(runs)
    assert sorted(name for (name,) in ask(RUN_EDGES)) == sorted(runs)
    by_cause = defaultdict(list)
    for run_id, cause in causes:
        by_cause[cause].append((runs[run_id][2], *runs[run_id][:2]))
    return {cause: sorted(found) for cause, found in by_cause.items()}


def runs_of(answer: Answer) -> list[Run]:
    """The runs that a result speaks of."""
    return [(scenario, id_of(run), answer.batch_run_id) for scenario, run in sorted(answer.results.items())]


def essence(answer: Answer) -> Any:
    """The answer to a batch without the ids and the instant that no two of them share."""
    results = {}
    for scenario, run in answer.results.items():
        # Other ids are made from those of the run and of the batch.
        text = bytes(run).replace(id_of(run).encode(), b"").replace(answer.batch_run_id.encode(), b"")
        results[scenario] = CORRELATION.sub(b"", text)
    metrics = {scenario: bytes(metric) for scenario, metric in answer.comparison_metrics.items()}
    return answer.base_snapshot_ids, results, metrics, answer.failed_scenarios, answer.warnings


def id_of(run: msgspec.Raw) -> str:
    return RUN.decode(run).rebalance_run_id


def told(worker: Worker, event: str) -> dict[Attempt, datetime]:
    """When the worker said that of an attempt."""
    found = {}
    for line in tuple(worker.lines):
        if f'"event":"{event}"'.encode() in line:
            entry = json.loads(line)
            instant = datetime.fromisoformat(entry["at"])
            found[entry["operation_id"], entry["attempt"]] = instant
    return found


def in_hand(worker: Worker) -> set[Attempt]:
    """What the worker says it has begun and not left."""
    left = {
        attempt for event in ("operation_ended", "operation_lease_lost") for attempt in told(worker, event)
    }
    return told(worker, "operation_started").keys() - left
