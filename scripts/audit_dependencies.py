"""Known vulnerabilities of the pinned packages: ``make audit``.

The advisories come from AUDIT_DB, a file or an address of OSV's export, else from PyPI. Exit status 1 if one is found
that docs/security.md does not excuse, 2 if the advisories could not be asked, unless ``--where-possible`` makes
that no failure. The last line says what was done, or ``NOT RUN``.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any  # of JSON

from scripts.advisories import Advisories, UnreadableAdvisories, pinned, read_advisories

PROJECT_DIR = Path(__file__).resolve().parents[1]
LISTS = ("requirements.txt", "requirements-gpu.txt", "requirements-embedded.txt")
_TIMEOUT_S = 600
EXCUSED_LINE = re.compile(r"^\| ((?:PYSEC|CVE|GHSA)-\S+) \|", re.MULTILINE)


def excused() -> set[str]:
    """The ids in the table of known exceptions."""
    return set(EXCUSED_LINE.findall((PROJECT_DIR / "docs" / "security.md").read_text(encoding="utf-8")))


def findings(audited: Mapping[str, Any], ignored: set[str]) -> tuple[list[str], int]:
    """Lines about vulnerabilities that are not excused, and how many packages could be judged at all.

    Args:
        audited: pip-audit's JSON.
        ignored: ids of vulnerabilities that are known and accepted.
    """
    lines, judged = [], 0
    for package in audited["dependencies"]:
        if "vulns" not in package:
            continue  # the advisories do not know it
        judged += 1
        for vulnerability in package["vulns"]:
            if not {vulnerability["id"], *vulnerability["aliases"]} & ignored:
                fixed = ", ".join(vulnerability["fix_versions"]) or "no version yet"
                lines.append(f"{package['name']} {package['version']}: {vulnerability['id']}, fixed in {fixed}")
    return lines, judged


def audit(name: str) -> Mapping[str, Any]:
    """What pip-audit says of a requirements file; an empty list where it could ask nobody."""
    options = ["--no-deps", "--disable-pip", "--format=json", "--progress-spinner=off"]
    try:
        done = subprocess.run(
            [sys.executable, "-m", "pip_audit", *options, "--requirement", str(PROJECT_DIR / name)],
            check=False,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
        )
    except subprocess.TimeoutExpired:
        print(f"{name}: no answer within {_TIMEOUT_S} s", file=sys.stderr)
        return {"dependencies": []}
    try:
        answer: Mapping[str, Any] = json.loads(done.stdout)
    except ValueError:
        print(f"{name}: {done.stderr.strip()[-300:]}", file=sys.stderr)
        return {"dependencies": []}
    return answer


def audit_by(advisories: Advisories, name: str) -> Mapping[str, Any]:
    """As ``audit``, by advisories that are at hand."""
    packages = pinned((PROJECT_DIR / name).read_text(encoding="utf-8"))
    return {
        "dependencies": [
            {
                "name": package,
                "version": version,
                "vulns": [
                    {"id": found.ids[0], "aliases": found.ids[1:], "fix_versions": found.fixed}
                    for found in advisories.of(package, version)
                ],
            }
            for package, version in packages
        ]
    }


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--where-possible", action="store_true", help="succeed where the advisories cannot be asked")
    options = parser.parse_args(arguments)
    place = os.environ.get("AUDIT_DB", "")
    try:
        advisories = read_advisories(place) if place else None
    except UnreadableAdvisories as error:
        print(f"audit: NOT RUN: {error}", file=sys.stderr)
        return 2  # whoever names a database wants it to be asked
    found = 0
    for name in LISTS:
        lines, judged = findings(audit(name) if advisories is None else audit_by(advisories, name), excused())
        if not judged:
            print("audit: NOT RUN: PyPI's advisories could not be asked; AUDIT_DB names others")
            return 0 if options.where_possible else 2
        print(f"{name}: {judged} packages, {len(lines)} known vulnerabilities")
        print("\n".join(lines), file=sys.stderr, end="\n" if lines else "")
        found += len(lines)
    print(f"audit: run on {date.today():%Y-%m-%d} by {place or 'PyPI'}: {found} known vulnerabilities")  # noqa: DTZ011
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
