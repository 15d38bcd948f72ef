"""Hostile requests and hostile connections, for the attack tests and the benchmark; each is small to send.

What they ask is inside the published shape or just beyond it; a server has to answer or refuse each of them,
and to serve ordinary work meanwhile.
"""

from __future__ import annotations

import gzip
import json
import resource
import socket
import struct
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

SIMULATE = "/rebalance/simulate"
ANALYZE = "/rebalance/analyze"
ANALYZE_ASYNC = "/rebalance/analyze/async"
PROPOSE = "/rebalance/proposals/simulate"
PROPOSALS = "/rebalance/proposals"
LIVE = "/health/live"

ANSWER_SECONDS_MAX = 120.0
PROBE_PAUSE_SECONDS = 0.01
MEBIBYTE = 2**20


@dataclass(frozen=True, slots=True)
class Attack:
    """One hostile request, and the statuses that are right answers to it."""

    name: str
    path: str
    body: bytes
    statuses: frozenset[int]
    headers: dict[str, str] = field(default_factory=dict)


def many_currencies(count: int) -> bytes:
    """A proposal that buys in so many currencies, holds cash in as many others, and knows no rate."""
    held = [f"H{number:03d}" for number in range(count)]
    bought = [f"B{number:03d}" for number in range(count)]
    return encoded(
        {
            "portfolio_snapshot": {
                "portfolio_id": "pf_currencies",
                "base_currency": "USD",
                "positions": [],
                "cash_balances": [{"currency": code, "amount": "1000000"} for code in held],
            },
            "market_data_snapshot": {
                "prices": [
                    {"instrument_id": f"I_{code}", "price": "100", "currency": code} for code in bought
                ],
                "fx_rates": [],
            },
            "shelf_entries": [{"instrument_id": f"I_{code}", "status": "APPROVED"} for code in bought],
            "options": {"enable_proposal_simulation": True, "block_on_missing_fx": False},
            "proposed_cash_flows": [],
            "proposed_trades": [
                {"side": "BUY", "instrument_id": f"I_{code}", "quantity": "10"} for code in bought
            ],
        }
    )


def many_caps(caps: int, positions: int, *, escaped: bool = True) -> bytes:
    """A simulation by the solver under so many caps that bind; the method may be spelt with an escape."""
    names = [f"N{number:05d}" for number in range(positions)]
    weight = f"{0.9 / positions:.12f}"
    body = encoded(
        {
            "portfolio_snapshot": {
                "portfolio_id": "pf_caps",
                "base_currency": "USD",
                "positions": [{"instrument_id": name, "quantity": "7"} for name in names],
                "cash_balances": [{"currency": "USD", "amount": "100000"}],
            },
            "market_data_snapshot": {
                "prices": [
                    {
                        "instrument_id": name,
                        "price": f"{10 + number % 97}.{number % 89 + 10}",
                        "currency": "USD",
                    }
                    for number, name in enumerate(names)
                ],
                "fx_rates": [],
            },
            "model_portfolio": {"targets": [{"instrument_id": name, "weight": weight} for name in names]},
            "shelf_entries": [
                {
                    "instrument_id": name,
                    "status": "APPROVED",
                    "attributes": {
                        "a": f"v{number % caps}",
                        "b": f"w{number * 7 % caps}",
                        "c": f"u{number * 13 % caps}",
                    },
                }
                for number, name in enumerate(names)
            ],
            "options": {
                "target_method": "SOLVER",
                "group_constraints": {
                    f"{'abc'[number % 3]}:{'vwu'[number % 3]}{number}": {
                        "max_weight": f"{(60 + number % 30) / (100 * caps):.8f}"
                    }
                    for number in range(caps)
                },
            },
        }
    )
    return body.replace(b'"SOLVER"', rb'"\u0053OLVER"') if escaped else body


