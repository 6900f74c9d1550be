"""Telling people and programs of a release, beside the turns."""
