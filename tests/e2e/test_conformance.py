"""The recorded answers of the reference, replayed against a real server."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.proposing import PROPOSALS, beside_runs

PACKS = ("goldens", "dpm-generated", "batch-generated", "advisory-generated")
ENDPOINTS = {
    "/rebalance/simulate",
    "/rebalance/analyze",
    f"{PROPOSALS}/simulate",
    f"{PROPOSALS}/artifact",
}


@pytest.mark.slow
def test_every_recorded_case_is_answered_alike(variables, serve, conformance, tmp_path):
    server = serve(beside_runs(variables))
    packs = [_ours(conformance / f"{name}.jsonl.gz", tmp_path) for name in PACKS]

    done = subprocess.run(
        [sys.executable, str(conformance / "check.py"), "--base-url", server.base, *packs],
        capture_output=True,
        text=True,
        check=False,
    )

    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr


def _ours(pack: Path, folder: Path) -> str:
    """The cases of a pack whose endpoint is served, as a pack of its own."""
    ours = folder / pack.name.removesuffix(".gz")
    with gzip.open(pack, "rt", encoding="utf-8") as lines, ours.open("w", encoding="utf-8") as kept:
        kept.writelines(line for line in lines if json.loads(line)["endpoint"] in ENDPOINTS)
    return str(ours)
