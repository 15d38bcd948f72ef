"""The recorded answers of the reference, replayed against a real server."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from itertools import islice
from pathlib import Path

import pytest

from tests.e2e.proposal_fixtures import PROPOSALS, beside_runs

PACKS = ("goldens", "dpm-generated", "batch-generated", "advisory-generated")
# One store is asked for every case; what is asked of the others shows that they are asked alike.
WHOLE_IN_SMALL, STRIDE_IN_SMALL = "IN_MEMORY", 5
ENDPOINTS = {
    "/rebalance/simulate",
    "/rebalance/analyze",
    f"{PROPOSALS}/simulate",
    f"{PROPOSALS}/artifact",
}


@pytest.mark.slow
@pytest.mark.faults
def test_every_recorded_case_is_answered_alike(variables, serve, conformance, tmp_path, faults_in_full):
    server = serve(beside_runs(variables))
    whole = faults_in_full or variables["DPM_SUPPORTABILITY_STORE_BACKEND"] == WHOLE_IN_SMALL
    stride = 1 if whole else STRIDE_IN_SMALL
    packs = [_ours(conformance / f"{name}.jsonl.gz", tmp_path, stride) for name in PACKS]

    done = subprocess.run(
        [sys.executable, str(conformance / "check.py"), "--base-url", server.base, *packs],
        capture_output=True,
        text=True,
        check=False,
    )

    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr


def _ours(pack: Path, folder: Path, stride: int) -> str:
    """The cases of a pack whose endpoint is served, or every so manyth of them, as a pack of its own."""
    ours = folder / pack.name.removesuffix(".gz")
    with gzip.open(pack, "rt", encoding="utf-8") as lines, ours.open("w", encoding="utf-8") as kept:
        ours_of_it = (line for line in lines if json.loads(line)["endpoint"] in ENDPOINTS)
        kept.writelines(islice(ours_of_it, 0, None, stride))
    return str(ours)
