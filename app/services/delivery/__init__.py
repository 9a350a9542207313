"""Ways in which events leave the house beside the broker."""
