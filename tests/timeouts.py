"""A time-out fails its test and leaves the rest of the run alone.

pytest-timeout raises wherever the test's time ends. Within setup, call and teardown pytest makes a failure of that; in
between, while a failure is reported on a busy machine, say, nothing does, and the run ends with INTERNALERROR.
"""

from __future__ import annotations

from collections.abc import Generator

import pytest
from _pytest.runner import call_and_report  # nothing public tears a test down and reports it


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> Generator[None, object, object]:
    """Report what escaped as the test's failure, and tear down what the next test does not need."""
    try:
        return (yield)
    # A warning too: as an error it may take the time-out's place on its way through plugins.
    except (pytest.fail.Exception, Warning) as error:
        escaped = error

    def fail() -> None:
        raise escaped

    report = pytest.TestReport.from_item_and_call(item, pytest.CallInfo.from_call(fail, when="call"))
    item.ihook.pytest_runtest_logreport(report=report)
    if item in item.session._setupstate.stack:  # not where its own teardown was over
        call_and_report(item, "teardown", nextitem=nextitem)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True
