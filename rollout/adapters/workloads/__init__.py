"""Whether versions answer, and what they are made of."""
