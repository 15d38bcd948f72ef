"""What is too large to be answered, what takes too long, and what is too much to be looked at on the loop."""

import json
from dataclasses import replace

import pytest

from scripts.harness.sample_requests import a_proposal_body
from service.domains.callers import DEFAULT_TENANT
from service.domains.dpm_runs.values import RunFilter
from service.domains.proposals.values import ProposalFilter
from service.domains.retention.cutoffs import KEEP_ALL
from service.errors.engines import EngineDeadlineExceeded
from service.flows.limits.result_sizes import AROUND_RESULTS_BYTES_MAX
from service.flows.limits.work_costs import LOOP_BODY_BYTES_MAX, LOOP_COMMAS_MAX
from service.runtime.process_pool import name_of
from service.settings.process import ArtifactMode, UnknownFields, read
from tests.unit.flows.proposal_fixtures import body_of

KEY = {"Idempotency-Key": "key-1", "Content-Type": "application/json"}
SIMULATE = "/rebalance/simulate"
RUNS = "/rebalance/runs"
BLANKS = b" " * LOOP_BODY_BYTES_MAX


def bounded(bytes_max):
    return replace(read().engines, result_bytes_max=bytes_max)


@pytest.fixture
def offloaded(monkeypatch):
    """The names of the work that was not done on the loop."""
    names = []

    async def noting(work, *args):
        names.append(name_of(work))
        return work(*args)

    monkeypatch.setattr("tests.unit.web.conftest.done_here", noting)
    return names


async def refused(answer, code="RESULT_TOO_LARGE", status=422):
    problem = await answer.json()
    assert (answer.status, problem["code"], problem["status"]) == (status, code, status)
    return answer


async def test_a_result_beyond_its_bound_is_refused_and_nothing_is_kept(start, demo, store):
    client = await start(engines=bounded(2000), artifact_mode=ArtifactMode.PERSISTED)

    await refused(await client.post(SIMULATE, json=demo, headers=KEY))

    page = await store.dpm_runs.list(DEFAULT_TENANT, RunFilter(), limit=9, cursor=None, cutoff=KEEP_ALL)
    assert page.items == ()
    # The key is free for a request whose result is not.
    again = await (await start()).post(SIMULATE, json=demo, headers=KEY)
    assert "Idempotent-Replayed" not in again.headers


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/rebalance/proposals/simulate", json.loads(body_of())["simulate_request"]),
        ("/rebalance/proposals/artifact", json.loads(body_of())["simulate_request"]),
        ("/rebalance/proposals", json.loads(body_of())),
    ],
)
async def test_so_are_proposals_with_all_their_documents(start, store, path, body):
    sizes = (300, 4000) if path == "/rebalance/proposals" else (300,)
    for bytes_max in sizes:
        client = await start(engines=bounded(bytes_max))
        await refused(await client.post(path, json=body, headers=KEY))

    assert (await (await start()).post(path, json=body, headers=KEY)).status == 200
    page = await store.proposals.list(DEFAULT_TENANT, ProposalFilter(), limit=9, cursor=None)
    assert len(page.items) == (path == "/rebalance/proposals")


async def test_a_kept_result_of_any_size_can_be_read_but_not_several_in_one_answer(start, demo):
    wide = await start()
    run = await (await wide.post(SIMULATE, json=demo, headers=KEY)).json()
    path = f"{RUNS}/{run['rebalance_run_id']}"
    sizes = {name: len(await (await wide.get(path + name)).read()) for name in ("", "/support-bundle")}
    room = sizes["/support-bundle"] - 1 - AROUND_RESULTS_BYTES_MAX
    assert sizes[""] < sizes["/support-bundle"]

    narrow = await start(engines=bounded(room))

    assert (await narrow.get(path)).status == 200
    await refused(await narrow.get(f"{path}/support-bundle"))
    assert (await narrow.get(f"{path}/support-bundle?include_artifact=false")).status == 200


