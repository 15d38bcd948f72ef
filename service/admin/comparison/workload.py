"""A day at the desk, drawn by chance: what is asked follows from the answers, and equal seeds ask alike."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import Any
from urllib.parse import urlencode

from service.admin.comparison import proposal_workload, sample_portfolios
from service.admin.comparison.recorded_requests import JSON_TYPE, RecordedAnswer, RecordedRequest, json_of

SIMULATE = "/rebalance/simulate"
ANALYZE = "/rebalance/analyze"
RUNS = "/rebalance/runs"
OPERATIONS = "/rebalance/operations"
POLICIES = "/rebalance/policies"
PACKS = ("conservative", "balanced", "growth")
REASONS = ("LOOKS_RIGHT", "TOO_CONCENTRATED", "CLIENT_CALLED")
ACTORS = ("rm-1", "rm-2", "officer-1")
# Asked of every store, though nothing of that name is there.
NOWHERE = "nobody"


class Generated:
    """So many requests; knows whatever it has been told about what is there."""

    def __init__(self, count: int, seed: int) -> None:
        self._count = count
        self._chance = Random(seed)
        # By itself, so that the requests of a seed are the same with and without keys.
        self._key_chance = Random(seed)
        self._proposals = proposal_workload.Proposals(self._chance)
        # Keys with the bodies they were sent with first.
        self._sent: list[tuple[str, bytes]] = []
        self._runs: list[str] = []
        self._names: list[str] = []
        self._hashes: list[str] = []
        self._operations: list[str] = []
        self._cursors: dict[str, str] = {}
        self._instants: list[str] = []
        self._acts: dict[Callable[[], RecordedRequest], int] = {
            self._simulate: 22,
            self._simulate_again: 5,
            self._simulate_wrongly: 2,
            self._analyze: 5,
            self._submit: 5,
            self._execute: 4,
            self._look_at_operation: 5,
            self._decide: 8,
            self._replay: 3,
            self._look_at_run: 9,
            self._list: 9,
            self._trace: 6,
            self._summarise: 2,
            self._change_policies: 3,
            self._stray: 2,
            self._proposals.ask: 30,
        }

    def __iter__(self) -> Iterator[RecordedRequest]:
        for _ in range(self._count):
            (act,) = self._chance.choices(list(self._acts), list(self._acts.values()))
            yield act()

    def learn(self, asked: RecordedRequest, answer: RecordedAnswer) -> None:
        found = json_of(answer)
        if not isinstance(found, dict) or answer.status >= 400:
            return
        self._proposals.learn(asked, found)
        if found.get("next_cursor"):
            self._cursors[asked.path.partition("?")[0]] = found["next_cursor"]
        if asked.method != "POST" or asked.path.startswith(proposal_workload.PROPOSALS):
            return
        made = [found, *found.get("results", {}).values()] if "results" in found else [found]
        for one in made:
            self._note(one)

    def _note(self, made: dict[str, Any]) -> None:
        if run_id := made.get("rebalance_run_id"):
            self._runs.append(run_id)
            self._hashes.append(made.get("lineage", {}).get("request_hash") or NOWHERE)
        if operation_id := made.get("operation_id"):
            self._operations.append(operation_id)
        if instant := made.get("created_at"):
            self._instants.append(instant)
        self._names += [
            made[name] for name in ("rebalance_run_id", "correlation_id", "operation_id") if made.get(name)
        ]

    # What makes something.

    def _simulate(self) -> RecordedRequest:
        number = len(self._sent) + 1
        body = encoded(sample_portfolios.an_order(self._chance))
        self._sent.append((f"order-{number}", body))
        return self._post(SIMULATE, body, f"order-{number}")

    def _simulate_again(self) -> RecordedRequest:
        """The same once more, or something else under a key that is taken."""
        if not self._sent:
            return self._simulate()
        key, body = self._chance.choice(self._sent)
        if self._chance.random() < 0.4:
            body = encoded(sample_portfolios.an_order(self._chance))
        return self._post(SIMULATE, body, key)

    def _simulate_wrongly(self) -> RecordedRequest:
        order = sample_portfolios.an_order(self._chance)
        match self._chance.randrange(5):
            case 0:
                del order["options"]
            case 1:
                order["options"] = {"max_turnover_pct": "2", "target_method": "GUESS"}
            case 2:
                order["portfolio_snapshot"]["cash_balances"] = "none"
            case 3:
                return self._post(SIMULATE, encoded(order)[:-9], "cut-off")
            case 4:
                return RecordedRequest("POST", SIMULATE, {"Content-Type": JSON_TYPE}, encoded(order))
        return self._post(SIMULATE, encoded(order), f"wrong-{self._chance.randint(1, 5)}")

    def _analyze(self) -> RecordedRequest:
        return self._post(ANALYZE, encoded(sample_portfolios.a_batch(self._chance)))

    def _submit(self) -> RecordedRequest:
        return self._post(
            f"{ANALYZE}/async", encoded(sample_portfolios.a_batch(self._chance)), self._maybe_a_key()
        )

    def _execute(self) -> RecordedRequest:
        return RecordedRequest("POST", f"{OPERATIONS}/{self._one_of(self._operations)}/execute")

    def _decide(self) -> RecordedRequest:
        action = self._chance.choice(("APPROVE", "APPROVE", "REJECT", "REQUEST_CHANGES"))
        body: dict[str, Any] = {
            "action": action,
            "reason_code": self._chance.choice(REASONS),
            "actor_id": self._chance.choice(ACTORS),
            "comment": self._chance.choice((None, "Zürich · 日本", "as agreed")),
        }
        if self._chance.random() < 0.3:
            body["expected_workflow_status"] = self._chance.choice(("PENDING_REVIEW", "APPROVED"))
        if self._chance.random() < 0.1:
            body["reason_code"] = "not a code"
        return self._post(f"{self._a_run()}/workflow/actions", encoded(body), self._maybe_a_key())

    def _replay(self) -> RecordedRequest:
        recorded = "?record=true" if self._chance.random() < 0.5 else ""
        return RecordedRequest("POST", f"{RUNS}/{self._one_of(self._runs)}/replay{recorded}")

    def _change_policies(self) -> RecordedRequest:
        path = f"{POLICIES}/catalog/{self._chance.choice(PACKS)}"
        match self._chance.randrange(5):
            case 0 | 1:
                pack = {
                    "version": f"2026.{self._chance.randint(1, 9)}",
                    "turnover_policy": {"max_turnover_pct": self._chance.choice(("0.05", "0.30", "7"))},
                    "constraint_policy": {"single_position_max_weight": self._chance.choice((None, "0.25"))},
                }
                return RecordedRequest("PUT", path, {"Content-Type": JSON_TYPE}, encoded(pack))
            case 2:
                return RecordedRequest("DELETE", path)
            case 3:
                return RecordedRequest("GET", path)
        return RecordedRequest(
            "GET", f"{POLICIES}/{self._chance.choice(('catalog', 'effective'))}", self._pack_headers()
        )

    # What looks at something.

    def _look_at_run(self) -> RecordedRequest:
        if self._chance.random() < 0.15:
            return RecordedRequest("GET", f"{RUNS}/by-request-hash/{self._one_of(self._hashes)}")
        if self._chance.random() < 0.2:
            key = self._one_of([key for key, _ in self._sent])
            return RecordedRequest("GET", f"/rebalance/idempotency/{key}/history")
        more = ("", "/support-bundle", "/workflow", "/workflow/history", "/artifact")
        return RecordedRequest("GET", f"{self._a_run()}{self._chance.choice(more)}")

    def _look_at_operation(self) -> RecordedRequest:
        operation_id = self._one_of(self._operations)
        paths = (
            f"{OPERATIONS}/{operation_id}",
            f"{OPERATIONS}/by-correlation/{self._a_correlation()}",
            f"{RUNS}/by-operation/{operation_id}/support-bundle",
        )
        return RecordedRequest("GET", self._chance.choice(paths))

    def _list(self) -> RecordedRequest:
        path, filters = self._chance.choice(
            (
                (RUNS, {"status": ("READY", "BLOCKED", "GONE"), "portfolio_id": ("pf_001", "pf_002")}),
                (OPERATIONS, {"status": ("PENDING", "SUCCEEDED"), "operation_type": ("ANALYZE_SCENARIOS",)}),
                (
                    "/rebalance/workflow/decisions",
                    {"action": ("APPROVE", "GUESS"), "actor_id": ACTORS, "reason_code": REASONS},
                ),
            )
        )
        asked: dict[str, Any] = {
            name: self._chance.choice(values)
            for name, values in filters.items()
            if self._chance.random() < 0.4
        }
        asked["limit"] = self._chance.choice((1, 3, 50, 200, 0))
        if self._chance.random() < 0.3 and path in self._cursors:
            asked["cursor"] = self._cursors[path]
        if self._chance.random() < 0.2 and self._instants:
            asked[self._chance.choice(("from", "to"))] = self._chance.choice(self._instants)
        return RecordedRequest("GET", f"{path}?{urlencode(asked)}")

    def _trace(self) -> RecordedRequest:
        names = [*self._names, *(key for key, _ in self._sent), *self._proposals.names()]
        asked: dict[str, Any] = {
            "depth": self._chance.choice((1, 2, 3, 20)),
            "direction": self._chance.choice(("up", "down", "both")),
        }
        if self._chance.random() < 0.3:
            asked["limit"] = self._chance.randint(1, 3)
        return RecordedRequest("GET", f"/rebalance/lineage/{self._one_of(names)}?{urlencode(asked)}")

    def _summarise(self) -> RecordedRequest:
        return RecordedRequest("GET", "/rebalance/supportability/summary")

    def _stray(self) -> RecordedRequest:
        body = encoded(sample_portfolios.an_order(self._chance))
        return self._chance.choice(
            (
                RecordedRequest("GET", "/rebalance/nothing/here"),
                RecordedRequest("PATCH", RUNS),
                RecordedRequest("GET", f"{RUNS}/"),
                RecordedRequest(
                    "POST", SIMULATE, {"Content-Type": "text/plain", "Idempotency-Key": "text"}, body
                ),
                RecordedRequest("GET", f"{RUNS}/{NOWHERE}"),
            )
        )

    # What the rest is made of.

    def _post(self, path: str, body: bytes, key: str | None = None) -> RecordedRequest:
        headers = {"Content-Type": JSON_TYPE}
        if key is not None:
            headers["Idempotency-Key"] = key
        if self._chance.random() < 0.7:
            headers["X-Correlation-Id"] = self._a_correlation()
        if self._chance.random() < 0.2:
            headers |= self._pack_headers()
        return RecordedRequest("POST", path, headers, body)

    def _maybe_a_key(self) -> str | None:
        """For what may be sent without one; some keys come back, mostly with another body."""
        return f"act-{self._key_chance.randint(1, 200)}" if self._key_chance.random() < 0.4 else None

    def _pack_headers(self) -> dict[str, str]:
        return {"X-Policy-Pack-Id": self._chance.choice((*PACKS, NOWHERE))}

    def _a_correlation(self) -> str:
        return f"corr-{self._chance.randint(1, 60)}"

    def _a_run(self) -> str:
        """A path to a run, by one of its names."""
        match self._chance.randrange(4):
            case 0:
                return f"{RUNS}/by-correlation/{self._a_correlation()}"
            case 1:
                return f"{RUNS}/idempotency/{self._one_of([key for key, _ in self._sent])}"
        return f"{RUNS}/{self._one_of(self._runs)}"

    def _one_of(self, names: Sequence[str]) -> str:
        return self._chance.choice(names) if names else NOWHERE


def encoded(document: Any) -> bytes:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
