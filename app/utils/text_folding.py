"""Text from outside: one form of each letter, and words compared without their marks."""

from __future__ import annotations

import re
import unicodedata

# The marks that PostgreSQL's ``FOLDED`` in ``stores/folding.py`` drops: both sides of a comparison lose the same ones.
_MARKS = re.compile("[\u0300-\u036f]")


def composed(text: str) -> str:
    """Every letter with its marks as one character where there is one (NFC): what looks the same is the same."""
    return unicodedata.normalize("NFC", text)


def folded(text: str) -> str:
    """Lower case, without marks and with single spaces: "Tầng  2" is "tang 2"."""
    bare = _MARKS.sub("", unicodedata.normalize("NFD", text)).replace("đ", "d").replace("Đ", "d")
    return " ".join(bare.lower().split())
