"""State contracts of versions, and the census of live conversations."""
