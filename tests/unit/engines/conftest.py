"""How the engines are tested: floats trapped, and a fixed number of examples for every property."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import FloatOperation

import pytest
from hypothesis import settings

from service.domains.money import ENGINE_CONTEXT

# The text cases compare inside a helper; its assertions explain themselves like those of a test.
pytest.register_assert_rewrite("tests.unit.engines.cases")

# A failure prints the blob that reproduces it. Seven properties at 400 examples make 2,800 in the ci profile.
settings.register_profile("ci", max_examples=400, deadline=None, print_blob=True, derandomize=False)


@pytest.fixture(autouse=True, scope="session")
def floats_trapped() -> Iterator[None]:
    """Any operation that mixes a float into the engine's arithmetic raises."""
    ENGINE_CONTEXT.traps[FloatOperation] = True
    yield
    ENGINE_CONTEXT.traps[FloatOperation] = False
