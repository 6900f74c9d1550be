"""Conversations: which stay on the version they began with, and when a version that lost has none left."""
