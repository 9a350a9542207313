"""The API's document, as a file that changes are seen in: docs/openapi.json.

python scripts/export_openapi.py            # write it
python scripts/export_openapi.py --check    # exit status 1 if it is not what the code says
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from app.config import Settings
from app.main import create_app

TARGET = Path(__file__).resolve().parents[1] / "docs" / "openapi.json"


def document() -> str:
    """The document of the code as it stands, whatever the environment says."""
    return (
        json.dumps(create_app(Settings.model_construct()).openapi(), indent=1, ensure_ascii=False, sort_keys=True)
        + "\n"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="only compare")
    options = parser.parse_args()
    current = document()
    if not options.check:
        TARGET.write_text(current, encoding="utf-8")
    elif not TARGET.is_file() or TARGET.read_text(encoding="utf-8") != current:
        print("docs/openapi.json is not what the code says; run: make openapi", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
