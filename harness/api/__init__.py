"""The Python door: run, load, compare, gate, score and judge without a command line."""
