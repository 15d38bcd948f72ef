"""Real servers, one per backend."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from scripts.servers import ROOT, Server

DEMO = ROOT / "scripts" / "demo" / "multi_currency.json"


@pytest.fixture(params=["IN_MEMORY", "SQL"])
def variables(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, str]:
    return {
        "DPM_SUPPORTABILITY_STORE_BACKEND": request.param,
        "DPM_SUPPORTABILITY_SQL_PATH": str(tmp_path / "store.db"),
        "DPM_LOG_LEVEL": "INFO",
    }


@pytest.fixture
def start(variables: dict[str, str]) -> Iterator[Callable[..., Server]]:
    """Starts servers that the test need not stop."""
    started: list[Server] = []

    def begin(**more: str) -> Server:
        started.append(Server(variables | more))
        return started[-1]

    yield begin
    for server in started:
        if server.process.poll() is None:
            server.stop()


@pytest.fixture
def demo_body() -> bytes:
    return DEMO.read_bytes()