def large_scenarios(count: int, positions: int) -> bytes:
    """A batch of so many scenarios by the solver over one large book."""
    document = json.loads(many_caps(60, positions, escaped=False))
    options = document.pop("options")
    document["scenarios"] = {f"s{number:02d}": {"options": options} for number in range(count)}
    return encoded(document)


def echoing(positions: int, digits: int) -> bytes:
    """A simulation whose answer repeats long texts many times."""
    names = [f"{number:0{digits}d}" for number in range(positions)]
    return encoded(
        {
            "portfolio_snapshot": {
                "portfolio_id": "pf_echo",
                "base_currency": "USD",
                "positions": [{"instrument_id": name, "quantity": "1"} for name in names],
                "cash_balances": [],
            },
            "market_data_snapshot": {
                "prices": [{"instrument_id": name, "price": "1", "currency": "USD"} for name in names],
                "fx_rates": [],
            },
            "model_portfolio": {"targets": []},
            "shelf_entries": [
                {
                    "instrument_id": name,
                    "status": "APPROVED",
                    "attributes": {f"k{one}": name for one in range(20)},
                }
                for name in names
            ],
            "options": {},
        }
    )


def encoded(document: Any) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()


@cache
def large_action() -> bytes:
    """A workflow action with millions of members, compressed."""
    deep = b'{"action":"APPROVE","reason_code":"X","actor_id":"a","junk":[' + b"{}," * 2_600_000 + b"{}]}"
    return gzip.compress(deep)


@cache
def wide_answer() -> bytes:
    """A simulation whose answer is many times as large, compressed."""
    return gzip.compress(echoing(9_000, 19))


def requests_of(run_id: str) -> tuple[Attack, ...]:
    """Every hostile request; `run_id` names a run that is kept and waits for its review."""
    refused = frozenset({413, 422})
    served = frozenset({200, 422, 503})
    zipped = {"Content-Encoding": "gzip"}
    actions = f"/rebalance/runs/{run_id}/workflow/actions"
    long_text = "x" * 7_500_000
    wide = json.loads(many_caps(1, 2))
    wide["portfolio_snapshot"]["portfolio_id"] = "p" * 20_000
    scenarios = json.loads(large_scenarios(1, 2))
    scenarios["portfolio_snapshot"]["portfolio_id"] = "p" * 20_000
    title = {
        "created_by": "adviser",
        "metadata": {"title": long_text},
        "simulate_request": json.loads(many_currencies(1)),
    }
    surrogate = many_caps(1, 2).replace(b'"pf_caps"', rb'"pf_\ud800"')
    return (
        Attack("150 currencies without a rate", PROPOSE, many_currencies(150), served),
        Attack("100 currencies without a rate", PROPOSE, many_currencies(100), served),
        Attack("150 caps, the method escaped", SIMULATE, many_caps(150, 400), served),
        Attack("200 caps", SIMULATE, many_caps(200, 4_000), served),
        Attack("a large action, compressed", actions, large_action(), frozenset({200, 409, 422}), zipped),
        Attack("a wide answer, compressed", SIMULATE, wide_answer(), served, zipped),
        Attack("a title of 7.5 MB", PROPOSALS, encoded(title), refused),
        Attack("a portfolio id of 20,000 characters", SIMULATE, encoded(wide), refused),
        Attack("the same for later", ANALYZE_ASYNC, encoded(scenarios), refused),
        Attack("half a character", SIMULATE, surrogate, refused),
        Attack("five million brackets", SIMULATE, b"[" * 5_000_000, frozenset({422})),
        Attack("two million wrong members", SIMULATE, b"[" + b"1," * 2_000_000 + b"1]", frozenset({422})),
    )


def send(base: str, attack: Attack, key: str) -> int:
    """The status a hostile request is answered with."""
    headers = {"Content-Type": "application/json", "Idempotency-Key": key} | attack.headers
    request = urllib.request.Request(base + attack.path, data=attack.body, headers=headers, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=ANSWER_SECONDS_MAX) as found:
            while found.read(MEBIBYTE):
                pass
            return int(found.status)
    except urllib.error.HTTPError as refused:
        with refused:
            refused.read()
            return refused.code


