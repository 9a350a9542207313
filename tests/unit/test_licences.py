"""docs/licences.md names whatever is installed and asks for attention."""

from __future__ import annotations

import re
from importlib.metadata import Distribution, distributions
from pathlib import Path

import pytest

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "licences.md").read_text(encoding="utf-8")
PERMISSIVE = re.compile(r"MIT|BSD|Apache|PSF|Python Software Foundation|ISC|HPND|Unlicense|Zlib|CC0", re.IGNORECASE)
DUTIES = re.compile(r"GPL|MPL|Mozilla|EPL|CDDL|ZPL|OFL|SSPL|Proprietary", re.IGNORECASE)
# By the beginning of a shared library's name; metadata does not tell of what wheels bring along.
LIBRARIES_WITH_DUTIES = (
    "libjbig", "libavcodec", "libavformat", "libavutil", "libswscale", "libswresample", "libgeos", "libreadline",
    "libzmq", "libgomp", "libgfortran", "libquadmath", "libx264", "libx265", "libgmp", "libmp3lame", "libfribidi",
)  # fmt: skip
INSTALLED = sorted(distributions(), key=lambda found: found.name.lower())


def licence(package: Distribution) -> str:
    """What the package says of itself, the first line of each field."""
    said = package.metadata
    fields = [text for name in ("License-Expression", "License") for text in said.get_all(name) or []]
    classifiers = [text for text in said.get_all("Classifier") or [] if text.startswith("License ::")]
    return " ".join(text.splitlines()[0] for text in [*fields, *classifiers] if text)


def is_named(name: str) -> bool:
    return re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", PAGE, re.IGNORECASE) is not None


@pytest.mark.parametrize("package", INSTALLED, ids=lambda package: package.name)
def test_every_package_with_duties_or_without_a_licence_is_named(package: Distribution) -> None:
    said = licence(package)
    if DUTIES.search(said) or not PERMISSIVE.search(said):
        assert is_named(package.name), f"{package.name}: {said or 'no licence declared'}"


def test_every_library_with_duties_inside_a_wheel_is_named() -> None:
    inside = {
        (Path(file).name, package.name)
        for package in INSTALLED
        for file in package.files or ()
        if ".so" in Path(file).name and Path(file).name.startswith(LIBRARIES_WITH_DUTIES)
    }
    assert inside
    for library, package in inside:
        stem = re.split(r"[-_.]", library)[0]
        assert is_named(stem), f"{library} in {package}"
