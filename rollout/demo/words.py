"""What users of the demo say, and the agents understand."""

REFUND = "refund"
"""Whoever asks for one waits until a human has answered."""

APPROVED = "approved"
"""The human's answer."""

GOODBYE = "goodbye"
"""A user's last word: the conversation is over."""
