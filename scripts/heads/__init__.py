"""Training of linear heads: examples, views, fitting, validation. Used by train_heads.py and evaluation/."""
