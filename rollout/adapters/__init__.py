"""What lies beyond the engine's ports: one room for each."""
