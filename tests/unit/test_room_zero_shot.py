"""What packs with CLIP add to rooms. The weights are not at hand: the embedder is a stand-in with known vectors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path, PurePosixPath

import numpy as np
import pytest

from app.config import WEIGHTS_DIR
from app.core.looks import DETAILED, QUICK
from app.core.room_analyzer import ChecklistItem, ItemAnswer, PhotoEvidence, RoomAnalyzer
from app.core.room_rules import RoomRules, RoomStatus, judge_room
from app.core.room_views import SeenView, Subject, View
from app.core.room_zero_shot import RoomStatements, Statement, ZeroShot, ZeroShotRoomAnalyzer
from app.ml_models.factories.clip import ClipTextModel, ClipVisionModel
from app.ml_models.factories.room import OBJECTS_ROLE, build_room_model, read_statements
from app.ml_models.integrity import file_sha256
from app.ml_models.manifest import load_pack
from app.ml_models.model_loader import ModelLoader
from app.ml_models.roles import ModelRole
from app.ml_models.specs import Pack, PackFile
from app.types import Box, Detection, Embedding, Image
from tests.packs import revised
from tests.photos import astronaut, coffee

pytestmark = pytest.mark.slow

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures" / "tiny_clip"

RULES = RoomRules(required=frozenset(), items_by_type={}, minutes={})
NAMES = tuple(field.name for field in fields(RoomStatements))
STATEMENTS = RoomStatements(**{name: Statement((name,), (f"no {name}",)) for name in NAMES})
BEDROOM = SeenView(View.BEDROOM, 0.99, View.BEDROOM, {Subject.BED: 0.99, Subject.FLOOR: 0.99})
ROOM = PhotoEvidence(room=0.99, seen=BEDROOM, untidy=0.02, sights={}, findings=())


class KnownEmbedder:
    """Every statement is an axis of its own, its opposite the other end of it; pictures lie where they are told to."""

    def __init__(self, picture: Mapping[str, float]) -> None:
        self.seen = 0
        self._picture = np.array([picture.get(name, -1.0) for name in NAMES], np.float32)

    def embed_images(self, images: Sequence[Image]) -> list[Embedding]:
        self.seen += len(images)
        return [Embedding(self._picture / np.float32(np.linalg.norm(self._picture)), "known")] * len(images)

    def embed_captions(self, captions: Sequence[str]) -> list[Embedding]:
        return [Embedding(self._axis(caption), "known") for caption in captions]

    def _axis(self, caption: str) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        words = caption.split()
        axis = np.zeros(len(NAMES), np.float32)
        axis[NAMES.index(words[-1])] = -1.0 if "no" in words else 1.0
        return axis


class Heads:
    def __init__(self, evidence: PhotoEvidence) -> None:
        self._evidence = evidence

    def inspect(self, images: Sequence[Image], *, depth: str) -> list[PhotoEvidence]:  # noqa: ARG002 - the protocol's
        return [self._evidence] * len(images)

    def warm_up(self) -> None: ...


class Objects:
    def __init__(self, *labels: str) -> None:
        self._labels = labels

    def detect(self, images: Sequence[Image]) -> list[list[Detection]]:
        return [[Detection(Box(0, 0, 9, 9), 0.8, label) for label in self._labels] for _ in images]

    def warm_up(self) -> None: ...


def inspect(
    picture: Mapping[str, float], *objects: str, heads: PhotoEvidence = ROOM, depth: str = QUICK
) -> tuple[PhotoEvidence, KnownEmbedder]:
    embedder = KnownEmbedder(picture)
    zero_shot = ZeroShot(embedder, templates=("a photo of {}", "a picture of {}"), scale=20.0)
    analyzer = ZeroShotRoomAnalyzer(Heads(heads), zero_shot=zero_shot, statements=STATEMENTS, objects=Objects(*objects))
    analyzer.warm_up()
    embedder.seen = 0
    [evidence] = analyzer.inspect([np.zeros((60, 80, 3), np.uint8)], depth=depth)
    return evidence, embedder


def test_a_bathroom_is_answered_for_and_a_room_without_one_is_not() -> None:
    bathroom, _ = inspect({"bathroom": 1.0, "bathroom_dirty": 1.0, "towels_present": 1.0})
    assert {item: sight.value for item, sight in bathroom.sights.items()} == {
        ChecklistItem.BATHROOM_CLEAN: False,
        ChecklistItem.TOWELS_PRESENT: True,
        ChecklistItem.AMENITIES_COMPLETE: False,
    }
    bedroom, _ = inspect({"bathroom_dirty": 1.0, "towels_present": 1.0})
    assert bedroom.sights == {}


def test_a_bed_is_judged_only_where_one_is_seen() -> None:
    assert inspect({"bed_unmade": 1.0}, "bed")[0].sights[ChecklistItem.BED_MADE].value is False
    assert ChecklistItem.BED_MADE not in inspect({"bed_unmade": 1.0})[0].sights


def test_what_the_heads_answered_stands() -> None:
    made = ItemAnswer(True, 0.95)
    answered = replace(ROOM, sights={ChecklistItem.BED_MADE: made})
    assert inspect({"bed_unmade": 1.0}, "bed", heads=answered)[0].sights[ChecklistItem.BED_MADE] == made


def test_a_doubtful_statement_is_no_answer() -> None:
    evidence, _ = inspect({"bathroom": 1.0, "bathroom_dirty": 0.02, "towels_present": -0.02})
    assert ChecklistItem.BATHROOM_CLEAN not in evidence.sights
    assert ChecklistItem.TOWELS_PRESENT not in evidence.sights


def test_damage_makes_a_case_for_maintenance() -> None:
    evidence, _ = inspect({"damaged": 1.0})
    assert [finding.label for finding in evidence.findings] == ["damage"]
    verdict = judge_room([ROOM, evidence], RULES)
    assert (verdict.status, verdict.ready_for_guest, verdict.uncertain) == (RoomStatus.MAINTENANCE, False, False)


def test_a_picture_of_no_room_is_asked_nothing() -> None:
    face = PhotoEvidence(room=0.01, seen=SeenView(View.NOT_A_ROOM, 0.99, None, {}), untidy=None, sights={}, findings=())
    evidence, _ = inspect({"damaged": 1.0, "towels_present": 1.0}, "cup", heads=face)
    assert (evidence.sights, evidence.findings, evidence.damaged) == ({}, (), 0.0)
    assert evidence.things == {"cup": 0.8}


@pytest.mark.parametrize(("depth", "views"), [(QUICK, 1), (DETAILED, 6)])
def test_a_detailed_look_takes_mirror_image_and_quarters(depth: str, views: int) -> None:
    assert inspect({}, depth=depth)[1].seen == views


def test_the_shipped_statements_have_both_sides_and_several_phrasings() -> None:
    statements = read_statements().as_statements()
    for name in NAMES:
        statement: Statement = getattr(statements, name)
        assert len(statement.positive) > 1
        assert len(statement.negative) > 1
        assert not set(statement.positive) & set(statement.negative)


def pack_with_clip(folder: Path, detector: Path) -> ModelLoader:
    """The compact backbone, a CLIP of a few kilobytes, and a real YOLOv8 with the labels of the full pack."""
    compact, full = load_pack("compact"), load_pack("full")
    files = {
        "vision.onnx": FIXTURES / "vision.onnx",
        "text.onnx": FIXTURES / "text.onnx",
        "tokenizer.json": FIXTURES / "tokenizer.json",
        "objects.onnx": detector,
        **{str(file.path): WEIGHTS_DIR / "compact" / file.path for file in compact.spec("image_features").files},
    }
    for name, source in files.items():
        target = folder / "tiny" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(source)
    packed = {name: PackFile(path=PurePosixPath(name), sha256=file_sha256(source)) for name, source in files.items()}
    vision = full.model(ModelRole.IMAGE_EMBEDDING, ClipVisionModel)
    text = full.model(ModelRole.IMAGE_TEXT_EMBEDDING, ClipTextModel)
    objects = full.spec(OBJECTS_ROLE)
    runtime = revised(objects.runtime, cpu="onnxruntime", fp16_file=None)
    models = [
        compact.spec("image_features"),
        revised(
            vision,
            files=(packed["vision.onnx"],),
            runtime=runtime,
            input=revised(vision.input, width=32, height=32),
        ),
        revised(
            text,
            files=(packed["text.onnx"], packed["tokenizer.json"]),
            runtime=runtime,
            params=revised(text.params, context=12, pad_token="<end>"),
        ),
        revised(objects, files=(packed["objects.onnx"],), runtime=runtime),
    ]
    return ModelLoader(Pack("tiny", "for tests", {model.role: model for model in models}), folder)


def test_a_pack_with_clip_looks_with_all_its_networks(tmp_path: Path, third_party_models: Path) -> None:
    pytest.importorskip("tokenizers", reason="only packs with CLIP need the tokenizers package")
    loader = pack_with_clip(tmp_path, third_party_models / "yolov8n_from_int8.onnx")
    model = build_room_model(loader)
    model.warm_up()
    cup, face = model.inspect([coffee(), astronaut()], depth=DETAILED)
    assert "cup" in cup.things
    assert cup.untidy is None
    assert cup.sights == face.sights == {}
    assert isinstance(model, ZeroShotRoomAnalyzer)
    assert isinstance(build_room_model(ModelLoader(load_pack("compact"), WEIGHTS_DIR)), RoomAnalyzer)
