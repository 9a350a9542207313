"""Training of the hazard heads on many sources. Used by train_hazards.py and evaluation/."""
