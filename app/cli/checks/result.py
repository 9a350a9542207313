"""What a check found."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class CheckState(StrEnum):
    """``WARNING`` serves, and may not for long or not as meant; ``WRONG`` does not serve."""

    OK = "ok"
    WARNING = "warning"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One thing that was looked at; ``advice`` is what to do, empty where nothing is."""

    check: str
    state: CheckState
    found: str
    advice: str = ""


def ok(check: str, found: str) -> CheckResult:
    return CheckResult(check, CheckState.OK, found)


def warning(check: str, found: str, advice: str) -> CheckResult:
    return CheckResult(check, CheckState.WARNING, found, advice)


def wrong(check: str, found: str, advice: str) -> CheckResult:
    return CheckResult(check, CheckState.WRONG, found, advice)
