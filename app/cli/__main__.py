"""``python -m app.cli``: the ``cv`` command where nothing of that name is installed."""

from __future__ import annotations

import sys

from app.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
