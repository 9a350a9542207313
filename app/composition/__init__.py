"""The pieces of the composition root, a file each; ``root.open_resources`` puts them together."""
