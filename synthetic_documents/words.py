"""Vietnamese number words."""

from __future__ import annotations

_DIGITS = ("không", "một", "hai", "ba", "bốn", "năm", "sáu", "bảy", "tám", "chín")
_SCALES = ("", "nghìn", "triệu", "tỷ")


def _three(value: int, *, leading: bool) -> list[str]:
    hundreds, tens, units = value // 100, value // 10 % 10, value % 10
    words = [] if leading and not hundreds else [_DIGITS[hundreds], "trăm"]
    if tens == 0 and units and words:
        words += ["linh", _DIGITS[units]]
    elif tens == 0 and units:
        words += [_DIGITS[units]]
    elif tens:
        words += ["mười"] if tens == 1 else [_DIGITS[tens], "mươi"]
        words += {0: [], 1: ["mốt"] if tens > 1 else ["một"], 5: ["lăm"]}.get(units, [_DIGITS[units]])
    return words


def amount_in_words(value: int) -> str:
    """``1500000`` → ``Một triệu năm trăm nghìn``; below a thousand milliards."""
    groups = []
    while value:
        groups.append(value % 1000)
        value //= 1000
    words: list[str] = []
    for index in range(len(groups) - 1, -1, -1):
        if groups[index]:
            words += _three(groups[index], leading=not words)
            words += [_SCALES[index]] if _SCALES[index] else []
    return " ".join(words).capitalize()
