"""What the names in the agent's code stand for, where they are defined, and whose they are."""
