"""k of n frames begin an incident, quiet ends it."""

from __future__ import annotations

import pytest

from app.workflows.safety.judgement import Confirmation, Judge, Spread, Turn


def turns(rule: Confirmation, verdicts: str, *, interval_s: float = 0.5) -> list[Turn]:
    """What a judge makes of a row of frames, ``x`` for positive."""
    judge = Judge(rule)
    return [judge.see(verdict == "x", index * interval_s) for index, verdict in enumerate(verdicts)]


@pytest.mark.parametrize(
    ("verdicts", "begins_at"),
    [
        ("xxx", 2),
        ("x.x.x", 4),
        ("..xx...x", None),  # the third comes after the window of five
        ("x..xx", 4),
        ("x" + "." * 20 + "x", None),
        ("....", None),
    ],
)
def test_three_of_five_frames_begin_an_incident(verdicts: str, begins_at: int | None) -> None:
    found = turns(Confirmation(needed=3, window=5), verdicts)
    assert [index for index, turn in enumerate(found) if turn is Turn.BEGINS] == (
        [] if begins_at is None else [begins_at]
    )


def test_a_single_false_frame_in_a_hundred_never_begins_one() -> None:
    frames = "".join("x" if index % 100 == 50 else "." for index in range(1000))
    assert set(turns(Confirmation(needed=2, window=3), frames)) == {Turn.NONE}


def test_an_incident_goes_on_through_gaps_and_ends_after_quiet() -> None:
    judge = Judge(Confirmation(needed=2, window=3, quiet_s=10))
    seen = [judge.see(True, 0), judge.see(True, 1), judge.see(False, 2), judge.see(True, 9)]
    assert seen == [Turn.NONE, Turn.BEGINS, Turn.NONE, Turn.GOES_ON]
    assert judge.see(False, 19) is Turn.NONE
    assert judge.see(False, 19.1) is Turn.ENDS
    assert judge.see(True, 20) is Turn.NONE, "the next incident needs its own confirmation"
    assert judge.see(True, 20.5) is Turn.BEGINS


def test_frames_that_lie_far_apart_confirm_nothing() -> None:
    found = turns(Confirmation(needed=2, window=3, window_s=30), "xxxx", interval_s=31)
    assert Turn.BEGINS not in found


def test_a_positive_frame_makes_the_next_ones_matter() -> None:
    judge = Judge(Confirmation(needed=2, window=3))
    suspicions = [judge.is_suspicious]
    for at_s, seen in enumerate([True, False, False, False]):
        judge.see(seen, at_s)
        suspicions.append(judge.is_suspicious)
    assert (suspicions[0], suspicions[1], suspicions[-1]) == (False, True, False)


def test_what_is_not_looked_for_any_more_comes_to_an_end() -> None:
    judge = Judge(Confirmation(needed=2, window=3, window_s=30, quiet_s=10))
    judge.see(True, 0)
    judge.see(True, 1)
    assert judge.pass_time(11) is Turn.NONE
    assert judge.pass_time(11.1) is Turn.ENDS
    judge.see(True, 20)
    assert judge.is_suspicious
    judge.pass_time(51)
    assert not judge.is_suspicious


@pytest.mark.parametrize(("needed", "window"), [(0, 3), (4, 3)])
def test_an_impossible_rule_is_refused(needed: int, window: int) -> None:
    with pytest.raises(ValueError, match="needed"):
        Confirmation(needed=needed, window=window)


@pytest.mark.parametrize(
    ("extents", "spreads"),
    [
        ([0.1, 0.2, 0.3], True),
        ([0.1, 0.1, 0.15, 0.2, 0.3, 0.3], True),
        ([0.6, 0.5, 0.6, 0.55, 0.6, 0.5], False),  # smoke that hangs there
        ([0.5, 0.6, 0.7], False),  # less than half as much again
        ([0.05, 0.1, 0.15], False),
        ([0.1, 0.1, 0.1, 0.1, 0.6, 0.1], False),  # one frame
        ([0.6, 0.3, 0.1], False),
        ([0.1, 0.6], False),
    ],
)
def test_a_hazard_spreads_that_covers_far_more_of_the_frame_than_before(extents: list[float], spreads: bool) -> None:
    spread = Spread()
    assert [spread.see(extent, number / 2) for number, extent in enumerate(extents)][-1] is spreads


def test_what_was_more_than_a_minute_ago_is_no_spread() -> None:
    spread = Spread()
    for number in range(3):
        spread.see(0.1, number)
    assert [spread.see(0.6, 63 + number) for number in range(3)] == [False] * 3
