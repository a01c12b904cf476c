"""What every test shares: hypothesis without wall-clock deadlines, and the recorded markets."""

import gc
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parent.parent

settings.register_profile(
    "meridian",
    deadline=None,
    derandomize=bool(os.environ.get("CI")),
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("meridian")


def pytest_collection_finish(session: pytest.Session) -> None:
    """Six thousand collected tests live to the end: looking through them for garbage again and
    again was a third of what a seed of the simulators costs."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def root() -> Path:
    """The project's root folder."""
    return ROOT


@pytest.fixture(scope="session")
def shared_market() -> Path:
    """The folder of recorded markets beside the project; the test is skipped where it is absent."""
    folder = ROOT.parent / "shared" / "market"
    if not folder.is_dir():
        pytest.skip("the recorded markets (../shared/market) are not beside this project")
    return folder
