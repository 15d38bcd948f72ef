"""Sends a server what its own description allows and what it forbids, and holds every answer to it."""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass

from scripts.harness.servers import Server

# Every gate is open, so that every operation does what it is there for.
OPEN = {
    "DPM_WORKFLOW_ENABLED": "true",
    "DPM_LINEAGE_APIS_ENABLED": "true",
    "DPM_IDEMPOTENCY_HISTORY_APIS_ENABLED": "true",
    "DPM_POLICY_PACKS_ENABLED": "true",
    "DPM_POLICY_PACK_ADMIN_APIS_ENABLED": "true",
}
# No 5xx, no status, type or header that is not described, and no body that breaks its schema.
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)
# What is written in the description; every bound and type of it, met and missed; what chance brings.
EXAMPLES, COVERAGE, FUZZING = "examples", "coverage", "fuzzing"
MANY = 200
REQUESTS_MIN = 20_000
SECONDS_MAX = 3_000


# How the one who sends says how much was sent.
GENERATED = re.compile(r"([0-9][0-9,]*) generated")


@dataclass(frozen=True, slots=True)
class Fuzzed:
    """Whether every answer held, how many there were, and the report in words."""

    clean: bool
    requests: int
    said: str


def fuzz(base: str, *, phases: Sequence[str], examples: int, seed: int) -> Fuzzed:
    """Runs the phases against the server at `base`, with so many examples an operation in the last."""
    command = [sys.executable, "-m", "schemathesis.cli", "run", f"{base}/openapi.json"]
    command += ["--checks", ",".join(CHECKS), "--phases", ",".join(phases), "--mode", "all"]
    command += ["--max-examples", str(examples), "--seed", str(seed), "--continue-on-failure"]
    command += ["--suppress-health-check", "all", "--warnings", "off", "--no-color"]
    with tempfile.TemporaryDirectory() as folder:
        ended = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=SECONDS_MAX, check=False
        )
    found = GENERATED.search(ended.stdout)
    requests = int(found[1].replace(",", "")) if found else 0
    return Fuzzed(ended.returncode == 0, requests, ended.stdout + ended.stderr)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=MANY, help="examples an operation and phase")
    parser.add_argument("--seed", type=int, default=20_261_121)
    parser.add_argument("--requests-min", type=int, default=REQUESTS_MIN)
    chosen = parser.parse_args()
    with Server(OPEN) as server:
        found = fuzz(
            server.base,
            phases=(EXAMPLES, COVERAGE, FUZZING),
            examples=chosen.examples,
            seed=chosen.seed,
        )
    print(found.said)
    print(f"{found.requests} requests, {'clean' if found.clean else 'NOT clean'}")
    return 0 if found.clean and found.requests >= chosen.requests_min else 1


if __name__ == "__main__":
    sys.exit(main())
