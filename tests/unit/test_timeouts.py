"""What becomes of a run in which a test takes too long."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

PROJECT_DIR = Path(__file__).resolve().parents[2]

# Where the report of a phase takes longer than the test may.
_CONFTEST = """
import time
import pytest
from tests.timeouts import pytest_runtest_protocol

@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    if f"report_of_{call.when}" in item.name:
        time.sleep(3)
    return (yield)
"""
_TESTS = """
import time
import warnings
import pytest

@pytest.fixture(scope="module")
def shared():
    yield []

@pytest.fixture
def used(shared):
    shared.append("up")
    yield shared
    shared.pop()

@pytest.mark.timeout(1.0)
def test_report_of_call(used):
    assert False

@pytest.mark.timeout(1.0)
def test_report_of_setup(used):
    pass

@pytest.mark.timeout(1.0)
def test_report_of_teardown(used):
    pass

@pytest.mark.timeout(1.0)
def test_in_the_call(used):
    time.sleep(5)

@pytest.mark.timeout(1.0)
async def test_in_a_coroutine(used):
    import asyncio
    await asyncio.sleep(5)

def test_afterwards(used):
    assert used == ["up"]
"""


@pytest.fixture
def printed(tmp_path: Path) -> str:
    (tmp_path / "conftest.py").write_text(_CONFTEST)
    (tmp_path / "test_slow.py").write_text(_TESTS)
    options = ["-c", str(PROJECT_DIR / "pyproject.toml"), "--rootdir", str(tmp_path), "-p", "no:cacheprovider", "-v"]
    finished = subprocess.run(
        [sys.executable, "-m", "pytest", *options, str(tmp_path)],
        check=False,
        capture_output=True,
        text=True,
        cwd=PROJECT_DIR,
        timeout=120,
    )
    return finished.stdout


def test_a_time_out_anywhere_fails_its_test_and_the_run_goes_on(printed: str) -> None:
    assert "INTERNALERROR" not in printed
    for name in ("report_of_setup", "report_of_call", "report_of_teardown", "in_the_call", "in_a_coroutine"):
        assert f"test_slow.py::test_{name} FAILED" in printed
    assert printed.count("Failed: Timeout (>1.0s) from pytest-timeout.") >= 5
    assert "test_slow.py::test_afterwards PASSED" in printed
    assert "5 failed, 2 passed in " in printed  # one of them passed before the report of its teardown took too long
