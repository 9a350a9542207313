"""The software bill of materials, in CycloneDX's JSON: ``make sbom``.

Names what an installation is made of: each package of a requirements file with its version and what it needs, from
``requirements.lock``, and each model of a pack with the SHA-256 of its files and its licence. Licences of packages that
ask for attention are in docs/licences.md; hashes of packages in the requirements file.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from cyclonedx.model import HashAlgorithm, HashType, Property
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import DisjunctiveLicense
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

from app.ml_models.manifest import load_pack
from app.ml_models.specs import ModelSpec
from scripts.lock import LOCK, PROJECT_DIR, Declarations, normalised, package_of, read_lock

_PIN = re.compile(r"==(?P<version>[^ ;]+)(?: ; (?P<marker>.+))?$")


def bill(requirements: str, pack: str) -> Bom:
    """What a requirements file installs and a pack holds.

    Args:
        requirements: the name of a file that ``make lock`` writes.
        pack: a model pack.

    Raises:
        ConfigurationError: there is no such pack.
        FileNotFoundError: there is no such file.
    """
    installed = read_lock((PROJECT_DIR / requirements).read_text(encoding="utf-8"))
    asked_by = {name: locked.asked_by for name, locked in read_lock(_text_of(LOCK)).items()}
    project = Declarations.read().project
    root = Component(name=project["name"], version=project["version"], type=ComponentType.APPLICATION)
    root.licenses.add(DisjunctiveLicense(id="Apache-2.0"))
    components = {name: [_package(pin) for pin, _ in locked.pins] for name, locked in installed.items()}
    models = [_model(model) for model in load_pack(pack).models.values()]

    contents = Bom(components=[*models, *(one for versions in components.values() for one in versions)])
    contents.metadata.component = root
    declared = Declarations.read().packages([""])
    contents.register_dependency(root, [*models, *(one for name in declared for one in components.get(name, ()))])
    for name, versions in components.items():
        needs = [
            one for other, others in components.items() if name in map(normalised, asked_by[other]) for one in others
        ]
        for version in versions:
            contents.register_dependency(version, needs)
    return contents


def _text_of(name: str) -> str:
    return (PROJECT_DIR / name).read_text(encoding="utf-8")


def _package(pin: str) -> Component:
    """A line of a requirements file; where a marker chooses among versions, it is a property."""
    found = _PIN.search(pin)
    if found is None:
        raise ValueError(f"not exact: {pin}")
    name, version = package_of(pin), found["version"]
    purl = PackageURL("pypi", name=name, version=version)
    component = Component(name=name, version=version, type=ComponentType.LIBRARY, purl=purl, bom_ref=str(purl))
    if found["marker"]:
        component.properties.add(Property(name="cv-service:marker", value=found["marker"]))
    return component


def _model(model: ModelSpec) -> Component:
    """A role's model with its files; a file without a hash is made on the machine, of sources that have theirs."""
    component = Component(
        name=model.model_id,
        type=ComponentType.MACHINE_LEARNING_MODEL,
        bom_ref=f"model:{model.role}",
        description=f"{model.role}, read by {model.kind}",
        licenses=[DisjunctiveLicense(name=model.licence)],
    )
    component.components.update(_files(model))
    return component


def _files(model: ModelSpec) -> Iterator[Component]:
    for file in model.files:
        hashes = [HashType(alg=HashAlgorithm.SHA_256, content=file.sha256)] if file.sha256 else []
        reference = f"model:{model.role}:{file.path}"
        yield Component(name=str(file.path), type=ComponentType.FILE, bom_ref=reference, hashes=hashes)


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requirements", default="requirements.txt", metavar="FILE", help="requirements-gpu.txt, …")
    parser.add_argument("--pack", default="compact", help="the model pack")
    parser.add_argument("--output", type=Path, default=PROJECT_DIR / "data" / "sbom.cdx.json", metavar="FILE")
    options = parser.parse_args(arguments)
    contents = bill(options.requirements, options.pack)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(JsonV1Dot6(contents).output_as_string(indent=2) + "\n", encoding="utf-8")
    print(f"{options.output}: {len(contents.components)} components")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
