"""Our command line with an engine that meets accidents in scenarios of certain names.

Engine processes run this module too, under the name __mp_main__.
"""

from __future__ import annotations

import os
import signal
import time

from service.cli.commands import main
from service.domains.rebalances.requests import RebalanceRequest
from service.domains.rebalances.results.rebalance import RebalanceResult
from service.engines.dpm import v1, versions

SERVE = ("-m", "tests.e2e.crashing_engine", "serve", "--port", "0")
WORK = ("-m", "tests.e2e.crashing_engine", "work", "--port", "0")

KILLS_ENGINE = "kills_engine"
KILLS_WORKER = "kills_worker"
# Any name that begins like these.
NEVER_ENDS = "never_ends"
TAKES_LONG = "takes_long"
LONG_SECONDS = 0.3


def simulate(
    request: RebalanceRequest, identity: v1.RunIdentity, bytes_max: int | None = None
) -> RebalanceResult:
    scenario = identity.request_hash.rpartition(":")[2]
    if scenario == KILLS_ENGINE:
        os.kill(os.getpid(), signal.SIGKILL)
    if scenario == KILLS_WORKER:
        os.kill(os.getppid(), signal.SIGKILL)
        time.sleep(LONG_SECONDS)
    while scenario.startswith(NEVER_ENDS):
        pass
    if scenario.startswith(TAKES_LONG):
        time.sleep(LONG_SECONDS)
    return v1.simulate(request, identity, bytes_max)


if __name__ in ("__main__", "__mp_main__"):
    versions.ENGINES = {version: simulate for version in versions.ENGINES}

if __name__ == "__main__":
    main(prog_name="unlucky")
