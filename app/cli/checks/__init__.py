"""What ``cv doctor`` looks at."""
