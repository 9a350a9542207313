"""The errors of the local stack: what went wrong, in a line that says what to do."""

from __future__ import annotations


class LocalStackError(Exception):
    """A server could not be prepared, started or stopped."""


class StopRequested(Exception):
    """No failure: somebody asked us to stop before everything was up."""
