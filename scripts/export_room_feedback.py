"""Photos of rooms that people corrected: the command ``cv export rooms`` by its path."""

from __future__ import annotations

import sys

from app.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["export", "rooms", *sys.argv[1:]]))
