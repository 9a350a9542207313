"""The bill of materials: valid, and complete."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from app.ml_models.manifest import load_pack
from scripts.lock import PROJECT_DIR, read_lock
from scripts.sbom import main


def write(folder: Path, requirements: str, pack: str) -> str:
    output = folder / "bill.json"
    assert main(["--requirements", requirements, "--pack", pack, "--output", str(output)]) == 0
    return output.read_text(encoding="utf-8")


@pytest.mark.parametrize(("requirements", "pack"), [("requirements.txt", "compact"), ("requirements-gpu.txt", "full")])
def test_is_valid_and_names_every_locked_package_and_model(tmp_path: Path, requirements: str, pack: str) -> None:
    text = write(tmp_path, requirements, pack)
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None

    components: list[dict[str, Any]] = json.loads(text)["components"]
    locked = read_lock((PROJECT_DIR / requirements).read_text(encoding="utf-8"))
    expected = {
        f"pkg:pypi/{name}@{pin.partition('==')[2].partition(' ')[0]}"
        for name, found in locked.items()
        for pin, _ in found.pins
    }
    assert {one["purl"] for one in components if "purl" in one} == expected
    models = {one["bom-ref"]: one for one in components if one["type"] == "machine-learning-model"}
    specs = load_pack(pack).models.values()
    assert set(models) == {f"model:{spec.role}" for spec in specs}
    for spec in specs:
        files = {file["name"]: file.get("hashes") for file in models[f"model:{spec.role}"]["components"]}
        assert files == {
            str(file.path): [{"alg": "SHA-256", "content": file.sha256}] if file.sha256 else None for file in spec.files
        }


def test_says_what_needs_what(tmp_path: Path) -> None:
    bill = json.loads(write(tmp_path, "requirements.txt", "compact"))
    needs = {one["ref"].partition("@")[0]: one.get("dependsOn", []) for one in bill["dependencies"]}
    assert any(ref.startswith("pkg:pypi/starlette@") for ref in needs["pkg:pypi/fastapi"])
    root = next(one for one in bill["dependencies"] if one["ref"] == bill["metadata"]["component"]["bom-ref"])
    assert any(ref.startswith("pkg:pypi/fastapi@") for ref in root["dependsOn"])
