"""The API's document, as a file that changes are seen in: docs/openapi.json.

python scripts/export_openapi.py            # write it
python scripts/export_openapi.py --check    # exit status 1 if it is not what the code says
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from app.config import Settings
from app.main import create_app
from scripts.committed_document import write_or_compare

TARGET = Path(__file__).resolve().parents[1] / "docs" / "openapi.json"


def document() -> str:
    """The document of the code as it stands, whatever the environment says."""
    return (
        json.dumps(create_app(Settings.model_construct()).openapi(), indent=1, ensure_ascii=False, sort_keys=True)
        + "\n"
    )


def main() -> int:
    return write_or_compare(
        TARGET,
        document(),
        purpose=__doc__,
        complaint="docs/openapi.json is not what the code says; run: make openapi",
    )


if __name__ == "__main__":
    sys.exit(main())
