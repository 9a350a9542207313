"""Train the heads that see what covers a face, judge them leave-one-source-out, and write them with their cards.

    python scripts/train_covers.py --data DIR

DIR holds faces_lfw, faces_asian and faces_covered. Real masks are those of faces_covered; masks, hands, dark glasses
and caps are also drawn on the uncovered faces. Sources and kinds weigh the same, however many photos they have.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from app.core.face_covers import LOOK, face_halves
from app.core.face_recognition import FaceRecognitionEngine, largest_face
from app.core.heads import LinearHead, Pooling, TwoSlopeCalibration
from app.ml_models.factories.face import EYES_HEAD, LOWER_HEAD, build_face_engines
from app.ml_models.factories.features import build_feature_extractor
from app.ml_models.heads import HEADS_DIR
from app.types import Image
from evaluation.faces.photos import on_canvas, read_image, read_labels
from evaluation.figures import Share
from scripts.heads.drawn_covers import EYES, LOWER
from scripts.heads.logistic import fit_logistic
from scripts.heads.shipped import open_models, write_with_card

_L2 = 1e-4  # of 1e-4, 1e-5, 3e-6 and 1e-6 the one with the fewest errors on sources left out
_SEED = 3
_PLAIN, _WORN = "uncovered", "worn mask"


@dataclass(frozen=True, slots=True)
class CoverSample:
    """An aligned crop, where it comes from, and what covers it."""

    crop: Image
    source: str
    kind: str


@dataclass(frozen=True, slots=True)
class CoverQuestion:
    """One head: which half it looks at and which kinds it must find."""

    name: str
    title: str
    positive: str
    kinds: frozenset[str]
    limits: tuple[str, ...]


QUESTIONS = (
    CoverQuestion(
        LOWER_HEAD,
        "Mouth or nose covered",
        "a mask, scarf or hand covers mouth or nose",
        frozenset({_WORN, *LOWER}),
        ("Hands and scarves were drawn, not worn.", "A mask below the chin is no cover.", "Beards count as uncovered."),
    ),
    CoverQuestion(
        EYES_HEAD,
        "Eyes covered",
        "dark glasses, or a cap low over them, cover the eyes",
        frozenset(EYES),
        (
            "Dark glasses and caps were drawn, not worn: real ones may be found less often.",
            "Clear glasses are no cover.",
        ),
    ),
)


def main() -> int:
    """Exit status 0."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=HEADS_DIR)
    options = parser.parse_args()
    loader = open_models()
    extractor = build_feature_extractor(loader)
    samples = list(_samples(build_face_engines(loader).recognition, options.data))
    upper, lower = zip(*(face_halves(extractor, [sample.crop]) for sample in samples), strict=True)
    halves = np.concatenate(upper), np.concatenate(lower)
    for question, half in zip(QUESTIONS, halves[::-1], strict=True):
        shares = _left_out(question, samples, half)
        weights, bias = _fit(question, samples, half)
        head = LinearHead(
            question.name, weights.astype(np.float32), bias, Pooling.MEAN, {LOOK: TwoSlopeCalibration(0.0, 1.0, 1.0)}
        )
        card, facts = _card(question, samples, shares), _facts(question, shares)
        write_with_card(options.out, head, card, model_id=extractor.model_id, facts=facts)
    return 0


def _samples(engine: FaceRecognitionEngine, data_dir: Path) -> Iterator[CoverSample]:
    rng = np.random.default_rng(_SEED)
    for crop, source, kind in _photos(engine, data_dir):
        yield CoverSample(crop, source, kind)
        if kind == _PLAIN:
            yield from _drawn(crop, source, {**LOWER, **EYES}, rng)


def _drawn(
    crop: Image, source: str, covers: Mapping[str, Callable[[Image, Generator], Image]], rng: Generator
) -> Iterator[CoverSample]:
    for name, draw in covers.items():
        yield CoverSample(draw(crop, rng), source, name)


