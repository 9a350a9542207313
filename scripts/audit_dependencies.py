"""Known vulnerabilities of the pinned packages, as PyPI's advisories have them: ``make audit``.

Exit status 1 if one is found that docs/security.md does not excuse, 2 if the advisories could not be asked, unless
``--where-possible`` says that this is no failure.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any  # of JSON

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


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--where-possible", action="store_true", help="succeed where the advisories cannot be asked")
    options = parser.parse_args()
    for name in LISTS:
        lines, judged = findings(audit(name), excused())
        if not judged:
            print(f"{name}: the advisories could not be asked; nothing was audited", file=sys.stderr)
            return 0 if options.where_possible else 2
        print(f"{name}: {judged} packages, {len(lines)} known vulnerabilities")
        if lines:
            print("\n".join(lines), file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
