"""What advisers and reviewers ask, drawn by chance."""

from __future__ import annotations

import json
from collections.abc import Callable
from random import Random
from typing import Any
from urllib.parse import urlencode

from service.admin.comparison import sample_portfolios
from service.admin.comparison.recorded_requests import JSON_TYPE, RecordedRequest

PROPOSALS = "/rebalance/proposals"
ADVISERS = ("advisor-1", "advisor-2")
REVIEWERS = ("reviewer-1", "reviewer-2")
NOWHERE = "pp_nobody"
# Where each state can go by an event of its own; anything else is drawn now and then, to be refused.
AHEAD = {
    "DRAFT": ("SUBMITTED_FOR_RISK_REVIEW", "SUBMITTED_FOR_COMPLIANCE_REVIEW", "CANCELLED"),
    "EXECUTION_READY": ("EXECUTED", "EXPIRED"),
}
EVENTS = ("SUBMITTED_FOR_RISK_REVIEW", "RISK_APPROVED", "EXECUTED", "EXPIRED", "REJECTED", "CANCELLED")
APPROVED_IN = {
    "RISK_REVIEW": "RISK",
    "COMPLIANCE_REVIEW": "COMPLIANCE",
    "AWAITING_CLIENT_CONSENT": "CLIENT_CONSENT",
}


