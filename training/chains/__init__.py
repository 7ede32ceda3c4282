"""Training data without labels: a caption of each clip, a question where there is none, and a chain to its answer."""
