"""The pieces of the composition root, a file each; ``app.dependencies`` puts them together."""
