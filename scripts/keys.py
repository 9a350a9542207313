"""API keys: the command ``cv keys`` by its path; ``--help`` explains it."""

from __future__ import annotations

import sys

from app.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["keys", *sys.argv[1:]]))
