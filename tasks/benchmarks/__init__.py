"""Benchmarks as data: a TOML file each, and beside it what data cannot say."""
