"""A server holds to its own description whatever it is sent."""

import pytest

from scripts.fuzz import EXAMPLES, FUZZING, OPEN, fuzz
from scripts.harness.servers import Server

# Some for every operation there is; the rest is left to `make fuzz`.
FEW = 2
REQUESTS_MIN = 100


@pytest.mark.slow
def test_every_answer_is_one_that_is_described(request):
    seed = request.config.option.hypothesis_seed
    with Server(OPEN) as server:
        found = fuzz(server.base, phases=(EXAMPLES, FUZZING), examples=FEW, seed=seed)

        assert found.clean, found.said
        assert found.requests >= REQUESTS_MIN, found.said
        assert server.process.poll() is None
