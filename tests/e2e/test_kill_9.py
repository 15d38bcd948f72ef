"""A server killed at any moment has kept what it acknowledged, and nothing by halves."""

from __future__ import annotations

import time

import pytest

from tests.e2e.acknowledged_runs import EVERY_WAY, require_found
from tests.e2e.clients import Load
from tests.e2e.databases import require_whole

SECONDS_MAX = 0.6
# A database is left for a new one after so many kills, so that looking at all of it stays affordable.
KILLS_PER_DATABASE = 20


@pytest.mark.faults
def test_what_was_acknowledged_is_there_after_a_kill(new_database, serve, chance, demo_body, faults_in_full):
    kills = 200 if faults_in_full else 3
    total = lost = replayed = 0

    for first in range(0, kills, KILLS_PER_DATABASE):
        database = new_database()
        server = serve(database.variables | EVERY_WAY)
        load = Load(server.base, demo_body, f"kill-{first}", server_dies=True)
        for _ in range(min(KILLS_PER_DATABASE, kills - first)):
            time.sleep(chance.uniform(0.02, SECONDS_MAX))
            server.kill()
            require_whole(database)
            server = serve(database.variables | EVERY_WAY, port=server.port)
            load.require_going()
        answered = load.stop()
        require_found(server, database, demo_body, answered, chance)
        server.stop()
        total, lost, replayed = total + len(answered), lost + load.lost, replayed + load.replayed

    print(f"{total} acknowledged runs found again; {lost} requests lost, {replayed} learnt by a repeat")
    assert total > kills
