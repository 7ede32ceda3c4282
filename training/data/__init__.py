"""Training rows: files, converters, mining, overlap with benchmarks."""
