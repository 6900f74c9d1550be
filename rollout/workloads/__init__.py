"""Whether versions are there and ready."""
