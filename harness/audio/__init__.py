"""Clips, from bytes to what a model hears."""
