"""What the hotel's own names look like: the command ``cv heads prototypes`` by its path."""

from __future__ import annotations

import sys

from app.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["heads", "prototypes", *sys.argv[1:]]))
