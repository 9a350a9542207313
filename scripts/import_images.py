"""A folder of pictures: the command ``cv import`` by its path; ``--help`` explains it."""

from __future__ import annotations

import sys

from app.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["import", *sys.argv[1:]]))
