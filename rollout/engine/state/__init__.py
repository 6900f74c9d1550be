"""State compatibility: the gate, live conversations, the point of no return."""
