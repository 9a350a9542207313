"""The fault campaign: nothing that was acknowledged is lost, whatever fails between the service and its backends.

Tests run in the order of this file: the last ones take a replica away.
"""

from __future__ import annotations

import math

import pytest

from tests.faults.campaign import Campaign
from tests.faults.faults import FAULTS, Fault
from tests.faults.report import Result


def assert_nothing_lost(result: Result) -> None:
    assert result.lost == []
    assert result.events_lost == []
    assert result.events_doubled == []
    assert result.stale == []
    assert result.unexpected == []
    assert result.health == ""
    assert result.answers.get("200", 0) > 0
    assert math.isfinite(result.recovery_s), "no recovery"


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name.replace(" ", "-"))
def test_a_fault_of_a_backend_loses_nothing(campaign: Campaign, fault: Fault) -> None:
    assert_nothing_lost(campaign.endure(fault))


@pytest.mark.parametrize("number", [0, 1])
def test_a_frozen_replica_holds_nobody_up(campaign: Campaign, number: int) -> None:
    # One of the two is the relay of events when it is frozen.
    assert_nothing_lost(campaign.freeze(campaign.pair[number]))


def test_a_killed_replica_takes_nothing_with_it(campaign: Campaign) -> None:
    assert_nothing_lost(campaign.kill(campaign.pair[0]))


def test_the_stores_agree_after_all_that(campaign: Campaign) -> None:
    records = campaign.records
    records.wait_until(lambda: records.count("pending_removals", "NOT announced") == 0)
    looked = records.reconcile()
    assert looked.stdout.count("missing vectors: 0") == 2, looked.stdout + looked.stderr
    assert "half enrolled: 0" in looked.stdout
    assert "lost: 0 of" in looked.stdout
