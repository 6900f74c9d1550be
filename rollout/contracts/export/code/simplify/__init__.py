"""Brings a function into a form in which code that does the same looks the same, as far as that can be proved."""

from rollout.contracts.export.code.simplify.simplified import simplified

__all__ = ["simplified"]
