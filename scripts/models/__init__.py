"""Preparing model packs: fetch, verify, convert, install. Used by ``scripts/download_models.py`` only."""
