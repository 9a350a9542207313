"""Days and moments in requests, up to the ends of the calendar."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import InvalidInput
from app.models.dates import DateRange
from app.utils import clock

ZONES = [ZoneInfo(name) for name in ("Asia/Ho_Chi_Minh", "UTC", "America/Los_Angeles", "Pacific/Kiritimati")]
HOTEL = ZONES[0]


def bounds(start: str | None, end: str | None, zone: ZoneInfo = HOTEL) -> tuple[datetime | None, datetime | None]:
    return DateRange.model_validate({"start": start, "end": end}).bounds(zone)


def test_a_day_is_all_of_it_in_the_hotels_time() -> None:
    since, before = bounds("2025-01-17", "2025-01-17")
    assert since == datetime(2025, 1, 16, 17, tzinfo=UTC)
    assert before == datetime(2025, 1, 17, 17, tzinfo=UTC)


@pytest.mark.parametrize("end", ["9999-12-31", "9999-12-31T23:59:59", "9999-12-31T23:59:59.999999Z", "9999-01-01"])
def test_an_end_in_the_last_year_is_no_end(end: str) -> None:
    assert bounds("2025-01-17", end)[1] is None


@pytest.mark.parametrize("start", ["0001-01-01", "0001-01-01T00:00:00+14:00", "0001-12-31"])
def test_a_start_in_the_first_year_is_no_start(start: str) -> None:
    assert bounds(start, "2025-01-17")[0] is None


def test_a_range_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(InvalidInput) as refused:
        bounds("2025-01-18", "2025-01-17")
    assert refused.value.code == "reversed_date_range"


@pytest.mark.parametrize("zone", ZONES, ids=str)
@given(start=st.none() | st.dates() | st.datetimes(), end=st.none() | st.dates() | st.datetimes())
def test_every_date_has_bounds_or_is_refused(zone: ZoneInfo, start: object, end: object) -> None:
    written = [None if value is None else str(value).replace(" ", "T") for value in (start, end)]
    try:
        since, before = bounds(written[0], written[1], zone)
    except InvalidInput as error:
        since, before = None, None
        assert error.code in ("invalid_moment", "reversed_date_range")  # noqa: PT017  # most dates have bounds
    for moment in (since, before):
        if moment is not None:
            for other in ZONES:
                assert moment.astimezone(other).astimezone(UTC) == moment  # it can be shown everywhere


@given(st.datetimes(timezones=st.timezones() | st.just(UTC) | st.none()))
def test_a_moment_that_is_accepted_can_be_shown_everywhere(moment: datetime) -> None:
    try:
        utc = clock.to_utc(moment, HOTEL)
    except InvalidInput as error:
        assert error.code == "invalid_moment"  # noqa: PT017  # most moments are accepted
        return
    assert utc.tzinfo is UTC
    # Back in UTC, since an hour that a zone has twice equals none of another zone (PEP 495).
    assert [utc.astimezone(zone).astimezone(UTC) == utc for zone in ZONES] == [True] * len(ZONES)
