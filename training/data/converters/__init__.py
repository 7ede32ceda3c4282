"""Data sets of others, in the layouts in which they are published, as rows to train on."""
