"""A checkpoint in this process, with transformers."""
