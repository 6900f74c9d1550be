"""Fakes that are held to what the real things were seen to answer."""