class Proposals:
    def __init__(self, chance: Random) -> None:
        self._chance = chance
        # Keys of creations and simulations with the bodies they were sent with first.
        self._created: list[tuple[str, bytes]] = []
        self._simulated: list[tuple[str, bytes]] = []
        self._states: dict[str, str] = {}
        self._portfolios: dict[str, str] = {}
        self._versions: list[str] = []
        self._operations: list[str] = []
        self._cursor = ""
        self._acts: dict[Callable[[], RecordedRequest], int] = {
            self._create: 7,
            self._simulate: 5,
            self._version: 3,
            self._move: 9,
            self._approve: 8,
            self._submit: 3,
            self._look: 9,
            self._list: 4,
            self._look_aside: 3,
        }

    def names(self) -> list[str]:
        """What there are edges of."""
        return self._versions

    def ask(self) -> RecordedRequest:
        (act,) = self._chance.choices(list(self._acts), list(self._acts.values()))
        return act()

    def learn(self, asked: RecordedRequest, found: dict[str, Any]) -> None:
        """What was answered to one of these, or to somebody else."""
        if asked.path.startswith(PROPOSALS) and found.get("next_cursor"):
            self._cursor = found["next_cursor"]
        summaries = [found.get("proposal"), *found.get("items", ())]
        if isinstance(found.get("result"), dict):
            summaries.append(found["result"].get("proposal"))
        for one in summaries:
            if isinstance(one, dict) and "proposal_id" in one and "current_state" in one:
                self._states[one["proposal_id"]] = one["current_state"]
                self._portfolios[one["proposal_id"]] = one["portfolio_id"]
        if "proposal_id" in found and "current_state" in found:
            self._states[found["proposal_id"]] = found["current_state"]
        version = found.get("version")
        if isinstance(version, dict) and "proposal_version_id" in version:
            self._versions.append(version["proposal_version_id"])
        if asked.path.endswith("/async") and asked.path.startswith(PROPOSALS) and "operation_id" in found:
            self._operations.append(found["operation_id"])

    def _create(self) -> RecordedRequest:
        if self._created and self._chance.random() < 0.25:
            key, body = self._chance.choice(self._created)
            if self._chance.random() < 0.4:
                body = self._a_creation()
        else:
            key, body = f"proposal-{len(self._created) + 1}", self._a_creation()
            self._created.append((key, body))
        return self._post("", body, key)

    def _simulate(self) -> RecordedRequest:
        path = self._chance.choice(("/simulate", "/artifact"))
        if self._simulated and self._chance.random() < 0.4:
            key, body = self._chance.choice(self._simulated)
        else:
            key, body = (
                f"what-if-{len(self._simulated) + 1}",
                encoded(sample_portfolios.a_proposal(self._chance)),
            )
            self._simulated.append((key, body))
        return self._post(path, body, key)

    def _version(self) -> RecordedRequest:
        proposal_id = self._one()
        body = self._a_version(proposal_id)
        if self._chance.random() < 0.2:
            body["expected_revision"] = self._chance.randint(1, 4)
        return self._post(f"/{proposal_id}/versions", encoded(body), self._a_key("version"))

    def _move(self) -> RecordedRequest:
        proposal_id = self._one()
        state = self._states.get(proposal_id, "DRAFT")
        likely = AHEAD.get(state, EVENTS) if self._chance.random() < 0.8 else EVENTS
        body = {
            "event_type": self._chance.choice(likely),
            "actor_id": self._chance.choice(ADVISERS),
            "expected_state": state if self._chance.random() < 0.9 else "DRAFT",
            "reason": {"note": self._chance.choice(("as agreed", "Zürich"))},
        }
        return self._post(f"/{proposal_id}/transitions", encoded(body), self._a_key("move"))

    def _approve(self) -> RecordedRequest:
        waiting = [one for one, state in self._states.items() if state in APPROVED_IN]
        proposal_id = self._chance.choice(waiting) if waiting else self._one()
        state = self._states.get(proposal_id, "DRAFT")
        body = {
            "approval_type": APPROVED_IN.get(state, "RISK"),
            "approved": self._chance.random() < 0.8,
            "actor_id": self._chance.choice(REVIEWERS),
            "expected_state": state,
            "details": {"channel": self._chance.choice(("phone", "meeting"))},
        }
        return self._post(f"/{proposal_id}/approvals", encoded(body), self._a_key("approval"))

    def _submit(self) -> RecordedRequest:
        if self._chance.random() < 0.6:
            key = f"later-{self._chance.randint(1, 20)}"
            return self._post("/async", self._a_creation(), key)
        proposal_id = self._one()
        return self._post(f"/{proposal_id}/versions/async", encoded(self._a_version(proposal_id)), None)

    def _look(self) -> RecordedRequest:
        more = (
            "",
            "?include_evidence=false",
            "/workflow-events",
            "/approvals",
            "/lineage",
            "/versions/1",
            "/versions/9",
        )
        return RecordedRequest("GET", f"{PROPOSALS}/{self._one()}{self._chance.choice(more)}")

    def _look_aside(self) -> RecordedRequest:
        if self._operations and self._chance.random() < 0.5:
            return RecordedRequest("GET", f"{PROPOSALS}/operations/{self._chance.choice(self._operations)}")
        key = self._chance.choice(self._created)[0] if self._created else "none"
        paths = (
            f"/operations/by-correlation/corr-{self._chance.randint(1, 60)}",
            f"/idempotency/{key}",
            "/supportability/config",
        )
        return RecordedRequest("GET", PROPOSALS + self._chance.choice(paths))

    def _list(self) -> RecordedRequest:
        asked: dict[str, Any] = {"limit": self._chance.choice((1, 3, 100))}
        if self._chance.random() < 0.4:
            asked["state"] = self._chance.choice(("DRAFT", "CANCELLED", "EXECUTED", "NOWHERE"))
        if self._chance.random() < 0.3:
            asked["created_by"] = self._chance.choice(ADVISERS)
        if self._chance.random() < 0.3 and self._cursor:
            asked["cursor"] = self._cursor
        return RecordedRequest("GET", f"{PROPOSALS}?{urlencode(asked)}")

    def _a_creation(self) -> bytes:
        return encoded(
            {
                "created_by": self._chance.choice(ADVISERS),
                "simulate_request": sample_portfolios.a_proposal(self._chance),
                "metadata": {"title": self._chance.choice(("Switch", "Überbrückung", "Cash out"))},
            }
        )

    def _a_version(self, proposal_id: str) -> dict[str, Any]:
        """As a rule for the portfolio that the proposal is about; another one is refused."""
        asked = sample_portfolios.a_proposal(self._chance)
        if proposal_id in self._portfolios and self._chance.random() < 0.9:
            asked["portfolio_snapshot"]["portfolio_id"] = self._portfolios[proposal_id]
        return {"created_by": self._chance.choice(ADVISERS), "simulate_request": asked}

    def _one(self) -> str:
        """The id of a proposal, now and then of none."""
        known = list(self._states)
        return self._chance.choice(known) if known and self._chance.random() < 0.97 else NOWHERE

    def _a_key(self, kind: str) -> str | None:
        """None more often than not; a key that is drawn twice is a repetition or a conflict."""
        return f"{kind}-{self._chance.randint(1, 40)}" if self._chance.random() < 0.4 else None

    def _post(self, path: str, body: bytes, key: str | None) -> RecordedRequest:
        headers = {"Content-Type": JSON_TYPE}
        if key is not None:
            headers["Idempotency-Key"] = key
        if self._chance.random() < 0.7:
            headers["X-Correlation-Id"] = f"corr-{self._chance.randint(1, 60)}"
        return RecordedRequest("POST", PROPOSALS + path, headers, body)


def encoded(document: Any) -> bytes:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