@pytest.mark.parametrize(
    ("path", "body", "work"),
    [
        (SIMULATE, {}, "service.flows.dpm_runs.flow.simulate_body"),
        ("/rebalance/proposals/simulate", {}, "service.flows.proposals.simulations.simulate_proposal_body"),
        ("/rebalance/proposals", json.loads(body_of()), "service.flows.proposals.documents.simulate_asked"),
    ],
)
async def test_work_that_is_given_up_is_no_invitation_to_ask_again(start, monkeypatch, path, body, work):
    def give_up(*_):
        raise EngineDeadlineExceeded(seconds=20)

    for module in ("dpm_runs.flow.hash_body", "proposals.simulations.hash_proposal_body"):
        monkeypatch.setattr(f"service.flows.{module}", lambda *_: "sha256:0")
    monkeypatch.setattr(work, give_up)
    client = await start()

    answer = await client.post(path, data=json.dumps(body).encode() + BLANKS, headers=KEY)

    await refused(answer, "ENGINE_DEADLINE_EXCEEDED", 503)
    assert "Retry-After" not in answer.headers


@pytest.mark.parametrize("path", ["/rebalance/proposals/simulate", "/rebalance/proposals"])
async def test_an_ordinary_proposal_never_leaves_the_loop(start, offloaded, path):
    proposal = a_proposal_body(positions=10, seed=7)
    assert proposal.count(b",") > LOOP_COMMAS_MAX
    body = proposal
    if path == "/rebalance/proposals":
        body = b'{"created_by":"adviser","simulate_request":' + proposal + b"}"
    client = await start()

    answer = await client.post(path, data=body, headers=KEY)

    assert (answer.status, offloaded) == (200, [])


WIDE = b"[" + b"0," * LOOP_COMMAS_MAX + b"0,0]"


@pytest.mark.parametrize("body", [BLANKS + b"{}", WIDE], ids=["long", "many values"])
@pytest.mark.parametrize("unknown_fields", list(UnknownFields))
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/rebalance/simulate"),
        ("POST", "/rebalance/analyze"),
        ("POST", "/rebalance/analyze/async"),
        ("POST", "/rebalance/runs/rr_1/workflow/actions"),
        ("POST", "/rebalance/proposals/simulate"),
        ("POST", "/rebalance/proposals/artifact"),
        ("POST", "/rebalance/proposals"),
        ("POST", "/rebalance/proposals/async"),
        ("POST", "/rebalance/proposals/pp_1/versions"),
        ("POST", "/rebalance/proposals/pp_1/versions/async"),
        ("POST", "/rebalance/proposals/pp_1/transitions"),
        ("POST", "/rebalance/proposals/pp_1/approvals"),
        ("PUT", "/rebalance/policies/catalog/pack_1"),
    ],
)
async def test_no_body_with_much_that_can_be_wrong_is_explained_on_the_loop(
    start, offloaded, monkeypatch, method, path, body, unknown_fields
):
    # A long body is not looked at at all; a short one is, as far as the typed decoder takes it.
    looked_at = "text_of" if len(body) > LOOP_BODY_BYTES_MAX else "parsed"
    explained = []
    monkeypatch.setattr(f"service.web.requests.bodies.{looked_at}", note(explained, offloaded, looked_at))
    policy = replace(read().policy, admin_apis_enabled=True)
    client = await start(unknown_fields=unknown_fields, policy=policy, workflow_enabled=True)

    answer = await client.request(method, path, data=body, headers=KEY)

    assert answer.status == 422
    # Each body that was looked at was looked at in work that had left the loop before.
    assert explained
    assert explained == list(range(1, len(explained) + 1))


def note(explained, offloaded, looked_at):
    from service.web.requests import bodies

    look = getattr(bodies, looked_at)

    def noting(body):
        explained.append(len(offloaded))
        return look(body)

    return noting
