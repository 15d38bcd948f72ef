"""What every test can ask for."""

from __future__ import annotations

from pathlib import Path
from random import SystemRandom

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parents[1]
CONFORMANCE = ROOT.parent / "shared" / "conformance"

# A failing example is printed as a blob that repeats it; timing is the benchmark's business.
settings.register_profile(
    "quick", max_examples=50, deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
# The seven properties of the engine make 2,800 examples of these.
settings.register_profile("full", settings.get_profile("quick"), max_examples=400)
settings.load_profile("quick")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    # Drawn here and shown in the header, so that any run can be repeated with --hypothesis-seed.
    if config.option.hypothesis_seed is None:
        config.option.hypothesis_seed = SystemRandom().randrange(2**32)


def pytest_report_header(config: pytest.Config) -> str:
    return f"hypothesis seed: {config.option.hypothesis_seed}"


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
