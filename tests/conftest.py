"""What every test can ask for."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parents[1]
CONFORMANCE = ROOT.parent / "shared" / "conformance"

# A failing example is printed as a blob that repeats it; timing is the benchmark's business.
settings.register_profile(
    "house", deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("house")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--faults", choices=("small", "full"), default="small", help="how long the fault tests go on"
    )


@pytest.fixture(scope="session")
def faults_in_full(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--faults") == "full")


@pytest.fixture(scope="session")
def conformance() -> Path:
    """The recorded cases of the reference; they are kept outside this repository."""
    if not CONFORMANCE.is_dir():
        pytest.skip("recorded cases are not beside this checkout (../shared/conformance)")
    return CONFORMANCE