def ask(base: str, path: str, body: bytes | None, key: str) -> tuple[int, bytes]:
    """An ordinary client: one who is told to come back comes back, until answered or refused.

    Without a body it is a look-up.
    """
    headers = {} if body is None else {"Content-Type": "application/json", "Idempotency-Key": key}
    method = "GET" if body is None else "POST"
    deadline = time.monotonic() + ANSWER_SECONDS_MAX
    while True:
        request = urllib.request.Request(base + path, data=body, headers=headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=ANSWER_SECONDS_MAX) as found:
                return int(found.status), found.read()
        except urllib.error.HTTPError as refused:
            with refused:
                told = refused.read()
                pause = refused.headers.get("Retry-After")
                if refused.code != 503 or pause is None or time.monotonic() > deadline:
                    return refused.code, told
                time.sleep(float(pause))


def post_text(path: str, body: bytes, key: str) -> bytes:
    """A request as it goes over the line."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: attack\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nIdempotency-Key: {key}\r\n\r\n"
    )
    return head.encode() + body


def leave(port: int, text: bytes) -> None:
    """Sends a request and goes away at once, with a reset."""
    line = socket.create_connection(("127.0.0.1", port), timeout=ANSWER_SECONDS_MAX)
    line.sendall(text)
    line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    line.close()


@contextmanager
def silent(port: int, count: int) -> Iterator[int]:
    """So many connections on which nothing is ever said; gives how many the server's system took."""
    allow_files(2 * count + 256)
    with ExitStack() as lines:
        taken = 0
        for _ in range(count):
            line = socket.socket()
            lines.callback(line.close)
            line.settimeout(5.0)
            try:
                line.connect(("127.0.0.1", port))
            except OSError:
                break
            taken += 1
        yield taken


@contextmanager
def never_reading(port: int, text: Callable[[int], bytes], count: int) -> Iterator[None]:
    """So many callers who ask for something large and never read a byte of it."""
    allow_files(2 * count + 256)
    with ExitStack() as lines:
        for number in range(count):
            line = lines.enter_context(socket.socket())
            line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            line.settimeout(ANSWER_SECONDS_MAX)
            try:
                line.connect(("127.0.0.1", port))
                line.sendall(text(number))
            except OSError:
                # The server has had enough of us.
                continue
        yield


def allow_files(count: int) -> None:
    """Raises the limit of open files of this process, as far as it may be raised."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(max(soft, count), hard), hard))


class Probes:
    """Asks for the health of a server all the while; each answer is awaited before the next is asked for."""

    def __init__(self, base: str, path: str = LIVE, pause_seconds: float = PROBE_PAUSE_SECONDS) -> None:
        self._url = base + path
        self._pause_seconds = pause_seconds
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._ask_on, daemon=True)
        self.seconds: list[float] = []
        self.statuses: set[int | str] = set()

    def __enter__(self) -> Probes:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()

    def percentile_ms(self, share: float) -> float:
        ordered = sorted(self.seconds)
        return 1000 * ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0

    def _ask_on(self) -> None:
        while not self._stopping.is_set():
            began = time.perf_counter()
            try:
                with urllib.request.urlopen(self._url, timeout=ANSWER_SECONDS_MAX) as found:
                    found.read()
                    self.statuses.add(found.status)
            except urllib.error.HTTPError as refused:
                with refused:
                    self.statuses.add(refused.code)
            except OSError as error:
                self.statuses.add(repr(error))
            self.seconds.append(time.perf_counter() - began)
            self._stopping.wait(self._pause_seconds)


def peak_memory_bytes(pids: Sequence[int]) -> int:
    """The most memory that the processes have had, each at its own moment, added up."""
    total = 0
    for pid in pids:
        try:
            lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        except OSError:
            continue
        total += sum(1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))
    return total
