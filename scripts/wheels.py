"""Whether every locked package has a wheel for each Python and platform that we name: ``make wheels``.

Asks the registry for metadata alone, downloads nothing, and runs on the standard library, beside uv. Exit status 1: a
wheel is missing where docs/deployment.md promises one.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

PROJECT_DIR = Path(__file__).resolve().parents[1]
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
# OpenVINO's wheels for ARM64 ask for glibc 2.35, as in Debian 12 and Ubuntu 22.04.
PLATFORMS = ("x86_64-manylinux_2_28", "aarch64-manylinux_2_35")
FILES = {
    "requirements.txt": PLATFORMS,
    "requirements-embedded.txt": PLATFORMS,
    "requirements-gpu.txt": PLATFORMS[:1],  # CUDA's
}
_TIMEOUT_S = 300


def missing(file: str, python: str, platform: str) -> str:
    """What uv says of the first package that has no wheel; empty where all have one."""
    with tempfile.TemporaryDirectory() as target:
        uv = str(Path(sys.executable).with_name("uv"))
        options = ["--dry-run", "--no-deps", "--only-binary", ":all:", "--require-hashes", "--target", target]
        options += ["--python-version", python, "--python-platform", platform, "--requirement", file]
        done = subprocess.run(
            [uv, "pip", "install", *options],
            cwd=PROJECT_DIR,
            check=False,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
        )
    return "" if done.returncode == 0 else done.stderr.strip()


def main() -> int:
    """Returns the exit status."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    status = 0
    for file, platforms in FILES.items():
        for platform in platforms:
            for python in PYTHONS:
                reason = missing(file, python, platform)
                print(f"{file:<26} {platform:<23} Python {python}: {reason or 'every package has a wheel'}", flush=True)
                status |= bool(reason)
    return status


if __name__ == "__main__":
    sys.exit(main())
