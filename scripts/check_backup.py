"""The master keys of a dump: the command ``cv check-backup`` by its path; ``--help`` explains it."""

from __future__ import annotations

import sys

from app.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["check-backup", *sys.argv[1:]]))
