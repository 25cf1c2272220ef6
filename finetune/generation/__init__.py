"""Completions from a model, many at a time."""
