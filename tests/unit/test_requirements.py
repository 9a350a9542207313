"""What is installed: declared in pyproject.toml, resolved once into requirements.lock, and locked by hash."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from scripts.lock import (
    FILES,
    LOCK,
    ROOT,
    Declarations,
    RequirementsFile,
    declared_in,
    needed_by,
    package_of,
    read_lock,
    requirements_files,
    without_environment,
)

PROJECT_DIR = Path(__file__).resolve().parents[2]
LOCK_TEXT = (PROJECT_DIR / LOCK).read_text(encoding="utf-8")
LOCKED = read_lock(LOCK_TEXT)
DECLARED = Declarations.read()
EXTRAS = ["", *DECLARED.project["optional-dependencies"]]
SERVING, GPU = "requirements.txt", "requirements-gpu.txt"
# Written so that this file names none itself.
REGISTRIES = re.compile(
    r"py[p]i\.org|python[h]osted|npm[j]s\.(org|com)|npm[m]irror|deb\.[d]ebian\.org|download\.[p]ytorch"
    r"|--(extra-)?[i]ndex-url [a-z]|--[f]ind-links [a-z/]"
)


def packages(name: str) -> dict[str, tuple[tuple[str, tuple[str, ...]], ...]]:
    """What a requirements file installs: its lines and hashes by package."""
    return {
        package: locked.pins for package, locked in read_lock((PROJECT_DIR / name).read_text(encoding="utf-8")).items()
    }


class TestTheLock:
    def test_was_made_of_what_is_declared_now(self) -> None:
        assert declared_in(LOCK_TEXT) == DECLARED.fingerprint(), "run: make lock"

    def test_holds_what_is_declared_and_what_that_needs(self) -> None:
        assert {name for name, locked in LOCKED.items() if ROOT in locked.asked_by} == DECLARED.packages(EXTRAS)
        assert needed_by(DECLARED.packages(EXTRAS), LOCKED) == set(LOCKED)

    @pytest.mark.parametrize("extra", EXTRAS)
    def test_satisfies_every_bound(self, extra: str) -> None:
        for declared in map(Requirement, DECLARED.of(extra)):
            for pin, _ in LOCKED[package_of(declared.name)].pins:
                version = re.search(r"==([^ ;]+)", pin)
                assert version is not None
                assert Version(version[1]) in declared.specifier, pin

    def test_every_package_has_hashes(self) -> None:
        digest = re.compile(r"--hash=sha256:[0-9a-f]{64}")
        for locked in LOCKED.values():
            for pin, hashes in locked.pins:
                assert hashes, pin
                assert all(map(digest.fullmatch, hashes)), pin


class TestRequirementsFiles:
    def test_come_from_the_lock(self) -> None:
        for name, text in requirements_files(DECLARED, LOCKED).items():
            assert (PROJECT_DIR / name).read_text(encoding="utf-8") == text, f"{name}: run: make lock"

    def test_there_is_no_other(self) -> None:
        assert {path.name for path in PROJECT_DIR.glob("requirements*")} == {LOCK, *(file.name for file in FILES)}

    @pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
    def test_are_exact(self, file: RequirementsFile) -> None:
        exact = re.compile(r"[a-z0-9-]+==[A-Za-z0-9.]+( ; [a-z_.' <>=!*0-9A-Z()]+)?")
        pins = [pin for pins in packages(file.name).values() for pin, _ in pins]
        assert pins
        assert [pin for pin in pins if not exact.fullmatch(pin)] == []

    @pytest.mark.parametrize("file", [file for file in FILES if file.beside], ids=lambda file: file.name)
    def test_files_that_are_installed_together_do_not_overlap(self, file: RequirementsFile) -> None:
        for other in file.beside:
            assert packages(file.name).keys().isdisjoint(packages(other))

    @pytest.mark.parametrize("name", [SERVING, GPU])
    def test_serving_holds_one_opencv_and_no_torch(self, name: str) -> None:
        assert [package for package in packages(name) if package.startswith("opencv")] == [
            "opencv-contrib-python-headless"
        ]
        assert not {"torch", "torchvision", "tensorflow", "paddlepaddle"} & set(packages(name))

    def test_gpu_differs_only_in_the_runtime(self) -> None:
        cpu, gpu = packages(SERVING), packages(GPU)
        assert set(cpu) - set(gpu) == {"onnxruntime"}
        extra = set(gpu) - set(cpu)
        assert {package for package in extra if not package.startswith("nvidia-")} == {"onnxruntime-gpu"}
        assert gpu["onnxruntime-gpu"][0][0].partition("==")[2] == cpu["onnxruntime"][0][0].partition("==")[2]
        assert {package: cpu[package] for package in set(cpu) & set(gpu)} == {
            package: gpu[package] for package in set(cpu) & set(gpu)
        }


class TestReading:
    LOCK = """# about
a==1 \\
    --hash=sha256:00
    # via cv-service (pyproject.toml)
b==2 ; python_full_version < '3.14' \\
    --hash=sha256:01 \\
    --hash=sha256:02
    # via
    #   A
    #   c
b==3 ; python_full_version >= '3.14' \\
    --hash=sha256:03
    # via a
c==4 \\
    --hash=sha256:04
    # via cv-service (pyproject.toml)
"""

    def test_pins_of_several_markers_belong_to_one_package(self) -> None:
        assert read_lock(self.LOCK)["b"].pins == (
            ("b==2 ; python_full_version < '3.14'", ("--hash=sha256:01", "--hash=sha256:02")),
            ("b==3 ; python_full_version >= '3.14'", ("--hash=sha256:03",)),
        )

    def test_a_root_leads_to_what_it_needs_and_no_further(self) -> None:
        assert needed_by({"a"}, read_lock(self.LOCK)) == {"a", "b"}

    def test_markers_that_hold_wherever_the_lock_does_are_left_out(self) -> None:
        environment = "python_full_version < '3.15' and sys_platform == 'linux'"
        text = (
            "a==1 ; python_full_version < '3.15' and sys_platform == 'linux' \\\n"
            "b==2 ; python_full_version < '3.14' and sys_platform == 'linux' \\\n"
            "c==3 ; python_full_version < '3.15' and implementation_name != 'PyPy' and sys_platform == 'linux' \\\n"
        )
        assert without_environment(text, environment) == (
            "a==1 \\\nb==2 ; python_full_version < '3.14' \\\nc==3 ; implementation_name != 'PyPy' \\\n"
        )


def test_no_file_names_a_registry_or_a_mirror() -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=PROJECT_DIR, check=True, capture_output=True, text=True)  # noqa: S607
    paths = [PROJECT_DIR / name for name in listed.stdout.split("\0") if name]
    assert paths
    naming = [path for path in paths if path.is_file() and REGISTRIES.search(path.read_text(errors="replace"))]
    assert naming == []
