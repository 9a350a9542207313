"""Two replicas, each a process of its own, that reach every backend through a proxy; a consumer at the broker."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.backends import RunningBackends
from tests.faults.campaign import Campaign
from tests.faults.report import Report
from tests.faults.stack import two_replicas


@pytest.fixture(scope="session")
def report() -> Iterator[Report]:
    """What the campaign writes down, printed at its end."""
    report = Report()
    yield report
    print(f"\n{report.text()}")


@pytest.fixture(scope="session")
def campaign(
    backends: RunningBackends, broker_address: str, report: Report, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Campaign]:
    """Two replicas behind the proxies, and whoever checks in all the time."""
    with two_replicas(backends, broker_address, tmp_path_factory.mktemp("replicas")) as stack:
        yield Campaign(stack, report)
