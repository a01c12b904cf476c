"""What every test shares: hypothesis without wall-clock deadlines, the arithmetic of the process,
and the recorded markets."""

import gc
import os
from collections.abc import Generator
from decimal import Context, getcontext, setcontext
from pathlib import Path
from typing import Any

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


def _arithmetic(context: Context) -> Any:
    return context.prec, context.rounding, dict(context.traps), context.Emin, context.Emax


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    """No test, and no library that it calls, changes how the process computes with Decimal: money
    would be rounded another way from then on, in every account."""
    context = getcontext()
    before, kept = _arithmetic(context), context.copy()
    result = yield
    after = _arithmetic(context)
    if after != before:
        setcontext(kept)
        pytest.fail(f"{item.nodeid} left the arithmetic of the process as {after}, not {before}")
    return result


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
