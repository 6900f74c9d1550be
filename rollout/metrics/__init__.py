"""Metrics sources: one file per kind; presets as data."""
