"""The vector collections: the command ``cv migrate --collections-only`` by its path."""

from __future__ import annotations

import sys

from app.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["migrate", "--collections-only", *sys.argv[1:]]))
