"""The master key: the command ``cv rotate-key`` by its path; ``--help`` explains it."""

from __future__ import annotations

import sys

from app.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["rotate-key", *sys.argv[1:]]))
