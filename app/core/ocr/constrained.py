"""Reading lines whose characters are known beforehand, such as machine-readable zones."""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np

from app.types import FloatArray, Image, Session

MRZ_CHARACTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789<"
MRZ_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ<"
_LOOK_ALIKES = {"<": "‹《〈く«＜(∠<ㄑ《", "0": "〇", "1": "|", "I": "|l"}
_SEEN_AS = {
    seen: [wanted for wanted in _LOOK_ALIKES if seen in _LOOK_ALIKES[wanted]] for seen in "".join(_LOOK_ALIKES.values())
}
_LINE_HEIGHT_PX = 48
_MIN_WIDTH_PX = 320


class ConstrainedReader:
    """PP-OCR's recogniser with all but the allowed characters ruled out before decoding.

    Its free reading of OCR-B fillers fails; among 37 characters the right one nearly always leads.

    Args:
        session: the recogniser's network; input ``x`` (1, 3, 48, w) BGR in -1 to 1, output (1, t, classes)
            probabilities, class 0 the CTC blank.
        characters: of the classes from 1 on.
    """

    def __init__(self, session: Session, characters: Sequence[str]) -> None:
        self._session = session
        classes = ["", *characters, " "]
        self._tables = {allowed: _merge_table(classes, allowed) for allowed in (MRZ_CHARACTERS, MRZ_LETTERS)}

    def look(self, crop: Image) -> FloatArray:
        """The network's opinion of a line, to be read once or several times."""
        opinion: FloatArray = self._session.run({"x": _line_input(crop)})[0][0]
        return opinion

    def read(self, opinion: FloatArray, *, allowed: str = MRZ_CHARACTERS) -> str:
        """The likeliest text of ``allowed``, which is ``MRZ_CHARACTERS`` or ``MRZ_LETTERS``."""
        merged = opinion[:, : self._tables[allowed].shape[0]] @ self._tables[allowed]
        # The blank keeps its place, or every gap between letters would have to be a letter.
        best = merged.argmax(axis=1)
        changed = np.ones(len(best), bool)
        changed[1:] = best[1:] != best[:-1]
        return "".join(allowed[best[index] - 1] for index in np.flatnonzero(changed & (best > 0)))


def _merge_table(classes: Sequence[str], allowed: str) -> FloatArray:
    """(classes, 1 + allowed): adds up what stands for the same character; column 0 is the blank."""
    table = np.zeros((len(classes), 1 + len(allowed)), np.float32)
    table[0, 0] = 1.0
    columns = {wanted: column for column, wanted in enumerate(allowed, start=1)}
    for index, character in enumerate(classes[1:], start=1):
        for wanted in columns.keys() & {character, character.upper(), *_SEEN_AS.get(character, ())}:
            table[index, columns[wanted]] = 1.0
    return table


def _line_input(crop: Image) -> FloatArray:
    height, width = crop.shape[:2]
    target = max(math.ceil(_LINE_HEIGHT_PX * width / height), 1)
    resized = cv2.resize(crop, (target, _LINE_HEIGHT_PX)).astype(np.float32).transpose(2, 0, 1) / 127.5 - 1.0
    padded = np.zeros((1, 3, _LINE_HEIGHT_PX, max(target, _MIN_WIDTH_PX)), np.float32)
    padded[0, :, :, :target] = resized
    return padded
