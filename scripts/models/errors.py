"""What can go wrong while a pack is prepared."""

from __future__ import annotations


class PreparationError(Exception):
    """One line that says what failed and, where it is known, what to do."""
