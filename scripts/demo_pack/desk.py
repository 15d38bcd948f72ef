"""What a scenario talks to the server with: its cases, keys nobody has used, and what it insists on."""

from __future__ import annotations

import hashlib
import json
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

from scripts.harness.servers import ROOT

CASES = ROOT / "scripts" / "demo"
ANSWER_SECONDS_MAX = 30
WAIT_SECONDS_MAX = 20.0
POLL_SECONDS = 0.05
PROPOSALS = "/rebalance/proposals"

T = TypeVar("T")


class NotHeld(Exception):
    """Something was not as the scenario says it is."""


class NotShown(Exception):
    """The server is set up in a way that does not show this."""


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @cached_property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def replayed(self) -> bool:
        return self.headers.get("Idempotent-Replayed") == "true"

    @property
    def code(self) -> str:
        """The code of a refusal; empty for an answer."""
        return str(self.json["code"]) if self.status >= 400 else ""


def require(condition: object, text: str) -> None:
    """Raises NotHeld where the condition is not true."""
    if not condition:
        raise NotHeld(text)


def refused(answer: Answer, status: int, code: str) -> None:
    """The answer is this refusal, as a problem document."""
    require(answer.status == status, f"answered {answer.status} and not {status}: {answer.body[:200]!r}")
    require(answer.code == code, f"the code is {answer.code} and not {code}")
    require(
        answer.headers.get("Content-Type", "").startswith("application/problem+json"), "no problem document"
    )


def d(value: Any) -> Decimal:
    """A number of the wire, or the amount of money."""
    return Decimal(value["amount"] if isinstance(value, Mapping) else value)


def case(name: str, **options: Any) -> Any:
    """A request of scripts/demo, with options that replace or join its own."""
    document = json.loads((CASES / f"{name}.json").read_text(encoding="utf-8"))
    if options:
        document["options"] |= options
    return document


def without(document: Any, instrument_id: str, part: str = "prices") -> Any:
    """A request without the price of an instrument."""
    changed = deepcopy(document)
    rows = changed["market_data_snapshot"][part]
    changed["market_data_snapshot"][part] = [row for row in rows if row["instrument_id"] != instrument_id]
    return changed


def trades(run: Any) -> list[Any]:
    return [intent for intent in run["intents"] if intent["intent_type"] == "SECURITY_TRADE"]


def trade(run: Any, instrument_id: str) -> Any:
    """The one trade of an instrument."""
    found = [one for one in trades(run) if one["instrument_id"] == instrument_id]
    require(len(found) == 1, f"{len(found)} trades of {instrument_id}")
    return found[0]


def weight(run: Any, instrument_id: str, state: str = "after_simulated") -> Decimal:
    return sum(
        (d(row["weight"]) for row in run[state]["positions"] if row["instrument_id"] == instrument_id),
        Decimal(0),
    )


def rule(run: Any, rule_id: str) -> Any:
    """The first row of a rule."""
    return next(row for row in run["rule_results"] if row["rule_id"] == rule_id)


def digest(document: Any, left_out: Iterable[str]) -> str:
    """The hash of a document as the contract has it (section 9), without some keys at any depth."""
    dropped = frozenset(left_out)

    def kept(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: kept(inner) for key, inner in value.items() if key not in dropped}
        return [kept(inner) for inner in value] if isinstance(value, list) else value

    text = json.dumps(kept(document), sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def segment(text: str) -> str:
    """Text as a part of a path."""
    return quote(text, safe="")


class Desk:
    """Speaks to one server. Its keys are fresh, so that a pack can be played any number of times."""

    def __init__(self, base: str) -> None:
        self._base = base.rstrip("/")
        self.stamp = uuid.uuid4().hex[:12]

    def key(self, name: str) -> str:
        return f"demo-{self.stamp}-{name}"

    def ask(self, method: str, path: str, body: Any = None, *, key: str = "", **headers: str) -> Answer:
        """Any answer; header names are given with underscores."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if key:
            sent["Idempotency-Key"] = key
        data = None
        if body is not None:
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            sent["Content-Type"] = "application/json"
        request = urllib.request.Request(self._base + path, data=data, headers=sent, method=method)
        try:
            with urllib.request.urlopen(request, timeout=ANSWER_SECONDS_MAX) as found:
                return Answer(found.status, found.headers, found.read())
        except urllib.error.HTTPError as refusal:
            with refusal:
                return Answer(refusal.code, refusal.headers, refusal.read())

    def get(self, path: str, **parameters: Any) -> Any:
        """The document of an answer that is no refusal."""
        return good(self.ask("GET", path + ("?" + urlencode(parameters) if parameters else ""))).json

    def post(self, path: str, body: Any = None, *, key: str = "", **headers: str) -> Any:
        return good(self.ask("POST", path, body, key=key, **headers)).json

    def simulate(self, document: Any, name: str, **headers: str) -> Any:
        return self.post("/rebalance/simulate", document, key=self.key(name), **headers)

    def at_once(self, *asked: Callable[[], T]) -> list[T]:
        """What each of several callers gets who call at the same time."""
        with ThreadPoolExecutor(len(asked)) as callers:
            return [future.result() for future in [callers.submit(one) for one in asked]]

    def ended(self, path: str) -> Any:
        """An operation once it has ended."""
        deadline = time.monotonic() + WAIT_SECONDS_MAX
        while (found := self.get(path))["status"] not in ("SUCCEEDED", "FAILED"):
            require(time.monotonic() < deadline, f"{path} is still {found['status']}")
            time.sleep(POLL_SECONDS)
        return found


def good(answer: Answer) -> Answer:
    """The answer, if it is no refusal. Raises NotShown for what is switched off."""
    if answer.status >= 400 and answer.code.endswith("_DISABLED"):
        raise NotShown(answer.code)
    require(answer.status < 400, f"answered {answer.status}: {answer.body[:200]!r}")
    return answer
