"""When to go back, and how."""
