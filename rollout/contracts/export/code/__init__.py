"""Reads the agent's code, in a form in which equal code is equal. Nothing of it is run."""
