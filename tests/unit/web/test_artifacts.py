"""The artifact of a run as a client sees it, in both modes."""

from service.domains.lineage import EdgeType
from service.flows.dpm_runs import artifacts
from service.settings.process import ArtifactMode

SIMULATE = "/rebalance/simulate"


async def simulated(client, demo, key="key-1"):
    answer = await client.post(SIMULATE, json=demo, headers={"Idempotency-Key": key})
    return (await answer.json())["rebalance_run_id"]


async def read(client, run_id):
    answer = await client.get(f"/rebalance/runs/{run_id}/artifact")
    assert answer.status == 200
    assert answer.content_type == "application/json"
    return await answer.read()


async def test_both_modes_answer_the_same_bytes_at_every_read(start, demo, store):
    deriving = await start()
    run_id = await simulated(deriving, demo)
    derived = [await read(deriving, run_id) for _ in range(2)]
    assert not store.state.artifacts

    persisting = await start(artifact_mode=ArtifactMode.PERSISTED)
    persisted = [await read(persisting, run_id) for _ in range(2)]

    assert {*derived, *persisted} == {derived[0]}
    assert len(store.state.artifacts) == 1


async def test_an_artifact_that_is_kept_is_built_once(start, demo, store, monkeypatch):
    client = await start(artifact_mode=ArtifactMode.PERSISTED)
    run_id = await simulated(client, demo)
    kept = next(iter(store.state.artifacts.values())).body

    def builds(_):
        raise AssertionError("it is kept already")

    monkeypatch.setattr(artifacts, "build_artifact", builds)

    assert await read(client, run_id) == kept
    assert [
        (edge.source_entity_id, edge.target_entity_id)
        for edge in store.state.edges.values()
        if edge.edge_type is EdgeType.DERIVED_FROM
    ] == [(run_id.replace("rr_", "dra_", 1), run_id)]


async def test_a_run_that_is_not_there_has_no_artifact(start):
    for mode in ArtifactMode:
        client = await start(artifact_mode=mode)
        for run_id in ("rr_missing", "rr_%00"):
            refused = await client.get(f"/rebalance/runs/{run_id}/artifact")
            assert refused.status == 404
            assert (await refused.json())["detail"] == "DPM_RUN_NOT_FOUND"


async def test_artifacts_can_be_switched_off(start):
    for changes, code in (
        ({"support_apis_enabled": False, "artifacts_enabled": False}, "DPM_SUPPORT_APIS_DISABLED"),
        ({"artifacts_enabled": False}, "DPM_ARTIFACTS_DISABLED"),
    ):
        refused = await (await start(**changes)).get("/rebalance/runs/rr_1/artifact")
        assert refused.status == 404
        assert (await refused.json())["detail"] == code
