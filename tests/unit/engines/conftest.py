"""How the engines are tested: floats trapped."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import FloatOperation

import pytest

from service.domains.values.money import ENGINE_CONTEXT

# The text cases compare inside a helper; its assertions explain themselves like those of a test.
pytest.register_assert_rewrite("tests.unit.engines.cases", "tests.unit.engines.advisory_cases")


@pytest.fixture(autouse=True, scope="session")
def floats_trapped() -> Iterator[None]:
    """Any operation that mixes a float into the engine's arithmetic raises."""
    ENGINE_CONTEXT.traps[FloatOperation] = True
    yield
    ENGINE_CONTEXT.traps[FloatOperation] = False
