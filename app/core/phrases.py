"""Finding known terms in what people type, in English and Vietnamese, with and without tone marks."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

_NOT_WORD = re.compile(r"[^\w-]+")
# Both placements of the tone mark are in use: khoá and khóa, thuỷ and thủy. The mark goes to the first vowel at the end
# of a word, and to the second inside it, where old typing programs put it wrongly: điện thọai.
_TONES = {"oa": ("òóỏõọ", "àáảãạ"), "oe": ("òóỏõọ", "èéẻẽẹ"), "uy": ("ùúủũụ", "ỳýỷỹỵ")}
_TONE_PLACES = {
    pair[0] + marked_second: marked_first + pair[1]
    for pair, (firsts, seconds) in _TONES.items()
    for marked_first, marked_second in zip(firsts, seconds, strict=True)
}
_TONE_AT_END = re.compile(rf"(?:{'|'.join(_TONE_PLACES)})\b")
_TONE_PLACES_INSIDE = {wrong: right for right, wrong in _TONE_PLACES.items()}
_TONE_INSIDE = re.compile(rf"(?:{'|'.join(_TONE_PLACES_INSIDE)})(?=\w)")
_MIN_FOLDED_LETTERS = 4
# Short words have too many neighbours that are words themselves: match and march, black and block.
_MIN_SPELLING_LETTERS = 6
_MIN_MISSPELT_LETTERS = 5
_MIN_MISSPELT_PHRASE_LETTERS = 7


def normalise_text(text: str) -> str:
    """Lower case, composed letters, one placement of Vietnamese tone marks, single spaces, no punctuation."""
    composed = unicodedata.normalize("NFC", text).lower().replace("_", " ")
    words = " ".join(_NOT_WORD.sub(" ", composed).split())
    words = _TONE_AT_END.sub(lambda match: _TONE_PLACES[match.group()], words)
    return _TONE_INSIDE.sub(lambda match: _TONE_PLACES_INSIDE[match.group()], words)


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

    ``phrase`` is the normalised text, ``names`` are of what it may mean; ``is_exact`` is false where it was found only
    without its diacritics, or in spite of a misspelling.
    """

    phrase: str
    names: tuple[str, ...]
    is_exact: bool


class PhraseFinder:
    """Finds the longest known terms in a text, from left to right.

    A term is tried as it is, then with its last word in the singular, then, where the text has no diacritics at
    all, without its own: so ``chia khoa`` finds ``chìa khóa``, and never at the cost of an exact English word.

    Args:
        terms: by the name of what they mean; a term may stand under several names.
        beside: texts whose words are right though they are no terms: a ``plane`` is no ``plate``. With them, misspelt
            terms are found too, where nothing else is: one letter wrong, missing, too many or swapped with its
            neighbour, the first excepted. Without them, only what is spelt right.
    """

    def __init__(self, terms: Mapping[str, Iterable[str]], *, beside: Iterable[str] | None = None) -> None:
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
        self._spellings = {} if beside is None else _by_first_letter(self._folded)
        self._words = {word for text in (*self._folded, *(beside or ())) for word in fold_text(text).split()}

    def find(self, text: str) -> list[Mention]:
        """The terms in the text; none overlap."""
        words = normalise_text(text).split()
        may_fold = all(word.isascii() for word in words)
        mentions: list[Mention] = []
        start = 0
        while start < len(words):
            mention = self._longest_at(words[start : start + self._longest], may_fold=may_fold)
            if mention is None:
                start += 1
                continue
            mentions.append(mention)
            start += mention.phrase.count(" ") + 1
        return mentions

    def _longest_at(self, words: Sequence[str], *, may_fold: bool) -> Mention | None:
        """The longest term that the words begin with; a misspelt one only where no other is found."""
        phrases = [" ".join(words[:length]) for length in range(len(words), 0, -1)]
        for phrase in phrases:
            if mention := self._look_up(phrase, may_fold=may_fold):
                return mention
        return next((mention for phrase in phrases if (mention := self._look_up_misspelt(phrase))), None)

    def _look_up(self, phrase: str, *, may_fold: bool) -> Mention | None:
        if names := self._exact.get(phrase) or self._single.get(singular(phrase)):
            return Mention(phrase, tuple(names), is_exact=True)
        if may_fold and (names := self._folded.get(phrase)):
            return Mention(phrase, tuple(names), is_exact=False)
        return None

    def _look_up_misspelt(self, phrase: str) -> Mention | None:
        folded = fold_text(phrase)
        least = _MIN_MISSPELT_PHRASE_LETTERS if " " in folded else _MIN_MISSPELT_LETTERS
        if len(folded) < least or all(self._is_word(word) for word in folded.split()):
            return None
        near = [
            known
            for known in self._spellings.get(folded[0], ())
            if _differs_by_one(folded, known) or _differs_by_one(singular(folded), known)
        ]
        names = dict.fromkeys(name for known in near for name in self._folded[known])
        return Mention(phrase, tuple(names), is_exact=False) if names else None

    def _is_word(self, word: str) -> bool:
        return word in self._words or singular(word) in self._words


def _note(index: dict[str, list[str]], phrase: str, name: str) -> None:
    names = index.setdefault(phrase, [])
    if name not in names:
        names.append(name)


def _by_first_letter(phrases: Iterable[str]) -> dict[str, list[str]]:
    """Those that are long enough to be recognised when misspelt."""
    grouped: dict[str, list[str]] = {}
    for phrase in phrases:
        if len(phrase) >= _MIN_SPELLING_LETTERS:
            grouped.setdefault(phrase[0], []).append(phrase)
    return grouped


def _differs_by_one(typed: str, known: str) -> bool:
    """Whether one letter (or space) is wrong, missing or too many, or two neighbours are swapped; true if equal."""
    if abs(len(typed) - len(known)) > 1:
        return False
    start = 0
    while start < min(len(typed), len(known)) and typed[start] == known[start]:
        start += 1
    first, second = typed[start:], known[start:]
    while first and second and first[-1] == second[-1]:
        first, second = first[:-1], second[:-1]
    return max(len(first), len(second)) <= 1 or (len(first) == 2 and first == second[::-1])
