"""Training of the room heads: photos of several sources, rows, fitting, what is said of them."""