def _photos(engine: FaceRecognitionEngine, data_dir: Path) -> Iterator[tuple[Image, str, str]]:
    """Aligned crop, source and kind of every photo with a face; a sixth of LFW's, half of faces_asian's."""
    for folder, step in (("faces_lfw", 6), ("faces_asian", 2), ("faces_covered", 1)):
        for row in read_labels(data_dir / folder)[::step]:
            source = row.get("source", "lfw")
            crop = _aligned(engine, read_image(data_dir / folder / row["file"]), source)
            if crop is not None:
                yield crop, source, _WORN if row.get("label") == "covered" else _PLAIN


def _aligned(engine: FaceRecognitionEngine, image: Image, source: str) -> Image | None:
    if source == "rmfrd_subset":  # squares that were stretched from upright crops
        image = cv2.resize(image, (160, 200), interpolation=cv2.INTER_LINEAR).astype(np.uint8)
    framed = on_canvas(image) if source in ("lfw", "rmfrd_subset") else image
    face = largest_face(engine.detect_dominant_faces(framed))
    return None if face is None else engine.align(framed, [face])[0]


def _fit(
    question: CoverQuestion, samples: Sequence[CoverSample], half: NDArray[np.float32]
) -> tuple[NDArray[np.float64], float]:
    targets = np.array([sample.kind in question.kinds for sample in samples], np.float64)
    groups = [(sample.kind in question.kinds, sample.source, sample.kind) for sample in samples]
    counts = {group: groups.count(group) for group in set(groups)}
    sides = {side: sum(group[0] is side for group in counts) for side in (True, False)}
    weights = np.array([1.0 / (counts[group] * sides[group[0]]) for group in groups])
    return fit_logistic(half.astype(np.float64), targets, weights, l2=_L2)


def _left_out(question: CoverQuestion, samples: Sequence[CoverSample], half: NDArray[np.float32]) -> list[Share]:
    """Each source judged by a head that saw none of it."""
    shares: list[Share] = []
    for source in sorted({sample.source for sample in samples}):
        inside = np.array([sample.source == source for sample in samples])
        weights, bias = _fit(question, [s for s, own in zip(samples, inside, strict=True) if not own], half[~inside])
        told = half[inside] @ weights + bias >= 0
        kinds = np.array([sample.kind for sample in samples if sample.source == source])
        for kind in (_PLAIN, *sorted(question.kinds)):
            of_kind = kinds == kind
            if of_kind.any():
                shares.append(Share(f"{source}, {kind}", int(told[of_kind].sum()), int(of_kind.sum())))
    return shares


def _facts(question: CoverQuestion, shares: Sequence[Share]) -> dict[str, object]:
    return {
        "title": question.title,
        "classes": {"positive": question.positive, "negative": "that part of the face is bare"},
        "limits": list(question.limits),
        "l2": _L2,
        "trained_at": datetime.now(UTC).date().isoformat(),
        "told_covered_leave_one_source_out": {share.name: [share.count, share.n] for share in shares},
    }


def _card(question: CoverQuestion, samples: Sequence[CoverSample], shares: Sequence[Share]) -> str:
    rows = [
        f"| {share.name} | {share.value:.1%} | {share.interval[0]:.1%} to {share.interval[1]:.1%} | {share.n} |"
        for share in shares
    ]
    return "\n".join(
        [
            f"# {question.title} (`{question.name}`)",
            "",
            "A linear head on the image backbone's features of one half of the aligned face. "
            f"High: {question.positive}.",
            "",
            f"**Trained on.** {len(samples)} crops of LFW, faces_asian and faces_covered, by "
            "`scripts/train_covers.py`; what is called drawn was drawn on uncovered faces.",
            "",
            "| source and what covers the face | told covered | 95 % interval | n |",
            "|---|---|---|---|",
            *rows,
            "",
            "Leave-one-source-out: each row is judged by a head that saw no photo of that source.",
            "",
            "**Limits.**",
            *(f"- {limit}" for limit in question.limits),
            "",
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
