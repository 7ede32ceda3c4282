"""Rows to train on: files, converters, mining, overlap."""
