"""A client that a public generator makes from the description does a reviewer's day."""

import json
import subprocess
import sys
import textwrap
from urllib.request import urlopen

import pytest

from scripts.harness.servers import ROOT, Server

# Its generator wants other versions than the service, so it lives beside it.
CLIENT_BIN = ROOT / ".venv-client" / "bin"
GENERATE_SECONDS_MAX = 300

# Runs where the service is not installed, with the address of a server and a request to simulate.
DAY = textwrap.dedent(
    """
    import json, sys
    from lotus_client import Client
    from lotus_client.api.dpm_run_supportability import (
        apply_dpm_run_workflow_action_rebalance_runs_rebalance_run_id_workflow_actions_post as action,
        get_run_by_run_id_rebalance_runs_rebalance_run_id_get as run,
        get_run_idempotency_lookup_rebalance_runs_idempotency_idempotency_key_get as key,
    )
    from lotus_client.api.dpm_simulation import simulate_rebalance_rebalance_simulate_post as simulate
    from lotus_client.models import DpmRunWorkflowActionRequest, Problem, RebalanceRequest

    client = Client(base_url=sys.argv[1])
    asked = RebalanceRequest.from_dict(json.load(open(sys.argv[2])))
    result = simulate.sync(client=client, body=asked, idempotency_key="day-1", x_correlation_id="day")
    found = run.sync(result.rebalance_run_id, client=client)
    held = key.sync("day-1", client=client)
    approval = DpmRunWorkflowActionRequest.from_dict(
        {"action": "APPROVE", "reason_code": "WITHIN_MANDATE", "actor_id": "reviewer_1"}
    )
    approved = action.sync(result.rebalance_run_id, client=client, body=approval)
    again = action.sync_detailed(result.rebalance_run_id, client=client, body=approval)
    missing = run.sync("rr_none", client=client)
    assert isinstance(again.parsed, Problem) and isinstance(missing, Problem)
    print(json.dumps({
        "simulated": result.rebalance_run_id,
        "found": found.to_dict(),
        "held": held.rebalance_run_id,
        "state": str(approved.workflow_status.value),
        "by": approved.latest_decision.actor_id,
        "again": [int(again.status_code), again.parsed.code],
        "missing": missing.code,
    }))
    """
)


@pytest.mark.slow
def test_a_generated_client_simulates_looks_up_and_approves(tmp_path):
    variables = {
        "DPM_WORKFLOW_ENABLED": "true",
        "DPM_WORKFLOW_REQUIRES_REVIEW_FOR_STATUSES": "READY,PENDING_REVIEW,BLOCKED",
    }
    demo = ROOT / "scripts" / "demo" / "multi_currency.json"
    (tmp_path / "day.py").write_text(DAY, encoding="utf-8")
    with Server(variables) as server:
        with urlopen(f"{server.base}/openapi.json") as answer:
            (tmp_path / "openapi.json").write_bytes(answer.read())
        said = ran(tmp_path, "openapi-python-client", "generate", "--path", "openapi.json",
                   "--meta", "none", "--output-path", "lotus_client")  # fmt: skip
        day = json.loads(ran(tmp_path, "python", "day.py", server.base, str(demo)))
        with urlopen(f"{server.base}/rebalance/runs/{day['simulated']}") as answer:
            kept = json.loads(answer.read())

    assert "Unable to process" not in said and "WARNING parsing" not in said
    assert day["held"] == day["simulated"]
    # What the client read is what was answered, to the last number.
    assert day["found"] == kept
    assert (day["state"], day["by"]) == ("APPROVED", "reviewer_1")
    assert day["again"] == [409, "DPM_WORKFLOW_INVALID_TRANSITION"]
    assert day["missing"] == "DPM_RUN_NOT_FOUND"


def ran(folder, program, *arguments):
    """What a program of the client's environment says; it must end well."""
    assert (CLIENT_BIN / program).exists(), "made by `make test`"
    ended = subprocess.run(
        [CLIENT_BIN / program, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=GENERATE_SECONDS_MAX,
        check=False,
    )
    assert ended.returncode == 0, (ended.stdout, ended.stderr, sys.version)
    return ended.stdout
