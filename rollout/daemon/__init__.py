"""Wiring and running: the loop around the engine."""
