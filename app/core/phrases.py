"""Finding known terms in what people type, in English and Vietnamese, with and without tone marks."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

_NOT_WORD = re.compile(r"[^\w-]+")
# Both placements of the tone mark are in use: khoá and khóa, thuỷ and thủy. The mark goes to the first vowel.
_TONES = {"oa": ("òóỏõọ", "àáảãạ"), "oe": ("òóỏõọ", "èéẻẽẹ"), "uy": ("ùúủũụ", "ỳýỷỹỵ")}
_TONE_PLACES = {
    pair[0] + marked_second: marked_first + pair[1]
    for pair, (firsts, seconds) in _TONES.items()
    for marked_first, marked_second in zip(firsts, seconds, strict=True)
}
_TONE_AT_END = re.compile(rf"(?:{'|'.join(_TONE_PLACES)})\b")
_MIN_FOLDED_LETTERS = 4


def normalise_text(text: str) -> str:
    """Lower case, composed letters, one placement of Vietnamese tone marks, single spaces, no punctuation."""
    composed = unicodedata.normalize("NFC", text).lower().replace("_", " ")
    words = " ".join(_NOT_WORD.sub(" ", composed).split())
    return _TONE_AT_END.sub(lambda match: _TONE_PLACES[match.group()], words)


def fold_text(text: str) -> str:
    """Normalised text without diacritics, as people type Vietnamese on a foreign keyboard."""
    decomposed = unicodedata.normalize("NFD", normalise_text(text).replace("đ", "d"))
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter))


def singular(phrase: str) -> str:
    """The phrase with its last word cut to a probable English singular: ``keys`` → ``key``, ``dishes`` → ``dish``."""
    for plural, single in (("ies", "y"), ("ches", "ch"), ("shes", "sh"), ("sses", "ss"), ("xes", "x")):
        if phrase.endswith(plural) and len(phrase) > len(plural) + 1:
            return phrase.removesuffix(plural) + single
    if phrase.endswith("s") and not phrase.endswith("ss") and len(phrase) > 3:
        return phrase[:-1]
    return phrase


@dataclass(frozen=True, slots=True)
class Mention:
    """A term found in a text.

    ``phrase`` is normalised, ``names`` are of what it may mean; ``is_exact`` is false where it was found only without
    its diacritics.
    """

    phrase: str
    names: tuple[str, ...]
    is_exact: bool


class PhraseFinder:
    """Finds the longest known terms in a text, from left to right.

    A term is tried as it stands, then with its last word in the singular, then, where the text has no diacritics at
    all, without its own: so ``chia khoa`` finds ``chìa khóa``, and never at the cost of an exact English word.

    Args:
        terms: by the name of what they mean; a term may stand under several names.
    """

    def __init__(self, terms: Mapping[str, Iterable[str]]) -> None:
        self._exact: dict[str, list[str]] = {}
        self._single: dict[str, list[str]] = {}
        self._folded: dict[str, list[str]] = {}
        for name, words in terms.items():
            for word in words:
                phrase = normalise_text(word)
                _note(self._exact, phrase, name)
                _note(self._single, singular(phrase), name)
                if len(folded := fold_text(phrase)) >= _MIN_FOLDED_LETTERS:
                    _note(self._folded, folded, name)
        self._longest = max((phrase.count(" ") + 1 for phrase in self._exact), default=0)

    def find(self, text: str) -> list[Mention]:
        """The terms in the text; none overlap."""
        words = normalise_text(text).split()
        may_fold = all(word.isascii() for word in words)
        mentions: list[Mention] = []
        start = 0
        while start < len(words):
            for length in range(min(self._longest, len(words) - start), 0, -1):
                phrase = " ".join(words[start : start + length])
                if mention := self._look_up(phrase, may_fold=may_fold):
                    mentions.append(mention)
                    start += length
                    break
            else:
                start += 1
        return mentions

    def _look_up(self, phrase: str, *, may_fold: bool) -> Mention | None:
        if names := self._exact.get(phrase) or self._single.get(singular(phrase)):
            return Mention(phrase, tuple(names), is_exact=True)
        if may_fold and (names := self._folded.get(phrase)):
            return Mention(phrase, tuple(names), is_exact=False)
        return None


def _note(index: dict[str, list[str]], phrase: str, name: str) -> None:
    names = index.setdefault(phrase, [])
    if name not in names:
        names.append(name)
