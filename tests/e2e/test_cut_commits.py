"""A connection that breaks in the midst of a commit leaves a caller in doubt; the same key settles it."""

from __future__ import annotations

import pytest

from scripts.harness.connection_cutter import Cut, Cutter
from tests.e2e.acknowledged_runs import EVERY_WAY, require_found
from tests.e2e.clients import Load
from tests.e2e.databases import PostgresDatabase

# Of all commits, on either side of the moment at which they are made.
SHARE = 0.1


@pytest.mark.faults
def test_a_commit_cut_on_either_side_is_made_once(
    durable_postgres, durable_database, serve, chance, demo_body, faults_in_full
):
    cuts_of_each = 200 if faults_in_full else 4
    with Cutter(durable_postgres.port, chance, share=SHARE) as cutter:
        past_cutter = PostgresDatabase(
            durable_database.dsn.replace(f":{durable_postgres.port}/", f":{cutter.port}/")
        )
        server = serve(past_cutter.variables | EVERY_WAY)
        load = Load(server.base, demo_body, "cut", database_dies=True)
        while min(cutter.cuts[cut] for cut in Cut) < cuts_of_each or not load.replayed:
            load.wait_for_answers(1)
        answered = load.stop()
        cutter.share = 0.0
        require_found(server, durable_database, demo_body, answered, chance)
        server.stop()

    print(f"{len(answered)} runs, {cutter.cuts}, {load.refused} refusals, {load.replayed} learnt by a repeat")
    # A caller whose commit was made unheard learns of it by a repeat.
    assert load.replayed > 0
    assert load.refused >= load.replayed
